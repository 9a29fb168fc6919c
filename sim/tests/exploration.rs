//! Exhaustive search on small worlds whose counts are known.

use std::collections::BTreeMap;

use faultlab_sim::engine::{
    Completion, Cx, End, Entity, Env, Faults, Footprint, Limits, Machine, Monitor, Names, Observer,
    Pruning, Record, Scheduling, Search, Struck, Time, TraceHasher, Value, World, explore,
};
use num_bigint::BigUint;

/// Actors that add one to cells, each by a read and a write, or in one step.
#[derive(Clone, Hash, Default)]
struct Cells {
    cells: BTreeMap<Entity, u64>,
    held: BTreeMap<Entity, u64>,
}

#[derive(Clone, Hash)]
struct Op {
    actor: Entity,
    cell: Entity,
    what: What,
    left: u32,
}

#[derive(Clone, Copy, PartialEq, Hash)]
enum What {
    Read,
    Write,
    Tick,
}

#[derive(Clone, Debug)]
struct Did(&'static str);

impl From<Struck> for Did {
    fn from(struck: Struck) -> Did {
        Did(struck.fault)
    }
}

impl Record for Did {
    fn kind(&self) -> &'static str {
        self.0
    }
    fn field(&self, _: &str) -> Option<Value> {
        None
    }
    fn fields(&self, _: &mut dyn FnMut(&'static str, Value)) {}
    fn absorb(&self, hasher: &mut TraceHasher) {
        hasher.text(self.0);
    }
    fn words(&self) -> String {
        self.0.into()
    }
}

impl World for Cells {
    type Event = Op;
    type Record = Did;

    fn step(&mut self, op: Op, cx: &mut Cx<'_, Op, Did>) {
        let Op {
            actor,
            cell,
            what,
            left,
        } = op;
        let next = match what {
            What::Read => {
                cx.record(actor, Did("read"));
                self.held
                    .insert(actor, *self.cells.entry(cell).or_default());
                Some((What::Write, left))
            }
            What::Write => {
                cx.record(actor, Did("write"));
                let held = self.held.remove(&actor).unwrap_or_default();
                self.cells.insert(cell, held + 1);
                (left > 1).then(|| (What::Read, left - 1))
            }
            What::Tick => {
                cx.record(actor, Did("tick"));
                *self.cells.entry(cell).or_default() += 1;
                (left > 1).then(|| (What::Tick, left - 1))
            }
        };
        if let Some((what, left)) = next {
            cx.ready(
                actor,
                "op",
                cell,
                Op {
                    actor,
                    cell,
                    what,
                    left,
                },
            );
        }
    }

    fn footprint(&self, op: &Op) -> Footprint {
        match op.what {
            What::Read => Footprint::Touches {
                reads: vec![op.cell],
                writes: vec![],
            },
            _ => Footprint::Touches {
                reads: vec![],
                writes: vec![op.cell],
            },
        }
    }
}

/// Sees the order in which actors step, or the sum of the world's cells by counting writes.
#[derive(Clone, Hash)]
struct FirstIs {
    actor: Entity,
    first: Option<Entity>,
    last: Option<Entity>,
    heeds: bool,
}

impl Observer<Did> for FirstIs {
    fn see(&mut self, _: Time, actor: Entity, _: &Did, _: &Names) {
        self.first.get_or_insert(actor);
        self.last = Some(actor);
    }
}

impl Monitor<Did> for FirstIs {
    fn finish(&self, _: Time, _: End) -> u64 {
        u64::from(self.first == Some(self.actor)) | u64::from(self.last == Some(self.actor)) << 1
    }
    fn watched(&self) -> u32 {
        2
    }
    fn heeds_order_of(&self, _: &Did) -> bool {
        self.heeds
    }
}

/// Watches nothing.
#[derive(Clone, Hash)]
struct Blind;
impl Observer<Did> for Blind {
    fn see(&mut self, _: Time, _: Entity, _: &Did, _: &Names) {}
}
impl Monitor<Did> for Blind {
    fn finish(&self, _: Time, _: End) -> u64 {
        0
    }
    fn watched(&self) -> u32 {
        0
    }
    fn heeds_order_of(&self, _: &Did) -> bool {
        false
    }
}

fn machine(names: &mut Names, actors: &[(&str, &str, What, u32)]) -> Machine<Cells> {
    let mut machine = Machine::new(Cells::default(), Faults::default(), Scheduling::default());
    let mut source = faultlab_sim::engine::source::Defaults;
    let mut env = Env {
        names,
        source: &mut source,
        observer: &mut (),
    };
    machine.begin(&mut env, |_, cx| {
        for (actor, cell, what, left) in actors {
            let (actor, cell) = (cx.name(actor), cx.name(cell));
            cx.ready(
                actor,
                "op",
                cell,
                Op {
                    actor,
                    cell,
                    what: *what,
                    left: *left,
                },
            );
        }
    });
    machine
}

fn independent(names: &mut Names) -> Machine<Cells> {
    let tick = |actor, cell| (actor, cell, What::Tick, 6);
    machine(
        names,
        &[
            tick("a", "cell-a"),
            tick("b", "cell-b"),
            tick("c", "cell-c"),
        ],
    )
}

fn search(pruning: Pruning) -> Search {
    Search {
        pruning,
        budget: u64::MAX,
        ..Search::default()
    }
}

#[test]
fn three_actors_of_six_steps_have_17_153_136_interleavings_one_by_one() {
    let mut names = Names::new();
    let start = independent(&mut names);
    let found = explore(&start, &mut names, &Blind, &search(Pruning::Off));
    assert_eq!(found.interleavings, BigUint::from(17_153_136u32));
    assert_eq!(found.completion, Completion::Complete);
}

#[test]
fn de_duplication_counts_the_same_over_343_states() {
    let mut names = Names::new();
    let start = independent(&mut names);
    let found = explore(&start, &mut names, &Blind, &search(Pruning::States));
    assert_eq!(found.interleavings, BigUint::from(17_153_136u32));
    // 7 x 7 x 7 positions; the last is a leaf, not a state with a future.
    assert_eq!(found.states, 342);
}

#[test]
fn steps_that_commute_are_run_in_one_order() {
    let mut names = Names::new();
    let start = independent(&mut names);
    let found = explore(&start, &mut names, &Blind, &search(Pruning::Steps));
    assert_eq!(found.interleavings, BigUint::from(1u8));
}

#[test]
fn a_claim_about_order_gets_the_same_verdict_under_every_pruning() {
    let mut names = Names::new();
    let start = machine(
        &mut names,
        &[
            ("a", "x", What::Tick, 3),
            ("b", "y", What::Tick, 3),
            ("c", "z", What::Tick, 2),
        ],
    );
    let monitor = FirstIs {
        actor: Entity::of("b"),
        first: None,
        last: None,
        heeds: true,
    };
    let off = explore(&start, &mut names, &monitor, &search(Pruning::Off));
    let states = explore(&start, &mut names, &monitor, &search(Pruning::States));
    let steps = explore(&start, &mut names, &monitor, &search(Pruning::Steps));
    assert_eq!(off.interleavings, states.interleavings);
    assert_eq!(off.hits, states.hits);
    // 8! / (3! 3! 2!) in all; 3/8 of them begin with b.
    assert_eq!(off.interleavings, BigUint::from(560u32));
    assert_eq!(off.hits[0], BigUint::from(210u32));
    for found in [&states, &steps] {
        for index in 0..2 {
            assert_eq!(off.hit[index].is_some(), found.hit[index].is_some());
            assert_eq!(off.miss[index].is_some(), found.miss[index].is_some());
        }
    }
}

/// Both add one to `x` by read and write: 6 interleavings, of which 4 lose an update.
#[test]
fn the_lost_update_is_counted() {
    #[derive(Clone, Hash, Default)]
    struct Writes(u32, u32);
    impl Observer<Did> for Writes {
        fn see(&mut self, _: Time, actor: Entity, record: &Did, _: &Names) {
            // Lost if a read comes between the other's read and write.
            let bit = if actor == Entity::of("a") { 1 } else { 2 };
            match record.0 {
                "read" => self.0 |= bit,
                _ if self.0 & !bit != 0 => {
                    self.1 = 1;
                    self.0 &= !bit;
                }
                _ => self.0 &= !bit,
            }
        }
    }
    impl Monitor<Did> for Writes {
        fn finish(&self, _: Time, _: End) -> u64 {
            self.1.into()
        }
        fn watched(&self) -> u32 {
            1
        }
    }
    let mut names = Names::new();
    let start = machine(
        &mut names,
        &[("a", "x", What::Read, 1), ("b", "x", What::Read, 1)],
    );
    for pruning in [Pruning::Off, Pruning::States, Pruning::Steps] {
        let found = explore(&start, &mut names, &Writes::default(), &search(pruning));
        assert!(found.hit[0].is_some() && found.miss[0].is_some());
        if pruning != Pruning::Steps {
            assert_eq!(found.interleavings, BigUint::from(6u8));
            assert_eq!(found.hits[0], BigUint::from(4u8));
        }
    }
    let bounded = Search {
        preemptions: Some(0),
        ..search(Pruning::States)
    };
    let found = explore(&start, &mut names, &Writes::default(), &bounded);
    assert_eq!(found.interleavings, BigUint::from(2u8));
    assert_eq!(found.hits[0], BigUint::ZERO);
}

#[test]
fn a_witness_replays() {
    let mut names = Names::new();
    let start = independent(&mut names);
    let monitor = FirstIs {
        actor: Entity::of("c"),
        first: None,
        last: None,
        heeds: true,
    };
    let found = explore(&start, &mut names, &monitor, &search(Pruning::States));
    let picks = found.hit[0].clone().expect("some run begins with c");
    let mut machine = start.clone();
    let mut watch = monitor.clone();
    let mut source = faultlab_sim::engine::source::Positional::new(picks, 0);
    let mut env = Env {
        names: &mut names,
        source: &mut source,
        observer: &mut watch,
    };
    let end = machine.run(&mut env, Limits::NONE);
    assert_eq!(watch.finish(machine.now(), end) & 1, 1);
}

#[test]
fn the_budget_ends_a_search() {
    let mut names = Names::new();
    let start = independent(&mut names);
    let small = Search {
        budget: 10,
        ..search(Pruning::States)
    };
    let found = explore(&start, &mut names, &Blind, &small);
    assert_eq!(found.completion, Completion::BudgetSpent);
}
