//! From a path that a program gives to a place in the one tree of keys: roots, views, links.
//!
//! A *place* is a folded path in that tree, without links on it: `MACHINE\SOFTWARE\GO`. It names a key
//! for as long as the key lives.

use super::access::Caller;
use super::error::OpenError;
use super::key::{Key, split};
use super::name::{SEPARATOR, fold_all, units};
use super::path::Root;
use super::value::Kind;
use super::view::{is_below, joined};
use super::{MAX_COMPONENT, MAX_COMPONENTS, Registry};

/// The name of the value that holds a link's target, folded.
pub(super) const LINK_VALUE: &str = "SYMBOLICLINKVALUE";

/// No path leads through more links (inferred).
const MAX_LINKS: usize = 64;

/// A way through the tree: to a key, or to where one is missing.
pub(super) struct Way<'a> {
    /// The place. If nothing is missing, that of `key`.
    pub(super) place: Vec<u16>,
    /// The last key that exists.
    pub(super) key: &'a Key,
    /// How many components are missing.
    pub(super) missing: usize,
    /// Whether some of what is missing was named by a link, not by the caller.
    pub(super) missing_by_link: bool,
}

impl Way<'_> {
    pub(super) fn is_whole(&self) -> bool {
        self.missing == 0
    }

    /// The place of the last key that exists.
    pub(super) fn existing(&self) -> &[u16] {
        let mut end = self.place.len();
        for _ in 0..self.missing {
            end = self.place[..end]
                .iter()
                .rposition(|unit| *unit == SEPARATOR)
                .unwrap_or(0);
        }
        &self.place[..end]
    }
}

/// The components of the path that one call names: checked, without empty ones.
pub(super) fn components(sub: &[u16], slash_may_lead: bool) -> Result<Vec<u16>, OpenError> {
    if sub.first() == Some(&SEPARATOR) && !slash_may_lead {
        return Err(OpenError::BadPathname);
    }
    let mut path = Vec::with_capacity(sub.len());
    let mut count = 0;
    for component in sub
        .split(|unit| *unit == SEPARATOR)
        .filter(|name| !name.is_empty())
    {
        if component.len() > MAX_COMPONENT {
            return Err(OpenError::InvalidParameter);
        }
        count += 1;
        if count > 1 {
            path.push(SEPARATOR);
        }
        path.extend_from_slice(component);
    }
    match count > MAX_COMPONENTS {
        true => Err(OpenError::FilenameExcedRange),
        false => Ok(path),
    }
}

impl Registry {
    /// Where a path from a root may lead: one text, or for HKCR the user's and the machine's.
    pub(super) fn texts(
        &self,
        caller: &Caller,
        root: Root,
        sub: &[u16],
        in_32: bool,
    ) -> Result<(Vec<u16>, Option<Vec<u16>>), OpenError> {
        let sub = components(sub, root == Root::ClassesRoot)?;
        let seen = |base: &[u16]| {
            let text = joined(base, &sub);
            if in_32 {
                self.views.of_32_bit(text)
            } else {
                text
            }
        };
        Ok(match root {
            Root::LocalMachine => (seen(&units("MACHINE")), None),
            Root::Users => (seen(&units("USER")), None),
            Root::CurrentUser => (seen(&joined(&units("USER"), caller.hive())), None),
            Root::CurrentConfig => (
                seen(&units(
                    "MACHINE\\SYSTEM\\CurrentControlSet\\Hardware Profiles\\Current",
                )),
                None,
            ),
            Root::ClassesRoot => {
                let machine = seen(&units("MACHINE\\SOFTWARE\\Classes"));
                (seen(&caller.classes()), Some(machine))
            }
        })
    }

    /// Follows a path through the tree, and the links on it. A link at the end is followed unless
    /// `to_link`.
    pub(super) fn walk(&self, text: &[u16], to_link: bool) -> Result<Way<'_>, OpenError> {
        let mut place = fold_all(text);
        let mut from_link = false;
        let mut tail = 0;
        'again: for _ in 0..=MAX_LINKS {
            let mut key = &*self.root;
            let mut at = 0;
            while at < place.len() {
                let (name, _) = split(&place[at..]);
                let end = at + name.len();
                let Some(child) = key.key_folded(name) else {
                    let missing = place[at..]
                        .iter()
                        .filter(|unit| **unit == SEPARATOR)
                        .count()
                        + 1;
                    let missing_by_link = from_link && missing > tail;
                    return Ok(Way {
                        place,
                        key,
                        missing,
                        missing_by_link,
                    });
                };
                let is_last = end == place.len();
                if child.is_link() && !(is_last && to_link) {
                    let rest = place.get(end + 1..).unwrap_or_default();
                    tail = match rest.is_empty() {
                        true => 0,
                        false => rest.iter().filter(|unit| **unit == SEPARATOR).count() + 1,
                    };
                    place = joined(&target(child).ok_or(OpenError::FileNotFound)?, rest);
                    from_link = true;
                    continue 'again;
                }
                key = child;
                at = end + 1;
            }
            return Ok(Way {
                place,
                key,
                missing: 0,
                missing_by_link: false,
            });
        }
        Err(OpenError::FilenameExcedRange)
    }
}

/// Where a link leads: a folded place.
fn target(link: &Key) -> Option<Vec<u16>> {
    let value = link.value_folded(&units(LINK_VALUE))?;
    if value.kind != Kind::LINK {
        return None;
    }
    let target = fold_all(&value.units());
    let below = target.strip_prefix(&*units("\\REGISTRY\\"))?;
    let known = ["MACHINE", "USER"]
        .iter()
        .any(|root| is_below(below, &units(root)));
    known.then(|| below.to_vec())
}
