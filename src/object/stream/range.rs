//! Walking over the entries of a stream between two ids, in either direction.
//!
//! Deleted entries are passed over. A node is left as soon as its ids are beyond the end.

use super::id::StreamId;
use super::nodes::{self, Nodes};
use super::pack::{Entry, Pack};

/// Entries between two ids, both included.
pub struct Entries<'a> {
    nodes: nodes::Range<'a>,
    /// The node being read, and the place of the next entry, or behind it when going back.
    current: Option<(Pack<'a>, usize)>,
    start: StreamId,
    end: StreamId,
    is_reverse: bool,
}

impl<'a> Entries<'a> {
    pub(super) fn new(
        nodes: &'a Nodes,
        start: StreamId,
        end: StreamId,
        is_reverse: bool,
    ) -> Entries<'a> {
        Entries {
            nodes: nodes.between(start, end),
            current: None,
            start,
            end,
            is_reverse,
        }
    }

    /// The next entry in its node, deleted or not.
    fn step(&mut self) -> Option<Entry<'a>> {
        let (pack, at) = self.current.as_mut()?;
        if self.is_reverse {
            let entry = pack.entry_before(*at)?;
            *at = entry.at;
            return Some(entry);
        }
        let entry = pack.entry_at(*at)?;
        *at = entry.end();
        Some(entry)
    }

    fn next_node(&mut self) -> Option<()> {
        let (first, node) = match self.is_reverse {
            true => self.nodes.next_back()?,
            false => self.nodes.next()?,
        };
        let pack = node.pack(*first);
        let at = match self.is_reverse {
            true => pack.list.end(),
            false => pack.start,
        };
        self.current = Some((pack, at));
        Some(())
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let Some(entry) = self.step() else {
                self.next_node()?;
                continue;
            };
            let (is_before, is_beyond) = match self.is_reverse {
                true => (entry.id > self.end, entry.id < self.start),
                false => (entry.id < self.start, entry.id > self.end),
            };
            if is_beyond {
                self.current = None;
                self.start = StreamId::MAX;
                self.end = StreamId::MIN;
                return None;
            }
            if !is_before && !entry.is_deleted() {
                return Some(entry);
            }
        }
    }
}
