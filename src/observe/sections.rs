//! The sections of INFO that can be told from this part's own figures.
//!
//! Stats, cpu, commandstats, errorstats, latencystats, keyspace, and `# Shards`, which Redis does
//! not have: one line per core, in INFO all. Fields and their order are those of Redis 7.2. What is
//! a fact of the way Redis works and not of ours (forks, I/O threads) is written as zero, because
//! dashboards expect the field. Other sections belong to the parts that know them.

use std::collections::BTreeMap;

use super::command_stats::CommandBoard;
use super::counters::{Board, Instantaneous, Totals};
use super::info::{Shown, Source, Writer, safe_name};
use crate::base::process::{self, Usage};

/// Redis: cpu times are seconds with six digits.
const MICROS_PER_SECOND: u64 = 1_000_000;

pub struct Stats<'a> {
    pub totals: &'a Totals,
    pub now: Instantaneous,
}

pub struct Cpu;

pub struct CommandStats<'a> {
    pub board: &'a CommandBoard,
    /// Names by row, such as `config|get`.
    pub names: &'a [&'a str],
}

pub struct LatencyStats<'a> {
    pub board: &'a CommandBoard,
    pub names: &'a [&'a str],
    /// latency-tracking-info-percentiles.
    pub percentiles: &'a [f64],
}

pub struct ErrorCounts<'a>(pub &'a BTreeMap<Box<[u8]>, u64>);

pub struct Keyspace<'a>(pub &'a Totals);

pub struct Shards<'a> {
    pub board: &'a Board,
    pub now_ms: u64,
}

impl Source for Stats<'_> {
    fn heading(&self) -> &'static str {
        "Stats"
    }

    fn write(&self, section: &mut Writer) {
        self.write_traffic(section);
        self.write_keys(section);
        self.write_memory_work(section);
        self.write_replies(section);
        self.write_loop(section);
    }
}

impl Stats<'_> {
    fn write_traffic(&self, section: &mut Writer) {
        let (totals, now) = (self.totals, &self.now);
        section
            .field("total_connections_received", totals.connections_received)
            .field("total_commands_processed", totals.commands_processed)
            .field("instantaneous_ops_per_sec", now.ops_per_sec)
            .field(
                "total_net_input_bytes",
                totals.net_input_bytes + totals.repl_input_bytes,
            )
            .field(
                "total_net_output_bytes",
                totals.net_output_bytes + totals.repl_output_bytes,
            )
            .field("total_net_repl_input_bytes", totals.repl_input_bytes)
            .field("total_net_repl_output_bytes", totals.repl_output_bytes)
            .field("instantaneous_input_kbps", two_digits(now.input_kbps))
            .field("instantaneous_output_kbps", two_digits(now.output_kbps))
            .field(
                "instantaneous_input_repl_kbps",
                two_digits(now.input_repl_kbps),
            )
            .field(
                "instantaneous_output_repl_kbps",
                two_digits(now.output_repl_kbps),
            )
            .field("rejected_connections", totals.connections_rejected)
            .field("sync_full", totals.sync_full)
            .field("sync_partial_ok", totals.sync_partial_ok)
            .field("sync_partial_err", totals.sync_partial_err);
    }

    fn write_keys(&self, section: &mut Writer) {
        let totals = self.totals;
        let stale_percent = totals.expired_stale_basis_points as f64 / 100.0;
        section
            .field("expired_keys", totals.expired_keys)
            .field("expired_stale_perc", two_digits(stale_percent))
            .field(
                "expired_time_cap_reached_count",
                totals.expired_time_cap_reached,
            )
            .field(
                "expire_cycle_cpu_milliseconds",
                totals.expire_cycle_ns / 1_000_000,
            )
            .field("evicted_keys", totals.evicted_keys)
            .field("evicted_clients", totals.evicted_clients)
            .field(
                "total_eviction_exceeded_time",
                totals.eviction_exceeded_us / 1000,
            )
            .field(
                "current_eviction_exceeded_time",
                totals.eviction_exceeded_now_us / 1000,
            )
            .field("keyspace_hits", totals.keyspace_hits)
            .field("keyspace_misses", totals.keyspace_misses)
            .field("pubsub_channels", totals.pubsub_channels)
            .field("pubsub_patterns", totals.pubsub_patterns)
            .field("pubsubshard_channels", totals.pubsubshard_channels);
    }

    fn write_memory_work(&self, section: &mut Writer) {
        let totals = self.totals;
        section
            .field("latest_fork_usec", 0)
            .field("total_forks", 0)
            .field("migrate_cached_sockets", totals.migrate_cached_sockets)
            .field(
                "slave_expires_tracked_keys",
                totals.slave_expires_tracked_keys,
            )
            .field("active_defrag_hits", totals.active_defrag_hits)
            .field("active_defrag_misses", totals.active_defrag_misses)
            .field("active_defrag_key_hits", totals.active_defrag_key_hits)
            .field("active_defrag_key_misses", totals.active_defrag_key_misses)
            .field("total_active_defrag_time", 0)
            .field("current_active_defrag_time", 0)
            .field("tracking_total_keys", totals.tracking_total_keys)
            .field("tracking_total_items", totals.tracking_total_items)
            .field("tracking_total_prefixes", totals.tracking_total_prefixes);
    }

    fn write_replies(&self, section: &mut Writer) {
        let totals = self.totals;
        section
            .field("unexpected_error_replies", totals.unexpected_error_replies)
            .field("total_error_replies", totals.error_replies)
            .field(
                "dump_payload_sanitizations",
                totals.dump_payload_sanitizations,
            )
            .field("total_reads_processed", totals.reads_processed)
            .field("total_writes_processed", totals.writes_processed)
            .field("io_threaded_reads_processed", 0)
            .field("io_threaded_writes_processed", 0)
            .field("reply_buffer_shrinks", totals.reply_buffer_shrinks)
            .field("reply_buffer_expands", totals.reply_buffer_expands);
    }

    fn write_loop(&self, section: &mut Writer) {
        let (totals, now) = (self.totals, &self.now);
        section
            .field("eventloop_cycles", totals.eventloop_cycles)
            .field("eventloop_duration_sum", totals.eventloop_ns / 1000)
            .field(
                "eventloop_duration_cmd_sum",
                totals.eventloop_commands_ns / 1000,
            )
            .field(
                "instantaneous_eventloop_cycles_per_sec",
                now.eventloop_cycles_per_sec,
            )
            .field(
                "instantaneous_eventloop_duration_usec",
                now.eventloop_duration_usec,
            )
            .field("acl_access_denied_auth", totals.acl_access_denied_auth)
            .field("acl_access_denied_cmd", totals.acl_access_denied_cmd)
            .field("acl_access_denied_key", totals.acl_access_denied_key)
            .field(
                "acl_access_denied_channel",
                totals.acl_access_denied_channel,
            );
    }
}

impl Source for Cpu {
    fn heading(&self) -> &'static str {
        "CPU"
    }

    fn write(&self, section: &mut Writer) {
        let whose = [
            (Usage::Process, ""),
            (Usage::Children, "_children"),
            (Usage::Thread, "_main_thread"),
        ];
        for (usage, suffix) in whose {
            let time = process::cpu_time(usage);
            section
                .field(
                    format_args!("used_cpu_sys{suffix}"),
                    seconds(time.system_us),
                )
                .field(format_args!("used_cpu_user{suffix}"), seconds(time.user_us));
        }
    }
}

impl Source for CommandStats<'_> {
    fn heading(&self) -> &'static str {
        "Commandstats"
    }

    fn shown(&self) -> Shown {
        Shown::WithAll
    }

    fn write(&self, section: &mut Writer) {
        for (row, name) in self.names.iter().enumerate() {
            let totals = self.board.totals(row);
            if totals.is_used() {
                let line = format_args!(
                    "calls={},usec={},usec_per_call={:.2},rejected_calls={},failed_calls={}",
                    totals.calls,
                    totals.usec(),
                    totals.usec_per_call(),
                    totals.rejected_calls,
                    totals.failed_calls,
                )
                .to_string();
                section.field(format_args!("cmdstat_{}", safe_name(name.as_bytes())), line);
            }
        }
    }
}

impl Source for LatencyStats<'_> {
    fn heading(&self) -> &'static str {
        "Latencystats"
    }

    fn shown(&self) -> Shown {
        Shown::WithAll
    }

    fn write(&self, section: &mut Writer) {
        for (row, name) in self.names.iter().enumerate() {
            let durations = self.board.totals(row).durations;
            if durations.total() == 0 {
                continue;
            }
            let value = |percent: &f64| {
                format!(
                    "p{percent}={:.3}",
                    durations.percentile(*percent) as f64 / 1000.0
                )
            };
            let values: Vec<_> = self.percentiles.iter().map(value).collect();
            let name = safe_name(name.as_bytes());
            section.field(
                format_args!("latency_percentiles_usec_{name}"),
                values.join(","),
            );
        }
    }
}

impl Source for ErrorCounts<'_> {
    fn heading(&self) -> &'static str {
        "Errorstats"
    }

    fn write(&self, section: &mut Writer) {
        for (kind, count) in self.0 {
            let name = format!("errorstat_{}", safe_name(kind));
            section.field(name, format_args!("count={count}"));
        }
    }
}

impl Source for Keyspace<'_> {
    fn heading(&self) -> &'static str {
        "Keyspace"
    }

    fn write(&self, section: &mut Writer) {
        for (number, db) in self.0.dbs.iter().enumerate() {
            if db.keys > 0 || db.volatile_keys > 0 {
                let (keys, expires, avg_ttl) = (db.keys, db.volatile_keys, db.avg_ttl_ms);
                let line = format!("keys={keys},expires={expires},avg_ttl={avg_ttl}");
                section.field(format_args!("db{number}"), line);
            }
        }
    }
}

impl Source for Shards<'_> {
    fn heading(&self) -> &'static str {
        "Shards"
    }

    fn shown(&self) -> Shown {
        Shown::WithAll
    }

    fn write(&self, section: &mut Writer) {
        section.field("shards", self.board.cores().len());
        for (number, core) in self.board.cores().iter().enumerate() {
            let keys: u64 = core.dbs.iter().map(|db| db.keys.value()).sum();
            let line = format!(
                "keys={keys},clients={},ops={},busy={:.1},bytes={},sent={},received={},hopped={}",
                core.connected_clients.value(),
                core.ops_per_sec(self.now_ms),
                core.busy_share(self.now_ms) * 100.0,
                core.dataset_bytes.value() + core.table_bytes.value(),
                core.messages_sent.value(),
                core.messages_received.value(),
                core.commands_hopped.value(),
            );
            section.field(format_args!("shard{number}"), line);
        }
    }
}

fn two_digits(value: f64) -> String {
    format!("{value:.2}")
}

fn seconds(micros: u64) -> String {
    format!(
        "{}.{:06}",
        micros / MICROS_PER_SECOND,
        micros % MICROS_PER_SECOND
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::error_stats::ErrorStats;
    use crate::observe::info::{Selection, render};

    fn lines(source: &dyn Source) -> Vec<String> {
        let text = render(&Selection::new([b"everything".as_slice()]), &[source]);
        text.lines().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn stats_have_the_fields_of_redis_in_its_order() {
        let board = Board::new(2, 16);
        board.core(1).net_input_bytes.add(31);
        board.core(1).repl_input_bytes.add(9);
        board.core(0).expired_stale_basis_points.set(125);
        board.core(0).expire_cycle_ns.add(3_999_999);
        let totals = board.totals();
        let lines = lines(&Stats {
            totals: &totals,
            now: board.instantaneous(0),
        });
        let names: Vec<_> = lines
            .iter()
            .map(|line| line.split(':').next().unwrap())
            .collect();
        assert_eq!(names.join(" "), NAMES.join(" "));
        for wanted in [
            "total_net_input_bytes:40",
            "total_net_repl_input_bytes:9",
            "instantaneous_input_kbps:0.00",
            "expired_stale_perc:1.25",
            "expire_cycle_cpu_milliseconds:3",
        ] {
            assert!(lines.iter().any(|line| line == wanted), "{wanted}");
        }
    }

    #[test]
    fn commands_and_their_latencies_as_redis_prints_them() {
        let board = CommandBoard::new(1, 3);
        for nanos in [3_000, 8_000, 97_000] {
            board.core(0).ran(1, nanos);
        }
        board.core(0).rejected(2);
        let names = ["get", "info", "config|get"];
        assert_eq!(
            lines(&CommandStats {
                board: &board,
                names: &names
            }),
            [
                "cmdstat_info:calls=3,usec=108,usec_per_call=36.00,rejected_calls=0,failed_calls=0",
                "cmdstat_config|get:calls=0,usec=0,usec_per_call=0.00,\
                 rejected_calls=1,failed_calls=0",
            ]
        );
        let percentiles = [50.0, 99.0, 99.9];
        assert_eq!(
            lines(&LatencyStats {
                board: &board,
                names: &names,
                percentiles: &percentiles
            }),
            ["latency_percentiles_usec_info:p50=8.031,p99=97.279,p99.9=97.279"]
        );
    }

    #[test]
    fn errors_databases_and_shards() {
        let errors = ErrorStats::new(1);
        errors.record(0, b"WRONGTYPE Operation");
        errors.record(0, b"A:B x");
        let counts = errors.counts();
        assert_eq!(
            lines(&ErrorCounts(&counts)),
            ["errorstat_A_B:count=1", "errorstat_WRONGTYPE:count=1"]
        );
        let board = Board::new(2, 16);
        board.core(1).dbs[3].keys.set(5);
        board.core(1).messages_sent.add(2);
        assert_eq!(
            lines(&Keyspace(&board.totals())),
            ["db3:keys=5,expires=0,avg_ttl=0"]
        );
        let shards = lines(&Shards {
            board: &board,
            now_ms: 0,
        });
        assert_eq!(shards[0], "shards:2");
        let line = "shard1:keys=5,clients=0,ops=0,busy=0.0,bytes=0,sent=2,received=0,hopped=0";
        assert_eq!(shards[2], line);
    }

    #[test]
    fn cpu_times_are_seconds() {
        assert_eq!(seconds(4_445), "0.004445");
        assert_eq!(seconds(12_000_001), "12.000001");
        assert_eq!(lines(&Cpu).len(), 6);
    }

    const NAMES: &[&str] = &[
        "total_connections_received",
        "total_commands_processed",
        "instantaneous_ops_per_sec",
        "total_net_input_bytes",
        "total_net_output_bytes",
        "total_net_repl_input_bytes",
        "total_net_repl_output_bytes",
        "instantaneous_input_kbps",
        "instantaneous_output_kbps",
        "instantaneous_input_repl_kbps",
        "instantaneous_output_repl_kbps",
        "rejected_connections",
        "sync_full",
        "sync_partial_ok",
        "sync_partial_err",
        "expired_keys",
        "expired_stale_perc",
        "expired_time_cap_reached_count",
        "expire_cycle_cpu_milliseconds",
        "evicted_keys",
        "evicted_clients",
        "total_eviction_exceeded_time",
        "current_eviction_exceeded_time",
        "keyspace_hits",
        "keyspace_misses",
        "pubsub_channels",
        "pubsub_patterns",
        "pubsubshard_channels",
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
        "tracking_total_keys",
        "tracking_total_items",
        "tracking_total_prefixes",
        "unexpected_error_replies",
        "total_error_replies",
        "dump_payload_sanitizations",
        "total_reads_processed",
        "total_writes_processed",
        "io_threaded_reads_processed",
        "io_threaded_writes_processed",
        "reply_buffer_shrinks",
        "reply_buffer_expands",
        "eventloop_cycles",
        "eventloop_duration_sum",
        "eventloop_duration_cmd_sum",
        "instantaneous_eventloop_cycles_per_sec",
        "instantaneous_eventloop_duration_usec",
        "acl_access_denied_auth",
        "acl_access_denied_cmd",
        "acl_access_denied_key",
        "acl_access_denied_channel",
    ];
}
