//! `cmd`: a user's own batch file on a modelled machine, alone or beside another.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use faultlab_sim::engine::source::{Defaults, Positional};
use faultlab_sim::engine::{Entity, Names, Observer, Param, Source, Time};
use faultlab_sim::scenario::{
    Arm, BASELINE, Case, Chooser, Claim, Cond, Fault, Finding, Found, Literal, Loaded, MAX_BYTES,
    Match, Pattern, Prepared, Ran, Record, Scenario, Search, Shrunk, Statement, Story, Touched,
    Verdict, Witness, World, load_built, read_windows_world, search, shrink,
};
use faultlab_sim::win7::cmd::Record as CmdRecord;
use faultlab_sim::win7::files::diff::diff as file_diff;
use faultlab_sim::win7::program::{FileSetup, ScriptSetup, Setup};
use faultlab_sim::win7::registry::diff::{diff as registry_diff, lines as registry_lines};
use serde::Serialize;

use crate::cli;
use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::html::{self, Chapter, ClaimView, Headed, pair, play};
use crate::library::late_mistake;
use crate::output::Output;
use crate::progress::Progress;
use crate::render::{Page, schedule, style};
use crate::step::{self, Shown};
use crate::threads::Threads;

/// Where the scripts lie on the machine, and are run.
const FOLDER: &str = "C:\\work";

/// Runs the command.
///
/// # Errors
/// Bad input.
pub fn run(args: &cli::Cmd, layout: Layout) -> Result<Exit> {
    let other = args.explore.as_ref().and_then(Option::as_ref);
    let mut scripts = vec![script(args, &args.file, &args.arguments)?];
    let mut files = vec![(&args.file, file_on_machine(&args.file)?)];
    if let Some(other) = other {
        let second = script(args, other, &[])?;
        if second.name.eq_ignore_ascii_case(&scripts[0].name) {
            return Err(Failure::bad_input("the two batch files have one name")
                .help("give one of them another name"));
        }
        scripts.push(second);
        files.push((other, file_on_machine(other)?));
    }
    let (mut setup, beside) = world(args)?;
    for (file, place) in files {
        setup.files.insert(place, content(file)?);
    }
    let name = scripts[0].name.clone();
    setup.scripts = scripts;
    let loaded = built(args, setup, &beside, Vec::new())?;
    let prepared = prepare(&loaded)?;
    match &args.explore {
        None => alone(args, layout, &loaded, &prepared, &name),
        Some(_) => explore(args, layout, &loaded, &prepared),
    }
}

fn prepare(loaded: &Loaded) -> Result<Prepared> {
    let arm = loaded
        .scenario
        .arm(BASELINE)
        .expect("it was built with one");
    loaded
        .prepare(arm, &BTreeMap::new(), &[])
        .map_err(|mistake| late_mistake(loaded, mistake))
}

fn file_name(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name =
        name.ok_or_else(|| Failure::bad_input(format!("{} names no file", path.display())))?;
    let lower = name.to_ascii_lowercase();
    match lower.ends_with(".bat") || lower.ends_with(".cmd") {
        true => Ok(name.into()),
        false => Err(Failure::bad_input(format!("{name} is no batch file"))
            .help("cmd.exe runs files whose names end in .bat or .cmd")),
    }
}

fn file_on_machine(path: &Path) -> Result<String> {
    Ok(format!("{FOLDER}\\{}", file_name(path)?))
}

fn content(path: &Path) -> Result<FileSetup> {
    let bytes = fs::read(path).map_err(|error| {
        Failure::bad_input(format!("{} cannot be read: {error}", path.display()))
    })?;
    if bytes.len() > MAX_BYTES {
        let what = format!("{} has {} bytes", path.display(), bytes.len());
        return Err(Failure::bad_input(what).help("at most 4 MiB are read"));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => FileSetup::Text(text),
        Err(error) => {
            let digits = error.as_bytes().iter().map(|byte| format!("{byte:02x}"));
            FileSetup::Hex(digits.collect())
        }
    })
}

fn script(args: &cli::Cmd, path: &Path, arguments: &[String]) -> Result<ScriptSetup> {
    let place = file_on_machine(path)?;
    let mut command = match place.contains([' ', '&', '(', ')', '^', ',', ';', '=']) {
        true => format!("\"{place}\""),
        false => place,
    };
    for argument in arguments {
        command.push(' ');
        match argument.contains(' ') && !argument.contains('"') {
            true => command.push_str(&format!("\"{argument}\"")),
            false => command.push_str(argument),
        }
    }
    Ok(ScriptSetup {
        name: file_name(path)?,
        command,
        directory: FOLDER.into(),
        user: Some(args.user.clone()),
        in_32_bits: args.bits == 32,
        in_chinese: args.locale == "zh-CN",
        input: args.input.clone(),
        ..ScriptSetup::default()
    })
}

/// The machine that was asked for, with the texts of the files beside it.
fn world(args: &cli::Cmd) -> Result<(Setup, BTreeMap<String, String>)> {
    let Some(path) = &args.world else {
        return Ok((Setup::default(), BTreeMap::new()));
    };
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|error| {
            Failure::bad_input(format!("{} cannot be read: {error}", path.display()))
        })
    };
    let text = read(path)?;
    let file = path.display().to_string();
    let setup = read_windows_world(&file, &text)
        .map_err(|mistake| Failure::mistake(mistake, Some(&text)))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut beside = BTreeMap::new();
    for name in setup.beside() {
        beside.insert(name.clone(), read(&folder.join(name))?);
    }
    Ok((setup, beside))
}

/// `NAME` or `NAME:at=ACTOR,nth=N,PARAMETER=VALUE`
fn fault(text: &str) -> Result<Fault> {
    let (name, settings) = text.split_once(':').unwrap_or((text, ""));
    let mut fault = Fault {
        name: name.into(),
        at: "*".into(),
        when: Default::default(),
        params: BTreeMap::new(),
        optional: false,
    };
    let number = |name: &str, value: &str| -> Result<u64> {
        value.parse().map_err(|_| {
            Failure::bad_input(format!(
                "--fault {text}: {name} takes a whole number, not {value:?}"
            ))
        })
    };
    for setting in settings.split(',').filter(|setting| !setting.is_empty()) {
        let Some((name, value)) = setting.split_once('=') else {
            return Err(
                Failure::bad_input(format!("--fault {text}: {setting:?} has no value"))
                    .help("write NAME:nth=2,PARAMETER=VALUE"),
            );
        };
        match name {
            "at" => fault.at = value.into(),
            "nth" => fault.when.nth = Some(number(name, value)?.min(u64::from(u32::MAX)) as u32),
            "from_ms" => fault.when.from_ms = Some(number(name, value)?),
            "before_ms" => fault.when.before_ms = Some(number(name, value)?),
            name => {
                let param = match value.parse() {
                    Ok(number) => Param::Number(number),
                    Err(_) => Param::Text(value.into()),
                };
                fault.params.insert(name.into(), param);
            }
        }
    }
    Ok(fault)
}

fn built(
    args: &cli::Cmd,
    setup: Setup,
    beside: &BTreeMap<String, String>,
    claims: Vec<Claim>,
) -> Result<Loaded> {
    let faults = args
        .fault
        .iter()
        .map(|text| fault(text))
        .collect::<Result<Vec<_>>>()?;
    let scenario = Scenario {
        version: faultlab_sim::scenario::VERSION,
        id: "cmd".into(),
        title: title(args),
        story: Story::default(),
        world: World::Windows(Setup {
            end_state: true,
            ..setup
        }),
        params: BTreeMap::new(),
        preempt_once_in: 4,
        until_ms: None,
        cases: vec![Case {
            params: BTreeMap::new(),
            search: Search::Run,
        }],
        arms: vec![Arm {
            name: BASELINE.into(),
            doc: String::new(),
            world: None,
            params: BTreeMap::new(),
            faults,
            cases: None,
        }],
        claims,
    };
    load_built("the command line", scenario, beside.clone()).map_err(|mistake| {
        let failure = Failure::bad_input(mistake.what);
        match mistake.help {
            Some(help) => failure.help(help),
            None => failure
                .help("faultlab cmd --help has the accounts, `faultlab list --faults` the faults"),
        }
    })
}

/// How the choices of a script that runs alone are taken.
fn chooser(args: &cli::Cmd) -> Chooser {
    args.seed.map_or(Chooser::Defaults, Chooser::Seed)
}

/// What is run, in words.
fn title(args: &cli::Cmd) -> String {
    let name = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.unwrap_or_default().into_owned()
    };
    let mut text = name(&args.file);
    for argument in &args.arguments {
        text += &format!(" {argument}");
    }
    if let Some(Some(other)) = &args.explore {
        text += &format!(" beside {}", name(other));
    }
    format!("{text}, as {}", args.user)
}

/// Shows what consoles show, as it comes.
struct Live {
    shows: bool,
    failed: Option<Failure>,
}

impl Observer<Record> for Live {
    fn see(&mut self, _: Time, _: Entity, record: &Record, _: &Names) {
        let Record::Cmd(CmdRecord::Output { stream, text }) = record else {
            return;
        };
        if !self.shows || self.failed.is_some() {
            return;
        }
        match *stream {
            "stderr" => eprint!("{text}"),
            _ => self.failed = console::print(text).err(),
        }
    }
}

/// What a script came to, for other programs.
#[derive(Serialize)]
struct Told<'a> {
    exit: u32,
    stdout: &'a str,
    stderr: &'a str,
    unsupported: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<Changes>,
}

/// What a script left other than it found it.
#[derive(Serialize)]
struct Changes {
    registry: Vec<String>,
    files: Vec<String>,
    variables: Vec<String>,
}

fn alone(
    args: &cli::Cmd,
    layout: Layout,
    loaded: &Loaded,
    prepared: &Prepared,
    name: &str,
) -> Result<Exit> {
    if args.step {
        let shown = Shown {
            title: title(args),
            prepared: prepared.clone(),
            chooser: chooser(args),
        };
        return step::show(shown, args.at, layout).map(|()| Exit::AsRecorded);
    }
    let mut book = args.html.begin()?;
    let mut live = Live {
        shows: !args.json,
        failed: None,
    };
    let ran = prepared.run_on_console(name, &mut *chooser(args).source(), &mut live);
    if let Some(failure) = live.failed {
        return Err(failure);
    }
    let changed = args.diff || book.is_some();
    let mut diff = changed.then(|| changes(prepared, &ran)).transpose()?;
    if let (Some(book), Some(diff)) = (&mut book, &diff) {
        book.add(chapter(args, loaded, prepared, &ran, diff, book.records()));
    }
    diff = diff.filter(|_| args.diff);
    if args.json {
        console::print_json(&Told {
            exit: ran.exit,
            stdout: &ran.stdout,
            stderr: &ran.stderr,
            unsupported: &ran.unsupported,
            diff,
        })?;
    } else {
        if let Some(diff) = &diff {
            console::print(&diff.page(layout))?;
        }
        for what in &ran.unsupported {
            eprintln!("not modelled: {what}");
        }
        if !ran.unsupported.is_empty() {
            eprintln!("What came after that is not to be trusted.");
        }
        eprintln!("exit code {}", ran.exit as i32);
    }
    if let Some(book) = book {
        book.commit()?;
    }
    Ok(Exit::of_verdicts(
        ran.exit == 0 && ran.unsupported.is_empty(),
    ))
}

/// The page of a script that ran alone: what it came to, and its run.
fn chapter(
    args: &cli::Cmd,
    loaded: &Loaded,
    prepared: &Prepared,
    ran: &Ran,
    diff: &Changes,
    records: usize,
) -> Chapter {
    let about = format!("exit code {}", ran.exit as i32);
    let mut chapter = Chapter::of(loaded, about);
    if !ran.unsupported.is_empty() {
        let what = ran.unsupported.join(", ");
        let text = format!("{what}. What came after that is not to be trusted.");
        chapter.add_part(Headed::new("Not modelled", text));
    }
    for (title, lines) in diff.parts() {
        let text = match lines.is_empty() {
            true => "no change".into(),
            false => lines.join("\n"),
        };
        chapter.add_part(Headed::new(title, text));
    }
    let shown = play(prepared, &chooser(args), records);
    chapter.add_run(title(args), "", &shown, true);
    chapter
}

fn changes(prepared: &Prepared, ran: &Ran) -> Result<Changes> {
    let first = prepared
        .windows_machine()
        .expect("it was built of a Windows world")
        .map_err(Failure::bad_input)?;
    let registry = registry_diff(&first.registry, &ran.machine.registry);
    let files = file_diff(&first.files, &ran.machine.files);
    let variable = |touched: &Touched| match (&touched.before, &touched.after) {
        (None, Some(text)) => format!("+ {}={text}", touched.what),
        (_, Some(text)) => format!("~ {}={text}", touched.what),
        (_, None) => format!("- {}", touched.what),
    };
    Ok(Changes {
        registry: registry_lines(&registry),
        files: files.iter().map(ToString::to_string).collect(),
        variables: ran.variables.iter().map(variable).collect(),
    })
}

impl Changes {
    fn parts(&self) -> [(&str, &Vec<String>); 3] {
        [
            ("registry", &self.registry),
            ("files", &self.files),
            ("variables at the end", &self.variables),
        ]
    }

    fn page(&self, layout: Layout) -> String {
        let mut page = Page::new(layout);
        for (title, lines) in self.parts() {
            page.gap();
            page.heading(title);
            if lines.is_empty() {
                page.item("  ", 2, "no change");
            }
            for line in lines.iter().flat_map(|line| line.lines()) {
                page.item("  ", 2, line);
            }
        }
        page.into_text()
    }
}

// --- every order of steps ------------------------------------------------------------------------------------------------

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

fn whole(prepared: &Prepared, source: &mut dyn Source, name: &str) -> End {
    let mut end = End::default();
    prepared.run_on_console(name, source, &mut end);
    end
}

/// The claim that every order of steps comes to what an order of whole scripts comes to.
const SERIAL: &str = "ends-as-one-after-the-other";

fn serial(ends: &[End]) -> Claim {
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
        arms: Vec::new(),
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

fn explore(args: &cli::Cmd, layout: Layout, loaded: &Loaded, prepared: &Prepared) -> Result<Exit> {
    let World::Windows(setup) = &loaded.scenario.world else {
        unreachable!("it was built of a Windows world");
    };
    let name = &setup.scripts[0].name;
    let mut book = args.html.begin()?;
    let mut ends = vec![
        whole(prepared, &mut Defaults, name),
        // The other one first, and to its end.
        whole(prepared, &mut Positional::new(vec![1], 0), name),
    ];
    ends.dedup();
    let repro = Output::create_if_asked(args.repro.as_ref())?;
    let loaded = built(args, setup.clone(), &loaded.scripts, vec![serial(&ends)])?;
    let prepared = prepare(&loaded)?;
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
        .map(|chooser| shortest(&loaded, chooser));
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
    let holds = shrunk.is_none() && found.complete && !found.unsupported;
    let told = Explored {
        basis: found.basis.to_string(),
        interleavings: found.runs.to_string(),
        races: races(&found, finding),
        complete: found.complete,
        unsupported: found.unsupported,
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

fn shortest(loaded: &Loaded, chooser: &Chooser) -> Result<Shrunk> {
    let witness = Witness {
        arm: BASELINE.into(),
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
        prepared: prepare(&again)?,
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
    let end = whole(&prepared, &mut *chooser.source(), "");
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
        page.paragraph(0, "each ends as if one script had run after the other");
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
