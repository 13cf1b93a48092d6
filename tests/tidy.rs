//! The house rules as a test: whoever breaks one hears it from `cargo test`, not from a reviewer.
//!
//! `tidy/rules.rs` holds the rules, `tidy/source.rs` reads files; here they meet the repository,
//! together with formatting and lints. Every rule also has to fail on a planted violation, so that
//! a rule which has gone blind is noticed.

#[path = "tidy/planted.rs"]
mod planted;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use source::{Source, functions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Everything that may stand at the top of the repository.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "LICENSE",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "src",
    "conf",
    "tests",
    "benches",
    "perf",
    "target",
    ".git",
    ".gitignore",
    ".cargo",
    ".clippy.toml",
    ".ci",
    ".github",
];

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the repository.
fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "perf"] {
        collect(&repository().join(folder), &mut files);
    }
    files.sort();
    let read = |file: &PathBuf| {
        let path = file
            .strip_prefix(repository())
            .expect("collected below the repository");
        let text = fs::read_to_string(file).expect("a source file is UTF-8");
        Source::new(&path.to_string_lossy(), &text)
    };
    files.iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.map(|entry| entry.expect("a readable folder")) {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn sources_follow_the_house_rules() {
    let sources = sources();
    assert!(
        sources.iter().any(|source| source.path == "src/lib.rs"),
        "found no sources"
    );
    let mut found = Vec::new();
    for source in &sources {
        found.extend(rules::RULES.iter().flat_map(|rule| rule(source)));
    }
    assert!(
        found.is_empty(),
        "{} violations:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn exceptions_only_shrink() {
    let sources = sources();
    for exception in rules::EXCEPTIONS {
        let source = sources.iter().find(|source| source.path == exception.path);
        let source = source.unwrap_or_else(|| panic!("no file {}", exception.path));
        let code = if source.shipped.is_empty() {
            &source.code
        } else {
            &source.shipped
        };
        let function = functions(code)
            .into_iter()
            .find(|f| f.name == exception.item);
        let (lines, limit) = match function {
            Some(function) => (function.lines, rules::limits(source).1),
            None => (rules::file_lines(source), rules::limits(source).0),
        };
        let name = format!("{} {}", exception.path, exception.item);
        assert!(
            !exception.reason.is_empty(),
            "{name}: an exception has a reason"
        );
        assert!(
            lines > limit,
            "{name}: {lines} lines need no exception any more"
        );
        assert_eq!(
            lines, exception.lines,
            "{name}: write down the shorter length"
        );
    }
}

#[test]
fn top_level_holds_only_what_belongs_there() {
    let entries = fs::read_dir(repository()).expect("a readable repository");
    for entry in entries.map(|entry| entry.expect("a readable entry")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(
            TOP_LEVEL.contains(&name.as_str()),
            "{name} does not belong at the top"
        );
    }
}

#[test]
fn src_holds_only_parts() {
    let entries = fs::read_dir(repository().join("src")).expect("a readable src");
    for entry in entries.map(|entry| entry.expect("a readable entry")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let known = ["main.rs", "lib.rs", "architecture.md"].contains(&name.as_str());
        let part = rules::FLOORS.iter().any(|(part, _)| *part == name);
        assert!(known || part, "src/{name} is no part of the house");
    }
}

#[test]
fn direct_dependencies_have_reasons() {
    let text = fs::read_to_string(repository().join("Cargo.toml")).expect("a manifest");
    let mut inside = false;
    let mut previous = "";
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
        } else if inside && line.contains('=') {
            // A crate's companion (tracing-subscriber) shares the reason above it.
            let name = previous
                .split(' ')
                .next()
                .expect("split yields at least one piece");
            let companion = !name.is_empty() && line.starts_with(&format!("{name}-"));
            let reason = previous.starts_with('#') || companion;
            assert!(reason, "Cargo.toml: no reason above `{line}`");
        }
        previous = line;
    }
}

#[test]
fn code_is_formatted() {
    run_cargo(&["fmt", "--check"]);
}

#[test]
fn clippy_is_content() {
    run_cargo(&["clippy", "--all-targets", "--quiet", "--", "-D", "warnings"]);
}

fn run_cargo(arguments: &[&str]) {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(repository())
        .output();
    let output = output.expect("cargo runs");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "cargo {}:\n{text}",
        arguments.join(" ")
    );
}
