//! Listings of real machines: `icacls /save` files, `icacls` listings, what `Get-Acl` prints, `dir /s`.
//!
//! What is not understood is refused with its line: nothing is guessed.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `icacls /save`: a name and its DACL in turn, names relative to the directory above what was named | documentation of icacls | yes |
//! | `icacls`: the path before the first entry, the others indented by it; letters of rights | documentation of icacls, listings | yes |
//! | a listing in which nothing is inherited is of a protected DACL | | no |
//! | `dir /s`: columns, headings, sums; English | listings | yes |
//! | Chinese wording of `dir` and `icacls` | memory | no |
//! | Format-List breaks a long value where it likes, and indents the rest | listings | yes |

mod acls;
mod directory;
#[cfg(test)]
mod tests;

use std::fmt;

use super::{Actor, Files};
use crate::win7::ntfs::Node;
use crate::win7::registry::{Name, units};
use crate::win7::security::{Descriptor, Token};

pub use acls::{Secured, get_acl, icacls, saved_acls};
pub use directory::{Listed, What, directory_listing};

/// What is wrong with a listing, and in which line, from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flaw {
    /// The line.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Flaw {}

/// A flaw in a line, from 1.
fn flaw<T>(line: usize, what: impl Into<String>) -> Result<T, Flaw> {
    let what = what.into();
    Err(Flaw { line, what })
}

/// The lines of a text, numbered from 1, without the mark before them.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    (1..).zip(text.lines())
}

impl Files {
    /// Puts there what was listed and lacks: directories, links, and files of which the length alone is known. Each
    /// gets the descriptor that SYSTEM would give it. The paths of what was put there, those above before
    /// those below.
    ///
    /// # Errors
    /// The line of the first that has no place. What came before it was put there.
    pub fn add_listed(&mut self, listed: &[Listed]) -> Result<Vec<String>, Flaw> {
        let token = Token::system();
        let actor = Actor::new(&token);
        let mut added = Vec::new();
        for one in listed {
            let above = match one.what {
                What::Directory => Some(&*one.path),
                _ => one.path.rsplit_once('\\').map(|(above, _)| above),
            };
            let Some(above) = above else {
                return flaw(one.line, format!("{} is no full path", one.path));
            };
            let ends = above.match_indices('\\').map(|(at, _)| at);
            let directories = ends.chain([above.len()]).map(|end| &above[..end]);
            for directory in directories.filter(|directory| !directory.ends_with(':')) {
                if self.look(directory).is_some_and(Node::is_directory) {
                    continue;
                }
                let made = self.make_tree(&actor, &units(directory));
                made.or_else(|error| flaw(one.line, format!("{directory}: {error}")))?;
                added.push(directory.to_owned());
            }
            if one.what == What::Directory {
                continue;
            }
            let name = &one.path[above.len() + 1..];
            if !crate::win7::ntfs::is_name(&units(name)) {
                return flaw(one.line, format!("{name:?} is no name"));
            }
            let name = Name::from(name);
            let root = match above.ends_with(':') {
                true => format!("{above}\\"),
                false => above.to_owned(),
            };
            let Ok(super::Found::There(spot)) = self.find(&actor, &units(&root)) else {
                return flaw(one.line, format!("{} has no place", one.path));
            };
            let directory = self.node(&spot).expect("it was found");
            if directory.entry(&name).is_none() {
                let own = |is_container| {
                    super::new_descriptor(&token, directory.descriptor(), is_container).into()
                };
                let node = match &one.what {
                    What::File(len) => Node::listed(name, own(false), *len),
                    What::Link {
                        target,
                        is_directory,
                        is_junction,
                    } => {
                        let node = match is_directory {
                            true => Node::directory(name, own(true)),
                            false => Node::file(name, own(false), Default::default()),
                        };
                        match is_junction {
                            true => node.joined_to(&units(target)),
                            false => node.leading_to(&units(target)),
                        }
                    }
                    What::Directory => unreachable!("it was made above"),
                };
                let volume = self.drives.get_mut(&spot.drive).expect("it was found");
                volume.put(&spot.place, node);
                added.push(one.path.clone());
            }
        }
        Ok(added)
    }

    /// Gives what is at a path the descriptor that SYSTEM would give it if it made it now.
    pub fn inherit_anew(&mut self, path: &str) {
        let token = Token::system();
        let Ok(super::Found::There(spot)) = self.find_itself(&Actor::new(&token), &units(path))
        else {
            return;
        };
        let volume = self.volume_at(spot.drive);
        let above = spot
            .place
            .split_last()
            .and_then(|(_, above)| volume.at(above));
        if let (Some(above), Some(node)) = (above, volume.at(&spot.place)) {
            let own = super::new_descriptor(&token, above.descriptor(), node.is_directory());
            self.edit(&spot, |node| node.set_descriptor(own.into()));
        }
    }

    /// Gives what is at a path the parts of a descriptor, outside of all rules: nobody is asked, and nothing
    /// below changes. Whether there was anything.
    pub fn put_security(&mut self, path: &[u16], new: &Descriptor) -> bool {
        let mut new = new.clone();
        if let Some(dacl) = &mut new.dacl {
            dacl.wants_auto_inherit = true;
        }
        let set = self.edit_outside(path, |node| {
            let kind = crate::win7::security::Kind::File;
            let set = node.descriptor().with_parts_of(&new, kind);
            node.set_descriptor(set.into());
        });
        set.is_some()
    }
}
