//! Windows 7 SP1 x64: text and code pages, environments, command resolution, a registry of keys and values,
//! and programs that use it.

pub mod environment;
pub mod program;
pub mod registry;
pub mod resolve;
#[cfg(any(test, feature = "proptest"))]
pub mod strategies;
pub mod text;

/// The version of this family's models: it moves when a trace of theirs does.
pub const VERSION: u32 = 1;
