//! The connections on which a replica of our own kind gets what it gets shard by shard: its part of
//! a snapshot, then its stream.
//!
//! ```text
//!   replica: PSYNC ..                          master: +FLOWS <token> <shards>
//!   replica, on one connection per shard:      REPLCONF flow <token>:<shard>      +OK
//!   then as anybody                            +CONTINUE or +FULLRESYNC on the first one
//! ```
//!
//! The token is known to the two of them alone. A replica is ready when all its connections are
//! there; one that is lost takes the replica with it.

use super::deed::Place;
use super::history::fresh_id;
use crate::base::prng::Prng;

/// Where the parts of a snapshot go: the connection of a replica, and those of its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    pub main: Place,
    pub flows: Vec<Place>,
}

/// The connections of one replica, by shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flows {
    token: String,
    places: Vec<Option<Place>>,
    /// How far the replica says it has run the stream of each.
    acked: Vec<u64>,
}

impl Flows {
    /// None of so many yet.
    pub fn new(shards: usize, random: &mut Prng) -> Flows {
        Flows {
            token: fresh_id(random),
            places: vec![None; shards],
            acked: vec![0; shards],
        }
    }

    /// What the replica is told.
    pub fn line(&self) -> String {
        format!("+FLOWS {} {}\r\n", self.token, self.places.len())
    }

    /// A connection wants to be that of a shard, with these words; whether it is now.
    pub fn join(&mut self, words: &[u8], place: Place) -> bool {
        let Some((token, shard)) = read(words).filter(|(token, _)| *token == self.token) else {
            return false;
        };
        debug_assert_eq!(token.len(), self.token.len());
        match self.places.get_mut(shard) {
            Some(free @ None) => *free = Some(place),
            _ => return false,
        }
        true
    }

    /// All connections, if all are there.
    pub fn all(&self) -> Option<Vec<Place>> {
        self.places.iter().copied().collect()
    }

    /// How many there are to be.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// The connection for a shard, if it is there.
    pub fn place(&self, shard: usize) -> Option<Place> {
        self.places.get(shard).copied().flatten()
    }

    /// A connection says how far the stream of its shard has been run; whether it is one of these.
    pub fn ack(&mut self, place: Place, offset: u64) -> bool {
        let shard = self.places.iter().position(|it| *it == Some(place));
        if let Some(shard) = shard {
            self.acked[shard] = self.acked[shard].max(offset);
        }
        shard.is_some()
    }

    /// How far the streams have been run.
    pub fn acked(&self) -> &[u64] {
        &self.acked
    }

    /// Those that are there.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.places.iter().flatten().copied()
    }

    /// Forgets a connection that is gone; whether it was one of these.
    pub fn forget(&mut self, place: Place) -> bool {
        let found = self.places.iter_mut().find(|it| **it == Some(place));
        found.is_some_and(|found| found.take().is_some())
    }
}

/// Reads `<token>:<shard>`.
fn read(words: &[u8]) -> Option<(&str, usize)> {
    let (token, shard) = std::str::from_utf8(words).ok()?.split_once(':')?;
    Some((token, shard.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::ShardId;

    fn place(session: u64) -> Place {
        Place {
            core: ShardId(0),
            session,
        }
    }

    #[test]
    fn only_who_knows_the_token_joins_and_each_shard_once() {
        let mut flows = Flows::new(2, &mut Prng::from_seed(1));
        let line = flows.line();
        let token = line.split(' ').nth(1).unwrap().to_owned();
        for bad in ["", ":", "0", "x:0", ":0", "\u{fe}:1"] {
            assert!(!flows.join(bad.as_bytes(), place(9)), "{bad}");
        }
        for bad in ["2", "-1", "", "0x0"] {
            assert!(!flows.join(format!("{token}:{bad}").as_bytes(), place(9)));
        }
        assert!(flows.join(format!("{token}:1").as_bytes(), place(1)));
        assert!(!flows.join(format!("{token}:1").as_bytes(), place(2)));
        assert_eq!(flows.all(), None);
        assert!(flows.join(format!("{token}:0").as_bytes(), place(2)));
        assert_eq!(flows.all(), Some(vec![place(2), place(1)]));
        assert!(!flows.forget(place(9)) && flows.forget(place(2)));
        assert_eq!(flows.places().collect::<Vec<_>>(), [place(1)]);
    }
}
