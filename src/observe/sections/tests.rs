//! Tests of the sections: the lines of Redis, in its order, from known figures.
//!
//! The lists of fields were recorded from a real server and, for what 7.2 added, from its
//! documentation. Not here: that INFO of a running server has them (the process tests).

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
            "cmdstat_config|get:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0",
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
