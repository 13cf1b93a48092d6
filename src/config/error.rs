//! What is wrong with a configuration at start, in the words of redis-server.
//!
//! Scripts and people recognise the three-line text, so it is kept to the letter; only the
//! product's name is ours. There is no final newline: print it with `eprintln!` and exit with 1.

use std::fmt;
use std::path::PathBuf;

/// The version in the first line.
pub const PRODUCT: &str = concat!("Ringshard ", env!("CARGO_PKG_VERSION"));

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// A line that cannot be accepted.
    Line {
        number: usize,
        text: String,
        reason: String,
    },
    /// Acceptable lines that do not go together.
    Whole { reason: String },
    /// A file that cannot be read.
    File { path: PathBuf, reason: String },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = format!("\n*** FATAL CONFIG FILE ERROR ({PRODUCT}) ***\n");
        match self {
            ConfigError::Line {
                number,
                text,
                reason,
            } => {
                let place = format!("Reading the configuration file, at line {number}\n");
                write!(f, "{title}{place}>>> '{text}'\n{reason}")
            }
            ConfigError::Whole { reason } => write!(f, "{title}{reason}"),
            ConfigError::File { path, reason } => {
                let path = path.display();
                write!(f, "Fatal error, can't open config file '{path}': {reason}")
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// The system's text alone, as C's `strerror` has it.
pub fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}
