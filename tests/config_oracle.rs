//! Configuration against a running redis-server: same names, values, replies, errors, files.
//!
//! The server listens on a unix socket in a temporary directory and on no port. Where redis-server
//! is not installed the tests say so and end. What Redis 7.2 has and 7.0 has not is listed below;
//! every other difference is a mistake of ours.

#[path = "config_oracle/cases.rs"]
mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cases::{BAD_ARGUMENTS, BAD_TEXTS, CONSEQUENTIAL, NEWER, REWRITES, VALUES};
use ringshard::base::glob::matches;
use ringshard::config::rewrite::rewrite;
use ringshard::config::row::{Kind, Special};
use ringshard::config::table::{named, rows};
use ringshard::config::{Caller, Config, Startup};

const PATIENCE: Duration = Duration::from_secs(20);

struct Oracle {
    child: Child,
    directory: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
        std::fs::remove_dir_all(&self.directory).expect("a directory of ours");
    }
}

impl Oracle {
    /// A server with a configuration file in a directory of its own.
    fn start(test: &str, lines: &str) -> Option<Oracle> {
        let directory = directory(test)?;
        let file = directory.join("redis.conf");
        let socket = directory.join("socket");
        let text = format!(
            "{lines}\ndir {0}\nport 0\nunixsocket {0}/socket\n",
            directory.display()
        );
        std::fs::write(&file, text).expect("a temporary file");
        let mut child = Command::new("redis-server")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("directory() saw it run");
        let until = Instant::now() + PATIENCE;
        let stream = loop {
            match UnixStream::connect(&socket) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < until, "no server: {error}"),
            }
            let ended = child.try_wait().expect("a child of ours");
            assert!(ended.is_none(), "redis-server refused {lines:?}");
            std::thread::yield_now();
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Some(Oracle {
            child,
            directory,
            stream: BufReader::new(stream),
        })
    }

    fn file(&self) -> PathBuf {
        self.directory.join("redis.conf")
    }

    /// The reply's strings; an error or a status is one.
    fn ask(&mut self, words: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend(format!("${}\r\n", word.len()).bytes());
            request.extend(*word);
            request.extend(b"\r\n");
        }
        self.stream
            .get_mut()
            .write_all(&request)
            .expect("the server listens");
        self.reply()
    }

    fn reply(&mut self) -> Vec<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).expect("a reply");
        let text = line
            .strip_suffix(b"\r\n")
            .unwrap_or_else(|| panic!("cut off: {line:?}"));
        let number = || -> usize {
            std::str::from_utf8(&text[1..])
                .expect("a number")
                .parse()
                .expect("a number")
        };
        match text[0] {
            b'*' => (0..number()).flat_map(|_| self.reply()).collect(),
            b'$' => {
                let mut bulk = vec![0; number() + 2];
                self.stream.read_exact(&mut bulk).expect("a reply");
                bulk.truncate(bulk.len() - 2);
                vec![bulk]
            }
            _ => vec![text[1..].to_vec()],
        }
    }

    fn find(&mut self, pattern: &str) -> BTreeMap<String, String> {
        pairs(self.ask(&[b"CONFIG", b"GET", pattern.as_bytes()]))
    }

    fn load(&self) -> Config {
        load(&[self.file().into()]).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A new directory, or `None` if there is no redis-server to compare with.
fn directory(test: &str) -> Option<PathBuf> {
    if Command::new("redis-server")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("SKIPPED: redis-server is not installed");
        return None;
    }
    let name = format!("ringshard-{test}-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory).expect("a temporary directory");
    Some(directory)
}

fn load(args: &[OsString]) -> Result<Config, String> {
    match Config::load(args) {
        Ok(Startup::Run { loaded, .. }) => Ok(loaded.config),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

fn pairs(reply: Vec<Vec<u8>>) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    reply
        .chunks(2)
        .map(|pair| (text(&pair[0]), text(&pair[1])))
        .collect()
}

fn find(config: &Config, pattern: &str) -> BTreeMap<String, String> {
    let found = config.find(&[pattern.as_bytes()]);
    pairs(
        found
            .into_iter()
            .flat_map(|(name, value)| [name, value])
            .collect(),
    )
}

#[test]
fn names_and_defaults_are_the_same() {
    let Some(mut oracle) = Oracle::start("names", "") else {
        return;
    };
    let theirs = oracle.find("*");
    let mut ours = find(&oracle.load(), "*");
    for name in NEWER {
        assert!(
            !theirs.contains_key(*name) && ours.remove(*name).is_some(),
            "{name}"
        );
    }
    assert_eq!(ours, theirs);
    for pattern in [
        "*slave*",
        "MAX*",
        "[a-c]*",
        "port",
        "use-exit-on-panic",
        "use-exit*",
        "?z",
    ] {
        let mut ours = find(&oracle.load(), pattern);
        ours.retain(|name, _| !NEWER.contains(&name.as_str()));
        assert_eq!(ours, oracle.find(pattern), "{pattern}");
    }
    for row in rows().iter().filter(|row| row.is_hidden) {
        assert_eq!(find(&oracle.load(), row.name), oracle.find(row.name));
    }
}

#[test]
fn config_set_replies_are_the_same() {
    let lines = "enable-protected-configs yes\nlogfile /dev/null";
    let Some(mut oracle) = Oracle::start("set", lines) else {
        return;
    };
    let mut config = oracle.load();
    let mut compared = 0;
    for named in named().filter(|named| !NEWER.contains(&named.name)) {
        let row = named.id.row();
        if named.name.starts_with("tls-") || CONSEQUENTIAL.contains(&named.name) {
            continue;
        }
        for value in VALUES {
            // The list of levels is longer in 7.2.
            if named.name == "loglevel" && *value != "debug" {
                continue;
            }
            let pair: (&[u8], &[u8]) = (named.name.as_bytes(), value.as_bytes());
            let theirs = oracle.ask(&[b"CONFIG", b"SET", pair.0, pair.1]).concat();
            let theirs = String::from_utf8_lossy(&theirs).into_owned();
            let ours = match config.set_all(
                &[pair],
                Caller {
                    is_local: true,
                    is_loading: false,
                },
            ) {
                Ok(next) => {
                    config = next;
                    "OK".to_string()
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(ours, theirs, "CONFIG SET {} {value:?}", row.name);
            if ours == "OK" {
                let shown = find(&config, row.name);
                assert_eq!(
                    shown,
                    oracle.find(row.name),
                    "after CONFIG SET {} {value:?}",
                    row.name
                );
            }
            compared += 1;
        }
    }
    assert!(compared > 10_000, "only {compared}");
}

#[test]
fn config_set_of_several_is_the_same() {
    let Some(mut oracle) = Oracle::start("several", "") else {
        return;
    };
    let config = oracle.load();
    for pairs in [
        &["hz", "20", "timeout", "x"][..],
        &["hz", "20", "bogus", "1", "port", "x"],
        &["bogus", "1", "hz", "20"],
        &["HZ", "20", "hz", "21"],
        &["min-slaves-to-write", "1", "min-replicas-to-write", "x"],
        &["databases", "1", "bogus", "1"],
        &["Dir", "/"],
        &["Databases", "1"],
        &["Slave-Read-Only", "x"],
    ] {
        let mut request: Vec<&[u8]> = vec![b"CONFIG", b"SET"];
        request.extend(pairs.iter().map(|word| word.as_bytes()));
        let theirs = oracle.ask(&request).concat();
        let pairs: Vec<(&[u8], &[u8])> = pairs
            .chunks(2)
            .map(|pair| (pair[0].as_bytes(), pair[1].as_bytes()))
            .collect();
        let ours = config
            .set_all(&pairs, Caller::default())
            .expect_err("all are wrong");
        assert_eq!(ours.to_string(), String::from_utf8_lossy(&theirs));
        assert_eq!(oracle.find("hz")["hz"], "10");
    }
}

/// What redis-server prints about a file and arguments that it must refuse.
fn refusal(file: &Path, args: &[&str]) -> String {
    let output = Command::new("redis-server")
        .arg(file)
        .args(args)
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stderr).expect("text");
    let theirs = text
        .split_once("(Redis ")
        .and_then(|(_, rest)| rest.split_once(')'));
    let theirs = theirs.map_or(String::new(), |(version, _)| format!("Redis {version}"));
    let text = text.replacen(&theirs, concat!("Ringshard ", env!("CARGO_PKG_VERSION")), 1);
    text.trim_end_matches('\n').to_string()
}

#[test]
fn fatal_errors_are_the_same() {
    let Some(directory) = directory("fatal") else {
        return;
    };
    let file = directory.join("bad.conf");
    let included = directory.join("included.conf");
    std::fs::write(&included, "\n\n# three\nhz x\n").expect("a temporary file");
    let include = format!("hz 5\ninclude {}", included.display());
    let wild = format!("hz 5\ninclude {}/inc*.conf", directory.display());
    // If a text were acceptable after all, a server without any port ends at once.
    for text in BAD_TEXTS.iter().chain(&[&include[..], &wild]) {
        std::fs::write(&file, format!("port 0\n{text}\n")).expect("a temporary file");
        let ours = load(&[file.clone().into()]).map(|_| ());
        assert_eq!(ours, Err(refusal(&file, &[])), "{text:?}");
    }
    std::fs::write(&file, "port 0\nhz 5\n").expect("a temporary file");
    for args in BAD_ARGUMENTS {
        let mut ours: Vec<OsString> = vec![file.clone().into()];
        ours.extend(args.iter().map(OsString::from));
        assert_eq!(
            load(&ours).map(|_| ()),
            Err(refusal(&file, args)),
            "{args:?}"
        );
    }
    std::fs::remove_dir_all(&directory).expect("ours");
}

/// Lines up to the signature as they are, and those behind it in any order: Redis's is random.
fn arranged(text: &str) -> (Vec<String>, Vec<String>) {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("user "))
        .map(str::to_string);
    let mut head: Vec<String> = lines.collect();
    let signature = head
        .iter()
        .position(|line| line.starts_with("# Generated by"));
    let mut tail = head.split_off(signature.unwrap_or(head.len()));
    tail.sort();
    (head, tail)
}

#[test]
fn rewritten_files_are_the_same() {
    for (at, (lines, settings)) in REWRITES.iter().enumerate() {
        let Some(mut oracle) = Oracle::start(&format!("rewrite{at}"), lines) else {
            return;
        };
        // Only one file wants it; the others answer with an error.
        oracle.ask(&[b"AUTH", b"a b"]);
        let old = std::fs::read(oracle.file()).expect("ours");
        let mut config = oracle.load();
        if !settings.is_empty() {
            let pairs: Vec<(&[u8], &[u8])> = settings
                .chunks(2)
                .map(|pair| (pair[0].as_bytes(), pair[1].as_bytes()))
                .collect();
            config = config
                .set_all(&pairs, Caller::default())
                .expect("acceptable");
            let mut request: Vec<&[u8]> = vec![b"CONFIG", b"SET"];
            request.extend(settings.iter().map(|word| word.as_bytes()));
            assert_eq!(oracle.ask(&request), [b"OK".to_vec()]);
        }
        // Twice, for a file that is signed already.
        let once = rewrite(&old, &config, Some(&[]));
        let twice = rewrite(&once, &config, Some(&[]));
        for ours in [once, twice] {
            assert_eq!(oracle.ask(&[b"CONFIG", b"REWRITE"]), [b"OK".to_vec()]);
            let theirs = std::fs::read_to_string(oracle.file()).expect("ours");
            let ours = String::from_utf8(ours).expect("text");
            assert_eq!(arranged(&ours), arranged(&theirs), "file {at}");
        }
    }
}

#[test]
fn special_grammars_are_all_tried() {
    let specials = rows().iter().filter_map(|row| match row.kind {
        Kind::Special(special) => Some(special),
        _ => None,
    });
    let mut seen: Vec<Special> = specials.collect();
    seen.dedup();
    assert_eq!(seen.len(), 8, "a new one needs values above");
}

#[test]
fn patterns_match_the_same() {
    let Some(mut oracle) = Oracle::start("patterns", "save \"\"") else {
        return;
    };
    let seed = 0x9E37_79B9_7F4A_7C15u64;
    let mut state = seed;
    let mut draw = |alphabet: &[u8], most: u64| -> Vec<u8> {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let len = next() % (most + 1);
        (0..len)
            .map(|_| alphabet[(next() % alphabet.len() as u64) as usize])
            .collect()
    };
    let mut keys = BTreeSet::new();
    for _ in 0..300 {
        keys.insert(draw(b"abAB-]^\\", 6));
    }
    for key in &keys {
        assert_eq!(oracle.ask(&[b"SET", key, b"1"]), [b"OK".to_vec()]);
    }
    for _ in 0..5000 {
        let pattern = draw(b"abAB*?[]^-\\", 9);
        let theirs: BTreeSet<Vec<u8>> = oracle.ask(&[b"KEYS", &pattern]).into_iter().collect();
        let is_all = pattern == b"*";
        let ours = keys
            .iter()
            .filter(|key| is_all || matches(&pattern, key, false));
        let shown = String::from_utf8_lossy(&pattern).into_owned();
        assert_eq!(
            ours.cloned().collect::<BTreeSet<_>>(),
            theirs,
            "{shown:?}, seed {seed}"
        );
    }
}
