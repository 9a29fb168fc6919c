//! The programs of this floor as one image, open to those of the floors above.

use super::process::{Executable, Image, Memory};
use super::shell::Shell;
use super::syscall::{SysResult, Syscall};
use super::tools::Tool;

/// A shell, a small tool, or whatever `X` adds: `Program<GoTool>` is a machine with Go on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Program<X = Nothing> {
    /// `bash` or `sh`.
    Shell(Box<Shell>),
    /// `sort`, `ln` and the like.
    Tool(Tool),
    /// A program of a floor above.
    Other(X),
}

/// No further programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nothing {}

impl Image for Nothing {
    fn load(_: &Executable, _: &Memory) -> Option<Self> {
        None
    }

    fn resume(&mut self, _: &mut Memory, _: SysResult) -> Syscall {
        match *self {}
    }
}

impl<X: Image> Image for Program<X> {
    fn load(executable: &Executable, memory: &Memory) -> Option<Self> {
        if let Some(shell) = Shell::load(executable, memory) {
            return Some(Self::Shell(Box::new(shell)));
        }
        if let Some(tool) = Tool::load(executable, memory) {
            return Some(Self::Tool(tool));
        }
        X::load(executable, memory).map(Self::Other)
    }

    fn resume(&mut self, memory: &mut Memory, result: SysResult) -> Syscall {
        match self {
            Self::Shell(shell) => shell.resume(memory, result),
            Self::Tool(tool) => tool.resume(memory, result),
            Self::Other(other) => other.resume(memory, result),
        }
    }
}
