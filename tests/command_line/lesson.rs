//! `lesson`, as a student and as an instructor.

use std::fs;
use std::path::Path;

use crate::Lab;

/// The exercise of a student in the folder `work`.
fn started(lab: &Lab, id: &str, student: &str) {
    lab.run(&["lesson", id, "--student", student, "--start", "work"])
        .exits(0);
}

fn edit(lab: &Lab, file: &str, from: &str, to: &str) {
    let text = lab.read(file);
    assert!(text.contains(from), "{from}: {text}");
    lab.write(file, &text.replace(from, to));
}

#[test]
fn the_symptom_comes_first_and_hints_one_by_one() {
    let lab = Lab::new();
    let text = lab
        .run(&["lesson", "goroot-race", "--student", "ann"])
        .exits(0);
    assert!(text.contains("another Go release"), "{text}");
    assert!(!text.contains("looked up anew"), "{text}");
    let hints = lab.run(&["lesson", "goroot-race", "--hint", "2"]).exits(0);
    assert!(
        hints.starts_with("1. ") && hints.contains("2. ") && !hints.contains("3. "),
        "{hints}"
    );
    let none = lab
        .run(&["lesson", "goroot-race", "--hint", "4"])
        .refuses(2);
    assert!(none.contains("the hints are 1 to 3"), "{none}");
    let none = lab.run(&["lesson", "max-path"]).refuses(2);
    assert!(none.contains("there is no lesson for max-path"), "{none}");
    let none = lab.run(&["lesson", "nosuch", "--check", "work"]).refuses(2);
    assert!(
        none.contains("nosuch") && !none.contains("--start"),
        "{none}"
    );
}

/// A folder of one's own is called by its path; the exercise remembers the scenario's id.
#[test]
fn a_lesson_of_ones_own_is_checked_by_its_path() {
    let lab = Lab::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/path-lost-update");
    for file in ["scenario.ron", "lesson.ron"] {
        let text = fs::read_to_string(shipped.join(file)).expect("it is shipped");
        let text = text.replace("id: \"path-lost-update\"", "id: \"my-path\"");
        lab.write(&format!("mine/{file}"), &text);
    }
    let page = lab.run(&["lesson", "./mine", "--student", "zoe"]).exits(0);
    assert!(page.contains("faultlab lesson ./mine"), "{page}");
    started(&lab, "./mine", "zoe");
    let unfixed = lab.run(&["lesson", "./mine", "--check", "work"]).exits(1);
    assert!(!unfixed.is_empty());
    let other = lab
        .run(&["lesson", "goroot-race", "--check", "work"])
        .refuses(2);
    assert!(other.contains("it is an exercise of my-path"), "{other}");
}

/// Other names and another run, but the same failure: the fix of one is the fix of all, and each answer can be
/// computed again.
#[test]
fn students_have_different_but_equivalent_failures() {
    let lab = Lab::new();
    let mut seen = std::collections::BTreeSet::new();
    for student in ["ann", "bob", "eve"] {
        let lesson = ["lesson", "path-lost-update", "--student", student];
        let solution = lab.run(&[&lesson[..], &["--solution"]].concat()).exits(0);
        assert_eq!(
            lab.run(&[&lesson[..], &["--solution"]].concat()).exits(0),
            solution
        );
        let answer = solution.trim();
        lab.run(&[&lesson[..], &["--answer", answer]].concat())
            .exits(0);
        lab.run(&[&lesson[..], &["--answer", "5"]].concat())
            .exits(1);
        let folder = lab.path("work");
        if folder.exists() {
            fs::remove_dir_all(folder).expect("removable");
        }
        started(&lab, "path-lost-update", student);
        let told = lab.run(&lesson).exits(0);
        seen.insert((lab.read("work/scenario.ron"), told));
        lab.run(&["lesson", "path-lost-update", "--check", "work"])
            .exits(1);
        edit(
            &lab,
            "work/scenario.ron",
            "name: \"git-installer\",\n                calls: [",
            "name: \"git-installer\",\n                calls: [ Sleep(ms: 60000),",
        );
        let text = lab
            .run(&["lesson", "path-lost-update", "--check", "work"])
            .exits(0);
        assert!(text.contains("✓ it fails in no run"), "{text}");
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn a_fix_is_judged_by_running_it() {
    let lab = Lab::new();
    started(&lab, "goroot-race", "ann");
    let check = ["lesson", "goroot-race", "--check", "work"];
    let text = lab.run(&check).exits(1);
    assert!(text.contains("✗ it still fails"), "{text}");
    // The run that fails is one command away.
    let (_, see) = text
        .split_once("see the run: faultlab ")
        .expect("it says how to see it");
    let see = see.split_once('✓').expect("what is kept comes next").0;
    let see: Vec<&str> = see.split_whitespace().collect();
    let seen = lab.run(&see).exits(0);
    assert!(seen.contains("choice: ") && seen.contains("link"), "{seen}");
    let build = lab.read("work/build.sh");
    // A build that does nothing fails no more, and is no fix.
    lab.write("work/build.sh", "cd \"$HOME/app\"\n");
    let text = lab.run(&check).exits(1);
    assert!(
        text.contains("✓ it fails in no run") && text.contains("✗ the program is still linked"),
        "{text}"
    );
    // A release that nobody replaces.
    let scenario = lab.read("work/scenario.ron");
    let release = scenario
        .split('"')
        .find(|text| text.ends_with("/go1.21"))
        .expect("a release");
    lab.write(
        "work/build.sh",
        &build.replace("go build", &format!("GOROOT={release} go build")),
    );
    let text = lab.run(&check).exits(0);
    assert!(!text.contains('✗'), "{text}");
    // What may not be changed.
    lab.write("work/switch-link.sh", "exit 0\n");
    let text = lab.run(&check).exits(1);
    assert!(
        text.contains("switch-link.sh was changed; only build.sh may be"),
        "{text}"
    );
    // Another's folder, a folder that is there, a folder that is none.
    let other = lab
        .run(&[&check[..], &["--student", "bob"]].concat())
        .refuses(2);
    assert!(other.contains("the exercise is that of \"ann\""), "{other}");
    let again = lab
        .run(&["lesson", "goroot-race", "--start", "work"])
        .refuses(2);
    assert!(again.contains("it is there already"), "{again}");
    lab.run(&["lesson", "goroot-race", "--check", "nowhere"])
        .refuses(2);
}

/// An author's mistakes are shown in their place.
#[test]
fn a_mistake_in_a_lesson_is_shown_in_its_place() {
    let lab = Lab::new();
    started(&lab, "goroot-race", "ann");
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = shipped.join("scenarios/goroot-race/lesson.ron");
    let lesson = fs::read_to_string(shipped).expect("a shipped lesson");
    let refused = |from: &str, to: &str| {
        // The names of the exercise in `work` are a student's; none is asked for here.
        let plain = lesson.replace("names: {", "names: {}, // {");
        let from_names = plain.find("names: {},").expect("it has names");
        let until = plain[from_names..].find("    },\n").expect("they end");
        let mut plain = plain.clone();
        plain.replace_range(
            from_names + "names: {},".len()..from_names + until + "    },".len(),
            "",
        );
        assert!(plain.contains(from), "{plain}");
        lab.write("work/lesson.ron", &plain.replacen(from, to, 1));
        lab.run(&["lesson", "work/scenario.ron"]).refuses(2)
    };
    for (from, to, what) in [
        ("version: 1", "version: 2", "this program reads version 1"),
        ("\"shared-symlink\"", "\"shared\"", "has no arm \"shared\""),
        ("\"2.5-f\"", "\"2.5-z\"", "no claim \"2.5-z\" is tried"),
        (
            "[\"build.sh\"]",
            "[\"bild.sh\"]",
            "has no script \"bild.sh\"",
        ),
        (
            "names: {}",
            "names: { \"nowhere\": [\"x\"] }",
            "has the text \"nowhere\"",
        ),
        ("hints: [", "hint: [", "hint"),
    ] {
        let said = refused(from, to);
        assert!(
            said.contains(what) && said.contains("lesson.ron:"),
            "{said}"
        );
    }
}
