//! Sections of parts that this server does not run: replication, modules, cluster.
//!
//! Dashboards and clients expect their fields, so each says what a Redis says that has no replicas,
//! no modules and no cluster. A part that comes takes its section along.

use crate::observe::info::{Source, Writer};
use crate::session::Node;

pub struct Replication<'a> {
    pub node: &'a Node,
}

pub struct Modules;

pub struct Cluster;

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
