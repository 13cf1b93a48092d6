//! The whole table: every command of every family, found by its name in any case.
//!
//! A name is found through its first eight letters as one number, in a small open table: most
//! lookups are one multiplication and one comparison. Every row gets a number, by which statistics
//! are kept.

use super::row::{Family, Row};
use super::{bitmap, connection, generic, geo, hash, hyperloglog, list, migrate, pubsub};
use super::{replication, server, set, sorted_set, stream, string, transactions};
use crate::command::{Group, Spec};
use std::sync::OnceLock;

/// All families, in the order of the README's table.
pub const FAMILIES: &[Family] = &[
    connection::FAMILY,
    connection::SERVER_FAMILY,
    string::FAMILY,
    bitmap::FAMILY,
    list::FAMILY,
    set::FAMILY,
    sorted_set::FAMILY,
    geo::FAMILY,
    stream::FAMILY,
    hyperloglog::FAMILY,
    generic::FAMILY,
    hash::FAMILY,
    migrate::FAMILY,
    migrate::ASKING,
    pubsub::FAMILY,
    transactions::FAMILY,
    replication::FAMILY,
    replication::WAIT,
    server::FAMILY,
    server::KEYSPACE,
    server::info::FAMILY,
    server::save::FAMILY,
    server::rewrite::FAMILY,
    server::rewrite::WAITAOF,
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
    cells: Vec<Cell>,
}

/// The number of a command, and the beginning of its name.
#[derive(Clone, Copy)]
struct Cell {
    head: u64,
    number: u16,
}

const EMPTY: u16 = u16::MAX;
const EMPTY_CELL: Cell = Cell {
    head: 0,
    number: EMPTY,
};
const CELL_BITS: u32 = 11;

/// The table of this build.
pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::new(FAMILIES))
}

/// The first eight bytes of a name as one number. Setting one bit makes letters small; what it
/// makes equal beyond that, the comparison of names tells apart.
#[inline]
fn head(name: &[u8]) -> u64 {
    let bytes = match name.first_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => name
            .iter()
            .rev()
            .fold(0, |head, byte| (head << 8) | u64::from(*byte)),
    };
    bytes | 0x2020_2020_2020_2020
}

#[inline]
fn first_cell(head: u64, len: usize) -> usize {
    let mixed = head.wrapping_add((len as u64) << 40);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - CELL_BITS)) as usize
}

impl Table {
    fn new(families: &[Family]) -> Table {
        let mut table = Table {
            commands: Vec::new(),
            cells: vec![EMPTY_CELL; 1 << CELL_BITS],
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
        let head = head(spec.name.as_bytes());
        let mut cell = first_cell(head, spec.name.len());
        while self.cells[cell].number != EMPTY {
            cell = (cell + 1) % self.cells.len();
        }
        self.cells[cell] = Cell { head, number };
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
        let head = head(name);
        let mut at = first_cell(head, name.len());
        loop {
            let cell = self.cells[at];
            if cell.number == EMPTY {
                return None;
            }
            let command = &self.commands[cell.number as usize];
            if cell.head == head && command.spec.name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(command);
            }
            at = (at + 1) % self.cells.len();
        }
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
