//! Classes of clients, and filters over clients: what CLIENT LIST, CLIENT KILL and the output
//! buffer limits go by.
//!
//! A filter is plain data, so that every core can apply it to its own clients. What happens to
//! those that match is decided elsewhere.

use super::session::Session;
use crate::config::Config;

/// What a client is to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Normal,
    Replica,
    PubSub,
    Master,
}

impl Class {
    /// The class of this name, in any case.
    pub fn from_name(name: &[u8]) -> Option<Class> {
        const NAMES: [(&str, Class); 5] = [
            ("normal", Class::Normal),
            ("slave", Class::Replica),
            ("replica", Class::Replica),
            ("pubsub", Class::PubSub),
            ("master", Class::Master),
        ];
        NAMES
            .iter()
            .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
            .map(|(_, class)| *class)
    }

    /// Its place in `client-output-buffer-limit`.
    pub fn limit(self) -> usize {
        match self {
            Class::Normal | Class::Master => Config::NORMAL,
            Class::Replica => Config::REPLICA,
            Class::PubSub => Config::PUBSUB,
        }
    }
}

impl Session {
    /// What this client is to the server. A monitor is a normal client.
    pub fn class(&self) -> Class {
        if self.is_master {
            Class::Master
        } else if self.is_replica() {
            Class::Replica
        } else if self.subscriptions.is_empty() {
            Class::Normal
        } else {
            Class::PubSub
        }
    }

    /// The name of the user it acts as.
    pub fn user(&self) -> &'static [u8] {
        b"default"
    }
}

/// Which clients are meant: those for which everything that is given is true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub number: Option<i64>,
    pub class: Option<Class>,
    pub address: Option<Vec<u8>>,
    pub local_address: Option<Vec<u8>>,
    pub user: Option<Vec<u8>>,
    /// At least so many seconds old.
    pub age_min_s: Option<i64>,
    /// The number of the client that asks.
    pub asker: u64,
    /// Not the one that asks.
    pub spares_asker: bool,
}

/// Whether a condition is met, if there is one.
fn meets<T>(condition: Option<T>, is_met: impl FnOnce(T) -> bool) -> bool {
    condition.is_none_or(is_met)
}

impl Filter {
    /// Whether this client is meant.
    pub fn matches(&self, session: &Session, now_ms: i64) -> bool {
        let origin = &session.origin;
        // The connections for shards go with the replica's first one.
        let is_meant = !session.is_flow() || self.class.is_none();
        let is_client = !session.is_runner && !session.is_loader;
        is_meant
            && is_client
            && meets(self.number, |number| number as u64 == session.id)
            && meets(self.class, |class| class == session.class())
            && meets(self.address.as_deref(), |address| {
                address == origin.address.as_bytes()
            })
            && meets(self.local_address.as_deref(), |address| {
                address == origin.local_address.as_bytes()
            })
            && meets(self.user.as_deref(), |user| user == session.user())
            && meets(self.age_min_s, |age| session.age_s(now_ms) >= age)
            && !(self.spares_asker && session.id == self.asker)
    }
}
