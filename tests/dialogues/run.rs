//! Speaks one dialogue with one server and collects what does not fit.
//!
//! The reference server's bytes are kept as `Transcript`, so that Ringshard's can be held against
//! them where the notation says less than the wire.

use crate::compare::{fits, is_exact, sorted};
use crate::script::{Action, Script, Step, Version, version};
use crate::support::notation::{lines, quoted};
use crate::support::server::Setup;
use crate::support::wait::holds_within;
use crate::support::{Client, Reply};
use std::collections::HashMap;
use std::time::Duration;

/// What a server answered, step by step; none where it was not asked.
pub type Transcript = Vec<Option<Answer>>;

#[derive(Clone)]
pub struct Answer {
    pub lines: Vec<String>,
    pub bytes: Vec<u8>,
}

/// How long `@eventually` goes on asking.
const EVENTUALLY: Duration = Duration::from_secs(10);

/// How long to wait for other clients to be gone.
const ALONE: Duration = Duration::from_secs(2);

pub struct Run {
    pub transcript: Transcript,
    pub failures: Vec<String>,
}

/// Runs `script` against a fresh server. With `oracle` set, steps that it is too old for are left
/// out; with `reference`, bytes are compared too.
pub fn run(script: &Script, setup: &Setup, oracle: bool, reference: Option<&Transcript>) -> Run {
    let mut setup = setup.clone();
    for (name, value) in &script.marks.config {
        setup = setup.arg(name, value);
    }
    let server = setup.start();
    let mut first = server.client();
    // Whoever asked whether the server is up may still be counted as a client for a moment.
    holds_within(ALONE, &mut || {
        let info = first.call("INFO clients").text();
        info.contains("connected_clients:1\r\n")
    });
    let version = oracle.then(|| redis_version(&mut first));
    let mut missing =
        |name: &String| first.call(&format!("COMMAND INFO {name}")).items()[0].is_nil();
    let needed = script.marks.needs.iter().find(|name| missing(name));
    let needed = needed.or_else(|| {
        let works = script.marks.works.as_ref()?;
        let reply = server.client().call(works);
        matches!(reply, Reply::Error(_)).then_some(works)
    });
    let mut speaker = Speaker {
        port: server.port(),
        script,
        connections: HashMap::new(),
    };
    let mut run = Run {
        transcript: Vec::new(),
        failures: Vec::new(),
    };
    if version.is_some_and(|version| !script.marks.suits(version)) {
        return run;
    }
    if let Some(name) = needed {
        println!("SKIPPED: {} needs {name}", script.path.display());
        return run;
    }
    speaker.welcome("", first);
    for (index, step) in script.steps.iter().enumerate() {
        if version.is_some_and(|version| !step.marks.suits(version)) {
            run.transcript.push(None);
            continue;
        }
        let answer = speaker.perform(step);
        let reference = reference.and_then(|all| all.get(index)?.as_ref());
        run.failures.extend(judge(script, step, &answer, reference));
        run.transcript.push(Some(answer));
    }
    run
}

fn redis_version(client: &mut Client) -> Version {
    let info = client.call("INFO server").text();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"));
    line.and_then(version).expect("INFO names the version")
}

fn judge(
    script: &Script,
    step: &Step,
    answer: &Answer,
    reference: Option<&Answer>,
) -> Option<String> {
    let place = format!("{}:{}", script.path.display(), step.line);
    let typed = &script.lines[step.line - 1];
    let expected = &step.expected;
    if !matches(step, answer) {
        return Some(format!(
            "{place}: {typed}\n  expected:\n    {}\n  got:\n    {}",
            expected.join("\n    "),
            answer.lines.join("\n    "),
        ));
    }
    let reference = reference.filter(|_| !step.marks.unordered && is_exact(expected))?;
    (reference.bytes != answer.bytes).then(|| {
        let (theirs, ours) = (quoted(&reference.bytes), quoted(&answer.bytes));
        format!("{place}: {typed}\n  redis-server sends {theirs}\n  got                {ours}")
    })
}

pub fn matches(step: &Step, answer: &Answer) -> bool {
    match step.expected.as_slice() {
        [line] if line.starts_with("bytes ") => line[6..] == quoted(&answer.bytes),
        expected => fits(expected, &answer.lines),
    }
}

struct Speaker<'a> {
    port: u16,
    script: &'a Script,
    connections: HashMap<String, Client>,
}

impl Speaker<'_> {
    fn perform(&mut self, step: &Step) -> Answer {
        let mut answer = self.act(step);
        if step.marks.eventually {
            holds_within(EVENTUALLY, &mut || {
                matches(step, &answer) || {
                    answer = self.act(step);
                    false
                }
            });
        }
        answer
    }

    fn act(&mut self, step: &Step) -> Answer {
        let client = self.connection(&step.connection);
        // A server that has hung up is seen when reading, so write errors are not looked at.
        let reads = match &step.action {
            Action::Call(args) | Action::Send(args) => {
                let mut request = Vec::new();
                crate::support::client::encode(args, &mut request);
                let _ = client.try_send_bytes(&request);
                matches!(step.action, Action::Call(_))
            }
            Action::CallBytes(bytes) | Action::SendBytes(bytes) => {
                let _ = client.try_send_bytes(bytes);
                matches!(step.action, Action::CallBytes(_))
            }
            Action::Read => true,
        };
        if !reads {
            return Answer {
                lines: Vec::new(),
                bytes: Vec::new(),
            };
        }
        match client.receive_with_bytes() {
            Some((reply, bytes)) => {
                let reply = if step.marks.unordered {
                    sorted(reply)
                } else {
                    reply
                };
                Answer {
                    lines: lines(&reply),
                    bytes,
                }
            }
            None => {
                self.connections.remove(&step.connection);
                Answer {
                    lines: vec!["(closed)".into()],
                    bytes: Vec::new(),
                }
            }
        }
    }

    /// The named connection, opened at its first use.
    fn connection(&mut self, name: &str) -> &mut Client {
        if !self.connections.contains_key(name) {
            self.welcome(name, Client::connect(self.port));
        }
        self.connections.get_mut(name).expect("just welcomed")
    }

    fn welcome(&mut self, name: &str, mut client: Client) {
        if self.script.marks.resp3 {
            let greeting = client.call("HELLO 3");
            assert!(matches!(greeting, Reply::Map(_)), "HELLO 3 gives a map");
        }
        self.connections.insert(name.to_owned(), client);
    }
}

/// The file's text with the expected lines of every step that did not fit replaced by what came.
pub fn recorded(script: &Script, transcript: &Transcript) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut next = 0;
    for (step, answer) in script.steps.iter().zip(transcript) {
        let Some(answer) = answer.as_ref().filter(|answer| !matches(step, answer)) else {
            continue;
        };
        out.extend_from_slice(&script.lines[next..step.line]);
        out.extend(answer.lines.iter().map(|line| writable(line)));
        next = step.line + step.expected.len();
    }
    out.extend_from_slice(&script.lines[next..]);
    out.join("\n") + "\n"
}

/// A line as it can stand in a file: what would read as something else becomes `...`.
fn writable(line: &str) -> String {
    let other = line.is_empty() || line.starts_with(['#', '@', '>']);
    if other {
        "...".to_owned()
    } else {
        line.to_owned()
    }
}
