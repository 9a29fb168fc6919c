//! The registry, as a program sees it.

use std::sync::Arc;

use crate::win7::registry::error::Win32;
use crate::win7::registry::{
    Access, Bits, Caller, CreateOptions, Disposition, KeyPath, Name, Registry, Value,
};

use super::{Asked, Sys, Touch};
use crate::win7::cmd::kernel::album::Thing;
use crate::win7::cmd::log::Answer;

/// What an operation does to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnKey {
    /// It reads values of this key alone.
    ReadsValues,
    /// It writes values of this key alone.
    WritesValues,
    /// It reads more.
    Reads,
    /// It writes more.
    Writes,
}

impl Sys<'_> {
    /// Who it is in the registry; `view` is the flag KEY_WOW64_32KEY or KEY_WOW64_64KEY (`/reg:32`, `/reg:64`).
    pub fn caller(&self, view: Option<Bits>) -> Caller {
        self.about.caller.clone().in_view(view)
    }

    fn key_touch(&self, caller: &Caller, key: &KeyPath) -> Option<String> {
        let place = self.kernel.machine.registry.place(caller, key)?;
        Some(format!("reg:{}", String::from_utf16_lossy(&place)))
    }

    /// An operation on a key: `verb` and `reads` say what it does to it.
    pub fn on_key<T: Answer>(
        &mut self,
        verb: &'static str,
        caller: &Caller,
        key: &KeyPath,
        value: Option<&str>,
        how: OnKey,
        call: impl FnOnce(&mut Registry) -> Result<T, Win32>,
    ) -> Asked<Result<T, Win32>> {
        let object = match value {
            None | Some("") => key.to_string(),
            Some(value) => format!("{key}\\{value}"),
        };
        let what: Arc<str> = object.as_str().into();
        let (of, at) = (caller.clone(), key.clone());
        let (who, place, name) = (caller.clone(), key.clone(), value.map(str::to_owned));
        self.perform(
            verb,
            move |sys| {
                let touch = match (how, sys.key_touch(&of, &at)) {
                    (OnKey::ReadsValues, Some(place)) => Touch::Reads(vec![place]),
                    (OnKey::WritesValues, Some(place)) => Touch::Writes(vec![place]),
                    _ => Touch::Everything,
                };
                (object, touch)
            },
            move |kernel, about, _| {
                let things = || {
                    vec![match name {
                        Some(name) => Thing::Value(who, about.user.clone(), place, name),
                        None => Thing::Key(who, about.user.clone(), place),
                    }]
                };
                kernel.operation(verb, &what, things, |kernel| {
                    let reads = matches!(how, OnKey::ReadsValues | OnKey::Reads);
                    if !reads && kernel.fault("registry-access-denied").is_some() {
                        return Err(Win32 {
                            code: 5,
                            name: "ERROR_ACCESS_DENIED",
                        });
                    }
                    call(&mut kernel.machine.registry)
                })
            },
        )
    }

    /// RegOpenKeyEx with KEY_READ, only to see that it works.
    pub fn reg_open(&mut self, caller: &Caller, key: &KeyPath) -> Asked<Result<(), Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        self.on_key("open", caller, key, None, OnKey::Reads, move |registry| {
            let read = Access::READ;
            registry
                .check_open(&of, &at, read)
                .map(drop)
                .map_err(Win32::from)
        })
    }

    /// RegQueryValueEx.
    pub fn reg_value(
        &mut self,
        caller: &Caller,
        key: &KeyPath,
        name: &Name,
    ) -> Asked<Result<Value, Win32>> {
        let (of, at, value) = (caller.clone(), key.clone(), name.clone());
        let shown = name.to_string();
        let call =
            move |registry: &mut Registry| registry.value(&of, &at, &value).map_err(Win32::from);
        self.on_key("query", caller, key, Some(&shown), OnKey::ReadsValues, call)
    }

    /// RegEnumValue over all of them, as one operation.
    pub fn reg_values(
        &mut self,
        caller: &Caller,
        key: &KeyPath,
    ) -> Asked<Result<Vec<(Name, Value)>, Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        let call = move |registry: &mut Registry| registry.values(&of, &at).map_err(Win32::from);
        self.on_key("values", caller, key, None, OnKey::ReadsValues, call)
    }

    /// RegEnumKeyEx over all of them, as one operation.
    pub fn reg_keys(&mut self, caller: &Caller, key: &KeyPath) -> Asked<Result<Vec<Name>, Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        let call = move |registry: &mut Registry| registry.key_names(&of, &at).map_err(Win32::from);
        self.on_key("keys", caller, key, None, OnKey::Reads, call)
    }

    /// RegCreateKeyEx.
    pub fn reg_create(
        &mut self,
        caller: &Caller,
        key: &KeyPath,
    ) -> Asked<Result<Disposition, Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        let call = move |registry: &mut Registry| {
            let options = CreateOptions::default();
            registry
                .create_key_with(&of, &at, options)
                .map_err(Win32::from)
        };
        self.on_key("create", caller, key, None, OnKey::Writes, call)
    }

    /// RegSetValueEx.
    pub fn reg_set(
        &mut self,
        caller: &Caller,
        key: &KeyPath,
        name: &Name,
        value: Value,
    ) -> Asked<Result<(), Win32>> {
        let (of, at, to) = (caller.clone(), key.clone(), name.clone());
        let shown = name.to_string();
        let call = move |registry: &mut Registry| {
            registry
                .set_value(&of, &at, &to, value)
                .map_err(Win32::from)
        };
        self.on_key("set", caller, key, Some(&shown), OnKey::WritesValues, call)
    }

    /// The control flags of a key.
    pub fn reg_flags(&mut self, caller: &Caller, key: &KeyPath) -> Asked<Result<u8, Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        let call = move |registry: &mut Registry| registry.key_flags(&of, &at).map_err(Win32::from);
        self.on_key("flags", caller, key, None, OnKey::ReadsValues, call)
    }

    /// Sets them.
    pub fn reg_set_flags(
        &mut self,
        caller: &Caller,
        key: &KeyPath,
        flags: u8,
    ) -> Asked<Result<(), Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        let call = move |registry: &mut Registry| {
            registry.set_key_flags(&of, &at, flags).map_err(Win32::from)
        };
        self.on_key("set flags", caller, key, None, OnKey::Writes, call)
    }

    /// RegDeleteValue.
    pub fn reg_delete_value(
        &mut self,
        caller: &Caller,
        key: &KeyPath,
        name: &Name,
    ) -> Asked<Result<(), Win32>> {
        let (of, at, gone) = (caller.clone(), key.clone(), name.clone());
        let shown = name.to_string();
        let call = move |registry: &mut Registry| {
            registry.delete_value(&of, &at, &gone).map_err(Win32::from)
        };
        self.on_key(
            "delete",
            caller,
            key,
            Some(&shown),
            OnKey::WritesValues,
            call,
        )
    }

    /// RegDeleteKeyEx, of a key without subkeys.
    pub fn reg_delete_key(&mut self, caller: &Caller, key: &KeyPath) -> Asked<Result<(), Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        let call =
            move |registry: &mut Registry| registry.delete_key(&of, &at).map_err(Win32::from);
        self.on_key("delete key", caller, key, None, OnKey::Writes, call)
    }
}
