//! What the Go toolchain does that one can observe: where it takes its GOROOT from, which tools it
//! starts, and what they say when they do not belong together.

pub mod toolchain;

/// The version of this family's models: it moves when a trace of theirs does.
pub const VERSION: u32 = 1;
