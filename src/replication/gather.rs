//! What the stream brings, on its way to the replicas: at once, or a millisecond's worth at a time.
//!
//! ```text
//!   turn  turn  turn     turn                a stock replica gets each as it comes
//!   [--chunks----------] [--chunks------
//!                       |                    one frame for each connection of a shard, one that
//!                       v next millisecond   says the order, for replicas of our own
//! ```
//!
//! A frame costs the master its making and sending, and each replica a message there and back
//! between two cores before it may be run, whether it brings one command or a thousand. So the
//! first news of a millisecond go out at once, and what follows in the same one goes out together
//! when the next begins. Nothing waits while somebody wants to know what replicas have.
//!
//! The offset and the backlog have everything as soon as it comes. Before the hub hears of
//! anything else what was gathered goes out, so a replica that begins in between gets none of it.

use super::deed::{Deed, Place};
use super::flows::Flows;
use super::hub::Hub;
use super::order::{Chunk, Frames};
use super::replicas::{Replica, Stage};
use std::mem::take;

/// Nobody waits for the millisecond to end when there is so much, in bytes.
const GATHERED_BYTES_MAX: usize = 16 * 1024;
/// Beside a snapshot: what is handed out waits behind it, so every byte needs memory that is new,
/// and a client that comes meanwhile waits for its page faults. A frame with all of it is just long
/// enough to be kept by reference; of several shards each has a part, which is copied.
const GATHERED_BYTES_MAX_BESIDE: usize = 4 * 1024;

/// What follows each other in the stream and is not framed yet.
#[derive(Default)]
pub(super) struct Gathered {
    chunks: Vec<Chunk>,
    bytes: usize,
    /// Behind which offset of the history they begin.
    offset: u64,
    /// When something went out last, Unix milliseconds.
    sent_ms: i64,
}

impl Gathered {
    /// When it is to go out, Unix milliseconds.
    pub fn due_ms(&self) -> Option<i64> {
        (!self.chunks.is_empty()).then_some(self.sent_ms + 1)
    }

    fn push(&mut self, chunk: Chunk, offset: u64) {
        if self.chunks.is_empty() {
            self.offset = offset;
        }
        self.bytes += chunk.bytes.len();
        self.chunks.push(chunk);
    }
}

/// What a replica with connections for the shards gets.
fn feed_apart(first: Place, flows: &Flows, frames: &Frames, deeds: &mut Vec<Deed>) {
    for (shard, bytes) in &frames.flows {
        if let Some(place) = flows.place(*shard) {
            let bytes = bytes.clone();
            deeds.push(Deed::Feed { place, bytes });
        }
    }
    for bytes in &frames.first {
        let (place, bytes) = (first, bytes.clone());
        deeds.push(Deed::Feed { place, bytes });
    }
}

impl Hub {
    /// The stream goes on with this.
    pub fn feed(&mut self, chunk: Chunk) {
        let before = self.offset;
        self.offset += chunk.bytes.len() as u64;
        self.has_asked = false;
        if let Some(backlog) = &mut self.backlog {
            backlog.push(&chunk.bytes);
        }
        let mut are_apart = false;
        for replica in self.replicas.iter().filter(|replica| replica.is_fed()) {
            match replica.flows.is_some() {
                true => are_apart = true,
                false => self.deeds.push(Deed::Feed {
                    place: replica.place(),
                    bytes: chunk.bytes.clone(),
                }),
            }
        }
        match are_apart {
            true => self.gathered.push(chunk, before),
            false => {
                self.hand_out();
                self.streams.count(&chunk);
            }
        }
    }

    /// The millisecond that is to be over before something goes out, if anything waits.
    pub fn gathers(&self) -> Option<i64> {
        (!self.gathered.chunks.is_empty()).then_some(self.gathered.sent_ms)
    }

    /// Hands out what was gathered, if it has waited long enough.
    pub fn end_millisecond(&mut self, now_ms: i64) {
        let gathered = &self.gathered;
        let is_sending = |replica: &Replica| replica.stage == Stage::Sending;
        let most = match self.replicas.iter().any(is_sending) {
            true => GATHERED_BYTES_MAX_BESIDE,
            false => GATHERED_BYTES_MAX,
        };
        let is_much = gathered.bytes >= most;
        if is_much || now_ms != gathered.sent_ms || self.is_hurried() {
            self.gathered.sent_ms = now_ms;
            self.hand_out();
        }
    }

    /// Hands out what was gathered.
    pub(super) fn hand_out(&mut self) {
        if self.gathered.chunks.is_empty() {
            return;
        }
        self.gathered.bytes = 0;
        let chunks = take(&mut self.gathered.chunks);
        let offset = self.gathered.offset;
        let frames = self.streams.take_apart(&chunks, offset, self.shards);
        for replica in self.replicas.iter().filter(|replica| replica.is_fed()) {
            if let Some(flows) = &replica.flows {
                feed_apart(replica.place(), flows, &frames, &mut self.deeds);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;
    use crate::config::Config;
    use crate::keyspace::{DbIndex, ShardId};
    use crate::persistence::merge::{Run, Track};
    use crate::replication::board::Board;
    use crate::replication::deed::{Report, Wish};
    use crate::replication::psync::Applicant;
    use crate::replication::sync::Wanting;
    use bytes::Bytes;
    use std::sync::Arc;

    const MAIN: u64 = 10;
    const STOCK: u64 = 20;
    const LATE: u64 = 40;

    fn place(session: u64) -> Place {
        let core = ShardId(0);
        Place { core, session }
    }

    fn replica(session: u64) -> Replica {
        let applicant = Applicant {
            place: place(session),
            ip: String::from("127.0.0.1"),
            port: 1,
            can_eof: true,
            can_psync2: true,
            can_flows: true,
            is_snapshot_only: false,
            request: Some((b"?".to_vec(), -1)),
            is_failover: false,
        };
        Replica::new(applicant, Stage::Online, 0)
    }

    /// Connections for two shards: the next two sessions.
    fn flows(session: u64) -> Option<Flows> {
        let mut flows = Flows::new(2, &mut Prng::from_seed(session));
        let line = flows.line();
        let token = line.split(' ').nth(1)?.to_owned();
        for shard in 0..2 {
            let words = format!("{token}:{shard}");
            assert!(flows.join(words.as_bytes(), place(session + 1 + shard)));
        }
        Some(flows)
    }

    /// A master of two shards with a replica that has connections for them and a stock one.
    fn hub() -> Hub {
        let mut hub = Hub::new(Arc::new(Board::default()), Prng::from_seed(7), 2);
        let mut own = replica(MAIN);
        own.flows = flows(MAIN);
        hub.replicas = vec![own, replica(STOCK)];
        hub
    }

    fn chunk(shard: u16, text: &'static str) -> Chunk {
        Chunk {
            bytes: Bytes::from_static(text.as_bytes()),
            runs: vec![Run {
                track: Track::Shard(ShardId(shard)),
                db: Some(DbIndex(0)),
                bytes: text.len(),
            }],
        }
    }

    /// Who is fed how often, and whether the last for it has this in it.
    fn fed(hub: &Hub, who: u64, text: &str) -> (usize, bool) {
        let deeds = hub.deeds.iter().filter_map(|deed| match deed {
            Deed::Feed { place, bytes } if place.session == who => Some(bytes),
            _ => None,
        });
        let all: Vec<&Bytes> = deeds.collect();
        let has = |bytes: &&Bytes| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        (all.len(), all.last().is_some_and(has))
    }

    #[test]
    fn the_first_goes_out_at_once_and_the_rest_with_the_next_millisecond() {
        let mut hub = hub();
        hub.feed(chunk(0, "one"));
        hub.end_millisecond(5);
        assert_eq!(fed(&hub, MAIN + 1, "one"), (1, true));
        for (shard, text) in [(0, "two"), (1, "three"), (0, "four")] {
            hub.feed(chunk(shard, text));
            hub.end_millisecond(5);
        }
        assert_eq!((hub.gathers(), hub.due_ms()), (Some(5), Some(6)));
        // Offsets do not wait, nor does a stock replica.
        assert_eq!(hub.offset(), 15);
        assert_eq!(fed(&hub, STOCK, "four"), (4, true));
        assert_eq!(fed(&hub, MAIN + 1, "one"), (1, true));
        hub.end_millisecond(6);
        assert_eq!(hub.gathers(), None);
        assert_eq!(fed(&hub, MAIN + 1, "twofour"), (2, true));
        assert_eq!(fed(&hub, MAIN + 2, "three"), (1, true));
        assert_eq!(fed(&hub, MAIN, "frame"), (2, true));
        assert_eq!(hub.streams.offsets(), [10, 5]);
        // Also when the clock was set back.
        hub.feed(chunk(1, "five"));
        hub.end_millisecond(6);
        assert_eq!(hub.gathers(), Some(6));
        hub.end_millisecond(2);
        assert_eq!(fed(&hub, MAIN + 2, "five"), (2, true));
    }

    #[test]
    fn nothing_waits_when_it_is_much_or_somebody_asks() {
        let mut hub = hub();
        hub.end_millisecond(5);
        let much = "x".repeat(GATHERED_BYTES_MAX).leak();
        hub.feed(chunk(1, much));
        hub.end_millisecond(5);
        assert_eq!(fed(&hub, MAIN + 2, much), (1, true));
        // Beside a snapshot it goes out in smaller parts.
        let less = "y".repeat(GATHERED_BYTES_MAX_BESIDE).leak();
        for (stage, count) in [(Stage::Sending, 2), (Stage::Online, 2)] {
            hub.replicas[0].stage = stage;
            hub.feed(chunk(1, less));
            hub.end_millisecond(5);
            assert_eq!(fed(&hub, MAIN + 2, less), (count, true));
        }
        hub.end_millisecond(6);
        hub.end_millisecond(5);
        hub.feed(chunk(1, "before"));
        hub.end_millisecond(5);
        assert_eq!(hub.gathers(), Some(5));
        let wish = Wish::Wait {
            place: place(30),
            replicas: 1,
            disks: None,
            timeout_ms: 0,
            is_now: false,
        };
        let report = Report::Wish {
            core: ShardId(0),
            number: 1,
            wish,
        };
        hub.hear(report, (5, &Config::default()));
        assert_eq!(fed(&hub, MAIN + 2, "before"), (4, true));
        hub.feed(chunk(1, "behind"));
        hub.end_millisecond(5);
        assert_eq!(fed(&hub, MAIN + 2, "behind"), (5, true));
    }

    #[test]
    fn who_comes_in_between_gets_nothing_of_before() {
        let mut hub = hub();
        hub.end_millisecond(5);
        hub.feed(chunk(0, "before"));
        let mut late = replica(LATE);
        (late.flows, late.stage) = (flows(LATE), Stage::Waiting);
        hub.replicas.push(late);
        hub.awaits_cut = Some(Wanting::Flows(vec![place(LATE)]));
        assert_eq!(hub.cut((5, &Config::default()), DbIndex(0)), [place(LATE)]);
        assert_eq!(hub.gathers(), None);
        hub.feed(chunk(0, "behind"));
        hub.end_millisecond(6);
        assert_eq!(fed(&hub, MAIN + 1, "behind"), (2, true));
        assert_eq!(fed(&hub, LATE + 1, "behind"), (1, true));
        assert_eq!(fed(&hub, LATE + 1, "before"), (1, false));
    }
}
