//! Clients of several cores: who is listed, closed, paused and watched from where.
//!
//! Whole nodes in one thread; what one client alone can see is in the dialogues.
