//! Trimming: whole nodes where possible, and single entries where asked to be exact.
//!
//! What approximate trimming keeps depends on how entries fell into nodes, so nodes are filled and
//! taken away exactly as Redis does it.

use super::id::StreamId;
use super::log::Log;

/// What to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// So many of the last entries.
    Len(u64),
    /// Entries from this id on.
    From(StreamId),
}

/// How to trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    pub keep: Keep,
    /// Only whole nodes go.
    pub is_approximate: bool,
    /// No more entries go than this; 0 is no limit.
    pub limit: u64,
}

impl Log {
    /// Whether a trim may have something to do.
    pub fn may_trim(&self, trim: Trim) -> bool {
        match trim.keep {
            Keep::Len(len) => self.len > len,
            Keep::From(id) => self.nodes.first().is_some_and(|(first, _)| first < id),
        }
    }

    /// An id that an exact trim would begin at to keep what is left now.
    pub fn first_kept(&self) -> StreamId {
        self.nodes.first().map_or(StreamId::MAX, |(first, _)| first)
    }

    /// Removes the oldest entries; says how many.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        let mut removed = 0;
        while let Some((first, node)) = self.nodes.first() {
            if matches!(trim.keep, Keep::Len(len) if self.len <= len) {
                break;
            }
            let live = node.live();
            if trim.limit > 0 && removed + live > trim.limit {
                break;
            }
            let goes_whole = match trim.keep {
                Keep::Len(len) => self.len.saturating_sub(live) >= len,
                Keep::From(id) => {
                    let last = node.pack(first).last();
                    last.map_or(StreamId::MIN, |last| last.id) < id
                }
            };
            if goes_whole {
                self.nodes.remove(first);
                self.len -= live.min(self.len);
                removed += live;
                continue;
            }
            if !trim.is_approximate {
                removed += self.trim_node(first, trim.keep);
            }
            break;
        }
        if removed > 0 || self.len == 0 {
            self.first_id = self.first_live().unwrap_or_default();
        }
        removed
    }

    /// Removes entries of the first node.
    fn trim_node(&mut self, first: StreamId, keep: Keep) -> u64 {
        let len = self.len;
        let marked = self.nodes.edit(first, |node| {
            node.delete_front(first, |id, marked| match keep {
                Keep::Len(keep) => len - marked > keep,
                Keep::From(keep) => id < keep,
            })
        });
        let marked = marked.expect("the first node is there");
        self.len -= marked;
        marked
    }
}
