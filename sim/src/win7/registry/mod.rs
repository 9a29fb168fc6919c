//! The registry of Windows 7 SP1 x64: hives, keys, values, links, views, handles, notification.
//!
//! What each call does, and how it fails, follows the tests of the Wine project that run on real Windows
//! (`dlls/advapi32/tests/registry.c`, `programs/reg/tests`), the Win32 documentation, and where these are
//! silent the ReactOS sources; `sim/src/win7/README.md` has the table with how sure each rule is.
//!
//! Each method here is one call that the system performs as a whole. What takes several (deleting a tree,
//! importing a file) is in [`steps`], one call at a time, so that others may come in between.
//!
//! ```
//! use faultlab_sim::win7::registry::{Caller, Registry, Standing, Value};
//!
//! let alice = Caller::new("S-1-5-21-1-2-3-1001", Standing::User);
//! let mut registry = Registry::with_hives(&["S-1-5-21-1-2-3-1001"]);
//! registry.create_key(&alice, &"HKCU\\Software\\Go".into()).unwrap();
//! registry.set_value(&alice, &"HKCU\\software\\GO".into(), "root", Value::sz("C:\\Go")).unwrap();
//! let fork = registry.clone();
//! assert_eq!(fork.value(&alice, &"HKCU\\Software\\Go".into(), "Root").unwrap(), Value::sz("C:\\Go"));
//! ```

mod access;
mod calls;
pub mod diff;
pub mod error;
pub(in crate::win7) mod feed;
mod handle;
pub mod hive_file;
mod key;
#[cfg(test)]
mod laws;
mod name;
mod path;
pub mod reg_file;
mod resolve;
mod security;
mod show;
pub(in crate::win7) mod sorted;
pub mod steps;
#[cfg(any(test, feature = "proptest"))]
pub mod strategies;
#[cfg(test)]
mod tests;
mod value;
mod view;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use access::{Access, Bits, Caller, Standing, access_check};
pub use calls::{AsName, Disposition};
pub use error::Win32;
pub use handle::{At, CreateOptions, Handle};
pub use key::{DONT_SILENT_FAIL, DONT_VIRTUALIZE, Key, RECURSE_FLAG};
pub use name::{Name, units};
pub use path::{KeyPath, Root, UnknownRoot};
pub use security::KeySecurityError;
pub use value::{Data, Kind, Value, text_bytes};
pub use view::{documented_keys, documented_links};
pub use watch::{Event, Filter};

use error::MountError;
use handle::OpenKey;
use resolve::LINK_VALUE;
use view::{Views, joined};
use watch::Armed;

use crate::win7::security::{Shared, Sid, defaults};

/// The longest component of a key's path, in UTF-16 units.
pub const MAX_COMPONENT: usize = 255;
/// The longest name of a value, in UTF-16 units.
pub const MAX_VALUE_NAME: usize = 16_383;
/// How many components one call may name.
pub const MAX_COMPONENTS: usize = 32;
/// How deep the tree may be.
pub const MAX_DEPTH: usize = 512;

/// All keys of a machine, the handles that are open to them, and who waits for changes.
///
/// A clone is a fork: it shares everything until one side writes, and then only what lies on the way to
/// what was written is copied. Two registries are equal, and hash alike, if no program could tell them
/// apart, however they came about.
#[derive(Clone)]
pub struct Registry {
    /// Has two keys, MACHINE and USER.
    root: Arc<Key>,
    views: Arc<Views>,
    handles: BTreeMap<Handle, OpenKey>,
    armed: Vec<Armed>,
    signalled: BTreeSet<Event>,
}

impl PartialEq for Registry {
    fn eq(&self, other: &Registry) -> bool {
        let keys = Arc::ptr_eq(&self.root, &other.root) || self.root == other.root;
        keys && self.handles == other.handles
            && self.armed == other.armed
            && self.signalled == other.signalled
    }
}

impl Eq for Registry {}

impl Hash for Registry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.root.hash(state);
        self.handles.hash(state);
        self.armed.hash(state);
        self.signalled.hash(state);
    }
}

impl Default for Registry {
    /// HKLM and HKU without any hive.
    fn default() -> Registry {
        let descriptor = Shared::from(defaults::descriptor(defaults::KEY_MACHINE));
        let mut root = Key::new("REGISTRY".into()).with_descriptor(descriptor.clone());
        root.put_key(Key::made("MACHINE".into(), true, false).with_descriptor(descriptor.clone()));
        root.put_key(Key::made("USER".into(), true, false).with_descriptor(descriptor.clone()));
        Registry {
            root: Arc::new(root),
            views: Arc::new(Views::windows_7()),
            handles: BTreeMap::new(),
            armed: Vec::new(),
            signalled: BTreeSet::new(),
        }
    }
}

impl Registry {
    /// The hives of a machine, empty: those of HKLM, `.DEFAULT`, and one for each of `users` (security
    /// identifiers); users proper get one for their classes too. The links that the system needs are there.
    pub fn with_hives(users: &[&str]) -> Registry {
        let mut registry = Registry::default();
        let with = |key: Key, text: &str| key.with_descriptor(defaults::descriptor(text).into());
        for (name, descriptor) in [
            ("BCD00000000", defaults::KEY_SECRET),
            ("SAM", defaults::KEY_SECRET),
            ("SECURITY", defaults::KEY_SECRET),
            ("SOFTWARE", defaults::KEY_SOFTWARE),
            ("SYSTEM", defaults::KEY_MACHINE),
        ] {
            registry
                .mount(Root::LocalMachine, with(Key::new(name.into()), descriptor))
                .expect("it is new");
        }
        let hardware = with(
            Key::made("HARDWARE".into(), true, false),
            defaults::KEY_MACHINE,
        );
        registry
            .mount(Root::LocalMachine, hardware)
            .expect("it is new");
        registry
            .mount(Root::Users, Key::new(".DEFAULT".into()))
            .expect("it is new");
        for user in users {
            let own = |name: &str| {
                let key = Key::new(name.into());
                match Sid::parse(user) {
                    Some(sid) => key.with_descriptor(defaults::hive(sid).into()),
                    None => key,
                }
            };
            registry
                .mount(Root::Users, own(user))
                .expect("users differ");
            registry.plant(&format!("USER\\{user}\\Software\\Classes"));
            if user.starts_with("S-1-5-21-") {
                let classes = format!("{user}_Classes");
                registry
                    .mount(Root::Users, own(&classes))
                    .expect("users differ");
                registry.link(
                    &format!("USER\\{user}\\Software\\Classes"),
                    &format!("USER\\{classes}"),
                );
            }
        }
        registry.link("USER\\S-1-5-18", "USER\\.DEFAULT");
        registry.link(
            "MACHINE\\SYSTEM\\CurrentControlSet",
            "MACHINE\\SYSTEM\\ControlSet001",
        );
        let profiles = "MACHINE\\SYSTEM\\ControlSet001\\Hardware Profiles";
        registry.plant(&format!("{profiles}\\0001"));
        registry.link(
            &format!("{profiles}\\Current"),
            "MACHINE\\SYSTEM\\CurrentControlSet\\Hardware Profiles\\0001",
        );
        let place = |path: &KeyPath| format!("MACHINE\\{}", String::from_utf16_lossy(&path.sub));
        for (key, to) in documented_keys() {
            if key.root == Root::LocalMachine {
                registry.plant(&place(to.as_ref().unwrap_or(&key)));
                registry.plant(&place(&key));
            }
        }
        for (key, to) in documented_links() {
            registry.plant(&place(&to));
            registry.link(&place(&key), &place(&to));
        }
        registry
    }

    /// Puts a hive in its place, as RegLoadKey does.
    ///
    /// # Errors
    /// If something of that name is there, or the root takes no hives.
    ///
    /// Keys without a descriptor get what they inherit.
    pub fn mount(&mut self, root: Root, mut hive: Key) -> Result<(), MountError> {
        let place = match root {
            Root::LocalMachine => units("MACHINE"),
            Root::Users => units("USER"),
            _ => return Err(MountError::InvalidParameter),
        };
        let name = hive.name().clone();
        if name.is_empty() || name.units().contains(&name::SEPARATOR) {
            return Err(MountError::InvalidParameter);
        }
        self.edit(&place, |parent| match parent.key(&name) {
            Some(_) => Err(MountError::AlreadyExists),
            None => {
                hive.settle(parent.descriptor());
                parent.put_key(hive);
                Ok(())
            }
        })
    }

    /// Takes a hive out of its place, as RegUnloadKey does, whatever is below it; nothing if there is no such key.
    pub fn unmount(&mut self, root: Root, name: &Name) -> Option<Arc<Key>> {
        let place = match root {
            Root::LocalMachine => units("MACHINE"),
            Root::Users => units("USER"),
            _ => return None,
        };
        self.edit(&place, |parent| parent.remove_key(name.folded()))
    }

    /// RegRestoreKey: what a key holds, and who may do what with it and what is below it, becomes that of another one.
    /// It takes a privilege, so nobody is asked whether they may, and signals nobody who watches.
    ///
    /// # Errors
    /// See [`error::OpenError`].
    pub fn restore(
        &mut self,
        caller: &Caller,
        path: &KeyPath,
        from: Key,
    ) -> Result<(), error::OpenError> {
        let spot = self.spot(caller, path)?;
        self.edit(&spot.first, |key| key.become_as(from));
        Ok(())
    }

    /// All keys of HKLM (`MACHINE`) and HKU (`USER`), as one tree.
    pub fn tree(&self) -> &Key {
        &self.root
    }

    /// The key at a path, with all below it, to look at without a handle.
    pub fn key(&self, caller: &Caller, path: &KeyPath) -> Option<&Key> {
        let spot = self.spot(caller, path).ok()?;
        self.root.find(&spot.first)
    }

    /// What a path means, without links, views and roots: two paths are one key if they have one place. None
    /// below HKCR, where two keys are meant, and for what is no path. The key need not be there.
    pub fn place(&self, caller: &Caller, path: &KeyPath) -> Option<Vec<u16>> {
        let texts = self.texts(caller, path.root, &path.sub, caller.is_in_32());
        let (text, other) = texts.ok()?;
        match other {
            Some(_) => None,
            None => Some(self.walk(&text, false).ok()?.place),
        }
    }

    /// Edits the key at a place.
    ///
    /// # Panics
    /// If there is none.
    fn edit<R>(&mut self, place: &[u16], edit: impl FnOnce(&mut Key) -> R) -> R {
        Arc::make_mut(&mut self.root)
            .edit(place, edit)
            .expect("the place names a key")
    }

    /// Creates a key and those above it, outside of all rules.
    fn plant(&mut self, path: &str) {
        let mut place = Vec::new();
        for name in path.split('\\') {
            let name = Name::from(name);
            self.edit(&place, |parent| {
                if parent.key(&name).is_none() {
                    let mut key = Key::new(name.clone());
                    key.settle(parent.descriptor());
                    parent.put_key(key);
                }
            });
            place = joined(&place, name.folded());
        }
    }

    /// Puts a link in its place, outside of all rules; what was there goes.
    fn link(&mut self, path: &str, to: &str) {
        let (parent, name) = path.rsplit_once('\\').expect("links lie below something");
        self.plant(parent);
        let mut link = Key::made(name.into(), false, true);
        let target = value::bytes_of(units(&format!("\\Registry\\{to}")));
        link.set_value("SymbolicLinkValue".into(), Value::new(Kind::LINK, target));
        let place = name::fold_all(&units(parent));
        self.edit(&place, |parent| {
            link.settle(parent.descriptor());
            parent.put_key(link);
        });
    }
}
