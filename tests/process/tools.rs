//! The tools that people use with Redis: redis-cli, redis-benchmark, redis-py.
//!
//! They run as they are, against our port, and their own judgement counts: exit code, error lines.
//! A tool that is missing is named and skipped.

use crate::support::{Server, Setup};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs a tool against a server; its output, or none if it is not installed.
fn tool(name: &str, server: &Server, args: &[&str]) -> Option<String> {
    let port = server.port().to_string();
    let mut command = Command::new(name);
    let Ok(output) = command
        .args(["-p", &port])
        .args(args)
        .stdin(Stdio::null())
        .output()
    else {
        println!("SKIPPED: {name} is not installed");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{name} {args:?}: {:?}\n{text}",
        output.status
    );
    Some(text.into_owned())
}

/// What redis-benchmark runs when it is not told what to run.
const TESTS: [&str; 20] = [
    "PING_INLINE",
    "PING_MBULK",
    "SET",
    "GET",
    "INCR",
    "LPUSH",
    "RPUSH",
    "LPOP",
    "RPOP",
    "SADD",
    "HSET",
    "SPOP",
    "ZADD",
    "ZPOPMIN",
    "LPUSH (needed to benchmark LRANGE)",
    "LRANGE_100 (first 100 elements)",
    "LRANGE_300 (first 300 elements)",
    "LRANGE_500 (first 500 elements)",
    "LRANGE_600 (first 600 elements)",
    "MSET (10 keys)",
];

/// All of redis-benchmark's tests; `BENCHMARK_REQUESTS=` says how many requests each sends.
fn benchmark(shards: usize, extra: &[&str]) {
    let server = Server::ringshard(shards);
    let requests = std::env::var("BENCHMARK_REQUESTS").unwrap_or("500".into());
    let args = ["-q", "-n", &requests];
    let Some(text) = tool("redis-benchmark", &server, &[&args[..], extra].concat()) else {
        return;
    };
    for test in TESTS {
        assert!(
            text.contains(&format!("{test}: ")),
            "{test} is missing:\n{text}"
        );
    }
    let bad = text.to_lowercase();
    assert!(
        !bad.contains("error") && !bad.contains("warning: could not"),
        "{text}"
    );
}

#[test]
fn redis_benchmark_finishes() {
    benchmark(1, &[]);
    benchmark(7, &["-r", "1000"]);
}

#[test]
fn redis_benchmark_finishes_with_pipelines() {
    let threaded = ["-P", "16", "-r", "1000", "--threads", "2"];
    benchmark(2, &threaded);
    benchmark(7, &[&threaded[..], &["-c", "200"]].concat());
}

#[test]
fn redis_cli_scans_all_keys() {
    let server = Server::ringshard(7);
    let mut client = server.client();
    for i in 0..500 {
        client.call(&format!("SET key:{i} {i}"));
    }
    client.call("SET other x");
    let Some(text) = tool("redis-cli", &server, &["--scan", "--pattern", "key:*"]) else {
        return;
    };
    let mut keys: Vec<&str> = text.lines().collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 500);
}

#[test]
fn redis_cli_finds_big_keys() {
    let server = Server::ringshard(7);
    let mut client = server.client();
    for i in 0..200 {
        client.call(&format!("SET key:{i} {i}"));
    }
    client.call_args(&["SET", "the-big-one", &"x".repeat(10_000)]);
    if let Some(text) = tool("redis-cli", &server, &["--bigkeys"]) {
        assert!(
            text.contains("the-big-one") && text.contains("10000 bytes"),
            "{text}"
        );
        assert!(text.contains("Sampled 201 keys"), "{text}");
    }
    if let Some(text) = tool("redis-cli", &server, &["--memkeys"]) {
        assert!(text.contains("the-big-one"), "{text}");
    }
}

#[test]
fn redis_cli_shows_statistics() {
    let server = Server::ringshard(2);
    server.client().call("SET a 1");
    let port = server.port().to_string();
    let mut command = Command::new("redis-cli");
    let child = command
        .args(["-p", &port, "-i", "0.1", "--stat"])
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("SKIPPED: redis-cli is not installed");
        return;
    };
    let output = BufReader::new(child.stdout.take().expect("a piped output"));
    let lines: Vec<String> = output
        .lines()
        .take(4)
        .map(|line| line.expect("text"))
        .collect();
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    let fields: Vec<&str> = lines[3].split_whitespace().collect();
    assert_eq!(fields[0], "1", "one key: {lines:?}");
    assert!(
        fields[1].ends_with(['K', 'M', 'B']),
        "a memory column: {lines:?}"
    );
}

#[test]
fn redis_cli_inserts_in_bulk() {
    let server = Server::ringshard(7);
    let port = server.port().to_string();
    let mut command = Command::new("redis-cli");
    command
        .args(["-p", &port, "--pipe"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("SKIPPED: redis-cli is not installed");
        return;
    };
    let mut input = child.stdin.take().expect("a piped input");
    for i in 0..10_000 {
        write!(input, "SET key:{i} {i}\r\n").expect("redis-cli reads");
    }
    drop(input);
    let output = child.wait_with_output().expect("redis-cli ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("errors: 0, replies: 10000"), "{text}");
    assert_eq!(server.client().call("DBSIZE").integer(), 10_000);
}

#[test]
fn redis_py_is_content() {
    let Some(python) = python_with_redis() else {
        println!("SKIPPED: no python with the package redis; tests/run.sh makes one");
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/redis_py");
    let mut scripts: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder of scripts")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .collect();
    scripts.sort();
    assert!(!scripts.is_empty());
    for script in scripts {
        let server = Setup::ringshard(7).start();
        let output = Command::new(&python)
            .arg("-B")
            .arg(&script)
            .env("PORT", server.port().to_string())
            .output()
            .expect("python runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:\n{text}", script.display());
    }
}

/// The interpreter that `tests/run.sh` prepared, or any that has the package.
fn python_with_redis() -> Option<PathBuf> {
    let prepared = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    let has_redis = |python: &PathBuf| {
        let mut command = Command::new(python);
        command.args(["-c", "import redis"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    [prepared, PathBuf::from("python3")]
        .into_iter()
        .find(has_redis)
}
