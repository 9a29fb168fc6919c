//! Entities: everything that has a name. A name is a path of birth, never a counter or a pid.

use std::fmt;
use std::sync::Arc;

use super::hash::{LookupMap, text_hash};

/// A named thing (an actor, a file, a socket): the stable hash of its path of birth, such as
/// `client-3/conn-2`. Two runs that name the same thing mean the same entity, whatever happened
/// before; the text is in [`Names`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Entity(pub u64);

impl Entity {
    /// The entity of a path of birth. Register it with [`Names::name`] to be able to print it.
    pub fn of(path: &str) -> Entity {
        Entity(text_hash(path))
    }
}

impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:016x}", self.0)
    }
}

/// The texts of entities. It only grows, and what it holds follows from the entity alone, so one
/// table serves all forks of a machine.
#[derive(Clone, Debug, Default)]
pub struct Names {
    paths: LookupMap<Entity, Named>,
}

#[derive(Clone, Debug)]
struct Named {
    path: Arc<str>,
    /// See [`Names::start`].
    start: [u64; 2],
}

impl Named {
    fn new(path: &str) -> Named {
        let mut start = [0; 16];
        let len = path.len().min(start.len());
        start[..len].copy_from_slice(&path.as_bytes()[..len]);
        let [high, low] = [0, 8].map(|from| {
            let word = start[from..][..8].try_into();
            u64::from_be_bytes(word.expect("eight bytes"))
        });
        Named {
            path: path.into(),
            start: [high, low],
        }
    }
}

impl Names {
    /// An empty table.
    pub fn new() -> Names {
        Names::default()
    }

    /// The entity of `path`, known from now on.
    ///
    /// # Panics
    /// If two different paths have one hash (a broken invariant of ours: 64 bits were not enough).
    pub fn name(&mut self, path: &str) -> Entity {
        let entity = Entity::of(path);
        let known = self.paths.or_insert_with(entity, || Named::new(path));
        assert!(
            &*known.path == path,
            "entity hash collision: {:?} and {path:?}",
            known.path
        );
        entity
    }

    /// The path of birth.
    ///
    /// # Panics
    /// If the entity was never named here.
    pub fn path(&self, entity: Entity) -> &Arc<str> {
        &self.named(entity).path
    }

    /// The first 16 bytes of the path of birth as a number, with zeros behind a shorter one: paths whose starts
    /// differ are ordered as these are.
    ///
    /// # Panics
    /// If the entity was never named here.
    pub(super) fn start(&self, entity: Entity) -> u128 {
        let [high, low] = self.named(entity).start;
        u128::from(high) << 64 | u128::from(low)
    }

    fn named(&self, entity: Entity) -> &Named {
        let named = self.paths.get(&entity);
        named.unwrap_or_else(|| panic!("entity {entity:?} has no name"))
    }

    /// The path of birth, if it is known.
    pub fn get(&self, entity: Entity) -> Option<&Arc<str>> {
        self.paths.get(&entity).map(|named| &named.path)
    }
}

/// Whether `path` matches `pattern`, in which `*` stands for any run of characters.
pub fn matches_pattern(pattern: &str, path: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or("");
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, path, expected) in [
            ("builder", "builder", true),
            ("builder", "builder/child-1", false),
            ("builder*", "builder/child-1", true),
            ("*/child-1", "builder/child-1", true),
            ("c*/x*1", "client/x-21", true),
            ("a*a", "a", false),
            ("*", "", true),
            ("**", "x", true),
            ("", "x", false),
        ] {
            assert_eq!(
                matches_pattern(pattern, path),
                expected,
                "{pattern} on {path}"
            );
        }
    }
}
