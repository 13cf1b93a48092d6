//! What the configuration means for a shard: how accesses are noted, up to where collections are
//! packed, what is freed in steps.
//!
//! A core tells its shard when the configuration has changed, not in every turn. What it does not
//! do: decide what may be configured; the rows of directives say that.

use super::core::Core;
use crate::config::Config;
use crate::config::choice::MaxmemoryPolicy;
use crate::keyspace::{AccessRule, Lazyfree};
use crate::object::Packing;

/// What the eviction policy needs to know of accesses.
pub(super) fn access_rule(config: &Config) -> AccessRule {
    match config.maxmemory_policy {
        MaxmemoryPolicy::AllkeysLfu | MaxmemoryPolicy::VolatileLfu => AccessRule::Frequency {
            log_factor: config.lfu_log_factor,
            decay_minutes: config.lfu_decay_time,
        },
        _ => AccessRule::Recency,
    }
}

impl From<&Config> for Packing {
    fn from(config: &Config) -> Packing {
        packing(config)
    }
}

fn packing(config: &Config) -> Packing {
    Packing {
        hash_entries_max: config.hash_max_listpack_entries,
        hash_value_bytes_max: config.hash_max_listpack_value,
        list_node_size: config.list_max_listpack_size,
        set_ints_max: config.set_max_intset_entries,
        set_entries_max: config.set_max_listpack_entries,
        set_value_bytes_max: config.set_max_listpack_value,
        zset_entries_max: config.zset_max_listpack_entries,
        zset_value_bytes_max: config.zset_max_listpack_value,
        hll_sparse_bytes_max: config.hll_sparse_max_bytes,
        stream_node_bytes_max: config.stream_node_max_bytes,
        stream_node_entries_max: config.stream_node_max_entries,
    }
}

fn lazyfree(config: &Config) -> Lazyfree {
    Lazyfree {
        expiry: config.lazyfree_lazy_expire,
        eviction: config.lazyfree_lazy_eviction,
        replacement: config.lazyfree_lazy_server_del,
        deletion: config.lazyfree_lazy_user_del,
    }
}

impl Core {
    /// Tells the shard what the configuration says.
    #[cold]
    pub(super) fn heed_config(&mut self) {
        self.shard.listen(self.config.notify_keyspace_events);
        let common = &mut self.shard.space.common;
        common.string_bytes_max = self.config.proto_max_bulk_len as u64;
        common.access = access_rule(&self.config);
        common.packing = packing(&self.config);
        common.compresses_dumps = self.config.rdbcompression;
        common.lazyfree = lazyfree(&self.config);
    }
}
