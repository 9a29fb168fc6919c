//! A small race: three actors each add one to a cell by a read and a write. What is counted are
//! schedules; each begins with an untouched cell and ends with a look at whether an update was lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use faultlab_sim::engine::source::{Pct, Random};
use faultlab_sim::engine::{
    Cx, End, Entity, Env, Explored, Faults, Limits, Machine, Monitor, Names, Observer, Pruning,
    Record, Scheduling, Search, Source, Struck, Time, TraceHasher, Value, World, explore,
};
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};

use super::{Row, Side};

const ACTORS: u32 = 3;
const SCHEDULES: u64 = 5_000;
/// How many ordered preemptions PCT looks for.
const DEPTH: u32 = 3;

faultlab_sim::records! {
    /// What an actor does.
    pub enum Access {
        /// It reads the cell.
        Reads = "read", "reads {value}" {
            /// What was there.
            value: u32,
        },
        /// It writes the cell.
        Writes = "write", "writes {value}" {
            /// What is there now.
            value: u32,
        },
        /// A fault struck.
        Strikes = "fault", "is struck by {fault}" {
            /// Which.
            fault: &'static str,
        },
    }
}

impl From<Struck> for Access {
    fn from(struck: Struck) -> Access {
        let fault = struck.fault;
        Access::Strikes { fault }
    }
}

impl Record for Access {
    fn kind(&self) -> &'static str {
        self.kind()
    }
    fn field(&self, name: &str) -> Option<Value> {
        self.field(name)
    }
    fn fields(&self, each: &mut dyn FnMut(&'static str, Value)) {
        self.fields(each);
    }
    fn absorb(&self, hasher: &mut TraceHasher) {
        self.absorb(hasher);
    }
    fn words(&self) -> String {
        self.words()
    }
}

#[derive(Clone, Hash)]
struct Cell {
    name: Entity,
    value: u32,
}

#[derive(Clone, Hash)]
enum Step {
    Read(Entity),
    Write(Entity, u32),
}

impl World for Cell {
    type Event = Step;
    type Record = Access;

    fn step(&mut self, step: Step, cx: &mut Cx<'_, Step, Access>) {
        match step {
            Step::Read(actor) => {
                let value = self.value;
                cx.record(actor, Access::Reads { value });
                cx.ready(actor, "write", self.name, Step::Write(actor, value));
            }
            Step::Write(actor, read) => {
                self.value = read + 1;
                let value = self.value;
                cx.record(actor, Access::Writes { value });
            }
        }
    }
}

fn race(names: &mut Names) -> Machine<Cell> {
    let name = names.name("cell");
    let cell = Cell { name, value: 0 };
    let mut machine = Machine::new(cell, Faults::default(), Scheduling::default());
    let mut env = Env {
        names,
        source: &mut Random(0),
        observer: &mut (),
    };
    machine.begin(&mut env, |cell, cx| {
        for path in ["actor-1", "actor-2", "actor-3"] {
            let actor = cx.name(path);
            cx.ready(actor, "read", cell.name, Step::Read(actor));
        }
    });
    machine
}

/// Runs schedules, each from a fork of the machine at its start; how many lost an update.
fn ours<S: Source>(source_of: impl Fn(u64) -> S) -> u64 {
    let mut names = Names::new();
    let start = race(&mut names);
    let mut machine = start.clone();
    let mut lost = 0;
    for seed in 0..SCHEDULES {
        machine.clone_from(&start);
        let mut env = Env {
            names: &mut names,
            source: &mut source_of(seed),
            observer: &mut (),
        };
        machine.run(&mut env, Limits::NONE);
        lost += u64::from(machine.world.value != ACTORS);
    }
    lost
}

/// Watches whether an update is lost.
#[derive(Clone, Hash)]
struct Lost {
    value: u32,
}

impl Observer<Access> for Lost {
    fn see(&mut self, _: Time, _: Entity, record: &Access, _: &Names) {
        if let Access::Writes { value } = record {
            self.value = *value;
        }
    }
}

impl Monitor<Access> for Lost {
    fn finish(&self, _: Time, _: End) -> u64 {
        u64::from(self.value != ACTORS)
    }
    fn watched(&self) -> u32 {
        1
    }
}

fn ours_all() -> Explored {
    let mut names = Names::new();
    let start = race(&mut names);
    let search = Search {
        pruning: Pruning::Off,
        budget: u64::MAX,
        ..Search::default()
    };
    explore(&start, &mut names, &Lost { value: 0 }, &search)
}

/// How many schedules were run, and how many of them lost an update.
fn shuttle(scheduler: impl Scheduler + 'static) -> (u64, u64) {
    let counts = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    let in_run = counts.clone();
    shuttle::Runner::new(scheduler, shuttle::Config::default()).run(move || {
        use shuttle::sync::atomic::AtomicU32;
        let cell = shuttle::sync::Arc::new(AtomicU32::new(0));
        let add = |cell: shuttle::sync::Arc<AtomicU32>| {
            move || cell.store(cell.load(Ordering::SeqCst) + 1, Ordering::SeqCst)
        };
        let threads: Vec<_> = (0..ACTORS)
            .map(|_| shuttle::thread::spawn(add(cell.clone())))
            .collect();
        for thread in threads {
            thread.join().expect("the thread adds");
        }
        let (run, lost) = &*in_run;
        run.fetch_add(1, Ordering::Relaxed);
        if cell.load(Ordering::SeqCst) != ACTORS {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (run, lost) = &*counts;
    (run.load(Ordering::Relaxed), lost.load(Ordering::Relaxed))
}

/// One row for each way to search.
pub fn rows() -> Vec<Row> {
    let found = ours_all();
    assert_eq!(found.interleavings, 90u32.into(), "6! / (2! 2! 2!)");
    assert!(found.hit[0].is_some() && found.miss[0].is_some());
    let differs = "shuttle runs the threads' own code, each on a stack of its own; faultlab's actors \
                   are written as steps, and a schedule begins with a fork of the start";
    let iterations = SCHEDULES as usize;
    let row = |work: &str, ours: fn() -> u64, peer: Box<dyn Fn() -> u64>| Row {
        work: work.into(),
        unit: "schedules",
        ours: Side::new("faultlab", ours),
        peers: vec![Side::new("shuttle", peer)],
        differs,
    };
    let mut rows = vec![
        row(
            "race, random schedules",
            || {
                assert!(ours(Random) > 0, "some schedule loses an update");
                SCHEDULES
            },
            Box::new(move || {
                let (run, lost) = shuttle(RandomScheduler::new_from_seed(0, iterations));
                assert!(lost > 0, "some schedule loses an update");
                run
            }),
        ),
        row(
            "race, PCT",
            || {
                let steps = u64::from(2 * ACTORS);
                let lost = ours(|seed| Pct::new(seed, DEPTH, steps));
                assert!(lost > 0, "some schedule loses an update");
                SCHEDULES
            },
            Box::new(move || {
                let depth = DEPTH as usize;
                let (run, lost) = shuttle(PctScheduler::new_from_seed(0, depth, iterations));
                assert!(lost > 0, "some schedule loses an update");
                run
            }),
        ),
    ];
    rows.push(Row {
        differs: "as above; faultlab forks at every choice where shuttle runs each schedule from its \
                  beginning, and shuttle also interleaves spawning and joining",
        ..row(
            "race, every schedule, one by one",
            || {
                let runs = 50;
                (0..runs).map(|_| ours_all()).map(|found| found.states).for_each(drop);
                runs * 90
            },
            Box::new(|| shuttle(DfsScheduler::new(Some(SCHEDULES as usize), false)).0),
        )
    });
    rows
}
