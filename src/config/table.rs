//! The table of all directives, and how to look one up.
//!
//! Sections in the order in which conf/redis.conf shows them. Positions in the table (`Id`) are
//! what the rest of this part works with; names are matched without regard to case.
//! Lines that are no settings (`include`, `user`, ...) are in `FILE_ONLY`.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::row::{Directive, Section};
use super::rows;

/// Position of a directive in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub(super) usize);

/// A directive under one of its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    pub id: Id,
    pub name: &'static str,
    pub is_alias: bool,
}

pub const SECTIONS: &[Section] = &[
    Section {
        title: "Ringshard",
        rows: rows::ringshard::ROWS,
    },
    Section {
        title: "Network",
        rows: rows::network::ROWS,
    },
    Section {
        title: "TLS",
        rows: rows::tls::ROWS,
    },
    Section {
        title: "Process and log",
        rows: rows::general::ROWS,
    },
    Section {
        title: "Snapshots and append-only file",
        rows: rows::persistence::ROWS,
    },
    Section {
        title: "Replication",
        rows: rows::replication::ROWS,
    },
    Section {
        title: "Security",
        rows: rows::security::ROWS,
    },
    Section {
        title: "Clients",
        rows: rows::clients::ROWS,
    },
    Section {
        title: "Memory",
        rows: rows::memory::ROWS,
    },
    Section {
        title: "Encodings",
        rows: rows::data::ROWS,
    },
    Section {
        title: "Cluster",
        rows: rows::cluster::ROWS,
    },
];

/// A line of redis.conf that is not a setting.
#[derive(Clone, Copy, Debug)]
pub struct FileOnly {
    pub name: &'static str,
    pub usage: &'static str,
    pub about: &'static str,
}

pub const FILE_ONLY: &[FileOnly] = &[
    FileOnly {
        name: "include",
        usage: "include /path/to/other.conf",
        about: "Reads another file here, or all files that match a pattern. Later lines win, and \
                CONFIG REWRITE leaves included files alone.",
    },
    FileOnly {
        name: "user",
        usage: "user worker on >secret ~jobs:* +@all -@dangerous",
        about: "Declares a user with its rules, as in ACL SETUSER. Not together with aclfile.",
    },
    FileOnly {
        name: "rename-command",
        usage: "rename-command CONFIG \"\"",
        about: "Gives a command another name, or none at all. ACL rules do this better.",
    },
    FileOnly {
        name: "loadmodule",
        usage: "loadmodule /path/to/module.so",
        about: "Known so that the refusal is clear: Ringshard loads no modules, and a file with \
                such a line does not start.",
    },
];

/// Names that old files may contain and that mean nothing any more; each takes one word.
pub const OBSOLETE: &[&str] = &[
    "list-max-ziplist-entries",
    "list-max-ziplist-value",
    "lua-replicate-commands",
];

static ROWS: LazyLock<Vec<&'static Directive>> =
    LazyLock::new(|| SECTIONS.iter().flat_map(|section| section.rows).collect());

static NAMES: LazyLock<HashMap<&'static str, Named>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for named in named() {
        assert!(
            names.insert(named.name, named).is_none(),
            "two directives {}",
            named.name
        );
    }
    names
});

/// All directives, in the table's order.
pub fn rows() -> &'static [&'static Directive] {
    &ROWS
}

/// All directives under all their names.
pub fn named() -> impl Iterator<Item = Named> {
    rows().iter().enumerate().flat_map(|(at, row)| {
        let main = Named {
            id: Id(at),
            name: row.name,
            is_alias: false,
        };
        let alias = row.alias.map(|name| Named {
            id: Id(at),
            name,
            is_alias: true,
        });
        std::iter::once(main).chain(alias)
    })
}

/// The directive of a name in any case.
pub fn lookup(name: &[u8]) -> Option<Named> {
    let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
    NAMES.get(name.as_str()).copied()
}

impl Id {
    /// The directive's row.
    pub fn row(self) -> &'static Directive {
        rows()[self.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_acceptable() {
        for row in rows() {
            let value = row.default_value();
            let shown = row.show(&value);
            let args = if row.is_multi_word() {
                crate::config::words::split_at_blanks(&shown)
            } else {
                vec![shown]
            };
            if row.name != "replicaof" {
                assert_eq!(row.parse(&args, &value), Ok(value), "{}", row.name);
            }
        }
    }

    #[test]
    fn texts_are_sentences() {
        for row in rows() {
            assert!(
                row.about.ends_with('.') && row.about.is_ascii(),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn names_are_found_in_any_case() {
        let named = lookup(b"Slave-Read-ONLY").expect("an alias");
        assert!(named.is_alias);
        assert_eq!(named.id.row().name, "replica-read-only");
        assert_eq!(lookup(b"include"), None);
        assert_eq!(lookup(b"\xff"), None);
    }
}
