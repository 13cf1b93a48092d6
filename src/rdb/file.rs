//! The frame of an RDB file: what stands between values, read item by item.
//!
//! ```text
//!  REDIS0010                    or VALKEY080
//!  FA name value                about the file; F5 code of functions; F7 data of a module
//!  FE db  FB keys expiring      the database of what follows, and how much it is
//!  [FC ms | FD s] [F8 idle | F9 frequency]  code key value
//!  FF checksum                  from version 5 on; zero for none
//! ```
//!
//! The reader keeps the offset and the checksum of all it has passed, values included, which is
//! why they are read and skimmed through it.

use super::checksum::Checksum;
use super::code::{Code, Dialect};
use super::damage::{Damage, Stop, ensure};
use super::decode::{Decoder, Value};
use super::input::Input;
use super::skim::{Skim, skip_module_data};

pub(super) mod opcode {
    pub const SLOT_IMPORT: u8 = 243;
    pub const SLOT_INFO: u8 = 244;
    pub const FUNCTION: u8 = 245;
    pub const FUNCTION_EARLY: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    pub const IDLE: u8 = 248;
    pub const FREQUENCY: u8 = 249;
    pub const AUX: u8 = 250;
    pub const SIZES: u8 = 251;
    pub const EXPIRES_MS: u8 = 252;
    pub const EXPIRES: u8 = 253;
    pub const SELECT: u8 = 254;
    pub const END: u8 = 255;
}

/// Codes of modules' values: before 4.0 was final, and since.
const MODULE_CODES: [u8; 2] = [6, 7];
const MAGIC_BYTES: u64 = 9;
/// From this version on a checksum stands at the end.
const VERSION_OF_CHECKSUM: u16 = 5;

/// What stands in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// The first item: whose file it is, and its version.
    Head(Dialect, u16),
    /// Something about the file.
    Aux(Vec<u8>, Vec<u8>),
    /// What follows belongs to this database.
    Select(u64),
    /// How many keys follow in this database, and how many of them expire: hints.
    Sizes { keys: u64, expiring: u64 },
    /// The code of a library of functions.
    Function(Vec<u8>),
    /// Something that no server but its writer understands, by name; it has been passed over.
    Skipped(String),
    /// A key; its value comes next, through [`FileReader::value`] or [`FileReader::skim`].
    Key(KeyHead),
    /// The last item.
    End,
}

/// What stands before a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHead {
    pub code: Code,
    pub key: Vec<u8>,
    /// Unix time in milliseconds.
    pub expires_at_ms: Option<i64>,
    pub idle_seconds: Option<u64>,
    pub frequency: Option<u8>,
}

/// What the opcodes before a key have said of it.
#[derive(Clone, Copy, Debug, Default)]
struct Ahead {
    expires_at_ms: Option<i64>,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

/// A file being read.
#[derive(Debug)]
pub struct FileReader {
    /// `None` before the head.
    head: Option<(Dialect, u16)>,
    ahead: Ahead,
    offset: u64,
    /// `None` where it is not wanted (rdbchecksum no).
    checksum: Option<Checksum>,
}

impl FileReader {
    /// At the beginning of a file; whether its checksum is verified.
    pub fn new(verifies: bool) -> FileReader {
        FileReader {
            head: None,
            ahead: Ahead::default(),
            offset: 0,
            checksum: verifies.then(Checksum::default),
        }
    }

    /// Bytes of the file that have been passed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next item.
    pub fn next(&mut self, input: &mut Input<'_>) -> Result<Item, Stop> {
        let Some((dialect, version)) = self.head else {
            let head = self.pass(input, magic)?;
            self.head = Some(head);
            return Ok(Item::Head(head.0, head.1));
        };
        loop {
            let checksum = self.checksum.clone();
            let mut ahead = self.ahead;
            let item = self.pass(input, |input| match input.byte()? {
                opcode::END => end(input, version, checksum),
                code @ opcode::SLOT_IMPORT.. => between(code, input, &mut ahead),
                code => key(code, input, dialect, &mut ahead).map(Some),
            })?;
            self.ahead = ahead;
            if let Some(item) = item {
                return Ok(item);
            }
        }
    }

    /// Reads on in the value of the key that was the last item.
    pub fn value(
        &mut self,
        decoder: &mut Decoder,
        input: &mut Input<'_>,
        budget: usize,
    ) -> Result<Option<Value>, Stop> {
        let before = input.position();
        let result = decoder.step(input, budget);
        self.note(input.since(before));
        result
    }

    /// Passes on over the value of the key that was the last item; says whether it has ended.
    pub fn skim(
        &mut self,
        skim: &mut Skim,
        input: &mut Input<'_>,
        budget: usize,
    ) -> Result<bool, Stop> {
        let before = input.position();
        let result = skim.step(input, budget);
        self.note(input.since(before));
        result
    }

    /// Passes over the whole value of the key that was the last item and returns its bytes; stays
    /// before it when some are missing.
    pub fn value_bytes<'a>(&mut self, code: Code, input: &mut Input<'a>) -> Result<&'a [u8], Stop> {
        let before = input.position();
        self.pass(input, |input| {
            let mut skim = Skim::new(code);
            while !skim.step(input, usize::MAX)? {}
            Ok(())
        })?;
        Ok(input.since(before))
    }

    /// Reads something whole and notes its bytes, or nothing.
    fn pass<'a, T>(
        &mut self,
        input: &mut Input<'a>,
        read: impl FnOnce(&mut Input<'a>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let before = input.position();
        let value = input.whole(read)?;
        self.note(input.since(before));
        Ok(value)
    }

    fn note(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        if let Some(checksum) = &mut self.checksum {
            checksum.update(bytes);
        }
    }
}

fn magic(input: &mut Input<'_>) -> Result<(Dialect, u16), Stop> {
    let bytes = input.take(MAGIC_BYTES)?;
    let text = std::str::from_utf8(bytes).map_err(|_| Damage::NotRdb)?;
    let number = text.strip_prefix("REDIS").or(text.strip_prefix("VALKEY"));
    let number = number.ok_or(Damage::NotRdb)?;
    let version = number.parse().ok();
    let dialect = version.and_then(Dialect::of_version);
    let is_valkeys = text.starts_with("VALKEY");
    match (dialect, version) {
        (Some(dialect), Some(version)) if is_valkeys == (dialect == Dialect::Valkey) => {
            Ok((dialect, version))
        }
        _ => Err(Damage::Version(number.into()).into()),
    }
}

/// The checksum, if there is one, against what was passed before it.
fn end(
    input: &mut Input<'_>,
    version: u16,
    checksum: Option<Checksum>,
) -> Result<Option<Item>, Stop> {
    if version < VERSION_OF_CHECKSUM {
        return Ok(Some(Item::End));
    }
    let stored = u64::from_le_bytes(input.array()?);
    if let Some(mut checksum) = checksum.filter(|_| stored != 0) {
        checksum.update(&[opcode::END]);
        let computed = checksum.value();
        if stored != computed {
            return Err(Damage::Checksum { stored, computed }.into());
        }
    }
    Ok(Some(Item::End))
}

/// What stands between keys; `None` for what belongs to the next key.
fn between(code: u8, input: &mut Input<'_>, ahead: &mut Ahead) -> Result<Option<Item>, Stop> {
    Ok(Some(match code {
        opcode::EXPIRES_MS => {
            ahead.expires_at_ms = Some(input.millis()?);
            return Ok(None);
        }
        opcode::EXPIRES => {
            let seconds = i32::from_le_bytes(input.array()?);
            ahead.expires_at_ms = Some(i64::from(seconds) * 1000);
            return Ok(None);
        }
        opcode::IDLE => {
            ahead.idle_seconds = Some(input.length()?);
            return Ok(None);
        }
        opcode::FREQUENCY => {
            ahead.frequency = Some(input.byte()?);
            return Ok(None);
        }
        opcode::AUX => Item::Aux(input.bytes()?.into_owned(), input.bytes()?.into_owned()),
        opcode::SELECT => Item::Select(input.length()?),
        opcode::SIZES => Item::Sizes {
            keys: input.length()?,
            expiring: input.length()?,
        },
        opcode::FUNCTION => Item::Function(input.bytes()?.into_owned()),
        opcode::FUNCTION_EARLY => early_function(input)?,
        opcode::MODULE_AUX => module_data(input)?,
        opcode::SLOT_INFO => slot_sizes(input)?,
        opcode::SLOT_IMPORT => slot_import(input)?,
        _ => return Err(Damage::Code(code).into()),
    }))
}

fn key(code: u8, input: &mut Input<'_>, dialect: Dialect, ahead: &mut Ahead) -> Result<Item, Stop> {
    let key = input.bytes()?.into_owned();
    if MODULE_CODES.contains(&code) {
        return Err(Damage::Module(module_name(input.length()?)).into());
    }
    let code = Code::from_number(code, dialect)?;
    let ahead = std::mem::take(ahead);
    Ok(Item::Key(KeyHead {
        code,
        key,
        expires_at_ms: ahead.expires_at_ms,
        idle_seconds: ahead.idle_seconds,
        frequency: ahead.frequency,
    }))
}

/// How candidates of 7.0 wrote functions; the released server refuses them too.
fn early_function(input: &mut Input<'_>) -> Result<Item, Stop> {
    let name = input.bytes()?.into_owned();
    input.skip_text()?;
    if input.length()? != 0 {
        input.skip_text()?;
    }
    input.skip_text()?;
    let name = String::from_utf8_lossy(&name).into_owned();
    Ok(Item::Skipped(format!(
        "function '{name}' of a candidate of Redis 7.0"
    )))
}

fn module_data(input: &mut Input<'_>) -> Result<Item, Stop> {
    /// The kind of piece that says when the data is wanted.
    const NUMBER: u64 = 2;
    let name = module_name(input.length()?);
    ensure(input.length()? == NUMBER, "module data without its moment")?;
    input.length()?;
    skip_module_data(input)?;
    Ok(Item::Skipped(format!("data of the module type '{name}'")))
}

/// How many keys each slot has, which Redis Cluster writes as a hint.
fn slot_sizes(input: &mut Input<'_>) -> Result<Item, Stop> {
    let slot = input.length()?;
    input.length()?;
    input.length()?;
    Ok(Item::Skipped(format!("the sizes of slot {slot}")))
}

/// Slots that Valkey was taking over when it wrote the file.
fn slot_import(input: &mut Input<'_>) -> Result<Item, Stop> {
    let name = input.bytes()?.into_owned();
    for _ in 0..input.length()? {
        input.length()?;
        input.length()?;
    }
    let name = String::from_utf8_lossy(&name).into_owned();
    Ok(Item::Skipped(format!("the import '{name}' of slots")))
}

/// A module type's name: nine letters of six bits, and ten bits of version.
fn module_name(id: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letter = |number: u32| char::from(LETTERS[(id >> (58 - 6 * number) & 63) as usize]);
    (0..9).map(letter).collect()
}
