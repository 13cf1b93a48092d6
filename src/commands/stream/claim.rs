//! XACK, XCLAIM and XAUTOCLAIM: confirming entries, and taking over what others did not confirm.
//!
//! Claiming an entry that is gone forgets that it was given. What replays are single claims with
//! their absolute time and count.

use super::add::ids;
use super::deliver::join;
use super::tell::Named;
use super::{look, reply};
use crate::command::Args;
use crate::keyspace::Lookup;
use crate::object::stream::{ConsumerId, Group, Log, Pending, StreamId};
use crate::resp::{ErrorReply, Writer, Written, errors};
use crate::shard::{Effects, Outcome, ShardCtx};

/// XACK: confirm entries.
pub fn xack(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, name) = (ctx.key(1), ctx.args.get(2));
    let stream = look::read(ctx.space, ctx.db, &key, Lookup::Read)?;
    let Some(group) = stream.and_then(|stream| stream.group(name)) else {
        return Ok(ctx.reply.integer(0));
    };
    let mut ids = ids(ctx.args, 3)?;
    ids.retain(|id| group.pending().find(*id).is_some());
    if ids.is_empty() {
        return Ok(ctx.reply.integer(0));
    }
    let held = look::open(ctx.space, ctx.db, &key)?;
    let mut held = held.expect("it was just there");
    let group = held.change().group_mut(name);
    let group = group.expect("it was just there");
    let confirmed = ids.into_iter().filter(|id| group.confirm(*id)).count();
    drop(held);
    ctx.effects.changed_quietly();
    Ok(ctx.reply.integer(confirmed as i64))
}

/// Under which conditions an entry is claimed, and what is noted of it.
#[derive(Clone, Copy)]
struct Terms {
    min_idle_ms: i64,
    now_ms: i64,
    delivered_at_ms: i64,
    deliveries: Option<u64>,
    /// Also entries that nobody was given.
    is_forced: bool,
    /// Only ids are asked for, which does not count as a delivery.
    only_ids: bool,
}

impl Terms {
    fn new(min_idle_ms: i64, now_ms: i64) -> Terms {
        Terms {
            min_idle_ms: min_idle_ms.max(0),
            now_ms,
            delivered_at_ms: now_ms,
            deliveries: None,
            is_forced: false,
            only_ids: false,
        }
    }

    fn is_idle(&self, pending: &Pending) -> bool {
        self.min_idle_ms == 0
            || self.now_ms.wrapping_sub(pending.delivered_at_ms) >= self.min_idle_ms
    }

    /// What is noted of an entry that is claimed; `None` when it is not.
    fn claim(&self, old: Option<&Pending>, consumer: ConsumerId) -> Option<Pending> {
        let before = match old {
            Some(old) => self.is_idle(old).then_some(old.deliveries)?,
            // Redis: an entry that is given by force counts as given once before.
            None => self.is_forced.then_some(1)?,
        };
        let counted = before.wrapping_add(u64::from(!self.only_ids));
        Some(Pending {
            consumer,
            delivered_at_ms: self.delivered_at_ms,
            deliveries: self.deliveries.unwrap_or(counted),
        })
    }
}

/// XCLAIM's options behind its ids.
struct Claim {
    ids: Vec<StreamId>,
    terms: Terms,
    last_id: StreamId,
}

impl Claim {
    fn parse(args: Args<'_>, now_ms: i64) -> Result<Claim, ErrorReply> {
        let min_idle_ms = number(args, 4, "min-idle-time argument")?;
        let ids = args
            .from(5)
            .map_while(|text| StreamId::parse_strict(text, 0));
        let mut claim = Claim {
            ids: ids.collect(),
            terms: Terms::new(min_idle_ms, now_ms),
            last_id: StreamId::MIN,
        };
        let (mut at, mut delivered_at_ms) = (5 + claim.ids.len(), -1);
        while at < args.len() {
            let has_value = at + 1 < args.len();
            if args.is(at, "force") {
                claim.terms.is_forced = true;
            } else if args.is(at, "justid") {
                claim.terms.only_ids = true;
            } else if has_value && args.is(at, "idle") {
                let idle = number(args, at + 1, "IDLE option argument")?;
                delivered_at_ms = now_ms.wrapping_sub(idle);
                at += 1;
            } else if has_value && args.is(at, "time") {
                delivered_at_ms = number(args, at + 1, "TIME option argument")?;
                at += 1;
            } else if has_value && args.is(at, "retrycount") {
                let count = number(args, at + 1, "RETRYCOUNT option argument")?;
                claim.terms.deliveries = u64::try_from(count).ok();
                at += 1;
            } else if has_value && args.is(at, "lastid") {
                claim.last_id = reply::strict_id(args.get(at + 1))?;
                at += 1;
            } else {
                let option = reply::c_string(args.get(at));
                let before = b"ERR Unrecognized XCLAIM option '";
                return Err(reply::error(&[before, option, b"'"]));
            }
            at += 1;
        }
        // A client's clock may be ahead; whoever replays effects has none.
        let last_ms = if now_ms > 0 { now_ms } else { i64::MAX };
        if (0..=last_ms).contains(&delivered_at_ms) {
            claim.terms.delivered_at_ms = delivered_at_ms;
        }
        Ok(claim)
    }
}

fn number(args: Args<'_>, at: usize, what: &str) -> Result<i64, ErrorReply> {
    let number = args.integer(at);
    number.map_err(|_| format!("ERR Invalid {what} for XCLAIM").into())
}

/// XCLAIM: take entries over from whoever was given them.
pub fn xclaim(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(1), ctx.now_ms());
    let named = named(ctx);
    find_group(ctx, named)?;
    let claim = Claim::parse(ctx.args, now_ms)?;
    let held = look::open(ctx.space, ctx.db, &key)?;
    let mut held = held.expect("it was just there");
    let parts = held.change().log_and_group(named.group);
    let (log, group) = parts.expect("it was just there");
    let is_further = claim.last_id > group.last_id;
    group.last_id = group.last_id.max(claim.last_id);
    let mut claiming = Claiming::new(ctx.effects, named, claim.terms);
    let consumer = join(group, named, ctx.args.get(3), now_ms, claiming.effects);
    for id in claim.ids {
        claiming.claim(log, group, id, consumer);
    }
    if is_further && claiming.is_untold() {
        named.tell_progress(claiming.effects, group);
    }
    let claimed = claiming.claimed;
    Ok(reply_claimed(
        &mut ctx.reply,
        log,
        &claimed,
        claim.terms.only_ids,
    ))
}

fn named<'a>(ctx: &ShardCtx<'a>) -> Named<'a> {
    Named {
        db: ctx.db,
        key: ctx.args.get(1),
        group: ctx.args.get(2),
    }
}

/// Refuses a key or group that does not exist.
fn find_group(ctx: &mut ShardCtx<'_>, named: Named<'_>) -> Result<(), ErrorReply> {
    let key = ctx.key(1);
    let stream = look::read(ctx.space, ctx.db, &key, Lookup::Read)?;
    let group = stream.and_then(|stream| stream.group(named.group));
    match group {
        Some(_) => Ok(()),
        None => Err(reply::no_key_or_group(key.bytes, named.group, "")),
    }
}

/// Claims entry after entry.
struct Claiming<'e, 'a> {
    effects: &'e mut Effects,
    named: Named<'a>,
    terms: Terms,
    claimed: Vec<StreamId>,
    /// Entries that were given and are gone.
    gone: Vec<StreamId>,
}

impl<'e, 'a> Claiming<'e, 'a> {
    fn new(effects: &'e mut Effects, named: Named<'a>, terms: Terms) -> Claiming<'e, 'a> {
        Claiming {
            effects,
            named,
            terms,
            claimed: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// Claims an entry if it is there and the terms allow it.
    fn claim(&mut self, log: &Log, group: &mut Group, id: StreamId, consumer: ConsumerId) {
        let old = group.pending().find(id).copied();
        if !log.contains(id) {
            if let Some(old) = old {
                // Whoever replays this does not find the entry either, and forgets it too.
                self.named.tell_given(self.effects, group, id, old);
                group.confirm(id);
                self.gone.push(id);
            }
            return;
        }
        let Some(pending) = self.terms.claim(old.as_ref(), consumer) else {
            return;
        };
        group.give(id, pending);
        group.consumer_mut(consumer).active_at_ms = self.terms.now_ms;
        self.named.tell_given(self.effects, group, id, pending);
        self.claimed.push(id);
    }

    /// Whether nothing was claimed or forgotten.
    fn is_untold(&self) -> bool {
        self.claimed.is_empty() && self.gone.is_empty()
    }
}

fn reply_claimed(
    reply: &mut Writer<'_>,
    log: &Log,
    claimed: &[StreamId],
    only_ids: bool,
) -> Written {
    let mut written = reply.array(claimed.len());
    for id in claimed {
        written = match log.find(*id).filter(|_| !only_ids) {
            Some(entry) => reply::entry(reply, entry),
            None => reply::id(reply, *id),
        };
    }
    written
}

/// XAUTOCLAIM: take over entries that were given long ago, from an id on.
pub fn xautoclaim(ctx: &mut ShardCtx<'_>) -> Outcome {
    /// For each entry that is wanted so many are looked at.
    const ATTEMPTS: u64 = 10;
    let (key, now_ms) = (ctx.key(1), ctx.now_ms());
    let scan = Scan::parse(ctx.args, now_ms)?;
    let named = named(ctx);
    find_group(ctx, named)?;
    let held = look::open(ctx.space, ctx.db, &key)?;
    let mut held = held.expect("it was just there");
    let parts = held.change().log_and_group(named.group);
    let (log, group) = parts.expect("it was just there");
    let mut claiming = Claiming::new(ctx.effects, named, scan.terms);
    let consumer = join(group, named, ctx.args.get(3), now_ms, claiming.effects);
    let (mut next, mut attempts) = (Some(scan.start), scan.count.saturating_mul(ATTEMPTS));
    let cursor = loop {
        let found = next.and_then(|next| group.pending().from(next));
        let Some((id, _)) = found else {
            break StreamId::MIN;
        };
        let replied = (claiming.claimed.len() + claiming.gone.len()) as u64;
        if attempts == 0 || replied == scan.count {
            break id;
        }
        attempts -= 1;
        claiming.claim(log, group, id, consumer);
        next = id.next();
    };
    let (claimed, gone) = (claiming.claimed, claiming.gone);
    ctx.reply.array(3);
    reply::id(&mut ctx.reply, cursor);
    reply_claimed(&mut ctx.reply, log, &claimed, scan.terms.only_ids);
    Ok(reply_claimed(&mut ctx.reply, log, &gone, true))
}

/// XAUTOCLAIM's arguments.
struct Scan {
    terms: Terms,
    start: StreamId,
    count: u64,
}

impl Scan {
    fn parse(args: Args<'_>, now_ms: i64) -> Result<Scan, ErrorReply> {
        const COUNT_MAX: i64 = i64::MAX / 16;
        const MIN_IDLE: &str = "ERR Invalid min-idle-time argument for XAUTOCLAIM";
        let min_idle_ms = args.integer(4).map_err(|_| MIN_IDLE)?;
        let mut scan = Scan {
            terms: Terms::new(min_idle_ms, now_ms),
            start: reply::interval_start(args.get(5))?,
            count: 100,
        };
        let mut at = 6;
        while at < args.len() {
            if args.is(at, "count") && at + 1 < args.len() {
                let count = args.integer(at + 1).ok();
                let count = count.filter(|count| (1..=COUNT_MAX).contains(count));
                scan.count = count.ok_or("ERR COUNT must be > 0")? as u64;
                at += 1;
            } else if args.is(at, "justid") {
                scan.terms.only_ids = true;
            } else {
                return Err(errors::SYNTAX.into());
            }
            at += 1;
        }
        Ok(scan)
    }
}
