//! SPOP and SRANDMEMBER: members by chance, each equally likely.
//!
//! Nothing is reserved by the number a client names: distinct members are at most as many as there
//! are, and repetitions are drawn one by one up to a limit. What SPOP took replays as SREM, what
//! emptied a set as DEL, as in Redis.

use super::member;
use crate::base::number::parse_i64;
use crate::base::prng::Prng;
use crate::command::ArgStore;
use crate::object::Kind;
use crate::object::element::Item;
use crate::object::set::{SetEdit, SetRef};
use crate::resp::{ErrorReply, Writer, Written, errors};
use crate::shard::{Event, Outcome, ShardCtx};
use std::collections::HashSet;

/// SPOP: take out one random member, or so many.
pub fn spop(ctx: &mut ShardCtx<'_>) -> Outcome {
    match ctx.args.len() {
        2 => pop_one(ctx),
        3 => {
            let count = parse_i64(ctx.args.get(2)).and_then(|count| usize::try_from(count).ok());
            pop_some(ctx, count.ok_or(errors::NOT_POSITIVE)?)
        }
        _ => Err(errors::SYNTAX.into()),
    }
}

fn pop_one(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (db, key, packing) = (ctx.db, ctx.key(1), ctx.space.common.packing);
    let mut random = ctx.space.common.random.fork();
    let Some(mut open) = ctx.space.door(db).open(&key, Kind::Set)? else {
        return Ok(ctx.reply.null());
    };
    let (reply, effects) = (&mut ctx.reply, &mut ctx.effects);
    SetEdit::new(&mut open, &packing).take_random(&mut random, |member| {
        effects.instead(db, [&b"SREM"[..], key.bytes, member]);
        reply.bulk(member);
    });
    let is_gone = open.is_gone();
    drop(open);
    ctx.changed(Event::SPOP, key.bytes);
    if is_gone {
        ctx.changed(Event::DEL, key.bytes);
    }
    Ok(Written)
}

fn pop_some(ctx: &mut ShardCtx<'_>, count: usize) -> Outcome {
    let (db, key, packing) = (ctx.db, ctx.key(1), ctx.space.common.packing);
    let mut random = ctx.space.common.random.fork();
    let Some(mut open) = ctx.space.door(db).open(&key, Kind::Set)? else {
        return Ok(ctx.reply.set(0));
    };
    if count == 0 {
        return Ok(ctx.reply.set(0));
    }
    let mut edit = SetEdit::new(&mut open, &packing);
    if count >= edit.view().len() {
        member::reply_all(&mut ctx.reply, Some(edit.view()));
        drop(open);
        ctx.door().remove(&key);
        ctx.effects.instead(db, [&b"DEL"[..], key.bytes]);
        ctx.changed(Event::SPOP, key.bytes);
        ctx.changed(Event::DEL, key.bytes);
        return Ok(Written);
    }
    let mut removal = Removal::new(key.bytes, ctx.effects.is_recording());
    ctx.reply.set(count);
    for _ in 0..count {
        let (reply, effects) = (&mut ctx.reply, &mut ctx.effects);
        edit.take_random(&mut random, |member| {
            reply.bulk(member);
            if removal.add(member) {
                effects.instead(db, removal.words());
                removal.begin();
            }
        });
    }
    drop(open);
    if !removal.is_empty() {
        ctx.effects.instead(db, removal.words());
    }
    ctx.changed(Event::SPOP, key.bytes);
    Ok(Written)
}

/// SREM of what was taken out, in portions as Redis makes them.
struct Removal<'a> {
    key: &'a [u8],
    is_wanted: bool,
    words: ArgStore,
}

impl<'a> Removal<'a> {
    fn new(key: &'a [u8], is_wanted: bool) -> Removal<'a> {
        let words = ArgStore::default();
        let mut removal = Removal {
            key,
            is_wanted,
            words,
        };
        removal.begin();
        removal
    }

    fn begin(&mut self) {
        self.words.clear();
        self.words.push(b"SREM");
        self.words.push(self.key);
    }

    /// Adds a member; says whether the portion is full.
    fn add(&mut self, member: &[u8]) -> bool {
        const PORTION: usize = 1024;
        if self.is_wanted {
            self.words.push(member);
        }
        self.words.len() == PORTION + 2
    }

    fn is_empty(&self) -> bool {
        self.words.len() == 2
    }

    fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.words.args().from(0)
    }
}

/// SRANDMEMBER: reply with one random member, or so many distinct ones, or with repetitions when
/// the count is negative.
pub fn srandmember(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    if args.len() > 3 {
        return Err(errors::SYNTAX.into());
    }
    let count = (args.len() == 3).then(|| count(args.get(2))).transpose()?;
    let mut random = ctx.space.common.random.fork();
    let set = member::read(ctx.space, ctx.db, &key)?;
    let reply = &mut ctx.reply;
    let Some(count) = count else {
        let drawn = set.and_then(|set| set.random(&mut random));
        return Ok(match drawn {
            Some(drawn) => member::reply(reply, drawn),
            None => reply.null(),
        });
    };
    let Some(set) = set.filter(|_| count != 0) else {
        return Ok(reply.array(0));
    };
    let number = count.unsigned_abs() as usize;
    if count < 0 {
        return repeated(reply, set, number, &mut random);
    }
    Ok(distinct(reply, set, number.min(set.len()), &mut random))
}

fn count(text: &[u8]) -> Result<i64, ErrorReply> {
    const RANGE: &str = "ERR value is out of range, value must between -9223372036854775807 and \
        9223372036854775807";
    let count = parse_i64(text).ok_or(errors::NOT_AN_INTEGER)?;
    Some(count)
        .filter(|count| *count != i64::MIN)
        .ok_or_else(|| RANGE.into())
}

/// Redis would fill its memory with repetitions; here that ends in an error before long.
fn repeated(reply: &mut Writer<'_>, set: SetRef<'_>, count: usize, random: &mut Prng) -> Outcome {
    const COUNT_MAX: usize = 8 << 20;
    const BYTES_MAX: usize = 1 << 30;
    if count > COUNT_MAX {
        return Err(errors::OUT_OF_RANGE.into());
    }
    let written = reply.array(count);
    for _ in 0..count {
        let drawn = set.random(random);
        member::reply(reply, drawn.expect("a set at a key is not empty"));
        if reply.output().len() > BYTES_MAX {
            return Err(errors::OUT_OF_RANGE.into());
        }
    }
    Ok(written)
}

/// `count` is not more than there are members.
fn distinct(reply: &mut Writer<'_>, set: SetRef<'_>, count: usize, random: &mut Prng) -> Written {
    let len = set.len();
    let written = reply.array(count);
    // Few of many are drawn until they are enough; many are chosen on a walk over all.
    if count * 3 <= len && !is_small(len) {
        let mut drawn = HashSet::new();
        while drawn.len() < count {
            let member = set.random(random).expect("there are more members");
            if drawn.insert(identity(member)) {
                member::reply(reply, member);
            }
        }
        return written;
    }
    let mut left = count;
    for (passed, member) in set.iter().enumerate() {
        if left > 0 && random.below((len - passed) as u64) < left as u64 {
            member::reply(reply, member);
            left -= 1;
        }
    }
    written
}

/// Whether a walk over so many members costs less than remembering a few.
fn is_small(len: usize) -> bool {
    len <= 128
}

/// What tells members of one set apart: the value of an integer, or where the member lies.
fn identity(member: Item<'_>) -> (bool, u64) {
    match member {
        Item::Int(number) => (true, number as u64),
        Item::Bytes(bytes) => (false, bytes.as_ptr() as u64),
    }
}
