//! Two batch files, or the processes of one, in every order of their steps.

use std::collections::BTreeMap;
use std::io::Write;

use faultlab_sim::engine::source::Positional;
use faultlab_sim::engine::{Entity, Key, Labels, Names, Observer, Options, Source, Time};
use faultlab_sim::scenario::{
    BASELINE, Chooser, Claim, Cond, Finding, Found, Literal, Loaded, Match, Pattern, Prepared,
    Record, Search, Shrunk, Statement, Verdict, Witness, World, load_built, search, shrink,
};
use faultlab_sim::win7::cmd::Record as CmdRecord;
use serde::Serialize;

use super::{arm_of, built, named, prepare, tell_idle};
use crate::cli;
use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::Result;
use crate::html::{self, Chapter, ClaimView, Headed, pair, play};
use crate::library::late_mistake;
use crate::output::Output;
use crate::progress::Progress;
use crate::render::{Page, schedule, style};
use crate::step::{self, Shown};
use crate::threads::Threads;

/// What whole scripts come to, one after the other.
#[derive(Clone, PartialEq, Eq, Default)]
struct End {
    registry: String,
    files: String,
    exits: BTreeMap<String, u32>,
}

impl Observer<Record> for End {
    fn see(&mut self, _: Time, actor: Entity, record: &Record, names: &Names) {
        match record {
            Record::Cmd(CmdRecord::EndState { registry, files }) => {
                self.registry = registry.to_string();
                self.files = files.to_string();
            }
            Record::Cmd(CmdRecord::End { code }) if !names.path(actor).contains('/') => {
                self.exits.insert(names.path(actor).to_string(), *code);
            }
            _ => {}
        }
    }
}

/// One script with all that it starts goes first, and to its end.
struct Whole<'a> {
    /// The script, by name.
    first: &'a str,
}

impl Source for Whole<'_> {
    fn choose(&mut self, _: &Key, options: &Options<'_>, names: &Names) -> u64 {
        let Labels::Actors { ready, .. } = options.labels else {
            return options.default;
        };
        let is_of_it = |actor: &Entity| {
            let rest = names.path(*actor).strip_prefix(self.first);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let own = ready.iter().position(is_of_it);
        own.map_or(options.default, |own| own as u64)
    }
}

/// A run whose choices `source` takes: its end, and the faults that struck nothing.
fn whole(prepared: &Prepared, source: &mut dyn Source, name: &str) -> (End, Vec<usize>) {
    let mut end = End::default();
    let ran = prepared.run_on_console(name, source, &mut end);
    (end, ran.idle_faults)
}

/// The claim that every order of steps comes to what an order of whole scripts comes to.
const SERIAL: &str = "ends-as-one-after-the-other";

fn serial(ends: &[End], arm: &str) -> Claim {
    let record = |kind: &str, actor: &str| Match {
        kind: kind.into(),
        actor: actor.into(),
        conditions: BTreeMap::new(),
    };
    let is = |fields: Vec<(&str, Literal)>| -> BTreeMap<String, Cond> {
        let fields = fields.into_iter();
        fields
            .map(|(name, value)| (name.to_owned(), Cond::Is(value)))
            .collect()
    };
    let as_this = |end: &End| {
        let mut all = vec![Pattern::Last {
            of: record("end_state", "*"),
            is: is(vec![
                ("registry", Literal::Text(end.registry.clone())),
                ("files", Literal::Text(end.files.clone())),
            ]),
        }];
        all.extend(end.exits.iter().map(|(name, code)| Pattern::Last {
            of: record("process_exit", name),
            is: is(vec![("code", Literal::Number(i64::from(*code)))]),
        }));
        Pattern::All(all)
    };
    Claim {
        id: SERIAL.into(),
        says: "whatever the order of their steps, registry, files and exit codes are as if one script had run after the other".into(),
        claim: Statement::Every(Pattern::Any(ends.iter().map(as_this).collect())),
        on: BASELINE.into(),
        arms: match arm {
            BASELINE => Vec::new(),
            other => vec![other.into()],
        },
        control: Vec::new(),
        uncontrolled: None,
        expected: Verdict::Undecided,
        note: String::new(),
        sure: true,
        canonical: true,
    }
}

/// What the search came to, for other programs.
#[derive(Serialize)]
struct Explored {
    basis: String,
    interleavings: String,
    races: String,
    complete: bool,
    unsupported: bool,
    /// Faults that struck nothing while whole scripts ran.
    idle_faults: Vec<String>,
    schedule: Vec<String>,
    outcome: Option<Outcome>,
}

/// The end of a run that no order of whole scripts has.
#[derive(Serialize)]
struct Outcome {
    registry: String,
    files: String,
    exits: BTreeMap<String, u32>,
}

/// Searches every order of steps, and tells what came of it.
pub(super) fn run(
    args: &cli::Cmd,
    layout: Layout,
    loaded: &Loaded,
    prepared: &Prepared,
) -> Result<Exit> {
    let World::Windows(setup) = &loaded.scenario.world else {
        unreachable!("it was built of a Windows world");
    };
    let name = &setup.scripts[0].name;
    let mut book = args.html.begin()?;
    let (one, mut idle) = whole(prepared, &mut Whole { first: name }, name);
    let (other, idle_there) = match setup.scripts.get(1) {
        Some(second) => whole(
            prepared,
            &mut Whole {
                first: &second.name,
            },
            name,
        ),
        // Processes of one script: another of them first.
        None => whole(prepared, &mut Positional::new(vec![1], 0), name),
    };
    idle.retain(|fault| idle_there.contains(fault));
    let mut ends = vec![one, other];
    ends.dedup();
    let repro = Output::create_if_asked(args.repro.as_ref())?;
    let loaded = built(
        args,
        setup.clone(),
        &loaded.scripts,
        vec![serial(&ends, arm_of(args))],
    )?;
    let prepared = prepare(&loaded, arm_of(args))?;
    let watch = loaded.watch_of(SERIAL);
    let threads = Threads::new(None);
    let seed = args.seed.unwrap_or(0);
    let progress = Progress::spinner();
    progress.say("searching every order of steps");
    let began = std::time::Instant::now();
    let mut found = search(
        &prepared,
        &watch,
        &Search::Exhaustive,
        seed,
        args.budget,
        &threads,
    );
    if !found.complete && found.findings.iter().all(|finding| finding.miss.is_none()) {
        let random = Search::Random(args.budget.min(20_000));
        let more = search(&prepared, &watch, &random, seed, args.budget, &threads);
        if more.findings.iter().any(|finding| finding.miss.is_some()) || more.unsupported {
            found = more;
        }
    }
    let time = began.elapsed();
    progress.say("looking for the shortest run with another end");
    let finding = &found.findings[0];
    let shrunk = finding
        .miss
        .as_ref()
        .map(|chooser| shortest(&loaded, arm_of(args), chooser));
    let shrunk = shrunk.transpose()?;
    let outcome = shrunk
        .as_ref()
        .map(|shrunk| outcome(&loaded, shrunk))
        .transpose()?;
    drop(progress);
    if let (Some(mut output), Some(shrunk)) = (repro, &shrunk) {
        output
            .write_all(shrunk.reproduction.write().as_bytes())
            .map_err(|error| output.failed(&error))?;
        output.commit()?;
    }
    let holds = shrunk.is_none() && found.complete && !found.unsupported && idle.is_empty();
    let told = Explored {
        basis: found.basis.to_string(),
        interleavings: found.runs.to_string(),
        races: races(&found, finding),
        complete: found.complete,
        unsupported: found.unsupported,
        idle_faults: named(args, &idle),
        schedule: shrunk.as_ref().map_or_else(Vec::new, |shrunk| {
            shrunk
                .reproduction
                .choices
                .iter()
                .map(schedule::sentence)
                .collect()
        }),
        outcome,
    };
    match args.json {
        true => console::print_json(&told)?,
        false => {
            console::print(&tell(layout, &told, shrunk.as_ref()))?;
            tell_idle(args, &idle, &[]);
            eprintln!("searched in {}", crate::render::took(time));
        }
    }
    if args.step {
        match &shrunk {
            Some(shrunk) => step::show(steps(&loaded, shrunk)?, args.at, layout)?,
            None => eprintln!("so there is no run to go through step by step"),
        }
    }
    if let Some(book) = &mut book {
        let shown = play(&prepared, &Chooser::Defaults, book.records());
        book.add(explored_chapter(&loaded, &told, shrunk.as_ref(), &shown)?);
    }
    if let Some(book) = book {
        book.commit()?;
    }
    Ok(Exit::of_verdicts(holds))
}

/// In how many runs the end is another one: a whole number of any size.
fn races(found: &Found, finding: &Finding) -> String {
    (&found.runs - &finding.hits).to_string()
}

fn shortest(loaded: &Loaded, arm: &str, chooser: &Chooser) -> Result<Shrunk> {
    let witness = Witness {
        arm: arm.into(),
        params: BTreeMap::new(),
        chooser: chooser.clone(),
        so: false,
    };
    shrink(loaded, SERIAL, &Verdict::Undecided, &witness, &[])
        .map_err(|mistake| late_mistake(loaded, mistake))
}

/// The run of a reproduction, to step through.
fn steps(loaded: &Loaded, shrunk: &Shrunk) -> Result<Shown> {
    let repro = &shrunk.reproduction;
    let again = load_built(&loaded.file, repro.scenario.clone(), repro.scripts.clone())
        .map_err(|mistake| late_mistake(loaded, mistake))?;
    Ok(Shown {
        title: loaded.scenario.title.clone(),
        prepared: prepare(&again, &repro.arm)?,
        chooser: Chooser::Named(repro.choices.clone(), repro.rest),
    })
}

/// The page of a search: a run whose steps nobody came between, and the shortest with another end.
fn explored_chapter(
    loaded: &Loaded,
    told: &Explored,
    shrunk: Option<&Shrunk>,
    whole: &html::Run,
) -> Result<Chapter> {
    let mut chapter = Chapter::of(loaded, format!("searched: {}", told.basis));
    let (word, verdict) = match (shrunk, told.complete && !told.unsupported) {
        (Some(_), _) => ("Refuted", "not so"),
        (None, true) => ("Holds", "so"),
        (None, false) => ("Undecided", "Undecided"),
    };
    let claim = &loaded.scenario.claims[0];
    let count = format!("{} of {} runs", told.races, told.interleavings);
    let mut facts = vec![Headed::new("another end", count)];
    if let Some(shrunk) = shrunk {
        facts.push(Headed::new("the shortest", &shrunk.reproduction.shrunk));
    }
    chapter.add_claim(ClaimView {
        id: claim.id.clone(),
        says: claim.says.clone(),
        word: word.into(),
        verdict: verdict.into(),
        as_expected: word == "Holds",
        difference: format!("✗ {verdict}"),
        facts,
        records: told.schedule.clone(),
    });
    chapter.add_run("one script after the other".into(), "", whole, true);
    if let Some(shrunk) = shrunk {
        chapter.add_pair(pair::of(&shrunk.reproduction)?);
    }
    Ok(chapter)
}

fn outcome(loaded: &Loaded, shrunk: &Shrunk) -> Result<Outcome> {
    let Shown {
        prepared, chooser, ..
    } = steps(loaded, shrunk)?;
    let (end, _) = whole(&prepared, &mut *chooser.source(), "");
    Ok(Outcome {
        registry: end.registry,
        files: end.files,
        exits: end.exits,
    })
}

fn tell(layout: Layout, told: &Explored, shrunk: Option<&Shrunk>) -> String {
    let mut page = Page::new(layout);
    page.paragraph(0, &format!("searched: {}", told.basis));
    if !told.complete {
        let spent = page.paint(style::BAD, "the budget is spent: more was not seen");
        page.paragraph(0, &spent);
    }
    if told.unsupported {
        let met = "some run met what is not modelled: nothing is decided";
        let met = page.paint(style::BAD, met);
        page.paragraph(0, &met);
    }
    let Some(shrunk) = shrunk else {
        let end = match (told.unsupported, told.complete) {
            // What it ends with then says nothing.
            (true, _) => return page.into_text(),
            (false, true) => "each ends as if one script had run after the other",
            (false, false) => {
                "of what was seen, each ends as if one script had run after the other"
            }
        };
        page.paragraph(0, end);
        return page.into_text();
    };
    let what = format!(
        "{} of {} runs end as no order of whole scripts ends; the shortest, {}:",
        told.races, told.interleavings, shrunk.reproduction.shrunk
    );
    page.paragraph(0, &what);
    schedule::list(&mut page, 2, &shrunk.reproduction.choices);
    if let Some(outcome) = &told.outcome {
        page.gap();
        page.heading("what it leaves");
        for line in outcome.registry.lines().chain(outcome.files.lines()) {
            page.item("  ", 2, line);
        }
        for (name, code) in &outcome.exits {
            page.item("  ", 2, &format!("{name} ends with {code}"));
        }
    }
    page.into_text()
}
