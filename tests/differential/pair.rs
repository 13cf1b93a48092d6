//! Two servers that are told the same: sends a sequence to both, compares what comes back, and
//! makes a failing sequence short.
//!
//! What may differ is listed in `same`, with its reason; everything else has to be equal to the
//! byte, down to which kind of nil it is.

use crate::generate::Command;
use crate::generate::stream::without_times;
use crate::support::client::encode;
use crate::support::notation::{lines, quoted};
use crate::support::{Client, Reply};

pub struct Pair {
    pub ours: Client,
    pub oracle: Client,
    /// The reference is older than 7.2.
    pub old: bool,
    /// How many commands were not compared, because the two had parted.
    pub passed_over: usize,
}

/// Whether a scan has not seen all keys yet: which it saw depends on the order of the table.
fn is_partial(reply: &Reply) -> bool {
    matches!(reply, Reply::Array(items) if items[0].text() != "0")
}

/// Whether two replies are of one kind, and neither is an error.
fn same_kind(ours: &Reply, oracle: &Reply) -> bool {
    std::mem::discriminant(ours) == std::mem::discriminant(oracle) && !ours.is_error()
}

/// Whether a reply tells of the server, its clients, its clock or its memory, or of chance.
fn is_own(command: &Command) -> bool {
    let word = |at: usize| command.get(at).map(|word| word.to_ascii_uppercase());
    let (name, form) = (word(0).unwrap_or_default(), word(1).unwrap_or_default());
    let forms: &[&[u8]] = match name.as_slice() {
        b"DUMP" | b"INFO" | b"LATENCY" | b"LOLWUT" | b"MEMORY" | b"RANDOMKEY" | b"SLOWLOG"
        | b"TIME" => return true,
        b"CLIENT" => &[b"ID", b"INFO", b"LIST"],
        b"COMMAND" => &[b"", b"COUNT", b"LIST"],
        // The digest of all takes keys in that have expired, until somebody looks at them.
        b"DEBUG" => &[b"OBJECT", b"DIGEST"],
        b"OBJECT" => &[b"HELP", b"IDLETIME", b"REFCOUNT"],
        _ => &[],
    };
    forms.contains(&form.as_slice())
}

/// Whether both refused to add several elements to a damaged HyperLogLog. Redis has added those
/// before the one that it noticed the damage with, Ringshard none of them: see the README.
fn is_half_done(command: &Command, ours: &Reply, oracle: &Reply) -> bool {
    let is_refused = matches!(ours, Reply::Error(text) if text.starts_with(b"INVALIDOBJ"));
    let is_addition = command[0].eq_ignore_ascii_case(b"PFADD") && command.len() > 3;
    is_addition && is_refused && ours == oracle
}

/// Whether XSETID was refused for an id below one that was deleted. Since 7.2 it is; before, the
/// stream forgets about the deleted one, or something else of the command is refused.
fn is_below_deleted(command: &Command, ours: &Reply) -> bool {
    let text = b"ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
    command[0].eq_ignore_ascii_case(b"XSETID")
        && matches!(ours, Reply::Error(error) if error == text)
}

/// What two replies to the same command say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    /// As they should be, but from here on the two hold different values on purpose.
    Parted,
    Different,
}

impl Verdict {
    fn of(is_same: bool) -> Verdict {
        match is_same {
            true => Verdict::Same,
            false => Verdict::Different,
        }
    }
}

/// The first command on which the two disagreed.
pub struct Difference {
    pub at: usize,
    pub ours: Reply,
    pub oracle: Reply,
}

/// Clocks of two servers are read at different moments.
const CLOCK_TOLERANCE_MS: i64 = 5_000;

impl Pair {
    pub fn new(ours: Client, oracle: Client, old: bool) -> Pair {
        Pair {
            ours,
            oracle,
            old,
            passed_over: 0,
        }
    }

    /// Runs commands on both, all in one packet. Where the two part, the other commands say
    /// nothing, and both begin anew.
    pub fn run(&mut self, commands: &[Command]) -> Option<Difference> {
        let mut request = Vec::new();
        for command in commands {
            encode(command, &mut request);
        }
        self.ours.send_bytes(&request);
        self.oracle.send_bytes(&request);
        let (mut verdict, mut difference) = (Verdict::Same, None);
        let mut queued: Vec<&Command> = Vec::new();
        for (at, command) in commands.iter().enumerate() {
            let (ours, oracle) = (self.ours.receive(), self.oracle.receive());
            match verdict {
                Verdict::Same => {}
                Verdict::Parted => {
                    self.passed_over += 1;
                    continue;
                }
                Verdict::Different => continue,
            }
            verdict = match command[0].to_ascii_uppercase().as_slice() {
                b"EXEC" => self.judge_all(&queued, &ours, &oracle),
                _ => self.judge(command, &ours, &oracle),
            };
            match &ours {
                Reply::Simple(text) if text == b"QUEUED" => queued.push(command),
                // Not everything that is refused ends a transaction.
                Reply::Error(_) => {}
                _ => queued.clear(),
            }
            if verdict == Verdict::Different {
                difference = Some(Difference { at, ours, oracle });
            }
        }
        if verdict == Verdict::Parted {
            for client in [&mut self.ours, &mut self.oracle] {
                assert_eq!(client.call("FLUSHALL").text(), "OK");
            }
        }
        difference
    }

    /// What two replies to EXEC say, command by command.
    fn judge_all(&self, queued: &[&Command], ours: &Reply, oracle: &Reply) -> Verdict {
        let (Reply::Array(our_items), Reply::Array(oracle_items)) = (ours, oracle) else {
            return Verdict::of(ours == oracle);
        };
        if our_items.len() != queued.len() || oracle_items.len() != queued.len() {
            return Verdict::Different;
        }
        let pairs = our_items.iter().zip(oracle_items).zip(queued);
        let mut verdicts = pairs.map(|((ours, oracle), command)| self.judge(command, ours, oracle));
        let first = verdicts.find(|verdict| *verdict != Verdict::Same);
        first.unwrap_or(Verdict::Same)
    }

    fn judge(&self, command: &Command, ours: &Reply, oracle: &Reply) -> Verdict {
        if self.old && is_below_deleted(command, ours) {
            return match oracle.is_error() {
                true => Verdict::Same,
                false => Verdict::Parted,
            };
        }
        match is_half_done(command, ours, oracle) {
            true => Verdict::Parted,
            false => Verdict::of(self.same(command, ours, oracle)),
        }
    }

    /// Whether two replies are the same, but for what legitimately differs.
    fn same(&self, command: &Command, ours: &Reply, oracle: &Reply) -> bool {
        if ours == oracle {
            return true;
        }
        let name = command[0].to_ascii_uppercase();
        if is_own(command) {
            // Redis weighs what has expired, until somebody else looks.
            let is_over = name == b"MEMORY" && ours.is_nil() && matches!(oracle, Reply::Integer(_));
            return is_over || same_kind(ours, oracle);
        }
        match name.as_slice() {
            // Tables are walked in different orders, and a cursor that nobody gave is anywhere.
            b"SCAN" if command[1] != b"0" || is_partial(ours) || is_partial(oracle) => {
                ours.items().len() == oracle.items().len()
            }
            // From a place in the middle, different tables go on with different elements.
            b"HSCAN" | b"SSCAN" | b"ZSCAN" if command.get(2).is_none_or(|at| at != b"0") => {
                same_kind(ours, oracle)
            }
            b"KEYS" | b"SCAN" | b"CONFIG" => sorted(ours) == sorted(oracle),
            b"HKEYS" | b"HVALS" | b"HGETALL" | b"HSCAN" => sorted(ours) == sorted(oracle),
            // Chance: as many, of the same kind.
            b"HRANDFIELD" => {
                std::mem::discriminant(ours) == std::mem::discriminant(oracle)
                    && !ours.is_error()
                    && ours.items().len() == oracle.items().len()
            }
            // Keys that have expired count until somebody happens to look at them.
            b"DBSIZE" => ours.integer() >= 0 && oracle.integer() >= 0,
            // Different versions and client ids.
            b"HELLO" => std::mem::discriminant(ours) == std::mem::discriminant(oracle),
            b"TTL" | b"EXPIRETIME" | b"HTTL" | b"HEXPIRETIME" => {
                close(ours, oracle, CLOCK_TOLERANCE_MS / 1000)
            }
            b"PTTL" | b"PEXPIRETIME" | b"HPTTL" | b"HPEXPIRETIME" => {
                close(ours, oracle, CLOCK_TOLERANCE_MS)
            }
            b"SUNION" | b"SINTER" | b"SDIFF" | b"SMEMBERS" | b"SPOP" | b"SSCAN" => {
                sorted(ours) == sorted(oracle)
            }
            // Since 7.2 the error names the command.
            b"XREAD" | b"XREADGROUP" => self.old && ours.is_error() && oracle.is_error(),
            // Since 7.2 claiming makes its consumer also when there is nothing to claim.
            b"XGROUP" => {
                self.old && command[1].eq_ignore_ascii_case(b"createconsumer") && !ours.is_error()
            }
            b"XPENDING" | b"XINFO" => {
                without_times(command, ours) == without_times(command, oracle)
            }
            b"SRANDMEMBER" => same_draw(ours, oracle),
            // Since 7.2 small lists and sets are listpacks (what begins with h: is a hash, if
            // anything); SORT of Redis unpacks sorted sets for ever.
            b"OBJECT" => match (ours, oracle) {
                (Reply::Bulk(ours), Reply::Bulk(oracle)) => {
                    let is_larger = match &oracle[..] {
                        b"quicklist" => self.old,
                        b"hashtable" => self.old && !command[2].starts_with(b"h:"),
                        name => name == b"skiplist",
                    };
                    is_larger && ours == b"listpack"
                }
                _ => false,
            },
            b"ZSCAN" => sorted(&plain_numbers(ours)) == sorted(&plain_numbers(oracle)),
            b"ZRANDMEMBER" => std::mem::discriminant(ours) == std::mem::discriminant(oracle),
            // Since 7.2 they take a third argument.
            b"ZRANK" | b"ZREVRANK" if command.len() > 3 => self.old && oracle.is_error(),
            // Since 7.2 scores have the fewest digits that read back the same.
            [b'Z', ..] | [b'B', b'Z', ..] => self.old && same_numbers(ours, oracle),
            // Since 7.2 bad arguments are errors whatever the key holds.
            b"BITCOUNT" | b"BITPOS" => self.old && ours.is_error(),
            _ => false,
        }
    }

    /// Clears both and replays; whether the last command is the one that differs.
    fn reproduces(&mut self, commands: &[Command]) -> bool {
        for client in [&mut self.ours, &mut self.oracle] {
            client.call("RESET");
            client.call("FLUSHALL");
            client.call("CONFIG SET list-max-listpack-size -2");
        }
        self.run(commands)
            .is_some_and(|difference| difference.at + 1 == commands.len())
    }

    /// Leaves out whatever the last command's difference does not need.
    pub fn shrink(&mut self, mut commands: Vec<Command>) -> Vec<Command> {
        let mut step = commands.len() / 2;
        while step > 0 {
            let mut start = 0;
            while start + 1 < commands.len() {
                let end = (start + step).min(commands.len() - 1);
                let shorter = [&commands[..start], &commands[end..]].concat();
                if self.reproduces(&shorter) {
                    commands = shorter;
                } else {
                    start = end;
                }
            }
            step /= 2;
        }
        commands
    }

    /// Compares everything that is stored, database by database.
    pub fn compare_stores(&mut self) -> Option<String> {
        let database = self.ours.call("CLIENT INFO").text();
        for db in 0..4 {
            let select = vec![b"SELECT".to_vec(), db.to_string().into_bytes()];
            let keys = vec![b"KEYS".to_vec(), b"*".to_vec()];
            if let Some(difference) = self.run(&[select.clone(), keys]) {
                return Some(format!("keys of database {db}: {}", difference.describe()));
            }
            for key in self.oracle_keys() {
                let ask = |words: &[&str]| {
                    let words = words.iter().map(|word| word.as_bytes().to_vec());
                    words.chain([key.clone()]).collect::<Command>()
                };
                let commands = [
                    &["TYPE"][..],
                    &["GET"],
                    &["PEXPIRETIME"],
                    &["OBJECT", "ENCODING"],
                    &["DEBUG", "DIGEST-VALUE"],
                    &["XINFO", "STREAM"],
                    &["XINFO", "GROUPS"],
                ];
                let commands = commands.map(ask);
                if let Some(difference) = self.run(&commands) {
                    let command = typed(&commands[difference.at]);
                    return Some(format!("db {db}: {command}: {}", difference.describe()));
                }
                if let Some(difference) = self.exchange(&key) {
                    return Some(format!("db {db}: {difference}"));
                }
            }
        }
        let db = database
            .split("db=")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let select = format!("SELECT {}", db.expect("CLIENT INFO names the database"));
        self.ours.call(&select);
        self.oracle.call(&select);
        None
    }

    /// Lets both of them restore what each dumps, unless they dump the same bytes.
    fn exchange(&mut self, key: &[u8]) -> Option<String> {
        const COPY: &[u8] = b"copy of the other";
        let dumps =
            [&mut self.ours, &mut self.oracle].map(|from| from.call_args(&[&b"DUMP"[..], key]));
        let (Reply::Bulk(ours), Reply::Bulk(oracle)) = (&dumps[0], &dumps[1]) else {
            let same = dumps[0] == dumps[1];
            return (!same).then(|| format!("DUMP of {}: {dumps:?}", quoted(key)));
        };
        if ours == oracle {
            return None;
        }
        for dump in [ours, oracle] {
            let copies = [&mut self.ours, &mut self.oracle].map(|to| {
                let restored = to.call_args(&[&b"RESTORE"[..], COPY, b"0", dump, b"REPLACE"]);
                let digest = to.call_args(&[&b"DEBUG"[..], b"DIGEST-VALUE", COPY]);
                to.call_args(&[&b"DEL"[..], COPY]);
                (restored, digest)
            });
            if copies[0] != copies[1] || copies[0].0.is_error() {
                let (key, dump) = (quoted(key), quoted(dump));
                return Some(format!("{key} as {dump}: {copies:?}"));
            }
        }
        None
    }

    fn oracle_keys(&mut self) -> Vec<Vec<u8>> {
        let keys = self.oracle.call("KEYS *");
        let name = |key: &Reply| match key {
            Reply::Bulk(name) => name.clone(),
            other => panic!("KEYS replies with bulks, not {other:?}"),
        };
        keys.items().iter().map(name).collect()
    }
}

impl Difference {
    pub fn describe(&self) -> String {
        let (ours, oracle) = (
            lines(&self.ours).join("\n  "),
            lines(&self.oracle).join("\n  "),
        );
        if ours == oracle {
            return format!("\n  ours   {:?}\n  oracle {:?}", self.ours, self.oracle);
        }
        format!("\nours:\n  {ours}\noracle:\n  {oracle}")
    }
}

/// A command as one would type it.
pub fn typed(command: &Command) -> String {
    let words = command.iter().map(|word| {
        let plain = !word.is_empty() && word.iter().all(|b| b.is_ascii_graphic() && *b != b'"');
        if plain {
            String::from_utf8_lossy(word).into_owned()
        } else {
            quoted(word)
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether replies are the same but for the digits of floating point numbers.
fn same_numbers(ours: &Reply, oracle: &Reply) -> bool {
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<f64>().ok();
    match (ours, oracle) {
        (Reply::Array(ours), Reply::Array(oracle)) => {
            let mut pairs = ours.iter().zip(oracle);
            ours.len() == oracle.len() && pairs.all(|(a, b)| same_numbers(a, b))
        }
        (Reply::Bulk(a), Reply::Bulk(b)) | (Reply::Double(a), Reply::Double(b)) => {
            a == b || number(a).is_some_and(|number_a| Some(number_a) == number(b))
        }
        _ => ours == oracle,
    }
}

/// The same with floating point numbers in one spelling.
fn plain_numbers(reply: &Reply) -> Reply {
    match reply {
        Reply::Array(items) => Reply::Array(items.iter().map(plain_numbers).collect()),
        Reply::Bulk(text) => {
            let number = std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse::<f64>().ok());
            let plain = number.map(|number| number.to_string().into_bytes());
            Reply::Bulk(plain.unwrap_or_else(|| text.clone()))
        }
        other => other.clone(),
    }
}

fn sorted(reply: &Reply) -> Reply {
    match reply {
        Reply::Array(items) => {
            let mut items: Vec<Reply> = items.iter().map(sorted).collect();
            items.sort();
            Reply::Array(items)
        }
        Reply::Set(items) => {
            let mut items = items.clone();
            items.sort();
            Reply::Set(items)
        }
        Reply::Map(items) => {
            let mut pairs: Vec<_> = items.chunks(2).map(<[Reply]>::to_vec).collect();
            pairs.sort();
            Reply::Map(pairs.concat())
        }
        other => other.clone(),
    }
}

/// Whether as many members were drawn.
fn same_draw(ours: &Reply, oracle: &Reply) -> bool {
    match (ours, oracle) {
        (Reply::Array(a), Reply::Array(b)) => a.len() == b.len(),
        (Reply::Bulk(_), Reply::Bulk(_)) => true,
        _ => false,
    }
}

fn close(ours: &Reply, oracle: &Reply, tolerance: i64) -> bool {
    match (ours, oracle) {
        (Reply::Integer(a), Reply::Integer(b)) => {
            a == b || *a > 0 && *b > 0 && (a - b).abs() <= tolerance
        }
        (Reply::Array(a), Reply::Array(b)) => {
            let mut pairs = a.iter().zip(b);
            a.len() == b.len() && pairs.all(|(a, b)| close(a, b, tolerance))
        }
        _ => false,
    }
}
