//! Processes on the stage: the process table driven by the engine, one system call a step.

use std::collections::BTreeMap;

use crate::engine::{Cx, Entity, Footprint, Key, Record as EngineRecord, Span};
use crate::records;

use super::errno::Errno;
use super::fs::FileSystem;
use super::process::{Effect, Image, Processes, Step};
use super::program::Program;
use super::syscall::Text;

records! {
    /// What Linux processes do, one record a system call of interest.
    pub enum Record {
        /// A process was born.
        Fork = "fork", "forks {child}" {
            /// The child's name.
            child: Text,
        },
        /// A process became another program.
        Exec = "exec", "executes {path}: {program} {version}" {
            /// As it was asked for.
            path: Text,
            /// After symbolic links.
            real_path: Text,
            /// The program.
            program: Text,
            /// Its version; empty where it has none.
            version: Text,
            /// The arguments, separated by spaces.
            args: Text,
            /// The process from which it descends that was there at the start.
            root: Text,
        },
        /// A file was opened.
        Open = "open", "opens {path}" {
            /// As it was asked for.
            path: Text,
            /// Whether that created it.
            created: bool,
        },
        /// Bytes were written to a file.
        Write = "write", "writes {bytes} bytes to {path}" {
            /// As it was opened.
            path: Text,
            /// How many.
            bytes: u64,
        },
        /// Text appeared on the terminal.
        Print = "print", "prints on {stream}: {text}" {
            /// `stdout` or `stderr`.
            stream: Text,
            /// What.
            text: Text,
        },
        /// A name was replaced, atomically.
        Rename = "rename", "renames {from} to {to}" {
            /// The old name.
            from: Text,
            /// The new name.
            to: Text,
        },
        /// A symbolic link was made.
        Symlink = "symlink", "makes {path} a link to {target}" {
            /// The link.
            path: Text,
            /// What it says.
            target: Text,
        },
        /// A name was removed.
        Remove = "remove", "removes {path}" {
            /// Which.
            path: Text,
        },
        /// A directory was made.
        Mkdir = "mkdir", "makes the directory {path}" {
            /// Which.
            path: Text,
        },
        /// A child's end was learnt.
        Wait = "wait", "learns that {child} ended with {status}" {
            /// Who.
            child: Text,
            /// The status as the shell's `$?` has it.
            status: u8,
        },
        /// A process ended.
        Exit = "exit", "ends with {status}" {
            /// The status as the shell's `$?` has it.
            status: u8,
        },
        /// A system call failed.
        Failed = "syscall_failed", "fails to {verb} {object}: {errno}" {
            /// The call.
            verb: &'static str,
            /// What it was about.
            object: Text,
            /// The error's name.
            errno: &'static str,
        },
    }
}

/// An event of this world.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A process makes its pending call.
    Perform(Entity),
    /// A process has slept.
    Wake(Entity),
}

/// A process table on the stage. `X` are the programs that floors above add.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lab<X: Image> {
    processes: Processes<Program<X>>,
    /// Living processes by name, in order; those that are ready.
    ready: BTreeMap<Text, Entity>,
}

/// What the construct was that a run met and the models do not know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsupported(pub String);

impl<X: Image> Lab<X> {
    /// A machine whose first processes are about to make their first calls.
    pub fn new(processes: Processes<Program<X>>) -> Lab<X> {
        Lab {
            processes,
            ready: BTreeMap::new(),
        }
    }

    /// Makes the first processes ready.
    pub fn begin<E, R>(&mut self, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        self.announce(cx);
    }

    /// Takes one step.
    pub fn step<E, R>(&mut self, event: Event, cx: &mut Cx<'_, E, R>) -> Vec<Unsupported>
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let mut unsupported = Vec::new();
        match event {
            Event::Wake(actor) => {
                let name = cx.path(actor).clone();
                self.processes.wake(&name).expect("who sleeps can be woken");
            }
            Event::Perform(actor) => {
                let name = cx.path(actor).clone();
                self.ready.remove(&name);
                let step = self
                    .processes
                    .perform(&name)
                    .expect("who is ready can go on");
                unsupported = self.record(actor, step, cx);
            }
        }
        self.announce(cx);
        unsupported
    }

    /// What the pending call of a process touches.
    pub fn footprint(&self, event: &Event) -> Footprint {
        let Event::Perform(actor) = event else {
            return Footprint::Everything;
        };
        let name = self
            .ready
            .iter()
            .find(|(_, ready)| *ready == actor)
            .map(|(name, _)| name);
        let footprint = self
            .processes
            .footprint(name.expect("who performs is ready"));
        let entities = |names: Vec<Text>| names.iter().map(|name| Entity::of(name)).collect();
        Footprint::Touches {
            reads: entities(footprint.reads),
            writes: entities(footprint.writes),
        }
    }

    fn announce<E, R>(&mut self, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let enabled = self.processes.enabled();
        let stuck: Vec<Text> = self
            .ready
            .keys()
            .filter(|name| !enabled.contains(name))
            .cloned()
            .collect();
        for name in stuck {
            let actor = self.ready.remove(&name).expect("it was just seen");
            cx.withdraw(actor);
        }
        for name in enabled {
            if self.ready.contains_key(&name) {
                continue;
            }
            let (verb, object) = self
                .processes
                .pending_op(&name)
                .expect("who is enabled has a pending call");
            let actor = cx.name(&name);
            let object = if object.is_empty() {
                Key::NO_OBJECT
            } else {
                cx.name(&object)
            };
            cx.ready(actor, verb, object, Event::Perform(actor));
            self.ready.insert(name, actor);
        }
    }

    fn record<E, R>(&mut self, actor: Entity, step: Step, cx: &mut Cx<'_, E, R>) -> Vec<Unsupported>
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let Step {
            process,
            verb,
            object,
            effects,
        } = step;
        let mut unsupported = Vec::new();
        for effect in effects {
            let record = match effect {
                Effect::Forked { child } => Record::Fork { child },
                Effect::Executed {
                    path,
                    real_path,
                    image,
                    version,
                    argv,
                } => {
                    let root = process.split('/').next().unwrap_or_default();
                    Record::Exec {
                        path,
                        real_path,
                        program: image,
                        version: version.unwrap_or_default(),
                        args: argv.join(" ").into(),
                        root: root.into(),
                    }
                }
                Effect::Opened { path, created } => Record::Open { path, created },
                Effect::Wrote { path, bytes } => Record::Write { path, bytes },
                Effect::Printed { stream, data } => Record::Print {
                    stream,
                    text: String::from_utf8_lossy(&data).into(),
                },
                Effect::Renamed { from, to } => Record::Rename { from, to },
                Effect::Linked { path, target } => Record::Symlink { path, target },
                Effect::Removed { path } => Record::Remove { path },
                Effect::MadeDirectory { path } => Record::Mkdir { path },
                Effect::Reaped { child, status } => Record::Wait {
                    child,
                    status: status.shell_status(),
                },
                Effect::Sleeps { nanoseconds } => {
                    cx.after(Span(nanoseconds), actor, Event::Wake(actor));
                    continue;
                }
                Effect::Exited { status } => Record::Exit {
                    status: status.shell_status(),
                },
                Effect::Failed { errno } => Record::Failed {
                    verb,
                    object: object.clone(),
                    errno: errno.name(),
                },
                Effect::Refused(refused) => {
                    unsupported.push(Unsupported(refused.to_string()));
                    continue;
                }
            };
            cx.record(actor, record);
        }
        unsupported
    }
}

/// The names of the programs that [`install_base`] puts on a machine.
pub fn base_programs() -> impl Iterator<Item = &'static str> {
    ["bash"]
        .into_iter()
        .chain(super::tools::TOOLS.iter().copied())
}

/// Puts a shell and the small tools where a distribution has them.
///
/// # Errors
/// If something lies in the way.
pub fn install_base(fs: &mut FileSystem) -> Result<(), Errno> {
    for program in base_programs() {
        fs.add_program(&format!("/bin/{program}"), program, None)?;
    }
    fs.add_symlink("/bin/sh", "bash")
}
