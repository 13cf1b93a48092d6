//! The reader of the frame: bytes in, batches out, in whatever pieces the bytes come.
//!
//! What it holds is bounded: the piece that is not whole yet, a batch for each shard, and one value
//! in the making. It stops where the dataset ends and leaves what stands behind it.

use super::batch::{Batch, Piece};
use super::error::{Fault, LoadError};
use crate::base::clock::is_over;
use crate::keyspace::{DbIndex, ShardId, Slot, SlotMap};
use crate::object::Packing;
use crate::persistence::Bookmark;
use crate::rdb::{Decoder, FileReader, Input, Item, KeyHead, Stop};

/// A value that is not whole after so many bytes is decoded here, as it comes.
const WRITTEN_BYTES_MAX: usize = 256 * 1024;
/// Elements of such a value that are made in one go.
const ELEMENTS_A_STEP: usize = 4096;

/// How a dataset is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub map: SlotMap,
    pub databases: u32,
    /// Whether the checksum is verified (rdbchecksum).
    pub verifies: bool,
    /// Keys whose time had come by then are left out; `None` keeps them, as a replica does.
    pub expired_by_ms: Option<i64>,
    /// Whether a key that is there already is replaced; otherwise it is an error.
    pub merges: bool,
    pub packing: Packing,
}

/// What the frame has said so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Keys that were handed out.
    pub keys: u64,
    pub expired: u64,
    /// Bytes that were read.
    pub bytes: u64,
    pub is_aof_base: bool,
    /// What it says of the history of replication: name, offset and database.
    pub replication: Replication,
}

/// What a master writes of its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replication {
    pub id: Option<Vec<u8>>,
    pub offset: Option<i64>,
    pub db: Option<u32>,
}

impl Replication {
    /// Where in the history the dataset is, if all of it was said.
    pub fn bookmark(&self) -> Option<Bookmark> {
        Bookmark::of(self.id.as_ref()?, self.offset?, self.db?)
    }
}

/// What became of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    /// They were read; there is more to come.
    More,
    /// The dataset has ended; these stand behind it.
    Ended(Vec<u8>),
}

#[derive(Debug)]
enum State {
    Between,
    Value(KeyHead),
    Making(KeyHead, Box<Decoder>),
    Ended,
}

/// A dataset being read.
pub struct Loader {
    rules: Rules,
    reader: FileReader,
    state: State,
    db: DbIndex,
    /// What has come and is not read yet.
    ahead: Vec<u8>,
    batches: Vec<Batch>,
    summary: Summary,
    /// Others may go on from this dataset: what goes has to go in the stream.
    is_bookmarked: bool,
}

/// Where batches go.
pub type Deliver<'d> = dyn FnMut(ShardId, Batch) -> Result<(), LoadError> + 'd;

impl Loader {
    /// At the beginning of a dataset.
    pub fn new(rules: Rules) -> Loader {
        let batches = (0..rules.map.shards()).map(|_| Batch::new(rules.merges));
        Loader {
            reader: FileReader::new(rules.verifies),
            state: State::Between,
            db: DbIndex(0),
            ahead: Vec::new(),
            batches: batches.collect(),
            summary: Summary::default(),
            is_bookmarked: false,
            rules,
        }
    }

    /// What has been read so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Reads on. Batches go out as they become full, and all of them at the end.
    pub fn feed(&mut self, bytes: &[u8], deliver: &mut Deliver<'_>) -> Result<Fed, LoadError> {
        let mut ahead = std::mem::take(&mut self.ahead);
        if ahead.is_empty() {
            let read = self.read(bytes, deliver)?;
            ahead.extend_from_slice(&bytes[read..]);
        } else {
            ahead.extend_from_slice(bytes);
            let read = self.read(&ahead, deliver)?;
            ahead.drain(..read);
        }
        if let State::Ended = self.state {
            self.hand_out(deliver)?;
            return Ok(Fed::Ended(ahead));
        }
        self.ahead = ahead;
        Ok(Fed::More)
    }

    /// Reads as far as the pieces in these bytes are whole; how far that is.
    fn read(&mut self, bytes: &[u8], deliver: &mut Deliver<'_>) -> Result<usize, LoadError> {
        let mut input = Input::new(bytes);
        let result = loop {
            match self.step(&mut input, deliver) {
                Ok(()) if matches!(self.state, State::Ended) => break Ok(()),
                Ok(()) => {}
                Err(Failure::Short) => break Ok(()),
                Err(Failure::Final(error)) => break Err(error),
            }
        };
        self.summary.bytes = self.reader.offset();
        result.map(|()| input.position())
    }

    /// The error of a source that has no more bytes although the dataset has not ended.
    pub fn cut_off(&self) -> LoadError {
        self.error(Fault::CutOff)
    }

    /// An error at the piece that is being read.
    pub fn error(&self, fault: Fault) -> LoadError {
        let key = match &self.state {
            State::Value(head) | State::Making(head, _) => Some(head.key.clone()),
            State::Between | State::Ended => None,
        };
        LoadError {
            offset: self.reader.offset(),
            key,
            fault,
        }
    }

    fn step(&mut self, input: &mut Input<'_>, deliver: &mut Deliver<'_>) -> Result<(), Failure> {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Between => {
                let item = self.reader.next(input).map_err(|stop| self.stopped(stop))?;
                self.take(item).map_err(Failure::Final)
            }
            State::Value(head) => self.value(head, input, deliver),
            State::Making(head, decoder) => self.make(head, decoder, input, deliver),
            State::Ended => Ok(()),
        }
    }

    fn stopped(&self, stop: Stop) -> Failure {
        match stop {
            Stop::Short(_) => Failure::Short,
            Stop::Damage(damage) => Failure::Final(self.error(Fault::Damage(damage))),
        }
    }

    /// A value as it was written, if all of it is there.
    fn value(
        &mut self,
        head: KeyHead,
        input: &mut Input<'_>,
        deliver: &mut Deliver<'_>,
    ) -> Result<(), Failure> {
        let offset = self.reader.offset();
        match self.reader.value_bytes(head.code, input) {
            Ok(bytes) => {
                let shard = self.keep(&head, offset, Piece::Written(bytes));
                self.deliver_full(shard, deliver)
            }
            Err(Stop::Short(_)) if input.left() >= WRITTEN_BYTES_MAX => {
                let decoder = Decoder::new(head.code, &self.rules.packing);
                self.state = State::Making(head, Box::new(decoder));
                Ok(())
            }
            Err(stop) => {
                self.state = State::Value(head);
                Err(self.stopped(stop))
            }
        }
    }

    fn make(
        &mut self,
        head: KeyHead,
        mut decoder: Box<Decoder>,
        input: &mut Input<'_>,
        deliver: &mut Deliver<'_>,
    ) -> Result<(), Failure> {
        let offset = self.reader.offset();
        match self.reader.value(&mut decoder, input, ELEMENTS_A_STEP) {
            Ok(Some(value)) => {
                let shard = self.keep(&head, offset, Piece::Made(value));
                self.deliver_full(shard, deliver)
            }
            step => {
                self.state = State::Making(head, decoder);
                step.map(drop).map_err(|stop| self.stopped(stop))
            }
        }
    }

    /// Puts a key into the batch of its shard, unless its time has come.
    fn keep(&mut self, head: &KeyHead, offset: u64, piece: Piece<'_>) -> ShardId {
        let shard = self.rules.map.shard(Slot::of(&head.key));
        let by_ms = self.rules.expired_by_ms.unwrap_or(i64::MIN);
        if head.expires_at_ms.is_some_and(|at| is_over(at, by_ms)) && !self.is_bookmarked {
            self.summary.expired += 1;
            return shard;
        }
        self.summary.keys += 1;
        self.batches[shard.0 as usize].add(self.db, offset, head, piece);
        shard
    }

    fn deliver_full(&mut self, shard: ShardId, deliver: &mut Deliver<'_>) -> Result<(), Failure> {
        let batch = &mut self.batches[shard.0 as usize];
        if batch.is_full() {
            let next = Batch::new(self.rules.merges);
            deliver(shard, std::mem::replace(batch, next)).map_err(Failure::Final)?;
        }
        Ok(())
    }

    /// Hands out what has gathered so far, for whoever wants to see it though the rest is damaged.
    pub fn hand_out(&mut self, deliver: &mut Deliver<'_>) -> Result<(), LoadError> {
        for (shard, batch) in self.batches.iter_mut().enumerate() {
            if !batch.is_empty() {
                let next = Batch::new(self.rules.merges);
                deliver(ShardId(shard as u16), std::mem::replace(batch, next))?;
            }
        }
        Ok(())
    }

    fn take(&mut self, item: Item) -> Result<(), LoadError> {
        match item {
            Item::Head(..) | Item::Sizes { .. } => {}
            Item::Key(head) => self.state = State::Value(head),
            Item::End => self.state = State::Ended,
            Item::Select(number) => {
                let databases = self.rules.databases;
                let db = u32::try_from(number).ok().filter(|db| *db < databases);
                let fault = Fault::Database { number, databases };
                self.db = DbIndex(db.ok_or_else(|| self.error(fault))?);
            }
            Item::Aux(name, value) => self.note(&name, value),
            Item::Function(_) => {
                tracing::warn!("A library of functions is left out: there are no functions here");
            }
            Item::Skipped(what) => tracing::warn!("Left out while loading: {what}"),
        }
        Ok(())
    }

    fn note(&mut self, name: &[u8], value: Vec<u8>) {
        let text = || String::from_utf8_lossy(&value).into_owned();
        let number = || text().parse::<i64>().ok();
        let replication = &mut self.summary.replication;
        match name {
            b"redis-ver" => tracing::info!("Loading RDB produced by version {}", text()),
            b"valkey-ver" => tracing::info!("Loading RDB produced by Valkey version {}", text()),
            b"ctime" => note_age(number(), self.rules.expired_by_ms),
            b"used-mem" => note_memory(number()),
            b"aof-preamble" | b"aof-base" => {
                self.summary.is_aof_base = number().is_some_and(|is_base| is_base != 0);
                if self.summary.is_aof_base {
                    tracing::info!("RDB is base AOF");
                }
            }
            b"repl-id" => replication.id = Some(value),
            b"repl-offset" => replication.offset = number(),
            b"repl-stream-db" => replication.db = number().and_then(|db| u32::try_from(db).ok()),
            _ => {}
        }
        self.is_bookmarked = self.summary.replication.bookmark().is_some();
    }
}

fn note_age(written_at: Option<i64>, now_ms: Option<i64>) {
    if let (Some(at), Some(now_ms)) = (written_at, now_ms) {
        let age = (now_ms / 1000).saturating_sub(at).max(0);
        tracing::info!("RDB age {age} seconds");
    }
}

fn note_memory(bytes: Option<i64>) {
    if let Some(bytes) = bytes {
        let megabytes = bytes as f64 / (1024.0 * 1024.0);
        tracing::info!("RDB memory usage when created {megabytes:.2} Mb");
    }
}

enum Failure {
    /// More bytes are needed.
    Short,
    Final(LoadError),
}
