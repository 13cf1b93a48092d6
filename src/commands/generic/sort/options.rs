//! What SORT is asked for.
//!
//! Options may come in any order and more than once; of most the last one counts.

use super::pattern::Pattern;
use crate::command::Args;
use crate::resp::{ErrorReply, errors};

/// SORT's options.
#[derive(Debug)]
pub struct Options<'a> {
    /// By what to sort, when that is not the elements themselves.
    pub by: Option<Pattern<'a>>,
    /// BY a pattern that names the same key for all leaves them in their own order.
    pub is_unsorted: bool,
    pub gets: Vec<Pattern<'a>>,
    offset: i64,
    count: i64,
    pub is_descending: bool,
    pub is_alpha: bool,
    /// The argument that names the key to store to.
    pub store: Option<usize>,
}

impl<'a> Options<'a> {
    /// Reads the options; those of SORT_RO have no STORE.
    pub fn parse(args: Args<'a>, may_store: bool) -> Result<Options<'a>, ErrorReply> {
        let mut options = Options {
            by: None,
            is_unsorted: false,
            gets: Vec::new(),
            offset: 0,
            count: -1,
            is_descending: false,
            is_alpha: false,
            store: None,
        };
        let mut at = 2;
        while at < args.len() {
            at += options.take(args, at, may_store)?;
        }
        Ok(options)
    }

    /// Reads the option at a position; says how many arguments it takes.
    fn take(&mut self, args: Args<'a>, at: usize, may_store: bool) -> Result<usize, ErrorReply> {
        let behind = args.len() - at - 1;
        match () {
            () if args.is(at, "asc") => self.is_descending = false,
            () if args.is(at, "desc") => self.is_descending = true,
            () if args.is(at, "alpha") => self.is_alpha = true,
            () if args.is(at, "limit") && behind >= 2 => {
                self.offset = args.integer(at + 1)?;
                self.count = args.integer(at + 2)?;
                return Ok(3);
            }
            () if args.is(at, "store") && behind >= 1 && may_store => {
                self.store = Some(at + 1);
                return Ok(2);
            }
            () if args.is(at, "by") && behind >= 1 => {
                let pattern = Pattern::parse(args.get(at + 1));
                self.is_unsorted |= !pattern.has_star();
                self.by = Some(pattern);
                return Ok(2);
            }
            () if args.is(at, "get") && behind >= 1 => {
                self.gets.push(Pattern::parse(args.get(at + 1)));
                return Ok(2);
            }
            () => return Err(errors::SYNTAX.into()),
        }
        Ok(1)
    }

    /// The part of so many elements that is wanted.
    pub fn window(&self, len: usize) -> std::ops::Range<usize> {
        let start = usize::try_from(self.offset).unwrap_or(0).min(len);
        let count = usize::try_from(self.count).unwrap_or(len);
        start..start.saturating_add(count).min(len)
    }

    /// The patterns that make keys of elements.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern<'a>> {
        let by = self.by.iter().filter(|_| !self.is_unsorted);
        by.chain(&self.gets).filter(|pattern| pattern.has_star())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::ArgStore;

    #[test]
    fn windows_are_clamped() {
        let check = |line: &str, expected: std::ops::Range<usize>| {
            let store = ArgStore::from_words(line.split(' ').map(str::as_bytes));
            let options = Options::parse(store.args(), true).expect("good options");
            assert_eq!(options.window(5), expected, "{line}");
        };
        check("SORT k", 0..5);
        check("SORT k LIMIT 1 2", 1..3);
        check("SORT k LIMIT -3 2", 0..2);
        check("SORT k LIMIT 3 -1", 3..5);
        check("SORT k LIMIT 3 9223372036854775807", 3..5);
        check("SORT k LIMIT 9223372036854775807 1", 5..5);
        check("SORT k LIMIT 2 0", 2..2);
    }
}
