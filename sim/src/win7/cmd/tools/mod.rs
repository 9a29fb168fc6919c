//! The programs in System32, each a module. To add one: write `pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32>` in a
//! module of its own and name it in [`TOOLS`]: it then lies in `System32` and `SysWOW64` of every machine.

mod accounts;
mod attrib;
mod cacls;
mod choice;
mod elevated;
mod fc;
mod find;
mod findstr;
mod icacls;
mod more;
mod operands;
mod ping;
mod psexec;
mod reg;
mod services;
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
    /// The file name in System32, in lower case; with a folder in it, below that; behind `..\`, in the folder above.
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
    tool("at.exe", "at", elevated::at),
    tool("attrib.exe", "attrib", attrib::run),
    tool("bcdedit.exe", "bcdedit", elevated::bcdedit),
    tool("cacls.exe", "cacls", cacls::run),
    tool("chcp.com", "chcp", small::chcp),
    tool("choice.exe", "choice", choice::run),
    tool("cmd.exe", "cmd", super::shell::run),
    tool("fc.exe", "fc", fc::run),
    tool("find.exe", "find", find::run),
    tool("findstr.exe", "findstr", findstr::run),
    tool("fsutil.exe", "fsutil", elevated::fsutil),
    tool("hostname.exe", "hostname", small::hostname),
    tool("icacls.exe", "icacls", icacls::run),
    tool("more.com", "more", more::run),
    tool("net.exe", "net", small::net),
    tool("openfiles.exe", "openfiles", elevated::openfiles),
    tool("ping.exe", "ping", ping::run),
    tool("psexec.exe", "psexec", psexec::run),
    tool("reg.exe", "reg", reg::run),
    tool("sc.exe", "sc", services::sc),
    tool("setx.exe", "setx", setx::run),
    tool("sort.exe", "sort", sort::run),
    tool("taskkill.exe", "taskkill", tasks::taskkill),
    tool("tasklist.exe", "tasklist", tasks::tasklist),
    tool("timeout.exe", "timeout", timeout::run),
    tool("where.exe", "where", where_exe::run),
    tool("whoami.exe", "whoami", whoami::run),
    tool("xcopy.exe", "xcopy", xcopy::run),
    refused("auditpol.exe"),
    refused("bcdboot.exe"),
    refused("bitsadmin.exe"),
    refused("calc.exe"),
    refused("certutil.exe"),
    refused("chkdsk.exe"),
    refused("chkntfs.exe"),
    refused("cipher.exe"),
    refused("cleanmgr.exe"),
    refused("clip.exe"),
    refused("cmdkey.exe"),
    refused("cmstp.exe"),
    refused("comp.exe"),
    refused("compact.exe"),
    refused("control.exe"),
    refused("convert.exe"),
    refused("cscript.exe"),
    refused("cttune.exe"),
    refused("defrag.exe"),
    refused("diskcomp.com"),
    refused("diskcopy.com"),
    refused("diskpart.exe"),
    refused("diskperf.exe"),
    refused("dism.exe"),
    refused("dispdiag.exe"),
    refused("doskey.exe"),
    refused("driverquery.exe"),
    refused("dxdiag.exe"),
    refused("eventcreate.exe"),
    refused("eventvwr.exe"),
    refused("expand.exe"),
    refused("extrac32.exe"),
    refused("fltmc.exe"),
    refused("forfiles.exe"),
    refused("format.com"),
    refused("ftp.exe"),
    refused("getmac.exe"),
    refused("gpresult.exe"),
    refused("gpupdate.exe"),
    refused("help.exe"),
    refused("iexpress.exe"),
    refused("ipconfig.exe"),
    refused("klist.exe"),
    refused("label.exe"),
    refused("lodctr.exe"),
    refused("logman.exe"),
    refused("logoff.exe"),
    refused("makecab.exe"),
    refused("manage-bde.exe"),
    refused("mmc.exe"),
    refused("mode.com"),
    refused("mountvol.exe"),
    refused("msconfig.exe"),
    refused("msg.exe"),
    refused("mshta.exe"),
    refused("msiexec.exe"),
    refused("msinfo32.exe"),
    refused("mspaint.exe"),
    refused("nbtstat.exe"),
    refused("net1.exe"),
    refused("netsh.exe"),
    refused("netstat.exe"),
    refused("notepad.exe"),
    refused("nslookup.exe"),
    refused("odbcconf.exe"),
    refused("pathping.exe"),
    refused("perfmon.exe"),
    refused("pkgmgr.exe"),
    refused("pnputil.exe"),
    refused("powercfg.exe"),
    refused("print.exe"),
    refused("printui.exe"),
    refused("psr.exe"),
    refused("qprocess.exe"),
    refused("query.exe"),
    refused("quser.exe"),
    refused("qwinsta.exe"),
    refused("rasdial.exe"),
    refused("reagentc.exe"),
    refused("recover.exe"),
    refused("regedt32.exe"),
    refused("regini.exe"),
    refused("regsvr32.exe"),
    refused("relog.exe"),
    refused("replace.exe"),
    refused("reset.exe"),
    refused("robocopy.exe"),
    refused("route.exe"),
    refused("runas.exe"),
    refused("rundll32.exe"),
    refused("runonce.exe"),
    refused("rwinsta.exe"),
    refused("schtasks.exe"),
    refused("sdbinst.exe"),
    refused("secedit.exe"),
    refused("setspn.exe"),
    refused("sfc.exe"),
    refused("shutdown.exe"),
    refused("subst.exe"),
    refused("sxstrace.exe"),
    refused("systeminfo.exe"),
    refused("takeown.exe"),
    refused("taskmgr.exe"),
    refused("tracert.exe"),
    refused("tree.com"),
    refused("tsdiscon.exe"),
    refused("tskill.exe"),
    refused("typeperf.exe"),
    refused("tzutil.exe"),
    refused("unlodctr.exe"),
    refused("verifier.exe"),
    refused("vssadmin.exe"),
    refused("w32tm.exe"),
    refused("waitfor.exe"),
    refused("wbadmin.exe"),
    refused("wbem\\wmic.exe"),
    refused("wecutil.exe"),
    refused("wermgr.exe"),
    refused("wevtutil.exe"),
    refused("windowspowershell\\v1.0\\powershell.exe"),
    refused("winrs.exe"),
    refused("winsat.exe"),
    refused("wscript.exe"),
    refused("wusa.exe"),
    refused("..\\explorer.exe"),
    refused("..\\hh.exe"),
    refused("..\\notepad.exe"),
    refused("..\\regedit.exe"),
    refused("..\\write.exe"),
];

/// A program that every Windows 7 has and that is not modelled: it is refused by name.
const fn refused(file: &'static str) -> Tool {
    tool(file, "program", small::refused)
}
