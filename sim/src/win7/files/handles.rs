//! Open files: CreateFile, ReadFile, WriteFile, CloseHandle, and who shares with whom.

use super::error::{CloseError, Failure, Lookup, OpenError, TransferError, Why};
use super::{Actor, Files, Found, Spot, created};
use crate::win7::ntfs::{Attributes, Content, Node, Place};
use crate::win7::registry::Name;
use crate::win7::security::mask::{
    ACCESS_SYSTEM_SECURITY, ADD_FILE, APPEND_DATA, DELETE, EXECUTE, GENERIC_WRITE, READ_DATA,
    WRITE_ATTRIBUTES, WRITE_DAC, WRITE_DATA, WRITE_EA, WRITE_OWNER,
};
use crate::win7::security::{
    Descriptor, Kind, Mask, Privilege, Token, access_check_beyond, file_access_check_beyond,
};

/// An open file, by the number that the program sees: the lowest that is free, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileHandle(pub u32);

/// What others may do with a file while it is open: FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_SHARE_DELETE.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Share(pub u32);

impl Share {
    /// Nothing.
    pub const NONE: Share = Share(0);
    /// Reading.
    pub const READ: Share = Share(1);
    /// Writing.
    pub const WRITE: Share = Share(2);
    /// Deleting and moving.
    pub const DELETE: Share = Share(4);
    /// All of it.
    pub const ALL: Share = Share(7);

    /// Whether all of this access is shared.
    fn admits(self, access: Mask) -> bool {
        let needs = [
            (READ_DATA | EXECUTE, Share::READ),
            (WRITE_DATA | APPEND_DATA, Share::WRITE),
            (DELETE, Share::DELETE),
        ];
        needs
            .iter()
            .all(|(rights, share)| !access.meets(*rights) || self.0 & share.0 != 0)
    }
}

/// What CreateFile does with what is there or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CreateDisposition {
    /// CREATE_NEW: it must not be there.
    CreateNew = 1,
    /// CREATE_ALWAYS: empty, there or not.
    CreateAlways = 2,
    /// OPEN_EXISTING: it must be there.
    OpenExisting = 3,
    /// OPEN_ALWAYS: as it is, or empty.
    OpenAlways = 4,
    /// TRUNCATE_EXISTING: it must be there, and is emptied.
    TruncateExisting = 5,
}

/// What a program asks of CreateFile.
#[derive(Clone, Copy, Debug)]
pub struct OpenRequest<'a> {
    /// The access.
    pub access: Mask,
    /// What others may do meanwhile.
    pub share: Share,
    /// What happens to what is there or not.
    pub disposition: CreateDisposition,
    /// The attributes of what is created or overwritten.
    pub attributes: Attributes,
    /// FILE_FLAG_BACKUP_SEMANTICS: directories too, and with the privileges for backups.
    pub backup_semantics: bool,
    /// FILE_FLAG_DELETE_ON_CLOSE.
    pub delete_on_close: bool,
    /// The descriptor of what is created.
    pub descriptor: Option<&'a Descriptor>,
}

impl OpenRequest<'_> {
    /// Writing, with everything replaced that was there: what most programs do to write a file.
    pub fn overwriting() -> OpenRequest<'static> {
        OpenRequest {
            access: GENERIC_WRITE,
            disposition: CreateDisposition::CreateAlways,
            ..OpenRequest::default()
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct OpenFile {
    drive: u16,
    /// None for a device.
    place: Option<Place>,
    stream: Option<Name>,
    access: Mask,
    share: Share,
    delete_on_close: bool,
}

impl OpenFile {
    fn is_at(&self, drive: u16, place: &[Name]) -> bool {
        let own = self.place.as_deref();
        self.drive == drive && own.is_some_and(|own| same_place(own, place))
    }

    fn is_below(&self, drive: u16, place: &[Name]) -> bool {
        let own = self.place.as_deref();
        let above = own.and_then(|own| own.get(..place.len()));
        self.drive == drive && above.is_some_and(|above| same_place(above, place))
    }
}

pub(super) fn same_place(one: &[Name], other: &[Name]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.same_as(other))
}

impl Files {
    /// CreateFile. Beside the handle: whether there was something (ERROR_ALREADY_EXISTS after a success).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
        request: OpenRequest<'_>,
    ) -> Result<(FileHandle, bool), Failure<OpenError>> {
        use CreateDisposition::*;
        let access = request.access;
        if request.disposition == TruncateExisting && !access.has(GENERIC_WRITE) {
            return Err(OpenError::InvalidParameter.into());
        }
        let spot = match self.find(actor, path).map_err(open_error)? {
            Found::Device(name) => {
                return match is_there(&name) {
                    true => Ok((self.add_device(Kind::File.map(access)), true)),
                    false => Err(OpenError::FileNotFound.into()),
                };
            }
            Found::There(spot) => spot,
            Found::Free(spot) => {
                return match request.disposition {
                    OpenExisting | TruncateExisting => Err(OpenError::FileNotFound.into()),
                    // A file does not become a directory by a backslash.
                    _ if spot.is_directory => Err(OpenError::InvalidName.into()),
                    _ => Ok((self.create(actor, spot, &request)?, false)),
                };
            }
        };
        let node = self.node(&spot).expect("it was found");
        let has_stream = spot
            .stream
            .as_ref()
            .is_none_or(|stream| node.stream(stream).is_some());
        match (request.disposition, has_stream) {
            (CreateNew, true) => return Err(OpenError::FileExists.into()),
            (OpenExisting | TruncateExisting, false) => return Err(OpenError::FileNotFound.into()),
            _ => {}
        }
        if node.is_directory() {
            if request.disposition != OpenExisting && request.disposition != OpenAlways
                || !request.backup_semantics
            {
                return Err(Failure::new(OpenError::AccessDenied, Why::IsDirectory));
            }
        } else if spot.is_directory {
            return Err(OpenError::InvalidName.into());
        }
        let overwrites =
            matches!(request.disposition, CreateAlways | TruncateExisting) || !has_stream;
        let mut desired = access;
        if overwrites && spot.stream.is_none() {
            desired |= WRITE_DATA | WRITE_EA | WRITE_ATTRIBUTES;
            let kept = [Attributes::HIDDEN, Attributes::SYSTEM]
                .into_iter()
                .any(|one| node.attributes().has(one) && !request.attributes.has(one));
            if kept && request.disposition == CreateAlways {
                return Err(Failure::new(OpenError::AccessDenied, Why::Hidden));
            }
        }
        if request.delete_on_close {
            desired |= DELETE;
        }
        let writes = Kind::File.map(desired).meets(WRITE_DATA | APPEND_DATA);
        let is_read_only = node.attributes().has(Attributes::READONLY) && !node.is_directory();
        if is_read_only && (writes || request.delete_on_close) {
            return Err(Failure::new(OpenError::AccessDenied, Why::ReadOnly));
        }
        let granted = self.may(actor.token, &spot, desired, request.backup_semantics)?;
        // What overwriting asks for beside is not granted to the handle.
        let asked = Kind::File.map(access);
        let granted = match asked.has(crate::win7::security::mask::MAXIMUM_ALLOWED) {
            true => granted,
            false => {
                granted
                    & (asked
                        | if request.delete_on_close {
                            DELETE
                        } else {
                            Mask::NONE
                        })
            }
        };
        let shared = granted | if overwrites { WRITE_DATA } else { Mask::NONE };
        self.share(&spot, shared, request.share)
            .map_err(|why| sharing(why, OpenError::SharingViolation, OpenError::AccessDenied))?;
        if overwrites {
            let attributes = request.attributes.with(Attributes::ARCHIVE);
            let is_whole = spot.stream.is_none() && request.disposition == CreateAlways;
            let node = self.node(&spot).expect("it was found");
            let freed = match &spot.stream {
                None => node.len_in_bytes(),
                Some(stream) => node.stream(stream).map(|old| old.len() as u64),
            };
            let volume = self.drives.get_mut(&spot.drive).expect("it was found");
            if let (Some(free), Some(freed)) = (&mut volume.free, freed) {
                *free += freed;
            }
            self.edit(&spot, |node| {
                node.set_content(spot.stream.as_ref(), Content::default());
                if is_whole {
                    node.set_attributes(attributes);
                }
            });
        }
        let existed = has_stream;
        let handle = self.add(OpenFile {
            drive: spot.drive,
            place: Some(spot.place),
            stream: spot.stream,
            access: granted,
            share: request.share,
            delete_on_close: request.delete_on_close,
        });
        Ok((handle, existed))
    }

    fn create(
        &mut self,
        actor: &Actor<'_>,
        spot: Spot,
        request: &OpenRequest<'_>,
    ) -> Result<FileHandle, Failure<OpenError>> {
        let (name, above) = spot.place.split_last().expect("the root is there");
        let backup = if request.backup_semantics {
            backup_rights(actor.token)
        } else {
            Mask::NONE
        };
        let parent = self
            .volume_at(spot.drive)
            .at(above)
            .expect("what is free is in a directory");
        let granted = access_check_beyond(
            actor.token,
            parent.descriptor(),
            Kind::File,
            ADD_FILE,
            backup,
        );
        granted.map_err(|refusal| {
            let error = refusal.error().into();
            Failure::new(error, self.why(spot.drive, above, refusal))
        })?;
        let audits = request
            .descriptor
            .and_then(|given| given.sacl.as_ref())
            .is_some_and(|acl| {
                acl.entries()
                    .iter()
                    .any(|ace| ace.kind != crate::win7::security::AceType::Label)
            });
        if audits && !actor.token.enabled.has(Privilege::Security) {
            return Err(OpenError::PrivilegeNotHeld.into());
        }
        let descriptor = created(actor.token, parent.descriptor(), request.descriptor, false);
        let mut node = Node::file(name.clone(), descriptor.into(), Content::default());
        node.set_attributes(request.attributes.with(Attributes::ARCHIVE));
        if let Some(stream) = &spot.stream {
            node.set_content(Some(stream), Content::default());
        }
        let above = above.to_vec();
        self.drives
            .get_mut(&spot.drive)
            .expect("the drive was found")
            .put(&above, node);
        let asked = Kind::File.map(request.access);
        // Whoever creates a file gets what it asks for, whatever the new descriptor says.
        let access = match asked.has(crate::win7::security::mask::MAXIMUM_ALLOWED) {
            true => Kind::File.all(),
            false => asked,
        };
        Ok(self.add(OpenFile {
            drive: spot.drive,
            place: Some(spot.place),
            stream: spot.stream,
            access,
            share: request.share,
            delete_on_close: request.delete_on_close,
        }))
    }

    /// ReadFile, of all that is there.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub fn read(&self, handle: FileHandle) -> Result<Content, TransferError> {
        let open = self.open.get(&handle).ok_or(TransferError::InvalidHandle)?;
        if !open.access.has(READ_DATA) {
            return Err(TransferError::AccessDenied);
        }
        Ok(self.content_of(open).unwrap_or_default())
    }

    fn content_of(&self, open: &OpenFile) -> Option<Content> {
        let node = self.drives.get(&open.drive)?.at(open.place.as_ref()?)?;
        match &open.stream {
            None => node.content().cloned(),
            Some(stream) => node.stream(stream).cloned(),
        }
    }

    /// WriteFile at an offset in bytes; what lies between the end and the offset becomes zeros.
    ///
    /// # Errors
    /// See [`TransferError`]. Nothing is written if the volume has no room for all of it.
    pub fn write(
        &mut self,
        handle: FileHandle,
        at: usize,
        bytes: &[u8],
    ) -> Result<(), TransferError> {
        let open = self.open.get(&handle).ok_or(TransferError::InvalidHandle)?;
        if !open.access.has(WRITE_DATA) && !open.access.has(APPEND_DATA) {
            return Err(TransferError::AccessDenied);
        }
        let Some(place) = open.place.clone() else {
            return Ok(());
        };
        let (drive, stream) = (open.drive, open.stream.clone());
        let old = self.content_of(open).unwrap_or_default();
        // With FILE_APPEND_DATA alone every write goes to the end.
        let at = match open.access.has(WRITE_DATA) {
            true => at,
            false => old.len(),
        };
        let end = at.checked_add(bytes.len()).ok_or(TransferError::DiskFull)?;
        let grown = end.saturating_sub(old.len()) as u64;
        let volume = self.drives.get_mut(&drive).expect("the file is open");
        if let Some(free) = &mut volume.free {
            *free = free.checked_sub(grown).ok_or(TransferError::DiskFull)?;
        }
        let mut new = old.to_vec();
        new.resize(new.len().max(end), 0);
        new[at..end].copy_from_slice(bytes);
        volume.edit(&place, |node| node.set_content(stream.as_ref(), new.into()));
        Ok(())
    }

    /// CloseHandle. The last handle of a file that is to be deleted takes it away.
    ///
    /// # Errors
    /// If the handle is none.
    pub fn close(&mut self, handle: FileHandle) -> Result<(), CloseError> {
        let open = self.open.remove(&handle).ok_or(CloseError::InvalidHandle)?;
        let Some(place) = &open.place else {
            return Ok(());
        };
        let mut others = self
            .open
            .values_mut()
            .filter(|other| other.is_at(open.drive, place))
            .peekable();
        if !open.delete_on_close {
            return Ok(());
        }
        if others.peek().is_some() {
            // It is pending until the last of them goes.
            others.for_each(|other| other.delete_on_close = true);
            return Ok(());
        }
        self.remove(open.drive, place, open.stream.as_ref());
        Ok(())
    }

    /// The handles that are open, in order.
    pub fn handles(&self) -> impl Iterator<Item = FileHandle> {
        self.open.keys().copied()
    }

    /// The access that a handle has.
    pub fn access_of(&self, handle: FileHandle) -> Option<Mask> {
        Some(self.open.get(&handle)?.access)
    }

    /// Writes a file as most programs do: CreateFile with CREATE_ALWAYS, WriteFile, CloseHandle.
    ///
    /// # Errors
    /// See [`OpenError`]; the file is there and empty if the volume is full.
    pub fn write_file(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
        bytes: &[u8],
    ) -> Result<(), Failure<OpenError>> {
        let (handle, _) = self.open(actor, path, OpenRequest::overwriting())?;
        let written = self.write(handle, 0, bytes);
        self.close(handle).expect("it is open");
        written.map_err(|error| match error {
            TransferError::DiskFull => OpenError::DiskFull.into(),
            _ => OpenError::AccessDenied.into(),
        })
    }

    /// Reads a file as most programs do: CreateFile, ReadFile, CloseHandle.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn read_file(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
    ) -> Result<Content, Failure<OpenError>> {
        let request = OpenRequest {
            share: Share::ALL,
            ..OpenRequest::default()
        };
        let (handle, _) = self.open(actor, path, request)?;
        let content = self.read(handle);
        self.close(handle).expect("it is open");
        content.map_err(|_| OpenError::AccessDenied.into())
    }

    /// Takes a file, or a stream of it, off its volume.
    pub(super) fn remove(&mut self, drive: u16, place: &[Name], stream: Option<&Name>) {
        let Some(volume) = self.drives.get_mut(&drive) else {
            return;
        };
        match stream {
            Some(stream) => {
                volume.edit(place, |node| node.delete_stream(stream));
            }
            None => {
                let freed = volume.take(place).and_then(|node| node.len_in_bytes());
                if let (Some(free), Some(freed)) = (&mut volume.free, freed) {
                    *free += freed;
                }
            }
        }
    }

    /// Whether a token gets this access to what is at a spot.
    pub(super) fn may(
        &self,
        token: &Token,
        spot: &Spot,
        desired: Mask,
        for_backup: bool,
    ) -> Result<Mask, Failure<OpenError>> {
        self.may_have(token, spot, desired, for_backup)
            .map_err(|(error, why)| Failure::new(error, why))
    }

    pub(super) fn may_have(
        &self,
        token: &Token,
        spot: &Spot,
        desired: Mask,
        for_backup: bool,
    ) -> Result<Mask, (OpenError, Box<Why>)> {
        let volume = self.volume_at(spot.drive);
        let node = volume.at(&spot.place).expect("it was found");
        let parent = spot
            .place
            .split_last()
            .and_then(|(_, above)| volume.at(above))
            .map(|parent| &**parent.descriptor());
        let before = if for_backup {
            backup_rights(token)
        } else {
            Mask::NONE
        };
        file_access_check_beyond(token, node.descriptor(), parent, desired, before).map_err(
            |refusal| {
                (
                    refusal.error().into(),
                    Box::new(self.why(spot.drive, &spot.place, refusal)),
                )
            },
        )
    }

    /// Whether those who have it open share it so, and whether this one shares with them.
    pub(super) fn share(&self, spot: &Spot, access: Mask, share: Share) -> Result<(), Box<Why>> {
        let counted = READ_DATA | EXECUTE | WRITE_DATA | APPEND_DATA | DELETE;
        for (handle, other) in &self.open {
            if !other.is_at(spot.drive, &spot.place) {
                continue;
            }
            if other.delete_on_close {
                return Err(Box::new(Why::DeletePending));
            }
            // Streams of a file are shared each by itself; deleting is about the whole file.
            let is_other_stream = other.stream != spot.stream && !access.has(DELETE);
            if is_other_stream || !access.meets(counted) || !other.access.meets(counted) {
                continue;
            }
            if !other.share.admits(access) || !share.admits(other.access) {
                return Err(Box::new(Why::Shared { with: *handle }));
            }
        }
        Ok(())
    }

    /// Whether something at or below a place is open.
    pub(super) fn is_open_below(&self, drive: u16, place: &[Name]) -> bool {
        self.open.values().any(|open| open.is_below(drive, place))
    }

    /// What is open at a place moves with it.
    pub(super) fn moved(&mut self, drive: u16, from: &[Name], to: &[Name]) {
        for open in self.open.values_mut() {
            if open.is_at(drive, from) {
                open.place = Some(to.to_vec());
            }
        }
    }

    /// Marks those who have it open: it goes with the last. Whether there is anybody.
    pub(super) fn delete_later(&mut self, spot: &Spot) -> bool {
        let mut is_open = false;
        for open in self.open.values_mut() {
            if open.is_at(spot.drive, &spot.place) {
                open.delete_on_close = true;
                is_open = true;
            }
        }
        is_open
    }

    fn add_device(&mut self, access: Mask) -> FileHandle {
        self.add(OpenFile {
            drive: 0,
            place: None,
            stream: None,
            access,
            share: Share::ALL,
            delete_on_close: false,
        })
    }

    fn add(&mut self, open: OpenFile) -> FileHandle {
        let taken = self.open.keys().map(|handle| handle.0);
        let before = taken
            .zip(1..)
            .take_while(|(taken, free)| taken == free)
            .count();
        let handle = FileHandle(before as u32 + 1);
        self.open.insert(handle, open);
        handle
    }
}

/// The devices that every machine has. (Ports are there if the hardware is; this one has none.)
fn is_there(name: &[u16]) -> bool {
    let name = Name::new(name);
    ["NUL", "CON", "CONIN$", "CONOUT$"]
        .iter()
        .any(|there| name.same_as(&Name::from(*there)))
}

/// What the privileges for backups give beforehand (documentation of SeBackupPrivilege, SeRestorePrivilege).
fn backup_rights(token: &Token) -> Mask {
    let mut rights = Mask::NONE;
    if token.enabled.has(Privilege::Backup) {
        rights |= Kind::File.read() | EXECUTE | ACCESS_SYSTEM_SECURITY;
    }
    if token.enabled.has(Privilege::Restore) {
        rights |= Kind::File.write() | WRITE_DAC | WRITE_OWNER | DELETE | ACCESS_SYSTEM_SECURITY;
    }
    rights
}

fn open_error(lookup: Lookup) -> Failure<OpenError> {
    lookup.into()
}

/// The failure of a sharing check: what is about to go is no more to be had.
pub(super) fn sharing<E>(why: Box<Why>, violation: E, denied: E) -> Failure<E> {
    match *why {
        Why::DeletePending => Failure::new(denied, why),
        _ => Failure::new(violation, why),
    }
}
