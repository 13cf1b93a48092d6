//! INFO persistence: loading, snapshots and the append-only file.
//!
//! Fields and their order are Redis's. Nothing is forked here, so what Redis copies on write is
//! zero; the pre-images of a running snapshot are part of used memory.

use crate::observe::counters::Totals;
use crate::observe::info::{Source, Writer};
use crate::session::Node;

pub struct Persistence<'a> {
    pub node: &'a Node,
    pub totals: &'a Totals,
}

impl Source for Persistence<'_> {
    fn heading(&self) -> &'static str {
        "Persistence"
    }

    fn write(&self, section: &mut Writer) {
        let state = &self.node.state;
        section
            .field("loading", u8::from(state.loading.is_on()))
            .field("async_loading", 0);
        self.write_snapshot(section);
        write_aof(section);
        if state.loading.is_on() {
            self.write_loading(section);
        }
    }
}

impl Persistence<'_> {
    fn write_snapshot(&self, section: &mut Writer) {
        let (saving, loading) = (&self.node.state.saving, &self.node.state.loading);
        let (written, total) = saving.keys();
        let percent = written as f64 / total.max(1) as f64 * 100.0;
        let (last_seconds, seconds) = saving.seconds(self.node.clock.millis().0);
        let (loaded, expired) = loading.keys();
        let status = if saving.has_failed() { "err" } else { "ok" };
        section
            .field("current_cow_peak", 0)
            .field("current_cow_size", 0)
            .field("current_cow_size_age", 0)
            .field("current_fork_perc", format!("{percent:.2}"))
            .field("current_save_keys_processed", written)
            .field("current_save_keys_total", total)
            .field(
                "rdb_changes_since_last_save",
                saving.changes_since(self.totals.changes_since_save),
            )
            .field("rdb_bgsave_in_progress", u8::from(saving.is_on()))
            .field("rdb_last_save_time", saving.times_ms().0 / 1000)
            .field("rdb_last_bgsave_status", status)
            .field("rdb_last_bgsave_time_sec", last_seconds)
            .field("rdb_current_bgsave_time_sec", seconds)
            .field("rdb_saves", saving.count())
            .field("rdb_last_cow_size", 0)
            .field("rdb_last_load_keys_expired", expired)
            .field("rdb_last_load_keys_loaded", loaded);
    }

    fn write_loading(&self, section: &mut Writer) {
        let loading = &self.node.state.loading;
        let progress = loading.progress(self.node.clock.millis().0);
        section
            .field("loading_start_time", progress.started_at)
            .field("loading_total_bytes", progress.total_bytes)
            .field("loading_rdb_used_mem", 0)
            .field("loading_loaded_bytes", progress.loaded_bytes)
            .field("loading_loaded_perc", format!("{:.2}", progress.percent))
            .field("loading_eta_seconds", progress.eta_seconds);
    }
}

fn write_aof(section: &mut Writer) {
    for (name, value) in AOF {
        section.field(name, value);
    }
}

const AOF: &[(&str, &str)] = &[
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
