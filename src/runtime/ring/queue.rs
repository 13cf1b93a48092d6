//! The ring itself: set-up, everything a caller may ask of it, and its end.
//!
//! Requests are only written to the submission queue here; they reach the kernel with the next
//! `wait`. If the queue is full it is submitted at once, and what the kernel does not take then
//! waits in a backlog, in order.
//!
//! On the choice of flags: with SINGLE_ISSUER and DEFER_TASKRUN completions are worked off only
//! inside our own enter, so nothing interrupts a turn. The ring's descriptor is registered, which
//! saves its look-up at every enter. The submission queue stays small, as its entries are written
//! round and round and should remain in the cache; completions are a quarter of the size, and
//! running out of them is dear, so there are many more of those.
//!
//! What it does not do: wait (`wait`), or give completions their meaning (`ledger`).
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;

use io_uring::types::CancelBuilder;
use io_uring::{IoUring, opcode, squeue, types};

use super::buffers::{Buffers, Pool};
use super::completion::{Completion, Pieces, Token, kind};
use super::ledger::{BUFFER_GROUP, Ledger, wake_request};
use super::outbox::{Copying, Urgency};
use super::wait::{Doorbell, Pace, RingHandle};

const ENTER_GETEVENTS: u32 = 1;
const ENTER_EXT_ARG: u32 = 1 << 3;
const ENTER_REGISTERED_RING: u32 = 1 << 4;
const REGISTER_RING_FDS: u32 = 20;
const UNREGISTER_RING_FDS: u32 = 21;
/// Rounds of reaping at the end before memory is rather leaked than freed under the kernel.
const REAP_ROUNDS_MAX: usize = 1000;

/// How big a ring is.
#[derive(Clone, Copy, Debug)]
pub struct RingConfig {
    /// Submission queue entries; the completion queue has sixteen times as many.
    pub entries: u32,
    /// Provided buffers, a power of two. Only those that are used cost memory.
    pub buffers: u16,
    pub buffer_bytes: usize,
}

impl Default for RingConfig {
    fn default() -> RingConfig {
        RingConfig {
            entries: 512,
            buffers: 1024,
            buffer_bytes: 16 * 1024,
        }
    }
}

/// The network ring of one core. It stays on the thread that made it.
pub struct Ring {
    uring: IoUring,
    enter_fd: RawFd,
    enter_flags: u32,
    /// Whether the kernel can wait for several events, but not for long.
    can_collect: bool,
    collects: bool,
    /// Entries written and not yet taken by the kernel.
    queued: u32,
    backlog: VecDeque<squeue::Entry>,
    /// How often in a row what goes behind everything else has given way to requests.
    yields: u32,
    pub(super) ledger: Ledger,
    pub(super) pool: Rc<Pool>,
    pub(super) pace: Pace,
    doorbell: Option<Arc<OwnedFd>>,
    doorbell_count: Box<u64>,
}

/// `io_uring_getevents_arg` of the kernel.
#[repr(C)]
#[derive(Default)]
struct GeteventsArg {
    signals: u64,
    signals_bytes: u32,
    min_wait_us: u32,
    timeout: u64,
}

impl Ring {
    /// A ring for the calling thread, and its receive buffers.
    pub fn new(config: RingConfig) -> io::Result<(Ring, Buffers)> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            .setup_submit_all()
            .setup_cqsize(config.entries * 16)
            .build(config.entries)?;
        let can_collect = uring.params().is_feature_min_timeout();
        let pool = Rc::new(Pool::new(config.buffers, config.buffer_bytes)?);
        let (address, count) = (pool.entries_address(), pool.count());
        // SAFETY: the pool's mapping has `count` entries, and the ring holds it until its end.
        unsafe {
            uring
                .submitter()
                .register_buf_ring_with_flags(address, count, BUFFER_GROUP, 0)?;
        }
        let (enter_fd, enter_flags) = match register_own_fd(uring.as_raw_fd()) {
            Some(index) => (index, ENTER_REGISTERED_RING),
            None => (uring.as_raw_fd(), 0),
        };
        let ring = Ring {
            uring,
            enter_fd,
            enter_flags,
            can_collect,
            collects: false,
            queued: 0,
            backlog: VecDeque::new(),
            yields: 0,
            ledger: Ledger::new(Rc::clone(&pool)),
            pool: Rc::clone(&pool),
            pace: Pace::new()?,
            doorbell: None,
            doorbell_count: Box::new(0),
        };
        Ok((ring, Buffers::new(pool)))
    }

    /// What other cores need to wake this one.
    pub fn handle(&self) -> RingHandle {
        RingHandle::new(self.uring.as_raw_fd())
    }

    /// What threads without a ring need to wake this core.
    pub fn doorbell(&mut self) -> io::Result<Doorbell> {
        let fd = match &self.doorbell {
            Some(fd) => Arc::clone(fd),
            None => {
                let fd = Arc::new(event_fd()?);
                self.doorbell = Some(Arc::clone(&fd));
                self.arm_doorbell();
                fd
            }
        };
        Ok(Doorbell::new(fd))
    }

    /// Accept connections until `AcceptFailed` or `stop_accepting`. `token` is a small number
    /// that names the listener. The limit of descriptors counts as it is now: after raising it,
    /// stop and accept again.
    pub fn accept(&mut self, fd: RawFd, token: u32) {
        let request = self.ledger.accept(fd, token);
        self.push(request);
    }

    /// Accept no more from a listener. Guests that were taken meanwhile are dropped.
    pub fn stop_accepting(&mut self, token: u32) {
        if let Some(request) = self.ledger.stop_accepting(token) {
            self.push(request);
        }
    }

    /// Receive into provided buffers until the stream ends or `stop_receiving`.
    pub fn receive(&mut self, fd: RawFd, token: Token) {
        let request = self.ledger.receive(fd, token);
        self.push(request);
    }

    /// End `receive`. Chunks may still come, then `Stopped` (or `Ended`) says it is over.
    /// Nothing is answered when nothing was being received.
    pub fn stop_receiving(&mut self, token: Token) {
        if let Some(request) = self.ledger.stop_receiving(token) {
            self.push(request);
        }
    }

    /// Append exactly `want` bytes of the stream to `buffer`, or fewer if it ends: `Filled`.
    /// Not while `receive` is on.
    pub fn receive_into(&mut self, fd: RawFd, token: Token, buffer: Vec<u8>, want: usize) {
        let request = self.ledger.fill(fd, token, buffer, want);
        self.push(request);
    }

    /// Send `buffer[from..]`, which must not be empty: `Sent` when all of it has left. One send
    /// at a time per connection, or their bytes mix.
    #[inline]
    pub fn send(&mut self, fd: RawFd, token: Token, buffer: Vec<u8>, from: usize) {
        let request = self.ledger.outbox.send(fd, token, buffer, from);
        self.push(request);
    }

    /// Send several pieces as one, without copying them together.
    pub fn send_pieces(&mut self, fd: RawFd, token: Token, pieces: (Pieces, Copying)) {
        let (request, urgency) = self.ledger.outbox.send_pieces(fd, token, pieces);
        match urgency {
            Urgency::Usual => self.push(request),
            _ => self.ledger.behind.push(request, urgency),
        }
    }

    /// Cancel what is going on with this connection, then close it. No `Received`, `Ended` or
    /// `Stopped` comes after this; buffers in flight come back in `Sent` and `Filled`.
    pub fn close(&mut self, token: Token, fd: OwnedFd) {
        self.ledger.close(token);
        // What is not asked for yet could not be cancelled.
        self.push_behind();
        let fd = fd.into_raw_fd();
        // A receive that new bytes have just woken escapes the cancel, goes on waiting for the
        // rest, and keeps the socket open; this ends it.
        self.shutdown(fd);
        let silent = Token::new(0, 0).tagged(kind::SILENT);
        let cancel = opcode::AsyncCancel2::new(CancelBuilder::fd(types::Fd(fd)).all());
        let skip = squeue::Flags::SKIP_SUCCESS;
        self.push(cancel.build().flags(skip).user_data(silent));
        let close = opcode::Close::new(types::Fd(fd)).build();
        self.push(close.flags(skip).user_data(silent));
    }

    /// Say that nothing more will be sent or received; what is queued in the socket still leaves.
    pub fn shutdown(&mut self, fd: RawFd) {
        // SAFETY: plain system call on a number; a wrong one is an error that changes nothing.
        // A ring request would start a kernel worker thread for this.
        unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
    }

    /// Give another core a `Woken`, with the next enter.
    pub fn wake(&mut self, peer: RingHandle) {
        self.push(wake_request(peer.raw()));
    }

    /// Ticks since the ring began: about 100 a second under traffic, none when idle.
    pub fn ticks(&self) -> u64 {
        self.pace.ticks
    }

    #[inline]
    pub(super) fn push(&mut self, entry: squeue::Entry) {
        // SAFETY: the memory a request names is owned by the ledger, the pool or this ring until
        // the completion, and `drop` waits for the completions of all that is in flight.
        let pushed =
            self.backlog.is_empty() && unsafe { self.uring.submission().push(&entry).is_ok() };
        if pushed {
            self.queued += 1;
        } else {
            self.push_when_full(entry);
        }
    }

    #[cold]
    fn push_when_full(&mut self, entry: squeue::Entry) {
        self.backlog.push_back(entry);
        self.drain_backlog();
    }

    /// Submit until the backlog is empty or the kernel takes no more for now.
    #[cold]
    fn drain_backlog(&mut self) {
        while let Some(entry) = self.backlog.front() {
            // SAFETY: as in `push`.
            if unsafe { self.uring.submission().push(entry).is_ok() } {
                self.queued += 1;
                self.backlog.pop_front();
                continue;
            }
            let before = self.queued;
            self.enter(0, 0);
            if self.queued == before {
                return;
            }
        }
    }

    /// Whether requests are still on their way to the kernel.
    pub(super) fn is_unsubmitted(&self) -> bool {
        self.queued > 0 || !self.backlog.is_empty()
    }

    /// Submit what is queued, let the kernel do its work, and wait for `want` completions.
    #[inline]
    pub(super) fn turn(&mut self, mut want: u32, out: &mut Vec<Completion>) {
        if !self.ledger.behind.is_empty() {
            if self.gives_way(&mut want, out) {
                return;
            }
            self.push_behind();
        }
        if !self.backlog.is_empty() {
            self.drain_backlog();
        }
        if want > 0 && self.collects {
            self.enter_collecting();
        } else {
            self.enter(want, ENTER_GETEVENTS);
        }
        self.reap(out);
    }

    /// Replies leave first, and if there are requests by then, they are answered before what is
    /// long is sent: a few times, and not for ever. Whatever was reaped here has come: there is
    /// nothing more to `want`.
    #[cold]
    fn gives_way(&mut self, want: &mut u32, out: &mut Vec<Completion>) -> bool {
        /// Once alone would be used up by others as long as somebody asks in every turn.
        const YIELDS_MAX: u32 = 3;
        let may_yield = self.yields < YIELDS_MAX && !self.ledger.behind.is_hurried();
        if !may_yield || !self.backlog.is_empty() {
            self.yields = 0;
            return false;
        }
        self.enter(0, ENTER_GETEVENTS);
        if self.reap(out) > 0 {
            *want = 0;
        }
        let has_requests = !out.iter().all(Completion::is_progress);
        self.yields = match has_requests {
            true => self.yields + 1,
            false => 0,
        };
        has_requests
    }

    /// From now on the ring wakes for several events together, or for fewer a moment after the
    /// first; a kernel before 6.12 cannot, and wakes as before.
    #[inline]
    pub fn collect_events(&mut self, collects: bool) {
        self.collects = collects && self.can_collect;
    }

    /// Waits for many events, or for any once the moment is over.
    fn enter_collecting(&mut self) {
        /// How long events are collected, in microseconds.
        const MOMENT_US: u32 = 130;
        /// So many end it early.
        const EVENTS: u32 = 24;
        let arg = GeteventsArg {
            min_wait_us: MOMENT_US,
            ..GeteventsArg::default()
        };
        // SAFETY: the argument outlives the call; the descriptor is the ring's own.
        let submitted = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.enter_fd,
                self.queued,
                EVENTS,
                ENTER_GETEVENTS | ENTER_EXT_ARG | self.enter_flags,
                &raw const arg,
                size_of::<GeteventsArg>(),
            )
        };
        if submitted >= 0 {
            self.queued -= submitted as u32;
            return;
        }
        let error = io::Error::last_os_error();
        // The moment was over before there were so many.
        if error.raw_os_error() != Some(libc::ETIME) {
            enter_failed(error);
        }
    }

    #[inline]
    fn enter(&mut self, want: u32, flags: u32) {
        // SAFETY: no pointers are passed; the descriptor is the ring's own.
        let submitted = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.enter_fd,
                self.queued,
                want,
                flags | self.enter_flags,
                std::ptr::null::<libc::c_void>(),
                0usize,
            )
        };
        if submitted >= 0 {
            self.queued -= submitted as u32;
        } else {
            enter_failed(io::Error::last_os_error());
        }
    }

    /// Gives completions their meaning; says how many there were.
    #[inline]
    fn reap(&mut self, out: &mut Vec<Completion>) -> usize {
        let mut reaped = 0;
        for entry in self.uring.completion() {
            let (user_data, result) = (entry.user_data(), entry.result());
            self.ledger.complete(user_data, result, entry.flags(), out);
            reaped += 1;
        }
        if !self.ledger.follow_ups.is_empty() {
            self.follow_up();
        }
        if self.ledger.doorbell_rang {
            self.ledger.doorbell_rang = false;
            self.arm_doorbell();
        }
        reaped
    }

    #[cold]
    pub(super) fn follow_up(&mut self) {
        for request in std::mem::take(&mut self.ledger.follow_ups) {
            self.push(request);
        }
    }

    fn push_behind(&mut self) {
        for request in self.ledger.behind.take() {
            self.push(request);
        }
    }

    fn arm_doorbell(&mut self) {
        let Some(fd) = &self.doorbell else { return };
        let count = (&raw mut *self.doorbell_count).cast::<u8>();
        let read = opcode::Read::new(types::Fd(fd.as_raw_fd()), count, 8);
        self.ledger.doorbell_armed = true;
        self.push(
            read.build()
                .user_data(Token::new(0, 0).tagged(kind::DOORBELL)),
        );
    }

    /// Cancel everything and take all completions, so that no memory is in the kernel's hands.
    fn quiesce(&mut self) -> bool {
        let mut dropped = Vec::new();
        self.ledger.stop_all();
        for _ in 0..REAP_ROUNDS_MAX {
            self.turn(0, &mut dropped);
            for completion in dropped.drain(..) {
                if let Completion::Received { chunk, .. } = completion {
                    self.pool.publish();
                    self.pool.give_back(chunk);
                }
            }
            if self.ledger.in_flight() == 0 && !self.is_unsubmitted() {
                return true;
            }
            let patience = types::Timespec::new().nsec(10_000_000);
            // Errors mean that nothing was left to cancel, or not in time; the count tells.
            let _ = self
                .uring
                .submitter()
                .register_sync_cancel(Some(patience), CancelBuilder::any());
        }
        false
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let quiet = self.quiesce();
        if self.enter_flags & ENTER_REGISTERED_RING != 0 {
            unregister_own_fd(self.uring.as_raw_fd(), self.enter_fd);
        }
        let _ = self.uring.submitter().unregister_buf_ring(BUFFER_GROUP);
        if !quiet {
            // The kernel still holds addresses of ours: leak rather than free under its hands.
            let empty = Ledger::new(Rc::clone(&self.pool));
            std::mem::forget(std::mem::replace(&mut self.ledger, empty));
            std::mem::forget(Rc::clone(&self.pool));
            std::mem::forget(std::mem::take(&mut self.doorbell_count));
        }
    }
}

/// A shard without its ring cannot serve; what is only passing is tried again with the next turn.
#[cold]
fn enter_failed(error: io::Error) {
    match error.raw_os_error() {
        Some(libc::EINTR | libc::EAGAIN | libc::EBUSY | libc::ENOMEM) => {}
        _ => panic!("the network ring cannot be entered: {error}"),
    }
}

pub(super) fn event_fd() -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: no pointers; the new descriptor has no other owner.
    unsafe {
        match libc::eventfd(0, libc::EFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

#[repr(C)]
struct RingFdUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

/// Register the ring's descriptor with this thread; its index, if the kernel has room.
fn register_own_fd(fd: RawFd) -> Option<RawFd> {
    let mut update = RingFdUpdate {
        offset: u32::MAX,
        reserved: 0,
        data: fd as u64,
    };
    (update_ring_fd(fd, REGISTER_RING_FDS, &mut update) == 1).then_some(update.offset as RawFd)
}

fn unregister_own_fd(fd: RawFd, index: RawFd) {
    let mut update = RingFdUpdate {
        offset: index as u32,
        reserved: 0,
        data: 0,
    };
    update_ring_fd(fd, UNREGISTER_RING_FDS, &mut update);
}

fn update_ring_fd(fd: RawFd, operation: u32, update: &mut RingFdUpdate) -> i64 {
    // SAFETY: the kernel reads and writes one update of this layout.
    unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            fd,
            operation,
            std::ptr::from_mut(update),
            1u32,
        )
    }
}
