//! All clients of one core.
//!
//! Places are reused and their numbers carry a generation, so that an answer for a client that has
//! gone finds nobody instead of its successor.

use super::session::Session;

/// The place of a session, and which tenant of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId {
    pub index: u32,
    pub generation: u32,
}

impl SessionId {
    /// As one number, for messages.
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The other way round.
    pub fn from_bits(bits: u64) -> SessionId {
        SessionId {
            index: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

#[derive(Debug)]
struct Place {
    generation: u32,
    session: Option<Box<Session>>,
}

/// Generations stay below this: they travel through the kernel in 28 bits.
const GENERATIONS: u32 = 1 << 28;

/// The clients of one core.
#[derive(Debug, Default)]
pub struct Sessions {
    places: Vec<Place>,
    free: Vec<u32>,
}

impl Sessions {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a client in.
    pub fn insert(&mut self, session: Session) -> SessionId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                generation: 0,
                session: None,
            });
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[index as usize];
        place.session = Some(Box::new(session));
        SessionId {
            index,
            generation: place.generation,
        }
    }

    /// Lets a client go.
    pub fn remove(&mut self, id: SessionId) -> Option<Box<Session>> {
        let place = self.places.get_mut(id.index as usize)?;
        if place.generation != id.generation {
            return None;
        }
        let session = place.session.take()?;
        place.generation = (place.generation + 1) % GENERATIONS;
        self.free.push(id.index);
        Some(session)
    }

    /// A client, if it is still there.
    #[inline]
    pub fn find(&self, id: SessionId) -> Option<&Session> {
        let place = self.places.get(id.index as usize)?;
        if place.generation != id.generation {
            None
        } else {
            place.session.as_deref()
        }
    }

    /// A client, to change, if it is still there.
    #[inline]
    pub fn find_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        let place = self.places.get_mut(id.index as usize)?;
        if place.generation != id.generation {
            None
        } else {
            place.session.as_deref_mut()
        }
    }

    /// All clients.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.places.iter().enumerate().filter_map(|(index, place)| {
            let id = SessionId {
                index: index as u32,
                generation: place.generation,
            };
            Some((id, place.session.as_deref()?))
        })
    }

    /// The clients of a share of all places, from a place on and round again; moves it on.
    pub fn some(&self, place: &mut u32, shares: usize) -> Vec<SessionId> {
        let places = self.places.len();
        let count = places.div_ceil(shares);
        let first = *place as usize;
        *place = ((first + count) % places.max(1)) as u32;
        (0..count)
            .map(|step| (first + step) % places)
            .filter(|index| self.places[*index].session.is_some())
            .map(|index| SessionId {
                index: index as u32,
                generation: self.places[index].generation,
            })
            .collect()
    }

    /// All clients, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (SessionId, &mut Session)> {
        self.places
            .iter_mut()
            .enumerate()
            .filter_map(|(index, place)| {
                let id = SessionId {
                    index: index as u32,
                    generation: place.generation,
                };
                Some((id, place.session.as_deref_mut()?))
            })
    }
}
