//! The programs in System32, each a module. To add one: write `pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32>` in a
//! module of its own and name it in [`TOOLS`]: it then lies in `System32` and `SysWOW64` of every machine.

mod findstr;
mod reg;
#[cfg(test)]
mod testing;
mod whoami;

use super::sys::{Asked, Sys};

/// A program that is modelled.
#[derive(Debug)]
pub struct Tool {
    /// The file name in System32, in lower case; with a folder in it, below that.
    pub file: &'static str,
    /// What its processes are called in the trace.
    pub label: &'static str,
    /// Runs it: its exit code.
    pub run: fn(&mut Sys<'_>) -> Asked<u32>,
}

impl PartialEq for Tool {
    fn eq(&self, other: &Tool) -> bool {
        self.file == other.file
    }
}

impl Eq for Tool {}

impl std::hash::Hash for Tool {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.file.hash(state);
    }
}

const fn tool(
    file: &'static str,
    label: &'static str,
    run: fn(&mut Sys<'_>) -> Asked<u32>,
) -> Tool {
    Tool { file, label, run }
}

/// All of them, by file name.
pub const TOOLS: &[Tool] = &[
    tool("cmd.exe", "cmd", super::shell::run),
    tool("reg.exe", "reg", reg::run),
    tool("whoami.exe", "whoami", whoami::run),
];
