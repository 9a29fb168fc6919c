//! What a machine is like at first: files that were saved on a real one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::win7::files::import::{Flaw, Secured, directory_listing, get_acl, icacls, saved_acls};
use crate::win7::machine::Machine;
use crate::win7::registry::reg_file::{LoadError, read_text};
use crate::win7::registry::{KeyPath, Name, units};
use crate::win7::security::{Acl, Descriptor, Sid};

use super::setup::{Setup, SetupError};

/// A listing of a real machine's disks, a file beside the scenario.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Listing {
    /// `dir /s`, or `dir /a /s`: directories, and files of which the length alone is known.
    Dir(String),
    /// `icacls NAME /t`: entries of DACLs, and labels.
    Icacls(String),
    /// A file of `icacls NAME /save FILE /t`: DACLs.
    SavedAcls {
        /// The file.
        file: String,
        /// The directory that its names are relative to: the one that holds what was named to `icacls`, which
        /// `icacls /restore` takes too.
        below: String,
    },
    /// `Get-Acl .. | Format-List Path, Sddl` of files, directories and keys.
    GetAcl(String),
    /// `(Get-Acl PATH).Sddl`: one line.
    Sddl {
        /// The file.
        file: String,
        /// What it is of.
        of: String,
    },
}

impl Listing {
    /// The name of the file.
    pub fn file(&self) -> &String {
        match self {
            Listing::Dir(file)
            | Listing::Icacls(file)
            | Listing::GetAcl(file)
            | Listing::SavedAcls { file, .. }
            | Listing::Sddl { file, .. } => file,
        }
    }
}

impl Setup {
    /// The names of the files that it is made from.
    pub fn base_files(&self) -> impl Iterator<Item = &String> {
        self.base
            .iter()
            .chain(self.disk_base.iter().map(Listing::file))
    }

    /// Puts on the machine what the files of its base say. `files` are their texts, by name.
    pub(super) fn load_base(
        &self,
        machine: &mut Machine,
        files: &BTreeMap<String, String>,
    ) -> Result<(), SetupError> {
        let text = |name: &String| {
            let missing = || SetupError::Text(name.clone(), format!("there is no file {name:?}"));
            files.get(name).ok_or_else(missing)
        };
        if let Some(base) = &self.base {
            // The text was decoded already, so it holds what ANSI data there is as it was.
            let file = read_text(&units(text(base)?), machine.code_pages().ansi());
            let caller = machine.user().clone();
            let load = |file| machine.registry.load(&caller, &file);
            file.map_err(LoadError::from)
                .and_then(load)
                .map_err(|error| SetupError::InFile(base.clone(), error))?;
        }
        let accounts = self.accounts(machine)?;
        let mut building = Building {
            machine,
            accounts,
            added: Vec::new(),
            secured: BTreeSet::new(),
        };
        for listing in &self.disk_base {
            let added = building.add(listing, text(listing.file())?);
            added.map_err(|Flaw { line, what }| {
                let line = line.try_into().unwrap_or(u32::MAX);
                let error = LoadError {
                    line,
                    column: 1,
                    what,
                };
                SetupError::InFile(listing.file().clone(), error)
            })?;
        }
        building.inherit();
        Ok(())
    }

    /// Whose place accounts of the real machine take.
    fn accounts(&self, machine: &Machine) -> Result<Accounts, SetupError> {
        let mut accounts = Accounts::default();
        for (theirs, ours) in &self.accounts {
            let of = |name: &str| Sid::parse(name).or_else(|| Sid::named(name));
            let own = machine
                .caller(ours)
                .map(|caller| caller.token().user())
                .or_else(|| of(ours));
            let Some(own) = own else {
                let what = format!("{ours:?} is no account: write alice, admin or S-1-..");
                return Err(SetupError::Text(ours.clone(), what));
            };
            match Sid::parse(theirs) {
                Some(sid) => accounts.sids.push((sid, own)),
                None => accounts.names.push((theirs.clone(), own)),
            }
        }
        Ok(accounts)
    }
}

#[derive(Debug, Default)]
struct Accounts {
    names: Vec<(String, Sid)>,
    sids: Vec<(Sid, Sid)>,
}

impl Accounts {
    fn named(&self, name: &str) -> Option<Sid> {
        let mut names = self.names.iter();
        names
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, own)| *own)
    }

    fn own(&self, sid: Sid) -> Sid {
        let mut sids = self.sids.iter();
        sids.find(|(theirs, _)| *theirs == sid)
            .map_or(sid, |(_, own)| *own)
    }

    /// The same with accounts of this machine in place of those of the real one.
    fn moved(&self, descriptor: &Descriptor) -> Descriptor {
        let list = |acl: &Acl| {
            let mut acl = acl.clone();
            acl.aces = acl.aces.map(|aces| {
                let moved = aces.iter().cloned().map(|mut ace| {
                    ace.sid = self.own(ace.sid);
                    ace
                });
                moved.collect()
            });
            acl
        };
        Descriptor {
            owner: descriptor.owner.map(|owner| self.own(owner)),
            group: descriptor.group.map(|group| self.own(group)),
            dacl: descriptor.dacl.as_ref().map(list),
            sacl: descriptor.sacl.as_ref().map(list),
        }
    }
}

/// A machine while listings are put on it.
struct Building<'a> {
    machine: &'a mut Machine,
    accounts: Accounts,
    /// What listings of directories put there, those above before those below.
    added: Vec<String>,
    /// What listings of descriptors spoke of, in upper case.
    secured: BTreeSet<Vec<u16>>,
}

impl Building<'_> {
    fn add(&mut self, listing: &Listing, text: &str) -> Result<(), Flaw> {
        let full = |below: &str, name: &str| format!("{}\\{name}", below.trim_end_matches('\\'));
        let secured = match listing {
            Listing::Dir(_) => {
                let added = self.machine.files.add_listed(&directory_listing(text)?)?;
                self.added.extend(added);
                return Ok(());
            }
            Listing::Icacls(_) => icacls(text, |name| self.accounts.named(name))?,
            Listing::SavedAcls { below, .. } => {
                let mut saved = saved_acls(text)?;
                for one in &mut saved {
                    one.path = one.path.take().map(|name| full(below, &name));
                }
                saved
            }
            Listing::GetAcl(_) => get_acl(text)?,
            Listing::Sddl { of, .. } => {
                let mut read = get_acl(text)?;
                if read.len() != 1 || read[0].path.is_some() {
                    return Err(Flaw {
                        line: 1,
                        what: "it holds one descriptor in SDDL, and nothing else".into(),
                    });
                }
                read[0].path = Some(of.clone());
                read
            }
        };
        secured.iter().try_for_each(|one| self.put(one))
    }

    fn put(&mut self, one: &Secured) -> Result<(), Flaw> {
        let line = one.line;
        let flaw = |what: String| Err(Flaw { line, what });
        let Some(path) = &one.path else {
            return flaw("it does not say what it is of: use Format-List Path, Sddl".into());
        };
        let new = self.accounts.moved(&one.descriptor);
        if let Ok(key) = KeyPath::parse(path) {
            let caller = self.machine.user().clone();
            return match self.machine.registry.put_security(&caller, &key, &new) {
                Ok(()) => Ok(()),
                Err(error) => flaw(format!("{path}: {error}: name a .reg file as `base`")),
            };
        }
        let is_full = super::setup::is_full(path);
        if !is_full || !self.machine.files.put_security(&units(path), &new) {
            let what = "is not there: list it with `dir /a /s` before, as Dir(..)";
            return flaw(format!("{path} {what}"));
        }
        self.secured.insert(Name::from(&**path).folded().to_vec());
        Ok(())
    }

    /// What was put there and no listing of descriptors spoke of inherits from what is above it.
    fn inherit(&mut self) {
        for path in &self.added {
            if !self.secured.contains(Name::from(&**path).folded()) {
                self.machine.files.inherit_anew(path);
            }
        }
    }
}
