//! Variables. Exported ones live in the environment of the process, the others in the shell.

use std::sync::Arc;

use super::super::process::Memory;
use super::super::syscall::Text;
use super::{Cx, Shell};

/// What a name was, to be put back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Saved {
    name: Text,
    value: Option<Text>,
    exported: bool,
}

/// A valid name (POSIX 3.235).
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && text.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

impl Shell {
    pub(super) fn variable<'a>(&'a self, memory: &'a Memory, name: &str) -> Option<&'a Text> {
        memory.env.get(name).or_else(|| self.variables.get(name))
    }

    fn is_exported(&self, memory: &Memory, name: &str) -> bool {
        memory.env.contains_key(name) || self.exported_unset.contains(name)
    }

    pub(super) fn set(&mut self, memory: &mut Memory, name: &str, value: Text) {
        if name == "PATH" {
            // bash forgets the locations it has found (variables.c, `sv_path`).
            self.hashed = Default::default();
        }
        if self.is_exported(memory, name) {
            self.set_exported(memory, name, value);
        } else {
            Arc::make_mut(&mut self.variables).insert(name.into(), value);
        }
    }

    fn set_exported(&mut self, memory: &mut Memory, name: &str, value: Text) {
        if self.exported_unset.contains(name) {
            Arc::make_mut(&mut self.exported_unset).remove(name);
        }
        Arc::make_mut(&mut memory.env).insert(name.into(), value);
    }

    pub(super) fn export(&mut self, memory: &mut Memory, name: &str) {
        if self.is_exported(memory, name) {
            return;
        }
        match self.variables.get(name).cloned() {
            Some(value) => {
                Arc::make_mut(&mut self.variables).remove(name);
                self.set_exported(memory, name, value);
            }
            None => drop(Arc::make_mut(&mut self.exported_unset).insert(name.into())),
        }
    }

    /// `export -n`.
    pub(super) fn unexport(&mut self, memory: &mut Memory, name: &str) {
        if self.exported_unset.contains(name) {
            Arc::make_mut(&mut self.exported_unset).remove(name);
        }
        if memory.env.contains_key(name)
            && let Some(value) = Arc::make_mut(&mut memory.env).remove(name)
        {
            Arc::make_mut(&mut self.variables).insert(name.into(), value);
        }
    }

    pub(super) fn unset(&mut self, memory: &mut Memory, name: &str) {
        if name == "PATH" {
            self.hashed = Default::default();
        }
        if memory.env.contains_key(name) {
            Arc::make_mut(&mut memory.env).remove(name);
        }
        if self.variables.contains_key(name) {
            Arc::make_mut(&mut self.variables).remove(name);
        }
        if self.exported_unset.contains(name) {
            Arc::make_mut(&mut self.exported_unset).remove(name);
        }
    }

    pub(super) fn save(&self, memory: &Memory, name: &str) -> Saved {
        Saved {
            name: name.into(),
            value: self.variable(memory, name).cloned(),
            exported: self.is_exported(memory, name),
        }
    }

    /// Puts names back, the last saved first.
    pub(super) fn restore(&mut self, memory: &mut Memory, saved: &[Saved]) {
        for Saved {
            name,
            value,
            exported,
        } in saved.iter().rev()
        {
            self.unset(memory, name);
            if *exported {
                self.export(memory, name);
            }
            if let Some(value) = value {
                self.set(memory, name, value.clone());
            }
        }
    }

    /// A variable of the function that runs: the old one is back when it ends. It keeps being exported if it was
    /// (bash, `make_local_variable`).
    pub(super) fn make_local(&mut self, memory: &mut Memory, saved: Saved, value: Option<Text>) {
        let name = saved.name.clone();
        let exported = saved.exported;
        self.unset(memory, &name);
        if exported {
            self.export(memory, &name);
        }
        if let Some(value) = value {
            self.set(memory, &name, value);
        }
    }

    /// The value of `IFS`: blank, tab and newline if it is unset.
    pub(super) fn separators(&self, cx: &Cx<'_, '_>) -> Text {
        self.variable(cx.memory, "IFS")
            .cloned()
            .unwrap_or_else(|| " \t\n".into())
    }
}

impl Saved {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}
