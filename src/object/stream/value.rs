//! A stream: entries in the order of their ids, and consumer groups.
//!
//! Groups are shared by reference, as nodes are, and copied when somebody else still reads them;
//! so a clone of a stream costs a reference per node and group. An empty stream lives on, because
//! its last id still counts.

use super::group::Group;
use super::log::Log;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    pub log: Log,
    groups: BTreeMap<Box<[u8]>, Arc<Group>>,
}

impl Stream {
    /// Bytes it asks of the allocator, itself included.
    pub fn bytes(&self) -> usize {
        /// A group's entry in the map, and the header of its reference.
        const GROUP_BYTES: usize = 60;
        let groups: usize = self
            .groups()
            .map(|(name, group)| GROUP_BYTES + name.len() + group.bytes())
            .sum();
        size_of::<Stream>() + self.log.bytes() + groups
    }

    /// Nodes and pending entries: how many pieces it falls into when it is freed.
    pub fn pieces(&self) -> usize {
        let pending = |group: &Arc<Group>| 2 * group.pending().len();
        self.log.node_count() + self.groups.values().map(pending).sum::<usize>()
    }

    /// The groups, by name.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.groups
            .iter()
            .map(|(name, group)| (&name[..], &**group))
    }

    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name).map(|group| &**group)
    }

    /// A group to change; copies it first if somebody still reads it.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.groups.get_mut(name).map(Arc::make_mut)
    }

    /// The entries, and a group to change.
    pub fn log_and_group(&mut self, name: &[u8]) -> Option<(&Log, &mut Group)> {
        let group = self.groups.get_mut(name)?;
        Some((&self.log, Arc::make_mut(group)))
    }

    /// Adds a group; says whether there was none of this name.
    pub fn add_group(&mut self, name: &[u8], group: Group) -> bool {
        if self.groups.contains_key(name) {
            return false;
        }
        self.groups.insert(name.into(), Arc::new(group));
        true
    }

    /// Removes a group; says whether there was one of this name.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        self.groups.remove(name).is_some()
    }

    /// Frees about so many nodes or pending entries; says whether there is more. What was freed is
    /// not seen by the other operations: only whoever throws a stream away calls this.
    pub fn drop_some(&mut self, budget: usize) -> bool {
        if self.log.drop_some(budget) {
            return true;
        }
        let Some(mut last) = self.groups.last_entry() else {
            return false;
        };
        // A group that somebody else reads is theirs to free.
        let has_more = Arc::get_mut(last.get_mut()).is_some_and(|group| group.drop_some(budget));
        if !has_more {
            last.remove();
        }
        has_more || !self.groups.is_empty()
    }
}
