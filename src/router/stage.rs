//! What of a transaction runs together: plans, without messages.
//!
//! A [`Stage`] is a row of commands of which each shard runs its part in one go; commands that
//! span shards and can be split are split here, and the replies come together again in the order
//! of the commands. [`Claims`] are the locks of a whole transaction, shard by shard.

use super::batch::{Batch, BatchReply};
use super::merge::{PartReply, merge, page_cursor};
use super::message::Head;
use super::plan::{Route, cursor_shard, derived_lock, key_lock, route, shares, write_part};
use crate::base::prng::Prng;
use crate::command::{ArgStore, Args, Flags, KeyFlags, Merge, Plan, Spec, positions};
use crate::keyspace::{Client, Key, ShardId, SlotMap};
use crate::resp::{Mark, Output, Protocol};
use crate::shard::{Intents, Lock, Shard};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Where the reply of a command comes from: places in `Stage::batches`.
enum Source {
    One(usize),
    Merged {
        how: Merge,
        protocol: Protocol,
        /// Places in `Stage::parts`.
        parts: Range<usize>,
    },
}

/// What one shard runs of a command that is split.
struct Part {
    /// Place in `Stage::batches`.
    batch: usize,
    /// Its key groups: places in `Stage::groups`.
    groups: Range<usize>,
}

/// Commands that run together.
pub struct Stage {
    map: SlotMap,
    /// Where commands without keys run.
    home: ShardId,
    shared: Arc<ArgStore>,
    batches: Vec<(ShardId, Batch)>,
    sources: Vec<Source>,
    /// Those of all commands that are split, one behind the other; so are their key groups.
    parts: Vec<Part>,
    groups: Vec<u32>,
    /// The owners of the groups of the command at hand.
    owners: Vec<ShardId>,
    /// How many commands will come, as far as is known.
    expected: usize,
}

/// How a command of a stage went, its shards together.
#[derive(Clone, Copy, Debug)]
pub struct StageWent {
    /// Where its reply ends.
    pub end: Mark,
    pub nanos: u64,
    pub is_error: bool,
}

impl Stage {
    /// No commands yet, of those in this store.
    pub fn new(map: SlotMap, home: ShardId, shared: Arc<ArgStore>) -> Stage {
        Stage {
            map,
            home,
            shared,
            batches: Vec::new(),
            sources: Vec::new(),
            parts: Vec::new(),
            groups: Vec::new(),
            owners: Vec::new(),
            expected: 0,
        }
    }

    /// Makes room for so many commands.
    pub fn expecting(mut self, commands: usize) -> Stage {
        self.sources.reserve(commands);
        self.expected = commands;
        self
    }

    /// Whether there are no commands.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// The shards with their batches.
    pub(super) fn batches(&self) -> &[(ShardId, Batch)] {
        &self.batches
    }

    /// The batch of a shard.
    pub(super) fn batch_of(&self, shard: ShardId) -> Option<&Batch> {
        let found = self.batches.iter().find(|(owner, _)| *owner == shard);
        found.map(|(_, batch)| batch)
    }

    /// Adds a command by its place in the store; false if it cannot run together with others.
    pub fn add(&mut self, head: Head, args: Range<u32>) -> bool {
        self.add_and_claim(head, args, None)
    }

    /// The same, and notes in the claims, if there are any, what the command will touch: keys are
    /// hashed once for both.
    pub fn add_and_claim(
        &mut self,
        head: Head,
        args: Range<u32>,
        claims: Option<&mut Claims>,
    ) -> bool {
        let store = self.shared.clone();
        let words = store.command(args.clone());
        let shard = match route(self.map, head.spec, words) {
            Route::Any => self.home,
            Route::One(shard, _) => shard,
            Route::Several => return self.add_split(head, words, claims),
        };
        if let Some(claims) = claims {
            claims.add(head.spec, words);
        }
        let batch = self.batch(shard);
        self.batches[batch].1.push(head, args);
        self.sources.push(Source::One(batch));
        true
    }

    fn add_split(&mut self, head: Head, args: Args<'_>, claims: Option<&mut Claims>) -> bool {
        let first = self.parts.len();
        let how = match head.spec.plan {
            Plan::Split(how) if !head.spec.derives_keys(args) => {
                self.split(head.spec, args, claims);
                how
            }
            Plan::Split(how) | Plan::Everywhere(how) => {
                if let Some(claims) = claims {
                    claims.add(head.spec, args);
                }
                for (shard, groups) in shares(self.map, head.spec, args) {
                    let start = self.groups.len();
                    self.groups.extend_from_slice(&groups);
                    self.add_part(shard, start..self.groups.len());
                }
                how
            }
            _ => return false,
        };
        let head = Head {
            known: None,
            ..head
        };
        for part in &self.parts[first..] {
            let (batch, groups) = (&mut self.batches[part.batch].1, &self.groups);
            let groups = &groups[part.groups.clone()];
            batch.push_written(head, |own| write_part(head.spec, args, groups, own));
        }
        let (protocol, parts) = (head.protocol, first..self.parts.len());
        self.sources.push(Source::Merged {
            how,
            protocol,
            parts,
        });
        true
    }

    /// Finds the shards of a command's keys.
    fn split(&mut self, spec: &Spec, args: Args<'_>, mut claims: Option<&mut Claims>) {
        let first = self.groups.len();
        let mut owners = std::mem::take(&mut self.owners);
        owners.clear();
        for (group, (at, flags)) in (0..).zip(positions(spec.keys, args)) {
            let key = Key::new(args.get(at));
            let owner = self.map.shard(key.slot);
            if let Some(claims) = claims.as_deref_mut() {
                claims.add_key(owner, key.hash, flags);
            }
            owners.push(owner);
            self.groups.push(group);
        }
        let owner = |group: &u32| owners[*group as usize];
        self.groups[first..].sort_unstable_by_key(|group| (owner(group), *group));
        let mut start = first;
        while start < self.groups.len() {
            let shard = owner(&self.groups[start]);
            let same = self.groups[start..]
                .iter()
                .take_while(|it| owner(it) == shard);
            let end = start + same.count();
            self.add_part(shard, start..end);
            start = end;
        }
        self.owners = owners;
    }

    fn add_part(&mut self, shard: ShardId, groups: Range<usize>) {
        let batch = self.batch(shard);
        self.parts.push(Part { batch, groups });
    }

    fn batch(&mut self, shard: ShardId) -> usize {
        let found = self.batches.iter().position(|(owner, _)| *owner == shard);
        found.unwrap_or_else(|| {
            let batch = Batch::new(self.shared.clone()).expecting(self.expected);
            self.batches.push((shard, batch));
            self.batches.len() - 1
        })
    }

    /// Runs all of it here, where this shard is the only one.
    pub fn run_here(&self, client: Client, shard: &mut Shard) -> Vec<(ShardId, BatchReply)> {
        let batches = self.batches.iter();
        let run = batches.map(|(owner, batch)| (*owner, batch.run_calls(client, shard)));
        run.collect()
    }

    /// Writes the replies in the order of the commands.
    pub fn assemble(
        &self,
        replies: &[(ShardId, BatchReply)],
        random: &mut Prng,
        out: &mut Output,
    ) -> Vec<StageWent> {
        let mut readers: Vec<Reader<'_>> = (self.batches.iter())
            .map(|(shard, _)| Reader::new(*shard, replies))
            .collect();
        let mut all = Vec::with_capacity(self.sources.len());
        let mut read: Vec<PartReply<'_>> = Vec::new();
        for source in &self.sources {
            let went = match source {
                Source::One(batch) => readers[*batch].next(out),
                Source::Merged {
                    how,
                    protocol,
                    parts,
                } => {
                    read.clear();
                    let mut nanos = 0;
                    for part in &self.parts[parts.clone()] {
                        let (reply, took) = readers[part.batch].next_part();
                        let groups = &self.groups[part.groups.clone()];
                        nanos += took;
                        read.push(PartReply { reply, groups });
                    }
                    let start = out.mark();
                    merge(*how, &read, *protocol, random, out);
                    StageWent {
                        end: out.mark(),
                        nanos,
                        is_error: out.starts_with(start, b'-'),
                    }
                }
            };
            all.push(went);
        }
        all
    }
}

/// Goes through the replies of a batch.
struct Reader<'a> {
    reply: &'a BatchReply,
    next: usize,
    from: Mark,
}

impl<'a> Reader<'a> {
    fn new(shard: ShardId, replies: &'a [(ShardId, BatchReply)]) -> Reader<'a> {
        let found = replies.iter().find(|(owner, _)| *owner == shard);
        Reader {
            reply: &found.expect("every shard of a stage has replied").1,
            next: 0,
            from: Output::start(),
        }
    }

    /// The next reply, and how long it took in nanoseconds.
    fn next_part(&mut self) -> (Cow<'a, [u8]>, u64) {
        let went = self.reply.went[self.next];
        let part = self.reply.output.part(self.from, went.end);
        (self.next, self.from) = (self.next + 1, went.end);
        (part, went.nanos)
    }

    /// Moves the next reply behind this output.
    fn next(&mut self, out: &mut Output) -> StageWent {
        let went = self.reply.went[self.next];
        out.append_part(&self.reply.output, self.from, went.end);
        (self.next, self.from) = (self.next + 1, went.end);
        StageWent {
            end: out.mark(),
            nanos: went.nanos,
            is_error: went.is_error,
        }
    }
}

/// The locks of a transaction, shard by shard.
pub struct Claims {
    map: SlotMap,
    shards: Vec<Claim>,
}

#[derive(Clone, Default)]
struct Claim {
    keys: Vec<(u64, Lock)>,
    whole: Option<Lock>,
}

impl Claims {
    /// None yet.
    pub fn new(map: SlotMap) -> Claims {
        let shards = vec![Claim::default(); map.shards()];
        Claims { map, shards }
    }

    /// Adds what a command will touch.
    pub fn add(&mut self, spec: &Spec, args: Args<'_>) {
        match spec.plan {
            Plan::Everywhere(_) => {
                let is_write = spec.flags.has(Flags::WRITE);
                self.add_wholes(
                    0,
                    if is_write {
                        Lock::Exclusive
                    } else {
                        Lock::Shared
                    },
                );
            }
            Plan::Cursor(at) => {
                let first = cursor_shard(self.map, args, at as usize);
                self.add_wholes(first.0 as usize, Lock::Shared);
            }
            Plan::Here => {}
            _ if spec.derives_keys(args) => {
                for (shard, claim) in (0..).zip(&mut self.shards) {
                    let lock = derived_lock(self.map, spec, args, ShardId(shard));
                    claim.whole = claim.whole.max(Some(lock));
                }
            }
            Plan::Gather | Plan::Split(_) => {
                for (at, flags) in positions(spec.keys, args) {
                    let key = Key::new(args.get(at));
                    self.add_key(self.map.shard(key.slot), key.hash, flags);
                }
            }
        }
    }

    /// Adds a key of a shard, by its hash.
    fn add_key(&mut self, shard: ShardId, hash: u64, flags: KeyFlags) {
        let claim = &mut self.shards[shard.0 as usize];
        claim.keys.push((hash, key_lock(flags)));
    }

    fn add_wholes(&mut self, first: usize, lock: Lock) {
        for claim in &mut self.shards[first..] {
            claim.whole = claim.whole.max(Some(lock));
        }
    }

    /// Adds a watched key.
    pub fn add_watched(&mut self, key: &[u8]) {
        let key = Key::new(key);
        let shard = self.map.shard(key.slot).0 as usize;
        self.shards[shard].keys.push((key.hash, Lock::Shared));
    }

    /// The first shard of which something is claimed.
    pub fn first(&self) -> Option<ShardId> {
        let is_claimed = |claim: &Claim| claim.whole.is_some() || !claim.keys.is_empty();
        let found = self.shards.iter().position(is_claimed);
        found.map(|shard| ShardId(shard as u16))
    }

    /// Whether anything may be changed.
    pub fn is_write(&self) -> bool {
        let exclusive = Some(Lock::Exclusive);
        self.shards.iter().any(|claim| {
            claim.whole == exclusive || claim.keys.iter().any(|key| Some(key.1) == exclusive)
        })
    }

    /// What is claimed of one shard.
    pub fn of(self, shard: ShardId) -> Intents {
        let claim = self.shards.into_iter().nth(shard.0 as usize);
        claim.map(Claim::intents).unwrap_or_default()
    }

    /// The shards of which something is claimed.
    pub fn intents(self) -> Vec<(ShardId, Intents)> {
        let claims = self.shards.into_iter().enumerate();
        let all = claims.map(|(shard, claim)| (ShardId(shard as u16), claim.intents()));
        all.filter(|(_, intents)| !intents.is_empty()).collect()
    }
}

impl Claim {
    fn intents(self) -> Intents {
        let whole = self.whole.map(Intents::whole);
        Intents::joined([Intents::of_keys(self.keys)].into_iter().chain(whole))
    }
}

/// A scan inside a transaction: pages of shards that had nothing left, and the last one.
pub struct Pages {
    pub head: Head,
    /// The command, with the cursor where it goes on.
    pub args: ArgStore,
    pages: Vec<Vec<u8>>,
    pub nanos: u64,
}

impl Pages {
    /// A scan that begins.
    pub fn new(head: Head, args: Args<'_>) -> Pages {
        Pages {
            head,
            args: ArgStore::of(args),
            pages: Vec::new(),
            nanos: 0,
        }
    }

    /// The page that is next, as a stage.
    pub fn stage(&self, map: SlotMap) -> Stage {
        let Plan::Cursor(at) = self.head.spec.plan else {
            unreachable!("only scans have pages");
        };
        let shard = cursor_shard(map, self.args.args(), at as usize);
        let mut stage = Stage::new(map, shard, Arc::default());
        let batch = stage.batch(shard);
        stage.batches[batch].1.push_own(self.head, &self.args);
        stage.sources.push(Source::One(batch));
        stage
    }

    /// Takes a page in; whether another one follows.
    pub fn turn(&mut self, map: SlotMap, page: Vec<u8>) -> bool {
        let next = next_page(map, self.head.spec, self.args.args(), &page);
        self.pages.push(page);
        next.map(|args| self.args = args).is_some()
    }

    /// Writes the reply; whether it is an error.
    pub fn finish(&self, random: &mut Prng, out: &mut Output) -> bool {
        let (start, groups) = (out.mark(), &[][..]);
        let parts: Vec<PartReply<'_>> = (self.pages.iter())
            .map(|reply| PartReply {
                reply: Cow::Borrowed(reply),
                groups,
            })
            .collect();
        merge(Merge::Pages, &parts, self.head.protocol, random, out);
        out.starts_with(start, b'-')
    }
}

/// A scan's arguments for the next shard, where its page ended with nothing left on this one.
pub(super) fn next_page(
    map: SlotMap,
    spec: &Spec,
    args: Args<'_>,
    page: &[u8],
) -> Option<ArgStore> {
    let Plan::Cursor(at) = spec.plan else {
        return None;
    };
    let at = at as usize;
    let cursor = page_cursor(page).unwrap_or_default();
    let mut next = ArgStore::default();
    for position in 0..args.len() {
        match position == at {
            true => next.push(cursor),
            false => next.push_from(args, position),
        }
    }
    let is_further = cursor_shard(map, next.args(), at) > cursor_shard(map, args, at);
    is_further.then_some(next)
}
