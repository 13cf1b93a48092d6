//! MEMORY DOCTOR: what may be wrong with the memory, in the words of Redis.
//!
//! People search the web for these sentences and monitoring looks for them, so they are exactly
//! those of Redis, its name included. The limits are Redis's too.

use super::info::{Excess, Memory};

const MIB: i64 = 1024 * 1024;

type Check = fn(&Memory<'_>) -> bool;

const CHECKS: &[(Check, &str)] = &[
    (is_below_its_peak, PEAK),
    (|memory| is_high(memory.fragmentation(), 1.4), TOTAL),
    (
        |memory| is_high(memory.allocator_fragmentation(), 1.1),
        FRAGMENTATION,
    ),
    (
        |memory| is_high(memory.allocator_overhead(), 1.1),
        ALLOCATOR,
    ),
    (|memory| is_high(memory.process_overhead(), 1.1), PROCESS),
    (has_large_clients, CLIENTS),
];

/// The report.
pub(super) fn report(memory: &Memory<'_>) -> String {
    if memory.used < 5 * MIB as u64 {
        return EMPTY.to_owned();
    }
    let found: Vec<&str> = CHECKS
        .iter()
        .filter(|(check, _)| check(memory))
        .map(|(_, text)| *text)
        .collect();
    if found.is_empty() {
        return HEALTHY.to_owned();
    }
    format!("{BEGIN}{}{END}", found.concat())
}

fn is_high(excess: Excess, ratio_max: f64) -> bool {
    excess.ratio > ratio_max && excess.bytes > 10 * MIB
}

fn is_below_its_peak(memory: &Memory<'_>) -> bool {
    memory.peak as f64 / memory.used as f64 > 1.5
}

fn has_large_clients(memory: &Memory<'_>) -> bool {
    let clients = memory.totals.connected_clients.max(1);
    memory.clients / clients > 200 * 1024
}

const EMPTY: &str = "Hi Sam, this instance is empty or is using very little memory, my issues \
    detector can't be used in these conditions. Please, leave for your mission on Earth and fill \
    it with some data. The new Sam and I will be back to our programming as soon as I finished \
    rebooting.\n";

const HEALTHY: &str = "Hi Sam, I can't find any memory issue in your instance. I can only account \
    for what occurs on this base.\n";

const BEGIN: &str = "Sam, I detected a few issues in this Redis instance memory implants:\n\n";

const END: &str = "I'm here to keep you safe, Sam. I want to help you.\n";

const PEAK: &str = " * Peak memory: In the past this instance used more than 150% the memory that \
    is currently using. The allocator is normally not able to release memory after a peak, so you \
    can expect to see a big fragmentation ratio, however this is actually harmless and is only due \
    to the memory peak, and if the Redis instance Resident Set Size (RSS) is currently bigger than \
    expected, the memory will be used as soon as you fill the Redis instance with more data. If \
    the memory peak was only occasional and you want to try to reclaim memory, please try the \
    MEMORY PURGE command, otherwise the only other option is to shutdown and restart the \
    instance.\n\n";

const TOTAL: &str = " * High total RSS: This instance has a memory fragmentation and RSS overhead \
    greater than 1.4 (this means that the Resident Set Size of the Redis process is much larger \
    than the sum of the logical allocations Redis performed). This problem is usually due either \
    to a large peak memory (check if there is a peak memory entry above in the report) or may \
    result from a workload that causes the allocator to fragment memory a lot. If the problem is a \
    large peak memory, then there is no issue. Otherwise, make sure you are using the Jemalloc \
    allocator and not the default libc malloc. Note: The currently used allocator is \
    \"jemalloc\".\n\n";

const FRAGMENTATION: &str = " * High allocator fragmentation: This instance has an allocator \
    external fragmentation greater than 1.1. This problem is usually due either to a large peak \
    memory (check if there is a peak memory entry above in the report) or may result from a \
    workload that causes the allocator to fragment memory a lot. You can try enabling \
    'activedefrag' config option.\n\n";

const ALLOCATOR: &str = " * High allocator RSS overhead: This instance has an RSS memory overhead \
    is greater than 1.1 (this means that the Resident Set Size of the allocator is much larger \
    than the sum what the allocator actually holds). This problem is usually due to a large peak \
    memory (check if there is a peak memory entry above in the report), you can try the MEMORY \
    PURGE command to reclaim it.\n\n";

const PROCESS: &str = " * High process RSS overhead: This instance has non-allocator RSS memory \
    overhead is greater than 1.1 (this means that the Resident Set Size of the Redis process is \
    much larger than the RSS the allocator holds). This problem may be due to Lua scripts or \
    Modules.\n\n";

const CLIENTS: &str = " * Big client buffers: The clients output buffers in this instance are \
    greater than 200K per client (on average). This may result from different causes, like \
    Pub/Sub clients subscribed to channels but not receiving data fast enough, so that data piles \
    on the Redis instance output buffer, or clients sending commands with large replies or very \
    large sequences of commands in the same pipeline. Please use the CLIENT LIST command in order \
    to investigate the issue if it causes problems in your instance, or to understand better why \
    certain clients are using a big amount of memory.\n\n";
