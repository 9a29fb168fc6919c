//! Handles: what a program holds of a key that it opened.

use super::Registry;
use super::access::{Access, Caller, access_check};
use super::calls::{AsName, Disposition, Spot};
use super::error::{CreateError, DeleteError, HandleError, OpenError, ReadError, WriteError};
use super::name::Name;
use super::path::Root;
use super::resolve::components;
use super::value::Value;
use super::watch::Filter;
use crate::win7::security::Shared;

/// An open key, by the number that the program sees: the lowest that is free, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Handle(pub u32);

/// Where a call begins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum At {
    /// At a predefined key.
    Root(Root),
    /// At an open key.
    Key(Handle),
}

impl From<Root> for At {
    fn from(root: Root) -> At {
        At::Root(root)
    }
}

impl From<Handle> for At {
    fn from(handle: Handle) -> At {
        At::Key(handle)
    }
}

/// How a key is created.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct CreateOptions {
    /// REG_OPTION_VOLATILE: gone after a restart.
    pub volatile: bool,
    /// REG_OPTION_CREATE_LINK: a link, whose target is set as the value `SymbolicLinkValue`.
    pub link: bool,
    /// REG_OPTION_OPEN_LINK: if the path ends at a link, the link itself.
    pub open_link: bool,
    /// The access to an existing key, or to the new one.
    pub access: Access,
    /// The descriptor that the new key is to have; none for what it inherits.
    pub descriptor: Option<Shared>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct OpenKey {
    place: Vec<u16>,
    /// Below HKCR: where the user's key and the machine's are, whether they exist or not.
    classes: Option<(Vec<u16>, Vec<u16>)>,
    pub(super) access: Access,
    /// Opened with KEY_WOW64_64KEY: what is opened from here is in that view too.
    stays_64: bool,
    deleted: bool,
    /// What the first notification fixed.
    pub(super) watches: Option<(Filter, bool)>,
}

impl OpenKey {
    pub(super) fn place(&self) -> &[u16] {
        &self.place
    }
}

type Texts = (Vec<u16>, Option<Vec<u16>>);

impl Registry {
    /// RegOpenKeyEx. `access` may hold one of the view flags. An empty `sub` opens the same key again.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        &mut self,
        caller: &Caller,
        at: impl Into<At>,
        sub: &[u16],
        access: Access,
    ) -> Result<Handle, OpenError> {
        self.open_with(caller, at.into(), sub, access, false)
    }

    /// RegOpenKeyEx with REG_OPTION_OPEN_LINK: if the path ends at a link, the link itself.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_link(
        &mut self,
        caller: &Caller,
        at: impl Into<At>,
        sub: &[u16],
        access: Access,
    ) -> Result<Handle, OpenError> {
        self.open_with(caller, at.into(), sub, access, true)
    }

    fn open_with(
        &mut self,
        caller: &Caller,
        at: At,
        sub: &[u16],
        access: Access,
        to_link: bool,
    ) -> Result<Handle, OpenError> {
        let texts = self.texts_from(caller, at, sub, access)?;
        let spot = self.spot_at(&texts.0, texts.1.as_deref(), to_link)?;
        let granted = access_check(caller, self.at(&spot.first), access)?;
        Ok(self.add(spot.first, texts, granted, access))
    }

    /// RegCreateKeyEx. The access that the parent's handle has does not matter: the parent key's
    /// descriptor decides.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub fn create(
        &mut self,
        caller: &Caller,
        at: impl Into<At>,
        sub: &[u16],
        options: CreateOptions,
    ) -> Result<(Handle, Disposition), CreateError> {
        let texts = self.texts_from(caller, at.into(), sub, options.access)?;
        let asked = options.access;
        let (place, disposition) = self.create_at(caller, &texts.0, texts.1.as_deref(), options)?;
        let granted = match disposition {
            // Whoever creates a key gets what it asks for, whatever the new descriptor says.
            Disposition::Created if asked.has(Access::MAXIMUM_ALLOWED) => Access::ALL,
            Disposition::Created => asked.mapped(),
            Disposition::Opened => {
                access_check(caller, self.at(&place), asked).map_err(OpenError::from)?
            }
        };
        Ok((self.add(place, texts, granted, asked), disposition))
    }

    /// RegCloseKey. Who waits for changes through the handle is signalled.
    ///
    /// # Errors
    /// If the handle is none.
    pub fn close(&mut self, handle: Handle) -> Result<(), HandleError> {
        if !self.handles.contains_key(&handle) {
            return Err(HandleError::InvalidHandle);
        }
        self.release(handle);
        self.handles.remove(&handle);
        Ok(())
    }

    /// RegQueryValueEx.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn query(&self, handle: Handle, name: impl AsName) -> Result<Value, ReadError> {
        let spot = self.spot_of(handle)?;
        self.need(handle, Access::QUERY_VALUE)
            .map_err(|()| ReadError::AccessDenied)?;
        name.with_folded(|folded| self.value_at(&spot, folded).cloned())
            .ok_or(ReadError::FileNotFound)
    }

    /// RegEnumValue: the value at an index, in the order in which they were first set.
    ///
    /// # Errors
    /// See [`ReadError`]; 259 at the end.
    pub fn enum_value(&self, handle: Handle, index: usize) -> Result<(Name, Value), ReadError> {
        let spot = self.spot_of(handle)?;
        self.need(handle, Access::QUERY_VALUE)
            .map_err(|()| ReadError::AccessDenied)?;
        self.values_at(&spot)
            .into_iter()
            .nth(index)
            .ok_or(ReadError::NoMoreItems)
    }

    /// RegEnumKeyEx: the subkey at an index.
    ///
    /// # Errors
    /// See [`ReadError`]; 259 at the end.
    pub fn enum_key(&self, handle: Handle, index: usize) -> Result<Name, ReadError> {
        let spot = self.spot_of(handle)?;
        self.need(handle, Access::ENUMERATE_SUB_KEYS)
            .map_err(|()| ReadError::AccessDenied)?;
        self.key_names_at(&spot)
            .into_iter()
            .nth(index)
            .ok_or(ReadError::NoMoreItems)
    }

    /// RegSetValueEx.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn set(
        &mut self,
        handle: Handle,
        name: impl AsName,
        value: Value,
    ) -> Result<(), WriteError> {
        let spot = self.spot_of(handle)?;
        self.need(handle, Access::SET_VALUE)
            .map_err(|()| WriteError::AccessDenied)?;
        self.set_at(&spot.first, name.to_name(), value)
    }

    /// RegDeleteValue.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn delete_value_of(&mut self, handle: Handle, name: impl AsName) -> Result<(), WriteError> {
        let spot = self.spot_of(handle)?;
        self.need(handle, Access::SET_VALUE)
            .map_err(|()| WriteError::AccessDenied)?;
        self.delete_value_at(&spot.first, &name.to_name())
    }

    /// RegDeleteKeyEx from an open key; with an empty `sub` the key itself. `view` may hold a view flag.
    ///
    /// # Errors
    /// See [`DeleteError`].
    pub fn delete_below(
        &mut self,
        caller: &Caller,
        at: impl Into<At>,
        sub: &[u16],
        view: Access,
    ) -> Result<(), DeleteError> {
        let texts = self.texts_from(caller, at.into(), sub, view)?;
        let spot = self.spot_at(&texts.0, texts.1.as_deref(), false)?;
        access_check(caller, self.at(&spot.first), Access::DELETE).map_err(OpenError::from)?;
        self.delete_at(&spot.first)
    }

    /// NtDeleteKey: deletes the open key itself, a link too.
    ///
    /// # Errors
    /// See [`DeleteError`].
    pub fn delete_open(&mut self, handle: Handle) -> Result<(), DeleteError> {
        let place = self.live(handle)?.place.clone();
        self.need(handle, Access::DELETE)
            .map_err(|()| DeleteError::AccessDenied)?;
        self.delete_at(&place)
    }

    /// The access that a handle has.
    ///
    /// # Errors
    /// If the handle is none.
    pub fn access_of(&self, handle: Handle) -> Result<Access, HandleError> {
        Ok(self
            .handles
            .get(&handle)
            .ok_or(HandleError::InvalidHandle)?
            .access)
    }

    /// A handle whose key was not deleted.
    pub(super) fn live(&self, handle: Handle) -> Result<&OpenKey, HandleError> {
        match self.handles.get(&handle) {
            None => Err(HandleError::InvalidHandle),
            Some(open) if open.deleted => Err(HandleError::KeyDeleted),
            Some(open) => Ok(open),
        }
    }

    /// Marks the handles of a key that was deleted.
    pub(super) fn bury(&mut self, place: &[u16]) {
        let open = self.handles.iter_mut();
        let dead: Vec<Handle> = open
            .filter(|(_, open)| open.place == place)
            .map(|(handle, open)| {
                open.deleted = true;
                *handle
            })
            .collect();
        dead.into_iter().for_each(|handle| self.release(handle));
    }

    fn need(&self, handle: Handle, access: Access) -> Result<(), ()> {
        match self.handles[&handle].access.has(access) {
            true => Ok(()),
            false => Err(()),
        }
    }

    fn spot_of(&self, handle: Handle) -> Result<Spot, HandleError> {
        let open = self.live(handle)?;
        let merged = open
            .classes
            .as_ref()
            .and_then(|(users, machines)| self.spot_at(users, Some(machines), false).ok());
        Ok(merged.unwrap_or_else(|| Spot {
            first: open.place.clone(),
            second: None,
        }))
    }

    fn texts_from(
        &self,
        caller: &Caller,
        at: At,
        sub: &[u16],
        access: Access,
    ) -> Result<Texts, OpenError> {
        let (in_32, in_64) = (
            access.has(Access::WOW64_32KEY),
            access.has(Access::WOW64_64KEY),
        );
        if in_32 && in_64 {
            return Err(OpenError::InvalidParameter);
        }
        let default_32 = caller.is_in_32();
        match at {
            At::Root(root) => self.texts(caller, root, sub, in_32 || default_32 && !in_64),
            At::Key(handle) => {
                let open = self.live(handle)?;
                let sub = components(sub, false)?;
                let in_32 = in_32 || default_32 && !in_64 && !open.stays_64;
                let relative = |base: &[u16]| match sub.is_empty() {
                    true => base.to_vec(),
                    false => self.views.relative(base, &sub, in_32),
                };
                Ok(match &open.classes {
                    Some((users, machines)) => (relative(users), Some(relative(machines))),
                    None => (relative(&open.place), None),
                })
            }
        }
    }

    fn add(&mut self, place: Vec<u16>, texts: Texts, granted: Access, asked: Access) -> Handle {
        let taken = self.handles.keys().map(|handle| handle.0);
        let free = taken
            .zip(1..)
            .take_while(|(taken, free)| taken == free)
            .count() as u32
            + 1;
        let classes = match texts {
            (users, Some(machines)) => Some((
                super::name::fold_all(&users),
                super::name::fold_all(&machines),
            )),
            _ => None,
        };
        let open = OpenKey {
            place,
            classes,
            access: granted,
            stays_64: asked.has(Access::WOW64_64KEY),
            deleted: false,
            watches: None,
        };
        self.handles.insert(Handle(free), open);
        Handle(free)
    }
}
