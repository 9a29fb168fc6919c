//! How inheritable entries reach what is below: SetNamedSecurityInfo, `icacls`, Explorer. The kernel does
//! none of it; these programs walk the tree and rewrite one child after another.

use super::error::{Failure, SecurityError};
use super::{Actor, Files, Spot};
use crate::win7::ntfs::{Node, path_of};
use crate::win7::registry::Name;
use crate::win7::security::{Acl, Descriptor, Kind, reinherited};

/// A change of a descriptor on its way down a tree, one rewritten file or directory a step. Others may come in
/// between: what they create below a directory that is not reached yet inherits the old entries, and is
/// rewritten when its turn comes; what they create behind is right from the start.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Propagation {
    drive: u16,
    /// Places whose parent was rewritten, the next one last.
    waiting: Vec<Vec<Name>>,
    /// The first, with what is set there; the rest inherits.
    first: Option<(Vec<Name>, Descriptor)>,
}

/// What a step did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rewritten {
    /// What it was about.
    pub path: Vec<u16>,
    /// Whether its descriptor was rewritten; if not, why not: the walk goes on without what is below.
    pub result: Result<(), Failure<SecurityError>>,
}

impl Propagation {
    /// SetNamedSecurityInfo on a path: the parts of `new` are set there, then each child is rewritten.
    ///
    /// # Errors
    /// If there is nothing at the path.
    pub fn new(
        files: &Files,
        actor: &Actor<'_>,
        path: &[u16],
        new: &Descriptor,
    ) -> Result<Propagation, Failure<SecurityError>> {
        let spot = files.securable(actor, path)?;
        let mut new = new.clone();
        if let Some(dacl) = &mut new.dacl {
            // These calls ask for it: what they write says which entries are inherited.
            dacl.wants_auto_inherit = true;
            dacl.is_auto_inherited = true;
        }
        Ok(Propagation {
            drive: spot.drive,
            waiting: Vec::new(),
            first: Some((spot.place, new)),
        })
    }

    /// The next step, if there is one.
    pub fn step(&mut self, files: &mut Files, actor: &Actor<'_>) -> Option<Rewritten> {
        if let Some((place, new)) = self.first.take() {
            let spot = self.spot(place);
            // What it inherits itself is part of what is set: in between, nobody might have been let in.
            let whole = with_inherited(files, &spot, new);
            let result = files.set_security_at(actor, &spot, &whole);
            if result.is_ok() && whole.dacl.is_some() {
                self.children_of(files, &spot);
            }
            return Some(Rewritten {
                path: path_of(self.drive, &spot.place),
                result,
            });
        }
        loop {
            let place = self.waiting.pop()?;
            let spot = self.spot(place);
            // It may be gone by now.
            let Some(node) = files.node(&spot) else {
                continue;
            };
            let is_protected = node
                .descriptor()
                .dacl
                .as_ref()
                .is_some_and(|dacl| dacl.is_protected);
            if is_protected {
                continue;
            }
            let result = rewrite(files, actor, &spot);
            if result.is_ok() {
                self.children_of(files, &spot);
            }
            return Some(Rewritten {
                path: path_of(self.drive, &spot.place),
                result,
            });
        }
    }

    /// What the next step is about; none at the end. It may be gone by the time of the step.
    pub fn next_path(&self) -> Option<Vec<u16>> {
        let first = self.first.as_ref().map(|(place, _)| place);
        let place = first.or(self.waiting.last())?;
        Some(path_of(self.drive, place))
    }

    /// All steps at once; those that failed.
    pub fn run(mut self, files: &mut Files, actor: &Actor<'_>) -> Vec<Rewritten> {
        let mut failed = Vec::new();
        while let Some(step) = self.step(files, actor) {
            if step.result.is_err() {
                failed.push(step);
            }
        }
        failed
    }

    fn spot(&self, place: Vec<Name>) -> Spot {
        Spot {
            drive: self.drive,
            place,
            stream: None,
            is_directory: false,
        }
    }

    fn children_of(&mut self, files: &Files, spot: &Spot) {
        let Some(node) = files.node(spot) else { return };
        let below: Vec<Vec<Name>> = node
            .entries()
            .map(|entry| {
                let mut place = spot.place.clone();
                place.push(entry.name().clone());
                place
            })
            .collect();
        self.waiting.extend(below.into_iter().rev());
    }
}

/// The parts of a descriptor that are to be set, with what the directory above has for it now.
fn with_inherited(files: &Files, spot: &Spot, new: Descriptor) -> Descriptor {
    let volume = files.volume_at(spot.drive);
    let above = spot
        .place
        .split_last()
        .and_then(|(_, above)| volume.at(above));
    let (Some(parent), Some(node), true) = (above, volume.at(&spot.place), new.dacl.is_some())
    else {
        return new;
    };
    let set = node.descriptor().with_parts_of(&new, Kind::File);
    let whole = reinherited(&set, parent.descriptor(), node.is_directory(), Kind::File);
    let dacl = whole.dacl.map(|dacl| Acl {
        wants_auto_inherit: true,
        ..dacl
    });
    Descriptor { dacl, ..new }
}

/// Gives a child the entries that its parent has for it now.
fn rewrite(
    files: &mut Files,
    actor: &Actor<'_>,
    spot: &Spot,
) -> Result<(), Failure<SecurityError>> {
    let Some((_, above)) = spot.place.split_last() else {
        return Ok(());
    };
    let volume = files.volume_at(spot.drive);
    let (Some(parent), Some(node)) = (volume.at(above), volume.at(&spot.place)) else {
        return Err(SecurityError::FileNotFound.into());
    };
    let new = reinherited(
        node.descriptor(),
        parent.descriptor(),
        node.is_directory(),
        Kind::File,
    );
    let mut dacl = new.dacl;
    if let Some(dacl) = &mut dacl {
        dacl.wants_auto_inherit = true;
    }
    if dacl.is_none() || Node::descriptor(node).dacl == dacl {
        return Ok(());
    }
    let only_dacl = Descriptor {
        dacl,
        ..Descriptor::default()
    };
    files.set_security_at(actor, spot, &only_dacl)
}
