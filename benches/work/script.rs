//! The script of `goroot-race`, schedule by schedule: what a real script costs beside the small race.
//! No peer runs it; it is reported alone.

use faultlab_sim::scenario::{Chooser, Keep, Watch, load};

use super::{Row, Side};

const SCHEDULES: u64 = 200;

/// The row: random schedules of a build while the go link is replaced.
pub fn rows() -> Vec<Row> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/goroot-race");
    let read = |name: &str| std::fs::read_to_string(folder.join(name));
    let text = read("scenario.ron").expect("a shipped scenario");
    let mut script = |name: &str| read(name).map_err(|error| error.to_string());
    let loaded = load("goroot-race", &text, &mut script).expect("a shipped scenario loads");
    let arm = loaded
        .scenario
        .arm("shared-symlink")
        .expect("an arm of the scenario");
    let prepared = loaded
        .prepare(arm, &Default::default(), &[])
        .expect("it prepares");
    let watch = Watch::new(Vec::new());
    let ours = move || {
        for seed in 0..SCHEDULES {
            prepared.run(&Chooser::Random(seed), &watch, Keep::default());
        }
        SCHEDULES
    };
    vec![Row {
        work: "goroot-race, random schedules of its scripts".into(),
        unit: "schedules",
        ours: Side::new("faultlab", ours),
        peers: Vec::new(),
        differs: "The scripts of goroot-race run in modelled processes, some 50 system calls a schedule; no peer runs them",
    }]
}
