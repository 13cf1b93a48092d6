//! Signals, as the main thread sees them.
//!
//! Shard threads never handle signals. The main thread waits here: SIGTERM and SIGINT ask for a
//! shutdown, a second SIGINT ends the process at once, as with Redis. SIGHUP and SIGPIPE are
//! ignored. SIGQUIT asks for a shutdown too.
//!
//! What it does not do: shut anything down.
use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// A request to shut down, by its signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    Terminate,
    Interrupt,
    Quit,
}

impl Request {
    /// The name of the signal, as log lines write it.
    pub fn name(self) -> &'static str {
        match self {
            Request::Terminate => "SIGTERM",
            Request::Interrupt => "SIGINT",
            Request::Quit => "SIGQUIT",
        }
    }
}

/// Requests to shut down, in the order they come.
pub struct Requests {
    signals: Signals,
    interrupted: bool,
}

impl Requests {
    /// Take over the signals, on the main thread, before any other thread starts.
    pub fn new() -> io::Result<Requests> {
        for signal in [SIGHUP, SIGPIPE] {
            // SAFETY: ignoring a signal runs no code of ours.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
        let signals = Signals::new([SIGTERM, SIGINT, SIGQUIT])?;
        Ok(Requests {
            signals,
            interrupted: false,
        })
    }

    /// Block until the next request; none after `handle().close()`. The second SIGINT does not
    /// return.
    pub fn wait(&mut self) -> Option<Request> {
        while !self.signals.is_closed() {
            match self.signals.wait().next() {
                Some(SIGTERM) => return Some(Request::Terminate),
                Some(SIGQUIT) => return Some(Request::Quit),
                Some(SIGINT) if self.interrupted => {
                    eprintln!("You insist... exiting now.");
                    std::process::exit(1);
                }
                Some(SIGINT) => {
                    self.interrupted = true;
                    return Some(Request::Interrupt);
                }
                _ => {}
            }
        }
        None
    }

    /// Ends `wait` from another thread when the server stops for reasons of its own.
    pub fn handle(&self) -> signal_hook::iterator::Handle {
        self.signals.handle()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not a test of its own: `signals_reach_the_main_thread` runs it in a process of its own.
    #[test]
    fn waits_for_signals_when_asked_to() {
        if std::env::var_os("RINGSHARD_TEST_SIGNALS").is_none() {
            return;
        }
        let mut requests = Requests::new().unwrap();
        // SAFETY: a signal to this very process.
        let send = |signal| unsafe { libc::kill(libc::getpid(), signal) };
        for signal in [SIGHUP, SIGPIPE, SIGTERM] {
            send(signal);
        }
        assert_eq!(requests.wait(), Some(Request::Terminate));
        send(SIGINT);
        assert_eq!(requests.wait(), Some(Request::Interrupt));
        send(SIGQUIT);
        assert_eq!(requests.wait().map(Request::name), Some("SIGQUIT"));
        send(SIGINT);
        requests.wait();
        unreachable!("the second SIGINT ends the process");
    }

    #[test]
    fn signals_reach_the_main_thread() {
        let test = "runtime::signal::tests::waits_for_signals_when_asked_to";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env("RINGSHARD_TEST_SIGNALS", "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("You insist... exiting now."), "{text}");
    }
}
