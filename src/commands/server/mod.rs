//! The server family.
//!
//! Rows and handlers; see the table for how they are found.

use super::row::{Family, family};
use crate::command::Group;

/// The rows of this family.
pub const FAMILY: Family = family(Group::Server, &[]);
