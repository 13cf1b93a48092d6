//! MIGRATE's arguments: what is asked of which server, and for which keys.
//!
//! The checks come in Redis's order. Passwords are withheld from logs before anything can fail
//! behind them. Whether the keys exist is seen later.

use crate::command::{ArgStore, Args};
use crate::resp::{ErrorReply, errors};
use crate::session::Transfer;
use std::time::Duration;

/// What a MIGRATE asks for.
#[derive(Debug, Default)]
pub struct Options {
    pub is_copy: bool,
    pub transfer: Transfer,
    pub keys: Vec<Vec<u8>>,
    /// Arguments that logs must not show.
    pub secrets: Vec<usize>,
}

/// What stands for a time-out that is none, and the longest one: ten years.
const TIMEOUT_DEFAULT_MS: i64 = 1000;
const TIMEOUT_MAX_MS: i64 = 10 * 365 * 86_400_000;

impl Options {
    /// Reads the arguments; `secrets` are right also where something else is wrong.
    pub fn parse(&mut self, args: Args<'_>) -> Result<(), ErrorReply> {
        self.keys = vec![args.get(3).to_vec()];
        let mut at = 6;
        while at < args.len() {
            let more = args.len() - 1 - at;
            if args.is(at, "copy") {
                self.is_copy = true;
            } else if args.is(at, "replace") {
                self.transfer.may_replace = true;
            } else if args.is(at, "auth") && more >= 1 {
                self.authenticate(args, at, 1);
                at += 1;
            } else if args.is(at, "auth2") && more >= 2 {
                self.authenticate(args, at, 2);
                at += 2;
            } else if args.is(at, "keys") {
                if !args.get(3).is_empty() {
                    return Err(KEY_AND_KEYS.into());
                }
                self.keys = args.from(at + 1).map(<[u8]>::to_vec).collect();
                break;
            } else {
                return Err(errors::SYNTAX.into());
            }
            at += 1;
        }
        let timeout_ms = match args.integer(5)? {
            ..=0 => TIMEOUT_DEFAULT_MS,
            timeout_ms => timeout_ms.min(TIMEOUT_MAX_MS),
        };
        self.transfer.timeout = Duration::from_millis(timeout_ms as u64);
        self.transfer.db = args.integer(4)?;
        self.transfer.host = args.get(1).to_vec();
        self.transfer.port = args.get(2).to_vec();
        Ok(())
    }

    fn authenticate(&mut self, args: Args<'_>, at: usize, words: usize) {
        let words = at + 1..=at + words;
        self.secrets.extend(words.clone());
        let words = words.map(|at| args.get(at));
        let auth = [&b"AUTH"[..]].into_iter().chain(words);
        self.transfer.auth = Some(ArgStore::from_words(auth));
    }
}

const KEY_AND_KEYS: &str =
    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string";
