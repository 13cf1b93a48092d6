//! One socket: what is on its way in and out, and when it may be closed.
//!
//! What is remembered of the client is its session, under the same number.

use crate::resp::Output;
use crate::runtime::ring::{Copying, Piece, Pieces, Ring, Token};
use crate::session::{Session, SessionId};
use std::os::fd::{AsRawFd, OwnedFd};

/// What a connection is receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receiving {
    /// Whatever comes, into provided buffers.
    Stream,
    /// Nothing soon: the stream is being stopped, to wait for the client's turn or to receive a
    /// big argument where it will live. Bytes that came before are still to be run.
    Stopping,
    /// A big argument, straight into its memory.
    Big,
    /// Nothing: too much is waiting to be run.
    Paused,
    /// Nothing more will come.
    Ended,
}

/// One socket.
#[derive(Debug)]
pub(super) struct Connection {
    pub fd: OwnedFd,
    pub generation: u32,
    pub receiving: Receiving,
    pub is_sending: bool,
    /// When it was last sent something, Unix milliseconds; only kept for replicas.
    pub sent_ms: i64,
    /// Its output is kept back until the millisecond is over.
    pub is_kept: bool,
}

/// The ring's name for a session's connection.
pub(super) fn token(id: SessionId) -> Token {
    Token::new(id.index, id.generation)
}

/// The session a token names.
pub(super) fn session_id(token: Token) -> SessionId {
    SessionId {
        index: token.index(),
        generation: token.generation(),
    }
}

/// How what this session is sent is copied: others wait behind what goes at once, and nobody waits
/// for the next piece of what a replica gets.
pub(super) fn copying(session: &Session) -> Copying {
    match session.is_flow() {
        true => Copying::Piecewise,
        false => Copying::Here,
    }
}

impl Connection {
    /// Sends an output; nothing else may be on its way.
    pub fn send(&mut self, ring: &mut Ring, id: SessionId, (output, copying): (Output, Copying)) {
        self.is_sending = true;
        let (bytes, shared) = output.into_parts();
        if shared.is_empty() {
            return ring.send(self.fd.as_raw_fd(), token(id), bytes, 0);
        }
        let mut pieces: Pieces = Vec::with_capacity(2 * shared.len() + 1);
        let mut at = 0;
        for (position, value) in shared {
            if position > at {
                pieces.push(Piece::Bytes(bytes[at..position].to_vec()));
            }
            if !value.is_empty() {
                pieces.push(Piece::Shared(value));
            }
            at = position;
        }
        if at < bytes.len() {
            pieces.push(Piece::Bytes(bytes[at..].to_vec()));
        }
        ring.send_pieces(self.fd.as_raw_fd(), token(id), (pieces, copying));
    }
}
