//! Linux: processes, files, a shell; TCP and its tracepoints.

pub mod tcp;
pub mod tracepoint;
