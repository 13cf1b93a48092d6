//! The server's entry: hands the arguments to the library, and sets the allocator.
//!
//! Everything that can be tested lives in the library.

use ringshard::base::alloc::Jemalloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    ExitCode::from(ringshard::server::run(std::env::args_os().collect()))
}
