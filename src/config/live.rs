//! The configuration a server runs on.
//!
//! `Config` keeps one value per row, which CONFIG GET, SET and REWRITE work on, and `Live`, the
//! same as typed fields for everybody else. Both change together: a `Config` is never modified once
//! it is handed out, CONFIG SET makes a new one. Adding a field is one line of `live!`; a test
//! refuses a directive that claims an effect and has none.

use std::ops::Deref;
use std::path::PathBuf;

use super::choice::{
    AclPubsubDefault, Allowed, AppendFsync, ClusterEndpoint, LogLevel, MaxmemoryPolicy,
    PipelineOrder, ReplDisklessLoad, ShutdownFlags, Supervised, SyslogFacility,
};
use super::field::FromValue;
pub use super::field::MemoryLimit;
use super::special::{BufferLimit, KeyspaceEvents, Master, SavePoint};
use super::table::{self, Id};
use super::value::Value;

/// All settings; the typed ones by `Deref`.
#[derive(Clone, Debug)]
pub struct Config {
    values: Vec<Value>,
    live: Live,
}

macro_rules! live {
    ($($field:ident: $type:ty = $name:literal,)*) => {
        /// Settings as the server uses them. Times are in the directive's unit.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Live { $(pub $field: $type,)* }

        impl Live {
            /// The directives that have a field.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];

            fn from_values(values: &[Value]) -> Self {
                Live { $($field: FromValue::from_value(named(values, $name)),)* }
            }
        }
    };
}

live! {
    shards: usize = "shards",
    pipeline_order: PipelineOrder = "pipeline-order",
    repl_shard_streams: bool = "repl-shard-streams",
    server_cpulist: Option<Vec<u8>> = "server_cpulist",

    bind: Vec<Vec<u8>> = "bind",
    bind_source_addr: Option<Vec<u8>> = "bind-source-addr",
    port: u16 = "port",
    protected_mode: bool = "protected-mode",
    tcp_backlog: u32 = "tcp-backlog",
    unixsocket: Option<PathBuf> = "unixsocket",
    unixsocketperm: u32 = "unixsocketperm",
    timeout: u64 = "timeout",
    tcp_keepalive: u32 = "tcp-keepalive",

    daemonize: bool = "daemonize",
    supervised: Supervised = "supervised",
    pidfile: Option<PathBuf> = "pidfile",
    loglevel: LogLevel = "loglevel",
    logfile: Option<PathBuf> = "logfile",
    syslog_enabled: bool = "syslog-enabled",
    syslog_ident: Vec<u8> = "syslog-ident",
    syslog_facility: SyslogFacility = "syslog-facility",
    crash_log_enabled: bool = "crash-log-enabled",
    databases: u32 = "databases",
    always_show_logo: bool = "always-show-logo",
    set_proc_title: bool = "set-proc-title",
    proc_title_template: Vec<u8> = "proc-title-template",
    hz: u32 = "hz",
    shutdown_on_sigterm: ShutdownFlags = "shutdown-on-sigterm",
    shutdown_on_sigint: ShutdownFlags = "shutdown-on-sigint",
    shutdown_timeout: u64 = "shutdown-timeout",
    busy_reply_threshold_ms: u64 = "busy-reply-threshold",

    dir: PathBuf = "dir",
    save: Vec<SavePoint> = "save",
    dbfilename: PathBuf = "dbfilename",
    stop_writes_on_bgsave_error: bool = "stop-writes-on-bgsave-error",
    rdbcompression: bool = "rdbcompression",
    rdbchecksum: bool = "rdbchecksum",
    rdb_del_sync_files: bool = "rdb-del-sync-files",
    rdb_save_incremental_fsync: bool = "rdb-save-incremental-fsync",
    appendonly: bool = "appendonly",
    appendfilename: PathBuf = "appendfilename",
    appenddirname: PathBuf = "appenddirname",
    appendfsync: AppendFsync = "appendfsync",
    no_appendfsync_on_rewrite: bool = "no-appendfsync-on-rewrite",
    auto_aof_rewrite_percentage: u32 = "auto-aof-rewrite-percentage",
    auto_aof_rewrite_min_size: u64 = "auto-aof-rewrite-min-size",
    aof_load_truncated: bool = "aof-load-truncated",
    aof_use_rdb_preamble: bool = "aof-use-rdb-preamble",
    aof_rewrite_incremental_fsync: bool = "aof-rewrite-incremental-fsync",
    aof_timestamp_enabled: bool = "aof-timestamp-enabled",
    aof_disable_auto_gc: bool = "aof-disable-auto-gc",

    replicaof: Option<Master> = "replicaof",
    masterauth: Option<Vec<u8>> = "masterauth",
    masteruser: Option<Vec<u8>> = "masteruser",
    replica_serve_stale_data: bool = "replica-serve-stale-data",
    replica_read_only: bool = "replica-read-only",
    replica_ignore_disk_write_errors: bool = "replica-ignore-disk-write-errors",
    repl_diskless_sync: bool = "repl-diskless-sync",
    repl_diskless_sync_delay: u32 = "repl-diskless-sync-delay",
    repl_diskless_sync_max_replicas: u32 = "repl-diskless-sync-max-replicas",
    repl_diskless_load: ReplDisklessLoad = "repl-diskless-load",
    repl_ping_replica_period: u32 = "repl-ping-replica-period",
    repl_timeout: u32 = "repl-timeout",
    repl_disable_tcp_nodelay: bool = "repl-disable-tcp-nodelay",
    repl_backlog_size: u64 = "repl-backlog-size",
    repl_backlog_ttl: u64 = "repl-backlog-ttl",
    replica_priority: u32 = "replica-priority",
    replica_announced: bool = "replica-announced",
    replica_ignore_maxmemory: bool = "replica-ignore-maxmemory",
    replica_lazy_flush: bool = "replica-lazy-flush",
    min_replicas_to_write: u32 = "min-replicas-to-write",
    min_replicas_max_lag: u32 = "min-replicas-max-lag",
    replica_announce_ip: Option<Vec<u8>> = "replica-announce-ip",
    replica_announce_port: u16 = "replica-announce-port",

    requirepass: Option<Vec<u8>> = "requirepass",
    aclfile: Option<PathBuf> = "aclfile",
    acllog_max_len: usize = "acllog-max-len",
    acl_pubsub_default: AclPubsubDefault = "acl-pubsub-default",
    enable_protected_configs: Allowed = "enable-protected-configs",
    enable_debug_command: Allowed = "enable-debug-command",

    maxclients: u32 = "maxclients",
    maxmemory_clients: MemoryLimit = "maxmemory-clients",
    client_output_buffer_limit: [BufferLimit; 3] = "client-output-buffer-limit",
    client_query_buffer_limit: usize = "client-query-buffer-limit",
    proto_max_bulk_len: usize = "proto-max-bulk-len",
    tracking_table_max_keys: usize = "tracking-table-max-keys",
    slowlog_log_slower_than: i64 = "slowlog-log-slower-than",
    slowlog_max_len: usize = "slowlog-max-len",
    latency_monitor_threshold: u64 = "latency-monitor-threshold",
    latency_tracking: bool = "latency-tracking",
    latency_tracking_info_percentiles: Vec<f64> = "latency-tracking-info-percentiles",
    notify_keyspace_events: KeyspaceEvents = "notify-keyspace-events",
    active_expire_effort: u32 = "active-expire-effort",

    maxmemory: u64 = "maxmemory",
    maxmemory_policy: MaxmemoryPolicy = "maxmemory-policy",
    maxmemory_samples: u32 = "maxmemory-samples",
    maxmemory_eviction_tenacity: u32 = "maxmemory-eviction-tenacity",
    lfu_log_factor: u32 = "lfu-log-factor",
    lfu_decay_time: u32 = "lfu-decay-time",
    jemalloc_bg_thread: bool = "jemalloc-bg-thread",
    lazyfree_lazy_eviction: bool = "lazyfree-lazy-eviction",
    lazyfree_lazy_expire: bool = "lazyfree-lazy-expire",
    lazyfree_lazy_server_del: bool = "lazyfree-lazy-server-del",
    lazyfree_lazy_user_del: bool = "lazyfree-lazy-user-del",
    lazyfree_lazy_user_flush: bool = "lazyfree-lazy-user-flush",

    hash_max_listpack_entries: usize = "hash-max-listpack-entries",
    hash_max_listpack_value: usize = "hash-max-listpack-value",
    list_max_listpack_size: i32 = "list-max-listpack-size",
    list_compress_depth: u32 = "list-compress-depth",
    set_max_intset_entries: usize = "set-max-intset-entries",
    set_max_listpack_entries: usize = "set-max-listpack-entries",
    set_max_listpack_value: usize = "set-max-listpack-value",
    zset_max_listpack_entries: usize = "zset-max-listpack-entries",
    zset_max_listpack_value: usize = "zset-max-listpack-value",
    hll_sparse_max_bytes: usize = "hll-sparse-max-bytes",
    stream_node_max_bytes: usize = "stream-node-max-bytes",
    stream_node_max_entries: u64 = "stream-node-max-entries",

    cluster_enabled: bool = "cluster-enabled",
    cluster_config_file: PathBuf = "cluster-config-file",
    cluster_node_timeout_ms: u64 = "cluster-node-timeout",
    cluster_port: u16 = "cluster-port",
    cluster_replica_validity_factor: u32 = "cluster-replica-validity-factor",
    cluster_migration_barrier: u32 = "cluster-migration-barrier",
    cluster_allow_replica_migration: bool = "cluster-allow-replica-migration",
    cluster_require_full_coverage: bool = "cluster-require-full-coverage",
    cluster_replica_no_failover: bool = "cluster-replica-no-failover",
    cluster_allow_reads_when_down: bool = "cluster-allow-reads-when-down",
    cluster_allow_pubsubshard_when_down: bool = "cluster-allow-pubsubshard-when-down",
    cluster_link_sendbuf_limit: u64 = "cluster-link-sendbuf-limit",
    cluster_announce_ip: Option<Vec<u8>> = "cluster-announce-ip",
    cluster_announce_port: u16 = "cluster-announce-port",
    cluster_announce_bus_port: u16 = "cluster-announce-bus-port",
    cluster_announce_hostname: Option<Vec<u8>> = "cluster-announce-hostname",
    cluster_announce_human_nodename: Option<Vec<u8>> = "cluster-announce-human-nodename",
    cluster_preferred_endpoint_type: ClusterEndpoint = "cluster-preferred-endpoint-type",
}

impl Default for Config {
    fn default() -> Self {
        Self::from_values(
            table::rows()
                .iter()
                .map(|row| row.default_value())
                .collect(),
        )
    }
}

impl Deref for Config {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.live
    }
}

impl Config {
    /// Where classes of clients stand in `client_output_buffer_limit`.
    pub const NORMAL: usize = 0;
    pub const REPLICA: usize = 1;
    pub const PUBSUB: usize = 2;

    /// Names of directives that were changed and have no effect here: worth a line in the log.
    pub fn ineffective(&self) -> Vec<&'static str> {
        let rows = table::rows().iter().zip(&self.values);
        let changed = rows.filter(|(row, value)| {
            row.effect == super::row::Effect::Accepted && **value != row.default_value()
        });
        changed.map(|(row, _)| row.name).collect()
    }

    /// This configuration as a replica of another master, or of none: what REPLICAOF leaves for
    /// CONFIG GET and CONFIG REWRITE, though CONFIG SET may not set it.
    pub fn with_master(&self, master: Option<Master>) -> Config {
        let id = table::lookup(b"replicaof").expect("a directive").id;
        let mut values = self.values.clone();
        values[id.0] = Value::Master(master);
        Self::from_values(values)
    }

    /// The text of one directive as CONFIG GET shows it.
    pub fn text(&self, name: &str) -> Option<Vec<u8>> {
        let id = table::lookup(name.as_bytes())?.id;
        Some(id.row().show(self.value(id)))
    }

    pub(super) fn from_values(values: Vec<Value>) -> Self {
        let live = Live::from_values(&values);
        Config { values, live }
    }

    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    pub(super) fn value(&self, id: Id) -> &Value {
        &self.values[id.0]
    }
}

fn named<'a>(values: &'a [Value], name: &str) -> &'a Value {
    &values[table::lookup(name.as_bytes())
        .expect("fields name directives")
        .id
        .0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::row::Effect;

    #[test]
    fn what_is_effective_has_a_field_and_nothing_else() {
        for row in table::rows() {
            let has_field = Live::NAMES.contains(&row.name);
            assert_eq!(has_field, row.effect == Effect::Effective, "{}", row.name);
        }
    }

    #[test]
    fn may_be_shared_between_threads() {
        fn shared<T: Clone + Send + Sync + 'static>() {}
        shared::<Config>();
    }

    #[test]
    fn fields_follow_values() {
        let config = Config::default();
        assert_eq!(
            (config.port, config.maxclients, config.databases),
            (6379, 10000, 16)
        );
        assert_eq!(config.maxmemory_policy, MaxmemoryPolicy::Noeviction);
        let master = Master {
            host: b"h".to_vec(),
            port: 7,
        };
        let replica = config.with_master(Some(master.clone()));
        assert_eq!(replica.replicaof, Some(master));
        assert_eq!(replica.text("slaveof").as_deref(), Some(&b"h 7"[..]));
        assert_eq!(config.text("nonsense"), None);
    }
}
