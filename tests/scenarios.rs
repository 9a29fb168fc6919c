//! The shipped scenarios, judged as the command line does.

use faultlab_sim::scenario::{Judging, Loaded, Reproduction, Sequential, load, shrink};

fn shipped(id: &str) -> Loaded {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scenarios")
        .join(id);
    let text = std::fs::read_to_string(folder.join("scenario.ron")).expect("a shipped scenario");
    load(id, &text, &mut |name| {
        std::fs::read_to_string(folder.join(name)).map_err(|error| error.to_string())
    })
    .unwrap_or_else(|mistake| panic!("{mistake}"))
}

fn judge(loaded: &Loaded) -> faultlab_sim::scenario::Report {
    let judging = Judging {
        seed: 0,
        executor: &Sequential,
        progress: &|_| {},
    };
    loaded
        .judge(&judging)
        .unwrap_or_else(|mistake| panic!("{mistake}"))
}

#[test]
fn path_lost_update_is_counted_over_all_interleavings() {
    let report = judge(&shipped("path-lost-update"));
    for claim in &report.claims {
        assert!(claim.is_as_expected(), "{claim:#?}");
    }
    let searched = &report.claims[0].searches[0];
    assert_eq!(
        (searched.hits.to_string(), searched.runs.to_string()),
        ("4".into(), "6".into())
    );
}

#[test]
fn a_lost_entry_is_shrunk_written_and_replayed() {
    let loaded = shipped("path-lost-update");
    let report = judge(&loaded);
    let claim = &report.claims[0];
    let witness = claim.witness.as_ref().expect("some run loses an entry");
    let shrunk = shrink(&loaded, &claim.id, &claim.verdict, witness, &[]).expect("it prepares");
    // One preemption between a read and a write is all it takes.
    assert_eq!(
        shrunk.reproduction.choices.len(),
        1,
        "{:#?}",
        shrunk.reproduction.choices
    );
    let text = shrunk.reproduction.write();
    let (read, inline) = Reproduction::read("lost.ron", &text).unwrap_or_else(|m| panic!("{m}"));
    assert_eq!(read, shrunk.reproduction);
    let (replay, _) = read.replay(&inline).expect("it prepares");
    assert!(replay.recurs && replay.identical, "{replay:#?}");
}

#[test]
fn rst_storm() {
    let report = judge(&shipped("rst-storm"));
    for claim in &report.claims {
        assert!(claim.is_as_expected(), "{claim:#?}");
    }
}
