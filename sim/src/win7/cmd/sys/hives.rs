//! Hives in files, as a program sees them: RegSaveKey, RegRestoreKey, RegLoadKey, RegUnloadKey.
//!
//! Who calls them holds the privilege: nobody asks whether a key may be read or written.

use std::sync::Arc;

use crate::win7::files::Actor;
use crate::win7::machine::Machine;
use crate::win7::registry::error::Win32;
use crate::win7::registry::hive_file::{self, HiveError};
use crate::win7::registry::{Caller, KeyPath, Name};

use super::{Asked, OnKey, Sys, Touch};
use crate::win7::cmd::kernel::album::Thing;

const NO_FORMAT: Win32 = Win32 {
    code: 1017,
    name: "ERROR_NOT_REGISTRY_FILE",
};
const CORRUPT: Win32 = Win32 {
    code: 1009,
    name: "ERROR_BADDB",
};
const NO_KEY: Win32 = Win32 {
    code: 2,
    name: "ERROR_FILE_NOT_FOUND",
};

impl From<HiveError> for Win32 {
    fn from(error: HiveError) -> Win32 {
        match error {
            HiveError::NoHive => NO_FORMAT,
            HiveError::Damaged => CORRUPT,
        }
    }
}

impl Sys<'_> {
    /// What RegSaveKey writes of a key.
    pub fn reg_hive(&mut self, caller: &Caller, key: &KeyPath) -> Asked<Result<Arc<[u8]>, Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        self.on_key("save", caller, key, None, OnKey::Reads, move |registry| {
            let key = registry.key(&of, &at).ok_or(NO_KEY)?;
            hive_file::written(key).map(Arc::from).ok_or(CORRUPT)
        })
    }

    /// RegRestoreKey, of what a file holds.
    pub fn reg_restore(
        &mut self,
        caller: &Caller,
        key: &KeyPath,
        hive: Arc<[u8]>,
    ) -> Asked<Result<(), Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        let call = move |registry: &mut crate::win7::registry::Registry| {
            let from = hive_file::read(&hive, Name::from("restored"))?;
            registry.restore(&of, &at, from).map_err(Win32::from)
        };
        self.on_key("restore", caller, key, None, OnKey::Writes, call)
    }

    /// RegLoadKey.
    pub fn reg_load(&mut self, key: &KeyPath, file: &[u16]) -> Asked<Result<(), Win32>> {
        let (at, file) = (key.clone(), file.to_vec());
        self.on_machine("load", key, move |machine, actor| {
            machine.load_hive(actor, &at, &file)
        })
    }

    /// RegUnloadKey: what was changed goes to the file.
    pub fn reg_unload(&mut self, key: &KeyPath) -> Asked<Result<(), Win32>> {
        let at = key.clone();
        self.on_machine("unload", key, move |machine, actor| {
            machine.unload_hive(actor, &at)
        })
    }

    /// An operation on the registry and the disks.
    fn on_machine(
        &mut self,
        verb: &'static str,
        key: &KeyPath,
        call: impl FnOnce(&mut Machine, &Actor<'_>) -> Result<(), Win32>,
    ) -> Asked<Result<(), Win32>> {
        let what: Arc<str> = key.to_string().as_str().into();
        let object = what.to_string();
        let at = key.clone();
        self.perform(
            verb,
            move |_| (object, Touch::Everything),
            move |kernel, about, local| {
                let actor = Actor {
                    token: about.caller.token(),
                    directory: local.directory.units(),
                    environment: Some(&local.block),
                };
                let things = || vec![Thing::Key(about.caller.clone(), about.user.clone(), at)];
                kernel.operation(verb, &what, things, |kernel| {
                    if kernel.fault("registry-access-denied").is_some() {
                        return Err(Win32 {
                            code: 5,
                            name: "ERROR_ACCESS_DENIED",
                        });
                    }
                    call(kernel.machine, &actor)
                })
            },
        )
    }
}
