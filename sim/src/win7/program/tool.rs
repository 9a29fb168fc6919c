//! Tools that a floor above puts on the machine: `go` and its like.

use crate::engine::{Cx, Entity, Record as EngineRecord};
use crate::win7::environment::Block;
use crate::win7::files::Files;
use crate::win7::resolve::{Place, cmd};

use super::record::Record;
use super::{Event, Outcome, Programs, Unsupported};

/// What a tool finds when it is started.
pub struct Start<'a> {
    /// Its executable, full.
    pub executable: &'a str,
    /// Its arguments.
    pub arguments: &'a [&'a str],
    /// Its working directory, full.
    pub directory: &'a str,
    /// Its variables.
    pub block: &'a Block,
    /// The machine's files.
    pub files: &'a Files,
}

/// What a tool comes to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: u32,
    /// The first line that it says, if it says anything.
    pub said: String,
}

/// The tools of a machine.
pub trait Tools {
    /// Runs a tool as one step; none if the executable is none that is modelled.
    ///
    /// # Errors
    /// What of it is not modelled.
    fn run(start: &Start<'_>) -> Option<Result<Ended, String>>;

    /// The path that a program built with this release of Go hands to Windows.
    ///
    /// # Errors
    /// If there is no such release here.
    fn path(release: &str, _path: &str) -> Result<String, String> {
        Err(format!("programs built with Go {release}"))
    }

    /// The directory in which `go` of this release keeps modules, with these variables.
    ///
    /// # Errors
    /// If it keeps them nowhere, or there is no such release here.
    fn module_cache(release: &str, _block: &Block) -> Result<String, String> {
        Err(format!("modules of Go {release}"))
    }
}

/// No tools.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NoTools {}

impl Tools for NoTools {
    fn run(_: &Start<'_>) -> Option<Result<Ended, String>> {
        None
    }
}

impl<T: Tools> Programs<T> {
    /// Runs a tool.
    pub(super) fn run<E, R>(
        &mut self,
        actor: Entity,
        command: &str,
        cx: &mut Cx<'_, E, R>,
    ) -> (Outcome, Option<Unsupported>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let command = self.fill(actor, command);
        let words: Vec<&str> = command.split_ascii_whitespace().collect();
        let Some((name, arguments)) = words.split_first() else {
            return (Outcome::Next, None);
        };
        let block = self.block(actor).clone();
        let directory = self.directory(actor);
        let place = Place::new(&directory, block.clone());
        let Some(executable) = cmd(name, &place, &self.machine.files).file() else {
            let said = format!("'{name}' is not recognized as an internal or external command,");
            let record = Record::Tool {
                command: command.as_str().into(),
                code: 9009,
                said: said.into(),
            };
            cx.record(actor, record);
            return (Outcome::Next, None);
        };
        let start = Start {
            executable: &executable,
            arguments,
            directory: &directory,
            block: &block,
            files: &self.machine.files,
        };
        let ended = match T::run(&start) {
            Some(Ok(ended)) => ended,
            Some(Err(what)) => return (Outcome::Next, Some(Unsupported(what))),
            None => {
                let what = format!("the program {executable}");
                return (Outcome::Next, Some(Unsupported(what)));
            }
        };
        let record = Record::Tool {
            command: command.as_str().into(),
            code: ended.code,
            said: ended.said.into(),
        };
        cx.record(actor, record);
        (Outcome::Next, None)
    }
}
