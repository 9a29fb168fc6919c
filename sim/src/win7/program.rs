//! Programs as short lists of calls: enough for installers that read, modify and write. Each call is
//! a yield: other programs may come in before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::{Cx, Entity, FaultSpec, Footprint, Key, Record as EngineRecord, Span};
use crate::records;

use super::machine::Machine;
use super::registry::error::WriteError;
use super::registry::reg_file::{LoadError, read_text};
use super::registry::{Data, KeyPath, Kind, UnknownRoot, Value, Win32, units};

/// One call of a program. Texts may hold `{names}` of what was read before.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Call {
    /// RegCreateKeyEx: creates a key, or opens the one that exists.
    CreateKey {
        /// Its full path, beginning with HKCU, HKLM, ...
        key: String,
    },
    /// RegQueryValueEx: reads a value. If it is absent, `into` is the empty text and the type that a
    /// later [`Call::SetText`] writes is REG_EXPAND_SZ.
    QueryText {
        /// The key's full path.
        key: String,
        /// The value's name.
        value: String,
        /// The name under which later calls find the text.
        into: String,
    },
    /// RegSetValueEx: writes a text, of the type that the value was read with.
    SetText {
        /// The key's full path.
        key: String,
        /// The value's name.
        value: String,
        /// The text.
        text: String,
    },
    /// RegDeleteValue.
    DeleteValue {
        /// The key's full path.
        key: String,
        /// The value's name.
        value: String,
    },
    /// Sleep: lets virtual time pass.
    Sleep {
        /// How long.
        ms: u64,
    },
}

/// The programs of a Windows world, and its registry at the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// A .reg file beside the scenario, such as the export of a real machine: what it says is added to the
    /// default machine, all of it or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Keys by full path, each with its values by name: added to that.
    #[serde(default)]
    pub registry: BTreeMap<String, BTreeMap<String, Data>>,
    /// The programs that run side by side.
    pub programs: Vec<ProgramSetup>,
}

/// What of a set-up cannot be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetupError {
    /// The file of the base: see there.
    Base(LoadError),
    /// A text of the set-up, and why.
    Text(String, String),
}

impl Setup {
    /// The machine as it is when the programs begin. `base` is the text of the base, if there is one.
    ///
    /// # Errors
    /// The first thing that cannot be.
    pub fn machine(&self, base: Option<&str>) -> Result<Machine, SetupError> {
        let mut machine = Machine::windows_7();
        let caller = machine.user().clone();
        if let Some(base) = base {
            // The text was decoded already, so it holds what ANSI data there is as it was.
            let file = read_text(&units(base), machine.code_pages().ansi());
            let file = file.map_err(|flaw| SetupError::Base(flaw.into()))?;
            machine
                .registry
                .load(&caller, &file)
                .map_err(SetupError::Base)?;
        }
        let path = |text: &String| {
            let refuse = |unknown: UnknownRoot| SetupError::Text(text.clone(), unknown.to_string());
            KeyPath::parse(text).map_err(refuse)
        };
        for (key, values) in &self.registry {
            let refuse = |error: Win32| SetupError::Text(key.clone(), format!("{key}: {error}"));
            let path = path(key)?;
            let registry = &mut machine.registry;
            registry
                .create_key(&caller, &path)
                .map_err(|error| refuse(error.into()))?;
            for (name, data) in values {
                let set = registry.set_value(&caller, &path, name, data.into());
                set.map_err(|error| refuse(error.into()))?;
            }
        }
        let calls = self.programs.iter().flat_map(|program| &program.calls);
        for key in calls.filter_map(Call::key) {
            path(key)?;
        }
        Ok(machine)
    }
}

impl Call {
    /// The key that it is about.
    fn key(&self) -> Option<&String> {
        match self {
            Call::CreateKey { key }
            | Call::QueryText { key, .. }
            | Call::SetText { key, .. }
            | Call::DeleteValue { key, .. } => Some(key),
            Call::Sleep { .. } => None,
        }
    }
}

/// A program of a Windows world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramSetup {
    /// Its name: an actor of the run.
    pub name: String,
    /// What it does, in order.
    pub calls: Vec<Call>,
}

/// The faults that these programs know.
pub const FAULTS: &[FaultSpec] = &[FaultSpec {
    name: "registry-access-denied",
    doc: "A registry write of the program is refused with error 5, as a deny ACE on the key does. \
          The program notices and ends.",
    params: &[],
}];

records! {
    /// What programs do to the registry.
    pub enum Record {
        /// A key was created or opened.
        CreateKey = "reg_create", "opens {key}" {
            /// The key's full path.
            key: Arc<str>,
        },
        /// A value was read.
        Query = "reg_query", "reads {key}\\{name}: \"{data}\" (code {code})" {
            /// The key's full path.
            key: Arc<str>,
            /// The value's name.
            name: Arc<str>,
            /// The data as text; empty if the call failed.
            data: Arc<str>,
            /// The Win32 code, 0 for success.
            code: u32,
        },
        /// A value was written.
        Set = "reg_set", "writes {key}\\{name} = \"{data}\" (code {code})" {
            /// The key's full path.
            key: Arc<str>,
            /// The value's name.
            name: Arc<str>,
            /// The data as text.
            data: Arc<str>,
            /// The Win32 code, 0 for success.
            code: u32,
        },
        /// A value was deleted.
        DeleteValue = "reg_delete_value", "deletes {key}\\{name} (code {code})" {
            /// The key's full path.
            key: Arc<str>,
            /// The value's name.
            name: Arc<str>,
            /// The Win32 code, 0 for success.
            code: u32,
        },
        /// The program came to its end, or gave up.
        Exit = "program_exit", "ends with code {code}" {
            /// 0 for success, else the Win32 code on which it gave up.
            code: u32,
        },
    }
}

/// An event of this world.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A program performs its next call.
    Call(Entity),
    /// A program has slept, and is about to perform its next call.
    Wake(Entity),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Program {
    calls: Arc<[Call]>,
    next: usize,
    /// Values that were read.
    read: BTreeMap<String, Value>,
}

/// A machine and the programs that use it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Programs {
    machine: Machine,
    programs: BTreeMap<Entity, Program>,
}

impl Programs {
    /// The programs of `setup` on their machine, ready to begin.
    pub fn begin<E, R>(machine: &Machine, setup: &Setup, cx: &mut Cx<'_, E, R>) -> Programs
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let mut world = Programs {
            machine: machine.fork(),
            programs: BTreeMap::new(),
        };
        for program in &setup.programs {
            let actor = cx.name(&program.name);
            let calls = program.calls.clone().into();
            world.programs.insert(
                actor,
                Program {
                    calls,
                    next: 0,
                    read: BTreeMap::new(),
                },
            );
            world.announce(actor, cx);
        }
        world
    }

    /// Performs the next call of a program.
    pub fn step<E, R>(&mut self, event: Event, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let actor = match event {
            Event::Wake(actor) => return self.announce(actor, cx),
            Event::Call(actor) => actor,
        };
        let program = self
            .programs
            .get_mut(&actor)
            .expect("an event names a program");
        let call = program.calls[program.next].clone();
        program.next += 1;
        let text = |text: &str| -> Arc<str> { text.into() };
        let code = |result: &Result<(), Win32>| result.map_or_else(|error| error.code, |()| 0);
        let caller = self.machine.user().clone();
        let registry = &mut self.machine.registry;
        let result = match call {
            Call::CreateKey { key } => {
                let result = registry.create_key(&caller, &KeyPath::from(&*key));
                cx.record(actor, Record::CreateKey { key: text(&key) });
                result.map(|_| ()).map_err(Win32::from)
            }
            Call::QueryText { key, value, into } => {
                let found = registry.value(&caller, &KeyPath::from(&*key), &value);
                let code = found.as_ref().map_or_else(|error| error.code(), |_| 0);
                let data = found.unwrap_or(Value::expand_sz(""));
                cx.record(
                    actor,
                    Record::Query {
                        key: text(&key),
                        name: text(&value),
                        data: text(&data.shown()),
                        code,
                    },
                );
                program.read.insert(into, data);
                Ok(())
            }
            Call::SetText {
                key,
                value,
                text: template,
            } => {
                let (filled, kind) = program.fill(&template);
                let data = match kind {
                    Kind::EXPAND_SZ => Value::expand_sz(&filled),
                    Kind::SZ => Value::sz(&filled),
                    _ => Value::sz(&template),
                };
                let (name, shown) = (text(&value), text(&data.shown()));
                let result = match cx.fault("registry-access-denied", actor) {
                    Some(_) => Err(WriteError::AccessDenied),
                    None => registry.set_value(&caller, &KeyPath::from(&*key), &value, data),
                };
                let result = result.map_err(Win32::from);
                let code = code(&result);
                cx.record(
                    actor,
                    Record::Set {
                        key: text(&key),
                        name,
                        data: shown,
                        code,
                    },
                );
                result
            }
            Call::DeleteValue { key, value } => {
                let result = match cx.fault("registry-access-denied", actor) {
                    Some(_) => Err(WriteError::AccessDenied),
                    None => registry.delete_value(&caller, &KeyPath::from(&*key), &value),
                };
                let result = result.map_err(Win32::from);
                let code = code(&result);
                let (key, name) = (text(&key), text(&value));
                cx.record(actor, Record::DeleteValue { key, name, code });
                result
            }
            Call::Sleep { .. } => unreachable!("a sleep is not announced"),
        };
        match result {
            Ok(()) => self.announce(actor, cx),
            Err(error) => {
                self.programs.remove(&actor);
                cx.record(actor, Record::Exit { code: error.code });
            }
        }
    }

    /// What the next call of the program touches: its key, as a whole.
    pub fn footprint(&self, event: &Event) -> Footprint {
        let Event::Call(actor) = event else {
            return Footprint::Everything;
        };
        let program = &self.programs[actor];
        let resource = |key: &str| vec![Entity::of(&key.to_uppercase())];
        match &program.calls[program.next] {
            Call::QueryText { key, .. } => Footprint::Touches {
                reads: resource(key),
                writes: vec![],
            },
            // Creating a key creates those above it.
            Call::CreateKey { .. } => Footprint::Everything,
            Call::SetText { key, .. } | Call::DeleteValue { key, .. } => Footprint::Touches {
                reads: vec![],
                writes: resource(key),
            },
            Call::Sleep { .. } => Footprint::Touches {
                reads: vec![],
                writes: vec![],
            },
        }
    }

    /// Makes the program ready for its next call, or ends it.
    fn announce<E, R>(&mut self, actor: Entity, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let program = &mut self
            .programs
            .get_mut(&actor)
            .expect("a program that was begun");
        if let Some(Call::Sleep { ms }) = program.calls.get(program.next) {
            program.next += 1;
            cx.after(Span::from_ms(*ms), actor, Event::Wake(actor));
            return;
        }
        let Some(call) = program.calls.get(program.next) else {
            self.programs.remove(&actor);
            cx.record(actor, Record::Exit { code: 0 });
            return;
        };
        let (verb, object) = match call {
            Call::CreateKey { key } => ("create", key.clone()),
            Call::QueryText { key, value, .. } => ("query", format!("{key}\\{value}")),
            Call::SetText { key, value, .. } => ("set", format!("{key}\\{value}")),
            Call::DeleteValue { key, value } => ("delete", format!("{key}\\{value}")),
            Call::Sleep { .. } => unreachable!("a sleep is not announced"),
        };
        let object = if object.is_empty() {
            Key::NO_OBJECT
        } else {
            cx.name(&object)
        };
        cx.ready(actor, verb, object, Event::Call(actor));
    }
}

impl Program {
    /// The text with its `{names}` filled in, and the type of the first of them.
    fn fill(&self, template: &str) -> (String, Kind) {
        let mut filled = String::new();
        let mut kind = None;
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                break;
            };
            if let Some(data) = self.read.get(name) {
                filled.push_str(&data.shown());
                kind.get_or_insert(data.kind);
            }
            rest = after;
        }
        filled.push_str(rest);
        (filled, kind.unwrap_or(Kind::SZ))
    }
}
