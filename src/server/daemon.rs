//! `daemonize yes`: the server goes on in the background, and the caller learns how it went.
//!
//! ```text
//!   parent ---- fork ---- waits for the pipe ---- exits 0 (ready) or 1 (prints why not)
//!                 \
//!                  child: own session, silent streams ---- boots ---- ready or failed ---- serves
//! ```
//!
//! Redis lets the parent go at once, so that a failed start looks like success to the init script;
//! here the parent stays until the child serves. A child that dies without a word closes the pipe,
//! which the parent takes for a failure. Must run before the first thread exists. It does not
//! change the working directory: `dir` does.

use std::io::{self, PipeWriter, Read, Write};

use crate::base::process::{self, Forked};

/// The first byte on the pipe.
const READY: u8 = b'R';
const FAILED: u8 = b'F';

/// More than any message that explains a failed start.
const MESSAGE_BYTES_MAX: u64 = 64 * 1024;

/// Which process the caller is in after `daemonize`.
#[derive(Debug)]
pub enum Side {
    /// The one that was started: print the verdict and exit.
    Parent(Verdict),
    /// The one that will serve.
    Child(Readiness),
}

/// How the start of the child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ready,
    Failed { why: String },
}

/// The child's duty to tell the parent; dropping it tells of a failure.
#[derive(Debug)]
pub struct Readiness {
    pipe: PipeWriter,
}

/// Forks; the parent returns once the child has said how its start ended.
pub fn daemonize() -> io::Result<Side> {
    let (reader, writer) = io::pipe()?;
    match process::fork()? {
        Forked::Parent { child } => {
            drop(writer);
            Ok(Side::Parent(verdict(reader, || death_of(child))))
        }
        Forked::Child => {
            drop(reader);
            let readiness = Readiness { pipe: writer };
            match process::new_session().and_then(|()| process::silence_standard_streams()) {
                Ok(()) => Ok(Side::Child(readiness)),
                Err(error) => {
                    let reason = process::reason(&error);
                    readiness.failed(&format!("Can't detach from the terminal: {reason}"));
                    Err(error)
                }
            }
        }
    }
}

impl Readiness {
    /// The server serves: the parent exits 0.
    pub fn ready(self) {
        self.tell(&[READY]);
    }

    /// The server gives up: the parent prints why and exits 1.
    pub fn failed(self, why: &str) {
        self.tell(&[&[FAILED], why.as_bytes()].concat());
    }

    fn tell(mut self, bytes: &[u8]) {
        // A parent that was killed meanwhile is no reason not to serve.
        if let Err(error) = self.pipe.write_all(bytes) {
            tracing::debug!("Nobody waits for this process to become ready: {error}");
        }
    }
}

impl Verdict {
    /// What the parent exits with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Verdict::Ready => 0,
            Verdict::Failed { .. } => 1,
        }
    }
}

fn verdict(pipe: impl Read, death: impl FnOnce() -> String) -> Verdict {
    let mut told = Vec::new();
    let read = pipe.take(MESSAGE_BYTES_MAX).read_to_end(&mut told);
    match (read, told.split_first()) {
        (_, Some((&READY, _))) => Verdict::Ready,
        (_, Some((_, why))) => Verdict::Failed {
            why: String::from_utf8_lossy(why).into_owned(),
        },
        (Ok(_), None) => Verdict::Failed { why: death() },
        (Err(error), None) => Verdict::Failed {
            why: format!("Lost the server: {error}"),
        },
    }
}

fn death_of(child: u32) -> String {
    match process::wait_for(child) {
        Ok(Some(code)) => format!("The server exited with code {code} before it was ready"),
        Ok(None) => "The server was killed before it was ready".to_owned(),
        Err(error) => format!("The server ended before it was ready: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the parent makes of what the child does with its end.
    fn told(by_child: impl FnOnce(Readiness)) -> Verdict {
        let (reader, writer) = io::pipe().unwrap();
        by_child(Readiness { pipe: writer });
        verdict(reader, || "died".to_owned())
    }

    #[test]
    fn readiness_is_success() {
        let verdict = told(Readiness::ready);
        assert_eq!((verdict.exit_code(), verdict), (0, Verdict::Ready));
    }

    #[test]
    fn a_reason_is_passed_on() {
        let why = "Could not create server TCP listening socket *:6379: bind: Address in use";
        let verdict = told(|readiness| readiness.failed(why));
        assert_eq!(verdict.exit_code(), 1);
        assert_eq!(
            verdict,
            Verdict::Failed {
                why: why.to_owned()
            }
        );
        let nothing = told(|readiness| readiness.failed(""));
        assert_eq!(nothing, Verdict::Failed { why: String::new() });
    }

    #[test]
    fn silence_is_failure() {
        assert_eq!(
            told(drop),
            Verdict::Failed {
                why: "died".to_owned()
            }
        );
    }

    #[test]
    fn a_parent_that_is_gone_harms_nobody() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        Readiness { pipe: writer }.ready();
    }

    #[test]
    fn threads_forbid_it() {
        // The test runner has several.
        assert!(daemonize().is_err());
    }
}
