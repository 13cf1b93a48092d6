//! Loading in pieces of every size, and what becomes of damaged bytes.
//!
//! The files are those recorded of many versions of redis-server, and some made here.

use super::*;
use crate::base::prng::Prng;
use crate::keyspace::{DbIndex, Digest, Keyspace, ShardId, SlotMap};
use crate::object::Packing;
use crate::rdb::{CHECKSUM_BYTES, Damage, Output, Use, ValueRef, crc64};

fn rules(shards: usize) -> Rules {
    Rules {
        map: SlotMap::new(shards),
        databases: 16,
        verifies: true,
        expired_by_ms: Some(0),
        merges: false,
        packing: Packing::default(),
    }
}

/// Loads bytes in pieces; the digest of what came of them.
fn load(bytes: &[u8], piece: usize, shards: usize) -> Result<(String, Vec<u8>), LoadError> {
    let map = SlotMap::new(shards);
    let mut spaces: Vec<Keyspace> = (0..shards)
        .map(|id| Keyspace::new(map.range(ShardId(id as u16)), 16, Prng::from_seed(1)))
        .collect();
    let mut loader = Loader::new(rules(shards));
    let mut deliver = |shard: ShardId, batch: Batch| {
        batch.install(&mut spaces[shard.0 as usize])?;
        Ok(())
    };
    let mut rest = Err(loader.cut_off());
    for chunk in bytes.chunks(piece) {
        match (loader.feed(chunk, &mut deliver)?, &mut rest) {
            (Fed::Ended(behind), _) => rest = Ok(behind),
            (Fed::More, Ok(behind)) => behind.extend_from_slice(chunk),
            (Fed::More, Err(_)) => rest = Err(loader.cut_off()),
        }
    }
    let rest = rest?;
    let mut databases = [Digest::default(); 16];
    for space in &spaces {
        for (db, digest) in databases.iter_mut().enumerate() {
            digest.join(space.digest(DbIndex(db as u32)));
        }
    }
    Ok((Digest::of_dataset(&databases).hex(), rest))
}

/// A file with a few keys.
fn file() -> Vec<u8> {
    let mut out = Output::new(true);
    out.magic();
    out.aux("redis-ver", b"7.2.4");
    for db in [0, 3] {
        out.select(db, 3, 1);
        out.key(ValueRef::Int(7).code(), b"number", None, Use::Unknown);
        ValueRef::Int(7).write(&mut out);
        let text = ValueRef::Text(b"a text of more than a few bytes, a text of more");
        out.key(text.code(), b"text", Some(i64::MAX), Use::IdleSeconds(9));
        text.write(&mut out);
        let old = ValueRef::Text(b"expired");
        out.key(old.code(), b"old", Some(-1), Use::Unknown);
        old.write(&mut out);
    }
    out.end();
    let checksum = crc64(&out.bytes);
    out.raw(&checksum.to_le_bytes());
    out.bytes
}

#[test]
fn pieces_and_shards_make_no_difference() {
    let mut bytes = file();
    bytes.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
    let whole = load(&bytes, bytes.len(), 1).unwrap();
    assert_eq!(whole.1, b"*1\r\n$4\r\nPING\r\n");
    for piece in [1, 2, 3, 7, 64] {
        for shards in [1, 2, 7] {
            assert_eq!(load(&bytes, piece, shards).as_ref(), Ok(&whole));
        }
    }
}

#[test]
fn a_file_that_ends_anywhere_is_refused() {
    let bytes = file();
    for len in 0..bytes.len() {
        let error = load(&bytes[..len.max(1) - usize::from(len == 0)], 5, 2).unwrap_err();
        assert_eq!(error.fault, Fault::CutOff, "{len}: {error}");
        assert!(error.offset <= len as u64, "{len}: {error}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = file();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            // A checksum of zero is none, and a version before 5 has none.
            let is_open = bytes[bytes.len() - CHECKSUM_BYTES..] == [0; CHECKSUM_BYTES];
            assert!(
                is_open || load(&bytes, 64, 2).is_err(),
                "byte {at} bit {bit}"
            );
        }
    }
}

#[test]
fn errors_say_where_and_why() {
    let mut out = Output::new(false);
    out.magic();
    out.select(0, 2, 0);
    for _ in 0..2 {
        out.key(ValueRef::Int(7).code(), b"twice", None, Use::Unknown);
        ValueRef::Int(7).write(&mut out);
    }
    let end = out.bytes.len() as u64;
    out.end();
    let checksum = crc64(&out.bytes);
    out.raw(&checksum.to_le_bytes());
    let error = load(&out.bytes, 1000, 1).unwrap_err();
    let text = format!("offset {}, key 'twice': the key is there already", end - 2);
    assert_eq!(error.to_string(), text);
    let mut wrong = file();
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    let fault = load(&wrong, 1000, 1).unwrap_err().fault;
    assert!(matches!(fault, Fault::Damage(Damage::Checksum { .. })));
    let mut far = Output::new(false);
    far.magic();
    far.select(16, 0, 0);
    let error = load(&far.bytes, 1000, 1).unwrap_err().to_string();
    assert!(
        error.ends_with("database 16 is beyond the 16 that are configured"),
        "{error}"
    );
}

#[test]
fn a_large_value_is_made_as_it_comes() {
    let mut out = Output::new(false);
    out.magic();
    out.select(0, 1, 0);
    out.key(crate::rdb::Code::Set, b"large", None, Use::Unknown);
    out.length(60_000);
    for number in 0..60_000 {
        out.text(format!("member number {number}").as_bytes());
    }
    out.end();
    let checksum = crc64(&out.bytes);
    out.raw(&checksum.to_le_bytes());
    let whole = load(&out.bytes, out.bytes.len(), 1).unwrap();
    for piece in [1000, 300_000] {
        assert_eq!(load(&out.bytes, piece, 2).as_ref(), Ok(&whole));
    }
}
