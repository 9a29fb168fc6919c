//! A scenario's TCP world on this kernel: clients that do what the models' do, by the same rules, with sockets of
//! their own between two namespaces, and what the kernel's tracepoints say of them.
//!
//! What this host cannot play is refused by name; what it cannot play in full is scaled down.

mod flooding;
mod lab;
pub mod wire;

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use faultlab_sim::engine::Entry;
use faultlab_sim::linux::tcp::{End, Kernel, TcpLab, Work};
use faultlab_sim::scenario::{Fault, Record};
use rustix::process::{Resource, getrlimit};

use super::address;
use super::clock::tick_ns;
use super::link::{CLIENT, Link};
use super::namespace::Namespace;
use super::time_wait::{Hooks, TimeWait};
use super::veth::{DEVICE, Pair};
use super::watch::Watch;
pub use flooding::Flooded;
use flooding::Flooding;
use lab::Lab;

/// What a machine can do: a world that wants more is scaled down.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// So many connections are tried a second.
    pub most_per_s: u64,
}

impl Pace {
    /// A processor of its own speed.
    pub const NATIVE: Pace = Pace { most_per_s: 5_000 };
    /// One whose instructions are translated: a connection costs a guest 0.1 ms of its own time, which is some ten
    /// times as long outside.
    pub const GUEST: Pace = Pace { most_per_s: 500 };
}

/// No world is played longer, in ms.
const LONGEST_MS: u64 = 200_000;

/// A world that was played.
#[derive(Default)]
pub struct Played {
    /// All that was seen, in order of time: of tracepoints, of applications, and faults that began.
    pub entries: Vec<Entry<Record>>,
    /// How many events were lost on the way to user space.
    pub lost: u64,
    /// By how much what was due came late at most, in ns.
    pub late_ns: u64,
    /// How long connect() took of each connection that came about, in ns.
    pub connects_ns: Vec<u64>,
    /// What became of the flood, if there was one.
    pub flooded: Option<Flooded>,
    /// The client's and the server's sockets in TIME_WAIT, at the end.
    pub time_wait: Option<[TimeWait; 2]>,
}

/// What lies between the hosts.
enum Between {
    /// In user space: with a delay, and down at times.
    Link(Link, Namespace, Namespace),
    /// The kernel's own, for floods.
    Cards(Pair),
}

impl Between {
    fn new(world: &TcpLab) -> io::Result<Between> {
        if world.flood.is_some() {
            return Ok(Between::Cards(Pair::new()?));
        }
        let (client, server) = (Namespace::new()?, Namespace::new()?);
        let link = Link::between(&client, &server)?;
        link.settings().delay_ns = world.link_delay_us * 1_000;
        Ok(Between::Link(link, client, server))
    }

    fn ends(&self) -> (&Namespace, &Namespace) {
        match self {
            Between::Link(_, client, server) => (client, server),
            Between::Cards(Pair { client, server }) => (client, server),
        }
    }

    fn device(&self) -> &'static str {
        match self {
            Between::Link(..) => Link::DEVICE,
            Between::Cards(_) => DEVICE,
        }
    }
}

/// By how much a world is scaled down to be played here: so many times fewer clients, and ports.
pub fn scale_of(world: &TcpLab, pace: Pace) -> u64 {
    let clients = u64::from(world.clients);
    let per_s = |interval_ms: u64| clients * 1_000 / interval_ms.max(1);
    let again_ms = world.reconnect.delay_ms(1);
    let at_work = match world.work {
        // connect() looks at half of the ports, those of one parity, before it looks at the others: once these are
        // taken it takes a millisecond and more (measured: 16 000 of 28 232 ports in 35 s in place of all in 29).
        Work::Short { hold_ms } => again_ms.map_or(0, |again_ms| per_s(hold_ms + again_ms)) * 25,
        Work::Leak { interval_ms } => per_s(interval_ms),
        Work::Requests { interval_ms, .. } => per_s(interval_ms) / 4,
        Work::Calls { interval_ms, .. } => per_s(interval_ms),
        // All come again at once when a server is back.
        Work::Idle => again_ms.map_or(0, per_s),
    };
    let begins = match world.ramp_ms {
        0 => 0,
        ramp_ms => per_s(ramp_ms),
    };
    // A connection that is never closed keeps a descriptor at either end.
    let held = match world.work {
        Work::Leak { interval_ms } => per_s(interval_ms) * world.until_ms / 1_000,
        _ => clients,
    };
    let by_descriptors = (2 * held).div_ceil(descriptors());
    let by_rate = at_work.max(begins).div_ceil(pace.most_per_s);
    by_rate.max(by_descriptors).max(1)
}

/// How many sockets there can be.
fn descriptors() -> u64 {
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    (most / 10 * 9).max(1)
}

/// The same world with so many times fewer clients, and local ports.
pub fn scaled(world: &TcpLab, scale: u64) -> TcpLab {
    if scale == 1 {
        return world.clone();
    }
    let mut scaled = world.clone();
    scaled.clients = ((u64::from(world.clients) / scale) as u32).max(1);
    scaled.client_hosts = world.client_hosts.min(scaled.clients);
    // An even number of ports, of which connect() reaches all.
    let ports = (28_232 / scale) & !1;
    let range = format!("32768 {}", 32_768 + ports - 1);
    let name = "net.ipv4.ip_local_port_range".to_owned();
    scaled.sysctl.entry(name).or_insert(range);
    scaled
}

/// What of a world cannot be played here, if anything.
pub fn cannot(world: &TcpLab, faults: &[Fault], kernel: Kernel) -> Option<String> {
    if world.kernel != kernel {
        let [asked, own] = [world.kernel, kernel].map(|kernel| kernel.profile().name);
        return Some(format!(
            "it is about Linux {asked}, and this kernel is as {own}"
        ));
    }
    let hz = 1_000_000_000 / tick_ns();
    if u64::from(world.hz) != hz {
        return Some(format!(
            "it is about HZ={}, and this kernel has {hz}",
            world.hz
        ));
    }
    if world.until_ms > LONGEST_MS {
        return Some(format!("it lasts longer than {} s", LONGEST_MS / 1_000));
    }
    for fault in faults {
        let at = match fault.name.as_str() {
            lab::LINK_DOWN if world.flood.is_none() => "link",
            lab::LISTENER_DOWN => "server",
            lab::LINGER_ZERO => "client-*",
            name => return Some(format!("the fault {name} cannot be injected here")),
        };
        if fault.at != at {
            return Some(format!("{} is injected at {at} only here", fault.name));
        }
    }
    None
}

/// What became of a world that a kernel was to play.
pub enum Performance {
    /// It was not played: why.
    Cannot(String),
    /// It was.
    Played(Box<Staged>),
}

/// A world as it was played.
pub struct Staged {
    /// So many times fewer clients than it was asked with.
    pub scale: u64,
    /// The world, scaled down.
    pub world: TcpLab,
    /// What was seen.
    pub played: Played,
}

/// Plays a world if this kernel can, scaled down if it must be. `tell` hears how many ms of it are through, about
/// once a second.
pub fn perform(
    world: &TcpLab,
    faults: &[Fault],
    tools: &mut Tools,
    tell: &mut dyn FnMut(u64),
) -> Performance {
    if world.flood.is_some() && tools.drops.is_none() {
        let why = "a flood goes over network cards that `ip` and nftables set up, which a guest does not have";
        return Performance::Cannot(why.into());
    }
    if let Some(why) = cannot(world, faults, tools.watch.nearest()) {
        return Performance::Cannot(why);
    }
    let scale = scale_of(world, tools.pace);
    let world = scaled(world, scale);
    match play(&world, faults, tools, tell) {
        Ok(played) => Performance::Played(Box::new(Staged {
            scale,
            world,
            played,
        })),
        Err(error) => Performance::Cannot(error.to_string()),
    }
}

/// The programs that worlds need.
pub struct Tools {
    /// Those on tracepoints.
    pub watch: Watch,
    /// Those that count sockets in TIME_WAIT.
    pub time_wait: Hooks,
    /// What this machine can do.
    pub pace: Pace,
    /// The built XDP program, for worlds with a flood; none: there can be no flood here, for want of what sets
    /// cards up.
    pub drops: Option<PathBuf>,
}

/// Plays a world to its end.
///
/// # Errors
/// Namespaces, a link, sockets or a defence cannot be had.
fn play(
    world: &TcpLab,
    faults: &[Fault],
    tools: &mut Tools,
    tell: &mut dyn FnMut(u64),
) -> io::Result<Played> {
    let between = Between::new(world)?;
    set_up(world, &between)?;
    let (client, server) = between.ends();
    let (own, other) = (client.inum, server.inum);
    let followed = tools.watch.follow(own, other);
    let counted = followed.and_then(|()| tools.time_wait.follow(own, other));
    counted.map_err(io::Error::other)?;
    let flooding = match (&world.flood, &between) {
        (Some(flood), Between::Cards(pair)) => {
            let drops = tools
                .drops
                .as_deref()
                .ok_or_else(|| io::Error::other("there can be no flood"))?;
            Some(Flooding::ready(flood, world, pair, drops)?)
        }
        _ => None,
    };
    let lab = Lab::new(world, faults, &between, flooding, &mut tools.watch)?;
    let mut played = lab.run(tell)?;
    played.entries.sort_by_key(|entry| entry.at);
    let of = |end, namespace| tools.time_wait.of(end, namespace);
    played.time_wait = Some([of(End::Client, client)?, of(End::Server, server)?]);
    // What is closed already gives up at its next timer.
    for namespace in [client, server] {
        namespace.run(|| {
            let _ = std::fs::write("/proc/sys/net/ipv4/tcp_orphan_retries", "1");
        });
    }
    Ok(played)
}

/// Sysctls of both hosts, and the client's addresses and ports.
fn set_up(world: &TcpLab, between: &Between) -> io::Result<()> {
    let (client, server) = between.ends();
    // What a kernel takes from the size of the machine's memory is as the models have it.
    let tw_buckets = world.kernel.profile().max_tw_buckets.to_string();
    let by_memory = ("net.ipv4.tcp_max_tw_buckets".to_owned(), tw_buckets);
    for namespace in [client, server] {
        for (name, value) in [(&by_memory.0, &by_memory.1)]
            .into_iter()
            .chain(&world.sysctl)
        {
            let path = format!("/proc/sys/{}", name.replace('.', "/"));
            let value = value.clone();
            let named = format!("{name}: ");
            namespace
                .run(move || std::fs::write(path, value))
                .map_err(|error| io::Error::other(format!("{named}{error}")))?;
        }
    }
    let (device, count) = (between.device(), addresses(world));
    client.run(move || {
        let further = (1..count).map(|number| Ipv4Addr::from(u32::from(CLIENT) + number));
        address::add(device, further)
    })
}

/// How many addresses the clients have. Where each has its own, they share one here: ports are no matter there.
fn addresses(world: &TcpLab) -> u32 {
    world.client_hosts.clamp(1, 250)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use faultlab_sim::engine::When;
    use faultlab_sim::linux::tcp::Reconnect;

    use super::*;

    #[test]
    fn worlds_that_want_too_much_are_scaled_down() {
        let small = TcpLab::default();
        assert_eq!(scale_of(&small, Pace::NATIVE), 1);
        let leaking = TcpLab {
            clients: 1_842,
            until_ms: 1_000,
            work: Work::Leak { interval_ms: 100 },
            ..TcpLab::default()
        };
        assert!(scale_of(&leaking, Pace::NATIVE) >= 4, "18 420 a second");
        assert!(
            scale_of(&leaking, Pace::GUEST) >= 37,
            "the same where less can be"
        );
        let storm = TcpLab {
            clients: 10_000,
            reconnect: Reconnect::Fixed { delay_ms: 100 },
            ramp_ms: 5_000,
            ..TcpLab::default()
        };
        assert!(scale_of(&storm, Pace::NATIVE) >= 20, "100 000 a second");
    }

    #[test]
    fn what_cannot_be_played_is_named() {
        let world = TcpLab::default();
        let fault = |name: &str, at: &str| Fault {
            name: name.into(),
            at: at.into(),
            when: When::default(),
            params: BTreeMap::new(),
            optional: false,
        };
        let why = |fault| cannot(&world, &[fault], world.kernel).unwrap_or_default();
        assert!(why(fault("packet-loss", "client-1")).contains("packet-loss"));
        assert!(why(fault("link-down", "client-1")).contains("at link only"));
        let other = Kernel::V6_1;
        assert!(cannot(&world, &[], other).is_some_and(|why| why.contains("6.18")));
    }
}
