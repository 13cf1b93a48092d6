//! The README's table of supported commands, written from the rows.
//!
//! `UPDATE=1` rewrites what stands between the two markers; otherwise it has to be up to date.

use ringshard::command::Group;
use ringshard::commands::{Command, FAMILIES, table};
use std::fs;

const BEGIN: &str =
    "<!-- commands: written by the test `readme_lists_all_commands`, UPDATE=1 -->\n";
const END: &str = "<!-- end of commands -->\n";

#[test]
fn readme_lists_all_commands() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = fs::read_to_string(path).expect("a README");
    let (before, rest) = text.split_once(BEGIN).expect("the marker before the table");
    let (written, after) = rest.split_once(END).expect("the marker behind the table");
    let expected = listing();
    if written == expected {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "README.md is not up to date: run this test with UPDATE=1"
    );
    fs::write(path, format!("{before}{BEGIN}{expected}{END}{after}")).expect("a writable README");
}

fn listing() -> String {
    let mut groups: Vec<Group> = Vec::new();
    for family in FAMILIES {
        if !groups.contains(&family.group) {
            groups.push(family.group);
        }
    }
    let mut text = String::from("| group | commands |\n|---|---|\n");
    for group in groups {
        let is_top =
            |command: &&Command| command.spec.group == group && !command.spec.name.contains('|');
        let mut names: Vec<String> = table().commands().filter(is_top).map(shown).collect();
        names.sort();
        if !names.is_empty() {
            text += &format!("| {} | {} |\n", group.name(), names.join(", "));
        }
    }
    text
}

/// A command with its subcommands.
fn shown(command: &Command) -> String {
    let mut own: Vec<&str> = Vec::new();
    for number in &command.subcommands {
        let name = table().command(*number).spec.name;
        own.extend(name.split_once('|').map(|(_, own)| own));
    }
    own.sort_unstable();
    let name = command.spec.name.to_ascii_uppercase();
    match own.as_slice() {
        [] => format!("`{name}`"),
        own => format!("`{name}` ({})", own.join(", ")),
    }
}
