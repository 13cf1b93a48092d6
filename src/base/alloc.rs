//! The allocator: jemalloc with classes in steps of 8 bytes up to 64, and what it knows of memory.
//!
//! Redis accounts memory by its allocator, so `used_memory`, eviction and MEMORY USAGE are only as
//! true as the numbers from here. Three kinds are offered:
//!
//! - `size_class` and `usable_size`: what one allocation really occupies;
//! - `ThreadBytes`: what this thread has allocated and freed so far, exact and free to read, from
//!   which a core knows its own share without asking anyone;
//! - `Stats`: the process as a whole, after a walk over the arenas.
//!
//! Why every alignment above 8 is passed on. jemalloc usually guarantees 16 bytes for sizes of 16
//! and more, and allocators built on it rely on that. Here it is configured with a quantum of 8
//! (`.cargo/config.toml`), so that classes like 24, 40 and 56 exist; their elements lie side by
//! side, and every second one is aligned to 8 bytes only. A `u128` in a 24-byte class would be
//! misaligned, which is undefined behaviour; with the alignment in the flags jemalloc picks a
//! class whose elements are aligned. The flags of an allocation follow from its layout alone, so
//! that freeing computes the same class as allocating did.
//!
//! The process becomes a user of this by `#[global_allocator]`, which is for the binary to say.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{NonNull, null_mut};

use tikv_jemalloc_sys as sys;

/// Every allocation has at least this alignment; more has to be asked for.
const QUANTUM: usize = 8;

/// Stands for all arenas in the names of jemalloc's controls (MALLCTL_ARENAS_ALL).
const PURGE_ALL: &CStr = c"arena.4096.purge";

/// A string that jemalloc reads before `main`.
#[repr(transparent)]
pub struct Conf(*const c_char);

// SAFETY: it points to a literal, which is never written to nor freed.
unsafe impl Sync for Conf {}

/// jemalloc's options, compiled in; the environment (`_RJEM_MALLOC_CONF`) still overrides them.
///
/// - `background_thread:false`: at first. The thread is started when it is known how the process is
///   to run (`runtime/purger.rs`);
/// - `max_background_threads:1`: one gives back some gigabytes a second; more would only take CPUs
///   from cores at the same time;
/// - `narenas:16`: not four for every processor. Memory freed into an arena serves that arena
///   only, and with one arena for two or more of 16 cores contention is rare: thread caches take
///   nearly all calls;
/// - `dirty_decay_ms`, `muzzy_decay_ms`: jemalloc's and thereby Redis's values, said aloud.
#[used]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static MALLOC_CONF: Conf = Conf(
    c"background_thread:false,max_background_threads:1,\
           narenas:16,dirty_decay_ms:10000,muzzy_decay_ms:0"
        .as_ptr(),
);

/// The allocator to name as `#[global_allocator]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jemalloc;

/// The flags that belong to a layout; equal layouts have equal flags.
#[inline]
fn flags(layout: Layout) -> c_int {
    if layout.align() <= QUANTUM {
        0
    } else {
        sys::MALLOCX_ALIGN(layout.align())
    }
}

// SAFETY: blocks come from jemalloc with at least the size and alignment of the layout (see the
// head of this file), null says that there is no memory, and nothing here unwinds.
unsafe impl GlobalAlloc for Jemalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises a size above zero.
        unsafe { sys::mallocx(layout.size(), flags(layout)).cast() }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises a size above zero.
        unsafe { sys::mallocx(layout.size(), flags(layout) | sys::MALLOCX_ZERO).cast() }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller promises that the block came from here with this layout, hence with
        // this size and these flags.
        unsafe { sys::sdallocx(ptr.cast(), layout.size(), flags(layout)) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the block came from here and a new size above zero;
        // the flags keep its alignment.
        unsafe { sys::rallocx(ptr.cast(), new_size, flags(layout)).cast() }
    }
}

/// Grow or shrink a block where it is; false if that is not possible, and then nothing changed.
///
/// # Safety
/// The block must be alive, from this allocator and of this layout, `new_size` above zero. After
/// true the block has the layout's alignment with the new size.
pub unsafe fn resize_in_place(ptr: NonNull<u8>, layout: Layout, new_size: usize) -> bool {
    let class = size_class_of(layout.align(), new_size);
    // SAFETY: the caller's promise is what xallocx asks for.
    let real = unsafe { sys::xallocx(ptr.as_ptr().cast(), new_size, 0, flags(layout)) };
    // A block that could not shrink would later be freed by the size of another class.
    if real == class {
        return true;
    }
    let old = size_class_of(layout.align(), layout.size());
    debug_assert_eq!(
        real, old,
        "xallocx either reaches the class or leaves it alone"
    );
    false
}

fn size_class_of(align: usize, len: usize) -> usize {
    let flags = if align <= QUANTUM {
        0
    } else {
        sys::MALLOCX_ALIGN(align)
    };
    // SAFETY: nallocx only computes; it wants a size above zero.
    unsafe { sys::nallocx(len.max(1), flags) }
}

/// What an allocation of so many bytes occupies (alignment up to 8), zero for nothing.
#[inline]
pub fn size_class(len: usize) -> usize {
    if len == 0 {
        0
    } else {
        size_class_of(QUANTUM, len)
    }
}

/// What this block occupies.
///
/// # Safety
/// The block must be alive and from this allocator.
#[inline]
pub unsafe fn usable_size(ptr: NonNull<u8>) -> usize {
    // SAFETY: the caller's promise is what sallocx asks for.
    unsafe { sys::sallocx(ptr.as_ptr().cast(), 0) }
}

/// What one thread has done so far, in bytes occupied. The difference between two moments is what
/// the work between them took; it is negative where a thread frees what another allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadBytes {
    pub allocated: u64,
    pub deallocated: u64,
}

impl ThreadBytes {
    /// Allocated and not freed by this thread.
    #[inline]
    pub fn live(self) -> i64 {
        self.allocated.wrapping_sub(self.deallocated) as i64
    }
}

thread_local! {
    /// Where jemalloc counts for this thread; null until first asked.
    static COUNTERS: Cell<(*const u64, *const u64)> =
        const { Cell::new((std::ptr::null(), std::ptr::null())) };
}

/// This thread's counters: two loads, exact to the byte at every moment.
#[inline]
pub fn thread_allocated_bytes() -> ThreadBytes {
    let (mut allocated, mut deallocated) = COUNTERS.get();
    if allocated.is_null() {
        (allocated, deallocated) = find_counters();
    }
    // SAFETY: the pointers lead to this thread's own storage in jemalloc, which lives as long as
    // the thread and is written by this thread only; the cell is not visible to other threads.
    unsafe {
        ThreadBytes {
            allocated: allocated.read(),
            deallocated: deallocated.read(),
        }
    }
}

#[cold]
fn find_counters() -> (*const u64, *const u64) {
    let found = (
        // SAFETY: both controls yield a pointer to a counter of 64 bits.
        unsafe { read_control::<*const u64>(c"thread.allocatedp") },
        // SAFETY: as above.
        unsafe { read_control::<*const u64>(c"thread.deallocatedp") },
    );
    assert!(
        !found.0.is_null() && !found.1.is_null(),
        "jemalloc is built with statistics"
    );
    COUNTERS.set(found);
    found
}

/// The whole process, in bytes; the words are those of INFO's `allocator_*` fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// In live allocations, rounded up to their classes.
    pub allocated: usize,
    /// In pages that hold live allocations.
    pub active: usize,
    /// In physical memory as far as jemalloc knows, its own data included.
    pub resident: usize,
    /// Address space kept for later, without memory behind it.
    pub retained: usize,
    /// jemalloc's own data.
    pub metadata: usize,
}

/// Take stock now: merges the counters of all arenas and thread caches, some microseconds.
pub fn stats() -> Stats {
    // SAFETY: the epoch is a u64, and each of the statistics a size_t.
    unsafe {
        write_control::<u64>(c"epoch", 1);
        Stats {
            allocated: read_control(c"stats.allocated"),
            active: read_control(c"stats.active"),
            resident: read_control(c"stats.resident"),
            retained: read_control(c"stats.retained"),
            metadata: read_control(c"stats.metadata"),
        }
    }
}

/// Give all unused pages back to the system now (MEMORY PURGE).
pub fn purge() {
    // SAFETY: this control takes and gives nothing.
    let error = unsafe { sys::mallctl(PURGE_ALL.as_ptr(), null_mut(), null_mut(), null_mut(), 0) };
    debug_assert_eq!(error, 0, "purging has no reason to fail");
}

/// All that jemalloc can tell of itself, as text (MEMORY MALLOC-STATS).
pub fn report() -> String {
    unsafe extern "C" fn take(text: *mut c_void, part: *const c_char) {
        // SAFETY: `text` is the string below, which nobody else uses while jemalloc prints, and
        // `part` ends with zero.
        let (text, part) = unsafe { (&mut *text.cast::<String>(), CStr::from_ptr(part)) };
        text.push_str(&part.to_string_lossy());
    }
    let mut text = String::new();
    // SAFETY: jemalloc hands the second argument to the first and keeps neither.
    unsafe { sys::malloc_stats_print(Some(take), (&raw mut text).cast(), std::ptr::null()) };
    text
}

/// The version of jemalloc, as INFO's `mem_allocator` says it.
pub fn version() -> String {
    // SAFETY: this control is a string that is never freed.
    let version = unsafe { CStr::from_ptr(read_control::<*const c_char>(c"version")) };
    let version = version.to_string_lossy();
    let number = version.split('-').next().unwrap_or_default();
    format!("jemalloc-{number}")
}

/// Let jemalloc purge from a thread of its own (`jemalloc-bg-thread`); false if it cannot.
pub fn run_background_thread(on: bool) -> bool {
    // SAFETY: this control is a bool.
    unsafe { write_control::<bool>(c"background_thread", on) }
}

/// Read one of jemalloc's controls.
///
/// # Safety
/// `T` must be the control's type, for which all bytes zero is a value.
unsafe fn read_control<T>(name: &CStr) -> T {
    let mut len = size_of::<T>();
    // SAFETY: the caller says that zero is a value of this type.
    let mut value: T = unsafe { std::mem::zeroed() };
    let place: *mut c_void = (&raw mut value).cast();
    // SAFETY: the place holds `len` bytes, and jemalloc writes only if its length is the same.
    let error = unsafe { sys::mallctl(name.as_ptr(), place, &raw mut len, null_mut(), 0) };
    debug_assert_eq!(error, 0, "no such control: {name:?}");
    value
}

/// Set one of jemalloc's controls; false if it refuses.
///
/// # Safety
/// `T` must be the control's type.
unsafe fn write_control<T>(name: &CStr, mut value: T) -> bool {
    let place: *mut c_void = (&raw mut value).cast();
    // SAFETY: the place holds as many bytes as said.
    let error =
        unsafe { sys::mallctl(name.as_ptr(), null_mut(), null_mut(), place, size_of::<T>()) };
    error == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a valid layout")
    }

    #[test]
    fn classes_go_in_steps_of_eight() {
        for len in 1..=64 {
            assert_eq!(
                size_class(len),
                len.next_multiple_of(8),
                "JEMALLOC_SYS_WITH_LG_QUANTUM"
            );
        }
        assert_eq!(size_class(65), 80);
        assert_eq!(size_class(0), 0);
        assert_eq!(size_class(129), 160);
        assert_eq!(size_class(16 * 1024), 16 * 1024);
    }

    #[test]
    fn options_are_compiled_in() {
        // SAFETY: the types are those of jemalloc's manual.
        unsafe {
            assert_eq!(read_control::<u32>(c"opt.narenas"), 16);
            assert_eq!(read_control::<isize>(c"opt.dirty_decay_ms"), 10_000);
            assert_eq!(read_control::<isize>(c"opt.muzzy_decay_ms"), 0);
            assert!(!read_control::<bool>(c"opt.background_thread"));
            assert!(!read_control::<bool>(c"config.cache_oblivious"));
        }
    }

    /// One live block of the stress test, filled with its own tag.
    struct Block {
        ptr: *mut u8,
        layout: Layout,
        tag: u8,
    }

    impl Block {
        fn check(&self) {
            assert_eq!(
                self.ptr as usize % self.layout.align(),
                0,
                "{:?}",
                self.layout
            );
            // SAFETY: the block is alive and has this size.
            let bytes = unsafe { std::slice::from_raw_parts(self.ptr, self.layout.size()) };
            assert!(
                bytes.iter().all(|&byte| byte == self.tag),
                "{:?}",
                self.layout
            );
        }
    }

    fn allocate(prng: &mut Prng) -> Block {
        let size = prng.below(1 << prng.clone().below(15)) as usize + 1;
        let layout = layout(size, 1 << prng.below(13));
        let tag = prng.next_u64() as u8;
        let zeroed = prng.one_in(2);
        // SAFETY: the size is above zero; the block is filled to its size.
        let ptr = unsafe {
            let ptr = if zeroed {
                Jemalloc.alloc_zeroed(layout)
            } else {
                Jemalloc.alloc(layout)
            };
            assert!(!ptr.is_null());
            let bytes = std::slice::from_raw_parts(ptr, if zeroed { size } else { 0 });
            assert!(bytes.iter().all(|&byte| byte == 0));
            ptr.write_bytes(tag, size);
            ptr
        };
        Block { ptr, layout, tag }
    }

    fn reallocate(block: &mut Block, prng: &mut Prng) {
        let size = prng.below(9000) as usize + 1;
        let old = block.layout;
        let in_place = prng.one_in(2);
        // SAFETY: the block is alive and of this layout, the size above zero.
        unsafe {
            if in_place {
                let ptr = NonNull::new(block.ptr).expect("not null");
                if !resize_in_place(ptr, old, size) {
                    return;
                }
            } else {
                block.ptr = Jemalloc.realloc(block.ptr, old, size);
            }
            let kept = std::slice::from_raw_parts(block.ptr, size.min(old.size()));
            assert!(kept.iter().all(|&byte| byte == block.tag));
            block.ptr.write_bytes(block.tag, size);
        }
        block.layout = layout(size, old.align());
    }

    #[test]
    fn blocks_are_aligned_disjoint_and_counted() {
        let seed = 20_260_101;
        let mut prng = Prng::from_seed(seed);
        let mut blocks: Vec<Block> = Vec::new();
        let before = thread_allocated_bytes();
        for _ in 0..60_000 {
            match prng.below(10) {
                0..5 => blocks.push(allocate(&mut prng)),
                5..7 if !blocks.is_empty() => {
                    let at = prng.below(blocks.len() as u64) as usize;
                    reallocate(&mut blocks[at], &mut prng);
                    blocks[at].check();
                }
                _ if !blocks.is_empty() => {
                    let at = prng.below(blocks.len() as u64) as usize;
                    let block = blocks.swap_remove(at);
                    block.check();
                    // SAFETY: the block is alive and of this layout, and forgotten after this.
                    unsafe { Jemalloc.dealloc(block.ptr, block.layout) };
                }
                _ => {}
            }
        }
        let occupied: usize = blocks
            .iter()
            // SAFETY: the block is alive.
            .map(|block| unsafe { usable_size(NonNull::new(block.ptr).expect("not null")) })
            .sum();
        // The list of blocks itself lives in the allocator of the test's process, which is another
        // one unless the process names this one; then it is the only other allocation.
        let live = thread_allocated_bytes().live() - before.live();
        let list = size_class(blocks.capacity() * size_of::<Block>());
        assert!(
            [occupied, occupied + list].contains(&(live as usize)),
            "seed {seed}: {live}"
        );
        for block in blocks {
            block.check();
            // SAFETY: the block is alive and of this layout, and gone after this.
            unsafe { Jemalloc.dealloc(block.ptr, block.layout) };
        }
    }

    #[test]
    fn a_block_of_24_bytes_with_alignment_16() {
        // Side by side in a class of 24, every second one would be misaligned.
        let wide = layout(24, 16);
        for _ in 0..1000 {
            // SAFETY: the size is above zero; the block is leaked on purpose.
            let ptr = unsafe { Jemalloc.alloc(wide) };
            assert_eq!(ptr as usize % 16, 0);
        }
    }

    #[test]
    fn counters_are_those_of_the_thread() {
        let before = thread_allocated_bytes();
        let other = std::thread::spawn(|| {
            let start = thread_allocated_bytes();
            // SAFETY: the size is above zero; the block is freed by the other thread.
            let ptr = unsafe { Jemalloc.alloc(layout(1000, 1)) } as usize;
            (ptr, thread_allocated_bytes().allocated - start.allocated)
        });
        let (ptr, allocated) = other.join().expect("the thread ends well");
        assert_eq!(allocated, 1024);
        // SAFETY: the block is alive and of this layout.
        unsafe { Jemalloc.dealloc(ptr as *mut u8, layout(1000, 1)) };
        let after = thread_allocated_bytes();
        assert!(after.deallocated - before.deallocated >= 1024);
    }

    #[test]
    fn stats_follow_a_big_block() {
        let big = layout(64 << 20, 4096);
        let before = stats();
        // SAFETY: the size is above zero; the block is written within its size and freed once.
        let during = unsafe {
            let ptr = Jemalloc.alloc(big);
            ptr.write_bytes(1, big.size());
            let during = stats();
            Jemalloc.dealloc(ptr, big);
            during
        };
        purge();
        // Other tests allocate at the same time, but far less than this.
        let slack = 32 << 20;
        assert!(during.allocated >= before.allocated + big.size() - slack);
        assert!(during.resident >= during.active && during.active >= during.allocated);
        assert!(stats().allocated <= during.allocated - big.size() + slack);
        assert!(during.metadata > 0);
    }
}
