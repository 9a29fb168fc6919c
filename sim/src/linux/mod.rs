//! Linux: processes, files, a shell; TCP and its tracepoints.

pub mod errno;
pub mod footprint;
pub mod fs;
pub mod process;
pub mod program;
pub mod replay;
pub mod shell;
pub mod syscall;
pub mod tools;
