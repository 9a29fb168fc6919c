//! A Windows world at its start: what a scenario says of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::win7::cmd;
use crate::win7::files::{Actor, Files};
use crate::win7::machine::{EXPLORER, Machine};
use crate::win7::registry::reg_file::LoadError;
use crate::win7::registry::{Bits, Data, KeyPath, UnknownRoot, Win32, units};
use crate::win7::text::CodePages;

use super::base::Listing;
use super::call::Call;
use super::disk::{self, DiskCall};
use super::encoding::Encoding;

/// The programs of a Windows world, and its registry and files at the start.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The system locale: its code pages.
    #[serde(default, skip_serializing_if = "Locale::is_default")]
    pub locale: Locale,
    /// A .reg file beside the scenario, such as the export of a real machine: what it says is added to the
    /// default machine, all of it or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Listings of a real machine's disks, files beside the scenario: what they say is added, one after the
    /// other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disk_base: Vec<Listing>,
    /// Accounts of that real machine, as `PC\\name` or `S-1-..`, and whose place they take here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, String>,
    /// Keys by full path, each with its values by name: added to that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registry: BTreeMap<String, BTreeMap<String, Data>>,
    /// Files by full path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, FileSetup>,
    /// What was done on the disks before the programs begin, by whom; each must succeed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disk: Vec<(String, DiskCall)>,
    /// The programs that run side by side.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<ProgramSetup>,
    /// The batch files that run beside them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<ScriptSetup>,
    /// Whether a record at the end says what is other than at the beginning, when there are batch files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub end_state: bool,
}

/// A system locale: it decides the ANSI and the OEM code page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Locale {
    /// Chinese (China): 936 for both.
    #[default]
    China,
    /// English (United States): 1252 and 437.
    UnitedStates,
}

impl Locale {
    fn is_default(&self) -> bool {
        *self == Locale::default()
    }

    /// Its code pages.
    pub fn code_pages(self) -> CodePages {
        match self {
            Locale::China => CodePages::CHINA,
            Locale::UnitedStates => CodePages::UNITED_STATES,
        }
    }
}

/// What a file holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FileSetup {
    /// Nothing that matters: an executable that is only looked for.
    Executable,
    /// A text in UTF-8.
    Text(String),
    /// A text in another encoding, by its name.
    Encoded(String, String),
    /// A file beside the scenario.
    Beside(String),
    /// Bytes, in hexadecimal.
    Hex(String),
}

/// A batch file that runs in a console of its own.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptSetup {
    /// Its name: an actor of the run.
    pub name: String,
    /// What `cmd /c` is given: the path of a batch file, and arguments.
    pub command: String,
    /// Its working directory.
    #[serde(default = "system32", skip_serializing_if = "is_system32")]
    pub directory: String,
    /// The account that it runs as, as for programs; without it, the machine's administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether a 32-bit cmd.exe runs it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_32_bits: bool,
    /// Whether the system speaks Chinese to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_chinese: bool,
    /// Variables beside those of a fresh logon.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// What is typed while it runs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub input: String,
}

fn system32() -> String {
    "C:\\Windows\\System32".into()
}

fn is_system32(directory: &String) -> bool {
    *directory == system32()
}

impl ScriptSetup {
    /// How it starts on a machine, with the names of params filled in.
    pub(super) fn start(&self, machine: &Machine, fill: impl Fn(&str) -> String) -> cmd::Start {
        let user = self.user.as_deref().unwrap_or("admin");
        let mut block = cmd::kernel::fresh_block(machine, user);
        for (name, text) in &self.variables {
            let _ = block.set(&(&**name).into(), &(&*fill(text)).into());
        }
        // The quotes around it all are those that cmd takes away.
        let tail = format!(" /c \"{}\"", fill(&self.command));
        cmd::Start {
            request: cmd::SpawnRequest {
                block: Some(block.into()),
                directory: Some((&*self.directory).into()),
                ..cmd::SpawnRequest::new(cmd::kernel::COMSPEC, &*tail)
            },
            user: user.into(),
            bits: match self.in_32_bits {
                true => Bits::Bits32,
                false => Bits::Bits64,
            },
            language: match self.in_chinese {
                true => cmd::messages::Language::Chinese,
                false => cmd::messages::Language::English,
            },
            input: machine
                .code_pages()
                .oem()
                .encode(&units(&self.input))
                .into(),
        }
    }
}

/// A program of a Windows world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramSetup {
    /// Its name: an actor of the run.
    pub name: String,
    /// Whether it waits for a [`Call::Launch`]; else it begins with the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub launched: bool,
    /// Its working directory; without it, that of Explorer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The account that it runs as, which decides whose HKCU it sees and what it may do: `alice`, `admin`, `admin-filtered`, `SYSTEM`, `LocalService`,
    /// `NetworkService`; without it, the machine's administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The release of Go that it is built with, which decides what it makes of long paths: `1.15.15`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub go: Option<String>,
    /// Variables beside those that it inherits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// What it does, in order.
    pub calls: Vec<Call>,
}

/// What of a set-up cannot be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetupError {
    /// A file of the base, and what is wrong in it.
    InFile(String, LoadError),
    /// A text of the set-up, and why.
    Text(String, String),
}

impl Setup {
    /// The files beside the scenario that it uses.
    pub fn beside(&self) -> impl Iterator<Item = &String> {
        let files = self.files.values().filter_map(|file| match file {
            FileSetup::Beside(name) => Some(name),
            _ => None,
        });
        self.base_files().chain(files)
    }

    /// The machine as it is when the programs begin. `scripts` are the texts of the files beside the scenario.
    ///
    /// # Errors
    /// The first thing that cannot be.
    pub fn machine(&self, scripts: &BTreeMap<String, String>) -> Result<Machine, SetupError> {
        let mut machine = Machine::windows_7().with_code_pages(self.locale.code_pages());
        let caller = machine.user().clone();
        self.load_base(&mut machine, scripts)?;
        for (key, values) in &self.registry {
            let refuse = |error: Win32| SetupError::Text(key.clone(), format!("{key}: {error}"));
            let path = path(key)?;
            let registry = &mut machine.registry;
            registry
                .create_key(&caller, &path)
                .map_err(|error| refuse(error.into()))?;
            for (name, data) in values {
                let set = registry.set_value(&caller, &path, name, data.into());
                set.map_err(|error| refuse(error.into()))?;
            }
        }
        for (file, content) in &self.files {
            let bytes = content.content(scripts)?;
            put(&mut machine, file, |files, actor, full| {
                let folder = full.iter().rposition(|unit| *unit == u16::from(b'\\'));
                files.make_tree(actor, &full[..folder.unwrap_or(0)])?;
                let written = files.write_file(actor, full, &bytes);
                written.map_err(|failure| failure.win32())
            })?;
        }
        let of_scripts = self.scripts.iter().map(|script| &script.directory);
        for directory in self
            .programs
            .iter()
            .filter_map(|program| program.directory.as_ref())
            .chain(of_scripts)
        {
            put(&mut machine, directory, |files, actor, full| {
                Ok(files.make_tree(actor, full)?)
            })?;
        }
        self.check_programs()?;
        let users = self.programs.iter().map(|program| program.user.as_deref());
        for user in users.chain(self.scripts.iter().map(|script| script.user.as_deref())) {
            if let Some(user) = user.filter(|user| machine.caller(user).is_none()) {
                let what = format!("there is no account {user:?}");
                return Err(SetupError::Text(user.into(), what));
            }
        }
        let calls = self.programs.iter().flat_map(|program| &program.calls);
        let on_disk = calls.filter_map(|call| match call {
            Call::Disk(call) => Some(call),
            _ => None,
        });
        for call in on_disk.chain(self.disk.iter().map(|(_, call)| call)) {
            if let Some(flaw) = call.flaw() {
                return Err(SetupError::Text(call.object(), flaw));
            }
        }
        machine.restart();
        Ok(machine)
    }

    fn check_programs(&self) -> Result<(), SetupError> {
        let refuse = |at: &str, what: String| Err(SetupError::Text(at.into(), what));
        let mut names = BTreeSet::from([EXPLORER, super::super::environment::processes::SERVICES]);
        let scripts = self.scripts.iter().map(|script| &script.name);
        for name in self
            .programs
            .iter()
            .map(|program| &program.name)
            .chain(scripts)
        {
            if !names.insert(name) {
                return refuse(name, format!("two programs are called {name:?}"));
            }
        }
        let idle = |program: &&ProgramSetup| {
            program.launched && (program.directory.is_some() || !program.variables.is_empty())
        };
        if let Some(program) = self.programs.iter().find(idle) {
            let what = "a program that is launched has directory and variables from Explorer";
            return refuse(&program.name, what.into());
        }
        let calls = self.programs.iter().flat_map(|program| &program.calls);
        for call in calls {
            if let Some(key) = call.key() {
                path(key)?;
            }
            match call {
                Call::Launch { program } => {
                    let launched = |other: &&ProgramSetup| other.launched && other.name == *program;
                    if !self.programs.iter().any(|other| launched(&other)) {
                        let what = format!("no program {program:?} waits to be launched");
                        return refuse(program, what);
                    }
                }
                // One with a name in it is known when it is saved.
                Call::Save { encoding, .. } if !encoding.contains('{') => {
                    known_encoding(encoding)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Does on the disks what was done before, with the names of params filled in, as a run does when it begins.
    ///
    /// # Errors
    /// The first call that fails.
    pub fn prepare_disk(
        &self,
        machine: &mut Machine,
        params: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let fill = |text: &str| super::fill(text, &BTreeMap::new(), params).0;
        for (user, call) in &self.disk {
            let caller = machine
                .caller(&fill(user))
                .ok_or_else(|| format!("there is no account {user:?}"))?;
            let actor = Actor::new(caller.token());
            let (done, rest) = disk::perform(call, &mut machine.files, &actor, fill);
            done.map_err(|(error, why)| {
                format!("{} {}: {error} {why}", call.verb(), call.object())
            })?;
            if let Some(rest) = rest {
                rest.run(&mut machine.files, &actor);
            }
        }
        Ok(())
    }
}

impl FileSetup {
    fn content(&self, scripts: &BTreeMap<String, String>) -> Result<Vec<u8>, SetupError> {
        let refuse = |at: &str, what: &str| SetupError::Text(at.into(), what.into());
        Ok(match self {
            FileSetup::Beside(name) => {
                let text = scripts.get(name);
                let text = text.ok_or_else(|| refuse(name, "there is no such file beside it"))?;
                text.as_bytes().to_vec()
            }
            FileSetup::Hex(digits) => {
                let pairs = digits.as_bytes().chunks(2);
                let byte = |pair: &[u8]| {
                    let text = std::str::from_utf8(pair)
                        .ok()
                        .filter(|text| text.len() == 2)?;
                    u8::from_str_radix(text, 16).ok()
                };
                let bytes: Option<Vec<u8>> = pairs.map(byte).collect();
                bytes.ok_or_else(|| refuse(digits, "these are no bytes in hexadecimal"))?
            }
            FileSetup::Executable => b"MZ".to_vec(),
            FileSetup::Text(text) => text.as_bytes().to_vec(),
            FileSetup::Encoded(encoding, text) => known_encoding(encoding)?.encode(text),
        })
    }
}

/// Puts something on the disks before all rules: as the system, with the directories that lack.
fn put(
    machine: &mut Machine,
    path: &str,
    put: impl FnOnce(&mut Files, &Actor<'_>, &[u16]) -> Result<(), Win32>,
) -> Result<(), SetupError> {
    let system = machine.caller("SYSTEM").expect("every machine has it");
    let actor = Actor::new(system.token());
    let full = units(path);
    if !is_full(path) {
        let what = format!("{path:?} is no full path: write \"C:\\\\dir\\\\file\"");
        return Err(SetupError::Text(path.into(), what));
    }
    put(&mut machine.files, &actor, &full)
        .map_err(|error| SetupError::Text(path.into(), format!("{path}: {error}")))
}

fn path(text: &str) -> Result<KeyPath, SetupError> {
    let refuse = |unknown: UnknownRoot| SetupError::Text(text.into(), unknown.to_string());
    KeyPath::parse(text).map_err(refuse)
}

pub(super) fn is_full(path: &str) -> bool {
    let bytes = path.as_bytes();
    matches!(bytes, [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic())
}

fn known_encoding(name: &str) -> Result<Encoding, SetupError> {
    let known = || {
        let names: Vec<&str> = Encoding::ALL.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    };
    Encoding::of(name).ok_or_else(|| {
        let what = format!("{name:?} is no encoding: use {}", known());
        SetupError::Text(name.into(), what)
    })
}
