//! `--step`: a run, record by record: on a terminal to move about in, elsewhere as text.
//!
//! [`tape`] is the run, [`app`] what a reader does with it, [`errand`] what of that takes long, [`view`] what it looks
//! like, [`terminal`] the loop between them; [`plain`] is the same as text.

mod app;
mod errand;
mod plain;
mod tape;
mod terminal;
mod view;

use std::io::IsTerminal;
use std::str::FromStr;

use faultlab_sim::engine::Time;
use faultlab_sim::scenario::{Chooser, Loaded, Prepared};

use crate::cli;
use crate::console::Layout;
use crate::deciding;
use crate::failure::{Failure, Result};
use crate::library::late_mistake;
use crate::on_arm;
use crate::progress::Progress;
use crate::render::counted;

use tape::Tape;

/// A place in a run, as a user names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A record, from 0.
    Record(u64),
    /// A virtual time.
    Time(Time),
}

impl FromStr for Place {
    type Err = String;

    /// `12` is a record; `1.5s`, `20ms`, `3us`, `400ns` are times.
    fn from_str(text: &str) -> std::result::Result<Place, String> {
        let text: String = text.split_whitespace().collect();
        if let Ok(record) = text.parse() {
            return Ok(Place::Record(record));
        }
        let units = [("ns", 0), ("us", 3), ("ms", 6), ("s", 9)];
        let found = units
            .iter()
            .find_map(|(unit, digits)| Some((text.strip_suffix(unit)?, *digits)));
        found
            .and_then(|(number, digits)| nanoseconds(number, digits))
            .map(|ns| Place::Time(Time(ns)))
            .ok_or_else(|| {
                format!(
                    "{text:?} is neither a record, such as 12, nor a time, such as 1.5s or 20ms"
                )
            })
    }
}

/// A decimal number of units of 10^digits nanoseconds; none finer than a nanosecond.
fn nanoseconds(number: &str, digits: usize) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(part) || part.len() > digits {
        return None;
    }
    format!("{whole}{part:0<digits$}").parse().ok()
}

/// A run to step through.
#[derive(Debug)]
pub struct Shown {
    /// Its heading.
    pub title: String,
    /// The arm, ready to run.
    pub prepared: Prepared,
    /// How its choices are taken.
    pub chooser: Chooser,
}

/// Shows a run from `at` on (without it, from its first record).
///
/// # Errors
/// The run has no such place, or the terminal cannot be used.
pub fn show(shown: Shown, at: Option<Place>, layout: Layout) -> Result<()> {
    let progress = Progress::spinner();
    progress.say("running");
    let mut tape = Tape::new(shown, &|records| {
        progress.say(&format!("running: {}", counted(records, "record")));
    });
    let at = match at {
        Some(place) => tape.find(place)?,
        None => 0,
    };
    drop(progress);
    let on_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    match on_terminal {
        true => terminal::run(app::App::new(tape, at), layout),
        false => plain::print(&mut tape, at),
    }
}

/// `run ID --step`: the run of the claim that was named, or of the arm that was, or else of the first claim
/// that a single run decides.
///
/// # Errors
/// Bad input, or the terminal cannot be used.
pub fn run(args: &cli::Run, layout: Layout) -> Result<()> {
    let [name] = args.names.as_slice() else {
        return Err(Failure::bad_input("--step shows one run of one scenario")
            .help("name the scenario: faultlab run path-lost-update --step"));
    };
    let loaded = crate::library::find(name)?.load()?;
    let shown = match (&args.claim, &args.arm) {
        (None, Some(arm)) => under_seed(&loaded, arm, args.seed)?,
        (claim, arm) => deciding_run(&loaded, claim.as_deref(), arm.as_deref(), args.seed)?,
    };
    show(shown, args.at, layout)
}

/// The run of an arm under a seed.
fn under_seed(loaded: &Loaded, arm: &str, seed: u64) -> Result<Shown> {
    let arm = on_arm::arm(loaded, arm)?;
    let params = loaded
        .scenario
        .cases_of(arm)
        .first()
        .map(|case| case.params.clone());
    let prepared = loaded
        .prepare(
            arm,
            &params.unwrap_or_default(),
            &Prepared::swarm(arm, seed),
        )
        .map_err(|mistake| late_mistake(loaded, mistake))?;
    Ok(Shown {
        title: format!("{} / {}, seed {seed}", loaded.scenario.id, arm.name),
        prepared,
        chooser: Chooser::Seed(seed),
    })
}

/// The run that decides a claim; if no single run decides one, the run of the baseline under a seed.
fn deciding_run(
    loaded: &Loaded,
    claim: Option<&str>,
    arm: Option<&str>,
    seed: u64,
) -> Result<Shown> {
    let scenario = &loaded.scenario;
    if let Some(asked) = claim
        && !scenario.claims.iter().any(|claim| claim.id == asked)
    {
        return Err(no_claim(loaded, asked));
    }
    let meant = scenario
        .claims
        .iter()
        .filter(|other| claim.is_none_or(|id| other.id == id));
    for claim in meant {
        let Some(name) = arm.or_else(|| deciding::arm_of(loaded, claim)) else {
            continue;
        };
        let arm = on_arm::arm(loaded, name)?;
        let on = on_arm::on_arm(loaded, &arm.name);
        let Some(on) = on.into_iter().find(|on| on.claim.id == claim.id) else {
            continue;
        };
        let progress = Progress::spinner();
        let say = |what: &str| progress.say(&format!("{} / {}: {what}", scenario.id, arm.name));
        let cases = scenario.cases_of(arm);
        let looked = deciding::look(loaded, arm, &[on], cases, None, &say)?;
        if let Some(run) = looked.into_iter().find_map(|looked| looked.run) {
            return Ok(Shown {
                title: format!("{} / {} / {}", scenario.id, arm.name, claim.id),
                chooser: run.chooser(),
                prepared: run.prepared,
            });
        }
    }
    match claim {
        None => under_seed(loaded, &scenario.arms[0].name, seed),
        Some(claim) => {
            let what = format!("no single run decides the claim {claim}");
            let help = "--arm NAME --seed N shows the run of an arm under a seed";
            Err(Failure::bad_input(what).help(help))
        }
    }
}

/// There is no such claim.
pub fn no_claim(loaded: &Loaded, asked: &str) -> Failure {
    let ids: Vec<&str> = loaded
        .scenario
        .claims
        .iter()
        .map(|claim| &*claim.id)
        .collect();
    let what = format!("the scenario {} has no claim {asked:?}", loaded.scenario.id);
    Failure::bad_input(what).help(format!("its claims are: {}", ids.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let time = |ns| Ok(Place::Time(Time(ns)));
        assert_eq!("12".parse(), Ok(Place::Record(12)));
        assert_eq!("1.5s".parse(), time(1_500_000_000));
        assert_eq!("20 ms".parse(), time(20_000_000));
        assert_eq!("3us".parse(), time(3_000));
        assert_eq!("0.000000001s".parse(), time(1));
        for bad in [
            "",
            "s",
            "1.5",
            "-1",
            "1.5ns",
            "1e3s",
            "99999999999999999999s",
            "½s",
            ".",
        ] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
