//! Keyspace notifications: what happened to keys, as messages on channels.
//!
//! `__keyspace@<db>__:<key>` tells the name of the event, `__keyevent@<db>__:<event>` the key.
//! The core that has run a command tells, before anybody gets the reply, so that listeners hear of
//! a key in the order in which it changed, whoever changed it. Commands that a client sends one
//! after the other are told in that order too; of one command with keys on several shards, each
//! shard tells its own. Nothing happens here while notifications are off.

use super::channels::Post;
use super::core::Core;
use crate::config::KeyspaceEvents;
use crate::pubsub::Kind;
use crate::shard::Happened;

impl Core {
    /// Tells what has happened to keys here since the last time.
    #[inline]
    pub fn notify_own(&mut self) {
        if self.shard.effects.has_events() {
            let events = self.shard.effects.take_events();
            self.notify(events);
        }
    }

    /// Tells what has happened to keys, in order.
    #[cold]
    fn notify(&mut self, events: Vec<Happened>) {
        let ways = self.config.notify_keyspace_events;
        for (db, event, key) in events {
            let (db, name) = (db.0, event.name.as_bytes());
            if ways.has(KeyspaceEvents::KEYSPACE) {
                let channel = [format!("__keyspace@{db}__:").as_bytes(), &key].concat();
                self.tell(&channel, name);
            }
            if ways.has(KeyspaceEvents::KEYEVENT) {
                let channel = [format!("__keyevent@{db}__:").as_bytes(), name].concat();
                self.tell(&channel, &key);
            }
        }
    }

    fn tell(&mut self, channel: &[u8], payload: &[u8]) {
        self.announce(Post {
            kind: Kind::Channel,
            channel,
            payload,
            shared: None,
        });
    }
}
