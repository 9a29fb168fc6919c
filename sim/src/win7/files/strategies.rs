//! Property tests: trees of directories, files and links with descriptors of their own, which shrink towards
//! small and plain ones.

use std::fmt;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Actor, Files};
use crate::win7::registry::units;
use crate::win7::security::strategies::dacls;
use crate::win7::security::{Descriptor, Token};

/// A tree, to plant on a drive.
#[derive(Clone, PartialEq, Eq)]
pub struct Tree {
    /// What is in it, those above before those below.
    pub nodes: Vec<Planted>,
}

/// Something in a tree.
#[derive(Clone, PartialEq, Eq)]
pub struct Planted {
    /// Its path below the root of the tree, `a\b`.
    pub path: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// A descriptor of its own; none if it inherits.
    pub descriptor: Option<Descriptor>,
}

impl Tree {
    /// The same with nothing but what is inherited.
    pub fn without_descriptors(mut self) -> Tree {
        for node in &mut self.nodes {
            node.descriptor = None;
        }
        self
    }

    /// Makes it in a directory that is there, as SYSTEM; descriptors are put outside of all rules.
    ///
    /// # Panics
    /// If the directory is not there.
    pub fn plant(&self, files: &mut Files, below: &str) {
        let token = Token::system();
        let system = Actor::new(&token);
        for node in &self.nodes {
            let path = units(&format!("{below}\\{}", node.path));
            match node.is_directory {
                true => files.make_tree(&system, &path).expect("it has a place"),
                // SYSTEM may be denied by a descriptor above, so nobody is asked.
                false => files.plant(&path).expect("it has a place"),
            }
            if let Some(descriptor) = &node.descriptor {
                files.put_security(&path, descriptor);
            }
        }
    }
}

/// Trees of up to twelve directories and files, some with DACLs of their own, protected ones among them.
pub fn trees() -> impl Strategy<Value = Tree> {
    let name = select(vec!["a", "b", "C", "d e", "LongFileName.text", "中"]);
    let own = dacls().prop_map(|dacl| Descriptor {
        dacl: Some(dacl),
        ..Descriptor::default()
    });
    let node = (
        any::<prop::sample::Index>(),
        name,
        any::<bool>(),
        option::weighted(0.3, own),
    );
    vec(node, 0..=12).prop_map(|all| {
        let mut nodes: Vec<Planted> = Vec::new();
        for (above, name, is_directory, descriptor) in all {
            let mut directories: Vec<&str> = vec![""];
            let planted = nodes.iter().filter(|node| node.is_directory);
            directories.extend(planted.map(|node| &*node.path));
            let above = directories[above.index(directories.len())];
            let path = format!("{above}\\{name}");
            let path = path.trim_start_matches('\\').to_owned();
            if nodes.iter().all(|node| node.path != path) {
                nodes.push(Planted {
                    path,
                    is_directory,
                    descriptor,
                });
            }
        }
        Tree { nodes }
    })
}

/// A listing: each path, and the descriptor of its own as `icacls` lists it.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for node in &self.nodes {
            let tail = if node.is_directory { "\\" } else { "" };
            writeln!(f, "{}{tail}", node.path)?;
            if let Some(descriptor) = &node.descriptor {
                let text = format!("{descriptor:?}");
                for line in text.lines() {
                    writeln!(f, "    {line}")?;
                }
            }
        }
        Ok(())
    }
}
