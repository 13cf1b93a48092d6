//! Loading at the start: whole files of redis-server, and files that are damaged.
//!
//! DEBUG DIGEST of both servers has to be the same; what cannot be loaded ends the start with the
//! place and the reason.

use crate::support::prng::{Prng, seed_from};
use crate::support::server::{Folder, free_port};
use crate::support::values::fill;
use crate::support::{Server, Setup};
use std::fs;
use std::path::Path;

/// A server that starts with this file.
pub fn with_file(setup: Setup, file: &Path) -> Server {
    let folder = file.parent().unwrap().to_string_lossy().into_owned();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    setup.arg("dir", &folder).arg("dbfilename", &name).start()
}

pub fn debug(setup: Setup) -> Setup {
    setup.arg("enable-debug-command", "yes")
}

pub fn digest(server: &Server) -> String {
    server.client().call("DEBUG DIGEST").text()
}

#[test]
fn files_of_redis_server_are_loaded_by_any_number_of_shards() {
    let Some(oracle) = Setup::oracle() else {
        return println!("SKIPPED: no redis-server on this machine");
    };
    let seed = seed_from("SNAPSHOT_SEED");
    println!("SNAPSHOT_SEED={seed}");
    let oracle = debug(oracle).start();
    let mut client = oracle.client();
    fill(&mut client, 400, &mut Prng::new(seed));
    let (file, expected) = (oracle.dir().join("dump.rdb"), digest(&oracle));
    client.call("DEBUG SET-ACTIVE-EXPIRE 0");
    client.call("SET gone x PX 1");
    assert_eq!(client.call("SAVE").text(), "OK");
    for shards in [1, 2, 7] {
        let server = with_file(debug(Setup::ringshard(shards)), &file);
        assert_eq!(digest(&server), expected, "{shards} shards");
        let info = server.client().call("INFO persistence").text();
        let has = |line: &str| assert!(info.contains(line), "{line} is not in:\n{info}");
        has("loading:0\r\n");
        has("rdb_changes_since_last_save:0\r\n");
        has("rdb_last_load_keys_loaded:4");
        let log = server.log();
        assert!(
            log.contains("Loading RDB produced by version 7.0."),
            "{log}"
        );
        assert!(log.contains("Done loading RDB, keys loaded: 4"), "{log}");
        assert!(log.contains("DB loaded from disk: "), "{log}");
    }
}

#[test]
fn a_damaged_file_ends_the_start_and_stays_as_it_is() {
    let folder = Folder::create();
    let file = folder.path().join("dump.rdb");
    for (bytes, reason) in [
        (
            &b"REDIS0010\xfe\x00\x00\x03key\x05val"[..],
            "offset 16, key 'key': ",
        ),
        (b"REDIS9999", "offset 0: RDB version 9999 is not known"),
        (b"", "offset 0: the file ends here"),
        (b"redis0010", "wrong signature"),
    ] {
        fs::write(&file, bytes).unwrap();
        let mut command = Setup::ringshard(2).command(folder.path(), free_port());
        let status = command.status().unwrap();
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains(reason), "{reason} is not in:\n{log}");
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
}
