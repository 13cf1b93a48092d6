//! What the arguments of list commands have in common.
//!
//! Ends, counts and indexes, with the errors that Redis has for them.

use crate::command::Args;
use crate::object::list::{NewItem, Side};
use crate::resp::{ErrorReply, errors};
use crate::shard::Event;

/// LEFT or RIGHT.
pub fn side(args: Args<'_>, at: usize) -> Result<Side, ErrorReply> {
    match () {
        () if args.is(at, "left") => Ok(Side::Left),
        () if args.is(at, "right") => Ok(Side::Right),
        () => Err(errors::SYNTAX.into()),
    }
}

/// A number whose negative is one too.
pub fn signed(args: Args<'_>, at: usize) -> Result<i64, ErrorReply> {
    match args.integer(at)? {
        i64::MIN => {
            let max = i64::MAX;
            Err(format!(
                "ERR value is out of range, value must between {} and {max}",
                -max
            )
            .into())
        }
        number => Ok(number),
    }
}

/// A count from this number on; anything else is this error.
pub fn count(
    args: Args<'_>,
    at: usize,
    min: i64,
    error: &'static str,
) -> Result<usize, ErrorReply> {
    let number = args.integer(at).ok().filter(|number| *number >= min);
    number.map(|number| number as usize).ok_or(error.into())
}

/// The argument at a position as an element; a large one keeps the memory it has arrived in.
#[inline]
pub fn item(args: Args<'_>, at: usize) -> NewItem<'_> {
    NewItem {
        bytes: args.get(at),
        shared: args.shared(at),
    }
}

/// The event of adding at an end.
#[inline]
pub fn push_event(side: Side) -> Event {
    match side {
        Side::Left => Event::LPUSH,
        Side::Right => Event::RPUSH,
    }
}

/// The event of removing at an end.
#[inline]
pub fn pop_event(side: Side) -> Event {
    match side {
        Side::Left => Event::LPOP,
        Side::Right => Event::RPOP,
    }
}

/// The elements from `start` to `stop`, both included and counted from the right when negative,
/// as the index of the first and how many; none when they are not in the list.
pub fn range(len: usize, start: i64, stop: i64) -> (usize, usize) {
    let len = len as i64;
    let from_right = |index: i64| if index < 0 { index + len } else { index };
    let (start, stop) = (from_right(start).max(0), from_right(stop).min(len - 1));
    if start > stop {
        return (0, 0);
    }
    (start as usize, (stop - start + 1) as usize)
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_are_those_of_a_list_of_positions() {
        for len in 0..5i64 {
            for start in -7..7 {
                for stop in -7..7 {
                    let at = |index: i64| if index < 0 { index + len } else { index };
                    let naive: Vec<i64> = (0..len)
                        .filter(|index| at(start) <= *index && *index <= at(stop))
                        .collect();
                    let (first, count) = range(len as usize, start, stop);
                    let got: Vec<i64> = (0..len).skip(first).take(count).collect();
                    assert_eq!(got, naive, "{len} elements, {start} to {stop}");
                }
            }
        }
        assert_eq!(range(3, i64::MIN, i64::MAX), (0, 3));
        assert_eq!(range(3, i64::MAX, i64::MIN), (0, 0));
    }
}
