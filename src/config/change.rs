//! CONFIG GET and CONFIG SET on a `Config`.
//!
//! Both are pure but for `dir`, whose directory must exist. CONFIG SET is all or nothing: it
//! returns a new configuration or the error reply in Redis's words, and never changes the old one.
//! Acting on the new values (ports, addresses) is the caller's; if that fails it answers with
//! `SetError::refused` and keeps the old configuration.

use std::fmt;

use super::choice::Allowed;
use super::disk::{Disk, Files};
use super::live::Config;
use super::load::assign;
use super::row::Directive;
use super::table::{self, Named};
use super::words;
use crate::base::glob;

/// What CONFIG SET must know of the client and the moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// Connected by loopback or unix socket.
    pub is_local: bool,
    /// The data set is being read.
    pub is_loading: bool,
}

/// Why CONFIG SET changed nothing. Displays as the error reply with its code, without the dash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    Loading,
    Unknown { name: String },
    Refused { name: String, reason: String },
}

impl SetError {
    /// The reply when a new value is fine but could not be put to use.
    pub fn refused(name: &str, reason: &str) -> Self {
        SetError::Refused {
            name: name.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetError::Loading => write!(f, "LOADING Redis is loading the dataset in memory"),
            SetError::Unknown { name } => {
                write!(
                    f,
                    "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
                )
            }
            SetError::Refused { name, reason } => {
                let what = "CONFIG SET failed (possibly related to argument";
                write!(f, "ERR {what} '{name}') - {reason}")
            }
        }
    }
}

impl std::error::Error for SetError {}

impl Config {
    /// CONFIG GET: names or patterns to names and values, each name once. Aliases are names of
    /// their own; hidden directives answer to their exact name only.
    pub fn find(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found: Vec<(Vec<u8>, Named)> = Vec::new();
        let mut add = |name: &[u8], named: Named| {
            if !found
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                found.push((name.to_vec(), named));
            }
        };
        for pattern in patterns {
            if !glob::is_pattern(pattern) {
                // Redis: an exact name comes back in the spelling in which it was asked.
                table::lookup(pattern)
                    .into_iter()
                    .for_each(|named| add(pattern, named));
                continue;
            }
            for named in table::named().filter(|named| !named.id.row().is_hidden) {
                if glob::matches(pattern, named.name.as_bytes(), true) {
                    add(named.name.as_bytes(), named);
                }
            }
        }
        let show = |named: Named| named.id.row().show(self.value(named.id));
        found
            .into_iter()
            .map(|(name, named)| (name, show(named)))
            .collect()
    }

    /// CONFIG SET of several directives together.
    pub fn set_all(&self, pairs: &[(&[u8], &[u8])], caller: Caller) -> Result<Config, SetError> {
        self.set_all_with(pairs, caller, &Disk)
    }

    /// Whether a value of this directive must be hidden in logs, MONITOR and SLOWLOG.
    pub fn is_sensitive(name: &[u8]) -> bool {
        table::lookup(name).is_some_and(|named| named.id.row().is_sensitive)
    }

    pub(super) fn set_all_with(
        &self,
        pairs: &[(&[u8], &[u8])],
        caller: Caller,
        files: &dyn Files,
    ) -> Result<Config, SetError> {
        let mut wanted: Vec<Named> = Vec::new();
        for (name, _) in pairs {
            wanted.push(self.changeable(name, &wanted, caller)?);
        }
        let mut values = self.values().to_vec();
        for (named, (_, value)) in wanted.iter().zip(pairs) {
            let row = named.id.row();
            let args = arguments(row, value);
            let slot = &mut values[named.id.0];
            *slot = assign(row, &args, slot, files)
                .map_err(|reason| SetError::refused(named.name, &reason))?;
        }
        Ok(Config::from_values(values))
    }

    fn changeable(&self, name: &[u8], wanted: &[Named], caller: Caller) -> Result<Named, SetError> {
        let spelled = String::from_utf8_lossy(name);
        let Some(named) = table::lookup(name) else {
            return Err(SetError::Unknown {
                name: spelled.into(),
            });
        };
        let row = named.id.row();
        if !row.is_mutable {
            return Err(SetError::refused(&spelled, "can't set immutable config"));
        }
        if row.is_protected && !self.allows_protected(caller) {
            return Err(SetError::refused(&spelled, "can't set protected config"));
        }
        if row.is_denied_while_loading && caller.is_loading {
            return Err(SetError::Loading);
        }
        // Redis: a directive and its alias count as two.
        if wanted.contains(&named) {
            return Err(SetError::refused(&spelled, "duplicate parameter"));
        }
        Ok(named)
    }

    fn allows_protected(&self, caller: Caller) -> bool {
        match self.enable_protected_configs {
            Allowed::Yes => true,
            Allowed::Local => caller.is_local,
            Allowed::No => false,
        }
    }
}

/// CONFIG SET gives one word; a directive of many words takes it apart at each blank.
fn arguments(row: &Directive, value: &[u8]) -> Vec<Vec<u8>> {
    if row.is_multi_word() {
        words::split_at_blanks(value)
    } else {
        vec![value.to_vec()]
    }
}
