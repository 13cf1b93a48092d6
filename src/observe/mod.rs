//! Observe: what the server tells about itself, and nothing it does.
//!
//! Counters and histograms that one core writes and everyone reads, the slow log, the latency
//! monitor, the log. Time comes in as an argument; this part has no clock, no commands, no replies.
//! Each other part renders its own lines of INFO through `info`.
#![forbid(unsafe_code)]

mod advice;
pub mod command_stats;
pub mod counters;
pub mod doctor;
pub mod error_stats;
pub mod histogram;
pub mod info;
pub mod latency;
pub mod log;
mod rates;
pub mod sections;
pub mod slowlog;
mod sparkline;
