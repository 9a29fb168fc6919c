//! Points of no return, along runs of shipped scenarios.

#[allow(dead_code, reason = "each test file uses what it needs of it")]
mod support;

use faultlab_sim::engine::Choice;
use faultlab_sim::scenario::{
    Chooser, Collector, Counted, Futures, Keep, LONGEST, Loaded, Match, NoFutures, Pattern,
    PointOfNoReturn, Prepared, Rest, STATE_BUDGET, Search, Sequential, Watch, point_of_no_return,
    search,
};
use support::{edited, shipped};

/// An arm of a scenario, with a run on which the claim's pattern is so.
struct Failing {
    prepared: Prepared,
    watch: Watch,
    choices: Vec<Choice>,
    /// In how many of how many interleavings it is so.
    counts: (String, String),
}

fn prepared(loaded: &Loaded, arm: &str) -> Prepared {
    let arm = loaded.scenario.arm(arm).expect("there is such an arm");
    loaded
        .prepare(arm, &Default::default(), &[])
        .unwrap_or_else(|mistake| panic!("{mistake}"))
}

fn failing(loaded: &Loaded, arm: &str, claim: &str) -> Failing {
    let prepared = prepared(loaded, arm);
    let how = Search::Exhaustive;
    let watch = loaded.watch_of(claim);
    let found = search(&prepared, &watch, &how, 0, STATE_BUDGET, &Sequential);
    let hit = found.findings[0].hit.clone().expect("some run shows it");
    let keep = Keep {
        choices: true,
        ..Keep::default()
    };
    Failing {
        choices: prepared.run(&hit, &watch, keep).taken.choices,
        prepared,
        watch,
        counts: (found.findings[0].hits.to_string(), found.runs.to_string()),
    }
}

impl Failing {
    fn along(&self, choices: &[Choice], how: Futures) -> Result<PointOfNoReturn, NoFutures> {
        let Failing {
            prepared, watch, ..
        } = self;
        let chooser = Chooser::Named(choices.to_vec(), Rest::Defaults);
        point_of_no_return(prepared, watch, true, &chooser, how, &Sequential, &|_| {})
    }
}

#[test]
fn the_counts_begin_with_those_of_the_search_and_end_with_the_run() {
    let loaded = shipped("path-lost-update");
    let lost = failing(&loaded, "baseline", "path-entry-is-lost");
    let found = lost
        .along(&lost.choices, Futures::CountedOr(STATE_BUDGET, 1))
        .expect("the run fails");
    let Counted::Interleavings { states } = found.counted else {
        panic!("{found:?}")
    };
    // 4 of 6 lose an entry. The states are those of one search: each is met once.
    assert_eq!(
        (found.start.failing.to_string(), found.start.of.to_string()),
        lost.counts
    );
    assert_eq!((found.start.ppm(), states), (666_666, 10));
    let last = found.points.last().expect("there are steps");
    assert_eq!(
        (last.share.ppm(), last.share.of.to_string()),
        (1_000_000, "1".into())
    );
    // Every record belongs to one step.
    let mut next = 0;
    for point in &found.points {
        assert_eq!(point.records.start, next);
        assert_eq!(point.words.len(), point.records.len());
        next = point.records.end;
    }
    assert_eq!(next, found.records);
    // Both have read, and nobody has written: whoever writes last wins, in every future.
    let point = &found.points[found.point.expect("some future was open")];
    assert!(point.words[0].contains("reads"), "{point:?}");
    assert_eq!(found.point, found.jump);
    // Without the choices nothing is lost, so there is nothing to return from.
    assert_eq!(
        lost.along(&[], Futures::CountedOr(STATE_BUDGET, 1)),
        Err(NoFutures::DoesNotFail)
    );
}

#[test]
fn the_link_that_is_replaced_is_the_point_of_no_return() {
    let loaded = shipped("goroot-race");
    let mixed = failing(&loaded, "shared-symlink", "2.5-f");
    let exact = mixed
        .along(&mixed.choices, Futures::CountedOr(STATE_BUDGET, 1))
        .expect("the run fails");
    assert!(matches!(exact.counted, Counted::Interleavings { .. }));
    assert_eq!(exact.start.failing.to_string(), mixed.counts.0);
    let at = exact.point.expect("some future was open");
    let words = &exact.points[at].words[0];
    assert!(words.contains("`switcher/ln-1` renames"), "{words}");
    assert!(!exact.before(at).is_all());
    // What is so in every interleaving is so under every seed, and what is so in none under none.
    let tried = mixed
        .along(&mixed.choices, Futures::Seeds(20))
        .expect("the run fails");
    assert_eq!(tried.counted, Counted::Seeds { n: 20 });
    assert_eq!(tried.points.len(), exact.points.len());
    for (exact, tried) in exact.points.iter().zip(&tried.points) {
        assert_eq!(exact.records, tried.records);
        match exact.share.ppm() {
            1_000_000 => assert!(tried.share.is_all(), "{exact:?} {tried:?}"),
            0 => assert_eq!(tried.share.ppm(), 0, "{exact:?} {tried:?}"),
            _ => {}
        }
    }
    // Too few states to count: seeds, and it says so.
    let spent = mixed.along(&mixed.choices, Futures::CountedOr(10, 3));
    let spent = spent.expect("the run fails").counted;
    assert_eq!(spent, Counted::Seeds { n: 3 });
}

/// Of a long run a few places are looked at, and more where the share rises.
#[test]
fn the_largest_rise_in_a_long_run_is_narrowed_down_to_one_step() {
    let read = "QueryText(key: \"HKCU\\\\Environment\", value: \"Path\", into: \"path\"),";
    let loaded = edited("path-lost-update", &|text| {
        assert!(text.contains(read));
        text.replace(read, &read.repeat(250))
    });
    let short = failing(
        &shipped("path-lost-update"),
        "baseline",
        "path-entry-is-lost",
    );
    let long = Failing {
        prepared: prepared(&loaded, "baseline"),
        ..short
    };
    // The same preemption: its key survives that the program reads more often.
    let found = long
        .along(&long.choices, Futures::CountedOr(STATE_BUDGET, 8))
        .expect("the run fails");
    assert_eq!(found.counted, Counted::Seeds { n: 8 });
    assert!(
        found.steps > 500 && found.points.len() < 100,
        "{}",
        found.points.len()
    );
    let jump = found.jump.expect("it was not lost from the start");
    assert_eq!(found.points[jump].step - found.points[jump - 1].step, 1);
}

/// A storm: its listener is away in every future, so that there is nothing to look for along the run.
#[test]
fn of_a_storm_that_always_comes_the_start_tells_all() {
    let loaded = smaller_storm("clients: 200", "until_ms: 11000");
    let claim = "reset-rate-passes-50000-a-second";
    let prepared = prepared(&loaded, "listener-down");
    let chooser = Chooser::Named(Vec::new(), Rest::Seed(0));
    let watch = loaded.watch_of(claim);
    // Of 200 clients no second sees so many: it is not so in any run.
    let how = Futures::CountedOr(STATE_BUDGET, 8);
    let found = point_of_no_return(
        &prepared,
        &watch,
        false,
        &chooser,
        how,
        &Sequential,
        &|_| {},
    );
    let found = found.expect("it is not so");
    assert!(found.start.is_all() && found.points.is_empty(), "{found:?}");
    assert_eq!((found.point, found.jump), (None, None));
    assert!(found.steps > 5_000, "{}", found.steps);
}

/// Where the futures of a run of more than a hundred thousand steps differ, that is said, and no more.
#[test]
fn a_run_that_is_too_long_to_look_along_is_refused() {
    let loaded = smaller_storm("clients: 2500", "until_ms: 20000");
    let prepared = prepared(&loaded, "jittered-backoff");
    let resets = |least| Pattern::Count {
        of: Match {
            kind: "tcp_receive_reset".into(),
            actor: "*".into(),
            conditions: Default::default(),
        },
        least,
        most: None,
    };
    let counts = [0, 1].map(|seed| {
        let mut counter = Collector::new(resets(None));
        let nobody = Watch::new(Vec::new());
        prepared.run_seen(&Chooser::Seed(seed), &nobody, Keep::default(), &mut counter);
        counter.evidence().count
    });
    assert_ne!(counts[0], counts[1]);
    // So many resets as one of the two has, and the other has not.
    let most = (0..2)
        .max_by_key(|seed| counts[*seed])
        .expect("there are two");
    let watch = Watch::new(vec![resets(Some(counts[most] as u64))]);
    let chooser = Chooser::Named(Vec::new(), Rest::Seed(most as u64));
    let how = Futures::CountedOr(STATE_BUDGET, 8);
    let found = point_of_no_return(&prepared, &watch, true, &chooser, how, &Sequential, &|_| {});
    match found {
        Err(NoFutures::TooLong { steps }) => assert!(steps > LONGEST),
        Err(other) => panic!("{other:?}"),
        Ok(found) => panic!("{} steps", found.steps),
    }
}

fn smaller_storm(clients: &str, until: &str) -> Loaded {
    edited("rst-storm", &|text| {
        text.replace("clients: 10000", clients)
            .replace("until_ms: 60000", until)
            .replace(
                "initial_ms: 2000, factor: 2, max_ms: 20000",
                "initial_ms: 400, factor: 2, max_ms: 1600",
            )
    })
}
