//! conf/redis.conf says what the table says.
//!
//! The annotated file is written from the rows: heading, text, line with the default. This test
//! compares both to the letter, so neither can change alone; `UPDATE=1 cargo test` writes it anew.
//! Then the files in conf/ are read like any other, which is the proof that they work.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use ringshard::config::row::{Directive, Effect, Kind};
use ringshard::config::table::{FILE_ONLY, SECTIONS, lookup, rows};
use ringshard::config::{Config, Loaded, Startup};

const WIDTH: usize = 96;

const HEAD: &str = "\
Ringshard's configuration. Every directive is here with its default, so a line that is not
changed might as well be absent. It is also what a redis.conf of Redis 7 may contain: such a file
can be used as it is.

    ringshard /path/to/redis.conf

A directive stands at the start of its line, its values behind it, in quotes if they contain blanks;
a comment needs a line of its own. Where a directive is repeated the last one counts (save adds up).
Sizes may have units: 1k is 1000 bytes, 1kb is 1024, likewise m, mb, g, gb, in any case. Options on
the command line are further lines behind the file: --port 7000.

A line like #pidfile \"\" is a directive that is unset by default.
\"No effect\" means: known, kept, shown by CONFIG GET, and without meaning in Ringshard.";

fn conf(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("conf")
        .join(name)
}

fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            writeln!(out, "{line}").expect("a string");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(out, "{line}").expect("a string");
}

fn annotated() -> String {
    let mut out = String::new();
    for line in HEAD.lines() {
        writeln!(out, "{}", format!("# {line}").trim_end()).expect("a string");
    }
    for section in SECTIONS {
        write!(out, "\n\n{}\n", heading(section.title)).expect("a string");
        for row in section.rows.iter().filter(|row| !row.is_hidden) {
            out.push('\n');
            annotate(&mut out, row);
        }
    }
    write!(out, "\n\n{}\n", heading("Other lines")).expect("a string");
    for only in FILE_ONLY {
        out.push('\n');
        comment(&mut out, only.about);
        writeln!(out, "#{}", only.usage).expect("a string");
    }
    out
}

fn heading(title: &str) -> String {
    let rule = "#".repeat(WIDTH - title.len() - 5);
    format!("### {title} {rule}")
}

fn annotate(out: &mut String, row: &Directive) {
    let no_effect = if row.effect == Effect::Accepted {
        " No effect."
    } else {
        ""
    };
    let alias = row
        .alias
        .map(|alias| format!(" Also spelled {alias}."))
        .unwrap_or_default();
    comment(out, &format!("{}{no_effect}{alias}", row.about));
    for line in lines(row) {
        writeln!(out, "{line}").expect("a string");
    }
}

fn lines(row: &Directive) -> Vec<String> {
    let default = row.default_value();
    let shown = String::from_utf8(row.show(&default)).expect("defaults are text");
    match row.kind {
        Kind::OptionalText => vec![format!("#{} \"\"", row.name)],
        _ if row.name == "replicaof" => vec!["#replicaof no one".into()],
        _ if row.name == "bind" => vec![format!("bind {shown}")],
        Kind::Text(_) if !shown.is_empty() && !shown.contains(' ') => {
            vec![format!("{} {shown}", row.name)]
        }
        _ if row.name == "dir" => vec![format!("dir {shown}")],
        _ => {
            let lines = row.rewritten(&default).into_iter();
            lines
                .map(|line| String::from_utf8(line.text).expect("defaults are text"))
                .collect()
        }
    }
}

fn load(path: &Path) -> Loaded {
    match Config::load(&[OsString::from(path)]) {
        Ok(Startup::Run { loaded, .. }) => *loaded,
        Ok(other) => panic!("{other:?}"),
        Err(error) => panic!("{error}"),
    }
}

/// All settings but the working directory.
fn settings(config: &Config) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = config.find(&[b"*"]);
    all.retain(|(name, _)| name != b"dir");
    all
}

#[test]
fn the_annotated_file_is_the_table() {
    let path = conf("redis.conf");
    let wanted = annotated();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &wanted).expect("conf/ is writable");
    }
    let have = std::fs::read_to_string(&path).expect("conf/redis.conf");
    for (at, (have, wanted)) in have.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(
            have,
            wanted,
            "conf/redis.conf, line {}; UPDATE=1 writes it",
            at + 1
        );
    }
    assert_eq!(have, wanted);
}

#[test]
fn every_directive_is_there_with_its_default() {
    let text = std::fs::read_to_string(conf("redis.conf")).expect("conf/redis.conf");
    let active = |line: &str| {
        let bare = line.strip_prefix('#').unwrap_or(line);
        let first = bare.split(' ').next().unwrap_or_default();
        (!first.is_empty() && lookup(first.as_bytes()).is_some()).then(|| bare.to_string())
    };
    let directives: Vec<String> = text.lines().filter_map(active).collect();
    for row in rows().iter().filter(|row| !row.is_hidden) {
        let start = format!("{} ", row.name);
        assert!(
            directives.iter().any(|line| line.starts_with(&start)),
            "{} is absent",
            row.name
        );
    }
    let path = std::env::temp_dir().join(format!("ringshard-active-{}.conf", std::process::id()));
    std::fs::write(&path, directives.join("\n")).expect("a temporary file");
    let loaded = load(&path);
    std::fs::remove_file(&path).expect("ours");
    assert_eq!(settings(&loaded.config), settings(&Config::default()));
}

#[test]
fn the_files_load() {
    let loaded = load(&conf("redis.conf"));
    assert_eq!(settings(&loaded.config), settings(&Config::default()));
    assert_eq!(loaded.config.ineffective(), [""; 0]);
    let dev = load(&conf("dev.conf")).config;
    assert_eq!((dev.port, dev.save.len(), dev.appendonly), (6379, 0, false));
}
