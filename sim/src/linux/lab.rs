//! Processes on the stage: the process table driven by the engine, one system call a step.

use std::collections::BTreeMap;

use crate::engine::{Cx, Entity, Footprint, Key, Record as EngineRecord, Rivals, Span};
use crate::records;

use super::errno::Errno;
use super::fs::FileSystem;
use super::process::{Effect, Image, Processes, Step, Who};
use super::program::Program;
use super::syscall::{Syscall, Text};

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
    /// The processes that are ready, by name.
    ready: BTreeMap<Text, Entity>,
    /// The same, by entity.
    names: BTreeMap<Entity, Text>,
    /// Taken for granted by a search: no call changes a file.
    files_stay: bool,
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
            names: BTreeMap::new(),
            files_stay: false,
        }
    }

    /// The same machine, on the assumption that no call changes a file: then looking at files commutes
    /// with everything. A call that does break it is reported as unsupported.
    pub fn where_files_stay(self) -> Lab<X> {
        Lab {
            files_stay: true,
            ..self
        }
    }

    pub(super) fn processes(&self) -> &Processes<Program<X>> {
        &self.processes
    }

    /// Makes the first processes ready.
    pub fn begin<E, R>(&mut self, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        self.announce(None, cx);
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
                self.announce(Some(&[name]), cx);
            }
            Event::Perform(actor) => {
                let name = cx.path(actor).clone();
                self.ready.remove(&name);
                self.names.remove(&actor);
                let call = self.processes.pending(&name);
                if self.files_stay && call.is_some_and(Syscall::changes_files) {
                    let what = "a changed file in a search that takes files to stay";
                    unsupported.push(Unsupported(what.into()));
                }
                let reaches_others = call.is_none_or(|call| {
                    matches!(
                        call,
                        Syscall::Read { .. }
                            | Syscall::Write { .. }
                            | Syscall::Close { .. }
                            | Syscall::Dup2 { .. }
                            | Syscall::Exec { .. }
                            | Syscall::Exit(_)
                            | Syscall::Wait(_)
                            | Syscall::Refuse(_)
                    )
                });
                let step = self
                    .processes
                    .perform(&name)
                    .expect("who is ready can go on");
                let mut touched = vec![name];
                for effect in &step.effects {
                    if let Effect::Forked { child } = effect {
                        touched.push(child.clone());
                    }
                }
                unsupported.extend(self.record(actor, step, cx));
                self.announce((!reaches_others).then_some(&touched), cx);
            }
        }
        unsupported
    }

    /// What the pending call of a process touches.
    pub fn footprint(&self, event: &Event) -> Footprint {
        let Event::Perform(actor) = event else {
            return Footprint::Everything;
        };
        let footprint = self.processes.footprint(&self.names[actor]);
        let entities = |names: Vec<Text>| names.iter().map(|name| Entity::of(name)).collect();
        Footprint::Touches {
            reads: entities(footprint.reads),
            writes: entities(footprint.writes),
        }
    }

    /// Who could ever get in the way of the pending call of a process.
    pub fn rivals(&self, event: &Event) -> Rivals {
        match event {
            Event::Perform(actor) => {
                rivals(self.processes.rivals(&self.names[actor], self.files_stay))
            }
            Event::Wake(_) => Rivals::Anyone,
        }
    }

    /// Who must act before a process that is not ready can go on.
    pub fn enablers(&self, actor: Entity) -> Rivals {
        let mut living = self.processes.living();
        match living.find(|name| Entity::of(name) == actor) {
            Some(name) => rivals(self.processes.enablers(name)),
            None => Rivals::Only(Vec::new()),
        }
    }

    /// The kinds of record that the pending call of a process may write.
    pub fn may_record(&self, event: &Event) -> Option<&'static [&'static str]> {
        let Event::Perform(actor) = event else {
            return None;
        };
        Some(match self.processes.pending(&self.names[actor])? {
            Syscall::Fork { .. } => &["fork"],
            Syscall::Exec { .. } => &["exec", "syscall_failed"],
            Syscall::Write { .. } => &["print", "write", "exit", "syscall_failed"],
            Syscall::Exit(_) => &["exit"],
            Syscall::Wait(_) => &["wait", "syscall_failed"],
            Syscall::Refuse(_) => return None,
            call if call.changes_files() => return None,
            _ => &["open", "syscall_failed"],
        })
    }

    /// Makes processes ready that can go on, and takes back the readiness of those that cannot any more.
    /// Only `touched` and what it brought forth are looked at, if a call reached nobody else.
    fn announce<E, R>(&mut self, touched: Option<&[Text]>, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let can_go_on = |name: &Text| self.processes.blocked(name).is_none();
        let (mut able, mut stuck): (Vec<Text>, Vec<Text>) = (Vec::new(), Vec::new());
        match touched {
            Some(touched) => {
                able.extend(touched.iter().filter(|name| can_go_on(name)).cloned());
            }
            None => {
                // Both in the order of names.
                let mut ready = self.ready.keys().peekable();
                for name in self.processes.living() {
                    stuck.extend(std::iter::from_fn(|| ready.next_if(|r| *r < name)).cloned());
                    let was_ready = ready.next_if(|r| *r == name).is_some();
                    match (was_ready, can_go_on(name)) {
                        (false, true) => able.push(name.clone()),
                        (true, false) => stuck.push(name.clone()),
                        _ => {}
                    }
                }
                stuck.extend(ready.cloned());
            }
        }
        for name in stuck {
            let actor = self.ready.remove(&name).expect("it was just seen");
            self.names.remove(&actor);
            cx.withdraw(actor);
        }
        for name in able {
            let (verb, object) = self
                .processes
                .pending_op(&name)
                .expect("who is enabled has a pending call");
            let actor = cx.name(&name);
            let object = match object.is_empty() {
                true => Key::NO_OBJECT,
                false => cx.name(&object),
            };
            cx.ready(actor, verb, object, Event::Perform(actor));
            self.names.insert(actor, name.clone());
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

fn rivals(who: Who) -> Rivals {
    match who {
        Who::Anyone => Rivals::Anyone,
        Who::Only(names) => Rivals::Only(names.iter().map(|name| Entity::of(name)).collect()),
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
