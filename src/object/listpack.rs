//! Listpacks: a list of strings and integers in one piece of bytes, byte for byte as Redis's.
//!
//! ```text
//!  | total bytes u32 | elements u16 (65535 = count them) | element ... | 0xFF |
//!
//!  element   encoding and content | length of both, backwards, 1 to 5 bytes
//! ```
//!
//! How content is [encoded](super::element) stands beside this.
//!
//! A view ([`Listpack`]) trusts its bytes; foreign ones pass [`validate`] first. Places are byte
//! offsets of elements. Finding by value or by number is linear, so listpacks are kept small.
//!
//! Source of the format: the listpack specification, <https://github.com/antirez/listpack>.

use super::element::{self, Element, Head, Wanted, checked_len, decode, joined};
use super::form::Room;

const HEADER: usize = 6;
const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = u16::MAX;
/// No listpack grows beyond this many bytes; Redis's own limit.
pub const BYTES_MAX: usize = 1 << 30;

/// An empty one.
pub const EMPTY: [u8; 7] = [7, 0, 0, 0, 0, 0, END];

/// A listpack to read. Its bytes are well-formed.
#[derive(Clone, Copy, Debug)]
pub struct Listpack<'a> {
    bytes: &'a [u8],
}

impl<'a> Listpack<'a> {
    pub fn new(bytes: &'a [u8]) -> Listpack<'a> {
        Listpack { bytes }
    }

    /// The one at the beginning of these bytes, by its own total.
    #[inline]
    pub fn starting(bytes: &'a [u8]) -> Listpack<'a> {
        let total = bytes
            .first_chunk()
            .map_or(0, |total| u32::from_le_bytes(*total));
        Listpack::new(&bytes[..total as usize])
    }

    /// Number of elements; counts them when they are 65535 or more.
    pub fn len(self) -> usize {
        match count_of(self.bytes) {
            COUNT_UNKNOWN => self.iter().count(),
            count => usize::from(count),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.bytes.len() == EMPTY.len()
    }

    /// All of its bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The place of the first element, or of the end.
    pub fn start(self) -> usize {
        HEADER
    }

    /// The place behind the last element.
    pub fn end(self) -> usize {
        self.bytes.len() - 1
    }

    /// The element at a place; `None` at the end.
    #[inline]
    pub fn at(self, at: usize) -> Option<Element<'a>> {
        if at >= self.end() {
            return None;
        }
        let (item, len) = decode(self.bytes, at);
        let next = at + len + backlen_size(len);
        Some(Element { item, at, next })
    }

    /// The place of the element before a place; `None` at the first one.
    #[inline]
    pub fn before(self, at: usize) -> Option<usize> {
        if at <= HEADER {
            return None;
        }
        let len = backlen_before(self.bytes, at);
        Some(at - len - backlen_size(len))
    }

    /// The place of an element by its number; negative ones count from the end, -1 is the last.
    pub fn seek(self, index: i64) -> Option<usize> {
        let count = self.len() as i64;
        let index = if index < 0 { index + count } else { index };
        if index < 0 || index >= count {
            return None;
        }
        if index <= count / 2 {
            let mut at = HEADER;
            for _ in 0..index {
                at = self.at(at)?.next;
            }
            return Some(at);
        }
        let mut at = self.end();
        for _ in index..count {
            at = self.before(at)?;
        }
        Some(at)
    }

    /// All elements from the first on.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        self.iter_from(HEADER)
    }

    /// All elements from a place on.
    #[inline]
    pub fn iter_from(self, at: usize) -> Iter<'a> {
        Iter { list: self, at }
    }

    /// An element without its length backwards.
    pub fn encoded(self, element: Element<'a>) -> &'a [u8] {
        &self.bytes[element.at..element.at + element::len(self.bytes, element.at)]
    }

    /// All elements before a place, backwards.
    pub fn iter_back(self, end: usize) -> impl Iterator<Item = Element<'a>> {
        let mut at = end;
        std::iter::from_fn(move || {
            at = self.before(at)?;
            self.at(at)
        })
    }

    /// The first element that is this one, looking at every `step`th: 2 finds fields of a hash.
    #[inline]
    pub fn find(self, wanted: Wanted<'_>, step: usize) -> Option<Element<'a>> {
        let mut at = HEADER;
        while let Some(element) = self.at(at) {
            if wanted.is(element.item) {
                return Some(element);
            }
            at = element.next;
            for _ in 1..step {
                at = self.at(at)?.next;
            }
        }
        None
    }
}

/// The elements of a listpack in order.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    list: Listpack<'a>,
    at: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        let element = self.list.at(self.at)?;
        self.at = element.next;
        Some(element)
    }
}

fn count_of(bytes: &[u8]) -> u16 {
    u16::from_le_bytes([bytes[4], bytes[5]])
}

/// Bytes that the backward length of an element takes.
#[inline]
fn backlen_size(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

fn backlen_before(bytes: &[u8], at: usize) -> usize {
    let (mut len, mut shift, mut at) = (0, 0, at - 1);
    loop {
        let byte = bytes[at];
        len |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 || shift >= 28 {
            return len;
        }
        shift += 7;
        at -= 1;
    }
}

/// An encoded element: short ones without an allocation.
struct Encoded {
    head: Head,
    back: [u8; 5],
    back_len: usize,
}

impl Encoded {
    fn new(value: &[u8]) -> (Encoded, &[u8]) {
        let (head, content) = Head::of(value);
        (Encoded::with_back(head, content.len()), content)
    }

    fn integer(number: i64) -> Encoded {
        Encoded::with_back(Head::integer(number), 0)
    }

    fn with_back(head: Head, content: usize) -> Encoded {
        let len = head.bytes().len() + content;
        let (back, back_len) = backlen(len);
        Encoded {
            head,
            back,
            back_len,
        }
    }

    fn parts<'e>(&'e self, content: &'e [u8]) -> [&'e [u8]; 3] {
        [self.head.bytes(), content, &self.back[..self.back_len]]
    }

    fn len(&self, content: &[u8]) -> usize {
        self.head.bytes().len() + content.len() + self.back_len
    }

    fn append_to(&self, content: &[u8], out: &mut Vec<u8>) {
        let parts = self.parts(content);
        parts
            .into_iter()
            .for_each(|part| out.extend_from_slice(part));
    }
}

/// The backward length of an element, and how many bytes that takes.
fn backlen(len: usize) -> ([u8; 5], usize) {
    let back_len = backlen_size(len);
    let mut back = [0; 5];
    for (number, byte) in back[..back_len].iter_mut().rev().enumerate() {
        *byte = (len >> (7 * number)) as u8 & 0x7f;
        *byte |= if number + 1 == back_len { 0 } else { 0x80 };
    }
    (back, back_len)
}

/// Bytes a value would take as an element.
pub fn encoded_len(value: &[u8]) -> usize {
    let (encoded, content) = Encoded::new(value);
    encoded.len(content)
}

/// Appends the encoding of an element to bytes that will be spliced in.
pub fn encode(value: &[u8], out: &mut Vec<u8>) {
    let (encoded, content) = Encoded::new(value);
    encoded.append_to(content, out);
}

/// Appends the encoding of an integer to bytes that will be spliced in.
pub fn encode_integer(number: i64, out: &mut Vec<u8>) {
    Encoded::integer(number).append_to(b"", out);
}

/// Appends an element whose content is encoded already to bytes that will be spliced in.
pub fn push_encoded(encoded: &[u8], out: &mut Vec<u8>) {
    let (back, back_len) = backlen(encoded.len());
    out.extend_from_slice(encoded);
    out.extend_from_slice(&back[..back_len]);
}

/// Appends `count` elements that `write` encodes behind the bytes it is given, in one go.
pub fn append(bytes: &mut Vec<u8>, count: usize, write: impl FnOnce(&mut Vec<u8>)) {
    bytes.pop();
    write(bytes);
    bytes.push(END);
    let total = u32::try_from(bytes.len()).expect("its owner splits a listpack in time");
    bytes[..4].copy_from_slice(&total.to_le_bytes());
    let known = count_of(bytes);
    if known != COUNT_UNKNOWN {
        let count = u16::try_from(usize::from(known) + count).unwrap_or(COUNT_UNKNOWN);
        bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
    }
}

/// Puts an integer in the place of an element; the place behind it.
pub fn replace_integer(room: &mut dyn Room, at: usize, number: i64) -> usize {
    let old = Listpack::new(room.bytes()).at(at);
    let old_len = old.expect("an element is replaced").next - at;
    let encoded = Encoded::integer(number);
    let len = encoded.len(b"");
    joined(encoded.parts(b""), |bytes| match len == old_len {
        true => room.rewrite(at, len, bytes),
        false => splice(room, at, (old_len, 1), (bytes, 1)),
    });
    at + len
}

/// Puts encoded elements in the place of others, and keeps the header in step.
///
/// From `at` on, `remove` bytes that hold `removed` elements go; `insert` holds `inserted`.
pub fn splice(room: &mut dyn Room, at: usize, remove: (usize, usize), insert: (&[u8], usize)) {
    let (removed_bytes, removed) = remove;
    let (insert, inserted) = insert;
    let bytes = room.bytes();
    let total = bytes.len() - removed_bytes + insert.len();
    assert!(total <= BYTES_MAX, "its owner splits a listpack in time");
    let count = match count_of(bytes) {
        COUNT_UNKNOWN => Listpack::new(bytes).len(),
        count => usize::from(count),
    };
    let count = count - removed + inserted;
    let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&(total as u32).to_le_bytes());
    header[4..].copy_from_slice(&count.to_le_bytes());
    room.rewrite(at, removed_bytes, insert);
    room.rewrite(0, HEADER, &header);
}

/// Inserts an element before a place; the place behind it.
pub fn insert(room: &mut dyn Room, at: usize, value: &[u8]) -> usize {
    put(room, at, (0, 0), value)
}

/// Puts a value in the place of an element; the place behind it.
pub fn replace(room: &mut dyn Room, at: usize, value: &[u8]) -> usize {
    let old = Listpack::new(room.bytes()).at(at);
    let len = old.expect("an element is replaced").next - at;
    put(room, at, (len, 1), value)
}

fn put(room: &mut dyn Room, at: usize, remove: (usize, usize), value: &[u8]) -> usize {
    let (encoded, content) = Encoded::new(value);
    joined(encoded.parts(content), |bytes| {
        splice(room, at, remove, (bytes, 1));
        at + bytes.len()
    })
}

/// Appends an element.
pub fn push_back(room: &mut dyn Room, value: &[u8]) {
    let end = Listpack::new(room.bytes()).end();
    insert(room, end, value);
}

/// Puts an element before all others.
pub fn push_front(room: &mut dyn Room, value: &[u8]) {
    insert(room, HEADER, value);
}

/// Removes up to `count` elements from a place on; says how many there were.
pub fn remove(room: &mut dyn Room, at: usize, count: usize) -> usize {
    let list = Listpack::new(room.bytes());
    let (mut end, mut removed) = (at, 0);
    while removed < count
        && let Some(element) = list.at(end)
    {
        end = element.next;
        removed += 1;
    }
    if removed > 0 {
        splice(room, at, (end - at, removed), (b"", 0));
    }
    removed
}

/// Whether foreign bytes are a listpack in every detail: lengths, counts, and that each element
/// can be walked forwards and backwards.
pub fn validate(bytes: &[u8]) -> bool {
    if bytes.len() < EMPTY.len() || bytes.len() > BYTES_MAX || bytes.last() != Some(&END) {
        return false;
    }
    let total = bytes[..4].try_into().expect("four bytes");
    if u32::from_le_bytes(total) as usize != bytes.len() {
        return false;
    }
    let (end, mut at, mut count) = (bytes.len() - 1, HEADER, 0usize);
    while at < end {
        let Some(len) = checked_len(&bytes[..end], at) else {
            return false;
        };
        let next = at + len + backlen_size(len);
        if next > end || backlen_before(bytes, next) != len {
            return false;
        }
        (at, count) = (next, count + 1);
    }
    let claimed = count_of(bytes);
    claimed == COUNT_UNKNOWN || usize::from(claimed) == count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    fn all(bytes: &[u8]) -> Vec<Vec<u8>> {
        let list = Listpack::new(bytes);
        let forward: Vec<_> = list.iter().map(|element| element.item.to_vec()).collect();
        let back = list.iter_back(list.end());
        let mut back: Vec<_> = back.map(|element| element.item.to_vec()).collect();
        back.reverse();
        assert_eq!(forward, back);
        assert_eq!(forward.len(), list.len());
        assert!(validate(bytes));
        forward
    }

    fn value(random: &mut Prng) -> Vec<u8> {
        match random.below(4) {
            0 => (random.next_u64() as i64 >> random.below(64))
                .to_string()
                .into_bytes(),
            1 => vec![b'x'; random.below(200) as usize],
            2 => vec![b'y'; random.below(20_000) as usize],
            _ => random.below(200).to_string().into_bytes(),
        }
    }

    #[test]
    fn it_is_redis_s_format() {
        let mut bytes = EMPTY.to_vec();
        for value in [
            "a",
            "127",
            "-1",
            "4095",
            "-32768",
            "8388607",
            "99999999999",
            "007",
        ] {
            push_back(&mut bytes, value.as_bytes());
        }
        let expected = b"\x2a\0\0\0\x08\0\x81a\x02\x7f\x01\xdf\xff\x02\xcf\xff\x02\xf1\0\x80\x03\
            \xf2\xff\xff\x7f\x04\xf4\xff\xe7\x76\x48\x17\0\0\0\x09\x83\x30\x30\x37\x04\xff";
        assert_eq!(bytes, expected);
    }

    #[test]
    fn integers_are_appended_and_replaced_in_place() {
        let mut bytes = EMPTY.to_vec();
        append(&mut bytes, 2, |out| {
            encode_integer(127, out);
            encode_integer(5, out);
        });
        replace_integer(&mut bytes, HEADER, 128);
        let mut expected = EMPTY.to_vec();
        push_back(&mut expected, b"128");
        push_back(&mut expected, b"5");
        assert_eq!(bytes, expected);
        replace_integer(&mut bytes, HEADER, i64::MIN);
        replace_integer(&mut bytes, HEADER, -4096);
        assert_eq!(all(&bytes), [b"-4096".to_vec(), b"5".to_vec()]);
    }

    #[test]
    fn random_edits_follow_a_vector() {
        for seed in 0..60 {
            let mut random = Prng::from_seed(seed);
            let (mut bytes, mut model) = (EMPTY.to_vec(), Vec::new());
            for _ in 0..200 {
                let index = random.below(model.len() as u64 + 1) as usize;
                let list = Listpack::new(&bytes);
                let at = list.seek(index as i64).unwrap_or(list.end());
                match random.below(4) {
                    0 | 1 => {
                        let value = value(&mut random);
                        insert(&mut bytes, at, &value);
                        model.insert(index, value);
                    }
                    2 if index < model.len() => {
                        model[index] = value(&mut random);
                        replace(&mut bytes, at, &model[index]);
                    }
                    _ => {
                        let count = random.below(3) as usize;
                        let removed = remove(&mut bytes, at, count);
                        model.drain(index..index + removed);
                    }
                }
                assert_eq!(all(&bytes), model, "seed {seed}");
            }
            for value in &model {
                let found = Listpack::new(&bytes).find(Wanted::new(value), 1);
                assert_eq!(found.map(|found| found.item.to_vec()).as_ref(), Some(value));
            }
        }
    }

    #[test]
    fn bad_bytes_are_refused_and_good_ones_walk() {
        let mut random = Prng::from_seed(5);
        for _ in 0..20_000 {
            let mut bytes = EMPTY.to_vec();
            for _ in 0..random.below(6) {
                push_back(&mut bytes, &value(&mut random)[..]);
            }
            for _ in 0..=random.below(2) {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] = random.next_u64() as u8;
            }
            if validate(&bytes) {
                all(&bytes);
            }
        }
    }
}
