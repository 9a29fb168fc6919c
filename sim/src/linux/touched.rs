//! What a record of a Linux process is about, in the state of the machine.

use crate::engine::{Seen, shown};

use super::fs::{FileSystem, InodeId, Last, Node};
use super::lab::{Lab, Record};
use super::process::Image;

impl<X: Image> Lab<X> {
    /// The things that `record` of the process `actor` touched, and what they are now. `asked` is a state in which
    /// the process was there.
    pub fn touched(&self, asked: &Lab<X>, actor: &str, record: &Record) -> Vec<Seen> {
        let processes = self.processes();
        let cwd = asked.processes().cwd(actor);
        let file = |path: &str| file(&processes.fs, &cwd, path);
        match record {
            Record::Fork { child } => vec![self.process(child)],
            Record::Exec { path, .. } => {
                let mut seen = vec![self.process(actor)];
                seen.extend(file(path));
                let memory = processes.memory(actor);
                for (name, value) in memory.iter().flat_map(|memory| &*memory.env) {
                    let value = Some(value.to_string());
                    seen.push(Seen::new(format!("${name} of {actor}"), value));
                }
                seen
            }
            Record::Open { path, .. }
            | Record::Write { path, .. }
            | Record::Symlink { path, .. }
            | Record::Remove { path }
            | Record::Mkdir { path } => file(path),
            Record::Rename { from, to } => [file(from), file(to)].concat(),
            Record::Wait { child, .. } => vec![self.process(child)],
            Record::Exit { .. } => vec![self.process(actor)],
            Record::Failed { object, .. } if object.contains('/') => file(object),
            Record::Failed { .. } | Record::Print { .. } => Vec::new(),
        }
    }

    fn process(&self, name: &str) -> Seen {
        let processes = self.processes();
        let memory = processes.memory(name);
        let value = memory.map(|memory| match processes.image(name) {
            Some(_) => format!("runs {}", memory.argv.join(" ")),
            None => "has ended, nobody has asked how".into(),
        });
        Seen::new(format!("process {name}"), value)
    }
}

/// What lies at a path; each link on the way is a thing of its own.
fn file(fs: &FileSystem, cwd: &InodeId, path: &str) -> Vec<Seen> {
    let mut passed = Vec::new();
    let found = fs.resolve(cwd, path, Last::Follow, Some(&mut passed));
    let links = passed.iter().filter_map(|name| {
        let target = fs.readlink(&InodeId::root(), name).ok()?;
        (**name != *path)
            .then(|| Seen::new(format!("file {name}"), Some(format!("link to {target}"))))
    });
    let mut seen: Vec<Seen> = links.collect();
    let target = fs.readlink(cwd, path).ok();
    let at_end = found.ok().and_then(|found| match fs.node(&found.inode?)? {
        Node::Directory { entries, .. } => {
            let names: Vec<&str> = entries.keys().map(|name| &**name).collect();
            Some(format!("directory: {}", shown(names.join(" ").as_bytes())))
        }
        Node::File(file) => Some(match file.image() {
            Some(image) => format!("program {image} {}", file.version().unwrap_or_default())
                .trim_end()
                .to_owned(),
            None => shown(&file.data),
        }),
        Node::Symlink(target) => Some(format!("link to {target}")),
        Node::Device(_) => Some("device".into()),
    });
    let value = match (target, at_end) {
        (Some(target), Some(at_end)) => Some(format!("link to {target} ({at_end})")),
        (Some(target), None) => Some(format!("link to {target}, which is not there")),
        (None, at_end) => at_end,
    };
    seen.push(Seen::new(format!("file {path}"), value));
    seen
}
