//! Streams out of their bytes and back into them.
//!
//! ```text
//!  nodes: count, then id and listpack each
//!  number of entries, last id      2: first id, greatest deleted id, how many were ever added
//!  groups: count, then name, last id                  2: how many entries were read
//!          pending: count, then id (16 bytes), time, deliveries
//!          consumers: count, then name, time seen     3: time active
//!                     their pending: count, then id (16 bytes)
//! ```
//!
//! A group's pending entries come before the consumers they belong to, so they are kept aside until
//! each has found its owner.

use super::code::Code;
use super::damage::{Damage, Stop, ensure};
use super::input::Input;
use super::output::Output;
use crate::object::stream::{ConsumerId, Group, Node, Pending, Stream, StreamId};
use std::collections::BTreeMap;

/// A stream in the making.
#[derive(Debug)]
pub(super) struct StreamBuild {
    has_counters: bool,
    has_active: bool,
    stream: Stream,
    phase: Phase,
    group: Box<GroupBuild>,
}

/// What is read next, and how many more of its kind.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Start,
    Nodes(u64),
    Counters,
    Groups(u64),
    Pending {
        groups: u64,
        left: u64,
    },
    Consumers {
        groups: u64,
        left: u64,
    },
    Owned {
        groups: u64,
        consumers: u64,
        left: u64,
    },
    Done,
}

/// A group in the making.
#[derive(Debug, Default)]
struct GroupBuild {
    name: Vec<u8>,
    group: Group,
    /// Times and numbers of deliveries, until a consumer takes them.
    unowned: BTreeMap<StreamId, (i64, u64)>,
    consumer: Option<ConsumerId>,
}

impl StreamBuild {
    pub(super) fn new(code: Code) -> StreamBuild {
        StreamBuild {
            has_counters: code != Code::Stream,
            has_active: code == Code::Stream3,
            stream: Stream::default(),
            phase: Phase::Start,
            group: Box::default(),
        }
    }

    /// Reads on, about so many nodes or pending entries; says whether the stream is whole.
    pub(super) fn step(&mut self, input: &mut Input<'_>, budget: usize) -> Result<bool, Stop> {
        for _ in 0..budget {
            if matches!(self.phase, Phase::Done) {
                return Ok(true);
            }
            self.phase = input.whole(|input| self.read(input))?;
        }
        Ok(matches!(self.phase, Phase::Done))
    }

    pub(super) fn finish(&mut self) -> Stream {
        std::mem::take(&mut self.stream)
    }

    /// Reads the next piece; it changes nothing before all of it is there.
    fn read(&mut self, input: &mut Input<'_>) -> Result<Phase, Stop> {
        match self.phase {
            Phase::Start => Ok(Phase::Nodes(input.length()?)),
            Phase::Nodes(0) => Ok(Phase::Counters),
            Phase::Nodes(left) => {
                self.node(input)?;
                Ok(Phase::Nodes(left - 1))
            }
            Phase::Counters => self.counters(input),
            Phase::Groups(0) => Ok(Phase::Done),
            Phase::Groups(left) => self.group_head(input, left - 1),
            Phase::Pending { groups, left: 0 } => Ok(Phase::Consumers {
                groups,
                left: input.length()?,
            }),
            Phase::Pending { groups, left } => {
                self.group.pending(input)?;
                let left = left - 1;
                Ok(Phase::Pending { groups, left })
            }
            Phase::Consumers { groups, left: 0 } => {
                self.end_group()?;
                Ok(Phase::Groups(groups))
            }
            Phase::Consumers { groups, left } => {
                let owned = self.group.consumer(input, self.has_active)?;
                Ok(Phase::Owned {
                    groups,
                    consumers: left - 1,
                    left: owned,
                })
            }
            Phase::Owned {
                groups,
                consumers: left,
                left: 0,
            } => Ok(Phase::Consumers { groups, left }),
            Phase::Owned {
                groups,
                consumers,
                left,
            } => {
                self.group.owned(input)?;
                let left = left - 1;
                Ok(Phase::Owned {
                    groups,
                    consumers,
                    left,
                })
            }
            Phase::Done => Ok(Phase::Done),
        }
    }

    fn node(&mut self, input: &mut Input<'_>) -> Result<(), Stop> {
        let first = <[u8; 16]>::try_from(&*input.bytes()?);
        let first = first.map_err(|_| Damage::Malformed("a stream node without its id"))?;
        let node = Node::from_bytes(input.bytes()?.into_owned());
        let node = node.ok_or(Damage::Malformed("a stream node is damaged"))?;
        let first = StreamId::from_be_bytes(first);
        let is_new = self.stream.log.add_node(first, node);
        Ok(ensure(is_new, "a stream node that comes twice")?)
    }

    fn counters(&mut self, input: &mut Input<'_>) -> Result<Phase, Stop> {
        let len = input.length()?;
        let log = &mut self.stream.log;
        ensure(len == log.len(), "a stream of another length")?;
        log.last_id = id(input)?;
        let last = log.last_live().unwrap_or_default();
        ensure(
            last <= log.last_id,
            "a stream with an entry behind its last",
        )?;
        if self.has_counters {
            log.first_id = id(input)?;
            log.max_deleted_id = id(input)?;
            log.entries_added = input.length()?;
        } else {
            log.first_id = log.first_live().unwrap_or_default();
            log.entries_added = len;
        }
        Ok(Phase::Groups(input.length()?))
    }

    fn group_head(&mut self, input: &mut Input<'_>, groups: u64) -> Result<Phase, Stop> {
        let name = input.bytes()?.into_owned();
        let last_id = id(input)?;
        let entries_read = match self.has_counters {
            // Unknown is written as -1.
            true => Some(input.length()?).filter(|read| *read <= i64::MAX as u64),
            false => self.stream.log.entries_up_to(last_id),
        };
        let left = input.length()?;
        *self.group = GroupBuild {
            name,
            group: Group::new(last_id, entries_read),
            ..GroupBuild::default()
        };
        Ok(Phase::Pending { groups, left })
    }

    fn end_group(&mut self) -> Result<(), Damage> {
        let done = std::mem::take(&mut *self.group);
        let is_owned = done.unowned.is_empty();
        ensure(is_owned, "a pending entry that is no consumer's")?;
        let is_new = self.stream.add_group(&done.name, done.group);
        ensure(is_new, "a consumer group that comes twice")
    }
}

impl GroupBuild {
    fn pending(&mut self, input: &mut Input<'_>) -> Result<(), Stop> {
        let id = StreamId::from_be_bytes(input.array()?);
        let given = (input.millis()?, input.length()?);
        let is_new = self.unowned.insert(id, given).is_none();
        Ok(ensure(is_new, "a pending entry that comes twice")?)
    }

    /// Reads a consumer; says how many pending entries are its own.
    fn consumer(&mut self, input: &mut Input<'_>, has_active: bool) -> Result<u64, Stop> {
        let (name, seen_at_ms) = (input.bytes()?, input.millis()?);
        let active_at_ms = match has_active {
            true => input.millis()?,
            false => seen_at_ms,
        };
        let owned = input.length()?;
        let number = self.group.add_consumer(&name, seen_at_ms);
        let number = number.ok_or(Damage::Malformed("a consumer that comes twice"))?;
        self.group.consumer_mut(number).active_at_ms = active_at_ms;
        self.consumer = Some(number);
        Ok(owned)
    }

    fn owned(&mut self, input: &mut Input<'_>) -> Result<(), Stop> {
        let id = StreamId::from_be_bytes(input.array()?);
        let given = self.unowned.remove(&id).zip(self.consumer);
        let given = given.ok_or(Damage::Malformed("a consumer's entry that is not pending"))?;
        let ((delivered_at_ms, deliveries), consumer) = given;
        let pending = Pending {
            consumer,
            delivered_at_ms,
            deliveries,
        };
        self.group.give(id, pending);
        Ok(())
    }
}

/// An id as two lengths.
fn id(input: &mut Input<'_>) -> Result<StreamId, Stop> {
    Ok(StreamId::new(input.length()?, input.length()?))
}

fn write_id(id: StreamId, out: &mut Output) {
    out.length(id.ms);
    out.length(id.seq);
}

/// Writes a stream as Redis 7.0 does: without the times when consumers were active.
pub(super) fn write(stream: &Stream, out: &mut Output) {
    let log = &stream.log;
    out.length(log.node_count() as u64);
    for (first, node) in log.nodes() {
        out.stream_node(first, node);
    }
    out.stream_rest(stream);
}

/// A stream in two strokes, for whoever writes a large one in slices: behind the key stands the
/// number of nodes, then the nodes, then the rest.
impl Output {
    /// A node of a stream.
    pub fn stream_node(&mut self, first: StreamId, node: &Node) {
        self.text(&first.to_be_bytes());
        self.text(node.bytes());
    }

    /// What stands behind the nodes: counters and groups.
    pub fn stream_rest(&mut self, stream: &Stream) {
        write_rest(stream, self);
    }
}

fn write_rest(stream: &Stream, out: &mut Output) {
    let log = &stream.log;
    out.length(log.len());
    for id in [log.last_id, log.first_id, log.max_deleted_id] {
        write_id(id, out);
    }
    out.length(log.entries_added);
    out.length(stream.groups().len() as u64);
    for (name, group) in stream.groups() {
        out.text(name);
        write_group(group, out);
    }
}

fn write_group(group: &Group, out: &mut Output) {
    write_id(group.last_id, out);
    out.length(group.entries_read.unwrap_or(u64::MAX));
    out.length(group.pending().len() as u64);
    for (id, pending) in group.pending().iter() {
        out.raw(&id.to_be_bytes());
        out.millis(pending.delivered_at_ms);
        out.length(pending.deliveries);
    }
    out.length(group.consumers().len() as u64);
    for consumer in group.consumers() {
        out.text(consumer.name());
        out.millis(consumer.seen_at_ms);
        out.length(consumer.pending().len() as u64);
        for (id, ()) in consumer.pending().iter() {
            out.raw(&id.to_be_bytes());
        }
    }
}
