//! COMMAND: what this server tells of its own commands.
//!
//! Everything is read off the rows: facts, documentation, the argument trees, the keys of a
//! command as it would be sent. Nothing about a command is written down here.

use super::describe;
use crate::base::glob;
use crate::command::{Args, Categories, Flags, KeyFlags, positions};
use crate::commands::gate;
use crate::commands::row::{ControlCtx, ControlOutcome};
use crate::commands::{Command, table};
use crate::resp::{ErrorReply, errors};

/// COMMAND: the facts of all commands.
pub fn command(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    all_facts(ctx)
}

/// COMMAND COUNT: the number of commands.
pub fn count(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Ok(ctx.reply.integer(tops().count() as i64).into())
}

/// COMMAND INFO: the facts of some commands.
pub fn info(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    if ctx.args.len() == 2 {
        return all_facts(ctx);
    }
    let mut written = ctx.reply.array(ctx.args.len() - 2);
    for name in ctx.args.from(2) {
        written = match table().find(name) {
            Some(command) => describe::facts(&mut ctx.reply, command),
            None => ctx.reply.null(),
        };
    }
    Ok(written.into())
}

fn all_facts(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let mut written = ctx.reply.array(tops().count());
    for command in tops() {
        written = describe::facts(&mut ctx.reply, command);
    }
    Ok(written.into())
}

/// COMMAND DOCS: the documentation of all or some commands.
pub fn docs(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let commands: Vec<&Command> = match ctx.args.len() {
        2 => tops().collect(),
        _ => ctx
            .args
            .from(2)
            .filter_map(|name| table().find(name))
            .collect(),
    };
    let mut written = ctx.reply.map(commands.len());
    for command in commands {
        ctx.reply.bulk(command.spec.name.as_bytes());
        written = describe::docs(&mut ctx.reply, command);
    }
    Ok(written.into())
}

/// COMMAND LIST: the names of all commands, or of those that a filter lets through.
pub fn list(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let filter = filter(ctx.args)?;
    let is_listed = |command: &&Command| filter.as_ref().is_none_or(|f| f.passes(command));
    let names: Vec<&str> = table()
        .commands()
        .filter(is_listed)
        .map(|command| command.spec.name)
        .collect();
    let mut written = ctx.reply.array(names.len());
    for name in names {
        written = ctx.reply.bulk(name.as_bytes());
    }
    Ok(written.into())
}

/// What COMMAND LIST can be narrowed to.
enum Filter<'a> {
    /// Commands of a module; there are no modules.
    Module,
    /// Commands in a category, unless nobody knows it.
    Category(Option<Categories>),
    Pattern(&'a [u8]),
}

impl Filter<'_> {
    fn passes(&self, command: &Command) -> bool {
        match self {
            Filter::Module => false,
            Filter::Category(category) => {
                category.is_some_and(|category| command.spec.categories().has(category))
            }
            Filter::Pattern(pattern) => glob::matches(pattern, command.spec.name.as_bytes(), true),
        }
    }
}

fn filter(args: Args<'_>) -> Result<Option<Filter<'_>>, ErrorReply> {
    match args.len() {
        2 => Ok(None),
        5 if args.is(2, "filterby") => match () {
            () if args.is(3, "module") => Ok(Some(Filter::Module)),
            () if args.is(3, "aclcat") => {
                Ok(Some(Filter::Category(Categories::by_name(args.get(4)))))
            }
            () if args.is(3, "pattern") => Ok(Some(Filter::Pattern(args.get(4)))),
            () => Err(errors::SYNTAX.into()),
        },
        _ => Err(errors::SYNTAX.into()),
    }
}

/// COMMAND GETKEYS: the keys of a command as it would be sent.
pub fn keys(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let found = found_keys(ctx.args)?;
    let mut written = ctx.reply.array(found.len());
    for (at, _) in found {
        written = ctx.reply.bulk(ctx.args.get(at));
    }
    Ok(written.into())
}

/// COMMAND GETKEYSANDFLAGS: the keys of a command, and what it would do to them.
pub fn keys_and_flags(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let found = found_keys(ctx.args)?;
    let mut written = ctx.reply.array(found.len());
    for (at, flags) in found {
        ctx.reply.array(2);
        ctx.reply.bulk(ctx.args.get(at));
        written = describe::flags(&mut ctx.reply, flags.names());
    }
    Ok(written.into())
}

/// Where the command to look at begins: behind `COMMAND GETKEYS`.
const INNER: usize = 2;

/// Positions of the keys among our own arguments, with their use.
fn found_keys(args: Args<'_>) -> Result<Vec<(usize, KeyFlags)>, ErrorReply> {
    let inner = args.behind(INNER);
    let command = gate::resolve(inner)
        .ok()
        .filter(|command| is_whole(command, inner));
    let command = command.ok_or("ERR Invalid command specified")?;
    let spec = &command.spec;
    if spec
        .keys
        .iter()
        .all(|keys| keys.flags.has(KeyFlags::NOT_KEY))
    {
        return Err("ERR The command has no key arguments".into());
    }
    if !spec.takes(inner.len()) {
        return Err("ERR Invalid number of arguments specified for command".into());
    }
    let said = spec.key_use.map(|key_use| key_use(inner));
    let found: Vec<_> = positions(spec.keys, inner)
        .map(|(at, flags)| (at + INNER, said.unwrap_or(flags)))
        .collect();
    let is_wrong = found.is_empty() || spec.keys.iter().any(|keys| keys.is_miscounted(inner));
    if is_wrong && !spec.flags.has(Flags::NO_MANDATORY_KEYS) {
        return Err("ERR Invalid arguments specified for command".into());
    }
    Ok(found)
}

/// A container with a word behind it that is none of its subcommands is no command.
fn is_whole(command: &Command, inner: Args<'_>) -> bool {
    command.listed.is_empty() || inner.len() == 1
}

/// COMMAND HELP: what there is to ask.
pub fn help(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Ok(ctx.reply.help(HELP).into())
}

const HELP: &[&str] = &[
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
    "HELP",
    "    Prints this help.",
];

/// All commands that are nobody's subcommands.
fn tops() -> impl Iterator<Item = &'static Command> {
    table()
        .commands()
        .filter(|command| !command.spec.name.contains('|'))
}
