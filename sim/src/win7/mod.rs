//! Windows 7 SP1 x64: a machine with its registry, and programs that use it.

pub mod machine;
pub mod program;
pub mod registry;

pub use machine::Machine;

/// The version of this family's models: it moves when a trace of theirs does.
pub const VERSION: u32 = 1;
