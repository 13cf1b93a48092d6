//! Sections of parts that this server does not run: persistence, replication, modules, cluster.
//!
//! Dashboards and clients expect their fields, so each says what a Redis says that keeps nothing on
//! disk, has no replicas, no modules and no cluster. A part that comes takes its section along.

use crate::observe::counters::Totals;
use crate::observe::info::{Source, Writer};
use crate::session::Node;

pub struct Persistence<'a> {
    pub node: &'a Node,
    pub totals: &'a Totals,
}

pub struct Replication<'a> {
    pub node: &'a Node,
}

pub struct Modules;

pub struct Cluster;

fn write_all(section: &mut Writer, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        section.field(name, value);
    }
}

impl Source for Persistence<'_> {
    fn heading(&self) -> &'static str {
        "Persistence"
    }

    fn write(&self, section: &mut Writer) {
        write_all(section, FORKS);
        section
            .field(
                "rdb_changes_since_last_save",
                self.totals.changes_since_save,
            )
            .field("rdb_bgsave_in_progress", 0)
            .field("rdb_last_save_time", self.node.started_ms / 1000);
        write_all(section, SAVES);
    }
}

const FORKS: &[(&str, &str)] = &[
    ("loading", "0"),
    ("async_loading", "0"),
    ("current_cow_peak", "0"),
    ("current_cow_size", "0"),
    ("current_cow_size_age", "0"),
    ("current_fork_perc", "0.00"),
    ("current_save_keys_processed", "0"),
    ("current_save_keys_total", "0"),
];

const SAVES: &[(&str, &str)] = &[
    ("rdb_last_bgsave_status", "ok"),
    ("rdb_last_bgsave_time_sec", "-1"),
    ("rdb_current_bgsave_time_sec", "-1"),
    ("rdb_saves", "0"),
    ("rdb_last_cow_size", "0"),
    ("rdb_last_load_keys_expired", "0"),
    ("rdb_last_load_keys_loaded", "0"),
    ("aof_enabled", "0"),
    ("aof_rewrite_in_progress", "0"),
    ("aof_rewrite_scheduled", "0"),
    ("aof_last_rewrite_time_sec", "-1"),
    ("aof_current_rewrite_time_sec", "-1"),
    ("aof_last_bgrewrite_status", "ok"),
    ("aof_rewrites", "0"),
    ("aof_rewrites_consecutive_failures", "0"),
    ("aof_last_write_status", "ok"),
    ("aof_last_cow_size", "0"),
    ("module_fork_in_progress", "0"),
    ("module_fork_last_cow_size", "0"),
];

impl Source for Replication<'_> {
    fn heading(&self) -> &'static str {
        "Replication"
    }

    fn write(&self, section: &mut Writer) {
        section
            .field("role", "master")
            .field("connected_slaves", 0)
            .field("master_failover_state", "no-failover")
            .field("master_replid", self.node.replication_id.value())
            .field("master_replid2", "0".repeat(40))
            .field("master_repl_offset", 0)
            .field("second_repl_offset", -1)
            .field("repl_backlog_active", 0)
            .field(
                "repl_backlog_size",
                self.node.config.value().repl_backlog_size,
            )
            .field("repl_backlog_first_byte_offset", 0)
            .field("repl_backlog_histlen", 0);
    }
}

impl Source for Modules {
    fn heading(&self) -> &'static str {
        "Modules"
    }

    fn write(&self, _section: &mut Writer) {}
}

impl Source for Cluster {
    fn heading(&self) -> &'static str {
        "Cluster"
    }

    fn write(&self, section: &mut Writer) {
        section.field("cluster_enabled", 0);
    }
}
