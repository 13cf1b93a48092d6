//! Memory for receiving: a ring of buffers that the kernel takes from when bytes arrive.
//!
//! ```text
//!   ring entries (shared with the kernel)     buffers, each `stride` bytes apart
//!   [addr len bid][addr len bid] ... tail     |0 ...........|pad|1 ...........|pad| ...
//! ```
//!
//! - The kernel takes buffers first in, first out, so a big ring would walk through all of its
//!   memory even when one client asks small things. Therefore only a *window* of the buffers is
//!   in circulation; it doubles when the kernel ran out, up to all of them. Unused ones are never
//!   touched and cost no memory.
//! - Buffers are padded so that their first cache lines do not share one cache set.
//! - Returned buffers become visible to the kernel with one store per turn (`publish`).
//!
//! What it does not do: know which request a buffer was filled for.
use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

/// Buffers in circulation before the kernel has ever run out.
const WINDOW_AT_START: u16 = 64;
/// 17 cache lines: odd, so that buffers start in all 64 sets of a first-level cache in turn.
const PADDING_BYTES: usize = 17 * 64;
/// Stamps of pools: a thread never has so many that a stamp repeats among the living.
static POOLS: AtomicU16 = AtomicU16::new(0);

/// Received bytes in a provided buffer. Give it back, or the ring has one buffer less.
#[must_use = "a chunk that is not given back is lost to the ring"]
#[derive(Debug)]
pub struct Chunk {
    buffer: u16,
    /// Which pool it came from: two rings may live on one thread.
    pool: u16,
    len: u32,
    /// Buffers are refilled by the thread that owns the ring: a chunk never leaves it.
    thread: PhantomData<*const ()>,
}

impl Chunk {
    /// Number of bytes received.
    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The caller's side of the receive buffers.
pub struct Buffers {
    pool: Rc<Pool>,
}

impl Buffers {
    pub(super) fn new(pool: Rc<Pool>) -> Buffers {
        Buffers { pool }
    }

    /// The bytes of a chunk.
    #[inline]
    pub fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        self.pool.bytes(chunk)
    }

    /// Return a chunk's buffer to circulation; the kernel sees it after `publish`.
    #[inline]
    pub fn give_back(&self, chunk: Chunk) {
        self.pool.give_back(chunk);
    }

    /// Show the kernel what was given back. `Ring::wait` does it every turn.
    #[inline]
    pub fn publish(&self) {
        self.pool.publish();
    }
}

/// An anonymous mapping: zero pages until touched.
struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

impl Mapping {
    fn new(bytes: usize) -> io::Result<Mapping> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh anonymous mapping, no address asked for.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, prot, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Mapping { start, bytes })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this size, and nobody keeps slices beyond the pool.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// Buffers and the ring that offers them, shared by `Ring` and `Buffers`.
pub(super) struct Pool {
    entries: Mapping,
    memory: Mapping,
    stamp: u16,
    count: u16,
    buffer_bytes: usize,
    stride: usize,
    tail: Cell<u16>,
    published: Cell<u16>,
    window: Cell<u16>,
    /// Chunks that were handed out and have not come back.
    held: Cell<u32>,
}

impl Pool {
    pub(super) fn new(count: u16, buffer_bytes: usize) -> io::Result<Pool> {
        assert!(
            count.is_power_of_two() && count <= 1 << 15,
            "buffers: a power of two"
        );
        assert!(
            buffer_bytes > 0 && buffer_bytes <= 1 << 30,
            "buffer bytes: up to 1 GiB"
        );
        let stride = buffer_bytes.next_multiple_of(64) + PADDING_BYTES;
        let pool = Pool {
            entries: Mapping::new(usize::from(count) * size_of::<BufRingEntry>())?,
            memory: Mapping::new(usize::from(count) * stride)?,
            stamp: POOLS.fetch_add(1, Ordering::Relaxed),
            count,
            buffer_bytes,
            stride,
            tail: Cell::new(0),
            published: Cell::new(0),
            window: Cell::new(0),
            held: Cell::new(0),
        };
        pool.widen_to(WINDOW_AT_START.min(count));
        pool.publish();
        Ok(pool)
    }

    pub(super) fn entries_address(&self) -> u64 {
        self.entries.start.as_ptr() as u64
    }

    pub(super) fn count(&self) -> u16 {
        self.count
    }

    /// The kernel filled a buffer: it is the caller's until it comes back.
    #[inline]
    pub(super) fn take(&self, buffer: u16, len: u32) -> Chunk {
        self.held.set(self.held.get() + 1);
        Chunk {
            buffer,
            pool: self.stamp,
            len,
            thread: PhantomData,
        }
    }

    #[inline]
    fn bytes<'a>(&'a self, chunk: &'a Chunk) -> &'a [u8] {
        let offset = usize::from(chunk.buffer) * self.stride;
        assert_eq!(chunk.pool, self.stamp, "a chunk belongs to one ring");
        // SAFETY: within the mapping, as the kernel named the buffer and filled no more than it
        // holds. It does not touch the buffer again before `give_back`, which consumes the chunk.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr().add(offset), chunk.len()) }
    }

    #[inline]
    pub(super) fn give_back(&self, chunk: Chunk) {
        assert_eq!(chunk.pool, self.stamp, "a chunk belongs to one ring");
        self.held.set(self.held.get() - 1);
        self.offer(chunk.buffer);
    }

    /// The kernel had no buffer left: put more in circulation, if there are any.
    #[cold]
    pub(super) fn ran_out(&self) {
        let window = self.window.get();
        self.widen_to(window.saturating_mul(2).min(self.count));
        self.publish();
    }

    /// Whether a receive may find a buffer.
    pub(super) fn has_some(&self) -> bool {
        self.held.get() < u32::from(self.window.get())
    }

    fn widen_to(&self, window: u16) {
        for buffer in self.window.get()..window {
            self.offer(buffer);
        }
        self.window.set(window);
    }

    #[inline]
    fn offer(&self, buffer: u16) {
        let tail = self.tail.get();
        let slot = usize::from(tail & (self.count - 1));
        let address =
            self.memory.start.as_ptr() as u64 + (usize::from(buffer) * self.stride) as u64;
        // SAFETY: the slot is inside the mapping. At most `count` buffers exist and each is either
        // offered or held, so the kernel has consumed what was in this slot, and it does not look
        // at it before the tail is published.
        unsafe {
            let entry = &mut *self.entries.start.as_ptr().cast::<BufRingEntry>().add(slot);
            entry.set_addr(address);
            entry.set_len(self.buffer_bytes as u32);
            entry.set_bid(buffer);
        }
        self.tail.set(tail.wrapping_add(1));
    }

    #[inline]
    pub(super) fn publish(&self) {
        let tail = self.tail.get();
        if tail == self.published.get() {
            return;
        }
        self.published.set(tail);
        // SAFETY: the tail lives in the first entry of the mapping and is only written here; the
        // kernel reads it with acquire semantics.
        unsafe {
            let first = self.entries.start.as_ptr().cast::<BufRingEntry>();
            let shared = BufRingEntry::tail(first).cast::<AtomicU16>();
            (*shared).store(tail, Ordering::Release);
        }
    }
}
