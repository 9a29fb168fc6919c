//! RegGetKeySecurity and RegSetKeySecurity: the kernel's calls, which change nothing below.

use std::sync::Arc;

use super::Registry;
use super::access::{Access, Caller, access_check};
use super::error::{OpenError, errors};
use super::path::KeyPath;
use super::watch::Filter;
use crate::win7::security::mask::{READ_CONTROL, WRITE_OWNER};
use crate::win7::security::{
    Ace, CannotSet, Descriptor, Explanation, Kind, Mask, explain, rights_to_set,
};

errors! {
    /// RegGetKeySecurity and RegSetKeySecurity, with the opening of their key.
    KeySecurityError {
        /// There is no such key.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// The caller may not.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// The handle is none, or was closed.
        InvalidHandle = 6 "ERROR_INVALID_HANDLE",
        /// As for opening.
        InvalidParameter = 87 "ERROR_INVALID_PARAMETER",
        /// The path begins with a backslash.
        BadPathname = 161 "ERROR_BAD_PATHNAME",
        /// As for opening.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// The handle's key was deleted.
        KeyDeleted = 1018 "ERROR_KEY_DELETED",
        /// The caller cannot make this one the owner.
        InvalidOwner = 1307 "ERROR_INVALID_OWNER",
        /// The SACL or a higher label without the privilege for it.
        PrivilegeNotHeld = 1314 "ERROR_PRIVILEGE_NOT_HELD",
        .. OpenError {
            FileNotFound, AccessDenied, InvalidHandle, InvalidParameter, BadPathname, FilenameExcedRange,
            KeyDeleted, PrivilegeNotHeld
        }
    }
}

impl Registry {
    /// RegGetKeySecurity: owner, group and DACL.
    ///
    /// # Errors
    /// See [`KeySecurityError`].
    pub fn security(
        &self,
        caller: &Caller,
        path: &KeyPath,
    ) -> Result<Descriptor, KeySecurityError> {
        let spot = self.spot(caller, path)?;
        let key = self.at(&spot.first);
        access_check(caller, key, Access(READ_CONTROL.0)).map_err(OpenError::from)?;
        let descriptor = key.descriptor();
        Ok(descriptor.map_or_else(Descriptor::default, |descriptor| descriptor.without_sacl()))
    }

    /// RegSetKeySecurity: the parts of a descriptor that are there. Nothing below changes.
    ///
    /// # Errors
    /// See [`KeySecurityError`].
    pub fn set_security(
        &mut self,
        caller: &Caller,
        path: &KeyPath,
        new: &Descriptor,
    ) -> Result<(), KeySecurityError> {
        let place = self.spot(caller, path)?.first;
        let rights = rights_to_set(caller.token(), new);
        let asked = rights.unwrap_or(WRITE_OWNER);
        access_check(caller, self.at(&place), Access(asked.0)).map_err(OpenError::from)?;
        rights.map_err(|cannot| match cannot {
            CannotSet::Owner => KeySecurityError::InvalidOwner,
            CannotSet::Label => KeySecurityError::PrivilegeNotHeld,
        })?;
        self.edit(&place, |key| {
            let old = key.descriptor().map(|old| (**old).clone());
            let set = old.unwrap_or_default().with_parts_of(new, Kind::Key);
            key.set_descriptor(set.into());
        });
        self.report(&place, Filter(Filter::SECURITY.0 | Filter::ATTRIBUTES.0));
        Ok(())
    }

    /// Sets the parts of a descriptor that are there, outside of all rules: nobody is asked, and nobody is told.
    ///
    /// # Errors
    /// If there is no such key.
    pub fn put_security(
        &mut self,
        caller: &Caller,
        path: &KeyPath,
        new: &Descriptor,
    ) -> Result<(), OpenError> {
        let place = self.spot(caller, path)?.first;
        let mut new = new.clone();
        if let Some(dacl) = &mut new.dacl {
            dacl.wants_auto_inherit = true;
        }
        self.edit(&place, |key| {
            let old = key.descriptor().map(|old| (**old).clone());
            let set = old.unwrap_or_default().with_parts_of(&new, Kind::Key);
            key.set_descriptor(set.into());
        });
        Ok(())
    }

    /// Where an inherited entry comes from: the nearest key above that has it as its own.
    fn origin(&self, place: &[u16], ace: &Ace) -> Option<Arc<str>> {
        let ends = place.iter().enumerate().rev();
        let mut above = ends
            .filter(|(_, unit)| **unit == u16::from(b'\\'))
            .map(|(at, _)| &place[..at]);
        let origin = above.find(|place| {
            let own = self.tree().find(place).and_then(|key| key.descriptor());
            let mut own = own.and_then(|own| own.aces()).unwrap_or_default().iter();
            own.any(|own| own.is_origin_of(ace, Kind::Key))
        })?;
        let place = String::from_utf16_lossy(origin);
        let short = place
            .strip_prefix("MACHINE\\")
            .map(|rest| format!("HKLM\\{rest}"))
            .or_else(|| Some(format!("HKU\\{}", place.strip_prefix("USER\\")?)));
        Some(short.unwrap_or(place).into())
    }

    /// The whole way of an access check, for a reader.
    ///
    /// # Errors
    /// If there is no such key.
    pub fn explain_access(
        &self,
        caller: &Caller,
        path: &KeyPath,
        desired: Access,
    ) -> Result<Explanation, OpenError> {
        let spot = self.spot(caller, path)?;
        let descriptor = self.at(&spot.first).descriptor().cloned();
        let none = Descriptor::default();
        let descriptor = descriptor.as_deref().unwrap_or(&none);
        let desired = Mask(desired.0);
        let mut told = explain(caller.token(), descriptor, None, Kind::Key, desired);
        told.find_origins(|ace| self.origin(&spot.first, ace));
        Ok(told)
    }
}
