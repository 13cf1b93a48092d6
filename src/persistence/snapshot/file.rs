//! A snapshot as one standard file, written by a thread beside the cores.
//!
//! ```text
//!   head | entries of all shards as they come ... | longs of shard 0 | longs of shard 1 | end, CRC
//!                                                    ^ from files beside it, which have no name
//! ```
//!
//! A file of commands (the base of a log without RDB) has no head and no end, but a line with a
//! checksum before each chunk, as the log itself.
//!
//! The file appears under its name when all of it is on disk, and not before; whatever fails leaves
//! the old one in its place. Cores never wait for the disk: what they have written waits here, and
//! when that is much their walks rest.

use super::desk::Request;
use super::sink::{Chunk, Lane, Sink};
use super::style::{Format, Style};
use crate::base::alloc;
use crate::keyspace::{ShardId, Size};
use crate::persistence::aof::frame::checksum_line;
use crate::rdb::{Checksum, Output, combine};
use crate::runtime::draft::Draft;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Bytes that may wait to be written before walks rest.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// Bytes after which what was written is flushed (rdb-save-incremental-fsync).
const FLUSH_BYTES: u64 = 4 << 20;

/// Names and what they say of a file.
pub type Pairs = Vec<(&'static str, Vec<u8>)>;

/// A file to be written.
pub struct Target {
    pub path: PathBuf,
    /// Pairs that stand at the beginning of the file.
    pub aux: Pairs,
    /// More of them, which are known when the cut has been made; whoever does not know any lets go
    /// of the sender.
    pub late_aux: Option<Receiver<Pairs>>,
    pub shards: usize,
    /// rdbchecksum.
    pub has_checksum: bool,
    /// rdb-save-incremental-fsync.
    pub flushes: bool,
    /// Where the bytes are counted that wait to be written.
    pub waiting: Arc<AtomicUsize>,
}

/// What came of it.
pub type Outcome = Result<Written, String>;

/// A file that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub bytes: u64,
}

/// Whoever wants to know how it is going.
pub trait Watch: Send + Sync {
    /// A shard has made the cut.
    fn begins(&self, size: Size);

    /// A shard has written so many keys more.
    fn advances(&self, keys: u64);

    /// So many bytes are written; the thread has got or let go so many bytes of memory since.
    fn writes(&self, bytes: u64, memory: i64);
}

enum Word {
    Put(usize, Lane, Chunk),
    End { is_whole: bool },
}

/// What sinks and writer tell each other.
struct Pipe {
    waiting: Arc<AtomicUsize>,
    is_broken: AtomicBool,
}

struct FileSink {
    shard: usize,
    pipe: Arc<Pipe>,
    words: Sender<Word>,
    watch: Arc<dyn Watch>,
}

impl Sink for FileSink {
    fn begin(&mut self, size: Size) {
        self.watch.begins(size);
    }

    fn put(&mut self, lane: Lane, chunk: Chunk) {
        if self.is_broken() {
            return;
        }
        self.pipe.waiting.fetch_add(chunk.len(), Relaxed);
        // A writer that has gone has said that it is broken.
        let _ = self.words.send(Word::Put(self.shard, lane, chunk));
    }

    fn is_full(&self) -> bool {
        self.pipe.waiting.load(Relaxed) > WAITING_BYTES_MAX && !self.is_broken()
    }

    fn is_awaited(&self) -> bool {
        false
    }

    fn is_broken(&self) -> bool {
        self.pipe.is_broken.load(Relaxed)
    }

    fn advance(&mut self, keys: u64) {
        self.watch.advances(keys);
    }

    fn end(self: Box<Self>, is_whole: bool) {
        let _ = self.words.send(Word::End { is_whole });
    }
}

/// A request for a file, and the work of its thread: it ends when all shards have ended, or when
/// no sink is left.
pub fn file_request(
    target: Target,
    style: Style,
    watch: Arc<dyn Watch>,
) -> (Request, impl FnOnce() -> Outcome + Send + 'static) {
    let (words, receiver) = channel();
    target.waiting.store(0, Relaxed);
    let pipe = Arc::new(Pipe {
        waiting: target.waiting.clone(),
        is_broken: AtomicBool::new(false),
    });
    let (sinks, writer) = (pipe.clone(), watch.clone());
    let sink = move |shard: ShardId| -> Box<dyn Sink> {
        Box::new(FileSink {
            shard: shard.0.into(),
            pipe: sinks.clone(),
            words: words.clone(),
            watch: watch.clone(),
        })
    };
    let request = Request {
        style,
        sink: Box::new(sink),
    };
    let work = move || {
        let outcome = write(&target, style, &receiver, (&pipe, &*writer));
        if outcome.is_err() {
            pipe.is_broken.store(true, Relaxed);
            // What the shards still send is let go.
            for word in receiver {
                if let Word::Put(_, _, chunk) = word {
                    pipe.waiting.fetch_sub(chunk.len(), Relaxed);
                }
            }
        }
        outcome
    };
    (request, work)
}

fn write(
    target: &Target,
    style: Style,
    words: &Receiver<Word>,
    (pipe, watch): (&Pipe, &dyn Watch),
) -> Outcome {
    let named = |error: io::Error| error.to_string();
    let mut file = Body::begin(target, style.format).map_err(named)?;
    let mut left = target.shards;
    let mut noted = alloc::thread_allocated_bytes().live();
    while left > 0 {
        match words.recv().map_err(|_| "the shards have given up")? {
            Word::End { is_whole: true } => left -= 1,
            Word::End { is_whole: false } => return Err("a part of the data was lost".into()),
            Word::Put(shard, lane, chunk) => {
                let len = chunk.len();
                let bytes = chunk.into_bytes(style);
                file.put(shard, lane, &bytes).map_err(named)?;
                drop(bytes);
                pipe.waiting.fetch_sub(len, Relaxed);
                let live = alloc::thread_allocated_bytes().live();
                watch.writes(file.bytes, live - std::mem::replace(&mut noted, live));
            }
        }
    }
    file.finish(target).map_err(named)
}

/// The file, and the files beside it.
struct Body {
    format: Format,
    draft: Draft,
    checksum: Checksum,
    bytes: u64,
    flushed: u64,
    flushes: bool,
    sides: Vec<Option<Side>>,
}

/// Longs of one shard.
struct Side {
    draft: Draft,
    checksum: Checksum,
    bytes: u64,
}

impl Body {
    fn begin(target: &Target, format: Format) -> io::Result<Body> {
        let mut body = Body {
            format,
            draft: Draft::create(&target.path)?,
            checksum: Checksum::default(),
            bytes: 0,
            flushed: 0,
            flushes: target.flushes,
            sides: (0..target.shards).map(|_| None).collect(),
        };
        if format == Format::Rdb {
            body.add(&head(target))?;
        }
        Ok(body)
    }

    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.draft.write(bytes)?;
        self.checksum.update(bytes);
        self.bytes += bytes.len() as u64;
        if self.flushes && self.bytes >= self.flushed + FLUSH_BYTES {
            self.flushed = self.bytes;
            self.draft.flush()?;
        }
        Ok(())
    }

    /// Adds a chunk; among commands with a line before it that says its checksum.
    fn put(&mut self, shard: usize, lane: Lane, bytes: &[u8]) -> io::Result<()> {
        if self.format == Format::Commands {
            self.place(shard, lane, checksum_line(bytes).as_bytes())?;
        }
        self.place(shard, lane, bytes)
    }

    fn place(&mut self, shard: usize, lane: Lane, bytes: &[u8]) -> io::Result<()> {
        if lane == Lane::Entries {
            return self.add(bytes);
        }
        if self.sides[shard].is_none() {
            self.sides[shard] = Some(Side {
                draft: self.draft.beside(shard)?,
                checksum: Checksum::default(),
                bytes: 0,
            });
        }
        let side = self.sides[shard].as_mut().expect("just made");
        side.draft.write(bytes)?;
        side.checksum.update(bytes);
        side.bytes += bytes.len() as u64;
        Ok(())
    }

    fn finish(mut self, target: &Target) -> io::Result<Written> {
        let mut sum = self.checksum.value();
        for side in self.sides.iter_mut().flatten() {
            self.draft.append(&mut side.draft)?;
            sum = combine(sum, side.checksum.value(), side.bytes);
            self.bytes += side.bytes;
        }
        let end = match self.format {
            Format::Rdb => end(sum, target.has_checksum),
            Format::Commands => Vec::new(),
        };
        self.draft.write(&end)?;
        self.draft.publish(&target.path)?;
        Ok(Written {
            bytes: self.bytes + end.len() as u64,
        })
    }
}

/// What stands before the entries of an RDB file.
fn head(target: &Target) -> Vec<u8> {
    let mut head = Output::new(false);
    head.magic();
    // The shards' chunks wait meanwhile, as they do for a slow disk.
    let late = target.late_aux.as_ref().map(Receiver::recv);
    let late = late.and_then(Result::ok).unwrap_or_default();
    for (name, value) in target.aux.iter().chain(&late) {
        head.aux(name, value);
    }
    head.bytes
}

/// What stands behind them; so far the checksum is this.
fn end(sum: u64, has_checksum: bool) -> Vec<u8> {
    let mut end = Output::new(false);
    end.end();
    let sum = combine(sum, crate::rdb::crc64(&end.bytes), end.bytes.len() as u64);
    let sum = if has_checksum { sum } else { 0 };
    end.raw(&sum.to_le_bytes());
    end.bytes
}
