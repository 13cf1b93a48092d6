//! XADD, XDEL and XSETID: entries in and out, and the numbers beside them.
//!
//! XADD replays with the id that was given and with what an approximate trim left.

use super::look;
use super::reply::strict_id;
use super::trim::Options;
use crate::command::Args;
use crate::object::stream::{Log, NewId, Stream, StreamId};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

const ZERO_ID: &str = "ERR The ID specified in XADD must be greater than 0-0";
const EXHAUSTED: &str =
    "ERR The stream has exhausted the last possible ID, unable to add more items";
const SMALL_ID: &str = "ERR The ID specified in XADD is equal or smaller than the target stream \
    top item";
const TOO_LARGE: &str = "ERR Elements are too large to be stored";

/// XADD: append an entry, and trim.
pub fn xadd(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(1), ctx.now_ms() as u64);
    let packing = ctx.space.common.packing;
    let options = Options::of_xadd(ctx.args, packing.stream_node_entries_max)?;
    let arity = || errors::wrong_arity(ctx.spec.name);
    let (wished, id_at) = options.id.ok_or_else(arity)?;
    let fields = ctx.args.len() - id_at - 1;
    if fields < 2 || fields % 2 == 1 {
        return Err(arity());
    }
    if wished == NewId::Whole(StreamId::MIN) {
        return Err(ZERO_ID.into());
    }
    let fields = (id_at + 1..ctx.args.len()).map(|at| ctx.args.get(at));
    let add = |log: &mut Log, id: StreamId| -> Result<Added, ErrorReply> {
        log.append(id, fields.clone(), &packing)
            .map_err(|_| TOO_LARGE)?;
        let trimmed = options.trim.map_or(0, |trim| log.trim(trim));
        let left = options.left(log);
        Ok(Added { id, trimmed, left })
    };
    let to_existing = look::change(ctx.space, ctx.db, &key, |held| {
        let id = new_id(&held.look().log, wished, now_ms)?;
        add(&mut held.change().log, id)
    })?;
    let added = match to_existing {
        Some(added) => added,
        None if options.refuses_new_key => return Ok(ctx.reply.null()),
        None => {
            let mut stream = Box::<Stream>::default();
            let id = new_id(&stream.log, wished, now_ms)?;
            let added = add(&mut stream.log, id)?;
            look::store(ctx.space, ctx.db, &key, stream);
            added
        }
    };
    ctx.changed(Event::XADD, key.bytes);
    if added.trimmed > 0 {
        ctx.changed(Event::XTRIM, key.bytes);
    }
    let text = added.id.text();
    if added.left.is_some() || !matches!(wished, NewId::Whole(_)) {
        options.tell(ctx, added.left.as_deref(), Some(&text));
    }
    Ok(ctx.reply.bulk(text.as_bytes()))
}

/// What became of an entry, and of those before it.
struct Added {
    id: StreamId,
    trimmed: u64,
    /// What an approximate trim left.
    left: Option<Vec<u8>>,
}

fn new_id(log: &Log, wished: NewId, now_ms: u64) -> Result<StreamId, ErrorReply> {
    if log.last_id == StreamId::MAX {
        return Err(EXHAUSTED.into());
    }
    log.new_id(wished, now_ms).ok_or_else(|| SMALL_ID.into())
}

/// XDEL: delete entries.
pub fn xdel(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let Some(mut held) = look::open(ctx.space, ctx.db, &key)? else {
        return Ok(ctx.reply.integer(0));
    };
    let ids = ids(ctx.args, 2)?;
    let mut deleted = 0;
    for id in ids {
        if held.look().log.contains(id) {
            held.change().log.delete(id);
            deleted += 1;
        }
    }
    drop(held);
    if deleted > 0 {
        ctx.changed(Event::XDEL, key.bytes);
    }
    Ok(ctx.reply.integer(deleted))
}

/// All arguments from a position on as ids: either all of them are, or nothing is done.
pub(super) fn ids(args: Args<'_>, from: usize) -> Result<Vec<StreamId>, ErrorReply> {
    args.from(from).map(strict_id).collect()
}

/// XSETID: set the last id, and what is remembered of entries that are gone.
pub fn xsetid(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, wanted) = (ctx.key(1), SetId::parse(ctx.args)?);
    let held = look::open(ctx.space, ctx.db, &key)?;
    let mut held = held.ok_or(errors::NO_SUCH_KEY)?;
    wanted.check(&held.look().log)?;
    let log = &mut held.change().log;
    log.last_id = wanted.last;
    log.entries_added = wanted.entries_added.unwrap_or(log.entries_added);
    if wanted.max_deleted != StreamId::MIN {
        log.max_deleted_id = wanted.max_deleted;
    }
    drop(held);
    ctx.changed(Event::XSETID, key.bytes);
    Ok(ctx.reply.ok())
}

/// What XSETID sets.
struct SetId {
    last: StreamId,
    max_deleted: StreamId,
    entries_added: Option<u64>,
}

impl SetId {
    fn parse(args: Args<'_>) -> Result<SetId, ErrorReply> {
        let mut wanted = SetId {
            last: strict_id(args.get(2))?,
            max_deleted: StreamId::MIN,
            entries_added: None,
        };
        for at in (3..args.len()).step_by(2) {
            let has_value = at + 1 < args.len();
            if has_value && args.is(at, "entriesadded") {
                let number = u64::try_from(args.integer(at + 1)?);
                let number = number.map_err(|_| "ERR entries_added must be positive")?;
                wanted.entries_added = Some(number);
            } else if has_value && args.is(at, "maxdeletedid") {
                wanted.max_deleted = strict_id(args.get(at + 1))?;
                if wanted.last < wanted.max_deleted {
                    const TEXT: &str = "ERR The ID specified in XSETID is smaller than the \
                        provided max_deleted_entry_id";
                    return Err(TEXT.into());
                }
            } else {
                return Err(errors::SYNTAX.into());
            }
        }
        Ok(wanted)
    }

    /// Ids that are given from now on have to be behind all that were.
    fn check(&self, log: &Log) -> Result<(), ErrorReply> {
        const SMALL: &str = "ERR The ID specified in XSETID is smaller than the target stream top \
            item";
        const DELETED: &str = "ERR The ID specified in XSETID is smaller than current \
            max_deleted_entry_id";
        const FEW: &str = "ERR The entries_added specified in XSETID is smaller than the target \
            stream length";
        if self.last < log.max_deleted_id {
            return Err(DELETED.into());
        }
        if log.last_live().is_some_and(|last| self.last < last) {
            return Err(SMALL.into());
        }
        match self.entries_added {
            Some(added) if !log.is_empty() && added < log.len() => Err(FEW.into()),
            _ => Ok(()),
        }
    }
}
