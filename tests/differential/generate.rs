//! Random commands from a small grammar: mostly sensible, one in ten broken.
//!
//! Few keys, so that commands meet; few values, so that interesting ones (integers at the edge,
//! binary, empty) are frequent. Expiry times lie far in the future or in the past, never near, so
//! that two servers agree on what has expired. Offsets stay small: a test of semantics needs no
//! half-gigabyte strings.

#[path = "stream.rs"]
pub mod stream;

use crate::support::prng::Prng;

pub type Command = Vec<Vec<u8>>;

/// Commands that wait when there is nothing, and only inside a transaction do not.
const WAITING: &[&str] = &[
    "BLPOP LK LK 0",
    "BRPOP LK LK LK 0.5",
    "BLMOVE LK LK LEFT|RIGHT LEFT|RIGHT 0",
    "BRPOPLPUSH LK LK 1",
    "BLMPOP 0 2 LK LK LEFT|RIGHT",
    "BLMPOP 0 1 LK LEFT|RIGHT COUNT U",
    "BZPOPMIN Z Z 0",
    "BZPOPMAX Z LK 0.1",
    "BZMPOP 0 Z# MIN|MAX COUNT U",
];

/// Weight and template. `K` is a key, `K*` some keys, `KV*` pairs, `?x` an x or nothing, `a|b` one
/// word of these; the other letters are in `Generator::token`.
const TEMPLATES: &[(usize, &str)] = &[
    (30, "SET K V"),
    (15, "SET K V ?NX|XX ?GET ?X"),
    (20, "GET K"),
    (4, "GETDEL K"),
    (6, "GETEX K ?Y"),
    (4, "GETSET K V"),
    (6, "GETRANGE K O O"),
    (1, "SUBSTR K O O"),
    (6, "SETRANGE K U V"),
    (4, "STRLEN K"),
    (6, "APPEND K V"),
    (8, "INCR K"),
    (4, "DECR K"),
    (6, "INCRBY K N"),
    (4, "DECRBY K N"),
    (6, "INCRBYFLOAT K F"),
    (8, "MGET K*"),
    (8, "MSET KV*"),
    (5, "MSETNX KV*"),
    (4, "SETNX K V"),
    (3, "SETEX K S V"),
    (3, "PSETEX K S V"),
    (1, "LCS K K ?LEN|IDX ?WITHMATCHLEN"),
    (1, "LCS K K IDX MINMATCHLEN O WITHMATCHLEN"),
    (6, "SETBIT K U B"),
    (6, "GETBIT K U"),
    (4, "BITCOUNT K"),
    (4, "BITCOUNT K O O ?BYTE|BIT"),
    (4, "BITPOS K B ?O"),
    (4, "BITPOS K B O O ?BYTE|BIT"),
    (6, "BITOP AND|OR|XOR K K*"),
    (2, "BITOP NOT K K"),
    (4, "BITFIELD K GET T W"),
    (4, "BITFIELD K SET T W N GET T W"),
    (
        6,
        "BITFIELD K OVERFLOW WRAP|SAT|FAIL INCRBY T W N INCRBY T W N",
    ),
    (2, "BITFIELD_RO K GET T W GET T W"),
    (20, "SADD SK SM*"),
    (4, "SADD SK SMALL SMALL SMALL SMALL"),
    (10, "SREM SK SM*"),
    (4, "SISMEMBER SK SM"),
    (4, "SMISMEMBER SK SM*"),
    (3, "SCARD SK"),
    (4, "SMEMBERS SK"),
    (2, "SPOP SK 100000"),
    (2, "SPOP SK 0"),
    (4, "SADD single x"),
    (4, "SPOP single ?3"),
    (4, "SRANDMEMBER SK ?U"),
    (2, "SRANDMEMBER SK -7"),
    (8, "SMOVE SK SK SM"),
    (6, "SINTER SK*"),
    (4, "SINTERCARD 2 SK SK ?LIMIT U"),
    (6, "SINTERSTORE SK SK*"),
    (6, "SUNION SK*"),
    (4, "SUNIONSTORE SK SK*"),
    (6, "SDIFF SK*"),
    (6, "SDIFFSTORE SK SK*"),
    (4, "SSCAN SK 0 COUNT 100000 ?MATCH ?SM"),
    (20, "PFADD HK SM*"),
    (
        6,
        "PFADD HK SMALL SMALL SMALL SMALL SMALL SMALL SMALL SMALL",
    ),
    (2, "PFADD HK"),
    (8, "PFCOUNT HK"),
    (4, "PFCOUNT HK*"),
    (6, "PFMERGE HK HK*"),
    (2, "PFDEBUG DECODE HK"),
    (2, "PFDEBUG ENCODING HK"),
    (1, "PFDEBUG TODENSE HK"),
    (4, "DEL HK"),
    (8, "DEL K*"),
    (4, "UNLINK K*"),
    (6, "EXISTS K*"),
    (3, "TOUCH K*"),
    (3, "TYPE K"),
    (1, "KEYS G"),
    (1, "SCAN 0 COUNT 10000 ?MATCH|TYPE G"),
    (5, "RENAME K K"),
    (4, "RENAMENX K K"),
    (4, "COPY K K ?REPLACE"),
    (3, "COPY K K DB D ?REPLACE"),
    (3, "MOVE K D"),
    (6, "EXPIRE K S ?C ?C"),
    (4, "PEXPIRE K S ?C"),
    (4, "EXPIREAT K A ?C"),
    (4, "PEXPIREAT K P ?C"),
    (3, "TTL K"),
    (3, "PTTL K"),
    (3, "EXPIRETIME K"),
    (3, "PEXPIRETIME K"),
    (4, "PERSIST K"),
    (4, "OBJECT ENCODING K"),
    (14, "HSET H FV*"),
    (4, "HMSET H FV*"),
    (6, "HSETNX H f V"),
    (10, "HGET H f"),
    (5, "HMGET H f*"),
    (6, "HDEL H f*"),
    (3, "HLEN H"),
    (3, "HSTRLEN H f"),
    (3, "HEXISTS H f"),
    (2, "HKEYS H"),
    (2, "HVALS H"),
    (3, "HGETALL H"),
    (6, "HINCRBY H f N"),
    (5, "HINCRBYFLOAT H f F"),
    (2, "HRANDFIELD H"),
    (3, "HRANDFIELD H O ?WITHVALUES"),
    (3, "HSCAN H 0 COUNT 10000 ?MATCH G"),
    (14, "LPUSH LK E ?E ?E"),
    (14, "RPUSH LK E ?E ?E"),
    (2, "LPUSHX LK E"),
    (2, "RPUSHX LK E ?E"),
    (4, "LPOP LK ?B"),
    (4, "RPOP LK ?U"),
    (2, "LPOP LK ?O"),
    (2, "LLEN LK"),
    (6, "LINDEX LK O"),
    (6, "LSET LK O E"),
    (6, "LRANGE LK O O"),
    (2, "LRANGE LK 0 -1"),
    (8, "LINSERT LK BEFORE|AFTER E E"),
    (5, "LREM LK O E"),
    (3, "LTRIM LK O O"),
    (2, "LTRIM LK 1 -2"),
    (5, "LPOS LK E"),
    (3, "LPOS LK E RANK O COUNT U"),
    (2, "LPOS LK E ?COUNT RANK O MAXLEN U"),
    (6, "LMOVE LK LK LEFT|RIGHT LEFT|RIGHT"),
    (4, "RPOPLPUSH LK LK"),
    (4, "LMPOP 2 LK LK LEFT|RIGHT"),
    (3, "LMPOP 1 LK LEFT|RIGHT COUNT U"),
    (1, "LMPOP U LK LK LEFT|RIGHT"),
    (2, "COPY LK LK ?REPLACE"),
    (2, "RENAME LK LK"),
    (2, "OBJECT ENCODING LK"),
    (1, "DEL LK"),
    (2, "SORT LK ?ASC|DESC"),
    (2, "SORT LK ALPHA ASC|DESC LIMIT O U STORE LK"),
    (2, "SORT LK ALPHA STORE LK"),
    (2, "SORT LK BY nosort ASC|DESC LIMIT U O GET # GET n*"),
    (2, "SORT LK BY n* GET n* GET key:* GET nosuch"),
    (1, "SORT LK BY key:* DESC STORE LK"),
    (1, "SORT_RO LK BY n* LIMIT U U"),
    (1, "SORT_RO K ?DESC GET h*->f"),
    (1, "CONFIG SET list-max-listpack-size 1|5|128|-1|-2"),
    (2, "DBSIZE"),
    (3, "SELECT D"),
    (1, "SWAPDB D D"),
    (1, "PING"),
    (1, "ECHO V"),
    (1, "HELLO 2|3"),
    (1, "CLIENT GETNAME"),
    (1, "COMMAND GETKEYS SET K V"),
    (20, "ZADD Z RM*"),
    (10, "ZADD Z ?NX|XX ?GT|LT ?CH RM*"),
    (6, "ZADD Z ?NX|XX ?GT|LT INCR R M"),
    (8, "ZINCRBY Z R M"),
    (6, "ZREM Z M*"),
    (3, "ZCARD Z"),
    (4, "ZCOUNT Z I I"),
    (4, "ZSCORE Z M"),
    (3, "ZMSCORE Z M*"),
    (4, "ZRANK Z M"),
    (4, "ZREVRANK Z M"),
    (6, "ZRANGE Z O O ?REV ?WITHSCORES"),
    (6, "ZRANGE Z I I BYSCORE ?REV LIMIT O O ?WITHSCORES"),
    (4, "ZRANGEBYSCORE Z I I ?WITHSCORES"),
    (4, "ZREVRANGEBYSCORE Z I I LIMIT O O ?WITHSCORES"),
    (3, "ZREVRANGE Z O O ?WITHSCORES"),
    (3, "ZRANGESTORE Z Z O O ?REV"),
    (3, "ZRANGESTORE Z Z I I BYSCORE ?REV"),
    (3, "ZREMRANGEBYRANK Z O O"),
    (2, "ZREMRANGEBYSCORE Z I I"),
    (4, "ZPOPMIN Z ?O"),
    (4, "ZPOPMAX Z ?O"),
    (3, "ZMPOP Z# MIN|MAX COUNT U"),
    (4, "ZUNION Z#W ?WITHSCORES"),
    (4, "ZINTER Z#W ?WITHSCORES"),
    (4, "ZDIFF Z# ?WITHSCORES"),
    (3, "ZUNIONSTORE Z Z#W"),
    (3, "ZINTERSTORE Z Z#W"),
    (2, "ZDIFFSTORE Z Z#"),
    (3, "ZINTERCARD Z# LIMIT U"),
    (1, "ZRANDMEMBER Z 0"),
    (3, "ZSCAN Z 0 COUNT 1000 ?MATCH m*"),
    (10, "ZADD Q 0 M 0 M 0 M"),
    (4, "ZREM Q M"),
    (4, "ZRANGE Q L L BYLEX ?REV LIMIT O O"),
    (3, "ZRANGEBYLEX Q L L"),
    (3, "ZREVRANGEBYLEX Q L L LIMIT O O"),
    (3, "ZLEXCOUNT Q L L"),
    (2, "ZREMRANGEBYLEX Q L L"),
    (2, "ZRANGESTORE Q Q L L BYLEX"),
    (8, "GEOADD J ?NX|XX ?CH GE GE M GE GE M"),
    (2, "GEOPOS J M*"),
    (2, "GEOHASH J M*"),
    (3, "GEODIST J M M ?m|km|ft|mi"),
    (
        4,
        "GEOSEARCH J FROMMEMBER M BYRADIUS GS km|mi|m ?ASC|DESC ?WITHDIST ?WITHCOORD",
    ),
    (
        4,
        "GEOSEARCH J FROMLONLAT GE GE BYRADIUS GS km ?ASC|DESC ?WITHHASH ?WITHDIST",
    ),
    (
        4,
        "GEOSEARCH J FROMLONLAT GE GE BYBOX GS GS km ?ASC|DESC ?WITHDIST",
    ),
    (2, "GEOSEARCH J FROMLONLAT GE GE BYBOX GS GS km COUNT U ANY"),
    (2, "GEOSEARCHSTORE J J FROMMEMBER M BYRADIUS GS km ?ASC"),
    (
        2,
        "GEOSEARCHSTORE Z J FROMMEMBER M BYRADIUS GS km ?ASC STOREDIST",
    ),
    (2, "GEORADIUS J GE GE GS km ?WITHDIST ?ASC"),
    (2, "GEORADIUS J GE GE GS km STORE|STOREDIST Z"),
    (2, "GEORADIUS_RO J GE GE GS km ?WITHDIST ?DESC"),
    (2, "GEORADIUSBYMEMBER J M GS km STORE J"),
    (2, "GEORADIUSBYMEMBER_RO J M GS km ASC"),
];

/// Keys that mostly hold places, and coordinates and sizes for them.
const PLACES: &[&[u8]] = &[b"geo1", b"geo2"];
const DEGREES: &[&[u8]] = &[
    b"0",
    b"0.001",
    b"13.361389",
    b"38.115556",
    b"-73.98",
    b"80.5",
    b"-85.05112878",
    b"15.087269",
    b"179.9999",
    b"-0.5",
    b"66.7",
    b"-66.7",
];
const SIZES: &[&[u8]] = &[
    b"0", b"1", b"10.5", b"500", b"3000", b"10000", b"30000", b"1e9",
];

/// Keys that mostly hold sorted sets, and keys of sorted sets whose scores are all zero.
const ZSETS: &[&[u8]] = &[b"z1", b"z2", b"z3", b"{t}z", b"z5"];
const LEX_ZSETS: &[&[u8]] = &[b"lex1", b"lex2"];

const MEMBERS: &[&[u8]] = &[
    b"m1",
    b"m2",
    b"m3",
    b"m4",
    b"m5",
    b"m6",
    b"7",
    b"-12",
    b"007",
    b"70000",
    b"",
    b"\x00\xff",
    b"m",
    b"123456789012",
    // Longer than what is packed.
    b"mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm",
];

const SCORES: &[&[u8]] = &[
    b"0",
    b"1",
    b"2",
    b"-1",
    b"2.5",
    b"-0.125",
    b"0.1",
    b"1e10",
    b"inf",
    b"-inf",
    b"-0",
    b"100",
    b"1e-5",
    b"3",
    b"0x10",
    b"12345678901234567890",
];

/// In a thousand commands: the rare ones that wipe the table clean.
const WIPES: &[&str] = &["FLUSHDB", "FLUSHALL", "FLUSHDB ASYNC", "FLUSHALL SYNC"];

const KEYS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"f",
    b"g",
    b"h",
    b"key:1",
    b"key:2",
    b"key:3",
    b"key:4",
    b"{t}1",
    b"{t}2",
    b"{t}3",
    b"{u}1",
    b"n1",
    b"n2",
    b"n3",
    b"\x00\xff",
    b"",
    b"a b",
    b"{}x",
    b"{{x}}",
];

/// Keys that mostly hold sets.
const SETS: &[&[u8]] = &[b"s1", b"s2", b"s3", b"{t}s", b"s5", b"s6"];

/// Keys that mostly hold HyperLogLogs.
const HLLS: &[&[u8]] = &[b"h1", b"h2", b"h3", b"{t}hll", b"h5"];

const SET_MEMBERS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"",
    b"01",
    b"x\x00y",
    b"32767",
    b"-32769",
    b"2147483648",
    b"9223372036854775807",
    b"9223372036854775808",
    // Longer than what is packed.
    b"sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss",
];
const HASHES: &[&[u8]] = &[b"h:1", b"h:2", b"h:3", b"{t}h", b"h:4"];

const FIELDS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"f",
    b"1",
    b"2",
    b"-7",
    b"007",
    b"",
    b"long field",
    b"\x00\xff",
    b"field:13",
    b"field:14",
    b"field:15",
    b"12345678",
    b"x y",
];
/// Keys that mostly hold lists.
const LISTS: &[&[u8]] = &[b"l1", b"l2", b"l3", b"l4", b"{t}l", b"{u}l"];

const VALUES: &[&[u8]] = &[
    b"0",
    b"1",
    b"-1",
    b"10",
    b"3.14",
    b"-0",
    b"007",
    b"1e3",
    b"",
    b"hello",
    b"Hello, World",
    b" 1",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"\x00\x01\xff\x80",
    b"\r\n",
    b"12345678901234567890123456789012345678901234",
    b"123456789012345678901234567890123456789012345",
    b"1.7976931348623157e308",
    b"inf",
    b"foobar",
];

const FLOATS: &[&[u8]] = &[
    b"1.5",
    b"-0.1",
    b"0.2",
    b"1e-5",
    b"3",
    b"5.0e3",
    b"123456789.125",
    b"-1e10",
    b"0",
    b"1e17",
];

/// What stands where something else should.
const GARBAGE: &[&[u8]] = &[
    b"abc",
    b"",
    b"-1",
    b"1.5",
    b"9223372036854775807",
    b"9223372036854775808",
    b" 1",
    b"+1",
    b"NX",
    b"-9223372036854775808",
    b"99999999999999999999",
    b"\x00",
    b"\xff\xfe",
    b"nan",
    b"EX",
    b"\r\n",
    b"16",
    b"#1",
    b"u64",
    b"GET",
    b"*",
    b"4294967296",
];

pub struct Generator {
    pub prng: Prng,
    total: usize,
    /// How many more commands are queued before the transaction ends; none when there is none.
    left: Option<usize>,
    streams: stream::Streams,
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        let total = TEMPLATES.iter().map(|(weight, _)| weight).sum();
        Generator {
            prng: Prng::new(seed),
            total,
            left: None,
            streams: stream::Streams::default(),
        }
    }

    /// The next command of a sequence in which some stand between MULTI and EXEC, some of these
    /// behind WATCH.
    pub fn step(&mut self) -> Command {
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
                let command = match self.prng.percent(8) {
                    true => self.waiting_command(),
                    false => self.command(),
                };
                // 7.0 takes fewer arguments, which spoils its transaction and not ours.
                match command[0].to_ascii_uppercase().as_slice() {
                    b"ZRANK" | b"ZREVRANK" => word("PING"),
                    _ => command,
                }
            }
            None => self.command(),
        }
    }

    /// Whether a transaction is open.
    pub fn is_in_multi(&self) -> bool {
        self.left.is_some()
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
        let chosen = TEMPLATES.iter().find(|(weight, _)| {
            let found = at < *weight;
            at = at.saturating_sub(*weight);
            found
        });
        let (_, template) = chosen.expect("a number below the total falls on a template");
        let mut command = self.filled(template);
        // What is configured has to stay the same on both sides, and what is drawn by chance too;
        // and sets whose scores are all the same, as ranges of members mean nothing elsewhere.
        let is_drawn = template.starts_with("SPOP") || template.contains("single");
        // A third argument of ZRANK is known since 7.2; before, it spoils a whole transaction.
        let is_newer = ["ZRANK", "ZREVRANK"]
            .iter()
            .any(|name| command[0] == name.as_bytes());
        let is_same = is_drawn || template.contains(" Q ") || command[0] == b"CONFIG";
        let is_kept = is_same || is_newer;
        if !is_kept && self.prng.percent(10) {
            self.spoil(&mut command);
        }
        command
    }

    /// A command that might have to wait, were it not in a transaction.
    fn waiting_command(&mut self) -> Command {
        let template = *self.prng.pick(WAITING);
        let mut command = self.filled(template);
        if self.prng.percent(10) {
            self.spoil(&mut command);
        }
        command
    }

    fn filled(&mut self, template: &str) -> Command {
        let mut command = Command::new();
        for token in template.split(' ') {
            self.token(token, &mut command);
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
