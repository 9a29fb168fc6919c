//! What must not outlive this process: QEMU, apt, and what stands in the cache half done.
//!
//! Programs are started through this program itself (`faultlab vm guard`), which first asks the kernel to be killed
//! when its parent goes, however it goes, and then becomes the
//! program.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// Becomes `program`, which dies with the process `parent`. Only comes back if that cannot be.
///
/// # Errors
/// There is no such program; the parent is gone already.
pub fn run(parent: u32, program: &OsString, args: &[OsString]) -> Result<Exit> {
    let cannot = |what: String| Failure::new(Exit::NoHost, what);
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| cannot(error.to_string()))?;
    // Whoever started this may have gone before the kernel was asked.
    if getppid()
        .map(Pid::as_raw_nonzero)
        .map(|pid| pid.get() as u32)
        != Some(parent)
    {
        return Err(cannot("whoever started this is gone".into()));
    }
    let error = Command::new(program).args(args).exec();
    Err(cannot(format!("{}: {error}", program.to_string_lossy())))
}

/// A command that runs `program` and dies with this process, however that ends. Its arguments are to follow.
pub fn command(program: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(["vm", "guard", &std::process::id().to_string(), program]);
    command
}

/// A name for this process that no other has until the machine starts anew: `PID-START`, where START is in
/// ticks since then.
pub fn this_process() -> String {
    let pid = std::process::id();
    format!("{pid}-{}", started(pid).unwrap_or(0))
}

/// Whether the process that a name begins with (`PID-START-..`) still runs.
pub fn is_alive(name: &str) -> bool {
    let mut parts = name.split('-');
    let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok());
    let (Some(pid), Some(start)) = (number(), number()) else {
        return false;
    };
    u32::try_from(pid).ok().and_then(started) == Some(start)
}

/// When a process started, in ticks. Source: proc_pid_stat(5), field 22.
fn started(pid: u32) -> Option<u64> {
    stat(pid, 22)
}

/// The time on a processor that a process has used, in ms. Source: proc_pid_stat(5), fields 14 and 15, which
/// count 100 to the second on every Linux.
pub fn processor_ms(pid: u32) -> Option<u64> {
    Some((stat(pid, 14)? + stat(pid, 15)?) * 10)
}

/// A number of `/proc/PID/stat`, counted as in its manual page. The second field, the only one that can have
/// spaces and parentheses, ends with the last parenthesis.
fn stat(pid: u32, field: usize) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = text.rsplit_once(')')?;
    after_name.split_whitespace().nth(field - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_under_its_own_name_only() {
        let own = this_process();
        assert!(is_alive(&own) && is_alive(&format!("{own}-x7")));
        let (pid, start) = own.split_once('-').expect("two numbers");
        let earlier = start.parse::<u64>().expect("a number") - 1;
        for gone in [
            format!("{pid}-{earlier}"),
            "4294967295-1".into(),
            "x".into(),
            pid.into(),
        ] {
            assert!(!is_alive(&gone), "{gone}");
        }
        assert!(processor_ms(std::process::id()).is_some());
    }
}
