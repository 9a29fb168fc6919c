//! stub
use super::process::{Executable, Image, Memory};
use super::syscall::{SysResult, Syscall};
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shell;
impl Image for Shell {
    fn load(_: &Executable, _: &Memory) -> Option<Self> {
        None
    }
    fn resume(&mut self, _: &mut Memory, _: SysResult) -> Syscall {
        Syscall::Exit(0)
    }
}
