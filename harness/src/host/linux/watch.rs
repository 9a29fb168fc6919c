//! What the kernel's tracepoints say of our namespaces: eBPF programs that are loaded once a session, and the
//! ring buffer that they write to.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::{fs, io};

use aya::maps::{HashMap, MapData, PerCpuArray, RingBuf};
use aya::programs::{ProgramError, RawTracePoint};
use aya::{Btf, Ebpf, EbpfLoader};
use faultlab_sim::linux::tcp::{End, Kernel};

use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// The size of `struct event`.
pub const EVENT_BYTES: usize = 72;

/// The ring buffer between the programs and their reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ring {
    /// Its size: a power of two, and pages.
    pub bytes: u32,
    /// Whether its reader is woken for each record; if not, it looks from time to time.
    pub wakes: bool,
}

impl Ring {
    /// What sessions of the host have: no event of a case is lost.
    pub const ROOMY: Ring = Ring {
        bytes: 8 << 20,
        wakes: false,
    };
}

/// The flags of `bpf_ringbuf_submit`: `BPF_RB_NO_WAKEUP`.
const NO_WAKEUP: u64 = 1;

/// The programs, by tracepoint: the first that the kernel takes is used. One that asks for more arguments
/// than the tracepoint has is not attached.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("inet_sock_set_state", &["inet_sock_set_state"]),
    (
        "tcp_retransmit_skb",
        &["tcp_retransmit_skb_err", "tcp_retransmit_skb"],
    ),
    ("tcp_retransmit_synack", &["tcp_retransmit_synack"]),
    (
        "tcp_send_reset",
        &["tcp_send_reset_reason", "tcp_send_reset"],
    ),
    ("tcp_receive_reset", &["tcp_receive_reset"]),
    ("tcp_destroy_sock", &["tcp_destroy_sock"]),
];

/// `enum kind` of the programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// inet_sock_set_state
    SetState,
    /// tcp_retransmit_skb
    RetransmitSkb,
    /// tcp_retransmit_synack
    RetransmitSynack,
    /// tcp_send_reset
    SendReset,
    /// tcp_receive_reset
    ReceiveReset,
    /// tcp_destroy_sock
    DestroySock,
}

const KINDS: [Kind; 6] = [
    Kind::SetState,
    Kind::RetransmitSkb,
    Kind::RetransmitSynack,
    Kind::SendReset,
    Kind::ReceiveReset,
    Kind::DestroySock,
];

/// `struct event` of the programs: what a tracepoint said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// When, in ns of CLOCK_MONOTONIC.
    pub t_ns: u64,
    /// The counter of ticks.
    pub jiffies: u64,
    /// The socket's address.
    pub sk: u64,
    /// The half-open request's address.
    pub req: u64,
    /// The socket's cookie, if it was given one.
    pub cookie: u64,
    /// At which host.
    pub host: End,
    /// Which tracepoint.
    pub kind: Kind,
    /// The state before, or the one in which it happened.
    pub state: u32,
    /// The state after, the reason, or the error.
    pub what: i32,
    /// Addresses and ports as printed.
    pub saddr: u32,
    /// See `saddr`.
    pub daddr: u32,
    /// See `saddr`.
    pub sport: u16,
    /// See `saddr`.
    pub dport: u16,
    /// The first number of the SYN that a half-open request answers.
    pub syn_seq: u32,
    /// Whether a system call can have led to it: not while the processor was idle or the link carried a packet.
    pub may_be_call: bool,
}

impl Event {
    /// Reads the bytes of one; none if they are none.
    fn read(bytes: &[u8]) -> Option<Event> {
        let bytes: &[u8; EVENT_BYTES] = bytes.try_into().ok()?;
        let u64_at = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("8"));
        let u32_at = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("4"));
        let u16_at = |at: usize| u16::from_ne_bytes(bytes[at..at + 2].try_into().expect("2"));
        Some(Event {
            t_ns: u64_at(0),
            jiffies: u64_at(8),
            sk: u64_at(16),
            req: u64_at(24),
            cookie: u64_at(32),
            host: match u16_at(40) {
                1 => End::Client,
                2 => End::Server,
                _ => return None,
            },
            kind: *KINDS.get(u32_at(44) as usize)?,
            state: u32_at(48),
            what: u32_at(52) as i32,
            saddr: u32_at(56),
            daddr: u32_at(60),
            sport: u16_at(64),
            dport: u16_at(66),
            syn_seq: u32_at(68),
            may_be_call: u16_at(42) == 0,
        })
    }
}

/// The loaded programs. They go, with their maps, when this does: nothing is pinned.
pub struct Watch {
    hosts: HashMap<MapData, u32, u32>,
    ring: RingBuf<MapData>,
    lost: PerCpuArray<MapData, u64>,
    lost_before: u64,
    followed: Vec<u32>,
    events: Vec<Event>,
    /// The names of reset reasons as this kernel prints them, by number; empty if it gives none.
    pub reasons: Vec<(i32, String)>,
    /// The programs themselves.
    programs: Ebpf,
}

impl Watch {
    /// Loads the object and attaches its programs.
    ///
    /// # Errors
    /// The kernel refuses one: what it says.
    pub fn load(object: &Path, ring: Ring) -> Result<Watch> {
        let submit = if ring.wakes { 0 } else { NO_WAKEUP };
        let sizes = [("ring", ring.bytes)];
        let mut programs = load(object, &sizes, &[("submit", &submit.to_ne_bytes())])?;
        let wrong = |what: String| Failure::new(Exit::NoHost, what);
        let mut has_reasons = false;
        for (tracepoint, names) in PROGRAMS {
            let mut refused = String::new();
            let taken = names.iter().find(|name| {
                let attached = attach(&mut programs, name, tracepoint);
                refused = attached
                    .as_ref()
                    .err()
                    .map(|error| whole(error))
                    .unwrap_or_default();
                attached.is_ok()
            });
            let Some(taken) = taken else {
                let what = format!("the tracepoint {tracepoint} cannot be watched: {refused}");
                return Err(wrong(what));
            };
            has_reasons |= *taken == "tcp_send_reset_reason";
        }
        let mut map = |name: &str| programs.take_map(name).expect("the object has this map");
        let (hosts, ring, lost) = (map("hosts"), map("ring"), map("lost"));
        let of_kind = |error: aya::maps::MapError| wrong(format!("a map: {}", whole(&error)));
        Ok(Watch {
            hosts: HashMap::try_from(hosts).map_err(of_kind)?,
            ring: RingBuf::try_from(ring).map_err(of_kind)?,
            lost: PerCpuArray::try_from(lost).map_err(of_kind)?,
            lost_before: 0,
            followed: Vec::new(),
            events: Vec::new(),
            reasons: match has_reasons {
                true => reasons()?,
                false => Vec::new(),
            },
            programs,
        })
    }

    /// The kernel whose tracepoints are nearest to this one's, of those that the models know.
    pub fn nearest(&self) -> Kernel {
        // Both came between 6.1 and 6.18: reset reasons with 6.10, linear SYN timeouts with 6.5.
        let is_linear = Path::new("/proc/sys/net/ipv4/tcp_syn_linear_timeouts").exists();
        match is_linear || !self.reasons.is_empty() {
            true => Kernel::V6_18,
            false => Kernel::V6_1,
        }
    }

    /// From now on follows these namespaces, and no others. What was seen is forgotten.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn follow(&mut self, client: u32, server: u32) -> std::result::Result<(), String> {
        for inum in self.followed.drain(..) {
            let _ = self.hosts.remove(&inum);
        }
        self.drain();
        self.events.clear();
        self.lost_before = self.lost_ever();
        follow(&mut self.hosts, client, server)?;
        self.followed.extend([client, server]);
        Ok(())
    }

    /// What is readable when the ring wakes its reader.
    pub fn ring(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }

    /// Takes the next event from the ring, for who keeps none.
    pub fn take(&mut self) -> Option<Event> {
        loop {
            let event = Event::read(&self.ring.next()?);
            if event.is_some() {
                return event;
            }
        }
    }

    /// Takes from the ring what is there.
    pub fn drain(&mut self) {
        while let Some(item) = self.ring.next() {
            self.events.extend(Event::read(&item));
        }
    }

    /// All that was seen of the namespaces, in order of time.
    pub fn events(&mut self) -> &[Event] {
        self.drain();
        // CPUs take their times before they take their places in the ring.
        self.events.sort_by_key(|event| event.t_ns);
        &self.events
    }

    fn lost_ever(&self) -> u64 {
        let counts = self.lost.get(&0, 0);
        counts.map_or(0, |counts| counts.iter().sum())
    }

    /// See [`ran`].
    pub fn ran(&self) -> (u64, u64) {
        ran(&self.programs)
    }

    /// How many events the ring had no room for.
    pub fn lost(&self) -> u64 {
        self.lost_ever() - self.lost_before
    }
}

/// Loads the programs of an object, with maps of other sizes and variables of other values (in the machine's order
/// of bytes) than it says.
///
/// # Errors
/// It cannot be read, or the kernel refuses it.
pub fn load(object: &Path, sizes: &[(&str, u32)], variables: &[(&str, &[u8])]) -> Result<Ebpf> {
    let wrong = |what: String| Failure::new(Exit::NoHost, what);
    let bytes =
        fs::read(object).map_err(|error| wrong(format!("{}: {error}", object.display())))?;
    let btf = Btf::from_sys_fs()
        .map_err(|error| wrong(format!("this kernel has no type information: {error}")))?;
    let mut loader = EbpfLoader::new();
    for (map, size) in sizes {
        loader.map_max_entries(map, *size);
    }
    for (name, value) in variables {
        loader.override_global(name, *value, true);
    }
    loader
        .btf(Some(&btf))
        .load(&bytes)
        .map_err(|error| wrong(format!("eBPF programs are not loaded: {}", whole(&error))))
}

/// Puts two namespaces into a map `hosts`: programs look at no others.
///
/// # Errors
/// The kernel refuses.
pub fn follow(
    hosts: &mut HashMap<MapData, u32, u32>,
    client: u32,
    server: u32,
) -> std::result::Result<(), String> {
    for (inum, host) in [(client, 1), (server, 2)] {
        let inserted = hosts.insert(inum, host, 0);
        inserted.map_err(|error| format!("the map of namespaces: {}", whole(&error)))?;
    }
    Ok(())
}

/// How often the loaded programs ran, and for how long, in ns, while the kernel counted that.
pub fn ran(programs: &Ebpf) -> (u64, u64) {
    let infos = programs
        .programs()
        .filter_map(|(_, program)| program.info().ok());
    infos.fold((0, 0), |(count, ns), info| {
        let ran_ns = info.run_time().as_nanos() as u64;
        (count + info.run_count(), ns + ran_ns)
    })
}

/// Loads a program and hangs it on a raw tracepoint.
///
/// # Errors
/// As the kernel says.
///
/// # Panics
/// If the object has no such program.
pub fn attach(
    programs: &mut Ebpf,
    name: &str,
    tracepoint: &str,
) -> std::result::Result<(), ProgramError> {
    let program = programs.program_mut(name).expect("the object has it");
    let program: &mut RawTracePoint = program.try_into()?;
    program.load()?;
    program.attach(tracepoint).map(drop)
}

/// An error with its causes.
pub fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// Where the format of the tracepoint with the reasons stands, in tracefs.
const FORMAT: &str = "events/tcp/tcp_send_reset/format";

/// The reasons that `tcp_send_reset` prints, by number: numbers differ among kernels, names hardly.
fn reasons() -> Result<Vec<(i32, String)>> {
    let places = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
    let file = |place: &&str| fs::read_to_string(format!("{place}/{FORMAT}")).ok();
    let format = match places.iter().find_map(file) {
        Some(format) => format,
        None => detached_format().map_err(|error| {
            let what = format!("the formats of tracepoints cannot be read: {error}");
            Failure::new(Exit::NoHost, what)
                .help("mount tracefs: mount -t tracefs tracefs /sys/kernel/tracing")
        })?,
    };
    Ok(symbols(&format, "REC->reason"))
}

/// The format from a tracefs of our own, where none is mounted: it is mounted nowhere, and goes when it is
/// closed (fsmount(2)).
fn detached_format() -> io::Result<String> {
    use rustix::fs::{Mode, OFlags, openat};
    use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
    let context = rustix::mount::fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_create(&context)?;
    let root = rustix::mount::fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::MOUNT_ATTR_RDONLY,
    )?;
    let file = openat(
        &root,
        FORMAT,
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    io::read_to_string(fs::File::from(file))
}

/// The pairs of `__print_symbolic(FIELD, { NUMBER, "NAME" }, ..)` in a format file.
fn symbols(format: &str, field: &str) -> Vec<(i32, String)> {
    let start = format!("__print_symbolic({field}");
    let Some((_, rest)) = format.split_once(&start) else {
        return Vec::new();
    };
    let list = rest.split(')').next().unwrap_or_default();
    let pairs = list.split('{').skip(1).filter_map(|pair| {
        let (number, name) = pair.split('}').next()?.split_once(',')?;
        let name = name.trim().trim_matches('"').to_owned();
        Some((number.trim().parse().ok()?, name))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_from_the_format() {
        let format = r#"print fmt: "state=%s reason=%s", REC->state ? __print_symbolic(REC->state, { 1, "A" }) : "U", __print_symbolic(REC->reason, { 0, "NOT_SPECIFIED" }, { 1, "NO_SOCKET" })"#;
        let expected = [(0, "NOT_SPECIFIED".to_owned()), (1, "NO_SOCKET".to_owned())];
        assert_eq!(symbols(format, "REC->reason"), expected);
        assert_eq!(symbols("print fmt: nothing", "REC->reason"), []);
    }

    #[test]
    fn reasons_are_read_where_tracefs_is_not_mounted() {
        match detached_format() {
            Ok(format) => assert!(!symbols(&format, "REC->reason").is_empty(), "{format}"),
            Err(error) => eprintln!("skipped: tracefs cannot be had here: {error}"),
        }
    }

    #[test]
    fn bytes_of_another_length_or_host_are_no_event() {
        let mut bytes = [0; EVENT_BYTES];
        assert_eq!(Event::read(&bytes), None, "host 0");
        bytes[40] = 2;
        bytes[44] = 5;
        let event = Event::read(&bytes).expect("an event");
        assert_eq!((event.host, event.kind), (End::Server, Kind::DestroySock));
        bytes[44] = 6;
        assert_eq!(Event::read(&bytes), None, "kind 6");
        assert_eq!(Event::read(&bytes[1..]), None);
    }
}
