//! The clocks that an eBPF program can ask, and what a connection's lifetime comes to by each of them.
//!
//! `bpf_ktime_get_ns` is CLOCK_MONOTONIC, which stands still while the machine is suspended;
//! `bpf_ktime_get_boot_ns` (5.8) goes on; both read the clocksource, on arm64 the architected counter of at least
//! 1 MHz. `bpf_jiffies64` (5.6) counts ticks of 1/HZ (include/uapi/linux/bpf.h, kernel/time/timekeeping.c).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tcp::{FaultError, windows};
use crate::engine::{
    Cx, Entity, FaultSpec, Faults, Options, ParamKind, ParamSpec, Record as EngineRecord, Span,
    Time,
};
use crate::records;

const SUSPEND: &str = "clock-suspend";
const JIFFIES: &str = "clock-jiffies";
const MIXED: &str = "clock-mixed";

/// The faults of clocks.
pub const FAULTS: &[FaultSpec] = &[
    FaultSpec {
        name: SUSPEND,
        doc: "At `machine`: it is suspended from `from_ms` for `for_ms` (or until `before_ms`). A laptop's \
              lid, a virtual machine that is paused does it. What was due meanwhile happens afterwards.",
        params: &[ParamSpec {
            name: "for_ms",
            kind: ParamKind::Number,
            required: false,
            doc: "How long it lasts. Without it, and without `before_ms`, it does not end.",
        }],
    },
    FaultSpec {
        name: JIFFIES,
        doc: "At `probe`: the program asks bpf_jiffies64 in place of bpf_ktime_get_ns. Advice for kernels \
              that are said to lack a precise clock does it.",
        params: &[],
    },
    FaultSpec {
        name: MIXED,
        doc: "At `probe`: the program takes the end of a connection from bpf_ktime_get_boot_ns, its beginning \
              from bpf_ktime_get_ns. Two programs of different authors that share a map do it.",
        params: &[],
    },
];

/// A machine's architecture.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Arch {
    /// 64-bit Arm.
    #[default]
    Arm64,
    /// 64-bit x86.
    X86_64,
}

impl Arch {
    /// The clocksources that it can have, by their names in
    /// `/sys/devices/system/clocksource/clocksource0/available_clocksource`, the best first
    /// (drivers/clocksource/arm_arch_timer.c; arch/x86/kernel/tsc.c, hpet.c, drivers/clocksource/acpi_pm.c),
    /// with their usual rate.
    pub const fn clocksources(self) -> &'static [(&'static str, u64)] {
        match self {
            Arch::Arm64 => &[("arch_sys_counter", 24_000_000)],
            Arch::X86_64 => &[
                ("tsc", 2_500_000_000),
                ("hpet", 14_318_180),
                ("acpi_pm", 3_579_545),
            ],
        }
    }
}

/// A machine, and a program that measures how long connections live.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClockLab {
    /// The architecture.
    pub arch: Arch,
    /// HZ.
    pub hz: u32,
    /// What `clocksource=` on the kernel's command line says, if there is one. A name that the machine does
    /// not have changes nothing.
    pub clocksource: Option<String>,
    /// For how long the machine was suspended before the run.
    pub was_suspended_ms: u64,
    /// So many connections are measured, `conn-1` and so on, each beginning when the one before ends.
    pub connections: u32,
    /// How long each lives.
    pub lifetime_us: u64,
    /// When the run ends.
    pub until_ms: u64,
}

impl Default for ClockLab {
    fn default() -> Self {
        ClockLab {
            arch: Arch::Arm64,
            hz: 250,
            clocksource: None,
            was_suspended_ms: 0,
            connections: 1,
            lifetime_us: 1_000,
            until_ms: 60_000,
        }
    }
}

/// Why a [`ClockLab`] makes no sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClockError {
    /// A kernel of this HZ is not built.
    Hz,
    /// A connection lives for some time, and there is at least one.
    Nothing {
        /// The field that must be above 0.
        field: &'static str,
    },
    /// A fault makes no sense.
    Fault(FaultError),
}

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClockError::Hz => write!(f, "hz: kernels are built with 100, 250, 300 or 1000"),
            ClockError::Nothing { field } => write!(f, "{field}: must be above 0"),
            ClockError::Fault(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClockError {}

records! {
    /// What clocks tell.
    pub enum Record {
        /// Which clocksource the kernel runs on.
        Clocksource = "clocksource", "runs on {current}, asked for \"{asked}\"" {
            /// What the command line asked for; empty: nothing.
            asked: std::sync::Arc<str>,
            /// What it has.
            current: &'static str,
            /// How long a count lasts, rounded up.
            resolution_ns: u64,
        },
        /// A program has measured how long a connection lived.
        Lifetime = "lifetime", "measures {measured_ns} ns by {clock}, off by {error_ns} ns" {
            /// What it asked, at the end of the connection.
            clock: &'static str,
            /// How long it was.
            true_ns: u64,
            /// What the clocks' difference says.
            measured_ns: u64,
            /// How far these are apart.
            error_ns: u64,
        },
    }
}

/// What the agenda holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A connection begins.
    Open(u32),
    /// It ends.
    Close(u32),
}

/// A clock that a program can ask.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Asked {
    Monotonic,
    Boot,
    Jiffies,
}

impl Asked {
    const fn helper(self) -> &'static str {
        match self {
            Asked::Monotonic => "bpf_ktime_get_ns",
            Asked::Boot => "bpf_ktime_get_boot_ns",
            Asked::Jiffies => "bpf_jiffies64",
        }
    }
}

/// The machine under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Clocks {
    config: ClockLab,
    probe: Entity,
    source: (&'static str, u64),
    /// How long the kernel had been running when the run began.
    booted: Span,
    /// When the machine is suspended.
    suspended: Vec<(Time, Option<Time>)>,
    /// When the connection that is open began, and what the program noted then.
    open: Option<(Time, u64)>,
}

impl Clocks {
    /// A machine at time 0.
    ///
    /// # Errors
    /// If it makes no sense, or the faults do not.
    pub fn new(config: ClockLab, faults: &Faults) -> Result<Clocks, ClockError> {
        if ![100, 250, 300, 1000].contains(&config.hz) {
            return Err(ClockError::Hz);
        }
        for (field, value) in [
            ("connections", u64::from(config.connections)),
            ("lifetime_us", config.lifetime_us),
        ] {
            if value == 0 {
                return Err(ClockError::Nothing { field });
            }
        }
        let windows = windows(faults, SUSPEND).map_err(ClockError::Fault)?;
        let sources = config.arch.clocksources();
        let asked = config.clocksource.as_deref();
        let source = sources.iter().find(|(name, _)| Some(*name) == asked);
        Ok(Clocks {
            source: *source.unwrap_or(&sources[0]),
            probe: Entity::of("probe"),
            booted: Span::ZERO,
            suspended: windows.iter().map(|w| (w.from, w.until)).collect(),
            open: None,
            config,
        })
    }

    /// Makes the first entries of the agenda. How long the kernel has been running is a wide choice at
    /// site `boot`, in microseconds.
    pub fn begin<E, R>(&mut self, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let machine = cx.name("machine");
        cx.name("probe");
        let options = Options::numbers(0, 1_000_000_000);
        self.booted = Span::from_us(cx.choose("boot", machine, &options));
        let (current, rate) = self.source;
        let asked = self.config.clocksource.as_deref().unwrap_or_default();
        cx.record(
            machine,
            Record::Clocksource {
                asked: asked.into(),
                current,
                resolution_ns: 1_000_000_000_u64.div_ceil(rate),
            },
        );
        if !self.suspended.is_empty() {
            // Whether a seed leaves an optional fault in was decided before; this says that it struck.
            cx.fault(SUSPEND, machine);
        }
        cx.after(Span::ZERO, self.probe, Event::Open(1));
    }

    /// Takes one step.
    pub fn step<E, R>(&mut self, event: Event, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let now = cx.now();
        if let Some((_, until)) = self.suspension_at(now) {
            // Nothing runs now; after the end it does.
            if let Some(until) = until {
                cx.after(until - now, self.probe, event);
            }
            return;
        }
        match event {
            Event::Open(conn) => {
                let clock = self.asked(cx, false);
                self.open = Some((now, self.read(clock, now)));
                let life = Span::from_us(self.config.lifetime_us);
                cx.after(life, self.probe, Event::Close(conn));
            }
            Event::Close(conn) => {
                let clock = self.asked(cx, true);
                let (since, noted) = self.open.take().expect("who closes has opened");
                let true_ns = (now - since).0;
                let measured_ns = self.read(clock, now).saturating_sub(noted);
                cx.record(
                    self.probe,
                    Record::Lifetime {
                        clock: clock.helper(),
                        true_ns,
                        measured_ns,
                        error_ns: measured_ns.abs_diff(true_ns),
                    },
                );
                if conn < self.config.connections {
                    cx.after(Span::ZERO, self.probe, Event::Open(conn + 1));
                }
            }
        }
    }

    /// Which clock the program asks.
    fn asked<E, R: EngineRecord>(&self, cx: &mut Cx<'_, E, R>, closes: bool) -> Asked {
        match () {
            () if cx.fault(JIFFIES, self.probe).is_some() => Asked::Jiffies,
            () if closes && cx.fault(MIXED, self.probe).is_some() => Asked::Boot,
            () => Asked::Monotonic,
        }
    }

    fn suspension_at(&self, now: Time) -> Option<(Time, Option<Time>)> {
        let covers = |(from, until): &&(Time, Option<Time>)| {
            *from <= now && until.is_none_or(|until| now < until)
        };
        self.suspended.iter().find(covers).copied()
    }

    /// For how long the machine was suspended during the run up to `now`, at which it is awake.
    fn slept(&self, now: Time) -> u64 {
        let ended = self.suspended.iter().filter_map(|(from, until)| {
            let until = (*until)?;
            (until <= now).then(|| (until - *from).0)
        });
        ended.sum()
    }

    /// What a clock says, in nanoseconds.
    fn read(&self, clock: Asked, now: Time) -> u64 {
        let awake = now.0 - self.slept(now) + self.booted.0;
        let count = |ns: u64, rate: u64| -> u64 {
            let counts = u128::from(ns) * u128::from(rate) / 1_000_000_000;
            (counts * 1_000_000_000 / u128::from(rate)) as u64
        };
        let slept = self.slept(now) + Span::from_ms(self.config.was_suspended_ms).0;
        match clock {
            Asked::Monotonic => count(awake, self.source.1),
            Asked::Boot => count(awake, self.source.1) + slept,
            Asked::Jiffies => count(awake, self.config.hz.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks(config: ClockLab) -> Clocks {
        Clocks::new(config, &Faults::default()).expect("it makes sense")
    }

    #[test]
    fn a_clocksource_that_the_machine_does_not_have_changes_nothing() {
        let on = |arch, name: &str| {
            let clocksource = Some(name.to_owned());
            let config = ClockLab {
                arch,
                clocksource,
                ..ClockLab::default()
            };
            clocks(config).source.0
        };
        assert_eq!(on(Arch::Arm64, "acpi_pm"), "arch_sys_counter");
        assert_eq!(on(Arch::X86_64, "acpi_pm"), "acpi_pm");
    }

    #[test]
    fn clocks_differ_by_their_resolution_and_by_suspension() {
        let mut clocks = clocks(ClockLab {
            was_suspended_ms: 3_700,
            ..ClockLab::default()
        });
        let now = Time(7_999_999);
        assert_eq!(clocks.read(Asked::Jiffies, now), 4_000_000);
        let monotonic = clocks.read(Asked::Monotonic, now);
        assert!(now.0 - monotonic < 42, "{monotonic}");
        assert_eq!(clocks.read(Asked::Boot, now) - monotonic, 3_700_000_000);
        clocks.suspended = vec![(Time(1_000_000), Some(Time(5_000_000)))];
        assert_eq!(clocks.slept(now), 4_000_000);
        assert_eq!(clocks.read(Asked::Jiffies, now), 0);
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |config| Clocks::new(config, &Faults::default()).err();
        let hz = ClockLab {
            hz: 0,
            ..ClockLab::default()
        };
        assert_eq!(refused(hz), Some(ClockError::Hz));
        let none = ClockLab {
            connections: 0,
            ..ClockLab::default()
        };
        let field = "connections";
        assert_eq!(refused(none), Some(ClockError::Nothing { field }));
    }
}
