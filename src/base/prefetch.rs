//! Asking the processor for memory before it is needed.
//!
//! A turn's lookups overlap: the server first asks for the lines of all its commands and only then
//! runs them, which turns a row of cache misses into one. A prefetch of any address is harmless,
//! so this is a safe function; it does nothing where the processor has no such instruction.

/// Asks for the line at this address, to be read soon.
#[inline(always)]
pub fn read(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint: it never faults and changes no state a program can see.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
