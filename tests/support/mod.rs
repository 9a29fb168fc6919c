//! What several test files need: shipped scenarios, loaded and judged.

use std::path::{Path, PathBuf};

use faultlab_sim::scenario::{Judging, Loaded, Report, Sequential, load};

/// The folder of a shipped scenario.
pub fn folder(id: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scenarios")
        .join(id)
}

/// A shipped scenario, with its text changed by `edit` before it is read, and its scripts too.
pub fn edited(id: &str, edit: &dyn Fn(&str) -> String) -> Loaded {
    let folder = folder(id);
    let text = std::fs::read_to_string(folder.join("scenario.ron")).expect("a shipped scenario");
    load(id, &edit(&text), &mut |name| {
        let text = std::fs::read_to_string(folder.join(name));
        text.map(|text| edit(&text))
            .map_err(|error| error.to_string())
    })
    .unwrap_or_else(|mistake| panic!("{mistake}"))
}

/// A shipped scenario.
pub fn shipped(id: &str) -> Loaded {
    edited(id, &str::to_owned)
}

/// The verdicts, under seed 0.
pub fn judge(loaded: &Loaded) -> Report {
    let judging = Judging {
        seed: 0,
        executor: &Sequential,
        progress: &|_| {},
    };
    loaded
        .judge(&judging)
        .unwrap_or_else(|mistake| panic!("{mistake}"))
}
