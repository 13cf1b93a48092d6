//! An element by the address of its record, for an index kept beside the dictionary.
//!
//! Tables move words, never records: an element stays where it is until it is taken out or gets a
//! value of another length or an expiry. Whoever keeps pins has to see to that.

use super::element::Element;
use crate::base::record::RecordRef;

/// The address of an element's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin(u64);

impl Element<'_> {
    /// Its address.
    #[inline]
    pub fn pin(self) -> Pin {
        Pin(self.record.address())
    }
}

impl Pin {
    /// The element.
    ///
    /// # Safety
    /// The element lives, and is changed at most in place, from [`Element::pin`] to the end of
    /// `'a`.
    #[inline]
    pub unsafe fn element<'a>(self) -> Element<'a> {
        // SAFETY: the address is that of a record which the caller says is there.
        let record = unsafe { RecordRef::from_address(self.0) };
        Element { record }
    }
}
