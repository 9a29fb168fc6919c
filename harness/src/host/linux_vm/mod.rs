//! A real kernel of Debian in QEMU, with this very program as its first and only process.
//!
//! `kernel` fetches it, `modules` and `executable` say what goes into its `initramfs`, `qemu` boots and watches
//! it, `guest` is what runs inside, `guard` sees to it that nothing is left behind.

pub mod executable;
pub mod guard;
pub mod guest;
mod initramfs;
pub mod kernel;
pub mod modules;
mod qemu;

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::progress::Progress;

use super::linux::programs;
use super::linux::world::{Performance, wire};
use super::session::{Identity, Session, ask_json};
use super::win32_probe::{cache, unusable};
use super::{GuestPlaces, State};
use guest::{Hello, Word};
use initramfs::{InMemory, Initramfs};
use kernel::Kernel;
use qemu::{Accelerator, Guest, Patience, Qemu, Trouble};

/// The one command that installs what this host needs.
pub const INSTALL: &str = "sh vm/linux-vm/install.sh (on Debian: apt-get install --no-install-recommends \
     qemu-system-x86 clang)";

/// Until a guest's first word. A boot takes 4 s of a processor under TCG, and less than 1 s under KVM.
const FIRST_WORD: Patience = Patience {
    wall: Duration::from_secs(180),
    processor: Duration::from_secs(30),
};

/// The same for the trial of KVM, which either boots at once or never.
const TRIAL: Patience = Patience {
    wall: Duration::from_secs(8),
    processor: Duration::from_secs(8),
};

/// Until an answer, beyond the time that the request itself lets pass.
const ANSWER: Duration = Duration::from_secs(120);

/// No world is played for longer, in time on the wall.
const WORLD: Duration = Duration::from_secs(300);

/// What is to run a guest's instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Accel {
    /// QEMU's translator, in virtual time: waiting costs nothing, and timers are exact
    #[default]
    Tcg,
    /// This machine's processor, in real time; a trial boot proves that it works
    Kvm,
    /// KVM if it works, else TCG
    Auto,
}

/// What of this host is there.
pub fn state(places: &GuestPlaces) -> State {
    let Some(qemu) = Qemu::find() else {
        return State::Missing("there is no QEMU".into(), INSTALL);
    };
    if programs::compiler().is_none() {
        let what = "clang, which builds the eBPF programs, is not there";
        return State::Missing(what.into(), INSTALL);
    }
    let asked = places.kernel.as_deref();
    let kernel = match (kernel::cached(asked), kernel::cannot_fetch()) {
        (Some(release), _) => format!("kernel {release}"),
        (None, None) => "a kernel will be fetched on first use".into(),
        (None, Some(lacks)) => {
            let what = format!(
                "QEMU {}; no kernel, and no {lacks} to fetch one with",
                qemu.version
            );
            return State::Missing(
                what,
                "apt-get install apt dpkg debian-archive-keyring, or use --kernel FILE",
            );
        }
    };
    let kvm = match Verdict::known(&qemu) {
        None => "KVM untried (--accel kvm)".into(),
        Some(Verdict::Works) => "KVM works".into(),
        Some(Verdict::Fails(why)) => format!("KVM does not work: {why}"),
    };
    State::Usable(format!("QEMU {}, {kernel}, {kvm}", qemu.version))
}

/// Whether KVM runs guests here. That it is there says little: a trial says it.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Verdict {
    Works,
    Fails(String),
}

impl Verdict {
    /// What was found out since this machine started.
    fn known(qemu: &Qemu) -> Option<Verdict> {
        if !PathBuf::from("/dev/kvm").exists() {
            return Some(Verdict::Fails("there is no /dev/kvm".into()));
        }
        let text = fs::read_to_string(Verdict::place(qemu)?).ok()?;
        Some(match text.strip_prefix("fails: ") {
            Some(why) => Verdict::Fails(why.trim().into()),
            None => Verdict::Works,
        })
    }

    /// For the next time.
    fn remember(&self, qemu: &Qemu) {
        let text = match self {
            Verdict::Works => "works".into(),
            Verdict::Fails(why) => format!("fails: {why}"),
        };
        if let Some(place) = Verdict::place(qemu) {
            // If it cannot be kept, it is found out again.
            let _ = fs::write(place, text);
        }
    }

    fn place(qemu: &Qemu) -> Option<PathBuf> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let hash = faultlab_sim::engine::text_hash(&format!("{boot}{}", qemu.version));
        Some(cache().ok()?.join(format!("kvm-{hash:016x}")))
    }
}

/// The first of what a guest that failed said.
fn shortly(why: &str) -> String {
    let lines = why.lines().take(2).map(str::trim);
    lines.collect::<Vec<_>>().join(" ")
}

/// What a guest is made of.
struct Recipe {
    qemu: Qemu,
    kernel: Kernel,
    initramfs: InMemory,
    accelerator: Accelerator,
    arguments: String,
}

impl Recipe {
    /// # Errors
    /// Something lacks.
    fn new(places: &GuestPlaces, progress: &Progress) -> Result<Recipe> {
        let qemu = Qemu::find().ok_or_else(|| {
            let what = "there is no QEMU (qemu-system-x86_64)";
            Failure::new(Exit::NoHost, what).help(format!("install it: {INSTALL}"))
        })?;
        let kernel = kernel::find(places.kernel.as_deref(), progress)?;
        let built = |name: &str| -> Result<Vec<u8>> {
            let object = programs::build(name, progress)?;
            fs::read(&object).map_err(|error| unusable(&object, &error))
        };
        let objects = [
            (guest::PROGRAMS, built("tcp_events")?),
            (guest::TIME_WAIT, built("time_wait")?),
            (guest::ELEMENTS, built("elements")?),
        ];
        progress.say("packing a guest");
        let mut archive = Initramfs::new();
        for part in executable::parts()? {
            archive.file(&part.path, &part.contents);
        }
        let modules = modules::Modules::of(&kernel.modules)?.in_order(&modules::WANTED)?;
        for (nth, module) in modules.iter().enumerate() {
            let path = format!("{}/{nth:03}-{}.ko", guest::MODULES, module.name);
            archive.file(&path, &module.contents);
        }
        for (path, object) in objects {
            archive.file(path, &object);
        }
        let initramfs = archive.finish().map_err(|error| {
            Failure::new(
                Exit::NoHost,
                format!("there is no memory for a guest's files: {error}"),
            )
        })?;
        Ok(Recipe {
            qemu,
            kernel,
            initramfs,
            accelerator: Accelerator::Tcg,
            arguments: places.kernel_arguments.clone().unwrap_or_default(),
        })
    }

    /// Finds out what runs the instructions: a guest that is up already, if that was the trial.
    fn choose(&mut self, accel: Accel, progress: &Progress) -> Result<Option<(Guest, Hello)>> {
        if accel == Accel::Tcg {
            return Ok(None);
        }
        let verdict = match Verdict::known(&self.qemu) {
            Some(Verdict::Works) | None => {
                progress.say("trying KVM");
                self.accelerator = Accelerator::Kvm;
                let tried = self.try_boot(TRIAL);
                let verdict = match &tried {
                    // A kernel that panics has run.
                    Ok(_) | Err(Trouble::Panic(_)) => Verdict::Works,
                    Err(Trouble::Ended(why) | Trouble::Silent(why)) => Verdict::Fails(shortly(why)),
                };
                verdict.remember(&self.qemu);
                match tried {
                    Ok(up) => return Ok(Some(up)),
                    Err(trouble @ Trouble::Panic(_)) => return Err(self.failure(&trouble)),
                    Err(_) => verdict,
                }
            }
            Some(verdict) => verdict,
        };
        self.accelerator = Accelerator::Tcg;
        match (accel, verdict) {
            (Accel::Kvm, Verdict::Fails(why)) => {
                let what = format!("KVM does not run a guest here: {why}");
                Err(Failure::new(Exit::NoHost, what).help("--accel tcg needs none"))
            }
            _ => Ok(None),
        }
    }

    /// Boots a guest: once more if the first says nothing.
    fn boot(&self, progress: &Progress) -> Result<(Guest, Hello)> {
        progress.say(&format!(
            "booting {} ({})",
            self.kernel.release,
            self.accelerator.name()
        ));
        let first = match self.try_boot(FIRST_WORD) {
            Err(Trouble::Silent(_)) => {
                progress.say(&format!("booting {} once more", self.kernel.release));
                self.try_boot(FIRST_WORD)
            }
            other => other,
        };
        let (guest, hello) = first.map_err(|trouble| self.failure(&trouble))?;
        if !hello.btf {
            let what = format!("the kernel {} has no BTF", hello.release);
            return Err(Failure::new(Exit::NoHost, what)
                .help("use one with CONFIG_DEBUG_INFO_BTF, as Debian's have it"));
        }
        Ok((guest, hello))
    }

    fn try_boot(&self, patience: Patience) -> std::result::Result<(Guest, Hello), Trouble> {
        let booted = self.qemu.boot(
            &self.kernel,
            &self.initramfs,
            self.accelerator,
            &self.arguments,
        );
        let mut guest = booted.map_err(|error| Trouble::Ended(error.to_string()))?;
        let line = guest.hear(patience)?;
        match serde_json::from_str(&line) {
            Ok(Word::Hello(hello)) => Ok((guest, hello)),
            Ok(Word::End { why, .. }) => Err(Trouble::Ended(why)),
            Ok(Word::Through(_)) | Err(_) => {
                Err(Trouble::Ended(format!("its first word is none: {line}")))
            }
        }
    }

    fn failure(&self, trouble: &Trouble) -> Failure {
        let release = &self.kernel.release;
        let what = match trouble {
            Trouble::Panic(why) => format!("the guest's kernel {release} panicked: {why}"),
            Trouble::Ended(why) => format!("the guest with kernel {release} ended: {why}"),
            Trouble::Silent(why) => {
                format!("the guest with kernel {release} does not speak: {why}")
            }
        };
        Failure::new(Exit::NoHost, what)
    }
}

/// A session on a guest.
pub struct LinuxVm {
    recipe: Recipe,
    guest: Option<Guest>,
    hello: Hello,
}

impl LinuxVm {
    /// Boots a guest.
    ///
    /// # Errors
    /// Something lacks; it does not boot.
    pub fn start(places: &GuestPlaces, progress: &Progress) -> Result<LinuxVm> {
        let mut recipe = Recipe::new(places, progress)?;
        let (guest, hello) = match recipe.choose(places.accel, progress)? {
            Some(up) => up,
            None => recipe.boot(progress)?,
        };
        Ok(LinuxVm {
            recipe,
            guest: Some(guest),
            hello,
        })
    }

    /// Plays the TCP world of a scenario, in the time that it takes at most. `tell` hears how many ms of it are
    /// through.
    ///
    /// # Errors
    /// No guest can be had any more.
    pub fn play(&mut self, asked: &wire::Asked, tell: &dyn Fn(u64)) -> Result<Performance> {
        let request = json!({ "op": guest::PLAY, "asked": asked }).to_string();
        let began = Instant::now();
        let mut through_ms = 0;
        let mut line = self.try_ask(&request)?;
        loop {
            let why = match line {
                Ok(said) => match serde_json::from_str(&said) {
                    Ok(Word::Through(ms)) if began.elapsed() < WORLD => {
                        through_ms = ms;
                        tell(ms);
                        line = self.go_on();
                        continue;
                    }
                    Ok(Word::End { why, .. }) => why,
                    Ok(_) => "it takes too long".into(),
                    Err(_) => return Ok(performance(&said)),
                },
                Err(trouble) => self.recipe.failure(&trouble).to_string(),
            };
            self.guest = None;
            return Ok(Performance::Cannot(format!(
                "{why}: {:.1} s of it were through after {:.0} s",
                through_ms as f64 / 1_000.0,
                began.elapsed().as_secs_f64()
            )));
        }
    }

    /// Makes a map of the guest's kernel with these elements: its keys, as the kernel lists them, or why it does not.
    ///
    /// # Errors
    /// No guest can be had any more.
    pub fn map_keys(
        &mut self,
        elements: &[(u32, u64)],
    ) -> Result<std::result::Result<Vec<u32>, String>> {
        let answer = ask_json(
            self,
            &json!({ "op": guest::MAP_KEYS, "elements": elements }),
        )?;
        let keys = serde_json::from_value(answer["ok"]["keys"].clone());
        Ok(keys.map_err(|_| answer.to_string()))
    }

    /// The clocksource that the guest's kernel runs on, or why it does not say.
    ///
    /// # Errors
    /// No guest can be had any more.
    pub fn clocksource(&mut self) -> Result<std::result::Result<String, String>> {
        let answer = ask_json(self, &json!({ "op": guest::CLOCKSOURCE }))?;
        let current = answer["ok"]["current"].as_str().map(str::to_owned);
        Ok(current.ok_or_else(|| answer.to_string()))
    }

    /// The guest's next word while it plays a world.
    fn go_on(&mut self) -> std::result::Result<String, Trouble> {
        let gone = || Trouble::Ended("it is gone".into());
        let guest = self.guest.as_mut().ok_or_else(gone)?;
        guest.resume();
        guest.hear(patience(""))
    }

    fn try_ask(&mut self, request: &str) -> Result<std::result::Result<String, Trouble>> {
        let guest = match &mut self.guest {
            Some(guest) => guest,
            None => {
                let (guest, hello) = self.recipe.boot(&Progress::spinner())?;
                self.hello = hello;
                self.guest.insert(guest)
            }
        };
        // A guest that is gone does not listen; why it went, it says as it does so.
        let _ = guest.send(request);
        Ok(guest
            .hear(patience(request))
            .and_then(|line| match serde_json::from_str(&line) {
                Ok(Word::End { why, .. }) => Err(Trouble::Ended(why)),
                _ => Ok(line),
            }))
    }
}

/// What a line says that answers [`guest::PLAY`].
fn performance(line: &str) -> Performance {
    let no_answer = |why| Performance::Cannot(format!("the guest says what is no answer: {why}"));
    wire::from_answer(line).unwrap_or_else(no_answer)
}

/// How long an answer may take: a request may let time pass, which a guest in real time sleeps through.
fn patience(request: &str) -> Patience {
    let request: Value = serde_json::from_str(request).unwrap_or_default();
    let passes_ms = request.get("ms").and_then(Value::as_u64).unwrap_or(0);
    let longest = ANSWER + Duration::from_millis(passes_ms.min(86_400_000));
    Patience {
        wall: longest,
        processor: longest,
    }
}

impl Session for LinuxVm {
    fn identity(&self) -> Identity {
        Identity {
            host: "linux-vm".into(),
            version: self.hello.release.clone(),
        }
    }

    /// If the guest goes down, the answer is `{"id":null,"crashed":".."}`, and the next request boots another.
    fn ask(&mut self, request: &str) -> Result<String> {
        match self.try_ask(request)? {
            Ok(answer) => Ok(answer),
            Err(trouble) => {
                self.guest = None;
                let why = self.recipe.failure(&trouble).to_string();
                Ok(json!({ "id": null, "crashed": why }).to_string())
            }
        }
    }

    fn serve(&mut self, reader: &mut dyn Read, writer: &mut dyn Write) -> Result<()> {
        super::session::serve_by_asking(self, reader, writer)
    }
}
