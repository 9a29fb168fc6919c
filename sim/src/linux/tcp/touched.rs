//! What a record of TCP is about, in the state of the kernels.

use super::host::Host;
use super::lab::Lab;
use super::socket::{Pending, Socket};
use crate::engine::Seen;
use crate::linux::tracepoint::{Ipv4, Record, TcpState};

impl Lab {
    /// The things that `record` touched, and what they are now.
    pub fn touched(&self, record: &Record) -> Vec<Seen> {
        let ((from, sport), (to, dport)) = record.ends();
        let Some(host) = self.net().hosts.iter().find(|host| host.addr == from) else {
            return Vec::new();
        };
        let skaddr = record.field("skaddr").and_then(|skaddr| skaddr.as_number());
        let by_address = skaddr.and_then(|skaddr| host.slot_of(u64::try_from(skaddr).ok()?));
        let by_ports = || {
            let peer = self.net().hosts.iter().position(|host| host.addr == to)?;
            host.find(sport, super::segment::HostId(peer as u32), dport)
        };
        let socket = by_address.or_else(by_ports).and_then(|slot| host.get(slot));
        // At a place that was freed and used again lies another socket.
        let socket = socket.filter(|socket| sport == 0 || socket.port == 0 || socket.port == sport);
        let name = match socket.map(|socket| socket.port).filter(|_| sport == 0) {
            Some(port) if port > 0 => format!("socket {from}:{port} → {to}:{dport}"),
            _ => format!("socket {from}:{sport} → {to}:{dport}"),
        };
        let mut seen = vec![Seen::new(name, socket.map(describe))];
        seen.extend(counters(host, from, record));
        seen
    }
}

fn describe(socket: &Socket) -> String {
    let state = match socket.state {
        TcpState::TimeWait => format!("{} ({})", socket.state, socket.substate),
        state => state.to_string(),
    };
    let mut text = state;
    if let Some(listener) = &socket.listener {
        text += &format!(
            ", accept queue {} of {}, half-open {}",
            listener.queue.len(),
            listener.backlog,
            listener.requests
        );
    }
    if !socket.send.queue.is_empty() {
        text += &format!(", {} unacknowledged", socket.send.queue.len());
    }
    if socket.receive.unread > 0 {
        text += &format!(", {} bytes unread", socket.receive.unread);
    }
    if socket.resend.timeouts > 0 {
        text += &format!(", timeout {} in a row", socket.resend.timeouts);
    }
    match socket.resend.pending {
        Pending::Retransmission => text += ", retransmission timer runs",
        Pending::LossProbe => text += ", loss probe timer runs",
        Pending::WindowProbe => text += ", window probe timer runs",
        Pending::Reordering => text += ", reordering timer runs",
        Pending::Nothing => {}
    }
    if let Some(error) = socket.error {
        text += &format!(", error {}", error.name());
    }
    if socket.orphan {
        text += ", closed by its application";
    }
    text
}

/// The counters of a host that a record of this kind moves.
fn counters(host: &Host, addr: Ipv4, record: &Record) -> Vec<Seen> {
    let (name, count) = match record {
        Record::SendReset { .. } => ("RSTs sent", host.counters.out_rsts),
        Record::RetransmitSkb { .. } => ("segments sent again", host.counters.retrans_segs),
        Record::RetransmitSynack { .. } => {
            ("SYNs and SYN-ACKs sent again", host.counters.syn_retrans)
        }
        Record::DestroySock { .. } => ("sockets in TIME_WAIT", host.time_waits.into()),
        _ => return Vec::new(),
    };
    vec![Seen::new(
        format!("host {addr}: {name}"),
        Some(count.to_string()),
    )]
}
