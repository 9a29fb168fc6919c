//! What operations do: the machine, the open files, pipes and consoles, the processes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::{Armed, Entity, Span, Time};
use crate::win7::environment::{Account, Block};
use crate::win7::files::{Actor, CreateDisposition, FileHandle, OpenRequest, Share};
use crate::win7::machine::Machine;
use crate::win7::registry::error::Win32;
use crate::win7::registry::{Bits, units};
use crate::win7::security::mask::{EXECUTE, GENERIC_READ, GENERIC_WRITE};
use crate::win7::text::{CodePage, Wide};

use super::handles::{Handle, Handles, OpenId, PipeId};
use super::log::Log;
use super::record::Record;
use super::shell::Shell;
use super::sys::{About, Local, Next, OnFile, Stop, Sys};
use super::tools::{TOOLS, Tool};

/// A process, by the entity that it is in the run.
pub type ProcessId = Entity;

/// How many operations all processes of a run may perform in all.
pub const BUDGET: u64 = 5_000_000;

/// How many processes may live at one time.
const MOST_PROCESSES: usize = 256;

/// How deep children run inside of their parents' step; deeper ones take turns.
const DEEPEST: u32 = 4;

/// How deep calls may lie in each other for children to run inside.
const DEEPEST_CALL: usize = 12;

/// What a run offers: time, choices, faults, the trace.
pub trait Door {
    /// The virtual time.
    fn now(&self) -> Time;
    /// Whether a fault strikes a process.
    fn fault(&mut self, name: &'static str, at: Entity) -> Option<Armed>;
    /// Decides a number in `low..=high`.
    fn choose(&mut self, site: &'static str, at: Entity, low: u64, high: u64) -> u64;
    /// Writes a record.
    fn record(&mut self, at: Entity, record: Record);
    /// Names a child.
    fn birth(&mut self, parent: Entity, label: &'static str) -> Entity;
    /// The path of an entity.
    fn path(&self, of: Entity) -> Arc<str>;
    /// Wakes a process when so much time has passed.
    fn wake_after(&mut self, span: Span, who: Entity);
    /// Whether anything beside the processes here could take a step.
    fn others(&self) -> bool;
}

/// A program that is to be started.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SpawnRequest {
    /// The full path of the executable, or of a batch file.
    pub image: Wide,
    /// The command line behind the program's name.
    pub tail: Wide,
    /// Its variables; none: a copy of the parent's.
    pub block: Option<Arc<Block>>,
    /// Its directory; none: the parent's.
    pub directory: Option<Wide>,
    /// Its handles; none: copies of the parent's.
    pub handles: Option<Handles>,
    /// Another account than the parent's, as `psexec -s` and `runas` have it.
    pub user: Option<Arc<str>>,
}

impl SpawnRequest {
    /// A program that inherits everything.
    pub fn new(image: impl Into<Wide>, tail: impl Into<Wide>) -> SpawnRequest {
        SpawnRequest {
            image: image.into(),
            tail: tail.into(),
            block: None,
            directory: None,
            handles: None,
            user: None,
        }
    }
}

/// What a process runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Image {
    Tool(&'static Tool),
    /// An executable that is not modelled.
    Unknown,
}

/// What a process waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum On {
    Child(Entity),
    Pipe(PipeId),
    Timer,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    /// It is to run until it is about to perform something.
    Fresh,
    /// It is about to perform this; `announced`: the engine knows.
    Ready {
        next: Next,
        announced: bool,
    },
    Blocked(On),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Process {
    about: Arc<About>,
    /// As at the last checkpoint.
    local: Local,
    /// As at the last checkpoint; none before the first.
    shell: Option<Arc<Shell>>,
    image: Image,
    log: Log,
    state: State,
    parent: Option<Entity>,
    /// The variables at the start, for whoever wants to know what changed.
    first: Option<Arc<Block>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Open {
    handle: FileHandle,
    at: usize,
    holders: u32,
    path: Arc<str>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Pipe {
    data: Vec<u8>,
    readers: u32,
    writers: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Console {
    page: u32,
    /// What somebody types, and how much of it was taken.
    input: Arc<[u8]>,
    taken: usize,
}

/// Processes of consoles, and what the system keeps of them. A clone is a fork.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Lab {
    processes: BTreeMap<Entity, Process>,
    opens: BTreeMap<OpenId, Open>,
    pipes: BTreeMap<PipeId, Pipe>,
    consoles: Vec<Console>,
    exits: BTreeMap<Entity, u32>,
    woken: BTreeSet<Entity>,
    performed: Uncounted,
    depth: u32,
    spent: bool,
    unsupported: Vec<String>,
}

/// A count that is no part of the state: how much was spent does not decide what happens next.
#[derive(Clone, Copy, Debug, Default)]
struct Uncounted(u64);

impl PartialEq for Uncounted {
    fn eq(&self, _: &Uncounted) -> bool {
        true
    }
}

impl Eq for Uncounted {}

impl std::hash::Hash for Uncounted {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

/// A batch file, or a program, to begin with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Start {
    /// What runs: the image and its command line.
    pub request: SpawnRequest,
    /// Who runs it.
    pub user: Arc<str>,
    /// In which bitness.
    pub bits: Bits,
    /// The language of its messages.
    pub language: super::messages::Language,
    /// What is typed while it runs.
    pub input: Arc<[u8]>,
}

/// The system, while a process runs.
pub struct Kernel<'a> {
    /// The machine.
    pub machine: &'a mut Machine,
    pub(super) lab: &'a mut Lab,
    pub(super) door: &'a mut dyn Door,
    /// Whose step it is.
    pub actor: Entity,
    on: Option<On>,
    /// How many calls deep its code is: children do not run inside of that.
    pub(super) deep: usize,
}

impl<'a> Kernel<'a> {
    pub(super) fn new(
        machine: &'a mut Machine,
        lab: &'a mut Lab,
        door: &'a mut dyn Door,
        actor: Entity,
    ) -> Kernel<'a> {
        Kernel {
            machine,
            lab,
            door,
            actor,
            on: None,
            deep: 0,
        }
    }

    /// Whether no other process could go first.
    pub(super) fn is_alone(&self) -> bool {
        let could_go = |process: &Process| !matches!(process.state, State::Blocked(_));
        !self.door.others() && !self.lab.processes.values().any(could_go)
    }

    pub(super) fn spend(&mut self) -> Result<(), Stop> {
        self.lab.performed.0 += 1;
        if self.lab.performed.0 > BUDGET {
            self.lab.spent = true;
            return Err(Stop::Spent);
        }
        Ok(())
    }

    /// Notes what is not modelled.
    pub fn unsupported(&mut self, what: &str) {
        if !self.lab.unsupported.iter().any(|known| known == what) {
            self.lab.unsupported.push(what.to_owned());
        }
    }

    /// Writes an operation to the trace.
    pub fn note(&mut self, verb: &'static str, object: &Arc<str>, code: u32) {
        let object = object.clone();
        self.door
            .record(self.actor, Record::Operation { verb, object, code });
    }

    /// Whether a fault strikes this process.
    pub fn fault(&mut self, name: &'static str) -> Option<Armed> {
        self.door.fault(name, self.actor)
    }

    pub(super) fn record(&mut self, record: Record) {
        self.door.record(self.actor, record);
    }

    /// The faults of disks, as far as they concern a call.
    pub(super) fn strike_file(&mut self, how: OnFile, _verb: &str, _path: &str) -> Option<Win32> {
        let is_write = matches!(how, OnFile::Writes | OnFile::Moves);
        if is_write && self.fault(super::fault::FILE_ACCESS_DENIED).is_some() {
            return Some(Win32 {
                code: 5,
                name: "ERROR_ACCESS_DENIED",
            });
        }
        if is_write && self.fault(super::fault::FILE_IN_USE).is_some() {
            return Some(Win32 {
                code: 32,
                name: "ERROR_SHARING_VIOLATION",
            });
        }
        if is_write && self.fault(super::fault::DISK_FULL).is_some() {
            return Some(Win32 {
                code: 112,
                name: "ERROR_DISK_FULL",
            });
        }
        None
    }

    // --- consoles and text ---------------------------------------------------------------------------------------

    fn page_of(&self, about: &About) -> CodePage {
        let number = self.code_page(about);
        let pages = self.machine.code_pages();
        pages.page(number).unwrap_or_else(|_| pages.oem())
    }

    pub(super) fn code_page(&self, about: &About) -> u32 {
        self.lab.consoles[about.console as usize].page
    }

    pub(super) fn set_code_page(&mut self, about: &About, number: u32) -> Result<(), Win32> {
        let known = self.machine.code_pages().page(number);
        known.map_err(|_| Win32 {
            code: 87,
            name: "ERROR_INVALID_PARAMETER",
        })?;
        self.lab.consoles[about.console as usize].page = number;
        Ok(())
    }

    pub(super) fn decode(&self, page: u32, bytes: &[u8]) -> Wide {
        let pages = self.machine.code_pages();
        pages
            .page(page)
            .unwrap_or_else(|_| pages.oem())
            .decode(bytes)
    }

    pub(super) fn encode(&self, about: &About, text: &[u16]) -> Vec<u8> {
        if text.iter().all(|unit| *unit < 0x80) {
            return text.iter().map(|unit| *unit as u8).collect();
        }
        self.page_of(about).encode(text)
    }

    pub(super) fn write_text(
        &mut self,
        about: &About,
        handle: Handle,
        text: &[u16],
    ) -> Result<(), Win32> {
        if matches!(handle, Handle::Console | Handle::ConsoleErrors) {
            return self.show(handle, &String::from_utf16_lossy(text));
        }
        let bytes = self.encode(about, text);
        self.write_bytes(about, handle, &bytes)
    }

    fn show(&mut self, handle: Handle, text: &str) -> Result<(), Win32> {
        let stream = match handle {
            Handle::ConsoleErrors => "stderr",
            _ => "stdout",
        };
        let text = text.into();
        self.record(Record::Output { stream, text });
        Ok(())
    }

    pub(super) fn write_bytes(
        &mut self,
        about: &About,
        handle: Handle,
        bytes: &[u8],
    ) -> Result<(), Win32> {
        match handle {
            Handle::Nul => Ok(()),
            Handle::Console | Handle::ConsoleErrors => {
                let text = match bytes.is_ascii() {
                    true => String::from_utf8_lossy(bytes).into_owned(),
                    false => self.page_of(about).decode(bytes).to_utf8_lossy(),
                };
                self.show(handle, &text)
            }
            Handle::File(file) => self.write_file_at(file, bytes),
            Handle::PipeWrite(id) => {
                let pipe = self.lab.pipes.get_mut(&id).ok_or(INVALID_HANDLE)?;
                if pipe.readers == 0 {
                    return Err(Win32 {
                        code: 232,
                        name: "ERROR_NO_DATA",
                    });
                }
                pipe.data.extend_from_slice(bytes);
                self.lab.wake(On::Pipe(id));
                Ok(())
            }
            Handle::Closed | Handle::PipeRead(_) => Err(INVALID_HANDLE),
        }
    }

    // --- open files ----------------------------------------------------------------------------------------------

    pub(super) fn path_of(&self, file: OpenId) -> String {
        let open = self.lab.opens.get(&file);
        open.map_or_else(String::new, |open| open.path.to_string())
    }

    pub(super) fn write_file_at(&mut self, file: OpenId, bytes: &[u8]) -> Result<(), Win32> {
        let open = self.lab.opens.get(&file).ok_or(INVALID_HANDLE)?.clone();
        let struck = self.strike_file(OnFile::Writes, "write", &open.path);
        let written = match struck {
            Some(error) => Err(error),
            None => {
                let files = &mut self.machine.files;
                files
                    .write(open.handle, open.at, bytes)
                    .map_err(Win32::from)
            }
        };
        let code = written.map_or_else(|error| error.code, |()| 0);
        self.note("write", &open.path, code);
        if written.is_ok()
            && let Some(open) = self.lab.opens.get_mut(&file)
        {
            open.at += bytes.len();
        }
        written
    }

    pub(super) fn read_file_on(&mut self, file: OpenId) -> Result<Arc<[u8]>, Win32> {
        let open = self.lab.opens.get_mut(&file).ok_or(INVALID_HANDLE)?;
        let content = self.machine.files.read(open.handle).map_err(Win32::from)?;
        let from = open.at.min(content.len());
        open.at = content.len();
        Ok(content[from..].into())
    }

    /// Opens a file for a handle of this process. Writing shares reading alone, as cmd's redirections do.
    pub fn open(
        &mut self,
        about: &About,
        local: &Local,
        path: &[u16],
        how: Opening,
    ) -> Result<Handle, Win32> {
        let shown = String::from_utf16_lossy(path);
        let what: Arc<str> = shown.as_str().into();
        let verb = match how {
            Opening::Read => "open",
            Opening::Replace => "replace",
            Opening::Append => "append",
        };
        if how != Opening::Read
            && let Some(error) = self.strike_file(OnFile::Writes, verb, &what)
        {
            self.note(verb, &what, error.code);
            return Err(error);
        }
        let actor = Actor {
            token: about.caller.token(),
            directory: local.directory.units(),
            environment: Some(&local.block),
        };
        let request = OpenRequest {
            access: match how {
                Opening::Read => GENERIC_READ,
                Opening::Replace | Opening::Append => GENERIC_WRITE | GENERIC_READ,
            },
            share: match how {
                Opening::Read => Share(Share::READ.0 | Share::WRITE.0),
                Opening::Replace | Opening::Append => Share::READ,
            },
            disposition: match how {
                Opening::Read => CreateDisposition::OpenExisting,
                Opening::Replace => CreateDisposition::CreateAlways,
                Opening::Append => CreateDisposition::OpenAlways,
            },
            ..OpenRequest::default()
        };
        let opened = self.machine.files.open(&actor, path, request);
        let opened = opened.map_err(|failure| failure.win32());
        let code = opened.map_or_else(|error| error.code, |_| 0);
        self.note(verb, &what, code);
        let (handle, _) = opened?;
        let at = match how {
            Opening::Append => self
                .machine
                .files
                .read(handle)
                .map_or(0, |content| content.len()),
            _ => 0,
        };
        let id = (1..)
            .map(OpenId)
            .find(|id| !self.lab.opens.contains_key(id))
            .expect("fewer files are open than there are numbers");
        let open = Open {
            handle,
            at,
            holders: 1,
            path: what,
        };
        self.lab.opens.insert(id, open);
        Ok(Handle::File(id))
    }

    /// A copy of a handle.
    pub(super) fn copy(&mut self, handle: Handle) {
        match handle {
            Handle::File(id) => {
                if let Some(open) = self.lab.opens.get_mut(&id) {
                    open.holders += 1;
                }
            }
            Handle::PipeRead(id) => {
                if let Some(pipe) = self.lab.pipes.get_mut(&id) {
                    pipe.readers += 1;
                }
            }
            Handle::PipeWrite(id) => {
                if let Some(pipe) = self.lab.pipes.get_mut(&id) {
                    pipe.writers += 1;
                }
            }
            Handle::Closed | Handle::Nul | Handle::Console | Handle::ConsoleErrors => {}
        }
    }

    /// A handle is closed; the last of a file closes it.
    pub(super) fn close(&mut self, handle: Handle) {
        match handle {
            Handle::File(id) => {
                let Some(open) = self.lab.opens.get_mut(&id) else {
                    return;
                };
                open.holders -= 1;
                if open.holders == 0 {
                    // It was opened here, and is closed once.
                    let _ = self.machine.files.close(open.handle);
                    self.lab.opens.remove(&id);
                }
            }
            Handle::PipeRead(id) | Handle::PipeWrite(id) => {
                let Some(pipe) = self.lab.pipes.get_mut(&id) else {
                    return;
                };
                match handle {
                    Handle::PipeRead(_) => pipe.readers -= 1,
                    _ => pipe.writers -= 1,
                }
                if pipe.readers == 0 && pipe.writers == 0 {
                    self.lab.pipes.remove(&id);
                }
                self.lab.wake(On::Pipe(id));
            }
            Handle::Closed | Handle::Nul | Handle::Console | Handle::ConsoleErrors => {}
        }
    }

    /// A pipe: the end to read and the end to write.
    pub fn pipe(&mut self) -> (Handle, Handle) {
        let id = (1..)
            .map(PipeId)
            .find(|id| !self.lab.pipes.contains_key(id))
            .expect("there are fewer pipes than numbers");
        let pipe = Pipe {
            readers: 1,
            writers: 1,
            ..Pipe::default()
        };
        self.lab.pipes.insert(id, pipe);
        (Handle::PipeRead(id), Handle::PipeWrite(id))
    }

    pub(super) fn read_some(
        &mut self,
        about: &About,
        handle: Handle,
    ) -> Option<Result<Arc<[u8]>, Win32>> {
        match handle {
            Handle::Nul => Some(Ok(Arc::from([]))),
            Handle::File(file) => Some(self.read_file_on(file)),
            Handle::Console | Handle::ConsoleErrors => {
                let console = &mut self.lab.consoles[about.console as usize];
                let rest: Arc<[u8]> = console.input[console.taken..].into();
                console.taken = console.input.len();
                Some(Ok(rest))
            }
            Handle::PipeRead(id) => loop {
                let Some(pipe) = self.lab.pipes.get_mut(&id) else {
                    return Some(Err(INVALID_HANDLE));
                };
                if !pipe.data.is_empty() || pipe.writers == 0 {
                    return Some(Ok(std::mem::take(&mut pipe.data).into()));
                }
                if !self.run_another() {
                    self.on = Some(On::Pipe(id));
                    return None;
                }
            },
            Handle::Closed | Handle::PipeWrite(_) => Some(Err(INVALID_HANDLE)),
        }
    }

    pub(super) fn read_line(
        &mut self,
        about: &About,
        handle: Handle,
    ) -> Option<Result<Option<Arc<[u8]>>, Win32>> {
        let line_of = |bytes: &[u8]| {
            bytes
                .iter()
                .position(|byte| *byte == b'\n')
                .map(|at| at + 1)
        };
        let whole = |bytes: &[u8]| (!bytes.is_empty()).then(|| Arc::<[u8]>::from(bytes));
        match handle {
            Handle::Nul => Some(Ok(None)),
            Handle::Console | Handle::ConsoleErrors => {
                let console = &mut self.lab.consoles[about.console as usize];
                let rest = &console.input[console.taken..];
                let line: Arc<[u8]> = rest[..line_of(rest).unwrap_or(rest.len())].into();
                console.taken += line.len();
                Some(Ok(whole(&line)))
            }
            Handle::File(file) => {
                let open = match self.lab.opens.get_mut(&file) {
                    Some(open) => open,
                    None => return Some(Err(INVALID_HANDLE)),
                };
                let content = match self.machine.files.read(open.handle) {
                    Ok(content) => content,
                    Err(error) => return Some(Err(error.into())),
                };
                let rest = &content[open.at.min(content.len())..];
                let line = &rest[..line_of(rest).unwrap_or(rest.len())];
                open.at += line.len();
                Some(Ok(whole(line)))
            }
            Handle::PipeRead(id) => loop {
                let Some(pipe) = self.lab.pipes.get_mut(&id) else {
                    return Some(Err(INVALID_HANDLE));
                };
                if let Some(end) = line_of(&pipe.data) {
                    let line: Vec<u8> = pipe.data.drain(..end).collect();
                    return Some(Ok(whole(&line)));
                }
                if pipe.writers == 0 {
                    return Some(Ok(whole(&std::mem::take(&mut pipe.data))));
                }
                if !self.run_another() {
                    self.on = Some(On::Pipe(id));
                    return None;
                }
            },
            Handle::Closed | Handle::PipeWrite(_) => Some(Err(INVALID_HANDLE)),
        }
    }

    /// What a batch file holds now.
    pub(super) fn batch_file(
        &mut self,
        about: &About,
        local: &Local,
        file: &Wide,
    ) -> Option<Arc<[u8]>> {
        let actor = Actor {
            token: about.caller.token(),
            directory: local.directory.units(),
            environment: Some(&local.block),
        };
        self.machine.files.read_file(&actor, file.units()).ok()
    }

    // --- time and processes --------------------------------------------------------------------------------------

    pub(super) fn now_ms(&self) -> u64 {
        (self.door.now() - Time::default()).0 / 1_000_000
    }

    pub(super) fn sleep(&mut self, ms: u64) -> Option<()> {
        if self.lab.woken.remove(&self.actor) {
            return Some(());
        }
        self.door.wake_after(Span::from_ms(ms), self.actor);
        self.on = Some(On::Timer);
        None
    }

    pub(super) fn choose_number(&mut self, site: &'static str, high: u64) -> u64 {
        self.door.choose(site, self.actor, 0, high)
    }

    pub(super) fn broadcast(&mut self, about: &About) {
        // The process itself is none of the machine's list: a message has a session, not a sender.
        let sender = if about.session == 0 {
            crate::win7::environment::processes::SERVICES
        } else {
            crate::win7::machine::EXPLORER
        };
        let reached = self.machine.broadcast(sender).unwrap_or_default().join(" ");
        let reached = reached.as_str().into();
        self.record(Record::Broadcast { reached });
    }

    pub(super) fn spawn(
        &mut self,
        about: &About,
        local: &Local,
        request: SpawnRequest,
    ) -> Result<ProcessId, Win32> {
        if self.lab.processes.len() >= MOST_PROCESSES {
            return Err(Win32 {
                code: 8,
                name: "ERROR_NOT_ENOUGH_MEMORY",
            });
        }
        let request = as_batch(request);
        let actor = Actor {
            token: about.caller.token(),
            directory: local.directory.units(),
            environment: Some(&local.block),
        };
        let open = OpenRequest {
            access: EXECUTE | GENERIC_READ,
            share: Share(Share::READ.0 | Share::DELETE.0),
            ..OpenRequest::default()
        };
        let files = &mut self.machine.files;
        let opened = files.open(&actor, request.image.units(), open);
        let (handle, _) = opened.map_err(|failure| failure.win32())?;
        let content = files.read(handle);
        let _ = files.close(handle);
        let image = image_of(&content.map_err(Win32::from)?).ok_or(Win32 {
            code: 193,
            name: "ERROR_BAD_EXE_FORMAT",
        })?;
        let label = match image {
            Image::Tool(tool) => tool.label,
            Image::Unknown => "program",
        };
        let child = self.door.birth(self.actor, label);
        let bits = bits_of(&request.image, about.caller.bits());
        let mut block = request.block.clone().unwrap_or_else(|| local.block.clone());
        if bits != about.caller.bits() {
            block = Arc::new(block.for_bits(bits));
        }
        let (mut user, mut caller, mut session) =
            (about.user.clone(), about.caller.clone(), about.session);
        if let Some(other) = &request.user
            && let Some(known) = self.machine.caller(other)
        {
            user = other.clone();
            caller = known;
            session = u32::from(account_of(other).is_some_and(|account| !account.is_service()));
        }
        let handles = request
            .handles
            .clone()
            .unwrap_or_else(|| local.handles.clone());
        for handle in handles.iter() {
            self.copy(handle);
        }
        let about = About {
            image: request.image.clone(),
            tail: request.tail.clone(),
            caller: caller.of_bits(bits),
            user,
            session,
            console: about.console,
            language: about.language,
        };
        let local = Local {
            block,
            directory: request.directory.unwrap_or_else(|| local.directory.clone()),
            handles,
            ticks: 0,
        };
        let parent = Some(self.actor);
        self.put(child, about, local, image, parent);
        Ok(child)
    }

    fn put(
        &mut self,
        id: Entity,
        about: About,
        local: Local,
        image: Image,
        parent: Option<Entity>,
    ) {
        let path = about.image.to_utf8_lossy();
        let program = path.rsplit('\\').next().unwrap_or_default();
        let record = Record::Start {
            program: program.into(),
            user: about.user.clone(),
            command: about.tail.to_utf8_lossy().trim_start().into(),
        };
        self.door.record(id, record);
        let process = Process {
            first: parent.is_none().then(|| local.block.clone()),
            about: Arc::new(about),
            local,
            shell: None,
            image,
            log: Log::default(),
            state: State::Fresh,
            parent,
        };
        self.lab.processes.insert(id, process);
    }

    /// Begins a process that no other one here starts.
    ///
    /// # Errors
    /// A Win32 code if there is no such account or image.
    pub(super) fn begin(&mut self, start: &Start) -> Result<(), Win32> {
        let caller = self.machine.caller(&start.user).ok_or(Win32 {
            code: 1332,
            name: "ERROR_NONE_MAPPED",
        })?;
        let service = account_of(&start.user).filter(Account::is_service);
        let block = match &start.request.block {
            Some(block) => block.clone(),
            None => Arc::new(fresh_block(self.machine, &start.user)),
        };
        let console = self.lab.consoles.len() as u32;
        self.lab.consoles.push(Console {
            page: self.machine.code_pages().console().number(),
            input: start.input.clone(),
            taken: 0,
        });
        let request = as_batch(start.request.clone());
        let about = About {
            image: request.image.clone(),
            tail: request.tail.clone(),
            caller: caller.of_bits(start.bits),
            user: start.user.clone(),
            session: u32::from(service.is_none()),
            console,
            language: start.language,
        };
        let block = match start.bits {
            Bits::Bits64 => block,
            Bits::Bits32 => Arc::new(block.for_bits(start.bits)),
        };
        let directory = request
            .directory
            .unwrap_or_else(|| "C:\\Windows\\System32".into());
        let local = Local {
            block,
            directory,
            handles: Handles::console(),
            ticks: 0,
        };
        let content = self.machine.files.look(&request.image.to_utf8_lossy());
        let content = content.and_then(|node| node.content()).cloned();
        let image = content.as_deref().and_then(image_of).ok_or(Win32 {
            code: 2,
            name: "ERROR_FILE_NOT_FOUND",
        })?;
        self.put(self.actor, about, local, image, None);
        Ok(())
    }

    pub(super) fn wait(&mut self, child: ProcessId) -> Option<u32> {
        loop {
            if let Some(code) = self.lab.exits.remove(&child) {
                return Some(code);
            }
            if !self.run_another() {
                self.on = Some(On::Child(child));
                return None;
            }
        }
    }

    /// Runs a process that can go while this one waits, if that takes no choice: one that has just begun or waits no
    /// more, up to where it is about to perform something, or else the only one that could go.
    fn run_another(&mut self) -> bool {
        if self.lab.depth >= DEEPEST || self.deep > DEEPEST_CALL || self.lab.spent {
            return false;
        }
        if let Some(fresh) = self.lab.fresh() {
            self.run_inside(fresh, false);
            return true;
        }
        if self.door.others() {
            return false;
        }
        let mut ready = self
            .lab
            .processes
            .iter()
            .filter_map(|(id, process)| match process.state {
                State::Ready { announced, .. } => Some((*id, announced)),
                _ => None,
            });
        let (Some((only, false)), None) = (ready.next(), ready.next()) else {
            return false;
        };
        self.run_inside(only, true);
        true
    }

    fn run_inside(&mut self, id: Entity, chosen: bool) {
        self.lab.depth += 1;
        run(self.machine, self.lab, self.door, id, chosen);
        self.lab.depth -= 1;
    }
}

/// How a file is opened for a handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// `<`
    Read,
    /// `>`
    Replace,
    /// `>>`
    Append,
}

const INVALID_HANDLE: Win32 = Win32 {
    code: 6,
    name: "ERROR_INVALID_HANDLE",
};

/// A batch file is run by cmd.exe: CreateProcess does so itself.
fn as_batch(request: SpawnRequest) -> SpawnRequest {
    let path = request.image.to_utf8_lossy();
    let lower = path.to_ascii_lowercase();
    if !lower.ends_with(".bat") && !lower.ends_with(".cmd") {
        return request;
    }
    let mut tail = units(&format!(" /c \"{path}\""));
    // Quotes in the tail: cmd takes the first and the last away, so there are two of each.
    tail = match request.tail.units().contains(&0x22) || path.contains(['&', '(', ')', '^', ' ']) {
        true => [
            &units(&format!(" /c \"\"{path}\""))[..],
            request.tail.units(),
            &[0x22],
        ]
        .concat(),
        false => [&tail[..], request.tail.units()].concat(),
    };
    SpawnRequest {
        image: COMSPEC.into(),
        tail: Wide::new(tail),
        ..request
    }
}

/// Where cmd.exe lies.
pub const COMSPEC: &str = "C:\\Windows\\system32\\cmd.exe";

/// What the file of a modelled program holds, so that a copy of it is the same program.
pub fn executable(file: &str) -> Vec<u8> {
    [b"MZ\0", file.as_bytes()].concat()
}

fn image_of(content: &[u8]) -> Option<Image> {
    let name = content.strip_prefix(b"MZ")?;
    let tool = name.strip_prefix(b"\0").and_then(|name| {
        let mut tools = TOOLS.iter();
        tools.find(|tool| tool.file.as_bytes() == name)
    });
    Some(tool.map_or(Image::Unknown, Image::Tool))
}

/// The bitness of an image: what lies below SysWOW64 is of 32 bits, and a 32-bit process that names System32 gets that
/// (the file system redirector).
fn bits_of(image: &Wide, parent: Bits) -> Bits {
    let path = image.to_utf8_lossy().to_ascii_lowercase();
    match () {
        () if path.contains("\\syswow64\\") => Bits::Bits32,
        () if path.contains("\\sysnative\\") => Bits::Bits64,
        () if path.contains("\\system32\\") => parent,
        () => Bits::Bits64,
    }
}

fn account_of(user: &str) -> Option<Account> {
    Some(match user {
        "SYSTEM" => Account::LocalSystem,
        "LocalService" => Account::LocalService,
        "NetworkService" => Account::NetworkService,
        person => Account::User(person.trim_end_matches("-filtered").into()),
    })
}

/// The block that a process of an account gets now: of the service manager's for services, of a fresh logon for people.
pub fn fresh_block(machine: &Machine, user: &str) -> Block {
    use crate::win7::environment::create_block;
    let account = account_of(user).unwrap_or(Account::LocalSystem);
    let computer = machine.computer();
    let stored = machine.stored(&account);
    create_block(&computer, &stored, &account.core_variables(&computer))
}

impl Lab {
    /// Whether nothing runs any more.
    pub fn is_over(&self) -> bool {
        self.processes.is_empty()
    }

    /// What is not modelled, as far as it was met since the last time that this was asked.
    pub fn take_unsupported(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unsupported)
    }

    /// Notes that something cannot be, so that the run decides nothing.
    pub fn refuse(&mut self, what: &str) {
        self.unsupported.push(what.to_owned());
    }

    fn fresh(&self) -> Option<Entity> {
        let mut all = self.processes.iter();
        all.find(|(_, process)| process.state == State::Fresh)
            .map(|(id, _)| *id)
    }

    fn wake(&mut self, what: On) {
        for process in self.processes.values_mut() {
            if process.state == State::Blocked(what) {
                process.state = State::Fresh;
            }
        }
    }

    /// Time has passed for a process.
    pub(super) fn time_up(&mut self, id: Entity) {
        if let Some(process) = self.processes.get_mut(&id)
            && process.state == State::Blocked(On::Timer)
        {
            process.state = State::Fresh;
            self.woken.insert(id);
        }
    }

    /// Runs all that need no choice to go on, up to where they are about to perform something.
    pub(super) fn settle(&mut self, machine: &mut Machine, door: &mut dyn Door) {
        while let Some(fresh) = self.fresh() {
            run(machine, self, door, fresh, false);
        }
    }

    /// Those that are about to perform something that was not announced yet, which is so from now on.
    pub(super) fn announce(&mut self) -> Vec<(Entity, Next)> {
        let mut all = Vec::new();
        for (id, process) in &mut self.processes {
            if let State::Ready { next, announced } = &mut process.state
                && !*announced
            {
                *announced = true;
                all.push((*id, next.clone()));
            }
        }
        all
    }

    /// What a process is about to perform.
    pub(super) fn next_of(&self, id: Entity) -> Option<&Next> {
        match &self.processes.get(&id)?.state {
            State::Ready { next, .. } => Some(next),
            _ => None,
        }
    }
}

/// Runs a process until it ends, waits, or is about to perform something that others may come before. `chosen`: it is its
/// turn to perform one such operation.
pub(super) fn run(
    machine: &mut Machine,
    lab: &mut Lab,
    door: &mut dyn Door,
    id: Entity,
    chosen: bool,
) {
    let Some(mut process) = lab.processes.remove(&id) else {
        return;
    };
    let mut sys = Sys {
        about: process.about.clone(),
        local: process.local.clone(),
        next: 0,
        log: &mut process.log,
        kernel: Kernel::new(machine, lab, door, id),
        chosen,
        checkpoint: None,
    };
    let ended = match (process.image, process.shell.clone()) {
        (Image::Tool(_), Some(shell)) => super::shell::resume(shell, &mut sys),
        (Image::Tool(tool), None) => (tool.run)(&mut sys),
        (Image::Unknown, _) => {
            let image = sys.about.image.to_utf8_lossy();
            sys.unsupported(&format!("the program {image}"))
        }
    };
    let (local, checkpoint, on) = (sys.local, sys.checkpoint, sys.kernel.on);
    if let Some((shell, local)) = checkpoint {
        process.shell = Some(shell);
        process.local = local;
    }
    let state = match ended {
        Ok(code) => {
            finish(machine, lab, door, id, &process, &local, code);
            return;
        }
        Err(Stop::Spent) => {
            // Nothing goes on after that; the whole run is over.
            lab.spent = true;
            let place = process.shell.as_ref().map(|shell| shell.place());
            let place = place.unwrap_or_else(|| process.about.tail.to_utf8_lossy());
            let ticks = local.ticks;
            lab.unsupported.push(format!(
                "what does not end: still running after {ticks} commands in {place}"
            ));
            let place = place.as_str().into();
            door.record(id, Record::Spent { ticks, place });
            finish(machine, lab, door, id, &process, &local, SPENT);
            return;
        }
        Err(Stop::Yield(next)) => State::Ready {
            next,
            announced: false,
        },
        Err(Stop::Blocked) => State::Blocked(on.expect("who waits says for what")),
    };
    process.state = state;
    lab.processes.insert(id, process);
}

/// The exit code of a process that was stopped for being endless.
pub const SPENT: u32 = 0xFA18;

fn finish(
    machine: &mut Machine,
    lab: &mut Lab,
    door: &mut dyn Door,
    id: Entity,
    process: &Process,
    local: &Local,
    code: u32,
) {
    if let Some(first) = &process.first {
        for (name, text) in changes(first, &local.block) {
            door.record(id, Record::Variable { name, text });
        }
    }
    door.record(id, Record::End { code });
    let mut kernel = Kernel::new(machine, lab, door, id);
    for handle in local.handles.iter() {
        kernel.close(handle);
    }
    if process.parent.is_some() {
        lab.exits.insert(id, code);
        lab.wake(On::Child(id));
    }
}

/// Variables that differ, with their values after.
fn changes(before: &Block, after: &Block) -> Vec<(Arc<str>, Arc<str>)> {
    let text = |wide: &Wide| -> Arc<str> { wide.to_utf8_lossy().into() };
    let mut all = Vec::new();
    for (name, value) in after.iter() {
        if before.get(name) != Some(value) && !name.units().starts_with(&[0x3d]) {
            all.push((text(name), text(value)));
        }
    }
    for (name, _) in before.iter() {
        if after.get(name).is_none() {
            all.push((text(name), "".into()));
        }
    }
    all
}
