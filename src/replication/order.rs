//! The order of a history that travels in parts: the master's side of it, and how it is written.
//!
//! ```text
//!   history       [a a][PING][b][a][MULTI x y EXEC][b b]
//!   first         flow 0: 2 | PING | flow 1: 1 | flow 0: 1 | MULTI x y EXEC | flow 1: 2
//!   flow 0        [a a]              [a]
//!   flow 1                      [b]                         [b b]
//! ```
//!
//! What is about the keys of one shard goes on the connection for that shard, its *flow*; the first
//! connection says in which order all of it happened, and carries what is about several. So a
//! replica can run the flows beside each other and yet stand, whenever it is asked, at one offset
//! of one history, which is what Sentinel, survivors of a master and stock servers go by.
//!
//! Where much is about several shards, taking flows apart costs more waiting than it saves: for
//! some time then everything goes on the first connection.

use super::frame::{self, BODY_MAX, Kind};
use crate::command::Args;
use crate::keyspace::{DbIndex, ShardId};
use crate::persistence::merge::{Run, Track};
use crate::resp::{Limits, Parsed, parse};
use bytes::Bytes;

/// A stretch of the history, and what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    pub bytes: Bytes,
    pub runs: Vec<Run>,
}

impl Chunk {
    fn one(bytes: Bytes, track: Track) -> Chunk {
        let run = Run {
            track,
            db: None,
            bytes: bytes.len(),
        };
        Chunk {
            bytes,
            runs: vec![run],
        }
    }

    /// Something of which nobody knows what it is about.
    pub fn whole(bytes: Bytes) -> Chunk {
        Chunk::one(bytes, Track::All)
    }

    /// Something that is about no keys.
    pub fn aside(bytes: Bytes) -> Chunk {
        Chunk::one(bytes, Track::None)
    }
}

/// What the first connection says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// So many bytes that come on a flow.
    Flow {
        flow: u16,
        db: Option<DbIndex>,
        bytes: u64,
    },
    /// Bytes that come here.
    Here {
        track: Track,
        db: Option<DbIndex>,
        bytes: Bytes,
        /// They end in the middle; the next entry goes on.
        has_more: bool,
    },
    /// Where the shards' own streams are now.
    Offsets(Vec<u64>),
}

/// A database that is not named.
const NO_DB: u32 = u32::MAX;
/// Tag, database, number of the shard, length.
const ENTRY_BYTES: usize = 1 + 4 + 2 + 8;
/// The most bytes that one entry brings.
const HERE_MAX: usize = BODY_MAX - ENTRY_BYTES;

const FLOW: u8 = 1;
const SHARD: u8 = 2;
const ALL: u8 = 3;
const NONE: u8 = 4;
const OFFSETS: u8 = 5;
/// Added to the tag of bytes that end in the middle.
const MORE: u8 = 0x80;

impl Entry {
    /// How far it takes the history.
    pub fn span(&self) -> u64 {
        match self {
            Entry::Flow { bytes, .. } => *bytes,
            Entry::Here { bytes, .. } => bytes.len() as u64,
            Entry::Offsets(_) => 0,
        }
    }

    fn put(out: &mut Vec<u8>, tag: (u8, Option<DbIndex>, u16), len: u64) {
        out.push(tag.0);
        out.extend_from_slice(&tag.1.map_or(NO_DB, |db| db.0).to_le_bytes());
        out.extend_from_slice(&tag.2.to_le_bytes());
        out.extend_from_slice(&len.to_le_bytes());
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Entry::Flow { flow, db, bytes } => Entry::put(out, (FLOW, *db, *flow), *bytes),
            Entry::Here {
                track,
                db,
                bytes,
                has_more,
            } => {
                let (tag, number) = match track {
                    Track::Shard(shard) => (SHARD, shard.0),
                    Track::All => (ALL, 0),
                    Track::None => (NONE, 0),
                };
                let tag = if *has_more { tag | MORE } else { tag };
                Entry::put(out, (tag, *db, number), bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Entry::Offsets(offsets) => {
                Entry::put(out, (OFFSETS, None, 0), offsets.len() as u64);
                for offset in offsets {
                    out.extend_from_slice(&offset.to_le_bytes());
                }
            }
        }
    }

    /// Takes the next one off the front.
    fn read(bytes: &mut Bytes) -> Option<Entry> {
        let head = bytes.split_to_checked(ENTRY_BYTES)?;
        let (tag, rest) = head.split_first()?;
        let (db, rest) = rest.split_first_chunk()?;
        let (number, len) = rest.split_first_chunk()?;
        let db = u32::from_le_bytes(*db);
        let db = (db != NO_DB).then_some(DbIndex(db));
        let number = u16::from_le_bytes(*number);
        let len = u64::from_le_bytes(*len.first_chunk()?);
        let has_more = *tag & MORE != 0;
        let track = match *tag & !MORE {
            FLOW => {
                return Some(Entry::Flow {
                    flow: number,
                    db,
                    bytes: len,
                });
            }
            OFFSETS => {
                let offsets = bytes.split_to_checked(usize::try_from(len).ok()?.checked_mul(8)?)?;
                let offsets = offsets.as_chunks().0.iter();
                return Some(Entry::Offsets(
                    offsets.map(|it| u64::from_le_bytes(*it)).collect(),
                ));
            }
            SHARD => Track::Shard(ShardId(number)),
            ALL => Track::All,
            NONE => Track::None,
            _ => return None,
        };
        let bytes = bytes.split_to_checked(usize::try_from(len).ok()?)?;
        Some(Entry::Here {
            track,
            db,
            bytes,
            has_more,
        })
    }
}

/// Takes bytes off the front where there are so many.
trait SplitChecked {
    fn split_to_checked(&mut self, count: usize) -> Option<Bytes>;
}

impl SplitChecked for Bytes {
    fn split_to_checked(&mut self, count: usize) -> Option<Bytes> {
        (count <= self.len()).then(|| self.split_to(count))
    }
}

/// Reads all entries of a frame.
pub fn read(mut body: Bytes) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    while !body.is_empty() {
        entries.push(Entry::read(&mut body)?);
    }
    Some(entries)
}

/// Bytes for the connections of a replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// For the first connection.
    pub first: Vec<Bytes>,
    /// For the connections of shards.
    pub flows: Vec<(usize, Bytes)>,
}

/// How many chunks go on the first connection alone behind one that is about several shards.
const TOGETHER: u32 = 32;

/// Offsets of streams on so many connections.
pub fn fold(offsets: &[u64], flows: usize) -> Vec<u64> {
    let mut folded = vec![0; flows];
    for (shard, offset) in offsets.iter().enumerate().filter(|_| flows > 0) {
        folded[shard % flows] += offset;
    }
    folded
}

/// The streams of all shards, as the history brings them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    /// Bytes of each so far.
    offsets: Vec<u64>,
    /// Chunks that still go on the first connection alone.
    together: u32,
}

impl Streams {
    /// The beginnings of so many streams.
    pub fn new(shards: usize) -> Streams {
        Streams {
            offsets: vec![0; shards],
            together: 0,
        }
    }

    /// Bytes of each stream so far.
    pub fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// Goes on where the streams of a master are.
    pub fn adopt(&mut self, offsets: Vec<u64>) {
        self.offsets = offsets;
    }

    /// From now on there are so many streams: this node makes them.
    pub fn lead(&mut self, shards: usize) {
        self.offsets.resize(shards, 0);
    }

    /// The offsets on so many connections; where there are fewer than streams, some carry several.
    pub fn folded(&self, flows: usize) -> Vec<u64> {
        fold(&self.offsets, flows)
    }

    /// What tells a replica with so many flows where they begin, at this offset of the history.
    pub fn beginning(&self, flows: usize, offset: u64) -> Bytes {
        let mut body = Vec::new();
        Entry::Offsets(self.folded(flows)).write(&mut body);
        frame::encode(Kind::Order, (offset, offset), &[body])
    }

    /// Frames of what a replica has missed, behind this offset of the history.
    pub fn catch_up(mut bytes: Bytes, offset: u64) -> Vec<Bytes> {
        let mut apart = Apart::new(offset, Vec::new());
        while !bytes.is_empty() {
            let whole = whole_units(&bytes, HERE_MAX);
            apart.put_here(Track::All, None, bytes.split_to(whole));
        }
        apart.finish().first
    }

    /// Counts a chunk that goes to nobody in parts.
    pub fn count(&mut self, chunk: &Chunk) {
        for run in &chunk.runs {
            self.advance(run);
        }
    }

    fn advance(&mut self, run: &Run) {
        if let Track::Shard(shard) = run.track
            && let Some(offset) = self.offsets.get_mut(usize::from(shard.0))
        {
            *offset += run.bytes as u64;
        }
    }

    /// Counts chunks that follow each other, and takes them apart for replicas with so many flows.
    /// The first begins behind this offset of the history.
    pub fn take_apart(&mut self, chunks: &[Chunk], offset: u64, flows: usize) -> Frames {
        let mut apart = Apart::new(offset, self.folded(flows));
        for chunk in chunks {
            self.take_chunk_apart(chunk, flows, &mut apart);
        }
        apart.finish()
    }

    fn take_chunk_apart(&mut self, chunk: &Chunk, flows: usize, apart: &mut Apart) {
        if chunk.runs.iter().any(|run| run.track == Track::All) {
            self.together = TOGETHER;
        }
        let is_together = self.together > 0;
        self.together = self.together.saturating_sub(1);
        let mut rest = chunk.bytes.clone();
        for run in &chunk.runs {
            let bytes = rest.split_to(run.bytes);
            match run.track {
                Track::Shard(shard) if !is_together => {
                    apart.put_flow(usize::from(shard.0) % flows, run.db, bytes);
                }
                Track::Shard(shard) => {
                    let flow = usize::from(shard.0) % flows;
                    apart.skip(flow, bytes.len());
                    apart.put_here(Track::Shard(ShardId(flow as u16)), run.db, bytes);
                }
                // The pieces of what is too long for one frame stay together.
                Track::None if run.bytes > HERE_MAX => apart.put_here(Track::All, None, bytes),
                track => apart.put_here(track, run.db, bytes),
            }
            self.advance(run);
        }
    }
}

/// How many bytes of a history, from between two of its commands or transactions on, consist of
/// whole ones: as many as fit, at least one of them.
fn whole_units(bytes: &[u8], limit: usize) -> usize {
    let limits = Limits {
        bulk_max: u64::MAX,
        is_trusted: true,
    };
    let (mut end, mut at, mut is_open, mut spans) = (0, 0, false, Vec::new());
    while let Parsed::Request(next) = {
        spans.clear();
        parse(bytes, at, &mut spans, limits)
    } {
        let args = Args::new(bytes, &spans, &[]);
        is_open = match is_open {
            false => args.is(0, "multi"),
            true => !args.is(0, "exec"),
        };
        if next > limit && end > 0 {
            break;
        }
        at = next;
        if !is_open {
            end = next;
        }
    }
    // What is no request is not told from others here: whoever runs it finds out.
    if end == 0 { bytes.len() } else { end }
}

/// Pieces of a stream as the bodies of its next frames.
fn bodies(pieces: Vec<Bytes>) -> Vec<Vec<Bytes>> {
    let (mut bodies, mut room) = (Vec::<Vec<Bytes>>::new(), 0);
    for mut piece in pieces {
        while !piece.is_empty() {
            if room == 0 {
                bodies.push(Vec::new());
                room = BODY_MAX;
            }
            let own = piece.split_to(room.min(piece.len()));
            room -= own.len();
            bodies.last_mut().expect("one was begun").push(own);
        }
    }
    bodies
}

/// Chunks that are being taken apart.
struct Apart {
    /// Where in the history the next frame of the first connection begins.
    offset: u64,
    /// How far into the history its entries go.
    end: u64,
    entries: Vec<u8>,
    /// The last entry, as long as it may grow.
    last: Option<(u16, Option<DbIndex>, u64)>,
    /// Where each flow is, and what it gets.
    flows: Vec<(u64, Vec<Bytes>)>,
    frames: Frames,
}

impl Apart {
    fn new(offset: u64, flows: Vec<u64>) -> Apart {
        Apart {
            offset,
            end: offset,
            entries: Vec::new(),
            last: None,
            flows: flows.into_iter().map(|at| (at, Vec::new())).collect(),
            frames: Frames::default(),
        }
    }

    fn put_flow(&mut self, flow: usize, db: Option<DbIndex>, bytes: Bytes) {
        let len = bytes.len() as u64;
        match &mut self.last {
            Some(last) if (last.0, last.1) == (flow as u16, db) => last.2 += len,
            _ => {
                self.end_last();
                self.last = Some((flow as u16, db, len));
            }
        }
        self.flows[flow].1.push(bytes);
    }

    fn end_last(&mut self) {
        if let Some((flow, db, bytes)) = self.last.take() {
            self.put(&Entry::Flow { flow, db, bytes });
        }
    }

    /// What of a flow comes on the first connection counts as its own.
    fn skip(&mut self, flow: usize, bytes: usize) {
        self.end_flow(flow);
        self.flows[flow].0 += bytes as u64;
    }

    fn put_here(&mut self, track: Track, mut db: Option<DbIndex>, mut bytes: Bytes) {
        self.end_last();
        while !bytes.is_empty() {
            let piece = bytes.split_to(HERE_MAX.min(bytes.len()));
            self.put(&Entry::Here {
                track,
                db,
                bytes: piece,
                has_more: !bytes.is_empty(),
            });
            // The rest of a command goes on wherever that is.
            db = None;
        }
    }

    fn put(&mut self, entry: &Entry) {
        let inline = match entry {
            Entry::Here { bytes, .. } => bytes.len(),
            _ => 0,
        };
        if self.entries.len() + ENTRY_BYTES + inline > BODY_MAX {
            self.end_frame();
        }
        entry.write(&mut self.entries);
        self.end += entry.span();
    }

    fn end_frame(&mut self) {
        if !self.entries.is_empty() {
            let place = (self.offset, self.offset);
            let frame = frame::encode(Kind::Order, place, &[&self.entries]);
            self.frames.first.push(frame);
            self.entries.clear();
        }
        self.offset = self.end;
    }

    fn end_flow(&mut self, flow: usize) {
        let (at, pieces) = &mut self.flows[flow];
        for body in bodies(std::mem::take(pieces)) {
            let frame = frame::encode(Kind::Stream, (*at, self.offset), &body);
            self.frames.flows.push((flow, frame));
            *at += body.iter().map(Bytes::len).sum::<usize>() as u64;
        }
    }

    fn finish(mut self) -> Frames {
        self.end_last();
        for flow in 0..self.flows.len() {
            self.end_flow(flow);
        }
        self.end_frame();
        self.frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice::from_ref;

    fn run(track: Track, db: u32, bytes: usize) -> Run {
        Run {
            track,
            db: Some(DbIndex(db)),
            bytes,
        }
    }

    fn shard(number: u16) -> Track {
        Track::Shard(ShardId(number))
    }

    fn chunk(runs: Vec<Run>) -> Chunk {
        let len = runs.iter().map(|run| run.bytes).sum::<usize>();
        let bytes = (0..len).map(|at| b'a' + (at % 26) as u8).collect();
        Chunk { bytes, runs }
    }

    fn opened(frame: &Bytes) -> (frame::Header, Bytes) {
        let (range, end) = frame::find(frame).unwrap().unwrap();
        assert_eq!(end, frame.len());
        let (header, body) = frame::read(&frame[range]).unwrap();
        (header, Bytes::copy_from_slice(body))
    }

    /// The history again, from all that was sent.
    fn joined(frames: &Frames, flows: usize) -> Vec<u8> {
        let mut parts = vec![Vec::new(); flows];
        for (flow, frame) in &frames.flows {
            parts[*flow].extend_from_slice(&opened(frame).1);
        }
        let mut parts: Vec<Bytes> = parts.into_iter().map(Bytes::from).collect();
        let mut history = Vec::new();
        for frame in &frames.first {
            for entry in read(opened(frame).1).unwrap() {
                match entry {
                    Entry::Flow { flow, bytes, .. } => history
                        .extend_from_slice(&parts[usize::from(flow)].split_to(bytes as usize)),
                    Entry::Here { bytes, .. } => history.extend_from_slice(&bytes),
                    Entry::Offsets(_) => {}
                }
            }
        }
        assert!(parts.iter().all(Bytes::is_empty));
        history
    }

    #[test]
    fn what_is_taken_apart_joins_to_the_same_history() {
        let runs = vec![
            run(shard(0), 0, 10),
            run(Track::None, 0, 5),
            run(shard(1), 0, 7),
            run(shard(4), 0, 3),
            run(shard(0), 1, 2 * BODY_MAX + 11),
        ];
        let all = chunk(runs);
        for flows in [1, 2, 5, 9] {
            let mut streams = Streams::new(5);
            let frames = streams.take_apart(from_ref(&all), 1000, flows);
            assert_eq!(joined(&frames, flows), all.bytes);
            assert_eq!(opened(&frames.first[0]).0.position, 1000);
            let total = streams.folded(flows).iter().sum::<u64>();
            assert_eq!(total as usize, all.bytes.len() - 5);
        }
    }

    #[test]
    fn the_offset_of_a_flow_goes_on_from_chunk_to_chunk() {
        let mut streams = Streams::new(3);
        let mut seen = [0; 2];
        for round in 0..200 {
            let track = match round % 50 {
                49 => Track::All,
                other => shard(other % 3),
            };
            let one = chunk(vec![
                run(track, 0, 100 + usize::from(round)),
                run(shard(2), 0, 9),
            ]);
            let before = streams.folded(2);
            let frames = streams.take_apart(from_ref(&one), 0, 2);
            assert_eq!(joined(&frames, 2), one.bytes);
            for (flow, frame) in &frames.flows {
                let (header, body) = opened(frame);
                assert_eq!(header.offset, before[*flow]);
                seen[*flow] += body.len();
            }
        }
        assert!(seen.iter().all(|bytes| *bytes > 0));
    }

    /// The bytes of each flow with their offsets.
    fn placed(frames: &Frames) -> Vec<(usize, u64, u8)> {
        let frames = frames.flows.iter().flat_map(|(flow, frame)| {
            let (header, body) = opened(frame);
            let bytes = body.into_iter().enumerate();
            bytes.map(move |(at, byte)| (*flow, header.offset + at as u64, byte))
        });
        let mut all: Vec<_> = frames.collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn what_is_gathered_is_taken_apart_as_one_by_one_in_fewer_frames() {
        let (mut together, mut single) = (Streams::new(3), Streams::new(3));
        let chunks: Vec<Chunk> = (0..200_u16)
            .map(|round| match round % 50 {
                49 => chunk(vec![run(Track::All, 0, 40)]),
                30 => chunk(vec![run(shard(1), 0, BODY_MAX + 3)]),
                other => chunk(vec![run(shard(other % 3), 0, 10 + usize::from(round))]),
            })
            .collect();
        let mut offset = 0;
        for gathered in chunks.chunks(9) {
            let frames = together.take_apart(gathered, offset, 2);
            let mut one_by_one = Frames::default();
            for chunk in gathered {
                let mut next = single.take_apart(from_ref(chunk), offset, 2);
                offset += chunk.bytes.len() as u64;
                one_by_one.first.append(&mut next.first);
                one_by_one.flows.append(&mut next.flows);
            }
            assert_eq!(joined(&frames, 2), joined(&one_by_one, 2));
            assert_eq!(placed(&frames), placed(&one_by_one));
            let is_long = gathered.iter().any(|it| it.bytes.len() > BODY_MAX);
            let most = if is_long { 4 } else { 2 };
            assert!(frames.first.len() <= most && frames.flows.len() <= most);
        }
        assert_eq!(together, single);
    }

    #[test]
    fn behind_what_is_about_several_all_goes_one_way_for_some_time() {
        let mut streams = Streams::new(2);
        let own = || chunk(vec![run(shard(1), 0, 10)]);
        assert_eq!(streams.take_apart(&[own()], 0, 2).flows.len(), 1);
        let several = chunk(vec![run(shard(0), 0, 4), run(Track::All, 0, 4)]);
        assert!(streams.take_apart(&[several], 0, 2).flows.is_empty());
        for _ in 1..TOGETHER {
            assert!(streams.take_apart(&[own()], 0, 2).flows.is_empty());
        }
        let frames = streams.take_apart(&[own()], 0, 2);
        assert_eq!(
            opened(&frames.flows[0].1).0.offset,
            10 * u64::from(TOGETHER)
        );
    }

    #[test]
    fn what_was_missed_comes_in_whole_commands_and_transactions() {
        let set = |len: usize| {
            let value = "x".repeat(len);
            format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${len}\r\n{value}\r\n")
        };
        let (multi, exec) = ("*1\r\n$5\r\nMULTI\r\n", "*1\r\n$4\r\nEXEC\r\n");
        let small = set(10).repeat(30_000);
        let transaction = [multi, &set(HERE_MAX - 100), &set(500), exec].concat();
        let (large, last) = (set(3 * HERE_MAX), set(1));
        let all = [&*small, &transaction, &large, &last].concat();
        let all = Bytes::from(all);
        let ends: Vec<usize> = (1..=30_000)
            .map(|count| count * set(10).len())
            .chain([small.len() + transaction.len()])
            .chain([all.len() - set(1).len(), all.len()])
            .collect();
        let (mut at, mut joined) = (0, Vec::new());
        for frame in Streams::catch_up(all.clone(), 77) {
            let (header, body) = opened(&frame);
            assert_eq!(header.position, 77 + at as u64);
            for entry in read(body).unwrap() {
                let Entry::Here {
                    bytes, has_more, ..
                } = entry
                else {
                    panic!("{entry:?}");
                };
                at += bytes.len();
                assert_eq!(has_more, ends.binary_search(&at).is_err(), "{at}");
                joined.extend_from_slice(&bytes);
            }
        }
        assert_eq!(joined, all);
    }

    #[test]
    fn nonsense_is_no_order() {
        let mut good = Vec::new();
        Entry::Offsets(vec![1, 2]).write(&mut good);
        assert_eq!(
            read(Bytes::from(good.clone())),
            Some(vec![Entry::Offsets(vec![1, 2])])
        );
        for len in 1..good.len() {
            assert_eq!(read(Bytes::copy_from_slice(&good[..len])), None, "{len}");
        }
        let mut huge = Vec::new();
        Entry::put(&mut huge, (OFFSETS, None, 0), u64::MAX);
        assert_eq!(read(Bytes::from(huge)), None);
        let mut unknown = Vec::new();
        Entry::put(&mut unknown, (9, None, 0), 0);
        assert_eq!(read(Bytes::from(unknown)), None);
    }
}
