//! Hash fields that expire: by name when a command meets them, in bounded steps when nobody does.
//!
//! Readers pass over fields whose time has come; whoever changes a hash removes those it names
//! first, so that what replays never depends on a clock: removed fields are reported, and replay
//! as HDEL. A segment remembers a time before which no field in it expires, so that sweeping costs
//! nothing while nothing is due; a sweep looks at one segment (up to 3 584 entries, some hundred
//! microseconds) and removes a bounded number of fields.

use super::collection::Open;
use super::db::Db;
use super::expire::Swept;
use super::slot::Key;
use super::space::{DbIndex, Keyspace};
use super::{Door, EntryRef};
use crate::object::hash::{HashEdit, HashRef, earliest_ms};
use crate::object::{Holder, Packed};

/// Fields a step removes.
const FIELDS_A_STEP: usize = 512;
/// Hashes a step removes fields from.
const HASHES_A_STEP: usize = 64;

/// Fields of one hash that were removed because their time had come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiredFields {
    pub db: DbIndex,
    pub key: Box<[u8]>,
    pub fields: Vec<Box<[u8]>>,
    /// They were the last ones, so the key is gone too.
    pub is_key_gone: bool,
}

impl EntryRef<'_> {
    /// No field of it expires before this; `i64::MAX` when none does at all.
    #[inline]
    pub(super) fn earliest_field_ms(self) -> i64 {
        self.collection().map_or(i64::MAX, earliest_ms)
    }
}

impl Db {
    /// Whether any field may expire before this time.
    pub(super) fn earliest_field_ms(&self) -> i64 {
        let segments = self.segments.iter();
        let earliest = segments.map(|segment| segment.earliest_field_ms).min();
        earliest.unwrap_or(i64::MAX)
    }
}

impl Open<'_> {
    /// Whether the time of a field may have come.
    #[inline]
    pub fn has_due_fields(&self) -> bool {
        earliest_ms(self.form()) <= self.door().common.now_ms
    }

    /// Removes those of these fields whose time has come.
    pub fn expire_named<'f>(&mut self, fields: impl Iterator<Item = &'f [u8]>) {
        if !self.has_due_fields() {
            return;
        }
        let (now_ms, packing) = (self.door().common.now_ms, self.door().common.packing);
        let mut gone: Vec<Box<[u8]>> = Vec::new();
        for field in fields {
            let found = HashRef::new(self.form()).find(field);
            if found.is_some_and(|pair| !pair.is_live(now_ms)) {
                HashEdit::new(self, &packing).remove(field);
                gone.push(field.into());
            }
        }
        self.report_fields(gone);
    }

    /// Removes up to so many fields whose time has come; says how many there were.
    pub fn expire_due(&mut self, budget: usize) -> usize {
        if !self.has_due_fields() {
            return 0;
        }
        let (now_ms, packing) = (self.door().common.now_ms, self.door().common.packing);
        let mut gone: Vec<Box<[u8]>> = Vec::new();
        HashEdit::new(self, &packing).expire(now_ms, budget, |field| gone.push(field.into()));
        let count = gone.len();
        self.report_fields(gone);
        count
    }

    fn report_fields(&mut self, fields: Vec<Box<[u8]>>) {
        if fields.is_empty() {
            return;
        }
        let (key, is_key_gone) = (self.key().into(), self.is_gone());
        if is_key_gone {
            self.renew(Packed::Hash);
        }
        let Door { index, common, .. } = self.door_mut();
        common.stats.expired_fields += fields.len() as u64;
        if common.reports_expired {
            common.expired_fields.push(ExpiredFields {
                db: *index,
                key,
                fields,
                is_key_gone,
            });
        }
    }
}

impl Keyspace {
    /// One bounded step through the hashes of a database; says whether nothing is due any more.
    pub(super) fn sweep_fields(&mut self, index: DbIndex, swept: &mut Swept) -> bool {
        let now_ms = self.common.now_ms;
        let is_due = |db: &Db| {
            let mut segments = db.segments.iter();
            segments.position(|segment| segment.earliest_field_ms <= now_ms)
        };
        let Some(number) = is_due(self.db(index)) else {
            return true;
        };
        let (due, mut earliest_ms) = self.due_hashes(index, number);
        let mut left = FIELDS_A_STEP;
        for bytes in due {
            let (removed, next_ms) = self.door(index).sweep_hash(&Key::new(&bytes), left);
            left -= removed;
            earliest_ms = earliest_ms.min(next_ms);
        }
        swept.volatile += FIELDS_A_STEP - left;
        swept.expired += FIELDS_A_STEP - left;
        self.dbs[index.0 as usize].segments[number].earliest_field_ms = earliest_ms;
        is_due(self.db(index)).is_none()
    }

    /// Some hashes of a segment with fields whose time has come, and when those of others come.
    fn due_hashes(&self, index: DbIndex, number: usize) -> (Vec<Box<[u8]>>, i64) {
        let (mut due, mut earliest_ms) = (Vec::new(), i64::MAX);
        for (_, record) in self.db(index).segments[number].table.iter() {
            let entry = EntryRef { record };
            let at = entry.earliest_field_ms();
            if at <= self.common.now_ms && due.len() < HASHES_A_STEP {
                due.push(entry.key().into());
            } else {
                earliest_ms = earliest_ms.min(at);
            }
        }
        (due, earliest_ms)
    }
}

impl Door<'_> {
    /// Removes up to so many fields of a hash; says how many, and when the next one is due.
    fn sweep_hash(mut self, key: &Key<'_>, budget: usize) -> (usize, i64) {
        let Some(found) = self.locate(key) else {
            return (0, i64::MAX);
        };
        let mut open = Open::at(self, found);
        let removed = open.expire_due(budget);
        (removed, earliest_ms(open.form()))
    }
}
