//! Finding where a value ends without making it: for whoever reads ahead or only checks.
//!
//! Each code has a grammar of strings and numbers with repetitions; a [`Skim`] walks it, stops
//! when bytes are missing and goes on where it was. It looks into no string, so bytes it passes
//! may still be damaged.

use super::code::Code;
use super::damage::{Damage, Stop};
use super::input::Input;

/// A piece of a value.
#[derive(Clone, Copy, Debug)]
enum Part {
    Text,
    Length,
    ScoreText,
    Bytes(u8),
    /// A count, and so many times these.
    Repeat(&'static [Part]),
}

use Part::{Bytes, Length, Repeat, ScoreText, Text};

const ID: Part = Bytes(16);
const TIME: Part = Bytes(8);
const NODES: Part = Repeat(&[Text, Text]);
const PENDING: Part = Repeat(&[ID, TIME, Length]);
const OWNED: Part = Repeat(&[ID]);
const CONSUMERS: Part = Repeat(&[Text, TIME, OWNED]);
const CONSUMERS_ACTIVE: Part = Repeat(&[Text, TIME, TIME, OWNED]);

const STREAM: &[Part] = &[
    NODES,
    Length,
    Length,
    Length,
    Repeat(&[Text, Length, Length, PENDING, CONSUMERS]),
];
const STREAM_2: &[Part] = &[
    NODES,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Repeat(&[Text, Length, Length, Length, PENDING, CONSUMERS]),
];
const STREAM_3: &[Part] = &[
    NODES,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Length,
    Repeat(&[Text, Length, Length, Length, PENDING, CONSUMERS_ACTIVE]),
];

fn grammar(code: Code) -> &'static [Part] {
    match code {
        Code::String
        | Code::HashZipmap
        | Code::ListZiplist
        | Code::SetIntset
        | Code::ZsetZiplist
        | Code::HashZiplist
        | Code::HashListpack
        | Code::ZsetListpack
        | Code::SetListpack
        | Code::HashListpackExpiringEarly => &[Text],
        Code::List | Code::Set | Code::ListQuicklist => &[Repeat(&[Text])],
        Code::ZsetText => &[Repeat(&[Text, ScoreText])],
        Code::Hash => &[Repeat(&[Text, Text])],
        Code::Zset => &[Repeat(&[Text, Bytes(8)])],
        Code::ListQuicklist2 => &[Repeat(&[Length, Text])],
        Code::HashExpiringEarly => &[Repeat(&[Length, Text, Text])],
        Code::HashExpiring => &[TIME, Repeat(&[Length, Text, Text])],
        Code::HashListpackExpiring => &[TIME, Text],
        Code::HashExpiringValkey => &[Repeat(&[Text, Text, TIME])],
        Code::Stream => STREAM,
        Code::Stream2 => STREAM_2,
        Code::Stream3 => STREAM_3,
    }
}

/// A repetition in progress: its parts, the next of them, and how many rounds are left.
#[derive(Clone, Copy, Debug)]
struct Level {
    parts: &'static [Part],
    next: usize,
    rounds: u64,
}

/// A walk over one value.
#[derive(Clone, Debug)]
pub struct Skim {
    /// The innermost repetition last; grammars are at most four deep.
    levels: Vec<Level>,
    pieces: u64,
}

impl Skim {
    /// Before the first byte of a value of this code.
    pub fn new(code: Code) -> Skim {
        let whole = Level {
            parts: grammar(code),
            next: 0,
            rounds: 1,
        };
        Skim {
            levels: vec![whole],
            pieces: 0,
        }
    }

    /// Walks on over up to so many pieces; says whether the value has ended.
    pub fn step(&mut self, input: &mut Input<'_>, budget: usize) -> Result<bool, Stop> {
        for _ in 0..budget {
            let Some(level) = self.levels.last_mut() else {
                return Ok(true);
            };
            if level.next == level.parts.len() {
                (level.next, level.rounds) = (0, level.rounds - 1);
            }
            if level.rounds == 0 {
                self.levels.pop();
                continue;
            }
            let part = level.parts[level.next];
            let inner = pass(part, input)?;
            level.next += 1;
            self.pieces += 1;
            self.levels.extend(inner);
        }
        Ok(self.levels.is_empty())
    }

    /// Strings and numbers passed so far.
    pub fn pieces(&self) -> u64 {
        self.pieces
    }
}

fn pass(part: Part, input: &mut Input<'_>) -> Result<Option<Level>, Stop> {
    match part {
        Text => input.skip_text()?,
        Length => drop(input.length()?),
        ScoreText => input.skip_score_text()?,
        Bytes(len) => drop(input.take(len.into())?),
        Repeat(parts) => {
            return Ok(Some(Level {
                parts,
                next: 0,
                rounds: input.length()?,
            }));
        }
    }
    Ok(None)
}

/// Passes over a module's data: each piece says what it is, and the last one that it is the last.
pub(super) fn skip_module_data(input: &mut Input<'_>) -> Result<(), Stop> {
    loop {
        match input.length()? {
            0 => return Ok(()),
            1 | 2 => drop(input.length()?),
            3 => drop(input.take(4)?),
            4 => drop(input.take(8)?),
            5 => input.skip_text()?,
            _ => return Err(Damage::Malformed("a piece of module data of no kind").into()),
        }
    }
}
