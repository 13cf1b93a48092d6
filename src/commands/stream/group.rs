//! XGROUP: making, moving and removing groups and their consumers.
//!
//! Every form first reads its options, then finds the key, then the group: errors come in that
//! order.

use super::look;
use super::reply::{no_group, strict_id};
use super::tell::Named;
use crate::object::stream::{Group, Log, Stream, StreamId};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

const NO_KEY: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE \
    you may want to use the MKSTREAM option to create an empty stream automatically.";
const BUSY: &str = "BUSYGROUP Consumer Group name already exists";

/// The options of CREATE and SETID.
#[derive(Default)]
struct Options {
    makes_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(ctx: &ShardCtx<'_>, is_create: bool) -> Result<Options, ErrorReply> {
        const NEGATIVE: &str = "ERR value for ENTRIESREAD must be positive or -1";
        let (args, mut options, mut at) = (ctx.args, Options::default(), 5);
        while at < args.len() {
            if is_create && args.is(at, "mkstream") {
                options.makes_stream = true;
            } else if args.is(at, "entriesread") && at + 1 < args.len() {
                at += 1;
                options.entries_read = match args.integer(at)? {
                    -1 => None,
                    number => Some(u64::try_from(number).map_err(|_| NEGATIVE)?),
                };
            } else {
                return Err(unknown(ctx));
            }
            at += 1;
        }
        Ok(options)
    }
}

fn unknown(ctx: &ShardCtx<'_>) -> ErrorReply {
    errors::unknown_form("xgroup", ctx.args.get(1))
}

/// The id a group begins behind.
fn group_id(
    text: &[u8],
    log: Option<&Log>,
    read: impl Fn(&[u8]) -> Result<StreamId, ErrorReply>,
) -> Result<StreamId, ErrorReply> {
    match super::reply::c_string(text) {
        b"$" => Ok(log.map_or(StreamId::MIN, |log| log.last_id)),
        _ => read(text),
    }
}

/// XGROUP CREATE: add a group.
pub fn create(ctx: &mut ShardCtx<'_>) -> Outcome {
    const ARGUMENTS_MAX: usize = 8;
    let (key, name) = (ctx.key(2), ctx.args.get(3));
    let options = Options::parse(ctx, true)?;
    let text = ctx.args.get(4);
    let is_too_long = ctx.args.len() > ARGUMENTS_MAX;
    let refused = is_too_long.then(|| unknown(ctx));
    let refused = || refused.clone().map_or(Ok(()), Err);
    let new = |log: Option<&Log>| -> Result<Group, ErrorReply> {
        refused()?;
        Ok(Group::new(
            group_id(text, log, strict_id)?,
            options.entries_read,
        ))
    };
    let in_existing = look::change(ctx.space, ctx.db, &key, |held| {
        let group = new(Some(&held.look().log))?;
        match held.look().group(name) {
            Some(_) => Err(BUSY.into()),
            None => Ok(held.change().add_group(name, group)),
        }
    })?;
    if in_existing.is_none() {
        if !options.makes_stream {
            return Err(NO_KEY.into());
        }
        let mut stream = Box::<Stream>::default();
        stream.add_group(name, new(None)?);
        look::store(ctx.space, ctx.db, &key, stream);
    }
    ctx.changed(Event::XGROUP_CREATE, key.bytes);
    Ok(ctx.reply.ok())
}

/// The group that a form works on, held.
fn find<'s>(ctx: &'s mut ShardCtx<'_>) -> Result<look::Held<'s>, ErrorReply> {
    let (key, name) = (ctx.key(2), ctx.args.get(3));
    let held = look::open(ctx.space, ctx.db, &key)?.ok_or(NO_KEY)?;
    match held.look().group(name) {
        Some(_) => Ok(held),
        None => Err(no_group(key.bytes, name)),
    }
}

/// XGROUP SETID: let a group go on behind another id.
pub fn setid(ctx: &mut ShardCtx<'_>) -> Outcome {
    const ARGUMENTS_MAX: usize = 7;
    let (args, key) = (ctx.args, ctx.key(2));
    let options = Options::parse(ctx, false)?;
    let is_too_long = (args.len() > ARGUMENTS_MAX).then(|| unknown(ctx));
    let mut held = find(ctx)?;
    is_too_long.map_or(Ok(()), Err)?;
    // Redis: `-` and `+` are ids here.
    let lenient = |text: &[u8]| -> Result<StreamId, ErrorReply> {
        StreamId::parse(text, 0).ok_or_else(|| errors::INVALID_STREAM_ID.into())
    };
    let id = group_id(args.get(4), Some(&held.look().log), lenient)?;
    let group = held.change().group_mut(args.get(3));
    let group = group.expect("it was just there");
    (group.last_id, group.entries_read) = (id, options.entries_read);
    drop(held);
    ctx.changed(Event::XGROUP_SETID, key.bytes);
    Ok(ctx.reply.ok())
}

/// XGROUP DESTROY: remove a group with all that was given and not confirmed.
pub fn destroy(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, name) = (ctx.key(2), ctx.args.get(3));
    let mut held = look::open(ctx.space, ctx.db, &key)?.ok_or(NO_KEY)?;
    if held.look().group(name).is_none() {
        return Ok(ctx.reply.integer(0));
    }
    held.change().remove_group(name);
    drop(held);
    ctx.changed(Event::XGROUP_DESTROY, key.bytes);
    Ok(ctx.reply.integer(1))
}

/// XGROUP CREATECONSUMER: add a consumer.
pub fn createconsumer(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key, now_ms) = (ctx.args, ctx.key(2), ctx.now_ms());
    let mut held = find(ctx)?;
    let group = held.look().group(args.get(3));
    if group.is_some_and(|group| group.find_consumer(args.get(4)).is_some()) {
        drop(held);
        return Ok(ctx.reply.integer(0));
    }
    let group = held.change().group_mut(args.get(3));
    let group = group.expect("it was just there");
    group.add_consumer(args.get(4), now_ms);
    drop(held);
    let named = Named {
        db: ctx.db,
        key: key.bytes,
        group: args.get(3),
    };
    named.tell_consumer(ctx.effects, args.get(4));
    Ok(ctx.reply.integer(1))
}

/// XGROUP DELCONSUMER: remove a consumer; reply with how many entries it had not confirmed.
pub fn delconsumer(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(2));
    let mut held = find(ctx)?;
    let group = held.look().group(args.get(3));
    let Some(consumer) = group.and_then(|group| group.find_consumer(args.get(4))) else {
        drop(held);
        return Ok(ctx.reply.integer(0));
    };
    let group = held.change().group_mut(args.get(3));
    let group = group.expect("it was just there");
    let pending = group.remove_consumer(consumer);
    drop(held);
    ctx.changed(Event::XGROUP_DELCONSUMER, key.bytes);
    Ok(ctx.reply.integer(pending as i64))
}

/// XGROUP HELP.
pub fn help(ctx: &mut ShardCtx<'_>) -> Outcome {
    Ok(ctx.reply.help(HELP))
}

const HELP: &[&str] = &[
    "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
    "HELP",
    "    Prints this help.",
];
