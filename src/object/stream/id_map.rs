//! A map from ids to small values, in order, in pieces that can be shared.
//!
//! Lists of pending entries: they grow at the end, shrink anywhere, and may become long. A piece
//! holds up to [`PIECE_MAX`] neighbours in one array and is found by a lower bound of its ids.
//! Pieces are copied on write, so that cloning the map for a snapshot costs one reference per
//! piece.
//!
//! | find, insert, remove   | O(log n), and moving within a piece       |
//! | step to the next id    | O(log n), so that the map may change      |
//! | clone                  | O(n / PIECE_MAX)                          |

use super::id::StreamId;
use std::collections::BTreeMap;
use std::sync::Arc;

const PIECE_MAX: usize = 64;

type Piece<V> = Vec<(StreamId, V)>;

/// A map from ids to values.
#[derive(Clone, Debug)]
pub struct IdMap<V> {
    pieces: BTreeMap<StreamId, Arc<Piece<V>>>,
    len: usize,
    /// Values there is room for in all pieces.
    room: usize,
}

impl<V> Default for IdMap<V> {
    fn default() -> IdMap<V> {
        IdMap {
            pieces: BTreeMap::new(),
            len: 0,
            room: 0,
        }
    }
}

impl<V: PartialEq> PartialEq for IdMap<V> {
    fn eq(&self, other: &IdMap<V>) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<V: Eq> Eq for IdMap<V> {}

impl<V> IdMap<V> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes it asks of the allocator.
    pub fn bytes(&self) -> usize {
        /// A piece's entry in the map, and its headers.
        const PIECE_BYTES: usize = 80;
        self.pieces.len() * PIECE_BYTES + self.room * size_of::<(StreamId, V)>()
    }

    /// All of it, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (StreamId, &V)> {
        let all = self.pieces.values().flat_map(|piece| piece.iter());
        all.map(|(id, value)| (*id, value))
    }

    pub fn first(&self) -> Option<StreamId> {
        self.iter().next().map(|(id, _)| id)
    }

    pub fn last(&self) -> Option<StreamId> {
        self.iter().next_back().map(|(id, _)| id)
    }

    pub fn find(&self, id: StreamId) -> Option<&V> {
        let (_, piece) = self.pieces.range(..=id).next_back()?;
        let at = place(piece, id).ok()?;
        Some(&piece[at].1)
    }

    /// The first id that is not before this one, with its value.
    pub fn from(&self, id: StreamId) -> Option<(StreamId, &V)> {
        let holding = self.pieces.range(..=id).next_back();
        let here = holding.and_then(|(_, piece)| {
            let at = place(piece, id).unwrap_or_else(|at| at);
            piece.get(at)
        });
        let next = || self.pieces.range(id..).find_map(|(_, piece)| piece.first());
        let (id, value) = here.or_else(next)?;
        Some((*id, value))
    }
}

impl<V: Clone> IdMap<V> {
    pub fn find_mut(&mut self, id: StreamId) -> Option<&mut V> {
        let (_, piece) = self.pieces.range_mut(..=id).next_back()?;
        let at = place(piece, id).ok()?;
        // A copy has as much room as it has values, which is less than was counted.
        let before = piece.capacity();
        let piece = Arc::make_mut(piece);
        self.room = self.room + piece.capacity() - before;
        Some(&mut piece[at].1)
    }

    /// Puts a value under an id; returns what was there.
    pub fn insert(&mut self, id: StreamId, value: V) -> Option<V> {
        let Some((bound, piece)) = self.pieces.range_mut(..=id).next_back() else {
            self.add_in_front(id, value);
            return None;
        };
        let (bound, before) = (*bound, piece.capacity());
        let piece = Arc::make_mut(piece);
        let at = match place(piece, id) {
            Ok(at) => {
                self.room = self.room + piece.capacity() - before;
                return Some(std::mem::replace(&mut piece[at].1, value));
            }
            Err(at) => at,
        };
        self.len += 1;
        if piece.len() < PIECE_MAX {
            piece.insert(at, (id, value));
            self.room = self.room + piece.capacity() - before;
            return None;
        }
        // At the end a new piece begins; elsewhere a full one is cut in two.
        let mut upper = piece.split_off(if at == PIECE_MAX { at } else { PIECE_MAX / 2 });
        match at.checked_sub(piece.len()) {
            Some(at) => upper.insert(at, (id, value)),
            None => piece.insert(at, (id, value)),
        }
        piece.shrink_to_fit();
        self.room = self.room + piece.capacity() + upper.capacity() - before;
        debug_assert!(upper[0].0 > bound, "bounds are below what they bound");
        self.pieces.insert(upper[0].0, Arc::new(upper));
        None
    }

    /// Adds an id that is before all others.
    fn add_in_front(&mut self, id: StreamId, value: V) {
        self.len += 1;
        let mut piece = match self.pieces.first_entry() {
            Some(first) if first.get().len() < PIECE_MAX => {
                self.room -= first.get().capacity();
                Arc::unwrap_or_clone(first.remove())
            }
            _ => Vec::with_capacity(1),
        };
        piece.insert(0, (id, value));
        self.room += piece.capacity();
        self.pieces.insert(id, Arc::new(piece));
    }

    /// Takes an id out.
    pub fn remove(&mut self, id: StreamId) -> Option<V> {
        let (bound, piece) = self.pieces.range_mut(..=id).next_back()?;
        let at = place(piece, id).ok()?;
        let (bound, before) = (*bound, piece.capacity());
        let piece = Arc::make_mut(piece);
        let (_, value) = piece.remove(at);
        if piece.len() * 4 <= piece.capacity() {
            piece.shrink_to(piece.len() * 2);
        }
        self.room = self.room + piece.capacity() - before;
        self.len -= 1;
        if piece.is_empty() {
            self.room -= piece.capacity();
            self.pieces.remove(&bound);
        }
        Some(value)
    }

    /// Frees about so many values; says whether there are more.
    pub fn drop_some(&mut self, budget: usize) -> bool {
        for _ in 0..budget.div_ceil(PIECE_MAX) {
            let Some((_, piece)) = self.pieces.pop_first() else {
                return false;
            };
            self.len -= piece.len();
            self.room -= piece.capacity();
        }
        self.len > 0
    }
}

fn place<V>(piece: &Piece<V>, id: StreamId) -> Result<usize, usize> {
    piece.binary_search_by_key(&id, |(id, _)| *id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    fn check(map: &IdMap<u64>, model: &BTreeMap<StreamId, u64>, id: StreamId) {
        assert_eq!(map.len(), model.len());
        assert_eq!(map.find(id), model.get(&id));
        let next = model.range(id..).next();
        assert_eq!(map.from(id), next.map(|(id, value)| (*id, value)));
        let room: usize = map.pieces.values().map(|piece| piece.capacity()).sum();
        assert_eq!(map.room, room);
    }

    #[test]
    fn it_is_an_ordered_map() {
        for seed in 0..30 {
            let mut random = Prng::from_seed(seed);
            let (mut map, mut model) = (IdMap::default(), BTreeMap::new());
            let mut kept = Vec::new();
            for step in 0..2000 {
                let id = match seed % 3 {
                    0 => StreamId::new(step + random.below(3), 0),
                    1 => StreamId::new(5000 - step, 1),
                    _ => StreamId::new(random.below(400), random.below(2)),
                };
                if random.below(5) > 0 {
                    assert_eq!(map.insert(id, step), model.insert(id, step));
                } else {
                    let id = map.from(id).map_or(id, |(id, _)| id);
                    assert_eq!(map.remove(id), model.remove(&id));
                }
                if let Some(value) = map.find_mut(id) {
                    *value += 1;
                    *model.get_mut(&id).expect("it is in both") += 1;
                }
                if random.below(200) == 0 {
                    kept.push((map.clone(), model.clone()));
                }
                check(&map, &model, id);
            }
            kept.push((map, model));
            for (map, model) in &kept {
                assert!(map.iter().eq(model.iter().map(|(id, value)| (*id, value))));
            }
            let (mut map, _) = kept.pop().expect("the last");
            while map.drop_some(100) {}
            assert_eq!((map.len(), map.room, map.bytes()), (0, 0, 0));
        }
    }
}
