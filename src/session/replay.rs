//! The log at the start: its files are read on the calling thread, its commands run on the cores.
//!
//! ```text
//!   base .rdb      batches to all shards, as any snapshot
//!   .aof           framed and checked here; what is whole goes in pieces to one core, whose
//!                  loading session runs it as if a client had sent it
//! ```
//!
//! One piece runs while the next one is read. Only the last file may end early, and only if
//! `aof-load-truncated` says so; anything else that is not right ends the start.

use super::load::{Dispatch, Letter};
use super::node::Node;
use crate::keyspace::ShardId;
use crate::persistence::aof::files::Place;
use crate::persistence::aof::scan::{Ending, Scanner};
use crate::persistence::aof::{Message, Opening};
use crate::persistence::{Bookmark, Fed, Loader, Rules, Summary};
use crate::runtime::file::Incoming;
use crate::runtime::log_file;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

/// What came of a piece: why its commands cannot have been written by a server, if so.
pub type Replayed = Result<(), String>;

/// The core on which the loading session sits.
const CORE: ShardId = ShardId(0);
/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// A log that is being read.
struct Replay<'n> {
    node: &'n Node,
    sender: Sender<Replayed>,
    receiver: Receiver<Replayed>,
    is_running: bool,
    /// Bytes of the files before this one.
    passed: u64,
    /// The name of the file that is read.
    name: String,
    salvaged: Vec<u8>,
    /// What the last file says of the history at its end.
    bookmark: Option<Bookmark>,
}

impl Node {
    /// Loads the log there is, or begins one, and opens it to go on with it.
    pub fn load_log(&self) -> Result<(), Vec<String>> {
        let config = self.config.value();
        let place = Place::new(&config);
        let found = place.find()?;
        place.sweep();
        let (mut salvaged, mut bookmark) = (Vec::new(), None);
        let begin_ms = self.clock.millis().0;
        let manifest = match found {
            None => place.create(config.aof_use_rdb_preamble)?,
            Some(manifest) => {
                let paths = manifest.parts().map(|part| place.folder.join(&part.name));
                let lens = paths.filter_map(|path| log_file::len_of(&path).ok().flatten());
                self.state.loading.begin(begin_ms, lens.sum());
                self.aof.status.set_loading(true);
                let result = Replay::new(self).files(&place, &manifest);
                self.aof.status.set_loading(false);
                (salvaged, bookmark) = result?;
                let seconds = (self.clock.millis().0 - begin_ms) as f64 / 1000.0;
                tracing::info!("DB loaded from append only file: {seconds:.3} seconds");
                manifest
            }
        };
        let (done, is_open) = channel();
        let opening = Opening {
            folder: place.folder,
            manifest,
            salvaged,
            cut: None,
            done,
        };
        if !self.aof.start(self.config.hold(), self.clock.clone()) {
            return Err(vec![
                "Can't start the thread of the append-only file.".into(),
            ]);
        }
        self.aof.tell(Message::Open(Box::new(opening)));
        let opened = is_open
            .recv()
            .unwrap_or_else(|_| Err("its thread has ended".into()));
        opened.map_err(|line| vec![line])?;
        self.record(true);
        // What was replayed was no client's doing.
        self.reset_statistics();
        if let Some(bookmark) = bookmark {
            self.resume_history(bookmark);
        }
        self.state.loading.end(&Summary::default());
        Ok(())
    }

    /// Runs the log there is once more.
    pub(super) fn replay_log(&self) -> Result<(), Vec<String>> {
        let place = Place::new(&self.config.value());
        let manifest = place.find()?.unwrap_or_default();
        self.aof.status.set_loading(true);
        let replayed = Replay::new(self).files(&place, &manifest);
        self.aof.status.set_loading(false);
        replayed.map(drop)
    }

    /// Lets all shards keep their effects, or no more, when nothing is under way that spans them.
    pub(super) fn record(&self, is_recording: bool) {
        let (sender, receiver) = channel();
        self.letters[usize::from(CORE.0)].post(Letter::Record(is_recording, sender));
        // Ends when every core has let go of its sender.
        while receiver.recv().is_ok() {}
    }
}

impl<'n> Replay<'n> {
    fn new(node: &'n Node) -> Replay<'n> {
        let (sender, receiver) = channel();
        Replay {
            node,
            sender,
            receiver,
            is_running: false,
            passed: 0,
            name: String::new(),
            salvaged: Vec::new(),
            bookmark: None,
        }
    }

    /// Loads all files; returns what of the last one was cut off and is to be written again, and
    /// where in its history the dataset is.
    fn files(
        mut self,
        place: &Place,
        manifest: &crate::persistence::aof::manifest::Manifest,
    ) -> Result<(Vec<u8>, Option<Bookmark>), Vec<String>> {
        let last = manifest.parts().count();
        for (number, part) in manifest.parts().enumerate() {
            let begin_ms = self.node.clock.millis().0;
            self.name.clone_from(&part.name);
            let path = place.folder.join(&part.name);
            self.file(&path, number + 1 == last)?;
            let kind = match number == 0 && manifest.base.is_some() {
                true => "base",
                false => "incr",
            };
            let seconds = (self.node.clock.millis().0 - begin_ms) as f64 / 1000.0;
            let name = &part.name;
            tracing::info!("DB loaded from {kind} file {name}: {seconds:.3} seconds");
        }
        Ok((self.salvaged, self.bookmark))
    }

    fn file(&mut self, path: &Path, is_last: bool) -> Result<(), Vec<String>> {
        let name = self.name.clone();
        let unreadable = |error: std::io::Error| {
            vec![format!(
                "Unrecoverable error reading the append only file {name}: {error}"
            )]
        };
        let Some(mut file) = Incoming::open(path).map_err(unreadable)? else {
            return Err(vec![format!("The AOF file {name} doesn't exist")]);
        };
        let mut first = Vec::new();
        file.read(&mut first, CHUNK_BYTES).map_err(unreadable)?;
        let is_snapshot = first.starts_with(b"REDIS") || first.starts_with(b"VALKEY");
        let (rest, offset) = match is_snapshot {
            true => self.preamble(&mut file, first)?,
            false => (first, 0),
        };
        // What was never written reads as zeros; no command ends with one.
        let zeros = log_file::zeros_at_end(path).map_err(unreadable)?;
        let mut left = (file.len() - zeros).saturating_sub(offset);
        let is_cut = zeros > 0 && file.len() > offset;
        let mut scanner = Scanner::at(offset).flatten();
        let mut chunk = rest;
        loop {
            chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= chunk.len() as u64;
            if chunk.is_empty() {
                break;
            }
            let fed = scanner.feed(&chunk);
            self.run(scanner.take_ready())?;
            fed.map_err(|damage| self.bad_format(damage.offset, &damage.what))?;
            self.node
                .state
                .loading
                .reached(self.passed + scanner.safe());
            chunk.clear();
            file.read(&mut chunk, CHUNK_BYTES).map_err(unreadable)?;
        }
        let ending = scanner.end();
        self.run(scanner.take_ready())?;
        self.wait()?;
        let ending = ending.map_err(|damage| self.bad_format(damage.offset, &damage.what))?;
        self.passed += file.len();
        match ending {
            Ending::Whole if !is_cut => {
                self.bookmark = scanner.bookmark().cloned();
                Ok(())
            }
            _ => self.cut_off(path, ending, is_last, scanner),
        }
    }

    /// Loads a snapshot; returns what stands behind it, and where.
    fn preamble(
        &mut self,
        file: &mut Incoming,
        mut chunk: Vec<u8>,
    ) -> Result<(Vec<u8>, u64), Vec<String>> {
        // What has expired meanwhile is deleted by what comes behind, or by time.
        let rules = Rules {
            expired_by_ms: None,
            ..self.node.load_rules()
        };
        let mut loader = Loader::new(rules);
        let mut dispatch = Dispatch::new(self.node);
        let name = self.name.clone();
        let refused = |error: &dyn std::fmt::Display| {
            vec![format!(
                "Error reading the RDB preamble of the AOF file {name}: {error}"
            )]
        };
        loop {
            let fed = loader.feed(&chunk, &mut |shard, batch| dispatch.send(shard, batch));
            let read = self.passed + loader.summary().bytes;
            self.node.state.loading.reached(read);
            if let Fed::Ended(rest) = fed.map_err(|error| refused(&error))? {
                dispatch.finish().map_err(|error| refused(&error))?;
                return Ok((rest, loader.summary().bytes));
            }
            chunk.clear();
            let read = file.read(&mut chunk, CHUNK_BYTES);
            if read.map_err(|error| refused(&error))? == 0 {
                return Err(refused(&loader.cut_off()));
            }
        }
    }

    /// Lets commands run when those before them have.
    fn run(&mut self, commands: Vec<u8>) -> Result<(), Vec<String>> {
        if commands.is_empty() {
            return Ok(());
        }
        self.wait()?;
        let letter = Letter::Replay(commands, self.sender.clone());
        self.node.letters[usize::from(CORE.0)].post(letter);
        self.is_running = true;
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Vec<String>> {
        if !std::mem::take(&mut self.is_running) {
            return Ok(());
        }
        let replayed = self.receiver.recv().expect("a sender is held here");
        replayed.map_err(|what| {
            let name = &self.name;
            vec![format!("{what} reading the append only file {name}")]
        })
    }

    fn bad_format(&self, offset: u64, what: &str) -> Vec<String> {
        let name = &self.name;
        vec![
            format!(
                "Bad file format reading the append only file {name}: make a backup of your AOF \
                 file, then use ringshard --check-aof --fix <filename.manifest>"
            ),
            format!("At offset {offset}: {what}."),
        ]
    }

    /// The file ends in the middle: what is not whole is cut off, if that is allowed.
    fn cut_off(
        &mut self,
        path: &Path,
        ending: Ending,
        is_last: bool,
        mut scanner: Scanner,
    ) -> Result<(), Vec<String>> {
        let name = &self.name;
        if !is_last {
            return Err(vec![format!(
                "Fatal error: the truncated file {name} is not the last file"
            )]);
        }
        if !self.node.config.value().aof_load_truncated {
            return Err(vec![format!(
                "Unexpected end of file reading the append only file {name}. You can: 1) Make a \
                 backup of your AOF file, then use ringshard --check-aof --fix \
                 <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' \
                 configuration option to yes and restart the server."
            )]);
        }
        if ending == Ending::InMulti {
            tracing::warn!("Revert incomplete MULTI/EXEC transaction from AOF file {name}");
        }
        tracing::warn!("!!! Warning: short read while loading the AOF file {name}!!!");
        let safe = scanner.safe();
        tracing::warn!("AOF loaded anyway because aof-load-truncated is enabled");
        tracing::warn!("Truncating the AOF {name} at offset {safe}");
        let cut = log_file::truncate(path, safe);
        cut.map_err(|error| vec![format!("Error truncating the AOF file {name}: {error}")])?;
        self.salvaged = scanner.take_salvaged();
        Ok(())
    }
}
