//! Hives that somebody has loaded from a file.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | right below HKLM or HKU, under a name that is free | documentation of RegLoadKey | yes |
//! | the file belongs to the registry as long as it is loaded: others find it in use | the same; observed | yes |
//! | what was changed is in the file after it is unloaded | documentation of RegUnloadKey | yes |
//! | of what is no loaded hive: 87 | documentation of RegUnloadKey, which names no code | no |

use crate::win7::files::{Actor, FileHandle, OpenRequest, Share};
use crate::win7::registry::error::Win32;
use crate::win7::registry::hive_file;
use crate::win7::registry::{KeyPath, Name, Root};
use crate::win7::security::mask::GENERIC_READ;

use super::Machine;

/// A hive and its file.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Loaded {
    root: Root,
    name: Name,
    file: FileHandle,
    path: Vec<u16>,
}

const INVALID_PARAMETER: Win32 = Win32 {
    code: 87,
    name: "ERROR_INVALID_PARAMETER",
};

/// The name of a key right below HKLM or HKU.
fn name_of(key: &KeyPath) -> Result<Name, Win32> {
    let is_root = matches!(key.root, Root::LocalMachine | Root::Users);
    match is_root && !key.sub.is_empty() && !key.sub.contains(&u16::from(b'\\')) {
        true => Ok(Name::new(&key.sub)),
        false => Err(INVALID_PARAMETER),
    }
}

impl Machine {
    /// RegLoadKey, by somebody who holds the privilege.
    ///
    /// # Errors
    /// Where the file cannot be opened or is no hive, or the key is there already.
    pub fn load_hive(
        &mut self,
        actor: &Actor<'_>,
        key: &KeyPath,
        file: &[u16],
    ) -> Result<(), Win32> {
        let name = name_of(key)?;
        let request = OpenRequest {
            access: GENERIC_READ,
            share: Share(0),
            ..OpenRequest::default()
        };
        let opened = self.files.open(actor, file, request);
        let (handle, _) = opened.map_err(|failure| failure.win32())?;
        let content = self.files.read(handle).map_err(Win32::from);
        let mounted = content.and_then(|content| {
            let hive = hive_file::read(&content, name.clone()).map_err(Win32::from)?;
            self.registry.mount(key.root, hive).map_err(Win32::from)
        });
        if let Err(error) = mounted {
            let _ = self.files.close(handle);
            return Err(error);
        }
        let full = self.files.full_name(actor, file);
        let mut hives = self.hives.to_vec();
        hives.push(Loaded {
            root: key.root,
            name,
            file: handle,
            path: full.map_or_else(|_| file.to_vec(), |full| full.path),
        });
        self.hives = hives.into();
        Ok(())
    }

    /// RegUnloadKey, by somebody who holds the privilege.
    ///
    /// # Errors
    /// If it is none that was loaded, or its file cannot be written.
    pub fn unload_hive(&mut self, actor: &Actor<'_>, key: &KeyPath) -> Result<(), Win32> {
        let name = name_of(key)?;
        let is_it = |hive: &Loaded| hive.root == key.root && hive.name.same_as(&name);
        let Some(hive) = self.hives.iter().find(|hive| is_it(hive)).cloned() else {
            let is_there = self.registry.key(self.user(), key).is_some();
            return Err(match is_there {
                true => INVALID_PARAMETER,
                false => Win32 {
                    code: 2,
                    name: "ERROR_FILE_NOT_FOUND",
                },
            });
        };
        let tree = self.registry.unmount(key.root, &name);
        let _ = self.files.close(hive.file);
        self.hives = self
            .hives
            .iter()
            .filter(|hive| !is_it(hive))
            .cloned()
            .collect();
        let bytes = tree.and_then(|tree| hive_file::written(&tree));
        let bytes = bytes.ok_or(INVALID_PARAMETER)?;
        let written = self.files.write_file(actor, &hive.path, &bytes);
        written.map_err(|failure| failure.win32())
    }
}
