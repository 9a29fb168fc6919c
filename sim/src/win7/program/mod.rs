//! Programs as short lists of calls: enough for installers that read, modify and write, and for whoever
//! looks at what they left. Each call is a yield: other programs may come in before it.
//!
//! Each program is a process that Explorer started: it has a block of variables, a working directory, and
//! nothing else of its own. Registry and files are the machine's.

mod base;
mod call;
mod disk;
pub mod encoding;
mod fault;
mod keys;
mod record;
mod setup;
mod tool;
mod touched;

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::sync::Arc;

use crate::engine::{Cx, Entity, Footprint, Key, Record as EngineRecord, Span};

use super::cmd;
use super::environment::Block;
use super::environment::processes::Listening;
use super::files::Propagation;
use super::machine::{EXPLORER, Machine};
use super::ntfs::Node;
use super::registry::error::WriteError;
use super::registry::steps::{DeleteTree, Import};
use super::registry::{Bits, Caller, Event as Signal, Handle, KeyPath, Kind, Value, Win32, units};
use super::resolve::{Place, cmd as search_as_cmd, create_process, powershell2};

pub use base::Listing;
pub use call::{Call, Searcher};
pub use disk::{DiskCall, FAULTS as DISK_FAULTS, check_faults};
pub use encoding::Encoding;
pub use fault::FAULTS;
pub use record::Record;
pub use setup::{FileSetup, Locale, ProgramSetup, ScriptSetup, Setup, SetupError};
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
    /// Of a batch file, or of what it started.
    Shell(cmd::Event),
}

impl From<cmd::Event> for Event {
    fn from(event: cmd::Event) -> Event {
        Event::Shell(event)
    }
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
    /// The account that it runs as.
    user: Arc<str>,
    caller: Caller,
    /// The release of Go that it is built with.
    go: Option<Arc<str>>,
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
    programs: BTreeMap<Entity, Program>,
    /// Batch files, and what they started.
    shells: cmd::Lab,
    /// The machine at the beginning, if the end is to be held against it.
    first: Option<Box<Machine>>,
    params: Arc<BTreeMap<String, String>>,
    /// The block that Explorer had when the programs began.
    logon: Arc<Block>,
    /// What could not be prepared, on a disk or by a fault: the next call says so.
    flaw: Option<String>,
    /// Whether calls on the registry may find descriptors changed.
    keys_may_change: bool,
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
    /// for, beside what programs read; `shells` is where batch files run.
    pub fn begin<E, R>(
        machine: &Machine,
        shells: cmd::Lab,
        setup: &Setup,
        params: &Arc<BTreeMap<String, String>>,
        cx: &mut Cx<'_, E, R>,
    ) -> Programs<T>
    where
        E: From<Event> + From<cmd::Event>,
        R: EngineRecord + From<Record> + From<cmd::Record>,
    {
        let explorer = machine.processes().get(EXPLORER);
        let logon = explorer.expect("someone is logged on").block.clone();
        let mut world = Programs {
            logon: Arc::new(logon),
            machine: machine.fork(),
            programs: BTreeMap::new(),
            shells,
            first: setup.end_state.then(|| Box::new(machine.fork())),
            params: params.clone(),
            flaw: None,
            keys_may_change: cx.faults().named(fault::KEY_DACL).next().is_some(),
            tools: PhantomData,
        };
        let fill_in = |text: &str| fill(text, &BTreeMap::new(), params).0;
        if let Err(what) = setup.prepare_disk(&mut world.machine, params) {
            world.flaw = Some(format!("the disks cannot be prepared: {what}"));
        }
        for (place, program) in (1..).zip(&setup.programs) {
            let actor = cx.name(&program.name);
            let user = program.user.as_deref().unwrap_or("admin");
            let caller = machine.caller(user);
            let begun = Program {
                name: program.name.as_str().into(),
                user: user.into(),
                caller: caller.expect("names of users were checked"),
                go: program.go.as_deref().map(|go| fill_in(go).into()),
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
            if let Some(Err(what)) = begun.go.as_deref().map(|go| T::path(go, "")) {
                world.flaw = Some(what);
            }
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
                let text = world.fill(actor, text);
                let _ = world.block(actor).set(&(&**name).into(), &(&*text).into());
            }
            fault::strike_at_start(world.block(actor), actor, cx);
            world.announce(actor, cx);
        }
        for script in &setup.scripts {
            let start = script.start(&world.machine, fill_in);
            let actor = cx.name(&script.name);
            let shells = &mut world.shells;
            if let Err(error) = shells.begin(&mut world.machine, actor, &start, cx) {
                world
                    .flaw
                    .get_or_insert(format!("{}: {error}", script.name));
            }
        }
        if let Some(flaw) = world.flaw.as_ref().filter(|_| !setup.scripts.is_empty()) {
            world
                .shells
                .refuse(&format!("the disks cannot be prepared: {flaw}"));
        }
        // Nobody goes on to the end before the run has begun.
        world.shells.settle_all(&mut world.machine, true, cx);
        world
    }

    /// Whether a program could take a step, beside the batch files.
    fn others(&self) -> bool {
        self.programs.values().any(|program| program.runs)
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What batch files run in.
    pub fn shells(&self) -> &cmd::Lab {
        &self.shells
    }

    fn step_shell<E, R>(&mut self, event: &cmd::Event, cx: &mut Cx<'_, E, R>) -> Vec<Unsupported>
    where
        E: From<Event> + From<cmd::Event>,
        R: EngineRecord + From<Record> + From<cmd::Record>,
    {
        let others = self.others();
        self.shells.step(&mut self.machine, event, others, cx);
        if self.shells.is_over()
            && let Some(first) = self.first.take()
        {
            let lab = cx.name("lab");
            cx.record(lab, end_state(&first, &self.machine));
        }
        self.tell_who_waits(cx);
        let met = self.shells.take_unsupported();
        met.into_iter().map(Unsupported).collect()
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

    /// Performs the next call of a program, or of what a batch file runs. Returns what of it is not modelled.
    pub fn step<E, R>(&mut self, event: Event, cx: &mut Cx<'_, E, R>) -> Vec<Unsupported>
    where
        E: From<Event> + From<cmd::Event>,
        R: EngineRecord + From<Record> + From<cmd::Record>,
    {
        match event {
            Event::Shell(event) => self.step_shell(&event, cx),
            event => self.step_program(event, cx).into_iter().collect(),
        }
    }

    fn step_program<E, R>(&mut self, event: Event, cx: &mut Cx<'_, E, R>) -> Option<Unsupported>
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let actor = match event {
            Event::Shell(_) => return None,
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
            return Some(Unsupported(flaw));
        }
        let (outcome, unsupported) = match call {
            Call::Run { command } => self.run(actor, &command, cx),
            Call::ModuleCache { go, into } => {
                let go = self.fill(actor, &go);
                match T::module_cache(&go, self.block(actor)) {
                    Ok(directory) => {
                        let record = Record::Tool {
                            command: "go env GOMODCACHE".into(),
                            code: 0,
                            said: directory.as_str().into(),
                        };
                        cx.record(actor, record);
                        self.remember(actor, into, Value::sz(&directory));
                        (Outcome::Next, None)
                    }
                    Err(what) => (Outcome::Next, Some(Unsupported(what))),
                }
            }
            Call::Import { file } if self.is_listed(actor, &file) => {
                let what =
                    format!("the content of {file}, of which a listing tells the length alone");
                (Outcome::Next, Some(Unsupported(what)))
            }
            call => (self.perform(actor, call, cx), None),
        };
        let unsupported = unsupported.or_else(|| self.flaw.take().map(Unsupported));
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

    /// Whether it is a file whose content is not known.
    fn is_listed(&mut self, actor: Entity, file: &str) -> bool {
        self.as_user(actor, |files, user| {
            let full = files.full_name(user, &units(file));
            full.is_ok_and(|full| {
                let node = files.look(&String::from_utf16_lossy(&full.path));
                node.is_some_and(Node::is_listed)
            })
        })
    }

    /// Any call but one of a tool.
    fn perform<E, R>(&mut self, actor: Entity, call: Call, cx: &mut Cx<'_, E, R>) -> Outcome
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let caller = self.programs[&actor].caller.clone();
        if call.key().is_some() {
            let missing = fault::strike_key(&mut self.machine, actor, cx);
            self.flaw = self.flaw.take().or(missing);
        }
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
                    Searcher::Cmd => search_as_cmd(&command, &place, &self.machine.files).file(),
                    Searcher::PowerShell2 => {
                        powershell2(&command, &place, &self.machine.files).file()
                    }
                    Searcher::CreateProcess => {
                        create_process(&command, &place, &self.machine.files)
                    }
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
                let path = units(&file);
                let saved =
                    self.as_user(actor, |files, user| files.write_file(user, &path, &bytes));
                let saved = Record::Save {
                    file: file.into(),
                    encoding: named.into(),
                    bytes: hex.into(),
                    code: saved.map_or_else(|failure| failure.win32().code, |()| 0),
                };
                cx.record(actor, saved);
                Outcome::Next
            }
            Call::Disk(call) => self.on_disk(actor, &call, cx),
            Call::Run { .. } | Call::ModuleCache { .. } | Call::Sleep { .. } => {
                unreachable!("they are performed elsewhere")
            }
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

    fn fill(&self, actor: Entity, template: &str) -> String {
        fill(template, &self.programs[&actor].read, &self.params).0
    }

    fn remember(&mut self, actor: Entity, name: String, value: Value) {
        let program = self.programs.get_mut(&actor).expect("it runs");
        program.read.insert(name, value);
    }

    /// What the next call of the program touches: its key, as a whole.
    pub fn footprint(&self, event: &Event) -> Footprint {
        let actor = match event {
            Event::Call(actor) => actor,
            // A write can wake whoever watches, and programs name their keys in another way.
            Event::Shell(event) if self.programs.is_empty() => {
                return self.shells.footprint(event);
            }
            _ => return Footprint::Everything,
        };
        if !self.shells.is_over() {
            return Footprint::Everything;
        }
        // A write can wake whoever watches, and a fault may change what others are refused.
        let mut programs = self.programs.values();
        if self.keys_may_change || programs.any(|program| program.watch.is_some()) {
            return Footprint::Everything;
        }
        let program = &self.programs[actor];
        // Two texts can name one key: by links, views, and HKCU. Its place names it once. Below HKCR two keys
        // are meant.
        let resource = |key: &str| {
            let place = self.machine.registry.place(&program.caller, &path(key))?;
            Some(vec![Entity::of(&String::from_utf16_lossy(&place))])
        };
        let call = &program.calls[program.next];
        let Some(touched) = call.key().map_or(Some(Vec::new()), |key| resource(key)) else {
            return Footprint::Everything;
        };
        match call {
            Call::QueryText { key, value, .. } => Footprint::Touches {
                // Somebody else may write before the second read.
                writes: match program.known.contains(&format!("{key}\\{value}")) {
                    true => touched.clone(),
                    false => vec![],
                },
                reads: touched,
            },
            Call::SetText { .. } | Call::DeleteValue { .. } => Footprint::Touches {
                reads: vec![],
                writes: touched,
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

/// What is other than at the beginning.
fn end_state(first: &Machine, last: &Machine) -> cmd::Record {
    use super::registry::diff::{Difference, diff, lines};
    let registry = diff(&first.registry, &last.registry);
    let registry = registry.into_iter();
    let registry: Vec<Difference> = registry
        .filter(|one| !matches!(one, Difference::Reordered(_)))
        .collect();
    let files = super::files::diff::diff(&first.files, &last.files);
    let files: Vec<String> = files
        .iter()
        .map(|one| match one {
            // What a file holds matters too.
            super::files::diff::Difference::Content(path)
            | super::files::diff::Difference::Added(path) => {
                let node = last.files.look(path);
                format!("{one} {:x}", node.map_or(0, |node| node.digest()))
            }
            _ => one.to_string(),
        })
        .collect();
    cmd::Record::EndState {
        registry: lines(&registry).join("\n").as_str().into(),
        files: files.join("\n").as_str().into(),
    }
}

fn path(key: &str) -> KeyPath {
    KeyPath::from(key)
}

/// The text with its `{names}` filled in, and the type of the first that was read; `{x*40}` is 40 times x, and
/// the number may be a name too. What is in braces and no known name stays.
fn fill(
    template: &str,
    read: &BTreeMap<String, Value>,
    params: &BTreeMap<String, String>,
) -> (String, Kind) {
    let mut filled = String::new();
    let mut kind = None;
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let named = after.split_once('}');
        let known = named.and_then(|(name, after)| match read.get(name) {
            Some(data) => {
                kind.get_or_insert(data.kind);
                Some((data.shown(), after))
            }
            None => match params.get(name) {
                Some(text) => Some((text.clone(), after)),
                None => Some((repeated(name, params)?, after)),
            },
        });
        let (text, after) = known.unwrap_or_else(|| ("{".into(), after));
        filled.push_str(&text);
        rest = after;
    }
    filled.push_str(rest);
    (filled, kind.unwrap_or(Kind::SZ))
}

/// `x*40`, or `x*name` where the name's param is a number.
fn repeated(text: &str, params: &BTreeMap<String, String>) -> Option<String> {
    /// More than any path has.
    const MOST: usize = 100_000;
    let (text, count) = text.split_once('*')?;
    let count = params.get(count).map_or(count, String::as_str);
    let count: usize = count.parse().ok()?;
    (text.len().saturating_mul(count) <= MOST).then(|| text.repeat(count))
}
