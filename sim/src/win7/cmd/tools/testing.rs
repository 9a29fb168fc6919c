//! Running one program by itself, for the tests of this folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::TOOLS;
use crate::engine::{Armed, Entity, Span, Time};
use crate::win7::cmd::kernel::{Door, Kernel, Lab, SpawnRequest, Start};
use crate::win7::cmd::messages::Language;
use crate::win7::cmd::record::Record;
use crate::win7::machine::Machine;
use crate::win7::registry::{Bits, units};
use crate::win7::text::Wide;

/// What came of a command.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Ran {
    pub exit: u32,
    pub stdout: String,
    pub stderr: String,
    /// What was not modelled.
    pub unsupported: Vec<String>,
    /// How much virtual time it took.
    pub ms: u64,
    /// The operations that were performed.
    pub operations: Vec<String>,
}

/// A machine on which the programs lie, and how a command runs on it. A clone is a fork.
#[derive(Clone)]
pub(super) struct Bench {
    pub machine: Machine,
    pub user: &'static str,
    pub language: Language,
    pub bits: Bits,
    pub directory: &'static str,
    pub input: &'static [u8],
}

impl Bench {
    /// The default machine with a folder `C:\lab`; `admin` runs commands.
    pub fn new() -> Bench {
        let machine = Machine::windows_7();
        let mut bench = Bench {
            machine,
            user: "admin",
            language: Language::English,
            bits: Bits::Bits64,
            directory: "C:\\lab",
            input: b"",
        };
        bench.folder("C:\\lab");
        bench
    }

    /// Makes a folder.
    pub fn folder(&mut self, path: &str) {
        let caller = self.machine.caller("alice").expect("she is there");
        let actor = crate::win7::files::Actor::new(caller.token());
        let made = self.machine.files.make_tree(&actor, &units(path));
        made.expect("it has a place");
    }

    /// Makes a file, with the folders above it.
    pub fn file(&mut self, path: &str, text: impl AsRef<[u8]>) {
        let (folder, _) = path.rsplit_once('\\').expect("it is full");
        self.folder(folder);
        let caller = self.machine.caller("SYSTEM").expect("it is there");
        let actor = crate::win7::files::Actor::new(caller.token());
        let files = &mut self.machine.files;
        let written = files.write_file(&actor, &units(path), text.as_ref());
        written.expect("it has a place");
    }

    /// What a file holds.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        Some(self.machine.files.look(path)?.content()?.to_vec())
    }

    /// The same as text.
    pub fn text(&self, path: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&self.content(path)?).into_owned())
    }

    /// Whether something is there.
    pub fn is_there(&self, path: &str) -> bool {
        self.machine.files.look(path).is_some()
    }

    /// Runs a command to its end.
    pub fn run(&mut self, command: &str) -> Ran {
        let (program, tail) = match command.find(' ') {
            Some(blank) => command.split_at(blank),
            None => (command, ""),
        };
        let forms = ["", ".exe", ".com"].map(|extension| format!("{program}{extension}"));
        let file = forms
            .into_iter()
            .find(|form| TOOLS.iter().any(|tool| tool.file == form));
        let file = file.unwrap_or_else(|| panic!("there is no program {program}"));
        let request = SpawnRequest {
            directory: Some(Wide::from(self.directory)),
            ..SpawnRequest::new(
                Wide::from(&*format!("C:\\Windows\\System32\\{file}")),
                Wide::from(tail),
            )
        };
        let start = Start {
            request,
            user: self.user.into(),
            bits: self.bits,
            language: self.language,
            input: self.input.into(),
        };
        let mut door = TestDoor::default();
        let mut lab = Lab::default();
        let actor = Entity::of("it");
        Kernel::new(&mut self.machine, &mut lab, &mut door, actor)
            .begin(&start)
            .expect("the program is there");
        loop {
            lab.settle(&mut self.machine, &mut door);
            let Some((at, who)) = door.timers.pop_first() else {
                break;
            };
            door.now = at;
            lab.time_up(who);
        }
        assert!(lab.is_over(), "{command} does not end");
        Ran {
            ms: (door.now - Time::default()).0 / 1_000_000,
            unsupported: lab.take_unsupported(),
            ..door.ran
        }
    }

    /// What a command prints, if it succeeds.
    #[track_caller]
    pub fn prints(&mut self, command: &str) -> String {
        let ran = self.run(command);
        assert_eq!((ran.exit, &*ran.stderr), (0, ""), "{command}: {ran:?}");
        ran.stdout
    }

    /// The exit code of a command, and what it says of its failure.
    #[track_caller]
    pub fn fails(&mut self, command: &str) -> (u32, String) {
        let ran = self.run(command);
        assert_ne!(ran.exit, 0, "{command}: {ran:?}");
        assert!(ran.unsupported.is_empty(), "{command}: {ran:?}");
        (ran.exit, ran.stderr)
    }

    /// Asserts that a command is refused, naming this.
    #[track_caller]
    pub fn refuses(&mut self, command: &str, what: &str) {
        let ran = self.run(command);
        assert_ne!(ran.exit, 0, "{command}");
        assert_eq!(ran.unsupported, [what], "{command}");
        assert!(ran.stderr.contains(what), "{command}: {}", ran.stderr);
    }
}

#[derive(Default)]
struct TestDoor {
    now: Time,
    timers: BTreeMap<Time, Entity>,
    ran: Ran,
    births: u32,
    /// The process whose end is the command's.
    first: Option<Entity>,
}

impl Door for TestDoor {
    fn now(&self) -> Time {
        self.now
    }

    fn fault(&mut self, _: &'static str, _: Entity) -> Option<Armed> {
        None
    }

    fn choose(&mut self, _: &'static str, _: Entity, low: u64, _: u64) -> u64 {
        low
    }

    fn record(&mut self, at: Entity, record: Record) {
        let first = *self.first.get_or_insert(Entity::of("it"));
        match record {
            Record::Output { stream, text } => match stream {
                "stdout" => self.ran.stdout.push_str(&text),
                _ => self.ran.stderr.push_str(&text),
            },
            Record::End { code } if at == first => self.ran.exit = code,
            Record::Operation { verb, object, code } => {
                self.ran.operations.push(format!("{verb} {object} {code}"));
            }
            _ => {}
        }
    }

    fn birth(&mut self, _: Entity, label: &'static str) -> Entity {
        self.births += 1;
        Entity::of(&format!("it/{label}-{}", self.births))
    }

    fn path(&self, _: Entity) -> Arc<str> {
        "it".into()
    }

    fn wake_after(&mut self, span: Span, who: Entity) {
        self.timers.insert(self.now + span, who);
    }

    fn others(&self) -> bool {
        false
    }
}
