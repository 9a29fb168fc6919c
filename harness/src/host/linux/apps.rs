//! The applications of both hosts: sockets that do what they are told, and one thread that hears for all of
//! them what the kernel has to say.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use faultlab_sim::linux::errno::Errno;
use faultlab_sim::linux::tcp::{Closing, End, Listening, PairError, SocketOptions};
use faultlab_sim::linux::tracepoint::AppOp;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, accept_with, bind,
    connect, getpeername, getsockname, listen, recv, send, shutdown, socket_with, sockopt,
};

use super::clock::monotonic_ns;
use super::link::{self, Link};
use super::namespace::Namespace;

/// What an application learned.
#[derive(Clone, Copy, Debug)]
pub struct Learned {
    /// When, in ns of CLOCK_MONOTONIC.
    pub t_ns: u64,
    /// Where.
    pub host: End,
    /// Of which connection.
    pub conn: u32,
    /// From what.
    pub op: AppOp,
    /// The error's number.
    pub errno: i32,
}

/// An application's end of a connection.
struct Held {
    socket: OwnedFd,
    reads: bool,
    is_connecting: bool,
    /// So many bytes wait until the socket takes them.
    unsent: u64,
}

/// A connection, by its number.
#[derive(Default)]
struct Connection {
    client: Option<Held>,
    server: Option<Held>,
}

impl Connection {
    fn end(&mut self, end: End) -> &mut Option<Held> {
        match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }
}

/// What the applications have.
#[derive(Default)]
pub struct Desk {
    connections: Vec<Connection>,
    listeners: BTreeMap<(End, u16), (OwnedFd, Listening)>,
    /// What they learned, in order.
    pub learned: Vec<Learned>,
    /// The connections of the sockets that asked for them, by cookie.
    pub cookies: BTreeMap<u64, u32>,
    /// When a connection took which port, at which host.
    pub ports: Vec<(u64, (End, u16), u32)>,
}

/// The applications.
pub struct Apps {
    desk: Arc<Mutex<Desk>>,
    epoll: Arc<OwnedFd>,
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

/// What an epoll entry is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum About {
    Stop,
    Listener(End, u16),
    Connection(u32, End),
}

impl About {
    fn data(self) -> EventData {
        let bit = |end| u64::from(end == End::Server);
        EventData::new_u64(match self {
            About::Stop => 0,
            About::Listener(end, port) => u64::from(port) << 8 | bit(end) << 2 | 1,
            About::Connection(conn, end) => u64::from(conn) << 8 | bit(end) << 2 | 2,
        })
    }

    fn of(data: u64) -> About {
        let end = match data & 4 {
            0 => End::Client,
            _ => End::Server,
        };
        match data & 3 {
            0 => About::Stop,
            1 => About::Listener(end, (data >> 8) as u16),
            _ => About::Connection((data >> 8) as u32, end),
        }
    }
}

/// A TCP socket of the calling thread's namespace, which never blocks. Its congestion control, which a namespace takes
/// over from the machine, is what kernels have by themselves: with another one other things are sent again. Those that
/// a listener accepts have its.
///
/// # Errors
/// As socket() says; ENOENT without CUBIC.
pub fn tcp_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_congestion(&socket, "cubic")?;
    Ok(socket)
}

/// The local port, or the peer's.
fn port_of(address: Option<SocketAddr>) -> Option<u16> {
    address.map(|address| address.port())
}

impl Apps {
    /// Applications that do nothing yet.
    ///
    /// # Errors
    /// There can be no thread or descriptor.
    pub fn new() -> io::Result<Apps> {
        let desk = Arc::<Mutex<Desk>>::default();
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let stop = eventfd(0, EventfdFlags::CLOEXEC)?;
        epoll::add(&*epoll, &stop, About::Stop.data(), EventFlags::IN)?;
        let thread = {
            let (desk, epoll) = (desk.clone(), epoll.clone());
            let hear = move || hear(&desk, &epoll);
            std::thread::Builder::new()
                .name("applications".into())
                .spawn(hear)?
        };
        Ok(Apps {
            desk,
            epoll,
            stop,
            thread: Some(thread),
        })
    }

    /// Whether there is nothing to hear.
    pub fn is_idle(&self) -> bool {
        // Who holds the desk is hearing.
        !link::is_readable(self.epoll.as_fd()) && self.desk.try_lock().is_ok()
    }

    /// What they have; nothing is heard while this is held.
    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().expect("applications do not panic")
    }

    /// As the model's.
    ///
    /// # Errors
    /// As bind() and listen() say.
    pub fn listen(
        &self,
        namespace: &Namespace,
        end: End,
        port: u16,
        app: Listening,
    ) -> io::Result<()> {
        let socket = namespace.run(tcp_socket)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))?;
        let mut desk = self.desk();
        listen(&socket, i32::try_from(app.backlog).unwrap_or(i32::MAX))?;
        if app.accepts {
            let about = About::Listener(end, port).data();
            epoll::add(
                &*self.epoll,
                &socket,
                about,
                EventFlags::IN | EventFlags::ET,
            )?;
        }
        desk.listeners.insert((end, port), (socket, app));
        Ok(())
    }

    /// As the model's.
    ///
    /// # Errors
    /// EBADF.
    pub fn accept(&self, end: End, port: u16, count: u32) -> Result<(), PairError> {
        let mut desk = self.desk();
        if !desk.listeners.contains_key(&(end, port)) {
            return Err(PairError::Errno(Errno::EBADF));
        }
        for _ in 0..count {
            if !desk.accept(&self.epoll, end, port) {
                break;
            }
        }
        Ok(())
    }

    /// As the model's: connections from the host in `namespace` to the other.
    ///
    /// # Errors
    /// There can be no such sockets.
    pub fn connect(
        &self,
        namespace: &Namespace,
        link: &Link,
        (to, port): (End, u16),
        count: u32,
        options: SocketOptions,
        reads: bool,
    ) -> io::Result<u32> {
        let sockets = namespace.run(move || -> io::Result<Vec<OwnedFd>> {
            (0..count).map(|_| tcp_socket()).collect()
        })?;
        let from = to.other();
        let address = match to {
            End::Server => link::SERVER,
            End::Client => link::CLIENT,
        };
        let first = self.desk().connections.len() as u32 + 1;
        for (conn, socket) in (first..).zip(sockets) {
            set_options(&socket, options)?;
            let mut desk = self.desk();
            // The link waits, so that it knows whose a packet is.
            let mut settings = link.settings();
            desk.cookies.insert(sockopt::socket_cookie(&socket)?, conn);
            let tried = connect(&socket, &SocketAddrV4::new(address, port));
            let taken = getsockname(&socket)
                .ok()
                .and_then(|address| address.try_into().ok());
            if let Some(own) = port_of(taken).filter(|port| *port > 0) {
                settings.conns.insert((from, own), conn);
                desk.ports.push((monotonic_ns(), (from, own), conn));
            }
            drop(settings);
            desk.connections.push(Connection::default());
            match tried {
                Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {
                    let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP;
                    let about = About::Connection(conn, from).data();
                    epoll::add(&*self.epoll, &socket, about, flags | EventFlags::ET)?;
                    *desk.connections[conn as usize - 1].end(from) = Some(Held {
                        socket,
                        reads,
                        is_connecting: true,
                        unsent: 0,
                    });
                }
                // An application that cannot even try closes its socket.
                Err(errno) => desk.learn(from, conn, AppOp::Connect, errno),
            }
        }
        Ok(first)
    }

    /// As the model's.
    ///
    /// # Errors
    /// No such connection or end.
    pub fn send(&self, conn: u32, end: End, bytes: u64) -> Result<(), PairError> {
        let mut desk = self.desk();
        let held = desk.held(conn, end)?;
        held.unsent += bytes;
        let had_nothing = held.unsent == bytes;
        match flush(held) {
            Ok(()) => {}
            Err(rustix::io::Errno::AGAIN) if !had_nothing || held.unsent < bytes => {}
            Err(errno) => {
                held.unsent = 0;
                desk.learn(end, conn, AppOp::Send, errno);
            }
        }
        Ok(())
    }

    /// As the model's.
    ///
    /// # Errors
    /// No such connection.
    pub fn close(&self, conns: &[u32], end: End, how: Closing) -> Result<(), PairError> {
        let mut desk = self.desk();
        for conn in conns {
            match desk.held(*conn, end) {
                Ok(held) if how == Closing::Shutdown => {
                    let _ = shutdown(&held.socket, Shutdown::Write);
                }
                Ok(held) => {
                    if how == Closing::Abort {
                        let _ = sockopt::set_socket_linger(&held.socket, Some(Duration::ZERO));
                    }
                    *desk.connections[*conn as usize - 1].end(end) = None;
                }
                Err(PairError::NoSocket(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// As the model's.
    ///
    /// # Errors
    /// EBADF.
    pub fn close_listener(&self, end: End, port: u16) -> Result<(), PairError> {
        let closed = self.desk().listeners.remove(&(end, port));
        closed.map(drop).ok_or(PairError::Errno(Errno::EBADF))
    }
}

impl Drop for Apps {
    /// Nothing is left to time out: an orphan would keep its namespace for minutes.
    fn drop(&mut self) {
        let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let mut desk = self.desk();
        for connection in &desk.connections {
            for held in connection.client.iter().chain(&connection.server) {
                let _ = sockopt::set_socket_linger(&held.socket, Some(Duration::ZERO));
            }
        }
        desk.connections.clear();
        desk.listeners.clear();
    }
}

fn set_options(socket: &OwnedFd, options: SocketOptions) -> io::Result<()> {
    if let Some(keepalive) = options.keepalive {
        sockopt::set_socket_keepalive(socket, true)?;
        sockopt::set_tcp_keepidle(socket, Duration::from_secs(keepalive.idle_s))?;
        sockopt::set_tcp_keepintvl(socket, Duration::from_secs(keepalive.interval_s))?;
        sockopt::set_tcp_keepcnt(socket, keepalive.count)?;
    }
    if options.user_timeout_ms > 0 {
        let ms = u32::try_from(options.user_timeout_ms).unwrap_or(u32::MAX);
        sockopt::set_tcp_user_timeout(socket, ms)?;
    }
    Ok(())
}

/// Writes what waits.
fn flush(held: &mut Held) -> rustix::io::Result<()> {
    // What is written at once is cut into buffers by the kernel alone.
    static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
    while held.unsent > 0 {
        let length = ZEROS.len().min(held.unsent as usize);
        held.unsent -= send(&held.socket, &ZEROS[..length], SendFlags::NOSIGNAL)? as u64;
    }
    Ok(())
}

impl Desk {
    fn held(&mut self, conn: u32, end: End) -> Result<&mut Held, PairError> {
        let index = (conn as usize).checked_sub(1);
        let connection = index.and_then(|index| self.connections.get_mut(index));
        let connection = connection.ok_or(PairError::NoConnection(conn))?;
        connection
            .end(end)
            .as_mut()
            .ok_or(PairError::NoSocket(conn))
    }

    fn learn(&mut self, host: End, conn: u32, op: AppOp, errno: rustix::io::Errno) {
        self.learned.push(Learned {
            t_ns: monotonic_ns(),
            host,
            conn,
            op,
            errno: errno.raw_os_error(),
        });
    }

    /// Whether a host asked for any connection.
    pub fn asked(&self, end: End) -> bool {
        self.ports.iter().any(|(_, (from, _), _)| *from == end)
    }

    /// The connection that took this port of this host last before a time.
    pub fn conn_of_port(&self, end: End, port: u16, t_ns: u64) -> Option<u32> {
        let port = (end, port);
        let mut taken = self.ports.iter().rev();
        // connect() had not returned yet when its first packets went out.
        let before = taken.find(|(at, taken, _)| *taken == port && *at <= t_ns);
        let before = before.or_else(|| self.ports.iter().find(|(_, taken, _)| *taken == port));
        before.map(|(_, _, conn)| *conn)
    }

    /// Accepts one connection. Whether there was one.
    fn accept(&mut self, epoll: &OwnedFd, end: End, port: u16) -> bool {
        let Some((listener, app)) = self.listeners.get(&(end, port)) else {
            return false;
        };
        let reads = app.reads;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let Ok(socket) = accept_with(listener, flags) else {
            return false;
        };
        let peer = getpeername(&socket).ok().flatten();
        let peer = port_of(peer.and_then(|address| address.try_into().ok()));
        let conn = peer.and_then(|port| self.conn_of_port(end.other(), port, monotonic_ns()));
        // A peer that is gone has no address any more: the connection without an end is the one.
        let conn = conn.or_else(|| {
            let mut open = self.connections.iter_mut();
            let index = open.position(|connection| connection.end(end).is_none());
            index.map(|index| index as u32 + 1)
        });
        let Some(conn) = conn else { return true };
        let mut flags = EventFlags::ET | EventFlags::OUT;
        if reads {
            flags |= EventFlags::IN | EventFlags::RDHUP;
        }
        let about = About::Connection(conn, end).data();
        if epoll::add(epoll, &socket, about, flags).is_ok() {
            *self.connections[conn as usize - 1].end(end) = Some(Held {
                socket,
                reads,
                is_connecting: false,
                unsent: 0,
            });
        }
        true
    }

    /// Something is to be heard at an end.
    fn attend(&mut self, conn: u32, end: End, flags: EventFlags) {
        let Ok(held) = self.held(conn, end) else {
            return;
        };
        let op = match held.is_connecting {
            true => AppOp::Connect,
            false => AppOp::Error,
        };
        if let Ok(Err(errno)) = sockopt::socket_error(&held.socket) {
            held.is_connecting = false;
            held.unsent = 0;
            return self.learn(end, conn, op, errno);
        }
        if flags.contains(EventFlags::OUT) {
            held.is_connecting = false;
            if let Err(errno) = flush(held)
                && errno != rustix::io::Errno::AGAIN
            {
                held.unsent = 0;
                return self.learn(end, conn, AppOp::Send, errno);
            }
        }
        if !held.reads || held.is_connecting {
            return;
        }
        let mut buffer = [0; 1 << 16];
        loop {
            match recv(&held.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((0, _)) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::NOTCONN) => return,
                Ok(_) => {}
                Err(errno) => return self.learn(end, conn, op, errno),
            }
        }
    }
}

/// Hears for all, until it is told to stop.
fn hear(desk: &Mutex<Desk>, epoll: &OwnedFd) {
    let mut events = Vec::with_capacity(256);
    loop {
        events.clear();
        if epoll::wait(epoll.as_fd(), spare_capacity(&mut events), None).is_err() {
            continue;
        }
        let mut desk = desk.lock().expect("who tells applications does not panic");
        for event in &events {
            let flags = event.flags;
            match About::of(event.data.u64()) {
                About::Stop => return,
                About::Listener(end, port) => while desk.accept(epoll, end, port) {},
                About::Connection(conn, end) => desk.attend(conn, end, flags),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_knows_what_it_is_about() {
        for about in [
            About::Stop,
            About::Listener(End::Server, 65_535),
            About::Connection(u32::MAX, End::Client),
            About::Connection(1, End::Server),
        ] {
            assert_eq!(About::of(about.data().u64()), about);
        }
    }
}
