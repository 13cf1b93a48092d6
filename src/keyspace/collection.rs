//! Collections through the door: read where they lie, or opened to be changed.
//!
//! An [`Open`] collection is changed in its entry, packed bytes in the record itself. What has to
//! be told is told before the first change; when it is closed, an empty one takes its key along,
//! as in Redis. It knows no type: the types' own code works on it as on any [`Holder`].

use super::door::{Door, Found, Lookup, WrongKind};
use super::entry::{self, EntryRef};
use super::segment::Segment;
use super::slot::Key;
use super::space::{DbIndex, Keyspace};
use crate::object::{Collection, Form, Holder, Kind, Object, Packed, Room};

impl<'a> Door<'a> {
    /// The collection at a key for a reader; `Err` when the key holds another type.
    pub fn collection(
        self,
        key: &Key<'_>,
        kind: Kind,
        lookup: Lookup,
    ) -> Result<Option<Form<'a>>, WrongKind> {
        let Some(entry) = self.find(key, lookup) else {
            return Ok(None);
        };
        let form = entry.collection().filter(|form| form.kind() == kind);
        form.map(Some).ok_or(WrongKind)
    }

    /// The collection at a key, to change; `None` when there is none.
    pub fn open(mut self, key: &Key<'_>, kind: Kind) -> Result<Option<Open<'a>>, WrongKind> {
        match self.locate(key) {
            Some(found) => self.open_found(found, kind).map(Some),
            None => Ok(None),
        }
    }

    /// The collection at a key, to change; where there is none, an empty one of this form, which
    /// has to get its first element before it is closed.
    pub fn open_or_new(mut self, key: &Key<'_>, packed: Packed) -> Result<Open<'a>, WrongKind> {
        if let Some(found) = self.locate(key) {
            return self.open_found(found, packed.kind());
        }
        self.before_change(key.bytes, None);
        let access = self.access_now(None);
        let record = entry::packed_record(*key, (packed, packed.empty()), access, None);
        let found = self.attach(key, record);
        Ok(Open {
            door: self,
            found,
            is_noted: true,
        })
    }

    fn open_found(mut self, found: Found, kind: Kind) -> Result<Open<'a>, WrongKind> {
        if self.view(found).kind() != kind {
            return Err(WrongKind);
        }
        self.refresh(found);
        Ok(Open {
            door: self,
            found,
            is_noted: false,
        })
    }
}

impl Keyspace {
    /// The live entry at a key, with others beside it: for commands that combine several, which
    /// have found each through the door before. Leaves no trace.
    pub fn peek(&self, index: DbIndex, key: &Key<'_>) -> Option<EntryRef<'_>> {
        let db = self.db(index);
        let table = &db.segments[db.segment_of(key)].table;
        let place = table.find(Segment::tag(key), |record| record.key() == key.bytes)?;
        let entry = EntryRef {
            record: table.at(place),
        };
        entry.is_live(self.common.now_ms).then_some(entry)
    }
}

/// A collection that is being changed in its entry.
pub struct Open<'a> {
    door: Door<'a>,
    found: Found,
    is_noted: bool,
}

impl<'a> Open<'a> {
    /// The collection at a place that is known to be one.
    pub(super) fn at(door: Door<'a>, found: Found) -> Open<'a> {
        Open {
            door,
            found,
            is_noted: false,
        }
    }

    pub(super) fn door(&self) -> &Door<'a> {
        &self.door
    }

    pub(super) fn door_mut(&mut self) -> &mut Door<'a> {
        &mut self.door
    }

    /// Makes a new collection of one that became empty: what it was is gone with its expiry, and
    /// so is the key unless something is added before it is closed.
    pub(super) fn renew(&mut self, packed: Packed) {
        self.replace(Collection::empty(packed));
        self.door.set_expiry_of(self.found, None);
    }

    /// Its key.
    pub fn key(&self) -> &[u8] {
        self.door.view(self.found).key()
    }

    /// Whether nothing is left, so that the key goes when this is closed.
    pub fn is_gone(&self) -> bool {
        self.form().is_gone()
    }

    #[inline]
    fn note(&mut self) {
        if !std::mem::replace(&mut self.is_noted, true) {
            self.door.before_change_of(self.found);
        }
    }
}

impl Room for Open<'_> {
    #[inline]
    fn bytes(&self) -> &[u8] {
        match self.form() {
            Form::Packed(_, bytes) => bytes,
            Form::Object(_) => unreachable!("only packed collections are bytes"),
        }
    }

    #[inline]
    fn rewrite(&mut self, at: usize, remove: usize, insert: &[u8]) {
        self.note();
        let table = self.door.table_of(self.found);
        let place = self.found.place();
        if remove == insert.len() {
            return table.change_in_place(place, |record| {
                record.inline_mut()[at..at + remove].copy_from_slice(insert);
            });
        }
        table.change(place, |record| entry::splice(record, at, remove, insert));
    }
}

impl Holder for Open<'_> {
    #[inline]
    fn form(&self) -> Form<'_> {
        let form = self.door.view(self.found).collection();
        form.expect("only collections are opened")
    }

    fn object_mut(&mut self) -> &mut Object {
        self.note();
        let table = self.door.table_of(self.found);
        let object = table.boxed_mut(self.found.place());
        object.expect("asked only of objects")
    }

    fn replace(&mut self, value: Collection) {
        self.note();
        self.reshape(value);
    }

    /// A snapshot that wants the entry gets its elements from the new form as well; one that walks
    /// over the old form keeps that.
    fn reshape(&mut self, value: Collection) {
        self.door.rescue(self.found);
        let table = self.door.table_of(self.found);
        table.change(self.found.place(), |record| entry::rehouse(&record, value));
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if self.is_gone() {
            self.door.discard(self.found);
        } else if self.is_noted {
            self.door.note_fields(self.found);
        }
    }
}
