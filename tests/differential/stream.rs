//! Random commands on streams, and what may differ in their replies.
//!
//! Ids come from a counter that mostly ascends, so that additions mostly succeed and ranges mostly
//! meet something. Nothing depends on the clock but the times that replies tell, which are left
//! out of the comparison.

use crate::support::Reply;
use crate::support::prng::Prng;

type Command = Vec<Vec<u8>>;

/// Weight and template. `S` is a stream's key, `A` the id of a new entry, `Z` one
/// behind all others, `I` an id, `I*` some, `F`
/// fields and values, `G` a group, `C` a consumer, `N` a number, `L` and `H` ends of a range, `T`
/// how to trim, `D` a time to have been idle, `?x` an x or nothing, `a|b` one word of these.
pub const TEMPLATES: &[(usize, &str)] = &[
    (30, "XADD S A F"),
    (6, "XADD S ?NOMKSTREAM T A F"),
    (4, "XADD S NOMKSTREAM A F"),
    (5, "XTRIM S T"),
    (3, "XLEN S"),
    (6, "XRANGE S L H"),
    (3, "XRANGE S L H COUNT N"),
    (4, "XREVRANGE S H L"),
    (3, "XREVRANGE S H L COUNT N"),
    (8, "XDEL S I*"),
    (1, "XSETID S Z ENTRIESADDED N"),
    (1, "XSETID S Z ENTRIESADDED 1000 MAXDELETEDID I"),
    (4, "XREAD STREAMS S I"),
    (2, "XREAD COUNT N STREAMS S I"),
    (3, "XREAD COUNT N STREAMS S S I I|$"),
    (8, "XGROUP CREATE S G I|$|0 ?MKSTREAM"),
    (2, "XGROUP CREATE S G I MKSTREAM ENTRIESREAD N"),
    (3, "XGROUP SETID S G I|$|0"),
    (1, "XGROUP SETID S G I ENTRIESREAD N"),
    (1, "XGROUP DESTROY S G"),
    (2, "XGROUP CREATECONSUMER S G C"),
    (2, "XGROUP DELCONSUMER S G C"),
    (14, "XREADGROUP GROUP G C COUNT N STREAMS S >"),
    (4, "XREADGROUP GROUP G C STREAMS S >"),
    (3, "XREADGROUP GROUP G C NOACK COUNT N STREAMS S >"),
    (4, "XREADGROUP GROUP G C STREAMS S I|0"),
    (5, "XREADGROUP GROUP G C COUNT N STREAMS S S >|I >|0"),
    (8, "XACK S G I*"),
    (6, "XCLAIM S G C D I* ?JUSTID"),
    (3, "XCLAIM S G C D I* FORCE ?JUSTID"),
    (2, "XCLAIM S G C 0 I* TIME 1000 RETRYCOUNT N LASTID I"),
    (2, "XCLAIM S G C 0 I IDLE 900000000 FORCE"),
    (4, "XAUTOCLAIM S G C D L ?JUSTID"),
    (4, "XAUTOCLAIM S G C D L COUNT 1|2|3"),
    (4, "XPENDING S G"),
    (4, "XPENDING S G L H 10"),
    (2, "XPENDING S G IDLE D L H N C"),
    (4, "XINFO STREAM S"),
    (4, "XINFO STREAM S FULL"),
    (1, "XINFO STREAM S FULL COUNT N"),
    (5, "XINFO GROUPS S"),
    (2, "XINFO CONSUMERS S G"),
    (3, "DEL S"),
    (2, "COPY S S REPLACE"),
    (1, "RENAME S S"),
    (1, "SET S text"),
];

const STREAMS: &[&str] = &["s1", "s2", "s3", "s4", "{t}s", "{u}s"];
const GROUPS: &[&str] = &["g", "h", "streams"];
const CONSUMERS: &[&str] = &["ann", "bob", "c"];
const FIELDS: &[&str] = &["a", "b", "temperature", "7", ""];
const VALUES: &[&str] = &[
    "1",
    "-5",
    "hello",
    "",
    "70000",
    "123456789012345",
    "007",
    "x y",
];

/// The state of the generator: the counter of ids.
#[derive(Default)]
pub struct Streams {
    ms: u64,
}

impl Streams {
    /// The next command.
    pub fn command(&mut self, prng: &mut Prng) -> Command {
        let total: usize = TEMPLATES.iter().map(|(weight, _)| weight).sum();
        let mut at = prng.below(total);
        let chosen = TEMPLATES.iter().find(|(weight, _)| {
            let found = at < *weight;
            at = at.saturating_sub(*weight);
            found
        });
        let (_, template) = chosen.expect("a number below the total falls on a template");
        let mut command = Command::new();
        for token in template.split(' ') {
            self.token(token, prng, &mut command);
        }
        command
    }

    fn token(&mut self, token: &str, prng: &mut Prng, out: &mut Command) {
        if let Some(optional) = token.strip_prefix('?') {
            if prng.percent(40) {
                self.token(optional, prng, out);
            }
            return;
        }
        if token.contains('|') {
            let words: Vec<&str> = token.split('|').collect();
            let word = *prng.pick(&words);
            return self.token(word, prng, out);
        }
        match token {
            "F" => {
                for _ in 0..1 + prng.below(3) {
                    out.push(prng.pick(FIELDS).as_bytes().to_vec());
                    out.push(prng.pick(VALUES).as_bytes().to_vec());
                }
            }
            "I*" => (0..1 + prng.below(4)).for_each(|_| self.token("I", prng, out)),
            "T" => self.trim(prng, out),
            _ => {
                let word = self.word(token, prng);
                out.push(word.into_bytes());
            }
        }
    }

    fn trim(&mut self, prng: &mut Prng, out: &mut Command) {
        let is_len = prng.percent(60);
        out.push(if is_len {
            b"MAXLEN".to_vec()
        } else {
            b"MINID".to_vec()
        });
        let operator = *prng.pick(&["", "=", "~", "~"]);
        if !operator.is_empty() {
            out.push(operator.into());
        }
        self.token(if is_len { "N" } else { "I" }, prng, out);
        if operator == "~" && prng.percent(30) {
            out.push(b"LIMIT".to_vec());
            self.token("N", prng, out);
        }
    }

    fn word(&mut self, token: &str, prng: &mut Prng) -> String {
        match token {
            "S" => prng.pick(STREAMS).to_string(),
            "G" => prng.pick(GROUPS).to_string(),
            "C" => prng.pick(CONSUMERS).to_string(),
            "N" => prng.below(12).to_string(),
            "D" => prng.pick(&["0", "0", "1000000000000"]).to_string(),
            "A" => {
                self.ms += prng.below(2) as u64;
                let seq = ["-*", "-1", "-2", "-3"][prng.below(4)];
                format!("{}{seq}", self.ms)
            }
            "I" => {
                let ms = self.ms.saturating_sub(prng.below(15) as u64);
                let seq = ["", "-0", "-1", "-2", "-3"][prng.below(5)];
                format!("{ms}{seq}")
            }
            "Z" => {
                self.ms += 1;
                format!("{}-0", self.ms)
            }
            "L" => self.end("-", prng),
            "H" => self.end("+", prng),
            word => word.to_string(),
        }
    }

    /// An end of a range: of all there is, or an id, included or not.
    fn end(&mut self, all: &str, prng: &mut Prng) -> String {
        let id = self.word("I", prng);
        match prng.below(4) {
            0 | 1 => all.to_string(),
            2 => format!("({id}"),
            _ => id,
        }
    }
}

/// Takes out of a spoiled command what would make its result depend on the clock.
pub fn without_chance(command: &mut Command) {
    for word in command
        .iter_mut()
        .filter(|word| [&b"*"[..], b"16"].contains(&&word[..]))
    {
        *word = b"abc".to_vec();
    }
}

/// A reply without the times it tells, and without consumers that have nothing: 7.2 makes them
/// also when there was nothing to claim.
pub fn without_times(command: &Command, reply: &Reply) -> Reply {
    let words: Vec<Vec<u8>> = command
        .iter()
        .take(2)
        .map(|w| w.to_ascii_uppercase())
        .collect();
    match (words[0].as_slice(), words.get(1).map(Vec::as_slice)) {
        (b"XPENDING", _) if command.len() > 3 => pending(reply, 2),
        (b"XINFO", Some(b"CONSUMERS")) => consumers(reply),
        (b"XINFO", Some(b"GROUPS")) => each(reply, |group| without(group, &["consumers"])),
        (b"XINFO", Some(b"STREAM")) => {
            let full = with(reply, "groups", |groups| each(groups, group_in_full));
            with(&full, "groups", |groups| {
                each(groups, |group| with(group, "consumers", consumers))
            })
        }
        _ => reply.clone(),
    }
}

fn group_in_full(group: &Reply) -> Reply {
    with(group, "pending", |list| pending(list, 2))
}

fn consumers(list: &Reply) -> Reply {
    let has_pending = |consumer: &Reply| {
        let count = field(consumer, "pel-count").or_else(|| field(consumer, "pending"));
        !matches!(count, Some(Reply::Integer(0)))
    };
    let plain = |consumer: &Reply| {
        let consumer = with(consumer, "pending", |list| pending(list, 1));
        without(&consumer, &["idle", "inactive", "seen-time", "active-time"])
    };
    match list {
        Reply::Array(items) => {
            let items = items.iter().filter(|item| has_pending(item));
            Reply::Array(items.map(plain).collect())
        }
        other => other.clone(),
    }
}

/// A list of pending entries without the time at this position.
fn pending(list: &Reply, time_at: usize) -> Reply {
    each(list, |entry| match entry {
        Reply::Array(parts) if parts.len() > time_at => {
            let parts = parts.iter().enumerate().filter(|(at, _)| *at != time_at);
            Reply::Array(parts.map(|(_, part)| part.clone()).collect())
        }
        other => other.clone(),
    })
}

fn each(list: &Reply, change: impl Fn(&Reply) -> Reply) -> Reply {
    match list {
        Reply::Array(items) => Reply::Array(items.iter().map(change).collect()),
        other => other.clone(),
    }
}

fn pairs(map: &Reply) -> Vec<(Reply, Reply)> {
    let (Reply::Map(items) | Reply::Array(items)) = map else {
        return Vec::new();
    };
    let pairs = items.chunks_exact(2);
    pairs
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

fn is_named(name: &Reply, wanted: &str) -> bool {
    matches!(name, Reply::Bulk(name) if name == wanted.as_bytes())
}

fn field(map: &Reply, name: &str) -> Option<Reply> {
    let found = pairs(map).into_iter().find(|(own, _)| is_named(own, name));
    found.map(|(_, value)| value)
}

/// A map, whatever the protocol, with one of its values changed.
fn with(map: &Reply, name: &str, change: impl Fn(&Reply) -> Reply) -> Reply {
    if map.is_error() {
        return map.clone();
    }
    let changed = pairs(map).into_iter().map(|(own, value)| {
        let value = if is_named(&own, name) {
            change(&value)
        } else {
            value
        };
        (own, value)
    });
    Reply::Map(changed.flat_map(|(own, value)| [own, value]).collect())
}

fn without(map: &Reply, names: &[&str]) -> Reply {
    let kept = pairs(map).into_iter();
    let kept = kept.filter(|(own, _)| !names.iter().any(|name| is_named(own, name)));
    Reply::Map(kept.flat_map(|(own, value)| [own, value]).collect())
}
