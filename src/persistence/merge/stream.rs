//! The one stream as bytes: requests that any Redis replays.
//!
//! A SELECT stands where the database changes, MULTI and EXEC around what belongs together. A unit
//! of a single command needs neither, and one without any leaves no trace.

use super::order::Item;
use crate::base::planted::{Bug, is_planted};
use crate::keyspace::DbIndex;
use crate::shard::{Record, Unit};

/// One stream, as bytes that replay.
#[derive(Debug, Default)]
pub struct Stream {
    pub bytes: Vec<u8>,
    /// Where snapshots begin: how many bytes lie before, and their numbers.
    pub cuts: Vec<(usize, u64)>,
    /// The database that is selected at the end; none: nobody knows.
    db: Option<DbIndex>,
}

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

impl Stream {
    /// Lets whatever follows begin with a SELECT.
    pub fn forget_db(&mut self) {
        self.db = None;
    }

    /// Empties it; the database stays selected.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.cuts.clear();
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

    /// What a shard says alone.
    pub(super) fn unit(&mut self, unit: Unit, list: &[Record], mut bytes: &[u8]) {
        self.begin(list.len(), list.first());
        for record in list {
            let (own, behind) = bytes.split_at(record.bytes);
            bytes = behind;
            self.select(record.db);
            self.bytes.extend_from_slice(own);
        }
        self.end(list.len());
        if let Some(number) = unit.cut {
            self.cut(number);
        }
    }

    fn begin(&mut self, records: usize, first: Option<&Record>) {
        if records > 1 && !is_planted(Bug::SplitsTransactions) {
            // Ahead of MULTI: there it costs those who replay nothing.
            first.iter().for_each(|record| self.select(record.db));
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
        self.begin(ordered.len(), ordered.first().map(|(record, _)| record));
        for (record, bytes) in &ordered {
            self.select(record.db);
            self.bytes.extend_from_slice(bytes);
        }
        self.end(ordered.len());
        if let Some(number) = parts.iter().find_map(|part| part.unit.cut) {
            self.cut(number);
        }
    }
}
