//! Observe: what the server tells about itself, and nothing it does.
//!
//! Counters and histograms that one core writes and everyone reads, the slow log, the latency
//! monitor, the log. Time comes in as an argument; this part has no clock, no commands, no replies.
//! Each other part renders its own lines of INFO through `info`.
#![forbid(unsafe_code)]

pub mod counters;
pub mod log;
pub mod rates;
