//! How long processors were busy with this process, the kernel's work for it included: by a control group of its
//! own, or, where none can be had, by the process's clock.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};

use super::guard::Guard;

/// What the groups are called; the process's number follows.
const NAME: &str = "faultlab-";

/// An account of this process's time on processors, its threads and what they do in the kernel.
pub struct Account {
    group: Option<Group>,
}

struct Group {
    folder: PathBuf,
    before: PathBuf,
    guard: Option<Guard>,
}

impl Account {
    /// Moves this process into a control group of its own, if it may.
    pub fn open() -> Account {
        Account {
            group: Group::enter().ok(),
        }
    }

    /// Who counts.
    pub fn name(&self) -> &'static str {
        match self.group {
            Some(_) => "cgroup",
            None => "CLOCK_PROCESS_CPUTIME_ID",
        }
    }

    /// How long processors were busy by now, in ns.
    pub fn ns(&self) -> u64 {
        let of_group = self.group.as_ref().and_then(|group| group.ns().ok());
        of_group.unwrap_or_else(|| {
            let time = clock_gettime(ClockId::ProcessCPUTime);
            time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
        })
    }
}

/// The own group of the unified hierarchy.
fn own_group() -> io::Result<PathBuf> {
    let none = || io::Error::other("no cgroup2 is mounted");
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mount = mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ")
            .then(|| mount.split(' ').nth(4))?
    });
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let (mount, own) = mount.zip(own).ok_or_else(none)?;
    Ok(Path::new(mount).join(own))
}

impl Group {
    fn enter() -> io::Result<Group> {
        let before = own_group()?;
        sweep(&before);
        let own = std::process::id().to_string();
        let folder = before.join(format!("{NAME}{own}"));
        // Of a killed process, the group is empty a little later than its pipes are closed.
        let guard = Guard::new(&format!(
            "for _ in 1 2 3 4 5 6 7 8 9; do rmdir '{}' && break; sleep 0.2; done",
            folder.display()
        ))?;
        fs::create_dir(&folder)?;
        let group = Group {
            folder,
            before,
            guard: Some(guard),
        };
        fs::write(group.folder.join("cgroup.procs"), own)?;
        group.ns()?;
        Ok(group)
    }

    fn ns(&self) -> io::Result<u64> {
        let text = fs::read_to_string(self.folder.join("cpu.stat"))?;
        let us = text
            .lines()
            .find_map(|line| line.strip_prefix("usage_usec "));
        let us: Option<u64> = us.and_then(|us| us.parse().ok());
        us.map(|us| us * 1_000)
            .ok_or_else(|| io::Error::other("cpu.stat has no usage_usec"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let own = std::process::id().to_string();
        let _ = fs::write(self.before.join("cgroup.procs"), own);
        drop(self.guard.take());
    }
}

/// Removes groups of processes that are gone, if their guards went with them.
fn sweep(below: &Path) {
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(NAME));
        let is_gone = pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists());
        if is_gone {
            // Who is in a group keeps it.
            let _ = fs::remove_dir(entry.path());
        }
    }
}
