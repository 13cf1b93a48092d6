//! XREAD and XREADGROUP: entries behind an id, of several streams in one go.
//!
//! With BLOCK a client waits where nothing is to be read, and reads again when one of the keys gets
//! an entry. One that reads for a group is told, too, when the stream or its group has gone.

use super::deliver::{self, Reader};
use super::tell::Named;
use super::{look, reply};
use crate::command::{ArgStore, Args};
use crate::keyspace::Lookup;
use crate::object::Kind;
use crate::object::stream::StreamId;
use crate::resp::{ErrorReply, Protocol, Written, errors};
use crate::shard::{Outcome, ShardCtx, Wait};

/// XREAD: reply with entries behind the ids that are given.
pub fn xread(ctx: &mut ShardCtx<'_>) -> Outcome {
    answer(ctx, false)
}

/// XREADGROUP: reply with entries that nobody of the group was given, and give them to a consumer.
pub fn xreadgroup(ctx: &mut ShardCtx<'_>) -> Outcome {
    answer(ctx, true)
}

fn answer(ctx: &mut ShardCtx<'_>, has_group: bool) -> Outcome {
    let wanted = Wanted::parse(ctx.args, has_group, ctx.spec.name)?;
    match (read(ctx, &wanted)?, wanted.block_ms) {
        (Reading::Done(written), _) => Ok(written),
        (Reading::Nothing(starts), Some(block_ms)) if !ctx.is_in_exec => {
            ctx.wait(wanted.wait(&starts, block_ms))
        }
        (Reading::Nothing(_), _) => Ok(ctx.reply.null_array()),
    }
}

/// Whether a client may have to wait: BLOCK is among the options.
pub fn may_wait(args: Args<'_>) -> bool {
    let mut at = 1;
    while at < args.len() {
        at += match () {
            () if args.is(at, "block") => return true,
            () if args.is(at, "count") => 2,
            () if args.is(at, "group") => 3,
            () if args.is(at, "noack") => 1,
            () => return false,
        };
    }
    false
}

/// What came of reading.
enum Reading {
    Done(Written),
    /// There was nothing; the id behind which entries were looked for, for each stream in order.
    Nothing(Vec<StreamId>),
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
struct Wanted<'a> {
    args: Args<'a>,
    /// BLOCK, milliseconds; 0 is for ever.
    block_ms: Option<i64>,
    /// Entries of each stream; 0 is no limit.
    count: u64,
    group: Option<(&'a [u8], &'a [u8])>,
    is_unconfirmed: bool,
    /// The position of the first key, and how many there are.
    streams: (usize, usize),
}

/// Stands for entries that nobody of the group was given.
const NEVER_GIVEN: StreamId = StreamId::MAX;

const DOLLAR_IN_GROUP: &str = "ERR The $ ID is meaningless in the context of XREADGROUP: you want \
    to read the history of this consumer by specifying a proper ID, or use the > ID to get new \
    messages. The $ ID would just return an empty result set.";
const NEW_WITHOUT_GROUP: &str = "ERR The > ID can be specified only when calling XREADGROUP using \
    the GROUP <group> <consumer> option.";

impl<'a> Wanted<'a> {
    /// Reads the options of XREAD or XREADGROUP.
    fn parse(args: Args<'a>, has_group: bool, command: &str) -> Result<Wanted<'a>, ErrorReply> {
        let mut wanted = Wanted {
            args,
            block_ms: None,
            count: 0,
            group: None,
            is_unconfirmed: false,
            streams: (0, 0),
        };
        let mut at = 1;
        while at < args.len() && wanted.streams.0 == 0 {
            at = wanted.take_option(at, has_group, command)?;
        }
        if wanted.streams.0 == 0 {
            return Err(errors::SYNTAX.into());
        }
        if has_group && wanted.group.is_none() {
            return Err("ERR Missing GROUP option for XREADGROUP".into());
        }
        Ok(wanted)
    }

    /// Takes in the option at a position; returns the position behind it.
    fn take_option(
        &mut self,
        at: usize,
        has_group: bool,
        command: &str,
    ) -> Result<usize, ErrorReply> {
        let (args, more) = (self.args, self.args.len() - at - 1);
        let only_group = |option: &str| -> Result<(), ErrorReply> {
            const TEXT: &str = "option is only supported by XREADGROUP. You called XREAD instead.";
            match has_group {
                true => Ok(()),
                false => Err(format!("ERR The {option} {TEXT}").into()),
            }
        };
        if args.is(at, "block") && more >= 1 {
            self.block_ms = Some(timeout(args, at + 1)?);
            return Ok(at + 2);
        } else if args.is(at, "count") && more >= 1 {
            self.count = u64::try_from(args.integer(at + 1)?).unwrap_or(0);
            return Ok(at + 2);
        } else if args.is(at, "streams") && more >= 1 {
            if more % 2 == 1 {
                let symbol = if has_group { '>' } else { '$' };
                let text = format!(
                    "ERR Unbalanced '{command}' list of streams: for each stream key an ID or \
                     '{symbol}' must be specified."
                );
                return Err(text.into());
            }
            self.streams = (at + 1, more / 2);
            return Ok(args.len());
        } else if args.is(at, "group") && more >= 2 {
            only_group("GROUP")?;
            self.group = Some((args.get(at + 1), args.get(at + 2)));
            return Ok(at + 3);
        } else if args.is(at, "noack") {
            only_group("NOACK")?;
            self.is_unconfirmed = true;
            return Ok(at + 1);
        }
        Err(errors::SYNTAX.into())
    }

    /// Waiting for entries behind these ids. The last one is named as it is now: when it is read
    /// again there will be later ones.
    fn wait(&self, starts: &[StreamId], block_ms: i64) -> Wait {
        let first_id = self.streams.0 + self.streams.1;
        let mut args = ArgStore::default();
        for at in 0..self.args.len() {
            match at.checked_sub(first_id) {
                Some(number) if reply::c_string(self.args.get(at)) == b"$" => {
                    args.push(starts[number].to_string().as_bytes());
                }
                _ => args.push_from(self.args, at),
            }
        }
        Wait {
            keys: self.keys(),
            timeout_ms: (block_ms > 0).then_some(block_ms),
            kind: Kind::Stream,
            hears_absence: self.group.is_some(),
            args: Some(args),
        }
    }

    /// The positions of the keys.
    fn keys(&self) -> std::ops::Range<usize> {
        self.streams.0..self.streams.0 + self.streams.1
    }
}

/// A time to wait, in milliseconds; 0 is for ever.
fn timeout(args: Args<'_>, at: usize) -> Result<i64, ErrorReply> {
    let number = args.integer(at);
    let number = number.map_err(|_| "ERR timeout is not an integer or out of range")?;
    match number {
        0.. => Ok(number),
        _ => Err("ERR timeout is negative".into()),
    }
}

/// Reads once, without waiting.
fn read(ctx: &mut ShardCtx<'_>, wanted: &Wanted<'_>) -> Result<Reading, ErrorReply> {
    let mut starts = Vec::new();
    for at in wanted.keys() {
        starts.push(start(ctx, wanted, at)?);
    }
    let mark = ctx.reply.output().mark();
    let mut streams = 0;
    for (at, start) in wanted.keys().zip(&starts) {
        let is_served = match wanted.group {
            Some((group, consumer)) => {
                let named = Named {
                    db: ctx.db,
                    key: ctx.args.get(at),
                    group,
                };
                let reader = Reader {
                    named,
                    consumer,
                    count: wanted.count,
                    is_unconfirmed: wanted.is_unconfirmed,
                };
                let history = (*start != NEVER_GIVEN).then_some(*start);
                deliver::serve(ctx, at, &reader, history)?
            }
            None => serve(ctx, wanted, at, *start)?,
        };
        streams += usize::from(is_served);
    }
    if streams == 0 {
        return Ok(Reading::Nothing(starts));
    }
    Ok(Reading::Done(ctx.reply.map_since(mark, streams)))
}

/// The id behind which the stream at a position is to be read.
fn start(ctx: &mut ShardCtx<'_>, wanted: &Wanted<'_>, at: usize) -> Result<StreamId, ErrorReply> {
    let (key, id) = (ctx.key(at), ctx.args.get(at + wanted.streams.1));
    let stream = look::read(ctx.space, ctx.db, &key, Lookup::Read)?;
    if let Some((group, _)) = wanted.group
        && stream.and_then(|stream| stream.group(group)).is_none()
    {
        const AFTER: &str = " in XREADGROUP with GROUP option";
        return Err(reply::no_key_or_group(key.bytes, group, AFTER));
    }
    match (reply::c_string(id), wanted.group) {
        (b"$", Some(_)) => Err(DOLLAR_IN_GROUP.into()),
        (b"$", None) => Ok(stream.map_or(StreamId::MIN, |stream| stream.log.last_id)),
        (b">", None) => Err(NEW_WITHOUT_GROUP.into()),
        (b">", Some(_)) => Ok(NEVER_GIVEN),
        _ => reply::strict_id(id),
    }
}

/// Replies with the entries of one stream; says whether there were any.
fn serve(
    ctx: &mut ShardCtx<'_>,
    wanted: &Wanted<'_>,
    at: usize,
    start: StreamId,
) -> Result<bool, ErrorReply> {
    let key = ctx.key(at);
    let stream = look::read(ctx.space, ctx.db, &key, Lookup::Read)?;
    let has_more = |last: StreamId| last > start;
    let Some(log) = stream
        .map(|stream| &stream.log)
        .filter(|log| log.last_live().is_some_and(has_more))
    else {
        return Ok(false);
    };
    begin(ctx.reply.protocol(), &mut ctx.reply, key.bytes);
    let from = start.next().expect("there is a greater id");
    let entries = log.entries(from, StreamId::MAX);
    reply::entries(&mut ctx.reply, entries, wanted.count);
    Ok(true)
}

/// The name of a stream, before its entries: a pair of its own in RESP2, of a map in RESP3.
pub(super) fn begin(
    protocol: Protocol,
    reply: &mut crate::resp::Writer<'_>,
    key: &[u8],
) -> Written {
    if protocol == Protocol::Resp2 {
        reply.array(2);
    }
    reply.bulk(key)
}
