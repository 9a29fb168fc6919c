//! A socket: what the kernel keeps in struct tcp_sock, and in the smaller structs of half-open requests and
//! of TIME_WAIT.

use std::collections::VecDeque;

use super::disorder::Disorder;
use super::profile::{INITIAL_CWND, MSS, SEGMENT_TRUESIZE, SEND_BUFFER_MAX, STAMPS};
use super::segment::{Flow, HostId};
use super::unacked::Unacked;
use super::window::{Memory, initial_window};
use crate::engine::Time;
use crate::linux::tracepoint::TcpState;

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

/// A socket in its place: a slot of a host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Place {
    pub(super) host: HostId,
    pub(super) slot: u32,
}

/// What an application sets on its socket before it connects.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SocketOptions {
    /// SO_KEEPALIVE with its times; without them, those of the sysctls.
    pub keepalive: Option<Keepalive>,
    /// TCP_USER_TIMEOUT in milliseconds; 0: none.
    pub user_timeout_ms: u64,
    /// The local port that it binds to; without it, connect() chooses one.
    pub local_port: Option<u16>,
}

/// The times of keepalive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Keepalive {
    /// TCP_KEEPIDLE: after so many idle seconds the first probe goes out.
    pub idle_s: u64,
    /// TCP_KEEPINTVL: so many seconds after a probe the next one.
    pub interval_s: u64,
    /// TCP_KEEPCNT: after so many unanswered probes the connection is given up.
    pub count: u32,
}

/// A socket: full, or a mini-socket (`TimeWait`, `NewSynRecv`) that no state event shows.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Socket {
    pub(super) state: TcpState,
    /// For `TimeWait`, whether it still waits for the peer's FIN (`FinWait2`) or not.
    pub(super) substate: TcpState,
    /// Whether its application has closed it (SOCK_DEAD).
    pub(super) orphan: bool,
    /// Whether SO_LINGER is 0: close() breaks the connection off.
    pub(super) lingers_zero: bool,
    /// Whether nothing can be written any more (SEND_SHUTDOWN).
    pub(super) cannot_send: bool,
    /// Whether it holds the local port for itself alone, as a socket that connected does.
    pub(super) owns_port: bool,
    /// Whether nothing was agreed on but the size of segments: see [`Segment::has_options`](super::segment::Segment).
    pub(super) lacks_options: bool,
    /// Whether tcp_disconnect() has forgotten the peer's port and the local address.
    pub(super) is_disconnected: bool,
    pub(super) port: u16,
    pub(super) peer_port: u16,
    pub(super) peer: HostId,
    pub(super) flow: Flow,
    pub(super) cookie: u64,
    /// The listener whose request it is, or in whose accept queue it waits; [`NONE`] otherwise.
    pub(super) parent: u32,
    /// None: nothing was set. See [`Socket::options`].
    pub(super) options: Option<Box<SocketOptions>>,
    /// What SO_ERROR would give (sk_err), as long as no application has taken it.
    pub(super) error: Option<crate::linux::errno::Errno>,
    pub(super) send: Sending,
    pub(super) receive: Receiving,
    pub(super) round_trip: RoundTrip,
    pub(super) resend: Resend,
    pub(super) request: Request,
    pub(super) listener: Option<Box<Listener>>,
    /// When a mini-socket of TIME_WAIT heard of its peer last: milliseconds of the timestamp clock, and
    /// whole seconds of the kernel's.
    pub(super) waits_since: (u64, u64),
}

/// A buffer (struct sk_buff) that was sent and is not acknowledged: one segment, or several where segmentation
/// offload sends them as one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Sent {
    pub(super) seq: u64,
    /// The number after its last, FIN and SYN counted.
    pub(super) end: u64,
    pub(super) fin: bool,
    /// When it was sent last.
    pub(super) at: Time,
    /// What was sent how manieth, to tell the order of what was sent at one time.
    pub(super) nth: u64,
    /// Whether it was ever sent again: its acknowledgement then gives no round trip time (Karn).
    pub(super) was_resent: bool,
    /// Whether a retransmission of it is under way.
    pub(super) is_resent: bool,
    /// Whether it was acknowledged selectively.
    pub(super) is_sacked: bool,
    /// Whether it counts as lost.
    pub(super) is_lost: bool,
    /// How much data a segment of it has at most (gso_size).
    pub(super) mss: u16,
    /// Whether it was late once: until it is sent again, it is not looked at any more (left tsorted_sent_queue).
    pub(super) was_late: bool,
}

impl Sent {
    /// Counts it as lost; what is under way again and counted as lost already, as lost again. What a wrong timeout sent
    /// again is taken to be under way still, so that it is not sent once more (tcp_mark_skb_lost; measured on 6.1).
    /// Whether it was lost again.
    pub(super) fn mark_lost(&mut self) -> bool {
        let is_lost_again = self.is_lost && self.is_resent;
        if is_lost_again {
            self.is_resent = false;
        }
        self.is_lost = true;
        is_lost_again
    }

    /// Sent for the first time.
    pub(super) fn new(seq: u64, end: u64, fin: bool, mss: u16, at: Time) -> Sent {
        Sent {
            mss,
            seq,
            end,
            fin,
            at,
            nth: 0,
            was_resent: false,
            is_resent: false,
            is_sacked: false,
            is_lost: false,
            was_late: false,
        }
    }

    /// How many bytes, without a FIN.
    pub(super) fn len(&self) -> u64 {
        self.end - self.seq - u64::from(self.fin)
    }

    /// How many segments it is (tcp_skb_pcount).
    pub(super) fn count(&self) -> u32 {
        (self.len().div_ceil(self.mss.into()) as u32).max(1)
    }

    /// Cuts off what comes after `len` bytes, and gives it (tcp_fragment).
    pub(super) fn split_off(&mut self, len: u64) -> Sent {
        let rest = Sent {
            seq: self.seq + len,
            ..*self
        };
        self.end = rest.seq;
        self.fin = false;
        rest
    }
}

/// What loss recovery is doing (icsk_ca_state).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Recovery {
    /// Nothing was lost.
    Open,
    /// Something came out of order, or was sent again (TCP_CA_Disorder).
    Disorder,
    /// Selective acknowledgements show a hole (TCP_CA_Recovery).
    Fast,
    /// A retransmission timeout (TCP_CA_Loss).
    Loss,
}

/// What was delivered that was sent last: whoever was sent before it and is not delivered is late (RFC 8985,
/// struct tcp_rack).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Rack {
    /// What was sent how manieth.
    pub(super) nth: u64,
    /// The round trip of what was delivered latest, in microseconds.
    pub(super) rtt_us: u64,
    /// Whether something was delivered since it was looked at last.
    pub(super) has_advanced: bool,
}

/// What a recovery needs to know of what was before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Repair {
    /// It began with this number unacknowledged (undo_marker).
    pub(super) from: u64,
    /// So many segments were sent again and not told to have come twice; none: nothing was sent again
    /// (undo_retrans).
    pub(super) resent: Option<u32>,
    pub(super) cwnd: u32,
    pub(super) ssthresh: u32,
    /// Segments delivered since, and sent since (prr_delivered, prr_out).
    pub(super) delivered: u32,
    pub(super) sent: u32,
    /// Whether the timeout may turn out to have been wrong (frto, RFC 5682).
    pub(super) is_doubted: bool,
}

/// The sending half.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Sending {
    /// The first number that is not acknowledged (snd_una).
    pub(super) una: u64,
    /// The next number to send (snd_nxt).
    pub(super) nxt: u64,
    /// The number after the last that was written, a FIN counted (write_seq).
    pub(super) end: u64,
    /// Whether a FIN was written; it has the last number then.
    pub(super) fin: bool,
    /// How far the peer's window reaches from `una` (snd_wnd).
    pub(super) window: u64,
    /// The sequence number of the segment that set the window (snd_wl1).
    pub(super) window_at: u64,
    /// The number after the last small segment, for Nagle's rule (snd_sml).
    pub(super) small_end: u64,
    /// What was sent and not acknowledged, in order; empty but for connections.
    pub(super) queue: Unacked,
    /// How many bytes the buffer takes (sk_sndbuf): it grows with `cwnd`, and never shrinks.
    pub(super) limit: u64,
    pub(super) cwnd: u32,
    pub(super) ssthresh: u32,
    pub(super) recovery: Recovery,
    /// Recovery ends when this is acknowledged (high_seq).
    pub(super) high: u64,
    pub(super) rack: Rack,
    /// How many buffers were sent, again too.
    pub(super) buffers: u64,
    /// invariant: there as long as a recovery may be undone, or reduces the congestion window.
    pub(super) repair: Option<Box<Repair>>,
    /// Acknowledgements that brought nothing, where there are no selective ones (sacked_out of Reno).
    pub(super) duplicates: u32,
    /// The most segments under way in the window of data that ends with `used_to` (max_packets_out,
    /// cwnd_usage_seq).
    pub(super) most_out: u32,
    pub(super) used_to: u64,
}

/// The receiving half.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Receiving {
    /// The first number of data.
    pub(super) first: u64,
    /// The next number to receive (rcv_nxt).
    pub(super) nxt: u64,
    /// What was acknowledged last (rcv_wup).
    pub(super) acked: u64,
    /// How far the window reached from there (rcv_wnd).
    pub(super) window: u64,
    /// The memory of the buffer.
    pub(super) memory: Memory,
    /// Bytes that the application has not read.
    pub(super) unread: u64,
    /// Whether the peer's FIN was received.
    pub(super) fin: bool,
    /// What came before its turn, or twice.
    pub(super) disorder: Disorder,
    /// The peer's timestamp to echo (ts_recent).
    pub(super) echo_ms: u64,
    /// Whether the connection uses timestamps.
    pub(super) has_stamps: bool,
    /// The largest segment of the peer, as far as seen (rcv_mss).
    pub(super) largest: u32,
    /// The last segment, if it was smaller; 0 otherwise (last_seg_size).
    pub(super) last_small: u32,
    /// How long an acknowledgement may wait, in ticks; 0 before the first data (icsk_ack.ato).
    pub(super) patience: u64,
    /// So many acknowledgements go out at once (icsk_ack.quick).
    pub(super) quick: u8,
    /// Whether data goes both ways in turn, so that acknowledgements ride along (pingpong mode).
    pub(super) ping_pong: bool,
    /// Whether an acknowledgement is owed (ICSK_ACK_SCHED).
    pub(super) owes_ack: bool,
    /// Whether one must go out at once (ICSK_ACK_NOW).
    pub(super) owes_ack_now: bool,
    /// How many small segments came since the last acknowledgement, up to 2 (ICSK_ACK_PUSHED).
    pub(super) pushed: u8,
    /// When a delayed acknowledgement is due, in jiffies.
    pub(super) ack_due: Option<u64>,
    /// When data came last, in jiffies (lrcvtime).
    pub(super) data_at: u64,
    /// When an acknowledgement came last, in jiffies (rcv_tstamp).
    pub(super) heard_at: u64,
    /// When a segment out of the window was answered last, in milliseconds (last_oow_ack_time).
    pub(super) out_of_window_ms: Option<u64>,
}

/// The measured round trip, in microseconds (tcp_rtt_estimator), the fields as the kernel scales them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct RoundTrip {
    /// Eight times the smoothed round trip; 0: none was measured.
    pub(super) srtt: u64,
    pub(super) mdev: u64,
    pub(super) mdev_max: u64,
    /// Four times the variation.
    pub(super) rttvar: u64,
    /// The variation may fall again when this is acknowledged.
    pub(super) seq: u64,
    /// The shortest that was measured, not scaled (tcp_min_rtt); 0: none was.
    pub(super) least: u64,
}

/// For what the write timer runs (icsk_pending).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Pending {
    /// It does not.
    #[default]
    Nothing,
    /// Retransmission.
    Retransmission,
    /// The tail loss probe.
    LossProbe,
    /// The probe of a closed window.
    WindowProbe,
    /// What is late but may only be out of order (ICSK_TIME_REO_TIMEOUT).
    Reordering,
}

/// How far retransmission has come.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Resend {
    pub(super) pending: Pending,
    /// The timeout, in ticks (icsk_rto).
    pub(super) timeout: u64,
    /// How often it was doubled (icsk_backoff).
    pub(super) backoff: u32,
    /// Timeouts since something was acknowledged (icsk_retransmits).
    pub(super) timeouts: u32,
    /// Timeouts since the socket began (total_rto).
    pub(super) all_timeouts: u32,
    /// Since when giving up is counted, in milliseconds: the first SYN, or the first retransmission by
    /// timeout (retrans_stamp; measured).
    pub(super) since_ms: Option<u64>,
    /// The tail loss probe under way: the number after the last that was sent before (tlp_high_seq).
    pub(super) probed_to: Option<u64>,
    /// Whether that probe was a retransmission (tlp_retrans).
    pub(super) probe_resent: bool,
    /// Unanswered probes of keepalive or of a closed window (icsk_probes_out).
    pub(super) probes: u32,
    /// Since when the window is probed, in jiffies (icsk_probes_tstamp).
    pub(super) probes_since: Option<u64>,
}

/// A half-open request (struct tcp_request_sock).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Request {
    /// How often its timer has fired (num_timeout).
    pub(super) timeouts: u32,
    /// How often the SYN-ACK was sent again, by its timer or for a SYN that came again (num_retrans).
    pub(super) resent: u32,
    /// Whether its final ACK came and found the accept queue full (acked).
    pub(super) is_acked: bool,
    /// When its SYN-ACK was sent first (snt_synack); none for a SYN cookie.
    pub(super) sent_at: Option<Time>,
}

/// A listening socket's queues.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Listener {
    /// The smaller of what listen() was given and somaxconn (sk_max_ack_backlog).
    pub(super) backlog: u32,
    /// Connections that wait for accept(), by slot.
    pub(super) queue: VecDeque<u32>,
    /// Half-open requests (reqsk_queue_len).
    pub(super) requests: u32,
    /// Those whose timer has not fired yet (reqsk_queue_len_young).
    pub(super) young: u32,
    /// When a SYN cookie was sent last, in jiffies (tcp_synq_overflow).
    pub(super) cookies_at: Option<u64>,
}

impl Listener {
    /// Whether no more connection fits: one more than the backlog does (sk_acceptq_is_full; measured).
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() as u64 > u64::from(self.backlog)
    }
}

/// The size of a send buffer: twice what the congestion window holds (tcp_sndbuf_expand). 46 080 bytes at first (measured).
fn send_buffer(cwnd: u32) -> u64 {
    (2 * u64::from(cwnd.max(INITIAL_CWND)) * SEGMENT_TRUESIZE).min(SEND_BUFFER_MAX)
}

/// The levels of an open connection's buffers, in bytes of data, without the overhead that the kernel counts in
/// sk_wmem_queued and sk_rmem_alloc.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Buffers {
    /// Written and not acknowledged (sk_wmem_queued).
    pub queued: u64,
    /// How much of that fits (sk_sndbuf).
    pub send_limit: u64,
    /// What is left of a write() that waits for room (sk_stream_wait_memory).
    pub waiting: u64,
    /// Received in order and not read; with `early`, sk_rmem_alloc.
    pub unread: u64,
    /// Received before its turn.
    pub early: u64,
    /// How much of both fits, as far as the kernel knows how much memory data takes (tcp_full_space).
    pub receive_limit: u64,
    /// How much the peer may still send (rcv_wnd).
    pub window: u64,
}

impl Sending {
    /// What did not fit is not written any more. Whether there was something.
    pub(super) fn give_up_waiting(&mut self) -> bool {
        let fits = self.nxt.max(self.una + self.limit);
        let waits = !self.fin && self.end > fits;
        if waits {
            self.end = fits;
        }
        waits
    }

    /// The congestion window may have grown, and the buffer with it (tcp_check_space).
    pub(super) fn grow_buffer(&mut self) {
        self.limit = self.limit.max(send_buffer(self.cwnd));
    }

    /// Nothing sent, the next number being `first`.
    pub(super) fn from(first: u64) -> Sending {
        Sending {
            una: first,
            nxt: first,
            end: first,
            fin: false,
            window: 0,
            window_at: 0,
            small_end: first,
            queue: Unacked::default(),
            limit: send_buffer(INITIAL_CWND),
            cwnd: INITIAL_CWND,
            ssthresh: u32::MAX,
            recovery: Recovery::Open,
            high: first,
            rack: Rack::default(),
            buffers: 0,
            repair: None,
            duplicates: 0,
            most_out: 0,
            used_to: first,
        }
    }

    /// How many segments were sent and not acknowledged (packets_out).
    pub(super) fn packets_out(&self) -> u32 {
        self.queue.iter().map(Sent::count).sum()
    }

    /// How many of these are of such a kind.
    pub(super) fn count(&self, is: impl Fn(&Sent) -> bool) -> u32 {
        let those = self.queue.iter().filter(|sent| is(sent));
        those.map(Sent::count).sum()
    }

    /// How many of these are under way (tcp_packets_in_flight).
    pub(super) fn in_flight(&self) -> u32 {
        if self.recovery == Recovery::Open {
            return self.packets_out();
        }
        let flying = self.count(|sent| !(sent.is_sacked || sent.is_lost));
        let resent = self.count(|sent| sent.is_resent);
        (flying + resent).saturating_sub(self.duplicates)
    }

    /// Whether something that is not acknowledged was sent again (tcp_any_retrans_done).
    pub(super) fn has_resent(&self) -> bool {
        let first = self.queue.front();
        first.is_some_and(|sent| sent.was_resent) || self.queue.iter().any(|sent| sent.is_resent)
    }

    /// The number of the buffer that is sent next.
    pub(super) fn next_buffer(&mut self) -> u64 {
        self.buffers += 1;
        self.buffers
    }

    /// Notes how much of the congestion window is used (tcp_cwnd_validate).
    pub(super) fn note_use(&mut self) {
        let out = self.packets_out();
        if self.una >= self.used_to || out > self.most_out {
            self.most_out = out;
            self.used_to = self.nxt;
        }
    }

    /// Whether something was written and not yet sent (tcp_send_head).
    pub(super) fn has_unsent(&self) -> bool {
        self.nxt != self.end
    }

    /// The number after the last byte that was written.
    pub(super) fn end_of_data(&self) -> u64 {
        self.end - u64::from(self.fin)
    }

    /// The number after the last that the peer's window takes (tcp_wnd_end).
    pub(super) fn window_end(&self) -> u64 {
        self.una + self.window
    }

    /// Whether our FIN was sent and acknowledged.
    pub(super) fn fin_is_acknowledged(&self) -> bool {
        self.fin && self.una == self.end
    }
}

impl Receiving {
    pub(super) fn from(next: u64) -> Receiving {
        Receiving {
            first: next,
            nxt: next,
            acked: next,
            window: initial_window(false),
            memory: Memory::FRESH,
            unread: 0,
            fin: false,
            disorder: Disorder::default(),
            echo_ms: 0,
            has_stamps: false,
            largest: 536,
            last_small: 0,
            patience: 0,
            quick: 0,
            ping_pong: false,
            owes_ack: false,
            owes_ack_now: false,
            pushed: 0,
            ack_due: None,
            data_at: 0,
            heard_at: 0,
            out_of_window_ms: None,
        }
    }

    /// How much data a segment has at most: more where there are no timestamps in it (tcp_current_mss; measured).
    pub(super) fn mss(&self) -> u16 {
        match self.has_stamps {
            true => MSS as u16,
            false => MSS as u16 + STAMPS,
        }
    }

    /// How much of the window that was announced is left (tcp_receive_window).
    pub(super) fn window_left(&self) -> u64 {
        (self.acked + self.window).saturating_sub(self.nxt)
    }

    /// Whether acknowledgements go out at once (tcp_in_quickack_mode).
    pub(super) fn is_quick(&self) -> bool {
        self.quick > 0 && !self.ping_pong
    }

    /// Begins a connection whose next number to receive is `next`.
    pub(super) fn begin(&mut self, next: u64) {
        self.first = next;
        self.nxt = next;
        self.acked = next;
    }

    /// How many bytes were received in order.
    pub(super) fn bytes(&self) -> u64 {
        self.nxt - self.first - u64::from(self.fin)
    }
}

impl Socket {
    pub(super) fn new(state: TcpState, port: u16, peer: (HostId, u16), flow: Flow) -> Socket {
        Socket {
            state,
            substate: state,
            orphan: false,
            lingers_zero: false,
            cannot_send: false,
            owns_port: false,
            lacks_options: false,
            is_disconnected: false,
            port,
            peer_port: peer.1,
            peer: peer.0,
            flow,
            cookie: 0,
            parent: NONE,
            options: None,
            error: None,
            send: Sending::from(0),
            receive: Receiving::from(0),
            round_trip: RoundTrip::default(),
            resend: Resend::default(),
            request: Request::default(),
            listener: None,
            waits_since: (0, 0),
        }
    }

    /// What its application has set.
    pub(super) fn options(&self) -> SocketOptions {
        self.options.as_deref().copied().unwrap_or_default()
    }

    /// The levels of its buffers.
    pub(super) fn buffers(&self) -> Buffers {
        let written = self.send.end_of_data().saturating_sub(self.send.una);
        let early = self.receive.disorder.early().iter();
        let early = early.map(|(from, to)| to - from);
        Buffers {
            queued: written.min(self.send.limit),
            send_limit: self.send.limit,
            waiting: written.saturating_sub(self.send.limit),
            unread: self.receive.unread,
            early: early.sum(),
            receive_limit: self.receive.memory.full().into(),
            window: self.receive.window_left(),
        }
    }

    /// Whether it is, or was, a listening socket: it has no peer.
    pub(super) fn is_listener(&self) -> bool {
        self.listener.is_some()
    }

    /// Whether it is a connection that an application holds.
    pub(super) fn is_open_connection(&self) -> bool {
        !self.orphan && !self.is_mini() && !self.is_listener()
    }

    /// Whether it is a mini-socket.
    pub(super) fn is_mini(&self) -> bool {
        matches!(self.state, TcpState::TimeWait | TcpState::NewSynRecv)
    }
}
