//! Sorted sets: members with a score each, ordered by score and then by member.
//!
//! What a key of this type holds, apart from commands, keys and time. While it is small, a tape of
//! members and scores in turn; then a dictionary with an ordered index beside it.
//! [`ZsetRef`] reads either form, [`ZsetEdit`] changes either and passes from one to the other.

mod edit;
mod index;
mod packed;
mod range;
mod table;
mod view;

pub use edit::{Change, End, NotANumber, Rules, ZsetEdit, collect, settle};
#[cfg(test)]
use packed::is_sound;
pub use range::{LexRange, ScoreRange};
pub use table::SortedTable;
pub use view::{Iter, ZsetRef};

#[cfg(test)]
mod tests;
