//! Linux: processes, files, a shell; TCP and its tracepoints.
