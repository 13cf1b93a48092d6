//! Sets: members, each once.
//!
//! A small set is an intset as long as all members are integers, or a listpack of members (see
//! [`super::Packed`]); a large one is a [`SetTable`]. [`SetRef`] reads and [`SetEdit`] changes any
//! of them; nobody above sees the encoding. It knows nothing of keys.

mod edit;
#[cfg(test)]
mod tests;
mod value;
mod view;

pub use edit::SetEdit;
pub use value::SetTable;
pub use view::SetRef;
