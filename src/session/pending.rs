//! Requests that have arrived and may not run yet.
//!
//! Bytes that grow at the end and are consumed from the front: a client that waits for a reply
//! between any two of a hundred thousand pipelined commands must not have the rest of them copied
//! a hundred thousand times. What they mean is the parser's business.

/// Bytes of requests, consumed from the front.
#[derive(Debug, Default)]
pub struct Pending {
    bytes: Vec<u8>,
    from: usize,
}

impl Pending {
    /// The bytes that wait.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.from..]
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.from
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Room for more bytes that is there already.
    pub fn free_bytes(&self) -> usize {
        self.bytes.capacity() - self.len()
    }

    /// Adds bytes behind those that wait. The place of consumed ones is used again once they are
    /// the larger part.
    pub fn push(&mut self, data: &[u8]) {
        if self.from > self.bytes.len() / 2 {
            self.bytes.drain(..self.from);
            self.from = 0;
        }
        self.bytes.extend_from_slice(data);
    }

    /// Forgets bytes at the front.
    pub fn consume(&mut self, count: usize) {
        self.from += count;
        debug_assert!(self.from <= self.bytes.len(), "what waits is consumed once");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_consumed_is_gone_and_the_rest_keeps_its_order() {
        let mut pending = Pending::default();
        for round in 0..100_u8 {
            pending.push(&[round; 10]);
            pending.consume(9);
        }
        assert_eq!(pending.len(), 100);
        assert_eq!(pending.bytes()[0], 90);
        assert_eq!(pending.bytes()[99], 99);
        assert!(pending.bytes.len() < 250, "consumed bytes are given up");
        pending.consume(100);
        assert!(pending.is_empty());
    }
}
