//! One allocation for a key, its value and what is known of both: the unit a keyspace is made of.
//!
//! Each further pointer is a further cache miss, so everything a lookup needs lies together:
//!
//! ```text
//!  0        8          16        24        32
//!  | header | [widths] | [extra] | [boxed] | key bytes | value bytes |
//!
//!  header   bits 0..8    key length, 255 = see widths
//!           bits 8..17   value length, 511 = see widths
//!           bit  17      widths present: key length u32, value length u32
//!           bit  18      extra present: an i64 whose meaning is the owner's (an expiry)
//!           bit  19      boxed present: the value is a `Box<P>`, there are no value bytes
//!           bits 20..64  44 bits for the owner
//! ```
//!
//! A 16-byte key with a 32-byte value takes 56 bytes, with an expiry 64: both are size classes of
//! the allocator as it is configured here (steps of 8 bytes).
//!
//! What this file does not know: what the owner's bits, the extra and the payload mean.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::marker::PhantomData;
use std::ptr::NonNull;

const KEY_WIDE: u64 = 255;
const VALUE_WIDE: u64 = 511;
const HAS_WIDTHS: u64 = 1 << 17;
const HAS_EXTRA: u64 = 1 << 18;
const HAS_BOXED: u64 = 1 << 19;
const OWNER_SHIFT: u32 = 20;
const LOW_MASK: u64 = (1 << OWNER_SHIFT) - 1;
/// How many bits of a header belong to the owner of the record.
pub const OWNER_BITS: u32 = 64 - OWNER_SHIFT;

/// What a record holds besides its key.
pub enum Content<'a, P> {
    /// Bytes stored inside the record.
    Inline(&'a [u8]),
    /// A value of its own allocation.
    Boxed(Box<P>),
}

/// Where the parts of a record lie.
#[derive(Clone, Copy)]
struct Shape {
    header: u64,
    key_len: usize,
    value_len: usize,
}

impl Shape {
    fn new(owner: u64, extra: bool, boxed: bool, key_len: usize, value_len: usize) -> Shape {
        assert!(owner >> OWNER_BITS == 0, "owner bits fit");
        assert!(
            key_len <= u32::MAX as usize && value_len <= u32::MAX as usize,
            "lengths fit"
        );
        let wide = key_len as u64 >= KEY_WIDE || value_len as u64 >= VALUE_WIDE;
        let mut header = owner << OWNER_SHIFT;
        header |= if wide {
            HAS_WIDTHS | KEY_WIDE | VALUE_WIDE << 8
        } else {
            0
        };
        header |= if wide {
            0
        } else {
            key_len as u64 | (value_len as u64) << 8
        };
        header |= if extra { HAS_EXTRA } else { 0 };
        header |= if boxed { HAS_BOXED } else { 0 };
        Shape {
            header,
            key_len,
            value_len,
        }
    }

    fn extra_at(self) -> usize {
        8 + if self.header & HAS_WIDTHS != 0 { 8 } else { 0 }
    }

    fn boxed_at(self) -> usize {
        self.extra_at() + if self.header & HAS_EXTRA != 0 { 8 } else { 0 }
    }

    fn key_at(self) -> usize {
        self.boxed_at() + if self.header & HAS_BOXED != 0 { 8 } else { 0 }
    }

    fn value_at(self) -> usize {
        self.key_at() + self.key_len
    }

    fn bytes(self) -> usize {
        self.value_at() + self.value_len
    }

    fn layout(self) -> Layout {
        Layout::from_size_align(self.bytes(), 8).expect("a record is smaller than isize::MAX")
    }
}

/// An owned record.
pub struct Record<P> {
    at: NonNull<u8>,
    owns: PhantomData<Box<P>>,
}

/// A record somebody else owns, to read.
pub struct RecordRef<'a, P> {
    at: NonNull<u8>,
    lent: PhantomData<&'a P>,
}

impl<P> Clone for RecordRef<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for RecordRef<'_, P> {}

// SAFETY: a record is an owned allocation like a Box: it may move to another thread when its
// payload may.
unsafe impl<P: Send> Send for Record<P> {}

fn shape_at(at: NonNull<u8>) -> Shape {
    // SAFETY: `at` points at a record made by `Record::new`, whose first 8 bytes are the header.
    let header = unsafe { at.cast::<u64>().read() };
    if header & HAS_WIDTHS == 0 {
        let (key_len, value_len) = ((header & 0xff) as usize, (header >> 8 & 0x1ff) as usize);
        return Shape {
            header,
            key_len,
            value_len,
        };
    }
    // SAFETY: the header says that the two widths follow it.
    let widths = unsafe { at.add(8).cast::<[u32; 2]>().read() };
    Shape {
        header,
        key_len: widths[0] as usize,
        value_len: widths[1] as usize,
    }
}

impl<P> Record<P> {
    /// A record of its own allocation; `owner` has at most [`OWNER_BITS`] bits.
    pub fn new(owner: u64, extra: Option<i64>, key: &[u8], content: Content<'_, P>) -> Record<P> {
        let (inline, boxed) = match content {
            Content::Inline(bytes) => (bytes, None),
            Content::Boxed(payload) => (&[][..], Some(payload)),
        };
        let shape = Shape::new(
            owner,
            extra.is_some(),
            boxed.is_some(),
            key.len(),
            inline.len(),
        );
        let layout = shape.layout();
        // SAFETY: the layout has at least the 8 bytes of a header.
        let Some(at) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        // SAFETY: every part written lies inside the allocation, by `Shape`; `at` is 8-aligned and
        // header, widths, extra and boxed lie at multiples of 8.
        unsafe {
            at.cast::<u64>().write(shape.header);
            if shape.header & HAS_WIDTHS != 0 {
                at.add(8)
                    .cast::<[u32; 2]>()
                    .write([key.len() as u32, inline.len() as u32]);
            }
            if let Some(extra) = extra {
                at.add(shape.extra_at()).cast::<i64>().write(extra);
            }
            if let Some(payload) = boxed {
                at.add(shape.boxed_at())
                    .cast::<*mut P>()
                    .write(Box::into_raw(payload));
            }
            at.add(shape.key_at())
                .copy_from_nonoverlapping(NonNull::from(key).cast(), key.len());
            at.add(shape.value_at())
                .copy_from_nonoverlapping(NonNull::from(inline).cast(), inline.len());
        }
        Record {
            at,
            owns: PhantomData,
        }
    }

    /// The same record to read.
    pub fn as_ref(&self) -> RecordRef<'_, P> {
        RecordRef {
            at: self.at,
            lent: PhantomData,
        }
    }

    /// Replaces the owner's bits.
    pub fn set_owner(&mut self, owner: u64) {
        assert!(owner >> OWNER_BITS == 0, "owner bits fit");
        let header = shape_at(self.at).header & LOW_MASK | owner << OWNER_SHIFT;
        // SAFETY: the record is ours alone and its header is its first word.
        unsafe { self.at.cast::<u64>().write(header) };
    }

    /// The inline value bytes, to change in place.
    pub fn inline_mut(&mut self) -> &mut [u8] {
        let shape = shape_at(self.at);
        // SAFETY: value bytes lie inside the allocation and we hold the record exclusively.
        unsafe {
            let start = self.at.add(shape.value_at()).as_ptr();
            std::slice::from_raw_parts_mut(start, shape.value_len)
        }
    }

    /// The boxed value, to change.
    pub fn boxed_mut(&mut self) -> Option<&mut P> {
        let shape = shape_at(self.at);
        if shape.header & HAS_BOXED == 0 {
            return None;
        }
        // SAFETY: the header says that a pointer from Box::into_raw lies there.
        Some(unsafe { &mut *self.at.add(shape.boxed_at()).cast::<*mut P>().read() })
    }

    /// Replaces the extra word in place, when the record already has one.
    ///
    /// Returns false when there is no room for it: the record must be made anew.
    pub fn overwrite_extra(&mut self, extra: i64) -> bool {
        let shape = shape_at(self.at);
        if shape.header & HAS_EXTRA == 0 {
            return false;
        }
        // SAFETY: the header says that the extra word is there.
        unsafe { self.at.add(shape.extra_at()).cast::<i64>().write(extra) };
        true
    }

    /// Gives the record an extra word or takes it away, keeping everything else.
    pub fn with_extra(self, extra: Option<i64>) -> Record<P> {
        let owner = self.as_ref().owner();
        self.remake(owner, extra)
    }

    /// Grows or shrinks the inline value to `len` bytes; new bytes are zero.
    pub fn resized(mut self, len: usize) -> Record<P> {
        let old = shape_at(self.at);
        assert!(
            old.header & HAS_BOXED == 0,
            "a boxed value has no inline bytes"
        );
        let owner = old.header >> OWNER_SHIFT;
        let has_extra = old.header & HAS_EXTRA != 0;
        let new = Shape::new(owner, has_extra, false, old.key_len, len);
        if (new.header ^ old.header) & HAS_WIDTHS != 0 {
            let mut value = self.as_ref().inline().to_vec();
            value.resize(len, 0);
            let record = self.as_ref();
            return Record::new(owner, record.extra(), record.key(), Content::Inline(&value));
        }
        // SAFETY: the old layout is the one the record was allocated with; the parts before the
        // value keep their places because the widths do; bytes beyond the old value are zeroed.
        unsafe {
            let moved = realloc(self.at.as_ptr(), old.layout(), new.bytes());
            let Some(at) = NonNull::new(moved) else {
                handle_alloc_error(new.layout())
            };
            self.at = at;
            at.cast::<u64>().write(new.header);
            if new.header & HAS_WIDTHS != 0 {
                at.add(8)
                    .cast::<[u32; 2]>()
                    .write([old.key_len as u32, len as u32]);
            }
            if len > old.value_len {
                at.add(old.bytes()).write_bytes(0, len - old.value_len);
            }
        }
        self
    }

    /// Takes the boxed value out and drops the rest.
    pub fn into_boxed(self) -> Option<Box<P>> {
        let shape = shape_at(self.at);
        let record = std::mem::ManuallyDrop::new(self);
        let payload = record.as_ref().boxed_pointer();
        // SAFETY: the record is not used again; its pointer is given to the caller once.
        unsafe {
            dealloc(record.at.as_ptr(), shape.layout());
            payload.map(|payload| Box::from_raw(payload))
        }
    }

    fn remake(self, owner: u64, extra: Option<i64>) -> Record<P> {
        let old = std::mem::ManuallyDrop::new(self);
        let view = old.as_ref();
        let content = match view.boxed_pointer() {
            // SAFETY: the old record is dismantled below without dropping its payload.
            Some(payload) => Content::Boxed(unsafe { Box::from_raw(payload) }),
            None => Content::Inline(view.inline()),
        };
        let new = Record::new(owner, extra, view.key(), content);
        // SAFETY: allocated with this layout, and nobody refers to it any more.
        unsafe { dealloc(old.at.as_ptr(), shape_at(old.at).layout()) };
        new
    }

    /// The record as an address, for a table that packs addresses; see [`Record::from_address`].
    pub(in crate::base) fn into_address(self) -> u64 {
        std::mem::ManuallyDrop::new(self).at.as_ptr() as u64
    }

    /// # Safety
    /// `address` came from [`Record::into_address`] and is taken back once.
    pub(in crate::base) unsafe fn from_address(address: u64) -> Record<P> {
        let at = NonNull::new(address as *mut u8).expect("an address of a record is not null");
        Record {
            at,
            owns: PhantomData,
        }
    }
}

impl<'a, P> RecordRef<'a, P> {
    /// # Safety
    /// `address` came from [`Record::into_address`] or [`RecordRef::address`], and the record lives
    /// and is not changed for `'a`.
    pub unsafe fn from_address(address: u64) -> RecordRef<'a, P> {
        let at = NonNull::new(address as *mut u8).expect("an address of a record is not null");
        RecordRef {
            at,
            lent: PhantomData,
        }
    }

    /// Where the record lies, as long as it is not given a new allocation.
    pub fn address(self) -> u64 {
        self.at.as_ptr() as u64
    }

    /// The owner's bits.
    pub fn owner(self) -> u64 {
        shape_at(self.at).header >> OWNER_SHIFT
    }

    /// The extra word, if the record has one.
    pub fn extra(self) -> Option<i64> {
        let shape = shape_at(self.at);
        if shape.header & HAS_EXTRA == 0 {
            return None;
        }
        // SAFETY: the header says that the extra word is there.
        Some(unsafe { self.at.add(shape.extra_at()).cast::<i64>().read() })
    }

    /// The key.
    pub fn key(self) -> &'a [u8] {
        let shape = shape_at(self.at);
        // SAFETY: the key bytes lie inside the allocation, which lives for 'a.
        unsafe { std::slice::from_raw_parts(self.at.add(shape.key_at()).as_ptr(), shape.key_len) }
    }

    /// The inline value; empty when the value is boxed.
    pub fn inline(self) -> &'a [u8] {
        let shape = shape_at(self.at);
        // SAFETY: the value bytes lie inside the allocation, which lives for 'a.
        unsafe {
            std::slice::from_raw_parts(self.at.add(shape.value_at()).as_ptr(), shape.value_len)
        }
    }

    /// The boxed value.
    pub fn boxed(self) -> Option<&'a P> {
        // SAFETY: the pointer came from Box::into_raw and lives as long as the record.
        self.boxed_pointer().map(|payload| unsafe { &*payload })
    }

    /// # Safety
    /// The record is the caller's alone for `'a`.
    pub(in crate::base) unsafe fn boxed_exclusive(self) -> Option<&'a mut P> {
        // SAFETY: the pointer came from Box::into_raw; the caller has it alone.
        self.boxed_pointer().map(|payload| unsafe { &mut *payload })
    }

    fn boxed_pointer(self) -> Option<*mut P> {
        let shape = shape_at(self.at);
        if shape.header & HAS_BOXED == 0 {
            return None;
        }
        // SAFETY: the header says that a pointer lies there.
        Some(unsafe { self.at.add(shape.boxed_at()).cast::<*mut P>().read() })
    }

    /// Bytes this record asks of the allocator, its boxed value apart.
    pub fn bytes(self) -> usize {
        shape_at(self.at).bytes()
    }
}

impl<P> Drop for Record<P> {
    fn drop(&mut self) {
        let shape = shape_at(self.at);
        let payload = self.as_ref().boxed_pointer();
        // SAFETY: allocated with this layout; the payload's pointer is taken back once.
        unsafe {
            dealloc(self.at.as_ptr(), shape.layout());
            drop(payload.map(|payload| Box::from_raw(payload)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(owner: u64, extra: Option<i64>, key_len: usize, value_len: usize) {
        let (key, value) = (vec![7u8; key_len], vec![9u8; value_len]);
        let record = Record::<String>::new(owner, extra, &key, Content::Inline(&value));
        let view = record.as_ref();
        assert_eq!(
            (view.owner(), view.extra(), view.key()),
            (owner, extra, &key[..])
        );
        assert_eq!((view.inline(), view.boxed()), (&value[..], None));
    }

    #[test]
    fn parts_come_back_as_they_went_in() {
        for key_len in [0, 1, 254, 255, 300, 70_000] {
            for value_len in [0, 1, 8, 510, 511, 512, 100_000] {
                check(0, None, key_len, value_len);
                check((1 << OWNER_BITS) - 1, Some(i64::MIN), key_len, value_len);
            }
        }
    }

    #[test]
    fn a_small_entry_takes_56_bytes() {
        let record = Record::<String>::new(0, None, &[0; 16], Content::Inline(&[0; 32]));
        assert_eq!(record.as_ref().bytes(), 56);
        assert_eq!(record.with_extra(Some(1)).as_ref().bytes(), 64);
    }

    #[test]
    fn extra_and_size_change_and_the_rest_stays() {
        let record = Record::<String>::new(5, None, b"key", Content::Inline(b"value"));
        let record = record.with_extra(Some(42)).resized(600);
        assert_eq!(record.as_ref().extra(), Some(42));
        assert_eq!(&record.as_ref().inline()[..7], b"value\0\0");
        let record = record.resized(2).with_extra(None);
        assert_eq!(record.as_ref().inline(), b"va");
        assert_eq!(
            (record.as_ref().key(), record.as_ref().owner()),
            (&b"key"[..], 5)
        );
    }

    #[test]
    fn a_boxed_value_moves_out_once() {
        let content = Content::Boxed(Box::new(String::from("payload")));
        let mut record = Record::new(1, Some(3), b"key", content);
        record.boxed_mut().expect("boxed").push('!');
        let record = record.with_extra(None);
        assert_eq!(
            record.as_ref().boxed().map(String::as_str),
            Some("payload!")
        );
        assert_eq!(
            record.into_boxed().as_deref().map(String::as_str),
            Some("payload!")
        );
    }
}
