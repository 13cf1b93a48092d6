//! The sections Server and Clients: which program this is, since when, and for whom it works.
//!
//! Fields and their order are those of Redis 7.2; `server_name` and `ringshard_version` are ours.
//! Clients and tools choose their behaviour by `redis_version`, so that is the Redis we are like.

use crate::base::process;
use crate::config::Config;
use crate::config::choice::Supervised;
use crate::observe::counters::Totals;
use crate::observe::info::{Source, Writer};
use crate::session::{Node, REDIS_VERSION};
use std::path::Path;

const MILLIS_PER_SECOND: i64 = 1000;
const SECONDS_PER_DAY: i64 = 86_400;

pub struct Server<'a> {
    pub node: &'a Node,
}

pub struct Clients<'a> {
    pub node: &'a Node,
    pub totals: &'a Totals,
}

impl Source for Server<'_> {
    fn heading(&self) -> &'static str {
        "Server"
    }

    fn write(&self, section: &mut Writer) {
        self.write_program(section);
        self.write_process(section);
        write_listeners(section, &self.node.config.value());
    }
}

impl Server<'_> {
    fn write_program(&self, section: &mut Writer) {
        let commit = option_env!("RINGSHARD_COMMIT").unwrap_or("00000000");
        section
            .field("redis_version", REDIS_VERSION)
            .field("server_name", "ringshard")
            .field("ringshard_version", env!("CARGO_PKG_VERSION"))
            .field("redis_git_sha1", commit)
            .field("redis_git_dirty", 0)
            .field("redis_build_id", commit)
            .field("redis_mode", "standalone")
            .field("os", process::system())
            .field("arch_bits", usize::BITS)
            .field("monotonic_clock", "cycle counter")
            .field("multiplexing_api", "io_uring")
            .field("atomicvar_api", "c11-builtin")
            // Redis: what it says when another compiler built it.
            .field("gcc_version", "0.0.0");
    }

    fn write_process(&self, section: &mut Writer) {
        let (node, config) = (self.node, self.node.config.value());
        let now = node.clock.micros();
        let now_ms = now.millis().0;
        let uptime = (now_ms - node.started_ms).max(0) / MILLIS_PER_SECOND;
        let path = |path: Option<&Path>| path.map_or(String::new(), shown);
        section
            .field("process_id", std::process::id())
            .field("process_supervised", supervisor(config.supervised))
            .field("run_id", &node.run_id)
            .field("tcp_port", config.port)
            .field("server_time_usec", now.0)
            .field("uptime_in_seconds", uptime)
            .field("uptime_in_days", uptime / SECONDS_PER_DAY)
            .field("hz", config.hz)
            .field("configured_hz", config.hz)
            .field("lru_clock", (now_ms / MILLIS_PER_SECOND) & 0x00ff_ffff)
            .field("executable", path(process::executable().as_deref()))
            .field("config_file", path(node.config_file.as_deref()))
            .field("io_threads_active", 0);
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string().replace(['\r', '\n'], "_")
}

fn supervisor(supervised: Supervised) -> &'static str {
    match supervised {
        Supervised::Systemd => "systemd",
        Supervised::Upstart => "upstart",
        Supervised::Auto => "unknown",
        Supervised::No => "no",
    }
}

fn write_listeners(section: &mut Writer, config: &Config) {
    if config.port != 0 {
        let addresses: String = config
            .bind
            .iter()
            .map(|address| format!(",bind={}", String::from_utf8_lossy(address)))
            .collect();
        let line = format!("name=tcp{addresses},port={}", config.port);
        section.field("listener0", line);
    }
    if let Some(path) = &config.unixsocket {
        section.field("listener1", format_args!("name=unix,bind={}", shown(path)));
    }
}

impl Source for Clients<'_> {
    fn heading(&self) -> &'static str {
        "Clients"
    }

    fn write(&self, section: &mut Writer) {
        let totals = self.totals;
        section
            .field("connected_clients", totals.connected_clients)
            .field("cluster_connections", totals.cluster_connections)
            .field("maxclients", self.node.config.value().maxclients)
            .field(
                "client_recent_max_input_buffer",
                totals.client_recent_max_input_buffer,
            )
            .field(
                "client_recent_max_output_buffer",
                totals.client_recent_max_output_buffer,
            )
            .field("blocked_clients", totals.blocked_clients)
            .field("tracking_clients", totals.tracking_clients)
            .field("clients_in_timeout_table", totals.clients_in_timeout_table)
            .field("total_blocking_keys", totals.total_blocking_keys)
            .field(
                "total_blocking_keys_on_nokey",
                totals.total_blocking_keys_on_nokey,
            );
    }
}
