//! Fuzzers of configuration, driven by seeds: no text panics, and what was set survives a rewrite.
//!
//! Texts are drawn from directive names, telling words and random bytes. A failure prints its seed,
//! which makes the same texts again.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::change::Caller;
use super::load::load;
use super::rewrite::rewrite;
use super::shelf::{Shelf, run};
use super::{cli, table};

/// Random draws from one seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn word(&mut self) -> Vec<u8> {
        const WORDS: &[&str] = &[
            "",
            "0",
            "1",
            "-1",
            "yes",
            "no",
            "one",
            "64mb",
            "5%",
            "always",
            "normal",
            "slave",
            "900 1",
            "include",
            "a.conf",
            "user",
            "\"",
            "'",
            "\\",
            "\"a b\"",
            "KEA",
            "99.9",
            "#",
            "sentinel",
            "/missing",
            "*",
            "rename-command",
            "99999999999999999999",
            "\\x4",
            "a.b",
        ];
        match self.below(10) {
            0 => (0..self.below(8)).map(|_| self.below(256) as u8).collect(),
            1..=4 => {
                let rows = table::rows();
                rows[self.below(rows.len())].name.as_bytes().to_vec()
            }
            _ => WORDS[self.below(WORDS.len())].as_bytes().to_vec(),
        }
    }

    fn text(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        for _ in 0..self.below(30) {
            text.extend(self.word());
            text.push(if self.below(3) == 0 { b'\n' } else { b' ' });
        }
        text
    }
}

#[test]
fn no_text_makes_it_panic() {
    for seed in 1..=20_000u64 {
        let mut draw = Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut shelf = Shelf::with(&[("/stdin", "hz 1")]);
        shelf.0.insert(PathBuf::from("/etc/a.conf"), draw.text());
        let args: Vec<OsString> = (0..draw.below(4))
            .map(|_| OsString::from_vec(draw.word()))
            .collect();
        let mut sources = cli::sources(&args, &shelf);
        sources.file.get_or_insert(PathBuf::from("/etc/a.conf"));
        let outcome =
            std::panic::catch_unwind(|| load(&sources, &shelf).map_err(|e| e.to_string()));
        assert!(outcome.is_ok(), "seed {seed}: {sources:?}");
    }
}

#[test]
fn what_can_be_set_survives_a_rewrite() {
    let shelf = Shelf::with(&[("/etc/a.conf", "enable-protected-configs yes")]);
    let permissive = run(&["a.conf"], &shelf).expect("fine").config;
    let mut kept = 0;
    for seed in 1..=20_000u64 {
        let mut draw = Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let rows = table::rows();
        let row = rows[draw.below(rows.len())];
        let value = [draw.word(), draw.word()].join(&b" "[..]);
        let value = if draw.below(2) == 0 {
            draw.word()
        } else {
            value
        };
        let pairs: [(&[u8], &[u8]); 1] = [(row.name.as_bytes(), &value)];
        let config = permissive.clone();
        let Ok(config) = config.set_all_with(&pairs, Caller::default(), &Shelf::default()) else {
            continue;
        };
        let old = draw.text();
        let text = rewrite(&old, &config, Some(&[]));
        let kept_lines = text.split(|byte| *byte == b'\n').filter(|line| {
            let other: [&[u8]; 3] = [b"include", b"rename", b"loadm"];
            let line = line.to_ascii_lowercase();
            !other.iter().any(|other| line.starts_with(other)) && !line.starts_with(b"sentinel")
        });
        let text = kept_lines.collect::<Vec<_>>().join(&b'\n');
        let mut shelf = Shelf::default();
        shelf.0.insert(PathBuf::from("/etc/a.conf"), text.clone());
        let again = run(&["a.conf"], &shelf);
        let again = again.unwrap_or_else(|error| {
            panic!("seed {seed}: {error}\n{}", String::from_utf8_lossy(&text))
        });
        assert_eq!(
            *again.config,
            *config,
            "seed {seed}: {}",
            String::from_utf8_lossy(&text)
        );
        kept += 1;
    }
    assert!(kept > 1000, "only {kept} values were accepted");
}
