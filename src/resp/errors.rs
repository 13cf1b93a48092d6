//! Every error text that more than one place sends, exactly as Redis words it.
//!
//! Texts stand without the leading minus and without the line end. Clients match on the first
//! word, tests and tutorials on the whole line.

use std::borrow::Cow;

/// An error as a reply. Bytes, because it may repeat what a client has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply(pub Cow<'static, [u8]>);

impl From<&'static str> for ErrorReply {
    fn from(text: &'static str) -> Self {
        ErrorReply(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<String> for ErrorReply {
    fn from(text: String) -> Self {
        ErrorReply(Cow::Owned(text.into_bytes()))
    }
}

impl From<Vec<u8>> for ErrorReply {
    fn from(text: Vec<u8>) -> Self {
        ErrorReply(Cow::Owned(text))
    }
}

pub const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
pub const SYNTAX: &str = "ERR syntax error";
pub const NO_SUCH_KEY: &str = "ERR no such key";
pub const SAME_OBJECT: &str = "ERR source and destination objects are the same";
pub const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
pub const NOT_A_FLOAT: &str = "ERR value is not a valid float";
pub const OUT_OF_RANGE: &str = "ERR value is out of range";
pub const INDEX_OUT_OF_RANGE: &str = "ERR index out of range";
pub const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";
pub const OFFSET_OUT_OF_RANGE: &str = "ERR offset is out of range";
pub const BIT_OFFSET: &str = "ERR bit offset is not an integer or out of range";
pub const OVERFLOW: &str = "ERR increment or decrement would overflow";
pub const NAN_OR_INFINITY: &str = "ERR increment would produce NaN or Infinity";
pub const STRING_TOO_LONG: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
pub const INVALID_STREAM_ID: &str = "ERR Invalid stream ID specified as stream command argument";
pub const DB_OUT_OF_RANGE: &str = "ERR DB index is out of range";
pub const INVALID_DB_INDEX: &str = "ERR invalid DB index";
pub const INVALID_CURSOR: &str = "ERR invalid cursor";
pub const NO_AUTH: &str = "NOAUTH Authentication required.";
pub const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";
pub const BAD_CLIENT_NAME: &str =
    "ERR Client names cannot contain spaces, newlines or special characters.";
pub const EXEC_ABORT: &str = "EXECABORT Transaction discarded because of previous errors.";
pub const BUSY_KEY: &str = "BUSYKEY Target key name already exists.";
pub const MAX_CLIENTS: &str = "ERR max number of clients reached";
pub const CANNOT_SAVE: &str = "MISCONF Redis is configured to save RDB snapshots, but \
     it's currently unable to persist to disk. Commands that may modify the data set are \
     disabled, because this instance is configured to report errors during writes if RDB \
     snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for \
     details about the RDB error.";
pub const LOADING: &str = "LOADING Redis is loading the dataset in memory";
pub const READ_ONLY: &str = "READONLY You can't write against a read only replica.";
pub const NO_REPLICAS: &str = "NOREPLICAS Not enough good replicas to write.";
pub const MASTER_DOWN: &str =
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
pub const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

/// Clips text of a client's as Redis does in its own messages, where it ends at the first zero
/// byte, and makes it printable.
pub fn clipped(bytes: &[u8], max: usize) -> String {
    String::from_utf8_lossy(&clipped_bytes(bytes, max)).into_owned()
}

/// The same, byte by byte as they came but for line ends.
fn clipped_bytes(bytes: &[u8], max: usize) -> Vec<u8> {
    let bytes = bytes[..bytes.len().min(max)].iter();
    let text = bytes.take_while(|byte| **byte != 0);
    text.map(|byte| match byte {
        b'\r' | b'\n' => b' ',
        other => *other,
    })
    .collect()
}

/// An error that repeats what a client has sent.
pub fn repeating(before: &str, given: &[u8], after: &str) -> ErrorReply {
    [
        before.as_bytes(),
        &clipped_bytes(given, 128),
        after.as_bytes(),
    ]
    .concat()
    .into()
}

/// `ERR wrong number of arguments for 'get' command`.
pub fn wrong_arity(name: &str) -> ErrorReply {
    format!("ERR wrong number of arguments for '{name}' command").into()
}

/// `ERR invalid expire time in 'set' command`.
pub fn invalid_expire(name: &str) -> ErrorReply {
    format!("ERR invalid expire time in '{name}' command").into()
}

/// The answer to a command nobody knows, with the beginning of its arguments.
pub fn unknown_command<'a>(name: &[u8], args: impl Iterator<Item = &'a [u8]>) -> ErrorReply {
    const SHOWN_MAX: usize = 128;
    let mut shown = Vec::new();
    for arg in args {
        if shown.len() >= SHOWN_MAX {
            break;
        }
        let room = SHOWN_MAX - shown.len();
        shown.push(b'\'');
        shown.extend(clipped_bytes(arg, room));
        shown.extend(b"' ");
    }
    let mut error = repeating(
        "ERR unknown command '",
        name,
        "', with args beginning with: ",
    );
    error.0.to_mut().extend(shown);
    error
}

/// The answer to a subcommand nobody knows.
pub fn unknown_subcommand(name: &str, subcommand: &[u8]) -> ErrorReply {
    let command = name.to_ascii_uppercase();
    let after = format!("'. Try {command} HELP.");
    repeating("ERR unknown subcommand '", subcommand, &after)
}

/// The answer to a form of a command that nobody knows, or that takes other arguments.
pub fn unknown_form(name: &str, subcommand: &[u8]) -> ErrorReply {
    let command = name.to_ascii_uppercase();
    let after = format!("'. Try {command} HELP.");
    let before = "ERR unknown subcommand or wrong number of arguments for '";
    repeating(before, subcommand, &after)
}
