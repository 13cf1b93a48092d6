//! Tests of the table itself: rows agree with their own syntax lines, and every command is spoken
//! about in a dialogue.
//!
//! What a row says twice (arity and syntax, keys and syntax) has to say the same both times.

use ringshard::command::syntax::{Argument, Kind, arguments, extent};
use ringshard::command::{Flags, Group, KeyFlags, Plan, Spec};
use ringshard::commands::row::Run;
use ringshard::commands::{Command, table};
use std::collections::HashSet;
use std::path::Path;

/// Commands whose arity says less than their syntax, as in Redis.
const LOOSE_ARITY: &[&str] = &[
    // Takes any arguments and ignores them.
    "quit",
    // Documented without arguments; its subcommands are its own business.
    "debug",
    // Redis 7.0 asks for one argument more than 7.2 documents.
    "command|getkeys",
    "command|getkeysandflags",
    // Documented without what only servers say to each other.
    "psync",
    "replconf",
];

fn each(mut check: impl FnMut(&'static Command, &[Argument<'static>]) -> Option<String>) {
    let mut found = Vec::new();
    for command in table().commands() {
        let name = command.spec.name;
        match arguments(&command.spec) {
            Err(fault) => found.push(format!("{name}: {}", fault.0)),
            Ok(arguments) => {
                found.extend(check(command, &arguments).map(|text| format!("{name}: {text}")));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn names_are_unique_and_in_lower_case() {
    let mut names = HashSet::new();
    each(|command, _| {
        let name = command.spec.name;
        assert!(!name.contains(|c: char| c.is_ascii_uppercase()), "{name}");
        (!names.insert(name)).then(|| "stands twice".to_owned())
    });
}

#[test]
fn arity_agrees_with_the_syntax() {
    each(|command, arguments| {
        let name = command.spec.name;
        let is_container = !command.subcommands.is_empty();
        if is_container || LOOSE_ARITY.contains(&name) {
            return None;
        }
        let (least, is_open) = extent(arguments);
        let least = (least + 1 + name.matches('|').count()) as i16;
        let expected = if is_open { -least } else { least };
        let arity = command.spec.arity;
        (arity != expected).then(|| format!("arity {arity}, the syntax says {expected}"))
    });
}

#[test]
fn keys_agree_with_the_syntax() {
    each(|command, arguments| {
        // The one key of MIGRATE is one of two choices, and the empty string the other.
        if command.spec.name == "migrate" {
            return None;
        }
        let mut marked = HashSet::new();
        let strays = walk(arguments, &mut marked);
        if let Some(stray) = strays.first() {
            return Some(format!(
                "`{stray}` is called a key and is none, or the other way"
            ));
        }
        let is_key = |at: &usize| !command.spec.keys[*at].flags.has(KeyFlags::NOT_KEY);
        let specs: HashSet<usize> = (0..command.spec.keys.len()).filter(is_key).collect();
        (specs != marked).then(|| "a key specification points at no argument".to_owned())
    });
}

/// Arguments whose name and type disagree; `marked` collects the key specifications in use.
fn walk(arguments: &[Argument<'_>], marked: &mut HashSet<usize>) -> Vec<String> {
    let mut strays = Vec::new();
    for argument in arguments {
        marked.extend(argument.key_spec);
        let name = argument.name.as_str();
        let is_said = name.starts_with("key")
            || name.ends_with("key")
            || ["source", "destination", "src", "dst"].contains(&name);
        let is_key = argument.kind == Kind::Key;
        let is_leaf = argument.arguments.is_empty();
        if is_leaf && argument.kind != Kind::PureToken && is_said != is_key {
            strays.push(name.to_owned());
        }
        strays.extend(walk(&argument.arguments, marked));
    }
    strays
}

#[test]
fn documentation_is_there() {
    each(|command, _| {
        let doc = &command.spec.doc;
        // These have none in Redis either.
        let is_vague = ["lolwut", "monitor", "shutdown", "debug", "psync", "sync"]
            .contains(&command.spec.name);
        let has_complexity = !doc.complexity.is_empty() || is_vague;
        let is_whole = !doc.summary.is_empty() && !doc.since.is_empty() && has_complexity;
        (!is_whole).then(|| "no summary, version or complexity".to_owned())
    });
}

#[test]
fn plans_fit_the_keys() {
    each(|command, _| {
        let Spec { keys, plan, .. } = command.spec;
        let fits = match (command.run, plan) {
            (Run::Data(_), Plan::Gather | Plan::Split(_)) => !keys.is_empty(),
            (Run::Data(_), _) => keys.is_empty(),
            (Run::Blocking(..), plan) => !keys.is_empty() && plan == Plan::Gather,
            (Run::Watch(_), _) => true,
            // Its keys are locked while it works on them outside.
            (Run::Control(_), Plan::Gather) => !keys.is_empty(),
            (Run::Control(_) | Run::Message(_) | Run::Exec | Run::Container, plan) => {
                plan == Plan::Here
            }
        };
        (!fits).then(|| format!("{plan:?} with {} key specifications", keys.len()))
    });
}

#[test]
fn a_command_reads_or_writes_its_keys() {
    each(|command, _| {
        let flags = command.spec.flags;
        let (reads, writes) = (flags.has(Flags::READONLY), flags.has(Flags::WRITE));
        let is_data = command.run.on_shard().is_some();
        let has_keys = !command.spec.keys.is_empty();
        let is_odd = reads && writes || is_data && has_keys && !reads && !writes;
        is_odd.then(|| "neither or both of readonly and write".to_owned())
    });
}

/// Groups whose dialogues lie in the folder of another.
fn folder(group: Group) -> &'static str {
    group.name()
}

#[test]
fn every_command_is_in_a_dialogue() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut spoken = HashSet::new();
    each(|command, _| {
        let folder = folder(command.spec.group);
        if spoken.is_empty() {
            collect(&root, &mut spoken);
        }
        let name = command.spec.name.replace('|', " ");
        let is_container = !command.subcommands.is_empty();
        (!is_container && !UNSPOKEN.contains(&command.spec.name) && !spoken.contains(&name))
            .then(|| format!("no dialogue; write one in tests/dialogues/{folder}"))
    });
}

/// Commands that a dialogue cannot hold; tests of the process speak about them.
const UNSPOKEN: &[&str] = &["shutdown"];

/// The first one and two words of all lines typed.
fn collect(folder: &Path, spoken: &mut HashSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, spoken);
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            let text = std::fs::read_to_string(&path).unwrap().to_ascii_lowercase();
            for (_, typed) in text.lines().filter_map(|line| line.split_once("> ")) {
                let words: Vec<&str> = typed.split(' ').collect();
                spoken.insert(words[0].to_owned());
                spoken.insert(words[..words.len().min(2)].join(" "));
            }
        }
    }
}
