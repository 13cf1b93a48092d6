//! `--check-rdb`: what it says of whole files and of damaged ones, ours and redis-server's.
//!
//! Scripts look at the exit code and at the line of the verdict; people at the place and the key.

use super::loading::with_file;
use crate::support::server::{Folder, binary, is_stand_in};
use crate::support::{Server, Setup};
use std::fs;
use std::path::Path;
use std::process::Command;

fn check(file: &Path) -> (i32, String) {
    let output = Command::new(binary()).arg("--check-rdb").arg(file).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap(), text)
}

#[test]
fn it_counts_what_is_there_and_finds_the_first_damage() {
    if is_stand_in() {
        return println!("SKIPPED: redis-server has a tool of its own");
    }
    let server = Server::ringshard(2);
    let mut client = server.client();
    client.call("SET text a-text-that-is-no-number EX 1000");
    client.call("RPUSH list a b c");
    client.call("SADD set 1 2 3");
    assert_eq!(client.call("SAVE").text(), "OK");
    let file = server.dir().join("dump.rdb");
    let (code, text) = check(&file);
    assert_eq!(code, 0, "{text}");
    for line in [
        "\\o/ RDB looks OK! \\o/",
        "[info] 3 keys read",
        "[info] 1 expires",
        "[info] 1 of type list",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    let bytes = fs::read(&file).unwrap();
    let damaged = server.dir().join("damaged.rdb");
    for len in 0..bytes.len() {
        fs::write(&damaged, &bytes[..len]).unwrap();
        let (code, text) = check(&damaged);
        assert_eq!(code, 1, "{len}: {text}");
        assert!(text.contains("--- RDB ERROR DETECTED ---"), "{len}: {text}");
    }
    let (code, text) = check(&server.dir().join("missing.rdb"));
    assert!(
        code == 1 && text.contains("there is no such file"),
        "{text}"
    );
    if let Some(oracle) = Setup::oracle() {
        let oracle = with_file(oracle, &file);
        oracle.client().call("SAVE");
        let copy = Folder::create();
        let copy = copy.path().join("copy.rdb");
        fs::copy(&file, &copy).unwrap();
        let (code, text) = check(&copy);
        assert!(code == 0 && text.contains("[info] 3 keys read"), "{text}");
    }
}
