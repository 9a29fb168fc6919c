//! GetFileSecurity and SetFileSecurity: the kernel's calls, which change nothing below.

use super::error::{Failure, OpenError, SecurityError, Why};
use super::{Actor, Files, Found, Spot};
use crate::win7::ntfs::Attributes;
use crate::win7::security::mask::{APPEND_DATA, DELETE, READ_CONTROL, WRITE_DATA, WRITE_OWNER};
use crate::win7::security::{
    CannotSet, Descriptor, Explanation, Kind, Mask, Reason, Refusal, Step, explain, rights_to_set,
};

impl From<CannotSet> for SecurityError {
    fn from(cannot: CannotSet) -> SecurityError {
        match cannot {
            CannotSet::Owner => SecurityError::InvalidOwner,
            CannotSet::Label => SecurityError::PrivilegeNotHeld,
        }
    }
}

impl Files {
    /// GetFileSecurity: owner, group and DACL.
    ///
    /// # Errors
    /// See [`SecurityError`].
    pub fn security(
        &self,
        actor: &Actor<'_>,
        path: &[u16],
    ) -> Result<Descriptor, Failure<SecurityError>> {
        let spot = self.securable(actor, path)?;
        self.check(actor, &spot, READ_CONTROL)?;
        Ok(self
            .node(&spot)
            .expect("it was found")
            .descriptor()
            .without_sacl())
    }

    /// SetFileSecurity: the parts of a descriptor that are there. Nothing below changes.
    ///
    /// # Errors
    /// See [`SecurityError`].
    pub fn set_security(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
        new: &Descriptor,
    ) -> Result<(), Failure<SecurityError>> {
        let spot = self.securable(actor, path)?;
        self.set_security_at(actor, &spot, new)
    }

    pub(super) fn set_security_at(
        &mut self,
        actor: &Actor<'_>,
        spot: &Spot,
        new: &Descriptor,
    ) -> Result<(), Failure<SecurityError>> {
        let rights = rights_to_set(actor.token, new);
        // Opening comes before setting, so a missing right is told first.
        let asked = match rights {
            Ok(rights) => rights,
            Err(_) => WRITE_OWNER,
        };
        self.check(actor, spot, asked)?;
        rights.map_err(SecurityError::from)?;
        self.edit(spot, |node| {
            let set = node.descriptor().with_parts_of(new, Kind::File);
            node.set_descriptor(set.into());
        });
        Ok(())
    }

    /// The whole way of an access check, for a reader.
    ///
    /// # Errors
    /// If there is nothing at the path.
    pub fn explain_access(
        &self,
        actor: &Actor<'_>,
        path: &[u16],
        desired: Mask,
    ) -> Result<Explanation, Failure<SecurityError>> {
        let spot = self.securable(actor, path)?;
        let volume = self.volume_at(spot.drive);
        let parent = spot
            .place
            .split_last()
            .and_then(|(_, above)| volume.at(above))
            .map(|parent| &**parent.descriptor());
        let node = self.node(&spot).expect("it was found");
        let mut told = explain(actor.token, node.descriptor(), parent, Kind::File, desired);
        told.find_origins(|ace| self.origin(spot.drive, &spot.place, ace));
        let is_read_only = node.attributes().has(Attributes::READONLY) && !node.is_directory();
        if let (true, Ok(granted)) = (is_read_only, &told.result) {
            let asked = Kind::File.map(desired);
            let rights = asked & (WRITE_DATA | APPEND_DATA);
            if !rights.is_empty() {
                told.result = Err(Refusal {
                    kind: Kind::File,
                    reason: Reason::ReadOnly { rights },
                    inherited_from: None,
                });
            } else if granted.has(DELETE) {
                told.steps.push(Step::ReadOnly);
            }
        }
        Ok(told)
    }

    pub(super) fn securable(
        &self,
        actor: &Actor<'_>,
        path: &[u16],
    ) -> Result<Spot, Failure<SecurityError>> {
        match self.find_itself(actor, path)? {
            Found::There(spot) => Ok(spot),
            Found::Free(_) => Err(SecurityError::FileNotFound.into()),
            Found::Device(_) => Err(SecurityError::AccessDenied.into()),
        }
    }

    fn check(
        &self,
        actor: &Actor<'_>,
        spot: &Spot,
        rights: Mask,
    ) -> Result<(), Failure<SecurityError>> {
        let done = self.may_have(actor.token, spot, rights, false);
        done.map(|_| ())
            .map_err(|(error, why): (OpenError, Box<Why>)| {
                let error = match error {
                    OpenError::PrivilegeNotHeld => SecurityError::PrivilegeNotHeld,
                    _ => SecurityError::AccessDenied,
                };
                Failure::new(error, why)
            })
    }
}
