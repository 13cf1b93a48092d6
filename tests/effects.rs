//! Effects replay: what a command says it changed, applied elsewhere, gives the same keys.
//!
//! Random commands run on a node of several shards, in one thread and on a clock that is turned by
//! hand. Their effects run on a keyspace that has no clock at all (its time stands at zero), as a
//! log or a replica would run them; after every command both hold the same values with the same
//! expiries. `EFFECTS_SEED=` repeats a run.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "differential/generate.rs"]
mod generate;
mod support;

use generate::{Command, Generator};
use ringshard::base::prng::Prng;
use ringshard::command::{Args, Flags, Group};
use ringshard::commands::local::{LocalClient, LocalNode};

use ringshard::commands::table;
use ringshard::keyspace::{Client, DbIndex, Digest, EntryRef, Key, Keyspace, ShardId, SlotMap};
use ringshard::object::hash::HashRef;
use ringshard::object::stream::{Stream, StreamId};
use ringshard::object::{Form, Kind, Object};
use ringshard::resp::{Output, Protocol};
use ringshard::shard::{Call, Shard};
use std::collections::{BTreeMap, BTreeSet};
use support::Merged;
use support::merged::requests;
use support::prng::seed_from;

const SHARDS: [usize; 3] = [1, 2, 7];
const COMMANDS: usize = 10_000;
const GROUPS: [Group; 9] = [
    Group::String,
    Group::Bitmap,
    Group::Hash,
    Group::HyperLogLog,
    Group::List,
    Group::Set,
    Group::SortedSet,
    Group::Geo,
    Group::Stream,
];

/// What the generator has not: expiries so near that they pass during the run.
const NEAR: &[&str] = &[
    "SET K V PX T",
    "SET K V NX PX T",
    "SET K V GET EX 1",
    "SETNX K V",
    "SETEX K 1 V",
    "PSETEX K T V",
    "GETEX K PX T",
    "GETEX K EX 1",
    "GETEX K PERSIST",
    "SADD E V",
    "SPOP E",
    "SPOP E 2",
    "HSET h V 1 V 2 V 3",
    "HSET h V 1 V 2 V 3 V 4 V 5",
    "HSET h V 1 V 2 V 3 V 4 V 5 V 6",
    "HEXPIREAT h 33177117420 FIELDS 2 V V",
    "HEXPIREAT h 33177117420 FIELDS 4 V V V V",
    "HSET h V 1 V 2 V 3 V 4 V 5 V 6 V 7",
    "HPEXPIRE h T FIELDS 2 V V",
    "HPEXPIRE h T NX FIELDS 2 V V",
    "HEXPIRE h 1 FIELDS 3 V V V",
    "HEXPIREAT h 1 FIELDS 1 V",
    "HPEXPIREAT h 33177117420123 GT FIELDS 2 V V",
    "HPERSIST h FIELDS 2 V V",
    "HINCRBYFLOAT h V 1.5",
    "HINCRBY h V 1",
    "HGET h V",
    "HRANDFIELD h 3",
    "HDEL h V V",
    "HSETNX h V 7",
    "PEXPIRE h T",
    "XADD x * f V",
    "XADD x MAXLEN ~ 3 * f V",
    "XADD x MINID ~ T * f V",
    "XTRIM x MAXLEN ~ 1",
    "XTRIM x MINID 1700000000100",
    "XGROUP CREATE x g 0 MKSTREAM",
    "XREADGROUP GROUP g V COUNT 2 STREAMS x >",
    "XREADGROUP GROUP g V STREAMS x 0",
    "XCLAIM x g V T 0-1 1700000000000 FORCE",
    "XAUTOCLAIM x g V T 0 COUNT 2",
];

/// A group's life, which chance seldom leads through all of.
const GROUP: &[&str] = &[
    // Rare ones, so that chance need not meet them, and those that must not have to wait.
    "SET never:n 1",
    "INCR never:n",
    "INCRBY never:n 2",
    "DECR never:n",
    "DECRBY never:n 2",
    "INCRBYFLOAT never:n 0.5",
    "APPEND never:n 5",
    "SETRANGE never:n 2 x",
    "SETBIT never:n 1 0",
    "BITFIELD never:n SET u8 0 9",
    "BITOP NOT never:m never:n",
    "GETSET never:n 1",
    "GETDEL never:n",
    "RPUSH never:w 1 2 3 4 5 6 7 8",
    "BLPOP never:v never:w 0",
    "BRPOP never:w 0",
    "BLMPOP 0 2 never:v never:w LEFT COUNT 2",
    "BLMOVE never:w never:v LEFT RIGHT 0",
    "BRPOPLPUSH never:w never:v 0",
    "ZADD never:u 1 a 2 b 3 c 4 d 5 e",
    "BZPOPMIN never:t never:u 0",
    "BZPOPMAX never:u 0",
    "BZMPOP 0 2 never:t never:u MIN COUNT 2",
    "ZADD never:z 1 a 2 b 3 c 4 d 5 e 6 f",
    "ZINCRBY never:z 1 f",
    "ZRANGESTORE never:y never:z 0 1",
    "ZUNIONSTORE never:y 1 never:z",
    "ZINTERSTORE never:y 2 never:z never:z",
    "ZDIFFSTORE never:y 2 never:z never:nothing",
    "GEOADD never:g 1 1 a 2 2 b",
    "GEOSEARCHSTORE never:h never:g FROMMEMBER a BYRADIUS 999 km",
    "GEORADIUS never:g 1 1 999 km STORE never:h",
    "GEORADIUSBYMEMBER never:g a 999 km STORE never:h",
    "SADD never:r a b",
    "SADD never:q b c",
    "SUNIONSTORE never:p never:r never:q",
    "SINTERSTORE never:p never:r never:q",
    "SDIFFSTORE never:p never:r never:q",
    "SREM never:p a",
    "PFADD never:f a b",
    "PFADD never:e c",
    "PFMERGE never:f never:e",
    "PFDEBUG TODENSE never:f",
    "RPUSH never:m 3 1 2",
    "LPUSH never:m 4",
    "SORT never:m STORE never:k",
    "LMOVE never:m never:k LEFT RIGHT",
    "RPOPLPUSH never:m never:k",
    "LPOP never:m",
    "RPOP never:k",
    "HSET never:j a 1 b 2.5",
    "HMSET never:j c 3",
    "HSETNX never:j d 4",
    "HINCRBY never:j a 2",
    "HINCRBYFLOAT never:j b 0.5",
    "HEXPIRE never:j 1000 FIELDS 1 a",
    "HPEXPIRE never:j 900000 FIELDS 1 b",
    "HEXPIREAT never:j 20000000000 FIELDS 1 c",
    "HPEXPIREAT never:j 20000000000000 FIELDS 1 d",
    "HPERSIST never:j FIELDS 1 a",
    "HDEL never:j a",
    "ZADD never:z 1 a 2 b 3 c 4 d 5 e 6 f",
    "ZREMRANGEBYSCORE never:z 1 1",
    "ZREMRANGEBYRANK never:z 0 0",
    "ZPOPMIN never:z",
    "ZPOPMAX never:z",
    "ZMPOP 1 never:z MIN",
    "ZADD never:i 0 x 0 y",
    "ZREMRANGEBYLEX never:i [x [x",
    "RPUSH never:l a b c d e f",
    "LINSERT never:l BEFORE c x",
    "LREM never:l 1 d",
    "LSET never:l 0 z",
    "LTRIM never:l 0 -2",
    "LMPOP 1 never:l LEFT",
    "LPUSHX never:l a",
    "RPUSHX never:l b",
    "SADD never:s a b c d",
    "SMOVE never:s never:t a",
    "SPOP never:s",
    "XADD never:named 5-* a 1",
    "XADD never:named MAXLEN ~ 100 LIMIT 5 6-1 a 2",
    "XGROUP CREATE never:named g 0",
    "XREADGROUP GROUP g c STREAMS never:named >",
    "XREADGROUP GROUP g c STREAMS never:named 0",
    "XCLAIM never:named g d 0 5-0 IDLE 500 LASTID 5-1",
    "XAUTOCLAIM never:named g e 0 0 COUNT 1",
    "XACK never:named g 6-1",
    "XDEL never:named 5-0",
    "XCLAIM never:named g d 0 5-0 JUSTID",
    "XGROUP SETID never:named g $ ENTRIESREAD 1",
    "XGROUP CREATECONSUMER never:named g f",
    "XGROUP DELCONSUMER never:named g e",
    "XREADGROUP GROUP g new NOACK STREAMS never:named >",
    "XSETID never:named 9-0",
    "XTRIM never:named MAXLEN ~ 0",
    "XGROUP DESTROY never:named g",
];

/// Values by key, with their expiries.
type Content = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn content_of(space: &Keyspace, now_ms: i64, content: &mut Content) {
    space.each(DbIndex(0), |entry: EntryRef<'_>| {
        let value = value_of(entry);
        if entry.expires_at_ms().is_none_or(|at| at >= now_ms) {
            content.insert(entry.key().to_vec(), (value, entry.expires_at_ms()));
        }
    });
}

/// The value; the fields of a hash in the order of their names.
fn value_of(entry: EntryRef<'_>) -> Vec<u8> {
    let Some(form) = entry.collection() else {
        return entry.string().unwrap().with_bytes(<[u8]>::to_vec);
    };
    if let Form::Object(Object::Stream(stream)) = form {
        return stream_content(stream);
    }
    if form.kind() != Kind::Hash {
        return Digest::of_value(entry).0.to_vec();
    }
    // A digest says nothing of when fields expire.
    let pairs = HashRef::new(form).iter();
    let mut fields: Vec<String> = pairs.map(|pair| format!("{pair:?}")).collect();
    fields.sort();
    fields.concat().into_bytes()
}

/// All of a stream but when its consumers were seen, which does not replay.
fn stream_content(stream: &Stream) -> Vec<u8> {
    let log = &stream.log;
    let ids = (log.last_id, log.first_id, log.max_deleted_id);
    let mut text = format!("{ids:?} {} {}\n", log.len(), log.entries_added);
    for entry in log.entries(StreamId::MIN, StreamId::MAX) {
        let fields: Vec<_> = entry.fields().collect();
        text += &format!("{} {fields:?}\n", entry.id);
    }
    for (name, group) in stream.groups() {
        text += &format!("{name:?} {} {:?}\n", group.last_id, group.entries_read);
        for consumer in group.consumers() {
            text += &format!("{:?} {}\n", consumer.name(), consumer.pending().len());
        }
        for (id, pending) in group.pending().iter() {
            let owner = group.consumer(pending.consumer).name();
            let (at, count) = (pending.delivered_at_ms, pending.deliveries);
            text += &format!("{id} {owner:?} {at} {count}\n");
        }
    }
    text.into_bytes()
}

/// The command, or of a container the form that is meant.
fn found<'a>(words: &[&[u8]]) -> Option<&'a ringshard::commands::Command> {
    let command = table().find(words[0])?;
    match words.get(1).filter(|_| command.spec.is_container) {
        Some(form) => table().find_subcommand(command, form),
        None => Some(command),
    }
}

/// Whoever applies effects.
struct Follower(Shard);

impl Follower {
    fn new() -> Follower {
        let random = Prng::from_seed(0);
        Follower(Shard::new(ShardId(0), SlotMap::new(1), 16, random))
    }

    fn apply(&mut self, args: Args<'_>) {
        let key = Key::new(args.get(1));
        let mut door = self.0.space.door(DbIndex(0));
        match args.get(0) {
            b"DEL" => drop(door.remove(&key)),
            b"PERSIST" => drop(door.set_expiry(&key, None)),
            b"PEXPIREAT" => drop(door.set_expiry(&key, Some(args.integer(2).unwrap()))),
            name => self.run(name, args),
        }
    }

    fn run(&mut self, name: &[u8], args: Args<'_>) {
        let command = found(&[name, args.get(1)]).expect("effects are commands");
        let Some(run) = command.run.on_shard() else {
            panic!("effects are data commands");
        };
        let call = Call {
            spec: &command.spec,
            run,
            db: DbIndex(0),
            protocol: Protocol::Resp2,
            args,
            client: Client {
                core: ShardId(0),
                session: 0,
            },
            is_in_exec: false,
            known: None,
        };
        let mut reply = Output::default();
        self.0.run(&call, &mut reply).expect("effects do not fail");
    }
}

struct Rehearsal {
    node: LocalNode,
    client: LocalClient,
    merged: Merged,
    follower: Follower,
    /// Commands that had an effect.
    effective: BTreeSet<String>,
}

impl Rehearsal {
    fn new(shards: usize, seed: u64) -> Rehearsal {
        let mut node = LocalNode::new(shards, seed);
        let merged = Merged::of(&mut node);
        let client = node.connect(shards - 1);
        Rehearsal {
            node,
            client,
            merged,
            follower: Follower::new(),
            effective: BTreeSet::new(),
        }
    }

    /// Runs a command and what follows from it; the client is free again behind it.
    fn run(&mut self, command: &Command) {
        let mut bytes = Vec::new();
        support::client::encode(command, &mut bytes);
        let mut reply = self.node.talk(self.client, &bytes);
        if reply.is_empty() {
            // It waits on another core, which looks at its clock when that ticks.
            self.node.clock.advance_millis(2);
            self.node.tick();
            reply = self.node.receive(self.client);
        }
        assert!(!reply.is_empty(), "{command:?} waits for ever");
        self.merged.drain_all(&mut self.node);
        for effect in requests(&self.merged.take()) {
            if ["SELECT", "MULTI", "EXEC"]
                .map(str::as_bytes)
                .contains(&effect.args().get(0))
            {
                continue;
            }
            self.follower.apply(effect.args());
            let words: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
            let name = found(&words).map(|command| command.spec.name);
            self.effective.extend(name.map(str::to_owned));
        }
    }

    /// What the node holds and the follower does not hold alike.
    fn differences(&self) -> Vec<Vec<u8>> {
        let now_ms = self.node.clock.clock().millis().0;
        let (mut ours, mut theirs) = (Content::new(), Content::new());
        for core in &self.node.cores {
            content_of(&core.shard.space, now_ms, &mut ours);
        }
        content_of(&self.follower.0.space, now_ms, &mut theirs);
        let keys: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
        keys.into_iter()
            .filter(|key| ours.get(*key) != theirs.get(*key))
            .cloned()
            .collect()
    }
}

fn is_concerned(command: &Command) -> bool {
    table()
        .find(&command[0])
        .is_some_and(|found| GROUPS.contains(&found.spec.group) || found.spec.name == "sort")
}

fn near(generator: &mut Generator) -> Command {
    let template = *generator.prng.pick(NEAR);
    let words = template.split(' ').map(|word| match word {
        "K" => format!("n{}", 1 + generator.prng.below(3)),
        "E" => format!("s{}", 1 + generator.prng.below(3)),
        "V" if template.contains(" g") => "annbob"[..1 + generator.prng.below(3)].to_string(),
        "V" if template.contains(" h") => generator.prng.below(12).to_string(),
        "V" => generator.prng.below(1000).to_string(),
        "T" => (1 + generator.prng.below(300)).to_string(),
        word => word.to_string(),
    });
    words.map(String::into_bytes).collect()
}

fn next_command(generator: &mut Generator) -> Command {
    if generator.prng.percent(25) {
        return near(generator);
    }
    loop {
        let command = generator.command();
        if is_concerned(&command) {
            return command;
        }
    }
}

#[test]
fn effects_replay_to_the_same_keys() {
    let seed = seed_from("EFFECTS_SEED");
    let mut effective = BTreeSet::new();
    for shards in SHARDS {
        println!("EFFECTS_SEED={seed}, {shards} shards");
        let mut generator = Generator::new(seed);
        let mut rehearsal = Rehearsal::new(shards, seed);
        for number in 0..COMMANDS {
            let command = next_command(&mut generator);
            let passed = generator.prng.below(20) as i64;
            rehearsal.node.clock.advance_millis(passed);
            rehearsal.run(&command);
            let differences = rehearsal.differences();
            assert!(
                differences.is_empty(),
                "command {number}, {:?}: {:?}",
                String::from_utf8_lossy(&command.join(&b" "[..])),
                differences
            );
        }
        // Keys that the random commands never name, so that chance need not leave some free.
        let words = ["MSETNX", "never:named:1", "1", "never:named:2", "2"];
        rehearsal.run(&words.map(|word| word.as_bytes().to_vec()).to_vec());
        assert!(rehearsal.differences().is_empty(), "MSETNX of new keys");
        for line in GROUP {
            rehearsal.run(&self::words(line));
            assert!(rehearsal.differences().is_empty(), "{line}");
        }
        effective.append(&mut rehearsal.effective);
    }
    for command in table().commands() {
        let spec = &command.spec;
        let is_concerned = GROUPS.contains(&spec.group) || spec.name == "sort";
        if is_concerned && spec.flags.has(Flags::WRITE) {
            assert!(effective.contains(spec.name), "{} was not met", spec.name);
        }
    }
}

/// Payloads are bytes that no generator makes: RESTORE with each kind of expiry.
#[test]
fn payloads_replay_to_the_same_moment() {
    let payload = ringshard::rdb::dump(ringshard::rdb::ValueRef::Text(b"value"), true);
    for shards in SHARDS {
        let mut rehearsal = Rehearsal::new(shards, 1);
        for line in [
            "RESTORE a 0 PAYLOAD",
            "RESTORE a 5000 PAYLOAD REPLACE",
            "RESTORE b 9000 PAYLOAD IDLETIME 7",
            "RESTORE c 33177117420000 PAYLOAD ABSTTL",
            "RESTORE c 1 PAYLOAD ABSTTL",
            "RESTORE c 1 PAYLOAD ABSTTL REPLACE",
        ] {
            rehearsal.node.clock.advance_millis(10);
            let mut words = words(line);
            words[3].clone_from(&payload);
            rehearsal.run(&words);
            assert!(rehearsal.differences().is_empty(), "{line}");
        }
        let mut there = |key: &str| {
            let key = Key::new(key.as_bytes());
            rehearsal.follower.0.space.door(DbIndex(0)).contains(&key)
        };
        assert_eq!(["a", "b", "c"].map(&mut there), [true, true, false]);
    }
}

/// The test itself: a follower that runs the commands as they came, at its own time, drifts away.
#[test]
fn commands_as_they_came_do_not_replay() {
    let as_they_came = ["SET a 1 EX 100", "GETEX a EX 50", "SETEX a 10 x"];
    for line in as_they_came {
        let mut rehearsal = Rehearsal::new(1, 1);
        rehearsal.run(&words("SET a 0"));
        assert!(rehearsal.differences().is_empty());
        let line = words(line);
        rehearsal.run(&line);
        assert!(rehearsal.differences().is_empty());
        let store = ringshard::command::ArgStore::from_words(line.iter().map(Vec::as_slice));
        let now_ms = rehearsal.node.clock.clock().millis().0;
        rehearsal.follower.0.set_now(now_ms + 1);
        rehearsal.follower.run(&line[0], store.args());
        assert_eq!(rehearsal.differences(), vec![b"a".to_vec()]);
    }
}

fn words(line: &str) -> Command {
    line.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}
