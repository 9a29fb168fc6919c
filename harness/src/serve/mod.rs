//! `serve`: a node and its observers in real time, with what they see on HTTP and alerts as they come.

mod metrics;
mod page;
mod server;

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use faultlab_sim::engine::source::Seed;
use faultlab_sim::engine::{Armed, Span, Time};
use faultlab_sim::observe::population::Drawn;
use faultlab_sim::observe::{Alerter, Injected, ObserveLab, Stations};
use faultlab_sim::scenario::Prepared;

use crate::alert::{Courier, Rules};
use crate::cli;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::library::{self, late_mistake};
use crate::on_arm;
use crate::stop::Stop;
use server::{Published, Server};

/// A node under way, as of a second.
pub struct Live<'a> {
    /// The scenario and the arm.
    pub of: (&'a str, &'a str),
    /// How many seconds of the node's time are over.
    pub second: u64,
    /// Its observers.
    pub stations: &'a Stations,
    /// What is injected, over the whole time.
    pub injected: &'a [Injected],
    /// How often each rule has told something, by its name.
    pub alerts: &'a [(String, u64)],
}

impl Live<'_> {
    /// The end of the second.
    pub fn now(&self) -> Time {
        Time::default() + Span::from_s(self.second)
    }
}

/// Runs `serve`.
///
/// # Errors
/// Bad input, or an address that cannot be listened on.
pub fn run(args: &cli::Serve) -> Result<Exit> {
    let rules = args.rules.as_deref().map(Rules::read).transpose()?;
    let loaded = library::find(&args.name)?.load()?;
    let arm = on_arm::arm(&loaded, &args.arm)?;
    let prepared = loaded
        .prepare(arm, &Default::default(), &Prepared::swarm(arm, args.seed))
        .map_err(|mistake| late_mistake(&loaded, mistake))?;
    let Some((lab, faults)) = prepared.observed() else {
        let what = format!("the arm {} of {} has no observers", args.arm, args.name);
        return Err(Failure::bad_input(what)
            .help("a world of observers is written Observe((..)): try detection"));
    };
    let stop = Stop::on_signals()?;
    play(args, lab, faults, rules, &stop)
}

fn play(
    args: &cli::Serve,
    lab: &ObserveLab,
    faults: &[Armed],
    rules: Option<Rules>,
    stop: &Stop,
) -> Result<Exit> {
    let stations = lab
        .stations(faults)
        .expect("the arm was prepared with the same observers and faults");
    let drawn = Drawn::from_source(&lab.population, lab.node, &mut Seed(args.seed));
    let mut stations = Stations::new(lab, lab.node, &drawn, stations);
    let injected = lab.injected(lab.node);
    let courier = rules.as_ref().map(Courier::start);
    let rules = rules.map(|rules| rules.rules).unwrap_or_default();
    let mut alerts: Vec<(String, u64)> = rules.iter().map(|rule| (rule.name.clone(), 0)).collect();
    let mut alerter = Alerter::new(rules);
    let began = Instant::now();
    let mut second = 0;
    let published = |stations: &Stations, alerts: &[(String, u64)], second| {
        Published::of(&Live {
            of: (&args.name, &args.arm),
            second,
            stations,
            injected: &injected,
            alerts,
        })
    };
    // Whoever asks at once is answered, too.
    let server = match args.no_listen {
        true => None,
        false => Some(Server::start(
            args.listen,
            published(&stations, &alerts, 0),
        )?),
    };
    if let Some(server) = &server {
        eprintln!(
            "http://{}/metrics (also /state.json, /state.csv); Ctrl-C ends",
            server.address()
        );
    }
    while second < lab.population.seconds && !stop.is_wanted() {
        second += 1;
        // At speed 0 nobody waits.
        if let Some(ms) = (second * 1_000).checked_div(args.speed) {
            wait_until(began + Duration::from_millis(ms), stop);
        }
        let now = Time::default() + Span::from_s(second);
        stations.play(now);
        for alert in alerter.check(stations.all(), now) {
            alerts[alert.rule].1 += 1;
            let rule = &alerter.rules()[alert.rule];
            eprintln!(
                "{now}: {}: {} at {}",
                rule.name, alert.value, alert.observer
            );
            let courier = courier.as_ref().expect("who has rules has a courier");
            courier.take(rule, &alert);
        }
        if let Some(server) = &server {
            server.publish(published(&stations, &alerts, second));
        }
    }
    if server.is_some() && !args.until_end && !stop.is_wanted() {
        eprintln!("all {second} seconds are over; still serving what they came to");
        while !stop.is_wanted() {
            thread::sleep(TICK);
        }
    }
    let delivered = courier.map(Courier::finish).unwrap_or_default();
    if delivered.due > 0 {
        eprintln!(
            "alerts: {} to deliver, {} delivered, {} fell back",
            delivered.due, delivered.done, delivered.fell_back
        );
    }
    Ok(Exit::of_verdicts(delivered.fell_back == 0))
}

/// How often somebody's wish for an end is looked at.
const TICK: Duration = Duration::from_millis(50);

fn wait_until(time: Instant, stop: &Stop) {
    while !stop.is_wanted() {
        let left = time.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::sleep(left.min(TICK));
    }
}

impl Published {
    fn of(live: &Live<'_>) -> Published {
        Published {
            metrics: metrics::render(live),
            json: page::json(live),
            csv: page::csv(live),
        }
    }
}

/// The address that is listened on if no other is asked for.
pub const USUAL: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9_469);
