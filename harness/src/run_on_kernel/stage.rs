//! Which kernel plays worlds: this machine's, or one in QEMU that is booted for it.

use std::path::PathBuf;

use faultlab_sim::linux::tcp::{Kernel, TcpLab};
use faultlab_sim::scenario::Fault;

use crate::failure::Result;
use crate::host::linux::time_wait::Hooks;
use crate::host::linux::watch::{Ring, Watch};
use crate::host::linux::world::{self, Pace, Performance, Tools, wire};
use crate::host::linux::{self, elements, programs};
use crate::host::linux_vm::LinuxVm;
use crate::host::linux_vm::kernel::nearest_package;
use crate::host::session::Session;
use crate::host::{GuestPlaces, Host};
use crate::progress::Progress;

/// Who plays worlds.
pub enum Stage {
    /// This machine's kernel, with the programs of worlds and the map.
    Here(Box<Tools>, PathBuf),
    /// One in QEMU.
    Guest(GuestPlaces, Option<Box<Guest>>),
}

/// A guest that is up, and how it was asked for.
pub struct Guest {
    kernel: Option<String>,
    arguments: Option<String>,
    session: LinuxVm,
}

impl Stage {
    /// What the host is to have. A guest is booted when a world is to be played.
    ///
    /// # Errors
    /// The host is not there.
    pub fn new(host: Host, places: &GuestPlaces, progress: &Progress) -> Result<Stage> {
        if host == Host::LinuxVm {
            return Ok(Stage::Guest(places.clone(), None));
        }
        linux::require()?;
        let events = programs::build("tcp_events", progress)?;
        let tools = Tools {
            pace: Pace::NATIVE,
            drops: Some(programs::build("drop", progress)?),
            watch: Watch::load(&events, Ring::ROOMY)?,
            time_wait: Hooks::load(&programs::build("time_wait", progress)?),
        };
        let map = programs::build("elements", progress)?;
        Ok(Stage::Here(Box::new(tools), map))
    }

    /// Orders of maps: the kernel's version, and what asks it for the keys of fresh maps with some elements.
    ///
    /// # Errors
    /// No guest can be had.
    pub fn maps(&mut self, progress: &Progress) -> Result<(String, Keys<'_>)> {
        match self {
            Stage::Here(_, map) => {
                let keys = |elements: &[(u32, u64)]| elements::listed(map, elements);
                Ok((linux::kernel_version(), Box::new(keys)))
            }
            Stage::Guest(places, up) => {
                let guest = fitting(places, up, Kernel::V6_18, None, progress)?;
                let version = guest.identity().version;
                let keys = move |elements: &[(u32, u64)]| {
                    let keys = guest.map_keys(elements);
                    keys.unwrap_or_else(|failure| Err(failure.to_string()))
                };
                Ok((version, Box::new(keys)))
            }
        }
    }

    /// The clocksource that a kernel runs on which is asked for one at its start: the kernel's version, and its
    /// clocksource or why that cannot be known.
    ///
    /// # Errors
    /// No guest can be had.
    pub fn clocksource(
        &mut self,
        asked: Option<&str>,
        progress: &Progress,
    ) -> Result<(String, std::result::Result<String, String>)> {
        let argument = asked.map(|name| format!("clocksource={name}"));
        match self {
            Stage::Here(..) => {
                let started = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
                let has = |argument: &String| started.split_whitespace().any(|own| own == argument);
                let current = match &argument {
                    Some(argument) if !has(argument) => Err(format!(
                        "this machine was not started with {argument}; a guest is, with --host linux-vm"
                    )),
                    _ => linux::clocksource().map_err(|error| error.to_string()),
                };
                Ok((linux::kernel_version(), current))
            }
            Stage::Guest(places, up) => {
                let guest = fitting(places, up, Kernel::V6_18, argument.as_deref(), progress)?;
                let current = guest.clocksource()?;
                Ok((guest.identity().version, current))
            }
        }
    }

    /// Plays a world, on a kernel as the world is about if one can be had: the kernel's version, and what became of it.
    ///
    /// # Errors
    /// No guest can be had.
    pub fn play(
        &mut self,
        world: &TcpLab,
        faults: &[Fault],
        name: &str,
        progress: &Progress,
    ) -> Result<(String, Performance)> {
        let until_s = world.until_ms / 1_000;
        let tell = |through_ms: u64| {
            progress.say(&format!("{name}: {} s of {until_s} s", through_ms / 1_000));
        };
        progress.say(name);
        match self {
            Stage::Here(tools, _) => {
                let performance = world::perform(world, faults, tools, &mut |ms| tell(ms));
                Ok((linux::kernel_version(), performance))
            }
            Stage::Guest(places, up) => {
                let guest = fitting(places, up, world.kernel, None, progress)?;
                progress.say(name);
                let asked = wire::Asked {
                    world: world.clone(),
                    faults: faults.to_vec(),
                };
                let performance = guest.play(&asked, &tell)?;
                Ok((guest.identity().version, performance))
            }
        }
    }
}

/// What lists the keys of a fresh map with these elements, in the kernel's order.
pub type Keys<'a> = Box<dyn FnMut(&[(u32, u64)]) -> std::result::Result<Vec<u32>, String> + 'a>;

/// A guest with the kernel that was asked for; without one, with the nearest to what a world is about. Its kernel is
/// told `argument`, too.
fn fitting<'a>(
    places: &GuestPlaces,
    up: &'a mut Option<Box<Guest>>,
    kernel: Kernel,
    argument: Option<&str>,
    progress: &Progress,
) -> Result<&'a mut LinuxVm> {
    let own = || Some(nearest_package(kernel).to_owned());
    let kernel = places.kernel.clone().or_else(own);
    let arguments = match (places.kernel_arguments.as_deref(), argument) {
        (Some(asked), Some(argument)) => Some(format!("{asked} {argument}")),
        (asked, argument) => asked.or(argument).map(str::to_owned),
    };
    let is_so = |guest: &Guest| guest.kernel == kernel && guest.arguments == arguments;
    if !up.as_deref().is_some_and(is_so) {
        // Two at once would be no help.
        *up = None;
        let places = GuestPlaces {
            kernel: kernel.clone(),
            kernel_arguments: arguments.clone(),
            ..places.clone()
        };
        let session = LinuxVm::start(&places, progress)?;
        *up = Some(Box::new(Guest {
            kernel,
            arguments,
            session,
        }));
    }
    Ok(&mut up.as_mut().expect("it is up").session)
}
