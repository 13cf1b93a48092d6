//! Values and files in pieces and with damage: what can be said without a server.
//!
//! Exchange with redis-server is in `tests/interchange.rs`.

use super::*;
use crate::base::prng::Prng;
use crate::object::Packing;

const SNAPSHOT: &[u8] = include_bytes!("../../tests/golden/rdb/redis-7.0.rdb");

/// The values of the snapshot, each with its code and its bytes.
fn values() -> Vec<(Code, Vec<u8>, Value)> {
    let mut input = Input::new(SNAPSHOT);
    let mut reader = FileReader::new(true);
    let mut values = Vec::new();
    loop {
        match reader.next(&mut input).expect("a good file") {
            Item::Key(head) => {
                let mut decoder = Decoder::new(head.code, &Packing::default());
                let before = input.position();
                let value = reader.value(&mut decoder, &mut input, usize::MAX);
                let value = value.expect("a good value").expect("in one step");
                values.push((head.code, input.since(before).to_vec(), value));
            }
            Item::End => break,
            _ => {}
        }
    }
    assert!(input.is_empty());
    assert_eq!(reader.offset(), SNAPSHOT.len() as u64);
    values
}

/// Items of a file that is handed over in pieces of random length.
fn read_in_pieces(file: &[u8], random: &mut Prng) -> Result<Vec<Item>, Damage> {
    let mut reader = FileReader::new(true);
    let (mut items, mut from, mut to) = (Vec::new(), 0, 0);
    let mut running: Option<Skim> = None;
    loop {
        let mut input = Input::new(&file[from..to]);
        let step = match &mut running {
            None => reader.next(&mut input).map(Some),
            Some(skim) => reader.skim(skim, &mut input, 3).map(|is_done| {
                running = running.take().filter(|_| !is_done);
                None
            }),
        };
        from += input.position();
        assert_eq!(reader.offset(), from as u64);
        match step {
            Ok(Some(item)) => {
                if let Item::Key(head) = &item {
                    running = Some(Skim::new(head.code));
                }
                items.push(item);
                if items.last() == Some(&Item::End) {
                    return Ok(items);
                }
            }
            Ok(None) => {}
            Err(Stop::Short(missing)) if to < file.len() => {
                let more = missing + random.below(50);
                to = file
                    .len()
                    .min(to + usize::try_from(more).unwrap_or(usize::MAX).min(1 << 20));
            }
            Err(stop) => return Err(stop.at_end()),
        }
    }
}

#[test]
fn a_snapshot_of_redis_is_read() {
    let values = values();
    assert_eq!(values.len(), 15);
    let mut random = Prng::from_seed(1);
    let items = read_in_pieces(SNAPSHOT, &mut random).expect("a good file");
    assert_eq!(items[0], Item::Head(Dialect::Redis, 10));
    let functions = items
        .iter()
        .filter(|item| matches!(item, Item::Function(_)));
    assert_eq!(functions.count(), 1);
    let expiring = items.iter().find_map(|item| match item {
        Item::Key(head) if head.key == b"expires" => head.expires_at_ms,
        _ => None,
    });
    assert_eq!(expiring, Some(4_000_000_000_000));
    assert_eq!(read_in_pieces(SNAPSHOT, &mut random), Ok(items));
}

#[test]
fn values_in_any_pieces_are_the_same() {
    let mut random = Prng::from_seed(2);
    for (code, bytes, value) in values() {
        let mut skim = Skim::new(code);
        let mut input = Input::new(&bytes);
        assert_eq!(skim.step(&mut input, usize::MAX), Ok(true), "{code:?}");
        assert!(input.is_empty(), "{code:?}");
        for _ in 0..20 {
            let mut decoder = Decoder::new(code, &Packing::default());
            let (mut from, mut to) = (0, 0);
            let read = loop {
                let mut input = Input::new(&bytes[from..to]);
                let step = decoder.step(&mut input, 1 + random.below(4) as usize);
                from += input.position();
                match step {
                    Ok(Some(value)) => break value,
                    Ok(None) => {}
                    Err(Stop::Short(_)) => {
                        to = bytes.len().min(to + 1 + random.below(90) as usize);
                    }
                    Err(stop) => panic!("{code:?}: {stop:?}"),
                }
            };
            assert_eq!(from, bytes.len());
            assert!(read == value, "{code:?}");
        }
    }
}

#[test]
fn every_flipped_byte_of_a_file_is_noticed() {
    let mut random = Prng::from_seed(3);
    for at in 0..SNAPSHOT.len() {
        let mut file = SNAPSHOT.to_vec();
        file[at] ^= 1 << random.below(8);
        let read = read_in_pieces(&file, &mut random);
        // The version is a digit that may become another good one; then the checksum differs.
        assert!(read.is_err(), "byte {at}");
    }
    for len in 0..SNAPSHOT.len() {
        let read = read_in_pieces(&SNAPSHOT[..len], &mut random);
        assert_eq!(read, Err(Damage::Malformed("the bytes end in the middle")));
    }
}

#[test]
fn damaged_values_are_refused_or_read_whole() {
    let mut random = Prng::from_seed(4);
    let values = values();
    for round in 0..40_000 {
        let (code, bytes, _) = &values[round % values.len()];
        let mut bytes = bytes.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] = random.next_u64() as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let mut decoder = Decoder::new(*code, &Packing::default());
        let mut input = Input::new(&bytes);
        if let Ok(Some(value)) = decoder.step(&mut input, usize::MAX) {
            let again = dump(value_ref(&value), true);
            let restored = restore(&again, &Packing::default());
            assert!(restored.as_ref() == Ok(&value), "{code:?} round {round}");
        }
    }
}

fn value_ref(value: &Value) -> ValueRef<'_> {
    use crate::object::Holder;
    match value {
        Value::Int(number) => ValueRef::Int(*number),
        Value::Text(bytes) => ValueRef::Text(bytes),
        Value::Collection(collection) => ValueRef::Collection(collection.form()),
    }
}

#[test]
fn a_file_that_is_written_is_read() {
    let values = values();
    let mut out = Output::new(true);
    out.magic();
    out.aux("redis-ver", b"7.2.4");
    out.function(b"#!lua name=lib");
    out.select(2, values.len() as u64, 1);
    for (number, (_, _, value)) in values.iter().enumerate() {
        let used = [Use::Unknown, Use::IdleSeconds(70), Use::Frequency(9)][number % 3];
        let value = value_ref(value);
        let key = format!("key{number}");
        out.key(value.code(), key.as_bytes(), Some(number as i64), used);
        value.write(&mut out);
    }
    out.end();
    let checksum = crc64(&out.bytes);
    out.raw(&checksum.to_le_bytes());
    let items = read_in_pieces(&out.bytes, &mut Prng::from_seed(6)).expect("our own file");
    assert_eq!(items.len(), values.len() + 6);
    let heads: Vec<&KeyHead> = items
        .iter()
        .filter_map(|item| match item {
            Item::Key(head) => Some(head),
            _ => None,
        })
        .collect();
    assert_eq!(heads[4].expires_at_ms, Some(4));
    assert_eq!(heads[4].idle_seconds, Some(70));
    assert_eq!(heads[5].frequency, Some(9));
    assert_eq!(heads[6].frequency, None);
}

#[test]
fn what_only_others_understand_is_named() {
    let read = |bytes: &[u8]| {
        let file = [b"REDIS0011", bytes, b"\xff\0\0\0\0\0\0\0\0"].concat();
        read_in_pieces(&file, &mut Prng::from_seed(7))
    };
    let skipped = |bytes: &[u8]| match read(bytes).expect("it can be passed over").swap_remove(1) {
        Item::Skipped(name) => name,
        other => panic!("{other:?}"),
    };
    // Module id "AAAAAAAAB", then its moment, one piece of each kind, and the end.
    let id = [0x81, 0, 0, 0, 0, 0, 0, 0b100, 0];
    let pieces = b"\x02\x01\x01\x05\x02\x05\x03abcd\x04abcdefgh\x05\x02hi\x00";
    let data = [&[0xf7][..], &id, pieces].concat();
    assert_eq!(skipped(&data), "data of the module type 'AAAAAAAAB'");
    let value = [&[0x07, 1, b'k'][..], &id].concat();
    assert_eq!(read(&value), Err(Damage::Module("AAAAAAAAB".into())));
    assert_eq!(skipped(b"\xf4\x05\x02\x01"), "the sizes of slot 5");
    assert_eq!(read(b"\x1a\x01k"), Err(Damage::Code(26)));
    let head = |bytes: &[u8]| read_in_pieces(bytes, &mut Prng::from_seed(8));
    assert_eq!(head(b"REDIS0013"), Err(Damage::Version("0013".into())));
    assert_eq!(head(b"VALKEY011"), Err(Damage::Version("011".into())));
    assert_eq!(head(b"RIDES0011"), Err(Damage::NotRdb));
    let valkey = head(b"VALKEY080\xff\0\0\0\0\0\0\0\0").expect("a good file");
    assert_eq!(valkey[0], Item::Head(Dialect::Valkey, 80));
}
