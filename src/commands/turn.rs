//! A turn: everything that has arrived on a core, parsed, looked up and run together.
//!
//! ```text
//!   parse and hash        for all requests of a window: find the row, hash the key,
//!                         ask the processor for the table line
//!   look ahead            for all: ask for the entry
//!   run                   for all, in order
//! ```
//!
//! A lookup that waits for its cache misses costs some 700 ns in a large keyspace; overlapped like
//! this it costs a sixth. What cannot be parsed yet is left to the session's assembly; what may
//! not run yet stays in its pending bytes and is tried again when a reply has come.

use super::dispatch::{Staged, Verdict, dispatch};
use super::gate;
use super::transactions;
use crate::command::{ArgStore, Args};
use crate::keyspace::{DbIndex, Key};
use crate::resp::{Assembly, Fed, Limits, Parsed, Span, parse, put_request};
use crate::session::{Closing, Core, Session, SessionId};

/// Bytes that have arrived for a session.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub session: SessionId,
    pub data: &'a [u8],
}

/// How many requests are looked ahead together: their lines and entries fit the first cache.
const WINDOW: usize = 160;
/// The same for requests that have waited, at first: the next one may have to wait again.
const RESUMED_WINDOW: usize = 4;

#[derive(Clone, Copy)]
struct Request {
    input: u32,
    first_span: u32,
    spans: u32,
    /// Where it starts in its input.
    start: u32,
    staged: Staged,
    db: DbIndex,
}

/// Memory of a turn, reused.
#[derive(Default)]
pub struct Turn {
    spans: Vec<Span>,
    requests: Vec<Request>,
    /// For each input: from where on nothing may run yet.
    stopped: Vec<Option<u32>>,
    /// Inputs that end in the beginning of a request, and where it begins.
    tails: Vec<(usize, usize)>,
    /// How many requests are looked ahead together now.
    window: usize,
}

impl Turn {
    /// Takes in what has arrived, in order. Each session is named once.
    pub fn run(&mut self, core: &mut Core, inputs: &[Input<'_>]) {
        self.window = WINDOW;
        for input in inputs {
            if core.is_stream(input.session) {
                core.note_stream(input.data);
            }
        }
        self.work(core, inputs);
        for (number, input) in inputs.iter().enumerate() {
            if let Some(from) = self.stopped[number] {
                keep(core, input.session, &input.data[from as usize..]);
            }
        }
    }

    /// Runs what may run, and leaves in `stopped` where the rest begins.
    fn work(&mut self, core: &mut Core, inputs: &[Input<'_>]) {
        self.stopped.clear();
        self.stopped.resize(inputs.len(), None);
        self.tails.clear();
        for number in 0..inputs.len() {
            self.take(core, number, inputs);
        }
        self.execute(core, inputs);
        for (number, at) in std::mem::take(&mut self.tails) {
            if self.stopped[number].is_none() {
                begin_assembly(core, inputs[number].session, &inputs[number].data[at..]);
            }
        }
    }

    /// Parses an input to its end; runs what does not fit the window on the way.
    fn take(&mut self, core: &mut Core, number: usize, inputs: &[Input<'_>]) {
        let Input { session: id, data } = inputs[number];
        let Some(mut at) = self.enter(core, number, inputs[number]) else {
            return;
        };
        let mut limits = limits(core, id);
        while self.stopped[number].is_none() {
            let first = self.spans.len();
            match parse(data, at, &mut self.spans, limits) {
                Parsed::Request(next) => {
                    self.stage(core, number, inputs[number], (first, at));
                    at = next;
                    // Who is not trusted yet may become so by the command before.
                    if self.requests.len() >= self.window || !limits.is_trusted {
                        self.execute(core, inputs);
                        self.window = WINDOW.min(2 * self.window);
                        limits = self::limits(core, id);
                    }
                }
                Parsed::Nothing(next) => at = next,
                Parsed::Inline(words, next) => {
                    self.execute(core, inputs);
                    if self.stopped[number].is_none() && !run_inline(core, id, &words) {
                        self.stopped[number] = Some(at as u32);
                    }
                    at = next;
                    limits = self::limits(core, id);
                }
                Parsed::Incomplete => {
                    if at < data.len() {
                        self.tails.push((number, at));
                    }
                    return;
                }
                Parsed::Bad(text) => {
                    self.execute(core, inputs);
                    if self.stopped[number].is_none() {
                        protocol_error(core, id, &text);
                    }
                    return;
                }
            }
        }
    }

    /// Lets a session that waits keep its input, and finishes a request begun earlier. Returns
    /// where parsing starts.
    fn enter(&mut self, core: &mut Core, number: usize, input: Input<'_>) -> Option<usize> {
        let session = core.sessions.find_mut(input.session)?;
        if !session.may_run() || !session.pending.is_empty() {
            self.stopped[number] = Some(0);
            return None;
        }
        let mut at = 0;
        if session.assembly.is_some() {
            at = assemble(core, input.session, input.data)?;
        }
        let session = core.sessions.find(input.session)?;
        if !session.may_run() || !session.pending.is_empty() {
            self.stopped[number] = Some(at as u32);
            return None;
        }
        Some(at)
    }

    /// Finds row and key of a request and asks for its table line.
    #[inline]
    fn stage(&mut self, core: &Core, number: usize, input: Input<'_>, at: (usize, usize)) {
        let (first, start) = at;
        let args = Args::new(input.data, &self.spans[first..], &[]);
        let db = core
            .sessions
            .find(input.session)
            .map_or(DbIndex(0), |session| session.db);
        let mut staged = Staged::default();
        if let Ok(command) = gate::resolve(args) {
            staged.command = Some(command);
            if let Some(at) = command.only_key.filter(|at| *at < args.len()) {
                let key = Key::new(args.get(at));
                staged.known = Some((at, key.slot, key.hash));
                if core.router.map().shard(key.slot) == core.id {
                    core.shard.space.db(db).prefetch(&key);
                }
            }
        }
        self.requests.push(Request {
            input: number as u32,
            first_span: first as u32,
            spans: (self.spans.len() - first) as u32,
            start: start as u32,
            staged,
            db,
        });
    }

    /// Runs what is staged.
    fn execute(&mut self, core: &mut Core, inputs: &[Input<'_>]) {
        for request in &self.requests {
            let Some((_, slot, hash)) = request.staged.known else {
                continue;
            };
            if core.router.map().shard(slot) == core.id {
                let key = Key {
                    bytes: &[],
                    slot,
                    hash,
                };
                core.shard.space.db(request.db).prefetch_entry(&key);
            }
        }
        let mut at = 0;
        while let Some(request) = self.requests.get(at).copied() {
            at += 1;
            let number = request.input as usize;
            if self.stopped[number].is_some() {
                continue;
            }
            if self.may_join(at - 1) && self.may_join(at) {
                let taken = self.execute_together(core, inputs, at - 1);
                if taken > 0 {
                    at += taken - 1;
                    continue;
                }
            }
            let args = self.args(inputs, &request);
            let verdict = dispatch(core, inputs[number].session, args, request.staged);
            if verdict == Verdict::NotYet {
                self.stopped[number] = Some(request.start);
            }
        }
        self.requests.clear();
        self.spans.clear();
    }
}

impl Turn {
    /// The arguments of a staged request.
    #[inline]
    fn args<'a>(&'a self, inputs: &[Input<'a>], request: &Request) -> Args<'a> {
        let spans = &self.spans[request.first_span as usize..][..request.spans as usize];
        Args::new(inputs[request.input as usize].data, spans, &[])
    }

    /// Whether the request at this place may travel with others.
    #[inline]
    fn may_join(&self, at: usize) -> bool {
        let command = self.requests.get(at).and_then(|it| it.staged.command);
        command.is_some_and(transactions::may_join)
    }

    /// Runs requests of one session together that span shards; how many they are, if any.
    #[inline(never)]
    fn execute_together(&self, core: &mut Core, inputs: &[Input<'_>], first: usize) -> usize {
        let input = self.requests[first].input;
        let same = self.requests[first..].iter();
        let same = same.take_while(|request| request.input == input);
        let commands = same.map_while(|request| {
            let command = request.staged.command;
            let command = command.filter(|command| transactions::may_join(command))?;
            Some((command, self.args(inputs, request)))
        });
        transactions::run_together(core, inputs[input as usize].session, commands)
    }
}

/// What a client may announce.
fn limits(core: &Core, id: SessionId) -> Limits {
    let is_trusted = core
        .sessions
        .find(id)
        .is_some_and(|session| core.is_trusted(session));
    Limits {
        bulk_max: core.config.proto_max_bulk_len as u64,
        is_trusted,
    }
}

/// Keeps requests that may not run yet.
fn keep(core: &mut Core, id: SessionId, data: &[u8]) {
    let Some(session) = core.sessions.find_mut(id) else {
        return;
    };
    // What of a master's stream has not run has to be known to its end: the rest counts as run.
    if session.closing == Closing::No || session.is_master {
        session.pending.push(data);
        check_query_limit(core, id);
    }
}

fn begin_assembly(core: &mut Core, id: SessionId, data: &[u8]) {
    if let Some(session) = core.sessions.find_mut(id) {
        session.assembly = Some(Box::default());
    }
    let taken = assemble(core, id, data);
    debug_assert!(
        taken.is_none(),
        "what the parser calls incomplete is incomplete"
    );
}

/// Runs an inline request; returns whether it could run now.
fn run_inline(core: &mut Core, id: SessionId, words: &[Vec<u8>]) -> bool {
    let store = ArgStore::from_words(words.iter().map(Vec::as_slice));
    dispatch(core, id, store.args(), Staged::default()) == Verdict::Done
}

/// Feeds a request that arrives in pieces, and runs it when it is whole. Returns how many bytes
/// were taken when there may be more behind them.
fn assemble(core: &mut Core, id: SessionId, data: &[u8]) -> Option<usize> {
    let limits = limits(core, id);
    let session = core.sessions.find_mut(id)?;
    let mut assembly = session.assembly.take()?;
    match assembly.feed(data, limits) {
        Fed::More => {
            session.assembly = Some(assembly);
            check_query_limit(core, id);
            None
        }
        Fed::Whole(taken) => {
            run_assembled(core, id, &assembly);
            Some(taken)
        }
        Fed::Nothing(taken) => Some(taken),
        Fed::Bad(text) => {
            protocol_error(core, id, &text);
            None
        }
    }
}

/// Runs a request that arrived in pieces.
fn run_assembled(core: &mut Core, id: SessionId, assembly: &Assembly) {
    let (bytes, spans, big) = assembly.parts();
    let args = Args::new(bytes, spans, big);
    let verdict = dispatch(core, id, args, Staged::default());
    if verdict == Verdict::NotYet {
        // As bytes again, for later.
        let mut request = Vec::new();
        put_request(args.from(0), &mut request);
        keep(core, id, &request);
    }
}

/// Runs what a session has kept, if it may run now.
pub(super) fn resume(core: &mut Core, turn: &mut Turn, id: SessionId) {
    let Some(session) = core
        .sessions
        .find_mut(id)
        .filter(|session| session.may_run())
    else {
        return;
    };
    let mut pending = std::mem::take(&mut session.pending);
    let data = pending.bytes();
    turn.window = RESUMED_WINDOW;
    turn.work(core, &[Input { session: id, data }]);
    let Some(from) = turn.stopped[0] else {
        return;
    };
    pending.consume(from as usize);
    match core.sessions.find_mut(id) {
        // What is left stays where it is: it may be long, and wait many times.
        Some(session) if session.pending.is_empty() && session.closing == Closing::No => {
            session.pending = pending;
        }
        _ => keep(core, id, pending.bytes()),
    }
}

/// Ends a connection that has sent more than it may without it making a request.
pub fn check_query_limit(core: &mut Core, id: SessionId) {
    /// What a client may send before it has authenticated, in bytes.
    const UNTRUSTED_MAX: usize = 1024 * 1024;
    core.weigh(id);
    let Some(session) = core.sessions.find(id) else {
        return;
    };
    let limit = core.config.client_query_buffer_limit;
    let bytes = session.query_bytes();
    if bytes > limit || bytes > UNTRUSTED_MAX && !core.is_trusted(session) {
        core.counters()
            .client_query_buffer_limit_disconnections
            .add(1);
        let line = describe(session);
        tracing::warn!("Closing client that reached max query buffer length: {line}");
        core.close(id, Closing::Now);
    }
}

fn describe(session: &Session) -> String {
    format!("id={} addr={}", session.id, session.origin.address)
}

/// Says what was wrong and ends the connection behind that.
fn protocol_error(core: &mut Core, id: SessionId, text: &str) {
    if let Some(session) = core.sessions.find(id) {
        let line = describe(session);
        tracing::debug!("Protocol error ({text}) from client: {line}");
    }
    core.reply_error(id, &format!("ERR Protocol error: {text}").into());
    core.close(id, Closing::AfterReplies);
}
