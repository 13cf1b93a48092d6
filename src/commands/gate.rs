//! The checks before a command runs, in order: a list of small functions.
//!
//! Each looks at one rule and either lets the command pass or says the error. Which command this
//! is was settled before: see [`resolve`].

use super::row::Run;
use super::table::{Command, table};
use crate::command::{Args, Flags};
use crate::replication::Bars;
use crate::resp::{ErrorReply, Protocol, errors};
use crate::session::{Core, Session};
use crate::shard::Room;

/// Finds the command of a request: a subcommand where the name is a container's.
#[inline]
pub fn resolve(args: Args<'_>) -> Result<&'static Command, ErrorReply> {
    let Some(command) = table().find(args.get(0)).filter(|command| is_top(command)) else {
        return Err(errors::unknown_command(args.get(0), args.from(1)));
    };
    if command.subcommands.is_empty() {
        return Ok(command);
    }
    resolve_subcommand(command, args)
}

fn is_top(command: &Command) -> bool {
    !command.spec.name.contains('|')
}

#[cold]
fn resolve_subcommand(
    command: &'static Command,
    args: Args<'_>,
) -> Result<&'static Command, ErrorReply> {
    let Some(name) = args.try_get(1) else {
        return Ok(command);
    };
    match table().find_subcommand(command, name) {
        Some(found) => Ok(found),
        // DEBUG looks its forms up by itself.
        None if command.listed.is_empty() => Ok(command),
        None => Err(errors::unknown_subcommand(command.spec.name, name)),
    }
}

type Gate = fn(&Core, &Session, &'static Command, Args<'_>) -> Result<(), ErrorReply>;

/// All gates, in the order in which Redis checks.
const GATES: &[Gate] = &[
    arity,
    debug_allowed,
    authenticated,
    outside_multi,
    in_memory,
    saved,
    unbarred,
    on_disk,
    for_listeners,
    fresh,
    loaded,
    from_client,
];

/// Lets a command pass, or says why not.
#[inline]
pub fn check(
    core: &Core,
    session: &Session,
    command: &'static Command,
    args: Args<'_>,
) -> Result<(), ErrorReply> {
    if session.is_loader {
        return arity(core, session, command, args);
    }
    GATES
        .iter()
        .try_for_each(|gate| gate(core, session, command, args))
}

fn arity(
    _: &Core,
    _: &Session,
    command: &'static Command,
    args: Args<'_>,
) -> Result<(), ErrorReply> {
    if command.spec.takes(args.len()) {
        return Ok(());
    }
    // Redis finds the forms that it does not list together with their number of arguments.
    Err(match command.spec.name.split_once('|') {
        Some((container, _)) if command.spec.is_hidden => {
            errors::unknown_form(container, args.get(1))
        }
        _ => errors::wrong_arity(command.spec.name),
    })
}

fn authenticated(
    core: &Core,
    session: &Session,
    command: &'static Command,
    _: Args<'_>,
) -> Result<(), ErrorReply> {
    if core.is_trusted(session) || command.spec.flags.has(Flags::NO_AUTH) {
        return Ok(());
    }
    Err(errors::NO_AUTH.into())
}

/// DEBUG answers local clients only, unless the configuration says otherwise.
fn debug_allowed(
    core: &Core,
    session: &Session,
    command: &'static Command,
    _: Args<'_>,
) -> Result<(), ErrorReply> {
    use crate::config::choice::Allowed;
    if !command.spec.flags.has(Flags::PROTECTED) {
        return Ok(());
    }
    match core.config.enable_debug_command {
        Allowed::Yes => Ok(()),
        Allowed::Local if session.origin.is_local || session.origin.is_unix => Ok(()),
        _ => Err(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \
                  \"local\", you can run it from a local connection, otherwise you need to set \
                  this option in the configuration file, and then restart the server."
                .into(),
        ),
    }
}

/// Some commands make no sense in a transaction.
#[inline]
fn outside_multi(
    _: &Core,
    session: &Session,
    command: &'static Command,
    _: Args<'_>,
) -> Result<(), ErrorReply> {
    if session.queue.is_some() && command.spec.flags.has(Flags::NO_MULTI) {
        return Err("ERR Command not allowed inside a transaction".into());
    }
    Ok(())
}

/// The flags of a command, for EXEC those of all that it will run.
#[inline]
pub fn flags_of(session: &Session, command: &Command) -> Flags {
    match (&session.queue, command.run) {
        (Some(queue), Run::Exec) => command.spec.flags | queue.flags,
        _ => command.spec.flags,
    }
}

/// Whether a command may need memory: what is queued needs some.
fn needs_memory(session: &Session, command: &Command) -> bool {
    // Whoever ends a transaction gives memory back.
    let is_queued = session.queue.is_some() && !command.spec.flags.has(Flags::ENDS_MULTI);
    is_queued || flags_of(session, command).has(Flags::DENYOOM)
}

/// At the memory limit nothing runs that may need more.
#[inline]
fn in_memory(
    core: &Core,
    session: &Session,
    command: &'static Command,
    _: Args<'_>,
) -> Result<(), ErrorReply> {
    if core.config.maxmemory == 0
        || session.is_master
        || !needs_memory(session, command)
        || core.room != Room::Nothing
    {
        return Ok(());
    }
    Err(errors::OUT_OF_MEMORY.into())
}

/// In the older protocol replies and messages look alike, so whoever listens to channels may only
/// do what belongs to that.
#[inline]
fn for_listeners(
    _: &Core,
    session: &Session,
    command: &'static Command,
    _: Args<'_>,
) -> Result<(), ErrorReply> {
    let is_confined = !session.subscriptions.is_empty() && session.protocol == Protocol::Resp2;
    if !is_confined || command.spec.is_for_listeners {
        return Ok(());
    }
    let name = command.spec.name;
    Err(format!(
        "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
         are allowed in this context"
    )
    .into())
}

/// While the log cannot be written, nothing is changed that it would have to hold.
#[inline]
fn on_disk(
    core: &Core,
    session: &Session,
    command: &'static Command,
    _: Args<'_>,
) -> Result<(), ErrorReply> {
    let Some(errno) = core.log_failure else {
        return Ok(());
    };
    if session.is_master {
        return unable_to_write(core, command);
    }
    // Redis: PING fails too, so that whoever watches the server notices.
    let is_concerned = flags_of(session, command).has(Flags::WRITE) || command.spec.name == "ping";
    if !is_concerned {
        return Ok(());
    }
    let reason = crate::base::process::reason(&std::io::Error::from_raw_os_error(errno));
    Err(format!("MISCONF Errors writing to the AOF file: {reason}").into())
}

/// What comes from the master cannot be refused: a replica that cannot keep it ends, unless it is
/// told to go on without.
#[cold]
fn unable_to_write(core: &Core, command: &Command) -> Result<(), ErrorReply> {
    let is_write = command.spec.flags.has(Flags::WRITE);
    if is_write && !core.config.replica_ignore_disk_write_errors {
        tracing::error!("Replica was unable to write command to disk.");
        std::process::exit(1);
    }
    Ok(())
}

/// While the dataset is being loaded, only what does not look at it runs.
#[inline]
fn loaded(
    core: &Core,
    _: &Session,
    command: &'static Command,
    _: Args<'_>,
) -> Result<(), ErrorReply> {
    if !core.is_loading || command.spec.flags.has(Flags::LOADING) {
        return Ok(());
    }
    Err(errors::LOADING.into())
}

/// What replication allows: no writes on a replica, nor on a master with too few of them.
#[inline]
fn unbarred(
    core: &Core,
    session: &Session,
    command: &'static Command,
    _: Args<'_>,
) -> Result<(), ErrorReply> {
    match core.bars.is_none() {
        true => Ok(()),
        false => past_bars(core, session, command),
    }
}

#[cold]
fn past_bars(core: &Core, session: &Session, command: &Command) -> Result<(), ErrorReply> {
    let is_write = flags_of(session, command).has(Flags::WRITE);
    if session.is_master || !is_write {
        return Ok(());
    }
    if core.bars.has(Bars::FEW_REPLICAS) {
        return Err(errors::NO_REPLICAS.into());
    }
    if core.bars.has(Bars::READ_ONLY) {
        return Err(errors::READ_ONLY.into());
    }
    Ok(())
}

/// While the link to the master is down, only what needs no fresh data runs, if that is wanted.
#[inline]
fn fresh(
    core: &Core,
    session: &Session,
    command: &'static Command,
    _: Args<'_>,
) -> Result<(), ErrorReply> {
    let is_barred = !core.bars.is_none() && core.bars.has(Bars::STALE);
    if !is_barred || session.is_master || command.spec.flags.has(Flags::STALE) {
        return Ok(());
    }
    Err(errors::MASTER_DOWN.into())
}

/// The connection of a replica is there for the stream, and exempt from pauses.
#[inline]
fn from_client(
    _: &Core,
    session: &Session,
    command: &'static Command,
    _: Args<'_>,
) -> Result<(), ErrorReply> {
    match session.is_replica() {
        false => Ok(()),
        true => beside_keys(command),
    }
}

#[cold]
fn beside_keys(command: &Command) -> Result<(), ErrorReply> {
    let flags = command.spec.flags;
    if flags.has(Flags::WRITE) || flags.has(Flags::READONLY) || flags.has(Flags::MAY_REPLICATE) {
        return Err("ERR Replica can't interact with the keyspace".into());
    }
    Ok(())
}

/// After a failed snapshot nothing changes until one succeeds, where that is wanted.
#[inline]
fn saved(
    core: &Core,
    session: &Session,
    command: &'static Command,
    _: Args<'_>,
) -> Result<(), ErrorReply> {
    if !core.has_save_failed {
        return Ok(());
    }
    let is_wanted = core.config.stop_writes_on_bgsave_error && !core.config.save.is_empty();
    if session.is_master {
        return if is_wanted {
            unable_to_write(core, command)
        } else {
            Ok(())
        };
    }
    let is_write = flags_of(session, command).has(Flags::WRITE);
    if !is_wanted || !is_write && !command.spec.tells_health {
        return Ok(());
    }
    Err(errors::CANNOT_SAVE.into())
}
