//! `cmd`: a user's own batch file on a modelled machine, alone or beside another.

mod alone;
mod explored;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use faultlab_sim::engine::Param;
use faultlab_sim::scenario::{
    Arm, BASELINE, Case, Chooser, Claim, Fault, Loaded, MAX_BYTES, Prepared, Scenario, Search,
    Story, World, load_built, read_windows_world,
};
use faultlab_sim::win7::program::{FileSetup, Locale, ScriptSetup, Setup};

use crate::cli;
use crate::console::Layout;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::library::late_mistake;

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
        let mut second = script(args, other, &[])?;
        let is_one_name = second.name.eq_ignore_ascii_case(&scripts[0].name);
        let place = |path: &Path| fs::canonicalize(path).ok();
        match is_one_name && place(other) == place(&args.file) {
            // It runs beside itself: the same file, two processes.
            true => second.name.push_str("_2"),
            false if is_one_name => {
                return Err(Failure::bad_input("the two batch files have one name")
                    .help("give one of them another name"));
            }
            false => files.push((other, file_on_machine(other)?)),
        }
        scripts.push(second);
    }
    let (mut setup, beside) = world(args)?;
    for (file, place) in files {
        setup.files.insert(place, content(file)?);
    }
    let name = scripts[0].name.clone();
    setup.scripts = scripts;
    let loaded = built(args, setup, &beside, Vec::new())?;
    let prepared = prepare(&loaded, arm_of(args))?;
    match &args.explore {
        None => alone::run(args, layout, &loaded, &prepared, &name),
        Some(_) => explored::run(args, layout, &loaded, &prepared),
    }
}

/// The arm with the faults, beside the baseline: a claim, which a search has, begins on an arm without.
const FAULTS: &str = "faults";

/// The arm that is run.
fn arm_of(args: &cli::Cmd) -> &'static str {
    match args.explore.is_some() && !args.fault.is_empty() {
        true => FAULTS,
        false => BASELINE,
    }
}

fn prepare(loaded: &Loaded, arm: &str) -> Result<Prepared> {
    let arm = loaded.scenario.arm(arm).expect("it was built with it");
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

/// Who can run a script.
const ACCOUNTS: [&str; 6] = [
    "alice",
    "admin",
    "admin-filtered",
    "SYSTEM",
    "LocalService",
    "NetworkService",
];

/// An account by its name, in any case.
fn account(name: &str) -> Result<String> {
    let mut known = ACCOUNTS.into_iter();
    let found = known.find(|known| known.eq_ignore_ascii_case(name));
    found.map(str::to_owned).ok_or_else(|| {
        Failure::bad_input(format!("there is no account {name:?}"))
            .help(format!("the accounts are {}", ACCOUNTS.join(", ")))
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
        user: Some(account(&args.user)?),
        in_32_bits: args.bits == 32,
        in_chinese: args.locale == "zh-CN",
        input: args.input.clone(),
        ..ScriptSetup::default()
    })
}

/// The machine that was asked for, with the texts of the files beside it.
fn world(args: &cli::Cmd) -> Result<(Setup, BTreeMap<String, String>)> {
    let Some(path) = &args.world else {
        let setup = Setup {
            locale: match &*args.locale {
                "zh-CN" => Locale::China,
                _ => Locale::UnitedStates,
            },
            ..Setup::default()
        };
        return Ok((setup, BTreeMap::new()));
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
    let arm = |name: &str, faults: Vec<Fault>| Arm {
        name: name.into(),
        doc: String::new(),
        world: None,
        params: BTreeMap::new(),
        faults,
        cases: None,
    };
    let arms = match arm_of(args) {
        BASELINE => vec![arm(BASELINE, faults)],
        other => vec![arm(BASELINE, Vec::new()), arm(other, faults)],
    };
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
        arms,
        claims,
    };
    load_built("the command line", scenario, beside.clone()).map_err(|mistake| {
        let failure = Failure::bad_input(mistake.what);
        match mistake.help {
            Some(help) => failure.help(help),
            None => failure.help("`faultlab list --faults` has the faults and what they take"),
        }
    })
}

/// Says which faults struck nothing, since such a run says nothing about them, and how calls are counted; `processes`
/// are those that there were, by name.
fn tell_idle(args: &cli::Cmd, idle: &[usize], processes: &[String]) {
    for nth in idle {
        let text = &args.fault[*nth];
        eprintln!("the fault {text} struck nothing: no such call was made there, or not so often");
    }
    if idle.is_empty() {
        return;
    }
    eprintln!(
        "  Calls are counted for each process by itself: nth=2 is the second such call of one process, and every program \
         that a script starts is a process of its own (a.bat/reg-2 is the second reg of a.bat); at=NAME takes one of them, \
         with * for any letters."
    );
    const MOST: usize = 12;
    let mut all = processes.iter().take(MOST).cloned().collect::<Vec<_>>();
    match processes.len() {
        0 => return,
        count if count > MOST => all.push(format!("and {} more", count - MOST)),
        _ => {}
    }
    eprintln!("  Processes of this run: {}", all.join(", "));
}

/// The faults of the command line that these are.
fn named(args: &cli::Cmd, faults: &[usize]) -> Vec<String> {
    faults.iter().map(|nth| args.fault[*nth].clone()).collect()
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
