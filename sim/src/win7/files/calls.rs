//! Calls by path: directories, deleting, attributes, listing, moving.

use super::error::{
    AttributesError, CreateDirectoryError, CurrentDirectoryError, DeleteError, Failure, ListError,
    Lookup, MoveError, RemoveDirectoryError, Why,
};
use super::handles::{Share, sharing};
use super::{Actor, Files, Found, Spot, created};
use crate::win7::ntfs::{Attributes, Node};
use crate::win7::path::{MAX_NEW_DIRECTORY, MAX_PATH, Target, nt_path};
use crate::win7::registry::Name;
use crate::win7::security::mask::{
    ADD_FILE, ADD_SUBDIRECTORY, DELETE, EXECUTE, LIST_DIRECTORY, READ_ATTRIBUTES, WRITE_ATTRIBUTES,
};
use crate::win7::security::{Descriptor, Kind, Mask, access_check};

/// An entry of a directory, as FindNextFile gives it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Entry {
    /// The name.
    pub name: Name,
    /// The short name, if it has one beside that.
    pub short_name: Option<Name>,
    /// The attributes.
    pub attributes: Attributes,
    /// How many bytes it holds.
    pub len: u64,
}

impl Files {
    /// CreateDirectory.
    ///
    /// # Errors
    /// See [`CreateDirectoryError`].
    pub fn create_directory(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
        creator: Option<&Descriptor>,
    ) -> Result<(), Failure<CreateDirectoryError>> {
        let nt =
            nt_path(path, actor.directory, |drive| actor.on_drive(drive)).map_err(Lookup::from)?;
        let is_drive = matches!(nt.target, Target::Drive { .. });
        if is_drive && !nt.is_prefixed && nt.full.len() > MAX_NEW_DIRECTORY {
            return Err(CreateDirectoryError::FilenameExcedRange.into());
        }
        let spot = match self.find_nt(nt, actor, false)? {
            Found::Device(_) => return Err(CreateDirectoryError::Directory.into()),
            Found::There(_) => return Err(CreateDirectoryError::AlreadyExists.into()),
            Found::Free(spot) => spot,
        };
        if spot.stream.is_some() {
            return Err(CreateDirectoryError::InvalidName.into());
        }
        let (name, above) = spot.place.split_last().expect("the root is there");
        let parent = self
            .volume_at(spot.drive)
            .at(above)
            .expect("what is free is in a directory");
        access_check(
            actor.token,
            parent.descriptor(),
            Kind::File,
            ADD_SUBDIRECTORY,
        )
        .map_err(|refusal| {
            let why = self.why(spot.drive, above, refusal);
            Failure::new(CreateDirectoryError::AccessDenied, why)
        })?;
        let descriptor = created(actor.token, parent.descriptor(), creator, true);
        let node = Node::directory(name.clone(), descriptor.into());
        let volume = self.drives.get_mut(&spot.drive).expect("it was found");
        volume.put(above, node);
        Ok(())
    }

    /// RemoveDirectory.
    ///
    /// # Errors
    /// See [`RemoveDirectoryError`].
    pub fn remove_directory(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
    ) -> Result<(), Failure<RemoveDirectoryError>> {
        use RemoveDirectoryError as E;
        let spot = match self.find_itself(actor, path)? {
            Found::There(spot) => spot,
            Found::Free(_) => return Err(E::FileNotFound.into()),
            Found::Device(_) => return Err(E::Directory.into()),
        };
        let node = self.node(&spot).expect("it was found");
        if !node.is_directory() {
            return Err(E::Directory.into());
        }
        if spot.place.is_empty() {
            return Err(Failure::new(E::AccessDenied, Why::Root));
        }
        let (is_empty, is_read_only) =
            (node.is_empty(), node.attributes().has(Attributes::READONLY));
        self.may_have(actor.token, &spot, DELETE, false)
            .map_err(|(_, why)| Failure::new(E::AccessDenied, why))?;
        self.share(&spot, DELETE, Share::ALL)
            .map_err(|why| sharing(why, E::SharingViolation, E::AccessDenied))?;
        if is_read_only {
            return Err(Failure::new(E::AccessDenied, Why::ReadOnly));
        }
        if !is_empty {
            return Err(E::DirNotEmpty.into());
        }
        if !self.delete_later(&spot) {
            self.remove(spot.drive, &spot.place, None);
        }
        Ok(())
    }

    /// DeleteFile. What is open and shared for deleting goes when its last handle is closed.
    ///
    /// # Errors
    /// See [`DeleteError`].
    pub fn delete_file(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
    ) -> Result<(), Failure<DeleteError>> {
        use DeleteError as E;
        let spot = match self.find_itself(actor, path)? {
            Found::There(spot) => spot,
            Found::Free(_) => return Err(E::FileNotFound.into()),
            Found::Device(_) => return Err(E::AccessDenied.into()),
        };
        let node = self.node(&spot).expect("it was found");
        if node.is_directory() {
            return Err(Failure::new(E::AccessDenied, Why::IsDirectory));
        }
        if let Some(stream) = &spot.stream
            && node.stream(stream).is_none()
        {
            return Err(E::FileNotFound.into());
        }
        let is_read_only = node.attributes().has(Attributes::READONLY);
        self.may_have(actor.token, &spot, DELETE, false)
            .map_err(|(_, why)| Failure::new(E::AccessDenied, why))?;
        self.share(&spot, DELETE, Share::ALL)
            .map_err(|why| sharing(why, E::SharingViolation, E::AccessDenied))?;
        if is_read_only {
            return Err(Failure::new(E::AccessDenied, Why::ReadOnly));
        }
        if spot.stream.is_some() || !self.delete_later(&spot) {
            self.remove(spot.drive, &spot.place, spot.stream.as_ref());
        }
        Ok(())
    }

    /// GetFileAttributes. A device that is named as a file has [`Attributes::ARCHIVE`].
    ///
    /// # Errors
    /// See [`AttributesError`].
    pub fn attributes(
        &self,
        actor: &Actor<'_>,
        path: &[u16],
    ) -> Result<Attributes, Failure<AttributesError>> {
        match self.there(actor, path)? {
            None => Ok(Attributes::ARCHIVE),
            Some(spot) => {
                self.may_have(actor.token, &spot, READ_ATTRIBUTES, false)
                    .map_err(|(_, why)| Failure::new(AttributesError::AccessDenied, why))?;
                Ok(self.node(&spot).expect("it was found").attributes())
            }
        }
    }

    /// SetFileAttributes. Those that are no matter of this call are passed over.
    ///
    /// # Errors
    /// See [`AttributesError`].
    pub fn set_attributes(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
        attributes: Attributes,
    ) -> Result<(), Failure<AttributesError>> {
        let Some(spot) = self.there(actor, path)? else {
            return Err(AttributesError::FileNotFound.into());
        };
        self.may_have(actor.token, &spot, WRITE_ATTRIBUTES, false)
            .map_err(|(_, why)| Failure::new(AttributesError::AccessDenied, why))?;
        self.edit(&spot, |node| node.set_attributes(attributes));
        Ok(())
    }

    fn there(
        &self,
        actor: &Actor<'_>,
        path: &[u16],
    ) -> Result<Option<Spot>, Failure<AttributesError>> {
        match self.find_itself(actor, path)? {
            Found::There(spot) => Ok(Some(spot)),
            Found::Free(_) => Err(AttributesError::FileNotFound.into()),
            Found::Device(_) => Ok(None),
        }
    }

    /// SetCurrentDirectory: the full path that the process has from now on, without a backslash behind it but
    /// for a root.
    ///
    /// # Errors
    /// See [`CurrentDirectoryError`].
    pub fn current_directory(
        &self,
        actor: &Actor<'_>,
        path: &[u16],
    ) -> Result<Vec<u16>, Failure<CurrentDirectoryError>> {
        use CurrentDirectoryError as E;
        let nt =
            nt_path(path, actor.directory, |drive| actor.on_drive(drive)).map_err(Lookup::from)?;
        let mut full = nt.full.clone();
        let spot = match self.find_nt(nt, actor, true)? {
            Found::There(spot) => spot,
            Found::Free(_) => return Err(E::FileNotFound.into()),
            Found::Device(_) => return Err(E::Directory.into()),
        };
        if full.len() > 3 && full.last() == Some(&crate::win7::path::BACKSLASH) {
            full.pop();
        }
        // Room for a backslash and the NUL.
        if full.len() + 2 > MAX_PATH {
            return Err(E::FilenameExcedRange.into());
        }
        if !self.node(&spot).expect("it was found").is_directory() {
            return Err(E::Directory.into());
        }
        self.may_have(actor.token, &spot, EXECUTE, false)
            .map_err(|(_, why)| Failure::new(E::AccessDenied, why))?;
        Ok(full)
    }

    /// FindFirstFile and FindNextFile: what is in a directory, in the order of names.
    ///
    /// # Errors
    /// See [`ListError`].
    pub fn list(&self, actor: &Actor<'_>, path: &[u16]) -> Result<Vec<Entry>, Failure<ListError>> {
        let spot = match self.find(actor, path)? {
            Found::There(spot) => spot,
            Found::Free(_) => return Err(ListError::PathNotFound.into()),
            Found::Device(_) => return Err(ListError::Directory.into()),
        };
        let node = self.node(&spot).expect("it was found");
        if !node.is_directory() {
            return Err(ListError::Directory.into());
        }
        self.may_have(actor.token, &spot, LIST_DIRECTORY, false)
            .map_err(|(_, why)| Failure::new(ListError::AccessDenied, why))?;
        let entry = |node: &Node| Entry {
            name: node.name().clone(),
            short_name: node.short_name().cloned(),
            attributes: node.attributes(),
            len: node.len_in_bytes().unwrap_or(0),
        };
        Ok(node.entries().map(entry).collect())
    }

    /// MoveFileEx on one volume. The descriptor goes along as it is, inherited entries and all, until someone
    /// propagates the new directory's.
    ///
    /// # Errors
    /// See [`MoveError`].
    pub fn rename(
        &mut self,
        actor: &Actor<'_>,
        from: &[u16],
        to: &[u16],
        replace: bool,
    ) -> Result<(), Failure<MoveError>> {
        use MoveError as E;
        let source = match self.find_itself(actor, from)? {
            Found::There(spot) if spot.stream.is_none() => spot,
            Found::There(_) => return Err(E::InvalidName.into()),
            Found::Free(_) => return Err(E::FileNotFound.into()),
            Found::Device(_) => return Err(E::AccessDenied.into()),
        };
        if source.place.is_empty() {
            return Err(Failure::new(E::AccessDenied, Why::Root));
        }
        self.may_have(actor.token, &source, DELETE, false)
            .map_err(|(_, why)| Failure::new(E::AccessDenied, why))?;
        self.share(&source, DELETE, Share::ALL)
            .map_err(|why| sharing(why, E::SharingViolation, E::AccessDenied))?;
        let is_directory = self.node(&source).expect("it was found").is_directory();
        let (target, old) = match self.find_itself(actor, to)? {
            Found::Device(_) => return Err(E::AccessDenied.into()),
            Found::Free(spot) => (spot, None),
            Found::There(spot) => {
                let is_same = spot.drive == source.drive
                    && super::handles::same_place(&spot.place, &source.place);
                match (is_same, replace) {
                    (true, _) => (spot, None),
                    (false, false) => return Err(E::AlreadyExists.into()),
                    (false, true) => {
                        let node = self.node(&spot).expect("it was found");
                        let is_read_only = node.attributes().has(Attributes::READONLY);
                        if node.is_directory() || is_directory {
                            return Err(Failure::new(E::AccessDenied, Why::IsDirectory));
                        }
                        if is_read_only {
                            return Err(Failure::new(E::AccessDenied, Why::ReadOnly));
                        }
                        self.may_have(actor.token, &spot, DELETE, false)
                            .map_err(|(_, why)| Failure::new(E::AccessDenied, why))?;
                        if self.is_open_below(spot.drive, &spot.place) {
                            return Err(Failure::new(E::AccessDenied, Why::InUse));
                        }
                        let old = spot.place.clone();
                        (spot, Some(old))
                    }
                }
            }
        };
        if target.stream.is_some() {
            return Err(E::InvalidName.into());
        }
        if target.drive != source.drive {
            return Err(E::NotSameDevice.into());
        }
        let Some((_, above)) = target.place.split_last() else {
            return Err(Failure::new(E::AccessDenied, Why::Root));
        };
        let is_below = target.place.len() > source.place.len()
            && super::handles::same_place(&target.place[..source.place.len()], &source.place);
        if is_below {
            return Err(E::SharedBelow.into());
        }
        let right: Mask = if is_directory {
            ADD_SUBDIRECTORY
        } else {
            ADD_FILE
        };
        let parent = self.volume_at(target.drive).at(above);
        let parent = parent.expect("what is free is in a directory");
        access_check(actor.token, parent.descriptor(), Kind::File, right).map_err(|refusal| {
            Failure::new(E::AccessDenied, self.why(target.drive, above, refusal))
        })?;
        if is_directory && self.is_open_below(source.drive, &source.place) {
            return Err(Failure::new(E::AccessDenied, Why::InUse));
        }
        // The path says how it is spelled from now on; where there is something, the place does not.
        let name = self.last_name(actor, to).unwrap_or_else(|| {
            target
                .place
                .last()
                .cloned()
                .expect("it is below a directory")
        });
        let above = above.to_vec();
        let volume = self.drives.get_mut(&source.drive).expect("it was found");
        if let Some(old) = old {
            volume.take(&old);
        }
        let node = volume.take(&source.place).expect("it was found");
        volume.put(&above, node.renamed(name.clone()));
        let mut place = above;
        place.push(name);
        self.moved(source.drive, &source.place, &place);
        Ok(())
    }

    /// The last component of a path, as it is written.
    fn last_name(&self, actor: &Actor<'_>, path: &[u16]) -> Option<Name> {
        let nt = nt_path(path, actor.directory, |drive| actor.on_drive(drive)).ok()?;
        match nt.target {
            Target::Drive { components, .. } => components.last().map(|name| Name::new(name)),
            _ => None,
        }
    }
}
