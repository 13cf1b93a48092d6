//! Sends in flight: they own their bytes until the kernel has taken them all.
//!
//! A send is asked for with MSG_WAITALL, so the kernel itself waits for room in the socket and
//! goes on; a short count comes back only when it was interrupted, or when there is more than one
//! request may carry. What is left is then sent by the same slot. A slot outlives its connection:
//! closing cancels the send, and the buffer comes back with the completion.
//!
//! Copying into a socket is work like any other, and on a loopback the receiver's half of it runs
//! here as well. What is long and not for a client that waits goes in small pieces, so that the
//! core serves others between them ([`Copying::Piecewise`]). A kernel thread (IOSQE_ASYNC) is
//! no way out: where there is no CPU for both, the core waits for all that such a thread copies,
//! because the kernel interrupts none of its own.
//!
//! What it does not do: keep sends of one connection in order. One at a time per connection.
use bytes::Bytes;
use std::os::fd::RawFd;

use io_uring::{opcode, squeue, types};

use super::completion::{Completion, Piece, Pieces, Token, kind};

/// Bytes one send may carry: the length field has 32 bits, and results are signed.
const SEND_BYTES_MAX: usize = 1 << 30;
/// Pieces one gathered send may carry (UIO_MAXIOV).
const PIECES_MAX: usize = 1024;
/// A piece of what is sent piecewise: 10 to 25 microseconds on a loopback.
const PIECE_BYTES_MIN: usize = 16 * 1024;
/// What is very much goes in so many pieces.
const PIECES_PER_SEND: usize = 32;
const FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;

/// How what is sent is copied into the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copying {
    /// All of it at once.
    Here,
    /// In small pieces, one in a turn, behind whatever else there is to send, and behind requests
    /// that have come by then, up to a few times. What is very much goes in larger ones and waits
    /// for nobody: a stream that never ends has to get away as fast as it comes.
    Piecewise,
}

/// When a request for a send is handed to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Among all others.
    Usual,
    /// Behind all others of the turn.
    Behind,
    /// Behind requests, too, that have come by then.
    BehindRequests,
}

/// The requests that go behind all others.
#[derive(Default)]
pub(super) struct Behind {
    requests: Vec<squeue::Entry>,
    /// Whether one of them waits for nobody: so much is to go that it has to keep up.
    is_hurried: bool,
}

impl Behind {
    pub(super) fn push(&mut self, request: squeue::Entry, urgency: Urgency) {
        self.requests.push(request);
        self.is_hurried |= urgency != Urgency::BehindRequests;
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(super) fn is_hurried(&self) -> bool {
        self.is_hurried
    }

    pub(super) fn take(&mut self) -> Vec<squeue::Entry> {
        self.is_hurried = false;
        std::mem::take(&mut self.requests)
    }
}

/// A gathered send with the memory that the kernel reads its shape from.
struct Train {
    pieces: Pieces,
    /// First piece that is not completely sent, and how much of it is.
    at: usize,
    from: usize,
    vectors: Vec<libc::iovec>,
    header: libc::msghdr,
    urgency: Urgency,
    /// As much as one request may carry.
    bytes_max: usize,
}

enum Load {
    Free,
    Bytes { buffer: Vec<u8>, from: usize },
    Train(Box<Train>),
}

struct Slot {
    token: Token,
    fd: RawFd,
    load: Load,
}

/// All sends in flight of one ring.
#[derive(Default)]
pub(super) struct Outbox {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Outbox {
    /// Sends that the kernel still works on.
    pub(super) fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    #[inline]
    pub(super) fn send(
        &mut self,
        fd: RawFd,
        token: Token,
        buffer: Vec<u8>,
        from: usize,
    ) -> squeue::Entry {
        assert!(from < buffer.len(), "there is something to send");
        self.load(fd, token, Load::Bytes { buffer, from })
    }

    pub(super) fn send_pieces(
        &mut self,
        fd: RawFd,
        token: Token,
        (pieces, copying): (Pieces, Copying),
    ) -> (squeue::Entry, Urgency) {
        let train = Box::new(Train::new(pieces, copying));
        let urgency = train.urgency;
        (self.load(fd, token, Load::Train(train)), urgency)
    }

    #[inline]
    fn load(&mut self, fd: RawFd, token: Token, load: Load) -> squeue::Entry {
        let filled = Slot { token, fd, load };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = filled;
                slot
            }
            None => {
                self.slots.push(filled);
                self.slots.len() as u32 - 1
            }
        };
        self.slots[slot as usize].request(slot)
    }

    /// A send completed with this result: done, or the request for the rest.
    #[inline]
    pub(super) fn complete(
        &mut self,
        slot: u32,
        result: i32,
        out: &mut Vec<Completion>,
    ) -> Option<(squeue::Entry, Urgency)> {
        let sending = &mut self.slots[slot as usize];
        let result = match result {
            0.. => Ok(result as usize),
            _ if -result == libc::EAGAIN || -result == libc::EINTR => Ok(0),
            _ => Err(-result),
        };
        if let Ok(sent) = result
            && !sending.advance(sent)
        {
            return Some((sending.request(slot), sending.urgency()));
        }
        let load = std::mem::replace(&mut sending.load, Load::Free);
        self.free.push(slot);
        out.push(Completion::Sent {
            token: self.slots[slot as usize].token,
            result: result.map(|_| ()),
            buffer: load.into_buffer(),
        });
        None
    }
}

impl Slot {
    #[inline]
    fn request(&mut self, slot: u32) -> squeue::Entry {
        let fd = types::Fd(self.fd);
        let entry = match &mut self.load {
            Load::Bytes { buffer, from } => {
                let rest = &buffer[*from..];
                let len = rest.len().min(SEND_BYTES_MAX) as u32;
                opcode::Send::new(fd, rest.as_ptr(), len)
                    .flags(FLAGS)
                    .build()
            }
            Load::Train(train) => opcode::SendMsg::new(fd, train.point())
                .flags(FLAGS as u32)
                .build(),
            Load::Free => unreachable!("a free slot sends nothing"),
        };
        entry.user_data(Token::new(slot, 0).tagged(kind::SEND))
    }

    fn urgency(&self) -> Urgency {
        match &self.load {
            Load::Train(train) => train.urgency,
            Load::Bytes { .. } | Load::Free => Urgency::Usual,
        }
    }

    /// Note that `sent` bytes more have left; whether that was all.
    #[inline]
    fn advance(&mut self, sent: usize) -> bool {
        match &mut self.load {
            Load::Bytes { buffer, from } => {
                *from += sent;
                *from >= buffer.len()
            }
            Load::Train(train) => train.advance(sent),
            Load::Free => unreachable!("a free slot sends nothing"),
        }
    }
}

impl Load {
    #[inline]
    fn into_buffer(self) -> Option<Vec<u8>> {
        let mut buffer = match self {
            Load::Bytes { buffer, .. } => buffer,
            Load::Train(train) => train.pieces.into_iter().find_map(|piece| match piece {
                Piece::Bytes(bytes) => Some(bytes),
                Piece::Shared(_) => None,
            })?,
            Load::Free => return None,
        };
        buffer.clear();
        Some(buffer)
    }
}

impl Train {
    fn new(pieces: Pieces, copying: Copying) -> Train {
        assert!(
            pieces.iter().any(|piece| !piece.bytes().is_empty()),
            "there is something to send"
        );
        let (bytes_max, urgency) = match copying {
            Copying::Here => (SEND_BYTES_MAX, Urgency::Usual),
            Copying::Piecewise => {
                let bytes: usize = pieces.iter().map(|piece| piece.bytes().len()).sum();
                match bytes / PIECES_PER_SEND {
                    0..=PIECE_BYTES_MIN => (PIECE_BYTES_MIN, Urgency::BehindRequests),
                    many => (many.min(SEND_BYTES_MAX), Urgency::Behind),
                }
            }
        };
        // SAFETY: all zeroes is a valid message header: no name, no control data, no vectors.
        let header = unsafe { std::mem::zeroed() };
        Train {
            vectors: Vec::with_capacity(pieces.len().min(PIECES_MAX)),
            pieces,
            at: 0,
            from: 0,
            header,
            urgency,
            bytes_max,
        }
    }

    /// Describe what is left, for the kernel. The train is boxed and keeps its pieces, so every
    /// address stays valid until the completion.
    fn point(&mut self) -> *const libc::msghdr {
        self.vectors.clear();
        let mut from = self.from;
        let mut room = self.bytes_max;
        for piece in self.pieces[self.at..].iter().take(PIECES_MAX) {
            let rest = &piece.bytes()[from..];
            let len = rest.len().min(room);
            self.vectors.push(libc::iovec {
                iov_base: rest.as_ptr().cast_mut().cast(),
                iov_len: len,
            });
            from = 0;
            room -= len;
            if room == 0 {
                break;
            }
        }
        self.header.msg_iov = self.vectors.as_mut_ptr();
        self.header.msg_iovlen = self.vectors.len();
        &self.header
    }

    fn advance(&mut self, mut sent: usize) -> bool {
        while let Some(piece) = self.pieces.get_mut(self.at) {
            let rest = piece.bytes().len() - self.from;
            if sent < rest {
                self.from += sent;
                return false;
            }
            sent -= rest;
            if let Piece::Shared(bytes) = piece {
                // Thousands of them, let go all at once, would hold up the core.
                *bytes = Bytes::new();
            }
            self.at += 1;
            self.from = 0;
        }
        true
    }
}
