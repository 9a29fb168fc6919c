//! Programs as short lists of calls: enough for installers that read, modify and write, and for whoever
//! looks at what they left. Each call is a yield: other programs may come in before it.
//!
//! Each program is a process that Explorer started: it has a block of variables, a working directory, and
//! nothing else of its own. Registry and files are the machine's.

mod call;
mod disk;
pub mod encoding;
mod fault;
mod files;
mod record;
mod setup;
mod tool;

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::sync::Arc;

use crate::engine::{Cx, Entity, Footprint, Key, Record as EngineRecord, Span};

use super::environment::processes::Listening;
use super::environment::{Block, cut_as_path_dialog, cut_as_setx};
use super::files::{Actor as DiskActor, Propagation};
use super::machine::{EXPLORER, Machine};
use super::registry::error::WriteError;
use super::registry::reg_file;
use super::registry::steps::{self, DeleteTree, Import, Step};
use super::registry::{
    Access, Bits, Caller, Event as Signal, Filter, Handle, KeyPath, Kind, Value, Win32, units,
};
use super::resolve::{Place, cmd, create_process, powershell2};
use super::text::Wide;

pub use call::{Call, Searcher};
pub use disk::DiskCall;
pub use encoding::Encoding;
pub use fault::FAULTS;
pub use files::Files;
pub use record::Record;
pub use setup::{FileSetup, Locale, ProgramSetup, Setup, SetupError};
pub use tool::{Ended, NoTools, Start, Tools};

/// An event of this world.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A program performs its next call.
    Call(Entity),
    /// A program has slept, and is about to perform its next call.
    Wake(Entity),
    /// A program has waited long enough in the call of this number.
    TimeUp(Entity, usize),
}

/// What of a step is not modelled.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Unsupported(pub String);

/// A call that takes several steps.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Compound {
    Delete(DeleteTree),
    Import(Box<Import>),
    Propagate(Box<Propagation>),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Program {
    /// Its name among the processes.
    name: Arc<str>,
    /// Who it is on disks.
    user: Arc<str>,
    /// How it is told of changes.
    signal: Signal,
    calls: Arc<[Call]>,
    next: usize,
    /// Values that were read.
    read: BTreeMap<String, Value>,
    /// Which values it has read before.
    known: BTreeSet<String>,
    compound: Option<Compound>,
    /// The handle of what it watches.
    watch: Option<Handle>,
    /// Whether it waits for its signal.
    waits: bool,
    /// Whether it has begun: a program that is launched does so later.
    runs: bool,
}

/// A machine and the programs that use it; `T` are the tools that lie on it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Programs<T = NoTools> {
    machine: Machine,
    files: Files,
    programs: BTreeMap<Entity, Program>,
    params: Arc<BTreeMap<String, String>>,
    /// The block that Explorer had when the programs began.
    logon: Arc<Block>,
    /// What of the disks could not be prepared: the first call says so.
    flaw: Option<String>,
    tools: PhantomData<T>,
}

/// What a call comes to.
enum Outcome {
    /// Go on with the next call.
    Next,
    /// There is more to do in this one.
    More,
    /// It waits.
    Waits,
    /// The program gives up.
    Failed(Win32),
}

impl From<Result<(), Win32>> for Outcome {
    fn from(result: Result<(), Win32>) -> Outcome {
        result.map_or_else(Outcome::Failed, |()| Outcome::Next)
    }
}

fn code_of(result: &Result<(), Win32>) -> u32 {
    result.map_or_else(|error| error.code, |()| 0)
}

impl<T: Tools> Programs<T> {
    /// The programs of `setup` on their machine, ready to begin. `params` are what `{names}` in texts stand
    /// for, beside what programs read.
    pub fn begin<E, R>(
        machine: &Machine,
        setup: &Setup,
        params: &Arc<BTreeMap<String, String>>,
        cx: &mut Cx<'_, E, R>,
    ) -> Programs<T>
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let explorer = machine.processes().get(EXPLORER);
        let logon = explorer.expect("someone is logged on").block.clone();
        let mut world = Programs {
            logon: Arc::new(logon),
            machine: machine.fork(),
            files: setup.files(),
            programs: BTreeMap::new(),
            params: params.clone(),
            flaw: None,
            tools: PhantomData,
        };
        let fill = |text: &str| fill_params(text, params);
        if let Err(what) = setup.prepare_disk(&mut world.machine, fill) {
            world.flaw = Some(what);
        }
        for (place, program) in (1..).zip(&setup.programs) {
            let actor = cx.name(&program.name);
            let begun = Program {
                name: program.name.as_str().into(),
                user: program.user.as_deref().unwrap_or("admin").into(),
                signal: Signal(place),
                calls: program.calls.clone().into(),
                next: 0,
                read: BTreeMap::new(),
                known: BTreeSet::new(),
                compound: None,
                watch: None,
                waits: false,
                runs: !program.launched,
            };
            world.programs.insert(actor, begun);
            if program.launched {
                continue;
            }
            world.start(actor);
            if let Some(directory) = &program.directory {
                let processes = world.machine.processes_mut();
                processes
                    .change_directory(&program.name, directory.as_str().into())
                    .expect("it was just started");
            }
            for (name, text) in &program.variables {
                let text = world.programs[&actor].fill(text, params).0;
                let _ = world.block(actor).set(&(&**name).into(), &(&*text).into());
            }
            fault::strike_at_start(world.block(actor), actor, cx);
            world.announce(actor, cx);
        }
        world
    }

    /// The process of a program, as a child of Explorer.
    fn start(&mut self, actor: Entity) {
        let name = self.programs[&actor].name.clone();
        let processes = self.machine.processes_mut();
        processes
            .start(EXPLORER, &name, Bits::Bits64, Listening::NoWindow)
            .expect("names of programs were checked");
    }

    fn block(&mut self, actor: Entity) -> &mut Block {
        let name = self.programs[&actor].name.clone();
        let block = self.machine.processes_mut().block_mut(&name);
        block.expect("each running program is a process")
    }

    fn directory(&self, actor: Entity) -> String {
        let process = self.machine.processes().get(&self.programs[&actor].name);
        let process = process.expect("each running program is a process");
        process.directory.to_utf8_lossy()
    }

    /// Performs the next call of a program. Returns what of it is not modelled.
    pub fn step<E, R>(&mut self, event: Event, cx: &mut Cx<'_, E, R>) -> Option<Unsupported>
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let actor = match event {
            Event::Wake(actor) => {
                self.announce(actor, cx);
                return None;
            }
            Event::TimeUp(actor, call) => {
                let waits = |program: &Program| program.waits && program.next == call;
                if self.programs.get(&actor).is_some_and(waits) {
                    cx.record(actor, Record::Changed { signalled: false });
                    self.go_on(actor, cx);
                }
                return None;
            }
            Event::Call(actor) => actor,
        };
        let program = &self.programs[&actor];
        let call = program.calls[program.next].clone();
        if let Some(flaw) = self.flaw.take() {
            self.end(actor, 1, cx);
            return Some(Unsupported(format!("the disks cannot be prepared: {flaw}")));
        }
        let (outcome, unsupported) = match call {
            Call::Run { command } => self.run(actor, &command, cx),
            call => (self.perform(actor, call, cx), None),
        };
        let program = self.programs.get_mut(&actor).expect("it was there");
        match outcome {
            Outcome::Next => {
                program.next += 1;
                self.announce(actor, cx);
            }
            Outcome::More => self.announce(actor, cx),
            Outcome::Waits => program.waits = true,
            Outcome::Failed(error) => self.end(actor, error.code, cx),
        }
        self.tell_who_waits(cx);
        unsupported
    }

    /// Any call but one of a tool.
    fn perform<E, R>(&mut self, actor: Entity, call: Call, cx: &mut Cx<'_, E, R>) -> Outcome
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let caller = self.machine.user().clone();
        let text = |text: &str| -> Arc<str> { text.into() };
        match call {
            Call::CreateKey { key } => {
                let created = self.machine.registry.create_key(&caller, &path(&key));
                cx.record(actor, Record::CreateKey { key: text(&key) });
                created.map(|_| ()).map_err(Win32::from).into()
            }
            Call::QueryText { key, value, into } => {
                self.query(actor, &caller, &key, &value, into, cx);
                Outcome::Next
            }
            Call::SetText { key, value, text } => {
                self.set(actor, &caller, &key, &value, &text, cx).into()
            }
            Call::DeleteValue { key, value } => {
                let registry = &mut self.machine.registry;
                let result = match cx.fault(fault::ACCESS_DENIED, actor) {
                    Some(_) => Err(WriteError::AccessDenied),
                    None => registry.delete_value(&caller, &path(&key), &value),
                };
                let result = result.map_err(Win32::from);
                let code = code_of(&result);
                let (key, name) = (text(&key), text(&value));
                cx.record(actor, Record::DeleteValue { key, name, code });
                result.into()
            }
            Call::DeleteTree { key } => self.delete_tree(actor, &caller, &key, cx),
            Call::Import { file } => self.import(actor, &caller, &file, cx),
            Call::Watch { key } => self.watch(actor, &caller, &key).into(),
            Call::AwaitChange { ms } => {
                let program = &self.programs[&actor];
                let time_up = Event::TimeUp(actor, program.next);
                cx.after(Span::from_ms(ms), actor, time_up);
                Outcome::Waits
            }
            Call::SetVariable { name, text } => {
                let text = self.fill(actor, &text);
                let set = self.block(actor).set(&(&*name).into(), &(&*text).into());
                let code = set.map_or_else(|error| error.code(), |()| 0);
                let (name, text) = (name.as_str().into(), text.into());
                cx.record(actor, Record::SetVariable { name, text, code });
                Outcome::Next
            }
            Call::Expand { text, into } => {
                let text = self.fill(actor, &text);
                let expanded = self.block(actor).expand(&(&*text).into()).to_utf8_lossy();
                let (of, shown) = (text.into(), expanded.as_str().into());
                cx.record(actor, Record::Expand { of, text: shown });
                self.remember(actor, into, Value::sz(&expanded));
                Outcome::Next
            }
            Call::Broadcast => {
                let name = self.programs[&actor].name.clone();
                let reached = self.machine.broadcast(&name);
                let reached = reached
                    .expect("each running program is a process")
                    .join(" ");
                let reached = reached.into();
                cx.record(actor, Record::Broadcast { reached });
                Outcome::Next
            }
            Call::Launch { program } => {
                self.launch(actor, &program, cx);
                Outcome::Next
            }
            Call::Resolve { by, command, into } => {
                let command = self.fill(actor, &command);
                let place = Place::new(&self.directory(actor), self.block(actor).clone());
                let found = match by {
                    Searcher::Cmd => cmd(&command, &place, &self.files).file(),
                    Searcher::PowerShell2 => powershell2(&command, &place, &self.files).file(),
                    Searcher::CreateProcess => create_process(&command, &place, &self.files),
                };
                let found = found.unwrap_or_default();
                let (by, command, file) = (by.name(), command.into(), found.as_str().into());
                cx.record(actor, Record::Resolve { by, command, file });
                self.remember(actor, into, Value::sz(&found));
                Outcome::Next
            }
            Call::Save {
                file,
                text,
                encoding,
            } => {
                let (text, named) = (self.fill(actor, &text), self.fill(actor, &encoding));
                let struck = cx.fault(fault::SOURCE_ENCODING, actor);
                let named = struck
                    .as_ref()
                    .and_then(|fault| fault.text("encoding"))
                    .map_or(named, str::to_owned);
                let Some(encoding) = Encoding::of(&named) else {
                    return Outcome::Failed(Win32 {
                        code: 87,
                        name: "ERROR_INVALID_PARAMETER",
                    });
                };
                let bytes = encoding.encode(&text);
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                self.files.write(&self.full(actor, &file), &bytes);
                let (file, encoding, bytes) = (file.into(), named.into(), hex.into());
                let saved = Record::Save {
                    file,
                    encoding,
                    bytes,
                };
                cx.record(actor, saved);
                Outcome::Next
            }
            Call::Disk(call) => self.on_disk(actor, &call, cx),
            Call::Run { .. } | Call::Sleep { .. } => unreachable!("they are performed elsewhere"),
        }
    }

    /// A call on a disk. A program goes on after one that failed: what follows is its business.
    fn on_disk<E, R>(&mut self, actor: Entity, call: &DiskCall, cx: &mut Cx<'_, E, R>) -> Outcome
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let user = self.programs[&actor].user.clone();
        let caller = self
            .machine
            .caller(&user)
            .expect("names of users were checked");
        let directory = units(&self.directory(actor));
        let block = self.block(actor).clone();
        let on = DiskActor {
            token: caller.token(),
            directory: &directory,
            environment: Some(&block),
        };
        if let Some(Compound::Propagate(rest)) =
            &mut self.programs.get_mut(&actor).expect("it runs").compound
        {
            let step = rest.step(&mut self.machine.files, &on);
            let Some(step) = step else {
                self.programs.get_mut(&actor).expect("it runs").compound = None;
                return Outcome::Next;
            };
            let code = step
                .result
                .map_or_else(|failure| failure.win32().code, |()| 0);
            let path = String::from_utf16_lossy(&step.path).into();
            cx.record(actor, Record::DiskRewrite { path, code });
            return Outcome::More;
        }
        let struck = disk::strike(&mut self.machine, actor, cx);
        let params = self.params.clone();
        let program = self.programs[&actor].clone();
        let cut = match struck {
            disk::Struck::Cut(most) => most,
            _ => usize::MAX,
        };
        let fill = |text: &str| program.fill(text, &params).0;
        let fill_path = |text: &str| {
            let path = units(&fill(text));
            String::from_utf16_lossy(&path[..path.len().min(cut)])
        };
        let (done, rest) = match &struck {
            disk::Struck::Fails(error, why) => (Err((*error, (*why).to_owned())), None),
            _ => disk::perform(call, &mut self.machine.files, &on, fill_path),
        };
        if let disk::Struck::Held(handle) = struck {
            let _ = self.machine.files.close(handle);
        }
        let path = fill_path(&call.object());
        let full = self.machine.files.full_name(&on, &units(&path));
        let prefix = if path.starts_with("\\\\?\\") { 4 } else { 0 };
        let (code, why) = match &done {
            Ok(()) => (0, String::new()),
            Err((error, why)) => (error.code, why.clone()),
        };
        let record = Record::Disk {
            op: call.verb(),
            units: full.map_or(0, |full| full.path.len() as u64 - prefix),
            path: path.into(),
            user,
            code,
            why: why.into(),
        };
        cx.record(actor, record);
        if let (DiskCall::ChangeDirectory { path }, Ok(())) = (call, &done) {
            let name = self.programs[&actor].name.clone();
            let directory = fill(path).as_str().into();
            let changed = self
                .machine
                .processes_mut()
                .change_directory(&name, directory);
            changed.expect("each running program is a process");
        }
        match rest {
            None => Outcome::Next,
            Some(rest) => {
                let program = self.programs.get_mut(&actor).expect("it runs");
                program.compound = Some(Compound::Propagate(Box::new(rest)));
                Outcome::More
            }
        }
    }

    fn query<E, R>(
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

    fn set<E, R>(
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
        let (mut filled, kind) = self.programs[&actor].fill(template, &self.params);
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

    fn delete_tree<E, R>(
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

    fn import<E, R>(
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
        let full = self.full(actor, file);
        let program = self.programs.get_mut(&actor).expect("it runs");
        let doing = match program.compound.take() {
            Some(Compound::Import(doing)) => Some(doing),
            _ => {
                let ansi = self.machine.code_pages().ansi();
                let content = self.files.read(&full);
                let read = content.and_then(|content| reg_file::read(content, ansi).ok());
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

    fn watch(&mut self, actor: Entity, caller: &Caller, key: &str) -> Result<(), Win32> {
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
    fn tell_who_waits<E, R>(&mut self, cx: &mut Cx<'_, E, R>)
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

    /// A program that waited goes on.
    fn go_on<E, R>(&mut self, actor: Entity, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let program = self.programs.get_mut(&actor).expect("it waits");
        program.waits = false;
        program.next += 1;
        self.announce(actor, cx);
    }

    fn launch<E, R>(&mut self, actor: Entity, name: &str, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let launched = cx.name(name);
        let program = self.programs.get_mut(&launched);
        let Some(program) = program.filter(|program| !program.runs) else {
            return;
        };
        program.runs = true;
        self.start(launched);
        if cx.fault(fault::STALE_PARENT, launched).is_some() {
            // Whoever started it has run since the logon: its block is the one of then.
            let logon = self.logon.clone();
            *self.block(launched) = logon.as_ref().clone();
        }
        fault::strike_at_start(self.block(launched), launched, cx);
        let program = name.into();
        cx.record(actor, Record::Launch { program });
        self.announce(launched, cx);
    }

    /// Runs a tool.
    fn run<E, R>(
        &mut self,
        actor: Entity,
        command: &str,
        cx: &mut Cx<'_, E, R>,
    ) -> (Outcome, Option<Unsupported>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let command = self.fill(actor, command);
        let words: Vec<&str> = command.split_ascii_whitespace().collect();
        let Some((name, arguments)) = words.split_first() else {
            return (Outcome::Next, None);
        };
        let block = self.block(actor).clone();
        let directory = self.directory(actor);
        let place = Place::new(&directory, block.clone());
        let Some(executable) = cmd(name, &place, &self.files).file() else {
            let said = format!("'{name}' is not recognized as an internal or external command,");
            let record = Record::Tool {
                command: command.as_str().into(),
                code: 9009,
                said: said.into(),
            };
            cx.record(actor, record);
            return (Outcome::Next, None);
        };
        let start = Start {
            executable: &executable,
            arguments,
            directory: &directory,
            block: &block,
            files: &self.files,
        };
        let ended = match T::run(&start) {
            Some(Ok(ended)) => ended,
            Some(Err(what)) => return (Outcome::Next, Some(Unsupported(what))),
            None => {
                let what = format!("the program {executable}");
                return (Outcome::Next, Some(Unsupported(what)));
            }
        };
        for (path, content) in &ended.wrote {
            self.files.write(path, content);
        }
        let record = Record::Tool {
            command: command.as_str().into(),
            code: ended.code,
            said: ended.said.into(),
        };
        cx.record(actor, record);
        (Outcome::Next, None)
    }

    fn full(&self, actor: Entity, file: &str) -> String {
        super::resolve::full_path(&self.directory(actor), file)
    }

    fn fill(&self, actor: Entity, template: &str) -> String {
        self.programs[&actor].fill(template, &self.params).0
    }

    fn remember(&mut self, actor: Entity, name: String, value: Value) {
        let program = self.programs.get_mut(&actor).expect("it runs");
        program.read.insert(name, value);
    }

    /// What the next call of the program touches: its key, as a whole.
    pub fn footprint(&self, event: &Event) -> Footprint {
        let Event::Call(actor) = event else {
            return Footprint::Everything;
        };
        // A write can wake whoever watches.
        if self
            .programs
            .values()
            .any(|program| program.watch.is_some())
        {
            return Footprint::Everything;
        }
        let program = &self.programs[actor];
        let resource = |key: &str| vec![Entity::of(&key.to_uppercase())];
        match &program.calls[program.next] {
            Call::QueryText { key, value, .. } => Footprint::Touches {
                // Somebody else may write before the second read.
                reads: resource(key),
                writes: match program.known.contains(&format!("{key}\\{value}")) {
                    true => resource(key),
                    false => vec![],
                },
            },
            Call::SetText { key, .. } | Call::DeleteValue { key, .. } => Footprint::Touches {
                reads: vec![],
                writes: resource(key),
            },
            // Its own block alone.
            Call::SetVariable { .. } | Call::Expand { .. } => Footprint::Touches {
                reads: vec![],
                writes: vec![],
            },
            // Creating a key creates those above it; the others touch many things.
            _ => Footprint::Everything,
        }
    }

    /// Makes the program ready for its next call, or ends it.
    fn announce<E, R>(&mut self, actor: Entity, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let program = self.programs.get_mut(&actor);
        let program = program.expect("a program that was begun");
        let Some(call) = program.calls.get(program.next) else {
            return self.end(actor, 0, cx);
        };
        if let Call::Sleep { ms } = call {
            program.next += 1;
            cx.after(Span::from_ms(*ms), actor, Event::Wake(actor));
            return;
        }
        let (verb, object) = call.verb_and_object();
        let object = match object.is_empty() {
            true => Key::NO_OBJECT,
            false => cx.name(&object),
        };
        cx.ready(actor, verb, object, Event::Call(actor));
    }

    fn end<E, R>(&mut self, actor: Entity, code: u32, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let program = self.programs.remove(&actor).expect("it ends once");
        if let Some(handle) = program.watch {
            let closed = self.machine.registry.close(handle);
            closed.expect("it is closed once, and here alone");
        }
        let ended = self.machine.processes_mut().end(&program.name);
        ended.expect("each running program is a process");
        cx.record(actor, Record::Exit { code });
    }
}

fn path(key: &str) -> KeyPath {
    KeyPath::from(key)
}

/// The text with the `{names}` of params filled in.
fn fill_params(template: &str, params: &BTreeMap<String, String>) -> String {
    let mut text = template.to_owned();
    for (name, value) in params {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}

impl Program {
    /// The text with its `{names}` filled in, and the type of the first that was read. What is in braces
    /// and no known name stays.
    fn fill(&self, template: &str, params: &BTreeMap<String, String>) -> (String, Kind) {
        let mut filled = String::new();
        let mut kind = None;
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let named = after.split_once('}');
            let read = named.and_then(|(name, _)| self.read.get(name));
            let param = named.and_then(|(name, _)| params.get(name));
            rest = match (read, param, named) {
                (Some(data), _, Some((_, after))) => {
                    filled.push_str(&data.shown());
                    kind.get_or_insert(data.kind);
                    after
                }
                (None, Some(text), Some((_, after))) => {
                    filled.push_str(text);
                    after
                }
                _ => {
                    filled.push('{');
                    after
                }
            };
        }
        filled.push_str(rest);
        (filled, kind.unwrap_or(Kind::SZ))
    }
}
