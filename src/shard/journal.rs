//! What a shard has to say to logs and replicas: its effects in order, as bytes that replay.
//!
//! ```text
//!   units     [ SET ][ MULTI of 3 ][ part of point 17: 2 ][ part of point 18: none ][ SET ] ..
//!   records   a database, a stage, a length each
//!   bytes     *3 $3 SET ..  *2 $3 DEL ..
//! ```
//!
//! A *unit* is all or nothing. What one operation or transaction does on several shards is one
//! *point*: every shard that takes part says exactly one part of it, also when it has changed
//! nothing there, so that whoever reads the streams knows when a point is complete. Points carry
//! a serial number that is drawn when all locks are held: of two that touch the same key, the lower
//! one came first. The order within a stream is that in which the shard let go of the locks, which
//! may be another one for points that have no key in common; see `persistence/merge.rs`.
//!
//! A part that arises in several stages is kept back until the last one: nobody else touches its
//! keys meanwhile, so it may just as well have happened then.

use crate::base::room::take_leaving_room;
use crate::command::Args;
use crate::keyspace::DbIndex;
use crate::resp::{self, put_request};
use hashbrown::HashMap;

/// A place in the serial order that several shards share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Point {
    pub serial: u64,
    /// How many shards say a part of it.
    pub parts: u16,
}

/// What a shard does of a transaction at a point: a stage, perhaps the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub point: Point,
    pub stage: u16,
    pub is_last: bool,
}

/// One effect: a command that replays a change in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub db: DbIndex,
    /// Which of the steps of a transaction it belongs to.
    pub stage: u16,
    /// It is about whole databases, and every part of its point has it.
    pub is_whole: bool,
    /// Its length as a request.
    pub bytes: usize,
}

/// Records with their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    pub list: Vec<Record>,
    pub bytes: Vec<u8>,
}

/// What belongs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// It is a part of this; none: it is whole.
    pub point: Option<Point>,
    /// Here a snapshot begins that has this number.
    pub cut: Option<u64>,
    pub records: usize,
    pub bytes: usize,
}

impl Unit {
    /// Whether it is one command of a shard alone, and no snapshot begins behind it.
    fn is_single(&self) -> bool {
        self.point.is_none() && self.cut.is_none() && self.records == 1
    }
}

/// A stretch of a shard's stream.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    pub units: Vec<Unit>,
    pub records: Records,
}

impl Records {
    /// Adds a command.
    #[inline]
    pub(super) fn push_args(&mut self, db: DbIndex, stage: u16, is_whole: bool, args: Args<'_>) {
        let start = self.bytes.len();
        match args.as_request() {
            Some(request) => self.bytes.extend_from_slice(request),
            None => put_request(args.from(0), &mut self.bytes),
        }
        self.list_behind(start, db, stage, is_whole);
    }

    /// What lies behind this place is a command.
    #[inline]
    fn list_behind(&mut self, start: usize, db: DbIndex, stage: u16, is_whole: bool) {
        let bytes = self.bytes.len() - start;
        self.list.push(Record {
            db,
            stage,
            is_whole,
            bytes,
        });
    }

    /// Adds a command from its words.
    pub(super) fn push<'w>(
        &mut self,
        db: DbIndex,
        stage: u16,
        is_whole: bool,
        words: impl ExactSizeIterator<Item = &'w [u8]>,
    ) {
        let start = self.bytes.len();
        put_request(words, &mut self.bytes);
        self.list_behind(start, db, stage, is_whole);
    }

    /// Adds a command ahead of others.
    pub(super) fn insert(&mut self, at: (usize, usize), db: DbIndex, stage: u16, words: &[&[u8]]) {
        let request = resp::request(words);
        let record = Record {
            db,
            stage,
            is_whole: false,
            bytes: request.len(),
        };
        self.list.insert(at.0, record);
        self.bytes.splice(at.1..at.1, request);
    }

    /// Takes away what lies from a place on.
    fn split_off(&mut self, at: (usize, usize)) -> Records {
        Records {
            list: self.list.split_off(at.0),
            bytes: self.bytes.split_off(at.1),
        }
    }

    /// Adds all of another's.
    pub fn append(&mut self, other: &Records) {
        self.list.extend_from_slice(&other.list);
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Where the next record will lie.
    pub(super) fn end(&self) -> (usize, usize) {
        (self.list.len(), self.bytes.len())
    }

    /// The records with their bytes.
    pub fn iter(&self) -> impl Iterator<Item = (Record, &[u8])> {
        let mut rest = &self.bytes[..];
        self.list.iter().map(move |record| {
            let (bytes, behind) = rest.split_at(record.bytes);
            rest = behind;
            (*record, bytes)
        })
    }
}

impl Journal {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// The units with their records and bytes, from the first on.
    pub fn ahead(&self) -> Ahead<'_> {
        Ahead {
            units: &self.units,
            list: &self.records.list,
            bytes: &self.records.bytes,
        }
    }
}

/// What is left of a journal for somebody who reads it.
#[derive(Clone, Debug)]
pub struct Ahead<'a> {
    units: &'a [Unit],
    list: &'a [Record],
    bytes: &'a [u8],
}

impl<'a> Ahead<'a> {
    /// Takes so many units, with records and bytes.
    fn take(&mut self, (units, records, bytes): (usize, usize, usize)) -> (&'a [Record], &'a [u8]) {
        self.units = &self.units[units..];
        let (own, behind) = self.list.split_at(records);
        self.list = behind;
        let (text, behind) = self.bytes.split_at(bytes);
        self.bytes = behind;
        (own, text)
    }

    /// Takes all units up to the first that is more than one command of this shard alone in the
    /// database in which they begin.
    pub fn take_singles(&mut self) -> Option<(DbIndex, &'a [u8])> {
        let db = self.list.first()?.db;
        // As long as every unit has one record, they are side by side.
        let pairs = self.units.iter().zip(self.list);
        let singles = pairs
            .take_while(|(unit, record)| unit.is_single() && record.db == db && !record.is_whole);
        let (count, bytes) = singles.fold((0, 0), |(count, bytes), (unit, _)| {
            (count + 1, bytes + unit.bytes)
        });
        (count > 0).then(|| (db, self.take((count, count, bytes)).1))
    }
}

impl<'a> Iterator for Ahead<'a> {
    type Item = (Unit, &'a [Record], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let unit = *self.units.first()?;
        let (own, text) = self.take((1, unit.records, unit.bytes));
        Some((unit, own, text))
    }
}

/// A journal that is being written.
#[derive(Debug, Default)]
pub(super) struct Pen {
    journal: Journal,
    /// Where the unit that is being written begins.
    open: (usize, usize),
    /// Parts of which there may be more, by the serial numbers of their points.
    held: HashMap<u64, Records>,
    cut: Option<u64>,
}

impl Pen {
    pub fn records(&mut self) -> &mut Records {
        &mut self.journal.records
    }

    /// The next unit is where a snapshot begins.
    pub fn cut(&mut self, number: u64) {
        self.cut = Some(number);
    }

    /// Where the next record will lie.
    pub fn end(&self) -> (usize, usize) {
        self.journal.records.end()
    }

    /// Ends a unit of this shard alone, if there is anything in it.
    #[inline]
    pub fn seal(&mut self) {
        if self.open.0 < self.journal.records.list.len() || self.cut.is_some() {
            self.push_unit(None);
        }
    }

    fn push_unit(&mut self, point: Option<Point>) {
        let end = self.journal.records.end();
        self.journal.units.push(Unit {
            point,
            cut: self.cut.take(),
            records: end.0 - self.open.0,
            bytes: end.1 - self.open.1,
        });
        self.open = end;
    }

    /// Makes the first open record, which ends there, a unit of its own.
    pub fn seal_first(&mut self, end: (usize, usize)) {
        self.journal.units.push(Unit {
            point: None,
            cut: None,
            records: end.0 - self.open.0,
            bytes: end.1 - self.open.1,
        });
        self.open = end;
    }

    /// Ends a stage of this shard's part of a point; with the last one the part is said.
    pub fn seal_part(&mut self, point: Point, is_last: bool) {
        if let Some(mut held) = self.held.remove(&point.serial) {
            let more = self.journal.records.split_off(self.open);
            held.append(&more);
            self.journal.records.append(&held);
        }
        if is_last {
            return self.push_unit(Some(point));
        }
        let held = self.journal.records.split_off(self.open);
        self.held.insert(point.serial, held);
    }

    /// Whether something was said since the last time.
    #[inline]
    pub fn has_units(&self) -> bool {
        !self.journal.units.is_empty()
    }

    /// Takes what was said.
    pub fn take(&mut self) -> Journal {
        debug_assert_eq!(self.open, self.end(), "turns end between units");
        self.open = (0, 0);
        Journal {
            units: take_leaving_room(&mut self.journal.units),
            records: Records {
                list: take_leaving_room(&mut self.journal.records.list),
                bytes: take_leaving_room(&mut self.journal.records.bytes),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: Point = Point {
        serial: 7,
        parts: 2,
    };

    fn say(pen: &mut Pen, stage: u16, word: &str) {
        let words = [word.as_bytes()];
        let words = words.iter().copied();
        pen.records().push(DbIndex(0), stage, false, words);
    }

    fn units(pen: &mut Pen) -> Vec<(Option<u64>, Vec<String>)> {
        let journal = pen.take();
        let words = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.split("\r\n")
                .skip(2)
                .step_by(3)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let all = journal.ahead().map(|(unit, _, bytes)| {
            (
                unit.point.map(|point| point.serial),
                words(bytes)
                    .into_iter()
                    .filter(|word| !word.is_empty())
                    .collect(),
            )
        });
        all.collect()
    }

    #[test]
    fn a_part_in_stages_is_said_as_a_whole_with_its_last_one() {
        let mut pen = Pen::default();
        say(&mut pen, 0, "a");
        pen.seal_part(POINT, false);
        say(&mut pen, 0, "single");
        pen.seal();
        pen.seal_part(POINT, false);
        say(&mut pen, 2, "b");
        pen.seal_part(POINT, true);
        let all = units(&mut pen);
        let expected = [(None, vec!["single"]), (Some(7), vec!["a", "b"])];
        assert_eq!(all.len(), 2);
        for (found, (serial, words)) in all.into_iter().zip(expected) {
            assert_eq!(
                (found.0, found.1),
                (serial, words.into_iter().map(str::to_owned).collect())
            );
        }
        assert!(pen.held.is_empty());
    }

    #[test]
    fn singles_end_where_a_database_changes_and_where_more_belongs_together() {
        let mut pen = Pen::default();
        let single = |pen: &mut Pen, db: u32, word: &str| {
            let words = [word.as_bytes()].into_iter();
            pen.records().push(DbIndex(db), 0, false, words);
            pen.seal();
        };
        single(&mut pen, 0, "a");
        single(&mut pen, 0, "b");
        single(&mut pen, 3, "c");
        say(&mut pen, 0, "d");
        say(&mut pen, 0, "e");
        pen.seal();
        single(&mut pen, 0, "f");
        let journal = pen.take();
        let mut ahead = journal.ahead();
        let taken = |it: Option<(DbIndex, &[u8])>| it.map(|(db, bytes)| (db.0, bytes.len()));
        let one = crate::resp::request(&[b"a"]).len();
        assert_eq!(taken(ahead.take_singles()), Some((0, 2 * one)));
        assert_eq!(taken(ahead.take_singles()), Some((3, one)));
        assert_eq!(taken(ahead.take_singles()), None);
        assert_eq!(ahead.next().map(|(unit, ..)| unit.records), Some(2));
        assert_eq!(taken(ahead.take_singles()), Some((0, one)));
        assert_eq!(
            (taken(ahead.take_singles()), ahead.next().is_none()),
            (None, true)
        );
    }

    #[test]
    fn an_empty_part_is_said_and_an_empty_unit_is_not() {
        let mut pen = Pen::default();
        pen.seal();
        assert!(!pen.has_units());
        pen.seal_part(POINT, true);
        pen.cut(3);
        pen.seal();
        let journal = pen.take();
        assert_eq!(journal.units.len(), 2);
        assert_eq!(journal.units[0].point, Some(POINT));
        assert_eq!(journal.units[1].cut, Some(3));
    }
}
