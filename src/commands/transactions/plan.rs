//! Where a transaction runs, and what it locks: read off its commands, before any of them runs.
//!
//! Which database a command sees may change on the way; where its keys live and which locks they
//! have does not, so that all of this is known from the start.

use crate::command::{Args, Plan, positions};
use crate::commands::row::Run;
use crate::commands::table::{Command, table};
use crate::keyspace::{ShardId, Slot, SlotMap};
use crate::router::{Claims, Route, route};
use crate::session::{Exec, Queued};

/// Where the keys of a transaction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// It has none.
    Nowhere,
    One(ShardId),
    Several,
}

impl Home {
    fn and(self, other: Home) -> Home {
        match (self, other) {
            (Home::Nowhere, home) | (home, Home::Nowhere) => home,
            (one, other) if one == other => one,
            _ => Home::Several,
        }
    }
}

/// A queued command with its arguments.
pub fn command_of<'e>(exec: &'e Exec, queued: &Queued) -> (&'static Command, Args<'e>) {
    let args = exec.store.command(queued.args.clone());
    (table().command(queued.command), args)
}

/// Where the keys are of all commands and of all that is watched.
pub fn home(map: SlotMap, exec: &Exec) -> Home {
    let watched = exec.watched.iter().map(|watched| Home::One(watched.shard));
    let commands = exec.commands.iter().map(|queued| {
        let (command, args) = command_of(exec, queued);
        match (queued.known, command.run) {
            (Some((_, slot, _)), Run::Data(_) | Run::Blocking(..)) => Home::One(map.shard(slot)),
            (None, Run::Data(_) | Run::Blocking(..)) => home_of(map, command, args),
            // A command of this core's own world may have keys all the same: MIGRATE.
            _ if command.spec.plan != Plan::Here => home_of(map, command, args),
            _ => Home::Nowhere,
        }
    });
    watched.chain(commands).fold(Home::Nowhere, Home::and)
}

fn home_of(map: SlotMap, command: &Command, args: Args<'_>) -> Home {
    match route(map, &command.spec, args) {
        _ if map.shards() == 1 => Home::One(ShardId(0)),
        // The page of a scan may go on to another shard.
        Route::One(..) if matches!(command.spec.plan, Plan::Cursor(_)) => Home::Several,
        Route::Any => Home::Nowhere,
        Route::One(shard, _) => Home::One(shard),
        Route::Several => Home::Several,
    }
}

/// A shard that a transaction surely needs, if it needs any: where what has no keys can run. Asked
/// of transactions that are a single stage.
pub fn any_home(map: SlotMap, exec: &Exec) -> Option<ShardId> {
    let watched = exec.watched.iter().next().map(|watched| watched.shard);
    let mut commands = exec.commands.iter();
    let of_command = |queued: &Queued| {
        let (command, args) = command_of(exec, queued);
        match route(map, &command.spec, args) {
            Route::Any => None,
            Route::One(shard, _) => Some(shard),
            Route::Several => {
                let first = positions(command.spec.keys, args).next();
                let owner = first.map(|(at, _)| map.shard(Slot::of(args.get(at))));
                Some(owner.unwrap_or(ShardId(0)))
            }
        }
    };
    watched.or_else(|| commands.find_map(of_command))
}

/// Whether all commands run on shards and none here.
pub fn is_data_only(exec: &Exec) -> bool {
    exec.commands.iter().all(|queued| {
        let command = table().command(queued.command);
        command.run.on_shard().is_some()
    })
}

/// All locks of a transaction.
pub fn claims(map: SlotMap, exec: &Exec) -> Claims {
    let mut claims = watched_claims(map, exec);
    for queued in &exec.commands {
        let (command, args) = command_of(exec, queued);
        claims.add(&command.spec, args);
    }
    claims
}

/// The locks of what a transaction watches.
pub fn watched_claims(map: SlotMap, exec: &Exec) -> Claims {
    let mut claims = Claims::new(map);
    for watched in &exec.watched {
        claims.add_watched(&watched.key);
    }
    claims
}
