//! A small hash table of records, laid out so that a lookup touches one line of it.
//!
//! A word is 19 bits of the record's hash (its *tag*) and 45 bits of its address (records are
//! 8-aligned and addresses are below 2^48). Eight words make a line of 64 bytes: one cache miss
//! brings all candidates, and the tags tell them apart without touching a record.
//!
//! ```text
//!   line 0      | word | word | word | word | word | empty ...        |
//!   line 1      | word | word | word | word | word | word | word | word |  full: spills over
//!   line 2      | word | (of line 1) | empty ...                      |
//!
//!   word:  tag (19 bits) | address / 8 (45 bits)          0 = empty
//!   home line of a tag:  tag * lines >> 19                monotone in the tag
//! ```
//!
//! Because the home line is a product and not a mask, a table has any number of lines: it grows by
//! a quarter, so that on average four fifths of it are in use (a table that doubles: six tenths),
//! and growing never touches a record. Because it is monotone, a scan in tag order is a walk over
//! lines, and stays meaningful when the table has grown meanwhile.
//!
//! | operation | cost |
//! |---|---|
//! | find | 1 line (1.2 on average when 7/8 full), then the record |
//! | insert | the same; every quarter of growth moves all words, at most 32 KiB |
//! | remove | the same, and pulls spilled words back, so there are no tombstones |
//!
//! hashbrown keeps control bytes and slots apart (two misses), doubles, and its order changes
//! when it grows: see the architecture page for what was measured. A table never holds more than
//! [`TABLE_RECORDS_MAX`] records; its owner splits it before that.

use crate::base::prefetch;
use crate::base::prng::Prng;
use crate::base::record::{Record, RecordRef};
use std::marker::PhantomData;

/// Bits of a hash that a table keeps.
pub const TAG_BITS: u32 = 19;
const ADDRESS_BITS: u32 = 64 - TAG_BITS;
const ADDRESS_MASK: u64 = (1 << ADDRESS_BITS) - 1;
/// Words of a line.
pub const LINE_WORDS: usize = 8;
const LINES_MAX: usize = 512;
/// How many records ahead a pass over all of them asks for: about one memory latency.
const PREFETCH_DISTANCE: usize = 12;
/// A full table: 7/8 of its words, at its largest.
pub const TABLE_RECORDS_MAX: usize = LINES_MAX * LINE_WORDS * 7 / 8;

/// The part of a hash that a table orders and compares by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(u32);

impl Tag {
    /// The tag of a hash: its topmost bits.
    pub fn of(hash: u64) -> Tag {
        Tag((hash >> ADDRESS_BITS) as u32)
    }

    /// The tag with this number, for scan cursors; numbers beyond the last are the last.
    pub fn from_index(index: u32) -> Tag {
        Tag(index.min((1 << TAG_BITS) - 1))
    }
}

/// Where a record stands in its table, until the next insertion or removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    line: u32,
    word: u32,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([u64; LINE_WORDS]);

impl Line {
    fn len(&self) -> usize {
        self.0
            .iter()
            .position(|&word| word == 0)
            .unwrap_or(LINE_WORDS)
    }

    fn is_full(&self) -> bool {
        self.0[LINE_WORDS - 1] != 0
    }
}

/// The table; it owns its records.
pub struct Table<P> {
    lines: Box<[Line]>,
    len: usize,
    owns: PhantomData<Record<P>>,
}

fn tag_of(word: u64) -> u32 {
    (word >> ADDRESS_BITS) as u32
}

fn address_of(word: u64) -> u64 {
    (word & ADDRESS_MASK) << 3
}

fn pack<P>(tag: Tag, record: Record<P>) -> u64 {
    let address = record.into_address();
    assert!(
        address >> 48 == 0 && address & 7 == 0,
        "records are 8-aligned below 2^48"
    );
    u64::from(tag.0) << ADDRESS_BITS | address >> 3
}

impl<P> Default for Table<P> {
    fn default() -> Self {
        Table {
            lines: Box::default(),
            len: 0,
            owns: PhantomData,
        }
    }
}

impl<P> Table<P> {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the next insertion needs a split first.
    pub fn is_full(&self) -> bool {
        self.len >= TABLE_RECORDS_MAX
    }

    /// Number of lines, for walks by [`Table::line`].
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// Bytes the table itself takes, its records apart.
    pub fn bytes(&self) -> usize {
        std::mem::size_of_val(&*self.lines)
    }

    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.lines.len() as u64) >> TAG_BITS) as usize
    }

    fn after(&self, line: usize) -> usize {
        if line + 1 == self.lines.len() {
            0
        } else {
            line + 1
        }
    }

    /// Asks the processor for the home line of a tag.
    #[inline]
    pub fn prefetch(&self, tag: Tag) {
        if let Some(line) = self.lines.get(self.home(tag.0)) {
            prefetch::read(std::ptr::from_ref(line).cast());
        }
    }

    /// Asks the processor for the record that a lookup of this tag will most likely compare.
    #[inline]
    pub fn prefetch_record(&self, tag: Tag) {
        let Some(line) = self.lines.get(self.home(tag.0)) else {
            return;
        };
        for &word in &line.0 {
            if word != 0 && tag_of(word) == tag.0 {
                let at = address_of(word) as *const u8;
                prefetch::read(at);
                prefetch::read(at.wrapping_add(55));
            }
        }
    }

    /// Asks the processor for all records of a line.
    pub fn prefetch_records(&self, line: usize) {
        for &word in self.lines[line].0.iter().filter(|&&word| word != 0) {
            prefetch::read(address_of(word) as *const u8);
        }
    }

    /// Finds the record with this tag for which `same` holds.
    #[inline]
    pub fn find(&self, tag: Tag, same: impl Fn(RecordRef<'_, P>) -> bool) -> Option<Place> {
        if self.lines.is_empty() {
            return None;
        }
        let home = self.home(tag.0);
        let mut at = home;
        loop {
            let line = &self.lines[at];
            for (i, &word) in line.0.iter().enumerate() {
                if word != 0 && tag_of(word) == tag.0 && same(self.view(word)) {
                    return Some(Place {
                        line: at as u32,
                        word: i as u32,
                    });
                }
            }
            at = self.after(at);
            if !line.is_full() || at == home {
                return None;
            }
        }
    }

    fn view(&self, word: u64) -> RecordRef<'_, P> {
        // SAFETY: a word that is not 0 holds the address of a record this table owns; it lives and
        // stays unchanged as long as the table is borrowed.
        unsafe { RecordRef::from_address(address_of(word)) }
    }

    /// The record at a place.
    #[inline]
    pub fn at(&self, place: Place) -> RecordRef<'_, P> {
        self.view(self.lines[place.line as usize].0[place.word as usize])
    }

    /// The tag of the record at a place.
    pub fn tag(&self, place: Place) -> Tag {
        Tag(tag_of(
            self.lines[place.line as usize].0[place.word as usize],
        ))
    }

    /// Changes the record at a place, which may give it a new allocation.
    pub fn change(&mut self, place: Place, change: impl FnOnce(Record<P>) -> Record<P>) {
        let at = &mut self.lines[place.line as usize].0[place.word as usize];
        let tag = Tag(tag_of(*at));
        let bomb = AbortOnUnwind;
        // SAFETY: the record is taken out of its word, changed and put back; should `change`
        // unwind, the process ends (a shard's panic is the node's).
        let record = unsafe { Record::from_address(address_of(*at)) };
        *at = pack(tag, change(record));
        std::mem::forget(bomb);
    }

    /// Changes the record at a place where it lies.
    #[inline]
    pub fn change_in_place<T>(
        &mut self,
        place: Place,
        change: impl FnOnce(&mut Record<P>) -> T,
    ) -> T {
        let word = self.lines[place.line as usize].0[place.word as usize];
        // SAFETY: the table is borrowed exclusively, and the record is not dropped here.
        let record = unsafe { Record::from_address(address_of(word)) };
        change(&mut std::mem::ManuallyDrop::new(record))
    }

    /// The boxed value of the record at a place, to change.
    #[inline]
    pub fn boxed_mut(&mut self, place: Place) -> Option<&mut P> {
        let word = self.lines[place.line as usize].0[place.word as usize];
        // SAFETY: the table is borrowed exclusively as long as the reference lives, and owns the
        // record, which owns the value.
        unsafe { RecordRef::from_address(address_of(word)).boxed_exclusive() }
    }

    /// Adds a record whose key is not in the table.
    ///
    /// The table must not be full.
    pub fn insert(&mut self, tag: Tag, record: Record<P>) -> Place {
        assert!(
            !self.is_full(),
            "a full table is split before it takes more"
        );
        if (self.len + 1) * 8 > self.lines.len() * LINE_WORDS * 7 {
            let lines = self.lines.len();
            self.resize((lines + lines / 4).max(lines + 1).min(LINES_MAX));
        }
        self.len += 1;
        self.put(pack(tag, record))
    }

    fn put(&mut self, word: u64) -> Place {
        let mut at = self.home(tag_of(word));
        loop {
            let len = self.lines[at].len();
            if len < LINE_WORDS {
                self.lines[at].0[len] = word;
                return Place {
                    line: at as u32,
                    word: len as u32,
                };
            }
            at = self.after(at);
        }
    }

    fn resize(&mut self, lines: usize) {
        let new = vec![Line([0; LINE_WORDS]); lines].into_boxed_slice();
        let old = std::mem::replace(&mut self.lines, new);
        for word in old.iter().flat_map(|line| line.0).filter(|&word| word != 0) {
            self.put(word);
        }
    }

    /// Gives memory back when most of the table is empty.
    pub fn shrink(&mut self) {
        let needed = (self.len * 10 / (LINE_WORDS * 7)).max(usize::from(self.len > 0));
        if self.lines.len() > needed * 2 {
            self.resize(needed + usize::from(needed * LINE_WORDS < self.len));
        }
    }

    /// Takes the record at a place out of the table.
    pub fn remove(&mut self, place: Place) -> Record<P> {
        self.remove_noting(place, |_| {})
    }

    /// Takes the record at a place out, and shows the records that move to another line for it.
    pub fn remove_noting(
        &mut self,
        place: Place,
        moves: impl FnMut(RecordRef<'_, P>),
    ) -> Record<P> {
        let (at, word) = (place.line as usize, place.word as usize);
        let taken = self.lines[at].0[word];
        assert!(taken != 0, "a place names a record");
        self.len -= 1;
        let was_full = self.lines[at].is_full();
        self.close_gap(at, word);
        if was_full {
            self.pull_back(at, moves);
        }
        // SAFETY: the word is out of the table, so its record is owned here alone.
        unsafe { Record::from_address(address_of(taken)) }
    }

    fn close_gap(&mut self, line: usize, word: usize) {
        let last = self.lines[line].len() - 1;
        self.lines[line].0[word] = self.lines[line].0[last];
        self.lines[line].0[last] = 0;
    }

    /// After `gap`, a full line, lost a word: brings back words that had spilled over it.
    fn pull_back(&mut self, mut gap: usize, mut moves: impl FnMut(RecordRef<'_, P>)) {
        let lines = self.lines.len();
        let mut at = self.after(gap);
        while at != gap {
            let was_full = self.lines[at].is_full();
            let distance = (at + lines - gap) % lines;
            let spilled = self.lines[at].0.iter().position(|&word| {
                word != 0 && (at + lines - self.home(tag_of(word))) % lines >= distance
            });
            if let Some(word) = spilled {
                let moved = self.lines[at].0[word];
                self.close_gap(at, word);
                let len = self.lines[gap].len();
                self.lines[gap].0[len] = moved;
                moves(self.view(moved));
                gap = at;
            }
            if !was_full {
                return;
            }
            at = self.after(at);
        }
    }

    /// Drops up to so many records and says how many; from then on nothing can be found any more.
    pub fn drop_some(&mut self, max: usize) -> usize {
        self.take_some(max, drop)
    }

    /// Gives away up to so many records and says how many; from then on nothing can be found any
    /// more.
    pub fn take_some(&mut self, max: usize, mut give: impl FnMut(Record<P>)) -> usize {
        let target = self.len - max.min(self.len);
        let before = self.len;
        for word in self.lines.iter_mut().rev().flat_map(|line| &mut line.0) {
            if self.len == target {
                break;
            }
            let taken = std::mem::take(word);
            if taken != 0 {
                self.len -= 1;
                // SAFETY: the word was taken out of the table, so its record is owned here alone.
                give(unsafe { Record::from_address(address_of(taken)) });
            }
        }
        before - self.len
    }

    /// The records of one line.
    pub fn line(&self, line: usize) -> impl Iterator<Item = (Place, RecordRef<'_, P>)> {
        self.lines[line]
            .0
            .iter()
            .enumerate()
            .take_while(|&(_, &word)| word != 0)
            .map(move |(i, &word)| {
                (
                    Place {
                        line: line as u32,
                        word: i as u32,
                    },
                    self.view(word),
                )
            })
    }

    /// All records.
    pub fn iter(&self) -> impl Iterator<Item = (Place, RecordRef<'_, P>)> {
        (0..self.lines.len()).flat_map(|line| self.line(line))
    }

    /// A random record of a table that is not empty, each equally likely.
    pub fn random(&self, random: &mut Prng) -> Place {
        const DRAWS: usize = 64;
        for _ in 0..DRAWS {
            let line = random.below(self.lines.len() as u64) as u32;
            let word = random.below(LINE_WORDS as u64) as u32;
            if self.lines[line as usize].0[word as usize] != 0 {
                return Place { line, word };
            }
        }
        // The table is nearly empty.
        let rank = random.below(self.len as u64) as usize;
        let place = self.iter().map(|(place, _)| place).nth(rank);
        place.expect("a table has as many records as it says")
    }

    /// Visits every record whose home is the line of `from`, and says from which tag to go on;
    /// `None` when that was the last line.
    pub fn scan(&self, from: Tag, mut visit: impl FnMut(RecordRef<'_, P>)) -> Option<u32> {
        self.scan_places(from, |_, record| visit(record))
    }

    /// The same, with the places of the records.
    pub fn scan_places(
        &self,
        from: Tag,
        mut visit: impl FnMut(Place, RecordRef<'_, P>),
    ) -> Option<u32> {
        if self.lines.is_empty() {
            return None;
        }
        let home = self.home(from.0);
        let mut at = home;
        // Who scans will want the next line too.
        self.prefetch_records(home);
        self.prefetch_records(self.after(home));
        loop {
            for (place, record) in self.line(at) {
                if self.home(self.tag(place).0) == home {
                    visit(place, record);
                }
            }
            let is_last = !self.lines[at].is_full();
            at = self.after(at);
            if is_last || at == home {
                break;
            }
        }
        let lines = self.lines.len() as u64;
        let next = (((home as u64 + 1) << TAG_BITS).div_ceil(lines)) as u32;
        (home as u64 + 1 < lines).then_some(next)
    }

    /// Takes out all records for which `leaves` holds.
    pub fn split_off(&mut self, leaves: impl Fn(RecordRef<'_, P>) -> bool) -> Table<P> {
        let words: Vec<u64> = self
            .lines
            .iter()
            .flat_map(|line| line.0)
            .filter(|&word| word != 0)
            .collect();
        let (mut kept, mut moved) = (Vec::with_capacity(words.len()), Vec::new());
        for (i, &word) in words.iter().enumerate() {
            if let Some(&ahead) = words.get(i + PREFETCH_DISTANCE) {
                prefetch::read(address_of(ahead) as *const u8);
            }
            let target = if leaves(self.view(word)) {
                &mut moved
            } else {
                &mut kept
            };
            target.push(word);
        }
        self.fill(&kept);
        let mut other = Table::default();
        other.fill(&moved);
        other
    }

    /// Takes all records of another table, whose keys are others; together they must not be more
    /// than a table holds.
    pub fn absorb(&mut self, mut other: Table<P>) {
        assert!(
            self.len + other.len <= TABLE_RECORDS_MAX,
            "a table takes no more than it may hold"
        );
        let words = |lines: Box<[Line]>| -> Vec<u64> {
            let all = lines.iter().flat_map(|line| line.0);
            all.filter(|&word| word != 0).collect()
        };
        other.len = 0;
        let mut all = words(std::mem::take(&mut self.lines));
        all.extend(words(std::mem::take(&mut other.lines)));
        self.fill(&all);
    }

    /// Makes these words the whole content.
    fn fill(&mut self, words: &[u64]) {
        self.len = words.len();
        let lines = (words.len() * 8 / (LINE_WORDS * 7) + 1).min(LINES_MAX);
        self.lines = vec![Line([0; LINE_WORDS]); lines].into_boxed_slice();
        for &word in words {
            self.put(word);
        }
    }
}

/// A record that is out of its word must not be lost sight of: it would be freed twice.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}

impl<P> Drop for Table<P> {
    fn drop(&mut self) {
        for word in self
            .lines
            .iter()
            .flat_map(|line| line.0)
            .filter(|&word| word != 0)
        {
            // SAFETY: the table owned the record and is going away.
            drop(unsafe { Record::<P>::from_address(address_of(word)) });
        }
    }
}
