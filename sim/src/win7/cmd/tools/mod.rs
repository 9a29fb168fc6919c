//! The programs in System32, each a module. To add one: write `pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32>` in a
//! module of its own and name it in [`TOOLS`]: it then lies in `System32` and `SysWOW64` of every machine.

mod accounts;
mod attrib;
mod choice;
mod fc;
mod find;
mod findstr;
mod icacls;
mod more;
mod operands;
mod ping;
mod psexec;
mod reg;
mod setx;
mod small;
mod sort;
mod tasks;
#[cfg(test)]
mod testing;
mod timeout;
mod where_exe;
mod whoami;
mod xcopy;

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
    tool("attrib.exe", "attrib", attrib::run),
    tool("chcp.com", "chcp", small::chcp),
    tool("choice.exe", "choice", choice::run),
    tool("cmd.exe", "cmd", super::shell::run),
    tool("fc.exe", "fc", fc::run),
    tool("find.exe", "find", find::run),
    tool("findstr.exe", "findstr", findstr::run),
    tool("hostname.exe", "hostname", small::hostname),
    tool("icacls.exe", "icacls", icacls::run),
    tool("more.com", "more", more::run),
    tool("net.exe", "net", small::net),
    tool("ping.exe", "ping", ping::run),
    tool("psexec.exe", "psexec", psexec::run),
    tool("reg.exe", "reg", reg::run),
    tool("setx.exe", "setx", setx::run),
    tool("sort.exe", "sort", sort::run),
    tool("taskkill.exe", "taskkill", tasks::taskkill),
    tool("tasklist.exe", "tasklist", tasks::tasklist),
    tool("timeout.exe", "timeout", timeout::run),
    tool("where.exe", "where", where_exe::run),
    tool("whoami.exe", "whoami", whoami::run),
    tool("xcopy.exe", "xcopy", xcopy::run),
    refused("at.exe"),
    refused("bcdedit.exe"),
    refused("bitsadmin.exe"),
    refused("cacls.exe"),
    refused("certutil.exe"),
    refused("cipher.exe"),
    refused("cleanmgr.exe"),
    refused("clip.exe"),
    refused("comp.exe"),
    refused("compact.exe"),
    refused("cscript.exe"),
    refused("diskpart.exe"),
    refused("dism.exe"),
    refused("driverquery.exe"),
    refused("expand.exe"),
    refused("forfiles.exe"),
    refused("fsutil.exe"),
    refused("gpupdate.exe"),
    refused("help.exe"),
    refused("ipconfig.exe"),
    refused("makecab.exe"),
    refused("mode.com"),
    refused("mountvol.exe"),
    refused("msiexec.exe"),
    refused("netsh.exe"),
    refused("netstat.exe"),
    refused("nslookup.exe"),
    refused("openfiles.exe"),
    refused("pnputil.exe"),
    refused("qprocess.exe"),
    refused("query.exe"),
    refused("regini.exe"),
    refused("regsvr32.exe"),
    refused("replace.exe"),
    refused("robocopy.exe"),
    refused("route.exe"),
    refused("runas.exe"),
    refused("rundll32.exe"),
    refused("sc.exe"),
    refused("schtasks.exe"),
    refused("secedit.exe"),
    refused("shutdown.exe"),
    refused("subst.exe"),
    refused("systeminfo.exe"),
    refused("takeown.exe"),
    refused("tracert.exe"),
    refused("tree.com"),
    refused("tzutil.exe"),
    refused("vssadmin.exe"),
    refused("waitfor.exe"),
    refused("wbem\\wmic.exe"),
    refused("wevtutil.exe"),
    refused("windowspowershell\\v1.0\\powershell.exe"),
    refused("wscript.exe"),
    refused("wusa.exe"),
];

/// A program that every Windows 7 has and that is not modelled: it is refused by name.
const fn refused(file: &'static str) -> Tool {
    tool(file, "program", small::refused)
}
