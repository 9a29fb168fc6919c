//! What can happen to a call on a disk, beside what the disk itself says.

use crate::engine::{
    Armed, Cx, Entity, FaultSpec, ParamKind, ParamSpec, Record as EngineRecord, matches_pattern,
};
use crate::win7::files::{Actor, FileHandle, Files, OpenRequest, Share};
use crate::win7::ntfs::Attributes;
use crate::win7::program::fault::KEY_DACL;
use crate::win7::registry::{KeyPath, Win32, units};
use crate::win7::security::{Ace, AceType, Descriptor, Token};

use super::DiskCall;
use crate::win7::program::record::Record;
use crate::win7::program::{Event, Programs, Tools};

const DENY_ACE: &str = "deny-ace";
const PROTECTED_DACL: &str = "protected-dacl";
const CREATOR_OWNER_ACE: &str = "creator-owner-ace";
const READONLY_ATTR: &str = "readonly-attr";
const SHARING_VIOLATION: &str = "sharing-violation";
const DISK_FULL: &str = "disk-full-volume";
const WRITE_DENIED: &str = "write-access-denied";
const ANTIVIRUS_BLOCK: &str = "antivirus-block";
const GONE_AFTER_SCAN: &str = "file-gone-after-scan";
const FIXED_BUFFER: &str = "fixed-buffer-app";

const DENIED: &str = "(D;;0xd0116;;;BU)";

const PATH: ParamSpec = ParamSpec {
    name: "path",
    kind: ParamKind::Text,
    required: true,
    doc: "the file or directory that it strikes, in full",
};

/// The faults of disks.
pub const FAULTS: &[FaultSpec] = &[
    FaultSpec {
        name: DENY_ACE,
        doc: "Before the call, someone has put an entry that denies in front of the DACL.",
        params: &[
            PATH,
            ParamSpec {
                name: "entry",
                kind: ParamKind::Text,
                required: false,
                doc: "in SDDL; without it (D;;0xd0116;;;BU): users are denied writing, deleting, and changing \
                      the descriptor",
            },
        ],
    },
    FaultSpec {
        name: PROTECTED_DACL,
        doc: "Before the call, someone has set D:P(A;OICI;FA;;;BA)(A;OICI;FA;;;SY): nothing is inherited, and \
              users have no right at all.",
        params: &[PATH],
    },
    FaultSpec {
        name: CREATOR_OWNER_ACE,
        doc: "Before the call, someone has added (A;OICIIO;GA;;;CO) to the DACL: whoever creates something \
              below gets Full control of it. Windows 7 has no such entry on C:\\.",
        params: &[PATH],
    },
    FaultSpec {
        name: READONLY_ATTR,
        doc: "Before the call, the file has got the read-only attribute.",
        params: &[PATH],
    },
    FaultSpec {
        name: SHARING_VIOLATION,
        doc: "While the call is made, an indexer or scanner has the file open and shares it with nobody: 32.",
        params: &[PATH],
    },
    FaultSpec {
        name: DISK_FULL,
        doc: "From this call on, the volume C: has no byte left: writing fails with 112.",
        params: &[],
    },
    FaultSpec {
        name: WRITE_DENIED,
        doc: "A write of the program is refused with 5, as when an administrator changes a DACL between two \
              writes, or a policy forbids the file. With `nth`, the n-th write.",
        params: &[],
    },
    FaultSpec {
        name: ANTIVIRUS_BLOCK,
        doc: "A scanner refuses to let the file be opened: 225, or what else scanners answer.",
        params: &[
            ParamSpec {
                name: "path",
                kind: ParamKind::Text,
                required: false,
                doc: "the files that it strikes, `*` for any run of characters; without it, each",
            },
            ParamSpec {
                name: "code",
                kind: ParamKind::Number,
                required: false,
                doc: "225 if not given; 226 (deleted), 5, or 32 while it scans",
            },
        ],
    },
    FaultSpec {
        name: GONE_AFTER_SCAN,
        doc: "Before the call, a scanner has taken the file away: 2.",
        params: &[PATH],
    },
    FaultSpec {
        name: FIXED_BUFFER,
        doc: "The program copies a path into a buffer of MAX_PATH units and cuts it there, as C programs \
              with `char buf[MAX_PATH]` do. The system itself never shortens a path.",
        params: &[],
    },
];

/// What a scanner answers, by code.
const SCANNER: [Win32; 4] = [
    Win32 {
        code: 225,
        name: "ERROR_VIRUS_INFECTED",
    },
    Win32 {
        code: 226,
        name: "ERROR_VIRUS_DELETED",
    },
    Win32 {
        code: 5,
        name: "ERROR_ACCESS_DENIED",
    },
    Win32 {
        code: 32,
        name: "ERROR_SHARING_VIOLATION",
    },
];

fn answer(fault: &Armed) -> Option<Win32> {
    let code = fault.number("code").unwrap_or(225);
    SCANNER
        .into_iter()
        .find(|error| u64::from(error.code) == code)
}

/// Whether the parameters of faults on Windows programs can be: entries in SDDL, full paths, codes.
///
/// # Errors
/// The first that cannot, and why.
pub fn check_faults<'a>(faults: impl IntoIterator<Item = &'a Armed>) -> Result<(), String> {
    for fault in faults {
        let refuse = |what: String| Err(format!("{}: {what}", fault.name));
        let is_of_disks = FAULTS.iter().any(|spec| spec.name == fault.name);
        if let (DENY_ACE | KEY_DACL, Some(entry)) = (fault.name, fault.text("entry")) {
            match Descriptor::parse_ace(entry) {
                Ok(ace) if ace.kind == AceType::Deny => {}
                Ok(_) => return refuse(format!("{entry:?} denies nothing: write (D;;..;;;..)")),
                Err(error) => return refuse(format!("{entry:?}: {error}")),
            }
        }
        if let (KEY_DACL, Some(key)) = (fault.name, fault.text("key"))
            && let Err(unknown) = KeyPath::parse(key)
        {
            return refuse(unknown.to_string());
        }
        if fault.name == ANTIVIRUS_BLOCK && answer(fault).is_none() {
            return refuse("\"code\" is 225, 226, 5 or 32".into());
        }
        if let (true, Some(path)) = (
            is_of_disks && fault.name != ANTIVIRUS_BLOCK,
            fault.text("path"),
        ) && !path.starts_with('{')
            && !super::super::setup::is_full(path)
        {
            return refuse(format!(
                "{path:?} is no full path: write \"C:\\\\dir\\\\file\""
            ));
        }
    }
    Ok(())
}

/// What a fault does to a call.
pub(super) enum Struck {
    /// The call goes on.
    No,
    /// It fails without being made.
    Fails(Win32, &'static str),
    /// It goes on with paths cut to this many units.
    Cut(usize),
    /// It goes on while this handle is open.
    Held(FileHandle),
}

/// What strikes a call on a disk; beside it, what of a fault has nothing to strike.
pub(super) fn strike<T, E, R>(
    programs: &mut Programs<T>,
    actor: Entity,
    call: &DiskCall,
    cx: &mut Cx<'_, E, R>,
) -> (Struck, Option<String>)
where
    T: Tools,
    E: From<Event>,
    R: EngineRecord + From<Record>,
{
    let params = programs.params.clone();
    let fill = |text: &str| super::super::fill(text, &Default::default(), &params).0;
    let path = |fault: &Armed| fill(fault.text("path").unwrap_or_default());
    let files = &mut programs.machine.files;
    let mut missing = None;
    for name in [DENY_ACE, PROTECTED_DACL, CREATOR_OWNER_ACE] {
        let Some(fault) = cx.fault(name, actor) else {
            continue;
        };
        let path = path(&fault);
        let Some(old) = files.look(&path).map(|node| node.descriptor().clone()) else {
            missing = Some(format!("{name}: {path} is not there"));
            continue;
        };
        let new = match name {
            DENY_ACE => denying(&old, fault.text("entry").unwrap_or(DENIED)),
            PROTECTED_DACL => Descriptor::from("D:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)"),
            _ => with_last(&old, "(A;OICIIO;GA;;;CO)"),
        };
        files.put_security(&units(&path), &new);
        let path = path.into();
        cx.record(actor, Record::DiskFault { fault: name, path });
    }
    if let Some(fault) = cx.fault(READONLY_ATTR, actor) {
        let path = path(&fault);
        let set = files.edit_outside(&units(&path), |node| {
            node.set_attributes(node.attributes().with(Attributes::READONLY));
        });
        if set.is_none() {
            missing = Some(format!("{READONLY_ATTR}: {path} is not there"));
        }
    }
    if let Some(fault) = cx.fault(GONE_AFTER_SCAN, actor) {
        files.remove_outside(&units(&path(&fault)));
    }
    if cx.fault(DISK_FULL, actor).is_some()
        && let Some(volume) = files.volume_mut('C')
    {
        volume.free = Some(0);
    }
    (then(files, actor, call, fill, cx), missing)
}

/// What strikes the call itself.
fn then<E, R>(
    files: &mut Files,
    actor: Entity,
    call: &DiskCall,
    fill: impl Fn(&str) -> String,
    cx: &mut Cx<'_, E, R>,
) -> Struck
where
    R: EngineRecord + From<Record>,
{
    let writes = matches!(call, DiskCall::Write { .. });
    if writes && cx.fault(WRITE_DENIED, actor).is_some() {
        let error = SCANNER[2];
        return Struck::Fails(error, "a fault of the scenario refuses this write");
    }
    let own = fill(&call.object());
    let is_for = |fault: &Armed| {
        let pattern = fault.text("path");
        pattern.is_none_or(|pattern| matches_pattern(&fill(pattern), &own))
    };
    let may_block = cx.faults().named(ANTIVIRUS_BLOCK).any(is_for);
    if may_block && let Some(fault) = cx.fault(ANTIVIRUS_BLOCK, actor).filter(is_for) {
        let error = answer(&fault).expect("codes were checked");
        return Struck::Fails(error, "a scanner refuses it");
    }
    if cx.fault(FIXED_BUFFER, actor).is_some() {
        return Struck::Cut(crate::win7::path::MAX_PATH - 1);
    }
    if let Some(fault) = cx.fault(SHARING_VIOLATION, actor) {
        let path = units(&fill(fault.text("path").unwrap_or_default()));
        let request = OpenRequest {
            share: Share::NONE,
            ..OpenRequest::default()
        };
        let system = Token::system();
        if let Ok((handle, _)) = files.open(&Actor::new(&system), &path, request) {
            return Struck::Held(handle);
        }
    }
    Struck::No
}

/// The DACL with an entry before all others, unless it stands there already.
pub(in crate::win7::program) fn denying(old: &Descriptor, entry: &str) -> Descriptor {
    with(old, entry, |aces, ace| {
        if aces.first() != Some(&ace) {
            aces.insert(0, ace);
        }
    })
}

/// The DACL with an entry behind all others, unless it stands there already.
fn with_last(old: &Descriptor, entry: &str) -> Descriptor {
    with(old, entry, |aces, ace| {
        if aces.last() != Some(&ace) {
            aces.push(ace);
        }
    })
}

fn with(old: &Descriptor, entry: &str, put: impl Fn(&mut Vec<Ace>, Ace)) -> Descriptor {
    let ace = Descriptor::parse_ace(entry).expect("entries of faults were checked");
    let mut dacl = old.dacl.clone();
    if let Some(dacl) = &mut dacl {
        let mut aces = dacl.entries().to_vec();
        put(&mut aces, ace);
        dacl.aces = Some(aces.into());
    }
    Descriptor {
        dacl,
        ..Descriptor::default()
    }
}
