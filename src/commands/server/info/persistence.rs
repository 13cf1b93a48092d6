//! INFO persistence: loading, snapshots and the append-only file.
//!
//! Fields and their order are Redis's. Nothing is forked here, so what Redis copies on write is
//! zero; the pre-images of a running snapshot are part of used memory.

use crate::observe::counters::Totals;
use crate::observe::info::{Source, Writer};
use crate::session::Node;
use std::sync::atomic::Ordering::Relaxed;

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
        self.write_aof(section);
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

impl Persistence<'_> {
    fn write_aof(&self, section: &mut Writer) {
        let status = &self.node.aof.status;
        let figures = &status.figures;
        let word = |is_bad: bool| if is_bad { "err" } else { "ok" };
        let is_rewriting = figures.is_rewriting.load(Relaxed);
        let began_ms = figures.rewrite_started_ms.load(Relaxed);
        let running = (self.node.clock.millis().0 - began_ms) / 1000;
        let is_scheduled = u8::from(figures.is_rewrite_scheduled.load(Relaxed));
        let has_failed = figures.has_rewrite_failed.load(Relaxed);
        section
            .field("aof_enabled", u8::from(status.is_on()))
            .field("aof_rewrite_in_progress", u8::from(is_rewriting))
            .field("aof_rewrite_scheduled", is_scheduled)
            .field(
                "aof_last_rewrite_time_sec",
                figures.rewrite_seconds.load(Relaxed),
            )
            .field(
                "aof_current_rewrite_time_sec",
                if is_rewriting { running } else { -1 },
            )
            .field("aof_last_bgrewrite_status", word(has_failed))
            .field("aof_rewrites", figures.rewrites.load(Relaxed))
            .field("aof_rewrites_consecutive_failures", u8::from(has_failed))
            .field("aof_last_write_status", word(status.failure().is_some()))
            .field("aof_last_cow_size", 0)
            .field("module_fork_in_progress", 0)
            .field("module_fork_last_cow_size", 0);
        if !status.is_on() {
            return;
        }
        section
            .field("aof_current_size", figures.current_bytes.load(Relaxed))
            .field("aof_base_size", figures.base_bytes.load(Relaxed))
            .field("aof_pending_rewrite", is_scheduled)
            .field("aof_buffer_length", status.queued_bytes())
            .field(
                "aof_pending_bio_fsync",
                figures.pending_fsyncs.load(Relaxed),
            )
            .field("aof_delayed_fsync", figures.delayed_fsyncs.load(Relaxed));
    }
}
