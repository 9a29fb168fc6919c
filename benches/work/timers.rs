//! Timer events: every timer fires, writes a record into the hashed trace, and arms itself again after
//! a delay that is a hash of its name and of how often it fired.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use faultlab_sim::engine::source::Defaults;
use faultlab_sim::engine::{
    Cx, Entity, Env, Faults, Limits, Machine, Names, Observer, Record, Scheduling, Span, Struck,
    Time, Trace, TraceHash, TraceHasher, Value, World, mix,
};

use super::{Row, Side};

faultlab_sim::records! {
    /// What a timer does.
    pub enum Fact {
        /// It fired.
        Fires = "fires", "fires for the {nth}. time" {
            /// The how manieth time, from 0.
            nth: u32,
        },
        /// A fault struck.
        Strikes = "fault", "is struck by {fault}" {
            /// Which.
            fault: &'static str,
        },
    }
}

impl From<Struck> for Fact {
    fn from(struck: Struck) -> Fact {
        let fault = struck.fault;
        Fact::Strikes { fault }
    }
}

impl Record for Fact {
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

/// Up to a second.
fn delay_ns(timer: Entity, nth: u32) -> u64 {
    1 + mix(&[timer.0, nth.into()]) % 1_000_000_000
}

#[derive(Clone, Hash)]
struct Timers {
    /// How often each fires.
    rounds: u32,
}

#[derive(Clone, Hash)]
struct Fire {
    timer: Entity,
    nth: u32,
}

impl World for Timers {
    type Event = Fire;
    type Record = Fact;

    fn step(&mut self, Fire { timer, nth }: Fire, cx: &mut Cx<'_, Fire, Fact>) {
        cx.record(timer, Fact::Fires { nth });
        let nth = nth + 1;
        if nth < self.rounds {
            cx.after(Span(delay_ns(timer, nth)), timer, Fire { timer, nth });
        }
    }
}

fn names_of(live: u32) -> (Names, Vec<Entity>) {
    let mut names = Names::new();
    let timers = (0..live).map(|n| names.name(&format!("timer-{n}")));
    let timers = timers.collect();
    (names, timers)
}

fn ours(live: u32, rounds: u32) -> (TraceHash, u64) {
    let (mut names, timers) = names_of(live);
    let mut trace = Trace::hashed();
    let mut machine = Machine::new(Timers { rounds }, Faults::default(), Scheduling::default());
    let mut env = Env {
        names: &mut names,
        source: &mut Defaults,
        observer: &mut trace,
    };
    machine.begin(&mut env, |_, cx| {
        for timer in timers {
            cx.after(Span(delay_ns(timer, 0)), timer, Fire { timer, nth: 0 });
        }
    });
    machine.run(&mut env, Limits::NONE);
    (trace.hash(), trace.len())
}

/// What the tasks of a peer share.
#[derive(Clone)]
struct Shared(Rc<RefCell<(Trace<Fact>, Names)>>);

impl Shared {
    fn new(names: Names) -> Shared {
        Shared(Rc::new(RefCell::new((Trace::hashed(), names))))
    }

    fn fires(&self, elapsed: Duration, timer: Entity, nth: u32) {
        let (trace, names) = &mut *self.0.borrow_mut();
        let now = Time(elapsed.as_nanos() as u64);
        trace.see(now, timer, &Fact::Fires { nth }, names);
    }

    fn finish(&self) -> (TraceHash, u64) {
        let (trace, _) = &*self.0.borrow();
        (trace.hash(), trace.len())
    }
}

fn bach(live: u32, rounds: u32) -> (TraceHash, u64) {
    use bach::ext::*;
    let (names, timers) = names_of(live);
    let shared = Shared::new(names);
    bach::sim(|| {
        for timer in timers {
            let shared = shared.clone();
            async move {
                for nth in 0..rounds {
                    bach::time::sleep(Duration::from_nanos(delay_ns(timer, nth))).await;
                    let now = bach::time::Instant::now();
                    shared.fires(now.elapsed_since_start(), timer, nth);
                }
            }
            .primary()
            .spawn();
        }
    });
    shared.finish()
}

fn tokio(live: u32, rounds: u32) -> (TraceHash, u64) {
    let (names, timers) = names_of(live);
    let shared = Shared::new(names);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime with nothing but a clock");
    let tasks = tokio::task::LocalSet::new();
    let start = runtime.block_on(async { tokio::time::Instant::now() });
    for timer in timers {
        let shared = shared.clone();
        tasks.spawn_local(async move {
            for nth in 0..rounds {
                tokio::time::sleep(Duration::from_nanos(delay_ns(timer, nth))).await;
                shared.fires(start.elapsed(), timer, nth);
            }
        });
    }
    runtime.block_on(tasks);
    shared.finish()
}

/// One row for each number of live timers.
pub fn rows() -> Vec<Row> {
    // Few timers do not fire at one time, so the traces are the same, record by record.
    assert_eq!(ours(16, 100), bach(16, 100), "the same work");
    let row = |live: u32, rounds: u32| Row {
        work: format!("timer events, {live} live"),
        unit: "events",
        ours: Side::new("faultlab", move || ours(live, rounds).1),
        peers: vec![
            Side::new("bach", move || bach(live, rounds).1),
            Side::new("tokio, paused clock", move || tokio(live, rounds).1),
        ],
        differs: "bach and tokio run any async code; faultlab steps plain data that can be forked, \
                  and orders equal times by name; tokio's clock has whole milliseconds",
    };
    vec![row(16, 6250), row(1_000, 200), row(100_000, 10)]
}
