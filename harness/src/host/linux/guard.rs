//! What has a name outside of this process, and is undone when the process is gone, however it ends.
//!
//! A shell waits at a pipe whose other end this process holds: when that is closed, by us or by the kernel after
//! a SIGKILL, it undoes.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Undoes when it is dropped, or when this process is gone.
pub struct Guard {
    pipe: Option<ChildStdin>,
    shell: Child,
}

impl Guard {
    /// With commands of a shell that undo; begun before what they undo is done.
    ///
    /// # Errors
    /// There is no shell.
    pub fn new(undo: &str) -> io::Result<Guard> {
        Guard::start(undo, Stdio::null())
    }

    /// The same, where what the commands print goes into `file`, which stays open until they are through: a lock on
    /// it is held as long.
    ///
    /// # Errors
    /// There is no shell.
    pub fn writing(undo: &str, file: File) -> io::Result<Guard> {
        Guard::start(undo, file.into())
    }

    fn start(undo: &str, out: Stdio) -> io::Result<Guard> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", &format!("read -r _; {undo}")])
            // Ctrl-C is for us: what it ends is undone.
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Guard {
            pipe: shell.stdin.take(),
            shell,
        })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_undoes_when_it_goes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("undone");
        let guard = Guard::new(&format!("echo done >'{}'", file.display())).expect("a shell");
        assert!(!file.exists());
        drop(guard);
        assert_eq!(std::fs::read_to_string(file).expect("written"), "done\n");
    }
}
