//! Worlds of clocks: which clocksource a kernel runs on. What programs measure by it is not asked: the errors in question
//! are a count of a clock, and this machine has none that is better.

use faultlab_sim::engine::{Entry, Observed, Time, Value};
use faultlab_sim::linux::clock::{Arch, ClockLab};
use faultlab_sim::scenario::Fault;

use super::stage::Stage;
use crate::failure::Result;
use crate::import::stream::{Events, Source, Stream, kind};
use crate::progress::Progress;

/// What was played where, for a reader.
pub const NOTE: &str = "which clocksource it runs on; lifetimes are not measured here";

/// This machine's architecture, if the models know it.
fn own() -> Option<Arch> {
    match std::env::consts::ARCH {
        "aarch64" => Some(Arch::Arm64),
        "x86_64" => Some(Arch::X86_64),
        _ => None,
    }
}

/// Starts a kernel as the world says, or takes the one that runs: its version, and what was seen, or why nothing was.
///
/// # Errors
/// No guest can be had.
pub fn play(
    world: &ClockLab,
    faults: &[Fault],
    stage: &mut Stage,
    progress: &Progress,
) -> Result<(Option<String>, std::result::Result<Stream, String>)> {
    if Some(world.arch) != own() {
        let asked = match world.arch {
            Arch::Arm64 => "arm64, whose counter decides it",
            Arch::X86_64 => "x86-64",
        };
        let why = format!(
            "it is about {asked}, and this machine is {}",
            std::env::consts::ARCH
        );
        return Ok((None, Err(why)));
    }
    if let Some(fault) = faults.first() {
        let why = format!("the fault {} cannot be injected here", fault.name);
        return Ok((None, Err(why)));
    }
    let asked = world.clocksource.as_deref();
    let (kernel, current) = stage.clocksource(asked, progress)?;
    Ok((Some(kernel), current.map(|current| seen(asked, current))))
}

fn seen(asked: Option<&str>, current: String) -> Stream {
    let spec = kind("clocksource").expect("the models have it");
    let record = Observed::new(&spec)
        .with(
            "asked",
            Value::Text(asked.unwrap_or_default().to_owned().into()),
        )
        .with("current", Value::Text(current.into()));
    let mut stream = Stream::new(Source::Kernel);
    stream.events = Events::Held(vec![Entry {
        at: Time(0),
        actor: "machine".into(),
        record: record.into(),
    }]);
    stream
}

#[cfg(test)]
mod tests {
    use faultlab_sim::engine::Record as _;

    use super::*;

    /// What no kernel was asked is not known.
    #[test]
    fn a_clocksource_is_seen_and_no_lifetime() {
        let stream = seen(Some("acpi_pm"), "tsc".into());
        assert_eq!(stream.is_blind_to("clocksource", "current", &[]), None);
        assert!(stream.is_blind_to("lifetime", "", &[]).is_some());
        assert!(
            stream
                .is_blind_to("clocksource", "resolution_ns", &[])
                .is_some()
        );
        let text = stream.entries()[0]
            .record
            .field("current")
            .map(|value| value.to_string());
        assert_eq!(text.as_deref(), Some("tsc"));
    }
}
