//! HEXPIRE and its siblings, HTTL and its siblings, HPERSIST: when fields go by themselves.
//!
//! Whatever unit a client uses, a moment is kept in milliseconds, and that is what replays: the
//! fields that got it as HPEXPIREAT, those whose time was over as HDEL. Behaviour of Redis 7.4.

use super::write::removed_fields;
use crate::command::Args;
use crate::keyspace::{Key, Lookup, Open};
use crate::object::hash::{HashEdit, HashRef, Pair};
use crate::object::{Kind, Packing};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

/// The last moment a field may expire at: 46 bits of milliseconds.
const MOMENT_MAX_MS: i64 = (1 << 46) - 1;
const NO_FIELD: i64 = -2;
const NO_EXPIRY: i64 = -1;
const REFUSED: i64 = 0;
const DONE: i64 = 1;
const DELETED: i64 = 2;

/// How a moment is given.
#[derive(Clone, Copy)]
struct Unit {
    millis: i64,
    is_absolute: bool,
}

const SECONDS: Unit = Unit {
    millis: 1000,
    is_absolute: false,
};
const MILLISECONDS: Unit = Unit {
    millis: 1,
    is_absolute: false,
};
const UNIX_SECONDS: Unit = Unit {
    millis: 1000,
    is_absolute: true,
};
const UNIX_MILLISECONDS: Unit = Unit {
    millis: 1,
    is_absolute: true,
};

impl Unit {
    /// The moment that counts as zero.
    fn base_ms(self, now_ms: i64) -> i64 {
        if self.is_absolute { 0 } else { now_ms }
    }
}

/// HEXPIRE: so many seconds from now.
pub fn hexpire(ctx: &mut ShardCtx<'_>) -> Outcome {
    set(ctx, SECONDS)
}

/// HPEXPIRE: so many milliseconds from now.
pub fn hpexpire(ctx: &mut ShardCtx<'_>) -> Outcome {
    set(ctx, MILLISECONDS)
}

/// HEXPIREAT: at this second of Unix time.
pub fn hexpireat(ctx: &mut ShardCtx<'_>) -> Outcome {
    set(ctx, UNIX_SECONDS)
}

/// HPEXPIREAT: at this millisecond of Unix time.
pub fn hpexpireat(ctx: &mut ShardCtx<'_>) -> Outcome {
    set(ctx, UNIX_MILLISECONDS)
}

/// When an expiry is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    Nx,
    Xx,
    Gt,
    Lt,
}

impl Condition {
    fn named(word: &[u8]) -> Condition {
        match word.to_ascii_lowercase().as_slice() {
            b"nx" => Condition::Nx,
            b"xx" => Condition::Xx,
            b"gt" => Condition::Gt,
            b"lt" => Condition::Lt,
            _ => Condition::Always,
        }
    }

    /// A field without expiry lives for ever: everything is earlier.
    fn allows(self, current: Option<i64>, at: i64) -> bool {
        match (self, current) {
            (Condition::Always, _) => true,
            (Condition::Nx, current) => current.is_none(),
            (Condition::Xx, current) => current.is_some(),
            (Condition::Gt, current) => current.is_some_and(|current| at > current),
            (Condition::Lt, current) => current.is_none_or(|current| at < current),
        }
    }
}

/// What HEXPIRE and its siblings are asked for; the fields start at `first`.
#[derive(Clone, Copy)]
struct Request {
    at_ms: i64,
    condition: Condition,
    first: usize,
}

impl Request {
    fn parse(ctx: &ShardCtx<'_>, unit: Unit) -> Result<Request, ErrorReply> {
        let at_ms = moment(ctx, unit)?;
        let condition = Condition::named(ctx.args.get(3));
        let fields_at = if condition == Condition::Always { 3 } else { 4 };
        let wrong = "ERR Parameter `numFields` should be greater than 0";
        let first = fields(ctx.args, fields_at, wrong)?;
        Ok(Request {
            at_ms,
            condition,
            first,
        })
    }
}

/// The moment a client means: not negative, and not too far.
fn moment(ctx: &ShardCtx<'_>, unit: Unit) -> Result<i64, ErrorReply> {
    let value = ctx.args.integer(2)?;
    if value < 0 {
        return Err("ERR invalid expire time, must be >= 0".into());
    }
    let millis = value.checked_mul(unit.millis);
    let at = millis.and_then(|millis| millis.checked_add(unit.base_ms(ctx.clock_ms())));
    at.filter(|at| *at <= MOMENT_MAX_MS)
        .ok_or_else(|| errors::invalid_expire(ctx.spec.name))
}

/// Reads `FIELDS numfields field [field ...]`; where the fields start.
fn fields(args: Args<'_>, at: usize, wrong_count: &'static str) -> Result<usize, ErrorReply> {
    if !args.is(at, "fields") {
        let text = "ERR Mandatory argument FIELDS is missing or not at the right position";
        return Err(text.into());
    }
    let count = args.integer(at + 1).ok().filter(|count| *count >= 1);
    let count = count.ok_or(wrong_count)?;
    if count != (args.len() - at - 2) as i64 {
        let text = "ERR The `numfields` parameter must match the number of arguments";
        return Err(text.into());
    }
    Ok(at + 2)
}

fn set(ctx: &mut ShardCtx<'_>, unit: Unit) -> Outcome {
    let (key, now_ms, packing) = (ctx.key(1), ctx.now_ms(), ctx.space.common.packing);
    let request = Request::parse(ctx, unit);
    let args = ctx.args;
    // A key of another type is what Redis complains about first.
    let Some(mut open) = ctx.door().open(&key, Kind::Hash)? else {
        return missing(ctx, request?.first);
    };
    let request = request?;
    open.expire_named(args.from(request.first));
    let answers: Vec<i64> = args
        .from(request.first)
        .map(|field| expire_field(&mut open, &packing, request, (field, now_ms)))
        .collect();
    let is_gone = open.is_gone();
    drop(open);
    tell(ctx, &key, (request, &answers), is_gone);
    let mut written = ctx.reply.array(answers.len());
    for answer in answers {
        written = ctx.reply.integer(answer);
    }
    Ok(written)
}

fn expire_field(
    open: &mut Open<'_>,
    packing: &Packing,
    request: Request,
    (field, now_ms): (&[u8], i64),
) -> i64 {
    let mut edit = HashEdit::new(open, packing);
    let Some(pair) = edit.view().find(field) else {
        return NO_FIELD;
    };
    if !request.condition.allows(pair.expires_at_ms, request.at_ms) {
        return REFUSED;
    }
    if request.at_ms <= now_ms {
        edit.remove(field);
        return DELETED;
    }
    edit.set_expiry(field, Some(request.at_ms));
    DONE
}

/// Says what became of the fields.
fn tell(ctx: &mut ShardCtx<'_>, key: &Key<'_>, done: (Request, &[i64]), is_gone: bool) {
    let (request, answers) = done;
    let (db, args) = (ctx.db, ctx.args);
    let with = |answer: i64| -> Vec<&[u8]> {
        let fields = args.from(request.first).zip(answers);
        fields
            .filter(|(_, own)| **own == answer)
            .map(|(field, _)| field)
            .collect()
    };
    let (updated, deleted) = (with(DONE), with(DELETED));
    if !deleted.is_empty() {
        let words = [&b"HDEL"[..], key.bytes].into_iter();
        ctx.effects
            .instead(db, words.chain(deleted.iter().copied()));
        removed_fields(ctx, key, is_gone);
    }
    if !updated.is_empty() {
        let (mut at, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
        let at = at.format(request.at_ms).as_bytes();
        let count = count.format(updated.len()).as_bytes();
        let words = [&b"HPEXPIREAT"[..], key.bytes, at, b"FIELDS", count].into_iter();
        ctx.effects
            .instead(db, words.chain(updated.iter().copied()));
        if deleted.is_empty() {
            ctx.changed(Event::HEXPIRE, key.bytes);
        }
    }
}

/// The reply about fields of a hash that is not there.
fn missing(ctx: &mut ShardCtx<'_>, first: usize) -> Outcome {
    let count = ctx.args.len() - first;
    let mut written = ctx.reply.array(count);
    for _ in 0..count {
        written = ctx.reply.integer(NO_FIELD);
    }
    Ok(written)
}

const WRONG_COUNT: &str = "ERR Number of fields must be a positive integer";

/// HTTL: seconds that fields have left.
pub fn httl(ctx: &mut ShardCtx<'_>) -> Outcome {
    show(ctx, SECONDS)
}

/// HPTTL: milliseconds that fields have left.
pub fn hpttl(ctx: &mut ShardCtx<'_>) -> Outcome {
    show(ctx, MILLISECONDS)
}

/// HEXPIRETIME: the seconds of Unix time at which fields go.
pub fn hexpiretime(ctx: &mut ShardCtx<'_>) -> Outcome {
    show(ctx, UNIX_SECONDS)
}

/// HPEXPIRETIME: the milliseconds of Unix time at which fields go.
pub fn hpexpiretime(ctx: &mut ShardCtx<'_>) -> Outcome {
    show(ctx, UNIX_MILLISECONDS)
}

fn show(ctx: &mut ShardCtx<'_>, unit: Unit) -> Outcome {
    let (key, args, now_ms) = (ctx.key(1), ctx.args, ctx.now_ms());
    let door = ctx.space.door(ctx.db);
    let hash = door.collection(&key, Kind::Hash, Lookup::Read)?;
    let hash = hash.map(HashRef::new);
    let first = fields(args, 2, WRONG_COUNT)?;
    let mut written = ctx.reply.array(args.len() - first);
    for field in args.from(first) {
        let pair = hash.and_then(|hash| hash.find(field));
        written = ctx.reply.integer(left(pair, unit, now_ms));
    }
    Ok(written)
}

/// What a field has left, or the moment at which it goes; seconds are rounded up.
fn left(pair: Option<Pair<'_>>, unit: Unit, now_ms: i64) -> i64 {
    let Some(pair) = pair.filter(|pair| pair.is_live(now_ms)) else {
        return NO_FIELD;
    };
    match pair.expires_at_ms {
        None => NO_EXPIRY,
        Some(at) => (at - unit.base_ms(now_ms) + unit.millis - 1) / unit.millis,
    }
}

/// HPERSIST: take the expiries of fields away.
pub fn hpersist(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, args, packing) = (ctx.key(1), ctx.args, ctx.space.common.packing);
    let first = fields(args, 2, WRONG_COUNT);
    let Some(mut open) = ctx.door().open(&key, Kind::Hash)? else {
        return missing(ctx, first?);
    };
    let first = first?;
    open.expire_named(args.from(first));
    let mut answers = Vec::new();
    for field in args.from(first) {
        let mut edit = HashEdit::new(&mut open, &packing);
        let expiry = edit.view().find(field).map(|pair| pair.expires_at_ms);
        answers.push(match expiry {
            None => NO_FIELD,
            Some(None) => NO_EXPIRY,
            Some(Some(_)) => {
                edit.set_expiry(field, None);
                DONE
            }
        });
    }
    drop(open);
    if answers.contains(&DONE) {
        ctx.changed(Event::HPERSIST, key.bytes);
    }
    let mut written = ctx.reply.array(answers.len());
    for answer in answers {
        written = ctx.reply.integer(answer);
    }
    Ok(written)
}
