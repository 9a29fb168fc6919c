//! Junctions and symbolic links.
//!
//! Opening, listing and entering follow a link; deleting, moving, attributes and descriptors are about the link
//! itself (documentation of "Symbolic Link Effects on File Systems Functions").

use super::error::{Failure, LinkError};
use super::{Actor, Files, Found, Spot, created};
use crate::win7::ntfs::{Content, Node};
use crate::win7::security::mask::{ADD_FILE, ADD_SUBDIRECTORY};
use crate::win7::security::{Kind, Privilege, access_check};

impl Files {
    /// CreateSymbolicLink, which by default administrators alone may. Nothing has to be at the target.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn create_symbolic_link(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
        target: &[u16],
        is_directory: bool,
    ) -> Result<(), Failure<LinkError>> {
        // `mklink` enables the privilege that it holds.
        if !actor.token.held.has(Privilege::CreateSymbolicLink) {
            return Err(LinkError::PrivilegeNotHeld.into());
        }
        let name = |node: Node| node.leading_to(target);
        self.create_link(actor, path, is_directory, name)
    }

    /// CreateDirectory, and FSCTL_SET_REPARSE_POINT: a junction to a full path, as `mklink /j` makes it. It takes no
    /// privilege.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn create_junction(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
        target: &[u16],
    ) -> Result<(), Failure<LinkError>> {
        let full = self.full_name(actor, target);
        let full = full.map_err(|_| LinkError::InvalidName)?;
        let name = |node: Node| node.joined_to(&full.path);
        self.create_link(actor, path, true, name)
    }

    /// What a link at a path itself is and where it leads, as directories show it: whether it is a junction, the target;
    /// none if there is no link.
    pub fn link_at(&self, actor: &Actor<'_>, path: &[u16]) -> Option<(bool, Vec<u16>)> {
        let Ok(Found::There(spot)) = self.find_itself(actor, path) else {
            return None;
        };
        let node = self.node(&spot)?;
        Some((node.is_junction(), node.link()?.to_vec()))
    }

    fn create_link(
        &mut self,
        actor: &Actor<'_>,
        path: &[u16],
        is_directory: bool,
        leading: impl FnOnce(Node) -> Node,
    ) -> Result<(), Failure<LinkError>> {
        let spot: Spot = match self.find_itself(actor, path)? {
            Found::Device(_) | Found::There(_) => return Err(LinkError::AlreadyExists.into()),
            Found::Free(spot) if spot.stream.is_some() => return Err(LinkError::InvalidName.into()),
            Found::Free(spot) => spot,
        };
        let (name, above) = spot.place.split_last().expect("the root is there");
        let parent = self.volume_at(spot.drive).at(above);
        let parent = parent.expect("what is free is in a directory");
        let right = match is_directory {
            true => ADD_SUBDIRECTORY,
            false => ADD_FILE,
        };
        access_check(actor.token, parent.descriptor(), Kind::File, right).map_err(|refusal| {
            Failure::new(
                LinkError::AccessDenied,
                self.why(spot.drive, above, refusal),
            )
        })?;
        let descriptor = created(actor.token, parent.descriptor(), None, is_directory).into();
        let node = match is_directory {
            true => Node::directory(name.clone(), descriptor),
            false => Node::file(name.clone(), descriptor, Content::default()),
        };
        let volume = self.drives.get_mut(&spot.drive).expect("it was found");
        volume.put(above, leading(node));
        Ok(())
    }
}
