//! Files as programs see them: the calls of Win32, with who may do what and what each says when it fails.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | 2 for a missing file, 3 for a missing directory or a file in its place, 123 for what is no name, 183, 80, 145, 267 | Win32 error codes, Wine's kernel32 tests | yes |
//! | SetCurrentDirectory: 2 for a missing directory, 267 for a file | the same | yes |
//! | too long: 3; CreateDirectory from 248 units 206; SetCurrentDirectory from 259 units 206 | documentation for the limits; 3: ReactOS, not a run of Windows 7 | partly |
//! | a device name makes no directory: 267 | | no |
//! | FILE_ADD_FILE, FILE_ADD_SUBDIRECTORY on the directory; who creates gets what it asks for | MS-FSA 2.1.5.1.1 | yes |
//! | DELETE also by FILE_DELETE_CHILD above; attributes also by FILE_LIST_DIRECTORY above | MS-FSA 2.1.5.1.2.1 | yes |
//! | the read-only attribute refuses writing and deleting with 5 | MS-FSA 2.1.5.1.2 | yes |
//! | overwriting asks for FILE_WRITE_DATA, FILE_WRITE_EA and FILE_WRITE_ATTRIBUTES, and keeps the descriptor | MS-FSA 2.1.5.1.2 | yes |
//! | overwriting what is hidden or a system file without saying so: 5 | documentation of CreateFile | yes |
//! | sharing violations: 32; who asks for neither data nor DELETE shares with everybody | documentation | yes |
//! | SeBackup- and SeRestorePrivilege count with FILE_FLAG_BACKUP_SEMANTICS alone | documentation | yes |
//! | directories on the way are not asked, given SeChangeNotifyPrivilege | documentation | yes |
//! | a file that is moved on its volume keeps its descriptor | documentation | yes |
//! | the owner of what a call names: oneself, the administrators, or with SeRestorePrivilege anybody; else 1307 | documentation of SetSecurityInfo | yes |
//!
//! A call that is refused changes nothing, and says why: [`Failure::why`].

mod calls;
pub mod diff;
mod error;
mod handles;
pub mod import;
#[cfg(test)]
mod laws;
mod links;
mod names;
mod propagate;
mod security;
mod shipped;
#[cfg(any(test, feature = "proptest"))]
pub mod strategies;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::environment::Block;
use super::ntfs::{Attributes, Content, Node, Place, Volume, path_of};
use super::path::{BACKSLASH, NtPath, Target, nt_path};
use super::registry::{Name, units};
use super::security::{Ace, Kind, Mask, NewObject, Refusal, Sid, Token, defaults};
use super::text::CodePage;

pub use calls::Entry;
pub use error::{
    AttributesError, CloseError, CreateDirectoryError, CurrentDirectoryError, DeleteError, Failure,
    LinkError, ListError, MoveError, NameError, OpenError, RemoveDirectoryError, SecurityError,
    TransferError, Why,
};
pub use handles::{CreateDisposition, FileHandle, OpenRequest, Share};
pub use propagate::{Propagation, Rewritten};

use handles::OpenFile;

/// Who calls, from where.
#[derive(Clone, Copy)]
pub struct Actor<'a> {
    /// Who it is.
    pub token: &'a Token,
    /// The current directory, a full path.
    pub directory: &'a [u16],
    /// Its variables, which hold where it was on other drives; none if it was on none.
    pub environment: Option<&'a Block>,
}

impl<'a> Actor<'a> {
    /// A process at the root of the system drive.
    pub fn new(token: &'a Token) -> Actor<'a> {
        const ROOT: [u16; 3] = [b'C' as u16, b':' as u16, b'\\' as u16];
        Actor {
            token,
            directory: &ROOT,
            environment: None,
        }
    }

    /// The same in another directory, a full path.
    pub fn at(self, directory: &'a [u16]) -> Actor<'a> {
        Actor { directory, ..self }
    }

    pub(super) fn on_drive(&self, drive: u16) -> Option<Vec<u16>> {
        let letter = char::from_u32(drive.into())?;
        let directory = self.environment?.drive_directory(letter)?;
        Some(directory.units().to_vec())
    }
}

/// The drives of a machine, and the files that are open. A clone is a fork.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Files {
    drives: BTreeMap<u16, Volume>,
    open: BTreeMap<FileHandle, OpenFile>,
}

/// Where a path leads, on a volume.
struct Spot {
    drive: u16,
    place: Place,
    /// The stream behind a colon.
    stream: Option<Name>,
    /// Whether a backslash was behind the path.
    is_directory: bool,
}

/// What a path leads to.
enum Found {
    /// Something on a volume.
    There(Spot),
    /// A place on a volume where there could be something.
    Free(Spot),
    /// A device.
    Device(Vec<u16>),
}

impl Files {
    /// The drive C: of a default machine: what Windows 7 puts there, with its descriptors, as far as programs
    /// here ask for it, and the profiles of these users.
    pub fn windows_7(users: &[(&str, Sid)], oem: CodePage) -> Files {
        let shared = |text: &str| defaults::descriptor(text).into();
        let mut volume = Volume::new(shared(defaults::SYSTEM_ROOT), Some(oem));
        let directory = |name: &str, text: &str| Node::directory(name.into(), shared(text));
        for (name, text) in [
            ("Program Files", defaults::PROGRAM_FILES),
            ("Program Files (x86)", defaults::PROGRAM_FILES),
            ("ProgramData", defaults::PROGRAM_DATA),
            ("Users", defaults::USERS),
            ("Windows", defaults::PROGRAM_FILES),
        ] {
            volume.put(&[], directory(name, text));
        }
        let windows = [Name::from("Windows")];
        volume.put(&windows, directory("System32", defaults::PROGRAM_FILES));
        volume.put(&windows, directory("SysWOW64", defaults::PROGRAM_FILES));
        volume.put(&windows, directory("Temp", defaults::WINDOWS_TEMP));
        let mut files = Files {
            drives: BTreeMap::from([(u16::from(b'C'), volume)]),
            open: BTreeMap::new(),
        };
        let system = Token::system();
        files.put_programs(&system);
        files.put_system(&system);
        for (name, sid) in users {
            let profile = [Name::from("Users"), Name::from(*name)];
            let home = Node::directory((*name).into(), defaults::profile(*sid).into());
            let volume = files
                .drives
                .get_mut(&u16::from(b'C'))
                .expect("it was put there");
            volume.put(&profile[..1], home);
            for below in shipped::OF_PROFILES {
                let path = units(&format!("C:\\Users\\{name}\\{below}"));
                files
                    .make_tree(&Actor::new(&system), &path)
                    .expect("there is a profile");
            }
        }
        files
    }

    /// A drive, by its letter.
    pub fn volume(&self, letter: char) -> Option<&Volume> {
        self.drives.get(&drive_of(letter)?)
    }

    /// A drive, to set it up outside of all rules.
    pub fn volume_mut(&mut self, letter: char) -> Option<&mut Volume> {
        self.drives.get_mut(&drive_of(letter)?)
    }

    /// Puts a volume in place of a drive; none for what is no letter of one.
    pub fn mount(&mut self, letter: char, volume: Volume) -> Option<()> {
        self.drives.insert(drive_of(letter)?, volume);
        Some(())
    }

    /// What is at a path of this drive, to look at outside of all rules.
    pub fn look(&self, path: &str) -> Option<&Node> {
        let token = Token::system();
        match self.find(&Actor::new(&token), &units(path)) {
            Ok(Found::There(spot)) => self.node(&spot),
            _ => None,
        }
    }

    /// The file of a path as its directories spell it; none for a directory or a device.
    pub fn spelled(&self, path: &str) -> Option<String> {
        let token = Token::system();
        match self.find(&Actor::new(&token), &units(path)) {
            Ok(Found::There(spot)) if !self.node(&spot)?.is_directory() => {
                let spelled = super::ntfs::path_of(spot.drive, &spot.place);
                Some(String::from_utf16_lossy(&spelled))
            }
            _ => None,
        }
    }

    /// Puts an empty file at a path outside of all rules, with the descriptor that SYSTEM would give it; none if it
    /// has no place, or there is something.
    #[cfg(any(test, feature = "proptest"))]
    fn plant(&mut self, path: &[u16]) -> Option<()> {
        let token = Token::system();
        let Ok(Found::Free(spot)) = self.find(&Actor::new(&token), path) else {
            return None;
        };
        let (name, above) = spot.place.split_last()?;
        let volume = self.drives.get_mut(&spot.drive)?;
        let own = new_descriptor(&token, volume.at(above)?.descriptor(), false);
        let node = Node::file(name.clone(), own.into(), Content::default());
        volume.put(above, node);
        Some(())
    }

    /// Edits what is at a path outside of all rules, as whoever prepares a lab does; none if nothing is there.
    pub fn edit_outside<R>(
        &mut self,
        path: &[u16],
        edit: impl FnOnce(&mut Node) -> R,
    ) -> Option<R> {
        let token = Token::system();
        match self.find(&Actor::new(&token), path) {
            Ok(Found::There(spot)) => self.edit(&spot, edit),
            _ => None,
        }
    }

    /// Takes away what is at a path outside of all rules, with all below it; whether there was anything.
    pub fn remove_outside(&mut self, path: &[u16]) -> bool {
        let token = Token::system();
        match self.find(&Actor::new(&token), path) {
            Ok(Found::There(spot)) => {
                self.remove(spot.drive, &spot.place, None);
                true
            }
            _ => false,
        }
    }

    /// Directories by any means: those of a path that are missing, with the descriptors that this caller would
    /// give them, and nobody asked. A path of any length.
    ///
    /// # Errors
    /// As CreateDirectory, but for lengths and access.
    pub fn make_tree(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
    ) -> Result<(), CreateDirectoryError> {
        self.make_tree_beyond(actor, path, 0)
    }

    /// The same, on a way that met so many links.
    fn make_tree_beyond(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
        links: usize,
    ) -> Result<(), CreateDirectoryError> {
        let prefixed: Vec<u16> = match super::path::is_prefixed(path) {
            true => path.to_vec(),
            false => {
                let full =
                    super::path::full_path(path, actor.directory, |drive| actor.on_drive(drive))
                        .ok_or(CreateDirectoryError::PathNotFound)?;
                units("\\\\?\\").into_iter().chain(full.path).collect()
            }
        };
        let nt = nt_path(&prefixed, actor.directory, |drive| actor.on_drive(drive))
            .map_err(|_| CreateDirectoryError::FilenameExcedRange)?;
        let Target::Drive {
            letter, components, ..
        } = nt.target
        else {
            return Err(CreateDirectoryError::Directory);
        };
        let volume = self
            .drives
            .get_mut(&letter)
            .ok_or(CreateDirectoryError::PathNotFound)?;
        if !components.iter().all(|name| super::ntfs::is_name(name)) {
            return Err(CreateDirectoryError::InvalidName);
        }
        let names: Vec<Name> = components.iter().map(|name| Name::new(name)).collect();
        let mut there = Vec::new();
        let mut node = volume.root();
        for name in &names {
            match node.entry(name) {
                Some(entry) if entry.link().is_some() => {
                    there.push(entry.name().clone());
                    let target = entry.link().expect("it is one");
                    let (letter, mut way) = link_target(letter, &there, target)
                        .ok_or(CreateDirectoryError::PathNotFound)?;
                    if links == MAX_LINKS {
                        return Err(CreateDirectoryError::CannotResolveFilename);
                    }
                    way.extend(components[there.len()..].iter().cloned());
                    let names: Vec<Name> = way.iter().map(|name| Name::new(name)).collect();
                    let path = units("\\\\?\\").into_iter().chain(path_of(letter, &names));
                    return self.make_tree_beyond(actor, &path.collect::<Vec<_>>(), links + 1);
                }
                Some(entry) if entry.is_directory() => {
                    there.push(entry.name().clone());
                    node = entry;
                }
                Some(_) => return Err(CreateDirectoryError::AlreadyExists),
                None => break,
            }
        }
        let mut descriptor = node.descriptor().clone();
        let missing: Vec<Node> = names[there.len()..]
            .iter()
            .map(|name| {
                descriptor = new_descriptor(actor.token, &descriptor, true).into();
                Node::directory(name.clone(), descriptor.clone())
            })
            .collect();
        let oem = volume.short_names();
        let chain = missing.into_iter().rev().reduce(|below, mut above| {
            above.put(below, oem);
            above
        });
        if let Some(chain) = chain {
            volume.put(&there, chain);
        }
        Ok(())
    }

    fn volume_at(&self, drive: u16) -> &Volume {
        &self.drives[&drive]
    }

    fn node(&self, spot: &Spot) -> Option<&Node> {
        self.drives.get(&spot.drive)?.at(&spot.place)
    }

    /// Where a path leads.
    fn find(&self, actor: &Actor<'_>, path: &[u16]) -> Result<Found, error::Lookup> {
        let nt = nt_path(path, actor.directory, |drive| actor.on_drive(drive))?;
        self.find_nt(nt, actor, true)
    }

    /// The same, but of a link that comes last it is the link itself.
    fn find_itself(&self, actor: &Actor<'_>, path: &[u16]) -> Result<Found, error::Lookup> {
        let nt = nt_path(path, actor.directory, |drive| actor.on_drive(drive))?;
        self.find_nt(nt, actor, false)
    }

    fn find_nt(
        &self,
        nt: NtPath,
        actor: &Actor<'_>,
        follows: bool,
    ) -> Result<Found, error::Lookup> {
        use error::Lookup;
        let (mut letter, mut components, is_directory) = match nt.target {
            Target::Drive {
                letter,
                components,
                is_directory,
            } => (letter, components, is_directory),
            // Below `\\??\\` there is nothing of that name for others to be in.
            Target::Device {
                name,
                directory: None,
            } if name.contains(&BACKSLASH) => return Err(Lookup::PathNotFound),
            Target::Device { name, directory } => {
                if let Some(directory) = directory {
                    let directory = match self.find(actor, &directory) {
                        Ok(Found::There(spot)) => self.node(&spot).is_some_and(Node::is_directory),
                        _ => false,
                    };
                    if !directory {
                        return Err(Lookup::PathNotFound);
                    }
                }
                return Ok(Found::Device(name));
            }
            Target::Unc(_) => return Err(Lookup::BadNetPath),
        };
        let stream = match components.last_mut() {
            Some(last) => stream_of(last)?,
            None => None,
        };
        let mut links = 0;
        let (place, found) = loop {
            let volume = self.drives.get(&letter).ok_or(Lookup::PathNotFound)?;
            match volume.find(&components, follows) {
                Ok(place) => break (place, true),
                Err((super::ntfs::Nowhere::NoName, place)) => break (place, false),
                Err((super::ntfs::Nowhere::NoPath, _)) => return Err(Lookup::PathNotFound),
                Err((super::ntfs::Nowhere::Invalid, _)) => return Err(Lookup::InvalidName),
                Err((super::ntfs::Nowhere::Link, _)) if links == MAX_LINKS => {
                    return Err(Lookup::CannotResolve);
                }
                Err((super::ntfs::Nowhere::Link, place)) => {
                    links += 1;
                    let node = volume.at(&place).expect("it was found");
                    let target = node.link().expect("it is one");
                    let rest = components.split_off(place.len());
                    (letter, components) =
                        link_target(letter, &place, target).ok_or(Lookup::PathNotFound)?;
                    components.extend(rest);
                }
            }
        };
        let volume = &self.drives[&letter];
        let spot = Spot {
            drive: letter,
            place,
            stream,
            is_directory,
        };
        if !actor
            .token
            .enabled
            .has(super::security::Privilege::ChangeNotify)
        {
            self.check_way(actor, &spot)?;
        }
        let is_file = found && !volume.at(&spot.place).is_some_and(Node::is_directory);
        match found {
            // A backslash behind the name of a file.
            true if is_directory && is_file => Err(Lookup::InvalidName),
            true if spot.stream.is_some() && !is_file => Err(Lookup::InvalidName),
            true => Ok(Found::There(spot)),
            false => Ok(Found::Free(spot)),
        }
    }

    /// Asks the directories on the way, which happens to whoever lacks SeChangeNotifyPrivilege.
    fn check_way(&self, actor: &Actor<'_>, spot: &Spot) -> Result<(), error::Lookup> {
        let volume = self.volume_at(spot.drive);
        for depth in 0..spot.place.len() {
            let way = &spot.place[..depth];
            let Some(directory) = volume.at(way) else {
                break;
            };
            let execute = super::security::mask::EXECUTE;
            let granted = super::security::access_check(
                actor.token,
                directory.descriptor(),
                super::security::Kind::File,
                execute,
            );
            granted.map_err(|refusal| {
                error::Lookup::Denied(Box::new(self.why(spot.drive, way, refusal)))
            })?;
        }
        Ok(())
    }

    /// Why an access to what is at a place was refused, with where an entry that denies comes from.
    fn why(&self, drive: u16, place: &[Name], mut refusal: Refusal) -> Why {
        refusal.find_origin(|ace| self.origin(drive, place, ace));
        Why::Access {
            path: path_of(drive, place),
            refusal,
        }
    }

    /// Where an inherited entry comes from: the nearest directory above that has it as its own.
    fn origin(&self, drive: u16, place: &[Name], ace: &Ace) -> Option<Arc<str>> {
        let volume = self.volume_at(drive);
        let above = (0..place.len()).rev().map(|depth| &place[..depth]);
        let mut above = above.filter_map(|place| Some((place, volume.at(place)?)));
        let (place, _) = above.find(|(_, node)| {
            let mut own = node.descriptor().aces().unwrap_or_default().iter();
            own.any(|own| own.is_origin_of(ace, Kind::File))
        })?;
        Some(String::from_utf16_lossy(&path_of(drive, place)).into())
    }

    fn edit<R>(&mut self, spot: &Spot, edit: impl FnOnce(&mut Node) -> R) -> Option<R> {
        self.drives.get_mut(&spot.drive)?.edit(&spot.place, edit)
    }
}

/// How many links a path may meet (documentation of reparse points).
const MAX_LINKS: usize = 63;

/// Where a link at a place leads: a drive and the components on it. Of devices and shares nothing is known.
fn link_target(drive: u16, place: &[Name], target: &[u16]) -> Option<(u16, Vec<Vec<u16>>)> {
    let (_, above) = place.split_last()?;
    let full = super::path::full_path(target, &path_of(drive, above), |_| None)?.path;
    match full.as_slice() {
        [letter, colon, BACKSLASH, rest @ ..] if *colon == u16::from(b':') => {
            let components = rest.split(|unit| *unit == BACKSLASH);
            let components = components.filter(|component| !component.is_empty());
            let letter = super::text::upcase(*letter);
            Some((letter, components.map(<[u16]>::to_vec).collect()))
        }
        _ => None,
    }
}

fn new_descriptor(
    token: &Token,
    parent: &super::security::Descriptor,
    is_container: bool,
) -> super::security::Descriptor {
    created(token, parent, None, is_container)
}

fn created(
    token: &Token,
    parent: &super::security::Descriptor,
    creator: Option<&super::security::Descriptor>,
    is_container: bool,
) -> super::security::Descriptor {
    NewObject {
        parent: Some(parent),
        creator,
        is_container,
        kind: super::security::Kind::File,
        owner: token.owner,
        group: token.group,
        default_dacl: token.default_dacl.as_ref(),
    }
    .descriptor()
}

fn drive_of(letter: char) -> Option<u16> {
    letter
        .is_ascii_alphabetic()
        .then(|| u16::from(letter.to_ascii_uppercase() as u8))
}

/// Takes the stream off a last component: `name:stream`, `name:stream:$DATA`, `name::$DATA`.
fn stream_of(last: &mut Vec<u16>) -> Result<Option<Name>, error::Lookup> {
    let Some(colon) = last.iter().position(|unit| *unit == u16::from(b':')) else {
        return Ok(None);
    };
    let behind: Vec<Vec<u16>> = last[colon + 1..]
        .split(|unit| *unit == u16::from(b':'))
        .map(<[u16]>::to_vec)
        .collect();
    last.truncate(colon);
    let is_data = |kind: &[u16]| Name::new(kind).folded() == units("$DATA");
    match &behind[..] {
        [name] if super::ntfs::is_name(name) => Ok(Some(Name::new(name))),
        [name, kind] if name.is_empty() && is_data(kind) => Ok(None),
        [name, kind] if super::ntfs::is_name(name) && is_data(kind) => Ok(Some(Name::new(name))),
        _ => Err(error::Lookup::InvalidName),
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for volume in self.drives.values() {
            volume.fmt(f)?;
        }
        f.debug_map().entries(&self.open).finish()
    }
}

impl Default for OpenRequest<'_> {
    /// Reading what is there, shared for reading.
    fn default() -> Self {
        OpenRequest {
            access: Mask(0x8000_0000),
            share: Share::READ,
            disposition: CreateDisposition::OpenExisting,
            attributes: Attributes::NORMAL,
            backup_semantics: false,
            delete_on_close: false,
            descriptor: None,
        }
    }
}

/// Bytes as a content.
pub fn content(bytes: &[u8]) -> Content {
    bytes.into()
}
