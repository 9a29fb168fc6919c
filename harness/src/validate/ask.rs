//! Asking a host: all questions of some sets, in order; cases of a kernel side by side, as they mostly wait.

use std::sync::Mutex;

use serde_json::{Value, json};

use crate::failure::Result;
use crate::host::recording::Recording;
use crate::host::session::{Identity, Session, ask_json};
use crate::host::{Host, Places};
use crate::progress::Progress;

use super::strip_id;
use super::tolerance::Tolerance;
use super::vectors::Set;

/// A question and what the host said.
#[derive(Clone, PartialEq, Debug)]
pub struct Asked {
    /// Its line in the set.
    pub line: usize,
    /// The question.
    pub request: Value,
    /// The answer, without its id.
    pub answer: Value,
}

/// A set, answered.
#[derive(Clone, PartialEq, Debug)]
pub struct AnsweredSet {
    /// Its name.
    pub name: String,
    /// The questions in their order.
    pub asked: Vec<Asked>,
    /// By how much times may differ.
    pub tolerance: Tolerance,
    /// How it differed before it was asked again, each time.
    pub again: Vec<String>,
}

impl AnsweredSet {
    /// Its cases: each begins with a reset, but for the first perhaps.
    pub fn cases(&self) -> impl Iterator<Item = &[Asked]> {
        self.asked.chunk_by(|_, next| next.request["op"] != "reset")
    }
}

/// So often a case of a kernel is asked again, if it differs: a kernel's times are those of a busy machine.
const AGAIN: u32 = 2;

/// How the models differ from a set's answers.
pub type Differs<'a> = &'a (dyn Fn(&Identity, &AnsweredSet) -> Result<Option<String>> + Sync);

/// Asks a host all sets; this kernel in `jobs` sessions at once. Cases of a kernel are asked again if they differ.
///
/// # Errors
/// The host is not there, or goes away.
pub fn host(
    host: Host,
    places: &Places,
    sets: &[Set],
    jobs: usize,
    differs: Option<Differs<'_>>,
) -> Result<(Identity, Vec<AnsweredSet>)> {
    let jobs = match host {
        Host::Linux => jobs.clamp(1, sets.len().max(1)),
        _ => 1,
    };
    let progress = Progress::spinner();
    let differs = differs.filter(|_| matches!(host, Host::Linux | Host::LinuxVm));
    let mut session = host.start(places, &progress)?;
    let identity = session.identity();
    if jobs == 1 {
        let mut answered = Vec::new();
        for set in sets {
            progress.say(&format!("{} on {}", set.name, identity.host));
            answered.push(ask_again(&mut *session, &identity, set, differs)?);
        }
        return Ok((identity, answered));
    }
    drop(session);
    // The longest first, so that none begins when all others are through.
    let mut order: Vec<usize> = (0..sets.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(sets[*index].lasts_ms()));
    let waiting = Mutex::new(order.into_iter());
    let done = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        let mut session = host.start(places, &Progress::silent())?;
        loop {
            let next = waiting.lock().expect("nobody panics with it").next();
            let Some(index) = next else { return Ok(()) };
            let answered = ask_again(&mut *session, &identity, &sets[index], differs)?;
            let mut done = done.lock().expect("nobody panics with it");
            done.push((index, answered));
            progress.say(&format!(
                "{} of {} cases on {}",
                done.len(),
                sets.len(),
                identity.host
            ));
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|worker| match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        ended.collect::<Result<Vec<()>>>()
    })?;
    let mut done = done.into_inner().expect("nobody panicked with it");
    done.sort_by_key(|(index, _)| *index);
    Ok((identity, done.into_iter().map(|(_, set)| set).collect()))
}

/// Asks one set, and again as long as it differs, up to [`AGAIN`] times.
fn ask_again(
    session: &mut dyn Session,
    identity: &Identity,
    set: &Set,
    differs: Option<Differs<'_>>,
) -> Result<AnsweredSet> {
    let mut answered = ask(session, set)?;
    let Some(differs) = differs else {
        return Ok(answered);
    };
    for _ in 0..AGAIN {
        let Some(why) = differs(identity, &answered)? else {
            break;
        };
        let again = [answered.again, vec![why]].concat();
        answered = ask(session, set)?;
        answered.again = again;
    }
    Ok(answered)
}

/// Asks one set. Where a host cannot even begin a case, it is asked nothing more of it.
fn ask(session: &mut dyn Session, set: &Set) -> Result<AnsweredSet> {
    session.ask(r#"{"op":"reset"}"#)?;
    let mut asked = Vec::new();
    let mut skipped: Option<Value> = None;
    for (line, request) in &set.requests {
        if request["op"] == "reset" {
            skipped = None;
        }
        let answer = match &skipped {
            Some(why) => json!({ "unsupported": why }),
            None => {
                let mut answer = ask_json(session, request)?;
                strip_id(&mut answer);
                answer
            }
        };
        if request["op"] == "reset" {
            skipped = answer.get("unsupported").cloned();
        }
        asked.push(Asked {
            line: *line,
            request: request.clone(),
            answer,
        });
    }
    Ok(AnsweredSet {
        name: set.name.clone(),
        asked,
        tolerance: set.tolerance,
        again: Vec::new(),
    })
}

/// What a host answered once.
pub fn recorded(recording: Recording) -> Vec<AnsweredSet> {
    let mut sets: Vec<AnsweredSet> = Vec::new();
    for (at, answered) in recording.answered.into_iter().enumerate() {
        let asked = Asked {
            line: at + 2,
            request: answered.request,
            answer: answered.answer,
        };
        match sets.last_mut().filter(|set| set.name == answered.set) {
            Some(set) => set.asked.push(asked),
            None => sets.push(AnsweredSet {
                name: answered.set,
                asked: vec![asked],
                tolerance: Tolerance::NONE,
                again: Vec::new(),
            }),
        }
    }
    sets
}
