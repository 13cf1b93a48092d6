//! `--check-aof`: is a log whole, and what can be done if it is not.
//!
//! What redis-check-aof does for its files, this does for both servers': a manifest with all its
//! files, or a single file with or without a snapshot at its beginning. It never changes anything
//! unless told so (`--fix`, `--truncate-to-timestamp`), and then only the end of the last file.

use crate::config::Config;
use crate::keyspace::SlotMap;
use crate::object::Packing;
use crate::persistence::aof::files::read_manifest;
use crate::persistence::aof::frame::checksum_line;
use crate::persistence::aof::manifest::Kind;
use crate::persistence::aof::scan::{Ending, Scanner};
use crate::persistence::{Fed, Loader, Rules};
use crate::runtime::file::Incoming;
use crate::runtime::log_file::{self, LogFile};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub path: PathBuf,
    pub is_fix: bool,
    /// What was written after this second is to go, Unix seconds.
    pub until: Option<i64>,
}

const USAGE: &str = "Usage: ringshard --check-aof [--fix|--truncate-to-timestamp $timestamp] \
                     <file.manifest|file.aof>";
const CHUNK_BYTES: usize = 1 << 20;

/// A file that was read.
struct Checked {
    name: String,
    path: PathBuf,
    len: u64,
    safe: u64,
    /// Why it is not whole.
    damage: Option<String>,
    salvaged: Vec<u8>,
    commands: u64,
    is_covered: bool,
    /// Where what is too late begins.
    late: Option<u64>,
}

impl Request {
    /// Reads the words behind `--check-aof`.
    pub fn parse(words: &[String]) -> Option<Request> {
        match words {
            [path] => Some(Request {
                path: path.into(),
                ..Request::default()
            }),
            [fix, path] if fix == "--fix" => Some(Request {
                path: path.into(),
                is_fix: true,
                until: None,
            }),
            [option, seconds, path] if option == "--truncate-to-timestamp" => Some(Request {
                path: path.into(),
                is_fix: false,
                until: Some(seconds.parse().ok().filter(|seconds| *seconds > 0)?),
            }),
            _ => None,
        }
    }
}

/// Checks what these words name; the exit code.
pub fn run(words: &[String]) -> u8 {
    let Some(request) = Request::parse(words) else {
        println!("{USAGE}");
        return 1;
    };
    match check(&request) {
        Ok(()) => 0,
        Err(line) => {
            println!("{line}");
            1
        }
    }
}

fn check(request: &Request) -> Result<(), String> {
    let path = &request.path;
    if path.extension().is_none_or(|end| end != "manifest") {
        println!("Start checking Old-Style AOF");
        let checked = read(path, request.until)?;
        settle(&checked, "AOF", true, request)?;
        return Ok(());
    }
    println!("Start checking Multi Part AOF");
    let found = read_manifest(path).map_err(|lines| lines.join("\n"))?;
    let manifest = found.ok_or_else(|| format!("Cannot open file {}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let last = manifest.parts().count();
    let mut kind = None;
    for (number, part) in manifest.parts().enumerate() {
        let label = match part.kind {
            Kind::Base => "BASE AOF",
            _ => "INCR AOF",
        };
        if kind != Some(part.kind) {
            println!("Start to check {label} file(s).");
            kind = Some(part.kind);
        }
        let checked = read(&folder.join(&part.name), request.until)?;
        settle(&checked, label, number + 1 == last, request)?;
    }
    println!("All AOF files and manifest are valid");
    Ok(())
}

/// Says how a file is, and mends it if that is asked for.
fn settle(checked: &Checked, label: &str, is_last: bool, request: &Request) -> Result<(), String> {
    let Checked {
        name, len, safe, ..
    } = checked;
    let sum = if checked.is_covered {
        ", checksums verified"
    } else {
        ""
    };
    println!(
        "AOF analyzed: filename={name}, size={len}, ok_up_to={safe}, diff={}, commands={}{sum}",
        len - safe,
        checked.commands
    );
    if let Some(late) = checked.late {
        return cut_late(checked, late, is_last, request);
    }
    let Some(damage) = &checked.damage else {
        if let Some(seconds) = request.until {
            println!("Truncate nothing in AOF {name} to timestamp {seconds}");
        }
        println!("{label} {name} is valid");
        return Ok(());
    };
    println!("{damage}");
    if !request.is_fix {
        return Err(format!(
            "{label} {name} is not valid. Use the --fix option to try fixing it."
        ));
    }
    if !is_last {
        return Err(format!(
            "Failed to truncate AOF {name} because it is not the last file"
        ));
    }
    mend(checked)
}

/// Cuts off what is not whole; what was whole in a stretch that is cut is written once more.
fn mend(checked: &Checked) -> Result<(), String> {
    let Checked {
        name, len, safe, ..
    } = checked;
    println!(
        "This will shrink the AOF {name} from {len} bytes, with {} bytes, to {safe} bytes",
        len - safe
    );
    print!("Continue? [y/N]: ");
    let mut answer = String::new();
    let is_asked =
        std::io::stdout().flush().is_ok() && std::io::stdin().read_line(&mut answer).is_ok();
    if !is_asked || !answer.starts_with(['y', 'Y']) {
        return Err("Aborting...".into());
    }
    let failed = |error: std::io::Error| format!("Failed to truncate AOF {name}: {error}");
    log_file::truncate(&checked.path, *safe).map_err(failed)?;
    if !checked.salvaged.is_empty() {
        let mut piece = checksum_line(&checked.salvaged).into_bytes();
        piece.extend_from_slice(&checked.salvaged);
        let mut file = LogFile::open(&checked.path).map_err(failed)?;
        file.append(&piece).map_err(|torn| failed(torn.error))?;
        file.sync().map_err(failed)?;
    }
    println!("Successfully truncated AOF {name}");
    Ok(())
}

fn cut_late(checked: &Checked, at: u64, is_last: bool, request: &Request) -> Result<(), String> {
    let (name, seconds) = (&checked.name, request.until.unwrap_or_default());
    if !is_last {
        return Err(format!(
            "Failed to truncate AOF {name} to timestamp {seconds} to offset {at} because it is \
             not the last file.\nIf you insist, please delete all files after this file according \
             to the manifest file and delete the corresponding records in manifest file manually. \
             Then re-run ringshard --check-aof."
        ));
    }
    log_file::truncate(&checked.path, at).map_err(|error| {
        format!("Failed to truncate AOF {name} to timestamp {seconds}: {error}")
    })?;
    println!("Successfully truncated AOF {name} to timestamp {seconds}");
    Ok(())
}

/// Reads a file from its beginning to its end.
fn read(path: &Path, until: Option<i64>) -> Result<Checked, String> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let unreadable = |error: std::io::Error| format!("Cannot read file {name}: {error}");
    let opened = Incoming::open(path).map_err(unreadable)?;
    let mut file = opened.ok_or_else(|| format!("Cannot open file {name}, aborting..."))?;
    let mut progress = Progress::new(&name, file.len());
    let mut chunk = Vec::new();
    file.read(&mut chunk, CHUNK_BYTES).map_err(unreadable)?;
    let is_snapshot = chunk.starts_with(b"REDIS") || chunk.starts_with(b"VALKEY");
    let mut offset = 0;
    if is_snapshot {
        (chunk, offset) = pass_snapshot(&mut file, chunk, &mut progress)?;
    }
    let mut scanner = Scanner::at(offset);
    scanner.stop_behind(until);
    let mut damage = None;
    while damage.is_none() && !chunk.is_empty() && scanner.late().is_none() {
        damage = scanner.feed(&chunk).err();
        drop(scanner.take_ready());
        progress.reached(scanner.safe());
        chunk.clear();
        file.read(&mut chunk, CHUNK_BYTES).map_err(unreadable)?;
    }
    let ending = match damage {
        Some(damage) => Err(damage),
        None if scanner.late().is_some() => Ok(Ending::Whole),
        None => scanner.end(),
    };
    progress.end();
    let damage = match ending {
        Ok(Ending::Whole) => None,
        Ok(Ending::Short) => Some(format!("{name}: the last command is not all there")),
        Ok(Ending::InMulti) => Some("Reached EOF before reading EXEC for MULTI".into()),
        Err(damage) => Some(format!("{name}: {:#18x}: {}", damage.offset, damage.what)),
    };
    Ok(Checked {
        len: file.len(),
        safe: scanner.safe(),
        salvaged: scanner.take_salvaged(),
        commands: scanner.commands(),
        is_covered: scanner.is_covered(),
        late: scanner.late(),
        path: path.to_owned(),
        damage,
        name,
    })
}

/// Reads a snapshot to its end; what stands behind it, and where.
fn pass_snapshot(
    file: &mut Incoming,
    mut chunk: Vec<u8>,
    progress: &mut Progress,
) -> Result<(Vec<u8>, u64), String> {
    let mut loader = Loader::new(rules());
    let refused = |error: &dyn std::fmt::Display| format!("RDB preamble of AOF file: {error}");
    loop {
        let fed = loader.feed(&chunk, &mut |_, _| Ok(()));
        progress.reached(loader.summary().bytes);
        if let Fed::Ended(rest) = fed.map_err(|error| refused(&error))? {
            println!(
                "RDB preamble is OK, {} keys, proceeding with AOF tail...",
                loader.summary().keys
            );
            return Ok((rest, loader.summary().bytes));
        }
        chunk.clear();
        let read = file.read(&mut chunk, CHUNK_BYTES);
        if read.map_err(|error| refused(&error))? == 0 {
            return Err(refused(&loader.cut_off()));
        }
    }
}

fn rules() -> Rules {
    Rules {
        map: SlotMap::new(1),
        databases: u32::MAX,
        verifies: true,
        expired_by_ms: None,
        merges: false,
        packing: Packing::from(&Config::default()),
    }
}

/// A bar on a terminal, nothing elsewhere.
struct Progress {
    name: String,
    len: u64,
    shown: Option<u64>,
}

impl Progress {
    fn new(name: &str, len: u64) -> Progress {
        let is_seen = std::io::stderr().is_terminal();
        Progress {
            name: name.to_owned(),
            len: len.max(1),
            shown: is_seen.then_some(u64::MAX),
        }
    }

    fn reached(&mut self, offset: u64) {
        /// Marks in a full bar.
        const WIDTH: u64 = 40;
        let percent = offset * 100 / self.len;
        if self.shown.is_some_and(|shown| shown != percent) {
            self.shown = Some(percent);
            let done = "#".repeat((percent * WIDTH / 100) as usize);
            eprint!("\r{} [{done:<40}] {percent:3}%", self.name);
        }
    }

    fn end(&self) {
        if self.shown.is_some() {
            eprintln!();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_as_redis_check_aof_takes_them() {
        let parse = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            Request::parse(&words)
        };
        let plain = parse("a.manifest").unwrap();
        assert_eq!((plain.is_fix, plain.until), (false, None));
        assert!(parse("--fix a.aof").unwrap().is_fix);
        let until = parse("--truncate-to-timestamp 1700000000 a.aof").unwrap();
        assert_eq!(until.until, Some(1_700_000_000));
        for line in ["--truncate-to-timestamp x a", "--fix a b", "a b c d"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
