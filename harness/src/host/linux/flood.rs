//! A flood of SYNs with forged sources from one namespace to the other, and what drops it there: a generator on
//! raw packets, an XDP program, rules of nftables. It ends by itself, and never leaves the two namespaces.

use std::io::{self, IoSlice};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use aya::Ebpf;
use aya::maps::PerCpuArray;
use aya::programs::Xdp;
use aya::programs::xdp::XdpMode;
use etherparse::PacketBuilder;
use faultlab_sim::linux::tcp::Defence;
use rustix::net::{
    AddressFamily, MMsgHdr, SendAncillaryBuffer, SendFlags, SocketFlags, SocketType,
};

use super::clock::{monotonic_ns, sleep_until};
use super::link::{CLIENT, SERVER};
use super::veth::{DEVICE, Pair};
use super::watch;

/// The network from which the flood comes, with 16 bits of prefix. Nobody there answers.
const NETWORK: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 0);
const MASK: u32 = 0xffff_0000;

/// How many packets go to the kernel at once.
const BATCH: usize = 64;

/// A generator, with so many threads.
pub struct Generator {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    began_ns: u64,
}

impl Generator {
    /// Begins to send `per_s` SYNs a second to a port of the server's, or as many as it can, for `for_ns` at most.
    ///
    /// # Errors
    /// There can be no such sockets.
    pub fn start(
        pair: &Pair,
        port: u16,
        per_s: u64,
        threads: u32,
        for_ns: u64,
    ) -> io::Result<Generator> {
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let began_ns = monotonic_ns();
        let peer = pair.server.run(own_card)?.1;
        let mut running = Vec::new();
        for thread in 0..threads {
            let (socket, own) = pair.client.run(|| -> io::Result<(OwnedFd, [u8; 6])> {
                let (card, own) = own_card()?;
                let flags = SocketFlags::CLOEXEC;
                let kind = SocketType::RAW;
                let socket = rustix::net::socket_with(AddressFamily::PACKET, kind, flags, None)?;
                nix::sys::socket::bind(socket.as_raw_fd(), &card)?;
                Ok((socket, own))
            })?;
            let (stop, sent) = (stop.clone(), sent.clone());
            let (per_s, until_ns) = (per_s / u64::from(threads), began_ns + for_ns);
            let first = thread << 16;
            let send = move || {
                flood(
                    &socket,
                    [own, peer],
                    port,
                    first,
                    per_s,
                    until_ns,
                    &stop,
                    &sent,
                )
            };
            let builder = std::thread::Builder::new().name("flood".into());
            running.push(builder.spawn(send)?);
        }
        Ok(Generator {
            stop,
            sent,
            threads: running,
            began_ns,
        })
    }

    /// Ends it: how many SYNs were sent, and in how long, in ns.
    ///
    /// # Errors
    /// Sending failed.
    pub fn stop(mut self) -> io::Result<(u64, u64)> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("a generator does not panic")?;
        }
        let took_ns = monotonic_ns() - self.began_ns;
        Ok((self.sent.load(Ordering::Relaxed), took_ns))
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The card of the calling thread's namespace: its address for sockets of packets, and for frames.
fn own_card() -> io::Result<(nix::sys::socket::LinkAddr, [u8; 6])> {
    let none = || io::Error::other(format!("the namespace has no card {DEVICE}"));
    let mut all = nix::ifaddrs::getifaddrs()?;
    let card = all.find_map(|each| match each.interface_name == DEVICE {
        true => each.address?.as_link_addr().copied(),
        false => None,
    });
    let card = card.ok_or_else(none)?;
    let own = card.addr().ok_or_else(none)?;
    Ok((card, own))
}

/// A SYN of the flood from its `number`-th source.
fn syn([own, peer]: [[u8; 6]; 2], port: u16, number: u32) -> Vec<u8> {
    let source = Ipv4Addr::from(u32::from(NETWORK) | number & !MASK);
    // Ports change with the sources, so that nothing comes twice soon.
    let from = 1_024 + (number.wrapping_mul(2_654_435_761) >> 17) as u16;
    let builder = PacketBuilder::ethernet2(own, peer)
        .ipv4(source.octets(), SERVER.octets(), 64)
        .tcp(from, port, number, 64_240)
        .syn();
    let mut bytes = Vec::with_capacity(builder.size(0));
    builder
        .write(&mut bytes, &[])
        .expect("a packet is written to memory");
    bytes
}

#[expect(
    clippy::too_many_arguments,
    reason = "what a thread needs, in one place"
)]
fn flood(
    socket: &OwnedFd,
    cards: [[u8; 6]; 2],
    port: u16,
    first: u32,
    per_s: u64,
    until_ns: u64,
    stop: &AtomicBool,
    sent: &AtomicU64,
) -> io::Result<()> {
    // Made before: making packets is not what is measured.
    let packets: Vec<Vec<u8>> = (0..4_096)
        .map(|n| syn(cards, port, first + n * 16))
        .collect();
    let slices: Vec<[IoSlice<'_>; 1]> = packets.iter().map(|bytes| [IoSlice::new(bytes)]).collect();
    let mut controls: Vec<_> = packets
        .iter()
        .map(|_| SendAncillaryBuffer::default())
        .collect();
    let mut messages: Vec<MMsgHdr<'_>> = slices
        .iter()
        .zip(&mut controls)
        .map(|(slice, control)| MMsgHdr::new(slice, control))
        .collect();
    let start_ns = monotonic_ns();
    let mut own: u64 = 0;
    loop {
        for batch in messages.chunks_mut(BATCH) {
            let due_ns = start_ns + (own * 1_000_000_000).checked_div(per_s).unwrap_or(0);
            let now_ns = monotonic_ns();
            if now_ns >= until_ns || stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if due_ns > now_ns {
                sleep_until(due_ns.min(until_ns));
            }
            let count = match rustix::net::sendmmsg(socket, batch, SendFlags::empty()) {
                Ok(count) => count as u64,
                // The peer's queue is full, and the packet gone.
                Err(rustix::io::Errno::NOBUFS) => 1,
                Err(error) => return Err(error.into()),
            };
            own += count;
            sent.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// What drops the flood at the server.
pub struct Shield<'a> {
    pair: &'a Pair,
    hook: Option<&'static str>,
    program: Option<Ebpf>,
}

impl<'a> Shield<'a> {
    /// Puts it up; `object` has the XDP program.
    ///
    /// # Errors
    /// The kernel, or nftables, refuses: what it says.
    pub fn raise(
        pair: &'a Pair,
        defence: Defence,
        port: u16,
        object: &Path,
    ) -> Result<Shield<'a>, String> {
        // Answers to the forged go to the client\'s card, as to a router, and end there.
        let route = format!("route add {NETWORK}/16 via {CLIENT}\n");
        let routed = pair.server.command("ip", &["-batch", "-"], &route);
        routed.map_err(|error| error.to_string())?;
        let hook = match defence {
            Defence::Nothing | Defence::XdpNative => None,
            Defence::NftIngress => Some("netdev: hook ingress device \"eth0\" priority 0"),
            Defence::NftPrerouting => Some("ip: hook prerouting priority raw"),
            Defence::NftInput => Some("ip: hook input priority 0"),
        };
        let mut shield = Shield {
            pair,
            hook,
            program: None,
        };
        if let Some((family, hook)) = hook.and_then(|hook| hook.split_once(": ")) {
            nft_drop(pair, family, hook, port)?;
        }
        if defence == Defence::XdpNative {
            shield.program = Some(attach(pair, object, port)?);
        }
        Ok(shield)
    }

    /// How many packets it dropped; none: it drops none.
    ///
    /// # Errors
    /// The count cannot be read.
    pub fn dropped(&self) -> Result<Option<u64>, String> {
        if let Some(program) = &self.program {
            let map = program.map("dropped").expect("the object has this map");
            let counts = PerCpuArray::<_, u64>::try_from(map)
                .and_then(|map| map.get(&0, 0))
                .map_err(|error| watch::whole(&error))?;
            return Ok(Some(counts.iter().sum()));
        }
        let Some(_) = self.hook else { return Ok(None) };
        let rules = self.pair.server.command("nft", &["list", "ruleset"], "");
        let rules = rules.map_err(|error| error.to_string())?;
        let count = rules.split("counter packets ").nth(1);
        let count = count.and_then(|rest| rest.split(' ').next()?.parse().ok());
        count
            .map(Some)
            .ok_or_else(|| format!("nft lists no counter: {rules}"))
    }
}

fn nft_drop(pair: &Pair, family: &str, hook: &str, port: u16) -> Result<(), String> {
    let rules = format!(
        "table {family} flood {{\nchain drops {{\ntype filter {hook}; policy accept;\n\
         ip saddr {NETWORK}/16 tcp dport {port} counter drop\n}}\n}}\n"
    );
    let set = pair.server.command("nft", &["-f", "-"], &rules);
    set.map(drop).map_err(|error| error.to_string())
}

/// Hangs the XDP program on the server's card, in its driver.
fn attach(pair: &Pair, object: &Path, port: u16) -> Result<Ebpf, String> {
    let variables = [
        ("flood_network", u32::from(NETWORK).to_ne_bytes().to_vec()),
        ("flood_mask", MASK.to_ne_bytes().to_vec()),
        ("flood_port", port.to_ne_bytes().to_vec()),
    ];
    let variables: Vec<(&str, &[u8])> = variables
        .iter()
        .map(|(name, value)| (*name, &value[..]))
        .collect();
    let mut programs = watch::load(object, &[], &variables).map_err(|error| error.to_string())?;
    // Cards have numbers of their own in each namespace.
    pair.server.run(move || {
        let program = programs
            .program_mut("drop_flood")
            .expect("the object has it");
        let program: &mut Xdp = program.try_into().expect("it is for XDP");
        program
            .load()
            .and_then(|()| program.attach(DEVICE, XdpMode::Driver))
            .map_err(|error| watch::whole(&error))?;
        Ok(programs)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_of_the_flood_is_a_syn_from_its_network() {
        let bytes = syn([[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]], 443, 70_000);
        let packet = etherparse::SlicedPacket::from_ethernet(&bytes).expect("a packet");
        let Some(etherparse::NetSlice::Ipv4(ip)) = &packet.net else {
            panic!("no IPv4");
        };
        let source = u32::from(ip.header().source_addr());
        assert_eq!(source & MASK, u32::from(NETWORK));
        let Some(etherparse::TransportSlice::Tcp(tcp)) = &packet.transport else {
            panic!("no TCP");
        };
        assert!(tcp.syn() && !tcp.ack() && tcp.destination_port() == 443);
    }
}
