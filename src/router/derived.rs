//! Keys that a gathered command reads though its arguments do not name them: SORT's patterns.
//!
//! ```text
//!   coordinator                        shards, all of them
//!      | -- Ask (everything, shared) --> |
//!      | <-- Granted (its own keys) ---- |
//!      names follow from the first key's value
//!      | -- Fetch (names) -------------> |      only where there are any
//!      | <-- Fetched (copies) ---------- |
//!      runs on the copies, as any gathered command
//! ```
//!
//! Nothing can change in between, because nobody can know beforehand which keys it will be and so
//! all shards are locked: shared, but for the one whose key is written.

use super::message::{Head, Peer, Step};
use super::operation::Operation;
use super::state::Router;
use crate::command::{ArgStore, Args, positions};
use crate::keyspace::{DbIndex, Entry, Slot};
use crate::shard::{Fetched, Shard, Ticket, fetch};

/// The names that follow from what was fetched for the first key.
pub(super) fn derived_keys<'f>(
    head: &Head,
    args: Args<'_>,
    fetched: impl Iterator<Item = &'f Fetched>,
) -> Vec<Box<[u8]>> {
    let derived = head.spec.derived.filter(|it| (it.is_asked)(args));
    let first = positions(head.spec.keys, args).next();
    let (Some(derived), Some((at, _))) = (derived, first) else {
        return Vec::new();
    };
    let is_first =
        |(db, key, _): &&(DbIndex, Box<[u8]>, Entry)| *db == head.db && **key == *args.get(at);
    let found = fetched.flatten().find(is_first);
    let value = found.and_then(|(_, _, entry)| entry.value.form());
    value.map_or_else(Vec::new, |value| (derived.keys)(args, value))
}

impl Operation {
    fn derived_keys(&self) -> Vec<Box<[u8]>> {
        let fetched = self.parts.iter().map(|part| &part.fetched);
        derived_keys(&self.work.head, self.work.args.args(), fetched)
    }
}

impl Router {
    /// Asks for the keys whose names are known only now; says whether there are any.
    pub(super) fn fetch_derived(&mut self, ticket: Ticket) -> bool {
        let map = self.map;
        let operation = self.operations.get_mut(&ticket);
        let operation = operation.expect("it was just granted");
        let mut by_shard: Vec<ArgStore> = vec![ArgStore::default(); map.shards()];
        for key in operation.derived_keys() {
            by_shard[map.shard(Slot::of(&key)).0 as usize].push(&key);
        }
        let asked = by_shard.iter().filter(|keys| !keys.is_empty());
        operation.awaited = asked.count();
        let is_any = operation.awaited > 0;
        for (shard, keys) in (0..).zip(by_shard) {
            if !keys.is_empty() {
                self.step(
                    crate::keyspace::ShardId(shard),
                    Step::Fetch { ticket, keys },
                );
            }
        }
        is_any
    }

    /// Copies keys for an operation that holds their locks.
    pub(super) fn fetch_for(
        &mut self,
        from: Peer,
        ticket: Ticket,
        keys: &ArgStore,
        shard: &mut Shard,
    ) {
        let fetched = fetch(shard, keys.args().from(0));
        self.step(from, Step::Fetched { ticket, fetched });
    }

    /// Copies have come; when they are the last ones, the command runs.
    pub(super) fn fetched(
        &mut self,
        from: Peer,
        ticket: Ticket,
        fetched: Fetched,
        shard: &mut Shard,
    ) {
        let Some(operation) = self.operations.get_mut(&ticket) else {
            return;
        };
        operation.part(from).fetched.extend(fetched);
        operation.awaited -= 1;
        if operation.awaited == 0 {
            self.run_gather(ticket, shard);
        }
    }
}
