//! Hive files (regf), as RegSaveKey writes them: read into a key with all below it, and written from one.
//!
//! The format is handled by the crate `regf`. Not everything goes through: reading drops security
//! descriptors, class names and times, which the models do not have; writing is refused for what the crate
//! cannot write, and [`written`] says what is lost for the rest.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};

use faultlab_sim::win7::registry::{Key, Kind, MAX_DEPTH, Name, Value};
use regf::hive::RegistryKey;
use regf::{DataType, HiveBuilder, KeyNodeFlags, KeyTreeNode, KeyTreeValue, RegistryHive};

/// Why a hive is not read or written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HiveError {
    /// The key below the hive's root, if one is to blame.
    pub key: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for HiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.is_empty() {
            true => f.write_str(&self.what),
            false => write!(f, "{}: {}", self.key, self.what),
        }
    }
}

impl std::error::Error for HiveError {}

/// A key with all below it, as a hive file has it, called `name`.
///
/// # Errors
/// If the file is damaged, or holds what the models do not have.
pub fn read(bytes: &[u8], name: &str) -> Result<Key, HiveError> {
    let hive = guarded(|| RegistryHive::from_bytes(bytes.to_vec()))?;
    if hive.is_dirty() {
        let what = "the hive was not closed properly: its log has to be applied first";
        return Err(HiveError {
            key: String::new(),
            what: what.into(),
        });
    }
    let root = guarded(|| hive.root_key())?;
    let mut seen = BTreeSet::new();
    let mut key = Key::new(name.into());
    fill(&mut key, &root, "", 0, &mut seen)?;
    Ok(key)
}

/// What the writing of a hive loses: see [`written`].
pub const LOST: &str = "security descriptors (the crate regf writes none of its own making)";

/// The bytes of a hive file with a key and all below it. What is lost: [`LOST`].
///
/// # Errors
/// For volatile keys and links, which the crate cannot write; for names that are no Unicode.
pub fn written(key: &Key) -> Result<Vec<u8>, HiveError> {
    let tree = tree(key, "")?;
    guarded(|| HiveBuilder::from_tree(tree.clone()).and_then(|mut builder| Ok(builder.to_bytes()?)))
}

/// The crate is held to answer damage with an error; where it panics, so do we not.
fn guarded<T>(work: impl Fn() -> regf::Result<T>) -> Result<T, HiveError> {
    let refuse = |what: String| HiveError {
        key: String::new(),
        what,
    };
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| refuse(format!("this is no sound hive: {error}"))),
        Err(_) => Err(refuse("this is no sound hive".into())),
    }
}

fn fill(
    key: &mut Key,
    from: &RegistryKey<'_>,
    path: &str,
    depth: usize,
    seen: &mut BTreeSet<u32>,
) -> Result<(), HiveError> {
    let wrong = |what: &str| HiveError {
        key: path.into(),
        what: what.into(),
    };
    if depth > MAX_DEPTH {
        return Err(wrong("the tree is deeper than 512 levels"));
    }
    if !seen.insert(from.offset()) {
        return Err(wrong("the key is below itself"));
    }
    for value in guarded(|| from.values())? {
        let name = guarded(|| Ok(value.name()))?;
        let data = guarded(|| value.raw_data())?;
        key.set_value(
            Name::from(&*name),
            Value::new(Kind(value.raw_data_type()), data),
        );
    }
    for below in guarded(|| from.subkeys())? {
        let name = guarded(|| Ok(below.name()))?;
        let path = format!("{path}\\{name}");
        let flags = KeyNodeFlags::from_bits_retain(below.raw_node().flags);
        let name = Name::from(&*name);
        if name.is_empty() || name.units().contains(&u16::from(b'\\')) || key.key(&name).is_some() {
            let what = "the key has no name of its own";
            return Err(HiveError {
                key: path,
                what: what.into(),
            });
        }
        let mut child = match flags.contains(KeyNodeFlags::KEY_SYM_LINK) {
            true => Key::new_link(name),
            false => Key::new(name),
        };
        fill(&mut child, &below, &path, depth + 1, seen)?;
        key.put_key(child);
    }
    Ok(())
}

fn tree(key: &Key, path: &str) -> Result<KeyTreeNode, HiveError> {
    let wrong = |what: &str| HiveError {
        key: path.into(),
        what: what.into(),
    };
    let unicode = |name: &Name| {
        String::from_utf16(name.units())
            .map_err(|_| wrong("a name is no Unicode: it cannot be written"))
    };
    if key.is_volatile() {
        return Err(wrong("volatile keys are in no file"));
    }
    if key.is_link() {
        return Err(wrong("links cannot be written"));
    }
    let mut node = KeyTreeNode::new(&unicode(key.name())?);
    for (name, value) in key.values() {
        node.values.push(KeyTreeValue {
            name: unicode(name)?,
            data_type: DataType::from(value.kind.0),
            data: value.data.to_vec(),
        });
    }
    for below in key.keys() {
        node.children
            .push(tree(below, &format!("{path}\\{}", below.name()))?);
    }
    Ok(node)
}
