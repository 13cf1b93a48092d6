//! A stream against a list of entries: random appends, deletions and trims, and what both hold.
//!
//! Which entries approximate trimming keeps depends on nodes, so the list knows where a node
//! begins; bytes of nodes are those of redis-server 7.0.15.

use super::*;
use crate::base::prng::Prng;
use crate::object::Packing;

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId { ms, seq }
}

fn packing(entries_max: u64) -> Packing {
    Packing {
        stream_node_entries_max: entries_max,
        ..Packing::default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn nodes_are_redis_s_bytes() {
    let mut log = Log::default();
    let mut add = |id: StreamId, line: &str| {
        let fields = line.split(' ').map(str::as_bytes);
        assert_eq!(log.append(id, fields, &packing(4)), Ok(()));
    };
    add(id(1_526_919_030_474, 55), "temperature 20 unit c");
    add(id(1_526_919_030_474, 56), "temperature 127 unit 128");
    add(id(1_526_919_030_480, 0), "other field with -5 values 4096");
    add(id(1_526_919_040_000, 3), "temperature -100000 unit ");
    assert!(log.delete(id(1_526_919_030_474, 56)));
    assert!(!log.delete(id(1_526_919_030_474, 56)));
    let fields = [&b"a"[..], b"9223372036854775807"];
    let last = id(1_526_919_050_000, 0);
    assert_eq!(log.append(last, fields.into_iter(), &packing(4)), Ok(()));
    let trim = Trim {
        keep: Keep::Len(2),
        is_approximate: false,
        limit: 0,
    };
    assert_eq!(log.trim(trim), 2);
    let nodes: Vec<_> = log.nodes().collect();
    assert_eq!(nodes[0].0, id(1_526_919_030_474, 55));
    assert_eq!(
        hex(nodes[0].1.bytes()),
        "7c00000023000101030102018b74656d70657261747572650c84756e69740500010301000100011401816302\
         05010301000101017f01c08002050101010601dfc9020301856f7468657206856669656c6406847769746805\
         dffb028676616c75657307f10010030a010201f1362503dfcc02f26079fe0480010501ff"
    );
    assert_eq!((nodes.len(), nodes[1].0), (2, last));
    assert_eq!(
        hex(nodes[1].1.bytes()),
        "240000000a000101000101018161020001020100010001f4ffffffffffffff7f090401ff"
    );
    for (_, node) in nodes {
        assert_eq!(
            Node::from_bytes(node.bytes().to_vec()).as_ref(),
            Some(&**node)
        );
    }
    let mut entry = log.entries(StreamId::MIN, StreamId::MAX);
    let entry = entry.next().expect("two are left");
    let fields: Vec<_> = entry
        .fields()
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect();
    let expected = [("temperature", "-100000"), ("unit", "")];
    assert_eq!(fields, expected.map(|(a, b)| (a.into(), b.into())));
}

/// An entry of the model: its id, its fields, whether it is deleted.
type Known = (StreamId, Vec<Vec<u8>>, bool);

#[derive(Default)]
struct Model {
    /// Entries by node.
    nodes: Vec<Vec<Known>>,
    entries_max: usize,
}

impl Model {
    fn live(&self) -> impl DoubleEndedIterator<Item = &Known> {
        let all = self.nodes.iter().flatten();
        all.filter(|(_, _, is_deleted)| !is_deleted)
    }

    fn add(&mut self, id: StreamId, fields: Vec<Vec<u8>>) {
        match self.nodes.last_mut() {
            Some(last) if last.len() < self.entries_max => last.push((id, fields, false)),
            _ => self.nodes.push(vec![(id, fields, false)]),
        }
    }

    fn delete(&mut self, id: StreamId) -> bool {
        let mut all = self.nodes.iter_mut().flatten();
        let found = all.find(|entry| entry.0 == id && !entry.2);
        let is_found = found.is_some_and(|entry| !std::mem::replace(&mut entry.2, true));
        if is_found {
            self.nodes.retain(|node| {
                !node.iter().all(|entry| entry.2) || !node.iter().any(|entry| entry.0 == id)
            });
        }
        is_found
    }

    fn trim(&mut self, trim: Trim) -> u64 {
        let mut removed = 0;
        while let Some(first) = self.nodes.first() {
            let live = first.iter().filter(|entry| !entry.2).count() as u64;
            let len = self.live().count() as u64;
            let (is_done, goes) = match trim.keep {
                Keep::Len(keep) => (len <= keep, len - live >= keep),
                Keep::From(id) => (false, first.last().is_some_and(|last| last.0 < id)),
            };
            if is_done || (trim.limit > 0 && removed + live > trim.limit) {
                break;
            }
            if goes {
                removed += live;
                self.nodes.remove(0);
                continue;
            }
            if !trim.is_approximate {
                let mut left = len;
                for entry in &mut self.nodes[0] {
                    let goes_on = match trim.keep {
                        Keep::Len(keep) => left > keep,
                        Keep::From(id) => entry.0 < id,
                    };
                    if !goes_on {
                        break;
                    }
                    if !std::mem::replace(&mut entry.2, true) {
                        (left, removed) = (left - 1, removed + 1);
                    }
                }
            }
            break;
        }
        removed
    }
}

fn random_fields(random: &mut Prng) -> Vec<Vec<u8>> {
    let names: [&[u8]; 3] = [b"a", b"name", b"12"];
    let mut fields = Vec::new();
    for _ in 0..1 + random.below(3) {
        fields.push(names[random.below(3) as usize].to_vec());
        fields.push(match random.below(3) {
            0 => (random.next_u64() as i64 >> random.below(64))
                .to_string()
                .into(),
            1 => vec![b'v'; random.below(100) as usize],
            _ => b"007".to_vec(),
        });
    }
    fields
}

fn seen<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Vec<(StreamId, Vec<Vec<u8>>)> {
    let of = |entry: Entry<'a>| {
        let fields = entry.fields();
        let fields = fields.flat_map(|(name, value)| [name.to_vec(), value.to_vec()]);
        (entry.id, fields.collect())
    };
    entries.map(of).collect()
}

fn check(log: &Log, model: &Model, random: &mut Prng, last: StreamId) {
    let edge = |random: &mut Prng| match random.below(4) {
        0 => StreamId::MIN,
        1 => StreamId::MAX,
        _ => id(random.below(last.ms + 3), random.below(3)),
    };
    let (start, end) = (edge(random), edge(random));
    let within = model
        .live()
        .filter(|entry| start <= entry.0 && entry.0 <= end);
    let mut within: Vec<_> = within
        .map(|(id, fields, _)| (*id, fields.clone()))
        .collect();
    assert_eq!(seen(log.entries(start, end)), within);
    within.reverse();
    assert_eq!(seen(log.entries_back(start, end)), within);
    assert_eq!(log.len(), model.live().count() as u64);
    let first = model.live().next().map_or(StreamId::MIN, |entry| entry.0);
    assert_eq!(log.first_id, first);
    assert_eq!(
        log.last_live(),
        model.live().next_back().map(|entry| entry.0)
    );
    let nodes: Vec<_> = log.nodes().map(|(first, _)| first).collect();
    let expected: Vec<_> = model.nodes.iter().map(|node| node[0].0).collect();
    assert_eq!(nodes, expected);
    for (_, node) in log.nodes() {
        assert!(Node::from_bytes(node.bytes().to_vec()).is_some());
    }
}

#[test]
fn a_log_is_a_list_of_entries() {
    for seed in 0..60 {
        let mut random = Prng::from_seed(seed);
        let entries_max = 1 + random.below(9);
        let mut model = Model {
            entries_max: entries_max as usize,
            ..Model::default()
        };
        let (mut log, mut last) = (Log::default(), id(1, 0));
        let mut kept = None;
        for step in 0..400 {
            match random.below(10) {
                0..6 => {
                    last = id(last.ms + random.below(3), last.seq + 1 + random.below(2));
                    let fields = random_fields(&mut random);
                    let parts = fields.iter().map(Vec::as_slice);
                    assert_eq!(log.append(last, parts, &packing(entries_max)), Ok(()));
                    model.add(last, fields);
                }
                6..9 => {
                    let known: Vec<_> = model.nodes.iter().flatten().map(|one| one.0).collect();
                    let wanted = match known.len() {
                        0 => last,
                        len => known[random.below(len as u64) as usize],
                    };
                    assert_eq!(log.delete(wanted), model.delete(wanted), "seed {seed}");
                }
                _ => {
                    let keep = match random.below(2) {
                        0 => Keep::Len(random.below(60)),
                        _ => Keep::From(id(last.ms.saturating_sub(random.below(40)), 1)),
                    };
                    let is_approximate = random.below(2) == 0;
                    let limit = random.below(2) * random.below(20);
                    let trim = Trim {
                        keep,
                        is_approximate,
                        limit,
                    };
                    assert_eq!(log.trim(trim), model.trim(trim), "seed {seed} step {step}");
                }
            }
            check(&log, &model, &mut random, last);
            if step == 200 {
                kept = Some((log.clone(), seen(log.entries(StreamId::MIN, StreamId::MAX))));
            }
        }
        let (clone, entries) = kept.expect("it was kept on the way");
        let now = seen(clone.entries(StreamId::MIN, StreamId::MAX));
        assert_eq!(now, entries, "a clone stays as it was");
    }
}

#[test]
fn bad_nodes_are_refused_and_good_ones_can_be_walked() {
    let mut random = Prng::from_seed(9);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut log = Log::default();
        for ms in 1..=1 + random.below(4) {
            let fields = random_fields(&mut random);
            let parts = fields.iter().map(Vec::as_slice);
            assert_eq!(log.append(id(ms, 0), parts, &packing(100)), Ok(()));
        }
        let (first, node) = log.nodes().next().expect("one node");
        let mut bytes = node.bytes().to_vec();
        for _ in 0..=random.below(2) {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.next_u64() as u8;
        }
        let Some(node) = Node::from_bytes(bytes) else {
            continue;
        };
        accepted += 1;
        let mut log = Log::default();
        assert!(log.add_node(first, node));
        let entries = seen(log.entries(StreamId::MIN, StreamId::MAX));
        seen(log.entries_back(StreamId::MIN, StreamId::MAX));
        for (id, _) in entries {
            log.delete(id);
        }
        log.trim(Trim {
            keep: Keep::Len(0),
            is_approximate: false,
            limit: 0,
        });
    }
    assert!(accepted > 100, "{accepted} were good");
}

#[test]
fn groups_and_consumers_agree_on_what_is_pending() {
    for seed in 0..30 {
        let mut random = Prng::from_seed(seed);
        let mut group = Group::new(StreamId::MIN, None);
        for step in 0..500 {
            let name = [random.below(4) as u8 + b'a'];
            let found = group.find_consumer(&name);
            let consumer = found.or_else(|| group.add_consumer(&name, 0));
            let consumer = consumer.expect("found or added");
            let id = id(random.below(300), 0);
            match random.below(40) {
                0 => drop(group.remove_consumer(consumer)),
                1..10 => drop(group.confirm(id)),
                10..14 => drop(group.give_again(id, step)),
                _ => group.give(
                    id,
                    Pending {
                        consumer,
                        delivered_at_ms: step,
                        deliveries: 1,
                    },
                ),
            }
            let lists = group.consumers().map(|consumer| consumer.pending().len());
            assert_eq!(lists.sum::<usize>(), group.pending().len());
            for (id, pending) in group.pending().iter() {
                let owner = group.consumer(pending.consumer);
                assert!(owner.pending().find(id).is_some(), "seed {seed}");
            }
        }
        let mut stream = Stream::default();
        assert!(stream.add_group(b"g", group.clone()));
        assert!(!stream.add_group(b"g", group.clone()));
        let twin = stream.clone();
        assert_eq!(twin, stream);
        stream.group_mut(b"g").expect("added").last_id = StreamId::MAX;
        assert_ne!(twin, stream);
        assert_eq!(twin.group(b"g"), Some(&group));
        while stream.drop_some(10) {}
        assert_eq!(stream.groups().len(), 0);
    }
}
