//! What the ring remembers of its requests, and what each completion means.
//!
//! ```text
//!   receive:  Idle -> Armed -> (end of stream, error) Idle
//!                     Armed -> (no buffer left) Starved -> Armed, by the ring itself
//!                     Armed -> (stop_receiving) Stopping -> Idle
//!   any state -> (close) Closed
//! ```
//!
//! A multishot request that ends for reasons of the kernel's own (its completion queue was full,
//! it ran out of buffers) is armed again here and nobody hears of it.
//!
//! What it does not do: push to the submission queue; follow-up requests wait in `follow_ups`.
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use io_uring::{cqueue, opcode, squeue, types};

use super::buffers::Pool;
use super::completion::{Completion, Token, kind};
use super::outbox::{Behind, Outbox, Urgency};

/// The one group of provided buffers of a ring.
pub(super) const BUFFER_GROUP: u16 = 0;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Receiving {
    Idle,
    Armed,
    Starved,
    Stopping,
    Closed,
}

/// A connection as far as receiving goes.
#[derive(Clone, Copy)]
struct Link {
    token: Token,
    fd: RawFd,
    receiving: Receiving,
}

struct Fill {
    token: Token,
    buffer: Vec<u8>,
}

/// Everything a ring knows besides the two queues.
pub(super) struct Ledger {
    pool: Rc<Pool>,
    links: Vec<Link>,
    listeners: Vec<Option<RawFd>>,
    fills: Vec<Option<Fill>>,
    fills_free: Vec<u32>,
    /// Receives that found no buffer.
    starved: Vec<Token>,
    pub(super) outbox: Outbox,
    /// Requests that must follow a completion.
    pub(super) follow_ups: Vec<squeue::Entry>,
    /// Requests that go behind all others of the turn.
    pub(super) behind: Behind,
    /// Completions that need no kernel.
    pub(super) ready: Vec<Completion>,
    /// Multishot receives that the kernel holds.
    pub(super) receives_armed: usize,
    pub(super) tick_rang: bool,
    /// A timer for a near deadline is running.
    pub(super) near_armed: bool,
    pub(super) tick_armed: bool,
    /// The kernel refused a repeating timeout (before 6.4).
    pub(super) tick_once: bool,
    pub(super) alarm_rang: bool,
    pub(super) doorbell_rang: bool,
    pub(super) doorbell_armed: bool,
    /// The ring is going away: nothing is armed again.
    ending: bool,
}

impl Ledger {
    pub(super) fn new(pool: Rc<Pool>) -> Ledger {
        Ledger {
            pool,
            links: Vec::new(),
            listeners: Vec::new(),
            fills: Vec::new(),
            fills_free: Vec::new(),
            starved: Vec::new(),
            outbox: Outbox::default(),
            follow_ups: Vec::new(),
            behind: Behind::default(),
            ready: Vec::new(),
            receives_armed: 0,
            tick_rang: false,
            near_armed: false,
            tick_armed: false,
            tick_once: false,
            alarm_rang: false,
            doorbell_rang: false,
            doorbell_armed: false,
            ending: false,
        }
    }

    pub(super) fn accept(&mut self, fd: RawFd, token: u32) -> squeue::Entry {
        let index = token as usize;
        if self.listeners.len() <= index {
            self.listeners.resize(index + 1, None);
        }
        self.listeners[index] = Some(fd);
        accept_request(fd, token)
    }

    /// Forget a listener; the request to cancel it, if it is armed.
    pub(super) fn stop_accepting(&mut self, token: u32) -> Option<squeue::Entry> {
        self.listeners.get_mut(token as usize)?.take()?;
        Some(cancel_request(Token::new(token, 0).tagged(kind::ACCEPT)))
    }

    pub(super) fn receive(&mut self, fd: RawFd, token: Token) -> squeue::Entry {
        let index = token.index() as usize;
        if self.links.len() <= index {
            let empty = Link {
                token: Token::new(0, 0),
                fd: -1,
                receiving: Receiving::Closed,
            };
            self.links.resize(index + 1, empty);
        }
        let link = &mut self.links[index];
        let idle = matches!(link.receiving, Receiving::Idle | Receiving::Closed);
        assert!(idle || link.token != token, "one receive per connection");
        *link = Link {
            token,
            fd,
            receiving: Receiving::Armed,
        };
        self.receives_armed += 1;
        receive_request(fd, token)
    }

    /// Stop a multishot receive; the request that does it, if the kernel holds the receive.
    pub(super) fn stop_receiving(&mut self, token: Token) -> Option<squeue::Entry> {
        let link = self.link_of(token)?;
        match link.receiving {
            Receiving::Armed => {
                link.receiving = Receiving::Stopping;
                Some(cancel_request(token.tagged(kind::RECEIVE)))
            }
            Receiving::Starved => {
                link.receiving = Receiving::Idle;
                self.starved.retain(|&starved| starved != token);
                self.ready.push(Completion::Stopped { token });
                None
            }
            Receiving::Idle | Receiving::Stopping | Receiving::Closed => None,
        }
    }

    pub(super) fn close(&mut self, token: Token) {
        if let Some(link) = self.link_of(token) {
            let starved = link.receiving == Receiving::Starved;
            link.receiving = Receiving::Closed;
            if starved {
                self.starved.retain(|&other| other != token);
            }
        }
    }

    /// Receive into an owned buffer, until `want` bytes have come or the stream ends.
    pub(super) fn fill(
        &mut self,
        fd: RawFd,
        token: Token,
        mut buffer: Vec<u8>,
        want: usize,
    ) -> squeue::Entry {
        let len = want.min(1 << 30);
        assert!(len > 0, "there is something to receive");
        buffer.reserve_exact(len);
        // A Vec's bytes do not move when the Vec itself does.
        let start = buffer.spare_capacity_mut().as_mut_ptr().cast::<u8>();
        let fill = Some(Fill { token, buffer });
        let slot = match self.fills_free.pop() {
            Some(slot) => {
                self.fills[slot as usize] = fill;
                slot
            }
            None => {
                self.fills.push(fill);
                self.fills.len() as u32 - 1
            }
        };
        opcode::Recv::new(types::Fd(fd), start, len as u32)
            .flags(libc::MSG_WAITALL)
            .build()
            .user_data(Token::new(slot, 0).tagged(kind::FILL))
    }

    /// Requests that own or borrow memory of ours.
    pub(super) fn in_flight(&self) -> usize {
        let fills = self.fills.len() - self.fills_free.len();
        let doorbell = usize::from(self.doorbell_armed);
        self.outbox.in_flight() + fills + self.receives_armed + doorbell
    }

    /// Before the end: whatever completes from now on is not continued.
    pub(super) fn stop_all(&mut self) {
        self.ending = true;
        self.listeners.clear();
        for link in &mut self.links {
            link.receiving = Receiving::Closed;
        }
    }

    /// Arm again what found no buffer, now that some came back.
    #[inline]
    pub(super) fn feed_starved(&mut self) {
        if !self.starved.is_empty() && self.pool.has_some() {
            self.feed_all_starved();
        }
    }

    #[cold]
    fn feed_all_starved(&mut self) {
        for token in std::mem::take(&mut self.starved) {
            if let Some(link) = self.link_of(token) {
                link.receiving = Receiving::Armed;
                let request = receive_request(link.fd, token);
                self.receives_armed += 1;
                self.follow_ups.push(request);
            }
        }
    }

    /// Translate one completion.
    #[inline]
    pub(super) fn complete(
        &mut self,
        user_data: u64,
        result: i32,
        flags: u32,
        out: &mut Vec<Completion>,
    ) {
        match user_data >> 60 {
            kind::RECEIVE => self.received(Token::from_user_data(user_data), result, flags, out),
            kind::SEND => {
                let again = self.outbox.complete(user_data as u32, result, out);
                match again {
                    Some((rest, Urgency::Usual)) => self.follow_ups.push(rest),
                    Some((rest, urgency)) => self.behind.push(rest, urgency),
                    None => {}
                }
            }
            kind::ACCEPT => self.accepted(user_data as u32, result, flags, out),
            kind::FILL => self.filled(user_data as u32, result, out),
            kind::WOKEN => out.push(Completion::Woken),
            _ => self.own_affair(user_data, result, flags, out),
        }
    }

    #[inline]
    fn received(&mut self, token: Token, result: i32, flags: u32, out: &mut Vec<Completion>) {
        let open = match self.links.get(token.index() as usize) {
            Some(link) => link.token == token && link.receiving != Receiving::Closed,
            None => false,
        };
        if let Some(buffer) = cqueue::buffer_select(flags) {
            let chunk = self.pool.take(buffer, result.max(0) as u32);
            if open && result > 0 {
                out.push(Completion::Received { token, chunk });
            } else {
                self.pool.give_back(chunk);
            }
        }
        if !cqueue::more(flags) {
            self.receive_ended(token, open, result, out);
        }
    }

    #[cold]
    fn receive_ended(&mut self, token: Token, open: bool, result: i32, out: &mut Vec<Completion>) {
        self.receives_armed -= 1;
        if !open {
            return;
        }
        let link = &mut self.links[token.index() as usize];
        let stopping = link.receiving == Receiving::Stopping;
        let errno = -result;
        link.receiving = Receiving::Idle;
        match result {
            1.. if stopping => out.push(Completion::Stopped { token }),
            1.. => {
                link.receiving = Receiving::Armed;
                self.receives_armed += 1;
                self.follow_ups.push(receive_request(link.fd, token));
            }
            0 => out.push(Completion::Ended { token, errno: 0 }),
            _ if stopping && matches!(errno, libc::ECANCELED | libc::ENOBUFS | libc::EINTR) => {
                out.push(Completion::Stopped { token });
            }
            _ if errno == libc::ENOBUFS => {
                link.receiving = Receiving::Starved;
                self.starved.push(token);
                self.pool.ran_out();
            }
            _ => out.push(Completion::Ended { token, errno }),
        }
    }

    fn accepted(&mut self, token: u32, result: i32, flags: u32, out: &mut Vec<Completion>) {
        let listener = self.listeners.get(token as usize).copied().flatten();
        if result >= 0 {
            // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
            let fd = unsafe { OwnedFd::from_raw_fd(result) };
            if listener.is_some() {
                out.push(Completion::Accepted { token, fd });
            }
        }
        let Some(fd) = listener else { return };
        if cqueue::more(flags) {
            return;
        }
        let errno = -result;
        if errno == libc::ECANCELED {
            // The last word of a listener that was stopped and is armed again since.
            return;
        }
        // The guest that left before we took it says nothing about the listener.
        if result >= 0 || errno == libc::ECONNABORTED || errno == libc::EINTR {
            self.follow_ups.push(accept_request(fd, token));
        } else {
            self.listeners[token as usize] = None;
            out.push(Completion::AcceptFailed { token, errno });
        }
    }

    fn filled(&mut self, slot: u32, result: i32, out: &mut Vec<Completion>) {
        let Fill { token, mut buffer } = self.fills[slot as usize]
            .take()
            .expect("a fill completes once");
        self.fills_free.push(slot);
        if result > 0 {
            let len = buffer.len() + result as usize;
            assert!(
                len <= buffer.capacity(),
                "the kernel keeps to the length asked for"
            );
            // SAFETY: within the capacity, and the kernel has written `result` bytes there.
            unsafe { buffer.set_len(len) };
        }
        out.push(Completion::Filled {
            token,
            buffer,
            got: result,
        });
    }

    #[cold]
    fn own_affair(&mut self, user_data: u64, result: i32, flags: u32, out: &mut Vec<Completion>) {
        match user_data >> 60 {
            kind::TICK => {
                self.tick_armed = cqueue::more(flags);
                self.tick_rang |= result == -libc::ETIME;
                self.tick_once |= result == -libc::EINVAL;
            }
            kind::NEAR => self.near_armed = false,
            kind::ALARM => self.alarm_rang |= result == -libc::ETIME,
            kind::DOORBELL => {
                self.doorbell_armed = false;
                self.doorbell_rang = !self.ending;
                out.push(Completion::Woken);
            }
            kind::WAKE if matches!(-result, libc::EAGAIN | libc::ENOMEM | libc::EOVERFLOW) => {
                // A lost wake would be a stalled core.
                self.follow_ups
                    .push(wake_request(user_data as u32 as RawFd));
            }
            _ => {}
        }
    }

    fn link_of(&mut self, token: Token) -> Option<&mut Link> {
        let link = self.links.get_mut(token.index() as usize)?;
        (link.token == token).then_some(link)
    }
}

pub(super) fn cancel_request(user_data: u64) -> squeue::Entry {
    opcode::AsyncCancel::new(user_data)
        .build()
        .flags(squeue::Flags::SKIP_SUCCESS)
        .user_data(Token::new(0, 0).tagged(kind::SILENT))
}

/// Ask another core's ring for a `Woken`.
pub(super) fn wake_request(peer: RawFd) -> squeue::Entry {
    let woken = Token::new(0, 0).tagged(kind::WOKEN);
    opcode::MsgRingData::new(types::Fd(peer), 0, woken, None)
        .build()
        .flags(squeue::Flags::SKIP_SUCCESS)
        .user_data(Token::new(peer as u32, 0).tagged(kind::WAKE))
}

fn receive_request(fd: RawFd, token: Token) -> squeue::Entry {
    opcode::RecvMulti::new(types::Fd(fd), BUFFER_GROUP)
        .build()
        .user_data(token.tagged(kind::RECEIVE))
}

fn accept_request(fd: RawFd, token: u32) -> squeue::Entry {
    opcode::AcceptMulti::new(types::Fd(fd))
        .flags(libc::SOCK_CLOEXEC)
        .build()
        .user_data(Token::new(token, 0).tagged(kind::ACCEPT))
}
