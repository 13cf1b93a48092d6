//! What a core tells the process about itself: its figures, from where only it can look, onto the
//! board that everyone reads.
//!
//! Counts that change with every command are written to the board at once, by whoever counts. The
//! rest is copied here: cheap figures on every tick, and those that take a walk (expiries, tables,
//! clients) only when somebody asks, since nobody reads them otherwise. Whoever wants figures that
//! are exact at this moment asks all cores with `Question::Publish` and then reads the board.

use super::core::Core;
use crate::keyspace::{DbIndex, SpaceStats};
use crate::observe::counters::Count;

impl Core {
    /// Publishes what costs nothing to know: memory, and what the keyspace has counted.
    pub fn publish(&mut self) {
        let SpaceStats {
            hits,
            misses,
            expired,
            evicted,
            expired_fields: _,
            changes,
        } = self.shard.space.common.stats;
        self.shard.publish_memory();
        if self.node.shards() > 1 {
            self.shard.publish_data();
        }
        let counters = self.counters();
        raise(&counters.keyspace_hits, hits);
        raise(&counters.keyspace_misses, misses);
        raise(&counters.expired_keys, expired);
        raise(&counters.evicted_keys, evicted);
        counters.changes_since_save.set(changes);
        let space = &self.shard.space;
        counters.lazyfree_pending_objects.set(space.buried() as u64);
        raise(&counters.lazyfreed_objects, space.freed_in_steps());
        let memory = &self.shard.memory;
        counters.eviction_exceeded_now_us.set(memory.exceeded_us());
        if counters.startup_bytes.value() == 0 {
            counters
                .startup_bytes
                .set(memory.held_bytes().max(0) as u64);
        }
        self.node.note_memory();
        self.note_evictions();
    }

    /// Publishes everything, databases and clients included, as it is now.
    pub fn publish_all(&mut self) {
        self.publish();
        self.publish_databases();
        self.publish_clients();
        self.publish_replication();
    }

    fn publish_databases(&mut self) {
        let mut table_bytes = 0;
        for index in (0..self.shard.space.databases()).map(DbIndex) {
            let avg_ttl_ms = self.shard.space.average_ttl_ms(index);
            let db = self.shard.space.db(index);
            let counters = &self.counters().dbs[index.0 as usize];
            counters.keys.set(db.len() as u64);
            counters.volatile_keys.set(db.volatile() as u64);
            counters.avg_ttl_ms.set(avg_ttl_ms);
            counters.table_bytes.set(db.table_bytes() as u64);
            table_bytes += db.table_bytes() as u64;
        }
        self.counters().table_bytes.set(table_bytes);
    }

    fn publish_clients(&mut self) {
        let (mut input, mut output, mut bytes) = (0, 0, 0);
        for (_, session) in self.sessions.iter() {
            input = input.max(session.query_bytes());
            output = output.max(session.output_bytes());
            bytes += session.memory_bytes();
        }
        let (keys, absence_keys) = self.shard.waiters.keys();
        let counters = self.counters();
        counters.total_blocking_keys.set(keys as u64);
        counters
            .total_blocking_keys_on_nokey
            .set(absence_keys as u64);
        let timeouts = self.router.deadlines() as u64;
        counters.clients_in_timeout_table.set(timeouts);
        counters.client_recent_max_input_buffer.set(input as u64);
        counters.client_recent_max_output_buffer.set(output as u64);
        counters.clients_normal_bytes.set(bytes as u64);
    }
}

/// Brings a count that this core alone writes up to what it has counted elsewhere.
fn raise(count: &Count, to: u64) {
    count.add(to.saturating_sub(count.value()));
}
