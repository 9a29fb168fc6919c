//! Linux: processes, files, a shell; TCP and its tracepoints.

pub mod clock;
pub mod errno;
pub mod footprint;
pub mod fs;
pub mod lab;
pub mod process;
pub mod program;
pub mod replay;
pub mod shell;
pub mod syscall;
pub mod tcp;
pub mod tools;
mod touched;
pub mod tracepoint;

#[cfg(test)]
mod testing;

/// The version of this family's models, and of those that observe it: it moves when a trace of theirs does.
pub const VERSION: u32 = 8;
