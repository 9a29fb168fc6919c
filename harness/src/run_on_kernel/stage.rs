//! Which kernel plays worlds: this machine's, or one in QEMU that is booted for it.

use faultlab_sim::linux::tcp::{Kernel, TcpLab};
use faultlab_sim::scenario::Fault;

use crate::failure::Result;
use crate::host::linux::time_wait::Hooks;
use crate::host::linux::watch::{Ring, Watch};
use crate::host::linux::world::{self, Pace, Performance, Tools, wire};
use crate::host::linux::{self, programs};
use crate::host::linux_vm::LinuxVm;
use crate::host::linux_vm::kernel::nearest_package;
use crate::host::session::Session;
use crate::host::{GuestPlaces, Host};
use crate::progress::Progress;

/// Who plays worlds.
pub enum Stage {
    /// This machine's kernel.
    Here(Box<Tools>),
    /// One in QEMU.
    Guest(GuestPlaces, Option<Box<Guest>>),
}

/// A guest that is up, and of which kernel it was made.
pub struct Guest {
    package: Option<String>,
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
        Ok(Stage::Here(Box::new(Tools {
            pace: Pace::NATIVE,
            drops: Some(programs::build("drop", progress)?),
            watch: Watch::load(&events, Ring::ROOMY)?,
            time_wait: Hooks::load(&programs::build("time_wait", progress)?),
        })))
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
            Stage::Here(tools) => {
                let performance = world::perform(world, faults, tools, &mut |ms| tell(ms));
                Ok((linux::kernel_version(), performance))
            }
            Stage::Guest(places, up) => {
                let guest = fitting(places, up, world.kernel, progress)?;
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

/// A guest with the kernel that was asked for; without one, with the nearest to what a world is about.
fn fitting<'a>(
    places: &GuestPlaces,
    up: &'a mut Option<Box<Guest>>,
    kernel: Kernel,
    progress: &Progress,
) -> Result<&'a mut LinuxVm> {
    let own = || Some(nearest_package(kernel).to_owned());
    let package = places.kernel.clone().or_else(own);
    if up.as_ref().is_none_or(|guest| guest.package != package) {
        // Two at once would be no help.
        *up = None;
        let places = GuestPlaces {
            kernel: package.clone(),
            ..places.clone()
        };
        let session = LinuxVm::start(&places, progress)?;
        *up = Some(Box::new(Guest { package, session }));
    }
    Ok(&mut up.as_mut().expect("it is up").session)
}
