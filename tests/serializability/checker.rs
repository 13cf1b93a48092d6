//! Is there an order of the operations that explains every answer and respects real time?
//!
//! Depth-first search after Wing and Gong, with Lowe's memory of configurations already seen: the
//! first operation in the order is one that was called before any other had returned. If the model
//! answers as the server did, go on without it; if nothing fits, take the last choice back. Values
//! are unique, so a value that somebody still has to read must not be overwritten everywhere: that
//! cuts wrong branches off at once, and real histories take a few steps an operation. The store
//! as a whole is the object, so what is checked is strict serializability.

use crate::model::{Operation, Outcome, State, Value};
use std::collections::{HashMap, HashSet};

/// One operation as a client saw it; times on one clock.
#[derive(Clone, Debug)]
pub struct Call {
    pub client: usize,
    pub called: u64,
    pub returned: u64,
    pub operation: Operation,
    pub outcome: Outcome,
}

/// More than a valid history of this size ever needs.
const STEPS_MAX: usize = 20_000_000;

#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// An explaining order, as indices.
    Serializable(Vec<usize>),
    /// The longest order that explains a part.
    Violation(Vec<usize>),
    GaveUp,
}

/// Looks for an order that starts from `initial`.
pub fn check(calls: &[Call], initial: State) -> Verdict {
    let mut by_time: Vec<usize> = (0..calls.len()).collect();
    by_time.sort_by_key(|&index| calls[index].called);
    let mut unread = HashMap::new();
    for value in calls.iter().flat_map(observed) {
        *unread.entry(value).or_insert(0) += 1;
    }
    let mut search = Search {
        calls,
        by_time,
        done: vec![0; calls.len().div_ceil(64)],
        unread,
    };
    search.run(initial)
}

/// The values an answer shows.
fn observed(call: &Call) -> Vec<Value> {
    match &call.outcome {
        Outcome::Values(values) => values.iter().flatten().copied().collect(),
        _ => Vec::new(),
    }
}

struct Search<'a> {
    calls: &'a [Call],
    by_time: Vec<usize>,
    /// One bit an operation: already in the order.
    done: Vec<u64>,
    /// How many answers not yet in the order show a value.
    unread: HashMap<Value, usize>,
}

/// A choice that can be taken back: the operation, the state before it.
struct Choice {
    position: usize,
    before: State,
}

impl Search<'_> {
    fn run(&mut self, initial: State) -> Verdict {
        let mut seen: HashSet<(Vec<u64>, State)> = HashSet::new();
        let mut order: Vec<Choice> = Vec::new();
        let mut longest: Vec<usize> = Vec::new();
        let (mut state, mut from) = (initial, 0);
        for _ in 0..STEPS_MAX {
            if order.len() == self.calls.len() {
                return Verdict::Serializable(self.indices(&order));
            }
            match self.next(from, &state) {
                Some((position, after)) => {
                    self.mark(position, true);
                    if seen.insert((self.done.clone(), after)) {
                        order.push(Choice {
                            position,
                            before: state,
                        });
                        (state, from) = (after, 0);
                        if order.len() > longest.len() {
                            longest = self.indices(&order);
                        }
                    } else {
                        self.mark(position, false);
                        from = position + 1;
                    }
                }
                None => {
                    let Some(last) = order.pop() else {
                        return Verdict::Violation(longest);
                    };
                    self.mark(last.position, false);
                    (state, from) = (last.before, last.position + 1);
                }
            }
        }
        Verdict::GaveUp
    }

    /// The next operation, at or after place `from`, that may come first and answers as observed.
    fn next(&self, from: usize, state: &State) -> Option<(usize, State)> {
        let mut first_return = u64::MAX;
        // Nearly everything before the place of work is done; words of 64 are skipped at once.
        let full = self
            .done
            .iter()
            .take_while(|word| **word == u64::MAX)
            .count();
        for (position, &index) in self.by_time.iter().enumerate().skip(full * 64) {
            if self.is_done(position) {
                continue;
            }
            let call = &self.calls[index];
            if call.called > first_return {
                return None;
            }
            first_return = first_return.min(call.returned);
            let mut after = *state;
            if position >= from
                && call.operation.apply(&mut after) == call.outcome
                && !self.buries(call, state, &after)
            {
                return Some((position, after));
            }
        }
        None
    }

    /// Whether the call makes a value vanish that others still have to read.
    fn buries(&self, call: &Call, before: &State, after: &State) -> bool {
        let vanished = before
            .iter()
            .flatten()
            .filter(|value| !after.contains(&Some(**value)));
        vanished.into_iter().any(|value| {
            let shown_here = observed(call)
                .iter()
                .filter(|shown| *shown == value)
                .count();
            self.unread
                .get(value)
                .is_some_and(|unread| *unread > shown_here)
        })
    }

    fn is_done(&self, position: usize) -> bool {
        self.done[position / 64] >> (position % 64) & 1 == 1
    }

    fn mark(&mut self, position: usize, done: bool) {
        let bit = 1 << (position % 64);
        if done {
            self.done[position / 64] |= bit;
        } else {
            self.done[position / 64] &= !bit;
        }
        for value in observed(&self.calls[self.by_time[position]]) {
            let unread = self.unread.get_mut(&value).expect("counted at the start");
            *unread = if done { *unread - 1 } else { *unread + 1 };
        }
    }

    fn indices(&self, order: &[Choice]) -> Vec<usize> {
        order
            .iter()
            .map(|choice| self.by_time[choice.position])
            .collect()
    }
}
