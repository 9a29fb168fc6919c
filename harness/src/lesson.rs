//! `lesson`: a scenario as an exercise. The symptom first, hints one by one, a question whose answer is computed,
//! and a fix that is judged by running it.
//!
//! A student's name gives other names, paths and numbers, and another run, of the same failure: all follow from
//! the name alone, so whoever knows it can compute the answer again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use faultlab_sim::engine::{mix, text_hash};
use faultlab_sim::scenario::{
    Chooser, Collector, Futures, Keep, Loaded, Match, Mistake, Pattern, Prepared, STATE_BUDGET,
    Scenario, Watch, World, load, point_of_no_return, search,
};
use serde::Deserialize;

use crate::cli;
use crate::console::{self, Layout};
use crate::deciding;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::library::{self, late_mistake};
use crate::on_arm::{self, OnArm, Quantifier};
use crate::output::reason;
use crate::render::{Page, style};
use crate::threads::Threads;

/// The file beside a scenario that makes it a lesson.
pub const FILE: &str = "lesson.ron";
/// The file in an exercise's folder that says whose it is.
const WHOSE: &str = "exercise.ron";
/// So many seeds are tried to find a student a run that fails.
const SEEDS: u64 = 10_000;

/// A lesson as its author writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(rename = "Lesson")]
struct Lesson {
    /// 1.
    version: u32,
    /// The arm that fails.
    arm: String,
    /// The claim that a run of it decides.
    claim: String,
    /// What somebody complains of.
    symptom: String,
    /// Texts of the scenario, its scripts and this lesson, and what may stand in their place.
    names: BTreeMap<String, Vec<String>>,
    /// One after the other, each giving away more.
    hints: Vec<String>,
    /// What is asked.
    ask: String,
    /// What computes the answer.
    answer: Answer,
    /// What is to be changed.
    fix: String,
    /// The files that may be changed: scripts, or `scenario.ron` (there, the world of the arm).
    edit: Vec<String>,
    /// What must stay so in every run: a fix that does nothing any more is none.
    keep: Vec<Kept>,
}

impl Lesson {
    /// Reads one.
    ///
    /// # Errors
    /// The first mistake, in its place.
    fn read(file: &str, text: &str) -> Result<Lesson> {
        let options = ron::Options::default()
            .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        options.from_str(text).map_err(|error| {
            let start = error.span.start;
            let what = error.code.to_string();
            let mistake = Mistake::at_line(file, text, start.line, start.col, what);
            Failure::mistake(mistake, Some(text))
        })
    }

    /// Whether it fits its scenario: what it names is there.
    ///
    /// # Errors
    /// The first mistake, in its place.
    fn check(&self, file: &str, text: &str, plain: &Loaded) -> Result<()> {
        let mistake = |part: &str, what: String, help: String| {
            let start = text.find(part).unwrap_or(0);
            let mistake = Mistake::at(file, text, start..start + part.len(), what).help(help);
            Err(Failure::mistake(mistake, Some(text)))
        };
        let quoted = |text: &str| format!("{text:?}");
        if self.version != 1 {
            let what = format!("version {}", self.version);
            return mistake("version", what, "this program reads version 1".into());
        }
        let Some(arm) = plain.scenario.arm(&self.arm) else {
            let arms: Vec<&str> = plain.scenario.arms.iter().map(|arm| &*arm.name).collect();
            let what = format!("the scenario has no arm {:?}", self.arm);
            return mistake(
                &quoted(&self.arm),
                what,
                format!("its arms are: {}", arms.join(", ")),
            );
        };
        let tried = on_arm::on_arm(plain, &arm.name);
        if !tried.iter().any(|on| on.claim.id == self.claim) {
            let claims: Vec<&str> = tried.iter().map(|on| &*on.claim.id).collect();
            let what = format!("no claim {:?} is tried on the arm {}", self.claim, arm.name);
            let help = format!("these are: {}", claims.join(", "));
            return mistake(&quoted(&self.claim), what, help);
        }
        for name in &self.edit {
            if name != "scenario.ron" && !plain.scripts.contains_key(name) {
                let scripts: Vec<&str> = plain.scripts.keys().map(String::as_str).collect();
                let what = format!("the scenario has no script {name:?}");
                let help = format!("it may be scenario.ron, {}", scripts.join(", "));
                return mistake(&quoted(name), what, help);
            }
        }
        for (name, others) in &self.names {
            if name.is_empty() || others.is_empty() {
                let what = format!("{name:?} has nothing that may stand in its place");
                let help = "give a text and at least one other".into();
                return mistake(&quoted(name), what, help);
            }
            let is_there = |text: &String| text.contains(name.as_str());
            if !is_there(&plain.text) && !plain.scripts.values().any(is_there) {
                let what = format!("neither the scenario nor a script has the text {name:?}");
                return mistake(
                    &quoted(name),
                    what,
                    "texts count as they stand in the file".into(),
                );
            }
        }
        Ok(())
    }
}

/// What must stay so.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    says: String,
    every: Pattern,
}

/// What a question asks for: a whole number.
#[derive(Clone, Debug, Deserialize)]
enum Answer {
    /// The record after which every future fails, in the student's run.
    PointOfNoReturn,
    /// How many records of the student's run match.
    Records(Match),
}

/// Whose an exercise is.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    scenario: String,
    student: String,
}

/// What was found of one thing that a fix must do.
struct Judged {
    is_good: bool,
    says: String,
    /// What `run --step` takes to show the run in which it is not so.
    see: Option<String>,
}

impl Judged {
    fn new(is_good: bool, says: impl Into<String>) -> Judged {
        Judged {
            is_good,
            says: says.into(),
            see: None,
        }
    }
}

/// A lesson as one student has it.
struct Exercise {
    /// What the user calls the scenario: its id, or a path.
    name: String,
    student: String,
    lesson: Lesson,
    loaded: Loaded,
}

/// Runs the command.
///
/// # Errors
/// Bad input.
pub fn run(args: &cli::Lesson, layout: Layout) -> Result<Exit> {
    // Before its exercise is looked for: a name that is not there has none.
    let found = library::find(&args.name)?;
    let whose = match &args.check {
        Some(folder) => Some(read_whose(folder, &args.name)?),
        None => None,
    };
    let of = whose.as_ref().map(|whose| whose.scenario.clone());
    let student = match (&args.student, whose) {
        (Some(student), Some(whose)) if *student != whose.student => {
            let what = format!("the exercise is that of {:?}", whose.student);
            return Err(Failure::bad_input(what).help("leave --student out"));
        }
        (Some(student), _) => student.clone(),
        (None, Some(whose)) => whose.student,
        (None, None) => String::new(),
    };
    let exercise = Exercise::new(&args.name, &found, student)?;
    let own = &exercise.loaded.scenario.id;
    if let (Some(folder), Some(other)) = (&args.check, of.filter(|of| of != own)) {
        let what = format!("it is an exercise of {other}");
        return Err(not_that_exercise(folder, &args.name, &what));
    }
    if let Some(count) = args.hint {
        return exercise.hints(count, layout);
    }
    if let Some(folder) = &args.start {
        return exercise.start(folder);
    }
    if args.solution {
        let text = format!("{}\n", exercise.answer()?);
        return console::print(&text).map(|()| Exit::AsRecorded);
    }
    match (&args.check, args.answer) {
        (None, None) => exercise.tell(layout),
        (folder, answer) => exercise.check(folder.as_deref(), answer, layout),
    }
}

/// The folder has no exercise of the scenario that the user calls `name`.
fn not_that_exercise(folder: &Path, name: &str, why: &str) -> Failure {
    let path = folder.join(WHOSE);
    Failure::bad_input(format!("{}: {why}", path.display())).help(format!(
        "faultlab lesson {name} --start DIR makes the folder"
    ))
}

fn read_whose(folder: &Path, name: &str) -> Result<Whose> {
    let what = |why: String| not_that_exercise(folder, name, &why);
    let text = library::read_text(&folder.join(WHOSE)).map_err(what)?;
    ron::from_str(&text).map_err(|error| what(error.to_string()))
}

impl Exercise {
    fn new(name: &str, found: &library::Found, student: String) -> Result<Exercise> {
        let plain = found.load()?;
        let text = found.text_beside(FILE).map_err(|_| {
            Failure::bad_input(format!("there is no lesson for {name}"))
                .help("scenarios/README.md tells how to write one; there are lessons for goroot-race, path-lost-update and rst-storm")
        })?;
        let file = format!("{name}/{FILE}");
        let written = Lesson::read(&file, &text)?;
        written.check(&file, &text, &plain)?;
        let replaced: Vec<(&str, &str)> = written
            .names
            .iter()
            .filter_map(|(there, others)| {
                let word = mix(&[
                    text_hash(&student),
                    text_hash(&plain.scenario.id),
                    text_hash(there),
                ]);
                let nth = word.checked_rem(others.len() as u64)?;
                Some((there.as_str(), others[nth as usize].as_str()))
            })
            .collect();
        let fill = |text: &str| match student.is_empty() {
            true => text.to_owned(),
            false => replace_all(text, &replaced),
        };
        let lesson = Lesson::read(&file, &fill(&text))?;
        let mut script = |script: &str| {
            let text = plain.scripts.get(script).ok_or("there is no such file")?;
            Ok(fill(text))
        };
        let loaded = load(&plain.file, &fill(&plain.text), &mut script)
            .map_err(|mistake| Failure::mistake(mistake, None))?;
        Ok(Exercise {
            name: name.into(),
            student,
            lesson,
            loaded,
        })
    }

    /// The claim on its arm.
    fn on<'a>(&'a self) -> Result<OnArm<'a>> {
        let on = on_arm::on_arm(&self.loaded, &self.lesson.arm);
        let found = on.into_iter().find(|on| on.claim.id == self.lesson.claim);
        found.ok_or_else(|| {
            let Lesson { arm, claim, .. } = &self.lesson;
            Failure::bad_input(format!(
                "{FILE}: the claim {claim} is not tried on the arm {arm}"
            ))
        })
    }

    fn prepared(&self) -> Result<Prepared> {
        let arm = on_arm::arm(&self.loaded, &self.lesson.arm)?;
        let case = self.loaded.scenario.cases_of(arm).first();
        let params = case.map(|case| case.params.clone()).unwrap_or_default();
        self.loaded
            .prepare(arm, &params, &[])
            .map_err(|mistake| late_mistake(&self.loaded, mistake))
    }

    /// The seed of the student's run: the first of their own under which it fails.
    fn seed(&self, prepared: &Prepared) -> Result<u64> {
        let on = self.on()?;
        let watch = on_arm::watch(&[on]);
        let first = mix(&[
            text_hash(&self.student),
            text_hash(&self.loaded.scenario.id),
        ]) % 1_000_000;
        (first..first + SEEDS)
            .find(|seed| {
                let outcome = prepared.run(&Chooser::Seed(*seed), &watch, Keep::default());
                on.quantifier.is_decided_by(outcome.bits & 1 == 1)
            })
            .ok_or_else(|| {
                Failure::bad_input(format!(
                    "no run of {SEEDS} fails: the lesson has none to show"
                ))
            })
    }

    fn answer(&self) -> Result<u64> {
        let prepared = self.prepared()?;
        let chooser = Chooser::Seed(self.seed(&prepared)?);
        match &self.lesson.answer {
            Answer::PointOfNoReturn => {
                let on = self.on()?;
                let so = on.quantifier == Quantifier::Some;
                let how = Futures::CountedOr(STATE_BUDGET, 1000);
                let watch = on_arm::watch(&[on]);
                let threads = Threads::new(None);
                let found =
                    point_of_no_return(&prepared, &watch, so, &chooser, how, &threads, &|_| {});
                let record = found.ok().and_then(|found| {
                    let point = &found.points[found.point?];
                    point.records.end.checked_sub(1)
                });
                record.map(|record| record as u64).ok_or_else(|| {
                    Failure::bad_input(
                        "every future of the run fails from the start: the lesson asks for nothing",
                    )
                })
            }
            Answer::Records(of) => {
                let watch = Watch::new(Vec::new());
                let mut counter = Collector::new(Pattern::Count {
                    of: of.clone(),
                    least: None,
                    most: None,
                });
                prepared.run_seen(&chooser, &watch, Keep::default(), &mut counter);
                Ok(counter.evidence().count as u64)
            }
        }
    }

    fn tell(&self, layout: Layout) -> Result<Exit> {
        let Lesson {
            symptom,
            ask,
            fix,
            edit,
            hints,
            ..
        } = &self.lesson;
        let (id, name) = (&self.loaded.scenario.id, &self.name);
        let seed = self.seed(&self.prepared()?)?;
        let counted = match self.lesson.answer {
            Answer::PointOfNoReturn => " (records count from 0)",
            Answer::Records(_) => "",
        };
        let student = match self.student.as_str() {
            "" => String::new(),
            name => format!(" --student {name:?}"),
        };
        let mut page = Page::new(layout);
        page.heading(&format!("{id}: an exercise"));
        page.paragraph(2, symptom);
        page.gap();
        page.item("  1. ", 5, &format!("Get it: faultlab lesson {name}{student} --start DIR. See it happen: faultlab run DIR/scenario.ron --step --arm {} --seed {seed}", self.lesson.arm));
        page.item(
            "  2. ",
            5,
            &format!("{ask}{counted} Answer: faultlab lesson {name}{student} --answer N"),
        );
        page.item(
            "  3. ",
            5,
            &format!(
                "{fix} You may change {}. Then: faultlab lesson {name} --check DIR",
                edit.join(", ")
            ),
        );
        page.gap();
        page.paragraph(
            2,
            &format!(
                "There are {} hints: faultlab lesson {id}{student} --hint 1",
                hints.len()
            ),
        );
        console::print(&page.into_text())?;
        Ok(Exit::AsRecorded)
    }

    fn hints(&self, count: usize, layout: Layout) -> Result<Exit> {
        let hints = &self.lesson.hints;
        if count == 0 || count > hints.len() {
            return Err(Failure::bad_input(format!("there is no hint {count}"))
                .help(format!("the hints are 1 to {}", hints.len())));
        }
        let mut page = Page::new(layout);
        for (nth, hint) in hints.iter().take(count).enumerate() {
            page.item(&format!("{}. ", nth + 1), 3, hint);
        }
        console::print(&page.into_text())?;
        Ok(Exit::AsRecorded)
    }

    /// Writes the student's files, all or none.
    fn start(&self, folder: &Path) -> Result<Exit> {
        let cannot = |why: String| {
            Failure::bad_input(format!("{} cannot be begun: {why}", folder.display()))
        };
        if folder.exists() {
            return Err(
                cannot("it is there already".into()).help("name a folder that is not there yet")
            );
        }
        let whose = Whose {
            scenario: self.loaded.scenario.id.clone(),
            student: self.student.clone(),
        };
        let whose = ron::to_string(&whose).expect("two texts");
        let beside = folder.parent().filter(|parent| *parent != Path::new(""));
        let building = tempfile::tempdir_in(beside.unwrap_or(Path::new(".")))
            .map_err(|error| cannot(reason(&error)))?;
        let scripts = self.loaded.scripts.iter();
        let files = scripts.map(|(name, text)| (name.as_str(), text.as_str()));
        for (name, text) in files.chain([("scenario.ron", &*self.loaded.text), (WHOSE, &*whose)]) {
            let path = building.path().join(name);
            let written = fs::create_dir_all(path.parent().expect("below the folder"))
                .and_then(|()| fs::write(&path, text));
            written.map_err(|error| cannot(error.to_string()))?;
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let open = fs::Permissions::from_mode(0o755);
            fs::set_permissions(building.path(), open)
                .map_err(|error| cannot(error.to_string()))?;
        }
        fs::rename(building.path(), folder).map_err(|error| cannot(error.to_string()))?;
        Ok(Exit::AsRecorded)
    }

    fn check(&self, folder: Option<&Path>, answer: Option<u64>, layout: Layout) -> Result<Exit> {
        let mut page = Page::new(layout);
        let mut passes = true;
        let mut mark = |page: &mut Page, good: bool, text: &str| {
            let mark = match good {
                true => page.paint(style::GOOD, "✓"),
                false => page.paint(style::BAD, "✗"),
            };
            page.item(&format!("{mark} "), 2, text);
            passes &= good;
        };
        if let Some(answer) = answer {
            let right = self.answer()? == answer;
            mark(
                &mut page,
                right,
                &format!("{answer} is {}", if right { "right" } else { "not it" }),
            );
        }
        if let Some(folder) = folder {
            for judged in self.judge(folder)? {
                mark(&mut page, judged.is_good, &judged.says);
                if let Some(see) = judged.see {
                    let path = folder.join("scenario.ron");
                    let run = format!(
                        "faultlab run {} --step --arm {}",
                        path.display(),
                        self.lesson.arm
                    );
                    page.item("  ", 4, &format!("see the run: {run} {see}"));
                }
            }
        }
        console::print(&page.into_text())?;
        Ok(Exit::of_verdicts(passes))
    }

    /// Judges the fix in a folder by running it.
    fn judge(&self, folder: &Path) -> Result<Vec<Judged>> {
        let path = folder.join("scenario.ron").display().to_string();
        let theirs = library::find(&path)?.load()?;
        if let Some(what) = self.changed_elsewhere(&theirs) {
            let allowed = self.lesson.edit.join(", ");
            let says = format!("{what} was changed; only {allowed} may be");
            return Ok(vec![Judged::new(false, says)]);
        }
        // Judged by the lesson's own claim, on their world.
        let arm = on_arm::arm(&theirs, &self.lesson.arm)?;
        let on = self.on()?;
        let own = on_arm::arm(&self.loaded, &self.lesson.arm)?;
        let cases = self.loaded.scenario.cases_of(own);
        let mut said = Vec::new();
        let looked = deciding::look(&theirs, arm, &[on], cases, None, &|_| {})?;
        let looked = looked.into_iter().next().unwrap_or_default();
        said.push(match (&looked.run, looked.unsupported) {
            (_, true) => Judged::new(
                false,
                "it uses what the models do not support, so nothing can be said",
            ),
            (Some(_), _) => Judged {
                see: Some(format!("--claim {}", on.claim.id)),
                ..Judged::new(
                    false,
                    format!("it still fails in some run: {}", on.claim.says),
                )
            },
            (None, _) => Judged::new(true, "it fails in no run that was looked at"),
        });
        for kept in &self.lesson.keep {
            let watch = Watch::new(vec![kept.every.clone()]);
            let mut judged = Judged::new(true, &*kept.says);
            for case in cases {
                let prepared = theirs
                    .prepare(arm, &case.params, &[])
                    .map_err(|mistake| late_mistake(&theirs, mistake))?;
                let found = search(
                    &prepared,
                    &watch,
                    &case.search,
                    0,
                    STATE_BUDGET,
                    &Threads::new(None),
                );
                let miss = &found.findings[0].miss;
                judged.is_good &= miss.is_none() && found.complete;
                if let Some(Chooser::Seed(seed)) = miss {
                    judged.see.get_or_insert(format!("--seed {seed}"));
                }
            }
            said.push(judged);
        }
        Ok(said)
    }

    /// What differs from the exercise that the lesson does not let be changed.
    fn changed_elsewhere(&self, theirs: &Loaded) -> Option<String> {
        let may = |name: &str| self.lesson.edit.iter().any(|edit| edit == name);
        for (name, text) in &self.loaded.scripts {
            if theirs.scripts.get(name) != Some(text) && !may(name) {
                return Some(name.clone());
            }
        }
        let but_for_worlds = |scenario: &Scenario| {
            let mut scenario = scenario.clone();
            if may("scenario.ron") {
                scenario.world = World::Nothing;
                scenario.arms.iter_mut().for_each(|arm| arm.world = None);
            }
            scenario
        };
        let same = but_for_worlds(&theirs.scenario) == but_for_worlds(&self.loaded.scenario);
        (!same).then(|| "scenario.ron".into())
    }
}

/// Each text by its other, all at once: what was put in is not looked at again.
fn replace_all(text: &str, others: &[(&str, &str)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        match others.iter().find(|(there, _)| rest.starts_with(there)) {
            Some((there, other)) => {
                out += other;
                rest = &rest[there.len()..];
            }
            None => {
                let c = rest.chars().next().expect("it is not empty");
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}
