//! A run under way, one transition at a time: what stepping, looking and forking are made of.

use crate::engine::{Entity, Env, Limits, Machine, Names, Observer, Progress, Source};

use super::run::{Chooser, Prepared, STEP_LIMIT};
use super::stage::{Record, Stage};

/// A run that waits between its transitions. Its machine can be forked at any time:
/// `player.machine().clone()` with `player.names().clone()` goes on under any other source.
pub struct Player<S> {
    machine: Machine<Stage>,
    names: Names,
    source: S,
    limits: Limits,
    steps: u64,
}

impl Player<Box<dyn Source>> {
    /// A run of `prepared` under `chooser`, at its beginning. What the beginning records goes to `observer`.
    pub fn new(
        prepared: &Prepared,
        chooser: &Chooser,
        observer: &mut dyn Observer<Record>,
    ) -> Player<Box<dyn Source>> {
        Player::with(prepared, chooser.source(), observer)
    }
}

impl<S: Source> Player<S> {
    /// The same under any source.
    pub fn with(
        prepared: &Prepared,
        mut source: S,
        observer: &mut dyn Observer<Record>,
    ) -> Player<S> {
        let mut names = prepared.names();
        let machine = prepared.machine(&mut Env {
            names: &mut names,
            source: &mut source,
            observer,
        });
        Player {
            machine,
            names,
            source,
            limits: Limits {
                until: prepared.until,
                steps: STEP_LIMIT,
            },
            steps: 0,
        }
    }

    /// Takes one transition. Whether there was one: the run ends as [`Machine::run`] does.
    pub fn step(&mut self, observer: &mut dyn Observer<Record>) -> bool {
        self.step_by(observer).is_some()
    }

    /// Takes one transition, and says whose it was; `None` at the end of the run.
    pub fn step_by(&mut self, observer: &mut dyn Observer<Record>) -> Option<Entity> {
        let is_over = self
            .machine
            .next_at()
            .is_none_or(|at| at > self.limits.until);
        if is_over || self.steps == self.limits.steps {
            return None;
        }
        self.steps += 1;
        let mut env = Env {
            names: &mut self.names,
            source: &mut self.source,
            observer,
        };
        match self.machine.advance(&mut env) {
            Progress::Stepped(who) => Some(who),
            Progress::Done => None,
        }
    }

    /// The machine as it stands.
    pub fn machine(&self) -> &Machine<Stage> {
        &self.machine
    }

    /// Who takes the choices.
    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// The names known so far.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// How many transitions were taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How far the run may go.
    pub fn limits(&self) -> Limits {
        self.limits
    }
}
