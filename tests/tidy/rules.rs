//! The house rules, each a function from a file to its violations.
//!
//! R1 to R7 hold the architecture: which part may know which, and where the impure things live.
//! The rest holds the style: headers, sizes, names, bans. What clippy can see (undocumented unsafe
//! blocks, borrows held across await) is left to clippy, see `Cargo.toml` and `.clippy.toml`.

use crate::source::{Source, functions, paths, words};

/// The floors of the house. A part imports only parts on strictly lower floors.
pub const FLOORS: &[(&str, u8)] = &[
    ("base", 0),
    ("object", 1),
    ("resp", 1),
    ("config", 1),
    ("observe", 1),
    ("runtime", 1),
    ("keyspace", 2),
    ("command", 2),
    ("rdb", 2),
    ("shard", 3),
    ("acl", 3),
    ("router", 4),
    ("persistence", 5),
    ("pubsub", 5),
    ("scripting", 5),
    ("replication", 6),
    ("cluster", 7),
    ("session", 8),
    ("commands", 9),
    ("net", 10),
    ("server", 11),
];

/// Command families that only touch data; they see floors 0 to 3 and `commands::row`.
const DATA_FAMILIES: &[&str] = &[
    "string",
    "list",
    "hash",
    "set",
    "sorted_set",
    "stream",
    "bitmap",
    "hyperloglog",
    "geo",
    "generic",
];
const DATA_FLOOR_MAX: u8 = 3;

/// Parts whose code cannot yield.
const SYNCHRONOUS: &[&str] = &["object", "rdb", "keyspace", "command", "shard"];
const UNSAFE_ALLOWED: &[&str] = &["base", "object", "runtime"];
const LOCKS_ALLOWED: &[&str] = &["runtime", "observe"];

/// Where clock, randomness, environment and files may be touched (R5). `main` reads its arguments;
/// `config` reads and rewrites redis.conf; `planted` asks which bug a test wants; `process` is the
/// daemon, its pid file and its supervisor.
const IMPURE_ALLOWED: &[&str] = &[
    "src/base/clock.rs",
    "src/base/planted.rs",
    "src/base/prng.rs",
    "src/base/process.rs",
    "src/runtime/",
    "src/config/",
    "src/main.rs",
];

const LINE_MAX: usize = 100;
const HEADER_LINES: usize = 3;
pub const FILE_MAX: usize = 600;
pub const FUNCTION_MAX: usize = 70;
/// Tests are read one at a time and may be long tables, so files of tests have more room.
pub const TEST_FILE_MAX: usize = 800;
pub const TEST_FUNCTION_MAX: usize = 100;
const PARAMETERS_MAX: usize = 5;

/// What may be longer than the limits, exactly how long it is, and why. Entries only shrink: when
/// the code gets shorter, the number here follows. A new entry needs a better reason than age.
pub const EXCEPTIONS: &[Exception] = &[];

/// One permitted excess: of a file (`item` empty) or of a function in it.
pub struct Exception {
    pub path: &'static str,
    pub item: &'static str,
    pub lines: usize,
    pub reason: &'static str,
}

pub type Rule = fn(&Source) -> Vec<String>;

/// All rules that look at one file.
pub const RULES: &[Rule] = &[
    floors,
    families,
    synchronous,
    reactor,
    impure,
    unsafe_code,
    locks,
    header,
    line_length,
    ascii,
    bans,
    names,
    glob_imports,
    module_files,
    sizes,
];

fn floor_of(part: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == part)
        .map(|(_, floor)| *floor)
}

fn at(source: &Source, position: usize, message: &str) -> String {
    format!("{}:{}: {message}", source.path, source.line_at(position))
}

/// R1: imports go down. Test modules count too: a part is testable without those above it.
pub fn floors(source: &Source) -> Vec<String> {
    let Some(part) = source.part() else {
        return Vec::new();
    };
    let Some(own) = floor_of(part) else {
        return vec![format!("{}: src/{part}/ is not in FLOORS", source.path)];
    };
    let mut found = Vec::new();
    for (position, path) in imports(source) {
        let other = path[0].as_str();
        let allowed = other == part || floor_of(other).is_some_and(|floor| floor < own);
        if !allowed {
            found.push(at(
                source,
                position,
                &format!("{part} (floor {own}) imports {other}"),
            ));
        }
    }
    found
}

/// Paths from the crate's root, however they are spelled.
fn imports(source: &Source) -> Vec<(usize, Vec<String>)> {
    let mut all = paths(&source.code, "crate");
    let depth = source.path.matches('/').count() - usize::from(source.path.ends_with("/mod.rs"));
    for (position, path) in paths(&source.shipped, "super") {
        let first = path.iter().position(|s| s != "super").unwrap_or(path.len());
        // `super` counts once for the root of `paths` itself.
        if first + 1 >= depth && first < path.len() {
            all.push((position, path[first..].to_vec()));
        }
    }
    all
}

/// R2: a data command cannot see sessions, sockets or replication.
pub fn families(source: &Source) -> Vec<String> {
    let Some(family) = source.family().filter(|f| DATA_FAMILIES.contains(f)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (position, path) in paths(&source.code, "crate") {
        let low = floor_of(&path[0]).is_some_and(|floor| floor <= DATA_FLOOR_MAX);
        let inner = path.get(1).map_or("", String::as_str);
        let own = path[0] == "commands" && (inner == "row" || inner == family);
        if !low && !own {
            let message = format!("data family {family} imports {}", path.join("::"));
            found.push(at(source, position, &message));
        }
    }
    found
}

fn is_synchronous(source: &Source) -> bool {
    source
        .part()
        .is_some_and(|part| SYNCHRONOUS.contains(&part))
        || source
            .family()
            .is_some_and(|family| DATA_FAMILIES.contains(&family))
}

/// R3: a handler that cannot yield is atomic by construction.
pub fn synchronous(source: &Source) -> Vec<String> {
    if !is_synchronous(source) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for word in ["async", "await"] {
        for position in source.words(word) {
            found.push(at(
                source,
                position,
                &format!("`{word}` in synchronous code (R3)"),
            ));
        }
    }
    for (position, path) in paths(&source.shipped, "crate") {
        if path[0] == "runtime" {
            found.push(at(source, position, "the runtime in synchronous code (R3)"));
        }
    }
    found
}

/// R4: one folder to fix, to simulate, to replace.
pub fn reactor(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/") || source.part() == Some("runtime") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for word in ["glommio", "io_uring"] {
        for position in source.words(word) {
            found.push(at(
                source,
                position,
                &format!("{word} outside src/runtime (R4)"),
            ));
        }
    }
    found
}

/// R5: determinism; a run can be replayed from its seed.
pub fn impure(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/")
        || IMPURE_ALLOWED
            .iter()
            .any(|allowed| source.path.starts_with(allowed))
    {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (position, path) in paths(&source.shipped, "std") {
        let inner = path.get(1).map_or("", String::as_str);
        let banned = match path[0].as_str() {
            "time" => inner != "Duration",
            "env" => inner != "consts",
            "fs" => true,
            "thread" => inner == "sleep",
            _ => false,
        };
        if banned {
            found.push(at(
                source,
                position,
                &format!("std::{} (R5)", path.join("::")),
            ));
        }
    }
    for krate in ["rand", "getrandom", "fastrand", "quanta"] {
        for (position, _) in paths(&source.shipped, krate) {
            found.push(at(source, position, &format!("{krate} (R5)")));
        }
    }
    found
}

/// R6: a small surface to review. Each block also says why it is sound.
pub fn unsafe_code(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/") {
        return Vec::new();
    }
    let allowed = source
        .part()
        .is_some_and(|part| UNSAFE_ALLOWED.contains(&part));
    let lines: Vec<&str> = source.text.lines().collect();
    let mut found = Vec::new();
    for position in words(&source.code, "unsafe") {
        let line = source.line_at(position);
        let after = source.code[position + 6..].trim_start();
        if !allowed {
            found.push(at(
                source,
                position,
                "unsafe outside base, object, runtime (R6)",
            ));
        } else if (after.starts_with('{') || after.starts_with("impl"))
            && !lines[line.saturating_sub(SAFETY_REACH)..line]
                .iter()
                .any(|l| l.contains("SAFETY:"))
        {
            found.push(at(
                source,
                position,
                "unsafe without a SAFETY comment above it (R6)",
            ));
        }
    }
    found
}

/// How far above an unsafe block its reason may begin: long reasons run over several lines.
const SAFETY_REACH: usize = 8;

/// R7: thread per core means owning, not sharing.
pub fn locks(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/")
        || source
            .part()
            .is_some_and(|part| LOCKS_ALLOWED.contains(&part))
    {
        return Vec::new();
    }
    let mut found = Vec::new();
    for word in ["Mutex", "RwLock", "Condvar"] {
        for position in source.words(word) {
            found.push(at(
                source,
                position,
                &format!("{word} outside runtime, observe (R7)"),
            ));
        }
    }
    found
}

/// Every file says what it is, why it exists and what it leaves out.
pub fn header(source: &Source) -> Vec<String> {
    let lines = source
        .text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .count();
    if lines >= HEADER_LINES {
        return Vec::new();
    }
    vec![format!(
        "{}:1: opens with {lines} lines of //!, wants {HEADER_LINES}",
        source.path
    )]
}

pub fn line_length(source: &Source) -> Vec<String> {
    let long = source
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.chars().count() > LINE_MAX);
    long.map(|(i, _)| format!("{}:{}: line over {LINE_MAX}", source.path, i + 1))
        .collect()
}

pub fn ascii(source: &Source) -> Vec<String> {
    let odd = source
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_ascii());
    odd.map(|(i, _)| format!("{}:{}: not ASCII", source.path, i + 1))
        .collect()
}

/// Open work lives in the tracker; debugging and unexplained panics stay out of the tree.
pub fn bans(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for mark in [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
    ] {
        for position in words(&source.text, mark) {
            found.push(at(source, position, mark));
        }
    }
    for text in [
        concat!("dbg", "!("),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ] {
        for (position, _) in source.code.match_indices(text) {
            found.push(at(source, position, text));
        }
    }
    for (position, _) in source.code.match_indices("#[ignore") {
        found.push(at(source, position, "an ignored test"));
    }
    for (position, _) in source.shipped.match_indices(".unwrap()") {
        found.push(at(
            source,
            position,
            "unwrap(): say the invariant with expect(\"...\")",
        ));
    }
    found
}

const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "manager", "misc",
];

/// Names that say nothing, and prefixes that add nothing.
pub fn names(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let stems = source
        .path
        .split('/')
        .map(|name| name.trim_end_matches(".rs"));
    for name in stems.filter(|name| EMPTY_NAMES.contains(name)) {
        found.push(format!("{}:1: the name {name} says nothing", source.path));
    }
    for name in EMPTY_NAMES {
        for (position, _) in source.code.match_indices(&format!("mod {name} ")) {
            found.push(at(
                source,
                position,
                &format!("the name {name} says nothing"),
            ));
        }
    }
    for function in functions(&source.shipped) {
        if function.name.starts_with("get_") {
            found.push(at(
                source,
                function.start,
                &format!("{}: no get_ prefix", function.name),
            ));
        }
    }
    for keyword in ["struct", "enum", "trait"] {
        for position in source.words(keyword) {
            let name = source.shipped[position + keyword.len()..].trim_start();
            let name = name
                .split(|c: char| !c.is_alphanumeric())
                .next()
                .unwrap_or("");
            if ["Manager", "Helper", "Impl"]
                .iter()
                .any(|suffix| name.ends_with(suffix))
            {
                found.push(at(
                    source,
                    position,
                    &format!("the name {name} says nothing"),
                ));
            }
        }
    }
    found
}

/// A reader must see where a name comes from.
pub fn glob_imports(source: &Source) -> Vec<String> {
    let positions = source.shipped.match_indices("use super::*");
    positions
        .map(|(position, _)| at(source, position, "use super::* outside tests"))
        .collect()
}

/// `mod.rs` holds docs, `mod`, `pub use` and rows.
pub fn module_files(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/") || !source.path.ends_with("/mod.rs") {
        return Vec::new();
    }
    let all = functions(&source.shipped);
    all.iter()
        .map(|f| at(source, f.start, &format!("fn {} in mod.rs", f.name)))
        .collect()
}

/// Files, functions and parameter lists that fit into a head.
pub fn sizes(source: &Source) -> Vec<String> {
    let (file_max, function_max) = limits(source);
    let mut found = excess(source, "", file_lines(source), file_max);
    let code = if source.shipped.is_empty() {
        &source.code
    } else {
        &source.shipped
    };
    for function in functions(code) {
        found.extend(excess(source, &function.name, function.lines, function_max));
        if function.parameters > PARAMETERS_MAX {
            let message = format!("fn {}: {} parameters", function.name, function.parameters);
            found.push(at(source, function.start, &message));
        }
    }
    found
}

/// How long a file and its functions may be.
pub fn limits(source: &Source) -> (usize, usize) {
    if source.shipped.is_empty() {
        (TEST_FILE_MAX, TEST_FUNCTION_MAX)
    } else {
        (FILE_MAX, FUNCTION_MAX)
    }
}

/// Lines of a file without its test modules.
pub fn file_lines(source: &Source) -> usize {
    let total = source.text.lines().count();
    if source.shipped.is_empty() {
        return total;
    }
    let tests = source.code.lines().zip(source.shipped.lines());
    total
        - tests
            .filter(|(code, shipped)| code.trim() != shipped.trim())
            .count()
}

fn excess(source: &Source, item: &str, lines: usize, limit: usize) -> Vec<String> {
    let exception = EXCEPTIONS
        .iter()
        .find(|e| e.path == source.path && e.item == item);
    let allowed = exception.map_or(limit, |e| e.lines);
    if lines <= allowed {
        return Vec::new();
    }
    let what = if item.is_empty() {
        "file".to_owned()
    } else {
        format!("fn {item}")
    };
    vec![format!(
        "{}: {what} has {lines} lines, {allowed} allowed",
        source.path
    )]
}
