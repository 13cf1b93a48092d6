//! The dictionary: parts of at most 3 584 elements, found by the order of an element's hash.
//!
//! ```text
//!   hash      | tag: 19 topmost bits | ...        | order: 24 lowest bits |
//!                      |                                   |
//!              line in the table <-- part <-- directory cell
//!
//!   a part    Table of words (tag, address) --> record: header | [expiry] | key | value
//! ```
//!
//! | operation | cost |
//! |---|---|
//! | locate | directory, table line, record: three misses |
//! | insert, take | the same; a split or merge moves at most 3 584 words |
//! | random | as locate, 1.4 draws of a part on average |
//! | an element | its record (8 bytes and what it holds) and about 10 bytes of table |
//!
//! The directory and the list of parts double in one piece; with 10^8 elements that copies some
//! hundred KiB. Two parts merge when together they fill half a table, so that what was emptied
//! costs no memory and no draws.

use super::directory::{Directory, order_of};
use super::element::{self, Boxless, Element, Taken};
use super::part::Part;
use super::tap::Tap;
use crate::base::hash;
use crate::base::prng::Prng;
use crate::base::record::Record;
use crate::base::table::{Place, TABLE_RECORDS_MAX, Table, Tag};

/// Two halves that hold no more than this become one.
const MERGE_MAX: usize = TABLE_RECORDS_MAX / 2;

/// Keys, their values and their expiries.
pub struct Dict {
    pub(super) directory: Directory,
    pub(super) parts: Vec<Part>,
    len: usize,
    record_bytes: usize,
    volatile: usize,
    /// No element expires before this; a bound, not exact.
    pub(super) earliest_ms: i64,
    /// The mark of elements that the running snapshot has, and of all when none is running.
    pub(super) mark: bool,
    /// The snapshot that is walking over it.
    pub(super) tap: Option<Box<Tap>>,
}

/// Where an element lies, until the next insertion or removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    part: u32,
    place: Place,
}

impl Default for Dict {
    fn default() -> Dict {
        Dict {
            directory: Directory::new(),
            parts: vec![Part::whole()],
            len: 0,
            record_bytes: 0,
            volatile: 0,
            earliest_ms: i64::MAX,
            mark: false,
            tap: None,
        }
    }
}

impl Dict {
    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes it asks of the allocator, itself apart.
    pub fn bytes(&self) -> usize {
        let tables: usize = self.parts.iter().map(|part| part.table.bytes()).sum();
        let parts = self.parts.capacity() * size_of::<Part>();
        self.record_bytes + tables + parts + self.directory.bytes()
    }

    #[cfg(test)]
    pub(super) fn record_bytes(&self) -> usize {
        self.record_bytes
    }

    /// The hash to locate and insert a key by.
    #[inline]
    pub fn hash(key: &[u8]) -> u64 {
        hash::of(key)
    }

    /// Where the element with this key lies.
    #[inline]
    pub fn locate(&self, hash: u64, key: &[u8]) -> Option<Spot> {
        let number = self.directory.part(order_of(hash));
        let table = &self.parts[number].table;
        let place = table.find(Tag::of(hash), |record| record.key() == key)?;
        Some(Spot {
            part: number as u32,
            place,
        })
    }

    /// The element with this key.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<Element<'_>> {
        self.locate(Dict::hash(key), key).map(|spot| self.at(spot))
    }

    /// The element at a spot.
    #[inline]
    pub fn at(&self, spot: Spot) -> Element<'_> {
        Element {
            record: self.parts[spot.part as usize].table.at(spot.place),
        }
    }

    /// Asks the processor for the line in which a hash is looked up.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        let number = self.directory.part(order_of(hash));
        self.parts[number].table.prefetch(Tag::of(hash));
    }

    /// Adds an element whose key is not there, without an expiry.
    #[inline]
    pub fn insert(&mut self, hash: u64, key: &[u8], value: &[u8]) -> Spot {
        let number = self.make_room(order_of(hash));
        let record = element::record(hash, key, value, self.mark);
        self.len += 1;
        self.record_bytes += record.as_ref().bytes();
        let place = self.parts[number].table.insert(Tag::of(hash), record);
        Spot {
            part: number as u32,
            place,
        }
    }

    /// Adds an element if its key is not there yet; says whether it did.
    #[inline]
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> bool {
        let hash = Dict::hash(key);
        let is_new = self.locate(hash, key).is_none();
        if is_new {
            self.insert(hash, key, value);
        }
        is_new
    }

    /// Adds an element or gives it another value, without an expiry; says whether it is new.
    #[inline]
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> bool {
        let hash = Dict::hash(key);
        let Some(spot) = self.locate(hash, key) else {
            self.insert(hash, key, value);
            return true;
        };
        self.put_expiry(spot, None);
        self.put_value(spot, value);
        false
    }

    /// Gives an element another value.
    #[inline]
    pub fn put_value(&mut self, spot: Spot, value: &[u8]) {
        if self.at(spot).value().len() == value.len() {
            return self.edit_value(spot, |bytes| bytes.copy_from_slice(value));
        }
        self.change(spot, |record| {
            let mut record = record.resized(value.len());
            record.inline_mut().copy_from_slice(value);
            record
        });
    }

    /// Changes the bytes of a value in place.
    #[inline]
    pub fn edit_value<T>(&mut self, spot: Spot, edit: impl FnOnce(&mut [u8]) -> T) -> T {
        self.spare(spot);
        let table = &mut self.parts[spot.part as usize].table;
        table.change_in_place(spot.place, |record| edit(record.inline_mut()))
    }

    /// Gives an element an expiry or takes it away.
    pub fn put_expiry(&mut self, spot: Spot, expires_at_ms: Option<i64>) {
        self.spare(spot);
        let had_expiry = self.at(spot).expires_at_ms().is_some();
        let part = &mut self.parts[spot.part as usize];
        if had_expiry {
            part.forget_expiry();
        }
        self.volatile -= usize::from(had_expiry);
        if let Some(at) = expires_at_ms {
            part.note_expiry(at);
            self.volatile += 1;
            self.earliest_ms = self.earliest_ms.min(at);
            let change = |record: &mut Taken| record.overwrite_extra(at);
            if part.table.change_in_place(spot.place, change) {
                return;
            }
        }
        if had_expiry || expires_at_ms.is_some() {
            self.change(spot, |record| record.with_extra(expires_at_ms));
        }
    }

    fn change(&mut self, spot: Spot, change: impl FnOnce(Record<Boxless>) -> Record<Boxless>) {
        self.spare(spot);
        let before = self.at(spot).bytes();
        self.parts[spot.part as usize]
            .table
            .change(spot.place, change);
        self.record_bytes = self.record_bytes - before + self.at(spot).bytes();
    }

    /// Takes an element out.
    pub fn take(&mut self, spot: Spot) -> Taken {
        let taken = self.take_unsettled(spot);
        self.settle(spot.part as usize);
        taken
    }

    /// Takes the element with this key out.
    #[inline]
    pub fn remove(&mut self, key: &[u8]) -> Option<Taken> {
        let spot = self.locate(Dict::hash(key), key)?;
        Some(self.take(spot))
    }

    /// A random element, each equally likely; `None` when there are none.
    pub fn random(&self, random: &mut Prng) -> Option<Spot> {
        const DRAWS: usize = 64;
        if self.is_empty() {
            return None;
        }
        let mut number = 0;
        for _ in 0..DRAWS {
            number = random.below(self.parts.len() as u64) as usize;
            // A part is taken as often as it is full, so that no element is preferred.
            let draw = random.below(TABLE_RECORDS_MAX as u64) as usize;
            if self.parts.len() == 1 || draw < self.parts[number].table.len() {
                return Some(self.random_of(number, random));
            }
        }
        let mut rank = random.below(self.len as u64) as usize;
        for (at, part) in self.parts.iter().enumerate() {
            number = at;
            match rank.checked_sub(part.table.len()) {
                Some(rest) => rank = rest,
                None => break,
            }
        }
        Some(self.random_of(number, random))
    }

    fn random_of(&self, number: usize, random: &mut Prng) -> Spot {
        Spot {
            part: number as u32,
            place: self.parts[number].table.random(random),
        }
    }

    /// Number of elements with an expiry.
    pub fn volatile(&self) -> usize {
        self.volatile
    }

    /// No element expires before this time; `i64::MAX` when none does at all.
    #[inline]
    pub fn earliest_ms(&self) -> i64 {
        if self.volatile == 0 {
            i64::MAX
        } else {
            self.earliest_ms
        }
    }

    /// All elements, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Element<'_>> {
        let records = self.parts.iter().flat_map(|part| part.table.iter());
        records.map(|(_, record)| Element { record })
    }

    /// Frees up to about so many elements and says whether there are more; from the first call on
    /// nothing in it can be found any more.
    pub fn drop_some(&mut self, budget: usize) -> bool {
        let mut left = budget;
        while left > 0 {
            let Some(part) = self.parts.last_mut() else {
                return false;
            };
            let dropped = part.table.drop_some(left);
            self.len -= dropped;
            // An empty part is work too.
            left = left.saturating_sub(dropped.max(1));
            if part.table.is_empty() {
                self.parts.pop();
            }
        }
        !self.parts.is_empty()
    }

    /// Splits the part of an order as long as it is full; says which part it is then.
    #[inline]
    fn make_room(&mut self, order: u32) -> usize {
        loop {
            let number = self.directory.part(order);
            if !self.parts[number].table.is_full() {
                return number;
            }
            let upper = self.parts[number].split();
            self.directory
                .assign(upper.start, upper.size_bits, self.parts.len());
            self.parts.push(upper);
        }
    }

    /// Takes an element out and leaves the tables as they are.
    pub(super) fn take_unsettled(&mut self, spot: Spot) -> Taken {
        self.spare(spot);
        let part = &mut self.parts[spot.part as usize];
        let record = part.table.remove(spot.place);
        if record.as_ref().extra().is_some() {
            part.forget_expiry();
            self.volatile -= 1;
        }
        self.len -= 1;
        self.record_bytes -= record.as_ref().bytes();
        record
    }

    /// After removals from a part: gives back what it no longer needs.
    pub(super) fn settle(&mut self, number: usize) {
        let part = &mut self.parts[number];
        part.table.shrink();
        let (len, start, size_bits) = (part.table.len(), part.start, part.size_bits);
        if self.parts.len() == 1 || len > MERGE_MAX {
            return;
        }
        let other = self.directory.part(start ^ 1 << size_bits);
        let other_part = &self.parts[other];
        if other_part.size_bits == size_bits && len + other_part.table.len() <= MERGE_MAX {
            self.merge(number, other);
        }
    }

    fn merge(&mut self, number: usize, other: usize) {
        let (kept, gone) = (number.min(other), number.max(other));
        let taken = self.parts.swap_remove(gone);
        if let Some(moved) = self.parts.get(gone) {
            self.directory.assign(moved.start, moved.size_bits, gone);
        }
        let part = &mut self.parts[kept];
        part.merge(taken);
        let (start, size_bits) = (part.start, part.size_bits);
        self.directory.assign(start, size_bits, kept);
        if self.directory.is_roomy(self.parts.len()) {
            let smallest = self.parts.iter().map(|part| part.size_bits).min();
            self.directory.fold(smallest.expect("there is a part"));
        }
        if self.parts.capacity() > self.parts.len() * 4 {
            self.parts.shrink_to(self.parts.len() * 2);
        }
    }

    /// The table an element is in, and its place there.
    pub(super) fn table_of(&mut self, spot: Spot) -> (&mut Table<Boxless>, Place) {
        (&mut self.parts[spot.part as usize].table, spot.place)
    }

    pub(super) fn spot(part: usize, place: Place) -> Spot {
        Spot {
            part: part as u32,
            place,
        }
    }
}

impl Clone for Dict {
    fn clone(&self) -> Dict {
        Dict {
            directory: self.directory.clone(),
            parts: self.parts.iter().map(Part::copy).collect(),
            len: self.len,
            record_bytes: self.record_bytes,
            volatile: self.volatile,
            earliest_ms: self.earliest_ms,
            mark: false,
            tap: None,
        }
    }
}

impl PartialEq for Dict {
    fn eq(&self, other: &Dict) -> bool {
        let same = |one: Element<'_>| {
            let two = other.find(one.key());
            two.is_some_and(|two| {
                one.value() == two.value() && one.expires_at_ms() == two.expires_at_ms()
            })
        };
        self.len == other.len && self.iter().all(same)
    }
}

impl Eq for Dict {}

impl std::fmt::Debug for Dict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Dict of {} elements in {} parts",
            self.len,
            self.parts.len()
        )
    }
}
