//! A list of choices, as sentences.

use faultlab_sim::engine::{Choice, KeyText};

use super::{Page, printable};

/// A numbered list of choices.
pub fn list(page: &mut Page, indent: usize, choices: &[Choice]) {
    if choices.is_empty() {
        page.paragraph(
            indent,
            "no choice at all: every actor goes on until it cannot",
        );
    }
    for (nth, choice) in choices.iter().enumerate() {
        let first = format!("{:indent$}{}. ", "", nth + 1);
        page.item(&first, first.len(), &printable(&sentence(choice)));
    }
}

/// A choice in words: "before `builder` performs "open ~/.config/go/env": switch to `switcher`".
pub fn sentence(choice: &Choice) -> String {
    let Choice { key, take } = choice;
    let place = place(key);
    match (key.site.as_str(), key.verb.as_str()) {
        ("sched", "next") if key.entity == "lab" && key.nth == 1 => {
            format!("{place}: begin with `{take}`")
        }
        ("sched", "next") => format!("{place}: go on with `{take}`"),
        ("sched", _) => format!("{place}: switch to `{take}`"),
        ("fault", fault) if take == "yes" => {
            let KeyText { entity, nth, .. } = key;
            format!(
                "the fault `{fault}` strikes `{entity}` at its {} opportunity",
                ordinal(*nth)
            )
        }
        _ => format!("{place}: {take}"),
    }
}

/// What a choice is about, in words: "before `builder` performs "open ~/.config/go/env"".
pub fn place(key: &KeyText) -> String {
    let KeyText {
        site,
        entity,
        verb,
        object,
        nth,
    } = key;
    let operation = format!("{verb} {object}");
    let operation = operation.trim();
    let time = match nth {
        1 => String::new(),
        nth => format!(" for the {} time", ordinal(*nth)),
    };
    match (site.as_str(), verb.as_str()) {
        ("sched", "next") if entity == "lab" && *nth == 1 => "at the start".into(),
        ("sched", "next") => format!("when `{entity}` cannot go on{time}"),
        ("sched", _) => format!("before `{entity}` performs \"{operation}\"{time}"),
        (_, "") => format!("{site} of `{entity}`{time}"),
        _ => format!("{site} of `{entity}` at \"{operation}\"{time}"),
    }
}

/// `1st`, `2nd`, `3rd`, `4th`, ..., `11th`.
fn ordinal(nth: u32) -> String {
    let ending = match (nth % 10, nth % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{nth}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences() {
        let key = |site: &str, entity: &str, verb: &str, object: &str, nth| KeyText {
            site: site.into(),
            entity: entity.into(),
            verb: verb.into(),
            object: object.into(),
            nth,
        };
        let says = |key, take: &str| {
            sentence(&Choice {
                key,
                take: take.into(),
            })
        };
        assert_eq!(
            says(
                key("sched", "builder", "open", "~/.config/go/env", 1),
                "switcher"
            ),
            "before `builder` performs \"open ~/.config/go/env\": switch to `switcher`"
        );
        assert_eq!(
            says(key("sched", "builder", "exec", "", 12), "switcher"),
            "before `builder` performs \"exec\" for the 12th time: switch to `switcher`"
        );
        assert_eq!(
            says(key("sched", "lab", "next", "", 1), "b"),
            "at the start: begin with `b`"
        );
        assert_eq!(
            says(key("sched", "a", "next", "", 2), "b"),
            "when `a` cannot go on for the 2nd time: go on with `b`"
        );
        assert_eq!(
            says(key("fault", "client-3", "cable-pulled", "", 2), "yes"),
            "the fault `cable-pulled` strikes `client-3` at its 2nd opportunity"
        );
        assert_eq!(
            says(key("jitter", "client-3", "", "", 3), "17"),
            "jitter of `client-3` for the 3rd time: 17"
        );
    }
}
