//! The words of the network ring: tokens, completions, and how long to sleep.
//!
//! Every request carries 64 bits that come back with its completion. They are laid out so that
//! the common cases need no table:
//!
//! ```text
//!   63..60   59..32              31..0
//!   kind     token generation    token index, or slot of a send or fill, or listener number
//! ```
//!
//! What it does not do: touch the kernel.
use bytes::Bytes;
use std::os::fd::OwnedFd;
use std::time::Instant;

use super::buffers::Chunk;

/// Names a connection: its place in the caller's table, and which tenant of that place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(u64);

impl Token {
    /// Generations wrap here: 28 bits travel through the kernel.
    pub const GENERATION_MAX: u32 = (1 << 28) - 1;

    /// A token; only the low 28 bits of `generation` count.
    #[inline]
    pub const fn new(index: u32, generation: u32) -> Token {
        Token(((generation & Token::GENERATION_MAX) as u64) << 32 | index as u64)
    }

    #[inline]
    pub const fn index(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    pub(super) const fn from_user_data(user_data: u64) -> Token {
        Token(user_data & ((1 << 60) - 1))
    }

    #[inline]
    pub(super) const fn tagged(self, kind: u64) -> u64 {
        kind << 60 | self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.index(), self.generation())
    }
}

/// What a completion belongs to: the top four bits of its user data.
pub(super) mod kind {
    pub const RECEIVE: u64 = 0;
    pub const SEND: u64 = 1;
    pub const ACCEPT: u64 = 2;
    pub const FILL: u64 = 3;
    pub const WOKEN: u64 = 4;
    /// A wake that we sent; only its failures are reported.
    pub const WAKE: u64 = 5;
    pub const DOORBELL: u64 = 6;
    pub const TICK: u64 = 7;
    pub const ALARM: u64 = 8;
    /// Cancels and closes: nobody waits for their result.
    pub const SILENT: u64 = 9;
    /// A deadline that is nearer than the next tick.
    pub const NEAR: u64 = 10;
}

/// One part of a gathered send.
#[derive(Debug)]
pub enum Piece {
    Bytes(Vec<u8>),
    /// A big value that stays where it lives until the socket has taken it.
    Shared(Bytes),
}

impl Piece {
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Piece::Bytes(bytes) => bytes,
            Piece::Shared(bytes) => bytes,
        }
    }
}

/// A gathered send, in order.
pub type Pieces = Vec<Piece>;

/// How long `Ring::wait` may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    /// Not at all: the caller has more work. Submits, reaps, returns.
    Poll,
    /// Until something happens, or this instant. Under traffic the instant is kept to the next
    /// tick (10 ms), parked it is kept exactly.
    Until(Instant),
    /// Until something happens.
    Forever,
}

/// What happened.
#[derive(Debug)]
pub enum Completion {
    Accepted {
        token: u32,
        fd: OwnedFd,
    },
    /// The listener is no longer armed (no descriptors left, or it was closed): the caller arms
    /// it again when it sees fit.
    AcceptFailed {
        token: u32,
        errno: i32,
    },
    /// Bytes arrived. The chunk must go back with `Buffers::give_back`.
    Received {
        token: Token,
        chunk: Chunk,
    },
    /// The stream is over: errno 0 = orderly end. Nothing more will be received.
    Ended {
        token: Token,
        errno: i32,
    },
    /// A `receive_into` is done: `got` bytes were appended; 0 = the stream ended; negative = errno.
    Filled {
        token: Token,
        buffer: Vec<u8>,
        got: i32,
    },
    /// Answer to `stop_receiving`; `Ended` comes instead if the stream was over first.
    Stopped {
        token: Token,
    },
    /// All was sent, or it failed with this errno. `buffer` is an emptied buffer to use again.
    Sent {
        token: Token,
        result: Result<(), i32>,
        buffer: Option<Vec<u8>>,
    },
    /// Another core or thread asks us to look at its queue.
    Woken,
}

impl Completion {
    /// Whether this is only about what we do ourselves: nobody waits for an answer to it.
    pub fn is_progress(&self) -> bool {
        matches!(self, Completion::Sent { .. } | Completion::Woken)
    }
}
