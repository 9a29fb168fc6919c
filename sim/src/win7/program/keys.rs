//! What programs do to the registry, one call at a time.

use crate::engine::{Cx, Entity, Record as EngineRecord};
use crate::win7::environment::{cut_as_path_dialog, cut_as_setx};
use crate::win7::registry::error::WriteError;
use crate::win7::registry::reg_file;
use crate::win7::registry::steps::{self, DeleteTree, Import, Step};
use crate::win7::registry::{Access, Caller, Filter, Kind, Value, Win32, units};
use crate::win7::text::Wide;

use super::record::Record;
use super::{Compound, Event, Outcome, Programs, Tools, code_of, fault, fill, path};

impl<T: Tools> Programs<T> {
    pub(super) fn query<E, R>(
        &mut self,
        actor: Entity,
        caller: &Caller,
        key: &str,
        value: &str,
        into: String,
        cx: &mut Cx<'_, E, R>,
    ) where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let full = format!("{key}\\{value}");
        let known = &mut self.programs.get_mut(&actor).expect("it runs").known;
        let is_again = !known.insert(full);
        let registry = &mut self.machine.registry;
        if is_again && let Some(fault) = cx.fault(fault::CHANGED_BETWEEN_READS, actor) {
            let other = cx.name("somebody-else");
            let data = fault.text("text").unwrap_or_default();
            let set = registry.set_value(caller, &path(key), value, Value::expand_sz(data));
            let code = set.map_or_else(|error| error.code(), |()| 0);
            let (key, name, data) = (key.into(), value.into(), data.into());
            let set = Record::Set {
                key,
                name,
                data,
                code,
            };
            cx.record(other, set);
        }
        let found = registry.value(caller, &path(key), value);
        let code = found.as_ref().map_or_else(|error| error.code(), |_| 0);
        let data = found.unwrap_or(Value::expand_sz(""));
        let record = Record::Query {
            key: key.into(),
            name: value.into(),
            data: data.shown().into(),
            code,
        };
        cx.record(actor, record);
        self.remember(actor, into, data);
    }

    pub(super) fn set<E, R>(
        &mut self,
        actor: Entity,
        caller: &Caller,
        key: &str,
        value: &str,
        template: &str,
        cx: &mut Cx<'_, E, R>,
    ) -> Result<(), Win32>
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let (mut filled, kind) = fill(template, &self.programs[&actor].read, &self.params);
        for (name, cut_by) in [
            (fault::SETX_LIMIT, cut_as_setx as fn(&Wide) -> _),
            (fault::PATH_DIALOG_LIMIT, cut_as_path_dialog),
        ] {
            if cx.fault(name, actor).is_none() {
                continue;
            }
            let cut = cut_by(&Wide::from(&*filled));
            if cut.lost > 0 {
                filled = cut.value.to_utf8_lossy();
                let said = cut.warning.unwrap_or_default().into();
                let lost = cut.lost as u64;
                let name = value.into();
                cx.record(actor, Record::Cut { name, lost, said });
            }
        }
        let data = match kind {
            Kind::EXPAND_SZ => Value::expand_sz(&filled),
            Kind::SZ => Value::sz(&filled),
            _ => Value::sz(template),
        };
        let shown = data.shown();
        let result = match cx.fault(fault::ACCESS_DENIED, actor) {
            Some(_) => Err(WriteError::AccessDenied),
            None => self
                .machine
                .registry
                .set_value(caller, &path(key), value, data),
        };
        let result = result.map_err(Win32::from);
        let record = Record::Set {
            key: key.into(),
            name: value.into(),
            data: shown.into(),
            code: code_of(&result),
        };
        cx.record(actor, record);
        result
    }

    pub(super) fn delete_tree<E, R>(
        &mut self,
        actor: Entity,
        caller: &Caller,
        key: &str,
        cx: &mut Cx<'_, E, R>,
    ) -> Outcome
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let compound = &mut self.programs.get_mut(&actor).expect("it runs").compound;
        let doing = compound.take();
        let mut tree = match doing {
            Some(Compound::Delete(tree)) => tree,
            _ => DeleteTree::new(path(key)),
        };
        let step = tree.step(&mut self.machine.registry, caller);
        let done = |key: String, code| {
            let (key, code) = (key.into(), code);
            Record::DeleteKey { key, code }
        };
        match step {
            Ok(Step::Call(call)) => {
                if let steps::Call::DeleteKey(path) = &call {
                    cx.record(actor, done(path.to_string(), 0));
                }
                *compound = Some(Compound::Delete(tree));
                Outcome::More
            }
            Ok(Step::Done(())) => {
                cx.record(actor, done(key.into(), 0));
                Outcome::Next
            }
            Err(error) => {
                let error = Win32::from(error);
                cx.record(actor, done(key.into(), error.code));
                Outcome::Failed(error)
            }
        }
    }

    pub(super) fn import<E, R>(
        &mut self,
        actor: Entity,
        caller: &Caller,
        file: &str,
        cx: &mut Cx<'_, E, R>,
    ) -> Outcome
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let full = units(file);
        let is_new = self.programs[&actor].compound.is_none();
        let content = match is_new {
            true => self.as_user(actor, |files, user| files.read_file(user, &full).ok()),
            false => None,
        };
        let program = self.programs.get_mut(&actor).expect("it runs");
        let doing = match program.compound.take() {
            Some(Compound::Import(doing)) => Some(doing),
            _ => {
                let ansi = self.machine.code_pages().ansi();
                let read = content.and_then(|content| reg_file::read(&content, ansi).ok());
                read.map(|read| Box::new(Import::new(read)))
            }
        };
        let file = file.into();
        let Some(mut import) = doing else {
            // What reg.exe says of a file that is not there, or that is none of its own, and its exit code.
            let (applied, skipped) = (0, 0);
            let record = Record::Import {
                file,
                applied,
                skipped,
                code: 1,
            };
            cx.record(actor, record);
            return Outcome::Next;
        };
        match import.step(&mut self.machine.registry, caller) {
            Step::Call(_) => {
                program.compound = Some(Compound::Import(import));
                Outcome::More
            }
            Step::Done(imported) => {
                let record = Record::Import {
                    file,
                    applied: imported.applied.into(),
                    skipped: imported.skipped.into(),
                    code: 0,
                };
                cx.record(actor, record);
                Outcome::Next
            }
        }
    }

    pub(super) fn watch(&mut self, actor: Entity, caller: &Caller, key: &str) -> Result<(), Win32> {
        let registry = &mut self.machine.registry;
        let program = self.programs.get_mut(&actor).expect("it runs");
        let signal = program.signal;
        if let Some(handle) = program.watch.take() {
            registry
                .close(handle)
                .expect("it is closed once, and here alone");
            registry.take_signal(signal);
        }
        let path = path(key);
        let handle = registry
            .open(caller, path.root, &path.sub, Access::NOTIFY)
            .map_err(Win32::from)?;
        let filter = Filter(Filter::NAME.0 | Filter::LAST_SET.0);
        registry
            .notify(handle, true, filter, signal)
            .map_err(Win32::from)?;
        program.watch = Some(handle);
        Ok(())
    }

    /// Whoever waits, and has its signal, goes on.
    pub(super) fn tell_who_waits<E, R>(&mut self, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let waiting = self.programs.iter().filter(|(_, program)| program.waits);
        let waiting = waiting.map(|(actor, program)| (*actor, program.signal));
        for (actor, signal) in waiting.collect::<Vec<_>>() {
            if !self.machine.registry.take_signal(signal) {
                continue;
            }
            if cx.fault(fault::NOTIFICATION_LOST, actor).is_some() {
                continue;
            }
            cx.record(actor, Record::Changed { signalled: true });
            self.go_on(actor, cx);
        }
    }
}
