//! What replicas are sent a little later: all that happens within a millisecond goes in one send.
//!
//! A send, and waking a replica for it, cost more than many small commands do. The first news of a
//! millisecond go out at once; what follows in the same one waits for the next. Nothing waits while
//! somebody wants to know what replicas have: WAIT, a failover, the end of the process.

use super::connection::Connection;
use super::reactor::Reactor;
use crate::session::{Closing, Session, SessionId};

/// Nobody keeps more than this back, in bytes.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// The sessions whose output is kept back, until this millisecond is over.
#[derive(Default)]
pub struct Batching {
    sessions: Vec<SessionId>,
    now_ms: i64,
    /// The ring has not been told yet that somebody waits.
    is_news: bool,
}

impl Batching {
    /// Whether an output is kept back for now.
    #[inline]
    pub fn keeps(
        &mut self,
        (id, session): (SessionId, &Session),
        connection: &mut Connection,
        now: (i64, bool),
    ) -> bool {
        session.is_fed() && self.keeps_back((id, session), connection, now)
    }

    fn keeps_back(
        &mut self,
        (id, session): (SessionId, &Session),
        connection: &mut Connection,
        (now_ms, is_hurried): (i64, bool),
    ) -> bool {
        let is_much = session.output.len() >= KEPT_BYTES_MAX;
        let is_leaving = session.closing != Closing::No;
        if connection.sent_ms != now_ms || is_much || is_hurried || is_leaving {
            connection.sent_ms = now_ms;
            return false;
        }
        if !std::mem::replace(&mut connection.is_kept, true) {
            self.is_news |= self.sessions.is_empty();
            self.sessions.push(id);
            self.now_ms = now_ms;
        }
        true
    }

    /// Those who need not wait any longer.
    pub fn take(&mut self, (now_ms, is_hurried): (i64, bool)) -> Vec<SessionId> {
        match now_ms != self.now_ms || is_hurried {
            true => std::mem::take(&mut self.sessions),
            false => Vec::new(),
        }
    }

    /// Whether the ring has to be told that somebody waits; then it has been.
    #[inline]
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.is_news)
    }
}

impl Reactor {
    /// Those who have waited long enough are sent what was kept back.
    #[inline]
    pub(super) fn release_kept(&mut self) {
        for id in self.batching.take(self.core.moment()) {
            if let Some(connection) = self.connection(id) {
                connection.is_kept = false;
                self.core.mark_dirty(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::connection::Receiving;
    use crate::session::{Introduction, Origin};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    const ID: SessionId = SessionId {
        index: 3,
        generation: 1,
    };

    fn client(is_replica: bool) -> (Session, Connection) {
        let mut session = Session::new(1, Origin::default(), true, 0);
        let introduction = Introduction {
            is_replica,
            ..Introduction::default()
        };
        session.introduction = Some(Box::new(introduction));
        session.output.buffer().extend_from_slice(b"news");
        let (one, _other) = UnixStream::pair().expect("a pair of sockets");
        let connection = Connection {
            fd: OwnedFd::from(one),
            generation: 1,
            receiving: Receiving::Stream,
            is_sending: false,
            sent_ms: 0,
            is_kept: false,
        };
        (session, connection)
    }

    #[test]
    fn a_millisecond_is_one_send() {
        let (mut batching, (session, mut connection)) = (Batching::default(), client(true));
        let mut keeps =
            |batching: &mut Batching, now| batching.keeps((ID, &session), &mut connection, now);
        assert!(!keeps(&mut batching, (5, false)) && !batching.take_news());
        assert!(keeps(&mut batching, (5, false)) && keeps(&mut batching, (5, false)));
        assert!(batching.take_news() && !batching.take_news());
        assert!(batching.take((5, false)).is_empty());
        assert_eq!(batching.take((6, false)), [ID]);
        assert!(batching.take((7, false)).is_empty());
        assert!(!keeps(&mut batching, (6, false)));
    }

    #[test]
    fn whoever_is_waited_for_waits_for_nothing() {
        let (mut batching, (mut session, mut connection)) = (Batching::default(), client(true));
        assert!(!batching.keeps((ID, &session), &mut connection, (5, false)));
        assert!(batching.keeps((ID, &session), &mut connection, (5, false)));
        assert_eq!(batching.take((5, true)), [ID]);
        assert!(!batching.keeps((ID, &session), &mut connection, (5, true)));
        let much = vec![b'x'; KEPT_BYTES_MAX];
        session.output.buffer().extend_from_slice(&much);
        assert!(!batching.keeps((ID, &session), &mut connection, (5, false)));
    }

    #[test]
    fn ordinary_clients_are_sent_everything_at_once() {
        let (mut batching, (session, mut connection)) = (Batching::default(), client(false));
        for _ in 0..3 {
            assert!(!batching.keeps((ID, &session), &mut connection, (5, false)));
        }
    }
}
