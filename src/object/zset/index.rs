//! The order of a large sorted set: a counted B+-tree of scores and members.
//!
//! ```text
//!            | first, count, below | first, count, below | ...        inner: up to 64 children
//!               /                      \
//!   | score, member | score, member | ...   | score, member | ...     leaf: up to 64 entries
//! ```
//!
//! A child carries its first entry, by which a search descends, and how many entries are below it,
//! by which ranks are found. Members are references into the set's dictionary: the tree compares
//! scores, which it has, and looks at a member only where scores are equal.
//!
//! | operation | cost |
//! |---|---|
//! | find, rank, entry of a rank | O(log n), about 3 levels for 100 000 entries |
//! | insert, remove | the same, and moves at most 1 KiB within a leaf |
//! | next entry | O(1) |
//!
//! Leaves grow by 16 entries, split when they are full, and join a neighbour when both are small;
//! appending at either end leaves full leaves behind. An entry takes 16 bytes, about 20 with what
//! is free in the leaves; a skip list takes 37 and a miss per step. It knows no dictionary and no
//! encoding; it does not look for members that stand twice.

use std::ops::Range;

const LEAF_MAX: usize = 64;
const LEAF_STEP: usize = 16;
const INNER_MAX: usize = 64;

/// A member as the tree keeps it.
pub trait Member: Copy {
    /// The bytes that order members of equal score.
    fn bytes(&self) -> &[u8];
}

/// A member with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry<M> {
    pub score: f64,
    pub member: M,
}

impl<M: Member> Entry<M> {
    #[inline]
    fn is_before(&self, score: f64, member: &[u8]) -> bool {
        self.score < score || (self.score == score && self.member.bytes() < member)
    }

    #[inline]
    fn is_after(&self, score: f64, member: &[u8]) -> bool {
        self.score > score || (self.score == score && self.member.bytes() > member)
    }

    fn is(&self, score: f64, member: &[u8]) -> bool {
        self.score == score && self.member.bytes() == member
    }
}

/// The entry that is to be taken out.
#[derive(Clone, Copy)]
enum Sought<'a> {
    /// There is one of this rank.
    Rank(usize),
    Key(f64, &'a [u8]),
}

#[derive(Debug)]
struct Child<M> {
    first: Entry<M>,
    count: usize,
    node: Node<M>,
}

#[derive(Debug)]
enum Node<M> {
    Leaf(Vec<Entry<M>>),
    Inner(Vec<Child<M>>),
}

/// Entries by score, then by member.
#[derive(Debug)]
pub struct Index<M> {
    root: Node<M>,
    len: usize,
    /// Entries and children that there is room for.
    room: Room,
}

#[derive(Clone, Copy, Debug, Default)]
struct Room {
    entries: usize,
    children: usize,
}

impl<M> Default for Index<M> {
    fn default() -> Index<M> {
        Index {
            root: Node::Leaf(Vec::new()),
            len: 0,
            room: Room::default(),
        }
    }
}

impl<M: Member> Child<M> {
    fn of(node: Node<M>) -> Child<M> {
        Child {
            first: node.first(),
            count: node.count(),
            node,
        }
    }
}

impl<M: Member> Node<M> {
    fn first(&self) -> Entry<M> {
        match self {
            Node::Leaf(entries) => entries[0],
            Node::Inner(children) => children[0].first,
        }
    }

    fn count(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Inner(children) => children.iter().map(|child| child.count).sum(),
        }
    }

    fn width(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Inner(children) => children.len(),
        }
    }

    /// Adds an entry; what does not fit any more comes back, to stand behind this node.
    fn insert(&mut self, entry: Entry<M>, room: &mut Room) -> Option<Child<M>> {
        let bytes = entry.member.bytes();
        match self {
            Node::Leaf(entries) => {
                let at = entries.partition_point(|own| own.is_before(entry.score, bytes));
                insert_entry(entries, at, entry, room)
            }
            Node::Inner(children) => {
                let later = children.partition_point(|own| own.first.is_before(entry.score, bytes));
                let at = later.saturating_sub(1);
                let child = &mut children[at];
                let split = child.node.insert(entry, room);
                child.first = child.node.first();
                let Some(split) = split else {
                    child.count += 1;
                    return None;
                };
                child.count = child.count + 1 - split.count;
                insert_child(children, at + 1, split, room)
            }
        }
    }

    /// Takes out an entry.
    fn remove(&mut self, sought: Sought<'_>, room: &mut Room) -> Option<Entry<M>> {
        match self {
            Node::Leaf(entries) => {
                let at = match sought {
                    Sought::Rank(rank) => rank,
                    Sought::Key(score, member) => {
                        let at = entries.partition_point(|own| own.is_before(score, member));
                        entries.get(at).filter(|own| own.is(score, member))?;
                        at
                    }
                };
                Some(entries.remove(at))
            }
            Node::Inner(children) => {
                let (at, sought) = match sought {
                    Sought::Rank(mut rank) => (child_of(children, &mut rank), Sought::Rank(rank)),
                    Sought::Key(score, member) => (child_with(children, score, member), sought),
                };
                let child = &mut children[at];
                let entry = child.node.remove(sought, room)?;
                child.count -= 1;
                if child.count > 0 {
                    child.first = child.node.first();
                }
                if child.node.width() < LEAF_MAX / 4 {
                    settle(children, at, room);
                }
                Some(entry)
            }
        }
    }

    /// The entries of the leaf of a rank, and the rank inside it.
    fn leaf(&self, mut rank: usize) -> (&[Entry<M>], usize) {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(entries) => return (entries, rank),
                Node::Inner(children) => node = &children[child_of(children, &mut rank)].node,
            }
        }
    }
}

/// The child that holds this score and member, if any does.
#[inline]
fn child_with<M: Member>(children: &[Child<M>], score: f64, member: &[u8]) -> usize {
    let later = children.partition_point(|child| !child.first.is_after(score, member));
    later.saturating_sub(1)
}

/// The child that the entry of a rank is in; the rank becomes that in the child.
#[inline]
fn child_of<M>(children: &[Child<M>], rank: &mut usize) -> usize {
    for (at, child) in children.iter().enumerate() {
        if *rank < child.count {
            return at;
        }
        *rank -= child.count;
    }
    unreachable!("a rank is less than the number of entries")
}

fn insert_entry<M: Member>(
    entries: &mut Vec<Entry<M>>,
    at: usize,
    entry: Entry<M>,
    room: &mut Room,
) -> Option<Child<M>> {
    if entries.len() < LEAF_MAX {
        reserve(entries, room);
        entries.insert(at, entry);
        return None;
    }
    let half = match at {
        0 => 0,
        LEAF_MAX => LEAF_MAX,
        _ => LEAF_MAX / 2,
    };
    let mut right = Vec::with_capacity(LEAF_STEP.max((LEAF_MAX - half) + LEAF_STEP).min(LEAF_MAX));
    room.entries += right.capacity();
    right.extend(entries.drain(half..));
    if at < half || (at == half && half == 0) {
        entries.insert(at, entry);
    } else {
        right.insert(at - half, entry);
    }
    let before = entries.capacity();
    entries.shrink_to(entries.len().next_multiple_of(LEAF_STEP));
    room.entries -= before - entries.capacity();
    Some(Child::of(Node::Leaf(right)))
}

fn reserve<M>(entries: &mut Vec<Entry<M>>, room: &mut Room) {
    if entries.len() == entries.capacity() {
        entries.reserve_exact(LEAF_STEP.min(LEAF_MAX - entries.len()));
        room.entries += entries.capacity() - entries.len();
    }
}

fn insert_child<M: Member>(
    children: &mut Vec<Child<M>>,
    at: usize,
    child: Child<M>,
    room: &mut Room,
) -> Option<Child<M>> {
    if children.len() < INNER_MAX {
        let before = children.capacity();
        children.insert(at, child);
        room.children += children.capacity() - before;
        return None;
    }
    let half = if at == INNER_MAX {
        at - 1
    } else {
        at / 2 + INNER_MAX / 4
    };
    let mut right = Vec::with_capacity(INNER_MAX);
    room.children += right.capacity();
    right.extend(children.drain(half..));
    if at <= half {
        children.insert(at, child);
    } else {
        right.insert(at - half, child);
    }
    Some(Child::of(Node::Inner(right)))
}

/// Joins a small child with a neighbour if both together stay well below full; takes it out when
/// nothing is left in it.
fn settle<M: Member>(children: &mut Vec<Child<M>>, at: usize, room: &mut Room) {
    if children[at].count == 0 {
        room.release(&children.remove(at).node);
        return;
    }
    let width = |at: usize| {
        children
            .get(at)
            .map_or(LEAF_MAX, |child| child.node.width())
    };
    let own = width(at);
    let fits = |other: usize| own + width(other) <= LEAF_MAX * 3 / 4;
    let left = if fits(at + 1) {
        at
    } else if at > 0 && fits(at - 1) {
        at - 1
    } else {
        return;
    };
    let right = children.remove(left + 1);
    room.release(&right.node);
    let into = &mut children[left];
    into.count += right.count;
    match (&mut into.node, right.node) {
        (Node::Leaf(into), Node::Leaf(more)) => {
            let before = into.capacity();
            into.reserve_exact(more.len());
            into.extend(more);
            room.entries += into.capacity() - before;
        }
        (Node::Inner(into), Node::Inner(more)) => {
            let before = into.capacity();
            into.extend(more);
            room.children += into.capacity() - before;
        }
        _ => unreachable!("children of one node are of one height"),
    }
}

impl Room {
    fn release<M>(&mut self, node: &Node<M>) {
        match node {
            Node::Leaf(entries) => self.entries -= entries.capacity(),
            Node::Inner(children) => self.children -= children.capacity(),
        }
    }
}

impl<M: Member> Index<M> {
    /// Number of entries.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes it asks of the allocator, itself apart.
    pub fn bytes(&self) -> usize {
        self.room.entries * size_of::<Entry<M>>() + self.room.children * size_of::<Child<M>>()
    }

    /// Adds an entry that is not there.
    pub fn insert(&mut self, entry: Entry<M>) {
        self.len += 1;
        if let Some(split) = self.root.insert(entry, &mut self.room) {
            let children = Vec::with_capacity(INNER_MAX);
            self.room.children += children.capacity();
            let old = std::mem::replace(&mut self.root, Node::Inner(children));
            let Node::Inner(children) = &mut self.root else {
                unreachable!("just made")
            };
            children.extend([Child::of(old), split]);
        }
    }

    /// Takes out the entry of a rank that there is.
    pub fn remove_at(&mut self, rank: usize) -> Entry<M> {
        assert!(rank < self.len, "a rank is less than the number of entries");
        let entry = self.take(Sought::Rank(rank));
        entry.expect("there is an entry of every rank below the length")
    }

    /// Takes out the entry with this score and member, if it is there.
    pub fn remove(&mut self, score: f64, member: &[u8]) -> Option<Entry<M>> {
        self.take(Sought::Key(score, member))
    }

    fn take(&mut self, sought: Sought<'_>) -> Option<Entry<M>> {
        let entry = self.root.remove(sought, &mut self.room)?;
        self.len -= 1;
        while let Node::Inner(children) = &mut self.root {
            if children.len() > 1 {
                break;
            }
            self.room.children -= children.capacity();
            let only = children.pop();
            self.root = only.map_or(Node::Leaf(Vec::new()), |only| only.node);
        }
        Some(entry)
    }

    /// Gives the entry with this score and member another score.
    pub fn rescore(&mut self, old: f64, member: &[u8], new: f64) {
        if !self.rescore_in_place(old, member, new) {
            let entry = self.remove(old, member);
            let entry = entry.expect("an entry is looked for by the score it has");
            self.insert(Entry {
                score: new,
                ..entry
            });
        }
    }

    /// The same, where the entry stays between its neighbours inside a leaf.
    fn rescore_in_place(&mut self, old: f64, member: &[u8], new: f64) -> bool {
        let mut node = &mut self.root;
        loop {
            match node {
                Node::Inner(children) => {
                    let at = child_with(children, old, member);
                    node = &mut children[at].node;
                }
                Node::Leaf(entries) => {
                    let at = entries.partition_point(|own| own.is_before(old, member));
                    let fits = at > 0
                        && at + 1 < entries.len()
                        && entries[at - 1].is_before(new, member)
                        && !entries[at + 1].is_before(new, member);
                    if fits {
                        entries[at].score = new;
                    }
                    return fits;
                }
            }
        }
    }

    /// How many entries are before this score and member, if they are there.
    pub fn rank(&self, score: f64, member: &[u8]) -> Option<usize> {
        let rank = self.partition(|entry| entry.is_before(score, member));
        let found = self.at(rank)?;
        found.is(score, member).then_some(rank)
    }

    /// How many entries `is_before` holds for; they are the first ones.
    pub fn partition(&self, is_before: impl Fn(&Entry<M>) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(entries) => return rank + entries.partition_point(is_before),
                Node::Inner(children) => {
                    let later = children.partition_point(|child| is_before(&child.first));
                    let Some(at) = later.checked_sub(1) else {
                        return rank;
                    };
                    rank += children[..at]
                        .iter()
                        .map(|child| child.count)
                        .sum::<usize>();
                    node = &children[at].node;
                }
            }
        }
    }

    /// The entry of a rank.
    pub fn at(&self, rank: usize) -> Option<&Entry<M>> {
        if rank >= self.len {
            return None;
        }
        let (leaf, at) = self.root.leaf(rank);
        leaf.get(at)
    }

    /// The entries of these ranks in order; from the last one on when `is_reverse`.
    pub fn iter(&self, ranks: Range<usize>, is_reverse: bool) -> Iter<'_, M> {
        let ranks = ranks.start..ranks.end.min(self.len);
        Iter {
            index: self,
            leaf: [].iter(),
            ranks,
            is_reverse,
        }
    }

    /// Lets go of about so many entries; says whether more are left. Good for nothing else then.
    pub fn drop_some(&mut self, budget: usize) -> bool {
        let mut freed = 0;
        while freed < budget {
            match &mut self.root {
                Node::Leaf(entries) => {
                    entries.clear();
                    return false;
                }
                Node::Inner(children) => freed += drop_last(children),
            }
            if matches!(&self.root, Node::Inner(children) if children.is_empty()) {
                self.root = Node::Leaf(Vec::new());
            }
        }
        true
    }
}

/// Lets go of the last leaf, and says how many entries were in it.
fn drop_last<M>(children: &mut Vec<Child<M>>) -> usize {
    let Some(last) = children.last_mut() else {
        return 0;
    };
    let freed = match &mut last.node {
        Node::Inner(inner) if !inner.is_empty() => return drop_last(inner),
        Node::Leaf(entries) => entries.len(),
        Node::Inner(_) => 1,
    };
    children.pop();
    freed
}

/// Entries in order, leaf by leaf.
#[derive(Clone, Debug)]
pub struct Iter<'a, M> {
    index: &'a Index<M>,
    leaf: std::slice::Iter<'a, Entry<M>>,
    /// Those that `leaf` does not hold yet.
    ranks: Range<usize>,
    is_reverse: bool,
}

impl<'a, M: Member> Iter<'a, M> {
    fn refill(&mut self) -> Option<()> {
        if self.ranks.is_empty() {
            return None;
        }
        let sought = if self.is_reverse {
            self.ranks.end - 1
        } else {
            self.ranks.start
        };
        let (leaf, at) = self.index.root.leaf(sought);
        let (start, end) = if self.is_reverse {
            let count = (at + 1).min(self.ranks.len());
            self.ranks.end -= count;
            (at + 1 - count, at + 1)
        } else {
            let count = (leaf.len() - at).min(self.ranks.len());
            self.ranks.start += count;
            (at, at + count)
        };
        self.leaf = leaf[start..end].iter();
        Some(())
    }
}

impl<'a, M: Member> Iterator for Iter<'a, M> {
    type Item = &'a Entry<M>;

    #[inline]
    fn next(&mut self) -> Option<&'a Entry<M>> {
        loop {
            let next = if self.is_reverse {
                self.leaf.next_back()
            } else {
                self.leaf.next()
            };
            if next.is_some() {
                return next;
            }
            self.refill()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    type Name = [u8; 2];

    impl Member for Name {
        fn bytes(&self) -> &[u8] {
            self
        }
    }

    fn check(node: &Node<Name>, is_root: bool) -> (usize, usize, Room) {
        match node {
            Node::Leaf(entries) => {
                assert!(is_root || !entries.is_empty());
                let room = Room {
                    entries: entries.capacity(),
                    children: 0,
                };
                assert!(entries.capacity() <= LEAF_MAX);
                (entries.len(), 1, room)
            }
            Node::Inner(children) => {
                assert!(!children.is_empty() && children.len() <= INNER_MAX);
                let (mut sum, mut heights) = (0, Vec::new());
                let mut room = Room {
                    entries: 0,
                    children: children.capacity(),
                };
                for child in children {
                    let (count, height, below) = check(&child.node, false);
                    assert_eq!((child.count, child.first), (count, child.node.first()));
                    sum += count;
                    heights.push(height);
                    room.entries += below.entries;
                    room.children += below.children;
                }
                assert!(heights.windows(2).all(|pair| pair[0] == pair[1]));
                (sum, heights[0] + 1, room)
            }
        }
    }

    fn check_whole(index: &Index<Name>, model: &[(i64, Name)], seed: u64) {
        let (count, _, room) = check(&index.root, true);
        assert_eq!(count, model.len(), "seed {seed}");
        assert_eq!(
            (room.entries, room.children),
            (index.room.entries, index.room.children),
            "seed {seed}"
        );
        let plain = |entry: &Entry<Name>| (entry.score as i64, entry.member);
        let all: Vec<_> = index.iter(0..usize::MAX, false).map(plain).collect();
        assert_eq!(all, model, "seed {seed}");
        let mut back: Vec<_> = index.iter(0..usize::MAX, true).map(plain).collect();
        back.reverse();
        assert_eq!(back, model, "seed {seed}");
    }

    fn random_name(random: &mut Prng) -> Name {
        (random.next_u64() as u16).to_be_bytes()
    }

    #[test]
    fn random_changes_follow_a_vector() {
        for seed in 0..40 {
            let mut random = Prng::from_seed(seed);
            let (mut index, mut model) = (Index::default(), Vec::<(i64, Name)>::new());
            let scores = [1, 3, 1000][seed as usize % 3];
            for round in 0..8 {
                for _ in 0..900 {
                    step(&mut random, &mut index, &mut model, (round, scores));
                }
                check_whole(&index, &model, seed);
                for _ in 0..20 {
                    let pivot = random.below(scores) as f64;
                    let sought = random_name(&mut random);
                    let ours = index.partition(|entry| entry.is_before(pivot, &sought));
                    let theirs = model.partition_point(|own| *own < (pivot as i64, sought));
                    assert_eq!(ours, theirs, "seed {seed}");
                    let from = random.below(model.len() as u64 + 1) as usize;
                    let to = from + random.below(200) as usize;
                    let part = index.iter(from..to, random.one_in(2)).count();
                    assert_eq!(
                        part,
                        to.min(model.len()).saturating_sub(from),
                        "seed {seed}"
                    );
                }
            }
            while index.drop_some(500) {}
        }
    }

    /// Even rounds mostly grow, odd ones mostly shrink.
    fn step(
        random: &mut Prng,
        index: &mut Index<Name>,
        model: &mut Vec<(i64, Name)>,
        (round, scores): (u64, u64),
    ) {
        let grows = random.below(10) < if round % 2 == 0 { 8 } else { 2 };
        if grows {
            let member = random_name(random);
            if model.iter().any(|own| own.1 == member) {
                return;
            }
            let score = random.below(scores);
            index.insert(Entry {
                score: score as f64,
                member,
            });
            let at = model.partition_point(|own| *own < (score as i64, member));
            model.insert(at, (score as i64, member));
            return;
        }
        let Some(at) = (!model.is_empty()).then(|| random.below(model.len() as u64) as usize)
        else {
            return;
        };
        let (score, member) = model.remove(at);
        if random.one_in(3) {
            let new = random.below(scores);
            index.rescore(score as f64, &member, new as f64);
            let at = model.partition_point(|own| *own < (new as i64, member));
            model.insert(at, (new as i64, member));
        } else if random.one_in(2) {
            assert_eq!(index.remove_at(at).member, member);
        } else {
            assert_eq!(index.rank(score as f64, &member), Some(at));
            assert!(index.remove(score as f64, &member).is_some());
            assert!(index.remove(score as f64, &member).is_none());
        }
    }

    #[test]
    fn ends_fill_their_leaves() {
        let name = |number: u16| number.to_be_bytes();
        let mut up = Index::default();
        let mut down = Index::default();
        for number in 0..20_000u16 {
            let entry = |score: f64| Entry {
                score,
                member: name(number),
            };
            up.insert(entry(f64::from(number)));
            down.insert(entry(-f64::from(number)));
        }
        for index in [&up, &down] {
            assert!(index.bytes() < 20_000 * size_of::<Entry<Name>>() * 11 / 10);
        }
        for number in 0..20_000u16 {
            assert_eq!(up.remove_at(0).member, name(number));
            assert_eq!(down.remove_at(down.len() - 1).member, name(number));
        }
        assert_eq!(
            (up.len(), down.bytes()),
            (0, down.room.entries * size_of::<Entry<Name>>())
        );
    }
}
