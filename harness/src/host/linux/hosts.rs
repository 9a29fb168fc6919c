//! Two hosts on this kernel: two namespaces, a link, applications, and what the tracepoints say of them.

use std::collections::BTreeMap;
use std::path::Path;

use faultlab_sim::engine::{Span, Time};
use faultlab_sim::linux::errno::Errno;
use faultlab_sim::linux::tcp::{
    Closing, End, Kernel, Listening, PairEvent, SocketOptions, ss_name,
};
use faultlab_sim::linux::tracepoint::{Family, Ipv4, Protocol, Record, RstReason, TcpState};
use faultlab_sim::observe::procfs::parse_row;

use crate::probe::tcp_hosts::{Fresh, HostError, KernelClock, TcpHosts};

use super::apps::{Apps, Desk, Learned};
use super::clock::{latest_tick_ns, monotonic_ns, sleep_until, tick_ns};
use super::link::Link;
use super::namespace::Namespace;
use super::watch::{Event, Kind, Watch};

/// The ring is emptied at least so often, in ns.
const DRAIN_NS: u64 = 50_000_000;

/// No machine is so busy that what takes no time takes longer, in ns.
const SETTLE_NS: u64 = 2_000_000_000;

/// What lives from one reset to the next. Dropped in this order.
struct Machines {
    apps: Apps,
    link: Link,
    client: Namespace,
    server: Namespace,
    /// Time 0, in ns of CLOCK_MONOTONIC: on a tick, when the first request after the reset came.
    start_ns: Option<u64>,
    /// How far time was let pass.
    now: Span,
}

/// The hosts of a session.
pub struct KernelHosts {
    watch: Watch,
    kernel: Kernel,
    machines: Option<Machines>,
    late_ns: u64,
    clock: Option<KernelClock>,
}

impl KernelHosts {
    /// With these programs.
    pub fn new(watch: Watch) -> KernelHosts {
        KernelHosts {
            kernel: watch.nearest(),
            watch,
            machines: None,
            late_ns: 0,
            clock: None,
        }
    }

    /// The machines, at a time that runs.
    fn machines(&mut self) -> Result<&mut Machines, HostError> {
        if self.machines.is_none() {
            self.reset(&Fresh::default())?;
        }
        let machines = self.machines.as_mut().expect("they were just made");
        if machines.start_ns.is_none() {
            let start_ns = latest_tick_ns() + tick_ns();
            sleep_until(start_ns);
            machines.start_ns = Some(start_ns);
        }
        let late_ns = machines.settle();
        self.late_ns = self.late_ns.max(late_ns);
        Ok(machines)
    }

    /// Applications have called, which took its time, as did what follows at once, and may have begun late.
    fn called(&mut self) {
        let machines = self
            .machines
            .as_ref()
            .expect("applications are on machines");
        let due_ns = machines.start_ns.unwrap_or_default() + machines.now.0;
        machines.settle();
        self.late_ns = self.late_ns.max(monotonic_ns().saturating_sub(due_ns));
    }

    /// Sleeps until it is `now` there, and empties the ring meanwhile.
    fn catch_up(&mut self) {
        let machines = self.machines.as_ref().expect("time passes on machines");
        let end_ns = machines.start_ns.unwrap_or_default() + machines.now.0;
        loop {
            let wake_ns = end_ns.min(monotonic_ns() + DRAIN_NS);
            sleep_until(wake_ns);
            self.late_ns = self.late_ns.max(monotonic_ns().saturating_sub(wake_ns));
            self.watch.drain();
            if wake_ns == end_ns {
                return;
            }
        }
    }
}

fn machine(what: &str) -> impl Fn(std::io::Error) -> HostError {
    move |error| HostError::Machine(format!("{what}: {error}"))
}

fn call(error: std::io::Error) -> HostError {
    match error.raw_os_error().and_then(Errno::from_number) {
        Some(errno) => errno.into(),
        None => HostError::Machine(error.to_string()),
    }
}

impl Machines {
    fn new(fresh: &Fresh) -> Result<Machines, HostError> {
        let namespace = || Namespace::new().map_err(machine("a network namespace"));
        let (client, server) = (namespace()?, namespace()?);
        for namespace in [&client, &server] {
            set_sysctls(namespace, &fresh.sysctls)?;
        }
        let link = Link::between(&client, &server).map_err(machine("a TUN device"))?;
        {
            let mut settings = link.settings();
            settings.delay_ns = fresh.delay.0;
            settings.lost_of_million = fresh.lost_of_million;
        }
        Ok(Machines {
            apps: Apps::new().map_err(machine("applications"))?,
            link,
            client,
            server,
            start_ns: None,
            now: Span::ZERO,
        })
    }

    /// Waits until all has happened that takes no time: packets are carried that are due, and applications have
    /// heard what there is to hear. How long that took, in ns.
    fn settle(&self) -> u64 {
        let start_ns = monotonic_ns();
        loop {
            let waited_ns = monotonic_ns() - start_ns;
            let is_settled = self.link.is_idle() && self.apps.is_idle() && self.link.is_idle();
            if is_settled || waited_ns > SETTLE_NS {
                return waited_ns;
            }
            // A busy machine needs this CPU for it.
            sleep_until(monotonic_ns() + 20_000);
        }
    }

    fn namespace(&self, end: End) -> &Namespace {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        // What is closed already gives up at its next timer.
        for namespace in [&self.client, &self.server] {
            namespace.run(|| {
                let _ = std::fs::write("/proc/sys/net/ipv4/tcp_orphan_retries", "1");
            });
        }
    }
}

fn set_sysctls(namespace: &Namespace, sysctls: &[(String, String)]) -> Result<(), HostError> {
    for (name, value) in sysctls {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !name.starts_with("net.") || !name.bytes().all(is_name) || name.contains("..") {
            let what = format!("{name}: only settings of a network namespace are set, net.*");
            return Err(HostError::Unsupported(what));
        }
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        let value = value.clone();
        let written = namespace.run(move || match path.exists() {
            true => std::fs::write(path, value).map(|()| true),
            false => Ok(false),
        });
        if !written.map_err(call)? {
            let what = format!("{name}: this kernel has no such setting of a namespace");
            return Err(HostError::Unsupported(what));
        }
    }
    Ok(())
}

impl TcpHosts for KernelHosts {
    fn reset(&mut self, fresh: &Fresh) -> Result<(), HostError> {
        if let Some(kernel) = fresh.kernel.filter(|kernel| *kernel != self.kernel) {
            let [own, asked] = [self.kernel, kernel].map(|kernel| kernel.profile().name);
            let what = format!("this kernel is as {own}, not as {asked}");
            return Err(HostError::Unsupported(what));
        }
        self.machines = None;
        let machines = Machines::new(fresh)?;
        let followed = self
            .watch
            .follow(machines.client.inum, machines.server.inum);
        followed.map_err(HostError::Machine)?;
        self.machines = Some(machines);
        self.late_ns = 0;
        self.clock = None;
        Ok(())
    }

    fn listen(&mut self, end: End, port: u16, app: Listening) -> Result<(), HostError> {
        let machines = self.machines()?;
        let namespace = machines.namespace(end);
        machines
            .apps
            .listen(namespace, end, port, app)
            .map_err(call)
    }

    fn accept(&mut self, end: End, port: u16, count: u32) -> Result<(), HostError> {
        let accepted = self.machines()?.apps.accept(end, port, count);
        self.called();
        Ok(accepted?)
    }

    fn connect(
        &mut self,
        to: End,
        port: u16,
        count: u32,
        options: SocketOptions,
        reads: bool,
    ) -> Result<u32, HostError> {
        if options.local_port.is_some() {
            let what = "tcp.connect: this host connects from any port";
            return Err(HostError::Unsupported(what.into()));
        }
        let machines = self.machines()?;
        let namespace = machines.namespace(to.other());
        let Machines { apps, link, .. } = &*machines;
        let first = apps.connect(namespace, link, (to, port), count, options, reads);
        self.called();
        first.map_err(call)
    }

    fn send(&mut self, conn: u32, end: End, bytes: u64) -> Result<(), HostError> {
        let sent = self.machines()?.apps.send(conn, end, bytes);
        self.called();
        Ok(sent?)
    }

    fn close(&mut self, conns: &[u32], end: End, how: Closing) -> Result<(), HostError> {
        let closed = self.machines()?.apps.close(conns, end, how);
        self.called();
        Ok(closed?)
    }

    fn close_listener(&mut self, end: End, port: u16) -> Result<(), HostError> {
        let closed = self.machines()?.apps.close_listener(end, port);
        self.called();
        Ok(closed?)
    }

    fn set_link(
        &mut self,
        delay: Option<Span>,
        lost_of_million: Option<u32>,
        down: Option<bool>,
    ) -> Result<(), HostError> {
        let mut settings = self.machines()?.link.settings();
        settings.delay_ns = delay.map_or(settings.delay_ns, |delay| delay.0);
        settings.lost_of_million = lost_of_million.unwrap_or(settings.lost_of_million);
        settings.down = down.unwrap_or(settings.down);
        Ok(())
    }

    fn set_deaf(&mut self, end: End, port: u16, deaf: bool) -> Result<(), HostError> {
        let mut settings = self.machines()?.link.settings();
        settings.deaf.retain(|each| *each != (end, port));
        if deaf {
            settings.deaf.push((end, port));
        }
        Ok(())
    }

    fn run(&mut self, span: Span) -> Result<(), HostError> {
        self.machines()?.now.0 += span.0;
        self.catch_up();
        Ok(())
    }

    fn events(&mut self) -> Result<Vec<PairEvent>, HostError> {
        self.machines()?;
        let machines = self.machines.as_ref().expect("they were just made");
        let lost = self.watch.lost();
        let seen = self.watch.events().to_vec();
        let desk = machines.apps.desk();
        let start_ns = machines.start_ns.unwrap_or_default();
        let tick_ns = tick_ns();
        // A tick is counted a little late now and then, never early.
        let jiffies = seen
            .iter()
            .map(|event| event.jiffies - event.t_ns.saturating_sub(start_ns) / tick_ns);
        let link_late_ns = machines.link.settings().late_ns;
        self.clock = jiffies.max().map(|jiffies| KernelClock {
            hz: (1_000_000_000 / tick_ns) as u32,
            jiffies,
            up_ms: start_ns / 1_000_000,
            late_ns: self.late_ns.max(link_late_ns),
            lost,
        });
        let mut events = Vec::new();
        let mut conns = Conns::of(&seen, &desk);
        for event in &seen {
            events.push(PairEvent {
                at: Time(event.t_ns.saturating_sub(start_ns)),
                host: event.host,
                conn: conns.of_event(event),
                record: record(event, &self.watch.reasons)?,
                softirq: Some(!event.may_be_call),
            });
        }
        for learned in &desk.learned {
            events.push(PairEvent {
                at: Time(learned.t_ns.saturating_sub(start_ns)),
                host: learned.host,
                conn: Some(learned.conn),
                record: app(learned)?,
                softirq: None,
            });
        }
        events.sort_by_key(|event| event.at);
        Ok(events)
    }

    fn sockets(&mut self, end: End) -> Result<BTreeMap<&'static str, u32>, HostError> {
        let namespace = self.machines()?.namespace(end);
        let read = || std::fs::read_to_string("/proc/thread-self/net/tcp");
        let text = namespace.run(read).map_err(machine("/proc/net/tcp"))?;
        let mut counts = BTreeMap::new();
        for line in text.lines().skip(1) {
            let row = parse_row(line).map_err(|error| {
                HostError::Machine(format!("/proc/net/tcp: {error}, found {line:?}"))
            })?;
            if let Some(state) = ss_name(row.state) {
                *counts.entry(state).or_insert(0) += 1;
            }
        }
        Ok(counts)
    }

    fn clock(&self) -> Option<KernelClock> {
        self.clock
    }
}

/// Which connection an event is of.
struct Conns<'a> {
    seen: &'a [Event],
    desk: &'a Desk,
    /// Of accepted sockets that are there, by address.
    accepted: BTreeMap<u64, Option<u32>>,
    /// Of accepted sockets that are not closed, by host and the peer's port.
    open: BTreeMap<(End, u16), u32>,
    /// Of half-open requests, by address, the peer's port and the first number of its SYN.
    requests: BTreeMap<(u64, u16, u32), Option<u32>>,
}

impl<'a> Conns<'a> {
    fn of(seen: &'a [Event], desk: &'a Desk) -> Conns<'a> {
        Conns {
            seen,
            desk,
            accepted: BTreeMap::new(),
            open: BTreeMap::new(),
            requests: BTreeMap::new(),
        }
    }

    /// At the host that asked for it, its own port is the connection's; at the other, its peer's.
    fn by_port(&self, event: &Event) -> Option<u32> {
        let of = |end: End, port: u16| {
            let taken = port > 0 && self.desk.asked(end);
            taken.then(|| self.desk.conn_of_port(end, port, event.t_ns))?
        };
        of(event.host, event.sport).or_else(|| of(event.host.other(), event.dport))
    }

    /// A port may be another connection's by now: what was known before goes first.
    fn of_event(&mut self, event: &Event) -> Option<u32> {
        if let Some(conn) = self.desk.cookies.get(&event.cookie) {
            return Some(*conn);
        }
        let is = |state: TcpState| event.state == u32::from(state.number());
        let becomes = |state: TcpState| {
            event.kind == Kind::SetState && event.what == i32::from(state.number())
        };
        if event.kind == Kind::RetransmitSynack {
            let request = (event.req, event.dport, event.syn_seq);
            let known = self.requests.get(&request).copied();
            let conn = known.unwrap_or_else(|| self.by_port(event));
            self.requests.insert(request, conn);
            return conn;
        }
        if is(TcpState::Listen) && (event.kind != Kind::SetState || becomes(TcpState::Close)) {
            return None;
        }
        if event.sk == 0 || is(TcpState::TimeWait) || is(TcpState::NewSynRecv) {
            // What is answered was sent by the other end, which may be there still.
            let peer = self.open.get(&(event.host.other(), event.sport)).copied();
            return peer.or_else(|| self.by_port(event));
        }
        // Where a socket is born, another may have been before.
        let is_birth = becomes(TcpState::SynRecv);
        let known = self.accepted.get(&event.sk).copied().flatten();
        let conn = known.filter(|_| !is_birth).or_else(|| self.by_port(event));
        let conn = conn.or_else(|| {
            // 6.1 says where a child is made before it has addresses.
            let mut later = self.seen.iter();
            let later = later
                .find(|later| later.sk == event.sk && later.t_ns > event.t_ns && later.dport > 0);
            self.by_port(later.filter(|_| is_birth)?)
        });
        self.accepted.insert(event.sk, conn);
        let end = (event.host, event.dport);
        match conn {
            Some(conn) if becomes(TcpState::Established) => _ = self.open.insert(end, conn),
            Some(_) if becomes(TcpState::Close) => _ = self.open.remove(&end),
            _ => {}
        }
        conn
    }
}

fn state(number: u32) -> Result<TcpState, HostError> {
    let mut all = TcpState::ALL.iter().copied();
    all.find(|state| u32::from(state.number()) == number)
        .ok_or_else(|| HostError::Machine(format!("no TCP state has the number {number}")))
}

/// What a tracepoint said, as the models say it.
///
/// # Errors
/// A state or a reason that no model knows.
pub fn record(event: &Event, reasons: &[(i32, String)]) -> Result<Record, HostError> {
    let &Event {
        sk: skaddr,
        sport,
        dport,
        cookie: sock_cookie,
        ..
    } = event;
    let family = Family::Inet;
    let (saddr, daddr) = (Ipv4(event.saddr), Ipv4(event.daddr));
    Ok(match event.kind {
        Kind::SetState => Record::SetState {
            skaddr,
            oldstate: state(event.state)?,
            newstate: state(event.what as u32)?,
            sport,
            dport,
            family,
            protocol: Protocol::Tcp,
            saddr,
            daddr,
        },
        Kind::RetransmitSkb => Record::RetransmitSkb {
            skaddr,
            state: state(event.state)?,
            sport,
            dport,
            family,
            saddr,
            daddr,
            err: event.what,
        },
        Kind::RetransmitSynack => Record::RetransmitSynack {
            skaddr,
            req: event.req,
            sport,
            dport,
            family,
            saddr,
            daddr,
        },
        Kind::SendReset => Record::SendReset {
            skaddr,
            state: state(event.state)?,
            reason: reason(event.what, reasons)?,
            sport,
            dport,
            family,
            saddr,
            daddr,
        },
        Kind::ReceiveReset => Record::ReceiveReset {
            skaddr,
            sport,
            dport,
            family,
            saddr,
            daddr,
            sock_cookie,
        },
        Kind::DestroySock => Record::DestroySock {
            skaddr,
            sport,
            dport,
            family,
            saddr,
            daddr,
            sock_cookie,
        },
    })
}

fn reason(number: i32, reasons: &[(i32, String)]) -> Result<RstReason, HostError> {
    if reasons.is_empty() {
        return Ok(RstReason::NotReported);
    }
    let name = reasons.iter().find(|(known, _)| *known == number);
    let name = name.map_or("", |(_, name)| name);
    RstReason::from_name(name)
        .filter(|_| !name.is_empty())
        .ok_or_else(|| {
            let what = format!("a reset for a reason that no model knows: {number} {name:?}");
            HostError::Machine(what)
        })
}

fn app(learned: &Learned) -> Result<Record, HostError> {
    let errno = Errno::from_number(learned.errno).ok_or_else(|| {
        let error = std::io::Error::from_raw_os_error(learned.errno);
        HostError::Machine(format!(
            "an application got an error that no model knows: {error}"
        ))
    })?;
    Ok(Record::App {
        op: learned.op,
        errno,
        conn: learned.conn,
        sport: 0,
        dport: 0,
        saddr: Ipv4::ANY,
        daddr: Ipv4::ANY,
    })
}
