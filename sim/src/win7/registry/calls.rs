//! Calls by path: each opens its key, does its one thing, and closes it.

use std::sync::Arc;

use super::access::{Access, Bits, Caller, Denied, access_check, created};
use super::error::{CreateError, DeleteError, OpenError, ReadError, WriteError};
use super::handle::CreateOptions;
use super::key::{Key, RECURSE_FLAG, split};
use super::name::{Name, SEPARATOR, fold_all, units};
use super::path::KeyPath;
use super::resolve::Way;
use super::value::{Kind, Value};
use super::view::joined;
use super::watch::{Filter, parent};
use super::{LINK_VALUE, MAX_DEPTH, MAX_VALUE_NAME, Registry};
use crate::win7::security::AccessError;

/// What RegCreateKeyEx did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Disposition {
    /// The key is new.
    Created,
    /// It was there: options are ignored, values stay.
    Opened,
}

/// An existing key; below HKCR also the machine's twin of the user's key.
pub(super) struct Spot {
    pub(super) first: Vec<u16>,
    pub(super) second: Option<Vec<u16>>,
}

impl From<Denied> for OpenError {
    fn from(denied: Denied) -> OpenError {
        match denied.0 {
            AccessError::AccessDenied => OpenError::AccessDenied,
            AccessError::PrivilegeNotHeld => OpenError::PrivilegeNotHeld,
        }
    }
}

impl Caller {
    /// Whether it sees the 32-bit view.
    pub(super) fn is_in_32(&self) -> bool {
        self.flag().unwrap_or(self.bits()) == Bits::Bits32
    }
}

impl Registry {
    /// RegCreateKeyEx: creates a key and all that are missing above it, or opens the one that exists.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub fn create_key(
        &mut self,
        caller: &Caller,
        path: &KeyPath,
    ) -> Result<Disposition, CreateError> {
        self.create_key_with(caller, path, CreateOptions::default())
    }

    /// RegCreateKeyEx with options.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub fn create_key_with(
        &mut self,
        caller: &Caller,
        path: &KeyPath,
        options: CreateOptions,
    ) -> Result<Disposition, CreateError> {
        let (text, other) = self.texts(caller, path.root, &path.sub, caller.is_in_32())?;
        Ok(self.create_at(caller, &text, other.as_deref(), options)?.1)
    }

    /// RegOpenKeyEx, and RegCloseKey: whether the caller gets this access.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn check_open(
        &self,
        caller: &Caller,
        path: &KeyPath,
        access: Access,
    ) -> Result<Access, OpenError> {
        let both = Access::WOW64_32KEY.with(Access::WOW64_64KEY);
        if access.has(both) {
            return Err(OpenError::InvalidParameter);
        }
        let spot = self.spot(caller, path)?;
        Ok(access_check(caller, self.at(&spot.first), access)?)
    }

    /// RegQueryValueEx: a value's type and data, as they are.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn value(
        &self,
        caller: &Caller,
        path: &KeyPath,
        name: impl AsName,
    ) -> Result<Value, ReadError> {
        let (text, other) = self.texts(caller, path.root, &path.sub, caller.is_in_32())?;
        let found = match other {
            // Below HKCR two keys are asked.
            Some(_) => {
                let spot = self.spot_for(caller, path, Access::QUERY_VALUE)?;
                name.with_folded(|folded| self.value_at(&spot, folded).cloned())
            }
            // One walk is all it takes: this is the call that programs make most.
            None => {
                let way = self.walk(&text, false)?;
                if !way.is_whole() {
                    return Err(ReadError::FileNotFound);
                }
                access_check(caller, way.key, Access::QUERY_VALUE).map_err(OpenError::from)?;
                name.with_folded(|folded| way.key.value_folded(folded).cloned())
            }
        };
        found.ok_or(ReadError::FileNotFound)
    }

    /// RegEnumValue until there are no more: names and values, in the order in which they were first set.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn values(&self, caller: &Caller, path: &KeyPath) -> Result<Vec<(Name, Value)>, ReadError> {
        let spot = self.spot_for(caller, path, Access::QUERY_VALUE)?;
        Ok(self.values_at(&spot))
    }

    /// RegEnumKeyEx until there are no more: the names of subkeys, in order.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn key_names(&self, caller: &Caller, path: &KeyPath) -> Result<Vec<Name>, ReadError> {
        let spot = self.spot_for(caller, path, Access::ENUMERATE_SUB_KEYS)?;
        Ok(self.key_names_at(&spot))
    }

    /// The control flags of a key, which NtQueryKey gives.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn key_flags(&self, caller: &Caller, path: &KeyPath) -> Result<u8, ReadError> {
        let spot = self.spot_for(caller, path, Access::QUERY_VALUE)?;
        Ok(self.at(&spot.first).flags())
    }

    /// Sets them, as NtSetInformationKey does.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn set_key_flags(
        &mut self,
        caller: &Caller,
        path: &KeyPath,
        flags: u8,
    ) -> Result<(), OpenError> {
        let spot = self.spot_for(caller, path, Access::SET_VALUE)?;
        self.edit(&spot.first, |key| key.set_flags(flags));
        Ok(())
    }

    /// RegSetValueEx.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn set_value(
        &mut self,
        caller: &Caller,
        path: &KeyPath,
        name: impl AsName,
        value: Value,
    ) -> Result<(), WriteError> {
        let spot = self.spot_for(caller, path, Access::SET_VALUE)?;
        self.set_at(&spot.first, name.to_name(), value)
    }

    /// RegDeleteValue.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn delete_value(
        &mut self,
        caller: &Caller,
        path: &KeyPath,
        name: impl AsName,
    ) -> Result<(), WriteError> {
        let spot = self.spot_for(caller, path, Access::SET_VALUE)?;
        self.delete_value_at(&spot.first, &name.to_name())
    }

    /// RegDeleteKeyEx: deletes a key that has no subkeys. Below HKCR the user's key goes first.
    ///
    /// # Errors
    /// See [`DeleteError`].
    pub fn delete_key(&mut self, caller: &Caller, path: &KeyPath) -> Result<(), DeleteError> {
        let spot = self.spot_for(caller, path, Access::DELETE)?;
        self.delete_at(&spot.first)
    }

    /// The key that a path leads to.
    pub(super) fn spot(&self, caller: &Caller, path: &KeyPath) -> Result<Spot, OpenError> {
        let (text, other) = self.texts(caller, path.root, &path.sub, caller.is_in_32())?;
        self.spot_at(&text, other.as_deref(), false)
    }

    pub(super) fn spot_at(
        &self,
        text: &[u16],
        other: Option<&[u16]>,
        to_link: bool,
    ) -> Result<Spot, OpenError> {
        let whole = |text: &[u16]| -> Result<Option<Vec<u16>>, OpenError> {
            let way = self.walk(text, to_link)?;
            Ok(way.is_whole().then_some(way.place))
        };
        let second = other.map(whole).transpose()?.flatten();
        match whole(text)? {
            Some(first) => Ok(Spot { first, second }),
            None => match second {
                Some(first) => Ok(Spot {
                    first,
                    second: None,
                }),
                None => Err(OpenError::FileNotFound),
            },
        }
    }

    fn spot_for(&self, caller: &Caller, path: &KeyPath, access: Access) -> Result<Spot, OpenError> {
        let spot = self.spot(caller, path)?;
        access_check(caller, self.at(&spot.first), access)?;
        Ok(spot)
    }

    /// The key at a place.
    ///
    /// # Panics
    /// If there is none.
    pub(super) fn at(&self, place: &[u16]) -> &Key {
        self.root.find(place).expect("the place names a key")
    }

    fn keys_at<'a, 's>(&'a self, spot: &'s Spot) -> impl Iterator<Item = &'a Key> + use<'a, 's> {
        let places = std::iter::once(&spot.first).chain(&spot.second);
        places.map(|place| self.at(place))
    }

    pub(super) fn value_at(&self, spot: &Spot, folded: &[u16]) -> Option<&Value> {
        self.keys_at(spot).find_map(|key| key.value_folded(folded))
    }

    pub(super) fn values_at(&self, spot: &Spot) -> Vec<(Name, Value)> {
        let mut found: Vec<(Name, Value)> = Vec::new();
        for (index, key) in self.keys_at(spot).enumerate() {
            for (name, value) in key.values() {
                if index == 0 || self.at(&spot.first).value(name).is_none() {
                    found.push((name.clone(), value.clone()));
                }
            }
        }
        found
    }

    pub(super) fn key_names_at(&self, spot: &Spot) -> Vec<Name> {
        let mut names: Vec<Name> = self
            .keys_at(spot)
            .flat_map(|key| key.keys().map(|key| key.name().clone()))
            .collect();
        if spot.second.is_some() {
            names.sort_by(|one, other| one.folded().cmp(other.folded()));
            names.dedup_by(|one, other| one.same_as(other));
        }
        names
    }

    pub(super) fn set_at(
        &mut self,
        place: &[u16],
        name: Name,
        value: Value,
    ) -> Result<(), WriteError> {
        if name.units().len() > MAX_VALUE_NAME {
            return Err(WriteError::InvalidParameter);
        }
        let is_target = name.folded() == units(LINK_VALUE) && value.kind == Kind::LINK;
        if self.at(place).is_link() && !is_target {
            return Err(WriteError::AccessDenied);
        }
        self.edit(place, |key| key.set_value(name, value));
        self.report(place, Filter::LAST_SET);
        Ok(())
    }

    pub(super) fn delete_value_at(&mut self, place: &[u16], name: &Name) -> Result<(), WriteError> {
        if self.at(place).value(name).is_none() {
            return Err(WriteError::FileNotFound);
        }
        self.edit(place, |key| key.delete_value(name));
        self.report(place, Filter::LAST_SET);
        Ok(())
    }

    pub(super) fn delete_at(&mut self, place: &[u16]) -> Result<(), DeleteError> {
        if is_root_of_hive(place) || self.at(place).key_count() > 0 {
            return Err(DeleteError::AccessDenied);
        }
        let above = parent(place);
        let name = place[above.len()..]
            .strip_prefix(&[SEPARATOR])
            .unwrap_or(place);
        self.edit(above, |key| key.remove_key(name));
        self.bury(place);
        self.report(above, Filter::NAME);
        Ok(())
    }

    pub(super) fn create_at(
        &mut self,
        caller: &Caller,
        text: &[u16],
        other: Option<&[u16]>,
        options: CreateOptions,
    ) -> Result<(Vec<u16>, Disposition), CreateError> {
        let to_link = options.link || options.open_link;
        let way = self.walk(text, to_link)?;
        let (way, text) = match other {
            Some(_) if way.is_whole() => (way, text),
            None => (way, text),
            Some(other) => {
                // Classes are created for the machine, unless only the user has the key above.
                let machine = self.walk(other, to_link)?;
                let users = way.missing == 1 && machine.missing > 1;
                if users { (way, text) } else { (machine, other) }
            }
        };
        if way.is_whole() {
            if options.link {
                return Err(CreateError::AlreadyExists);
            }
            access_check(caller, way.key, options.access).map_err(OpenError::from)?;
            return Ok((way.place, Disposition::Opened));
        }
        let Way {
            place,
            key,
            missing,
            missing_by_link,
        } = &way;
        if *missing_by_link {
            return Err(CreateError::FileNotFound);
        }
        let above = way.existing().to_vec();
        if !above.contains(&SEPARATOR) {
            return Err(CreateError::InvalidParameter);
        }
        access_check(caller, key, Access::CREATE_SUB_KEY).map_err(OpenError::from)?;
        if key.is_volatile() && !options.volatile && !is_root_of_hive(&above) {
            return Err(CreateError::ChildMustBeVolatile);
        }
        // `MACHINE` and the root above it are not counted.
        let depth = place.iter().filter(|unit| **unit == SEPARATOR).count();
        if depth > MAX_DEPTH {
            return Err(CreateError::FilenameExcedRange);
        }
        let (place, missing) = (place.clone(), *missing);
        let names: Vec<Name> = {
            let mut names: Vec<Name> = text
                .rsplit(|unit| *unit == SEPARATOR)
                .take(missing)
                .map(Name::new)
                .collect();
            names.reverse();
            names
        };
        let flags = match key.flags() & RECURSE_FLAG {
            0 => 0,
            _ => key.flags(),
        };
        let mut descriptor = key.descriptor().cloned();
        let mut above = above;
        for (index, name) in names.into_iter().enumerate() {
            let is_last = index + 1 == missing;
            let below = joined(&above, name.folded());
            let mut key = Key::made(name, options.volatile, options.link && is_last);
            if flags != 0 {
                key.set_flags(flags);
            }
            if let Some(parent) = &descriptor {
                let creator = options.descriptor.as_ref().filter(|_| is_last);
                let own = created(caller.token(), parent, creator.map(|given| &**given));
                key.set_descriptor(own.clone());
                descriptor = Some(own);
            }
            self.edit(&above, |parent| parent.put_key(key));
            self.report(&above, Filter::NAME);
            above = below;
        }
        debug_assert_eq!(above, place);
        Ok((place, Disposition::Created))
    }
}

/// Whether a place is one of `MACHINE`, `USER`, or a hive there.
fn is_root_of_hive(place: &[u16]) -> bool {
    !split(place).1.contains(&SEPARATOR)
}

/// What names a value.
pub trait AsName {
    /// The name.
    fn to_name(&self) -> Name;
    /// Does something with the folded name.
    fn with_folded<R>(&self, with: impl FnOnce(&[u16]) -> R) -> R {
        with(self.to_name().folded())
    }
}

impl AsName for &str {
    fn to_name(&self) -> Name {
        Name::from(*self)
    }
    fn with_folded<R>(&self, with: impl FnOnce(&[u16]) -> R) -> R {
        with(&fold_all(&units(self)))
    }
}

impl AsName for &Name {
    fn to_name(&self) -> Name {
        (*self).clone()
    }
}

impl AsName for &[u16] {
    fn to_name(&self) -> Name {
        Name::new(self)
    }
}

impl AsName for &Arc<str> {
    fn to_name(&self) -> Name {
        Name::from(&***self)
    }
}

impl AsName for &String {
    fn to_name(&self) -> Name {
        Name::from(&***self)
    }
}
