//! DUMP payloads: one value with a version and a checksum, for RESTORE here or elsewhere.
//!
//! ```text
//!  | code | value | version u16 | CRC-64 of all before |
//! ```
//!
//! What lies between value and version is not looked at, as in Redis.

use super::checksum::{CHECKSUM_BYTES, crc64};
use super::code::{Code, Dialect};
use super::damage::Damage;
use super::decode::{Decoder, Value};
use super::encode::ValueRef;
use super::input::Input;
use super::output::Output;
use crate::object::Packing;

/// Version and checksum.
const SEAL_BYTES: usize = 2 + CHECKSUM_BYTES;

/// Why a payload is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadError {
    /// Its version is not known, or its checksum wrong.
    Seal,
    /// It is what was once sealed, and still no value.
    Data(Damage),
}

/// The payload of a value.
pub fn dump(value: ValueRef<'_>, compresses: bool) -> Vec<u8> {
    let mut out = Output::new(compresses);
    out.byte(value.code().number());
    value.write(&mut out);
    out.raw(&value.version().to_le_bytes());
    let checksum = crc64(&out.bytes);
    out.raw(&checksum.to_le_bytes());
    out.bytes
}

/// The value of a payload.
pub fn restore(payload: &[u8], packing: &Packing) -> Result<Value, PayloadError> {
    let (dialect, bytes) = unseal(payload).ok_or(PayloadError::Seal)?;
    read(bytes, dialect, packing).map_err(PayloadError::Data)
}

/// Whose bytes they are, and the bytes without the seal.
fn unseal(payload: &[u8]) -> Option<(Dialect, &[u8])> {
    let (rest, checksum) = payload.split_last_chunk::<CHECKSUM_BYTES>()?;
    let (bytes, version) = rest.split_last_chunk::<{ SEAL_BYTES - CHECKSUM_BYTES }>()?;
    let dialect = Dialect::of_version(u16::from_le_bytes(*version))?;
    (crc64(rest) == u64::from_le_bytes(*checksum)).then_some((dialect, bytes))
}

fn read(bytes: &[u8], dialect: Dialect, packing: &Packing) -> Result<Value, Damage> {
    let mut input = Input::new(bytes);
    let code = input.byte().map_err(|stop| stop.at_end())?;
    let mut decoder = Decoder::new(Code::from_number(code, dialect)?, packing);
    loop {
        let step = decoder.step(&mut input, usize::MAX);
        if let Some(value) = step.map_err(|stop| stop.at_end())? {
            return Ok(value);
        }
    }
}
