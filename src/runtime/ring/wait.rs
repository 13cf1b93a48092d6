//! How a shard sleeps, and how it is woken.
//!
//! ```text
//!            traffic                      a tick without traffic
//!   +--> WARM: blocked in the network ring ----------> COLD: blocked in the network ring
//!   |      one enter per turn; a tick every 10 ms,       no tick; no timer but the caller's own
//!   |      a timer of its own for a near deadline
//!   +----------------------- completion ----------------------+
//! ```
//!
//! Nothing here goes through the executor. Its parking costs several system calls, and a timer per
//! wait is dear in a virtual machine; and when its preemption timer fires between two turns it
//! parks for ever, even with a root task that only yielded. As long as the executor has no other
//! tasks, the network ring is the only place where a shard sleeps.
//!
//! What it does not do: keep timers. The caller gives its next deadline to `wait`.
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use io_uring::types::{TimeoutFlags, Timespec};
use io_uring::{opcode, squeue};

use super::completion::{Completion, Sleep, Token, kind};
use super::queue::Ring;

/// Under traffic a caller's deadline that is not near is noticed this often.
static TICK: Timespec = Timespec::new().nsec(10_000_000);
/// A deadline is near when it is no farther than this: it has a timer of its own.
const NEAR_MAX: Duration = Duration::from_millis(1);
/// How soon [`Ring::nudge`] ends a sleep.
static NUDGE: Timespec = Timespec::new().nsec(1_000_000);
const TICK_USER_DATA: u64 = Token::new(0, 0).tagged(kind::TICK);
const ALARM_USER_DATA: u64 = Token::new(0, 0).tagged(kind::ALARM);

/// Names a core's ring for `Ring::wake`. Outliving the ring is harmless: the wake goes astray.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RingHandle(RawFd);

impl RingHandle {
    pub(super) fn new(fd: RawFd) -> RingHandle {
        RingHandle(fd)
    }

    /// The bare number, to keep it in an atomic.
    pub(in crate::runtime) fn raw(self) -> RawFd {
        self.0
    }

    pub(in crate::runtime) fn from_raw(fd: RawFd) -> RingHandle {
        RingHandle(fd)
    }
}

/// Wakes a core from a thread that has no ring.
#[derive(Clone, Debug)]
pub struct Doorbell(Arc<OwnedFd>);

impl Doorbell {
    pub(super) fn new(fd: Arc<OwnedFd>) -> Doorbell {
        Doorbell(fd)
    }

    /// The core gets a `Woken`; several rings before it looks count as one.
    pub fn ring(&self) {
        let one = 1u64;
        // SAFETY: eight bytes of a local; the descriptor is alive as long as we are.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }
}

/// Where the ring is between warm and cold.
pub(super) struct Pace {
    warm: bool,
    /// Something happened since the last tick.
    traffic: bool,
    pub(super) ticks: u64,
    alarm: Timespec,
    near: Timespec,
}

impl Pace {
    pub(super) fn new() -> io::Result<Pace> {
        Ok(Pace {
            warm: false,
            traffic: false,
            ticks: 0,
            alarm: Timespec::new(),
            near: Timespec::new(),
        })
    }
}

impl Ring {
    /// Submit all that is queued, sleep until something happened, and append it to `out`. May
    /// return with nothing: at a tick, or when the caller's deadline has come.
    pub async fn wait(&mut self, sleep: Sleep, out: &mut Vec<Completion>) {
        let before = out.len();
        self.prepare(out);
        let may_sleep = sleep != Sleep::Poll && out.len() == before;
        if may_sleep && !self.pace.warm {
            self.doze(sleep, out);
            self.note_traffic(out.len() > before);
            return;
        }
        if !self.ledger.tick_armed {
            self.arm_tick();
        }
        if may_sleep && let Sleep::Until(deadline) = sleep {
            self.mind(deadline);
        }
        self.turn(u32::from(may_sleep), out);
        let busy = out.len() > before;
        self.note_traffic(busy);
        if self.ledger.tick_rang {
            self.ledger.tick_rang = false;
            self.ticked(busy || sleep == Sleep::Poll);
        }
    }

    /// Lets no sleep last longer than a millisecond from now, also under traffic.
    pub fn nudge(&mut self) {
        let nudge = opcode::Timeout::new(&raw const NUDGE).build();
        let silent = Token::new(0, 0).tagged(kind::SILENT);
        self.push(nudge.user_data(silent));
    }

    /// Under traffic, too, the caller is back at a near deadline. One timer at a time does: whoever
    /// meets one that was set for another deadline is back when that has come, and asks again.
    fn mind(&mut self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left > NEAR_MAX || self.ledger.near_armed {
            return;
        }
        self.ledger.near_armed = true;
        self.pace.near = Timespec::from(left);
        let near = opcode::Timeout::new(&raw const self.pace.near).build();
        self.push(near.user_data(Token::new(0, 0).tagged(kind::NEAR)));
    }

    /// Receive buffers go back to the kernel; what needs no kernel is handed out.
    #[inline]
    fn prepare(&mut self, out: &mut Vec<Completion>) {
        self.pool.publish();
        self.ledger.feed_starved();
        if !self.ledger.follow_ups.is_empty() {
            self.follow_up();
        }
        if !self.ledger.ready.is_empty() {
            out.append(&mut self.ledger.ready);
        }
    }

    #[inline]
    fn note_traffic(&mut self, busy: bool) {
        if busy {
            self.pace.traffic = true;
            self.pace.warm = true;
        }
    }

    /// A tick without traffic since the one before lets the ring go cold.
    fn ticked(&mut self, busy: bool) {
        self.pace.ticks += 1;
        self.pace.warm = busy || self.pace.traffic;
        self.pace.traffic = false;
    }

    #[cold]
    fn arm_tick(&mut self) {
        let flags = match self.ledger.tick_once {
            true => TimeoutFlags::empty(),
            false => TimeoutFlags::MULTISHOT,
        };
        let tick = opcode::Timeout::new(&raw const TICK).flags(flags).build();
        self.ledger.tick_armed = true;
        self.push(tick.user_data(TICK_USER_DATA));
    }

    /// Sleep in the ring without ticks: nothing but a completion or the deadline ends it.
    fn doze(&mut self, sleep: Sleep, out: &mut Vec<Completion>) {
        let before = out.len();
        if !self.set_alarm(sleep) {
            self.turn(0, out);
            return;
        }
        self.drop_tick(out);
        if out.len() == before && !self.ledger.alarm_rang {
            self.turn(1, out);
        }
        if sleep != Sleep::Forever && !self.ledger.alarm_rang {
            self.push(remove_timeout(ALARM_USER_DATA));
            self.turn(0, out);
        }
    }

    /// Whether there is time to sleep at all; arms the caller's deadline.
    fn set_alarm(&mut self, sleep: Sleep) -> bool {
        self.ledger.alarm_rang = false;
        let Sleep::Until(deadline) = sleep else {
            return true;
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        self.pace.alarm = Timespec::from(left);
        let alarm = opcode::Timeout::new(&raw const self.pace.alarm).build();
        self.push(alarm.user_data(ALARM_USER_DATA));
        true
    }

    /// Stop the tick, and see that the kernel has copied the alarm's time.
    ///
    /// A tick that rings at this very moment is not found by the removal, and goes on: whoever
    /// hears it then has to ask again.
    fn drop_tick(&mut self, out: &mut Vec<Completion>) {
        self.ledger.tick_rang = self.ledger.tick_armed;
        loop {
            if std::mem::take(&mut self.ledger.tick_rang) && self.ledger.tick_armed {
                self.push(remove_timeout(TICK_USER_DATA));
            }
            self.turn(0, out);
            if !self.ledger.tick_armed && !self.is_unsubmitted() {
                break;
            }
        }
        self.ledger.tick_rang = false;
    }
}

fn remove_timeout(user_data: u64) -> squeue::Entry {
    opcode::TimeoutRemove::new(user_data)
        .build()
        .flags(squeue::Flags::SKIP_SUCCESS)
        .user_data(Token::new(0, 0).tagged(kind::SILENT))
}
