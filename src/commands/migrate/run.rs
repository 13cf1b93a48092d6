//! How a MIGRATE goes: lock, collect, hand over, delete, reply.
//!
//! The locks and the work on the shards are those of transactions, under the migration's own
//! number, or that of the EXEC it is in. It goes on as news come in: from the router, or from the
//! thread that has talked to the other server. The effect, where keys have gone, is their DEL.
//! What it does not do: look after the client, which waits as for any late reply and may go.

use super::options::Options;
use super::transfer;
use crate::command::{ArgStore, Flags, KeyFlags, Spec, one_key};
use crate::commands::dispatch::{count_failure, hold};
use crate::commands::generic;
use crate::commands::row::{ControlCtx, ControlOutcome, Flow, Row, Run, data};
use crate::commands::table::{Command, table};
use crate::keyspace::Client;
use crate::resp::{Output, Protocol, Writer};
use crate::router::{BatchReply, Claims, Head, News, Stage};
use crate::runtime::errands::Mailbox;
use crate::session::{Core, ExecNews, Item, Migration, SessionId, Transfer, Transferred};
use crate::shard::{DataFn, Ticket};
use std::sync::Arc;

/// What a shard is asked for a key; no client can.
static COLLECT: Row = data(
    "migrate",
    2,
    Flags::READONLY,
    &[one_key(1, KeyFlags::RO.and(KeyFlags::ACCESS))],
    generic::dump_with_expiry,
);

/// MIGRATE.
pub fn migrate(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let mut options = Options::default();
    let parsed = options.parse(ctx.args);
    ctx.core.redacted.append(&mut options.secrets);
    parsed?;
    if options.keys.is_empty() {
        return Ok(ctx.reply.status("NOKEY").into());
    }
    let Some(command) = table().find(ctx.spec.name.as_bytes()) else {
        unreachable!("it has been found to be run");
    };
    begin(ctx.core, ctx.session, command.number, options);
    Ok(Flow::Later)
}

fn begin(core: &mut Core, id: SessionId, command: u16, options: Options) {
    let Some(session) = core.sessions.find(id) else {
        return;
    };
    let (db, executing) = (session.db, session.executing);
    let mut migration = Box::new(Migration {
        command,
        to: None,
        db,
        ticket: None,
        keys: options.keys,
        is_copy: options.is_copy,
        transfer: Some(options.transfer),
        found: Vec::new(),
        stage: None,
        transferred: None,
    });
    if let Some(executing) = executing {
        // The EXEC gets its locks when it knows that it has to wait.
        core.await_reply(id);
        core.exec_news.push((executing.exec, ExecNews::Migrates));
        core.migrations.insert(executing.exec, migration);
        return;
    }
    migration.to = hold(core, id);
    core.next_exec += 1;
    let number = core.next_exec;
    let claims = claims(core, &migration.keys);
    // What the client watches is no matter of its MIGRATE.
    let nobody = Client {
        core: core.id,
        session: u64::MAX,
    };
    let ticket = core
        .router
        .claim((number, nobody), claims, None, &mut core.shard);
    migration.ticket = Some(ticket);
    core.migrations.insert(number, migration);
}

/// The command that deletes what has gone.
fn deletion() -> (&'static Command, DataFn) {
    let command = table().find(b"del").expect("DEL is a command");
    match command.run {
        Run::Data(run) => (command, run),
        _ => unreachable!("DEL runs on shards"),
    }
}

fn claims(core: &Core, keys: &[Vec<u8>]) -> Claims {
    let mut claims = Claims::new(core.router.map());
    let words = del(keys.iter());
    claims.add(&deletion().0.spec, words.args());
    claims
}

fn del<'k>(keys: impl Iterator<Item = &'k Vec<u8>>) -> ArgStore {
    let keys = keys.map(Vec::as_slice);
    ArgStore::from_words([&b"DEL"[..]].into_iter().chain(keys))
}

/// An EXEC has got its locks, and its MIGRATE may begin.
pub fn begin_in_exec(core: &mut Core, exec: u64, ticket: Option<Ticket>) {
    let Some(migration) = core.migrations.get_mut(&exec) else {
        return;
    };
    migration.ticket = Some(ticket.expect("an EXEC locks the keys of its MIGRATE"));
    collect(core, exec);
}

/// Goes on with a migration.
pub fn hear(core: &mut Core, number: u64, news: News) {
    match news {
        News::Granted => collect(core, number),
        News::Ran(replies) => ran(core, number, &replies),
        News::Broken | News::Gathered { .. } => {
            unreachable!("a migration watches nothing and gathers nothing")
        }
    }
}

fn head(spec: &'static Spec, run: DataFn, migration: &Migration) -> Head {
    Head {
        spec,
        run,
        command: migration.command,
        db: migration.db,
        protocol: Protocol::Resp2,
        is_in_exec: true,
        may_wait: false,
        known: None,
    }
}

/// Asks the shards for the payloads.
fn collect(core: &mut Core, number: u64) {
    let (map, me) = (core.router.map(), core.id);
    let Some(migration) = core.migrations.get_mut(&number) else {
        return;
    };
    let Run::Data(run) = COLLECT.run else {
        unreachable!("it runs on shards");
    };
    let mut store = ArgStore::default();
    let commands: Vec<_> = (migration.keys.iter())
        .map(|key| store.add(ArgStore::from_words([&b"MIGRATE"[..], key]).args()))
        .collect();
    let mut stage = Stage::new(map, me, Arc::new(store));
    let head = head(&COLLECT.spec, run, migration);
    for command in commands {
        stage.add(head, command);
    }
    run_stage(core, number, stage);
}

fn run_stage(core: &mut Core, number: u64, stage: Stage) {
    let Some(migration) = core.migrations.get_mut(&number) else {
        return;
    };
    if let Some(ticket) = migration.ticket {
        core.router.run_stage(ticket, &stage, false);
    }
    migration.stage = Some(stage);
}

fn ran(core: &mut Core, number: u64, replies: &[(crate::keyspace::ShardId, BatchReply)]) {
    let Some(migration) = core.migrations.get_mut(&number) else {
        return;
    };
    let Some(stage) = migration.stage.take() else {
        return;
    };
    if migration.transferred.is_some() {
        return finish(core, number);
    }
    let mut output = Output::default();
    let random = &mut core.shard.space.common.random;
    let (mut from, mut items) = (Output::start(), Vec::new());
    let went = stage.assemble(replies, random, &mut output);
    for (at, went) in went.iter().enumerate() {
        let mut reply = Output::default();
        reply.append_part(&output, from, went.end);
        from = went.end;
        if let Some(item) = item(&migration.keys[at], &reply.to_bytes()) {
            migration.found.push(at);
            items.push(item);
        }
    }
    hand_over(core, number, items);
}

/// A key as its shard has packed it; none if there was no such key.
fn item(key: &[u8], reply: &[u8]) -> Option<Item> {
    let header = memchr::memchr(b'\n', reply)? + 1;
    let packed = reply[header..].strip_suffix(b"\r\n")?;
    let (expires_at_ms, payload) = packed.split_first_chunk::<8>()?;
    let expires_at_ms = i64::from_le_bytes(*expires_at_ms);
    Some(Item {
        key: key.to_vec(),
        payload: payload.to_vec(),
        expires_at_ms: (expires_at_ms != 0).then_some(expires_at_ms),
    })
}

/// Lets a thread talk to the other server.
fn hand_over(core: &mut Core, number: u64, items: Vec<Item>) {
    let Some(migration) = core.migrations.get_mut(&number) else {
        return;
    };
    if items.is_empty() {
        return finish(core, number);
    }
    let Some(transfer) = migration.transfer.take() else {
        return;
    };
    let transfer = Transfer { items, ..transfer };
    let clock = core.node.clock.clone();
    let letter = Letter {
        mailbox: core.transferred.clone(),
        number,
        transferred: Transferred {
            keys: Vec::new(),
            error: Some(transfer::READING.into()),
        },
    };
    let errand = move || letter.write(transfer::carry(&transfer, &clock));
    core.node.errands.run(Box::new(errand), transfer::sweep);
}

/// What came of a conversation. It is posted whatever becomes of the thread.
struct Letter {
    mailbox: Arc<Mailbox<(u64, Transferred)>>,
    number: u64,
    transferred: Transferred,
}

impl Letter {
    fn write(mut self, transferred: Transferred) {
        self.transferred = transferred;
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        let transferred = std::mem::take(&mut self.transferred);
        self.mailbox.post((self.number, transferred));
    }
}

/// Goes on with migrations whose conversations are over.
#[inline]
pub fn take_transferred(core: &mut Core) {
    if core.transferred.has_letters() {
        for (number, transferred) in core.transferred.take() {
            delete(core, number, transferred);
        }
    }
}

/// Deletes what the other side has taken.
fn delete(core: &mut Core, number: u64, transferred: Transferred) {
    let (map, me) = (core.router.map(), core.id);
    let Some(migration) = core.migrations.get_mut(&number) else {
        return;
    };
    let gone = transferred.keys.iter().map(|at| migration.found[*at]);
    let words = del(gone.map(|at| &migration.keys[at]));
    let nothing = transferred.keys.is_empty() || migration.is_copy;
    migration.transferred = Some(transferred);
    if nothing {
        return finish(core, number);
    }
    let mut store = ArgStore::default();
    let range = store.add(words.args());
    let mut stage = Stage::new(map, me, Arc::new(store));
    let (command, run) = deletion();
    stage.add(head(&command.spec, run, migration), range);
    run_stage(core, number, stage);
}

/// Lets the locks go, and replies.
fn finish(core: &mut Core, number: u64) {
    let Some(migration) = core.migrations.remove(&number) else {
        return;
    };
    let mut output = Output::default();
    let mut reply = Writer::new(&mut output, Protocol::Resp2);
    match &migration.transferred {
        None => drop(reply.status("NOKEY")),
        Some(Transferred { error: None, .. }) => drop(reply.ok()),
        Some(Transferred {
            error: Some(error), ..
        }) => {
            reply.error(error);
            count_failure(core, migration.command, &error.0);
        }
    }
    match (migration.to, migration.ticket) {
        (Some(to), Some(ticket)) => {
            core.router.close(ticket);
            let end = output.mark();
            core.arrived(to, (&output, Output::start(), end));
        }
        _ => core.exec_news.push((number, ExecNews::Replied(output))),
    }
}
