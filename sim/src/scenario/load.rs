//! Reading a scenario: RON to the schema, and every check that can be made before a run.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::engine::{Armed, FaultSpec, Param, ParamKind};
use crate::observe::population::Population;
use crate::observe::{Contest, LabError, ObserveLab};
use crate::win7::program::SetupError;
use crate::win7::registry::reg_file::LoadError;

use super::document;
use super::mistake::{Mistake, locate, nearest};
use super::pattern::Pattern;
use super::schema::{
    Arm, BASELINE, Claim, Fault, Scenario, Search, Statement, VERSION, Verdict, World,
};
use super::stage::{Record, fault_table};

/// A scenario that was checked, with its text for messages and the scripts that it runs.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub scenario: Scenario,
    /// The file that it came from, as the user named it.
    pub file: String,
    /// The file's text.
    pub text: String,
    /// The scripts that it names, by the names that it gives them.
    pub scripts: BTreeMap<String, String>,
}

/// No scenario or reproduction is longer, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// The RON dialect of all our files: `Some` may be left out.
pub(crate) fn dialect() -> ron::Options {
    ron::Options::default()
        .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME)
        .with_recursion_limit(64)
}

/// Reads `text` as RON, in the dialect of all our files.
///
/// # Errors
/// The place and what was expected there.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Mistake> {
    if text.len() > MAX_BYTES {
        let what = format!("the file has {} bytes", text.len());
        return Err(Mistake::at(file, text, 0..0, what).help("at most 4 MiB are read"));
    }
    dialect().from_str(text).map_err(|error| {
        let start = error.span.start;
        let what = match error.code {
            ron::Error::IntegerOutOfBounds => out_of_bounds::<T>(text, start),
            other => other.to_string(),
        };
        Mistake::at_line(file, text, start.line, start.col, what)
    })
}

/// What is said of a whole number whose digits begin at `start` and that does not fit there. The reader does not say
/// what would fit: so the ends of every type are tried in its place.
fn out_of_bounds<T: DeserializeOwned>(text: &str, start: ron::error::Position) -> String {
    let lines = text
        .split_inclusive('\n')
        .take(start.line.saturating_sub(1));
    let line_at = lines.map(str::len).sum::<usize>();
    let in_line = text[line_at..].chars().take(start.col.saturating_sub(1));
    let digits_at = line_at + in_line.map(char::len_utf8).sum::<usize>();
    let is_digit = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    // The reader points behind a sign and a base.
    let before = text[..digits_at].trim_end_matches(is_digit);
    let rest = &text[before.len()..];
    let (digits, after) =
        rest.split_at(rest.find(|letter| !is_digit(letter)).unwrap_or(rest.len()));
    let (before, sign) = match before.strip_suffix('-') {
        Some(before) => (before, "-"),
        None => (before, ""),
    };
    let number = format!("{sign}{digits}");
    let fits = |number: &i128| {
        let read = dialect().from_str::<T>(&format!("{before}{number}{after}"));
        // What comes later may be wrong as well, but it does come later.
        !read.is_err_and(|error| {
            let at = error.span.start;
            error.code == ron::Error::IntegerOutOfBounds
                && at.line == start.line
                // A sign and a base more or less move the digits.
                && at.col.abs_diff(start.col) <= 3
        })
    };
    let unsigned: [i128; 4] = [
        u8::MAX.into(),
        u16::MAX.into(),
        u32::MAX.into(),
        u64::MAX.into(),
    ];
    let least = unsigned
        .map(|most| -(most >> 1) - 1)
        .into_iter()
        .rfind(fits);
    let most = match least {
        None => unsigned.into_iter().rfind(fits),
        Some(least) => Some(-(least + 1)),
    };
    match most {
        Some(most) => {
            let least = least.unwrap_or(0);
            format!("{number} does not fit here: expected a whole number from {least} to {most}")
        }
        None => format!("{number} does not fit here"),
    }
}

/// Checks a scenario that a program has put together, as if it had been read from a file.
///
/// # Errors
/// The first mistake.
pub fn load_built(
    file: &str,
    scenario: Scenario,
    scripts: BTreeMap<String, String>,
) -> Result<Loaded, Mistake> {
    let text = dialect()
        .to_string(&scenario)
        .expect("a scenario is made of plain values");
    let loaded = Loaded {
        scenario,
        file: file.into(),
        text,
        scripts,
    };
    loaded.check()?;
    Ok(loaded)
}

/// Reads a Windows world in a file of its own: `Windows((..))` as in a scenario, or what stands between its parentheses.
///
/// # Errors
/// The first mistake, with its place.
pub fn read_windows_world(file: &str, text: &str) -> Result<crate::win7::program::Setup, Mistake> {
    let mut lines = text.lines().map(str::trim_start);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with("//"));
    if first.is_none_or(|line| line.starts_with('(') || line.starts_with("/*")) {
        return parse(file, text);
    }
    match parse(file, text)? {
        World::Windows(setup) => Ok(setup),
        _ => {
            let what = "this is the world of something other than a Windows machine";
            Err(Mistake::at(file, text, 0..0, what).help("write Windows((..)), or (..)"))
        }
    }
}

/// Reads and checks a population of nodes in a file of its own.
///
/// # Errors
/// The first mistake, with its place.
pub fn read_population(file: &str, text: &str) -> Result<Population, Mistake> {
    let population: Population = parse(file, text)?;
    population
        .check()
        .map_err(|error| Mistake::at_value(file, text, &error.path, error.to_string()))?;
    Ok(population)
}

/// Reads and checks a contest of observers in a file of its own.
///
/// # Errors
/// The first mistake, with its place.
pub fn read_contest(file: &str, text: &str) -> Result<Contest, Mistake> {
    let contest: Contest = parse(file, text)?;
    contest
        .check()
        .map_err(|error| Mistake::at_value(file, text, &error.path, error.what))?;
    Ok(contest)
}

/// Reads and checks a scenario. `script` gives the text of a script that lies beside it.
///
/// # Errors
/// The first mistake, with its place.
pub fn load(
    file: &str,
    text: &str,
    script: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<Loaded, Mistake> {
    let scenario: Scenario = parse(file, text)?;
    let mut scripts = BTreeMap::new();
    for name in scenario.script_names() {
        let text_of = script(&name).map_err(|why| {
            let span = locate(text, &[], &name);
            Mistake::at(
                file,
                text,
                span,
                format!("the script {name:?} cannot be read: {why}"),
            )
            .help("scripts lie in the scenario's own folder")
        })?;
        scripts.insert(name, text_of);
    }
    let loaded = Loaded {
        scenario,
        file: file.into(),
        text: text.into(),
        scripts,
    };
    loaded.check()?;
    Ok(loaded)
}

/// Reads and checks claims about a stream of events that somebody else made: a RON list of claims as a
/// scenario has them, without arms. `expected` is `Holds`, `Refuted` or `Undecided`.
///
/// # Errors
/// The first mistake, with its place.
pub fn load_claims(file: &str, text: &str) -> Result<Vec<Claim>, Mistake> {
    let claims: Vec<Claim> = parse(file, text)?;
    let kinds = Record::kinds();
    for (index, claim) in claims.iter().enumerate() {
        let mistake =
            |at: &str, what: String| Mistake::at(file, text, locate(text, &[&claim.id], at), what);
        if claims[..index].iter().any(|other| other.id == claim.id) {
            return Err(mistake(
                &claim.id,
                format!("two claims are called {:?}", claim.id),
            ));
        }
        let has_arms = claim.on != BASELINE || !claim.arms.is_empty() || !claim.control.is_empty();
        if has_arms || matches!(claim.expected, Verdict::HoldsUnder(_)) {
            return Err(mistake(&claim.id, format!("{:?} speaks of arms", claim.id))
                .help("events that were imported have none: leave on, arms and control out"));
        }
        let (Statement::Some(pattern) | Statement::Every(pattern)) = &claim.claim else {
            return Err(mistake(
                &claim.id,
                format!("{:?} is about a document", claim.id),
            ));
        };
        pattern.check(&kinds).map_err(|unknown| {
            let what = format!("there is no {} {:?}", unknown.what, unknown.name);
            mistake(&unknown.name, what).help(nearest(&unknown.name, unknown.known))
        })?;
    }
    Ok(claims)
}

impl Scenario {
    /// The scripts that its worlds run, by the names that it gives them.
    pub fn script_names(&self) -> Vec<String> {
        let worlds = self.arms.iter().filter_map(|arm| arm.world.as_ref());
        let mut names: Vec<String> = worlds
            .chain([&self.world])
            .flat_map(World::script_names)
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

impl World {
    /// The scripts that it runs, by the names that the scenario gives them.
    pub fn script_names(&self) -> Vec<String> {
        match self {
            World::Nothing
            | World::Tcp(_)
            | World::Clocks(_)
            | World::Observe(_)
            | World::Prometheus(_) => Vec::new(),
            World::Windows(setup) => setup.beside().cloned().collect(),
            World::Linux(setup) => setup
                .processes
                .iter()
                .map(|process| process.script.clone())
                .collect(),
        }
    }
}

impl Loaded {
    /// The mistake at the literal `at` that comes after the literals `after`.
    fn mistake(&self, after: &[&str], at: &str, what: impl Into<String>) -> Mistake {
        Mistake::at(&self.file, &self.text, locate(&self.text, after, at), what)
    }

    /// All checks that need more than one field.
    pub(crate) fn check(&self) -> Result<(), Mistake> {
        self.check_scripts()?;
        let Scenario {
            version,
            id,
            arms,
            claims,
            cases,
            ..
        } = &self.scenario;
        if *version != VERSION {
            let at = locate(&self.text, &[], &version.to_string());
            let what = format!("this is version {version} of the scenario format");
            return Err(Mistake::at(&self.file, &self.text, at, what)
                .help(format!("this program reads version {VERSION}")));
        }
        let speaking =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if id.is_empty() || !id.chars().all(speaking) {
            return Err(self
                .mistake(&[], id, format!("{id:?} is no id"))
                .help("use lower-case letters, digits and hyphens"));
        }
        if arms.first().is_none_or(|arm| arm.name != BASELINE) {
            let at = arms.first().map_or("arms", |arm| arm.name.as_str());
            return Err(self
                .mistake(&[], at, "the first arm is not the baseline")
                .help(format!("call it {BASELINE:?}")));
        }
        self.check_world(&self.scenario.world, "world")?;
        for (index, arm) in arms.iter().enumerate() {
            if let Some(world) = &arm.world {
                self.check_world(world, &format!("arms[{index}].world"))?;
            }
        }
        if cases.is_empty() {
            return Err(self
                .mistake(&[], "cases", "there is no case")
                .help("say how to search"));
        }
        for (index, arm) in arms.iter().enumerate() {
            if arms[..index].iter().any(|other| other.name == arm.name) {
                return Err(self.mistake(
                    &[&arm.name],
                    &arm.name,
                    format!("two arms are called {:?}", arm.name),
                ));
            }
            self.check_arm(arm)?;
        }
        for (index, claim) in claims.iter().enumerate() {
            if claims[..index].iter().any(|other| other.id == claim.id) {
                return Err(self.mistake(
                    &[&claim.id],
                    &claim.id,
                    format!("two claims are called {:?}", claim.id),
                ));
            }
            self.check_claim(claim)?;
        }
        Ok(())
    }

    fn check_world(&self, world: &World, path: &str) -> Result<(), Mistake> {
        let setup = match world {
            World::Windows(setup) => setup,
            World::Observe(lab) => return self.check_lab(lab, path),
            _ => return Ok(()),
        };
        match setup.machine(&self.scripts) {
            Ok(_) => Ok(()),
            Err(SetupError::Text(at, what)) => Err(self.mistake(&[], &at, what)),
            Err(SetupError::InFile(file, LoadError { line, column, what })) => {
                let text = &self.scripts[&file];
                Err(
                    Mistake::at_line(&file, text, line as usize, column as usize, what)
                        .help("a base is taken as a whole, or not at all"),
                )
            }
        }
    }

    fn check_lab(&self, lab: &ObserveLab, path: &str) -> Result<(), Mistake> {
        lab.check().map_err(|LabError { path: within, what }| {
            Mistake::at_value(&self.file, &self.text, &format!("{path}.{within}"), what)
        })
    }

    /// The scripts that a shell runs: the files of a base are none.
    fn shell_scripts(&self) -> impl Iterator<Item = (&String, &String)> {
        let arms = self.scenario.arms.iter();
        let worlds = arms
            .filter_map(|arm| arm.world.as_ref())
            .chain([&self.scenario.world]);
        let of_shells: std::collections::BTreeSet<String> = worlds
            .filter(|world| matches!(world, World::Linux(_)))
            .flat_map(World::script_names)
            .collect();
        let scripts = self.scripts.iter();
        scripts.filter(move |(name, _)| of_shells.contains(*name))
    }

    /// Refuses a script that the shell does not take, at its line and column.
    #[cfg(feature = "shell")]
    fn check_scripts(&self) -> Result<(), Mistake> {
        use crate::linux::shell::ParseError;
        use crate::linux::shell::parse::parse;

        for (name, text) in self.shell_scripts() {
            let Err(error) = parse(text.as_bytes()) else {
                continue;
            };
            let (line, column, what, help) = match error {
                ParseError::Syntax {
                    message,
                    line,
                    column,
                } => (line, column, message.to_string(), String::new()),
                ParseError::Refused(refused) => (
                    refused.line,
                    refused.column,
                    format!("{} is not supported", refused.construct),
                    refused.help.to_string(),
                ),
            };
            let (line, column) = (line.max(1) as usize, column.max(1) as usize);
            let mistake = Mistake::at_line(name, text, line, column, what);
            return Err(match help.is_empty() {
                true => mistake,
                false => mistake.help(help),
            });
        }
        Ok(())
    }

    /// Without its front end the shell takes no script.
    #[cfg(not(feature = "shell"))]
    fn check_scripts(&self) -> Result<(), Mistake> {
        match self.shell_scripts().next() {
            None => Ok(()),
            Some((name, _)) => {
                let what = "scripts are not supported in this build";
                Err(self
                    .mistake(&[], name, what)
                    .help("build faultlab-sim with the feature `shell`"))
            }
        }
    }

    fn check_arm(&self, arm: &Arm) -> Result<(), Mistake> {
        for case in self.scenario.cases_of(arm) {
            let empty = match case.search {
                Search::Seeds(0) | Search::Random(0) | Search::Pct { runs: 0, .. } => true,
                Search::Pct { depth, .. } => depth == 0,
                _ => false,
            };
            if empty {
                return Err(self
                    .mistake(&[&arm.name], "cases", "a search without a run")
                    .help("ask for one run, and for a depth of one, at the least"));
            }
        }
        arm.faults
            .iter()
            .try_for_each(|fault| self.check_fault(arm, fault))
    }

    fn check_fault(&self, arm: &Arm, fault: &Fault) -> Result<(), Mistake> {
        let table = fault_table();
        let Some(spec) = table.iter().find(|spec| spec.name == fault.name) else {
            return Err(self
                .mistake(
                    &[&arm.name],
                    &fault.name,
                    format!("there is no fault {:?}", fault.name),
                )
                .help(nearest(&fault.name, table.iter().map(|spec| spec.name))));
        };
        let after = [arm.name.as_str(), fault.name.as_str()];
        for (name, value) in &fault.params {
            let Some(param) = spec.params.iter().find(|param| param.name == name) else {
                let what = format!("the fault {} has no parameter {name:?}", spec.name);
                return Err(self
                    .mistake(&after, name, what)
                    .help(nearest(name, spec.params.iter().map(|param| param.name))));
            };
            let (fits, kind) = match param.kind {
                ParamKind::Number => (matches!(value, Param::Number(_)), "a whole number"),
                ParamKind::Text => (matches!(value, Param::Text(_)), "a text"),
            };
            if !fits {
                return Err(self.mistake(&after, name, format!("{name} takes {kind}")));
            }
        }
        if let Some((some, of)) = fault.when.ratio
            && (of == 0 || some > of)
        {
            return Err(self
                .mistake(&after, "ratio", format!("the ratio {some} in {of} is none"))
                .help("(1, 4) means: one in four"));
        }
        match spec
            .params
            .iter()
            .find(|p| p.required && !fault.params.contains_key(p.name))
        {
            None => Ok(()),
            Some(param) => Err(self
                .mistake(
                    &[&arm.name],
                    &fault.name,
                    format!("{} needs {}", spec.name, param.name),
                )
                .help(param.doc)),
        }
    }

    fn check_claim(&self, claim: &Claim) -> Result<(), Mistake> {
        let id = claim.id.as_str();
        let under = claim.expected.under();
        if self
            .scenario
            .arm(&claim.on)
            .is_some_and(|arm| !arm.faults.is_empty())
        {
            return Err(self
                .mistake(&[id], &claim.on, format!("{:?} injects faults", claim.on))
                .help("a claim begins on an arm without faults"));
        }
        for arm in claim
            .arms
            .iter()
            .chain(&claim.control)
            .map(String::as_str)
            .chain(under)
        {
            if self.scenario.arm(arm).is_none() {
                let names = self.scenario.arms.iter().map(|arm| arm.name.as_str());
                return Err(self
                    .mistake(&[id], arm, format!("there is no arm {arm:?}"))
                    .help(nearest(arm, names)));
            }
        }
        if let Some(under) = under
            && !claim.arms.iter().any(|arm| arm == under)
        {
            return Err(self
                .mistake(
                    &[id],
                    under,
                    format!("the claim does not name the arm {under:?}"),
                )
                .help("add it to the claim's arms"));
        }
        let pattern = match &claim.claim {
            Statement::Document {
                table, row, field, ..
            } => {
                return document::look_up(table, row, field)
                    .map(|_| ())
                    .map_err(|unknown| {
                        self.mistake(&[id], &unknown.name, unknown.what)
                            .help(unknown.help)
                    });
            }
            Statement::Some(pattern) | Statement::Every(pattern) => pattern,
        };
        pattern.check(&Record::kinds()).map_err(|unknown| {
            let what = format!("there is no {} {:?}", unknown.what, unknown.name);
            let known = unknown.known.iter().copied();
            self.mistake(&[id], &unknown.name, what)
                .help(nearest(&unknown.name, known))
        })?;
        if claim.control.is_empty() && claim.uncontrolled.is_none() && needs_control(claim, pattern)
        {
            return Err(self
                .mistake(
                    &[],
                    id,
                    format!("nothing shows that {id} could come out otherwise"),
                )
                .help("name a control arm, or say in `uncontrolled` why there is none"));
        }
        Ok(())
    }
}

/// Whether an outcome could be due to a pattern that can never come out the other way.
fn needs_control(claim: &Claim, pattern: &Pattern) -> bool {
    match claim.expected {
        Verdict::Refuted => true,
        Verdict::Holds => pattern.is_absence(),
        Verdict::HoldsUnder(_) | Verdict::Undecided => false,
    }
}

/// The faults of an arm, less those that a swarm turned off, as the engine takes them.
pub(crate) fn arm_faults(arm: &Arm, off: &[String]) -> Vec<Armed> {
    let table = fault_table();
    let on = arm
        .faults
        .iter()
        .filter(|fault| !(fault.optional && off.contains(&fault.name)));
    on.map(|fault| {
        let spec: &FaultSpec = table
            .iter()
            .find(|spec| spec.name == fault.name)
            .expect("the faults of a loaded scenario are in the table");
        Armed {
            name: spec.name,
            at: fault.at.clone(),
            when: fault.when.clone(),
            params: fault.params.clone(),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "only its types matter")]
    struct Numbers {
        #[serde(default)]
        port: u16,
        #[serde(default)]
        place: Option<i8>,
        #[serde(default)]
        bytes: Vec<u64>,
    }

    #[test]
    fn of_a_number_that_does_not_fit_it_is_said_what_would() {
        for (text, line, column, what) in [
            (
                "(port: 70000)",
                1,
                8,
                "70000 does not fit here: expected a whole number from 0 to 65535",
            ),
            (
                "(\n  port: -1, place: 500)",
                2,
                10,
                "-1 does not fit here: expected a whole number from 0 to 65535",
            ),
            (
                "(place: -129)",
                1,
                10,
                "-129 does not fit here: expected a whole number from -128 to 127",
            ),
            (
                "(port: 1, place: 0x80)",
                1,
                20,
                "0x80 does not fit here: expected a whole number from -128 to 127",
            ),
            (
                "(bytes: [1, /* é */ 18_446_744_073_709_551_616])",
                1,
                21,
                "18_446_744_073_709_551_616 does not fit here: expected a whole number from 0 to 18446744073709551615",
            ),
        ] {
            let Err(mistake) = parse::<Numbers>("a.ron", text) else {
                panic!("{text} is read");
            };
            assert_eq!(
                (mistake.line, mistake.column, &*mistake.what),
                (line, column, what)
            );
        }
    }
}
