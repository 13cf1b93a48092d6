//! Directives whose value is one of a few words, as Rust enums.
//!
//! One `choices!` block per directive: the words in the order in which Redis lists them in its
//! error text, and the enum that the server matches on. The discriminant is the value's bits.
//! Directives without meaning here have a bare word list at the end.

use super::field::FromValue;
use super::value::Value;

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal $bits:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($variant = $bits,)* }

        impl $name {
            pub const WORDS: &'static [(&'static str, u32)] = &[$(($word, $bits),)*];

            /// The variant of bits that came from `WORDS`.
            pub fn from_bits(bits: u32) -> Self {
                match bits {
                    $($bits => Self::$variant,)*
                    other => unreachable!("{other} is no bits of {}", stringify!($name)),
                }
            }
        }

        impl FromValue for $name {
            fn from_value(value: &Value) -> Self {
                match value {
                    Value::Choice(bits) => Self::from_bits(*bits),
                    other => unreachable!("{other:?} is no {}", stringify!($name)),
                }
            }
        }
    )*};
}

choices! {
    /// What to remove when memory runs out.
    MaxmemoryPolicy {
        VolatileLru = "volatile-lru" 0,
        VolatileLfu = "volatile-lfu" 1,
        VolatileRandom = "volatile-random" 2,
        VolatileTtl = "volatile-ttl" 3,
        AllkeysLru = "allkeys-lru" 4,
        AllkeysLfu = "allkeys-lfu" 5,
        AllkeysRandom = "allkeys-random" 6,
        Noeviction = "noeviction" 7,
    }
    /// The least important messages that are logged.
    LogLevel {
        Debug = "debug" 0,
        Verbose = "verbose" 1,
        Notice = "notice" 2,
        Warning = "warning" 3,
        Nothing = "nothing" 4,
    }
    SyslogFacility {
        User = "user" 0,
        Local0 = "local0" 1,
        Local1 = "local1" 2,
        Local2 = "local2" 3,
        Local3 = "local3" 4,
        Local4 = "local4" 5,
        Local5 = "local5" 6,
        Local6 = "local6" 7,
        Local7 = "local7" 8,
    }
    /// Which init system waits for a sign of readiness.
    Supervised {
        Upstart = "upstart" 0,
        Systemd = "systemd" 1,
        Auto = "auto" 2,
        No = "no" 3,
    }
    AppendFsync {
        Everysec = "everysec" 0,
        Always = "always" 1,
        No = "no" 2,
    }
    ReplDisklessLoad {
        Disabled = "disabled" 0,
        OnEmptyDb = "on-empty-db" 1,
        Swapdb = "swapdb" 2,
    }
    SanitizeDumpPayload {
        No = "no" 0,
        Yes = "yes" 1,
        Clients = "clients" 2,
    }
    /// Who may use a dangerous facility.
    Allowed {
        No = "no" 0,
        Yes = "yes" 1,
        Local = "local" 2,
    }
    /// Channels of users that no rule names.
    AclPubsubDefault {
        Allchannels = "allchannels" 0,
        Resetchannels = "resetchannels" 1,
    }
    ClusterEndpoint {
        Ip = "ip" 0,
        Hostname = "hostname" 1,
        UnknownEndpoint = "unknown-endpoint" 2,
    }
    /// How far commands of one pipeline may overtake each other on different shards.
    PipelineOrder {
        Relaxed = "relaxed" 0,
        Strict = "strict" 1,
    }
}

/// What SIGTERM and SIGINT ask of the shutdown: bits of `SHUTDOWN_ON_SIGNAL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownFlags(pub u32);

impl ShutdownFlags {
    pub const SAVE: u32 = 1;
    pub const NOSAVE: u32 = 2;
    pub const NOW: u32 = 4;
    pub const FORCE: u32 = 8;

    pub fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }
}

pub const SHUTDOWN_ON_SIGNAL: &[(&str, u32)] = &[
    ("default", 0),
    ("save", ShutdownFlags::SAVE),
    ("nosave", ShutdownFlags::NOSAVE),
    ("now", ShutdownFlags::NOW),
    ("force", ShutdownFlags::FORCE),
];
// Redis: "yes" and "relative" are one value, shown by its first word.
pub const OOM_SCORE_ADJ: &[(&str, u32)] =
    &[("no", 0), ("yes", 1), ("relative", 1), ("absolute", 2)];
pub const TLS_AUTH_CLIENTS: &[(&str, u32)] = &[("no", 0), ("yes", 1), ("optional", 2)];
pub const PROPAGATION_ERROR: &[(&str, u32)] =
    &[("ignore", 0), ("panic", 1), ("panic-on-replicas", 2)];
