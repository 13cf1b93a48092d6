//! Transactions that span shards, seen from the core that coordinates them.
//!
//! ```text
//!   coordinator                      shards
//!      | -- Ask (all its locks) ----> |      each grants, and says what became of watched keys
//!      | <-- Granted ---------------- |      the last one settles the moment it runs at
//!      | -- Do (its part) ----------> |      as often as there are stages; nobody gets between
//!      | <-- Did -------------------- |
//! ```
//!
//! The locks are those of operations, and so are the rules for yielding them. What is to be done
//! under them comes from above, stage by stage, as [`News`] are taken; with the last stage the
//! shards release. If a watched key has changed, all release and nothing is done. A transaction
//! of two shards, this one among them, that is a single stage needs one round only.

use super::batch::{Batch, BatchReply};
use super::derived::derived_keys;
use super::message::{Alone, Ask, Done, Grant, Head, Job, Moment, Peer, Step, Then, Trial};
use super::stage::{Claims, Stage};
use super::state::Router;
use crate::base::clock;
use crate::command::{ArgStore, positions};
use crate::keyspace::{Client, ShardId, Slot, Watched};
use crate::resp::Output;
use crate::shard::{Fetched, Intents, Place, Point, Shard, Ticket, run_gathered};
use std::sync::Arc;

/// What has happened to a transaction.
#[derive(Debug)]
pub enum News {
    /// A watched key had changed; nothing was done, and nothing is locked any more.
    Broken,
    /// All locks are there.
    Granted,
    /// A stage has run, a transaction without locks included.
    Ran(Vec<(ShardId, BatchReply)>),
    /// A gathered command has run.
    Gathered {
        output: Output,
        nanos: u64,
        is_error: bool,
    },
}

/// A shard that takes part.
struct Member {
    shard: ShardId,
    grant: Option<(Watched, i64)>,
}

/// A command that is run here on copies of its keys.
struct Gathering {
    head: Head,
    args: ArgStore,
    fetched: Fetched,
    /// Keys whose names follow from the first one's value have been asked for.
    has_derived: bool,
    is_last: bool,
}

/// A transaction this core coordinates.
pub(super) struct Transaction {
    exec: u64,
    client: Client,
    members: Vec<Member>,
    /// All grants are there: nothing is yielded any more.
    is_running: bool,
    /// The other shard of a pair may be running its part already; this is our own.
    trying: Option<Option<Batch>>,
    /// A lower ticket asked for this core's own grant meanwhile.
    is_wounded: bool,
    /// The moment it runs at, Unix milliseconds.
    at_ms: i64,
    /// It may change something.
    is_write: bool,
    /// Its place in the serial order, when all grants are there.
    point: Option<Point>,
    /// The next stage.
    stage: u16,
    /// Those who take part keep effects.
    is_recording: bool,
    /// Shards that have not answered yet.
    missing: usize,
    replies: Vec<(ShardId, BatchReply)>,
    gathering: Option<Gathering>,
}

impl Transaction {
    fn new(exec: u64, client: Client, shards: impl Iterator<Item = ShardId>, now_ms: i64) -> Self {
        let members = shards.map(|shard| Member { shard, grant: None });
        Transaction {
            exec,
            client,
            members: members.collect(),
            is_running: false,
            trying: None,
            is_wounded: false,
            at_ms: now_ms,
            is_write: false,
            point: None,
            stage: 0,
            is_recording: false,
            missing: 0,
            replies: Vec::new(),
            gathering: None,
        }
    }

    fn member(&mut self, shard: ShardId) -> &mut Member {
        let found = self.members.iter_mut().find(|it| it.shard == shard);
        found.expect("only the transaction's shards answer")
    }

    /// Notes a grant; whether it was the last one.
    fn granted(&mut self, from: ShardId, grant: &Grant) -> bool {
        self.at_ms = self.at_ms.max(grant.now_ms);
        self.is_recording |= grant.is_recording;
        self.member(from).grant = Some((grant.watched, grant.now_ms));
        self.members.iter().all(|member| member.grant.is_some())
    }

    /// When the next stage runs.
    fn next_moment(&mut self, is_last: bool) -> Moment {
        let stage = self.stage;
        self.stage = stage.saturating_add(1);
        Moment {
            at_ms: self.at_ms,
            is_last,
            place: self.point.map(|point| Place {
                point,
                stage,
                is_last,
            }),
        }
    }

    /// Whether a watched key has changed, or its time may come.
    fn may_break(&self) -> bool {
        let mut grants = self.members.iter().filter_map(|member| member.grant);
        grants.any(|(watched, _)| watched != Watched::NOTHING)
    }

    /// Whether a watched key has changed, or its time has come, where grants are there.
    fn is_broken(&self) -> bool {
        let grants = self.members.iter().filter_map(|member| member.grant);
        grants
            .into_iter()
            .any(|(watched, _)| watched.is_broken || watched.expires_at_ms <= self.at_ms)
    }
}

impl Router {
    /// Runs a transaction whose keys are all on one shard: no locks, one round, none here.
    pub fn send_alone(&mut self, exec: u64, stage: &Stage, to: (ShardId, Client)) {
        let (shard, client) = to;
        let batch = stage.batch_of(shard).cloned();
        let alone = Alone {
            exec,
            client,
            batch: batch.unwrap_or_else(|| Batch::new(Arc::default())),
        };
        self.step(shard, Step::Alone(Box::new(alone)));
    }

    pub(super) fn alone_ran(&mut self, from: Peer, exec: u64, reply: Option<BatchReply>) {
        let news = match reply {
            Some(reply) => News::Ran(vec![(from, reply)]),
            None => News::Broken,
        };
        self.news.push((exec, news));
    }

    /// What has happened to transactions since the last time.
    pub fn take_news(&mut self) -> Vec<(u64, News)> {
        std::mem::take(&mut self.news)
    }

    /// Whether there may be news.
    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// Asks for all locks of a transaction. If it consists of `whole` only, that may run at once:
    /// then the news are that it has run.
    pub fn claim(
        &mut self,
        exec: (u64, Client),
        claims: Claims,
        whole: Option<&Stage>,
        shard: &mut Shard,
    ) -> Ticket {
        let (ticket, me) = (self.draw_ticket(), self.me);
        let is_write = claims.is_write();
        let mut claims = claims.intents();
        let now_ms = shard.space.common.now_ms;
        let shards = claims.iter().map(|(shard, _)| *shard);
        let mut transaction = Transaction::new(exec.0, exec.1, shards, now_ms);
        transaction.is_write = is_write;
        let is_pair = claims.len() == 2 && claims.iter().any(|(shard, _)| *shard == me);
        let mut trial = None;
        if let Some(stage) = whole.filter(|_| is_pair) {
            let own = claims.iter().position(|(shard, _)| *shard == me);
            let (_, intents) = claims.remove(own.expect("just seen to be there"));
            let ask = ask(intents, Then::Report, exec.1);
            let grant = self.ask_here(ticket, ask, shard);
            if let Some(grant) = grant {
                transaction.granted(me, &grant);
                trial = stage
                    .batch_of(claims[0].0)
                    .filter(|_| !transaction.may_break());
                let own = stage.batch_of(me).cloned();
                transaction.trying = trial.map(|_| own);
            }
        }
        for (peer, intents) in claims {
            let then = match trial {
                Some(batch) => Then::TryBatch(Trial {
                    batch: batch.clone(),
                    at_ms: now_ms,
                    is_write,
                }),
                None => Then::Report,
            };
            let ask = ask(intents, then, exec.1);
            self.step(peer, Step::Ask { ticket, ask });
        }
        self.transactions.insert(ticket, transaction);
        ticket
    }

    /// Takes locks of this shard that are free for a transaction that is running already; what it
    /// has done so far was its first stage.
    pub fn claim_here(
        &mut self,
        exec: (u64, Client),
        intents: Intents,
        shard: &mut Shard,
    ) -> Ticket {
        let ticket = self.draw_ticket();
        let now_ms = shard.space.common.now_ms;
        let me = self.me;
        let mut transaction = Transaction::new(exec.0, exec.1, [me].into_iter(), now_ms);
        let ask = ask(intents, Then::Report, exec.1);
        let grant = self.ask_here(ticket, ask, shard);
        transaction.granted(me, &grant.expect("nobody holds what is taken like this"));
        transaction.is_running = true;
        transaction.point = Some(self.draw_point(1));
        if let Some(place) = transaction.next_moment(false).place {
            shard.effects.end_part(place);
        }
        self.transactions.insert(ticket, transaction);
        ticket
    }

    pub(super) fn transaction_granted(
        &mut self,
        from: Peer,
        ticket: Ticket,
        grant: &Grant,
        shard: &Shard,
    ) {
        let now_ms = shard.space.common.now_ms;
        let numbers = self.numbers.clone();
        let Some(transaction) = self.transactions.get_mut(&ticket) else {
            return;
        };
        if !transaction.granted(from, grant) || transaction.trying.is_some() {
            return;
        }
        transaction.at_ms = transaction.at_ms.max(now_ms);
        let exec = transaction.exec;
        if transaction.is_broken() {
            self.close(ticket);
            return self.news.push((exec, News::Broken));
        }
        transaction.is_running = true;
        let parts = transaction.members.len();
        transaction.point = transaction.is_write.then(|| numbers.draw_point(parts));
        self.news.push((exec, News::Granted));
    }

    /// The other shard of a pair could not run at once.
    pub(super) fn transaction_waits(&mut self, ticket: Ticket) {
        let me = self.me;
        let Some(transaction) = self.transactions.get_mut(&ticket) else {
            return;
        };
        transaction.trying = None;
        if std::mem::take(&mut transaction.is_wounded) {
            transaction.member(me).grant = None;
            self.step(me, Step::Yield { ticket });
        }
    }

    /// A lower ticket needs what this transaction was granted on a shard.
    pub(super) fn transaction_wounded(&mut self, from: Peer, ticket: Ticket) {
        let Some(transaction) = self.transactions.get_mut(&ticket) else {
            return;
        };
        if transaction.is_running {
            return;
        }
        if transaction.trying.is_some() {
            transaction.is_wounded = true;
            return;
        }
        if transaction.member(from).grant.take().is_some() {
            self.step(from, Step::Yield { ticket });
        }
    }

    /// Runs commands under the locks of a transaction; behind the last ones it has none any more.
    pub fn run_stage(&mut self, ticket: Ticket, stage: &Stage, is_last: bool) {
        let Some(transaction) = self.transactions.get_mut(&ticket) else {
            return;
        };
        let moment = transaction.next_moment(is_last);
        transaction.missing = stage.batches().len();
        let shards: Vec<ShardId> = transaction.members.iter().map(|it| it.shard).collect();
        for shard in shards {
            let job = match stage.batch_of(shard) {
                Some(batch) => Job::Run(batch.clone()),
                None if is_last => Job::Nothing,
                None => continue,
            };
            let step = Step::Do {
                ticket,
                job,
                moment,
            };
            self.step(shard, step);
        }
    }

    /// Runs a command here on copies of its keys, under the locks of a transaction.
    pub fn gather(&mut self, ticket: Ticket, head: Head, args: ArgStore, is_last: bool) {
        let words = args.args();
        let keys = positions(head.spec.keys, words).map(|(at, _)| words.get(at).into());
        self.fetch_all(ticket, keys.collect());
        let Some(transaction) = self.transactions.get_mut(&ticket) else {
            return;
        };
        transaction.gathering = Some(Gathering {
            head,
            args,
            fetched: Fetched::default(),
            has_derived: false,
            is_last,
        });
    }

    /// Asks for copies of these keys.
    fn fetch_all(&mut self, ticket: Ticket, keys: Vec<Box<[u8]>>) {
        let map = self.map;
        let Some(transaction) = self.transactions.get_mut(&ticket) else {
            return;
        };
        // What turns out to have expired belongs behind the stages before: one of them may have
        // given the databases other numbers.
        let moment = transaction.next_moment(false);
        let mut jobs: Vec<(ShardId, ArgStore)> = Vec::new();
        for key in &keys {
            let owner = map.shard(Slot::of(key));
            match jobs.iter_mut().find(|(shard, _)| *shard == owner) {
                Some((_, keys)) => keys.push(key),
                None => jobs.push((owner, ArgStore::from_words([&**key]))),
            }
        }
        transaction.missing = jobs.len();
        for (shard, keys) in jobs {
            let step = Step::Do {
                ticket,
                job: Job::Fetch(keys),
                moment,
            };
            self.step(shard, step);
        }
    }

    /// Ends a transaction: its shards release.
    pub fn close(&mut self, ticket: Ticket) {
        let Some(mut transaction) = self.transactions.remove(&ticket) else {
            return;
        };
        let moment = transaction.next_moment(true);
        for member in transaction.members {
            let step = Step::Do {
                ticket,
                job: Job::Nothing,
                moment,
            };
            self.step(member.shard, step);
        }
    }

    /// Forgets a transaction whose shards have released with its last stage.
    pub fn finish_transaction(&mut self, ticket: Ticket) {
        self.transactions.remove(&ticket);
    }

    pub(super) fn did(&mut self, from: Peer, ticket: Ticket, done: Done, shard: &mut Shard) {
        let Some(transaction) = self.transactions.get_mut(&ticket) else {
            return;
        };
        if let Some(own) = transaction.trying.take() {
            return self.tried(from, ticket, (own, done), shard);
        }
        transaction.missing -= 1;
        match done {
            Done::Ran(reply, _) => transaction.replies.push((from, reply)),
            Done::Fetched(fetched) => {
                let gathering = transaction.gathering.as_mut();
                let gathering = gathering.expect("copies are asked for to be gathered");
                gathering.fetched.extend(fetched);
            }
            Done::Broken => unreachable!("watched keys are looked at before anything runs"),
        }
        if transaction.missing > 0 {
            return;
        }
        match transaction.gathering.take() {
            Some(gathering) => self.go_on_gathering(ticket, gathering, shard),
            None => {
                let replies = std::mem::take(&mut transaction.replies);
                self.news.push((transaction.exec, News::Ran(replies)));
            }
        }
    }

    /// Copies have come: runs, or asks for those whose names are known only now.
    fn go_on_gathering(&mut self, ticket: Ticket, mut gathering: Gathering, shard: &mut Shard) {
        if !std::mem::replace(&mut gathering.has_derived, true) {
            let fetched = std::iter::once(&gathering.fetched);
            let keys = derived_keys(&gathering.head, gathering.args.args(), fetched);
            if !keys.is_empty() {
                self.fetch_all(ticket, keys);
                let transaction = self.transactions.get_mut(&ticket);
                transaction.expect("it was just asked for").gathering = Some(gathering);
                return;
            }
        }
        self.run_gathering(ticket, gathering, shard);
    }

    /// The other shard of a pair has run its part, or has found that nothing may be run.
    fn tried(
        &mut self,
        from: Peer,
        ticket: Ticket,
        done: (Option<Batch>, Done),
        shard: &mut Shard,
    ) {
        let Some(transaction) = self.transactions.remove(&ticket) else {
            return;
        };
        let (me, client) = (self.me, transaction.client);
        shard.unpin(ticket);
        let news = match done {
            (own, Done::Ran(reply, moment)) => {
                let mut replies = vec![(from, reply)];
                match (own, moment.place) {
                    (Some(own), place) => {
                        replies.push((me, own.run(client, moment.at_ms, place, shard)));
                    }
                    (None, Some(place)) => shard.effects.end_part(place),
                    (None, None) => {}
                }
                News::Ran(replies)
            }
            _ => News::Broken,
        };
        self.news.push((transaction.exec, news));
        self.release(ticket, shard);
    }

    fn run_gathering(&mut self, ticket: Ticket, gathering: Gathering, shard: &mut Shard) {
        let Gathering {
            head,
            args,
            fetched,
            is_last,
            ..
        } = gathering;
        let Some(transaction) = self.transactions.get_mut(&ticket) else {
            return;
        };
        let (exec, client) = (transaction.exec, transaction.client);
        let is_recording = transaction.is_recording && transaction.is_write;
        let moment = transaction.next_moment(is_last);
        let shards: Vec<ShardId> = transaction.members.iter().map(|it| it.shard).collect();
        let mut output = Output::default();
        let now_ms = shard.space.common.now_ms;
        shard.set_now(moment.at_ms);
        let start = clock::cycles();
        let call = head.call(args.args(), client);
        let gathered = run_gathered(shard, &call, fetched, is_recording, &mut output);
        let nanos = clock::nanos_between(start, clock::cycles());
        shard.set_now(now_ms.max(moment.at_ms));
        let is_error = gathered.result.is_err();
        for (shard, put) in self.puts(&shards, gathered) {
            let step = Step::Do {
                ticket,
                job: Job::Put(put),
                moment,
            };
            self.step(shard, step);
        }
        let news = News::Gathered {
            output,
            nanos,
            is_error,
        };
        self.news.push((exec, news));
    }
}

fn ask(intents: Intents, then: Then, client: Client) -> Ask {
    let exec = Some(client);
    Ask {
        intents,
        then,
        exec,
    }
}
