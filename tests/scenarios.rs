//! The shipped scenarios: verdicts, shrinking, reproductions that survive edits, hashes.

mod support;

use std::collections::BTreeSet;

use faultlab_sim::engine::{Choice, TraceHash};
use faultlab_sim::scenario::{
    Arm, Chooser, ClaimReport, Keep, Loaded, Report, Reproduction, Rest, Search, Sequential, Watch,
    model_versions, search, shrink,
};
use support::{edited, judge, shipped};

fn claim<'a>(report: &'a Report, id: &str) -> &'a ClaimReport {
    report
        .claims
        .iter()
        .find(|claim| claim.id == id)
        .expect("a claim of the scenario")
}

fn shrunk(loaded: &Loaded, report: &Report, id: &str) -> Reproduction {
    let claim = claim(report, id);
    let witness = claim.witness.as_ref().expect("some run shows it");
    let shrunk = shrink(loaded, id, &claim.verdict, witness, &[]).expect("it prepares");
    shrunk.reproduction
}

#[test]
fn path_lost_update_is_counted_over_all_interleavings() {
    let report = judge(&shipped("path-lost-update"));
    for claim in &report.claims {
        assert!(claim.is_as_expected(), "{claim:#?}");
    }
    let searched = &report.claims[0].searches[0];
    let counts = (searched.hits.to_string(), searched.runs.to_string());
    assert_eq!(counts, ("4".into(), "6".into()));
}

#[test]
fn a_lost_entry_is_shrunk_written_and_replayed() {
    let loaded = shipped("path-lost-update");
    let repro = shrunk(&loaded, &judge(&loaded), "path-entry-is-lost");
    // One preemption between a read and a write is all it takes.
    assert_eq!(repro.choices.len(), 1, "{:#?}", repro.choices);
    let (read, inline) =
        Reproduction::read("lost.ron", &repro.write()).unwrap_or_else(|m| panic!("{m}"));
    assert_eq!(read, repro);
    let (replay, _) = read.replay(&inline).expect("it prepares");
    assert!(replay.recurs && replay.identical, "{replay:#?}");
}

/// The build that mixes two releases, found by search, shrunk to one preemption, and still failing after
/// a step was inserted before it, an actor was put beside it, and a user and a path were renamed.
#[test]
fn a_shrunk_mixed_build_survives_edits() {
    let loaded = shipped("goroot-race");
    let only = Loaded {
        scenario: faultlab_sim::scenario::Scenario {
            claims: loaded
                .scenario
                .claims
                .iter()
                .filter(|claim| claim.id == "2.5-f")
                .cloned()
                .collect(),
            ..loaded.scenario.clone()
        },
        ..loaded.clone()
    };
    let report = judge(&only);
    assert!(report.is_as_expected(), "{report:#?}");
    let repro = shrunk(&only, &report, "2.5-f");
    assert!(repro.choices.len() <= 2, "{:#?}", repro.choices);

    type Edit<'a> = (&'a str, &'a dyn Fn(&str) -> String);
    let edits: [Edit<'_>; 5] = [
        ("as it was", &str::to_owned),
        ("a step before", &|text| {
            text.replace("cd \"$HOME/app\"", "mkdir -p /tmp/before\ncd \"$HOME/app\"")
        }),
        ("an actor beside", &|text| {
            let beside = "(name: \"bystander\", script: \"switch-own.sh\"),\n(name: \"switcher\"";
            text.replace("(name: \"switcher\"", beside)
        }),
        ("a user renamed", &|text| {
            text.replace("/home/alice", "/home/bob")
        }),
        ("a path renamed", &|text| {
            text.replace("\"/usr/local/go\"", "\"/opt/go\"")
                .replace("/usr/local/go/bin", "/opt/go/bin")
                .replace("go1.22 /usr/local/go", "/usr/local/go1.22 /opt/go")
                .replace("Link(\"go1.21\")", "Link(\"/usr/local/go1.21\")")
        }),
    ];
    for (what, edit) in edits {
        let edited = edited("goroot-race", edit);
        let moved = Reproduction {
            scenario: edited.scenario.clone(),
            scripts: edited.scripts.clone(),
            ..repro.clone()
        };
        let (replay, _) = moved.replay(&edited).expect("it prepares");
        assert!(replay.recurs, "{what}: {replay:#?}");
        assert_eq!(replay.unmatched, Vec::<String>::new(), "{what}");
    }
}

/// Reductions see what full searches see: for every arm that a full search can finish quickly.
#[test]
fn a_reduced_search_finds_what_an_exhaustive_one_finds() {
    for (id, arms) in [
        (
            "goroot-race",
            ["build", "shared-symlink", "settings-file", "login"].as_slice(),
        ),
        (
            "path-lost-update",
            ["baseline", "one-after-the-other"].as_slice(),
        ),
    ] {
        let loaded = shipped(id);
        let patterns = loaded
            .scenario
            .claims
            .iter()
            .filter_map(|claim| match &claim.claim {
                faultlab_sim::scenario::Statement::Some(pattern)
                | faultlab_sim::scenario::Statement::Every(pattern) => Some(pattern.clone()),
                faultlab_sim::scenario::Statement::Document { .. } => None,
            });
        let watch = Watch::new(patterns.collect());
        for arm in arms {
            let arm = loaded.scenario.arm(arm).expect("an arm of the scenario");
            let prepared = loaded
                .prepare(arm, &Default::default(), &[])
                .expect("it prepares");
            let find = |how: &Search| search(&prepared, &watch, how, 0, u64::MAX, &Sequential);
            let (full, reduced) = (find(&Search::Exhaustive), find(&Search::Reduced));
            assert!(full.complete && reduced.complete);
            for (index, (full, reduced)) in full.findings.iter().zip(&reduced.findings).enumerate()
            {
                let place = format!("{id} / {}, pattern {index}", arm.name);
                assert_eq!(full.hit.is_some(), reduced.hit.is_some(), "{place}");
                assert_eq!(full.miss.is_some(), reduced.miss.is_some(), "{place}");
            }
        }
    }
}

/// The hashes of one run of each small arm under seed 1. A change here is a change of a model's
/// behaviour: it needs a new version number of its family.
#[test]
fn known_hashes_move_only_with_a_model_version() {
    let versions: Vec<String> = model_versions()
        .iter()
        .map(|(family, version)| format!("{family} {version}"))
        .collect();
    let mut lines = vec![versions.join(", ")];
    for id in [
        "goroot-fallback",
        "goroot-race",
        "path-lost-update",
        "c-go-acl",
        "max-path",
        "socket-buffers",
        // Nothing was measured: what it says then.
        "query-latency",
    ] {
        lines.extend(hashes_of_arms(id, &shipped(id)));
    }
    let storm = small_storm("jittered-backoff");
    let outcome = storm.run(&Chooser::Seed(1), &Watch::new(Vec::new()), Keep::default());
    lines.push(format!(
        "rst-storm, 50 clients: {} ({} records)",
        outcome.hash, outcome.events
    ));
    let observed = edited("map-full-runbook", &|text| {
        text.replace("seconds: 60", "seconds: 2")
    });
    lines.extend(hashes_of_arms("map-full-runbook, 2 seconds", &observed));
    let costs = edited("observer-cost", &|text| {
        text.replace("seconds: 5,", "seconds: 1,")
    });
    lines.extend(hashes_of_arms("observer-cost, a second each", &costs));
    let shorter = edited("detection", &|text| {
        text.replace("seconds: 300,", "seconds: 30,")
            .replace("from_s: 50, for_s: 10", "from_s: 15, for_s: 10")
            .replace("from_s: 80,", "from_s: 1,")
            .replace("from_s: 100,", "from_s: 2,")
            .replace("from_s: 130, for_s: 30", "from_s: 4, for_s: 10")
            .replace("from_s: 240, for_s: 60", "from_s: 5, for_s: 25")
            .replace("from_s: 20, for_s: 20", "from_s: 3, for_s: 5")
    });
    lines.extend(hashes_of_arms("detection, shorter", &shorter));
    let volume = edited("volume", &|text| {
        text.replace("seconds: 60,", "seconds: 5,")
    });
    lines.extend(hashes_of_arms("volume, five seconds", &volume));
    insta::assert_snapshot!(lines.join("\n"));
}

/// One run of each arm under seed 1.
fn hashes_of_arms(name: &str, loaded: &Loaded) -> Vec<String> {
    let of_arm = |arm: &Arm| {
        let prepared = loaded
            .prepare(arm, &Default::default(), &[])
            .expect("it prepares");
        let watch = Watch::new(Vec::new());
        let outcome = prepared.run(&Chooser::Seed(1), &watch, Keep::default());
        format!(
            "{name} / {}: {} ({} records)",
            arm.name, outcome.hash, outcome.events
        )
    };
    loaded.scenario.arms.iter().map(of_arm).collect()
}

fn small_storm(arm: &str) -> faultlab_sim::scenario::Prepared {
    let loaded = edited("rst-storm", &|text| {
        text.replace("clients: 10000", "clients: 50")
    });
    let arm = loaded
        .scenario
        .arm(arm)
        .expect("an arm of the scenario")
        .clone();
    loaded
        .prepare(&arm, &Default::default(), &[])
        .expect("it prepares")
}

fn distinct(prepared: &faultlab_sim::scenario::Prepared, seeds: u64) -> usize {
    let watch = Watch::new(Vec::new());
    let hash = |seed| {
        prepared
            .run(&Chooser::Seed(seed), &watch, Keep::default())
            .hash
    };
    (0..seeds).map(hash).collect::<BTreeSet<TraceHash>>().len()
}

#[test]
fn a_thousand_seeds_reach_many_traces_where_there_are_choices_and_one_where_not() {
    let arm = |id: &str, arm: &str| {
        let loaded = shipped(id);
        let arm = loaded
            .scenario
            .arm(arm)
            .expect("an arm of the scenario")
            .clone();
        loaded
            .prepare(&arm, &Default::default(), &[])
            .expect("it prepares")
    };
    assert!(distinct(&arm("goroot-race", "shared-symlink"), 1000) > 50);
    // Six interleavings are all that there are.
    assert_eq!(distinct(&arm("path-lost-update", "baseline"), 1000), 6);
    assert!(distinct(&small_storm("jittered-backoff"), 100) == 100);
    assert_eq!(distinct(&small_storm("listener-down"), 20), 1);
    assert_eq!(distinct(&arm("goroot-race", "login"), 100), 1);
    assert_eq!(
        distinct(&arm("path-lost-update", "one-after-the-other"), 100),
        1
    );
}

/// What an observed node does is left to named choices, and to nothing else.
#[test]
fn a_run_s_choices_decide_what_an_observed_node_does() {
    let loaded = edited("map-full-runbook", &|text| {
        text.replace("seconds: 60", "seconds: 2")
    });
    let arm = loaded.scenario.arm("ringbuf-drop").expect("an arm").clone();
    let prepared = loaded
        .prepare(&arm, &Default::default(), &[])
        .expect("it prepares");
    assert!(distinct(&prepared, 10) > 5);
    let keep = Keep {
        choices: true,
        ..Keep::default()
    };
    let watch = Watch::new(Vec::new());
    let outcome = prepared.run(&Chooser::Seed(1), &watch, keep);
    let taken = outcome.taken.choices;
    let keys: Vec<String> = taken.iter().map(|choice| choice.key.to_string()).collect();
    assert_eq!(
        keys,
        [
            "boot at node-0, time 1",
            "arrivals at node-0/client-closes-6379, time 1"
        ]
    );
    let replayed = Chooser::Named(taken, Rest::Defaults);
    assert_eq!(prepared.run(&replayed, &watch, keep).hash, outcome.hash);
}

#[test]
fn a_choice_that_meets_nothing_falls_back_and_is_listed() {
    let loaded = shipped("path-lost-update");
    let mut repro = shrunk(&loaded, &judge(&loaded), "path-entry-is-lost");
    let stray = Choice {
        key: faultlab_sim::engine::KeyText {
            nth: 99,
            ..repro.choices[0].key.clone()
        },
        take: "nobody".into(),
    };
    repro.choices.push(stray.clone());
    repro.rest = Rest::Defaults;
    let (read, inline) =
        Reproduction::read("stray.ron", &repro.write()).unwrap_or_else(|m| panic!("{m}"));
    let (replay, _) = read.replay(&inline).expect("it prepares");
    assert!(replay.recurs && replay.identical);
    assert_eq!(replay.unmatched, [stray.to_string()]);
}
