//! The one stream as bytes: requests that any Redis replays.
//!
//! A SELECT stands where the database changes, MULTI and EXEC around what belongs together. A unit
//! of a single command needs neither, and one without any leaves no trace.
//!
//! Whoever wants to take the stream apart again gets its *runs* too: which stretch is about which
//! shard's keys, and may be replayed beside what others say.

use super::order::Item;
use crate::base::planted::{Bug, is_planted};
use crate::keyspace::{DbIndex, ShardId};
use crate::shard::{Record, Unit};

/// What a stretch of the stream is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// Keys of this shard alone: it has nothing in common with what other shards say, and keeps
    /// its place among what this one says and what all say.
    Shard(ShardId),
    /// Keys of several shards, or whole databases: everything before it comes before it,
    /// everything behind it behind it.
    All,
    /// No keys: what comes before it comes before it.
    None,
}

/// A stretch of the stream, which begins and ends between commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub track: Track,
    /// The database in which it begins; none: the one that was selected by the bytes before.
    pub db: Option<DbIndex>,
    pub bytes: usize,
}

/// One stream, as bytes that replay.
#[derive(Debug, Default)]
pub struct Stream {
    pub bytes: Vec<u8>,
    /// The bytes by what they are about; kept only where that is wanted.
    pub runs: Vec<Run>,
    is_tracked: bool,
    /// Where snapshots begin: how many bytes lie before, and their numbers.
    pub cuts: Vec<(usize, u64)>,
    /// The database that is selected at the end; none: nobody knows.
    db: Option<DbIndex>,
}

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

impl Stream {
    /// An empty stream that keeps its runs.
    pub fn tracked() -> Stream {
        Stream {
            is_tracked: true,
            ..Stream::default()
        }
    }

    /// Lets whatever follows begin with a SELECT.
    pub fn forget_db(&mut self) {
        self.db = None;
    }

    /// Empties it; the database stays selected.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.runs.clear();
        self.cuts.clear();
    }

    /// What has come since there were so many bytes is about this.
    fn track(&mut self, start: usize, track: Track, db: Option<DbIndex>) {
        let bytes = self.bytes.len() - start;
        if !self.is_tracked || bytes == 0 {
            return;
        }
        match self.runs.last_mut() {
            Some(last) if (last.track, last.db) == (track, db) => last.bytes += bytes,
            _ => self.runs.push(Run { track, db, bytes }),
        }
    }

    fn select(&mut self, db: DbIndex) {
        if self.db == Some(db) {
            return;
        }
        self.db = Some(db);
        let index = db.0.to_string();
        let text = format!("*2\r\n$6\r\nSELECT\r\n${}\r\n{index}\r\n", index.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn cut(&mut self, number: u64) {
        self.cuts.push((self.bytes.len(), number));
        self.db = None;
    }

    /// Selects the database in which something begins; returns where that is.
    fn select_first(&mut self, first: Option<DbIndex>) -> usize {
        if let Some(db) = first {
            let start = self.bytes.len();
            self.select(db);
            self.track(start, Track::None, None);
        }
        self.bytes.len()
    }

    /// Commands that a shard says alone, each for itself, all in one database.
    pub(super) fn singles(&mut self, shard: ShardId, db: DbIndex, bytes: &[u8]) {
        let start = self.select_first(Some(db));
        self.bytes.extend_from_slice(bytes);
        self.track(start, Track::Shard(shard), self.db);
    }

    /// What a shard says alone.
    pub(super) fn unit(&mut self, shard: ShardId, what: (Unit, &[Record], &[u8])) {
        let (unit, list, mut bytes) = what;
        let start = self.select_first(list.first().map(|record| record.db));
        let db = self.db;
        self.begin(list.len());
        for record in list {
            let (own, behind) = bytes.split_at(record.bytes);
            bytes = behind;
            self.select(record.db);
            self.bytes.extend_from_slice(own);
        }
        self.end(list.len());
        let is_whole = list.iter().any(|record| record.is_whole);
        let track = if is_whole {
            Track::All
        } else {
            Track::Shard(shard)
        };
        self.track(start, track, db);
        if let Some(number) = unit.cut {
            self.cut(number);
        }
    }

    fn begin(&mut self, records: usize) {
        if records > 1 && !is_planted(Bug::SplitsTransactions) {
            self.bytes.extend_from_slice(MULTI);
        }
    }

    fn end(&mut self, records: usize) {
        if records > 1 && !is_planted(Bug::SplitsTransactions) {
            self.bytes.extend_from_slice(EXEC);
        }
    }

    /// All parts of a point: stage by stage, in each shard after shard. What is about whole
    /// databases is in every part; it separates what comes before it from what comes behind.
    pub(super) fn group(&mut self, parts: &[Item]) {
        let all: Vec<Vec<(Record, &[u8])>> = parts
            .iter()
            .map(|part| part.records.iter().collect())
            .collect();
        let mut places = vec![0; all.len()];
        let mut ordered: Vec<(Record, &[u8])> = Vec::new();
        let next = |places: &[usize]| {
            let ahead = all
                .iter()
                .zip(places)
                .filter_map(|(part, at)| part.get(*at));
            ahead.map(|(record, _)| record.stage).min()
        };
        while let Some(stage) = next(&places) {
            let mut whole = None;
            for (part, at) in all.iter().zip(&mut places) {
                let rest = part[*at..].iter().copied();
                let own = rest.take_while(|(it, _)| it.stage == stage && !it.is_whole);
                let before = ordered.len();
                ordered.extend(own);
                *at += ordered.len() - before;
            }
            for (part, at) in all.iter().zip(&mut places) {
                if let Some(found) = part.get(*at).filter(|(it, _)| it.stage == stage) {
                    *at += 1;
                    whole = Some(*found);
                }
            }
            ordered.extend(whole);
        }
        let start = self.select_first(ordered.first().map(|(record, _)| record.db));
        let db = self.db;
        self.begin(ordered.len());
        for (record, bytes) in &ordered {
            self.select(record.db);
            self.bytes.extend_from_slice(bytes);
        }
        self.end(ordered.len());
        // Also what one shard says may be about keys of others: a RENAME is said by one.
        self.track(start, Track::All, db);
        if let Some(number) = parts.iter().find_map(|part| part.unit.cut) {
            self.cut(number);
        }
    }
}
