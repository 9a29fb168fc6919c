//! What programs do on disks: one call of Win32 each, as a user of theirs.

use serde::{Deserialize, Serialize};

use crate::engine::{Cx, Entity, Record as EngineRecord};
use crate::win7::files::{
    Actor, CreateDisposition, Failure, Files, OpenRequest, Propagation, Share,
};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::{Win32, units};
use crate::win7::security::{Descriptor, Mask};

use super::record::Record;
use super::{Compound, Event, Outcome, Programs, Tools};

mod fault;

use fault::Struck;
pub(super) use fault::denying;
pub use fault::{FAULTS, check_faults};

/// A call on a disk. Paths may be relative, begin with `\\?\`, and hold `{names}`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum DiskCall {
    /// CreateFile with CREATE_ALWAYS, WriteFile, CloseHandle.
    Write {
        /// The file.
        path: String,
        /// What it is to hold.
        #[serde(default)]
        text: String,
    },
    /// CreateFile, ReadFile, CloseHandle.
    Read {
        /// The file.
        path: String,
    },
    /// `Get-Item` of PowerShell 2, and `FullName.Length`: the class library of .NET up to 4.6.1 refuses 260 units
    /// by itself, before it asks Windows.
    GetItem {
        /// The file or directory.
        path: String,
    },
    /// CreateFile with some access, and CloseHandle.
    Open {
        /// The file or directory.
        path: String,
        /// The access, in hexadecimal: `0x80000` is WRITE_OWNER.
        access: String,
    },
    /// CreateDirectory.
    MakeDirectory {
        /// The directory.
        path: String,
    },
    /// `mklink /j`: a junction to a directory.
    MakeJunction {
        /// The junction.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// `mklink`, or `mklink /d` for a directory: a symbolic link, which by default administrators alone may make.
    MakeLink {
        /// The link.
        path: String,
        /// Where it leads, in full or from the directory that the link is in.
        target: String,
        /// Whether it stands for a directory.
        #[serde(default)]
        directory: bool,
    },
    /// All directories of a path that are missing, by any means: for what was there before.
    MakeTree {
        /// The last directory.
        path: String,
    },
    /// DeleteFile.
    Delete {
        /// The file.
        path: String,
    },
    /// RemoveDirectory.
    RemoveDirectory {
        /// The directory.
        path: String,
    },
    /// MoveFileEx with MOVEFILE_REPLACE_EXISTING.
    Rename {
        /// What is moved.
        from: String,
        /// Where to.
        to: String,
    },
    /// SetFileAttributes with FILE_ATTRIBUTE_READONLY, or without any.
    SetReadOnly {
        /// The file.
        path: String,
        /// Whether it is to be read-only.
        on: bool,
    },
    /// SetFileSecurity: nothing below changes.
    SetSecurity {
        /// The file or directory.
        path: String,
        /// What is set, in SDDL.
        sddl: String,
    },
    /// SetNamedSecurityInfo, as `icacls` does it: what is below is rewritten, a step each.
    Propagate {
        /// The file or directory.
        path: String,
        /// What is set, in SDDL.
        sddl: String,
    },
    /// `icacls DIR /inheritance:e`: the DACL is no longer protected, and inherits again.
    EnableInheritance {
        /// The directory.
        path: String,
    },
    /// SetCurrentDirectory.
    ChangeDirectory {
        /// The directory.
        path: String,
    },
}

impl DiskCall {
    fn path(&self) -> &String {
        match self {
            DiskCall::Write { path, .. }
            | DiskCall::Read { path }
            | DiskCall::GetItem { path }
            | DiskCall::Open { path, .. }
            | DiskCall::MakeDirectory { path }
            | DiskCall::MakeJunction { path, .. }
            | DiskCall::MakeLink { path, .. }
            | DiskCall::MakeTree { path }
            | DiskCall::Delete { path }
            | DiskCall::RemoveDirectory { path }
            | DiskCall::Rename { from: path, .. }
            | DiskCall::SetReadOnly { path, .. }
            | DiskCall::SetSecurity { path, .. }
            | DiskCall::Propagate { path, .. }
            | DiskCall::EnableInheritance { path }
            | DiskCall::ChangeDirectory { path } => path,
        }
    }

    /// What it does, in a word, as records and explanations name it.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            DiskCall::Write { .. } => "write",
            DiskCall::Read { .. } => "read",
            DiskCall::GetItem { .. } => "get_item",
            DiskCall::Open { .. } => "open",
            DiskCall::MakeDirectory { .. } => "make_directory",
            DiskCall::MakeJunction { .. } => "make_junction",
            DiskCall::MakeLink { .. } => "make_link",
            DiskCall::MakeTree { .. } => "make_tree",
            DiskCall::Delete { .. } => "delete",
            DiskCall::RemoveDirectory { .. } => "remove_directory",
            DiskCall::Rename { .. } => "rename",
            DiskCall::SetReadOnly { .. } => "set_read_only",
            DiskCall::SetSecurity { .. } => "set_security",
            DiskCall::Propagate { .. } => "propagate",
            DiskCall::EnableInheritance { .. } => "enable_inheritance",
            DiskCall::ChangeDirectory { .. } => "change_directory",
        }
    }

    /// What it is about.
    pub(super) fn object(&self) -> String {
        self.path().clone()
    }

    /// What is wrong with it, before anything runs.
    pub(super) fn flaw(&self) -> Option<String> {
        match self {
            DiskCall::SetSecurity { sddl, .. } | DiskCall::Propagate { sddl, .. } => {
                // One with a name in it is known when it is set.
                let error = Descriptor::parse(sddl)
                    .err()
                    .filter(|_| !sddl.contains('{'))?;
                Some(format!("{sddl:?}: {error}"))
            }
            DiskCall::Open { access, .. } if mask(access).is_none() => {
                Some(format!("{access:?} is no mask: write 0x80000"))
            }
            _ => None,
        }
    }
}

fn mask(text: &str) -> Option<Mask> {
    let digits = text.strip_prefix("0x")?;
    u32::from_str_radix(digits, 16).ok().map(Mask)
}

/// What a call came to: its error if it failed, and why.
pub(super) type Done = Result<(), (Win32, String)>;

fn told<E>(failure: Failure<E>) -> (Win32, String)
where
    E: Into<Win32>,
{
    let why = failure
        .why
        .as_ref()
        .map_or_else(String::new, |why| why.to_string());
    (failure.win32(), why)
}

/// What is left of a call that takes several steps.
type Rest = Option<Propagation>;

/// `System.IO` before .NET 4.6.2: PathTooLongException, whose HRESULT is 206's, from 260 units on, and
/// ArgumentException, 87, for `\\\\?\\` (from memory).
fn get_item(files: &Files, actor: &Actor<'_>, path: &[u16]) -> Done {
    if crate::win7::path::is_prefixed(path) {
        let error = Win32 {
            code: 87,
            name: "ERROR_INVALID_PARAMETER",
        };
        return Err((
            error,
            "ArgumentException of .NET: illegal characters in path".into(),
        ));
    }
    let full = files.full_name(actor, path);
    if full.is_ok_and(|full| full.path.len() >= crate::win7::path::MAX_PATH) {
        let error = Win32 {
            code: 206,
            name: "ERROR_FILENAME_EXCED_RANGE",
        };
        return Err((
            error,
            "PathTooLongException of .NET: 260 characters or more".into(),
        ));
    }
    files.attributes(actor, path).map(|_| ()).map_err(told)
}

/// Performs a call, with its names filled in.
pub(super) fn perform(
    call: &DiskCall,
    files: &mut Files,
    actor: &Actor<'_>,
    fill: impl Fn(&str) -> String,
) -> (Done, Rest) {
    let path = units(&fill(call.path()));
    let done = match call {
        DiskCall::Write { text, .. } => files
            .write_file(actor, &path, fill(text).as_bytes())
            .map_err(told),
        DiskCall::Read { .. } => files.read_file(actor, &path).map(|_| ()).map_err(told),
        DiskCall::GetItem { .. } => get_item(files, actor, &path),
        DiskCall::Open { access, .. } => {
            let request = OpenRequest {
                access: mask(access).unwrap_or_default(),
                share: Share::ALL,
                disposition: CreateDisposition::OpenExisting,
                backup_semantics: true,
                ..OpenRequest::default()
            };
            let opened = files.open(actor, &path, request).map_err(told);
            opened.map(|(handle, _)| files.close(handle).expect("it was just opened"))
        }
        DiskCall::MakeDirectory { .. } => files.create_directory(actor, &path, None).map_err(told),
        DiskCall::MakeJunction { target, .. } => files
            .create_junction(actor, &path, &units(&fill(target)))
            .map_err(told),
        DiskCall::MakeLink {
            target, directory, ..
        } => files
            .create_symbolic_link(actor, &path, &units(&fill(target)), *directory)
            .map_err(told),
        DiskCall::MakeTree { .. } => files
            .make_tree(actor, &path)
            .map_err(|error| (error.into(), String::new())),
        DiskCall::Delete { .. } => files.delete_file(actor, &path).map_err(told),
        DiskCall::RemoveDirectory { .. } => files.remove_directory(actor, &path).map_err(told),
        DiskCall::Rename { to, .. } => files
            .rename(actor, &path, &units(&fill(to)), true)
            .map_err(told),
        DiskCall::SetReadOnly { on, .. } => {
            let attributes = if *on {
                Attributes::READONLY
            } else {
                Attributes::NORMAL
            };
            files.set_attributes(actor, &path, attributes).map_err(told)
        }
        DiskCall::SetSecurity { sddl, .. } => {
            let new = Descriptor::parse(&fill(sddl)).unwrap_or_default();
            files.set_security(actor, &path, &new).map_err(told)
        }
        DiskCall::Propagate { sddl, .. } => {
            let new = Descriptor::parse(&fill(sddl)).unwrap_or_default();
            match Propagation::new(files, actor, &path, &new) {
                Ok(rest) => return (Ok(()), Some(rest)),
                Err(failure) => Err(told(failure)),
            }
        }
        DiskCall::EnableInheritance { .. } => {
            let own = files.security(actor, &path).map_err(told);
            match own {
                Ok(mut own) => {
                    (own.owner, own.group) = (None, None);
                    if let Some(dacl) = &mut own.dacl {
                        dacl.is_protected = false;
                    }
                    match Propagation::new(files, actor, &path, &own) {
                        Ok(rest) => return (Ok(()), Some(rest)),
                        Err(failure) => Err(told(failure)),
                    }
                }
                Err(failed) => Err(failed),
            }
        }
        DiskCall::ChangeDirectory { .. } => files
            .current_directory(actor, &path)
            .map(|_| ())
            .map_err(told),
    };
    (done, None)
}

impl<T: Tools> Programs<T> {
    /// Does something on the disks as the user of a program, in its directory and with its variables.
    pub(super) fn as_user<R>(
        &mut self,
        actor: Entity,
        act: impl FnOnce(&mut Files, &Actor<'_>) -> R,
    ) -> R {
        let caller = self.programs[&actor].caller.clone();
        let directory = units(&self.directory(actor));
        let block = self.block(actor).clone();
        let on = Actor {
            token: caller.token(),
            directory: &directory,
            environment: Some(&block),
        };
        act(&mut self.machine.files, &on)
    }

    /// A call on a disk. A program goes on after one that failed: what follows is its business.
    pub(super) fn on_disk<E, R>(
        &mut self,
        actor: Entity,
        call: &DiskCall,
        cx: &mut Cx<'_, E, R>,
    ) -> Outcome
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let user = self.programs[&actor].user.clone();
        let caller = self.programs[&actor].caller.clone();
        let directory = units(&self.directory(actor));
        let block = self.block(actor).clone();
        let on = Actor {
            token: caller.token(),
            directory: &directory,
            environment: Some(&block),
        };
        if let Some(Compound::Propagate(rest)) =
            &mut self.programs.get_mut(&actor).expect("it runs").compound
        {
            let step = rest.step(&mut self.machine.files, &on);
            let Some(step) = step else {
                self.programs.get_mut(&actor).expect("it runs").compound = None;
                return Outcome::Next;
            };
            let code = step
                .result
                .map_or_else(|failure| failure.win32().code, |()| 0);
            let path = String::from_utf16_lossy(&step.path).into();
            cx.record(actor, Record::DiskRewrite { path, code });
            return Outcome::More;
        }
        let (struck, missing) = fault::strike(self, actor, call, cx);
        self.flaw = self.flaw.take().or(missing);
        let (read, params) = (self.programs[&actor].read.clone(), self.params.clone());
        let cut = match struck {
            Struck::Cut(most) => most,
            _ => usize::MAX,
        };
        let fill = |text: &str| super::fill(text, &read, &params).0;
        let go = self.programs[&actor].go.clone();
        let fill_path = |text: &str| {
            let path = units(&fill(text));
            let path = String::from_utf16_lossy(&path[..path.len().min(cut)]);
            match &go {
                Some(go) => T::path(go, &path).expect("releases were checked"),
                None => path,
            }
        };
        let (done, rest) = match &struck {
            Struck::Fails(error, why) => (Err((*error, (*why).to_owned())), None),
            _ => perform(call, &mut self.machine.files, &on, fill_path),
        };
        if let Struck::Held(handle) = struck {
            let _ = self.machine.files.close(handle);
        }
        let path = fill_path(&call.object());
        let full = self.machine.files.full_name(&on, &units(&path));
        let prefix = if path.starts_with("\\\\?\\") { 4 } else { 0 };
        let (code, why) = match &done {
            Ok(()) => (0, String::new()),
            Err((error, why)) => (error.code, why.clone()),
        };
        let record = Record::Disk {
            op: call.verb(),
            units: full.map_or(0, |full| full.path.len() as u64 - prefix),
            path: path.into(),
            user,
            code,
            why: why.into(),
        };
        cx.record(actor, record);
        if let (DiskCall::ChangeDirectory { path }, Ok(())) = (call, &done) {
            let name = self.programs[&actor].name.clone();
            let directory = fill(path).as_str().into();
            let changed = self
                .machine
                .processes_mut()
                .change_directory(&name, directory);
            changed.expect("each running program is a process");
        }
        match rest {
            None => Outcome::Next,
            Some(rest) => {
                let program = self.programs.get_mut(&actor).expect("it runs");
                program.compound = Some(Compound::Propagate(Box::new(rest)));
                Outcome::More
            }
        }
    }
}
