//! Damaged files: every reader of foreign input answers with a mistake and its place, and never panics.

use faultlab_sim::scenario::{Loaded, Mistake, Reproduction, load};
use proptest::prelude::*;

fn read_scenario(text: &str) -> Result<Loaded, Mistake> {
    load("damaged.ron", text, &mut |_| Ok("true\n".into()))
}

fn shipped_text(id: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("scenarios").join(id).join("scenario.ron");
    std::fs::read_to_string(file).expect("a shipped scenario")
}

fn committed() -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reproductions");
    std::fs::read_to_string(folder.join("path-entry-is-lost.ron")).expect("a committed file")
}

/// The place lies within the text, and the span on characters.
fn check_place(mistake: &Mistake, text: &str) {
    assert!(mistake.line >= 1 && mistake.column >= 1, "{mistake}");
    assert!(text.get(mistake.span.clone()).is_some(), "{mistake}");
    assert!(!mistake.what.is_empty());
}

/// One edit somewhere: a piece removed, a piece put in, a number or a letter changed.
fn damage(text: &str, at: usize, len: usize, put: &str) -> String {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(at % (text.len() + 1));
    let end = floor(start + len).max(start);
    format!("{}{put}{}", &text[..start], &text[end..])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_no_scenario_and_no_panic(text in "\\PC{0,200}") {
        check_place(&read_scenario(&text).expect_err("no scenario"), &text);
        check_place(&Reproduction::read("damaged.ron", &text).expect_err("no reproduction"), &text);
    }

    #[test]
    fn damaged_scenarios_do_not_panic(
        at in any::<usize>(), len in 0usize..40, put in "[()\\[\\]{}\",:a-z0-9\\-]{0,12}"
    ) {
        let text = damage(&shipped_text("path-lost-update"), at, len, &put);
        if let Err(mistake) = read_scenario(&text) {
            check_place(&mistake, &text);
        }
    }

    #[test]
    fn damaged_reproductions_do_not_panic(
        at in any::<usize>(), len in 0usize..40, put in "[()\\[\\]{}\",:a-z0-9\\-]{0,12}"
    ) {
        let text = damage(&committed(), at, len, &put);
        match Reproduction::read("damaged.ron", &text) {
            Err(mistake) => check_place(&mistake, &text),
            Ok((repro, loaded)) => drop(repro.replay(&loaded)),
        }
    }
}

#[test]
fn truncated_reproductions_are_refused() {
    let text = committed();
    for end in (0..text.trim_end().len() - 1)
        .step_by(37)
        .filter(|end| text.is_char_boundary(*end))
    {
        let cut = &text[..end];
        check_place(
            &Reproduction::read("cut.ron", cut).expect_err("it is cut"),
            cut,
        );
    }
}

#[test]
fn nesting_does_not_overflow_the_stack() {
    for open in ["(", "[", "{", "Not(", "All([", "Some("] {
        let text = open.repeat(200_000);
        check_place(&read_scenario(&text).expect_err("no scenario"), &text);
    }
}

#[test]
fn mistakes_say_where_and_what() {
    let text = shipped_text("path-lost-update");
    for (from, to, place, what, help) in [
        (
            "version: 1",
            "version: 9",
            "3:14",
            "version 9",
            "reads version 1",
        ),
        (
            "\"registry-access-denied\"",
            "\"registry-acess-denied\"",
            "",
            "no fault",
            "registry-access-denied",
        ),
        ("kind: \"program_exit\"", "kind: \"x\"", "", "", ""),
        (
            "control: [\"one-after-the-other\"]",
            "control: [\"one-after\"]",
            "",
            "no arm",
            "one-after-the-other",
        ),
        (
            "Last(of: (kind: \"reg_set\"",
            "Last(of: (kind: \"reg_sett\"",
            "",
            "no kind of record",
            "reg_set",
        ),
        (
            "cases: [(search: Exhaustive)]",
            "cases: [(search: Exhaustiv)]",
            "",
            "Exhaustiv",
            "",
        ),
        ("ratio: (1, 4)", "ratio: (5, 4)", "", "ratio", "one in four"),
    ] {
        let damaged = text.replacen(from, to, 1);
        if damaged == text {
            continue;
        }
        let mistake = read_scenario(&damaged).expect_err(to);
        check_place(&mistake, &damaged);
        let said = mistake.to_string();
        assert!(said.contains(what) && said.contains(help), "{said}");
        assert!(said.contains(place), "{said}");
    }
}
