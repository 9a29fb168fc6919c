//! The system calls that applications make, as far as the kernel's part of them goes.

use super::host::Socket;
use super::net::{Net, Out};
use super::segment::{Flags, Flow, HostId, Segment, initial_sequence};
use crate::linux::tracepoint::{Family, Record, RstReason, TcpState};

/// The socket in a listener's place has no connection.
const NO_FLOW: Flow = Flow { client: 0, conn: 0 };

/// What is left after a connect() that failed at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ConnectError {
    /// EADDRNOTAVAIL: all local ports are taken. The socket in this slot is closed, not yet destroyed.
    NoPort(u32),
}

/// Why a write fails at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SendError {
    /// EPIPE: the connection is not open for writing (any more).
    Pipe,
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
    ) -> Result<u32, ListenError> {
        if self.host(host).listener(port).is_some() {
            return Err(ListenError::InUse);
        }
        let socket = Socket::new(TcpState::Close, port, (host, 0), NO_FLOW);
        let slot = self.host_mut(host).insert(socket);
        self.host_mut(host).add_listener(port, slot);
        self.set_state(out, host, slot, TcpState::Listen);
        Ok(slot)
    }

    /// socket() and a connect() that does not block. The local port is chosen after the state event,
    /// which therefore shows port 0 (tcp_v4_connect; measured).
    pub(super) fn connect(
        &mut self,
        out: &mut impl Out,
        host: HostId,
        to: (HostId, u16),
        flow: Flow,
    ) -> Result<u32, ConnectError> {
        let slot = self
            .host_mut(host)
            .insert(Socket::new(TcpState::Close, 0, to, flow));
        self.set_state(out, host, slot, TcpState::SynSent);
        let Some(port) = self.host_mut(host).take_port() else {
            self.set_state(out, host, slot, TcpState::Close);
            return Err(ConnectError::NoPort(slot));
        };
        let now = out.now();
        let timeout = self.profile(host).syn_timeout;
        let socket = self.socket_mut(host, slot);
        socket.port = port;
        socket.owns_port = true;
        socket.snd_una = initial_sequence(now);
        socket.snd_nxt = socket.snd_una + 1;
        socket.begin_connect(now, timeout);
        self.host_mut(host).hash(slot);
        self.send_unacknowledged(out, host, slot);
        self.set_timer(out, host, slot, timeout);
        Ok(slot)
    }

    /// write(): one segment, whatever its length.
    pub(super) fn send(
        &mut self,
        out: &mut impl Out,
        host: HostId,
        slot: u32,
        len: u32,
    ) -> Result<(), SendError> {
        let socket = self.socket_mut(host, slot);
        if !matches!(socket.state, TcpState::Established | TcpState::CloseWait) {
            return Err(SendError::Pipe);
        }
        let seq = socket.snd_nxt;
        let is_first = !socket.has_unacknowledged();
        socket.snd_nxt += u64::from(len);
        let segment = Segment {
            seq,
            len,
            ..self.segment(host, slot, Flags::ACK)
        };
        self.transmit(out, segment);
        if is_first {
            self.start_resend(out, host, slot);
        }
        Ok(())
    }

    /// read() of all that is there.
    pub(super) fn read(&mut self, host: HostId, slot: u32) -> u64 {
        std::mem::take(&mut self.socket_mut(host, slot).unread)
    }

    /// close() (tcp_close): a FIN, or a RST if received data was not read or SO_LINGER is 0. For the
    /// latter 6.18 does not give the reason TCP_ABORT_ON_LINGER (measured).
    pub(super) fn close(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let socket = self.socket_mut(host, slot);
        socket.orphan = true;
        match socket.state {
            TcpState::Close => self.destroy(out, host, slot),
            TcpState::Listen => self.close_listener(out, host, slot),
            TcpState::SynSent => self.done(out, host, slot),
            _ if socket.unread > 0 => {
                self.close_with_reset(out, host, slot, RstReason::AbortOnClose);
                self.destroy(out, host, slot);
            }
            _ if socket.lingers_zero => {
                self.close_with_reset(out, host, slot, RstReason::State);
                self.destroy_disconnected(out, host, slot);
            }
            TcpState::Established => self.close_with_fin(out, host, slot, TcpState::FinWait1),
            TcpState::CloseWait => self.close_with_fin(out, host, slot, TcpState::LastAck),
            state => debug_assert!(false, "close() of an orphan in {state}"),
        }
    }

    /// The process ends: all its sockets are closed, the listener before the rest, as file descriptors
    /// are closed in the order of their numbers. (Which connection got which number is the order of
    /// the slots here; a kernel gives the lowest free one.)
    pub(super) fn exit(&mut self, out: &mut impl Out, host: HostId) {
        let slots: Vec<u32> = self.host(host).occupied().collect();
        let (listeners, connections): (Vec<u32>, Vec<u32>) = slots
            .into_iter()
            .partition(|slot| self.socket(host, *slot).state == TcpState::Listen);
        for slot in listeners.into_iter().chain(connections) {
            let is_open = |socket: &Socket| !socket.orphan && !socket.is_mini();
            if self.host(host).get(slot).is_some_and(is_open) {
                self.close(out, host, slot);
            }
        }
    }

    fn close_with_fin(&mut self, out: &mut impl Out, host: HostId, slot: u32, next: TcpState) {
        self.set_state(out, host, slot, next);
        let socket = self.socket_mut(host, slot);
        let seq = socket.snd_nxt;
        let is_first = !socket.has_unacknowledged();
        socket.snd_nxt += 1;
        let flags = Flags {
            fin: true,
            ..Flags::ACK
        };
        let segment = Segment {
            seq,
            ..self.segment(host, slot, flags)
        };
        self.transmit(out, segment);
        if is_first {
            self.start_resend(out, host, slot);
        }
    }

    /// The state event comes first, then the RST (tcp_send_active_reset; measured).
    fn close_with_reset(&mut self, out: &mut impl Out, host: HostId, slot: u32, why: RstReason) {
        self.set_state(out, host, slot, TcpState::Close);
        self.stop_timer(host, slot);
        self.host_mut(host).unhash(slot);
        let (sport, dport, saddr, daddr) = self.four_tuple(host, slot);
        out.record(
            self.actor(host, self.socket(host, slot).flow),
            Record::SendReset {
                skaddr: self.host(host).skaddr(slot),
                state: TcpState::Close,
                reason: self.reason(host, why),
                sport,
                dport,
                family: Family::Inet,
                saddr,
                daddr,
            },
        );
        let flags = Flags {
            rst: true,
            ..Flags::ACK
        };
        let segment = self.segment(host, slot, flags);
        self.transmit(out, segment);
    }

    /// A listener ends: half-open requests are forgotten without a word, so that a late ACK meets a
    /// closed port.
    fn close_listener(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        self.set_state(out, host, slot, TcpState::Close);
        let port = self.socket(host, slot).port;
        let requests: Vec<u32> = self
            .host(host)
            .occupied()
            .filter(|slot| {
                let socket = self.socket(host, *slot);
                socket.state == TcpState::NewSynRecv && socket.port == port
            })
            .collect();
        for request in requests {
            self.free_mini(host, request);
        }
        self.host_mut(host).remove_listener(slot);
        self.destroy(out, host, slot);
    }
}
