//! The shipped scenarios, judged as the command line does.

use faultlab_sim::scenario::{Judging, Loaded, Sequential, load};

fn shipped(id: &str) -> Loaded {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scenarios")
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
