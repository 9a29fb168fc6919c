//! A crate outside the workspace can use the library: a small one is built and run against it.

use std::path::Path;
use std::process::Command;

const MAIN: &str = r#"
use faultlab_sim::engine::source::Seed;
use faultlab_sim::engine::{Env, Faults, Limits, Machine, Names, Scheduling};
use faultlab_sim::scenario::{Event, Record, Stage};

fn main() {
    let mut machine = Machine::new(Stage::Empty, Faults::default(), Scheduling::default());
    let mut names = Names::new();
    let mut source = Seed(1);
    let mut observer = ();
    let mut env: Env<'_, Record> =
        Env { names: &mut names, source: &mut source, observer: &mut observer };
    let end = machine.run(&mut env, Limits::NONE);
    println!("{end:?}");
    let _unused: Option<Event> = None;
}
"#;

#[test]
fn a_crate_outside_builds_against_the_library() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nfaultlab-sim = {{ path = {:?} }}\n\n[workspace]\n",
        root.join("sim")
    );
    std::fs::write(folder.path().join("Cargo.toml"), manifest).expect("the folder is ours");
    std::fs::create_dir(folder.path().join("src")).expect("the folder is ours");
    std::fs::write(folder.path().join("src/main.rs"), MAIN).expect("the folder is ours");
    // The same versions as here, so that nothing is to be fetched.
    std::fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock"))
        .expect("the workspace has a lock file");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline"])
        .current_dir(folder.path())
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside"),
        )
        .output()
        .expect("cargo runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(text.trim(), "Done");
}
