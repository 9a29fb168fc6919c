//! The shrinker: takes choices, faults, actors and steps away from a failing run until taking any
//! single one away makes the failure vanish.

use std::collections::BTreeMap;

use crate::engine::{Choice, Observer};

use crate::linux::tcp::{TcpLab, Work};
use crate::observe::ObserveLab;

use super::judge::Witness;
use super::linux::LinuxSetup;
use super::load::Loaded;
use super::mistake::Mistake;
use super::pattern::Watch;
use super::repro::{Checksums, Reproduction, VERSION};
use super::run::{Chooser, Keep, Outcome, Rest};
use super::schema::{Arm, BASELINE, Claim, Scenario, Verdict, World};
use super::stage::Record;
use super::versions::model_versions;

/// What a shrinking did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shrunk {
    /// The smallest failing run that was found.
    pub reproduction: Reproduction,
    /// How many choices the original run had, with more than one option each.
    pub choices_before: u64,
    /// How many of them differed from their defaults.
    pub departures_before: usize,
    /// What else was taken away, in the order in which it was.
    pub removed: Vec<String>,
    /// How many runs it took.
    pub runs: u64,
}

/// A candidate: a scenario with its scripts, and the choices to replay in it.
#[derive(Clone)]
struct Candidate {
    loaded: Loaded,
    choices: Vec<Choice>,
    rest: Rest,
}

struct Shrinker<'a> {
    arm: &'a str,
    params: &'a BTreeMap<String, String>,
    off: &'a [String],
    claim: &'a str,
    so: bool,
    runs: u64,
}

/// Shrinks the run of a witness. `off` names optional faults that a swarm had turned off.
///
/// # Errors
/// A mistake that shows only when the arm's values are filled in.
///
/// # Panics
/// If the witness does not show what it is a witness of: a run was not deterministic.
pub fn shrink(
    loaded: &Loaded,
    claim: &str,
    verdict: &Verdict,
    witness: &Witness,
    off: &[String],
) -> Result<Shrunk, Mistake> {
    let arm = loaded
        .scenario
        .arm(&witness.arm)
        .expect("a witness names an arm");
    let prepared = loaded.prepare(arm, &witness.params, off)?;
    let watch = loaded.watch_of(claim);
    let keep = Keep {
        choices: true,
        ..Keep::default()
    };
    let original = prepared.run(&witness.chooser, &watch, keep);
    assert!(
        original.bits & 1 == u64::from(witness.so),
        "a witness shows what it showed before"
    );
    let mut shrinker = Shrinker {
        arm: &witness.arm,
        params: &witness.params,
        off,
        claim,
        so: witness.so,
        runs: 1,
    };
    let mut best = Candidate {
        loaded: only_what_matters(loaded, claim, &witness.arm),
        choices: original.taken.choices.clone(),
        rest: Rest::Defaults,
    };
    assert!(
        shrinker.fails(&best).is_some(),
        "named choices replay what another source took"
    );
    let mut removed = Vec::new();
    // Where the run shows that something is missing, it would be missing from an empty scenario too,
    // and that explains nothing: there only the choices go.
    let is_about_absence = witness.so == watch.patterns()[0].is_absence();
    loop {
        shrinker.fewer_choices(&mut best);
        if is_about_absence {
            break;
        }
        let before = removed.len();
        shrinker.smaller_scenario(&mut best, &mut removed);
        if removed.len() == before {
            break;
        }
    }
    let mut checksums = Checksums::default();
    let outcome = shrinker
        .shows(&best, &mut checksums)
        .expect("the best candidate fails");
    let mut summary = summary(&best, &original, &witness.arm, &removed);
    summary += match is_about_absence {
        true => "; removing any one choice makes it vanish",
        false => "; removing any one choice, fault, actor or step makes it vanish",
    };
    let reproduction = Reproduction {
        version: VERSION,
        model_versions: model_versions(),
        claim: claim.into(),
        so: witness.so,
        verdict: verdict.clone(),
        arm: witness.arm.clone(),
        params: witness.params.clone(),
        off: off.to_vec(),
        choices: best.choices,
        rest: best.rest,
        shrunk: summary,
        trace_hash: outcome.hash,
        checksums: checksums.text(),
        scenario: best.loaded.scenario,
        scripts: best.loaded.scripts,
    };
    Ok(Shrunk {
        reproduction,
        choices_before: original.taken.total,
        departures_before: original.taken.choices.len(),
        removed,
        runs: shrinker.runs,
    })
}

fn summary(best: &Candidate, original: &Outcome, arm: &str, removed: &[String]) -> String {
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let mut text = format!(
        "1-minimal: {} choice{} of {}",
        best.choices.len(),
        plural(best.choices.len()),
        original.taken.total,
    );
    let faults = best
        .loaded
        .scenario
        .arm(arm)
        .map_or(0, |arm| arm.faults.len());
    if faults > 0 {
        text += &format!(", {faults} fault{}", plural(faults));
    }
    // What was taken away, by its first word: processes, files, lines, ...
    let nouns = [
        ("process", "processes"),
        ("program", "programs"),
        ("call", "calls"),
        ("file", "files"),
        ("line", "lines"),
    ];
    for (one, many) in nouns {
        let of_noun = |what: &&String| what.split(' ').take(2).any(|word| word == one);
        match removed.iter().filter(of_noun).count() {
            0 => {}
            1 => text += &format!(", 1 {one} fewer"),
            count => text += &format!(", {count} {many} fewer"),
        }
    }
    text
}

impl Shrinker<'_> {
    fn fails(&mut self, candidate: &Candidate) -> Option<Outcome> {
        self.shows(candidate, &mut ())
    }

    /// The run of a candidate, if it still shows what is to be shown.
    fn shows(&mut self, candidate: &Candidate, also: &mut dyn Observer<Record>) -> Option<Outcome> {
        self.runs += 1;
        let arm = candidate.loaded.scenario.arm(self.arm)?;
        let prepared = candidate.loaded.prepare(arm, self.params, self.off).ok()?;
        let watch: Watch = candidate.loaded.watch_of(self.claim);
        let chooser = Chooser::Named(candidate.choices.clone(), candidate.rest);
        let outcome = prepared.run_seen(&chooser, &watch, Keep::default(), also);
        let shows = outcome.bits & 1 == u64::from(self.so) && !watch.met_unsupported(outcome.bits);
        shows.then_some(outcome)
    }

    /// Drops choices: ever smaller parts of the list, then one at a time until none can go.
    fn fewer_choices(&mut self, best: &mut Candidate) {
        let mut part = best.choices.len();
        while part > 0 {
            let mut at = 0;
            let mut dropped = false;
            while at < best.choices.len() {
                let mut fewer = best.choices.clone();
                fewer.drain(at..(at + part).min(fewer.len()));
                let candidate = Candidate {
                    choices: fewer,
                    ..best.clone()
                };
                if self.fails(&candidate).is_some() {
                    *best = candidate;
                    dropped = true;
                } else {
                    at += part;
                }
            }
            // At single choices: once more, as long as something goes.
            part = if part == 1 && dropped { 1 } else { part / 2 };
        }
    }

    /// Takes faults, actors and steps away, the largest first.
    fn smaller_scenario(&mut self, best: &mut Candidate, removed: &mut Vec<String>) {
        let mut nth = 0;
        loop {
            let smaller = smaller(&best.loaded, self.arm);
            let Some((what, loaded)) = smaller.into_iter().nth(nth) else {
                return;
            };
            let candidate = Candidate {
                loaded,
                ..best.clone()
            };
            if candidate.loaded.check().is_ok() && self.fails(&candidate).is_some() {
                *best = candidate;
                removed.push(what);
            } else {
                nth += 1;
            }
        }
    }
}

/// The scenario with nothing but the claim and the arm (and the baseline, which every scenario has).
fn only_what_matters(loaded: &Loaded, claim: &str, arm: &str) -> Loaded {
    let mut loaded = loaded.clone();
    let Scenario {
        claims,
        arms,
        world: shared,
        ..
    } = &mut loaded.scenario;
    let own = arms.iter().find(|other| other.name == arm).cloned();
    let mut own = own.expect("a witness names an arm");
    // The arm's world is the scenario's; the baseline is the same without faults.
    if let Some(world) = own.world.take() {
        *shared = world;
    }
    own.cases = None;
    let baseline = Arm {
        name: BASELINE.into(),
        faults: Vec::new(),
        ..own.clone()
    };
    *arms = match own.name == BASELINE {
        true => vec![own],
        false => vec![baseline, own],
    };
    claims.retain(|other| other.id == claim);
    for Claim {
        arms: named,
        control,
        uncontrolled,
        expected,
        on,
        ..
    } in claims
    {
        *on = BASELINE.into();
        named.retain(|name| name == arm);
        control.clear();
        *uncontrolled = Some("this is one run".into());
        if expected.under().is_some_and(|under| under != arm) {
            *expected = Verdict::Undecided;
        }
    }
    let needed = loaded.scenario.script_names();
    loaded.scripts.retain(|name, _| needed.contains(name));
    loaded
}

/// All scenarios that are smaller by one fault, actor or step, with what was taken away.
fn smaller(loaded: &Loaded, arm: &str) -> Vec<(String, Loaded)> {
    let mut all = Vec::new();
    let position = loaded
        .scenario
        .arms
        .iter()
        .position(|other| other.name == arm);
    let position = position.expect("the arm is there");
    let here = &loaded.scenario.arms[position];
    for (index, fault) in here.faults.iter().enumerate() {
        let mut less = loaded.clone();
        less.scenario.arms[position].faults.remove(index);
        all.push((format!("the fault {}", fault.name), less));
    }
    let own_world = here.world.is_some();
    let world = here.world.as_ref().unwrap_or(&loaded.scenario.world);
    for (what, world, scripts) in world.smaller(&loaded.scripts) {
        let mut less = loaded.clone();
        match own_world {
            true => less.scenario.arms[position].world = Some(world),
            false => less.scenario.world = world,
        }
        less.scripts = scripts;
        all.push((what, less));
    }
    all
}

type Scripts = BTreeMap<String, String>;

impl World {
    /// All worlds that are smaller by one actor or step, actors first, with what was taken away.
    fn smaller(&self, scripts: &Scripts) -> Vec<(String, World, Scripts)> {
        match self {
            World::Nothing | World::Clocks(_) | World::Prometheus(_) => Vec::new(),
            World::Tcp(setup) => smaller_tcp(setup, scripts),
            World::Observe(setup) => smaller_observe(setup, scripts),
            World::Linux(setup) => smaller_linux(setup, scripts),
            World::Windows(setup) => {
                let mut all = Vec::new();
                for (index, program) in setup.programs.iter().enumerate() {
                    let mut less = setup.clone();
                    less.programs.remove(index);
                    all.push((format!("the program {}", program.name), less));
                }
                for index in 0..setup.scripts.len() {
                    let mut less = setup.clone();
                    let script = less.scripts.remove(index);
                    all.push((format!("the batch file {}", script.name), less));
                }
                for (index, program) in setup.programs.iter().enumerate() {
                    for call in 0..program.calls.len() {
                        let mut less = setup.clone();
                        less.programs[index].calls.remove(call);
                        all.push((format!("call {} of {}", call + 1, program.name), less));
                    }
                }
                let world = |setup| World::Windows(setup);
                all.into_iter()
                    .map(|(what, setup)| (what, world(setup), scripts.clone()))
                    .collect()
            }
        }
    }
}

/// Without one process, one file, one line of a script.
fn smaller_linux(setup: &LinuxSetup, scripts: &Scripts) -> Vec<(String, World, Scripts)> {
    let mut all = Vec::new();
    for (index, process) in setup.processes.iter().enumerate() {
        let mut less = setup.clone();
        less.processes.remove(index);
        let used = |script: &str| less.processes.iter().any(|other| other.script == script);
        let kept = scripts.iter().filter(|(name, _)| used(name));
        let kept = kept
            .map(|(name, text)| (name.clone(), text.clone()))
            .collect();
        all.push((
            format!("the process {}", process.name),
            World::Linux(less),
            kept,
        ));
    }
    for path in setup.files.keys() {
        let mut less = setup.clone();
        less.files.remove(path);
        all.push((
            format!("the file {path}"),
            World::Linux(less),
            scripts.clone(),
        ));
    }
    for (script, text) in scripts {
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let rest = text
                .lines()
                .enumerate()
                .filter(|(other, _)| *other != index);
            let rest: String = rest.map(|(_, line)| format!("{line}\n")).collect();
            let mut less = scripts.clone();
            less.insert(script.clone(), rest);
            let what = format!("line \"{}\" of {script}", line.trim());
            all.push((what, World::Linux(setup.clone()), less));
        }
    }
    all
}

/// The same without an observer, an incident, a kind of connections.
fn smaller_observe(setup: &ObserveLab, scripts: &Scripts) -> Vec<(String, World, Scripts)> {
    let mut all = Vec::new();
    let mut add = |what: String, less: ObserveLab| {
        all.push((what, World::Observe(less), scripts.clone()));
    };
    for (index, observer) in setup.observers.iter().enumerate() {
        let mut less = setup.clone();
        less.observers.remove(index);
        // Nobody is compared with one who is not there.
        less.reference = less.reference.filter(|name| *name != observer.name);
        add(format!("the observer {}", observer.name), less);
    }
    if setup.buffer.is_some() {
        let mut less = setup.clone();
        less.buffer = None;
        add("the socket's buffer".into(), less);
    }
    for (index, incident) in setup.population.incidents.iter().enumerate() {
        let mut less = setup.clone();
        less.population.incidents.remove(index);
        add(format!("the incident {}", incident.trouble), less);
    }
    for index in 0..setup.population.flows.len() {
        let mut less = setup.clone();
        less.population.flows.remove(index);
        add(format!("the connections number {}", index + 1), less);
    }
    all
}

/// With half as many clients, or one less; with half the time; with less to do.
fn smaller_tcp(setup: &TcpLab, scripts: &Scripts) -> Vec<(String, World, Scripts)> {
    let clients = [setup.clients / 2, setup.clients.saturating_sub(1)];
    let fewer = clients
        .into_iter()
        .filter(|clients| (1..setup.clients).contains(clients));
    let mut all: Vec<(String, TcpLab)> = fewer
        .map(|clients| {
            let client_hosts = setup.client_hosts.min(clients);
            let less = TcpLab {
                clients,
                client_hosts,
                ..setup.clone()
            };
            (format!("{} clients", setup.clients - clients), less)
        })
        .collect();
    if setup.work != Work::Idle {
        all.push((
            "the requests".into(),
            TcpLab {
                work: Work::Idle,
                ..setup.clone()
            },
        ));
    }
    all.into_iter()
        .map(|(what, less)| (what, World::Tcp(less), scripts.clone()))
        .collect()
}
