//! A stream against a list of entries: random appends, deletions and trims, and what both hold.
//!
//! Which entries approximate trimming keeps depends on nodes, so the list knows in which node an
//! entry is; bytes are compared with what redis-server 7.0.15 keeps.
