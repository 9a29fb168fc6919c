//! The hosts that the design knows, and what this version can do with each.

use crate::failure::{Failure, Result};

/// Anything that can perform an action and answer with an observation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
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
        self == Host::Sim
    }

    /// Nothing if this version can use it.
    ///
    /// # Errors
    /// It is not built yet.
    pub fn require(self) -> Result<()> {
        if self.is_built() {
            return Ok(());
        }
        Err(Failure::not_built_yet(&format!("the host {}", self.name())))
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
