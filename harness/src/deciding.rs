//! A run that decides a claim: found anew on one arm, as short as its choices can be in the whole scenario.

use std::collections::BTreeMap;

use faultlab_sim::engine::Choice;
use faultlab_sim::scenario::{
    Arm, Case, Chooser, Claim, Keep, Loaded, Outcome, Prepared, Rest, Verdict, Witness, shrink,
};

use crate::explore::{self, SEED};
use crate::failure::Result;
use crate::library::late_mistake;
use crate::on_arm::{self, OnArm, Quantifier};

/// A run in which a claim's pattern is so, for a claim about some run, or is not so, for one about every run.
#[derive(Clone, Debug)]
pub struct Deciding {
    /// The arm with the case's values.
    pub prepared: Prepared,
    /// The case's values.
    pub params: BTreeMap<String, String>,
    /// Whether the pattern is so.
    pub so: bool,
    /// The choices that differ from what takes all others.
    pub choices: Vec<Choice>,
    /// What takes all others.
    pub rest: Rest,
}

impl Deciding {
    /// How its choices are taken.
    pub fn chooser(&self) -> Chooser {
        Chooser::Named(self.choices.clone(), self.rest)
    }
}

/// What was found on one arm of one claim.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// A run that decides it.
    pub run: Option<Deciding>,
    /// Whether some run met what the models do not support.
    pub unsupported: bool,
}

/// A run of more events stays as it was found: to shrink it takes as many runs as it has parts.
pub const SHORT: u64 = 20_000;

/// So does one whose choices, each tried at least once, come to more events together: hosts draw thousands of delays.
const SHRINKABLE: u64 = 10_000_000;

/// Whether a run, with its choices kept, stays as it was found.
pub fn is_long(found: &Outcome) -> bool {
    found.events > SHORT || found.events * found.taken.choices.len() as u64 > SHRINKABLE
}

/// The arm in which, by the record, one run shows a `some` or breaks an `every`, if there is one. (A claim
/// whose verdict needs all runs has one among its controls.)
pub fn arm_of<'a>(loaded: &Loaded, claim: &'a Claim) -> Option<&'a str> {
    let on = on_arm::on_arm(loaded, &claim.on);
    let quantifier = on.iter().find(|on| on.claim.id == claim.id)?.quantifier;
    match (quantifier, &claim.expected) {
        (Quantifier::Some, Verdict::HoldsUnder(arm)) => Some(arm),
        (Quantifier::Some, Verdict::Refuted) | (Quantifier::Every, Verdict::Holds) => None,
        _ => Some(&claim.on),
    }
}

/// Looks for runs that decide `claims` on `arm`, case by case, and says through `say` what it does.
///
/// # Errors
/// A mistake that shows only when the arm's values are filled in.
pub fn look(
    loaded: &Loaded,
    arm: &Arm,
    claims: &[OnArm<'_>],
    cases: &[Case],
    budget: Option<u64>,
    say: &dyn Fn(&str),
) -> Result<Vec<Looked>> {
    let off = Prepared::swarm(arm, SEED);
    let mut looked = vec![Looked::default(); claims.len()];
    for case in cases {
        if looked.iter().all(|looked| looked.run.is_some()) {
            break;
        }
        say("looking for runs that fail");
        let prepared = loaded
            .prepare(arm, &case.params, &off)
            .map_err(|mistake| late_mistake(loaded, mistake))?;
        let found = explore::find(&prepared, claims, &case.search, budget);
        for ((on, finding), looked) in claims.iter().zip(&found.findings).zip(&mut looked) {
            looked.unsupported |= found.unsupported;
            let Some(chooser) = explore::deciding(on.quantifier, finding) else {
                continue;
            };
            if looked.run.is_none() {
                say(&format!("{}: making it short", on.claim.id));
                looked.run = Some(shortest(loaded, &prepared, case, on, chooser, &off)?);
            }
        }
    }
    Ok(looked)
}

fn shortest(
    loaded: &Loaded,
    prepared: &Prepared,
    case: &Case,
    on: &OnArm<'_>,
    chooser: &Chooser,
    off: &[String],
) -> Result<Deciding> {
    let so = on.quantifier == Quantifier::Some;
    let watch = on_arm::watch(&[*on]);
    let keep = Keep {
        choices: true,
        ..Keep::default()
    };
    let run = |choices: Vec<Choice>, rest| Deciding {
        prepared: prepared.clone(),
        params: case.params.clone(),
        so,
        choices,
        rest,
    };
    // Under a seed, all departures of a long run are the seed's: nobody would read them.
    let under_seed = match chooser {
        Chooser::Seed(seed) => Some(run(Vec::new(), Rest::Seed(*seed))),
        _ => None,
    };
    if let Some(under_seed) = &under_seed
        && prepared.run(chooser, &watch, Keep::default()).events > SHORT
    {
        return Ok(under_seed.clone());
    }
    let found = prepared.run(chooser, &watch, keep);
    if is_long(&found) {
        return Ok(under_seed.unwrap_or_else(|| run(found.taken.choices, Rest::Defaults)));
    }
    let witness = Witness {
        arm: prepared.arm().name.clone(),
        params: case.params.clone(),
        chooser: chooser.clone(),
        so,
    };
    let shrunk = shrink(loaded, &on.claim.id, &on.claim.expected, &witness, off)
        .map_err(|mistake| late_mistake(loaded, mistake))?;
    // What was shrunk may need a smaller scenario than this one.
    let short = run(shrunk.reproduction.choices, shrunk.reproduction.rest);
    let outcome = prepared.run(&short.chooser(), &watch, Keep::default());
    Ok(match outcome.bits & 1 == u64::from(so) {
        true => short,
        false => run(found.taken.choices, Rest::Defaults),
    })
}
