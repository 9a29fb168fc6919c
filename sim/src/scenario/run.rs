//! Runs: one arm with its values, under one source of choices.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::source::{
    Defaults, Pct, Positional, Random, Recorded, Recorder, Seed, Taken, Tape,
};
use crate::engine::{
    Armed, Choice, Cx, End, Entry, Env, Faults, Key, KeyText, Limits, Machine, Monitor, Names,
    Observer, Options, Scheduling, Source, Span, Time, Trace, TraceHash, Weights,
};

use crate::golang::toolchain::Go;
use crate::linux::clock::Clocks;
use crate::linux::lab::Lab;
use crate::linux::tcp;
use crate::observe;
use crate::win7;

use super::linux::SetupError;
use super::load::{Loaded, arm_faults};
use super::mistake::{Mistake, locate};
use super::pattern::Watch;
use super::schema::{Arm, World};
use super::stage::{Event, LabRecord, Record, Stage};

/// An arm with its values filled in, ready to begin any number of runs.
#[derive(Clone, Debug)]
pub struct Prepared {
    built: Arc<Built>,
    arm: Arm,
    faults: Vec<Armed>,
    scheduling: Scheduling,
    /// No event after this time happens.
    pub until: Time,
    /// The machine of every run, if none of them begins differently.
    template: Option<Machine<Stage>>,
    names: Names,
}

/// How the choices of a run are taken: enough to take them again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Chooser {
    /// All defaults.
    Defaults,
    /// A seed.
    Seed(u64),
    /// A random schedule.
    Random(u64),
    /// A PCT schedule.
    Pct {
        /// The seed.
        seed: u64,
        /// One more than the number of preemptions.
        depth: u32,
        /// How many scheduling choices a run is thought to have.
        steps: u64,
    },
    /// The picks that an exhaustive search found, wide choices under a seed.
    Positional(Vec<u64>, u64),
    /// Named choices over another way to choose.
    Named(Vec<Choice>, Rest),
    /// A tape of bytes, from a property test or a fuzzer.
    Tape(Tape),
}

impl Chooser {
    /// The source that takes the choices, at its beginning.
    pub fn source(&self) -> Box<dyn Source> {
        match self {
            Chooser::Defaults => Box::new(Defaults),
            Chooser::Seed(seed) => Box::new(Seed(*seed)),
            Chooser::Random(seed) => Box::new(Random(*seed)),
            Chooser::Pct { seed, depth, steps } => Box::new(Pct::new(*seed, *depth, *steps)),
            Chooser::Positional(picks, wide) => Box::new(Positional::new(picks.clone(), *wide)),
            Chooser::Tape(tape) => Box::new(tape.clone()),
            Chooser::Named(choices, rest) => Box::new(Recorded::new(choices.clone(), *rest)),
        }
    }
}

/// What takes the choices that a list does not name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum Rest {
    /// Their defaults.
    Defaults,
    /// A seed.
    Seed(u64),
}

impl Source for Rest {
    fn choose(&mut self, key: &crate::engine::Key, options: &Options<'_>, names: &Names) -> u64 {
        match self {
            Rest::Defaults => Defaults.choose(key, options, names),
            Rest::Seed(seed) => Seed(*seed).choose(key, options, names),
        }
    }
}

/// Writes down every key.
struct Met<S> {
    inner: S,
    keys: Vec<KeyText>,
}

impl<S: Source> Source for Met<S> {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        self.keys.push(key.text(names));
        self.inner.choose(key, options, names)
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The hash of its trace.
    pub hash: TraceHash,
    /// How many records it wrote.
    pub events: u64,
    /// When it ended.
    pub at: Time,
    /// Why it ended.
    pub end: End,
    /// Bit `i`: whether pattern `i` was so. See [`Watch`].
    pub bits: u64,
    /// The records, if they were kept.
    pub entries: Vec<Entry<Record>>,
    /// The choices, if they were recorded.
    pub taken: Taken,
    /// The named choices that met nothing.
    pub unmatched: Vec<Choice>,
    /// What was captured on the link, if that was asked for and the world has one.
    pub capture: Option<tcp::Capture>,
}

/// What a run should keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Keep {
    /// Its records.
    pub records: bool,
    /// The choices that differ from their defaults.
    pub choices: bool,
    /// The packets of a TCP world. No trace changes by it.
    pub packets: bool,
}

impl Loaded {
    /// Fills `arm` in with the values of a case. `off` names optional faults that a swarm turned off.
    ///
    /// # Errors
    /// A mistake that shows only with the values.
    pub fn prepare(
        &self,
        arm: &Arm,
        case: &BTreeMap<String, String>,
        off: &[String],
    ) -> Result<Prepared, Mistake> {
        let world = arm.world.as_ref().unwrap_or(&self.scenario.world);
        let params = self.scenario.params_of(arm, case);
        let of_scenario = self.scenario.until_ms.map(Span::from_ms);
        let of_world = match world {
            World::Tcp(setup) => Some(Span::from_ms(setup.until_ms)),
            World::Clocks(setup) => Some(Span::from_ms(setup.until_ms)),
            _ => None,
        };
        // The run ends with whichever is first.
        let until = of_scenario.into_iter().chain(of_world).min();
        let faults = arm_faults(arm, off);
        let built = Built::new(world, &self.scripts, &faults, &params).map_err(|error| {
            Mistake::at(
                &self.file,
                &self.text,
                locate(&self.text, &[], &error.at),
                error.what,
            )
        })?;
        let mut prepared = Prepared {
            built: Arc::new(built),
            arm: arm.clone(),
            faults,
            scheduling: Scheduling {
                preempt_once_in: self.scenario.preempt_once_in,
            },
            until: until.map_or(Limits::NONE.until, |span| Time::default() + span),
            template: None,
            names: Names::new(),
        };
        prepared.make_template();
        Ok(prepared)
    }
}

impl Prepared {
    /// The Windows machine as its programs find it, before any fault; none for another world.
    ///
    /// # Errors
    /// What of its disks cannot be prepared.
    pub fn windows_machine(&self) -> Option<Result<win7::Machine, String>> {
        let Built::Windows(world) = &*self.built else {
            return None;
        };
        let mut machine = world.machine.fork();
        let prepared = world.setup.prepare_disk(&mut machine, &world.params);
        Some(prepared.map(|()| machine))
    }

    /// The node and its observers, with the faults that strike them; none for another world.
    pub fn observed(&self) -> Option<(&observe::ObserveLab, &[Armed])> {
        match &*self.built {
            Built::Observe(lab) => Some((lab.config(), &self.faults)),
            _ => None,
        }
    }

    /// The same, on the assumption that no process changes a file: see
    /// [`Lab::where_files_stay`](crate::linux::lab::Lab::where_files_stay).
    pub fn where_files_stay(&self) -> Prepared {
        let mut staying = self.clone();
        if let Built::Linux(lab) = &*self.built {
            staying.built = Arc::new(Built::Linux(lab.clone().where_files_stay()));
            staying.template = None;
            staying.make_template();
        }
        staying
    }

    /// The same, with an album of what some records of batch files touch: those of these numbers among theirs, from 0.
    pub(super) fn with_album(&self, wanted: Vec<u64>) -> Prepared {
        let mut noting = self.clone();
        if let Built::Windows(world) = &*self.built {
            let shells = world.shells.clone().with_album(wanted.into());
            let world = WindowsWorld {
                shells,
                ..(**world).clone()
            };
            noting.built = Arc::new(Built::Windows(Box::new(world)));
            noting.template = None;
        }
        noting
    }

    /// The names that the first machine has, to begin a table of one's own with.
    pub fn names(&self) -> Names {
        self.names.clone()
    }

    /// Keeps the first machine for all runs if its beginning neither chose nor recorded anything.
    fn make_template(&mut self) {
        let mut names = Names::new();
        let mut recorder = Recorder::new(Defaults);
        let mut trace: Trace<Record> = Trace::hashed();
        let mut env = Env {
            names: &mut names,
            source: &mut recorder,
            observer: &mut trace,
        };
        let machine = self.begin(&mut env);
        if trace.is_empty() && recorder.taken().total == 0 {
            self.template = Some(machine);
        }
        self.names = names;
    }

    /// A machine at its beginning.
    pub fn machine(&self, env: &mut Env<'_, Record>) -> Machine<Stage> {
        match &self.template {
            Some(machine) => machine.clone(),
            None => self.begin(env),
        }
    }

    fn begin(&self, env: &mut Env<'_, Record>) -> Machine<Stage> {
        env.names.name("lab");
        let faults = Faults::new(self.faults.clone());
        let mut machine = Machine::new(Stage::Empty, faults, self.scheduling);
        machine.begin(env, |stage, cx: &mut Cx<'_, Event, Record>| {
            *stage = self.built.begin(cx);
        });
        machine
    }

    /// The optional faults that the swarm of `seed` turns off: each is one choice.
    pub fn swarm(arm: &Arm, seed: u64) -> Vec<String> {
        let mut names = Names::new();
        let optional = arm.faults.iter().filter(|fault| fault.optional);
        let off = optional.filter(|fault| {
            let entity = names.name(&fault.name);
            let key = Key {
                site: "swarm",
                entity,
                verb: "",
                object: Key::NO_OBJECT,
                ordinal: 1,
            };
            let options = Options {
                weights: Weights::Uniform,
                ..Options::texts(&["on", "off"])
            };
            Seed(seed).choose(&key, &options, &names) == 1
        });
        off.map(|fault| fault.name.clone()).collect()
    }

    /// The arm that this is.
    pub fn arm(&self) -> &Arm {
        &self.arm
    }

    /// One run.
    pub fn run(&self, chooser: &Chooser, watch: &Watch, keep: Keep) -> Outcome {
        self.run_seen(chooser, watch, keep, &mut ())
    }

    /// One run, which `also` sees too.
    pub fn run_seen(
        &self,
        chooser: &Chooser,
        watch: &Watch,
        keep: Keep,
        also: &mut dyn Observer<Record>,
    ) -> Outcome {
        match chooser {
            Chooser::Named(choices, rest) => {
                let mut source = Recorded::new(choices.clone(), *rest);
                let outcome = self.run_with(&mut source, watch, keep, also);
                let unmatched = source.unmatched().cloned().collect();
                Outcome {
                    unmatched,
                    ..outcome
                }
            }
            _ => self.run_with(&mut *chooser.source(), watch, keep, also),
        }
    }

    /// The keys of all choices that a run meets.
    pub fn keys_met(&self, choices: Vec<Choice>, rest: Rest) -> Vec<KeyText> {
        let mut met = Met {
            inner: Recorded::new(choices, rest),
            keys: Vec::new(),
        };
        self.run_in(&mut self.names.clone(), &mut met, &mut (), false);
        met.keys
    }

    fn run_with(
        &self,
        source: &mut dyn Source,
        watch: &Watch,
        keep: Keep,
        also: &mut dyn Observer<Record>,
    ) -> Outcome {
        let mut names = self.names.clone();
        let trace = match keep.records {
            true => Trace::kept(),
            false => Trace::hashed(),
        };
        let mut observer = ((trace, watch.clone()), also);
        let ((machine, end), taken) = match keep.choices {
            true => {
                let mut recorder = Recorder::new(source);
                let ended = self.run_in(&mut names, &mut recorder, &mut observer, keep.packets);
                (ended, recorder.taken())
            }
            false => {
                let ended = self.run_in(&mut names, source, &mut observer, keep.packets);
                (ended, Taken::default())
            }
        };
        let at = machine.now();
        let capture = match machine.world {
            Stage::Tcp(lab) if keep.packets => Some(lab.into_capture()),
            _ => None,
        };
        let ((trace, watch), _) = observer;
        Outcome {
            hash: trace.hash(),
            events: trace.len(),
            at,
            end,
            bits: watch.finish(at, end),
            entries: trace.into_entries(),
            taken,
            unmatched: Vec::new(),
            capture,
        }
    }

    fn run_in(
        &self,
        names: &mut Names,
        source: &mut dyn Source,
        observer: &mut dyn Observer<Record>,
        captures: bool,
    ) -> (Machine<Stage>, End) {
        let mut env = Env {
            names,
            source,
            observer,
        };
        let mut machine = self.machine(&mut env);
        if let (Stage::Tcp(lab), true) = (&mut machine.world, captures) {
            lab.capture();
        }
        let limits = Limits {
            until: self.until,
            steps: STEP_LIMIT,
        };
        let end = machine.run(&mut env, limits);
        (machine, end)
    }
}

/// No run takes more steps: one that would is stuck in a loop without time passing, and undecided.
pub const STEP_LIMIT: u64 = 200_000_000;

/// A world with its values filled in, before its first step.
#[derive(Clone, Debug)]
enum Built {
    Nothing,
    Windows(Box<WindowsWorld>),
    Linux(Lab<Go>),
    Tcp(Box<tcp::Lab>),
    Clocks(Clocks),
    Observe(Box<observe::Lab>),
    Prometheus(observe::QueryLab),
}

#[derive(Clone, Debug)]
struct WindowsWorld {
    machine: win7::Machine,
    /// What batch files run in.
    shells: win7::cmd::Lab,
    setup: win7::program::Setup,
    params: Arc<BTreeMap<String, String>>,
}

impl Built {
    fn new(
        world: &World,
        scripts: &BTreeMap<String, String>,
        faults: &[Armed],
        params: &BTreeMap<String, String>,
    ) -> Result<Built, SetupError> {
        let fill = |text: &str| {
            params.iter().fold(text.to_owned(), |text, (name, value)| {
                text.replace(&format!("{{{name}}}"), value)
            })
        };
        Ok(match world {
            World::Nothing => Built::Nothing,
            World::Windows(setup) => {
                let refuse = |what: String| SetupError {
                    at: what.split(':').next().unwrap_or_default().into(),
                    what,
                };
                win7::program::check_faults(faults).map_err(refuse)?;
                let machine = setup.machine(scripts).map_err(|error| match error {
                    win7::program::SetupError::Text(at, what) => SetupError { at, what },
                    win7::program::SetupError::InFile(at, error) => SetupError {
                        what: format!("{at}:{error}"),
                        at,
                    },
                })?;
                Built::Windows(Box::new(WindowsWorld {
                    machine,
                    shells: win7::cmd::Lab::default(),
                    setup: setup.clone(),
                    params: Arc::new(params.clone()),
                }))
            }
            World::Tcp(setup) => {
                let refuse = |what: String| SetupError {
                    at: "Tcp".into(),
                    what,
                };
                tcp::check_faults(&Faults::new(faults.to_vec()))
                    .map_err(|error| refuse(error.to_string()))?;
                let lab = tcp::Lab::new(setup.clone());
                Built::Tcp(Box::new(lab.map_err(|error| refuse(error.to_string()))?))
            }
            World::Clocks(setup) => {
                let clocks = Clocks::new(setup.clone(), &Faults::new(faults.to_vec()));
                Built::Clocks(clocks.map_err(|error| SetupError {
                    at: "Clocks".into(),
                    what: error.to_string(),
                })?)
            }
            World::Observe(setup) => {
                let lab = observe::Lab::new(setup, faults).map_err(|error| SetupError {
                    at: "Observe".into(),
                    what: error.to_string(),
                })?;
                Built::Observe(Box::new(lab))
            }
            World::Prometheus(lab) => {
                lab.check().map_err(|what| SetupError {
                    at: "Prometheus".into(),
                    what,
                })?;
                Built::Prometheus(lab.clone())
            }
            World::Linux(setup) => Built::Linux(setup.build(scripts, faults, &fill)?),
        })
    }

    fn begin(&self, cx: &mut Cx<'_, Event, Record>) -> Stage {
        match self {
            Built::Nothing => Stage::Empty,
            Built::Windows(world) => {
                let WindowsWorld {
                    machine,
                    shells,
                    setup,
                    params,
                } = &**world;
                let shells = shells.clone();
                let programs = win7::program::Programs::begin(machine, shells, setup, params, cx);
                Stage::Windows(Box::new(programs))
            }
            Built::Linux(lab) => {
                let mut lab = lab.clone();
                lab.begin(cx);
                Stage::Linux(lab)
            }
            Built::Tcp(lab) => {
                let mut lab = lab.clone();
                lab.begin(cx)
                    .expect("the faults were checked when the world was built");
                Stage::Tcp(lab)
            }
            Built::Clocks(clocks) => {
                let mut clocks = clocks.clone();
                clocks.begin(cx);
                Stage::Clocks(clocks)
            }
            Built::Prometheus(lab) => {
                if let Err(what) = lab.begin(cx) {
                    let note = cx.name("lab");
                    cx.record(note, LabRecord::Unsupported { what: what.into() });
                }
                Stage::Empty
            }
            Built::Observe(lab) => {
                let mut lab = lab.clone();
                lab.begin(cx);
                Stage::Observe(lab)
            }
        }
    }
}

/// The first positions at which two traces differ, if they do.
pub fn parting(one: &[Entry<Record>], other: &[Entry<Record>]) -> Option<usize> {
    let common = one.len().min(other.len());
    let differs = (0..common).find(|index| one[*index] != other[*index]);
    differs.or((one.len() != other.len()).then_some(common))
}
