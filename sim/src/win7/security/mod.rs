//! Who may do what: identifiers, access control lists, security descriptors and their text, tokens, the access
//! check, and what a new object gets.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | access check: order of entries, owner, OWNER RIGHTS, deny-only groups, MAXIMUM_ALLOWED | MS-DTYP 2.5.3.2; Samba and Wine agree | yes |
//! | integrity levels: what a policy keeps back, no label is Medium and NO_WRITE_UP | MS-DTYP 2.5.3.3, documentation | yes |
//! | ACCESS_SYSTEM_SECURITY without its privilege: 1314; WRITE_OWNER by SeTakeOwnershipPrivilege when asked for | documentation of SeAccessCheck | yes |
//! | DELETE and FILE_READ_ATTRIBUTES by the parent directory | MS-FSA 2.1.5.1.2.1 | yes |
//! | an inherit-only entry for OWNER RIGHTS does not count | | no |
//! | MAXIMUM_ALLOWED that comes to nothing is refused | | no |
//! | entries with object types are not about files and keys | | no |
//! | new objects | MS-DTYP 2.5.3.4; Samba's tests against Windows, see [`NewObject`] | yes |
//! | exact duplicates among inherited entries are dropped | observed | no |
//! | SDDL: grammar, order, which names rights get | MS-DTYP 2.5.1, captures of Samba | yes |
//! | SDDL: white space, lower case, numbers out of range | captures on newer Windows | no |
//! | SDDL: 87, 1336 or 1337 | | no |
//! | default descriptors | listings of Windows 7, see [`defaults`] | partly |
//!
//! Not there: restricted tokens, conditional entries (`XA`, `XD`: refused as wrong), audit records, object types
//! beyond reading and writing their text, several owners' groups.

pub mod acl;
mod binary;
mod check;
mod create;
pub mod defaults;
#[cfg(test)]
mod laws;
pub mod mask;
mod sddl;
mod set;
mod show;
mod sid;
#[cfg(any(test, feature = "proptest"))]
pub mod strategies;
mod token;

pub use acl::{Ace, AceType, Aces, Acl, Descriptor, Flags, Shared};
pub use check::{
    AccessError, Effect, Explanation, Reason, Refusal, Step, access_check, access_check_beyond,
    explain, file_access_check, file_access_check_beyond,
};
pub use create::{NewObject, reinherited};
pub use mask::{Kind, Mask};
pub use sddl::SddlError;
pub use set::{CannotSet, rights_to_set};
pub use sid::{MAX_SUB_AUTHORITIES, Sid};
pub use token::{Integrity, Privilege, Privileges, Token};
