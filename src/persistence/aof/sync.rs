//! fsync beside the log's thread, so that writes go on meanwhile.
//!
//! One at a time, on a thread that exists as long as the log. What a failed one means is the log's
//! business: the pages it was about may be gone, and a second one would not know.

use crate::runtime::log_file::Syncer;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicU8};
use std::sync::mpsc::{Sender, channel};

const IDLE: u8 = 0;
const BUSY: u8 = 1;
const DONE: u8 = 2;

#[derive(Debug, Default)]
struct Shared {
    state: AtomicU8,
    errno: AtomicI32,
}

/// Syncs files on a thread of its own.
#[derive(Debug, Default)]
pub struct Syncing {
    sender: Option<Sender<Syncer>>,
    shared: Arc<Shared>,
    /// It was told already that this one takes long.
    is_told: bool,
}

/// What became of the last one.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing new.
    None,
    Synced,
    Failed(io::Error),
}

impl Syncing {
    /// Whether one is under way.
    pub fn is_busy(&self) -> bool {
        self.shared.state.load(SeqCst) != IDLE
    }

    /// Whether the one under way is asked about for the first time.
    pub fn is_news(&mut self) -> bool {
        !std::mem::replace(&mut self.is_told, true)
    }

    /// Begins one.
    pub fn begin(&mut self, file: Syncer) {
        self.is_told = false;
        self.shared.state.store(BUSY, SeqCst);
        let sender = self.sender.take().or_else(|| spawn(self.shared.clone()));
        match sender {
            Some(sender) if sender.send(file.clone()).is_ok() => self.sender = Some(sender),
            // No thread can be had: then it has to be done here.
            _ => self.shared.end(file.sync()),
        }
    }

    /// What became of the last one.
    pub fn outcome(&mut self) -> Outcome {
        if self.shared.state.load(SeqCst) != DONE {
            return Outcome::None;
        }
        self.shared.state.store(IDLE, SeqCst);
        match self.shared.errno.load(SeqCst) {
            0 => Outcome::Synced,
            errno => Outcome::Failed(io::Error::from_raw_os_error(errno)),
        }
    }
}

impl Shared {
    fn end(&self, result: io::Result<()>) {
        let errno = |error: io::Error| error.raw_os_error().unwrap_or(libc::EIO);
        self.errno.store(result.err().map_or(0, errno), SeqCst);
        self.state.store(DONE, SeqCst);
    }
}

fn spawn(shared: Arc<Shared>) -> Option<Sender<Syncer>> {
    let (sender, receiver) = channel::<Syncer>();
    let work = move || {
        while let Ok(file) = receiver.recv() {
            shared.end(file.sync());
        }
    };
    let thread = std::thread::Builder::new().name("aof-fsync".into());
    thread.spawn(work).ok().map(|_| sender)
}
