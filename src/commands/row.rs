//! A row: the declaration of a command and the function that runs it.
//!
//! Rows are const expressions that read aloud:
//!
//! ```text
//! data("get", 2, READONLY | FAST, &[one_key(1, RO)], get::get)
//!     .doc("1.0.0", "key", "O(1)", "Returns the string value of a key.")
//! ```
//!
//! `data` rows run on a shard and see nothing but it; `control` rows run where the client is.

use crate::command::{
    Args, Categories, Derived, Doc, Flags, Group, KeySpec, KeyUse, Merge, Plan, Spec,
};
use crate::resp::{ErrorReply, Writer, Written};
use crate::session::{Core, SessionId};
use crate::shard::DataFn;

/// What a control handler sees.
pub struct ControlCtx<'a> {
    pub core: &'a mut Core,
    /// The client that asks.
    pub session: SessionId,
    pub args: Args<'a>,
    pub reply: Writer<'a>,
    pub spec: &'static Spec,
}

/// What became of a control command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It has replied.
    Done,
    /// It has replied with pushed messages, which also those get who want no replies.
    Pushed,
    /// Its reply comes later, or it never has one.
    Later,
}

impl From<Written> for Flow {
    fn from(_: Written) -> Flow {
        Flow::Done
    }
}

/// What a control handler returns.
pub type ControlOutcome = Result<Flow, ErrorReply>;

/// A control command's handler.
pub type ControlFn = fn(&mut ControlCtx<'_>) -> ControlOutcome;

/// How a command is run.
#[derive(Clone, Copy)]
pub enum Run {
    Data(DataFn),
    /// The same, but a client may have to wait until there is something for it, if the second
    /// function says so of its arguments.
    Blocking(DataFn, fn(Args<'_>) -> bool),
    Control(ControlFn),
    /// Sends a message: like a control command, but need not wait for the replies to others of its
    /// kind, because messages of one client keep their order on their way.
    Message(ControlFn),
    /// A data command that the client's session takes note of: WATCH.
    Watch(DataFn),
    /// Runs what the client has queued: EXEC.
    Exec,
    /// Only its subcommands run.
    Container,
}

impl Run {
    /// The handler of a command that runs on shards.
    #[inline]
    pub fn on_shard(self) -> Option<DataFn> {
        match self {
            Run::Data(run) | Run::Blocking(run, _) => Some(run),
            _ => None,
        }
    }
}

/// A command.
#[derive(Clone, Copy)]
pub struct Row {
    pub spec: Spec,
    pub run: Run,
}

/// A group's rows.
#[derive(Clone, Copy)]
pub struct Family {
    pub group: Group,
    pub rows: &'static [Row],
}

/// A family of commands of one group.
pub const fn family(group: Group, rows: &'static [Row]) -> Family {
    Family { group, rows }
}

/// A command that runs on the shard of its keys.
pub const fn data(
    name: &'static str,
    arity: i16,
    flags: Flags,
    keys: &'static [KeySpec],
    run: DataFn,
) -> Row {
    let mut spec = Spec::new(name, arity, flags, Group::Generic);
    spec.keys = keys;
    spec.plan = if keys.is_empty() {
        Plan::Here
    } else {
        Plan::Gather
    };
    Row {
        spec,
        run: Run::Data(run),
    }
}

/// A command that runs where the client is.
pub const fn control(name: &'static str, arity: i16, flags: Flags, run: ControlFn) -> Row {
    Row {
        spec: Spec::new(name, arity, flags, Group::Generic),
        run: Run::Control(run),
    }
}

/// A command that sends a message from where the client is.
pub const fn message(name: &'static str, arity: i16, flags: Flags, run: ControlFn) -> Row {
    Row {
        spec: Spec::new(name, arity, flags, Group::Generic),
        run: Run::Message(run),
    }
}

/// A data command that the client's session takes note of.
pub const fn watch(
    name: &'static str,
    arity: i16,
    flags: Flags,
    keys: &'static [KeySpec],
    run: DataFn,
) -> Row {
    let row = data(name, arity, flags, keys, run);
    Row {
        run: Run::Watch(run),
        ..row
    }
}

/// The command that runs what the client has queued.
pub const fn exec(name: &'static str, arity: i16, flags: Flags) -> Row {
    Row {
        spec: Spec::new(name, arity, flags, Group::Generic),
        run: Run::Exec,
    }
}

/// A command that only has subcommands.
pub const fn container(name: &'static str, arity: i16, flags: Flags) -> Row {
    let mut spec = Spec::new(name, arity, flags, Group::Generic);
    spec.is_container = true;
    Row {
        spec,
        run: Run::Container,
    }
}

impl Row {
    /// Keys on several shards: each runs the command on its own keys, the replies are merged.
    pub const fn split(mut self, merge: Merge) -> Row {
        self.spec.plan = Plan::Split(merge);
        self
    }

    /// A client may have to wait until there is something for it; inside EXEC it does not.
    pub const fn blocking(self, may_wait: fn(Args<'_>) -> bool) -> Row {
        let Run::Data(run) = self.run else {
            panic!("only data commands find nothing on shards");
        };
        Row {
            run: Run::Blocking(run, may_wait),
            ..self
        }
    }

    /// Runs on every shard, as one operation.
    pub const fn everywhere(mut self, merge: Merge) -> Row {
        self.spec.plan = Plan::Everywhere(merge);
        self
    }

    /// Runs on the shard that the scan cursor at this argument points at.
    pub const fn by_cursor(mut self, at: u16) -> Row {
        self.spec.plan = Plan::Cursor(at);
        self
    }

    /// What it does to its keys depends on its arguments.
    pub const fn key_use(mut self, key_use: KeyUse) -> Row {
        self.spec.key_use = Some(key_use);
        self
    }

    /// A control command that locks its keys, wherever they are, while it waits.
    pub const fn locks_keys(mut self, keys: &'static [KeySpec]) -> Row {
        self.spec.keys = keys;
        self.spec.plan = Plan::Gather;
        self
    }

    /// Where its keys stand, or what is like keys.
    pub const fn keys(mut self, keys: &'static [KeySpec]) -> Row {
        self.spec.keys = keys;
        self
    }

    /// Runs also while a client of the older protocol listens to channels.
    pub const fn for_listeners(mut self) -> Row {
        self.spec.is_for_listeners = true;
        self
    }

    /// It says how the server is: an error where that cannot do its duty.
    pub const fn tells_health(mut self) -> Row {
        self.spec.tells_health = true;
        self
    }

    /// It reads keys that are not among its arguments.
    pub const fn derives(mut self, derived: Derived) -> Row {
        self.spec.derived = Some(derived);
        self
    }

    /// Its categories are these and what its flags imply, not that of its group.
    pub const fn category_apart(mut self, categories: Categories) -> Row {
        self.spec.is_apart = true;
        self.spec.extra_categories = categories;
        self
    }

    /// For the server's own use and for its developers; COMMAND DOCS says so.
    pub const fn internal(mut self) -> Row {
        self.spec.doc.is_internal = true;
        self
    }

    /// Categories that neither flags nor group imply.
    pub const fn category(mut self, categories: Categories) -> Row {
        self.spec.extra_categories = categories;
        self
    }

    /// A form of its container that Redis does not list: COMMAND does not show it.
    pub const fn hidden(mut self) -> Row {
        self.spec.is_hidden = true;
        self
    }

    /// Tips for clients and proxies, as COMMAND INFO shows them.
    pub const fn tips(mut self, tips: &'static [&'static str]) -> Row {
        self.spec.tips = tips;
        self
    }

    /// Version, syntax, complexity and summary, for COMMAND DOCS.
    pub const fn doc(
        mut self,
        since: &'static str,
        syntax: &'static str,
        complexity: &'static str,
        summary: &'static str,
    ) -> Row {
        let old = self.spec.doc;
        self.spec.doc = Doc {
            since,
            syntax,
            complexity,
            summary,
            ..old
        };
        self
    }

    /// Version and change, oldest first.
    pub const fn history(mut self, history: &'static [(&'static str, &'static str)]) -> Row {
        self.spec.doc.history = history;
        self
    }

    /// Since when it is deprecated, and what replaces it.
    pub const fn deprecated(mut self, since: &'static str, by: &'static str) -> Row {
        self.spec.doc.deprecated = Some((since, by));
        self
    }
}
