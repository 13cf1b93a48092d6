//! The desk: where a snapshot that is about to begin lies, for all shards to find at the cut.
//!
//! The cut itself is an operation over all shards, which carries a number and no more. There is
//! one request at a time; a later one takes its place.

use super::recorder::Recorder;
use super::sink::Sink;
use super::style::{Format, Style};
use super::teller::Teller;
use crate::keyspace::{Press, Scribe, ShardId, Size};
use crate::runtime::Shelf;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

/// A snapshot that somebody wants.
pub struct Request {
    pub style: Style,
    /// The sink of each shard's part.
    pub sink: Box<dyn Fn(ShardId) -> Box<dyn Sink> + Send + Sync>,
}

/// A shard's walk, as long as it lives.
struct Walking(Arc<AtomicUsize>);

impl Drop for Walking {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Release);
    }
}

/// With more bytes that are not in the file yet, changes wait.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// What lies on the desk.
type Slip = Option<(u64, Arc<Request>)>;

/// Where requests lie.
pub struct Desk {
    slip: Arc<Shelf<Slip>>,
    next: AtomicU64,
    is_claimed: AtomicBool,
    walking: Arc<AtomicUsize>,
    /// Bytes that have been written down and are not in a file yet.
    waiting: Arc<AtomicUsize>,
    /// That writes wait has been told for this snapshot.
    is_told: AtomicBool,
}

impl Default for Desk {
    fn default() -> Desk {
        Desk {
            slip: Shelf::new(None),
            next: AtomicU64::new(1),
            is_claimed: AtomicBool::new(false),
            walking: Arc::default(),
            waiting: Arc::default(),
            is_told: AtomicBool::new(false),
        }
    }
}

impl Desk {
    /// Claims the right to take a snapshot; there is one at a time, whatever it is for.
    pub fn claim(&self) -> bool {
        let is_free = self.walking.load(Acquire) == 0 && !self.is_claimed.swap(true, AcqRel);
        if is_free && self.walking.load(Acquire) > 0 {
            self.release();
            return false;
        }
        if is_free {
            self.is_told.store(false, Relaxed);
        }
        is_free
    }

    /// Whether a snapshot is being taken.
    #[inline]
    pub fn is_claimed(&self) -> bool {
        self.is_claimed.load(Relaxed)
    }

    /// Where whoever writes the file counts what waits for it.
    pub fn waiting(&self) -> Arc<AtomicUsize> {
        self.waiting.clone()
    }

    /// Whether so much waits for the file that changes have to wait too: each of them may write
    /// down an old value, and walks rest already.
    pub fn is_swamped(&self) -> bool {
        let is_swamped = self.is_claimed() && self.waiting.load(Relaxed) > WAITING_BYTES_MAX;
        if is_swamped && !self.is_told.swap(true, Relaxed) {
            let megabytes = WAITING_BYTES_MAX >> 20;
            tracing::warn!(
                "The disk is too slow for the snapshot: writes wait while more than {megabytes} \
                 MB of old values are not on their way to it"
            );
        }
        is_swamped
    }

    /// Gives the right back: nothing is written any more. Walks may still be on their way.
    pub fn release(&self) {
        self.is_claimed.store(false, Release);
    }

    /// Puts a request down; returns its number for the cut.
    pub fn put(&self, request: Request) -> u64 {
        let id = self.next.fetch_add(1, Relaxed);
        let slip = Some((id, Arc::new(request)));
        let Ok(()) = self.slip.replace(|_| Ok::<_, Infallible>(slip));
        id
    }

    /// Takes a request away when all shards have made the cut.
    pub fn clear(&self, id: u64) {
        let Ok(()) = self.slip.replace(|slip| {
            let other = slip.as_ref().filter(|(at, _)| *at != id);
            Ok::<_, Infallible>(other.cloned())
        });
    }

    /// What a shard's keyspace needs to find its recorders.
    pub fn press(&self, shard: ShardId) -> Box<dyn Press> {
        Box::new(ShardPress {
            slip: self.slip.clone(),
            walking: self.walking.clone(),
            shard,
        })
    }
}

struct ShardPress {
    slip: Arc<Shelf<Slip>>,
    walking: Arc<AtomicUsize>,
    shard: ShardId,
}

impl Press for ShardPress {
    fn scribe(&self, id: u64, size: Size) -> Option<Box<dyn Scribe>> {
        let slip = self.slip.value();
        let (_, request) = slip.as_ref().as_ref().filter(|(at, _)| *at == id)?;
        let mut sink = (request.sink)(self.shard);
        sink.begin(size);
        self.walking.fetch_add(1, AcqRel);
        let walking = Walking(self.walking.clone());
        let (style, held) = (request.style, Box::new(walking));
        Some(match style.format {
            Format::Rdb => Box::new(Recorder::new(style, sink, held)),
            Format::Commands => Box::new(Teller::new(style, sink, held)),
        })
    }
}
