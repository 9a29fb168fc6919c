//! Processes, and how they begin.

use std::sync::Arc;

use crate::engine::Entity;
use crate::win7::environment::{Account, Block};
use crate::win7::files::{Actor, OpenRequest, Share};
use crate::win7::machine::Machine;
use crate::win7::registry::error::Win32;
use crate::win7::registry::{Bits, units};
use crate::win7::security::mask::{EXECUTE, GENERIC_READ};
use crate::win7::text::Wide;

use super::streams::Console;
use super::{Kernel, ProcessId};
use crate::win7::cmd::handles::{Handles, PipeId};
use crate::win7::cmd::log::Log;
use crate::win7::cmd::messages::Language;
use crate::win7::cmd::record::Record;
use crate::win7::cmd::shell::Shell;
use crate::win7::cmd::sys::{About, Local, Next};
use crate::win7::cmd::tools::{TOOLS, Tool};

/// How many processes may live at one time.
const MOST_PROCESSES: usize = 256;

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
pub(super) enum Image {
    Tool(&'static Tool),
    /// An executable that is not modelled.
    Unknown,
}

/// What a process waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum On {
    Child(Entity),
    Pipe(PipeId),
    Timer,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum State {
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
pub(super) struct Process {
    pub(super) about: Arc<About>,
    /// As at the last checkpoint.
    pub(super) local: Local,
    /// As at the last checkpoint; none before the first.
    pub(super) shell: Option<Arc<Shell>>,
    pub(super) image: Image,
    pub(super) log: Log,
    pub(super) state: State,
    pub(super) parent: Option<Entity>,
    /// The variables at the start, for whoever wants to know what changed.
    pub(super) first: Option<Arc<Block>>,
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
    /// The language of the system. Messages are in it as long as the console's code page can show it.
    pub language: Language,
    /// What is typed while it runs.
    pub input: Arc<[u8]>,
}

impl Kernel<'_> {
    pub(in crate::win7::cmd) fn spawn(
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
            language: about.language.on_console(self.code_page(&about)),
        };
        let parent = Some(self.actor);
        self.put(child, about, local, image, parent);
        Ok(child)
    }

    /// Whether a process of the lab runs a program of this name, in lower case.
    pub(in crate::win7::cmd) fn runs(&self, program: &str) -> bool {
        let is_it = |process: &Process| {
            let image = process.about.image.to_utf8_lossy().to_ascii_lowercase();
            image.rsplit('\\').next() == Some(program)
        };
        // The one that asks is not among them while it runs.
        self.lab.processes.values().any(is_it)
    }

    fn put(
        &mut self,
        id: Entity,
        about: About,
        mut local: Local,
        image: Image,
        parent: Option<Entity>,
    ) {
        // Here and not in its first step: what it had at first is kept below, to be compared with.
        if matches!(&image, Image::Tool(tool) if tool.file == "cmd.exe") {
            crate::win7::cmd::shell::first_variables(&mut local.block);
        }
        let path = about.image.to_utf8_lossy();
        let program = path.rsplit('\\').next().unwrap_or_default();
        let record = Record::Start {
            program: program.into(),
            user: about.user.clone(),
            command: about.tail.to_utf8_lossy().trim_start().into(),
        };
        self.lab.record(self.door, id, record);
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
    pub(in crate::win7::cmd) fn begin(&mut self, start: &Start) -> Result<(), Win32> {
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
            language: about.language.on_console(self.code_page(&about)),
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
}

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
