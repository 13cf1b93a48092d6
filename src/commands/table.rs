//! The whole table: every command of every family, found by its name in any case.
//!
//! A name is found through its first eight letters as one number, in a small open table: most
//! lookups are one multiplication and one comparison. Every row gets a number, by which statistics
//! are kept.

use super::row::{Family, Row};
use super::{bitmap, connection, generic, server, string};
use crate::command::{Group, Spec};
use std::sync::OnceLock;

/// All families, in the order of the README's table.
pub const FAMILIES: &[Family] = &[
    connection::FAMILY,
    connection::SERVER_FAMILY,
    string::FAMILY,
    bitmap::FAMILY,
    generic::FAMILY,
    server::FAMILY,
    server::KEYSPACE,
    server::info::FAMILY,
    server::config::FAMILY,
    server::slowlog::FAMILY,
    server::latency::FAMILY,
    server::memory::FAMILY,
    server::debug::FAMILY,
];

/// A command of the table.
pub struct Command {
    /// Its number, for statistics.
    pub number: u16,
    pub spec: Spec,
    pub run: super::row::Run,
    /// Position of its only key, when it has exactly one.
    pub only_key: Option<usize>,
    /// Numbers of its subcommands.
    pub subcommands: Vec<u16>,
    /// Those of them that COMMAND shows.
    pub listed: Vec<u16>,
}

/// The table.
pub struct Table {
    commands: Vec<Command>,
    /// Numbers of commands by their names' hash, open addressing; `EMPTY` where there is none.
    cells: Vec<u16>,
}

const EMPTY: u16 = u16::MAX;
const CELL_BITS: u32 = 11;
const NAME_MAX: usize = 32;

/// The table of this build.
pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::new(FAMILIES))
}

fn hash(lower: &[u8]) -> usize {
    let mut head = [0; 8];
    let len = lower.len().min(8);
    head[..len].copy_from_slice(&lower[..len]);
    let mixed = u64::from_le_bytes(head).wrapping_add((lower.len() as u64) << 40);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - CELL_BITS)) as usize
}

impl Table {
    fn new(families: &[Family]) -> Table {
        let mut table = Table {
            commands: Vec::new(),
            cells: vec![EMPTY; 1 << CELL_BITS],
        };
        for family in families {
            for row in family.rows {
                table.add(family.group, row);
            }
        }
        table.adopt_subcommands();
        table
    }

    fn add(&mut self, group: Group, row: &Row) {
        let number = self.commands.len() as u16;
        let spec = Spec { group, ..row.spec };
        assert!(spec.name.len() <= NAME_MAX, "names fit the lookup buffer");
        let mut cell = hash(spec.name.as_bytes());
        while self.cells[cell] != EMPTY {
            cell = (cell + 1) % self.cells.len();
        }
        self.cells[cell] = number;
        let only_key = crate::router::only_key(&spec);
        let (run, subcommands) = (row.run, Vec::new());
        self.commands.push(Command {
            number,
            spec,
            run,
            only_key,
            subcommands,
            listed: Vec::new(),
        });
    }

    fn adopt_subcommands(&mut self) {
        for number in 0..self.commands.len() {
            let name = self.commands[number].spec.name;
            let Some((parent, _)) = name.split_once('|') else {
                continue;
            };
            let parent = self
                .commands
                .iter()
                .position(|command| command.spec.name == parent);
            let parent = parent.expect("a subcommand's container has a row");
            self.commands[parent].subcommands.push(number as u16);
            if !self.commands[number].spec.is_hidden {
                self.commands[parent].listed.push(number as u16);
            }
        }
    }

    /// Number of rows, subcommands included.
    pub fn rows(&self) -> usize {
        self.commands.len()
    }

    /// The command with this number.
    #[inline]
    pub fn command(&self, number: u16) -> &Command {
        &self.commands[number as usize]
    }

    /// All commands, subcommands included.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter()
    }

    /// Finds a command, or a subcommand as `container|name`, in any case.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<&Command> {
        let mut buffer = [0; NAME_MAX];
        let lower = buffer.get_mut(..name.len())?;
        for (to, from) in lower.iter_mut().zip(name) {
            *to = from.to_ascii_lowercase();
        }
        let mut cell = hash(lower);
        while self.cells[cell] != EMPTY {
            let command = &self.commands[self.cells[cell] as usize];
            if command.spec.name.as_bytes() == lower {
                return Some(command);
            }
            cell = (cell + 1) % self.cells.len();
        }
        None
    }

    /// Finds a subcommand of a container.
    pub fn find_subcommand(&self, parent: &Command, name: &[u8]) -> Option<&Command> {
        parent
            .subcommands
            .iter()
            .map(|number| self.command(*number))
            .find(|command| {
                let own = command.spec.name.split_once('|').map_or("", |(_, own)| own);
                own.as_bytes().eq_ignore_ascii_case(name)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_by_its_name_once() {
        for command in table().commands() {
            let upper = command.spec.name.to_ascii_uppercase();
            let found = table().find(upper.as_bytes()).expect("it is in the table");
            assert_eq!(
                found.number, command.number,
                "{} stands twice",
                command.spec.name
            );
        }
        assert!(table().find(b"nosuchcommand").is_none());
        assert!(table().find(&[b'x'; 100]).is_none());
    }
}
