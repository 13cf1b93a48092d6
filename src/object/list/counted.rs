//! The bytes of a quicklist's node behind a counted reference, in sixteen bytes.
//!
//! ```text
//!   reference -> | count | capacity | -> | buffer of a listpack, or `Bytes` of a large element |
//! ```
//!
//! The counted references of the standard library keep two counters of eight bytes and, behind a
//! boxed slice, a length of eight: beside nodes of 8 KiB that is what would make lists larger than
//! those of Redis, whose nodes take 32 bytes with their links. Here it is 32 as well.

use bytes::Bytes;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};

/// What a node owns.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// The buffer that a listpack lies in; shorter than 4 GiB - 1.
    Buffer(Box<[u8]>),
    Large(Bytes),
}

/// The same, to read.
#[derive(Clone, Copy, Debug)]
pub(super) enum ContentRef<'a> {
    Buffer(&'a [u8]),
    Large(&'a Bytes),
}

/// A reference that shares the content with its clones.
pub(super) struct Counted(NonNull<Head>);

/// What a reference points to.
struct Head {
    count: AtomicU32,
    /// Bytes of the buffer, or [`LARGE`].
    capacity: u32,
    /// From `Box<[u8]>` of that capacity, or from `Box<Bytes>`.
    content: NonNull<u8>,
}

/// Stands for a large element.
const LARGE: u32 = u32::MAX;
/// From so many references on a clone copies the content: the counter cannot run over, for every
/// thread that counts at the same moment adds only one.
const COUNT_MAX: u32 = u32::MAX / 2;

// SAFETY: the content is a `Box<[u8]>` or a `Bytes`, which both are `Send` and `Sync`; it is
// changed only through a reference that is the only one, and the counter is atomic.
unsafe impl Send for Counted {}
// SAFETY: as above.
unsafe impl Sync for Counted {}

impl Head {
    fn new(content: Content) -> Head {
        let (capacity, content) = match content {
            Content::Buffer(buffer) => {
                let capacity = u32::try_from(buffer.len()).ok();
                let capacity = capacity.filter(|capacity| *capacity != LARGE);
                let capacity = capacity.expect("a listpack counts its bytes in 32 bits");
                (capacity, Box::into_raw(buffer).cast::<u8>())
            }
            Content::Large(bytes) => (LARGE, Box::into_raw(Box::new(bytes)).cast::<u8>()),
        };
        Head {
            count: AtomicU32::new(1),
            capacity,
            content: NonNull::new(content).expect("boxes are not null"),
        }
    }

    fn slice(&self) -> *mut [u8] {
        std::ptr::slice_from_raw_parts_mut(self.content.as_ptr(), self.capacity as usize)
    }

    fn get(&self) -> ContentRef<'_> {
        if self.capacity == LARGE {
            // SAFETY: such a head holds a `Box<Bytes>`, which lives as long as it does.
            ContentRef::Large(unsafe { self.content.cast::<Bytes>().as_ref() })
        } else {
            // SAFETY: the head holds a boxed slice of this capacity, which lives as long as it.
            ContentRef::Buffer(unsafe { &*self.slice() })
        }
    }

    fn into_content(self) -> Content {
        if self.capacity == LARGE {
            // SAFETY: such a head holds a `Box<Bytes>`, and ends here.
            Content::Large(*unsafe { Box::from_raw(self.content.cast::<Bytes>().as_ptr()) })
        } else {
            // SAFETY: the head holds a boxed slice of this capacity, and ends here.
            Content::Buffer(unsafe { Box::from_raw(self.slice()) })
        }
    }
}

impl ContentRef<'_> {
    fn to_owned(self) -> Content {
        match self {
            ContentRef::Buffer(bytes) => Content::Buffer(bytes.into()),
            ContentRef::Large(bytes) => Content::Large(bytes.clone()),
        }
    }
}

impl Counted {
    /// Bytes that a reference points to, its content apart.
    pub(super) const BYTES: usize = size_of::<Head>();

    pub(super) fn new(content: Content) -> Counted {
        let head = Box::new(Head::new(content));
        Counted(NonNull::from(Box::leak(head)))
    }

    #[inline]
    fn head(&self) -> &Head {
        // SAFETY: the head lives as long as one reference to it.
        unsafe { self.0.as_ref() }
    }

    /// The content.
    #[inline]
    pub(super) fn get(&self) -> ContentRef<'_> {
        self.head().get()
    }

    /// Whether no other reference shares the content.
    #[inline]
    pub(super) fn is_only(&self) -> bool {
        self.head().count.load(Ordering::Acquire) == 1
    }

    /// Takes the content out, or a copy of it if others share it. Something of no use stays, until
    /// it is set again.
    #[inline]
    pub(super) fn take(&mut self) -> Content {
        let nothing = Content::Buffer(Box::default());
        if self.is_only() {
            self.replace(nothing)
        } else {
            let copy = self.get().to_owned();
            *self = Counted::new(nothing);
            copy
        }
    }

    /// Sets the content.
    #[inline]
    pub(super) fn set(&mut self, content: Content) {
        if self.is_only() {
            self.replace(content);
        } else {
            *self = Counted::new(content);
        }
    }

    /// Changes the content of the only reference.
    #[inline]
    fn replace(&mut self, content: Content) -> Content {
        debug_assert!(self.is_only());
        // SAFETY: this is the only reference, borrowed for as long as the head is changed.
        let head = unsafe { self.0.as_mut() };
        std::mem::replace(head, Head::new(content)).into_content()
    }
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        // A new reference is made from one that is there: nothing has to be seen in order.
        let before = self.head().count.fetch_add(1, Ordering::Relaxed);
        let clone = Counted(self.0);
        if before < COUNT_MAX {
            return clone;
        }
        Counted::new(clone.get().to_owned())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.head().count.fetch_sub(1, Ordering::Release) == 1 {
            // What others did with the content comes before its end.
            fence(Ordering::Acquire);
            // SAFETY: it came from a box, and no other reference is left.
            let head = unsafe { Box::from_raw(self.0.as_ptr()) };
            drop(head.into_content());
        }
    }
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(text: &str) -> Content {
        Content::Buffer(text.as_bytes().into())
    }

    fn text(counted: &Counted) -> String {
        match counted.get() {
            ContentRef::Buffer(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            ContentRef::Large(bytes) => format!("large {}", String::from_utf8_lossy(bytes)),
        }
    }

    #[test]
    fn a_node_costs_sixteen_bytes() {
        assert_eq!(Counted::BYTES, 16);
        assert_eq!(size_of::<Option<Counted>>(), 8);
    }

    #[test]
    fn who_shares_does_not_see_what_others_change() {
        let mut one = Counted::new(buffer("one"));
        let two = one.clone();
        assert!(!one.is_only() && !two.is_only());
        assert_eq!(one.take(), buffer("one"));
        one.set(Content::Large(Bytes::from_static(b"element")));
        assert_eq!(
            (text(&one), text(&two)),
            ("large element".into(), "one".into())
        );
        assert!(one.is_only() && two.is_only());
        let three = one.clone();
        one.set(buffer("three"));
        assert_eq!(
            (text(&one), text(&three)),
            ("three".into(), "large element".into())
        );
    }

    #[test]
    fn the_only_one_is_changed_in_place() {
        let mut one = Counted::new(buffer("one"));
        let place = one.0;
        assert_eq!(one.take(), buffer("one"));
        one.set(buffer("another"));
        assert_eq!((text(&one), one.0), ("another".into(), place));
    }

    #[test]
    fn a_full_counter_makes_copies() {
        let one = Counted::new(buffer("one"));
        one.head().count.store(COUNT_MAX, Ordering::Relaxed);
        let two = one.clone();
        assert!(two.is_only() && two.0 != one.0);
        assert_eq!(one.head().count.load(Ordering::Relaxed), COUNT_MAX);
        one.head().count.store(1, Ordering::Relaxed);
    }

    #[test]
    fn threads_count_together() {
        let one = Counted::new(Content::Large(Bytes::from(vec![b'x'; 1000])));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mut mine = one.clone();
                scope.spawn(move || {
                    for _ in 0..1000 {
                        let other = mine.clone();
                        assert!(!other.is_only());
                        mine = other;
                    }
                });
            }
        });
        assert!(one.is_only());
    }
}
