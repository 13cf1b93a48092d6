//! The name of a data set's history, and of the one it has come from.
//!
//! Whoever has the same history up to the same offset has the same data. A promoted replica begins
//! a history of its own and remembers the old name and how far it holds, so that its former
//! siblings can go on with it; a master's replicas get its name.
//!
//! ```text
//!   previous  a1b2...  | 1 ........... until |
//!   id        c3d4...                         | until+1 .......
//! ```

use crate::base::prng::Prng;

/// Length of a history's name: 40 hexadecimal digits.
pub const ID_LEN: usize = 40;

/// A history that ended here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    pub id: String,
    /// The first offset that is not its any more.
    pub end: u64,
}

/// What the data of this node are the result of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub id: String,
    pub previous: Option<Previous>,
}

impl History {
    /// A history that has just begun.
    pub fn fresh(random: &mut Prng) -> History {
        History::named(fresh_id(random))
    }

    /// The history of this name.
    pub fn named(id: String) -> History {
        History { id, previous: None }
    }

    /// Begins a new history behind the old one, which ends with this offset.
    pub fn shift(&mut self, offset: u64, random: &mut Prng) {
        self.rename(offset, fresh_id(random));
    }

    /// Goes on under another name behind this offset: the master has one of its own.
    pub fn rename(&mut self, offset: u64, id: String) {
        let old = std::mem::replace(&mut self.id, id);
        self.previous = Some(Previous {
            id: old,
            end: offset + 1,
        });
    }

    /// Whether somebody with this history, who wants to go on from this offset, has had the same
    /// until then.
    pub fn covers(&self, id: &[u8], offset: u64) -> bool {
        let is_previous = |previous: &Previous| {
            id.eq_ignore_ascii_case(previous.id.as_bytes()) && offset <= previous.end
        };
        id.eq_ignore_ascii_case(self.id.as_bytes())
            || self.previous.as_ref().is_some_and(is_previous)
    }
}

/// 40 random hexadecimal digits.
pub fn fresh_id(random: &mut Prng) -> String {
    (0..ID_LEN)
        .map(|_| char::from_digit(random.below(16) as u32, 16).unwrap_or('0'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_history_holds_to_its_end() {
        let random = &mut Prng::from_seed(1);
        let mut history = History::fresh(random);
        let old = history.id.clone();
        assert_eq!(old.len(), ID_LEN);
        assert!(history.covers(old.as_bytes(), 1_000_000));
        history.shift(100, random);
        assert!(history.id != old && history.covers(old.as_bytes(), 101));
        assert!(!history.covers(old.as_bytes(), 102));
        let (now, nobody) = (history.id.clone(), "?");
        assert!(history.covers(now.as_bytes(), 102) && !history.covers(nobody.as_bytes(), 1));
    }
}
