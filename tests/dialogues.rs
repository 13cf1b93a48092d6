//! Dialogues: what is typed and what comes back, in redis-cli's notation, `dialogues/*/*.txt`.
//!
//! Every file is spoken with a real redis-server first, so that a dialogue is true before we are,
//! then with Ringshard on 1, 2 and 7 shards, each time on a fresh server over TCP; where
//! redis-server could be asked, the bytes of the replies have to be the same too. `cargo talk
//! string/set` runs the files whose path contains the word (so does `DIALOGUE=`); `UPDATE=1`
//! writes down what redis-server says. The grammar is in `dialogues/script.rs`. A harness of its
//! own, because each file is a test.
#![allow(clippy::unwrap_used)]

#[path = "dialogues/compare.rs"]
mod compare;
#[path = "dialogues/run.rs"]
mod run;
#[path = "dialogues/script.rs"]
mod script;
mod support;

use script::Script;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, panic, thread};
use support::server::{Setup, is_stand_in};

const SHARDS: [usize; 3] = [1, 2, 7];
/// Servers mostly wait for us, so some more than there are cores.
const THREADS: usize = 6;

fn main() -> ExitCode {
    let mut words: Vec<String> = env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    words.extend(env::var("DIALOGUE"));
    if env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.retain(|file| {
        let name = file
            .strip_prefix(&root)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        words.is_empty() || words.iter().any(|word| name.contains(word.as_str()))
    });
    files.sort();
    if Setup::oracle().is_none() {
        println!("SKIPPED: no redis-server on this machine, dialogues are not held against it");
    }
    let failures = run_all(&files);
    println!(
        "dialogues: {} files, {} failures",
        files.len(),
        failures.len()
    );
    for failure in &failures {
        println!("{failure}");
    }
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            files.push(path);
        }
    }
}

fn run_all(files: &[PathBuf]) -> Vec<String> {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = panic::catch_unwind(|| speak(file));
                    let found = result.unwrap_or_else(|_| {
                        vec![format!("{}: panicked, see above", file.display())]
                    });
                    failures.lock().unwrap().extend(found);
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    failures
}

/// One file against every server.
fn speak(file: &Path) -> Vec<String> {
    let script = Script::read(file);
    let update = env::var_os("UPDATE").is_some();
    let reference = Setup::oracle().map(|setup| run::run(&script, &setup, true, None));
    let mut failures = Vec::new();
    if let Some(reference) = &reference {
        if update {
            let text = run::recorded(&script, &reference.transcript);
            fs::write(file, text).expect("a writable dialogue");
            return failures;
        }
        failures.extend(
            reference
                .failures
                .iter()
                .map(|f| format!("[redis-server] {f}")),
        );
    }
    let transcript = reference.as_ref().map(|reference| &reference.transcript);
    // A stand-in has no shards, and is as old as the reference.
    let counts = if is_stand_in() {
        &SHARDS[..1]
    } else {
        &SHARDS[..]
    };
    for &shards in counts {
        let run = run::run(
            &script,
            &Setup::ringshard(shards),
            is_stand_in(),
            transcript,
        );
        failures.extend(
            run.failures
                .iter()
                .map(|f| format!("[{shards} shards] {f}")),
        );
    }
    failures
}
