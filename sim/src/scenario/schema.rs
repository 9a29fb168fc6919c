//! The schema of scenarios, as `scenarios/README.md` documents it for those who write them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::{Param, When};
use crate::linux::clock::ClockLab;
use crate::linux::tcp::TcpLab;
use crate::observe::{ObserveLab, QueryLab};
use crate::win7::program as win7;

use super::linux::LinuxSetup;
use super::pattern::Pattern;

/// The version of the schema that this library reads and writes.
pub const VERSION: u32 = 1;

/// The name of the arm in which a claim is tried first.
pub const BASELINE: &str = "baseline";

/// A failure to replay: a world, ways to disturb it, and claims about what happens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The version of the schema: [`VERSION`].
    pub version: u32,
    /// Its name on the command line: lower-case letters, digits and hyphens.
    pub id: String,
    /// One line for a list.
    pub title: String,
    /// For a reader.
    pub story: Story,
    /// The world of the baseline, and of every arm that names no other.
    pub world: World,
    /// Values for `{names}` in the world's texts; arms and cases override them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Under a seed, an actor is preempted before one in so many of its steps.
    #[serde(default = "four")]
    pub preempt_once_in: u32,
    /// No event after this virtual time happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// How each arm is searched that does not say otherwise.
    pub cases: Vec<Case>,
    /// The arms; the first is called `baseline`.
    pub arms: Vec<Arm>,
    /// What is claimed.
    pub claims: Vec<Claim>,
}

fn four() -> u32 {
    4
}

/// What `explain` tells.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// What is said to happen, and by whom.
    pub said: String,
    /// What happens.
    pub happens: String,
    /// Why.
    pub why: String,
    /// How to see it.
    pub see: String,
}

/// The world on the stage.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum World {
    /// Nothing happens: for claims about documents.
    Nothing,
    /// Windows programs that share a registry.
    Windows(win7::Setup),
    /// Linux processes that share files.
    Linux(LinuxSetup),
    /// TCP clients and a server on virtual time.
    Tcp(TcpLab),
    /// A machine's clocks, and a program that measures by them.
    Clocks(ClockLab),
    /// A node of a population, and observers of it.
    Observe(ObserveLab),
    /// A real Prometheus that was asked, or is to be.
    Prometheus(QueryLab),
}

/// A variant of the scenario.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// What is different here, for a reader.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Another world than the scenario's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<World>,
    /// Values for `{names}` in the world's texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// The faults that are injected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// How it is searched; without it, as the scenario says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cases: Option<Vec<Case>>,
}

/// A fault to inject.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its name in the table of faults.
    pub name: String,
    /// Whom it strikes; `*` stands for any run of characters.
    #[serde(default = "anyone", skip_serializing_if = "is_anyone")]
    pub at: String,
    /// When it strikes.
    #[serde(default, skip_serializing_if = "is_always")]
    pub when: When,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Param>,
    /// Whether a swarm may turn it off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

fn anyone() -> String {
    "*".into()
}

fn is_anyone(at: &String) -> bool {
    at == "*"
}

fn is_always(when: &When) -> bool {
    *when == When::default()
}

/// One way to search an arm.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Values for `{names}` in the world's texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// How.
    pub search: Search,
}

/// How runs are found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Search {
    /// One run, under the seed of the command line (0 without one).
    Run,
    /// So many seeds, from 0.
    Seeds(u64),
    /// Random schedules: so many, from seed 0.
    Random(u64),
    /// PCT schedules.
    Pct {
        /// How many, from seed 0.
        runs: u64,
        /// The depth of bugs that are aimed at: one more than the preemptions that they need.
        depth: u32,
    },
    /// Every interleaving and every narrow choice, counted.
    Exhaustive,
    /// The same up to the order of steps that commute: fewer states, and no count of interleavings.
    Reduced,
    /// Every interleaving with at most so many preemptions.
    Bounded(u32),
}

/// A hypothesis, and how it is judged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The row's id if it is a claim of the article, else a speaking name.
    pub id: String,
    /// What is claimed, in words.
    pub says: String,
    /// What is claimed, exactly.
    pub claim: Statement,
    /// The arm that is the claim's baseline, if it is another than the scenario's: one that injects no
    /// fault.
    #[serde(default = "baseline", skip_serializing_if = "is_baseline")]
    pub on: String,
    /// The arms that the claim itself names: tried if the baseline does not show it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<String>,
    /// Arms in which the very same statement must come out the other way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control: Vec<String>,
    /// Why there is no control arm, where one would be expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncontrolled: Option<String>,
    /// The verdict that the models must reach.
    pub expected: Verdict,
    /// What happens instead, or what to note, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// False if the rule behind it is from memory or inferred.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub sure: bool,
    /// False if another scenario is the one that counts for this row.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub canonical: bool,
}

fn baseline() -> String {
    BASELINE.into()
}

fn is_baseline(arm: &String) -> bool {
    arm == BASELINE
}

fn yes() -> bool {
    true
}

/// The exact form of a claim.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Statement {
    /// There is a run in which the pattern is so.
    Some(Pattern),
    /// The pattern is so in every run.
    Every(Pattern),
    /// A document says so: a field of a row of a table that the library carries with its source.
    Document {
        /// The table.
        table: String,
        /// The row.
        row: String,
        /// The field.
        field: String,
        /// What the claim says that it holds.
        is: String,
    },
}

/// What a claim comes to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Verdict {
    /// It is so in the baseline arm.
    Holds,
    /// Not in the baseline, but in this arm.
    HoldsUnder(String),
    /// Neither in the baseline nor in any arm that the claim names.
    Refuted,
    /// The budget was spent, or something unsupported was met.
    Undecided,
}

impl Verdict {
    /// The word alone.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Holds => "Holds",
            Verdict::HoldsUnder(_) => "HoldsUnder",
            Verdict::Refuted => "Refuted",
            Verdict::Undecided => "Undecided",
        }
    }

    /// The arm of a `HoldsUnder`.
    pub fn under(&self) -> Option<&str> {
        match self {
            Verdict::HoldsUnder(arm) => Some(arm),
            _ => None,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::HoldsUnder(arm) => write!(f, "HoldsUnder {arm}"),
            other => f.write_str(other.word()),
        }
    }
}

impl World {
    /// Whether it is of what is measured, and was not.
    pub fn is_unmeasured(&self) -> bool {
        matches!(self, World::Prometheus(lab) if lab.measured.is_none())
    }
}

impl Scenario {
    /// The world of an arm.
    pub fn world_of<'a>(&'a self, arm: &'a Arm) -> &'a World {
        arm.world.as_ref().unwrap_or(&self.world)
    }

    /// What a claim is expected to come to: what it says, but `Undecided` if it rests on an arm of what is measured
    /// and was not.
    pub fn expected<'a>(&'a self, claim: &'a Claim) -> &'a Verdict {
        let arms = claim
            .arms
            .iter()
            .chain([&claim.on])
            .filter_map(|arm| self.arm(arm));
        match arms.map(|arm| self.world_of(arm)).any(World::is_unmeasured) {
            true => &Verdict::Undecided,
            false => &claim.expected,
        }
    }

    /// The arm called `name`.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// How `arm` is searched.
    pub fn cases_of<'a>(&'a self, arm: &'a Arm) -> &'a [Case] {
        arm.cases.as_deref().unwrap_or(&self.cases)
    }

    /// The values of `{names}` for a case of an arm.
    pub fn params_of(
        &self,
        arm: &Arm,
        case: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let mut params = self.params.clone();
        params.extend(arm.params.clone());
        params.extend(case.clone());
        params
    }
}
