//! `bench observers --host linux`: each way to observe on the kernel that this runs on, beside what the models
//! predict of it.
//!
//! Connections go one after another through a pair of cards between two namespaces of the run's own, once at a
//! rate and once as fast as they go. What a way costs is what the whole process costs with it less what it costs
//! without, just before. Time and the number of connections are bounded.

mod counts;
mod log;
mod model;
mod polls;
mod report;
mod seen;
mod traffic;

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use faultlab_sim::linux::tcp::End;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use crate::cli;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::host::linux::clock::{monotonic_ns, sleep_until};
use crate::host::linux::processor::Account;
use crate::host::linux::veth::Pair;
use crate::host::linux::watch::{EVENT_BYTES, Event, Kind, Ring, Watch};
use crate::host::linux::{self, programs};
use crate::progress::Progress;

use counts::{Counts, Map};
use log::Log;
use polls::Poll;
pub use report::Report;
use seen::{Known, Seen, delays};
use traffic::{Made, Server};

/// For how long connections come at the rate, and as fast as they go, in ns.
const AT_RATE_NS: u64 = 2_000_000_000;
/// See [`AT_RATE_NS`].
const AT_MOST_NS: u64 = 1_000_000_000;
/// For how long the kernel counts how long programs run, in ns.
const COUNTED_NS: u64 = 300_000_000;

/// How often maps are read, and lists of sockets.
const SNAPSHOT: Duration = Duration::from_secs(1);
/// See [`SNAPSHOT`].
const POLL: Duration = Duration::from_millis(120);

/// A way to observe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Nobody watches.
    Nothing,
    /// A map that programs count into.
    Counts(Map),
    /// Every event through a ring buffer, printed as a line of JSON.
    Ring,
    /// Rules of nftables that log, and our parser.
    Log,
    /// /proc/net/tcp, read again and again.
    Proc,
    /// inet_diag, asked again and again.
    Diag,
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 8] = [
        Way::Nothing,
        Way::Counts(Map::PerCpu),
        Way::Counts(Map::Shared),
        Way::Counts(Map::Lru),
        Way::Ring,
        Way::Log,
        Way::Proc,
        Way::Diag,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Way::Nothing => "none",
            Way::Counts(Map::PerCpu) => "per-CPU map",
            Way::Counts(Map::Shared) => "shared map",
            Way::Counts(Map::Lru) => "LRU map, by connection",
            Way::Ring => "ring buffer, JSON lines",
            Way::Log => "nft LOG, our parser",
            Way::Proc => "/proc/net/tcp, 120 ms",
            Way::Diag => "inet_diag, 120 ms",
        }
    }
}

/// The built programs.
struct Tools {
    events: PathBuf,
    counts: PathBuf,
}

/// Connections under the eye of an observer.
struct Phase {
    made: Vec<Made>,
    seen: Seen,
    /// Time on processors for each connection, in ns.
    cpu_ns: f64,
    took_ns: u64,
    /// How often programs ran, and for how long, in ns.
    ran: (u64, u64),
}

/// Measures all ways.
///
/// # Errors
/// The host is not there.
pub fn measure(args: &cli::BenchObservers, progress: &Progress) -> Result<Report> {
    linux::require()?;
    let tools = Tools {
        events: programs::build("tcp_events", progress)?,
        counts: programs::build("counts", progress)?,
    };
    let _printing = match args.kernel_log {
        true => log::let_print().map_err(machine("net.netfilter.nf_log_all_netns"))?,
        false => None,
    };
    let account = Account::open();
    let asked = |way: &Way| {
        let mut names = args.observers.iter();
        args.observers.is_empty() || names.any(|name| way.name().contains(name.as_str()))
    };
    let ways = Way::ALL.into_iter().filter(asked);
    let mut turns: Vec<(Way, Vec<Result<report::Turn>>)> =
        ways.map(|way| (way, Vec::new())).collect();
    if turns.is_empty() {
        let names = Way::ALL.map(Way::name).join("; ");
        let what = "--observer: no way to observe is called so";
        return Err(Failure::bad_input(what).help(format!("there are: {names}")));
    }
    for number in 1..=args.turns {
        for (way, turns) in &mut turns {
            progress.say(&format!("{}, turn {number} of {}", way.name(), args.turns));
            // What does not work once does not work.
            if !matches!(turns.last(), Some(Err(_))) {
                turns.push(turn(*way, &tools, args.rate, &account));
            }
        }
    }
    Report::of(args.rate, account.name(), log::prints(), turns)
}

fn machine(what: &str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::new(Exit::NoHost, format!("{what}: {error}"))
}

/// Fresh namespaces with a server.
fn hosts() -> Result<(Pair, Server)> {
    let pair = Pair::new().map_err(machine("two namespaces and a pair of cards"))?;
    let server = Server::start(&pair).map_err(machine("a server"))?;
    Ok((pair, server))
}

/// One turn of one way, in fresh namespaces, after one without in others.
fn turn(way: Way, tools: &Tools, rate: u64, account: &Account) -> Result<report::Turn> {
    let mut base = None;
    if way != Way::Nothing {
        let (pair, _server) = hosts()?;
        let phase = |rate, for_ns| phase(Way::Nothing, tools, &pair, account, rate, for_ns);
        let at_rate = phase(Some(rate), AT_RATE_NS / 2)?;
        base = Some([at_rate.cpu_ns, phase(None, AT_MOST_NS / 2)?.cpu_ns]);
    }
    let (pair, _server) = hosts()?;
    let at_rate = phase(way, tools, &pair, account, Some(rate), AT_RATE_NS)?;
    let at_most = phase(way, tools, &pair, account, None, AT_MOST_NS)?;
    let ran = match way {
        Way::Counts(_) | Way::Ring => {
            let counting = aya::sys::enable_stats(aya::sys::Stats::RunTime);
            let phase = phase(way, tools, &pair, account, Some(rate), COUNTED_NS)?;
            drop(counting);
            phase.ran
        }
        _ => (0, 0),
    };
    Ok(report::Turn::of(&at_rate, &at_most, base, ran))
}

fn phase(
    way: Way,
    tools: &Tools,
    pair: &Pair,
    account: &Account,
    rate: Option<u64>,
    for_ns: u64,
) -> Result<Phase> {
    let (stop, stopped) = mpsc::channel();
    let (ready, started) = mpsc::channel();
    thread::scope(|scope| {
        let reader = scope.spawn(|| observe(way, tools, pair, ready, stopped));
        let is_ready = started.recv().is_ok();
        let (before_ns, began_ns) = (account.ns(), monotonic_ns());
        let made = match is_ready {
            true => traffic::play(pair, rate, for_ns),
            false => Ok(Vec::new()),
        };
        let took_ns = monotonic_ns() - began_ns;
        drop(stop);
        let (seen, ran) = reader.join().expect("a reader does not panic")?;
        let cpu_ns = account.ns() - before_ns;
        let made = made.map_err(machine("a connection"))?;
        Ok(Phase {
            cpu_ns: cpu_ns as f64 / made.len().max(1) as f64,
            made,
            seen,
            took_ns,
            ran,
        })
    })
}

/// Sets a way up, says that it is ready, and reads until it is stopped: what it came to, and how often its programs
/// ran.
fn observe(
    way: Way,
    tools: &Tools,
    pair: &Pair,
    ready: Sender<()>,
    stopped: Receiver<()>,
) -> Result<(Seen, (u64, u64))> {
    let poll = |poll: io::Result<Poll>, what: &str| -> Result<(Seen, (u64, u64))> {
        let mut poll = poll.map_err(machine(what))?;
        let _ = ready.send(());
        let mut failed = Ok(());
        every(POLL, &stopped, || failed = poll.read());
        failed.map_err(machine(what))?;
        Ok((poll.seen(), (0, 0)))
    };
    match way {
        Way::Nothing => {
            let _ = ready.send(());
            let _ = stopped.recv();
            Ok((Seen::default(), (0, 0)))
        }
        Way::Counts(map) => {
            let mut counts = Counts::start(&tools.counts, map, pair)?;
            let _ = ready.send(());
            every(SNAPSHOT, &stopped, || counts.read());
            let ran = counts.ran();
            Ok((counts.seen(), ran))
        }
        Way::Ring => {
            let ring = Ring {
                bytes: 1 << 18,
                wakes: true,
            };
            let mut watch = Watch::load(&tools.events, ring)?;
            let followed = watch.follow(pair.client.inum, pair.server.inum);
            followed.map_err(|what| Failure::new(Exit::NoHost, what))?;
            let _ = ready.send(());
            let seen = export(&mut watch, &stopped).map_err(machine("/dev/null"))?;
            Ok((seen, watch.ran()))
        }
        Way::Log => {
            let what = "nft LOG";
            let mut log = Log::start(pair).map_err(machine(what))?;
            let _ = ready.send(());
            while !is_over(&stopped) {
                log.read(monotonic_ns() + STEP_NS).map_err(machine(what))?;
            }
            // The last lines come with the next tick.
            let end_ns = monotonic_ns() + STEP_NS;
            while monotonic_ns() < end_ns {
                log.read(end_ns).map_err(machine(what))?;
            }
            let _ = log.remove(pair);
            Ok((log.seen(), (0, 0)))
        }
        Way::Proc => poll(Poll::proc(pair), "/proc/net/tcp"),
        Way::Diag => poll(Poll::diag(pair), "inet_diag"),
    }
}

/// Who waits for descriptors looks so often whether it is over, in ns.
const STEP_NS: u64 = 20_000_000;

fn is_over(stopped: &Receiver<()>) -> bool {
    matches!(stopped.try_recv(), Err(mpsc::TryRecvError::Disconnected))
}

/// Does something at regular intervals, and once more when it is over.
fn every(period: Duration, stopped: &Receiver<()>, mut act: impl FnMut()) {
    let mut next_ns = monotonic_ns();
    loop {
        next_ns += period.as_nanos() as u64;
        let wait = Duration::from_nanos(next_ns.saturating_sub(monotonic_ns()));
        let waited = stopped.recv_timeout(wait);
        act();
        if waited != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// Takes every event from the ring, and prints it.
fn export(watch: &mut Watch, stopped: &Receiver<()>) -> io::Result<Seen> {
    use io::Write as _;
    let mut out = std::fs::File::options().write(true).open("/dev/null")?;
    let mut lines = Vec::with_capacity(1 << 16);
    let (mut histogram, mut connections, mut bytes) = (delays(), 0, 0);
    loop {
        let is_last = is_over(stopped);
        if !is_last {
            let mut descriptors = [PollFd::from_borrowed_fd(watch.ring(), PollFlags::IN)];
            let timeout = Timespec {
                tv_sec: 0,
                tv_nsec: STEP_NS as i64,
            };
            poll(&mut descriptors, Some(&timeout))?;
        } else {
            sleep_until(monotonic_ns() + STEP_NS);
        }
        while let Some(event) = watch.take() {
            histogram.saturating_record(monotonic_ns().saturating_sub(event.t_ns));
            connections += u64::from(is_connection(&event));
            bytes += EVENT_BYTES as u64;
            serde_json::to_writer(&mut lines, &Line::of(&event))?;
            lines.push(b'\n');
        }
        out.write_all(&lines)?;
        lines.clear();
        if is_last {
            return Ok(Seen {
                known: Known::Events(histogram, connections),
                bytes,
                told: watch.lost(),
            });
        }
    }
}

/// Whether a client's connection came about.
fn is_connection(event: &Event) -> bool {
    let (syn_sent, established) = (2, 1);
    event.kind == Kind::SetState
        && event.host == End::Client
        && (event.state, event.what) == (syn_sent, established)
}

/// An event as a line of JSON.
#[derive(serde::Serialize)]
struct Line {
    t_ns: u64,
    host: &'static str,
    event: Kind,
    skaddr: u64,
    oldstate: u32,
    newstate: i32,
    saddr: std::net::Ipv4Addr,
    sport: u16,
    daddr: std::net::Ipv4Addr,
    dport: u16,
}

impl Line {
    fn of(event: &Event) -> Line {
        Line {
            t_ns: event.t_ns,
            host: event.host.name(),
            event: event.kind,
            skaddr: event.sk,
            oldstate: event.state,
            newstate: event.what,
            saddr: event.saddr.into(),
            sport: event.sport,
            daddr: event.daddr.into(),
            dport: event.dport,
        }
    }
}
