//! Sections of parts that this server does not run: modules, cluster.
//!
//! Dashboards and clients expect their fields, so each says what a Redis says that has no modules
//! and no cluster. A part that comes takes its section along.

use crate::observe::info::{Source, Writer};

pub struct Modules;

pub struct Cluster;

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
