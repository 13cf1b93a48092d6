//! WAIT: a client waits until enough replicas have acknowledged what was written before it.
//!
//! The replicas are asked through the stream, so that they answer when they have come to that
//! place. Who waits has a moment at which it gets the count of then, whatever it is.

use crate::keyspace::ShardId;

/// Somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    pub core: ShardId,
    pub number: u64,
    /// What has to be acknowledged.
    pub offset: u64,
    /// By how many.
    pub replicas: usize,
    /// Until when, Unix milliseconds; none is for ever.
    pub until_ms: Option<i64>,
}

/// All who wait.
#[derive(Debug, Default)]
pub struct Waiters(Vec<Waiter>);

impl Waiters {
    /// Lets somebody wait.
    pub fn add(&mut self, waiter: Waiter) {
        self.0.push(waiter);
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next moment at which somebody has waited long enough.
    pub fn due_ms(&self) -> Option<i64> {
        self.0.iter().filter_map(|waiter| waiter.until_ms).min()
    }

    /// Those who are done, with their counts; `acked` says how many have an offset.
    pub fn finished(&mut self, now_ms: i64, acked: impl Fn(u64) -> usize) -> Vec<(Waiter, usize)> {
        let mut finished = Vec::new();
        self.0.retain(|waiter| {
            let count = acked(waiter.offset);
            let is_over = waiter.until_ms.is_some_and(|until_ms| until_ms <= now_ms);
            let is_done = count >= waiter.replicas || is_over;
            if is_done {
                finished.push((*waiter, count));
            }
            !is_done
        });
        finished
    }

    /// Everybody, because what they wait for will not come.
    pub fn take(&mut self) -> Vec<Waiter> {
        std::mem::take(&mut self.0)
    }
}
