//! Payloads put together by hand: what servers before 7.0 wrote, and what newer ones write.
//!
//! Each is a name, the version in its seal, and its bytes without the seal.

pub type Old = (&'static str, u16, Vec<u8>);

pub fn text(bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len();
    let head = match len {
        0..=63 => vec![len as u8],
        _ => vec![0x40 | (len >> 8) as u8, len as u8],
    };
    [head, bytes.to_vec()].concat()
}

/// A ziplist of texts and small numbers: `Ok` is an integer of one byte.
fn ziplist(items: &[Result<i8, &[u8]>]) -> Vec<u8> {
    let (mut elements, mut before, mut last) = (Vec::new(), 0usize, 0);
    for item in items {
        last = elements.len();
        if before < 254 {
            elements.push(before as u8);
        } else {
            elements.push(254);
            elements.extend((before as u32).to_le_bytes());
        }
        match item {
            Ok(number) => elements.extend([0xfe, *number as u8]),
            Err(bytes) if bytes.len() < 64 => {
                elements.push(bytes.len() as u8);
                elements.extend(*bytes);
            }
            Err(bytes) => {
                elements.extend([0x40 | (bytes.len() >> 8) as u8, bytes.len() as u8]);
                elements.extend(*bytes);
            }
        }
        before = elements.len() - last;
    }
    let mut bytes = (elements.len() as u32 + 11).to_le_bytes().to_vec();
    bytes.extend((last as u32 + 10).to_le_bytes());
    bytes.extend((items.len() as u16).to_le_bytes());
    bytes.extend(elements);
    bytes.push(0xff);
    bytes
}

fn coded(code: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    [vec![code], parts.concat()].concat()
}

/// A listpack of short texts and numbers up to 127.
fn listpack(items: &[Result<u8, &[u8]>]) -> Vec<u8> {
    let mut elements = Vec::new();
    for item in items {
        match item {
            Ok(number) => elements.extend([*number, 1]),
            Err(bytes) => {
                elements.push(0x80 | bytes.len() as u8);
                elements.extend(*bytes);
                elements.push(bytes.len() as u8 + 1);
            }
        }
    }
    let mut bytes = (elements.len() as u32 + 7).to_le_bytes().to_vec();
    bytes.extend((items.len() as u16).to_le_bytes());
    bytes.extend(elements);
    bytes.push(0xff);
    bytes
}

/// The stream of two entries (1-1 a b, 2-1 a c) in one node, up to its ids.
fn stream_head() -> Vec<u8> {
    let node = listpack(&[
        Ok(2),
        Ok(0),
        Ok(1),
        Err(b"a"),
        Ok(0), // master
        Ok(2),
        Ok(0),
        Ok(0),
        Err(b"b"),
        Ok(4), // 1-1
        Ok(2),
        Ok(1),
        Ok(0),
        Err(b"c"),
        Ok(4), // 2-1
    ]);
    let first = [1u64.to_be_bytes(), 1u64.to_be_bytes()].concat();
    [vec![1], text(&first), text(&node), vec![2, 2, 1]].concat()
}

/// A group with one pending entry, whose consumer was seen at 5; `times` follow that.
fn group(read: &[u8], times: &[u8]) -> Vec<u8> {
    let id = [1u64.to_be_bytes(), 1u64.to_be_bytes()].concat();
    [
        text(b"group"),
        vec![1, 1],
        read.to_vec(),
        vec![1],
        id.clone(),
        7i64.to_le_bytes().to_vec(),
        vec![3, 1],
        text(b"consumer"),
        5i64.to_le_bytes().to_vec(),
        times.to_vec(),
        vec![1],
        id,
    ]
    .concat()
}

/// What redis-server 7.0 reads too.
pub fn values() -> Vec<Old> {
    let long = [b'l'; 300];
    let words: [Result<i8, &[u8]>; 4] = [Err(b"one"), Ok(2), Err(&long), Err(b"end")];
    let scored: [Result<i8, &[u8]>; 4] = [Err(b"low"), Ok(-1), Err(b"high"), Err(b"2.5")];
    let intset = b"\x04\0\0\0\x03\0\0\0\xff\xff\xff\xff\x01\0\0\0\0\0\x01\0";
    let zipmap = b"\x02\x03foo\x03\0bar\x05hello\x05\x02world--\xff";
    vec![
        ("string", 1, coded(0, &[text(b"value")])),
        ("integer", 6, coded(0, &[b"\xc2\0\0\x01\0".to_vec()])),
        ("wide-integer", 6, coded(0, &[text(b"123456789012345")])),
        (
            "compressed",
            6,
            coded(0, &[b"\xc3\x05\x0a\x00a\xe0\x00\x00".to_vec()]),
        ),
        ("list", 6, coded(1, &[vec![2], text(b"a"), vec![0xc0, 7]])),
        ("set", 6, coded(2, &[vec![2], text(b"a"), vec![0xc0, 7]])),
        (
            "set-of-ints",
            6,
            coded(2, &[vec![2], vec![0xc0, 1], vec![0xc1, 0, 4]]),
        ),
        (
            "zset-text",
            6,
            coded(
                3,
                &[
                    vec![3],
                    text(b"a"),
                    text(b"1.5"),
                    text(b"b"),
                    vec![254],
                    text(b"c"),
                    vec![255],
                ],
            ),
        ),
        (
            "hash",
            6,
            coded(4, &[vec![1], text(b"field"), text(b"value")]),
        ),
        (
            "zset",
            8,
            coded(5, &[vec![1], text(b"m"), 0.5f64.to_le_bytes().to_vec()]),
        ),
        ("zipmap", 3, coded(9, &[text(zipmap)])),
        ("list-ziplist", 6, coded(10, &[text(&ziplist(&words))])),
        ("intset", 6, coded(11, &[text(intset)])),
        ("zset-ziplist", 6, coded(12, &[text(&ziplist(&scored))])),
        ("hash-ziplist", 6, coded(13, &[text(&ziplist(&words))])),
        (
            "quicklist",
            8,
            coded(
                14,
                &[vec![2], text(&ziplist(&words)), text(&ziplist(&scored))],
            ),
        ),
        (
            "quicklist2",
            10,
            coded(
                18,
                &[
                    vec![2, 1],
                    text(&long),
                    vec![2],
                    text(&listpack(&[Ok(1), Err(b"x")])),
                ],
            ),
        ),
        (
            "stream",
            9,
            coded(15, &[stream_head(), vec![1], group(b"", b"")]),
        ),
        (
            "stream2",
            10,
            coded(
                19,
                &[stream_head(), vec![1, 1, 0, 0, 2, 1], group(b"\x01", b"")],
            ),
        ),
    ]
}

/// What it does not read.
pub fn newer() -> Vec<Old> {
    let far = 4_000_000_000_000u64;
    let late = [vec![0x81], (far + 9).to_be_bytes().to_vec()].concat();
    let pairs = |expiry: &[u8]| [text(b"f"), text(b"v"), expiry.to_vec()].concat();
    let number = |number: u64| [vec![0xf4], number.to_le_bytes().to_vec(), vec![9]].concat();
    let mut triples = listpack(&[Err(b"f"), Err(b"v")]);
    triples.pop();
    triples.extend(number(far + 9));
    triples.extend([0x81, b'g', 2, 0x81, b'w', 2, 0, 1, 0xff]);
    let len = (triples.len() as u32).to_le_bytes();
    triples[..4].copy_from_slice(&len);
    triples[4] = 6;
    let first = far.to_le_bytes().to_vec();
    vec![
        (
            "set-listpack",
            11,
            coded(20, &[text(&listpack(&[Err(b"a"), Ok(5)]))]),
        ),
        (
            "stream3",
            11,
            coded(
                21,
                &[
                    stream_head(),
                    vec![1, 1, 0, 0, 2, 1],
                    group(b"\x01", &6i64.to_le_bytes()),
                ],
            ),
        ),
        (
            "hash-early",
            12,
            coded(
                22,
                &[
                    vec![2],
                    late,
                    text(b"f"),
                    text(b"v"),
                    vec![0],
                    text(b"g"),
                    text(b"w"),
                ],
            ),
        ),
        ("hash-listpack-early", 12, coded(23, &[text(&triples)])),
        (
            "hash-expiring",
            12,
            coded(
                24,
                &[
                    first.clone(),
                    vec![2, 10],
                    text(b"f"),
                    text(b"v"),
                    vec![0],
                    text(b"g"),
                    text(b"w"),
                ],
            ),
        ),
        (
            "hash-listpack-expiring",
            12,
            coded(25, &[first, text(&triples)]),
        ),
        (
            "hash-valkey",
            80,
            coded(
                22,
                &[
                    vec![2],
                    pairs(&(far + 9).to_le_bytes()),
                    text(b"g"),
                    text(b"w"),
                    (-1i64).to_le_bytes().to_vec(),
                ],
            ),
        ),
    ]
}

/// Questions about the newer ones and their answers.
pub fn answers(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "set-listpack" => &[("SMEMBERS KEY", "5 a")],
        "stream3" => &[("XLEN KEY", "2")],
        _ => &[
            ("HGETALL KEY", "f g v w"),
            ("HPEXPIRETIME KEY FIELDS 2 f g", "-1 4000000000009"),
        ],
    }
}
