//! Looking through a file without keeping anything of it: what --check-rdb does.
//!
//! The same reader as for loading, and every value is made and let go, so that what passes here can
//! be loaded. It finds the first damage: its place, its key and its nature.

use super::load::{Batch, Fault, Fed, LoadError, Loader, Rules, Summary};
use crate::base::clock::is_over;
use crate::keyspace::{NewValue, ShardId, SlotMap};
use crate::object::{Kind, Packing};
use crate::runtime::file::Incoming;
use std::path::Path;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub strings: u64,
    pub lists: u64,
    pub sets: u64,
    pub zsets: u64,
    pub hashes: u64,
    pub streams: u64,
    /// Keys that expire, and those whose time has come already.
    pub expiring: u64,
    pub expired: u64,
    pub bytes: u64,
}

impl Tally {
    /// Keys of all types.
    pub fn keys(&self) -> u64 {
        self.by_kind().iter().map(|(_, count)| count).sum()
    }

    /// How many there are of each type.
    pub fn by_kind(&self) -> [(&'static str, u64); 6] {
        [
            (Kind::String.name(), self.strings),
            (Kind::List.name(), self.lists),
            (Kind::Set.name(), self.sets),
            (Kind::Zset.name(), self.zsets),
            (Kind::Hash.name(), self.hashes),
            (Kind::Stream.name(), self.streams),
        ]
    }

    fn count(&mut self, value: &NewValue, expires_at_ms: Option<i64>, now_ms: i64) {
        let kind = value.form().map_or(Kind::String, |form| form.kind());
        *match kind {
            Kind::String => &mut self.strings,
            Kind::List => &mut self.lists,
            Kind::Set => &mut self.sets,
            Kind::Zset => &mut self.zsets,
            Kind::Hash => &mut self.hashes,
            Kind::Stream => &mut self.streams,
        } += 1;
        self.expiring += u64::from(expires_at_ms.is_some());
        self.expired += u64::from(expires_at_ms.is_some_and(|at| is_over(at, now_ms)));
    }
}

/// Looks through a file; `progress` hears of bytes read and bytes in all. Returns what was found
/// up to the end, or to the first damage.
pub fn check(
    path: &Path,
    now_ms: i64,
    progress: &mut dyn FnMut(u64, u64),
) -> (Tally, Result<Summary, LoadError>) {
    let mut tally = Tally::default();
    let rules = Rules {
        map: SlotMap::new(1),
        databases: u32::MAX,
        verifies: true,
        expired_by_ms: None,
        merges: false,
        packing: Packing::default(),
    };
    let mut loader = Loader::new(rules);
    let mut count = |_: ShardId, batch: Batch| {
        batch.each(&rules.packing, |value, expires_at_ms| {
            tally.count(&value, expires_at_ms, now_ms);
        })
    };
    let read = read(path, &mut loader, &mut count, progress);
    // What was read before the damage may be damaged too.
    let rest = loader.hand_out(&mut count);
    let result = match (rest, read) {
        (Err(error), Ok(())) => Err(error),
        (Err(first), Err(second)) if first.offset < second.offset => Err(first),
        (_, read) => read.map(|()| loader.summary().clone()),
    };
    tally.bytes = loader.summary().bytes;
    (tally, result)
}

fn read(
    path: &Path,
    loader: &mut Loader,
    count: &mut dyn FnMut(ShardId, Batch) -> Result<(), LoadError>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), LoadError> {
    let unreadable = |error: std::io::Error| Fault::Read(error.to_string());
    let opened = Incoming::open(path).map_err(|error| loader.error(unreadable(error)))?;
    let missing = || Fault::Read("there is no such file".into());
    let mut file = opened.ok_or_else(|| loader.error(missing()))?;
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    loop {
        chunk.clear();
        let read = file.read(&mut chunk, CHUNK_BYTES);
        if read.map_err(|error| loader.error(unreadable(error)))? == 0 {
            return Err(loader.cut_off());
        }
        let fed = loader.feed(&chunk, count)?;
        progress(loader.summary().bytes, file.len());
        if let Fed::Ended(_) = fed {
            return Ok(());
        }
    }
}
