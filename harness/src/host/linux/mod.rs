//! This kernel as a host: two network namespaces of the session's own, a link between them in user space,
//! applications, and eBPF programs on the kernel's tracepoints that look at those namespaces only.
//!
//! Nothing here has a name outside of this process: namespaces are anonymous, programs and maps are not
//! pinned, the link's devices live in the namespaces. So nothing is left over, however the process ends. What
//! must have a name, a control group, has a `guard`.

pub mod address;
pub mod apps;
pub mod clock;
pub mod elements;
pub mod flood;
pub mod guard;
pub mod hosts;
pub mod link;
pub mod namespace;
pub mod processor;
pub mod programs;
pub mod time_wait;
pub mod veth;
pub mod watch;
pub mod world;

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::probe;
use crate::progress::Progress;

use super::State;
use super::session::{Identity, Session};
use hosts::KernelHosts;
use namespace::Namespace;
use watch::{Ring, Watch};

/// The one command that installs what this host needs.
pub const INSTALL: &str = "sh vm/ebpf/install.sh (on Debian: apt-get install --no-install-recommends clang iproute2 nftables)";

/// The kernel's version: `6.18.44`, without what a distribution adds.
pub fn kernel_version() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let end = release.find(|c: char| c != '.' && !c.is_ascii_digit());
    release[..end.unwrap_or(release.len())]
        .trim_end_matches('.')
        .into()
}

/// The clocksource that this kernel runs on.
///
/// # Errors
/// It does not say.
pub fn clocksource() -> std::io::Result<String> {
    let text =
        fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")?;
    Ok(text.trim().into())
}

/// What lacks before anything is built; none if nothing does.
fn lacks() -> Option<(&'static str, &'static str)> {
    if !rustix::process::geteuid().is_root() {
        return Some(("it needs root", "run it as root, such as with sudo"));
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        let what = "this kernel has no type information (CONFIG_DEBUG_INFO_BTF)";
        return Some((what, "use a kernel that has it, as Debian's do"));
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some(("there is no /dev/net/tun", "modprobe tun"));
    }
    if Namespace::new().is_err() {
        let what =
            "network namespaces cannot be made here, as in a container without CAP_SYS_ADMIN";
        return Some((
            what,
            "run it outside of the container, or with its privileges",
        ));
    }
    None
}

/// What of this host is there.
pub fn state() -> State {
    if let Some((what, command)) = lacks() {
        return State::Missing(what.into(), command);
    }
    match programs::compiler() {
        Some(compiler) => State::Usable(format!("Linux {}, clang {compiler}", kernel_version())),
        None => State::Missing(
            "clang, which builds the eBPF programs, is not there".into(),
            INSTALL,
        ),
    }
}

/// Nothing if this kernel can be a host.
///
/// # Errors
/// Something lacks, apart from the compiler.
pub fn require() -> Result<()> {
    match lacks() {
        Some((what, help)) => {
            Err(Failure::new(Exit::NoHost, format!("the host linux: {what}")).help(help))
        }
        None => Ok(()),
    }
}

/// A session on this kernel.
pub struct Linux {
    session: probe::Session,
}

impl Linux {
    /// Builds the programs, if they are not in the cache, and loads them.
    ///
    /// # Errors
    /// It lacks something, or the kernel refuses.
    pub fn start(progress: &Progress) -> Result<Linux> {
        require()?;
        let object = programs::build("tcp_events", progress)?;
        Linux::with(&object)
    }

    /// With an object of programs that is built already.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn with(object: &Path) -> Result<Linux> {
        let hosts = KernelHosts::new(Watch::load(object, Ring::ROOMY)?);
        Ok(Linux {
            session: probe::Session::on(Box::new(hosts)),
        })
    }
}

impl Session for Linux {
    fn identity(&self) -> Identity {
        Identity {
            host: "linux".into(),
            version: kernel_version(),
        }
    }

    fn ask(&mut self, request: &str) -> Result<String> {
        let mut answer = Vec::new();
        self.session.answer(request.as_bytes(), &mut answer);
        answer.pop();
        Ok(String::from_utf8(answer).expect("answers are UTF-8"))
    }

    fn serve(&mut self, reader: &mut dyn Read, writer: &mut dyn Write) -> Result<()> {
        probe::serve(&mut self.session, reader, writer).map_err(Failure::output)
    }
}
