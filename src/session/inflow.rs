//! A master's snapshot that comes shard by shard, on its way into the cores.
//!
//! ```text
//!   thread of shard 0   frames --> entries --+--> batches --> the cores that own the keys
//!                              \-> longs ----+
//!   thread of shard 1   ..
//!   thread that talks   <-- how much has come, and how each has ended
//! ```
//!
//! The two kinds of frames are two datasets to be read, each from its head to its end. A thread is
//! only a few batches ahead of the cores, so what a master sends too fast stays in its sockets.

use super::duty::Duty;
use super::load::Dispatch;
use super::node::Node;
use crate::persistence::{Fed, LoadError, Loader, Rules, Summary};
use crate::rdb::{CHECKSUM_BYTES, Output};
use crate::replication::frame::Kind;
use crate::replication::{Inflow, LOOK_INTERVAL};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};

/// Why a snapshot is given up that nobody waits for any more.
pub(super) const UNWANTED: &str = "MASTER <-> REPLICA sync: given up, there is another master";

/// What has become of the part of a shard, and its connection.
type Part = (Summary, Inflow);

/// What the thread of a shard tells.
enum Word {
    Came(usize),
    Ended(usize, Result<Part, String>),
}

/// Loads what comes; returns when all shards' parts have ended, or one has failed.
pub(super) fn load(
    node: &Arc<Node>,
    flows: Vec<Inflow>,
    came: &mut dyn FnMut(usize) -> bool,
) -> Result<(Summary, Vec<Inflow>), String> {
    let (sender, words) = channel();
    // Connections go back in the order in which they came.
    let mut ended: Vec<Option<Inflow>> = flows.iter().map(|_| None).collect();
    let (is_over, mut left) = (Arc::new(AtomicBool::new(false)), flows.len());
    for (number, flow) in flows.into_iter().enumerate() {
        let told = sender.clone();
        let duty = Duty::new(move |outcome| {
            // Whoever does not listen any more does not want to know.
            let _ = told.send(Word::Ended(number, outcome));
        });
        let (own, stop, sender) = (node.clone(), is_over.clone(), sender.clone());
        let errand = move || duty.end(load_part(&own, flow, &sender, &stop));
        node.errands.run(Box::new(errand), || {});
    }
    drop(sender);
    let (mut summary, mut failure) = (Summary::default(), None);
    // All threads are waited for: what they still had on its way is in the cores then.
    while left > 0 {
        match words.recv_timeout(LOOK_INTERVAL) {
            Ok(Word::Came(bytes)) => {
                summary.bytes += bytes as u64;
                node.state.loading.reached(summary.bytes);
                is_over.fetch_or(!came(bytes), Relaxed);
            }
            Err(RecvTimeoutError::Timeout) => drop(is_over.fetch_or(!came(0), Relaxed)),
            Ok(Word::Ended(number, Ok((part, flow)))) => {
                ended[number] = Some(flow);
                left -= 1;
                summary.keys += part.keys;
                summary.expired += part.expired;
            }
            Ok(Word::Ended(_, Err(line))) => {
                left -= 1;
                is_over.store(true, Relaxed);
                failure.get_or_insert(line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Some(line) = failure {
        return Err(line);
    }
    Ok((summary, ended.into_iter().flatten().collect()))
}

/// The part of one shard, whose frames are read on this thread.
fn load_part(
    node: &Node,
    mut flow: Inflow,
    sender: &Sender<Word>,
    is_over: &AtomicBool,
) -> Result<Part, String> {
    let mut dispatch = Dispatch::new(node);
    let (mut entries, mut longs) = (Dataset::begin(node), Dataset::begin(node));
    let loaded = loop {
        let (kind, bytes) = match flow.receive(&|| is_over.load(Relaxed)) {
            Ok(Some(frame)) => frame,
            Ok(None) => break Err(UNWANTED.into()),
            Err(line) => break Err(line),
        };
        let len = bytes.len();
        let fed = match kind {
            Kind::Entries => entries.feed(bytes, &mut dispatch),
            Kind::Longs => longs.feed(bytes, &mut dispatch),
            Kind::End | Kind::Stream | Kind::Order => break Ok(()),
        };
        if let Err(error) = fed {
            break Err(error.to_string());
        }
        let _ = sender.send(Word::Came(len));
    };
    let loaded = loaded.and_then(|()| {
        let own = entries.end(&mut dispatch)?;
        let long = longs.end(&mut dispatch)?;
        Ok(Summary {
            keys: own.keys + long.keys,
            expired: own.expired + long.expired,
            ..own
        })
    });
    let arrived = dispatch.finish().map_err(|error| error.to_string());
    loaded.and_then(|summary| arrived.map(|()| (summary, flow)))
}

/// The frames of one kind, as a dataset.
struct Dataset {
    loader: Loader,
    /// What stands at the beginning, until it is read.
    head: Vec<u8>,
}

impl Dataset {
    fn begin(node: &Node) -> Dataset {
        let mut head = Output::new(false);
        head.magic();
        let rules = Rules {
            // The frames have checksums of their own.
            verifies: false,
            ..node.load_rules()
        };
        Dataset {
            loader: Loader::new(rules),
            head: head.bytes,
        }
    }

    fn feed(&mut self, bytes: &[u8], dispatch: &mut Dispatch<'_>) -> Result<(), LoadError> {
        let head = std::mem::take(&mut self.head);
        for piece in [&head[..], bytes] {
            let deliver = &mut |shard, batch| dispatch.send(shard, batch);
            if let Fed::Ended(_) = self.loader.feed(piece, deliver)? {
                return Err(self.loader.cut_off());
            }
        }
        Ok(())
    }

    fn end(mut self, dispatch: &mut Dispatch<'_>) -> Result<Summary, String> {
        let mut end = Output::new(false);
        end.end();
        end.raw(&[0; CHECKSUM_BYTES]);
        let bytes = [&std::mem::take(&mut self.head)[..], &end.bytes].concat();
        let deliver = &mut |shard, batch| dispatch.send(shard, batch);
        match self.loader.feed(&bytes, deliver) {
            Ok(Fed::Ended(rest)) if rest.is_empty() => Ok(self.loader.summary().clone()),
            Ok(_) => Err(self.loader.cut_off().to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}
