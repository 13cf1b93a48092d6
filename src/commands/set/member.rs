//! SADD, SREM, SMOVE, and what looks at members: by name, by number, all of them.
//!
//! Members by chance are in `draw`, pages of them in `scan`.

use crate::keyspace::{DbIndex, Key, Keyspace, Lookup, WrongKind};
use crate::object::Kind;
use crate::object::element::Item;
use crate::object::set::{SetEdit, SetRef};
use crate::resp::{Writer, Written};
use crate::shard::{Event, Outcome, ShardCtx};

/// The set at a key for a reader; `None` when there is none.
pub(super) fn read<'a>(
    space: &'a mut Keyspace,
    db: DbIndex,
    key: &Key<'_>,
) -> Result<Option<SetRef<'a>>, WrongKind> {
    let form = space.door(db).collection(key, Kind::Set, Lookup::Read)?;
    Ok(form.map(SetRef::new))
}

/// Replies with a member.
#[inline]
pub(super) fn reply(reply: &mut Writer<'_>, member: Item<'_>) -> Written {
    match member {
        Item::Int(number) => reply.bulk_integer(number),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// SADD: add members and reply with how many are new.
pub fn sadd(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key, packing) = (ctx.args, ctx.key(1), ctx.space.common.packing);
    let members = args.len() - 2;
    let packed = SetEdit::form_for(args.get(2), members, &packing);
    let mut open = ctx.space.door(ctx.db).open_or_new(&key, packed)?;
    let mut edit = SetEdit::new(&mut open, &packing);
    edit.expect(members);
    let mut added = 0;
    for member in args.from(2) {
        added += i64::from(edit.add(member));
    }
    drop(open);
    if added > 0 {
        ctx.changed(Event::SADD, key.bytes);
    }
    Ok(ctx.reply.integer(added))
}

/// SREM: remove members and reply with how many there were.
pub fn srem(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key, packing) = (ctx.args, ctx.key(1), ctx.space.common.packing);
    let Some(mut open) = ctx.space.door(ctx.db).open(&key, Kind::Set)? else {
        return Ok(ctx.reply.integer(0));
    };
    let mut edit = SetEdit::new(&mut open, &packing);
    let mut removed = 0;
    for member in args.from(2) {
        removed += i64::from(edit.remove(member));
    }
    let is_gone = open.is_gone();
    drop(open);
    if removed > 0 {
        ctx.changed(Event::SREM, key.bytes);
        if is_gone {
            ctx.changed(Event::DEL, key.bytes);
        }
    }
    Ok(ctx.reply.integer(removed))
}

/// SMOVE: move a member from one set to another and reply with whether it was in the first.
pub fn smove(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (from, to, member) = (ctx.key(1), ctx.key(2), ctx.args.get(3));
    let (db, packing) = (ctx.db, ctx.space.common.packing);
    let kind_at = |space: &mut Keyspace, key| {
        let entry = space.door(db).find(key, Lookup::Write);
        entry.map(|entry| entry.kind())
    };
    let kinds = [kind_at(ctx.space, &from), kind_at(ctx.space, &to)];
    if kinds[0].is_none() {
        return Ok(ctx.reply.flag(false));
    }
    if kinds.into_iter().flatten().any(|kind| kind != Kind::Set) {
        return Err(WrongKind.into());
    }
    let Some(mut open) = ctx.space.door(db).open(&from, Kind::Set)? else {
        return Ok(ctx.reply.flag(false));
    };
    let mut edit = SetEdit::new(&mut open, &packing);
    if from.bytes == to.bytes {
        let is_member = edit.view().contains(member);
        return Ok(ctx.reply.flag(is_member));
    }
    if !edit.remove(member) {
        return Ok(ctx.reply.flag(false));
    }
    let is_gone = open.is_gone();
    drop(open);
    ctx.changed(Event::SREM, from.bytes);
    if is_gone {
        ctx.changed(Event::DEL, from.bytes);
    }
    let packed = SetEdit::form_for(member, 1, &packing);
    let mut open = ctx.space.door(db).open_or_new(&to, packed)?;
    let is_new = SetEdit::new(&mut open, &packing).add(member);
    drop(open);
    if is_new {
        ctx.changed(Event::SADD, to.bytes);
    }
    Ok(ctx.reply.flag(true))
}

/// SISMEMBER: reply with whether this is a member.
pub fn sismember(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, member) = (ctx.key(1), ctx.args.get(2));
    let set = read(ctx.space, ctx.db, &key)?;
    Ok(ctx.reply.flag(set.is_some_and(|set| set.contains(member))))
}

/// SMISMEMBER: reply with which of these are members.
pub fn smismember(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, args) = (ctx.key(1), ctx.args);
    let set = read(ctx.space, ctx.db, &key)?;
    let mut written = ctx.reply.array(args.len() - 2);
    for member in args.from(2) {
        written = ctx.reply.flag(set.is_some_and(|set| set.contains(member)));
    }
    Ok(written)
}

/// SCARD: reply with the number of members.
pub fn scard(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let set = read(ctx.space, ctx.db, &key)?;
    Ok(ctx.reply.integer(set.map_or(0, SetRef::len) as i64))
}

/// SMEMBERS: reply with all members.
pub fn smembers(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let set = read(ctx.space, ctx.db, &key)?;
    Ok(reply_all(&mut ctx.reply, set))
}

/// Replies with all members of a set.
pub(super) fn reply_all(writer: &mut Writer<'_>, set: Option<SetRef<'_>>) -> Written {
    let written = writer.set(set.map_or(0, SetRef::len));
    for member in set.into_iter().flat_map(SetRef::iter) {
        reply(writer, member);
    }
    written
}
