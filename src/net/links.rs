//! Sockets that replication takes over or lends: the connection to a master, which a thread has
//! made, and those of replicas, on which threads send snapshots.
//!
//! Before and after they are connections like all others.

use super::door::origin;
use super::reactor::Reactor;
use crate::session::{Closing, Session};
use std::os::fd::AsRawFd;

impl Reactor {
    /// Takes the connections to masters over that threads have made.
    pub(super) fn adopt_lines(&mut self) {
        for (fd, mut session, line) in self.core.take_lines() {
            session.origin.local_address = origin(&fd, "").local_address;
            session.origin.fd = fd.as_raw_fd();
            self.seats.take_here(self.port.core());
            let id = self.serve_on(fd, session);
            self.core.follow_line(id, line);
        }
    }

    /// Lends the sockets of replicas that get a snapshot to threads, when they are quiet.
    pub(super) fn lend_sockets(&mut self) {
        for (id, parcel) in self.core.take_lends() {
            let session = self.core.sessions.find(id);
            let is_quiet = session.is_some_and(Session::is_drained);
            let Some(connection) = self.connection(id) else {
                continue;
            };
            if connection.is_sending || !is_quiet {
                self.core.put_lend_back((id, parcel));
                continue;
            }
            match connection.fd.try_clone() {
                Ok(fd) => self.core.send_snapshot(id, fd, parcel),
                Err(_) => self.core.close(id, Closing::Now),
            }
        }
    }
}
