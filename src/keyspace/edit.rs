//! Strings that commands edit in place: APPEND, SETRANGE, SETBIT and their like.
//!
//! A string inside its record is rewritten there or with the record, one outside is changed where
//! it lies unless a reply still holds it.

use super::door::Door;
use super::door::Expiry;
use super::entry::{self, Entry, NewValue, StringRef};
use super::slot::Key;
use crate::object::{Encoding, SHARED_STRING_MIN};
use bytes::BytesMut;

impl Door<'_> {
    /// Lets `change` edit a string, which is first made at least `len` bytes long with zeros.
    ///
    /// A missing key is an empty string first; the result is raw, as Redis makes it.
    pub fn edit_padded<T>(
        &mut self,
        key: &Key<'_>,
        len: usize,
        change: impl FnOnce(&mut [u8]) -> T,
    ) -> T {
        let found = self.locate(key).filter(|found| {
            let entry = self.view(*found);
            entry.encoding() == Encoding::Raw
                && entry.record.boxed().is_none()
                && entry.record.inline().len() >= len
        });
        let Some(found) = found else {
            return self.edit(key, len, |bytes| change(bytes));
        };
        self.before_change(key.bytes, Some(found));
        self.refresh(found);
        let table = &mut self.db.segments[found.segment].table;
        table.change_in_place(found.place, |record| change(record.inline_mut()))
    }

    /// Lets `change` edit the bytes of a string; the result is raw, as Redis makes it.
    ///
    /// A missing key is an empty string first. `change` must leave the value valid; an empty
    /// result is kept (commands that would leave nothing behind do not call this).
    pub fn edit_string<T>(&mut self, key: &Key<'_>, change: impl FnOnce(&mut BytesMut) -> T) -> T {
        self.edit(key, 0, change)
    }

    fn edit<T>(&mut self, key: &Key<'_>, len: usize, change: impl FnOnce(&mut BytesMut) -> T) -> T {
        let found = self.locate(key);
        self.before_change(key.bytes, found);
        if let Some(found) = found.filter(|found| self.view(*found).record.boxed().is_some()) {
            self.refresh(found);
            let table = &mut self.db.segments[found.segment].table;
            let edited = table.change_in_place(found.place, |record| {
                let object = record.boxed_mut().expect("just seen to be boxed");
                object.change_string(|bytes| {
                    if bytes.len() < len {
                        bytes.resize(len, 0);
                    }
                    change(bytes)
                })
            });
            return edited.expect("only called for strings");
        }
        let old = found.and_then(|found| self.view(found).string());
        let mut bytes = old.map_or_else(|| BytesMut::zeroed(len), |old| padded(old, len));
        let result = change(&mut bytes);
        let expires_at_ms = self.resolve(found, Expiry::Keep);
        let access = self.access_now(found);
        if bytes.len() < SHARED_STRING_MIN {
            if let Some(found) = found {
                drop(self.detach(found));
            }
            let record = entry::inline_record(*key, &bytes, Encoding::Raw, access, expires_at_ms);
            self.attach(key, record);
            return result;
        }
        let value = NewValue::from(bytes.freeze());
        self.replace(
            key,
            found,
            Entry {
                value,
                expires_at_ms,
                access,
            },
        );
        result
    }
}

/// A string's bytes with zeros behind them up to a length.
fn padded(old: StringRef<'_>, len: usize) -> BytesMut {
    old.with_bytes(|old| {
        let mut bytes = BytesMut::zeroed(len.max(old.len()));
        bytes[..old.len()].copy_from_slice(old);
        bytes
    })
}
