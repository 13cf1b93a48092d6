//! A queue in which everybody's things keep their order, and nobody's wait behind all of another's.
//!
//! ```text
//!   a:  a1 a2 a3        a helping, up to so many bytes: a1 b1 c1
//!   b:  b1              the next one, c2 having come:   a2 c2
//!   c:  c1
//! ```

use crate::session::SessionId;
use std::collections::VecDeque;

/// What sessions have sent.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    /// Each with the place of what the same session has sent next.
    places: Vec<Place<T>>,
    free: Vec<u32>,
    /// First and last place, by a session's index.
    lines: Vec<Line>,
    /// The sessions of which something waits, by their index: whose turn is next comes first.
    order: VecDeque<u32>,
}

#[derive(Debug)]
struct Place<T> {
    id: SessionId,
    thing: Option<T>,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    first: u32,
    last: u32,
    len: u32,
}

const NOWHERE: u32 = u32::MAX;
const EMPTY: Line = Line {
    first: NOWHERE,
    last: NOWHERE,
    len: 0,
};

impl<T> FairQueue<T> {
    pub fn new() -> FairQueue<T> {
        FairQueue {
            places: Vec::new(),
            free: Vec::new(),
            lines: Vec::new(),
            order: VecDeque::new(),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub fn push(&mut self, id: SessionId, thing: T) {
        let index = id.index as usize;
        if self.lines.len() <= index {
            self.lines.resize(index + 1, EMPTY);
        }
        let place = self.keep(id, thing);
        let line = &mut self.lines[index];
        match line.first == NOWHERE {
            true => {
                line.first = place;
                self.order.push_back(id.index);
            }
            false => self.places[line.last as usize].next = place,
        }
        line.last = place;
        line.len += 1;
    }

    fn keep(&mut self, id: SessionId, thing: T) -> u32 {
        let place = Place {
            id,
            thing: Some(thing),
            next: NOWHERE,
        };
        match self.free.pop() {
            Some(at) => {
                self.places[at as usize] = place;
                at
            }
            None => {
                self.places.push(place);
                self.places.len() as u32 - 1
            }
        }
    }

    /// Moves one thing of each session to `out`, until those have `bytes_max` bytes: whoever was
    /// left out is the first next time.
    pub fn take_helping(
        &mut self,
        bytes_max: usize,
        bytes: impl Fn(&T) -> usize,
        out: &mut Vec<(SessionId, T)>,
    ) {
        let mut taken_bytes = 0;
        for _ in 0..self.order.len() {
            if taken_bytes >= bytes_max {
                return;
            }
            let Some((id, thing)) = self.pop() else {
                return;
            };
            taken_bytes += bytes(&thing);
            out.push((id, thing));
        }
    }

    fn pop(&mut self) -> Option<(SessionId, T)> {
        let index = self.order.pop_front()?;
        let line = &mut self.lines[index as usize];
        let at = line.first;
        let place = &mut self.places[at as usize];
        line.first = place.next;
        line.len -= 1;
        if line.first != NOWHERE {
            self.order.push_back(index);
        }
        self.free.push(at);
        place.thing.take().map(|thing| (place.id, thing))
    }

    /// Those of whom so many things wait, or more.
    pub fn sessions(&self, len_min: u32) -> impl Iterator<Item = SessionId> {
        let lines = self.order.iter().map(|index| self.lines[*index as usize]);
        let lines = lines.filter(move |line| line.len >= len_min);
        lines.map(|line| self.places[line.first as usize].id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: u32, generation: u32) -> SessionId {
        SessionId { index, generation }
    }

    fn helping(queue: &mut FairQueue<usize>) -> Vec<(u32, usize)> {
        let mut out = Vec::new();
        queue.take_helping(100, |bytes| *bytes, &mut out);
        out.iter().map(|(id, thing)| (id.index, *thing)).collect()
    }

    fn queue(things: &[(u32, usize)]) -> FairQueue<usize> {
        let mut queue = FairQueue::new();
        for (session, bytes) in things {
            queue.push(id(*session, 1), *bytes);
        }
        queue
    }

    #[test]
    fn each_session_has_one_thing_in_a_helping_and_keeps_its_order() {
        let mut queue = queue(&[(0, 11), (0, 12), (0, 13), (7, 21), (0, 14), (3, 31)]);
        assert_eq!(helping(&mut queue), [(0, 11), (7, 21), (3, 31)]);
        queue.push(id(7, 1), 22);
        let waiting = |len| queue.sessions(len).map(|id| id.index).collect::<Vec<_>>();
        assert_eq!((waiting(1), waiting(2)), (vec![0, 7], vec![0]));
        assert_eq!(helping(&mut queue), [(0, 12), (7, 22)]);
        assert_eq!(helping(&mut queue), [(0, 13)]);
        assert_eq!(helping(&mut queue), [(0, 14)]);
        assert!(queue.is_empty() && helping(&mut queue).is_empty());
    }

    #[test]
    fn whoever_is_left_out_is_the_first_next_time() {
        let things = [
            (0, 60),
            (0, 61),
            (0, 62),
            (1, 60),
            (1, 61),
            (2, 1),
            (3, 500),
            (4, 2),
        ];
        let mut queue = queue(&things);
        assert_eq!(helping(&mut queue), [(0, 60), (1, 60)]);
        assert_eq!(helping(&mut queue), [(2, 1), (3, 500)]);
        assert_eq!(helping(&mut queue), [(4, 2), (0, 61), (1, 61)]);
        assert_eq!(helping(&mut queue), [(0, 62)]);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_a_closed_session_has_sent_comes_before_what_its_heir_sends() {
        let mut queue = queue(&[(5, 1), (5, 2)]);
        queue.push(id(5, 2), 3);
        let mut out = Vec::new();
        while !queue.is_empty() {
            queue.take_helping(100, |bytes| *bytes, &mut out);
        }
        assert_eq!(out, [(id(5, 1), 1), (id(5, 1), 2), (id(5, 2), 3)]);
        assert_eq!(queue.places.len(), 3);
    }
}
