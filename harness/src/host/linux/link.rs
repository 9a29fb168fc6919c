//! The link between the two hosts, in user space: what a host sends comes out of its TUN device, and is
//! written into the other's when its time has come, unless it is lost.
//!
//! Which packets are lost is decided as the models decide it: at the same site, of the same way of the same
//! connection, by the n-th packet there. So the same are lost on a model and on a kernel.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use faultlab_sim::engine::source::Seed;
use faultlab_sim::engine::{Key, Names, Options, Source};
use faultlab_sim::linux::tcp::End;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::time::Timespec;
use tun_rs::{DeviceBuilder, SyncDevice};

use super::clock::monotonic_ns;
use super::namespace::Namespace;

/// The addresses of the hosts are those of the models.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// See [`SERVER`].
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

/// No packet is longer: the MTU of the devices.
const MTU: usize = 1_500;

/// A burst of SYNs that is longer than the usual 500 is not the link's to lose.
const QUEUE: u32 = 100_000;

/// What the link does to packets.
#[derive(Debug, Default)]
pub struct Settings {
    /// How long a packet travels, in ns.
    pub delay_ns: u64,
    /// Of a million packets so many are lost.
    pub lost_of_million: u32,
    /// Whether it takes no packet in.
    pub down: bool,
    /// At which host packets with which port are thrown away as they arrive.
    pub deaf: Vec<(End, u16)>,
    /// The latest connection of each port of the host that asked for it.
    pub conns: BTreeMap<(End, u16), u32>,
    /// By how much it was late at most, in ns.
    pub late_ns: u64,
    names: Names,
    /// How many packets of each connection went each way.
    sent: BTreeMap<(u32, &'static str), u32>,
}

impl Settings {
    /// Whether a packet is lost that goes this way.
    fn loses(&mut self, to: End, ports: Ports) -> bool {
        let (way, client_port, server_port) = match to {
            End::Server => ("to-server", ports.from, ports.to),
            End::Client => ("to-client", ports.to, ports.from),
        };
        let lost = self.lost_of_million.min(1_000_000);
        if self.down || lost == 1_000_000 {
            return true;
        }
        if lost == 0 {
            return false;
        }
        let by_client = self.conns.get(&(End::Client, client_port));
        let by_server = || self.conns.get(&(End::Server, server_port));
        let conn = by_client.or_else(by_server).copied().unwrap_or(0);
        let ordinal = self.sent.entry((conn, way)).or_default();
        *ordinal += 1;
        let path = format!("{}/conn-{conn}/{way}", End::Client.name());
        let key = Key {
            site: "loss",
            entity: self.names.name(&path),
            verb: "",
            object: Key::NO_OBJECT,
            ordinal: *ordinal,
        };
        let weights = [1_000_000 - lost, lost];
        let options = Options::texts(&["carried", "lost"]);
        Seed(0).choose(&key, &options.weighed(&weights), &self.names) == 1
    }
}

/// The ports of a TCP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ports {
    from: u16,
    to: u16,
}

/// None if it is no IPv4 packet of TCP.
fn ports(packet: &[u8]) -> Option<Ports> {
    let first = *packet.first()?;
    let is_tcp = first >> 4 == 4 && packet.get(9) == Some(&6);
    let header = usize::from(first & 15) * 4;
    let bytes = packet.get(header..header + 4).filter(|_| is_tcp)?;
    Some(Ports {
        from: u16::from_be_bytes([bytes[0], bytes[1]]),
        to: u16::from_be_bytes([bytes[2], bytes[3]]),
    })
}

/// A packet under way: those that are due at one time arrive in their order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct UnderWay {
    due_ns: u64,
    number: u64,
    to_server: bool,
    bytes: Vec<u8>,
}

/// What is going on, for those who wait until nothing is.
#[derive(Debug, Default)]
struct Activity {
    /// Odd while packets are being carried.
    turns: AtomicU64,
    /// When the next packet under way is due, in ns; `u64::MAX` if none is.
    next_due_ns: AtomicU64,
}

/// A link that works.
pub struct Link {
    settings: Arc<Mutex<Settings>>,
    devices: Arc<[SyncDevice; 2]>,
    activity: Arc<Activity>,
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// What the devices are called.
    pub const DEVICE: &str = "link";

    /// Joins two namespaces.
    ///
    /// # Errors
    /// There can be no devices.
    pub fn between(client: &Namespace, server: &Namespace) -> io::Result<Link> {
        let device = |address: Ipv4Addr| {
            move || -> io::Result<SyncDevice> {
                // One network of 10.0.0.0/8, in which both hosts are.
                let device = DeviceBuilder::new()
                    .name(Link::DEVICE)
                    .mtu(MTU as u16)
                    .ipv4(address, 8, None)
                    .build_sync()?;
                lengthen(&device)?;
                device.set_nonblocking(true)?;
                Ok(device)
            }
        };
        let devices = Arc::new([client.run(device(CLIENT))?, server.run(device(SERVER))?]);
        let activity = Arc::new(Activity {
            turns: AtomicU64::new(0),
            next_due_ns: AtomicU64::new(u64::MAX),
        });
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let settings = Arc::<Mutex<Settings>>::default();
        let thread = {
            let (stop, settings) = (stop.clone(), settings.clone());
            let (devices, activity) = (devices.clone(), activity.clone());
            std::thread::Builder::new()
                .name("link".into())
                .spawn(move || carry(&devices, &stop, &settings, &activity))?
        };
        Ok(Link {
            settings,
            devices,
            activity,
            stop,
            thread: Some(thread),
        })
    }

    /// Whether no packet waits to be carried, nor is being carried, nor should have arrived by now.
    pub fn is_idle(&self) -> bool {
        let turns = self.activity.turns.load(Ordering::SeqCst);
        let is_due = self.activity.next_due_ns.load(Ordering::SeqCst) <= monotonic_ns();
        let waits = self
            .devices
            .iter()
            .any(|device| is_readable(device.as_fd()));
        turns.is_multiple_of(2)
            && !is_due
            && !waits
            && self.activity.turns.load(Ordering::SeqCst) == turns
    }

    /// What it does; it does nothing while these are held.
    pub fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().expect("the link does not panic")
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Gives a device as long a queue as the kernel allows: some have a limit below ours (ERANGE).
fn lengthen(device: &SyncDevice) -> io::Result<()> {
    let mut length = QUEUE;
    while let Err(error) = device.set_tx_queue_len(length) {
        if length < 1_000 {
            return Err(error);
        }
        length /= 2;
    }
    Ok(())
}

/// Whether there is something to read.
pub fn is_readable(descriptor: BorrowedFd<'_>) -> bool {
    let mut descriptors = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    let ready = poll(&mut descriptors, Some(&Timespec::default()));
    ready.is_ok_and(|ready| ready > 0)
}

/// Carries packets until it is stopped. `devices` are the client's and the server's.
fn carry(
    devices: &[SyncDevice; 2],
    stop: &OwnedFd,
    settings: &Mutex<Settings>,
    activity: &Activity,
) {
    let lock = || settings.lock().expect("who sets the link does not panic");
    let mut under_way: BinaryHeap<Reverse<UnderWay>> = BinaryHeap::new();
    let mut number = 0;
    let mut buffer = [0; 1 << 16];
    loop {
        let timeout = under_way.peek().map(|Reverse(next)| {
            let wait = next.due_ns.saturating_sub(monotonic_ns());
            Timespec {
                tv_sec: (wait / 1_000_000_000) as i64,
                tv_nsec: (wait % 1_000_000_000) as i64,
            }
        });
        let mut descriptors = [
            PollFd::from_borrowed_fd(devices[0].as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(devices[1].as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
        ];
        let polled = poll(&mut descriptors, timeout.as_ref());
        activity.turns.fetch_add(1, Ordering::SeqCst);
        if polled.is_ok() && !descriptors[2].revents().is_empty() {
            return;
        }
        // One of each in turn, so that an answer does not wait for a burst of questions.
        let mut is_any = true;
        while is_any {
            is_any = false;
            for (device, to) in [(&devices[0], End::Server), (&devices[1], End::Client)] {
                let Ok(length) = device.recv(&mut buffer) else {
                    continue;
                };
                is_any = true;
                let Some(ports) = ports(&buffer[..length]) else {
                    continue;
                };
                let mut settings = lock();
                if settings.loses(to, ports) {
                    continue;
                }
                number += 1;
                under_way.push(Reverse(UnderWay {
                    due_ns: monotonic_ns() + settings.delay_ns,
                    number,
                    to_server: to == End::Server,
                    bytes: buffer[..length].to_vec(),
                }));
            }
            while let Some(Reverse(packet)) = due(&mut under_way) {
                let to = match packet.to_server {
                    true => End::Server,
                    false => End::Client,
                };
                let is_deaf = {
                    let mut settings = lock();
                    let late_ns = monotonic_ns() - packet.due_ns;
                    settings.late_ns = settings.late_ns.max(late_ns);
                    ports(&packet.bytes).is_some_and(|Ports { from, to: port }| {
                        let mut deaf = settings.deaf.iter();
                        deaf.any(|(host, deaf)| *host == to && [from, port].contains(deaf))
                    })
                };
                if !is_deaf {
                    // The receiver's queue is full: as on a real link, the packet is gone.
                    let _ = devices[usize::from(packet.to_server)].send(&packet.bytes);
                }
            }
        }
        let next = under_way
            .peek()
            .map_or(u64::MAX, |Reverse(next)| next.due_ns);
        activity.next_due_ns.store(next, Ordering::SeqCst);
        activity.turns.fetch_add(1, Ordering::SeqCst);
    }
}

/// The next packet whose time has come.
fn due(under_way: &mut BinaryHeap<Reverse<UnderWay>>) -> Option<Reverse<UnderWay>> {
    let Reverse(next) = under_way.peek()?;
    (next.due_ns <= monotonic_ns()).then(|| under_way.pop())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_packets() {
        let mut packet = [0; 40];
        (packet[0], packet[9]) = (0x45, 6);
        packet[20..24].copy_from_slice(&[0x9c, 0x40, 0x23, 0x90]);
        let (from, to) = (40_000, 9_104);
        assert_eq!(ports(&packet), Some(Ports { from, to }));
        assert_eq!(ports(&packet[..23]), None);
        packet[9] = 17;
        assert_eq!(ports(&packet), None);
        assert_eq!(ports(&[]), None);
    }
}
