//! One batch file on a machine, outside of any scenario: what its console shows, and the machine after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::{
    Entity, Env, Faults, Limits, Machine, Names, Observer, Scheduling, Source, Time, Touched,
};
use crate::win7;
use crate::win7::cmd::{Lab, Record as CmdRecord};
use crate::win7::environment::Block;
use crate::win7::program::{Programs, ScriptSetup, Setup};

use super::run::STEP_LIMIT;
use super::stage::{LabRecord, Record, Stage};

/// What a batch file came to.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit code of the cmd.exe that ran it.
    pub exit: u32,
    /// What its console was shown as output.
    pub stdout: String,
    /// What its console was shown as errors.
    pub stderr: String,
    /// What was met that is not modelled; the run is not to be trusted then.
    pub unsupported: Vec<String>,
    /// The faults that struck nothing, by their places among those of the arm.
    pub idle_faults: Vec<usize>,
    /// The variables that it leaves other than it found them.
    pub variables: Vec<Touched>,
    /// The machine afterwards.
    pub machine: win7::Machine,
}

/// Collects what consoles show.
#[derive(Default)]
struct Screen {
    root: Option<Entity>,
    exit: u32,
    stdout: String,
    stderr: String,
    unsupported: Vec<String>,
    /// The variables with which it began, once that is known.
    first: Option<Arc<Block>>,
    variables: Vec<Touched>,
}

impl Observer<Record> for Screen {
    fn see(&mut self, _: Time, actor: Entity, record: &Record, _: &Names) {
        match record {
            Record::Cmd(CmdRecord::Output { stream, text }) => match *stream {
                "stderr" => self.stderr.push_str(text),
                _ => self.stdout.push_str(text),
            },
            Record::Cmd(CmdRecord::End { code }) if Some(actor) == self.root => self.exit = *code,
            Record::Cmd(CmdRecord::Variable { name, text }) if Some(actor) == self.root => {
                let first = self.first.as_ref();
                self.variables.push(Touched {
                    what: name.to_string(),
                    before: first.and_then(|block| block.text(name)),
                    after: Some(text.to_string()).filter(|text| !text.is_empty()),
                });
            }
            Record::Lab(LabRecord::Unsupported { what }) => self.unsupported.push(what.to_string()),
            _ => {}
        }
    }
}

impl super::Prepared {
    /// One run of a Windows world, with what the consoles showed and what `script` came to.
    pub fn run_on_console(
        &self,
        script: &str,
        source: &mut dyn Source,
        also: &mut dyn Observer<Record>,
    ) -> Ran {
        let mut names = self.names();
        let mut screen = Screen {
            root: Some(names.name(script)),
            ..Screen::default()
        };
        let mut both = (&mut screen, also);
        let mut env = Env {
            names: &mut names,
            source,
            observer: &mut both,
        };
        let mut engine = self.machine(&mut env);
        both.0.began(&engine.world);
        let mut env = Env {
            names: &mut names,
            source,
            observer: &mut both,
        };
        let limits = Limits {
            until: self.until,
            steps: STEP_LIMIT,
        };
        engine.run(&mut env, limits);
        Ran {
            idle_faults: engine.faults().idle(),
            ..screen.ran(&engine.world)
        }
    }
}

impl Screen {
    /// Nobody has taken a step yet.
    fn began(&mut self, stage: &Stage) {
        if let (Stage::Windows(programs), Some(root)) = (stage, self.root) {
            self.first = programs.shells().first_block(root).cloned();
        }
    }

    fn ran(self, stage: &Stage) -> Ran {
        let machine = match stage {
            Stage::Windows(programs) => programs.machine().clone(),
            _ => win7::Machine::windows_7(),
        };
        Ran {
            exit: self.exit,
            stdout: self.stdout,
            stderr: self.stderr,
            unsupported: self.unsupported,
            idle_faults: Vec::new(),
            variables: self.variables,
            machine,
        }
    }
}

/// Runs a batch file to its end, or until the step limit.
pub fn run_script(machine: &win7::Machine, script: ScriptSetup, source: &mut dyn Source) -> Ran {
    let mut screen = Screen::default();
    let mut names = Names::new();
    screen.root = Some(names.name(&script.name));
    let setup = Setup {
        scripts: vec![script],
        ..Setup::default()
    };
    let mut env = Env {
        names: &mut names,
        source,
        observer: &mut screen,
    };
    let mut engine = Machine::new(Stage::Empty, Faults::default(), Scheduling::default());
    let params = Arc::new(BTreeMap::new());
    engine.begin(&mut env, |stage, cx| {
        *stage = Stage::Windows(Box::new(Programs::begin(
            machine,
            Lab::default(),
            &setup,
            &params,
            cx,
        )));
    });
    screen.began(&engine.world);
    let mut env = Env {
        names: &mut names,
        source,
        observer: &mut screen,
    };
    let limits = Limits {
        steps: STEP_LIMIT,
        ..Limits::NONE
    };
    engine.run(&mut env, limits);
    screen.ran(&engine.world)
}
