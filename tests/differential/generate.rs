//! Random commands from a small grammar: mostly sensible, one in ten broken.
//!
//! Expiry times lie far in the future or in the past, never near, so that two servers agree on what
//! has expired. Offsets stay small: a test of semantics needs no half-gigabyte strings. Templates
//! and the words for them are in `grammar.rs`; those of streams have a file of their own.

#[path = "grammar.rs"]
pub mod grammar;
#[path = "stream.rs"]
pub mod stream;

use crate::support::prng::Prng;
use grammar::{
    DEGREES, FIELDS, FLOATS, GARBAGE, HASHES, HLLS, KEYS, LEX_ZSETS, LISTS, MEMBERS, NEWER,
    PAYLOADS, PLACES, SCORES, SET_MEMBERS, SETS, SIZES, TEMPLATES, VALUES, WIPES, ZSETS,
};

pub type Command = Vec<Vec<u8>>;

pub struct Generator {
    pub seed: u64,
    pub prng: Prng,
    /// Weights and templates.
    templates: Vec<(usize, &'static str)>,
    total: usize,
    /// How many more commands are queued before the transaction ends; none when there is none.
    left: Option<usize>,
    /// What follows next whatever is drawn.
    next: Option<Command>,
    streams: stream::Streams,
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        Generator::of(TEMPLATES.to_vec(), seed)
    }

    /// For two servers that know what 7.0 does not.
    pub fn newer(seed: u64) -> Generator {
        Generator::of([TEMPLATES, NEWER].concat(), seed)
    }

    fn of(templates: Vec<(usize, &'static str)>, seed: u64) -> Generator {
        Generator {
            seed,
            prng: Prng::new(seed),
            total: templates.iter().map(|(weight, _)| weight).sum(),
            templates,
            left: None,
            next: None,
            streams: stream::Streams::default(),
        }
    }

    /// The next command of a sequence in which some stand between MULTI and EXEC, some of these
    /// behind WATCH.
    pub fn step(&mut self) -> Command {
        if let Some(next) = self.next.take() {
            return next;
        }
        let command = self.drawn_step();
        if !command[0].to_ascii_uppercase().starts_with(b"SORT") {
            return command;
        }
        // Redis: SORT takes a number that was out of range in an earlier command for one of its
        // own, as errno is not cleared. Reading a good number clears it.
        self.next = Some(command);
        ["ZADD", "nosuch", "XX", "1", "m"]
            .map(|word| word.as_bytes().to_vec())
            .to_vec()
    }

    fn drawn_step(&mut self) -> Command {
        let word = |word: &str| vec![word.as_bytes().to_vec()];
        match self.left {
            None if self.prng.below(60) == 0 => {
                let mut watch = Command::new();
                self.token("WATCH", &mut watch);
                self.token("K*", &mut watch);
                watch
            }
            None if self.prng.below(25) == 0 => {
                self.left = Some(self.prng.below(8));
                word("MULTI")
            }
            Some(0) => {
                self.left = None;
                word(if self.prng.below(20) == 0 {
                    "DISCARD"
                } else {
                    "EXEC"
                })
            }
            Some(left) => {
                self.left = Some(left - 1);
                let command = self.command();
                // 7.0 takes fewer arguments, which spoils its transaction and not ours.
                match command[0].to_ascii_uppercase().as_slice() {
                    b"ZRANK" | b"ZREVRANK" => word("PING"),
                    _ => command,
                }
            }
            None => self.command(),
        }
    }

    /// Whether a transaction is open, or something has to follow.
    pub fn is_in_the_middle(&self) -> bool {
        self.left.is_some() || self.next.is_some()
    }

    /// The next command of the sequence.
    pub fn command(&mut self) -> Command {
        if self.prng.below(1000) == 0 {
            let words = *self.prng.pick(WIPES);
            return words
                .split(' ')
                .map(|word| word.as_bytes().to_vec())
                .collect();
        }
        if self.prng.percent(25) {
            let mut command = self.streams.command(&mut self.prng);
            if self.prng.percent(5) {
                self.spoil(&mut command);
                stream::without_chance(&mut command);
            }
            return command;
        }
        let mut at = self.prng.below(self.total);
        let chosen = self.templates.iter().find(|(weight, _)| {
            let found = at < *weight;
            at = at.saturating_sub(*weight);
            found
        });
        let (_, template) = *chosen.expect("a number below the total falls on a template");
        let mut command = Command::new();
        for token in template.split(' ') {
            self.token(token, &mut command);
        }
        // What is configured has to stay the same on both sides, and what is drawn by chance too;
        // and sets whose scores are all the same, as ranges of members mean nothing elsewhere.
        let is_drawn = template.starts_with("SPOP") || template.contains("single");
        // A third argument of ZRANK is known since 7.2; before, it spoils a whole transaction.
        let is_newer = ["ZRANK", "ZREVRANK"]
            .iter()
            .any(|name| command[0] == name.as_bytes());
        // Spoiled, these would stop the server for ever, or fill it, or end this connection.
        let is_dangerous = [&b"CLIENT"[..], b"CONFIG", b"DEBUG", b"MIGRATE"];
        // These read as C does: errors end at a byte of zero, and a count of keys may be "+1".
        let is_of_c = [&b"COMMAND"[..], b"LATENCY"].contains(&command[0].as_slice());
        // These would wait as long as they are told to.
        let may_wait = template.contains(" 0.001") || template.contains(" BLOCK ");
        let is_same = is_drawn
            || may_wait
            || template.contains(" Q ")
            || is_of_c
            || is_dangerous.contains(&command[0].as_slice());
        let is_kept = is_same || is_newer;
        if !is_kept && self.prng.percent(10) {
            self.spoil(&mut command);
        }
        command
    }

    fn token(&mut self, token: &str, out: &mut Command) {
        if let Some(optional) = token.strip_prefix('?') {
            if self.prng.percent(40) {
                self.token(optional, out);
            }
            return;
        }
        let count = 1 + self.prng.below(5);
        match token {
            "K*" => (0..count).for_each(|_| self.token("K", out)),
            "HK*" => (0..count).for_each(|_| self.token("HK", out)),
            "SK*" => (0..count).for_each(|_| self.token("SK", out)),
            "SM*" => (0..count).for_each(|_| self.token("SM", out)),
            "f*" => (0..count).for_each(|_| self.token("f", out)),
            "FV*" => (0..count).for_each(|_| {
                self.token("f", out);
                self.token("V", out);
            }),
            "KV*" => (0..count).for_each(|_| {
                self.token("K", out);
                self.token("V", out);
            }),
            "M*" => (0..count).for_each(|_| self.token("M", out)),
            "RM*" => (0..count).for_each(|_| {
                self.token("R", out);
                self.token("M", out);
            }),
            "Z#" | "Z#W" => self.sources(token == "Z#W", out),
            "X" | "Y" => self.expiry(token, out),
            words if words.contains('|') => {
                let words: Vec<&str> = words.split('|').collect();
                out.push(self.prng.pick(&words).as_bytes().to_vec());
            }
            _ => {
                let argument = self.argument(token);
                out.push(argument);
            }
        }
    }

    /// A number and so many keys; with weights and a way to aggregate, or not.
    fn sources(&mut self, is_weighted: bool, out: &mut Command) {
        let count = 1 + self.prng.below(3);
        out.push(count.to_string().into_bytes());
        (0..count).for_each(|_| self.token("ZS", out));
        if is_weighted && self.prng.percent(50) {
            out.push(b"WEIGHTS".to_vec());
            (0..count).for_each(|_| self.token("R", out));
        }
        if is_weighted && self.prng.percent(50) {
            out.push(b"AGGREGATE".to_vec());
            self.token("SUM|MIN|MAX", out);
        }
    }

    /// An end of a range of scores or of members.
    fn range_end(&mut self, is_score: bool) -> Vec<u8> {
        if !is_score && self.prng.percent(30) {
            return self.prng.pick(&[&b"-"[..], b"+"]).to_vec();
        }
        let (begins, ends): (&[&[u8]], _) = match is_score {
            true => (&[b"", b"", b"("], SCORES),
            false => (&[b"[", b"("], MEMBERS),
        };
        [*self.prng.pick(begins), *self.prng.pick(ends)].concat()
    }

    fn argument(&mut self, token: &str) -> Vec<u8> {
        let prng = &mut self.prng;
        match token {
            "Z" if prng.percent(3) => prng.pick(KEYS).to_vec(),
            "ZS" if prng.percent(30) => prng.pick(SETS).to_vec(),
            "Z" | "ZS" => prng.pick(ZSETS).to_vec(),
            "Q" => prng.pick(LEX_ZSETS).to_vec(),
            "J" => prng.pick(PLACES).to_vec(),
            "GE" => prng.pick(DEGREES).to_vec(),
            "GS" => prng.pick(SIZES).to_vec(),
            "M" => prng.pick(MEMBERS).to_vec(),
            "R" => prng.pick(SCORES).to_vec(),
            "I" => self.range_end(true),
            "L" => self.range_end(false),
            "K" => prng.pick(KEYS).to_vec(),
            "HK" if prng.percent(3) => prng.pick(KEYS).to_vec(),
            "HK" => prng.pick(HLLS).to_vec(),
            "SK" if prng.percent(3) => prng.pick(KEYS).to_vec(),
            "SK" => prng.pick(SETS).to_vec(),
            "SM" if prng.percent(30) => prng.pick(SET_MEMBERS).to_vec(),
            "SM" => (prng.below(60) as i64 - 20).to_string().into_bytes(),
            "SMALL" => prng.below(1000).to_string().into_bytes(),
            // A key that is most likely a hash, and a field.
            "H" if prng.percent(95) => prng.pick(HASHES).to_vec(),
            "H" => prng.pick(KEYS).to_vec(),
            "f" if prng.percent(3) => self.value(),
            "f" => prng.pick(FIELDS).to_vec(),
            "V" => self.value(),
            "PAYLOAD" => unhex(prng.pick::<&str>(PAYLOADS)),
            "LK" if prng.percent(95) => prng.pick(LISTS).to_vec(),
            "LK" => prng.pick(KEYS).to_vec(),
            "E" => self.element(),
            "N" => self.integer().to_string().into_bytes(),
            "F" => prng.pick(FLOATS).to_vec(),
            "B" => prng.below(2).to_string().into_bytes(),
            "D" => prng.below(4).to_string().into_bytes(),
            // Not the type `none`: 7.0 shows keys as such that expire while it looks at them.
            "G" => prng
                .pick(&["*", "key:*", "{t}?", "[a-d]", "list", "string", "hash"])
                .as_bytes()
                .to_vec(),
            // A position from either end, and one from the left.
            "O" => (prng.below(60) as i64 - 25).to_string().into_bytes(),
            "U" => prng.below(200).to_string().into_bytes(),
            "W" => format!("{}{}", prng.pick(&["", "#"]), prng.below(40)).into_bytes(),
            "T" => format!("{}{}", prng.pick(&["i", "u"]), 1 + prng.below(63)).into_bytes(),
            "C" => prng.pick(&["NX", "XX", "GT", "LT"]).as_bytes().to_vec(),
            // Relative, wide apart so that no two ever compare equal by chance.
            "S" => (1_000_000 + prng.below(1_000_000_000))
                .to_string()
                .into_bytes(),
            "A" => self.moment(1).to_string().into_bytes(),
            "P" => self.moment(1000).to_string().into_bytes(),
            word => word.as_bytes().to_vec(),
        }
    }

    /// A moment long ago or far away, in `scale`ths of a second.
    fn moment(&mut self, scale: i64) -> i64 {
        if self.prng.percent(10) {
            return self.prng.below(1000) as i64;
        }
        (20_000_000_000 + self.prng.below(1_000_000_000) as i64) * scale
    }

    fn expiry(&mut self, kind: &str, out: &mut Command) {
        let last = if kind == "X" { "KEEPTTL" } else { "PERSIST" };
        let (word, argument) = *self.prng.pick(&[
            ("EX", "S"),
            ("PX", "S"),
            ("EXAT", "A"),
            ("PXAT", "P"),
            (last, ""),
        ]);
        out.push(word.into());
        if !argument.is_empty() {
            self.token(argument, out);
        }
    }

    fn value(&mut self) -> Vec<u8> {
        if self.prng.percent(20) {
            let len = self.prng.below(120);
            return (0..len).map(|_| self.prng.next() as u8).collect();
        }
        self.prng.pick(VALUES).to_vec()
    }

    /// A value, or one that is large for a part of a collection.
    fn element(&mut self) -> Vec<u8> {
        match self.prng.below(40) {
            0 => vec![b'l'; 1000 + self.prng.below(9000)],
            1 => vec![b'h'; 16_000 + self.prng.below(2000)],
            _ => self.value(),
        }
    }

    fn integer(&mut self) -> i64 {
        match self.prng.below(10) {
            0 => i64::MAX - self.prng.below(3) as i64,
            1 => i64::MIN + self.prng.below(3) as i64,
            _ => self.prng.below(2000) as i64 - 1000,
        }
    }

    /// Breaks a command in one of the ways clients do.
    fn spoil(&mut self, command: &mut Command) {
        let at = self.prng.below(command.len());
        let mut garbage = self.prng.pick(GARBAGE).to_vec();
        // 7.0 takes this number, which 7.2 refuses.
        let is_list = [&b"LREM"[..], b"LPOS"].contains(&&command[0][..]);
        if is_list && garbage == b"-9223372036854775808" {
            garbage = b"-9223372036854775807".to_vec();
        }
        // Redis adds the time to it, and the sum overflows.
        if command[0].starts_with(b"RESTORE") && garbage == b"9223372036854775807" {
            garbage = b"4294967296".to_vec();
        }
        // Nothing expires soon.
        if garbage == b"16" && may_expire(command) {
            garbage = b"16000000".to_vec();
        }
        match self.prng.below(6) {
            0 => drop(command.pop().filter(|_| command.len() > 1)),
            1 => command.push(garbage),
            2 if at > 0 => command[at] = garbage,
            3 => command.insert(at.max(1), garbage),
            4 => command[0] = mixed_case(&command[0]),
            _ if at > 0 => command[at] = mixed_case(&command[at]),
            _ => command[0].push(b'X'),
        }
        if command.is_empty() {
            command.push(b"GET".to_vec());
        }
    }
}

/// Whether a number in it may be how long something lives: EXPIRE, GETEX, SET with PX, RESTORE.
fn may_expire(command: &Command) -> bool {
    let has_time = |word: &Vec<u8>| {
        let word = word.to_ascii_uppercase();
        word.starts_with(b"PX") || word.windows(2).any(|pair| pair == b"EX")
    };
    command.iter().any(has_time) || command[0].starts_with(b"RESTORE")
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hexadecimal digit") as u8;
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

fn mixed_case(word: &[u8]) -> Vec<u8> {
    let flip = |(i, byte): (usize, &u8)| {
        if i % 2 == 0 {
            byte.to_ascii_lowercase()
        } else {
            byte.to_ascii_uppercase()
        }
    };
    word.iter().enumerate().map(flip).collect()
}
