//! Tests of the network ring against the kernel.
//!
//! They need io_uring; where the kernel refuses it they say so and are skipped.
