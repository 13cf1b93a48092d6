//! Elements that expire, in bounded steps: a sweep of the parts in which something is due.
//!
//! Each part knows a time before which nothing in it expires. A step takes due elements out until
//! its budget is used up; a part that was swept to its end learns its earliest expiry anew.

use super::element::Taken;
use super::store::Dict;
use crate::base::clock::is_over;

impl Dict {
    /// Takes up to `budget` elements out whose time has come, and shows each.
    ///
    /// The time [`Dict::earliest_ms`] tells afterwards is over still when there are more.
    pub fn expire(&mut self, now_ms: i64, budget: usize, mut gone: impl FnMut(&Taken)) {
        let mut left = budget;
        while left > 0 {
            let due = |part: &super::part::Part| is_over(part.earliest_ms, now_ms);
            let Some(number) = self.parts.iter().position(due) else {
                break;
            };
            left -= self.sweep(number, now_ms, left, &mut gone);
            self.settle(number);
        }
        let earliest = self.parts.iter().map(|part| part.earliest_ms).min();
        self.earliest_ms = earliest.expect("there is a part");
    }

    /// Sweeps a part; says how many elements went.
    fn sweep(
        &mut self,
        number: usize,
        now_ms: i64,
        budget: usize,
        gone: &mut impl FnMut(&Taken),
    ) -> usize {
        let (mut line, mut swept, mut earliest_ms) = (0, 0, i64::MAX);
        while line < self.parts[number].table.lines() {
            let table = &self.parts[number].table;
            let mut due = None;
            for (place, record) in table.line(line) {
                match record.extra() {
                    Some(at) if is_over(at, now_ms) => due = Some(place),
                    Some(at) => earliest_ms = earliest_ms.min(at),
                    None => {}
                }
            }
            match due {
                // What spilled over this line comes back into it, so it is looked at again.
                Some(_) if swept == budget => return swept,
                Some(place) => {
                    gone(&self.take_unsettled(Dict::spot(number, place)));
                    swept += 1;
                }
                None => line += 1,
            }
        }
        self.parts[number].earliest_ms = earliest_ms;
        swept
    }
}
