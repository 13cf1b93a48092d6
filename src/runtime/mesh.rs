//! Parcels from core to core.
//!
//! Every core has one queue that all others push to; a push never blocks and never waits. A
//! parcel should be everything one core has for another in one turn, so that the price of a push
//! (some tens of nanoseconds) and of a wake-up is paid per turn.
//!
//! ```text
//!   sender                             receiver
//!   push parcel                        asleep = true
//!   fence                              fence
//!   asleep?  yes: swap to false,       queue empty?  no: asleep = false, work on
//!            wake it by MSG_RING                     yes: sleep in the network ring
//! ```
//!
//! Why no wake-up is lost: both sides write, then fence, then read what the other writes. In the
//! one order of all sequentially consistent fences either the sender's fence comes first, and the
//! receiver sees the parcel; or the receiver's comes first, and the sender sees `asleep`. Only one
//! of several senders takes the flag down, so a sleeper is woken once. A receiver that is busy has
//! the flag down and costs its senders no system call.
//!
//! Wakes travel as requests on the sender's own ring and leave with the enter that ends its turn.
//! A core that has not attached its ring yet has never slept, so nobody needs to wake it.
//!
//! Parcels of one sender arrive in their order; between senders there is none. What it does not
//! do: limit the number of parcels; whoever sends bounds what may be outstanding.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering, fence};

use crossbeam_queue::SegQueue;

use super::ring::{Ring, RingHandle};

const NOT_ATTACHED: i32 = -1;

/// What the others see of a core. Padded to two cache lines, the unit of the prefetcher.
#[repr(align(128))]
struct Door {
    asleep: AtomicBool,
    ring: AtomicI32,
}

struct Inbox<T> {
    parcels: SegQueue<(usize, T)>,
    door: Door,
}

/// The cores' connections with each other.
pub struct Mesh<T> {
    inboxes: Vec<Inbox<T>>,
}

impl<T: Send> Mesh<T> {
    /// One port for each core.
    #[expect(
        clippy::new_ret_no_self,
        reason = "a mesh is only ever seen through its ports"
    )]
    pub fn new(cores: usize) -> Vec<Port<T>> {
        let inbox = |_| Inbox {
            parcels: SegQueue::new(),
            door: Door {
                asleep: AtomicBool::new(false),
                ring: AtomicI32::new(NOT_ATTACHED),
            },
        };
        let mesh = Arc::new(Mesh {
            inboxes: (0..cores).map(inbox).collect(),
        });
        let port = |core| Port {
            mesh: Arc::clone(&mesh),
            core,
            to_wake: Vec::new(),
        };
        (0..cores).map(port).collect()
    }
}

/// One core's end of the mesh.
pub struct Port<T> {
    mesh: Arc<Mesh<T>>,
    core: usize,
    /// Sleepers whose flag we took down: we owe each of them a wake.
    to_wake: Vec<RingHandle>,
}

impl<T: Send> Port<T> {
    /// Which core this end belongs to.
    pub fn core(&self) -> usize {
        self.core
    }

    /// Number of cores in the mesh.
    pub fn cores(&self) -> usize {
        self.mesh.inboxes.len()
    }

    /// Let the others wake this core through its ring.
    pub fn attach(&self, ring: &Ring) {
        self.own()
            .door
            .ring
            .store(ring.handle().raw(), Ordering::Release);
    }

    /// Put a parcel into a core's queue. `flush` must follow in the same turn.
    pub fn send(&mut self, to: usize, parcel: T) {
        let inbox = &self.mesh.inboxes[to];
        inbox.parcels.push((self.core, parcel));
        fence(Ordering::SeqCst);
        let door = &inbox.door;
        if door.asleep.load(Ordering::Relaxed) && door.asleep.swap(false, Ordering::SeqCst) {
            let ring = door.ring.load(Ordering::Acquire);
            if ring != NOT_ATTACHED {
                self.to_wake.push(RingHandle::from_raw(ring));
            }
        }
    }

    /// Wake those who slept when something was sent to them.
    #[inline]
    pub fn flush(&mut self, ring: &mut Ring) {
        for peer in self.to_wake.drain(..) {
            ring.wake(peer);
        }
    }

    /// The next parcel, and the core it is from.
    #[inline]
    pub fn receive(&self) -> Option<(usize, T)> {
        self.own().parcels.pop()
    }

    /// Announce that this core is going to sleep. False: something has come, do not sleep.
    /// After the sleep `wake_up` must follow.
    #[inline]
    pub fn fall_asleep(&self) -> bool {
        if self.cores() == 1 {
            return true;
        }
        let inbox = self.own();
        inbox.door.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if inbox.parcels.is_empty() {
            return true;
        }
        inbox.door.asleep.store(false, Ordering::Relaxed);
        false
    }

    /// Announce that this core looks at its queue again.
    #[inline]
    pub fn wake_up(&self) {
        if self.cores() > 1 {
            self.own().door.asleep.store(false, Ordering::Relaxed);
        }
    }

    #[inline]
    fn own(&self) -> &Inbox<T> {
        &self.mesh.inboxes[self.core]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::ring::{RingConfig, Sleep};
    use std::time::{Duration, Instant};

    #[test]
    fn parcels_of_one_sender_keep_their_order() {
        let mut ports = Mesh::new(3);
        ports[0].send(2, 'a');
        ports[1].send(2, 'x');
        ports[0].send(2, 'b');
        ports[2].send(2, 'z');
        let all: Vec<_> = std::iter::from_fn(|| ports[2].receive()).collect();
        assert_eq!(all, [(0, 'a'), (1, 'x'), (0, 'b'), (2, 'z')]);
        assert!(ports[0].receive().is_none());
    }

    #[test]
    fn only_a_sleeper_is_woken_and_only_once() {
        let mut ports = Mesh::new(3);
        ports[0].mesh.inboxes[2]
            .door
            .ring
            .store(77, Ordering::Relaxed);
        ports[0].send(2, 1);
        assert!(ports[0].to_wake.is_empty(), "the receiver is busy");
        assert!(!ports[2].fall_asleep(), "something has come");
        assert_eq!(ports[2].receive(), Some((0, 1)));
        assert!(ports[2].fall_asleep());
        ports[0].send(2, 2);
        ports[1].send(2, 3);
        assert_eq!(ports[0].to_wake, [RingHandle::from_raw(77)]);
        assert!(ports[1].to_wake.is_empty());
    }

    /// One core of the storm: sends `rounds` parcels to each other core and counts what it gets,
    /// sleeping whenever there is nothing to do. A lost wake-up would hang it.
    async fn storm(mut port: Port<u64>, rounds: u64) -> u64 {
        let config = RingConfig {
            entries: 64,
            buffers: 4,
            buffer_bytes: 4096,
        };
        let (mut ring, _buffers) = Ring::new(config).expect("checked before");
        port.attach(&ring);
        let peers = port.cores() as u64 - 1;
        let (mut sent, mut sum, mut seen) = (0, 0, 0);
        let mut done = Vec::new();
        let start = Instant::now();
        while seen < peers * rounds {
            while let Some((_, parcel)) = port.receive() {
                sum += parcel;
                seen += 1;
            }
            // One parcel in flight for each that came: the cores keep falling asleep.
            if sent < rounds && sent <= seen / peers {
                sent += 1;
                let own = port.core();
                for to in (0..port.cores()).filter(|&to| to != own) {
                    port.send(to, sent);
                }
            }
            port.flush(&mut ring);
            let asleep = port.fall_asleep();
            let deadline = start + Duration::from_secs(20);
            let sleep = if asleep {
                Sleep::Until(deadline)
            } else {
                Sleep::Poll
            };
            ring.wait(sleep, &mut done).await;
            port.wake_up();
            done.clear();
            assert!(Instant::now() < deadline, "a wake-up was lost");
        }
        // The last wakes must leave before the ring goes.
        port.flush(&mut ring);
        ring.wait(Sleep::Poll, &mut done).await;
        sum
    }

    #[test]
    fn no_wake_up_is_lost_in_a_storm() {
        if let Err(error) = Ring::new(RingConfig::default()) {
            eprintln!("SKIPPED: this kernel refuses io_uring: {error}");
            return;
        }
        const ROUNDS: u64 = 20_000;
        let start = |port| {
            std::thread::spawn(move || {
                glommio::LocalExecutorBuilder::default()
                    .make()
                    .expect("an executor")
                    .run(storm(port, ROUNDS))
            })
        };
        let cores: Vec<_> = Mesh::new(3).into_iter().map(start).collect();
        for core in cores {
            let sum = core.join().expect("no wake-up was lost");
            assert_eq!(sum, 2 * ROUNDS * (ROUNDS + 1) / 2);
        }
    }
}
