//! A scenario's TCP world on this kernel: clients that do what the models' do, by the same rules, with sockets of
//! their own between two namespaces, and what the kernel's tracepoints say of them.
//!
//! What this host cannot play is refused by name; what it cannot play in full is scaled down.

mod flooding;
mod lab;

use std::io;
use std::path::PathBuf;

use faultlab_sim::engine::Time;
use faultlab_sim::linux::tcp::{End, Kernel, TcpLab, Work};
use faultlab_sim::linux::tracepoint::Record;
use faultlab_sim::scenario::Fault;
use rustix::process::{Resource, getrlimit};

use super::clock::tick_ns;
use super::link::{CLIENT, Link};
use super::namespace::Namespace;
use super::time_wait::{Hooks, TimeWait};
use super::veth::{DEVICE, Pair};
use super::watch::Watch;
pub use flooding::Flooded;
use flooding::Flooding;
use lab::Lab;

/// No more connections are tried a second: a world that wants more is scaled down.
const MOST_PER_S: u64 = 5_000;

/// No world is played longer, in ms.
const LONGEST_MS: u64 = 200_000;

/// Something that was seen.
pub struct Seen {
    /// When, since the world began.
    pub at: Time,
    /// Whose it is.
    pub actor: String,
    /// What.
    pub what: What,
}

/// What was seen.
pub enum What {
    /// A tracepoint or an application said so.
    Tcp(Record),
    /// A fault begins.
    Fault(&'static str),
}

/// A world that was played.
#[derive(Default)]
pub struct Played {
    /// All that was seen, in order of time.
    pub seen: Vec<Seen>,
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
pub fn scale_of(world: &TcpLab) -> u64 {
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
    let by_rate = at_work.max(begins).div_ceil(MOST_PER_S);
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

/// The programs that worlds need.
pub struct Tools {
    /// Those on tracepoints.
    pub watch: Watch,
    /// Those that count sockets in TIME_WAIT.
    pub time_wait: Hooks,
    /// The built XDP program, for worlds with a flood.
    pub drops: PathBuf,
}

/// Plays a world to its end.
///
/// # Errors
/// Namespaces, a link, sockets or a defence cannot be had.
pub fn play(world: &TcpLab, faults: &[Fault], tools: &mut Tools) -> io::Result<Played> {
    let between = Between::new(world)?;
    set_up(world, &between)?;
    let (client, server) = between.ends();
    let (own, other) = (client.inum, server.inum);
    let followed = tools.watch.follow(own, other);
    let counted = followed.and_then(|()| tools.time_wait.follow(own, other));
    counted.map_err(io::Error::other)?;
    let flooding = match (&world.flood, &between) {
        (Some(flood), Between::Cards(pair)) => {
            Some(Flooding::ready(flood, world, pair, &tools.drops)?)
        }
        _ => None,
    };
    let lab = Lab::new(world, faults, &between, flooding, &mut tools.watch)?;
    let mut played = lab.run()?;
    played.seen.sort_by_key(|seen| seen.at);
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
    for namespace in [client, server] {
        for (name, value) in &world.sysctl {
            let path = format!("/proc/sys/{}", name.replace('.', "/"));
            let value = value.clone();
            let named = format!("{name}: ");
            namespace
                .run(move || std::fs::write(path, value))
                .map_err(|error| io::Error::other(format!("{named}{error}")))?;
        }
    }
    let own = u32::from(CLIENT);
    let addresses: String = (1..addresses(world))
        .map(|number| {
            let address = std::net::Ipv4Addr::from(own + number);
            format!("address add {address}/32 dev {}\n", between.device())
        })
        .collect();
    if !addresses.is_empty() {
        client.command("ip", &["-batch", "-"], &addresses)?;
    }
    Ok(())
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
        assert_eq!(scale_of(&small), 1);
        let leaking = TcpLab {
            clients: 1_842,
            until_ms: 1_000,
            work: Work::Leak { interval_ms: 100 },
            ..TcpLab::default()
        };
        assert!(scale_of(&leaking) >= 4, "18 420 a second");
        let storm = TcpLab {
            clients: 10_000,
            reconnect: Reconnect::Fixed { delay_ms: 100 },
            ramp_ms: 5_000,
            ..TcpLab::default()
        };
        assert!(scale_of(&storm) >= 20, "100 000 a second");
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
