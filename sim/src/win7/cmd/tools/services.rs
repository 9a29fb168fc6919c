//! `sc`, and `net start` and `net stop`: services, as far as scripts ask whether one is there. What services do is not
//! modelled.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | a service that there is not: 1060 from `sc`, 2185 and exit code 2 from `net` | documentation of the codes; reports | yes |
//! | `sc` writes all to its output, `sc start` names one call more | reports | yes |
//! | `sc create` of who is no administrator: OpenSCManager gives 5 | reports | yes |
//!
//! Refused: all about a service that Windows 7 has, or that the registry holds; what makes one.

use super::small::help_message;
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, OnKey, Sys};
use crate::win7::security::Sid;

const FAILED: Message = Message {
    en: "[SC] {0} FAILED {1}:\r\n\r\n{2}\r\n",
    zh: "[SC] {0} 失败 {1}:\r\n\r\n{2}\r\n",
};

/// ERROR_SERVICE_DOES_NOT_EXIST
const ABSENT: u32 = 1060;

/// Whether there may be a service of this name: Windows 7 has it, or a key below `Services` is called so.
fn is_there(sys: &mut Sys<'_>, name: &str) -> Asked<bool> {
    let own = WINDOWS.iter().any(|known| known.eq_ignore_ascii_case(name));
    if own {
        return Ok(true);
    }
    let key = format!("HKLM\\SYSTEM\\CurrentControlSet\\Services\\{name}");
    let key = crate::win7::registry::KeyPath::from(&*key);
    let caller = sys.caller(None);
    let (who, place) = (caller.clone(), key.clone());
    let opened = sys.on_key("open", &caller, &key, None, OnKey::Reads, move |registry| {
        Ok(registry.key(&who, &place).is_some())
    })?;
    Ok(opened.unwrap_or(false))
}

pub(super) fn sc(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let all = arguments.join(" ");
    let (Some(verb), Some(name)) = (arguments.first(), arguments.get(1)) else {
        return sys.unsupported(format!("sc {all}").trim_end());
    };
    let verb = verb.to_ascii_lowercase();
    let call = match &*verb {
        "query" | "queryex" if arguments.len() == 2 && !name.ends_with('=') => {
            "EnumQueryServicesStatus:OpenService"
        }
        "start" => "StartService: OpenService",
        "config" | "control" | "delete" | "description" | "failure" | "qc" | "qdescription"
        | "qfailure" | "sdshow" | "sidtype" | "stop" | "triggerinfo" => "OpenService",
        "create" if !sys.about.caller.token().has(&Sid::ADMINISTRATORS) => {
            let text = sys.system_text(5);
            sys.say(&FAILED, &["OpenSCManager", "5", &text])?;
            return Ok(5);
        }
        _ => return sys.unsupported(&format!("sc {all}")),
    };
    if is_there(sys, name)? {
        return sys.unsupported(&format!("sc {verb} {name}"));
    }
    let text = sys.system_text(ABSENT);
    sys.say(&FAILED, &[call, &ABSENT.to_string(), &text])?;
    Ok(ABSENT)
}

/// `net start NAME`, `net stop NAME`.
pub(super) fn net(sys: &mut Sys<'_>, verb: &str, name: &str) -> Asked<u32> {
    if is_there(sys, name)? {
        return sys.unsupported(&format!("net {verb} {name}"));
    }
    const INVALID: Message = Message {
        en: "The service name is invalid.\r\n",
        zh: "服务名无效。\r\n",
    };
    help_message(sys, &INVALID, 2185)
}

/// The services of a new Windows 7, by name; drivers and what roles and features bring are not among them.
const WINDOWS: [&str; 152] = [
    "AeLookupSvc",
    "ALG",
    "AppIDSvc",
    "Appinfo",
    "AppMgmt",
    "AudioEndpointBuilder",
    "AudioSrv",
    "AxInstSV",
    "BDESVC",
    "BFE",
    "BITS",
    "Browser",
    "bthserv",
    "CertPropSvc",
    "clr_optimization_v2.0.50727_32",
    "clr_optimization_v2.0.50727_64",
    "COMSysApp",
    "CryptSvc",
    "CscService",
    "DcomLaunch",
    "defragsvc",
    "Dhcp",
    "Dnscache",
    "dot3svc",
    "DPS",
    "EapHost",
    "EFS",
    "ehRecvr",
    "ehSched",
    "eventlog",
    "EventSystem",
    "Fax",
    "fdPHost",
    "FDResPub",
    "FontCache",
    "FontCache3.0.0.0",
    "gpsvc",
    "hidserv",
    "hkmsvc",
    "HomeGroupListener",
    "HomeGroupProvider",
    "idsvc",
    "IKEEXT",
    "IPBusEnum",
    "iphlpsvc",
    "KeyIso",
    "KtmRm",
    "LanmanServer",
    "LanmanWorkstation",
    "lltdsvc",
    "lmhosts",
    "Mcx2Svc",
    "MMCSS",
    "MpsSvc",
    "MSDTC",
    "MSiSCSI",
    "msiserver",
    "napagent",
    "Netlogon",
    "Netman",
    "netprofm",
    "NetTcpPortSharing",
    "NlaSvc",
    "nsi",
    "p2pimsvc",
    "p2psvc",
    "PcaSvc",
    "PeerDistSvc",
    "PerfHost",
    "pla",
    "PlugPlay",
    "PNRPAutoReg",
    "PNRPsvc",
    "PolicyAgent",
    "Power",
    "ProfSvc",
    "ProtectedStorage",
    "QWAVE",
    "RasAuto",
    "RasMan",
    "RemoteAccess",
    "RemoteRegistry",
    "RpcEptMapper",
    "RpcLocator",
    "RpcSs",
    "SamSs",
    "SCardSvr",
    "Schedule",
    "SCPolicySvc",
    "SDRSVC",
    "seclogon",
    "SENS",
    "SensrSvc",
    "SessionEnv",
    "SharedAccess",
    "ShellHWDetection",
    "SNMPTRAP",
    "Spooler",
    "sppsvc",
    "sppuinotify",
    "SSDPSRV",
    "SstpSvc",
    "StiSvc",
    "swprv",
    "SysMain",
    "TabletInputService",
    "TapiSrv",
    "TBS",
    "TermService",
    "Themes",
    "THREADORDER",
    "TlntSvr",
    "TrkWks",
    "TrustedInstaller",
    "UI0Detect",
    "UmRdpService",
    "upnphost",
    "UxSms",
    "VaultSvc",
    "vds",
    "VSS",
    "W32Time",
    "wbengine",
    "WbioSrvc",
    "wcncsvc",
    "WcsPlugInService",
    "WdiServiceHost",
    "WdiSystemHost",
    "WebClient",
    "Wecsvc",
    "wercplsupport",
    "WerSvc",
    "WinDefend",
    "WinHttpAutoProxySvc",
    "Winmgmt",
    "WinRM",
    "Wlansvc",
    "wmiApSrv",
    "WMPNetworkSvc",
    "WPCSvc",
    "WPDBusEnum",
    "wscsvc",
    "WSearch",
    "wuauserv",
    "wudfsvc",
    "WwanSvc",
    "http",
    "NetBT",
    "Tcpip",
    "MRxSmb",
    "srv",
    "WinNat",
];

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn a_service_that_there_is_not() {
        let mut bench = Bench::new();
        let why = "The specified service does not exist as an installed service.\r\n\r\n";
        for (line, call) in [
            ("sc query MyAgent", "EnumQueryServicesStatus:OpenService"),
            ("sc stop MyAgent", "OpenService"),
            ("sc start MyAgent", "StartService: OpenService"),
            ("sc delete MyAgent", "OpenService"),
        ] {
            let ran = bench.run(line);
            let said = format!("[SC] {call} FAILED 1060:\r\n\r\n{why}");
            assert_eq!((ran.exit, ran.stdout), (1060, said), "{line}");
        }
        let (exit, said) = bench.fails("net stop MyAgent");
        let more = "More help is available by typing NET HELPMSG 2185.\r\n\r\n";
        assert_eq!(
            (exit, said),
            (2, format!("The service name is invalid.\r\n\r\n{more}"))
        );
    }

    #[test]
    fn what_services_do_is_refused_by_name() {
        let mut bench = Bench::new();
        bench.refuses("sc query", "sc query");
        bench.refuses("sc query wuauserv", "sc query wuauserv");
        bench.refuses("sc query state= all", "sc query state= all");
        bench.refuses("net start Spooler", "net start Spooler");
        bench.refuses(
            "sc create MyAgent binPath= a.exe",
            "sc create MyAgent binPath= a.exe",
        );
        let services = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\MyAgent";
        bench.machine.set(services, "Start", 2);
        bench.refuses("sc stop MyAgent", "sc stop MyAgent");
        bench.user = "alice";
        assert_eq!(bench.run("sc create X binPath= a.exe").exit, 5);
    }
}
