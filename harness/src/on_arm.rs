//! Claims as they stand on one arm: what is watched there, and what would contradict the record.

use faultlab_sim::scenario::{Arm, Claim, Loaded, Pattern, Statement, Verdict, Watch};

use crate::failure::{Failure, Result};

/// A claim with a pattern that is tried on an arm.
#[derive(Clone, Copy, Debug)]
pub struct OnArm<'a> {
    /// The claim.
    pub claim: &'a Claim,
    /// Its pattern.
    pub pattern: &'a Pattern,
    /// Whether it asks for some run, or for every run.
    pub quantifier: Quantifier,
    /// Whether its statement is to come out true here; `None` if the record does not say.
    pub expected: Option<bool>,
}

/// How many runs a statement speaks of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantifier {
    /// There is a run in which the pattern is so.
    Some,
    /// The pattern is so in every run.
    Every,
}

impl Quantifier {
    /// What a claim with it asks for.
    pub fn words(self) -> &'static str {
        match self {
            Quantifier::Some => "asks for some run",
            Quantifier::Every => "asks for every run",
        }
    }

    /// Whether one run in which the pattern is `so` decides the statement: shows a `some`, breaks an
    /// `every`.
    pub fn is_decided_by(self, so: bool) -> bool {
        match self {
            Quantifier::Some => so,
            Quantifier::Every => !so,
        }
    }

    /// Whether such a run contradicts a record of whether the statement is true.
    pub fn is_contradiction(self, expected: Option<bool>) -> bool {
        expected == Some(self == Quantifier::Every)
    }
}

/// The claims that are tried on an arm: those that it is the baseline of, and those that name it.
pub fn on_arm<'a>(loaded: &'a Loaded, arm: &str) -> Vec<OnArm<'a>> {
    let claims = loaded.scenario.claims.iter();
    claims.filter_map(|claim| tried(claim, arm)).collect()
}

fn tried<'a>(claim: &'a Claim, arm: &str) -> Option<OnArm<'a>> {
    let (quantifier, pattern) = match &claim.claim {
        Statement::Some(pattern) => (Quantifier::Some, pattern),
        Statement::Every(pattern) => (Quantifier::Every, pattern),
        Statement::Document { .. } => return None,
    };
    let baseline = match claim.expected {
        Verdict::Undecided => None,
        _ => Some(claim.expected == Verdict::Holds),
    };
    let place = claim.arms.iter().position(|name| name == arm);
    let expected = match place {
        _ if arm == claim.on => baseline,
        Some(place) => expected_at(claim, place),
        // A control comes out other than the verdict says.
        None if claim.control.iter().any(|name| name == arm) => match claim.expected {
            Verdict::Undecided => None,
            _ => Some(claim.expected == Verdict::Refuted),
        },
        None => return None,
    };
    Some(OnArm {
        claim,
        pattern,
        quantifier,
        expected,
    })
}

/// What a claim is to come to in the arm that it names at `place`: arms are tried in their order.
fn expected_at(claim: &Claim, place: usize) -> Option<bool> {
    match &claim.expected {
        Verdict::Refuted => Some(false),
        Verdict::HoldsUnder(under) => {
            let deciding = claim.arms.iter().position(|name| name == under)?;
            (place <= deciding).then_some(place == deciding)
        }
        Verdict::Holds | Verdict::Undecided => None,
    }
}

/// A watch over all their patterns.
pub fn watch(claims: &[OnArm<'_>]) -> Watch {
    Watch::new(claims.iter().map(|on| on.pattern.clone()).collect())
}

/// The arm called `name`.
///
/// # Errors
/// There is none.
pub fn arm<'a>(loaded: &'a Loaded, name: &str) -> Result<&'a Arm> {
    loaded.scenario.arm(name).ok_or_else(|| {
        let arms = loaded.scenario.arms.iter().map(|arm| arm.name.as_str());
        let arms: Vec<&str> = arms.collect();
        let id = &loaded.scenario.id;
        Failure::bad_input(format!("the scenario {id} has no arm {name:?}"))
            .help(format!("its arms are: {}", arms.join(", ")))
    })
}

/// `settings` over `params`, each the value of a parameter that the arm knows.
///
/// # Errors
/// A parameter that it does not know.
pub fn check_settings(loaded: &Loaded, arm: &Arm, settings: &[(String, String)]) -> Result<()> {
    let cases = loaded.scenario.cases_of(arm).iter();
    let mut known: Vec<&str> = cases
        .flat_map(|case| case.params.keys())
        .chain(loaded.scenario.params.keys())
        .chain(arm.params.keys())
        .map(String::as_str)
        .collect();
    known.sort_unstable();
    known.dedup();
    match settings.iter().find(|(name, _)| !known.contains(&&**name)) {
        None => Ok(()),
        Some((name, _)) => {
            let id = &loaded.scenario.id;
            let help = match known.as_slice() {
                [] => "it has none".into(),
                _ => format!("its parameters are: {}", known.join(", ")),
            };
            Err(
                Failure::bad_input(format!("the scenario {id} has no parameter {name:?}"))
                    .help(help),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(verdict: Verdict, arm: &str) -> Option<bool> {
        let claim: Claim = Claim {
            id: "c".into(),
            says: String::new(),
            claim: Statement::Some(Pattern::Any(Vec::new())),
            on: "baseline".into(),
            arms: vec!["one".into(), "two".into(), "three".into()],
            control: vec!["control".into()],
            uncontrolled: None,
            expected: verdict,
            note: String::new(),
            sure: true,
            canonical: true,
        };
        tried(&claim, arm).expect("it names the arm").expected
    }

    #[test]
    fn the_record_says_what_each_arm_comes_to() {
        let under = || Verdict::HoldsUnder("two".into());
        let row = |verdict: Verdict| {
            ["baseline", "one", "two", "three", "control"].map(|arm| expected(verdict.clone(), arm))
        };
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(row(Verdict::Holds), [yes, None, None, None, no]);
        assert_eq!(row(under()), [no, no, yes, None, no]);
        assert_eq!(row(Verdict::Refuted), [no, no, no, no, yes]);
        assert_eq!(row(Verdict::Undecided), [None; 5]);
    }

    #[test]
    fn one_run_shows_a_some_and_breaks_an_every() {
        assert!(Quantifier::Some.is_contradiction(Some(false)));
        assert!(Quantifier::Every.is_contradiction(Some(true)));
        assert!(!Quantifier::Some.is_contradiction(Some(true)));
        assert!(!Quantifier::Every.is_contradiction(None));
    }
}
