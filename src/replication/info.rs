//! The section Replication of INFO, and the picture of the state that it and ROLE are made from.
//!
//! Fields, their order and their texts are those of Redis 7, which Sentinel, exporters and people
//! read. The picture is plain data, made by the hub when somebody asks.

use crate::config::{Config, Master};
use crate::observe::info::{Source, Writer};

/// The state of replication at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// The link to the master, on a replica.
    pub link: Option<LinkPicture>,
    pub replicas: Vec<ReplicaPicture>,
    pub good_replicas: u32,
    pub failover: &'static str,
    pub id: String,
    pub previous_id: Option<String>,
    pub previous_end: Option<u64>,
    pub offset: u64,
    /// The offset of the first byte in the backlog, and how many bytes there are.
    pub backlog: Option<(u64, usize)>,
    /// The offsets of the streams of the shards of whoever makes the history.
    pub streams: Vec<u64>,
    /// On a replica: what of each has run here, and what has come.
    pub ran: Vec<(u64, u64)>,
}

/// A replica's link to its master.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkPicture {
    pub host: String,
    pub port: u16,
    /// As ROLE calls it: connect, connecting, handshake, sync, connected.
    pub state: &'static str,
    pub is_up: bool,
    /// Nobody should promote it yet.
    pub is_doubtful: bool,
    pub last_io_seconds: Option<i64>,
    pub read_offset: u64,
    pub offset: u64,
    /// Bytes of the snapshot, if their number is known, and how many have come.
    pub transfer: Option<(Option<u64>, u64)>,
    pub transfer_io_seconds: i64,
    pub down_seconds: Option<i64>,
}

impl LinkPicture {
    /// That to a master that is to be followed when the data are loaded.
    pub fn awaited(master: &Master) -> LinkPicture {
        LinkPicture {
            host: String::from_utf8_lossy(&master.host).into_owned(),
            port: master.port,
            state: "connect",
            is_doubtful: true,
            read_offset: 1,
            offset: 1,
            ..LinkPicture::default()
        }
    }
}

/// A replica of this node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplicaPicture {
    pub ip: String,
    pub port: u16,
    pub state: &'static str,
    pub offset: u64,
    pub lag_seconds: i64,
    pub is_online: bool,
    /// What it has run of the stream of each shard, if it gets them one by one.
    pub streams: Vec<u64>,
}

/// The section of INFO.
pub struct Replication<'a> {
    pub picture: &'a Picture,
    pub config: &'a Config,
}

/// An offset that is not known.
const UNKNOWN: i64 = -1;

fn number(value: Option<u64>) -> i64 {
    value.map_or(UNKNOWN, |value| value as i64)
}

impl Source for Replication<'_> {
    fn heading(&self) -> &'static str {
        "Replication"
    }

    fn write(&self, section: &mut Writer) {
        match &self.picture.link {
            None => drop(section.field("role", "master")),
            Some(link) => self.write_link(link, section),
        }
        self.write_replicas(section);
        self.write_stream(section);
    }
}

/// The section that says how the streams of the shards are, one by one.
pub struct ReplicationShards<'a>(pub &'a Picture);

impl Source for ReplicationShards<'_> {
    fn heading(&self) -> &'static str {
        "Replication_shards"
    }

    fn write(&self, section: &mut Writer) {
        let picture = self.0;
        let replicas = picture.replicas.iter().filter(|it| !it.streams.is_empty());
        section
            .field("shard_streams", picture.streams.len())
            .field("shard_stream_replicas", replicas.count());
        for (shard, offset) in picture.streams.iter().enumerate() {
            match picture.ran.get(shard) {
                None => section.field(
                    format_args!("shard{shard}"),
                    format_args!("offset={offset}"),
                ),
                Some((ran, came)) => section.field(
                    format_args!("shard{shard}"),
                    format_args!("offset={offset},received={came},applied={ran}"),
                ),
            };
        }
        for (number, replica) in picture.replicas.iter().enumerate() {
            // With fewer connections than streams some connections carry several.
            let sent = super::order::fold(&picture.streams, replica.streams.len());
            for (shard, (acked, sent)) in replica.streams.iter().zip(sent).enumerate() {
                let behind = sent.saturating_sub(*acked);
                section.field(
                    format_args!("slave{number}_shard{shard}"),
                    format_args!("offset={acked},lag_bytes={behind}"),
                );
            }
        }
    }
}

impl Replication<'_> {
    fn write_link(&self, link: &LinkPicture, section: &mut Writer) {
        let status = if link.is_up { "up" } else { "down" };
        section
            .field("role", "slave")
            .field("master_host", &link.host)
            .field("master_port", link.port)
            .field("master_link_status", status)
            .field(
                "master_last_io_seconds_ago",
                link.last_io_seconds.unwrap_or(UNKNOWN),
            )
            .field("master_sync_in_progress", u8::from(link.transfer.is_some()))
            .field("slave_read_repl_offset", link.read_offset)
            .field("slave_repl_offset", link.offset);
        if let Some((total, read)) = link.transfer {
            let percent = total.map_or(0.0, |total| read as f64 * 100.0 / total.max(1) as f64);
            let left = total.map_or(UNKNOWN, |total| total as i64 - read as i64);
            section
                .field("master_sync_total_bytes", number(total))
                .field("master_sync_read_bytes", read)
                .field("master_sync_left_bytes", left)
                .field("master_sync_perc", format_args!("{percent:.2}"))
                .field("master_sync_last_io_seconds_ago", link.transfer_io_seconds);
        }
        if !link.is_up {
            section.field(
                "master_link_down_since_seconds",
                link.down_seconds.unwrap_or(UNKNOWN),
            );
        }
        // Sentinel promotes none of priority 0.
        let priority = match link.is_doubtful {
            true => 0,
            false => self.config.replica_priority,
        };
        section
            .field("slave_priority", priority)
            .field("slave_read_only", u8::from(self.config.replica_read_only))
            .field("replica_announced", u8::from(self.config.replica_announced));
    }

    fn write_replicas(&self, section: &mut Writer) {
        section.field("connected_slaves", self.picture.replicas.len());
        if self.config.min_replicas_to_write != 0 && self.config.min_replicas_max_lag != 0 {
            section.field("min_slaves_good_slaves", self.picture.good_replicas);
        }
        for (number, replica) in self.picture.replicas.iter().enumerate() {
            section.field(
                format_args!("slave{number}"),
                format_args!(
                    "ip={},port={},state={},offset={},lag={}",
                    replica.ip, replica.port, replica.state, replica.offset, replica.lag_seconds
                ),
            );
        }
    }

    fn write_stream(&self, section: &mut Writer) {
        let picture = self.picture;
        let nobody = "0".repeat(super::history::ID_LEN);
        let (first, len) = picture.backlog.unwrap_or((0, 0));
        section
            .field("master_failover_state", picture.failover)
            .field("master_replid", &picture.id)
            .field(
                "master_replid2",
                picture.previous_id.as_ref().unwrap_or(&nobody),
            )
            .field("master_repl_offset", picture.offset)
            .field("second_repl_offset", number(picture.previous_end))
            .field("repl_backlog_active", u8::from(picture.backlog.is_some()))
            .field("repl_backlog_size", self.config.repl_backlog_size)
            .field("repl_backlog_first_byte_offset", first)
            .field("repl_backlog_histlen", len);
    }
}
