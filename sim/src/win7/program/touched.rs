//! What a record of a Windows program is about, in the state of its machine.

use crate::engine::{Entity, Seen};
use crate::win7::files::Actor;
use crate::win7::machine::EXPLORER;
use crate::win7::registry::{KeyPath, units};
use crate::win7::seen;

use super::record::Record;
use super::{Program, Programs, Tools};

impl<T: Tools> Programs<T> {
    /// The things that `record` of the program `actor` touched, and what they are now. `asked` is a state in which
    /// the program was there.
    pub fn touched(&self, asked: &Programs<T>, actor: &str, record: &Record) -> Vec<Seen> {
        let program = asked.programs.get(&Entity::of(actor));
        // A fault can be said to be somebody else's deed, who looks at the machine as the programs do.
        let program = program.or_else(|| asked.programs.values().next());
        let Some(program) = program else {
            return Vec::new();
        };
        match record {
            Record::Query { key, name, .. }
            | Record::Set { key, name, .. }
            | Record::DeleteValue { key, name, .. } => vec![self.value(program, key, name)],
            Record::CreateKey { key, .. } | Record::DeleteKey { key, .. } => {
                vec![self.key(program, key)]
            }
            Record::SetVariable { name, .. } => vec![self.variable(&program.name, name)],
            Record::Broadcast { reached } => {
                let reached = reached.split(' ').filter(|name| !name.is_empty());
                reached.map(|name| self.variable(name, "Path")).collect()
            }
            Record::Launch { program } => [EXPLORER, program]
                .map(|name| self.variable(name, "Path"))
                .into(),
            Record::Save { file, .. } | Record::Import { file, .. } => {
                vec![self.file(asked, program, file)]
            }
            Record::Resolve { file, .. } if !file.is_empty() => {
                vec![self.file(asked, program, file)]
            }
            Record::Disk { path, .. }
            | Record::DiskRewrite { path, .. }
            | Record::DiskFault { path, .. } => vec![self.file(asked, program, path)],
            _ => Vec::new(),
        }
    }

    fn value(&self, program: &Program, key: &str, name: &str) -> Seen {
        let Ok(path) = KeyPath::parse(key) else {
            return Seen::new(format!("{key}\\{name}"), None);
        };
        seen::value(&self.machine, &program.caller, &program.user, &path, name)
    }

    fn key(&self, program: &Program, key: &str) -> Seen {
        let Ok(path) = KeyPath::parse(key) else {
            return Seen::new(key, None);
        };
        seen::key(&self.machine, &program.caller, &program.user, &path)
    }

    fn variable(&self, process: &str, name: &str) -> Seen {
        seen::variable(&self.machine, process, name)
    }

    fn file(&self, asked: &Programs<T>, program: &Program, path: &str) -> Seen {
        let files = &self.machine.files;
        let full = asked
            .machine
            .processes()
            .get(&program.name)
            .ok()
            .and_then(|process| {
                let directory = units(&process.directory.to_utf8_lossy());
                let on = Actor {
                    token: program.caller.token(),
                    directory: &directory,
                    environment: Some(&process.block),
                };
                let full = files.full_name(&on, &units(path)).ok()?;
                Some(String::from_utf16_lossy(&full.path))
            });
        let full = full.unwrap_or_else(|| path.to_owned());
        seen::file(&self.machine, &full)
    }
}
