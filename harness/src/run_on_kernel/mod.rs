//! `run --host linux`, `run --host linux-vm`: the TCP worlds of scenarios on the kernel that this runs on or on one in
//! QEMU, their claims judged by what it shows, beside what the models show of the same worlds.
//!
//! A world that is too large for one machine is scaled down, on both sides, and so are the numbers that claims
//! name. What differs is the exit code 4, what stays undecided 1.

mod clocks;
mod dumps;
mod stage;
mod tell;

use faultlab_sim::linux::tcp::{TcpLab, Work};
use faultlab_sim::scenario::{
    Arm, Chooser, Keep, Loaded, Pattern, Statement, Watch as Patterns, World, load_built,
};
use serde::Serialize;

use crate::cli;
use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::host::linux::time_wait::TimeWait;
use crate::host::linux::world::{Flooded, Performance, Played, Staged};
use crate::import::judge::{Judged, judge};
use crate::import::stream::{Events, Source, Stream};
use crate::library::late_mistake;
use crate::on_arm::on_arm;
use crate::progress::Progress;
use crate::render::{Page, counted, grouped};
use stage::Stage;

/// A machine that is later than this, in ns, plays another world: what was to happen in a second does not.
const LATE_NS: u64 = 500_000_000;

/// What became of the arms of a scenario.
#[derive(Serialize)]
struct OnKernel {
    scenario: String,
    host: &'static str,
    arms: Vec<PlayedArm>,
}

/// An arm, played or not.
#[derive(Serialize)]
struct PlayedArm {
    arm: String,
    /// The kernel's version; none: no kernel was asked.
    kernel: Option<String>,
    /// What of it was the kernel's, if not all.
    note: Option<&'static str>,
    /// Why it was not played.
    not_played: Option<String>,
    /// So many times fewer clients than the scenario says.
    scale: u64,
    clients: u32,
    /// How many connections came about, and how long connect() took: median, 99 of 100, at most, in us.
    connected: u64,
    connect_us: Option<[u64; 3]>,
    /// Events that the kernel showed, and that the model shows.
    events: [u64; 2],
    late_us: u64,
    lost: u64,
    flood: Option<Flooded>,
    /// The client's and the server's sockets in TIME_WAIT, at the end.
    time_wait: Option<[TimeWait; 2]>,
    claims: Vec<Beside>,
}

/// A claim on the kernel, beside the model.
#[derive(Serialize)]
struct Beside {
    #[serde(flatten)]
    kernel: Judged,
    /// What the model's run of the same world shows.
    model: String,
    model_evidence: String,
}

/// Runs the command.
///
/// # Errors
/// The host is not there, or bad input.
pub fn run(args: &cli::Run, layout: Layout, errors: Layout) -> Result<Exit> {
    let others = [
        args.step,
        args.junit.is_some(),
        args.html.html.is_some(),
        args.trace.is_some(),
        args.pcap.is_some(),
        args.perfetto.is_some(),
        args.repro.is_some(),
        args.github,
        args.claim.is_some(),
    ];
    if others.contains(&true) {
        let host = args.host.name();
        let what = format!(
            "--host {host} plays scenarios on a kernel: of the outputs there is --json only"
        );
        let help = format!("faultlab run syn-blackhole --host {host} --json");
        return Err(Failure::bad_input(what).help(help));
    }
    let progress = Progress::spinner();
    let mut stage = Stage::new(args.host, &args.guest, &progress)?;
    let mut worst = Exit::AsRecorded;
    for loaded in crate::run::asked(&args.names)? {
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(failure) => {
                failure.report(errors);
                worst = worst.and(failure.exit);
                continue;
            }
        };
        let is_kernels = |arm: &Arm| {
            let world = loaded.scenario.world_of(arm);
            matches!(world, World::Tcp(_) | World::Clocks(_))
        };
        if args.names.is_empty() && !loaded.scenario.arms.iter().any(is_kernels) {
            continue;
        }
        let on_kernel = scenario(&loaded, args, &mut stage, &progress)?;
        // Where nothing was played, nothing is decided.
        if on_kernel.arms.iter().all(|arm| arm.not_played.is_some()) {
            worst = worst.and(Exit::Differs);
        }
        for claim in on_kernel.arms.iter().flat_map(|arm| &arm.claims) {
            worst = worst.and(match (&claim.kernel.undecided, claim.kernel.as_expected) {
                (Some(_), _) => Exit::Differs,
                (None, true) => Exit::AsRecorded,
                (None, false) => Exit::HostDiffers,
            });
        }
        match args.json {
            true => console::print_json(&on_kernel)?,
            false => {
                let mut page = Page::new(layout);
                tell::scenario(&mut page, &loaded, &on_kernel);
                console::print(&page.into_text())?;
            }
        }
    }
    Ok(worst)
}

fn scenario(
    loaded: &Loaded,
    args: &cli::Run,
    stage: &mut Stage,
    progress: &Progress,
) -> Result<OnKernel> {
    let id = &loaded.scenario.id;
    if let Some(name) = &args.arm {
        crate::on_arm::arm(loaded, name)?;
    }
    let mut arms = Vec::new();
    for arm in &loaded.scenario.arms {
        let is_meant = args.arm.as_ref().is_none_or(|name| *name == arm.name);
        if !is_meant || on_arm(loaded, &arm.name).is_empty() {
            continue;
        }
        arms.push(play(loaded, arm, args.seed, stage, progress)?);
    }
    Ok(OnKernel {
        scenario: id.clone(),
        host: args.host.name(),
        arms,
    })
}

/// Plays an arm on the kernel and on the model, and judges its claims by both.
fn play(
    loaded: &Loaded,
    arm: &Arm,
    seed: u64,
    stage: &mut Stage,
    progress: &Progress,
) -> Result<PlayedArm> {
    let mut played_arm = PlayedArm {
        arm: arm.name.clone(),
        kernel: None,
        note: None,
        not_played: None,
        scale: 1,
        clients: 0,
        connected: 0,
        connect_us: None,
        events: [0; 2],
        late_us: 0,
        lost: 0,
        flood: None,
        time_wait: None,
        claims: Vec::new(),
    };
    let (world, faults) = (loaded.scenario.world_of(arm), &arm.faults);
    let world = match world {
        World::Tcp(world) => world,
        World::Linux(_) if !faults.is_empty() => {
            let fault = &faults[0].name;
            played_arm.not_played = Some(format!("the fault {fault} cannot be injected here"));
            return Ok(played_arm);
        }
        World::Linux(world) => {
            let (kernel, keys) = stage.maps(progress)?;
            let played = dumps::in_order_of(world, keys);
            played_arm.kernel = Some(kernel);
            played_arm.note = Some(dumps::NOTE);
            match played {
                Err(why) => played_arm.not_played = Some(why),
                Ok(played) => {
                    let (model, model_events) =
                        on_model(loaded, arm, World::Linux(world.clone()), seed)?;
                    let (kernel, events) = on_model(loaded, arm, World::Linux(played), seed)?;
                    played_arm.events = [events, model_events];
                    played_arm.claims = beside(loaded, arm, 1, &kernel, &model);
                }
            }
            return Ok(played_arm);
        }
        World::Clocks(world) => {
            let (kernel, stream) = clocks::play(world, faults, stage, progress)?;
            played_arm.kernel = kernel;
            match stream {
                Err(why) => played_arm.not_played = Some(why),
                Ok(stream) => {
                    let (model, model_events) =
                        on_model(loaded, arm, World::Clocks(world.clone()), seed)?;
                    played_arm.note = Some(clocks::NOTE);
                    played_arm.events = [stream.count(), model_events];
                    played_arm.claims = beside(loaded, arm, 1, &stream, &model);
                }
            }
            return Ok(played_arm);
        }
        _ => {
            played_arm.not_played = Some("its world is none of a kernel's".into());
            return Ok(played_arm);
        }
    };
    let name = format!("{}, {}", loaded.scenario.id, arm.name);
    let (kernel, performance) = stage.play(world, &arm.faults, &name, progress)?;
    played_arm.kernel = Some(kernel);
    let Staged {
        scale,
        world,
        played,
    } = match performance {
        Performance::Played(staged) => *staged,
        Performance::Cannot(why) => {
            played_arm.not_played = Some(why);
            return Ok(played_arm);
        }
    };
    let (model, model_events) = on_model(loaded, arm, World::Tcp(world.clone()), seed)?;
    played_arm.scale = scale;
    played_arm.clients = world.clients;
    played_arm.connected = played.connects_ns.len() as u64;
    played_arm.connect_us = quantiles(played.connects_ns.clone());
    played_arm.late_us = played.late_ns / 1_000;
    played_arm.lost = played.lost;
    played_arm.flood = played.flooded.clone();
    played_arm.time_wait = played.time_wait.clone();
    let stream = stream(&world, played);
    played_arm.events = [stream.count(), model_events];
    played_arm.claims = beside(loaded, arm, scale, &stream, &model);
    Ok(played_arm)
}

/// The claims of an arm, with numbers that are so many times smaller, on a kernel and on the model.
fn beside(loaded: &Loaded, arm: &Arm, scale: u64, stream: &Stream, model: &Stream) -> Vec<Beside> {
    let mut claims = Vec::new();
    for on in on_arm(loaded, &arm.name) {
        let mut claim = on.claim.clone();
        claim.claim = match &claim.claim {
            Statement::Some(pattern) => Statement::Some(smaller(pattern, scale)),
            Statement::Every(pattern) => Statement::Every(smaller(pattern, scale)),
            Statement::Document { .. } => continue,
        };
        let Some(on_model) = judge(model, &claim, None, &[]) else {
            continue;
        };
        let expected = Some(on_model.verdict.clone());
        let Some(kernel) = judge(stream, &claim, expected, &[]) else {
            continue;
        };
        claims.push(Beside {
            kernel,
            model: on_model.verdict.word().to_owned(),
            model_evidence: on_model.evidence,
        });
    }
    claims
}

/// The model's run of the same world.
fn on_model(loaded: &Loaded, arm: &Arm, world: World, seed: u64) -> Result<(Stream, u64)> {
    let mut scenario = loaded.scenario.clone();
    let own = scenario.arms.iter_mut().find(|own| own.name == arm.name);
    let own = own.expect("it is the scenario's arm");
    own.world = Some(world);
    let built = load_built(&loaded.file, scenario, loaded.scripts.clone())
        .map_err(|mistake| late_mistake(loaded, mistake))?;
    let arm = built.scenario.arm(&arm.name).expect("it was just there");
    let prepared = built
        .prepare(arm, &built.scenario.cases_of(arm)[0].params, &[])
        .map_err(|mistake| late_mistake(&built, mistake))?;
    let keep = Keep {
        records: true,
        ..Keep::default()
    };
    let outcome = prepared.run(&Chooser::Seed(seed), &Patterns::new(Vec::new()), keep);
    let mut stream = Stream::new(Source::Models);
    stream.span_ns = outcome.at.0;
    stream.events = Events::Held(outcome.entries);
    Ok((stream, outcome.events))
}

/// What was seen, as a stream for claims.
fn stream(world: &TcpLab, played: Played) -> Stream {
    let mut stream = Stream::new(Source::Kernel);
    if played.lost > 0 {
        let lost = counted(played.lost, "event");
        stream
            .gaps
            .push(format!("{lost} lost on the way to user space"));
    }
    if played.late_ns > LATE_NS {
        let late_ms = grouped(played.late_ns / 1_000_000);
        let what = format!("this machine was up to {late_ms} ms behind what clients had to do");
        stream.gaps.push(what);
    }
    if let Work::Leak { interval_ms } = world.work
        && let Some(mean_ns) = played
            .connects_ns
            .iter()
            .sum::<u64>()
            .checked_div(played.connects_ns.len() as u64)
        // The next is due so long after the last is open: a hundredth of slack, so that a rate is the clients' own.
        && mean_ns > interval_ms * 1_000_000 / 100 + 2_000 * world.link_delay_us
    {
        let mean_us = grouped(mean_ns / 1_000);
        stream.gaps.push(format!(
            "connect() took {mean_us} us in the mean: of clients that pause for {interval_ms} ms it made slower ones"
        ));
    }
    if let Some(flood) = &played.flooded
        // It is paced by the machine, not by its clock: nine of ten are as many.
        && flood.sent_per_s < flood.asked_per_s / 10 * 9
    {
        stream.gaps.push(format!(
            "the flood came to {} SYNs a second of {}: this machine sends no more",
            grouped(flood.sent_per_s),
            grouped(flood.asked_per_s)
        ));
    }
    stream.span_ns = played.entries.last().map_or(0, |entry| entry.at.0);
    stream.events = Events::Held(played.entries);
    stream
}

/// A pattern with so many times smaller numbers.
fn smaller(pattern: &Pattern, scale: u64) -> Pattern {
    let of = |number: &Option<u64>| number.map(|number| number / scale);
    let all = |patterns: &[Pattern]| patterns.iter().map(|each| smaller(each, scale)).collect();
    let mut pattern = pattern.clone();
    match &mut pattern {
        Pattern::Count { least, most, .. } | Pattern::Rate { least, most, .. } => {
            (*least, *most) = (of(least), of(most));
        }
        Pattern::All(patterns) => *patterns = all(patterns),
        Pattern::Any(patterns) => *patterns = all(patterns),
        Pattern::Not(inner) => **inner = smaller(inner, scale),
        _ => {}
    }
    pattern
}

/// The median, 99 of 100 and the most, in us.
fn quantiles(mut ns: Vec<u64>) -> Option<[u64; 3]> {
    ns.sort_unstable();
    let last = ns.len().checked_sub(1)?;
    let of = |per_cent: usize| ns[last * per_cent / 100] / 1_000;
    Some([of(50), of(99), of(100)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_claims_are_scaled_down_with_the_world() {
        let of = || {
            let text = r#"[(id: "c", says: "s", claim: Some(All([
                Rate(of: (kind: "tcp_receive_reset"), per_ms: 1000, least: 50000),
                Not(Count(of: (kind: "app"), most: 10)),
            ])), expected: Holds)]"#;
            faultlab_sim::scenario::load_claims("claims.ron", text).expect("sound")
        };
        let claims = of();
        let Statement::Some(pattern) = &claims[0].claim else {
            panic!("it asks for some run");
        };
        let Pattern::All(parts) = smaller(pattern, 20) else {
            panic!("it stays what it is");
        };
        let Pattern::Rate { per_ms, least, .. } = &parts[0] else {
            panic!("it stays what it is");
        };
        assert_eq!(
            (*per_ms, *least),
            (1_000, Some(2_500)),
            "time stays as it is"
        );
        let Pattern::Not(inner) = &parts[1] else {
            panic!("it stays what it is");
        };
        assert!(matches!(**inner, Pattern::Count { most: Some(0), .. }));
    }

    #[test]
    fn quantiles_of_nothing_are_none() {
        assert_eq!(quantiles(Vec::new()), None);
        assert_eq!(quantiles(vec![3_000, 1_000, 2_000]), Some([2, 2, 3]));
    }
}
