//! `explore --point-of-no-return`: along a run that fails, the share of the futures that still fail, and
//! the record after which all of them do.

use std::collections::BTreeMap;
use std::time::Instant;

use faultlab_sim::engine::Choice;
use faultlab_sim::scenario::{
    Arm, Counted, Futures, LONGEST, Loaded, Looking, NoFutures, Point, PointOfNoReturn, Rest,
    STATE_BUDGET, Share, point_of_no_return,
};
use serde::Serialize;

use crate::cli::{self, Schedules};
use crate::console::{self, Layout};
use crate::deciding::{self, Deciding};
use crate::exit::Exit;
use crate::explore;
use crate::failure::{Failure, Result};
use crate::html::{Book, Chapter, ClaimView, FuturesView, Headed, play};
use crate::on_arm::{self, OnArm, Quantifier};
use crate::progress::Progress;
use crate::render::search::in_parentheses;
use crate::render::{Page, counted, grouped, printable, schedule, style, took};
use crate::threads::Threads;

/// How many seeds are tried from each record where interleavings cannot be counted, and nobody says.
const SEEDS: u64 = 200;

/// How many states may be told apart to count interleavings, where nobody asks for that: about a second.
const STATES: u64 = 200_000;

/// Runs the command.
///
/// # Errors
/// Bad input.
pub fn run(args: &cli::Explore, loaded: &Loaded, layout: Layout) -> Result<Exit> {
    let arms = arms(args, loaded);
    if arms.is_empty() {
        let what = format!("by the record no run of {} decides a claim", args.name);
        return Err(
            Failure::bad_input(what).help("--arm NAME looks for one on an arm, such as a control")
        );
    }
    if let Some(named) = &args.arm {
        on_arm::check_settings(loaded, on_arm::arm(loaded, named)?, &args.set)?;
    }
    let mut book = args.html.begin()?;
    let mut chapter = Chapter::of(
        loaded,
        "the futures along runs that decide a claim".to_owned(),
    );
    let mut as_recorded = true;
    let mut page = Page::new(layout);
    page.heading(&format!(
        "{}: {}",
        loaded.scenario.id, loaded.scenario.title
    ));
    for (name, ids) in arms {
        let arm = on_arm::arm(loaded, &name)?;
        let claims = on_arm::on_arm(loaded, &name);
        let meant = |on: &OnArm<'_>| args.arm.is_some() || ids.contains(&on.claim.id);
        let claims: Vec<OnArm<'_>> = claims.into_iter().filter(meant).collect();
        for (told, run) in tell_arm(args, loaded, arm, &claims)? {
            as_recorded &= told.is_as_recorded();
            if let Some(book) = &book {
                chapter.add_claim(told.view());
                if let (Some(run), Some(futures)) = (run, &told.futures) {
                    told.add_run(&mut chapter, &run, futures, book.records());
                }
            }
            match args.json {
                true => console::print_json(&told)?,
                false => {
                    page.gap();
                    show(&mut page, &told);
                    console::print(&std::mem::replace(&mut page, Page::new(layout)).into_text())?;
                }
            }
        }
    }
    if let Some(book) = &mut book {
        book.add(chapter);
    }
    book.map_or(Ok(()), Book::commit)?;
    if !args.json {
        page.gap();
        console::print(&page.into_text())?;
    }
    Ok(Exit::of_verdicts(as_recorded))
}

/// The arms on which a run is looked for, each with the claims that fail there by the record: the arm
/// that was named, or else for each claim the one in which its statement is decided by a single run.
fn arms(args: &cli::Explore, loaded: &Loaded) -> Vec<(String, Vec<String>)> {
    if let Some(arm) = &args.arm {
        return vec![(arm.clone(), Vec::new())];
    }
    let mut arms: Vec<(String, Vec<String>)> = Vec::new();
    for claim in &loaded.scenario.claims {
        let Some(arm) = deciding::arm_of(loaded, claim) else {
            continue;
        };
        match arms.iter_mut().find(|(name, _)| *name == arm) {
            Some((_, ids)) => ids.push(claim.id.clone()),
            None => arms.push((arm.into(), vec![claim.id.clone()])),
        }
    }
    arms
}

/// What is told of one claim.
#[derive(Serialize)]
struct Told<'a> {
    scenario: &'a str,
    arm: &'a str,
    params: BTreeMap<String, String>,
    claim: &'a str,
    quantifier: Quantifier,
    /// Whether a run fails if the claim's pattern is so in it, or if it is not.
    so: bool,
    /// The run, if one was found: the choices that differ from their defaults.
    choices: Option<Vec<Choice>>,
    /// What takes all others.
    rest: Option<Rest>,
    /// The choices in words.
    schedule: Vec<String>,
    /// The futures along it.
    futures: Option<PointOfNoReturn>,
    /// Why they were not looked at, though there is a run.
    refused: Option<String>,
    #[serde(skip)]
    says: &'a str,
    #[serde(skip)]
    expected: Option<bool>,
    #[serde(skip)]
    unsupported: bool,
}

impl Told<'_> {
    fn is_as_recorded(&self) -> bool {
        let wanted = self.expected == Some(self.quantifier == Quantifier::Some);
        match &self.choices {
            Some(_) => !self.quantifier.is_contradiction(self.expected),
            None => !wanted && !self.unsupported,
        }
    }

    /// The arm, and what its runs come to.
    fn place(&self) -> String {
        format!("arm {}{}", self.arm, in_parentheses(&self.params))
    }

    /// Why there are no futures to show.
    fn no_futures(&self) -> String {
        let so = if self.so { "so" } else { "not so" };
        let place = self.place();
        match &self.refused {
            Some(why) => format!("{place}: it is {so} in a run, and {why}"),
            None => format!(
                "{place}: in no run that was looked at is it {so}: there is nothing to turn back from"
            ),
        }
    }

    /// The claim on the page.
    fn view(&self) -> ClaimView {
        let (word, verdict) = match (&self.choices, self.so) {
            (Some(_), true) => ("Holds", "so in a run"),
            (Some(_), false) => ("Refuted", "not so in a run"),
            (None, _) => ("Undecided", "no run to show"),
        };
        let mut facts = vec![Headed::new("claims", self.quantifier.words())];
        facts.push(match &self.futures {
            Some(found) => Headed::new("found", self::verdict(found)),
            None => Headed::new("found", self.no_futures()),
        });
        let as_expected = self.is_as_recorded();
        ClaimView {
            id: self.claim.into(),
            says: self.says.into(),
            word: word.into(),
            verdict: verdict.into(),
            as_expected,
            difference: "✗ this is not as the scenario records it".into(),
            facts,
            records: Vec::new(),
        }
    }

    /// The run on the page, with the futures along it.
    fn add_run(
        &self,
        chapter: &mut Chapter,
        run: &Deciding,
        futures: &PointOfNoReturn,
        records: usize,
    ) {
        let mut shown = play(&run.prepared, &run.chooser(), records);
        let so = if self.so { "so" } else { "not so" };
        let title = format!("{}: {so}, {}", self.claim, self.place());
        let schedule = match self.schedule.as_slice() {
            [] => "No choice departs from what takes all.".into(),
            choices => format!("{}.", choices.join("; ")),
        };
        let view = FuturesView::new(self.claim, self.says, futures);
        shown.futures = Some(futures.clone());
        chapter.add_futures(view, title, &schedule, &shown);
    }
}

fn tell_arm<'a>(
    args: &cli::Explore,
    loaded: &'a Loaded,
    arm: &'a Arm,
    claims: &[OnArm<'a>],
) -> Result<Vec<(Told<'a>, Option<Deciding>)>> {
    if claims.is_empty() {
        return Err(explore::no_claim(&args.name, arm));
    }
    let progress = Progress::spinner();
    let began = Instant::now();
    let say = |what: &str| progress.say(&format!("{} / {}: {what}", args.name, arm.name));
    let cases = explore::cases(loaded, arm, args);
    let looked = deciding::look(loaded, arm, claims, &cases, args.budget, &say)?;
    let mut told = Vec::new();
    for (on, looked) in claims.iter().zip(looked) {
        let tell = |looking| say(&format!("{}: {}", on.claim.id, in_words(looking)));
        let run = looked.run.as_ref();
        let found = run.map(|run| along(run, on, futures(args), &tell));
        let (found, refused) = match found.transpose() {
            Err(NoFutures::TooLong { steps }) => (None, Some(too_long(steps))),
            other => (other.map_err(|none| no_futures(on, none))?, None),
        };
        let of_claim = Told {
            scenario: &loaded.scenario.id,
            arm: &arm.name,
            params: run.map(|run| run.params.clone()).unwrap_or_default(),
            claim: &on.claim.id,
            quantifier: on.quantifier,
            so: on.quantifier == Quantifier::Some,
            schedule: run
                .map(|run| run.choices.iter().map(schedule::sentence).collect())
                .unwrap_or_default(),
            choices: run.map(|run| run.choices.clone()),
            rest: run.map(|run| run.rest),
            futures: found,
            refused,
            says: &on.claim.says,
            expected: on.expected,
            unsupported: looked.unsupported,
        };
        told.push((of_claim, looked.run));
    }
    drop(progress);
    if !args.json {
        eprintln!("{} / {}: in {}", args.name, arm.name, took(began.elapsed()));
    }
    Ok(told)
}

/// The futures along a run that decides a claim.
fn along(
    run: &Deciding,
    on: &OnArm<'_>,
    how: Futures,
    tell: &dyn Fn(Looking),
) -> std::result::Result<PointOfNoReturn, NoFutures> {
    let watch = on_arm::watch(&[*on]);
    let threads = Threads::new(None);
    let chooser = run.chooser();
    point_of_no_return(&run.prepared, &watch, run.so, &chooser, how, &threads, tell)
}

/// What is being looked at, for who waits.
fn in_words(looking: Looking) -> String {
    match looking {
        Looking::Run { records } => format!("its run, {}", counted(records, "record")),
        Looking::Futures { step: 0, .. } => "the futures from the start".into(),
        Looking::Futures { step, steps } => format!(
            "the futures after step {} of {}",
            grouped(step),
            grouped(steps)
        ),
    }
}

fn no_futures(on: &OnArm<'_>, why: NoFutures) -> Failure {
    let what = match why {
        NoFutures::DoesNotFail => {
            format!("the run that decides {} decides it no more", on.claim.id)
        }
        NoFutures::TooLong { steps } => too_long(steps),
    };
    Failure::bad_input(what).help("it met what the models do not support")
}

fn too_long(steps: u64) -> String {
    format!(
        "of {} some futures end otherwise, which are looked at along runs of up to {}: make the world \
         smaller in a copy of the scenario (fewer clients, a shorter until_ms)",
        counted(steps, "step"),
        grouped(LONGEST)
    )
}

fn futures(args: &cli::Explore) -> Futures {
    match args.schedules {
        None => Futures::CountedOr(STATES, SEEDS),
        Some(Schedules::Exhaustive) => {
            Futures::CountedOr(args.budget.unwrap_or(STATE_BUDGET), SEEDS)
        }
        Some(Schedules::Pct | Schedules::Random) => Futures::Seeds(args.budget.unwrap_or(SEEDS)),
    }
}

/// How many rows a table of futures has at most.
const ROWS: usize = 40;
/// How many columns the bar of a row has.
const BAR: usize = 20;
/// Where the words of a row begin.
const COLUMNS: usize = 8 + 1 + 7 + 1 + BAR + 1;
/// By how much the share must change to be worth a row, in parts of a million.
const CHANGE: u64 = 10_000;

fn show(page: &mut Page, told: &Told<'_>) {
    let id = page.paint(style::HEADING, told.claim);
    page.item("  ", 4, &format!("{id}: {}", told.says));
    let (Some(choices), Some(found)) = (&told.choices, &told.futures) else {
        page.paragraph(4, &told.no_futures());
        return;
    };
    let so = if told.so { "so" } else { "not so" };
    page.paragraph(4, &format!("{}; {so} in this run:", told.place()));
    match (told.rest, choices.as_slice()) {
        (Some(Rest::Seed(seed)), []) => page.paragraph(6, &format!("all choices by seed {seed}")),
        _ => schedule::list(page, 6, choices),
    }
    page.paragraph(4, &rests_on(found));
    page.gap();
    table(page, found);
    page.gap();
    let words = verdict(found);
    let words = page.paint(style::BAD, words);
    page.paragraph(4, &words);
    if let Some(words) = largest_jump(found) {
        page.paragraph(4, &words);
    }
}

/// What the shares are of, and what they rest on.
pub fn rests_on(found: &PointOfNoReturn) -> String {
    let basis = match found.counted {
        Counted::Interleavings { states } => format!(
            "every interleaving from there on, counted over {}",
            counted(states, "state")
        ),
        Counted::Seeds { n } => format!("{} tried from there on", counted(n, "seed")),
    };
    let steps = counted(found.steps, "step");
    let places = match found.points.len() as u64 {
        0 => format!("before the first of {steps}"),
        all if all == found.steps => format!("after each of {steps}"),
        some => format!("after {some} of {steps}"),
    };
    format!(
        "how many futures come to the same, {places} ({}): {basis}",
        counted(found.records, "record")
    )
}

/// `after record 40, `switcher` renames ...: from 7 % to 100 %`.
fn at(found: &PointOfNoReturn, index: usize) -> String {
    let point = &found.points[index];
    let (before, after) = (percent(found.before(index)), percent(&point.share));
    let place = match last_record(point) {
        None => format!("after step {} (no record)", grouped(point.step)),
        Some(record) => format!("after record {}", grouped(record)),
    };
    let words = printable(&words(point));
    format!("{place}, {words}: from {before} to {after}")
}

/// What a step did.
pub fn words(point: &Point) -> String {
    match (point.words.as_slice(), point.operation.as_str()) {
        ([], "") => format!("`{}` takes a step", point.actor),
        ([], operation) => format!("`{}` performs \"{operation}\"", point.actor),
        (words, _) => words.join("; then "),
    }
}

/// Where it jumps, in a sentence.
pub fn verdict(found: &PointOfNoReturn) -> String {
    match found.point {
        Some(index) => format!("The point of no return: {}", at(found, index)),
        None => "No point of no return: every future fails from the start".into(),
    }
}

/// Where it jumps most, if that is not where it becomes all.
pub fn largest_jump(found: &PointOfNoReturn) -> Option<String> {
    let jump = found.jump.filter(|jump| Some(*jump) != found.point)?;
    Some(format!("The largest jump: {}", at(found, jump)))
}

/// A row of a table of futures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Row {
    /// Before the first transition.
    Start,
    /// After the point at this index.
    Point(usize),
    /// So many points of little change, left out.
    Left(usize),
}

/// A row wherever the share has changed enough since the last one. Of too many, those with the largest
/// changes.
pub fn rows(found: &PointOfNoReturn) -> Vec<Row> {
    let is_named = |index: usize| [found.point, found.jump].contains(&Some(index));
    let mut points = Vec::new();
    let mut last = found.start.ppm();
    for (index, point) in found.points.iter().enumerate() {
        let change = last.abs_diff(point.share.ppm());
        if change >= CHANGE || is_named(index) {
            points.push((index, change));
            last = point.share.ppm();
        }
    }
    if points.len() > ROWS {
        points.sort_by_key(|(index, change)| std::cmp::Reverse((is_named(*index), *change)));
        points.truncate(ROWS);
        points.sort_unstable();
    }
    let mut rows = vec![Row::Start];
    let mut next = 0;
    for (index, _) in points {
        rows.extend((index > next).then(|| Row::Left(index - next)));
        rows.push(Row::Point(index));
        next = index + 1;
    }
    let after = found.points.len() - next;
    rows.extend((after > 0).then_some(Row::Left(after)));
    rows
}

fn table(page: &mut Page, found: &PointOfNoReturn) {
    for of in rows(found) {
        match of {
            Row::Start => row(page, "record", &found.start, "before the first step"),
            Row::Point(index) => {
                let point = &found.points[index];
                let record = last_record(point).map_or("-".into(), grouped);
                row(page, &record, &point.share, &printable(&words(point)));
            }
            Row::Left(count) => {
                let text = format!("… {} of little change", counted(count, "step"));
                let text = page.paint(style::FAINT, text);
                page.item(&" ".repeat(COLUMNS), COLUMNS, &text);
            }
        }
    }
}

/// The last record that a step wrote, if it wrote one.
pub fn last_record(point: &Point) -> Option<usize> {
    (!point.records.is_empty()).then(|| point.records.end - 1)
}

fn row(page: &mut Page, record: &str, share: &Share, words: &str) {
    let bar = format!("{:BAR$}", bar(share.ppm()));
    let bar = match share.is_all() {
        true => page.paint(style::BAD, bar),
        false => bar,
    };
    page.item(
        &format!("{record:>8} {:>7} {bar} ", percent(share)),
        COLUMNS,
        words,
    );
}

/// `▇▇▇▌` in eighths of a column; something for anything above nothing.
fn bar(ppm: u64) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (ppm * BAR as u64 * 8).div_ceil(1_000_000) as usize;
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

/// A share for a reader: 0 % and 100 % only if it is none and all.
pub fn percent(share: &Share) -> String {
    match share.ppm() {
        0 if share.failing == Default::default() => "0 %".into(),
        0 => "<0.1 %".into(),
        1_000_000 => "100 %".into(),
        ppm if ppm < 1000 => "<0.1 %".into(),
        ppm if ppm >= 999_000 => ">99.9 %".into(),
        ppm if !(20_000..980_000).contains(&ppm) => {
            format!("{}.{} %", ppm / 10_000, ppm / 1000 % 10)
        }
        ppm => format!("{} %", (ppm + 5_000) / 10_000),
    }
}
