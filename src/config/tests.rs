//! Tests of loading, the command line, CONFIG GET, SET and REWRITE, on files in memory.
//!
//! Texts here were taken from redis-server; `tests/config_oracle.rs` compares with a running one.
//! Seed-driven tests are in `fuzz.rs`.

use std::ffi::OsString;
use std::path::Path;

use super::change::{Caller, SetError};
use super::live::Config;
use super::load::DeferredKind;
use super::rewrite::rewrite;
use super::shelf::{Shelf, run};
use super::special::{BufferLimit, Master, SavePoint};
use super::{cli, table};

/// Loads one file with further arguments.
fn loaded(text: &str, args: &[&str]) -> Result<Config, String> {
    let shelf = Shelf::with(&[("/etc/a.conf", text)]);
    run(&[&["a.conf"], args].concat(), &shelf).map(|loaded| loaded.config)
}

fn ok(text: &str, args: &[&str]) -> Config {
    loaded(text, args).unwrap_or_else(|error| panic!("{text:?} {args:?}: {error}"))
}

fn shown(config: &Config, name: &str) -> String {
    String::from_utf8(config.text(name).expect("a directive")).expect("text")
}

fn set(config: &Config, pairs: &[(&str, &str)]) -> Result<Config, SetError> {
    let pairs: Vec<(&[u8], &[u8])> = pairs
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    config.set_all_with(&pairs, Caller::default(), &Shelf::default())
}

#[test]
fn later_lines_win_and_files_include_files() {
    let shelf = Shelf::with(&[
        (
            "/etc/a.conf",
            "port 1\ninclude b.conf\n  # port 9\n\n\tTIMEOUT 5\t\r\n",
        ),
        ("/etc/b.conf", "port 2\nDatabases 3"),
        ("/stdin", "databases 4"),
    ]);
    let config = run(&["a.conf", "--hz", "7", "-"], &shelf)
        .expect("fine")
        .config;
    assert_eq!(
        (config.port, config.databases, config.timeout, config.hz),
        (2, 4, 5, 7)
    );
}

#[test]
fn includes_follow_dir_and_patterns() {
    let shelf = Shelf::with(&[
        (
            "/etc/a.conf",
            "dir /data\ninclude x.conf\ninclude conf.d/*.conf\ninclude none/*\n",
        ),
        ("/data/x.conf", "port 11"),
        ("/data/conf.d/2.conf", "\nport 13\nhz 2\n"),
        ("/data/conf.d/1.conf", "port 12\nhz 1\n"),
        ("/data/conf.d/.3.conf", "port 14"),
        ("/etc/b.conf", "dir /a[b]\ninclude *.conf\n"),
        ("/a[b]/x.conf", "port 21"),
        ("/ab/x.conf", "port 22"),
    ]);
    let config = run(&["a.conf"], &shelf).expect("fine").config;
    assert_eq!(
        (config.port, config.hz, config.dir.to_str()),
        (13, 2, Some("/data"))
    );
    assert_eq!(run(&["b.conf"], &shelf).expect("fine").config.port, 21);
}

#[test]
fn an_endless_include_ends() {
    let shelf = Shelf::with(&[("/etc/a.conf", "include a.conf")]);
    let error = run(&["a.conf"], &shelf).expect_err("no end");
    assert!(
        error.ends_with("Too many nested include directives"),
        "{error}"
    );
}

/// A bad line, the line number and the reason.
fn check_bad(text: &str, number: usize, line: &str, reason: &str) {
    let expected = format!(
        "\n*** FATAL CONFIG FILE ERROR (Ringshard {}) ***\n\
         Reading the configuration file, at line {number}\n>>> '{line}'\n{reason}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(loaded(text, &[]).map(|_| ()), Err(expected), "{text:?}");
}

#[test]
fn mistakes_are_reported_as_redis_does() {
    let bad = "Bad directive or wrong number of arguments";
    check_bad(
        "port 1\n\n# c\nbogus 1 \"a b\"\n",
        4,
        "bogus 1 \"a b\"",
        bad,
    );
    check_bad(
        "port 1 # comment",
        1,
        "port 1 # comment",
        "wrong number of arguments",
    );
    check_bad("daemonize:yes", 1, "daemonize:yes", bad);
    check_bad("maxmemory<bytes>", 1, "maxmemory<bytes>", bad);
    check_bad("include", 1, "include", bad);
    check_bad("user", 1, "user", bad);
    check_bad(
        "list-max-ziplist-value 1 2",
        1,
        "list-max-ziplist-value 1 2",
        bad,
    );
    check_bad("a.b", 1, "a.b", "Module config specified without value");
    check_bad("\"x", 1, "\"x", "Unbalanced quotes in configuration line");
    check_bad(
        "slaveof h 70000",
        1,
        "slaveof h 70000",
        "Invalid master port",
    );
    check_bad("save 900", 1, "save 900", "Invalid save parameters");
    check_bad(
        "dir /missing",
        1,
        "dir /missing",
        "No such file or directory",
    );
    check_bad(
        "bind 'a b",
        1,
        "bind 'a b",
        "Unbalanced quotes in configuration line",
    );
}

#[test]
fn mistakes_without_a_line() {
    let error = loaded("slaveof h 1\ncluster-enabled yes", &[]).expect_err("both");
    assert!(
        error.ends_with(") ***\nreplicaof directive not allowed in cluster mode"),
        "{error}"
    );
    let error = loaded("logfile /missing/x", &[]).expect_err("no directory");
    assert!(
        error.ends_with("\nCan't open the log file: No such file or directory"),
        "{error}"
    );
    let error = run(&["b.conf"], &Shelf::default()).expect_err("no file");
    let missing = "can't open config file '/etc/b.conf': No such file or directory";
    assert_eq!(error, format!("Fatal error, {missing}"));
    let error = loaded("include b.conf", &[]).expect_err("no file");
    assert!(error.contains("config file 'b.conf':"), "{error}");
}

#[test]
fn options_are_lines() {
    for (args, expected) in [
        (
            &["--port", "7001", "--shards", "2"][..],
            "port \"7001\" \nshards \"2\" ",
        ),
        (&["--port 6380", "--hz", "5"], "port 6380 \nhz \"5\" "),
        (&["--port=1"], "port=1 "),
        (
            &["--save", "900", "1", "--save", "60 5"],
            "save \"900\" \"1\" \nsave \"60 5\" ",
        ),
        (&["--save", ""], "save \"\" "),
        (&["--save", "--hz", "1"], "save \"\"\nhz \"1\" "),
        (&["--save"], "save \"\""),
        (
            &["--requirepass", "--x", "--hz", "1"],
            "requirepass \"--x\" \nhz \"1\" ",
        ),
        (&["-x"], "\"-x\" "),
        (&["--slaveof", "h", "1"], "slaveof \"h\" \"1\" "),
    ] {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let sources = cli::sources(&args, &Shelf::default());
        assert_eq!(
            String::from_utf8_lossy(&sources.options),
            expected,
            "{args:?}"
        );
        assert_eq!((sources.file, sources.reads_stdin), (None, false));
    }
}

#[test]
fn a_dash_reads_standard_input_at_either_end() {
    let shelf = Shelf::with(&[("/stdin", "port 5")]);
    assert_eq!(run(&["-"], &shelf).expect("fine").config.port, 5);
    assert_eq!(
        run(&["--hz", "1", "-"], &shelf).expect("fine").config.port,
        5
    );
    let error = run(&["--hz", "-", "--port", "1"], &shelf).expect_err("a value");
    assert!(error.contains(">>> 'hz \"-\"'"), "{error}");
}

#[test]
fn flags_end_at_once() {
    use super::Startup;
    let start = |flag: &str| Config::load(&[OsString::from(flag), OsString::from("--bogus")]);
    assert!(matches!(start("-v"), Ok(Startup::PrintVersion)));
    assert!(matches!(start("--version"), Ok(Startup::PrintVersion)));
    assert!(matches!(start("-h"), Ok(Startup::Help(_))));
    assert!(matches!(start("--help"), Ok(Startup::Help(_))));
    assert!(matches!(start("--check-system"), Ok(Startup::CheckSystem)));
    assert!(start("--bogus").is_err());
    assert!(super::version().starts_with("Ringshard server v=0."));
}

#[test]
fn help_names_every_directive() {
    let help = |flag| match Config::load(&[OsString::from(flag)]) {
        Ok(super::Startup::Help(text)) => text,
        other => panic!("{other:?}"),
    };
    let (short, help) = (help("-h"), help("--help"));
    assert!(
        short.lines().count() < 30 && short.contains("--check-system"),
        "{short}"
    );
    for row in table::rows() {
        assert_eq!(
            help.contains(&format!("--{} <", row.name)),
            !row.is_hidden,
            "{}",
            row.name
        );
    }
}

#[test]
fn save_points_add_up_within_a_load() {
    for (text, args, expected) in [
        ("", &[][..], "3600 1 300 100 60 10000"),
        ("save 900 1\nsave 300 10", &[], "900 1 300 10"),
        ("save 900 1 300 10", &["--save", "7 8"], "900 1 300 10 7 8"),
        ("save 900 1", &["--save", ""], ""),
        ("save 900 1\nsave \"\"\nsave 5 6", &[], "5 6"),
        ("save 900 1\nsave", &[], "900 1"),
        ("save \"  3600   1 \"", &[], "3600 1"),
    ] {
        assert_eq!(
            shown(&ok(text, args), "save"),
            expected,
            "{text:?} {args:?}"
        );
    }
    assert_eq!(
        ok("save 9 1", &[]).save,
        [SavePoint {
            seconds: 9,
            changes: 1
        }]
    );
}

#[test]
fn fields_have_what_lines_say() {
    let text = "requirepass \"12\\x41 6\"\nslaveof h 7\nbind 1.1.1.1 -::1\nunixsocketperm 700\n\
                client-output-buffer-limit slave 1kb 2k 3\nlogfile stdout\nlua-time-limit 9";
    let config = ok(text, &["--supervised", "systemd", "--maxmemory", "1gb"]);
    assert_eq!(config.requirepass.as_deref(), Some(&b"12A 6"[..]));
    assert_eq!(
        config.replicaof,
        Some(Master {
            host: b"h".to_vec(),
            port: 7
        })
    );
    assert_eq!(config.bind, [b"1.1.1.1".to_vec(), b"-::1".to_vec()]);
    assert_eq!(config.unixsocketperm, 0o700);
    let limit = BufferLimit {
        hard: 1024,
        soft: 2000,
        soft_seconds: 3,
    };
    assert_eq!(config.client_output_buffer_limit[Config::REPLICA], limit);
    assert_eq!(config.logfile.as_deref(), Some(Path::new("stdout")));
    assert_eq!(
        (config.busy_reply_threshold_ms, config.maxmemory),
        (9, 1 << 30)
    );
    assert_eq!(config.supervised, super::choice::Supervised::Systemd);
}

#[test]
fn other_lines_are_handed_on_with_their_place() {
    let shelf = Shelf::with(&[(
        "/etc/a.conf",
        "\nuser bob on >x\nrename-command FLUSHALL \"\"\nloadmodule m.so a",
    )]);
    let deferred = run(&["a.conf"], &shelf).expect("fine").deferred;
    let kinds: Vec<DeferredKind> = deferred.iter().map(|line| line.kind).collect();
    use DeferredKind::{LoadModule, RenameCommand, User};
    assert_eq!(kinds, [User, RenameCommand, LoadModule]);
    assert_eq!(deferred[1].args, [b"FLUSHALL".to_vec(), Vec::new()]);
    let error = deferred[0].error("no").to_string();
    assert!(
        error.ends_with("at line 2\n>>> 'user bob on >x'\nno"),
        "{error}"
    );
}

#[test]
fn set_is_all_or_nothing() {
    let config = Config::default();
    let next = set(&config, &[("MaxMemory", "1mb"), ("hz", "50")]).expect("fine");
    assert_eq!(
        (next.maxmemory, next.hz, config.maxmemory),
        (1 << 20, 50, 0)
    );
    for (pairs, expected) in [
        (
            &[("hz", "50"), ("bogus", "1")][..],
            "ERR Unknown option or number of arguments for CONFIG SET - 'bogus'",
        ),
        (
            &[("hz", "5"), ("HZ", "6")],
            "ERR CONFIG SET failed (possibly related to argument 'HZ') - duplicate parameter",
        ),
        (
            &[("Databases", "5")],
            "ERR CONFIG SET failed (possibly related to argument 'Databases') - \
             can't set immutable config",
        ),
        (
            &[("dbfilename", "x")],
            "ERR CONFIG SET failed (possibly related to argument 'dbfilename') - \
             can't set protected config",
        ),
        (
            &[("Slave-Read-Only", "x")],
            "ERR CONFIG SET failed (possibly related to argument 'slave-read-only') - \
             argument must be 'yes' or 'no'",
        ),
    ] {
        let error = set(&config, pairs).expect_err("refused").to_string();
        assert_eq!(error, expected);
    }
    let both = set(
        &config,
        &[("min-slaves-to-write", "1"), ("min-replicas-to-write", "2")],
    );
    assert_eq!(both.expect("two names").min_replicas_to_write, 2);
}

#[test]
fn set_knows_its_caller() {
    let config = ok("enable-protected-configs local", &[]);
    let set = |is_local, is_loading| {
        let pairs: [(&[u8], &[u8]); 1] = [(b"dir", b"/data")];
        config.set_all_with(
            &pairs,
            Caller {
                is_local,
                is_loading,
            },
            &Shelf::default(),
        )
    };
    assert_eq!(set(true, false).expect("local").dir, Path::new("/data"));
    assert!(set(false, false).is_err());
    assert_eq!(set(true, true).map(|_| ()), Err(SetError::Loading));
}

#[test]
fn find_takes_names_and_patterns() {
    let config = Config::default();
    let names = |patterns: &[&str]| -> Vec<String> {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        let found = config.find(&patterns);
        found
            .into_iter()
            .map(|(name, _)| String::from_utf8(name).expect("text"))
            .collect()
    };
    assert_eq!(names(&["PORT", "port"]), ["PORT"]);
    assert_eq!(
        names(&["Min-*-to-WRITE", "min-slaves-to-write"]),
        ["min-replicas-to-write", "min-slaves-to-write"]
    );
    assert_eq!(names(&["use-exit-on*"]), [""; 0]);
    assert_eq!(
        names(&["use-exit-on-panic", "nothing"]),
        ["use-exit-on-panic"]
    );
    let visible = table::named()
        .filter(|named| !named.id.row().is_hidden)
        .count();
    assert_eq!(names(&["*"]).len(), visible);
    assert!(Config::is_sensitive(b"REQUIREPASS") && !Config::is_sensitive(b"port"));
}

fn rewritten(old: &str, config: &Config, users: Option<&[&str]>) -> String {
    let users: Option<Vec<Vec<u8>>> =
        users.map(|users| users.iter().map(|user| user.as_bytes().to_vec()).collect());
    String::from_utf8(rewrite(old.as_bytes(), config, users.as_deref())).expect("text")
}

#[test]
fn rewrite_keeps_comments_and_order() {
    let old = "# head\nsave 9 1\nsave 8 2\n\n\n\nslave-read-only no\nmaxmemory 1\nmaxmemory 2\n\
               include x.conf\nuser a on\nhash-max-ziplist-entries 7\nbogus 1\n\"x\nhz 10\n";
    let shelf = Shelf::with(&[("/etc/a.conf", "save 5 1\nmaxmemory 3gb\ndir /d\nport 7")]);
    let config = run(&["a.conf"], &shelf).expect("fine").config;
    let config = config.with_master(Some(Master {
        host: b"h".to_vec(),
        port: 1,
    }));
    let expected = "# head\nsave 5 1\n\nreplica-read-only yes\nmaxmemory 3gb\n\ninclude x.conf\n\
                    user a on\nhash-max-listpack-entries 512\n# ??? bogus 1\n# ??? \"x\nhz 10\n\n\
                    # Generated by CONFIG REWRITE\nport 7\ndir \"/d\"\nreplicaof h 1\n\
                    latency-tracking-info-percentiles 50 99 99.9\n";
    let once = rewritten(old, &config, None);
    assert_eq!(once, expected);
    let again = rewritten(&once, &config.with_master(None), Some(&["b on nopass"]));
    assert!(
        again.contains("user b on nopass\n") && !again.contains("replicaof"),
        "{again}"
    );
    assert!(!again.contains("user a on"), "{again}");
}

#[test]
fn rewrite_quotes_what_redis_quotes() {
    let config = ok(
        "requirepass 'a \"b'\nmasterauth x\npidfile /p\nlogfile l\ndir /d\nappendfsync always\n\
         notify-keyspace-events KA\nsave ''\nbind ''\nmaxmemory-clients 5%\nunixsocketperm 70",
        &[],
    );
    let text = rewritten("", &config, None);
    for line in [
        "requirepass \"a \\\"b\"",
        "masterauth \"x\"",
        "pidfile \"/p\"",
        "logfile \"l\"",
        "dir \"/d\"",
        "appendfsync always",
        "notify-keyspace-events \"AK\"",
        "save \"\"",
        "bind \"\"",
        "maxmemory-clients 5%",
        "unixsocketperm 70",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
    let again = loaded(&text, &[]).expect("its own text");
    assert_eq!(*again, *config);
}

#[test]
fn rewrite_replaces_the_file_whole() {
    let name = format!("ringshard-rewrite-{}.conf", std::process::id());
    let path = std::env::temp_dir().join(name);
    let config = ok("port 7", &[]);
    super::rewrite::rewrite_file(&path, &config, None).expect("a new file");
    super::rewrite::rewrite_file(&path, &config, None).expect("an old file");
    let text = std::fs::read_to_string(&path).expect("there");
    std::fs::remove_file(&path).expect("ours");
    assert_eq!(
        text.lines().filter(|line| *line == "port 7").count(),
        1,
        "{text}"
    );
    let nowhere = Path::new("/nonexistent/x.conf");
    assert!(super::rewrite::rewrite_file(nowhere, &config, None).is_err());
}
