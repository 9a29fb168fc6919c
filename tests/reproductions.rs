//! The committed reproductions: each replays to the very trace that was recorded.

use std::path::Path;

use faultlab_sim::scenario::Reproduction;

#[test]
fn committed_reproductions_recur() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reproductions");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of reproductions")
        .map(|entry| entry.expect("a file of the folder").path())
        .collect();
    files.sort();
    assert!(
        files.len() >= 3,
        "one for each symptom that exploration found"
    );
    for file in files {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(&file).expect("a committed file");
        let (repro, loaded) =
            Reproduction::read(&name, &text).unwrap_or_else(|mistake| panic!("{mistake}"));
        let (replay, _) = repro
            .replay(&loaded)
            .unwrap_or_else(|mistake| panic!("{mistake}"));
        assert!(replay.recurs && replay.identical, "{name}: {replay:#?}");
        assert!(replay.unmatched.is_empty(), "{name}: {replay:#?}");
        assert_eq!(repro.write(), text, "{name} is written as it was read");
    }
}
