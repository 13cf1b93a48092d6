//! What a directive *is*: the shape of one row of the table.
//!
//! Everything else is derived from rows: parsing of redis.conf, CONFIG GET / SET / REWRITE, the
//! command line and its help, conf/redis.conf. A row is an expression of const functions:
//! `number("port", 0, 65535, 6379, "...")`, followed by what is special about it.
//! A row holds no values; those are in `Config`.

use super::number::{Bounds, Reason, Unit};
use super::value::Value;

/// One directive.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    pub name: &'static str,
    /// The older spelling, equally good.
    pub alias: Option<&'static str>,
    pub kind: Kind,
    /// CONFIG SET may change it.
    pub is_mutable: bool,
    /// CONFIG GET shows it by exact name only.
    pub is_hidden: bool,
    /// CONFIG SET needs `enable-protected-configs`.
    pub is_protected: bool,
    /// The value must not appear in logs, MONITOR or SLOWLOG.
    pub is_sensitive: bool,
    /// CONFIG SET answers LOADING while the data set is being read.
    pub is_denied_while_loading: bool,
    /// Whether the value changes anything here.
    pub effect: Effect,
    pub check: Option<Check>,
    /// A number outside is accepted and brought inside.
    pub clamp: Option<(i128, i128)>,
    /// One or two sentences for conf/redis.conf and --help.
    pub about: &'static str,
}

/// A rule beyond the kind's own.
pub type Check = fn(&Value) -> Result<(), Reason>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The server acts on it.
    Effective,
    /// Known, stored, shown and rewritten, and nothing else.
    Accepted,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Bool(bool),
    Number(Bounds, i128),
    Choice(Choices, u32),
    /// `None` when unset; an empty value unsets it.
    OptionalText,
    Text(&'static str),
    Special(Special),
}

/// Words that stand for bits. With `many`, several of them together.
#[derive(Clone, Copy, Debug)]
pub struct Choices {
    pub words: &'static [(&'static str, u32)],
    pub many: bool,
}

/// Directives with a grammar of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    Dir,
    Save,
    OutputBuffers,
    OomScores,
    KeyspaceEvents,
    Bind,
    ReplicaOf,
    Percentiles,
}

/// A heading with its directives.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    pub title: &'static str,
    pub rows: &'static [Directive],
}

pub const INT_MIN: i128 = i32::MIN as i128;
pub const INT_MAX: i128 = i32::MAX as i128;
pub const LONG_MAX: i128 = i64::MAX as i128;
pub const ULONG_MAX: i128 = u64::MAX as i128;

/// A yes/no directive.
pub const fn yes_no(name: &'static str, default: bool, about: &'static str) -> Directive {
    row(name, Kind::Bool(default), about)
}

/// An integer, given as `range(min, max, default)`.
pub const fn number(name: &'static str, range: Range, about: &'static str) -> Directive {
    row(name, range.kind(Unit::Plain), about)
}

/// A number of bytes, with units.
pub const fn bytes(name: &'static str, range: Range, about: &'static str) -> Directive {
    row(name, range.kind(Unit::Bytes), about)
}

/// A number of bytes or a percentage.
pub const fn bytes_or_percent(name: &'static str, range: Range, about: &'static str) -> Directive {
    row(name, range.kind(Unit::BytesOrPercent), about)
}

/// A file mode.
pub const fn octal(name: &'static str, range: Range, about: &'static str) -> Directive {
    row(name, range.kind(Unit::Octal), about)
}

/// One word of several.
pub const fn choice(
    name: &'static str,
    words: &'static [(&'static str, u32)],
    default: u32,
    about: &'static str,
) -> Directive {
    row(
        name,
        Kind::Choice(Choices { words, many: false }, default),
        about,
    )
}

/// Any words of several.
pub const fn choices(
    name: &'static str,
    words: &'static [(&'static str, u32)],
    default: u32,
    about: &'static str,
) -> Directive {
    row(
        name,
        Kind::Choice(Choices { words, many: true }, default),
        about,
    )
}

/// A text that may be empty.
pub const fn text(name: &'static str, default: &'static str, about: &'static str) -> Directive {
    row(name, Kind::Text(default), about)
}

/// A text that may be absent.
pub const fn optional(name: &'static str, about: &'static str) -> Directive {
    row(name, Kind::OptionalText, about)
}

/// A directive with a grammar of its own.
pub const fn special(name: &'static str, special: Special, about: &'static str) -> Directive {
    row(name, Kind::Special(special), about)
}

/// Bounds and default of a number.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    min: i128,
    max: i128,
    default: i128,
}

pub const fn range(min: i128, max: i128, default: i128) -> Range {
    Range { min, max, default }
}

/// From zero to `INT_MAX`, the commonest.
pub const fn count(default: i128) -> Range {
    range(0, INT_MAX, default)
}

impl Range {
    const fn kind(self, unit: Unit) -> Kind {
        Kind::Number(
            Bounds {
                unit,
                min: self.min,
                max: self.max,
            },
            self.default,
        )
    }
}

impl Directive {
    pub const fn alias(self, alias: &'static str) -> Self {
        Self {
            alias: Some(alias),
            ..self
        }
    }

    pub const fn immutable(self) -> Self {
        Self {
            is_mutable: false,
            ..self
        }
    }

    pub const fn hidden(self) -> Self {
        Self {
            is_hidden: true,
            ..self
        }
    }

    pub const fn protected(self) -> Self {
        Self {
            is_protected: true,
            ..self
        }
    }

    pub const fn sensitive(self) -> Self {
        Self {
            is_sensitive: true,
            ..self
        }
    }

    pub const fn not_while_loading(self) -> Self {
        Self {
            is_denied_while_loading: true,
            ..self
        }
    }

    pub const fn accepted(self) -> Self {
        Self {
            effect: Effect::Accepted,
            ..self
        }
    }

    pub const fn check(self, check: Check) -> Self {
        Self {
            check: Some(check),
            ..self
        }
    }

    pub const fn clamp(self, min: i128, max: i128) -> Self {
        Self {
            clamp: Some((min, max)),
            ..self
        }
    }

    /// Has this special grammar.
    pub fn kind_is(&self, special: Special) -> bool {
        matches!(self.kind, Kind::Special(own) if own == special)
    }

    /// Takes any number of words instead of exactly one.
    pub fn is_multi_word(&self) -> bool {
        match self.kind {
            Kind::Choice(choices, _) => choices.many,
            Kind::Special(Special::Dir | Special::KeyspaceEvents) => false,
            Kind::Special(_) => true,
            _ => false,
        }
    }
}

const fn row(name: &'static str, kind: Kind, about: &'static str) -> Directive {
    Directive {
        name,
        alias: None,
        kind,
        is_mutable: true,
        is_hidden: false,
        is_protected: false,
        is_sensitive: false,
        is_denied_while_loading: false,
        effect: Effect::Effective,
        check: None,
        clamp: None,
        about,
    }
}
