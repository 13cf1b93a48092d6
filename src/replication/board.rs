//! What every core reads of replication: before commands, a few bits; for INFO and ROLE, a picture.
//!
//! The core with the hub is the only writer. Commands pay one comparison with zero, on an ordinary
//! master without conditions.

use super::info::Picture;
use crate::config::Config;
use crate::runtime::Shelf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};

/// What stands in the way of some commands; empty on most masters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bars(u8);

impl Bars {
    pub const NONE: Bars = Bars(0);
    /// Writes of clients are refused: this is a replica.
    pub const READ_ONLY: Bars = Bars(1);
    /// Only commands that need no fresh data: the link to the master is down.
    pub const STALE: Bars = Bars(1 << 1);
    /// Writes are refused: too few replicas keep up.
    pub const FEW_REPLICAS: Bars = Bars(1 << 2);

    /// Whether nothing stands in the way.
    #[inline]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether this one does.
    pub fn has(self, bar: Bars) -> bool {
        self.0 & bar.0 != 0
    }

    fn when(self, is_so: bool) -> Bars {
        if is_so { self } else { Bars::NONE }
    }
}

impl std::ops::BitOr for Bars {
    type Output = Bars;

    fn bitor(self, other: Bars) -> Bars {
        Bars(self.0 | other.0)
    }
}

const REPLICA: u8 = 1;
const LINK_UP: u8 = 2;

/// What all cores know.
#[derive(Debug)]
pub struct Board {
    standing: AtomicU8,
    good_replicas: AtomicU32,
    /// Somebody wants to know what replicas have: nothing that is for them is kept back.
    is_hurried: AtomicBool,
    /// As of the last time that somebody asked for it.
    pub picture: Arc<Shelf<Picture>>,
}

impl Default for Board {
    fn default() -> Board {
        Board {
            standing: AtomicU8::new(0),
            good_replicas: AtomicU32::new(0),
            is_hurried: AtomicBool::new(false),
            picture: Shelf::new(Picture::default()),
        }
    }
}

impl Board {
    /// Says which role the node has, and whether its link to its master is up.
    pub fn set_standing(&self, is_replica: bool, is_link_up: bool) {
        let replica = if is_replica { REPLICA } else { 0 };
        let link = if is_link_up { LINK_UP } else { 0 };
        self.standing.store(replica | link, Relaxed);
    }

    /// Says how many replicas keep up.
    pub fn set_good_replicas(&self, count: u32) {
        self.good_replicas.store(count, Relaxed);
    }

    /// Says whether somebody wants to know what replicas have.
    pub fn set_hurried(&self, is_hurried: bool) {
        // Every core reads the line; it is written only when that is news.
        if self.is_hurried() != is_hurried {
            self.is_hurried.store(is_hurried, Relaxed);
        }
    }

    /// Whether nothing that is for replicas may be kept back.
    #[inline]
    pub fn is_hurried(&self) -> bool {
        self.is_hurried.load(Relaxed)
    }

    /// Whether the node follows a master.
    pub fn is_replica(&self) -> bool {
        self.standing.load(Relaxed) & REPLICA != 0
    }

    /// What stands in the way of commands under this configuration.
    #[inline]
    pub fn bars(&self, config: &Config) -> Bars {
        let standing = self.standing.load(Relaxed);
        if standing == 0 && config.min_replicas_to_write == 0 {
            return Bars::NONE;
        }
        self.some_bars(standing, config)
    }

    #[cold]
    fn some_bars(&self, standing: u8, config: &Config) -> Bars {
        let is_replica = standing & REPLICA != 0;
        let wanted = config.min_replicas_to_write;
        let is_bound = wanted != 0 && config.min_replicas_max_lag != 0;
        let is_stale = standing & LINK_UP == 0 && !config.replica_serve_stale_data;
        let are_few = self.good_replicas.load(Relaxed) < wanted;
        Bars::READ_ONLY.when(is_replica && config.replica_read_only)
            | Bars::STALE.when(is_replica && is_stale)
            | Bars::FEW_REPLICAS.when(!is_replica && is_bound && are_few)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Caller;

    fn config(pairs: &[(&[u8], &[u8])]) -> Config {
        let caller = Caller {
            is_local: true,
            is_loading: false,
        };
        Config::default()
            .set_all(pairs, caller)
            .expect("they exist")
    }

    #[test]
    fn bars_follow_role_link_and_configuration() {
        let (board, plain) = (Board::default(), config(&[]));
        assert!(board.bars(&plain).is_none());
        let strict = config(&[
            (b"replica-serve-stale-data", b"no"),
            (b"min-replicas-to-write", b"2"),
        ]);
        assert_eq!(board.bars(&strict), Bars::FEW_REPLICAS);
        board.set_good_replicas(2);
        assert!(board.bars(&strict).is_none());
        board.set_standing(true, false);
        assert_eq!(board.bars(&strict), Bars::READ_ONLY | Bars::STALE);
        assert_eq!(board.bars(&plain), Bars::READ_ONLY);
        board.set_standing(true, true);
        let open = config(&[(b"replica-read-only", b"no")]);
        assert!(board.bars(&open).is_none() && board.is_replica());
    }
}
