//! The numbers by which RDB names types of values, and the dialects that disagree about them.
//!
//! Redis and Valkey parted after version 11; 22 means one thing to each. Which dialect bytes are
//! in follows from their version: Valkey counts from 80, Redis is far below.

use super::damage::Damage;

/// The highest version of Redis that is read.
pub const VERSION_MAX: u16 = 12;
/// The version written: the last one that Redis 7.0 loads.
pub const VERSION_WRITTEN: u16 = 10;
/// The version of a payload with what version 10 cannot say: fields of hashes that expire.
pub const VERSION_OF_EXPIRING_FIELDS: u16 = 12;
/// Valkey's own first version.
pub const VERSION_VALKEY: u16 = 80;

/// Whose numbers they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Redis,
    Valkey,
}

impl Dialect {
    /// The dialect of a version, if it can be read.
    pub fn of_version(version: u16) -> Option<Dialect> {
        match version {
            1..=VERSION_MAX => Some(Dialect::Redis),
            VERSION_VALKEY => Some(Dialect::Valkey),
            _ => None,
        }
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    String,
    List,
    Set,
    /// Scores as text.
    ZsetText,
    Hash,
    Zset,
    HashZipmap,
    ListZiplist,
    SetIntset,
    ZsetZiplist,
    HashZiplist,
    /// Nodes that are ziplists.
    ListQuicklist,
    Stream,
    HashListpack,
    ZsetListpack,
    /// Nodes that are listpacks or single elements.
    ListQuicklist2,
    /// With the first id, the greatest deleted one and how many were ever added.
    Stream2,
    SetListpack,
    /// With the time consumers were active.
    Stream3,
    /// Expiries of fields as they are, before they got relative to the earliest.
    HashExpiringEarly,
    HashListpackExpiringEarly,
    HashExpiring,
    HashListpackExpiring,
    /// Valkey's: expiries behind the values.
    HashExpiringValkey,
}

/// Codes by number; 6 to 8 are modules' and nobody's.
const CODES: [(u8, Code); 23] = [
    (0, Code::String),
    (1, Code::List),
    (2, Code::Set),
    (3, Code::ZsetText),
    (4, Code::Hash),
    (5, Code::Zset),
    (9, Code::HashZipmap),
    (10, Code::ListZiplist),
    (11, Code::SetIntset),
    (12, Code::ZsetZiplist),
    (13, Code::HashZiplist),
    (14, Code::ListQuicklist),
    (15, Code::Stream),
    (16, Code::HashListpack),
    (17, Code::ZsetListpack),
    (18, Code::ListQuicklist2),
    (19, Code::Stream2),
    (20, Code::SetListpack),
    (21, Code::Stream3),
    (22, Code::HashExpiringEarly),
    (23, Code::HashListpackExpiringEarly),
    (24, Code::HashExpiring),
    (25, Code::HashListpackExpiring),
];

impl Code {
    /// The code of a number.
    pub fn from_number(number: u8, dialect: Dialect) -> Result<Code, Damage> {
        let is_valkeys = dialect == Dialect::Valkey && number >= 22;
        match CODES.iter().find(|(code, _)| *code == number) {
            _ if is_valkeys && number == 22 => Ok(Code::HashExpiringValkey),
            Some((_, code)) if !is_valkeys => Ok(*code),
            _ => Err(Damage::Code(number)),
        }
    }

    /// The number it is written by.
    pub fn number(self) -> u8 {
        let found = CODES.iter().find(|(_, code)| *code == self);
        found.map_or(22, |(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back() {
        for number in 0..=255 {
            for dialect in [Dialect::Redis, Dialect::Valkey] {
                if let Ok(code) = Code::from_number(number, dialect) {
                    assert_eq!(code.number(), number);
                }
            }
        }
        let hash = |dialect| Code::from_number(22, dialect);
        assert_eq!(hash(Dialect::Redis), Ok(Code::HashExpiringEarly));
        assert_eq!(hash(Dialect::Valkey), Ok(Code::HashExpiringValkey));
        assert_eq!(Code::from_number(8, Dialect::Redis), Err(Damage::Code(8)));
        assert_eq!(Dialect::of_version(13), None);
    }
}
