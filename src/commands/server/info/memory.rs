//! Where the memory is: the section Memory, and the facts behind MEMORY STATS and MEMORY DOCTOR.
//!
//! `used_memory` is the sum of what the cores' threads hold, exact at the moment they published it;
//! the fields `allocator_*` are what the allocator says of the whole process.
//!
//! ```text
//!   resident            pages of the process
//!     allocator resident    of these, the allocator's
//!       active                  of these, with anything alive in them
//!         allocated                 alive, of all threads and with what they cache
//!           used                        alive, of the cores
//! ```

use crate::base::{alloc, process};
use crate::config::choice::MaxmemoryPolicy;
use crate::observe::counters::{Board, Counters, Totals};
use crate::observe::info::{Source, Writer, human};
use crate::session::Node;

/// The memory of the process, in bytes.
pub struct Memory<'a> {
    pub totals: &'a Totals,
    pub used: u64,
    /// What ordinary clients take of that, with their commands and replies on the way between
    /// cores.
    pub clients: u64,
    pub peak: u64,
    pub startup: u64,
    pub resident: u64,
    pub allocator: alloc::Stats,
    machine: u64,
    max: u64,
    policy: MaxmemoryPolicy,
}

/// One measure of memory against another that should be as large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excess {
    pub ratio: f64,
    pub bytes: i64,
}

impl Excess {
    fn of(bytes: u64, over: u64) -> Excess {
        Excess {
            ratio: bytes as f64 / over.max(1) as f64,
            bytes: bytes as i64 - over as i64,
        }
    }
}

/// Bytes in use, and what clients take of them, of one moment. Whoever read one a little later than
/// the other would see data where a command is on its way.
fn used_and_clients(node: &Node) -> (u64, u64) {
    /// Cores go on while they are read; after so many tries the last is as good as any.
    const TRIES: usize = 16;
    let mut clients = clients_bytes(&node.board);
    let mut used = node.used_memory_bytes();
    for _ in 0..TRIES {
        let now = clients_bytes(&node.board);
        if now == clients {
            break;
        }
        (clients, used) = (now, node.used_memory_bytes());
    }
    (used, clients)
}

fn clients_bytes(board: &Board) -> u64 {
    let sum = |of: fn(&Counters) -> u64| -> u64 { board.cores().iter().map(of).sum() };
    // What is done was sent before: in this order it is never more.
    let done = sum(|core| core.parcels_done_bytes.value());
    let sent = sum(|core| core.parcels_sent_bytes.value());
    sum(|core| core.clients_normal_bytes.value()) + sent.saturating_sub(done)
}

impl<'a> Memory<'a> {
    /// What the cores have published, and what the allocator and the system say now.
    pub fn of(node: &Node, totals: &'a Totals) -> Memory<'a> {
        let config = node.config.value();
        let (used, clients) = used_and_clients(node);
        Memory {
            totals,
            used,
            clients,
            peak: node.memory_peak_bytes(),
            startup: node.startup_memory_bytes(),
            resident: process::resident_bytes(),
            allocator: alloc::stats(),
            machine: process::machine_memory_bytes(),
            max: config.maxmemory,
            policy: config.maxmemory_policy,
        }
    }

    /// What is not data: what there was before the first key, tables, buffers, scripts.
    pub fn overhead(&self) -> u64 {
        let totals = self.totals;
        self.startup
            + totals.table_bytes
            + self.clients
            + totals.clients_slaves_bytes
            + totals.cluster_links_bytes
            + totals.aof_buffer_bytes
            + totals.replication_backlog_bytes
            + totals.scripts_eval_bytes
            + totals.functions_bytes
    }

    pub fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.overhead())
    }

    /// The data's part of all that came after the start.
    pub fn dataset_percent(&self) -> f64 {
        percent(self.dataset(), self.used.saturating_sub(self.startup))
    }

    pub fn peak_percent(&self) -> f64 {
        percent(self.used, self.peak)
    }

    pub fn allocator_fragmentation(&self) -> Excess {
        Excess::of(
            self.allocator.active as u64,
            self.allocator.allocated as u64,
        )
    }

    pub fn allocator_overhead(&self) -> Excess {
        Excess::of(self.allocator.resident as u64, self.allocator.active as u64)
    }

    pub fn process_overhead(&self) -> Excess {
        Excess::of(self.resident, self.allocator.resident as u64)
    }

    pub fn fragmentation(&self) -> Excess {
        Excess::of(self.resident, self.used)
    }

    fn write_use(&self, section: &mut Writer) {
        section
            .bytes_field("used_memory", self.used)
            .bytes_field("used_memory_rss", self.resident)
            .bytes_field("used_memory_peak", self.peak)
            .field(
                "used_memory_peak_perc",
                format_args!("{:.2}%", self.peak_percent()),
            )
            .field("used_memory_overhead", self.overhead())
            .field("used_memory_startup", self.startup)
            .field("used_memory_dataset", self.dataset())
            .field(
                "used_memory_dataset_perc",
                format_args!("{:.2}%", self.dataset_percent()),
            )
            .field("allocator_allocated", self.allocator.allocated)
            .field("allocator_active", self.allocator.active)
            .field("allocator_resident", self.allocator.resident)
            .bytes_field("total_system_memory", self.machine);
    }

    fn write_scripts(&self, section: &mut Writer) {
        let totals = self.totals;
        let vm = totals.lua_vm_eval_bytes + totals.lua_vm_functions_bytes;
        section
            .field("used_memory_lua", totals.lua_vm_eval_bytes)
            .field("used_memory_vm_eval", totals.lua_vm_eval_bytes)
            .field("used_memory_lua_human", human(totals.lua_vm_eval_bytes))
            .field("used_memory_scripts_eval", totals.scripts_eval_bytes)
            .field("number_of_cached_scripts", totals.cached_scripts)
            .field("number_of_functions", 0)
            .field("number_of_libraries", 0)
            .field("used_memory_vm_functions", totals.lua_vm_functions_bytes)
            .bytes_field("used_memory_vm_total", vm)
            .field("used_memory_functions", totals.functions_bytes)
            .bytes_field(
                "used_memory_scripts",
                totals.scripts_eval_bytes + totals.functions_bytes,
            )
            .bytes_field("maxmemory", self.max)
            .field("maxmemory_policy", policy_name(self.policy));
    }

    fn write_excess(&self, section: &mut Writer) {
        let excesses = [
            ("allocator_frag", self.allocator_fragmentation()),
            ("allocator_rss", self.allocator_overhead()),
            ("rss_overhead", self.process_overhead()),
            ("mem_fragmentation", self.fragmentation()),
        ];
        for (name, Excess { ratio, bytes }) in excesses {
            section
                .field(format_args!("{name}_ratio"), format_args!("{ratio:.2}"))
                .field(format_args!("{name}_bytes"), bytes);
        }
    }

    fn write_buffers(&self, section: &mut Writer) {
        let totals = self.totals;
        section
            .field("mem_not_counted_for_evict", totals.aof_buffer_bytes)
            .field("mem_replication_backlog", totals.replication_backlog_bytes)
            .field(
                "mem_total_replication_buffers",
                totals.replication_backlog_bytes + totals.clients_slaves_bytes,
            )
            .field("mem_clients_slaves", totals.clients_slaves_bytes)
            .field("mem_clients_normal", self.clients)
            .field("mem_cluster_links", totals.cluster_links_bytes)
            .field("mem_aof_buffer", totals.aof_buffer_bytes)
            .field("mem_allocator", alloc::version())
            .field("active_defrag_running", 0)
            .field("lazyfree_pending_objects", totals.lazyfree_pending_objects)
            .field("lazyfreed_objects", totals.lazyfreed_objects);
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 * 100.0 / whole as f64
}

fn policy_name(policy: MaxmemoryPolicy) -> &'static str {
    let is_it = |(_, bits): &&(&str, u32)| *bits == policy as u32;
    MaxmemoryPolicy::WORDS
        .iter()
        .find(is_it)
        .map_or("", |(name, _)| name)
}

impl Source for Memory<'_> {
    fn heading(&self) -> &'static str {
        "Memory"
    }

    fn write(&self, section: &mut Writer) {
        self.write_use(section);
        self.write_scripts(section);
        self.write_excess(section);
        self.write_buffers(section);
    }
}
