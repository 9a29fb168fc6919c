//! Tools that a floor above puts on the machine: `go` and its like.

use crate::win7::environment::Block;

use super::files::Files;

/// What a tool finds when it is started.
pub struct Start<'a> {
    /// Its executable, full.
    pub executable: &'a str,
    /// Its arguments.
    pub arguments: &'a [&'a str],
    /// Its working directory, full.
    pub directory: &'a str,
    /// Its variables.
    pub block: &'a Block,
    /// The machine's files.
    pub files: &'a Files,
}

/// What a tool comes to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: u32,
    /// The first line that it says, if it says anything.
    pub said: String,
    /// The files that it wrote: full path and content.
    pub wrote: Vec<(String, Vec<u8>)>,
}

/// The tools of a machine.
pub trait Tools {
    /// Runs a tool as one step; none if the executable is none that is modelled.
    ///
    /// # Errors
    /// What of it is not modelled.
    fn run(start: &Start<'_>) -> Option<Result<Ended, String>>;
}

/// No tools.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NoTools {}

impl Tools for NoTools {
    fn run(_: &Start<'_>) -> Option<Result<Ended, String>> {
        None
    }
}
