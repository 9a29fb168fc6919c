//! `rst-storm` with its 10 000 clients: how many times faster than real time each arm runs, records hashed.

use faultlab_sim::scenario::{Chooser, Keep, Watch, load};

use super::{Row, Side};

/// `until_ms` of the scenario's arms, in seconds.
const VIRTUAL_S: u64 = 60;

/// A row for each arm.
pub fn rows() -> Vec<Row> {
    let file =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/rst-storm/scenario.ron");
    let text = std::fs::read_to_string(file).expect("a shipped scenario");
    let mut no_script = |name: &str| Err(format!("{name} is not there"));
    let loaded = load("rst-storm", &text, &mut no_script).expect("a shipped scenario loads");
    let row = |arm: &faultlab_sim::scenario::Arm| {
        let prepared = loaded
            .prepare(arm, &Default::default(), &[])
            .expect("it prepares");
        let ours = move || {
            prepared.run(&Chooser::Seed(1), &Watch::new(Vec::new()), Keep::default());
            VIRTUAL_S
        };
        Row {
            work: format!("rst-storm, 10 000 clients, {}", arm.name),
            unit: "virtual seconds",
            ours: Side::new("faultlab", ours),
            peers: Vec::new(),
            differs: "A row of rst-storm is its factor over real time; nobody else runs it. In listener-down and backoff \
                      a second of it holds up to 100 000 connects, each answered by a RST",
        }
    };
    loaded.scenario.arms.iter().map(row).collect()
}
