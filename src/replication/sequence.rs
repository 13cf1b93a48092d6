//! A history that comes in parts, put in order again: the replica's side of `order.rs`.
//!
//! ```text
//!   first connection   flow 0: 2 | PING | flow 1: 1 | MULTI x y EXEC | flow 0: 1
//!   flows              [a a] [a]   [b]
//!   granted            flow 0 may run 2, flow 1 may run 1, beside each other;
//!                      when both have: MULTI x y EXEC; when that has: flow 0 may run 1
//! ```
//!
//! A stretch is *granted* when all before it has come and been granted: so what runs is always a
//! beginning of the history, whatever becomes of the connections, and this node can be asked for
//! its offset, be promoted, or go on with another master there. What is about several shards waits
//! until the flows have run what they were granted, and they wait for it.
//!
//! Nothing is granted far ahead of what has run; what has come beyond waits at its connection.

use super::order::{Chunk, Entry};
use crate::base::room::take_leaving_room;
use crate::keyspace::{DbIndex, ShardId};
use crate::persistence::merge::{Run, Track};
use bytes::Bytes;
use std::collections::VecDeque;

/// Bytes granted to a flow, or to the first connection, that have not run.
const AHEAD_MAX: u64 = 1 << 20;

/// Bytes that a connection brings beyond what can be granted, before it has to wait.
const HELD_MAX: u64 = 16 << 20;

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A flow may run its next bytes, in this database.
    Grant {
        flow: usize,
        db: Option<DbIndex>,
        bytes: u64,
    },
    /// These are to be run here.
    Run { db: Option<DbIndex>, bytes: Bytes },
    /// The shards' own streams are at these offsets.
    Adopt(Vec<u64>),
}

/// What comes on the connection of a shard.
#[derive(Debug, Default)]
struct Source {
    /// Pieces that are not granted, and the offsets at which they begin.
    came: VecDeque<(u64, Bytes)>,
    came_bytes: u64,
    /// The offset of the shard's stream up to which all is granted, and has run.
    granted: u64,
    ran: u64,
    /// Bytes of the connection that were granted, and that have run.
    given: u64,
    done: u64,
}

impl Source {
    /// Whether it has not run all that it was granted, as far as is known.
    fn is_running(&self) -> bool {
        self.done < self.given
    }

    /// Whether so many bytes are the next of the shard's stream.
    fn has_next(&self, bytes: u64) -> bool {
        let (mut at, end) = (self.granted, self.granted.saturating_add(bytes));
        for (offset, piece) in &self.came {
            if at >= end || *offset != at {
                break;
            }
            at += piece.len() as u64;
        }
        at >= end
    }
}

/// What has to be the case for a granted stretch to have run.
#[derive(Debug)]
enum Need {
    /// A flow has run so many bytes; its stream is at this offset then.
    Flow {
        flow: usize,
        given: u64,
        offset: u64,
    },
    /// So many bytes have run here.
    Here(u64),
    /// All before it has run: then this is to be run here.
    Before(Bytes),
}

/// The order of a history, and how far it has come.
#[derive(Debug)]
pub struct Sequence {
    sources: Vec<Source>,
    waiting: VecDeque<Entry>,
    /// Bytes of entries that wait.
    waiting_bytes: usize,
    /// The last one granted goes on with the next.
    is_within: bool,
    /// Granted stretches with the offsets of the history they take it to.
    granted: VecDeque<(u64, Need)>,
    /// Those of them that wait to be run here behind all before them.
    asides: usize,
    /// The offset of the history up to which the order is known.
    known: u64,
    /// Up to which all is granted.
    end: u64,
    /// Up to which all has run.
    applied: u64,
    /// Bytes to be run here, those of them that were taken, those of whole commands that have
    /// run, and the end of those that others wait for.
    given: u64,
    taken: u64,
    done: u64,
    barrier: u64,
    is_resting: bool,
    /// What was granted since the last time.
    passed: Vec<u8>,
    runs: Vec<Run>,
}

impl Sequence {
    /// The order of what comes behind this offset on so many flows.
    pub fn new(flows: usize, offset: u64) -> Sequence {
        Sequence {
            sources: (0..flows).map(|_| Source::default()).collect(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            is_within: false,
            granted: VecDeque::new(),
            asides: 0,
            known: offset,
            end: offset,
            applied: offset,
            given: 0,
            taken: 0,
            done: 0,
            barrier: 0,
            is_resting: false,
            passed: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// How many flows there are.
    pub fn flows(&self) -> usize {
        self.sources.len()
    }

    /// The offset of the history up to which all has run.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Where each shard's stream is: what has run of it, and what is known of it.
    pub fn offsets(&self) -> impl Iterator<Item = (u64, u64)> {
        let sources = self.sources.iter();
        sources.map(|source| (source.ran, source.granted + source.came_bytes))
    }

    /// Whether the first connection has brought so much that it should wait.
    pub fn is_first_full(&self) -> bool {
        self.waiting_bytes as u64 > HELD_MAX && self.is_front_whole()
    }

    /// Whether what is next on the first connection has come to its end.
    fn is_front_whole(&self) -> bool {
        let goes_on = |entry: &&Entry| matches!(entry, Entry::Here { has_more: true, .. });
        let pieces = self.waiting.iter().take_while(goes_on).count();
        pieces < self.waiting.len()
    }

    /// The offset at which everything waits for bytes of a flow, if it does.
    pub fn lacks_at(&self) -> Option<u64> {
        match self.waiting.front() {
            Some(Entry::Flow { flow, bytes, .. }) => {
                let came_bytes = self.sources[usize::from(*flow)].came_bytes;
                (came_bytes < *bytes).then_some(self.end)
            }
            _ => None,
        }
    }

    /// Grants nothing more, or goes on.
    pub fn rest(&mut self, is_resting: bool) {
        self.is_resting = is_resting;
    }

    /// Forgets what is not granted: it will not come.
    pub fn end(&mut self) {
        self.is_resting = true;
        self.waiting.clear();
        self.waiting_bytes = 0;
        for source in &mut self.sources {
            source.came.clear();
            source.came_bytes = 0;
        }
    }

    /// Whether all that is granted has run.
    pub fn is_calm(&self) -> bool {
        self.granted.is_empty()
    }

    /// The first connection has brought this; false: it is not what comes next.
    #[must_use]
    pub fn order_came(&mut self, position: u64, entries: Vec<Entry>) -> bool {
        if position != self.known {
            return false;
        }
        for entry in entries {
            if let Entry::Flow { flow, .. } = entry
                && usize::from(flow) >= self.sources.len()
            {
                return false;
            }
            self.known = self.known.saturating_add(entry.span());
            if let Entry::Here { bytes, .. } = &entry {
                self.waiting_bytes += bytes.len();
            }
            self.waiting.push_back(entry);
        }
        true
    }

    /// A flow has brought this.
    pub fn flow_came(&mut self, flow: usize, offset: u64, bytes: Bytes) {
        if let Some(source) = self.sources.get_mut(flow).filter(|_| !bytes.is_empty()) {
            source.came_bytes += bytes.len() as u64;
            source.came.push_back((offset, bytes));
        }
    }

    /// A flow has run so many bytes since its beginning.
    pub fn flow_ran(&mut self, flow: usize, bytes: u64) {
        if let Some(source) = self.sources.get_mut(flow) {
            source.done = bytes;
        }
    }

    /// So many bytes have been taken here since the beginning, and of so many all commands have
    /// run.
    pub fn ran_here(&mut self, taken: u64, done: u64) {
        (self.taken, self.done) = (taken, done);
    }

    /// Whether a flow has brought so much that it should wait, or may go on.
    pub fn is_full(&self, flow: usize) -> bool {
        let Some(source) = self.sources.get(flow) else {
            return false;
        };
        let lacks = match self.waiting.front() {
            Some(Entry::Flow {
                flow: next, bytes, ..
            }) => usize::from(*next) == flow && source.came_bytes < *bytes,
            _ => false,
        };
        source.came_bytes > HELD_MAX && !lacks
    }

    /// Grants what can be granted, until there are no more steps; false if what a flow has brought
    /// is not what comes next.
    #[must_use]
    pub fn advance(&mut self, steps: &mut Vec<Step>) -> bool {
        loop {
            self.settle(steps);
            if self.is_resting {
                return true;
            }
            let may = match self.waiting.front() {
                None => return true,
                Some(Entry::Flow { flow, bytes, .. }) => self.may_grant(usize::from(*flow), *bytes),
                Some(Entry::Here { track, .. }) => {
                    self.is_within || self.may_run_here(*track) && self.is_front_whole()
                }
                Some(Entry::Offsets(_)) => true,
            };
            if !may {
                return true;
            }
            let Some(entry) = self.waiting.pop_front() else {
                return true;
            };
            let is_place = matches!(entry, Entry::Offsets(_));
            if !self.grant(entry, steps) {
                return false;
            }
            if is_place {
                // What was passed on before comes before it.
                return true;
            }
        }
    }

    /// What was granted since the last time, in its order.
    pub fn take_passed(&mut self) -> Chunk {
        Chunk {
            bytes: take_leaving_room(&mut self.passed).into(),
            runs: take_leaving_room(&mut self.runs),
        }
    }

    /// Notes what has run.
    fn settle(&mut self, steps: &mut Vec<Step>) {
        while let Some((end, need)) = self.granted.front_mut() {
            match need {
                Need::Flow {
                    flow,
                    given,
                    offset,
                } => {
                    let source = &mut self.sources[*flow];
                    if source.done < *given {
                        return;
                    }
                    source.ran = *offset;
                }
                Need::Here(given) if self.done < *given => return,
                Need::Here(_) => {}
                Need::Before(bytes) => {
                    let bytes = std::mem::take(bytes);
                    self.asides -= 1;
                    self.given += bytes.len() as u64;
                    *need = Need::Here(self.given);
                    steps.push(Step::Run { db: None, bytes });
                    continue;
                }
            }
            self.applied = *end;
            self.granted.pop_front();
        }
    }

    fn may_grant(&self, flow: usize, bytes: u64) -> bool {
        let source = &self.sources[flow];
        let is_free = self.done >= self.barrier;
        is_free && source.came_bytes >= bytes && source.given - source.done < AHEAD_MAX
    }

    fn may_run_here(&self, track: Track) -> bool {
        let is_near = self.given - self.taken < AHEAD_MAX;
        is_near && (track == Track::None || self.asides == 0 && self.are_flows_idle())
    }

    /// Whether something cannot go on before flows have run what they were granted.
    pub fn awaits_flows(&self) -> bool {
        let is_front = match self.waiting.front() {
            Some(Entry::Here { track, .. }) => !self.is_within && *track != Track::None,
            _ => false,
        };
        self.is_resting || self.asides > 0 || is_front
    }

    /// Whether a flow has not run all that it was granted, as far as is known.
    pub fn is_running(&self, flow: usize) -> bool {
        self.sources.get(flow).is_some_and(Source::is_running)
    }

    fn are_flows_idle(&self) -> bool {
        !self.sources.iter().any(Source::is_running)
    }

    /// False if it does not fit what has come.
    fn grant(&mut self, entry: Entry, steps: &mut Vec<Step>) -> bool {
        match entry {
            Entry::Flow { flow, db, bytes } => {
                let flow = usize::from(flow);
                if !self.sources[flow].has_next(bytes) {
                    return false;
                }
                self.pass(Track::Shard(ShardId(flow as u16)), db, bytes as usize);
                self.take(flow, bytes);
                self.end += bytes;
                let source = &mut self.sources[flow];
                source.given += bytes;
                let (given, offset) = (source.given, source.granted);
                let need = Need::Flow {
                    flow,
                    given,
                    offset,
                };
                self.granted.push_back((self.end, need));
                steps.push(Step::Grant { flow, db, bytes });
            }
            Entry::Here {
                track,
                db,
                bytes,
                has_more,
            } => {
                self.is_within = has_more;
                self.grant_here((track, db), bytes, steps);
            }
            Entry::Offsets(offsets) => {
                for (source, offset) in self.sources.iter_mut().zip(&offsets) {
                    (source.granted, source.ran) = (*offset, *offset);
                }
                steps.push(Step::Adopt(offsets));
            }
        }
        true
    }

    fn grant_here(&mut self, what: (Track, Option<DbIndex>), bytes: Bytes, steps: &mut Vec<Step>) {
        let (track, db) = what;
        self.waiting_bytes -= bytes.len();
        self.end += bytes.len() as u64;
        self.pass(track, db, bytes.len());
        self.passed.extend_from_slice(&bytes);
        if track == Track::None && (self.asides > 0 || !self.are_flows_idle()) {
            self.asides += 1;
            return self.granted.push_back((self.end, Need::Before(bytes)));
        }
        if let Track::Shard(shard) = track
            && let Some(source) = self.sources.get_mut(usize::from(shard.0))
        {
            // It counts as the shard's, wherever it has come.
            source.granted += bytes.len() as u64;
            source.ran = source.granted;
        }
        self.given += bytes.len() as u64;
        if track != Track::None {
            self.barrier = self.given;
        }
        self.granted.push_back((self.end, Need::Here(self.given)));
        steps.push(Step::Run { db, bytes });
    }

    fn pass(&mut self, track: Track, db: Option<DbIndex>, bytes: usize) {
        match self.runs.last_mut() {
            Some(last) if db.is_some() && (last.track, last.db) == (track, db) => {
                last.bytes += bytes;
            }
            _ => self.runs.push(Run { track, db, bytes }),
        }
    }

    /// Takes the next bytes of a flow, which are granted and there.
    fn take(&mut self, flow: usize, bytes: u64) {
        let source = &mut self.sources[flow];
        let mut left = bytes;
        while let Some((offset, piece)) = source.came.front_mut().filter(|_| left > 0) {
            let count = left.min(piece.len() as u64);
            let first = piece.split_to(count as usize);
            self.passed.extend_from_slice(&first);
            *offset += count;
            source.granted += count;
            source.came_bytes -= count;
            left -= count;
            if piece.is_empty() {
                source.came.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame;
    use super::super::order::{Streams, read};
    use super::*;
    use crate::base::prng::Prng;

    /// Runs of which every word is the number of the run.
    struct History {
        runs: Vec<Run>,
        ran: Vec<usize>,
        /// One in so many is about all shards. What follows such a one comes on the first
        /// connection for a while, so flows bring much only where they are rare.
        crossing: u64,
    }

    impl History {
        fn chunk(&mut self, random: &mut Prng, shards: u16) -> Chunk {
            let (mut bytes, mut runs) = (Vec::new(), Vec::new());
            for _ in 0..=random.below(4) {
                let track = match (random.below(self.crossing), random.below(7)) {
                    (0, _) => Track::All,
                    (_, 0) => Track::None,
                    _ => Track::Shard(ShardId(random.below(shards.into()) as u16)),
                };
                let words = 1 + random.below(40) as usize;
                for _ in 0..words {
                    bytes.extend_from_slice(&(self.runs.len() as u32).to_le_bytes());
                }
                // Such as no other has, so that no two are taken for one.
                let db = Some(DbIndex(self.runs.len() as u32));
                let bytes = words * 4;
                runs.push(Run { track, db, bytes });
                self.runs.push(Run { track, db, bytes });
                self.ran.push(0);
            }
            let bytes = bytes.into();
            Chunk { bytes, runs }
        }

        fn is_done(&self, at: usize) -> bool {
            self.ran[at] == self.runs[at].bytes
        }

        /// A word runs: everything has to have run that comes before it.
        fn run(&mut self, word: [u8; 4]) {
            let at = u32::from_le_bytes(word) as usize;
            if self.ran[at] == 0 {
                let own = self.runs[at].track;
                for before in 0..at {
                    let track = self.runs[before].track;
                    let waits = match (track, own) {
                        (Track::None, _) => own == Track::None,
                        (Track::All, _) | (_, Track::All | Track::None) => true,
                        (one, other) => one == other,
                    };
                    assert!(!waits || self.is_done(before), "{before} comes before {at}");
                }
            }
            self.ran[at] += 4;
        }

        /// Bytes up to the first that has not run.
        fn applied(&self) -> u64 {
            let done = (0..self.runs.len()).take_while(|at| self.is_done(*at));
            done.map(|at| self.runs[at].bytes as u64).sum()
        }
    }

    /// A queue of bytes that run one word after the other.
    #[derive(Default)]
    struct Runner {
        left: VecDeque<[u8; 4]>,
        done: u64,
    }

    impl Runner {
        fn give(&mut self, bytes: &[u8]) {
            self.left.extend(bytes.as_chunks().0);
        }

        fn step(&mut self, count: u64, history: &mut History) {
            for _ in 0..count {
                if let Some(word) = self.left.pop_front() {
                    history.run(word);
                    self.done += 4;
                }
            }
        }
    }

    fn body(frame: &Bytes) -> (frame::Header, Bytes) {
        let (range, _) = frame::find(frame).unwrap().unwrap();
        let (header, body) = frame::read(&frame[range]).unwrap();
        (header, Bytes::copy_from_slice(body))
    }

    struct Link {
        first: VecDeque<Bytes>,
        flows: Vec<VecDeque<Bytes>>,
        sequence: Sequence,
        here: Runner,
        held: Vec<Vec<u8>>,
        runners: Vec<Runner>,
        passed: Vec<u8>,
        /// Flows tell how far they are only when something waits for them.
        are_quiet: bool,
    }

    impl Link {
        fn new(flows: usize, streams: &Streams) -> Link {
            Link {
                first: VecDeque::from([streams.beginning(flows, 0)]),
                flows: vec![VecDeque::new(); flows],
                sequence: Sequence::new(flows, 0),
                here: Runner::default(),
                held: vec![Vec::new(); flows],
                runners: (0..flows).map(|_| Runner::default()).collect(),
                passed: Vec::new(),
                are_quiet: false,
            }
        }

        fn has_all_come(&self) -> bool {
            self.first.is_empty() && self.flows.iter().all(VecDeque::is_empty)
        }

        fn deliver(&mut self, random: &mut Prng) {
            let which = random.below(self.flows.len() as u64 + 1) as usize;
            if which == self.flows.len() {
                if let Some(frame) = self.first.pop_front() {
                    let (header, body) = body(&frame);
                    let entries = read(body).unwrap();
                    assert!(self.sequence.order_came(header.position, entries));
                }
            } else if let Some(frame) = self.flows[which].pop_front() {
                let (header, body) = body(&frame);
                self.held[which].extend_from_slice(&body);
                self.sequence.flow_came(which, header.offset, body);
            }
        }

        fn advance(&mut self) {
            let mut steps = Vec::new();
            loop {
                assert!(self.sequence.advance(&mut steps));
                self.passed
                    .extend_from_slice(&self.sequence.take_passed().bytes);
                if steps.is_empty() {
                    return;
                }
                for step in steps.drain(..) {
                    match step {
                        Step::Grant { flow, bytes, .. } => {
                            let rest = self.held[flow].split_off(bytes as usize);
                            let own = std::mem::replace(&mut self.held[flow], rest);
                            self.runners[flow].give(&own);
                        }
                        Step::Run { bytes, .. } => self.here.give(&bytes),
                        Step::Adopt(_) => {}
                    }
                }
            }
        }

        fn run(&mut self, random: &mut Prng, history: &mut History) {
            self.here.step(random.below(60), history);
            self.sequence.ran_here(self.here.done, self.here.done);
            for (flow, runner) in self.runners.iter_mut().enumerate() {
                runner.step(random.below(60), history);
                let is_running = self.sequence.is_running(flow);
                if !self.are_quiet || is_running && self.sequence.awaits_flows() {
                    self.sequence.flow_ran(flow, runner.done);
                }
            }
        }
    }

    #[test]
    fn what_runs_is_always_a_beginning_in_an_order_that_is_allowed() {
        for seed in 0..60 {
            let mut random = Prng::from_seed(seed);
            let shards = 1 + random.below(4) as u16;
            let flows = 1 + random.below(4) as usize;
            let mut streams = Streams::new(shards.into());
            let mut history = History {
                runs: Vec::new(),
                ran: Vec::new(),
                crossing: [20, 1000][random.below(2) as usize],
            };
            let (mut link, mut all) = (Link::new(flows, &streams), Vec::new());
            link.are_quiet = random.below(2) == 0;
            for _ in 0..400 {
                if random.below(3) == 0 {
                    let count = 1 + random.below(3);
                    let gathered = (0..count).map(|_| history.chunk(&mut random, shards));
                    let gathered: Vec<Chunk> = gathered.collect();
                    let frames = streams.take_apart(&gathered, all.len() as u64, flows);
                    for chunk in gathered {
                        all.extend_from_slice(&chunk.bytes);
                    }
                    link.first.extend(frames.first);
                    for (flow, frame) in frames.flows {
                        link.flows[flow].push_back(frame);
                    }
                }
                link.deliver(&mut random);
                link.advance();
                link.run(&mut random, &mut history);
                assert_eq!(link.passed, all[..link.passed.len()]);
                assert!(link.sequence.applied() <= history.applied());
            }
            if random.below(2) == 0 {
                // All comes and nothing more: it runs, however quiet flows are.
                for _ in 0..4000 {
                    link.deliver(&mut random);
                    link.advance();
                    link.run(&mut random, &mut history);
                }
                assert!(link.has_all_come());
                assert_eq!(link.passed.len(), all.len(), "seed {seed}");
                assert_eq!(history.applied(), all.len() as u64, "seed {seed}");
            }
            // The link breaks: what was granted runs to its end, nothing else.
            link.sequence.end();
            while !link.sequence.is_calm() {
                link.advance();
                link.run(&mut random, &mut history);
            }
            let applied = link.sequence.applied();
            assert_eq!(applied, link.passed.len() as u64);
            assert_eq!(applied, history.applied());
            assert_eq!(history.ran.iter().sum::<usize>() as u64, applied);
            assert!(applied > 0, "seed {seed}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let here = |bytes: &'static [u8]| Entry::Here {
            track: Track::All,
            db: None,
            bytes: Bytes::from_static(bytes),
            has_more: false,
        };
        let flow = |flow, bytes| Entry::Flow {
            flow,
            db: None,
            bytes,
        };
        let mut sequence = Sequence::new(2, 100);
        assert!(!sequence.order_came(99, vec![here(b"gap")]));
        assert!(!sequence.order_came(100, vec![flow(2, 1)]), "no such flow");
        assert!(sequence.order_came(100, vec![here(b"all"), flow(1, 4)]));
        assert!(!sequence.order_came(100, vec![here(b"twice")]));
        sequence.flow_came(1, 7, Bytes::from_static(b"late"));
        let mut steps = Vec::new();
        assert!(sequence.advance(&mut steps));
        sequence.ran_here(3, 3);
        assert!(!sequence.advance(&mut steps), "its stream begins at 0");
    }
}
