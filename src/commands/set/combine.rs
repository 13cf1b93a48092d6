//! SINTER, SUNION, SDIFF, their storing forms, and SINTERCARD.
//!
//! The order of work is Redis's: intersections walk the smallest set and ask the others from small
//! to large; differences choose between asking the others for each member of the first set and
//! taking the others' members out of a copy. All sources are looked at side by side, so they are
//! first found one by one (which expires what is due, and counts), then peeked at.

use super::member;
use crate::base::number::parse_i64;
use crate::command::Args;
use crate::keyspace::{DbIndex, Expiry, Key, Keyspace, Lookup, NewValue};
use crate::object::element::Item;
use crate::object::set::{SetEdit, SetRef, SetTable};
use crate::object::{Collection, Holder, Kind, Object, Packed, Packing};
use crate::resp::{ErrorReply, Output, Protocol, Writer, Written, errors};
use crate::shard::{Event, Outcome, ShardCtx};
use std::cmp::Reverse;

/// The sets at keys; `None` where there is none.
type Sources<'a> = Vec<Option<SetRef<'a>>>;

/// The keys from an argument on: all that are left, or so many.
fn keys_at<'a>(ctx: &ShardCtx<'a>, first: usize, count: Option<usize>) -> Vec<Key<'a>> {
    let end = count.map_or(ctx.args.len(), |count| first + count);
    (first..end).map(|at| ctx.key(at)).collect()
}

fn sources<'a>(
    space: &'a mut Keyspace,
    db: DbIndex,
    keys: &[Key<'_>],
) -> Result<Sources<'a>, ErrorReply> {
    for key in keys {
        space.door(db).collection(key, Kind::Set, Lookup::Read)?;
    }
    let space: &Keyspace = space;
    let peek = |key| {
        let entry = space.peek(db, key);
        let form = entry.and_then(|entry| entry.collection());
        form.map(SetRef::new)
    };
    Ok(keys.iter().map(peek).collect())
}

/// All sources from the smallest on; none as soon as one of them is missing.
fn by_size(sources: Sources<'_>) -> Vec<SetRef<'_>> {
    let mut sets: Vec<_> = sources
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default();
    sets.sort_by_key(|set| set.len());
    sets
}

/// Visits what all of these sets have, until `visit` says that it is enough.
fn inter<'a>(sets: &[SetRef<'a>], mut visit: impl FnMut(Item<'a>) -> bool) {
    let [smallest, others @ ..] = sets else {
        return;
    };
    for member in smallest.iter() {
        if others.iter().all(|other| other.has(member)) && !visit(member) {
            return;
        }
    }
}

/// What any of these sets has; built as a table at once when it will not stay an intset.
fn union(sources: &Sources<'_>, packing: &Packing, is_stored: bool) -> Collection {
    let sets = sources.iter().flatten();
    let mut result = match is_stored || sets.clone().all(|set| set.is_ints()) {
        true => Collection::empty(Packed::Ints),
        false => Collection::Object(Object::Set(SetTable::default())),
    };
    let mut edit = SetEdit::new(&mut result, packing);
    for member in sets.flat_map(|set| set.iter()) {
        edit.add_item(member);
    }
    result
}

/// Whether asking the others for each member of the first set is less work than taking all of
/// their members out of a copy of it.
fn asks_others(first: SetRef<'_>, sources: &Sources<'_>) -> bool {
    let (mut asking, mut taking) = (0, 0);
    for set in sources.iter().flatten() {
        asking += first.len();
        taking += set.len();
    }
    // Redis: asking is the cheaper step, and ends at the first that has the member.
    asking / 2 <= taking
}

/// Visits what only the first set has.
fn visit_diff<'a>(first: SetRef<'a>, others: &Sources<'_>, mut visit: impl FnMut(Item<'a>)) {
    let mut others: Vec<SetRef<'_>> = others.iter().flatten().copied().collect();
    others.sort_by_key(|set| Reverse(set.len()));
    for member in first.iter() {
        if !others.iter().any(|other| other.has(member)) {
            visit(member);
        }
    }
}

/// A copy of the first set without the members of the others.
fn subtract(first: SetRef<'_>, others: &Sources<'_>, packing: &Packing) -> Collection {
    let mut result = Collection::empty(Packed::Ints);
    let mut edit = SetEdit::new(&mut result, packing);
    for member in first.iter() {
        edit.add_item(member);
    }
    for member in others.iter().flatten().flat_map(|set| set.iter()) {
        member.with_bytes(|member| edit.remove(member));
        if edit.view().is_empty() {
            break;
        }
    }
    result
}

/// Members that are replied with before their number is known.
#[derive(Default)]
struct Found {
    count: usize,
    output: Output,
}

impl Found {
    fn add(&mut self, member: Item<'_>) {
        self.count += 1;
        let mut writer = Writer::new(&mut self.output, Protocol::default());
        member::reply(&mut writer, member);
    }

    fn reply(mut self, writer: &mut Writer<'_>) -> Written {
        let written = writer.set(self.count);
        writer.output().append(&mut self.output);
        written
    }
}

/// SINTER: reply with what all sets have.
pub fn sinter(ctx: &mut ShardCtx<'_>) -> Outcome {
    let keys = keys_at(ctx, 1, None);
    let sets = by_size(sources(ctx.space, ctx.db, &keys)?);
    if let [set] = sets[..] {
        return Ok(member::reply_all(&mut ctx.reply, Some(set)));
    }
    let mut found = Found::default();
    inter(&sets, |member| {
        found.add(member);
        true
    });
    Ok(found.reply(&mut ctx.reply))
}

/// SINTERCARD: reply with how many members all sets have, counted up to a limit.
pub fn sintercard(ctx: &mut ShardCtx<'_>) -> Outcome {
    let args = ctx.args;
    let count = parse_i64(args.get(1)).filter(|count| *count > 0);
    let count = count.ok_or("ERR numkeys should be greater than 0")?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > args.len() - 2 {
        return Err("ERR Number of keys can't be greater than number of args".into());
    }
    let limit = limit(args, 2 + count)?;
    let keys = keys_at(ctx, 2, Some(count));
    let sets = by_size(sources(ctx.space, ctx.db, &keys)?);
    let mut common = 0;
    inter(&sets, |_| {
        common += 1;
        common != limit
    });
    Ok(ctx.reply.integer(common))
}

/// The number behind LIMIT, among the arguments from one on; 0 is none.
fn limit(args: Args<'_>, first: usize) -> Result<i64, ErrorReply> {
    let mut limit = 0;
    for at in (first..args.len()).step_by(2) {
        if !args.is(at, "limit") || at + 1 == args.len() {
            return Err(errors::SYNTAX.into());
        }
        let number = parse_i64(args.get(at + 1)).filter(|number| *number >= 0);
        limit = number.ok_or("ERR LIMIT can't be negative")?;
    }
    Ok(limit)
}

/// SUNION: reply with what any of the sets has.
pub fn sunion(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (keys, packing) = (keys_at(ctx, 1, None), ctx.space.common.packing);
    let sources = sources(ctx.space, ctx.db, &keys)?;
    if let [set] = sources[..] {
        return Ok(member::reply_all(&mut ctx.reply, set));
    }
    let result = union(&sources, &packing, false);
    let set = SetRef::new(result.form());
    Ok(member::reply_all(&mut ctx.reply, Some(set)))
}

/// SDIFF: reply with what only the first set has.
pub fn sdiff(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (keys, packing) = (keys_at(ctx, 1, None), ctx.space.common.packing);
    let mut sources = sources(ctx.space, ctx.db, &keys)?;
    let Some(first) = sources[0] else {
        return Ok(ctx.reply.set(0));
    };
    let asks = asks_others(first, &sources);
    sources.remove(0);
    if !asks {
        let result = subtract(first, &sources, &packing);
        let set = SetRef::new(result.form());
        return Ok(member::reply_all(&mut ctx.reply, Some(set)));
    }
    let mut found = Found::default();
    visit_diff(first, &sources, |member| found.add(member));
    Ok(found.reply(&mut ctx.reply))
}

/// SINTERSTORE: store what all sets have.
pub fn sinterstore(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (keys, packing) = (keys_at(ctx, 2, None), ctx.space.common.packing);
    let sets = by_size(sources(ctx.space, ctx.db, &keys)?);
    // Redis: a listpack to begin with, unless the result can only be integers.
    let packed = match sets.first() {
        Some(smallest) if smallest.is_ints() => Packed::Ints,
        _ => Packed::Set,
    };
    let mut result = Collection::empty(packed);
    let mut edit = SetEdit::new(&mut result, &packing);
    inter(&sets, |member| {
        edit.add_item(member);
        true
    });
    edit.pack_integers();
    Ok(store(ctx, result, Event::SINTERSTORE))
}

/// SUNIONSTORE: store what any of the sets has.
pub fn sunionstore(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (keys, packing) = (keys_at(ctx, 2, None), ctx.space.common.packing);
    let sources = sources(ctx.space, ctx.db, &keys)?;
    let result = union(&sources, &packing, true);
    Ok(store(ctx, result, Event::SUNIONSTORE))
}

/// SDIFFSTORE: store what only the first set has.
pub fn sdiffstore(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (keys, packing) = (keys_at(ctx, 2, None), ctx.space.common.packing);
    let mut sources = sources(ctx.space, ctx.db, &keys)?;
    let mut result = Collection::empty(Packed::Ints);
    if let Some(first) = sources[0] {
        let asks = asks_others(first, &sources);
        sources.remove(0);
        if asks {
            let mut edit = SetEdit::new(&mut result, &packing);
            visit_diff(first, &sources, |member| {
                edit.add_item(member);
            });
        } else {
            result = subtract(first, &sources, &packing);
        }
    }
    Ok(store(ctx, result, Event::SDIFFSTORE))
}

/// Stores a result under the first key, whatever was there; an empty one takes the key away.
fn store(ctx: &mut ShardCtx<'_>, result: Collection, event: Event) -> Written {
    let key = ctx.key(1);
    let len = SetRef::new(result.form()).len();
    if len > 0 {
        ctx.door().set(&key, NewValue::from(result), Expiry::Clear);
        ctx.changed(event, key.bytes);
    } else if ctx.door().remove(&key) {
        ctx.changed(Event::DEL, key.bytes);
    }
    ctx.reply.integer(len as i64)
}
