//! Hash fields that expire: by name when a command meets them, in bounded steps when nobody does.
//!
//! Readers pass over fields whose time has come; whoever changes a hash removes those it names
//! first, so that what replays never depends on a clock: removed fields are reported, and replay
//! as HDEL. A segment remembers a time before which no field in it expires, so that sweeping costs
//! nothing while nothing is due; a sweep looks at one segment (up to 3 584 entries, some hundred
//! microseconds) and removes a bounded number of fields.

use super::collection::Open;
use super::db::Db;
use super::door::Found;
use super::expire::Swept;
use super::notes::{Note, Noted};
use super::segment::Segment;
use super::slot::Key;
use super::space::{DbIndex, Keyspace};
use super::{Door, EntryRef};
use crate::base::clock::is_over;
use crate::object::hash::{HashEdit, HashRef, earliest_ms};
use crate::object::{Holder, Packed};

/// Fields a step removes.
const FIELDS_A_STEP: usize = 512;
/// Hashes a step removes fields from.
const HASHES_A_STEP: usize = 64;

impl EntryRef<'_> {
    /// No field of it expires before this; `i64::MAX` when none does at all.
    #[inline]
    pub(super) fn earliest_field_ms(self) -> i64 {
        self.collection().map_or(i64::MAX, earliest_ms)
    }
}

impl Segment {
    /// Notes when the first field of an entry in it expires.
    #[inline]
    pub(super) fn note_fields(&mut self, entry: EntryRef<'_>) {
        self.earliest_field_ms = self.earliest_field_ms.min(entry.earliest_field_ms());
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
        if !self.has_due_fields() || self.door().common.is_replica {
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
        if !self.has_due_fields() || self.door().common.is_replica {
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
        common.notes.note_fields(Noted {
            db: *index,
            note: match is_key_gone {
                true => Note::LastFields,
                false => Note::Fields,
            },
            key,
            fields,
        });
    }
}

impl Keyspace {
    /// One bounded step through the hashes of a database; says whether nothing is due any more.
    pub(super) fn sweep_fields(&mut self, index: DbIndex, swept: &mut Swept) -> bool {
        let now_ms = self.common.now_ms;
        let is_due = |db: &Db| {
            let mut segments = db.segments.iter();
            segments.position(|segment| is_over(segment.earliest_field_ms, now_ms))
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
            if is_over(at, self.common.now_ms) && due.len() < HASHES_A_STEP {
                due.push(entry.key().into());
            } else {
                earliest_ms = earliest_ms.min(at);
            }
        }
        (due, earliest_ms)
    }
}

impl Door<'_> {
    /// Notes when the first field of an entry that has changed expires.
    #[inline]
    pub(super) fn note_fields(&mut self, found: Found) {
        let fields_ms = self.view(found).earliest_field_ms();
        let segment = &mut self.db.segments[found.segment()];
        segment.earliest_field_ms = segment.earliest_field_ms.min(fields_ms);
    }

    /// Removes up to so many fields of a hash; says how many, and when the next one is due.
    fn sweep_hash(mut self, key: &Key<'_>, budget: usize) -> (usize, i64) {
        let Some(found) = self.locate(key) else {
            return (0, i64::MAX);
        };
        if self.is_pinned(key.bytes) {
            return (0, self.view(found).earliest_field_ms());
        }
        let mut open = Open::at(self, found);
        let removed = open.expire_due(budget);
        (removed, earliest_ms(open.form()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;
    use crate::keyspace::{Lookup, SLOTS};
    use crate::object::{Kind, Packing};
    use std::collections::BTreeSet;

    const DB: DbIndex = DbIndex(0);

    fn space(hash_entries_max: usize) -> Keyspace {
        let mut space = Keyspace::new(0..SLOTS, 2, Prng::from_seed(1));
        space.common.now_ms = 1_000;
        space.common.notes.want(Note::Fields, true);
        space.common.notes.want(Note::LastFields, true);
        space.common.packing = Packing {
            hash_entries_max,
            ..Packing::default()
        };
        space
    }

    fn add(space: &mut Keyspace, key: &[u8], field: &[u8], at_ms: Option<i64>) {
        let packing = space.common.packing;
        let open = space.door(DB).open_or_new(&Key::new(key), Packed::Hash);
        let mut open = open.expect("it is a hash");
        let mut edit = HashEdit::new(&mut open, &packing);
        edit.set(field, b"1");
        edit.set_expiry(field, at_ms);
    }

    fn fields(space: &mut Keyspace, key: &[u8]) -> usize {
        let door = space.door(DB);
        let form = door.collection(&Key::new(key), Kind::Hash, Lookup::Peek);
        form.expect("it is a hash")
            .map_or(0, |form| HashRef::new(form).len())
    }

    /// Every field goes in its time, in bounded steps, wherever its hash has gone meanwhile.
    #[test]
    fn fields_go_in_their_time() {
        for entries_max in [0, 512] {
            let mut space = space(entries_max);
            let mut expected = BTreeSet::new();
            for number in 0..9_000i64 {
                let (key, field) = (format!("h{}", number % 600), format!("f{number}"));
                let at = 2_000 + number * 7 % 1000;
                add(&mut space, key.as_bytes(), field.as_bytes(), Some(at));
                expected.insert((key, field));
            }
            add(&mut space, b"h7", b"stays", None);
            let entry = space.door(DB).take(&Key::new(b"h8")).expect("it is there");
            space.door(DB).put(&Key::new(b"moved"), entry);
            assert!((1_000..=2_000).contains(&space.next_expiry_ms()));
            assert!(space.sweep(DB).is_over && space.common.notes.is_empty());
            let mut seen = BTreeSet::new();
            for now_ms in [2_000, 2_400, 3_000] {
                space.common.now_ms = now_ms;
                let mut steps = 0;
                loop {
                    let is_over = space.sweep(DB).is_over;
                    let gone = space.common.notes.take();
                    let count: usize = gone.iter().map(|gone| gone.fields.len()).sum();
                    assert!(count <= FIELDS_A_STEP, "{count}");
                    for gone in gone {
                        let key = String::from_utf8(gone.key.into_vec()).expect("text");
                        let key = if key == "moved" { "h8".to_owned() } else { key };
                        for field in gone.fields {
                            let field = String::from_utf8(field.into_vec()).expect("text");
                            let number: i64 = field[1..].parse().expect("a number");
                            assert!(2_000 + number * 7 % 1000 < now_ms);
                            assert!(seen.insert((key.clone(), field)));
                        }
                    }
                    steps += 1;
                    if is_over {
                        break;
                    }
                    assert!(steps < 1_000, "it ends");
                }
                assert!(space.next_expiry_ms() >= now_ms);
            }
            assert_eq!(seen, expected);
            assert_eq!((space.db(DB).len(), fields(&mut space, b"h7")), (1, 1));
            assert_eq!(space.next_expiry_ms(), i64::MAX);
            assert_eq!(space.common.stats.expired_fields, 9_000);
        }
    }

    #[test]
    fn a_hash_that_loses_its_last_field_starts_anew() {
        let mut space = space(512);
        let key = Key::new(b"h");
        add(&mut space, b"h", b"a", Some(1_500));
        space.door(DB).set_expiry(&key, Some(9_000));
        space.common.now_ms = 1_501;
        let mut open = space
            .door(DB)
            .open_or_new(&key, Packed::Hash)
            .expect("a hash");
        open.expire_named([&b"a"[..], b"b"].into_iter());
        assert!(open.is_gone());
        let packing = Packing::default();
        HashEdit::new(&mut open, &packing).set(b"b", b"2");
        drop(open);
        let entry = space
            .door(DB)
            .find(&key, Lookup::Peek)
            .expect("it is there");
        assert_eq!(entry.expires_at_ms(), None);
        assert_eq!(entry.encoding().name(), "listpack");
        assert_eq!(space.db(DB).volatile(), 0);
        let gone = space.common.notes.take().pop().expect("it was reported");
        assert!(gone.note == Note::LastFields && gone.fields == [Box::from(&b"a"[..])]);
        add(&mut space, b"h", b"b", Some(1_600));
        space.common.now_ms = 1_601;
        let mut open = space
            .door(DB)
            .open(&key, Kind::Hash)
            .expect("a hash")
            .expect("there");
        open.expire_named([&b"b"[..]].into_iter());
        drop(open);
        assert!(space.db(DB).is_empty());
    }
}
