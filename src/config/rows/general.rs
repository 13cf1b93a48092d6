//! Directives about the process: start, supervision, logging, shutdown.
//!
//! Redis's own rows, read by start-up, the log and the cron.

use crate::config::check::{is_cpu_list, is_proc_title, is_shutdown};
use crate::config::choice::{
    LogLevel, OOM_SCORE_ADJ, PROPAGATION_ERROR, SHUTDOWN_ON_SIGNAL, Supervised, SyslogFacility,
};
use crate::config::row::{
    Directive, INT_MAX, INT_MIN, Special, choice, choices, count, number, optional, range, special,
    text, yes_no,
};

/// Redis's limits: rarer rounds would stall expiry, denser ones only burn CPU.
const HZ_MIN: i128 = 1;
const HZ_MAX: i128 = 500;

pub const ROWS: &[Directive] = &[
    yes_no(
        "daemonize",
        false,
        "Continues in the background; the parent returns once the server accepts clients.",
    )
    .immutable(),
    choice(
        "supervised",
        Supervised::WORDS,
        Supervised::No as u32,
        "Tells the init system when the server is ready: systemd by NOTIFY_SOCKET, upstart by a \
         signal, auto by what the environment shows.",
    )
    .immutable(),
    optional(
        "pidfile",
        "File with the process id, removed at a clean exit. Written if set, or if daemonize is on.",
    )
    .immutable(),
    choice(
        "loglevel",
        LogLevel::WORDS,
        LogLevel::Notice as u32,
        "The least important messages to log; nothing logs none at all.",
    ),
    text(
        "logfile",
        "",
        "File to append the log to; empty means standard output.",
    )
    .immutable(),
    yes_no("syslog-enabled", false, "Sends the log to syslog too.").immutable(),
    text(
        "syslog-ident",
        "redis",
        "Name under which syslog files the messages.",
    )
    .immutable(),
    choice(
        "syslog-facility",
        SyslogFacility::WORDS,
        SyslogFacility::Local0 as u32,
        "Facility for syslog.",
    )
    .immutable(),
    yes_no(
        "crash-log-enabled",
        true,
        "Logs registers and stack when the process crashes.",
    ),
    yes_no(
        "crash-memcheck-enabled",
        true,
        "Memory test after a crash. The report is written without it.",
    )
    .accepted(),
    number(
        "databases",
        range(1, INT_MAX, 16),
        "Databases for SELECT, numbered from 0.",
    )
    .immutable(),
    yes_no(
        "always-show-logo",
        false,
        "Prints the logo even if the log is not a terminal.",
    )
    .immutable(),
    yes_no(
        "set-proc-title",
        true,
        "Shows address and mode in the list of processes.",
    )
    .immutable(),
    text(
        "proc-title-template",
        "{title} {listen-addr} {server-mode}",
        "What set-proc-title shows. Variables: title, listen-addr, server-mode, port, tls-port, \
         unixsocket, config-file.",
    )
    .check(is_proc_title),
    text(
        "locale-collate",
        "",
        "Locale of SORT ALPHA. Ringshard compares bytes, as in locale C.",
    )
    .accepted(),
    number(
        "hz",
        count(10),
        "Rounds of background work per second, between 1 and 500. Idle shards make none.",
    )
    .clamp(HZ_MIN, HZ_MAX),
    yes_no(
        "dynamic-hz",
        true,
        "More rounds with more clients. Ringshard's rounds follow the work anyway.",
    )
    .accepted(),
    choices(
        "shutdown-on-sigterm",
        SHUTDOWN_ON_SIGNAL,
        0,
        "How to end on SIGTERM: default saves if save points are set; save, nosave, now and force \
         as in SHUTDOWN.",
    )
    .check(is_shutdown),
    choices(
        "shutdown-on-sigint",
        SHUTDOWN_ON_SIGNAL,
        0,
        "The same for SIGINT.",
    )
    .check(is_shutdown),
    number(
        "shutdown-timeout",
        count(10),
        "Seconds that a shutdown waits for replicas to catch up.",
    ),
    number(
        "busy-reply-threshold",
        range(0, i64::MAX as i128, 5000),
        "Milliseconds after which a running script makes other clients get BUSY.",
    )
    .alias("lua-time-limit"),
    choice(
        "oom-score-adj",
        OOM_SCORE_ADJ,
        0,
        "Lets the process move itself in the kernel's order of victims. Ringshard leaves the order \
         to whoever starts it.",
    )
    .accepted(),
    special(
        "oom-score-adj-values",
        Special::OomScores,
        "Scores for a master, a replica and a forked child. Ringshard forks no children.",
    )
    .accepted(),
    yes_no(
        "disable-thp",
        true,
        "Turns transparent huge pages off for the process. They hurt copy-on-write after a fork, \
         which Ringshard does not do.",
    )
    .immutable()
    .accepted(),
    optional(
        "server_cpulist",
        "CPUs for the shards, such as 0-7,16-30:2. Each shard is pinned to one of them if there \
         are enough. Without a list the kernel places shards as it sees fit, which is better \
         wherever anything else runs on the machine.",
    )
    .check(is_cpu_list)
    .immutable(),
    optional(
        "bio_cpulist",
        "CPUs of background threads. There are none of that kind.",
    )
    .immutable()
    .accepted(),
    optional(
        "aof_rewrite_cpulist",
        "CPUs of the rewriting child. There is no such child.",
    )
    .immutable()
    .accepted(),
    optional(
        "bgsave_cpulist",
        "CPUs of the saving child. There is no such child.",
    )
    .immutable()
    .accepted(),
    text(
        "ignore-warnings",
        "",
        "Start-up warnings to overlook, such as ARM64-COW-BUG.",
    )
    .accepted(),
    number(
        "io-threads",
        range(1, 128, 1),
        "Threads that help the single main thread of Redis. Use shards instead.",
    )
    .immutable()
    .accepted(),
    yes_no(
        "io-threads-do-reads",
        false,
        "Lets io-threads read as well. Use shards instead.",
    )
    .immutable()
    .accepted(),
    choice(
        "propagation-error-behavior",
        PROPAGATION_ERROR,
        0,
        "What a replica does about a command that fails only there. Effects replay without such \
         failures here.",
    )
    .accepted(),
    yes_no(
        "use-exit-on-panic",
        false,
        "Exit instead of abort after a panic.",
    )
    .hidden()
    .accepted(),
    yes_no(
        "lua-enable-deprecated-api",
        false,
        "Old names in the Lua environment.",
    )
    .immutable()
    .hidden()
    .accepted(),
    number(
        "watchdog-period",
        count(0),
        "Milliseconds of the software watchdog.",
    )
    .hidden()
    .accepted(),
    number(
        "rdb-key-save-delay",
        range(INT_MIN, INT_MAX, 0),
        "Test aid of Redis.",
    )
    .hidden()
    .accepted(),
    number(
        "key-load-delay",
        range(INT_MIN, INT_MAX, 0),
        "Test aid of Redis.",
    )
    .hidden()
    .accepted(),
    number(
        "loading-process-events-interval-bytes",
        range(1024, INT_MAX, 2 << 20),
        "Bytes loaded between two looks at clients.",
    )
    .hidden()
    .accepted(),
];
