//! The faults that programs of a Windows machine know.

use crate::engine::{Cx, Entity, FaultSpec, ParamKind, ParamSpec, Record as EngineRecord};
use crate::win7::environment::Block;
use crate::win7::machine::Machine;
use crate::win7::registry::KeyPath;
use crate::win7::text::Wide;

use super::disk::denying;
use super::record::Record;

pub(super) const ACCESS_DENIED: &str = "registry-access-denied";
pub(super) const KEY_DACL: &str = "key-dacl";
pub(super) const STALE_PARENT: &str = "stale-parent-env";
pub(super) const ENTRY_MISSING: &str = "path-entry-missing";
pub(super) const ENTRY_WITHOUT_EXE: &str = "path-entry-without-exe";
pub(super) const CHANGED_BETWEEN_READS: &str = "value-changed-between-reads";
pub(super) const NOTIFICATION_LOST: &str = "notification-lost";
pub(super) const SETX_LIMIT: &str = "setx-1024";
pub(super) const PATH_DIALOG_LIMIT: &str = "gui-2047";
pub(super) const SOURCE_ENCODING: &str = "source-encoding";

const fn text(name: &'static str, doc: &'static str) -> ParamSpec {
    ParamSpec {
        name,
        kind: ParamKind::Text,
        required: true,
        doc,
    }
}

/// The faults that these programs know.
pub const FAULTS: &[FaultSpec] = &[
    FaultSpec {
        name: ACCESS_DENIED,
        doc: "A registry write of the program is refused with error 5, as a deny ACE on the key does. \
              The program notices and ends.",
        params: &[],
    },
    FaultSpec {
        name: KEY_DACL,
        doc: "Before a call on the registry, someone has put an entry that denies in front of a key's DACL.",
        params: &[
            text("key", "the key, in full"),
            ParamSpec {
                name: "entry",
                kind: ParamKind::Text,
                required: false,
                doc: "in SDDL; without it (D;;DCLC;;;BU): users are denied KEY_SET_VALUE and \
                      KEY_CREATE_SUB_KEY, and administrators are users too",
            },
        ],
    },
    FaultSpec {
        name: STALE_PARENT,
        doc: "The launched program is started by one that has run since the logon (a terminal, an editor) \
              and not by Explorer, so it inherits the block of then. A child has a copy of its parent's \
              block, and no call changes that of another process.",
        params: &[],
    },
    FaultSpec {
        name: ENTRY_MISSING,
        doc: "The program starts with a PATH that lacks an entry: an installer was told not to add it, or \
              another one's write lost it.",
        params: &[text(
            "entry",
            "the entry that is taken away, as PATH spells it",
        )],
    },
    FaultSpec {
        name: ENTRY_WITHOUT_EXE,
        doc: "The program starts with a PATH that begins with a directory where the executable is not: the \
              tree was moved, or is that of another release. The search goes on behind it without a word.",
        params: &[text("directory", "the directory that comes first")],
    },
    FaultSpec {
        name: CHANGED_BETWEEN_READS,
        doc: "Before the program reads a value a second time, somebody else has set it: RegQueryValueEx \
              holds nothing between two calls.",
        params: &[text("text", "what the value holds then")],
    },
    FaultSpec {
        name: NOTIFICATION_LOST,
        doc: "The program does not learn of a change that it watches for: RegNotifyChangeKeyValue signals \
              once, and who asks anew too late misses what came in between.",
        params: &[],
    },
    FaultSpec {
        name: SETX_LIMIT,
        doc: "The program stores a text with setx, which keeps 1024 characters, warns, and ends with 0.",
        params: &[],
    },
    FaultSpec {
        name: PATH_DIALOG_LIMIT,
        doc: "The text is stored by hand in the dialog of the System control panel, whose field holds 2047 \
              characters and says nothing.",
        params: &[],
    },
    FaultSpec {
        name: SOURCE_ENCODING,
        doc: "The editor saves a text in another encoding than it was told: the default of an old editor, \
              or `>` of PowerShell.",
        params: &[text(
            "encoding",
            "utf-8, utf-8-bom, utf-16le, utf-16be, gbk, windows-1252 or ibm437",
        )],
    },
];

/// What strikes a program when it starts: its PATH.
pub(super) fn strike_at_start<E, R>(block: &mut Block, actor: Entity, cx: &mut Cx<'_, E, R>)
where
    R: EngineRecord + From<Record>,
{
    let name = Wide::from("PATH");
    let path = |block: &Block| {
        block
            .get(&name)
            .map(Wide::to_utf8_lossy)
            .unwrap_or_default()
    };
    if let Some(fault) = cx.fault(ENTRY_MISSING, actor) {
        let gone = Wide::from(fault.text("entry").unwrap_or_default()).to_upcase();
        let path = path(block);
        let entries = path.split(';');
        let kept: Vec<&str> = entries
            .filter(|entry| Wide::from(*entry).to_upcase() != gone)
            .collect();
        let _ = block.set(&name, &kept.join(";").as_str().into());
    }
    if let Some(fault) = cx.fault(ENTRY_WITHOUT_EXE, actor) {
        let first = fault.text("directory").unwrap_or_default();
        let path = format!("{first};{}", path(block));
        let _ = block.set(&name, &path.as_str().into());
    }
}

/// What strikes a call on the registry: the key's DACL. What of it has nothing to strike.
pub(super) fn strike_key<E, R>(
    machine: &mut Machine,
    actor: Entity,
    cx: &mut Cx<'_, E, R>,
) -> Option<String>
where
    R: EngineRecord + From<Record>,
{
    let fault = cx.fault(KEY_DACL, actor)?;
    let key = fault.text("key").unwrap_or_default();
    let path = KeyPath::parse(key).expect("keys of faults were checked");
    let caller = machine.user().clone();
    let found = machine.registry.key(&caller, &path);
    let Some(old) = found.and_then(|key| key.descriptor().cloned()) else {
        return Some(format!("{KEY_DACL}: {key} is not there"));
    };
    let new = denying(&old, fault.text("entry").unwrap_or("(D;;DCLC;;;BU)"));
    let put = machine.registry.put_security(&caller, &path, &new);
    put.expect("it was found");
    let path = key.into();
    cx.record(
        actor,
        Record::DiskFault {
            fault: KEY_DACL,
            path,
        },
    );
    None
}
