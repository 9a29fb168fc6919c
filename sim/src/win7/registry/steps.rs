//! What takes several calls, one call at a time: others may come in between.

use std::collections::VecDeque;

use super::access::Caller;
use super::error::{DeleteError, OpenError};
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
}

/// The import of a .reg file as reg.exe does it: line by line, what fails is passed over.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Import {
    lines: VecDeque<Entry>,
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
            key: None,
            deleting: None,
            imported: Imported {
                applied: 0,
                skipped: file.passed_over.len() as u32,
            },
        }
    }

    /// The next call.
    pub fn step(&mut self, registry: &mut Registry, caller: &Caller) -> Step<Imported> {
        loop {
            if let Some(tree) = &mut self.deleting {
                match tree.step(registry, caller) {
                    Ok(Step::Call(call)) => return Step::Call(call),
                    Ok(Step::Done(())) => self.count(true),
                    Err(_) => self.count(false),
                }
                self.deleting = None;
            }
            let Some(Entry { line, .. }) = self.lines.pop_front() else {
                return Step::Done(self.imported);
            };
            let (call, done) = match line {
                Line::DeleteKey(path) => {
                    self.key = None;
                    // The import never deletes a root.
                    let is_root = path.sub.iter().all(|unit| *unit == u16::from(b'\\'));
                    match registry.spot(caller, &path) {
                        _ if is_root => self.count(false),
                        // The file says that the key be gone, and it is.
                        Err(OpenError::FileNotFound) => self.count(true),
                        _ => self.deleting = Some(DeleteTree::new(path)),
                    }
                    continue;
                }
                Line::Key(path) => {
                    let done = registry.create_key(caller, &path).is_ok();
                    self.key = done.then(|| path.clone());
                    (Call::CreateKey(path), done)
                }
                // Its flaw is counted already.
                Line::NoKey => {
                    self.key = None;
                    continue;
                }
                Line::Set(name, value) => {
                    let Some(key) = self.key.clone() else {
                        self.count(false);
                        continue;
                    };
                    let done = registry.set_value(caller, &key, &name, value).is_ok();
                    (Call::SetValue(key, name), done)
                }
                Line::Delete(name) => {
                    let Some(key) = self.key.clone() else {
                        self.count(false);
                        continue;
                    };
                    let done = registry.delete_value(caller, &key, &name).is_ok();
                    (Call::DeleteValue(key, name), done)
                }
            };
            self.count(done);
            return Step::Call(call);
        }
    }

    /// All steps, with nobody in between.
    pub fn run(mut self, registry: &mut Registry, caller: &Caller) -> Imported {
        loop {
            if let Step::Done(imported) = self.step(registry, caller) {
                return imported;
            }
        }
    }

    fn count(&mut self, done: bool) {
        match done {
            true => self.imported.applied += 1,
            false => self.imported.skipped += 1,
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
