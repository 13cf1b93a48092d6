//! What the door notices of keys on the way: they have expired, are missing, or are new.
//!
//! No command says these, they happen to keys while it runs. Whoever runs commands takes the notes
//! and puts them among the events of the command, in the order in which they were made. Nothing is
//! noted that nobody wants.

use super::space::DbIndex;

/// What was noticed of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// It was removed because its time had come.
    Expired,
    /// A read did not find it.
    Missed,
    /// It was not there before.
    New,
    /// Fields of it were removed because their time had come.
    Fields,
    /// The same, and these were the last ones, so that it is gone.
    LastFields,
    /// It was removed because memory was short.
    Evicted,
}

/// A note about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    pub db: DbIndex,
    pub note: Note,
    pub key: Box<[u8]>,
    /// The fields that a note is about.
    pub fields: Vec<Box<[u8]>>,
}

/// The notes, and which are wanted.
#[derive(Debug, Default)]
pub struct Notes {
    wanted: u8,
    list: Vec<Noted>,
}

impl Notes {
    /// Makes notes of this sort from now on, or does not.
    pub fn want(&mut self, note: Note, is_wanted: bool) {
        let bit = 1 << note as u8;
        self.wanted = match is_wanted {
            true => self.wanted | bit,
            false => self.wanted & !bit,
        };
    }

    /// Whether notes of this sort are wanted.
    #[inline]
    pub fn wants(&self, note: Note) -> bool {
        self.wanted & (1 << note as u8) != 0
    }

    /// Makes a note if it is wanted.
    #[inline]
    pub fn note(&mut self, db: DbIndex, note: Note, key: &[u8]) {
        if self.wants(note) {
            self.list.push(Noted {
                db,
                note,
                key: key.into(),
                fields: Vec::new(),
            });
        }
    }

    /// Makes a note about fields if it is wanted.
    pub fn note_fields(&mut self, noted: Noted) {
        if self.wants(noted.note) {
            self.list.push(noted);
        }
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes them, in order.
    pub fn take(&mut self) -> Vec<Noted> {
        std::mem::take(&mut self.list)
    }
}
