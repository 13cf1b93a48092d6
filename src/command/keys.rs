//! Where a command's keys stand among its arguments.
//!
//! A key specification says where to begin (at an index, or behind a keyword) and how to go on (a
//! range with a step, or a count that is itself an argument), as COMMAND INFO shows it. One
//! function extracts keys, for routing, COMMAND GETKEYS, ACL and WATCH alike, so that the keys
//! that are checked are the keys that are used.

use super::args::Args;

/// What a command does to the keys of a specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFlags(u16);

impl KeyFlags {
    pub const RO: KeyFlags = KeyFlags(1 << 0);
    pub const RW: KeyFlags = KeyFlags(1 << 1);
    pub const OW: KeyFlags = KeyFlags(1 << 2);
    pub const RM: KeyFlags = KeyFlags(1 << 3);
    pub const ACCESS: KeyFlags = KeyFlags(1 << 4);
    pub const UPDATE: KeyFlags = KeyFlags(1 << 5);
    pub const INSERT: KeyFlags = KeyFlags(1 << 6);
    pub const DELETE: KeyFlags = KeyFlags(1 << 7);
    pub const NOT_KEY: KeyFlags = KeyFlags(1 << 8);
    pub const INCOMPLETE: KeyFlags = KeyFlags(1 << 9);
    pub const VARIABLE_FLAGS: KeyFlags = KeyFlags(1 << 10);
    /// Written to all the same: COMMAND shows keys of XREADGROUP as read only. It shows no flag
    /// for this one.
    pub const WRITTEN: KeyFlags = KeyFlags(1 << 11);

    const NAMES: [&'static str; 11] = [
        "RO",
        "RW",
        "OW",
        "RM",
        "access",
        "update",
        "insert",
        "delete",
        "not_key",
        "incomplete",
        "variable_flags",
    ];

    /// Both sets together.
    pub const fn and(self, other: KeyFlags) -> KeyFlags {
        KeyFlags(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    pub const fn has(self, other: KeyFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the command only reads the key.
    #[inline]
    pub const fn is_read_only(self) -> bool {
        self.has(KeyFlags::RO) && !self.has(KeyFlags::WRITTEN)
    }

    /// The names as COMMAND INFO prints them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let set = self.0;
        Self::NAMES
            .iter()
            .enumerate()
            .filter(move |(i, _)| set >> i & 1 == 1)
            .map(|(_, n)| *n)
    }
}

impl std::ops::BitOr for KeyFlags {
    type Output = KeyFlags;

    fn bitor(self, other: KeyFlags) -> KeyFlags {
        self.and(other)
    }
}

/// Where the search for keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    Index(u16),
    /// Behind this word, searched from this argument on (from the end when negative).
    Keyword(&'static str, i16),
    /// COMMAND INFO does not tell.
    Unknown,
    /// Behind this word, which is one of the options, each with so many arguments; where the
    /// others could look like it. COMMAND shows it as a keyword searched from this argument on.
    Option(&'static str, i16, &'static [(&'static str, usize)]),
    /// The same, but only where the argument at the first of these places is empty; the options
    /// begin at the second.
    Instead(
        &'static str,
        i16,
        [u16; 2],
        &'static [(&'static str, usize)],
    ),
    /// This argument, unless another beginning takes its place.
    Unless(u16, &'static Begin),
}

/// How keys follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Up to `last` (relative to the first; counted from the end of the arguments when negative).
    Range { last: i16, step: u16, limit: u16 },
    /// The count stands at `count` relative to the beginning, the first key at `first`.
    KeyCount { count: u16, first: u16, step: u16 },
    /// Among the options that begin at `from`, one key behind the last `word`; `others` are the
    /// options that take arguments, and how many.
    Option {
        word: &'static str,
        from: u16,
        others: &'static [(&'static str, u16)],
    },
    /// Not among the arguments: the names follow from what the command reads.
    Derived,
}

/// One group of keys of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    pub flags: KeyFlags,
    pub begin: Begin,
    pub find: Find,
    /// What COMMAND INFO notes beside it.
    pub note: &'static str,
}

/// The last argument, in [`keys`].
pub const LAST: i16 = -1;

/// No keys.
pub const fn no_keys() -> &'static [KeySpec] {
    &[]
}

/// A single key at this argument.
pub const fn one_key(index: u16, flags: KeyFlags) -> KeySpec {
    keys(index, 0, 1, flags)
}

/// Keys from this argument on; `last` is relative to the first when it is not negative.
pub const fn keys(index: u16, last: i16, step: u16, flags: KeyFlags) -> KeySpec {
    KeySpec {
        flags,
        begin: Begin::Index(index),
        find: Find::Range {
            last,
            step,
            limit: 0,
        },
        note: "",
    }
}

/// As many keys as the argument at `count` says, right behind it.
pub const fn keys_from(count: u16, flags: KeyFlags) -> KeySpec {
    let find = Find::KeyCount {
        count: 0,
        first: 1,
        step: 1,
    };
    KeySpec {
        flags,
        begin: Begin::Index(count),
        find,
        note: "",
    }
}

/// One key behind this word, searched from this argument on.
pub const fn keys_behind(word: &'static str, from: i16, flags: KeyFlags) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword(word, from),
        ..one_key(0, flags)
    }
}

/// A key behind the last of these options; see [`Find::Option`].
pub const fn option_key(
    word: &'static str,
    from: u16,
    others: &'static [(&'static str, u16)],
    flags: KeyFlags,
) -> KeySpec {
    KeySpec {
        flags,
        begin: Begin::Unknown,
        find: Find::Option { word, from, others },
        note: "",
    }
}

/// Keys that are not among the arguments.
pub const fn derived_keys(flags: KeyFlags) -> KeySpec {
    KeySpec {
        flags,
        begin: Begin::Unknown,
        find: Find::Derived,
        note: "",
    }
}

impl KeySpec {
    /// With a note for readers of COMMAND INFO.
    pub const fn note(mut self, note: &'static str) -> KeySpec {
        self.note = note;
        self
    }

    /// The positions of the keys in these arguments; nothing when they do not fit.
    pub fn positions(&self, args: Args<'_>) -> std::iter::StepBy<std::ops::Range<usize>> {
        let begin = match self.begin {
            Begin::Index(index) => Some(index as usize),
            Begin::Keyword(word, from) => find_word(args, word, from),
            Begin::Unknown => Some(0),
            Begin::Option(word, _, options) => find_among_options(args, word, 1, options),
            Begin::Instead(..) => find_instead(args, self.begin),
            Begin::Unless(index, other) => match find_instead(args, *other) {
                Some(_) => None,
                None => Some(index as usize),
            },
        };
        let (range, step) = begin
            .and_then(|begin| self.range(begin, args))
            .unwrap_or((0..0, 1));
        range.step_by(step)
    }

    /// Whether the last key has all that belongs to it, as MSET's values do.
    pub fn ends_whole(&self, args: Args<'_>) -> bool {
        let Begin::Index(begin) = self.begin else {
            return true;
        };
        let range = self.range(begin as usize, args);
        range.is_none_or(|(range, step)| range.len().is_multiple_of(step))
    }

    /// Whether the keys are counted, and the arguments cannot be so many.
    pub fn is_miscounted(&self, args: Args<'_>) -> bool {
        let (Begin::Index(begin), Find::KeyCount { .. }) = (self.begin, self.find) else {
            return false;
        };
        let range = self.range(begin as usize, args);
        range.is_none_or(|(range, _)| range.is_empty())
    }

    fn range(&self, begin: usize, args: Args<'_>) -> Option<(std::ops::Range<usize>, usize)> {
        match self.find {
            Find::Range { last, step, limit } => {
                let end = match last {
                    0.. => begin + last as usize + 1,
                    _ if limit > 1 => begin + (args.len() - begin.min(args.len())) / limit as usize,
                    _ => (args.len() as isize + last as isize + 1).max(0) as usize,
                };
                (begin < args.len() && end <= args.len()).then_some((begin..end, step as usize))
            }
            Find::KeyCount { count, first, step } => {
                let count = args.try_get(begin + count as usize)?;
                let count = crate::base::number::parse_i64(count)?;
                let first = begin + first as usize;
                let left = args.len().saturating_sub(first) as i64;
                if count < 0 || count.checked_mul(i64::from(step))? > left {
                    return None;
                }
                Some((
                    first..first + (count as usize) * step as usize,
                    step as usize,
                ))
            }
            Find::Option { word, from, others } => {
                let at = find_option(args, word, from as usize, others)?;
                Some((at..at + 1, 1))
            }
            Find::Derived => None,
        }
    }
}

fn find_word(args: Args<'_>, word: &str, from: i16) -> Option<usize> {
    let is_word = |&i: &usize| args.get(i).eq_ignore_ascii_case(word.as_bytes());
    let at = match from {
        0.. => (from as usize..args.len()).find(is_word),
        _ => (1..(args.len() as isize + from as isize + 1).max(1) as usize)
            .rev()
            .find(is_word),
    };
    at.map(|at| at + 1)
}

/// The position behind the last such option.
fn find_option(args: Args<'_>, word: &str, from: usize, others: &[(&str, u16)]) -> Option<usize> {
    let (mut at, mut found) = (from, None);
    while at < args.len() {
        if args.is(at, word) && at + 1 < args.len() {
            found = Some(at + 1);
            at += 1;
        } else if let Some((_, taken)) = others.iter().find(|(other, _)| args.is(at, other)) {
            at += usize::from(*taken);
        }
        at += 1;
    }
    found
}

/// The position behind the first such option, where only options come before it.
fn find_among_options(
    args: Args<'_>,
    word: &str,
    first: usize,
    options: &[(&str, usize)],
) -> Option<usize> {
    let mut at = first;
    while at < args.len() {
        if args.is(at, word) {
            return Some(at + 1);
        }
        let (_, arguments) = options.iter().find(|(option, _)| args.is(at, option))?;
        at += 1 + arguments;
    }
    None
}

/// The position behind an option that takes the place of an empty argument.
fn find_instead(args: Args<'_>, begin: Begin) -> Option<usize> {
    let Begin::Instead(word, _, [index, first], options) = begin else {
        return None;
    };
    let is_empty = args
        .try_get(usize::from(index))
        .is_some_and(<[u8]>::is_empty);
    let found = is_empty.then(|| find_among_options(args, word, usize::from(first), options));
    found.flatten()
}

/// The positions of all keys, with what the command does to them.
pub fn positions<'a>(
    specs: &'a [KeySpec],
    args: Args<'a>,
) -> impl Iterator<Item = (usize, KeyFlags)> + 'a {
    specs
        .iter()
        .filter(|spec| !spec.flags.has(KeyFlags::NOT_KEY))
        .flat_map(move |spec| spec.positions(args).map(move |at| (at, spec.flags)))
}
