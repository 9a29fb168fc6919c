//! Windows 7 SP1 x64: a machine with its registry, files, security, text and code pages, environments, command resolution,
//! and programs that use it.

pub mod cmd;
pub mod environment;
pub mod files;
pub mod machine;
pub mod ntfs;
pub mod path;
pub mod program;
pub mod registry;
pub mod resolve;
pub mod security;
mod seen;
#[cfg(any(test, feature = "proptest"))]
pub mod strategies;
pub mod text;

pub use machine::Machine;

/// The version of this family's models: it moves when a trace of theirs does.
pub const VERSION: u32 = 1;
