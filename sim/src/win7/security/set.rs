//! Setting a descriptor: which rights that takes, and what no right is enough for.

use super::acl::{AceType, Descriptor};
use super::mask::{ACCESS_SYSTEM_SECURITY, Mask, WRITE_DAC, WRITE_OWNER};
use super::token::{Privilege, Token};

/// What setting the parts of a descriptor takes, if the token may give them at all.
///
/// # Errors
/// If it may not, whatever rights it has.
pub fn rights_to_set(token: &Token, new: &Descriptor) -> Result<Mask, CannotSet> {
    let mut rights = Mask::NONE;
    if let Some(owner) = &new.owner {
        rights |= WRITE_OWNER;
        if !token.may_own_as(owner) {
            return Err(CannotSet::Owner);
        }
    }
    if new.group.is_some() {
        rights |= WRITE_OWNER;
    }
    if new.dacl.is_some() {
        rights |= WRITE_DAC;
    }
    let labels = new.sacl.iter().flat_map(|acl| acl.entries());
    for ace in labels {
        match ace.kind {
            AceType::Label => {
                rights |= WRITE_OWNER;
                let is_above = ace.sid.level() > Some(token.integrity.level());
                if is_above && !token.enabled.has(Privilege::Relabel) {
                    return Err(CannotSet::Label);
                }
            }
            _ => rights |= ACCESS_SYSTEM_SECURITY,
        }
    }
    Ok(rights)
}

/// What a token may not give, whatever rights it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CannotSet {
    /// An owner that is not one's own: 1307.
    Owner,
    /// A label above one's own: 1314.
    Label,
}
