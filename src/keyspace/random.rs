//! Drawing a key at random: RANDOMKEY, and whoever looks at a sample.
//!
//! Each live key is equally likely. Keys that turn out to have expired are removed on the way, so
//! that a database full of them does not make the draw fail for ever.

use super::door::{Door, Found};
use crate::base::table::TABLE_RECORDS_MAX;

impl Door<'_> {
    /// A random live key, each equally likely; `None` when there is none to be found.
    pub fn random_key(&mut self) -> Option<Box<[u8]>> {
        // Every try but the last removes an entry.
        const TRIES: usize = 1000;
        for _ in 0..TRIES {
            let found = self.random_place()?;
            if !self.is_expired(found) {
                return Some(self.view(found).key().into());
            }
            self.expire(found);
        }
        None
    }

    fn random_place(&mut self) -> Option<Found> {
        // A segment of average size is drawn at once; emptied ones make draws miss.
        const DRAWS: usize = 16;
        let random = &mut self.common.random;
        let segments = &self.db.segments;
        if self.db.len == 0 {
            return None;
        }
        for _ in 0..DRAWS {
            let segment = random.below(segments.len() as u64) as usize;
            let rank = random.below(TABLE_RECORDS_MAX as u64) as usize;
            if rank < segments[segment].table.len() {
                let place = segments[segment].table.random(random);
                return Some(Found { segment, place });
            }
        }
        let mut rank = random.below(self.db.len as u64) as usize;
        let segment = segments.iter().position(|segment| {
            let is_here = rank < segment.table.len();
            rank -= if is_here { 0 } else { segment.table.len() };
            is_here
        });
        let segment = segment.expect("a database has as many entries as its segments");
        let place = segments[segment].table.random(random);
        Some(Found { segment, place })
    }
}
