//! Two TCP hosts on one link, whoever they are: the models here, or the namespaces of a real kernel
//! (`host::linux`). The requests are the same.

use std::collections::BTreeMap;

use faultlab_sim::engine::source::Seed;
use faultlab_sim::engine::{Key, Names, Options, Source, Span};
use faultlab_sim::linux::errno::Errno;
use faultlab_sim::linux::tcp::{
    Closing, End, Kernel, Listening, PairConfig, PairError, PairEvent, PairLab, SocketOptions,
    SysctlError,
};

/// What `reset` asks for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Fresh {
    /// The kernel; without it, the host's own.
    pub kernel: Option<Kernel>,
    /// Settings of both hosts, in their order.
    pub sysctls: Vec<(String, String)>,
    /// How long a packet travels, one way.
    pub delay: Span,
    /// Of a million packets so many are lost.
    pub lost_of_million: u32,
}

/// Why hosts do not do what they are told.
#[derive(Clone, PartialEq, Debug)]
pub enum HostError {
    /// As the call, or the application, says.
    Pair(PairError),
    /// They cannot do it: what, and why.
    Unsupported(String),
    /// Something of the machine's own failed.
    Machine(String),
}

impl From<PairError> for HostError {
    fn from(error: PairError) -> HostError {
        HostError::Pair(error)
    }
}

impl From<Errno> for HostError {
    fn from(errno: Errno) -> HostError {
        HostError::Pair(PairError::Errno(errno))
    }
}

/// A kernel's clocks, as a real one has them: with it, a model's timers fall into the same slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelClock {
    /// HZ.
    pub hz: u32,
    /// The counter of ticks at time 0 of the events.
    pub jiffies: u64,
    /// CLOCK_MONOTONIC at time 0 of the events, in ms: what SYN cookies are stamped by. Recordings of earlier versions
    /// have none.
    #[serde(default)]
    pub up_ms: u64,
    /// By how much this machine was late at most, in ns: in its user space, which tells applications and the
    /// link what to do.
    pub late_ns: u64,
    /// How many events were lost on the way to user space.
    pub lost: u64,
}

/// Two hosts, `client` and `server`.
pub trait TcpHosts {
    /// Fresh hosts, at time 0.
    ///
    /// # Errors
    /// As the kernel refuses a sysctl, or if this cannot be had.
    fn reset(&mut self, fresh: &Fresh) -> Result<(), HostError>;

    /// As [`PairLab::listen`].
    ///
    /// # Errors
    /// EADDRINUSE.
    fn listen(&mut self, end: End, port: u16, app: Listening) -> Result<(), HostError>;

    /// As [`PairLab::accept`].
    ///
    /// # Errors
    /// EBADF.
    fn accept(&mut self, end: End, port: u16, count: u32) -> Result<(), HostError>;

    /// As [`PairLab::connect`].
    ///
    /// # Errors
    /// If there cannot be so many sockets, the local port is in use, or the host cannot do it.
    fn connect(
        &mut self,
        to: End,
        port: u16,
        count: u32,
        options: SocketOptions,
        reads: bool,
    ) -> Result<u32, HostError>;

    /// As [`PairLab::send`].
    ///
    /// # Errors
    /// No such connection or end.
    fn send(&mut self, conn: u32, end: End, bytes: u64) -> Result<(), HostError>;

    /// As [`PairLab::close`].
    ///
    /// # Errors
    /// No such connection.
    fn close(&mut self, conns: &[u32], end: End, how: Closing) -> Result<(), HostError>;

    /// As [`PairLab::close_listener`].
    ///
    /// # Errors
    /// EBADF.
    fn close_listener(&mut self, end: End, port: u16) -> Result<(), HostError>;

    /// As [`PairLab::set_link`].
    ///
    /// # Errors
    /// The hosts cannot be had.
    fn set_link(
        &mut self,
        delay: Option<Span>,
        lost_of_million: Option<u32>,
        down: Option<bool>,
    ) -> Result<(), HostError>;

    /// As [`PairLab::set_deaf`].
    ///
    /// # Errors
    /// The hosts cannot be had.
    fn set_deaf(&mut self, end: End, port: u16, deaf: bool) -> Result<(), HostError>;

    /// Lets time pass.
    ///
    /// # Errors
    /// The hosts cannot be had.
    fn run(&mut self, span: Span) -> Result<(), HostError>;

    /// All that was recorded since the reset, in order of time.
    ///
    /// # Errors
    /// The hosts cannot be had.
    fn events(&mut self) -> Result<Vec<PairEvent>, HostError>;

    /// As [`PairLab::sockets`].
    ///
    /// # Errors
    /// The list cannot be had.
    fn sockets(&mut self, end: End) -> Result<BTreeMap<&'static str, u32>, HostError>;

    /// The clocks of a real kernel.
    fn clock(&self) -> Option<KernelClock> {
        None
    }
}

/// Who decides what the model leaves open: a seed; without one the kernel's clock has its default phase, and
/// which segments are lost is up to seed 0.
#[derive(Clone, Copy, Debug, Default)]
struct Chance {
    seed: Option<u64>,
    /// A real kernel's clock at time 0, in place of choices: the counter of ticks, and milliseconds.
    clock: Option<(u64, u64)>,
}

impl Source for Chance {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        match (self.clock, self.seed, key.site) {
            (Some((jiffies, _)), _, "boot") => jiffies % options.count,
            (Some((_, up_ms)), _, "cookie-clock") => up_ms % options.count,
            (None, None, "boot" | "cookie-clock") => options.default,
            (_, seed, _) => Seed(seed.unwrap_or(0)).choose(key, options, names),
        }
    }
}

/// The models.
#[derive(Default)]
pub struct ModelHosts {
    lab: Option<PairLab<Chance>>,
    chance: Chance,
    hz: Option<u32>,
    /// A sysctl that has another default: a rule that is switched off.
    pub(super) switched_off: Option<(&'static str, &'static str)>,
}

impl ModelHosts {
    /// Not there until they are spoken to.
    pub fn seeded(seed: Option<u64>) -> ModelHosts {
        ModelHosts {
            chance: Chance { seed, clock: None },
            ..ModelHosts::default()
        }
    }

    /// From the next reset on, with a kernel's clock: its HZ, and as [`KernelClock`] has them its counter of ticks
    /// and milliseconds.
    pub fn set_clock(&mut self, hz: u32, jiffies: u64, up_ms: u64) {
        self.hz = Some(hz);
        self.chance.clock = Some((jiffies, up_ms));
    }

    fn lab(&mut self) -> &mut PairLab<Chance> {
        let chance = self.chance;
        self.lab
            .get_or_insert_with(|| PairLab::new(&PairConfig::of(Kernel::V6_18), chance))
    }
}

impl TcpHosts for ModelHosts {
    fn reset(&mut self, fresh: &Fresh) -> Result<(), HostError> {
        let mut config = PairConfig::of(fresh.kernel.unwrap_or(Kernel::V6_18));
        config.hz = self.hz.unwrap_or(config.hz);
        if let Some((name, value)) = self.switched_off {
            // 6.1 has no linear SYN timeouts to switch off.
            let _ = config.set(name, value);
        }
        for (name, value) in &fresh.sysctls {
            config.set(name, value).map_err(|error| match error {
                SysctlError::Errno(errno) => HostError::from(errno),
                SysctlError::NotModelled => {
                    HostError::Unsupported(format!("{name}: this sysctl is not modelled"))
                }
            })?;
        }
        config.delay = fresh.delay;
        config.lost_of_million = fresh.lost_of_million;
        self.lab = Some(PairLab::new(&config, self.chance));
        Ok(())
    }

    fn listen(&mut self, end: End, port: u16, app: Listening) -> Result<(), HostError> {
        Ok(self.lab().listen(end, port, app)?)
    }

    fn accept(&mut self, end: End, port: u16, count: u32) -> Result<(), HostError> {
        self.lab().accept(end, port, count)?;
        Ok(())
    }

    fn connect(
        &mut self,
        to: End,
        port: u16,
        count: u32,
        options: SocketOptions,
        reads: bool,
    ) -> Result<u32, HostError> {
        let lab = self.lab();
        let is_in_use = |port| count > 1 || lab.is_port_in_use(to.other(), port);
        if options.local_port.is_some_and(is_in_use) {
            return Err(PairError::Errno(Errno::EADDRINUSE).into());
        }
        Ok(lab.connect(to, port, count, options, reads))
    }

    fn send(&mut self, conn: u32, end: End, bytes: u64) -> Result<(), HostError> {
        Ok(self.lab().send(conn, end, bytes)?)
    }

    fn close(&mut self, conns: &[u32], end: End, how: Closing) -> Result<(), HostError> {
        Ok(self.lab().close(conns, end, how)?)
    }

    fn close_listener(&mut self, end: End, port: u16) -> Result<(), HostError> {
        Ok(self.lab().close_listener(end, port)?)
    }

    fn set_link(
        &mut self,
        delay: Option<Span>,
        lost_of_million: Option<u32>,
        down: Option<bool>,
    ) -> Result<(), HostError> {
        self.lab().set_link(delay, lost_of_million, down);
        Ok(())
    }

    fn set_deaf(&mut self, end: End, port: u16, deaf: bool) -> Result<(), HostError> {
        self.lab().set_deaf(end, port, deaf);
        Ok(())
    }

    fn run(&mut self, span: Span) -> Result<(), HostError> {
        self.lab().run(span);
        Ok(())
    }

    fn events(&mut self) -> Result<Vec<PairEvent>, HostError> {
        Ok(self.lab().events().to_vec())
    }

    fn sockets(&mut self, end: End) -> Result<BTreeMap<&'static str, u32>, HostError> {
        Ok(self.lab().sockets(end))
    }
}
