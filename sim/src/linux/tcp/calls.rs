//! The system calls that applications make, as far as the kernel's part of them goes.

use super::net::{Net, Out, What};
use super::profile::{MSS, SYN_TIMEOUT_MS};
use super::segment::{Flags, Flow, HostId, Segment};
use super::socket::{Listener, NONE, Pending, Place, Sending, Sent, Socket, SocketOptions};
use super::timer::Timer;
use super::transmit::Push;
use crate::linux::errno::Errno;
use crate::linux::tracepoint::{RstReason, TcpState};

/// What is left after a connect() that failed at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ConnectError {
    /// EADDRINUSE, of bind(): another socket has the local port. There is no socket then.
    InUse,
    /// EADDRNOTAVAIL: all local ports are taken. The socket in this slot is closed, not yet destroyed.
    NoPort(Place),
}

/// Why a write fails at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SendError {
    /// EPIPE: the connection is not open for writing (any more).
    Pipe,
    /// EAGAIN: the connection is not there yet.
    Again,
}

/// Why nobody listens then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ListenError {
    /// EADDRINUSE: somebody listens there already.
    InUse,
}

impl Net {
    /// bind() and listen().
    pub(super) fn listen(
        &mut self,
        out: &mut impl Out,
        host: HostId,
        port: u16,
        backlog: u32,
    ) -> Result<Place, ListenError> {
        if self.host(host).listener(port).is_some() {
            return Err(ListenError::InUse);
        }
        let mut socket = Socket::new(TcpState::Close, port, (host, 0), Flow::NONE);
        socket.listener = Some(Box::new(Listener {
            backlog: backlog.min(self.sysctls(host).somaxconn),
            ..Listener::default()
        }));
        let at = self.add(host, socket);
        self.host_mut(host).add_listener(port, at.slot);
        self.set_state(out, at, TcpState::Listen);
        Ok(at)
    }

    /// accept(): the connection that has waited longest.
    pub(super) fn accept(&mut self, listener: Place) -> Option<Place> {
        let queues = self.host_mut(listener.host).listening(listener.slot)?;
        let slot = queues.queue.pop_front()?;
        let at = Place {
            host: listener.host,
            slot,
        };
        self.socket_mut(at).parent = NONE;
        Some(at)
    }

    /// Whether the connection of `flow` in `at` waits in an accept queue.
    pub(super) fn waits_for_accept(&self, at: Place, flow: Flow) -> bool {
        let socket = self.host(at.host).get(at.slot);
        socket.is_some_and(|socket| socket.flow == flow && socket.parent != NONE)
    }

    /// socket(), bind() if it is asked for, and a connect() that does not block. The local port is chosen after the state event,
    /// which therefore shows port 0 (tcp_v4_connect; measured).
    pub(super) fn connect(
        &mut self,
        out: &mut impl Out,
        host: HostId,
        to: (HostId, u16),
        flow: Flow,
        options: SocketOptions,
    ) -> Result<Place, ConnectError> {
        let now = out.now();
        let bound = options.local_port;
        if bound.is_some_and(|port| self.host(host).is_port_in_use(port)) {
            return Err(ConnectError::InUse);
        }
        let mut socket = Socket::new(TcpState::Close, bound.unwrap_or(0), to, flow);
        if options != SocketOptions::default() {
            socket.options = Some(Box::new(options));
        }
        let at = self.add(host, socket);
        self.set_state(out, at, TcpState::SynSent);
        let may_reuse = self.may_reuse(host, now);
        let taken = match bound {
            None => self.host_mut(host).take_port(to, may_reuse),
            Some(port) => Some((port, None)),
        };
        let Some((port, old)) = taken else {
            self.set_state(out, at, TcpState::Close);
            let socket = self.socket_mut(at);
            socket.cannot_send = true;
            // The peer's port and the local address are forgotten (measured).
            socket.is_disconnected = true;
            return Err(ConnectError::NoPort(at));
        };
        let mut first = Net::initial_sequence(now);
        if let Some(slot) = old {
            // The numbers go on beyond those of the connection whose TIME_WAIT ends here.
            let mini = Place { host, slot };
            first = first.max(self.socket(mini).send.nxt + 65_537);
            self.socket_mut(mini).owns_port = false;
            self.free_mini(out, mini);
        }
        let timeout = self.clock.ticks_of_ms(SYN_TIMEOUT_MS);
        let since_ms = self.clock.milliseconds(now);
        let owns_port = bound.is_none_or(|port| self.host_mut(host).claim_port(to, port));
        let socket = self.socket_mut(at);
        socket.port = port;
        socket.owns_port = owns_port;
        socket.send = Sending::from(first);
        socket.send.nxt = first + 1;
        socket.send.end = first + 1;
        socket
            .send
            .queue
            .push_back(Sent::new(first, first + 1, false, MSS as u16, now));
        socket.resend.timeout = timeout;
        socket.resend.since_ms = Some(since_ms);
        self.host_mut(host).enter(at.slot);
        let syn = Segment {
            seq: first,
            ..self.segment(at, Flags::SYN, out)
        };
        self.transmit(out, syn);
        self.set_write_timer(out, at, Pending::Retransmission, timeout);
        Ok(at)
    }

    /// write(), which waits for room in the send buffer: the application goes on, and what does not fit follows
    /// as acknowledgements make room ([`Buffers`](super::Buffers)). A close() waits for it, a shutdown() does not.
    pub(super) fn send(
        &mut self,
        out: &mut impl Out,
        at: Place,
        len: u64,
    ) -> Result<(), SendError> {
        let socket = self.socket_mut(at);
        if matches!(socket.state, TcpState::SynSent | TcpState::SynRecv) {
            return Err(SendError::Again);
        }
        let is_open = matches!(socket.state, TcpState::Established | TcpState::CloseWait);
        if socket.cannot_send || !is_open {
            return Err(SendError::Pipe);
        }
        socket.send.end += len;
        self.push(out, at, Push::Nagle);
        Ok(())
    }

    /// read() of all that is there: an acknowledgement may go out then (tcp_cleanup_rbuf).
    pub(super) fn read(&mut self, out: &mut impl Out, at: Place) -> u64 {
        let socket = self.socket_mut(at);
        let receive = &mut socket.receive;
        let read = std::mem::take(&mut receive.unread);
        let is_open = socket.state != TcpState::Close;
        if read == 0 || !is_open {
            return read;
        }
        let receive = &mut socket.receive;
        receive.memory.empty();
        let pushed = receive.pushed == 2 || receive.pushed == 1 && !receive.ping_pong;
        let is_full = receive.nxt - receive.acked > u64::from(receive.largest);
        let owes = receive.owes_ack && (is_full || pushed && receive.disorder.early().is_empty());
        let opens = !owes && receive.opens();
        if owes || opens {
            self.send_ack(out, at);
        }
        read
    }

    /// shutdown(SHUT_WR) (inet_shutdown, tcp_shutdown): a FIN, if the connection is open; a connect() under
    /// way fails (measured); while two SYNs meet, it waits for the handshake.
    pub(super) fn shutdown(&mut self, out: &mut impl Out, at: Place) {
        let socket = self.socket_mut(at);
        let is_writing = socket.send.give_up_waiting();
        socket.cannot_send = true;
        match socket.state {
            TcpState::SynSent => {
                self.disconnect(out, at);
                self.notify(at, What::ConnectFailed(Errno::ECONNRESET));
            }
            TcpState::Established => self.send_fin(out, at, TcpState::FinWait1),
            TcpState::CloseWait => self.send_fin(out, at, TcpState::LastAck),
            _ => {}
        }
        if is_writing {
            self.notify(at, What::Unwritable);
        }
    }

    /// close() (tcp_close): a FIN, or a RST if received data was not read or SO_LINGER is 0. For the
    /// latter 6.18 does not give the reason TCP_ABORT_ON_LINGER (measured).
    pub(super) fn close(&mut self, out: &mut impl Out, at: Place) {
        let socket = self.socket_mut(at);
        let is_broken_off = socket.lingers_zero;
        match socket.state {
            TcpState::Listen => {
                socket.orphan = true;
                return self.close_listener(out, at);
            }
            TcpState::Close => {}
            _ if socket.receive.unread > 0 => {
                self.end_connection(out, at);
                self.send_active_reset(out, at, RstReason::AbortOnClose);
            }
            _ if is_broken_off => self.disconnect(out, at),
            TcpState::SynSent => self.end_connection(out, at),
            TcpState::Established | TcpState::SynRecv => {
                self.send_fin(out, at, TcpState::FinWait1);
            }
            TcpState::CloseWait => self.send_fin(out, at, TcpState::LastAck),
            // After a shutdown() nothing changes, but the event fires (tcp_close_state; measured).
            state => self.set_state(out, at, state),
        }
        let socket = self.socket_mut(at);
        socket.orphan = true;
        socket.cannot_send = true;
        match socket.state {
            TcpState::Close => self.destroy(out, at),
            TcpState::FinWait2 => {
                self.wait_for_fin(out, at, false);
            }
            _ => {}
        }
    }

    /// A connection goes to TCP_CLOSE without more ado (tcp_set_state).
    fn end_connection(&mut self, out: &mut impl Out, at: Place) {
        self.set_state(out, at, TcpState::Close);
        self.stop_timers(at);
        self.host_mut(at.host).unhash(at.slot);
        let socket = self.socket_mut(at);
        socket.cannot_send = true;
    }

    /// tcp_disconnect(): the state event comes first, then the RST, and the peer's port is forgotten
    /// (measured).
    fn disconnect(&mut self, out: &mut impl Out, at: Place) {
        use TcpState::{CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, SynRecv};
        let socket = self.socket(at);
        let state = socket.state;
        let has_unsent = socket.send.has_unsent();
        let reason = match state {
            TcpState::Close => return,
            Established | CloseWait | FinWait1 | FinWait2 | SynRecv => Some(RstReason::State),
            Closing | LastAck if has_unsent => Some(RstReason::DisconnectWithData),
            _ => None,
        };
        self.end_connection(out, at);
        if let Some(reason) = reason {
            self.send_active_reset(out, at, reason);
        }
        self.socket_mut(at).is_disconnected = true;
    }

    /// A FIN after all that was written (tcp_send_fin).
    pub(super) fn send_fin(&mut self, out: &mut impl Out, at: Place, next: TcpState) {
        self.set_state(out, at, next);
        let send = &mut self.socket_mut(at).send;
        send.fin = true;
        send.end += 1;
        self.push(out, at, Push::Off);
    }

    /// The process ends: all its sockets are closed, the listener before the rest, as file descriptors
    /// are closed in the order of their numbers. (Which connection got which number is the order of
    /// the slots here; a kernel gives the lowest free one.)
    pub(super) fn exit(&mut self, out: &mut impl Out, host: HostId) {
        let slots: Vec<u32> = self.host(host).occupied().collect();
        let at = |slot| Place { host, slot };
        let (listeners, connections): (Vec<u32>, Vec<u32>) = slots
            .into_iter()
            .partition(|slot| self.socket(at(*slot)).state == TcpState::Listen);
        for slot in listeners.into_iter().chain(connections) {
            let is_open = |socket: &Socket| !socket.orphan && !socket.is_mini();
            if self.host(host).get(slot).is_some_and(is_open) {
                self.close(out, at(slot));
            }
        }
    }

    /// A listener ends (inet_csk_listen_stop): each connection that nobody accepted gets a RST; half-open
    /// requests are forgotten when something next concerns them.
    fn close_listener(&mut self, out: &mut impl Out, at: Place) {
        let queues = self.host_mut(at.host).listening(at.slot);
        let waiting = queues.map(|queues| std::mem::take(&mut queues.queue));
        self.set_state(out, at, TcpState::Close);
        self.host_mut(at.host).remove_listener(at.slot);
        for slot in waiting.into_iter().flatten() {
            let child = Place {
                host: at.host,
                slot,
            };
            self.disconnect(out, child);
            let socket = self.socket_mut(child);
            socket.orphan = true;
            socket.is_disconnected = true;
            self.destroy(out, child);
        }
        let requests: Vec<u32> = self.host(at.host).occupied().collect();
        for slot in requests {
            let request = Place {
                host: at.host,
                slot,
            };
            let socket = self.socket(request);
            if socket.state == TcpState::NewSynRecv && socket.parent == at.slot {
                self.socket_mut(request).parent = NONE;
            }
        }
        self.stop_timer(at, Timer::Write);
        self.destroy(out, at);
    }
}
