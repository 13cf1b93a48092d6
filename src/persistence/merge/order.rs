//! Which unit goes out when: queues of what waits for parts still to come.
//!
//! A queue begins with a part, or is empty; what has gone out from its middle leaves a hole. A
//! whole point that has to wait waits for one other point, and is looked at again when that has
//! gone.

use super::stream::Stream;
use crate::keyspace::ShardId;
use crate::shard::{Journal, Point, Records, Unit};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// A unit that waits, and with which delivery it came.
pub(super) struct Item {
    delivery: u64,
    pub unit: Unit,
    pub records: Records,
}

/// What waits of one shard. The first item is a part, unless there is none.
#[derive(Default)]
struct Queue {
    /// Parts that have gone out leave a hole.
    items: VecDeque<Option<Item>>,
    /// How many items were there before the first.
    gone: u64,
    /// The serial numbers of the parts, in order, and the numbers of their items.
    parts: VecDeque<(u64, u64)>,
    /// What comes before the cut of this number is left out.
    until: Option<u64>,
}

/// A point some parts of which have come.
#[derive(Default)]
pub(super) struct Arrivals {
    shards: Vec<usize>,
    is_whole: bool,
    /// Whole points that wait for this one.
    followers: Vec<u64>,
}

/// Merges the streams of shards.
pub struct Merge {
    queues: Vec<Queue>,
    pub(super) points: HashMap<u64, Arrivals>,
    bytes: usize,
}

impl Merge {
    /// A merge of so many streams.
    pub fn new(shards: usize) -> Merge {
        Merge {
            queues: (0..shards).map(|_| Queue::default()).collect(),
            points: HashMap::new(),
            bytes: 0,
        }
    }

    /// A merge of what comes behind the cut of this number, which is the first to go out.
    pub fn behind(cut: u64, shards: usize) -> Merge {
        let mut merge = Merge::new(shards);
        for queue in &mut merge.queues {
            queue.until = Some(cut);
        }
        merge
    }

    /// How many streams there are.
    pub fn shards(&self) -> usize {
        self.queues.len()
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The earliest delivery of which something still waits.
    pub fn oldest(&self) -> Option<u64> {
        let fronts = self.queues.iter().filter_map(|queue| queue.items.front());
        fronts.flatten().map(|item| item.delivery).min()
    }

    /// Takes in what a shard has said next; what may go out goes out. Deliveries have growing
    /// numbers.
    pub fn push(&mut self, shard: ShardId, delivery: u64, journal: &Journal, out: &mut Stream) {
        let number = usize::from(shard.0);
        let mut ahead = journal.ahead();
        loop {
            let queue = &mut self.queues[number];
            if queue.until.is_none()
                && queue.items.is_empty()
                && let Some((db, bytes)) = ahead.take_singles()
            {
                out.singles(shard, db, bytes);
            }
            let Some((unit, list, bytes)) = ahead.next() else {
                break;
            };
            if queue.until.is_some() && queue.until != unit.cut {
                continue;
            }
            queue.until = None;
            if unit.point.is_none() && queue.items.is_empty() {
                out.unit(shard, (unit, list, bytes));
                continue;
            }
            let (list, bytes) = (list.to_vec(), bytes.to_vec());
            let records = Records { list, bytes };
            self.bytes += unit.bytes;
            queue.items.push_back(Some(Item {
                delivery,
                unit,
                records,
            }));
            if let Some(point) = unit.point {
                let item = queue.gone + queue.items.len() as u64 - 1;
                queue.parts.push_back((point.serial, item));
                self.arrived(number, point, out);
            }
        }
    }

    fn arrived(&mut self, shard: usize, point: Point, out: &mut Stream) {
        let arrivals = self.points.entry(point.serial).or_default();
        arrivals.shards.push(shard);
        if arrivals.shards.len() == usize::from(point.parts) {
            arrivals.is_whole = true;
            self.go_out(point.serial, out);
        }
    }

    /// Lets whole points out, this one first, and those that wait for it.
    fn go_out(&mut self, serial: u64, out: &mut Stream) {
        let mut ready = vec![serial];
        while let Some(serial) = ready.pop() {
            if let Some(lower) = self.lower_ahead(serial) {
                let ahead = self.points.entry(lower).or_default();
                ahead.followers.push(serial);
                continue;
            }
            let Some(mut arrivals) = self.points.remove(&serial) else {
                continue;
            };
            arrivals.shards.sort_unstable();
            let taken = arrivals
                .shards
                .iter()
                .map(|shard| self.take(*shard, serial));
            let parts: Vec<Item> = taken.collect();
            out.group(&parts);
            for shard in arrivals.shards {
                self.advance(shard, out);
            }
            // The lowest is tried first.
            arrivals
                .followers
                .sort_unstable_by(|one, other| other.cmp(one));
            ready.append(&mut arrivals.followers);
        }
    }

    /// A point with a lower number that lies ahead of this one on one of its shards.
    fn lower_ahead(&self, serial: u64) -> Option<u64> {
        let shards = &self.points.get(&serial)?.shards;
        shards.iter().find_map(|shard| {
            let parts = self.queues[*shard].parts.iter().map(|part| part.0);
            parts
                .take_while(|other| *other != serial)
                .find(|other| *other < serial)
        })
    }

    /// Takes a part out of its queue.
    fn take(&mut self, shard: usize, serial: u64) -> Item {
        let queue = &mut self.queues[shard];
        let at = queue.parts.iter().position(|part| part.0 == serial);
        let found = at.and_then(|at| queue.parts.remove(at));
        let (_, number) = found.expect("a part that has arrived is in its queue");
        let item = queue.items[(number - queue.gone) as usize].take();
        let item = item.expect("a part goes out once");
        self.bytes -= item.unit.bytes;
        item
    }

    /// Lets out what no part holds up any more.
    fn advance(&mut self, shard: usize, out: &mut Stream) {
        let queue = &mut self.queues[shard];
        while let Some(front) = queue.items.front() {
            if front.as_ref().is_some_and(|item| item.unit.point.is_some()) {
                return;
            }
            queue.gone += 1;
            if let Some(item) = queue.items.pop_front().flatten() {
                self.bytes -= item.unit.bytes;
                let id = ShardId(shard as u16);
                out.unit(id, (item.unit, &item.records.list, &item.records.bytes));
            }
        }
    }
}
