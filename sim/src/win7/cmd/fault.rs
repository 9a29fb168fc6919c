//! The faults that strike processes of a console.

use crate::engine::FaultSpec;

pub(super) const FILE_ACCESS_DENIED: &str = "file-access-denied";
pub(super) const FILE_IN_USE: &str = "file-in-use";
pub(super) const DISK_FULL: &str = "write-disk-full";

/// The faults that these processes know, beside `registry-access-denied`.
pub const FAULTS: &[FaultSpec] = &[
    FaultSpec {
        name: FILE_ACCESS_DENIED,
        doc: "A call of a script's process that writes, makes, moves or deletes a file is refused with error 5, as a deny \
              entry or a virus scanner does.",
        params: &[],
    },
    FaultSpec {
        name: FILE_IN_USE,
        doc: "Such a call finds the file in use (error 32): a scanner, an indexer or an editor has it open without sharing.",
        params: &[],
    },
    FaultSpec {
        name: DISK_FULL,
        doc: "Such a call finds no room on the disk (error 112).",
        params: &[],
    },
];
