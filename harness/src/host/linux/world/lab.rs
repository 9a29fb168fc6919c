//! The clients and the server of a world under way: one thread that waits for sockets and for what is due.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use faultlab_sim::engine::source::Seed;
use faultlab_sim::engine::{Entry, Key, Names, Options, Param, Source as _, Struck, Time};
use faultlab_sim::linux::errno::Errno;
use faultlab_sim::linux::tcp::{End, Jitter, Service, TcpLab, Work};
use faultlab_sim::linux::tracepoint::{AppOp, Ipv4, Record};
use faultlab_sim::scenario::{self, Fault};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno as Number;
use rustix::net::{
    RecvFlags, SendFlags, SocketFlags, accept_with, bind, connect, getpeername, getsockname,
    listen, recv, send, sockopt,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::Timespec;

use super::flooding::Flooding;
use super::{Between, Played, addresses};
use crate::host::linux::apps::tcp_socket;
use crate::host::linux::clock::{latest_tick_ns, monotonic_ns, sleep_until, tick_ns};
use crate::host::linux::hosts::record;
use crate::host::linux::link::{CLIENT, SERVER};
use crate::host::linux::watch::Watch;

pub const LINK_DOWN: &str = "link-down";
pub const LISTENER_DOWN: &str = "listener-down";
pub const LINGER_ZERO: &str = "linger-zero";

/// The ring is emptied at least so often, in ns.
const DRAIN_NS: u64 = 20_000_000;

/// It is told so often how far a world is, in ns.
const TELL_NS: u64 = 1_000_000_000;

/// Where something is due soon, sockets are looked at so often, in ns.
const SOON_NS: u64 = 50_000;

/// What is to be done at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Due {
    /// A fault begins.
    Begins(&'static str),
    /// A fault ends.
    Ends(&'static str),
    Flood,
    /// Of the client with this index.
    Connect(usize),
    Close(usize),
    Request(usize),
    /// The server is through with what it does.
    Served,
}

/// A client.
#[derive(Default)]
struct Client {
    socket: Option<OwnedFd>,
    is_connected: bool,
    failures: u32,
    /// The number of its connection among its own, from 1.
    conn: u32,
    began_ns: u64,
    /// By how much that was later than it was due.
    late_ns: u64,
    /// A call under way: when it began, and how many bytes of its answer lack.
    call: Option<(u64, usize)>,
}

/// What a server with one thread has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Task {
    Accept,
    /// To the accepted end with this number.
    Answer(u64),
}

/// The world under way.
pub struct Lab<'a> {
    world: &'a TcpLab,
    between: &'a Between,
    flooding: Option<Flooding<'a>>,
    watch: &'a mut Watch,
    epoll: OwnedFd,
    start_ns: u64,
    /// When what is done now was due.
    acting_ns: u64,
    due: BinaryHeap<Reverse<(u64, u64, Due)>>,
    ordinal: u64,
    clients: Vec<Client>,
    /// The clients of connections, by the cookies of their sockets.
    owners: BTreeMap<u64, usize>,
    /// Sockets in the client's namespace that are there before they are needed.
    spare: Vec<OwnedFd>,
    leaked: Vec<OwnedFd>,
    listener: Option<OwnedFd>,
    is_waiting: bool,
    /// Accepted ends, and how many bytes of a request have come there.
    accepted: BTreeMap<u64, (OwnedFd, usize)>,
    accepts: u64,
    tasks: VecDeque<Task>,
    task: Option<Task>,
    lingers: bool,
    names: Names,
    played: Played,
}

/// What an epoll entry is about: a number, and of what.
const LISTENER: u64 = 0;
const CLIENT_SIDE: u64 = 1 << 40;
const SERVER_SIDE: u64 = 2 << 40;
const NUMBER: u64 = (1 << 40) - 1;

fn ms(ms: u64) -> u64 {
    ms * 1_000_000
}

impl<'a> Lab<'a> {
    /// At its beginning: the server listens.
    ///
    /// # Errors
    /// There can be no sockets.
    pub fn new(
        world: &'a TcpLab,
        faults: &[Fault],
        between: &'a Between,
        flooding: Option<Flooding<'a>>,
        watch: &'a mut Watch,
    ) -> io::Result<Lab<'a>> {
        let most = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit {
            current: most,
            maximum: most,
        };
        setrlimit(Resource::Nofile, limit)?;
        let clients = u64::from(world.clients);
        let mut lab = Lab {
            world,
            between,
            flooding,
            watch,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            start_ns: 0,
            acting_ns: 0,
            due: BinaryHeap::new(),
            ordinal: 0,
            clients: (0..clients).map(|_| Client::default()).collect(),
            owners: BTreeMap::new(),
            spare: Vec::new(),
            leaked: Vec::new(),
            listener: None,
            is_waiting: false,
            accepted: BTreeMap::new(),
            accepts: 0,
            tasks: VecDeque::new(),
            task: None,
            lingers: false,
            names: Names::new(),
            played: Played::default(),
        };
        lab.start_ns = latest_tick_ns() + 2 * tick_ns();
        for fault in faults {
            let begin_ms = fault.when.from_ms.unwrap_or(0);
            let name = match fault.name.as_str() {
                LINGER_ZERO => {
                    lab.lingers = true;
                    continue;
                }
                LINK_DOWN => LINK_DOWN,
                _ => LISTENER_DOWN,
            };
            lab.at(ms(begin_ms), Due::Begins(name));
            let for_ms = match fault.params.get("for_ms") {
                Some(Param::Number(for_ms)) => Some(begin_ms + for_ms),
                _ => fault.when.before_ms,
            };
            if let Some(end_ms) = for_ms {
                lab.at(ms(end_ms), Due::Ends(name));
            }
        }
        if let Some(begins_ms) = lab.flooding.as_ref().map(Flooding::begins_ms) {
            lab.at(ms(begins_ms), Due::Flood);
        }
        for index in 0..clients {
            let at_ns = ms(world.ramp_ms) * index / clients;
            let first = match world.work {
                Work::Calls { .. } => Due::Request(index as usize),
                _ => Due::Connect(index as usize),
            };
            lab.at(at_ns, first);
        }
        lab.listen()?;
        Ok(lab)
    }

    fn at(&mut self, at_ns: u64, due: Due) {
        self.ordinal += 1;
        self.due.push(Reverse((at_ns, self.ordinal, due)));
    }

    fn now(&self) -> u64 {
        monotonic_ns().saturating_sub(self.start_ns)
    }

    fn note(&mut self, at_ns: u64, actor: &str, record: impl Into<scenario::Record>) {
        self.played.entries.push(Entry {
            at: Time(at_ns),
            actor: Arc::from(actor),
            record: record.into(),
        });
    }

    /// Plays it to its end. `tell` hears how many ms are through.
    ///
    /// # Errors
    /// As the kernel says where a world cannot go on.
    pub fn run(mut self, tell: &mut dyn FnMut(u64)) -> io::Result<Played> {
        sleep_until(self.start_ns);
        let mut told_ns = 0;
        let end_ns = ms(self.world.until_ms);
        let mut events = Vec::with_capacity(256);
        loop {
            let now_ns = self.now();
            while let Some(Reverse((at_ns, _, due))) = self.due.peek().copied() {
                if at_ns > now_ns || at_ns >= end_ns {
                    break;
                }
                self.due.pop();
                self.played.late_ns = self.played.late_ns.max(now_ns - at_ns);
                self.acting_ns = at_ns;
                self.act(due)?;
            }
            self.drain()?;
            let now_ns = self.now();
            if now_ns >= end_ns || self.is_at_rest() {
                break;
            }
            if now_ns - told_ns >= TELL_NS {
                told_ns = now_ns;
                tell(now_ns / 1_000_000);
            }
            let next_ns = self
                .due
                .peek()
                .map_or(end_ns, |Reverse((at_ns, ..))| *at_ns);
            let wait_ns = next_ns.min(end_ns).saturating_sub(now_ns).min(DRAIN_NS);
            // epoll waits for whole milliseconds.
            let is_soon = wait_ns < 1_000_000;
            if is_soon {
                sleep_until(monotonic_ns() + wait_ns.min(SOON_NS));
            }
            let timeout = Timespec {
                tv_sec: 0,
                tv_nsec: if is_soon { 0 } else { wait_ns as i64 },
            };
            events.clear();
            epoll::wait(
                self.epoll.as_fd(),
                spare_capacity(&mut events),
                Some(&timeout),
            )?;
            for event in &events {
                let data = event.data.u64();
                let number = data & NUMBER;
                match data & !NUMBER {
                    LISTENER => {
                        self.is_waiting = true;
                        self.serve();
                    }
                    CLIENT_SIDE => self.hear_client(number as usize)?,
                    _ => self.hear_server(number),
                }
            }
        }
        self.end()
    }

    /// Whether nothing will happen any more: every client holds an idle connection, and nothing is due.
    fn is_at_rest(&self) -> bool {
        let is_held = |client: &Client| client.is_connected && client.failures == 0;
        self.due.is_empty()
            && self.world.work == Work::Idle
            && self.accepted.len() == self.clients.len()
            && self.clients.iter().all(is_held)
    }

    fn end(mut self) -> io::Result<Played> {
        let flooding = self.flooding.take();
        self.played.flooded = flooding.map(Flooding::end).transpose()?.flatten();
        self.drain()?;
        self.played.lost = self.watch.lost();
        // An orphan would keep its namespace for minutes.
        let own = self
            .clients
            .iter()
            .filter_map(|client| client.socket.as_ref());
        let accepted = self.accepted.values().map(|(socket, _)| socket);
        for socket in own.chain(&self.leaked).chain(accepted) {
            let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
        }
        Ok(self.played)
    }

    /// Takes what the tracepoints said.
    fn drain(&mut self) -> io::Result<()> {
        let end_ns = ms(self.world.until_ms);
        while let Some(event) = self.watch.take() {
            let at_ns = event.t_ns.saturating_sub(self.start_ns);
            if at_ns > end_ns {
                continue;
            }
            let record = record(&event, &self.watch.reasons);
            let record = record.map_err(|error| io::Error::other(format!("{error:?}")))?;
            let owner = self.owners.get(&event.cookie);
            let actor = match event.host {
                End::Server => "server".into(),
                // A reset that no socket sends is the host's.
                End::Client => owner.map_or("client".into(), |index| name(*index)),
            };
            self.note(at_ns, &actor, record);
        }
        Ok(())
    }

    fn act(&mut self, due: Due) -> io::Result<()> {
        match due {
            Due::Begins(fault) => {
                let actor = if fault == LINK_DOWN { "link" } else { "server" };
                self.note(self.now(), actor, Struck { fault });
                match fault {
                    LINK_DOWN => self.set_down(true),
                    _ => self.die(),
                }
            }
            Due::Ends(LINK_DOWN) => self.set_down(false),
            Due::Ends(_) => self.listen()?,
            Due::Flood => {
                if let Some(flooding) = &mut self.flooding {
                    flooding.begin()?;
                }
            }
            Due::Connect(index) => self.connect(index)?,
            Due::Close(index) => {
                self.clients[index].socket = None;
                self.again(index);
            }
            Due::Request(index) => self.request(index)?,
            Due::Served => {
                match self.task.take() {
                    Some(Task::Accept) => self.accept(),
                    Some(Task::Answer(number)) => self.answer(number),
                    None => {}
                }
                self.serve();
            }
        }
        Ok(())
    }

    fn set_down(&mut self, down: bool) {
        if let Between::Link(link, ..) = self.between {
            link.settings().down = down;
        }
    }

    /// The server's process ends.
    fn die(&mut self) {
        self.listener = None;
        self.is_waiting = false;
        if self.lingers {
            for (socket, _) in self.accepted.values() {
                let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
            }
        }
        self.accepted.clear();
        self.tasks.clear();
        self.task = None;
    }

    fn listen(&mut self) -> io::Result<()> {
        let (_, server) = self.between.ends();
        let socket = server.run(tcp_socket)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        bind(
            &socket,
            &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, self.world.port),
        )?;
        listen(
            &socket,
            i32::try_from(self.world.backlog).unwrap_or(i32::MAX),
        )?;
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(&self.epoll, &socket, EventData::new_u64(LISTENER), flags)?;
        self.listener = Some(socket);
        Ok(())
    }

    fn connect(&mut self, index: usize) -> io::Result<()> {
        if self.spare.is_empty() {
            let (client, _) = self.between.ends();
            let made = client
                .run(|| -> io::Result<Vec<OwnedFd>> { (0..128).map(|_| tcp_socket()).collect() });
            self.spare = made?;
        }
        let socket = self.spare.pop().expect("they were just made");
        let hosts = addresses(self.world);
        if hosts > 1 {
            let own = Ipv4Addr::from(u32::from(CLIENT) + index as u32 % hosts);
            let late = nix::sys::socket::sockopt::IpBindAddressNoPort;
            nix::sys::socket::setsockopt(&socket, late, &true)?;
            bind(&socket, &SocketAddrV4::new(own, 0))?;
        }
        self.owners.insert(sockopt::socket_cookie(&socket)?, index);
        let client = &mut self.clients[index];
        client.conn += 1;
        client.is_connected = false;
        client.began_ns = monotonic_ns();
        client.late_ns = (client.began_ns - self.start_ns).saturating_sub(self.acting_ns);
        match connect(&socket, &SocketAddrV4::new(SERVER, self.world.port)) {
            Ok(()) | Err(Number::INPROGRESS) => {
                let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
                let data = EventData::new_u64(CLIENT_SIDE | index as u64);
                epoll::add(&self.epoll, &socket, data, flags)?;
                self.clients[index].socket = Some(socket);
                Ok(())
            }
            Err(errno) => {
                self.learn(index, AppOp::Connect, errno, 0)?;
                self.again(index);
                Ok(())
            }
        }
    }

    /// A client's connection is gone: when does it try again?
    fn again(&mut self, index: usize) {
        let client = &mut self.clients[index];
        client.socket = None;
        client.is_connected = false;
        client.failures += 1;
        let Some(delay_ms) = self.world.reconnect.delay_ms(client.failures) else {
            return;
        };
        let delay_ms = match self.world.reconnect.jitter() {
            Jitter::None => delay_ms,
            Jitter::Full => {
                let key = Key {
                    site: "jitter",
                    entity: self.names.name(&name(index)),
                    verb: "",
                    object: Key::NO_OBJECT,
                    ordinal: client.conn,
                };
                Seed(0).choose(&key, &Options::numbers(0, delay_ms), &self.names)
            }
        };
        self.at(self.now() + ms(delay_ms), Due::Connect(index));
    }

    fn learn(&mut self, index: usize, op: AppOp, errno: Number, sport: u16) -> io::Result<()> {
        let errno = Errno::from_number(errno.raw_os_error()).ok_or_else(|| {
            let error = io::Error::from(errno);
            io::Error::other(format!(
                "an application got an error that no model knows: {error}"
            ))
        })?;
        let app = Record::App {
            op,
            errno,
            conn: self.clients[index].conn,
            sport,
            dport: self.world.port,
            saddr: Ipv4(CLIENT.into()),
            daddr: Ipv4(SERVER.into()),
        };
        self.note(self.now(), &name(index), app);
        Ok(())
    }

    /// A client's socket has something to say.
    fn hear_client(&mut self, index: usize) -> io::Result<()> {
        let Some(socket) = &self.clients[index].socket else {
            return Ok(());
        };
        let own = getsockname(socket).ok();
        let own: Option<SocketAddr> = own.and_then(|address| address.try_into().ok());
        let port = own.map_or(0, |own| own.port());
        let is_new = !self.clients[index].is_connected;
        if let Ok(Err(errno)) = sockopt::socket_error(socket) {
            let op = if is_new { AppOp::Connect } else { AppOp::Error };
            self.learn(index, op, errno, port)?;
            self.again(index);
            return Ok(());
        }
        if is_new {
            // An event of the socket before this one says nothing of it.
            if !matches!(getpeername(socket), Ok(Some(_))) {
                return Ok(());
            }
            self.connected(index)?;
        }
        let mut buffer = [0; 1 << 14];
        while let Some(socket) = &self.clients[index].socket {
            match recv(socket, &mut buffer[..], RecvFlags::empty()) {
                Err(Number::AGAIN) => break,
                Ok((0, _)) => self.again(index),
                Ok((length, _)) => self.has_read(index, length, port),
                Err(errno) => {
                    self.learn(index, AppOp::Error, errno, port)?;
                    self.again(index);
                }
            }
        }
        Ok(())
    }

    fn connected(&mut self, index: usize) -> io::Result<()> {
        let now_ns = self.now();
        let client = &mut self.clients[index];
        client.is_connected = true;
        client.failures = 0;
        let took_ns = monotonic_ns() - client.began_ns;
        self.played.connects_ns.push(took_ns);
        match self.world.work {
            Work::Idle => {}
            Work::Requests { interval_ms, .. } => {
                self.at(now_ns + ms(interval_ms), Due::Request(index));
            }
            Work::Short { hold_ms } => self.at(now_ns + ms(hold_ms), Due::Close(index)),
            Work::Calls { bytes, .. } => {
                if client.call.is_some() {
                    self.write(index, bytes)?;
                }
            }
            Work::Leak { interval_ms } => {
                let socket = client.socket.take().expect("it is connected");
                let _ = epoll::delete(&self.epoll, &socket);
                self.leaked.push(socket);
                // By a client's own clock: were it late each time, a slow machine's clients would ask more seldom.
                let next_ns = now_ns + ms(interval_ms) - client.late_ns.min(ms(interval_ms));
                self.at(next_ns, Due::Connect(index));
            }
        }
        Ok(())
    }

    fn request(&mut self, index: usize) -> io::Result<()> {
        match self.world.work {
            Work::Requests { interval_ms, bytes } => {
                if self.clients[index].is_connected {
                    self.write(index, bytes)?;
                    self.at(self.now() + ms(interval_ms), Due::Request(index));
                }
                Ok(())
            }
            Work::Calls { bytes, .. } => {
                let client = &mut self.clients[index];
                client.call = Some((monotonic_ns(), bytes as usize));
                match client.is_connected {
                    true => self.write(index, bytes),
                    false => self.connect(index),
                }
            }
            _ => Ok(()),
        }
    }

    fn write(&mut self, index: usize, bytes: u32) -> io::Result<()> {
        const ZEROS: [u8; 1 << 14] = [0; 1 << 14];
        let bytes = ZEROS.len().min(bytes as usize);
        let Some(socket) = &self.clients[index].socket else {
            return Ok(());
        };
        match send(socket, &ZEROS[..bytes], SendFlags::NOSIGNAL) {
            // A full buffer: what waits in it is as good as what would be added.
            Ok(_) | Err(Number::AGAIN) => Ok(()),
            Err(errno) => {
                self.learn(index, AppOp::Send, errno, 0)?;
                self.again(index);
                Ok(())
            }
        }
    }

    fn has_read(&mut self, index: usize, length: usize, sport: u16) {
        let Work::Calls {
            interval_ms, fresh, ..
        } = self.world.work
        else {
            return;
        };
        let client = &mut self.clients[index];
        let Some((began_ns, lacks)) = client.call else {
            return;
        };
        if length < lacks {
            client.call = Some((began_ns, lacks - length));
            return;
        }
        client.call = None;
        if fresh {
            client.socket = None;
            client.is_connected = false;
        }
        let now_ns = monotonic_ns();
        let call = Record::Call {
            latency_us: (now_ns - began_ns) / 1_000,
            conn: client.conn,
            sport,
            dport: self.world.port,
            saddr: Ipv4(CLIENT.into()),
            daddr: Ipv4(SERVER.into()),
        };
        self.note(self.now(), &name(index), call);
        // A call that takes longer delays the next.
        let next_ns = (began_ns + ms(interval_ms)).max(now_ns) - self.start_ns;
        self.at(next_ns, Due::Request(index));
    }

    /// The server takes up what it has to do: all of it at once, or one thing that takes its time.
    fn serve(&mut self) {
        let Some(Service {
            accept_us,
            request_us,
        }) = self.world.service
        else {
            while self.is_waiting {
                self.accept();
            }
            while let Some(task) = self.tasks.pop_front() {
                if let Task::Answer(number) = task {
                    self.answer(number);
                }
            }
            return;
        };
        if self.task.is_some() {
            return;
        }
        let task = match self.tasks.pop_front() {
            Some(task) => task,
            None if self.is_waiting => Task::Accept,
            None => return,
        };
        let takes_us = match task {
            Task::Accept => accept_us,
            Task::Answer(_) => request_us,
        };
        self.task = Some(task);
        self.at(self.now() + takes_us * 1_000, Due::Served);
    }

    fn accept(&mut self) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let accepted = self
            .listener
            .as_ref()
            .map(|socket| accept_with(socket, flags));
        let Some(Ok(socket)) = accepted else {
            self.is_waiting = false;
            return;
        };
        self.accepts += 1;
        let data = EventData::new_u64(SERVER_SIDE | self.accepts);
        let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
        if epoll::add(&self.epoll, &socket, data, flags).is_ok() {
            self.accepted.insert(self.accepts, (socket, 0));
        }
    }

    fn answer(&mut self, number: u64) {
        let Work::Calls { bytes, .. } = self.world.work else {
            return;
        };
        if let Some((socket, _)) = self.accepted.get(&number) {
            let answer = vec![0; bytes as usize];
            let _ = send(socket, &answer, SendFlags::NOSIGNAL);
        }
    }

    /// An accepted end has something to say.
    fn hear_server(&mut self, number: u64) {
        let mut buffer = [0; 1 << 14];
        while let Some((socket, bytes)) = self.accepted.get_mut(&number) {
            match recv(&*socket, &mut buffer[..], RecvFlags::empty()) {
                Err(Number::AGAIN) => break,
                Ok((0, _)) | Err(_) => {
                    self.accepted.remove(&number);
                }
                Ok((length, _)) => {
                    *bytes += length;
                    if let Work::Calls { bytes: size, .. } = self.world.work {
                        while *bytes >= size as usize {
                            *bytes -= size as usize;
                            self.tasks.push_back(Task::Answer(number));
                        }
                    }
                }
            }
        }
        self.serve();
    }
}

/// What a client is called.
fn name(index: usize) -> String {
    format!("client-{}", index + 1)
}
