//! Floor 1: the wire, RESP2 and RESP3.
//!
//! Bytes to argument slices without copying, replies to bytes, and every error text we send.

#![forbid(unsafe_code)]

mod assembly;
pub mod errors;
mod inline;
mod output;
mod parser;
mod reply;
mod request;
mod writer;

pub use assembly::{Assembly, BIG_ARGUMENT_MIN, Fed};
pub use errors::ErrorReply;
pub use inline::split_line;
pub use output::{Mark, Output};
pub use parser::{Limits, Parsed, Span, parse};
pub use reply::{first_integer, skip_reply};
pub use request::{find_request, put_number_line, put_request, put_word, request};
pub use writer::{Protocol, Writer, Written};
