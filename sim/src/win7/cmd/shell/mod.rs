//! cmd.exe.

use super::sys::{Asked, Sys};
use std::sync::Arc;

/// The state of an interpreter between two lines.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Shell {}

impl Shell {
    pub(super) fn place(&self) -> String {
        String::new()
    }
}

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    sys.unsupported("cmd.exe")
}

pub(super) fn resume(_: Arc<Shell>, sys: &mut Sys<'_>) -> Asked<u32> {
    run(sys)
}
