//! From values of the table to types of the server.
//!
//! One small trait, so that a typed field of `Live` is one line: its type says how to read the
//! value. A type that does not fit the row's kind or bounds is a mistake of ours and panics at the
//! first `Config::default()`, which every test makes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::choice::ShutdownFlags;
use super::special::{BufferLimit, KeyspaceEvents, Master, SavePoint};
use super::value::Value;

pub trait FromValue {
    fn from_value(value: &Value) -> Self;
}

/// A limit in bytes, or as a part of `maxmemory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    Bytes(u64),
    Percent(u8),
}

macro_rules! from_value {
    ($($type:ty: $pattern:pat => $result:expr,)*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> Self {
                match value {
                    $pattern => $result,
                    other => unreachable!("{other:?} is no {}", stringify!($type)),
                }
            }
        }
    )*};
}

macro_rules! from_number {
    ($($type:ty)*) => {
        from_value! { $($type: Value::Number(number) => {
            <$type>::try_from(*number).expect("the row's bounds fit the field")
        },)* }
    };
}

from_number! { u16 u32 u64 usize i32 i64 }

from_value! {
    bool: Value::Bool(on) => *on,
    Option<Vec<u8>>: Value::Text(text) => text.clone(),
    Vec<u8>: Value::Text(text) => text.clone().unwrap_or_default(),
    Option<PathBuf>: Value::Text(text) => {
        text.as_ref().filter(|text| !text.is_empty()).map(|text| path(text))
    },
    PathBuf: Value::Text(text) => path(text.as_deref().unwrap_or_default()),
    MemoryLimit: Value::Number(number) => match *number {
        percent if percent < 0 => {
            MemoryLimit::Percent(u8::try_from(-percent).expect("at most 100 percent"))
        }
        bytes => MemoryLimit::Bytes(u64::try_from(bytes).expect("the row's bounds")),
    },
    ShutdownFlags: Value::Choice(bits) => ShutdownFlags(*bits),
    KeyspaceEvents: Value::Events(bits) => KeyspaceEvents(*bits),
    Vec<SavePoint>: Value::Save(points) => points.clone(),
    [BufferLimit; 3]: Value::Buffers(limits) => *limits,
    Vec<Vec<u8>>: Value::Words(words) => words.clone(),
    Option<Master>: Value::Master(master) => master.clone(),
    Vec<f64>: Value::Percentiles(list) => list.clone(),
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}
