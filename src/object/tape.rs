//! Tapes: the elements of a small hash or sorted set one behind the other, read forwards only.
//!
//! ```text
//!  up to 511 bytes of elements    | element | element | ...
//!  from 512 on                    | 0xFF | elements u32 | element | element | ...
//! ```
//!
//! An element is [encoded](super::element) as in a listpack. What a tape leaves out is the length
//! backwards behind each of them, the count of bytes, which the record around it knows, and the
//! mark at the end: 27 bytes for ten fields with their values, 7 % of them at 16 bytes each. A
//! short tape is counted by walking over it. Places are byte offsets of elements; a change anywhere
//! may move them all, since the count comes and goes.
//!
//! Snapshots and DUMP speak of listpacks; [`Tape::to_listpack`] and [`from_listpack`] translate.
//! The bytes of a tape never come from outside, so a view trusts them.

use super::element::{self, Element, Head, Wanted};
use super::form::Room;
use super::listpack::{self, Listpack};

/// Bytes of elements from which on they are counted.
const COUNTED_MIN: usize = 512;
/// What the first byte of an element never is.
const COUNT_FOLLOWS: u8 = 0xff;
const HEADER: usize = 5;
/// No tape has more bytes of elements: as a listpack it takes at most twice as many.
pub const BYTES_MAX: usize = listpack::BYTES_MAX / 2 - 16;

/// A tape to read.
#[derive(Clone, Copy, Debug)]
pub struct Tape<'a> {
    bytes: &'a [u8],
}

impl<'a> Tape<'a> {
    pub fn new(bytes: &'a [u8]) -> Tape<'a> {
        Tape { bytes }
    }

    /// The place of the first element, or of the end.
    #[inline]
    pub fn start(self) -> usize {
        match self.bytes.first() {
            Some(&COUNT_FOLLOWS) => HEADER,
            _ => 0,
        }
    }

    /// The place behind the last element.
    #[inline]
    pub fn end(self) -> usize {
        self.bytes.len()
    }

    /// Number of elements; a short tape is walked over for it.
    pub fn count(self) -> usize {
        match self.bytes {
            [COUNT_FOLLOWS, a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]) as usize,
            bytes => {
                let (mut at, mut count) = (0, 0);
                while at < bytes.len() {
                    at += element::len(bytes, at);
                    count += 1;
                }
                count
            }
        }
    }

    /// Whether there are fewer elements than this; mostly known without counting them.
    #[inline]
    pub fn has_fewer(self, elements: usize) -> bool {
        // None takes less than a byte.
        self.bytes.len() < elements || self.count() < elements
    }

    /// The element at a place; `None` at the end.
    #[inline]
    pub fn at(self, at: usize) -> Option<Element<'a>> {
        if at >= self.bytes.len() {
            return None;
        }
        let (item, len) = element::decode(self.bytes, at);
        let next = at + len;
        Some(Element { item, at, next })
    }

    /// The elements between two places, as they are encoded.
    pub fn encoded(self, at: usize, end: usize) -> &'a [u8] {
        &self.bytes[at..end]
    }

    /// The place of an element by its number, the end if there are fewer.
    pub fn seek(self, index: usize) -> usize {
        let mut at = self.start();
        for _ in 0..index {
            if at == self.bytes.len() {
                break;
            }
            at += element::len(self.bytes, at);
        }
        at
    }

    /// The first element that is this one, looking at every `step`th: 2 finds fields of a hash.
    #[inline]
    pub fn find(self, wanted: Wanted<'_>, step: usize) -> Option<Element<'a>> {
        let mut at = self.start();
        while let Some(element) = self.at(at) {
            if wanted.is(element.item) {
                return Some(element);
            }
            at = element.next;
            for _ in 1..step {
                at += element::len(self.bytes, at);
            }
        }
        None
    }

    /// All elements in order.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = Element<'a>> {
        let mut at = self.start();
        std::iter::from_fn(move || {
            let element = self.at(at)?;
            at = element.next;
            Some(element)
        })
    }

    /// The listpack of the same elements.
    pub fn to_listpack(self) -> Vec<u8> {
        let count = self.count();
        let mut bytes = Vec::with_capacity(self.bytes.len() + count + listpack::EMPTY.len());
        bytes.extend_from_slice(&listpack::EMPTY);
        listpack::append(&mut bytes, count, |out| {
            for element in self.iter() {
                listpack::push_encoded(self.encoded(element.at, element.next), out);
            }
        });
        bytes
    }
}

/// The tape of a listpack's elements.
pub fn from_listpack(list: Listpack<'_>) -> Vec<u8> {
    let count = list.len();
    let mut bytes = Vec::with_capacity(list.bytes().len());
    if list.bytes().len() >= COUNTED_MIN + listpack::EMPTY.len() + count {
        bytes.extend_from_slice(&header(count));
    }
    list.iter()
        .for_each(|element| bytes.extend_from_slice(list.encoded(element)));
    bytes
}

fn header(count: usize) -> [u8; HEADER] {
    let count = u32::try_from(count).expect("an element takes a byte at least");
    let [a, b, c, d] = count.to_le_bytes();
    [COUNT_FOLLOWS, a, b, c, d]
}

/// Appends the encoding of an element to bytes that will be spliced in.
pub fn encode(value: &[u8], out: &mut Vec<u8>) {
    let (head, content) = Head::of(value);
    out.extend_from_slice(head.bytes());
    out.extend_from_slice(content);
}

/// Appends the encoding of an integer to bytes that will be spliced in.
pub fn encode_integer(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(Head::integer(number).bytes());
}

/// Puts encoded elements in the place of others.
///
/// From `at` on, `remove` bytes that hold `removed` elements go; `insert` holds `inserted`.
pub fn splice(room: &mut dyn Room, at: usize, remove: (usize, usize), insert: (&[u8], usize)) {
    let (removed_bytes, removed) = remove;
    let (insert, inserted) = insert;
    let tape = Tape::new(room.bytes());
    let old = tape.end() - tape.start();
    let new = old - removed_bytes + insert.len();
    assert!(new <= BYTES_MAX, "its owner unpacks it in time");
    let is_counted = tape.start() > 0;
    if new < COUNTED_MIN {
        room.rewrite(at, removed_bytes, insert);
        if is_counted {
            room.rewrite(0, HEADER, b"");
        }
        return;
    }
    let header = header(tape.count() - removed + inserted);
    room.rewrite(at, removed_bytes, insert);
    room.rewrite(0, if is_counted { HEADER } else { 0 }, &header);
}

/// Puts a value in the place of an element.
pub fn replace(room: &mut dyn Room, at: usize, value: &[u8]) {
    let old = Tape::new(room.bytes()).at(at);
    let old_len = old.expect("an element is replaced").next - at;
    let (head, content) = Head::of(value);
    element::joined([head.bytes(), content, b""], |bytes| {
        splice(room, at, (old_len, 1), (bytes, 1));
    });
}

/// Removes up to `count` elements from a place on.
pub fn remove(room: &mut dyn Room, at: usize, count: usize) {
    let tape = Tape::new(room.bytes());
    let (mut end, mut removed) = (at, 0);
    while removed < count
        && let Some(element) = tape.at(end)
    {
        end = element.next;
        removed += 1;
    }
    if removed > 0 {
        splice(room, at, (end - at, removed), (b"", 0));
    }
}

/// Whether bytes are a tape in every detail, for tests.
#[cfg(test)]
pub fn is_sound(bytes: &[u8]) -> bool {
    let tape = Tape::new(bytes);
    let (mut at, mut count) = (tape.start(), 0);
    while at < bytes.len() {
        let Some(len) = element::checked_len(bytes, at) else {
            return false;
        };
        (at, count) = (at + len, count + 1);
    }
    let is_counted = tape.start() > 0;
    is_counted == (bytes.len() - tape.start() >= COUNTED_MIN) && tape.count() == count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    fn value(random: &mut Prng) -> Vec<u8> {
        match random.below(12) {
            0 => vec![b'x'; random.below(200) as usize],
            1 => vec![b'y'; random.below(6000) as usize],
            2..6 => (random.next_u64() as i64 >> random.below(64))
                .to_string()
                .into_bytes(),
            _ => format!("word-{}", random.below(200)).into_bytes(),
        }
    }

    fn all(bytes: &[u8]) -> Vec<Vec<u8>> {
        assert!(is_sound(bytes));
        let elements = Tape::new(bytes).iter();
        elements.map(|element| element.item.to_vec()).collect()
    }

    #[test]
    fn random_edits_follow_a_vector() {
        for seed in 0..100 {
            let mut random = Prng::from_seed(seed);
            let (mut bytes, mut model) = (Vec::new(), Vec::new());
            for _ in 0..300 {
                let index = random.below(model.len() as u64 + 1) as usize;
                let at = Tape::new(&bytes).seek(index);
                match random.below(if model.len() > 40 { 8 } else { 4 }) {
                    0 | 1 => {
                        let value = value(&mut random);
                        let mut element = Vec::new();
                        encode(&value, &mut element);
                        splice(&mut bytes, at, (0, 0), (&element, 1));
                        model.insert(index, value);
                    }
                    2 if index < model.len() => {
                        model[index] = value(&mut random);
                        replace(&mut bytes, at, &model[index]);
                    }
                    _ => {
                        let count = random.below(4) as usize;
                        remove(&mut bytes, at, count);
                        model.drain(index..model.len().min(index + count));
                    }
                }
                assert_eq!(all(&bytes), model, "seed {seed}");
            }
            for value in &model {
                let found = Tape::new(&bytes).find(Wanted::new(value), 1);
                assert_eq!(found.map(|found| found.item.to_vec()).as_ref(), Some(value));
            }
        }
    }

    #[test]
    fn it_is_the_listpack_of_the_same_elements() {
        for seed in 0..300 {
            let mut random = Prng::from_seed(seed);
            let (mut tape, mut list) = (Vec::new(), listpack::EMPTY.to_vec());
            for _ in 0..random.below(120) {
                let value = value(&mut random);
                let (mut element, end) = (Vec::new(), tape.len());
                encode(&value, &mut element);
                splice(&mut tape, end, (0, 0), (&element, 1));
                listpack::push_back(&mut list, &value);
            }
            assert_eq!(Tape::new(&tape).to_listpack(), list, "seed {seed}");
            assert_eq!(from_listpack(Listpack::new(&list)), tape, "seed {seed}");
        }
    }

    #[test]
    fn elements_are_counted_from_512_bytes_on() {
        let mut bytes = Vec::new();
        for number in 0..512 {
            assert_eq!(bytes.len(), number);
            let mut element = Vec::new();
            encode_integer(1, &mut element);
            splice(&mut bytes, number, (0, 0), (&element, 1));
        }
        assert_eq!(bytes.len(), HEADER + 512);
        assert_eq!(Tape::new(&bytes).count(), 512);
        remove(&mut bytes, HEADER, 1);
        assert_eq!(bytes, [1; 511]);
    }
}
