//! `ringshard --check-rdb FILE`: is this snapshot whole, and what is in it?
//!
//! In the words of redis-check-rdb where scripts look for them: exit code 0 for a file that can be
//! loaded, 1 for any other, with the place and the nature of the first damage. On a terminal a bar
//! shows how far it is.

use crate::base::clock::Clock;
use crate::persistence::{LoadError, Tally, check};
use std::io::{IsTerminal, Write, stderr};
use std::path::Path;

/// Width of the bar, in characters.
const BAR: u64 = 40;

/// Looks through a file and tells; the exit code.
pub fn check_rdb(path: &Path) -> u8 {
    println!("[offset 0] Checking RDB file {}", path.display());
    let (is_watched, mut shown) = (stderr().is_terminal(), u64::MAX);
    let mut progress = |bytes: u64, total: u64| {
        let percent = bytes * 100 / total.max(1);
        if is_watched && percent != shown {
            shown = percent;
            draw(percent, bytes);
        }
    };
    let (tally, result) = check(path, Clock::Real.millis().0, &mut progress);
    if is_watched {
        eprint!("\r\x1b[K");
    }
    let code = match &result {
        Ok(_) => {
            println!("[offset {}] Checksum OK", tally.bytes);
            println!("[offset {}] \\o/ RDB looks OK! \\o/", tally.bytes);
            0
        }
        Err(error) => {
            tell(error);
            1
        }
    };
    tell_tally(&tally);
    code
}

fn draw(percent: u64, bytes: u64) {
    let filled = (percent * BAR / 100) as usize;
    let bar = format!("{:<1$}", "#".repeat(filled), BAR as usize);
    eprint!("\r[{bar}] {percent}% {} MB", bytes >> 20);
    // A bar that is not seen is no loss.
    let _ = stderr().flush();
}

fn tell(error: &LoadError) {
    println!("--- RDB ERROR DETECTED ---");
    println!("[offset {}] {}", error.offset, error.fault);
    if let Some(key) = &error.key {
        println!("[additional info] Reading key '{}'", key.escape_ascii());
    }
}

fn tell_tally(tally: &Tally) {
    println!("[info] {} keys read", tally.keys());
    println!("[info] {} expires", tally.expiring);
    println!("[info] {} already expired", tally.expired);
    for (name, count) in tally.by_kind() {
        if count > 0 {
            println!("[info] {count} of type {name}");
        }
    }
}
