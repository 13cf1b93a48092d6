//! What LATENCY DOCTOR recommends: for each cause it knows, the words of Redis.
//!
//! People search the web for these sentences, and scripts look for them, so they are exactly those
//! of Redis, the name of the product included. Order here is order on the page. Redis has one more,
//! on virtual machines where fork is slow: there is no fork here to be slow. When an advice applies
//! is decided in `doctor`.

/// One advice, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Advice {
    EnableSlowlog,
    TuneSlowlog,
    InspectSlowlog,
    FreeProcessor,
    LocalDisk,
    SolidState,
    DataWriteback,
    DiskContention,
    NoAppendFsync,
    RelaxFsync,
    WriteLoad,
    RaiseHz,
    LargeObjects,
    MassEviction,
    DisableHugePages,
}

/// What each kind of event suggests, whatever the configuration.
pub const CAUSES: &[(&str, &[Advice])] = &[
    ("command", &[Advice::InspectSlowlog, Advice::LargeObjects]),
    ("fast-command", &[Advice::FreeProcessor]),
    (
        "aof-write-pending-fsync",
        &[
            Advice::LocalDisk,
            Advice::DiskContention,
            Advice::SolidState,
            Advice::DataWriteback,
        ],
    ),
    (
        "aof-write-active-child",
        &[
            Advice::NoAppendFsync,
            Advice::DataWriteback,
            Advice::SolidState,
        ],
    ),
    (
        "aof-write-alone",
        &[Advice::LocalDisk, Advice::DataWriteback, Advice::SolidState],
    ),
    ("aof-fsync-always", &[Advice::RelaxFsync]),
    ("aof-fstat", &[Advice::DiskContention, Advice::LocalDisk]),
    (
        "rdb-unlink-temp-file",
        &[Advice::DiskContention, Advice::LocalDisk],
    ),
    (
        "aof-rewrite-diff-write",
        &[
            Advice::WriteLoad,
            Advice::DataWriteback,
            Advice::SolidState,
            Advice::LocalDisk,
        ],
    ),
    (
        "aof-rename",
        &[
            Advice::WriteLoad,
            Advice::DataWriteback,
            Advice::SolidState,
            Advice::LocalDisk,
        ],
    ),
    ("expire-cycle", &[Advice::RaiseHz, Advice::LargeObjects]),
    ("eviction-del", &[Advice::LargeObjects]),
    ("eviction-cycle", &[Advice::MassEviction]),
];

impl Advice {
    /// The words; `{us}` stands for the threshold of the latency monitor in microseconds.
    pub fn text(self) -> &'static str {
        match self {
            Advice::EnableSlowlog => ENABLE_SLOWLOG_TEXT,
            Advice::TuneSlowlog => TUNE_SLOWLOG_TEXT,
            Advice::InspectSlowlog => INSPECT_SLOWLOG_TEXT,
            Advice::FreeProcessor => FREE_PROCESSOR_TEXT,
            Advice::LocalDisk => LOCAL_DISK_TEXT,
            Advice::SolidState => SOLID_STATE_TEXT,
            Advice::DataWriteback => DATA_WRITEBACK_TEXT,
            Advice::DiskContention => DISK_CONTENTION_TEXT,
            Advice::NoAppendFsync => NO_APPEND_FSYNC_TEXT,
            Advice::RelaxFsync => RELAX_FSYNC_TEXT,
            Advice::WriteLoad => WRITE_LOAD_TEXT,
            Advice::RaiseHz => RAISE_HZ_TEXT,
            Advice::LargeObjects => LARGE_OBJECTS_TEXT,
            Advice::MassEviction => MASS_EVICTION_TEXT,
            Advice::DisableHugePages => DISABLE_HUGE_PAGES_TEXT,
        }
    }
}

const ENABLE_SLOWLOG_TEXT: &str = "\
    - There are latency issues with potentially slow commands you are using. Try to enable \
    the Slow Log Redis feature using the command 'CONFIG SET slowlog-log-slower-than \
    {us}'. If the Slow log is disabled Redis is not able to log slow commands execution \
    for you.\n";

const TUNE_SLOWLOG_TEXT: &str = "\
    - Your current Slow Log configuration only logs events that are slower than your \
    configured latency monitor threshold. Please use 'CONFIG SET slowlog-log-slower-than \
    {us}'.\n";

const INSPECT_SLOWLOG_TEXT: &str = "\
    - Check your Slow Log to understand what are the commands you are running which are \
    too slow to execute. Please check https://redis.io/commands/slowlog for more \
    information.\n";

const FREE_PROCESSOR_TEXT: &str = "\
    - The system is slow to execute Redis code paths not containing system calls. This \
    usually means the system does not provide Redis CPU time to run for long periods. You \
    should try to:\n\
    \x20\x201) Lower the system load.\n\
    \x20\x202) Use a computer / VM just for Redis if you are running other software in the \
    same system.\n\
    \x20\x203) Check if you have a \"noisy neighbour\" problem.\n\
    \x20\x204) Check with 'redis-cli --intrinsic-latency 100' what is the intrinsic \
    latency in your system.\n\
    \x20\x205) Check if the problem is allocator-related by recompiling Redis with \
    MALLOC=libc, if you are using Jemalloc. However this may create fragmentation \
    problems.\n";

const LOCAL_DISK_TEXT: &str = "\
    - It is strongly advised to use local disks for persistence, especially if you are \
    using AOF. Remote disks provided by platform-as-a-service providers are known to be \
    slow.\n";

const SOLID_STATE_TEXT: &str = "\
    - SSD disks are able to reduce fsync latency, and total time needed for snapshotting \
    and AOF log rewriting (resulting in smaller memory usage). With extremely high write \
    load SSD disks can be a good option. However Redis should perform reasonably with high \
    load using normal disks. Use this advice as a last resort.\n";

const DATA_WRITEBACK_TEXT: &str = "\
    - Mounting ext3/4 filesystems with data=writeback can provide a performance boost \
    compared to data=ordered, however this mode of operation provides less guarantees, and \
    sometimes it can happen that after a hard crash the AOF file will have a half-written \
    command at the end and will require to be repaired before Redis restarts.\n";

const DISK_CONTENTION_TEXT: &str = "\
    - Try to lower the disk contention. This is often caused by other disk intensive \
    processes running in the same computer (including other Redis instances).\n";

const NO_APPEND_FSYNC_TEXT: &str = "\
    - Assuming from the point of view of data safety this is viable in your environment, \
    you could try to enable the 'no-appendfsync-on-rewrite' option, so that fsync will not \
    be performed while there is a child rewriting the AOF file or producing an RDB file \
    (the moment where there is high disk contention).\n";

const RELAX_FSYNC_TEXT: &str = "\
    - Your fsync policy is set to 'always'. It is very hard to get good performances with \
    such a setup, if possible try to relax the fsync policy to 'onesec'.\n";

const WRITE_LOAD_TEXT: &str = "\
    - Latency during the AOF atomic rename operation or when the final difference is \
    flushed to the AOF file at the end of the rewrite, sometimes is caused by very high \
    write load, causing the AOF buffer to get very large. If possible try to send less \
    commands to accomplish the same work, or use Lua scripts to group multiple operations \
    into a single EVALSHA call.\n";

const RAISE_HZ_TEXT: &str = "\
    - In order to make the Redis keys expiring process more incremental, try to set the \
    'hz' configuration parameter to 100 using 'CONFIG SET hz 100'.\n";

const LARGE_OBJECTS_TEXT: &str = "\
    - Deleting, expiring or evicting (because of maxmemory policy) large objects is a \
    blocking operation. If you have very large objects that are often deleted, expired, or \
    evicted, try to fragment those objects into multiple smaller objects.\n";

const MASS_EVICTION_TEXT: &str = "\
    - Sudden changes to the 'maxmemory' setting via 'CONFIG SET', or allocation of large \
    objects via sets or sorted sets intersections, STORE option of SORT, Redis Cluster \
    large keys migrations (RESTORE command), may create sudden memory pressure forcing the \
    server to block trying to evict keys. \n";

const DISABLE_HUGE_PAGES_TEXT: &str = "\
    - I detected a non zero amount of anonymous huge pages used by your process. This \
    creates very serious latency events in different conditions, especially when Redis is \
    persisting on disk. To disable THP support use the command 'echo never > \
    /sys/kernel/mm/transparent_hugepage/enabled', make sure to also add it into \
    /etc/rc.local so that the command will be executed again after a reboot. Note that \
    even if you have already disabled THP, you still need to restart the Redis process to \
    get rid of the huge pages already created.\n";
