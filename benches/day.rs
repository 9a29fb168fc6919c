//! The article's day: 4.2 billion events of 128 nodes through aggregation and detection, and how the
//! rate changes with threads and with the number of flows. `cargo bench --bench day -- quick` plays a
//! hundredth of it.

use std::time::Instant;

use faultlab::day::tally;
use faultlab::threads::Threads;
use faultlab_sim::observe::population::Population;

fn main() {
    let is_quick = std::env::args().any(|arg| arg == "quick");
    let day = Population::article_day();
    let short = Population {
        seconds: 900,
        incidents: Vec::new(),
        ..day.clone()
    };
    println!(
        "| what | nodes | flows a node | threads | events | seconds | million events a second | digest |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|---|");
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u16);
    let mut threads = 1;
    while threads <= cores {
        row("15 minutes", &short, threads);
        threads *= 2;
    }
    for peers in [100, 1_000, 10_000] {
        let mut many = short.clone();
        for flows in &mut many.flows {
            flows.peers = peers;
        }
        row("15 minutes, more services and clients", &many, cores);
    }
    if !is_quick {
        row("the day", &day, cores);
    }
}

fn row(what: &str, population: &Population, threads: u16) {
    let began = Instant::now();
    let nodes = u64::from(population.nodes);
    let tally = tally(population, 1, 1_000, 0..nodes, Threads::new(Some(threads)));
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "| {what} | {nodes} | {} | {threads} | {} | {seconds:.1} | {:.1} | {:016x} |",
        tally.most_keys,
        tally.events,
        tally.events as f64 / seconds / 1e6,
        tally.digest,
    );
}
