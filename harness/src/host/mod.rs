//! Hosts: whatever can perform an action and answer with an observation.

pub mod go;
#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(target_os = "linux")]
pub mod linux_vm;
pub mod recording;
pub mod session;
pub mod win32_probe;
pub mod wine;

use std::path::{Path, PathBuf};

#[cfg(not(target_os = "linux"))]
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use session::Session;

/// Anything that can perform an action and answer with an observation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, clap::ValueEnum)]
pub enum Host {
    /// The models.
    #[default]
    Sim,
    /// Wine in Windows 7 mode.
    Wine,
    /// A real Windows 7.
    Win7,
    /// This kernel, in network namespaces of our own.
    Linux,
    /// A real Debian kernel in QEMU.
    LinuxVm,
}

/// Where hosts are, if not where they usually are.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Places {
    /// The Wine to use; without it, the one on PATH or in /usr/lib/wine
    #[arg(long, value_name = "PATH")]
    pub wine: Option<PathBuf>,
    /// Build a Go for Windows from Debian's sources (once, some minutes), to answer go.*
    #[arg(long)]
    pub with_go: bool,
    #[cfg(target_os = "linux")]
    #[command(flatten)]
    #[expect(missing_docs, reason = "it would become a help text")]
    pub guest: GuestPlaces,
}

/// What guests of linux-vm are made of.
#[cfg(target_os = "linux")]
#[derive(Clone, Debug, Default, clap::Args)]
pub struct GuestPlaces {
    /// The kernel of linux-vm: a file (vmlinuz, .deb), or a package of Debian, perhaps of a suite
    /// (linux-image-cloud-amd64/trixie); without it, that of Debian 12, or with `run` the nearest to what is asked
    #[arg(long, value_name = "FILE|PACKAGE")]
    pub kernel: Option<String>,
    /// What runs the instructions of linux-vm
    #[arg(long, value_enum, default_value_t)]
    pub accel: linux_vm::Accel,
    /// Also tell the kernel of linux-vm this, such as a setting of its command line
    #[arg(long, value_name = "TEXT")]
    pub kernel_arguments: Option<String>,
}

impl Host {
    /// All of them.
    pub const ALL: [Host; 5] = [
        Host::Sim,
        Host::Wine,
        Host::Win7,
        Host::Linux,
        Host::LinuxVm,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Host::Sim => "sim",
            Host::Wine => "wine",
            Host::Win7 => "win7",
            Host::Linux => "linux",
            Host::LinuxVm => "linux-vm",
        }
    }

    /// What it is.
    pub fn what(self) -> &'static str {
        match self {
            Host::Sim => "the models",
            Host::Wine => "Wine in Windows 7 mode, as a stand-in Win32 implementation",
            Host::Win7 => "a real Windows 7",
            Host::Linux => "this kernel, in network namespaces of our own, with real eBPF",
            Host::LinuxVm => "a real Debian kernel in QEMU, with real eBPF",
        }
    }

    /// Whether this version can use it.
    pub fn is_built(self) -> bool {
        matches!(self, Host::Sim | Host::Wine | Host::Linux | Host::LinuxVm)
    }

    /// Nothing if this version can use it.
    ///
    /// # Errors
    /// It is not built yet.
    pub fn require_built(self) -> Result<()> {
        match self.is_built() {
            true => Ok(()),
            false => Err(Failure::not_built_yet(&format!("the host {}", self.name()))),
        }
    }

    /// Nothing if scenarios can run on it.
    ///
    /// # Errors
    /// It is not built yet.
    pub fn require_runs(self) -> Result<()> {
        let is_kernel = matches!(self, Host::Linux | Host::LinuxVm);
        if self == Host::Sim || cfg!(target_os = "linux") && is_kernel {
            return Ok(());
        }
        let what = format!("running scenarios on the host {}", self.name());
        Err(Failure::not_built_yet(&what))
    }

    /// A session on the host: started, and ready to answer.
    ///
    /// # Errors
    /// It is not there, or cannot be used.
    pub fn start(self, places: &Places, progress: &Progress) -> Result<Box<dyn Session>> {
        match self {
            Host::Sim => Ok(Box::new(session::Models::default())),
            Host::Wine => Ok(Box::new(wine::Wine::start(places, progress)?)),
            #[cfg(target_os = "linux")]
            Host::Linux => Ok(Box::new(linux::Linux::start(progress)?)),
            #[cfg(target_os = "linux")]
            Host::LinuxVm => Ok(Box::new(linux_vm::LinuxVm::start(&places.guest, progress)?)),
            #[cfg(not(target_os = "linux"))]
            Host::Linux | Host::LinuxVm => Err(Failure::new(
                Exit::NoHost,
                format!("the host {}: this is no Linux", self.name()),
            )),
            _ => Err(self.require_built().expect_err("it is not built")),
        }
    }
}

/// A session on the kernel that this runs on, with eBPF programs that were built elsewhere if they are given.
///
/// # Errors
/// This is no Linux, or something lacks.
pub fn agent(programs: Option<&Path>) -> Result<Box<dyn Session>> {
    #[cfg(target_os = "linux")]
    if let Some(programs) = programs {
        return Ok(Box::new(linux::Linux::with(programs)?));
    }
    let _ = programs;
    Host::Linux.start(&Places::default(), &Progress::silent())
}

/// What of a host is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// It can be used: what was found.
    Usable(String),
    /// Something lacks: what, and the one command that installs it.
    Missing(String, &'static str),
    /// This version cannot use it.
    NotBuilt,
}

impl Host {
    /// Looks what is there.
    pub fn state(self, places: &Places) -> State {
        match self {
            Host::Sim => State::Usable("needs nothing".into()),
            Host::Wine => wine::state(places),
            #[cfg(target_os = "linux")]
            Host::Linux => linux::state(),
            #[cfg(target_os = "linux")]
            Host::LinuxVm => linux_vm::state(&places.guest),
            #[cfg(not(target_os = "linux"))]
            Host::Linux | Host::LinuxVm => {
                State::Missing("this is no Linux".into(), "use a Linux machine")
            }
            _ => State::NotBuilt,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for host in Host::ALL {
            assert_eq!(Host::from_str(host.name(), false), Ok(host));
        }
        assert_eq!(Host::value_variants(), Host::ALL);
    }
}
