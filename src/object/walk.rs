//! Walks over objects: how a snapshot takes large values in slices while they change.
//!
//! Dictionaries are walked where they lie, see `dict`. Lists and streams are sequences of counted
//! references; their walkers work on a copy of the references.

use super::dict::{Dict, Element};
use super::value::Object;

impl Object {
    fn dict(&self) -> Option<&Dict> {
        match self {
            Object::Set(set) => Some(set.dict()),
            Object::Hash(hash) => Some(hash.dict()),
            Object::Zset(zset) => Some(zset.dict()),
            Object::String(_) | Object::List(_) | Object::Stream(_) => None,
        }
    }

    fn dict_mut(&mut self) -> Option<&mut Dict> {
        match self {
            Object::Set(set) => Some(set.dict_mut()),
            Object::Hash(hash) => Some(hash.dict_mut()),
            Object::Zset(zset) => Some(zset.dict_mut()),
            Object::String(_) | Object::List(_) | Object::Stream(_) => None,
        }
    }

    /// Begins a walk over the elements of this moment; for dictionaries only.
    pub fn begin_walk(&mut self, id: u64) {
        let dict = self.dict_mut();
        dict.expect("only dictionaries are walked like this")
            .begin_walk(id);
    }

    /// The number of the walk that is going on.
    #[inline]
    pub fn walk_id(&self) -> Option<u64> {
        self.dict().and_then(Dict::walk_id)
    }

    /// Goes on with the walk; see [`Dict::walk`].
    pub fn walk(&mut self, cursor: u64, count: usize, visit: &mut dyn FnMut(Element<'_>)) -> u64 {
        self.dict_mut()
            .map_or(0, |dict| dict.walk(cursor, count, visit))
    }
}
