//! What takes several calls, one call at a time: others may come in between.

use std::sync::Arc;

use super::access::Caller;
use super::error::{DeleteError, OpenError, Win32};
use super::path::KeyPath;
use super::reg_file::{Entry, Line, RegFile};
use super::{Name, Registry};

/// What one step did.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step<T> {
    /// One call; there is more to do.
    Call(Call),
    /// All is done.
    Done(T),
}

/// A single call of a compound operation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Call {
    /// A subkey was looked for.
    EnumKey(KeyPath),
    /// A key was deleted.
    DeleteKey(KeyPath),
    /// A key was created or opened.
    CreateKey(KeyPath),
    /// A value was set.
    SetValue(KeyPath, Name),
    /// A value was deleted.
    DeleteValue(KeyPath, Name),
}

/// RegDeleteTree with a subkey: looks for a subkey, deletes it with all below it, again and again, and at
/// last deletes the key itself. If a call fails, what was deleted before stays deleted.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DeleteTree {
    /// The keys on the way down.
    open: Vec<KeyPath>,
}

impl DeleteTree {
    /// About to delete the key at `path` with all below it.
    pub fn new(path: KeyPath) -> DeleteTree {
        DeleteTree { open: vec![path] }
    }

    /// The next call.
    ///
    /// # Errors
    /// If it fails; nothing more is to be done then.
    pub fn step(
        &mut self,
        registry: &mut Registry,
        caller: &Caller,
    ) -> Result<Step<()>, DeleteError> {
        let Some(path) = self.open.last().cloned() else {
            return Ok(Step::Done(()));
        };
        let spot = registry.spot(caller, &path)?;
        let first = registry
            .at(&spot.first)
            .keys()
            .next()
            .map(|key| key.name().clone());
        match first {
            Some(name) => {
                let below = path.join(name.units());
                self.open.push(below.clone());
                Ok(Step::Call(Call::EnumKey(below)))
            }
            None => {
                self.open.pop();
                registry.delete_key(caller, &path)?;
                match self.open.is_empty() {
                    true => Ok(Step::Done(())),
                    false => Ok(Step::Call(Call::DeleteKey(path))),
                }
            }
        }
    }
}

/// What an import did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Imported {
    /// Lines whose call succeeded.
    pub applied: u32,
    /// Lines whose call failed, or which named no key, and which were passed over.
    pub skipped: u32,
    /// Those of them whose call was refused: error 5.
    pub refused: u32,
}

/// The import of a .reg file as reg.exe does it: line by line, what fails is passed over.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Import {
    lines: Arc<[Entry]>,
    progress: ImportProgress,
}

/// How far an import is: with its lines, all that there is to know of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ImportProgress {
    next: usize,
    /// The key that values go to; none before the first, after a deletion, or if it could not be created.
    key: Option<KeyPath>,
    deleting: Option<DeleteTree>,
    imported: Imported,
}

impl Import {
    /// About to import a file.
    pub fn new(file: RegFile) -> Import {
        Import {
            lines: file.lines.into(),
            progress: ImportProgress {
                next: 0,
                key: None,
                deleting: None,
                imported: Imported {
                    skipped: file.passed_over.len() as u32,
                    ..Imported::default()
                },
            },
        }
    }

    /// How far it is.
    pub fn progress(&self) -> &ImportProgress {
        &self.progress
    }

    /// Goes on from where another import of the same lines was.
    pub fn resume(&mut self, progress: ImportProgress) {
        self.progress = progress;
    }

    /// The key that the next call is about, and its value where it is one; none when all is done.
    pub fn next_object(&self) -> Option<(KeyPath, Option<Name>)> {
        let progress = &self.progress;
        if let Some(tree) = &progress.deleting {
            return Some((tree.open.last()?.clone(), None));
        }
        let mut key = progress.key.as_ref();
        for entry in &self.lines[progress.next..] {
            match (&entry.line, key) {
                (Line::Key(path) | Line::DeleteKey(path), _) => return Some((path.clone(), None)),
                (Line::NoKey, _) => key = None,
                (Line::Set(name, _) | Line::Delete(name), Some(key)) => {
                    return Some((key.clone(), Some(name.clone())));
                }
                (Line::Set(..) | Line::Delete(_), None) => {}
            }
        }
        None
    }

    /// The next call.
    pub fn step(&mut self, registry: &mut Registry, caller: &Caller) -> Step<Imported> {
        let lines = self.lines.clone();
        self.progress.step(&lines, registry, caller)
    }

    /// All steps, with nobody in between.
    pub fn run(mut self, registry: &mut Registry, caller: &Caller) -> Imported {
        loop {
            if let Step::Done(imported) = self.step(registry, caller) {
                return imported;
            }
        }
    }
}

impl ImportProgress {
    fn step(
        &mut self,
        lines: &[Entry],
        registry: &mut Registry,
        caller: &Caller,
    ) -> Step<Imported> {
        loop {
            if let Some(tree) = &mut self.deleting {
                match tree.step(registry, caller) {
                    Ok(Step::Call(call)) => return Step::Call(call),
                    Ok(Step::Done(())) => self.count(Ok(())),
                    Err(error) => self.count(Err(error.win32())),
                }
                self.deleting = None;
            }
            let Some(Entry { line, .. }) = lines.get(self.next).cloned() else {
                return Step::Done(self.imported);
            };
            self.next += 1;
            let (call, done) = match line {
                Line::DeleteKey(path) => {
                    self.key = None;
                    // The import never deletes a root.
                    let is_root = path.sub.iter().all(|unit| *unit == u16::from(b'\\'));
                    match registry.spot(caller, &path) {
                        _ if is_root => self.count(Err(OpenError::InvalidParameter.win32())),
                        // The file says that the key be gone, and it is.
                        Err(OpenError::FileNotFound) => self.count(Ok(())),
                        _ => self.deleting = Some(DeleteTree::new(path)),
                    }
                    continue;
                }
                Line::Key(path) => {
                    let done = registry.create_key(caller, &path).map(drop);
                    self.key = done.is_ok().then(|| path.clone());
                    (Call::CreateKey(path), done.map_err(Win32::from))
                }
                // Its flaw is counted already.
                Line::NoKey => {
                    self.key = None;
                    continue;
                }
                Line::Set(name, value) => {
                    let Some(key) = self.key.clone() else {
                        self.count(Err(OpenError::FileNotFound.win32()));
                        continue;
                    };
                    let done = registry.set_value(caller, &key, &name, value);
                    (Call::SetValue(key, name), done.map_err(Win32::from))
                }
                Line::Delete(name) => {
                    let Some(key) = self.key.clone() else {
                        self.count(Err(OpenError::FileNotFound.win32()));
                        continue;
                    };
                    let done = registry.delete_value(caller, &key, &name);
                    (Call::DeleteValue(key, name), done.map_err(Win32::from))
                }
            };
            self.count(done);
            return Step::Call(call);
        }
    }

    fn count(&mut self, done: Result<(), Win32>) {
        match done {
            Ok(()) => self.imported.applied += 1,
            Err(error) => {
                self.imported.skipped += 1;
                self.imported.refused += u32::from(error.code == 5);
            }
        }
    }
}

impl Registry {
    /// RegDeleteTree, with nobody in between.
    ///
    /// # Errors
    /// See [`DeleteError`]; what was deleted before the failure stays deleted.
    pub fn delete_tree(&mut self, caller: &Caller, path: &KeyPath) -> Result<(), DeleteError> {
        let mut tree = DeleteTree::new(path.clone());
        while let Step::Call(_) = tree.step(self, caller)? {}
        Ok(())
    }
}
