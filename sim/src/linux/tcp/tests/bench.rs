//! A client and a server whose applications do what a list says, and nothing by themselves: what the
//! recordings of real kernels were made with.

use crate::engine::source::Defaults;
use crate::engine::{
    self, Cx, Entity, Env, Faults, KindSpec, Limits, Machine, Names, Scheduling, Span, Struck,
    Time, Trace, TraceHasher, Value, World,
};
use crate::linux::errno::Errno;
use crate::linux::tcp::net::{Net, Notice, What};
use crate::linux::tcp::{Event, Flow, HostId, Kernel};
use crate::linux::tracepoint::{self, AppOp};

/// A record of a test: of the model, or a fault that struck.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    Tcp(tracepoint::Record),
    Fault(&'static str),
}

impl From<tracepoint::Record> for Seen {
    fn from(record: tracepoint::Record) -> Seen {
        Seen::Tcp(record)
    }
}

impl From<Struck> for Seen {
    fn from(struck: Struck) -> Seen {
        Seen::Fault(struck.fault)
    }
}

impl engine::Record for Seen {
    fn kind(&self) -> &'static str {
        match self {
            Seen::Tcp(record) => record.kind(),
            Seen::Fault(_) => "fault",
        }
    }
    fn field(&self, name: &str) -> Option<Value> {
        match self {
            Seen::Tcp(record) => record.field(name),
            Seen::Fault(_) => None,
        }
    }
    fn fields(&self, each: &mut dyn FnMut(&'static str, Value)) {
        if let Seen::Tcp(record) = self {
            record.fields(each);
        }
    }
    fn absorb(&self, hasher: &mut TraceHasher) {
        match self {
            Seen::Tcp(record) => record.absorb(hasher),
            Seen::Fault(fault) => hasher.text(fault),
        }
    }
    fn words(&self) -> String {
        match self {
            Seen::Tcp(record) => record.words(),
            Seen::Fault(fault) => format!("is struck by {fault}"),
        }
    }
}

/// An end of the one connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum End {
    Client,
    Server,
}

/// What an application or the lab does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Op {
    Listen,
    Connect,
    Send(End),
    Close(End),
    /// SO_LINGER 0 and close().
    Abort(End),
    /// The server's process ends.
    Exit,
    /// All segments are thrown away from now on.
    Drop,
    /// What arrives at the client is thrown away from now on.
    Deafen,
    /// The end of the case.
    Nothing,
}

#[derive(Clone, Hash, Debug)]
pub(super) enum Step {
    Op(Op),
    Tcp(Event),
}

impl From<Event> for Step {
    fn from(event: Event) -> Step {
        Step::Tcp(event)
    }
}

#[derive(Clone, Hash, Debug)]
pub(super) struct Bench {
    net: Net,
    client: HostId,
    ends: [Option<u32>; 2],
    reads: bool,
    deaf: bool,
}

const PORT: u16 = 9100;
const FLOW: Flow = Flow { client: 0, conn: 1 };

impl Bench {
    fn place(&self, end: End) -> (HostId, u32) {
        let host = match end {
            End::Client => self.client,
            End::Server => HostId::SERVER,
        };
        (host, self.ends[end as usize].expect("the end is open"))
    }

    fn perform(&mut self, op: Op, cx: &mut Cx<'_, Step, Seen>) {
        match op {
            Op::Listen => {
                self.net
                    .listen(cx, HostId::SERVER, PORT)
                    .expect("nobody listens yet");
            }
            Op::Connect => {
                let to = (HostId::SERVER, PORT);
                let slot = self.net.connect(cx, self.client, to, FLOW);
                self.ends[End::Client as usize] = Some(slot.expect("ports are free"));
            }
            Op::Send(end) => {
                let (host, slot) = self.place(end);
                if self.net.send(cx, host, slot, 10).is_err() {
                    self.learns(cx, host, slot, AppOp::Send, Errno::EPIPE);
                }
            }
            Op::Close(end) | Op::Abort(end) => {
                let (host, slot) = self.place(end);
                self.net.socket_mut(host, slot).lingers_zero = matches!(op, Op::Abort(_));
                self.net.close(cx, host, slot);
            }
            Op::Exit => self.net.exit(cx, HostId::SERVER),
            Op::Drop => self.net.link.down = true,
            Op::Deafen => self.deaf = true,
            Op::Nothing => {}
        }
    }

    fn learns(
        &self,
        cx: &mut Cx<'_, Step, Seen>,
        host: HostId,
        slot: u32,
        op: AppOp,
        errno: Errno,
    ) {
        let (sport, dport, saddr, daddr) = self.net.four_tuple(host, slot);
        let record = tracepoint::Record::App {
            op,
            errno,
            conn: FLOW.conn,
            sport,
            dport,
            saddr,
            daddr,
        };
        cx.record(self.net.actor(host, FLOW), record);
    }
}

impl World for Bench {
    type Event = Step;
    type Record = Seen;

    fn step(&mut self, step: Step, cx: &mut Cx<'_, Step, Seen>) {
        match step {
            Step::Op(op) => self.perform(op, cx),
            Step::Tcp(Event::Arrive(segment)) if self.deaf && segment.to == self.client => {}
            Step::Tcp(Event::Arrive(segment)) => self.net.receive(cx, segment),
            Step::Tcp(Event::Timer { host, slot }) => self.net.timer_due(cx, host, slot),
            Step::Tcp(event) => unreachable!("{event:?} is the lab's"),
        }
        for notice in std::mem::take(&mut self.net.notices) {
            let Notice {
                host, slot, what, ..
            } = notice;
            match what {
                What::Connected | What::PeerClosed => {}
                What::Accepted => self.ends[End::Server as usize] = Some(slot),
                What::Readable if host == HostId::SERVER && !self.reads => {}
                What::Readable => {
                    self.net.read(host, slot);
                }
                What::ConnectFailed(errno) => self.learns(cx, host, slot, AppOp::Connect, errno),
                What::Broken(errno) => self.learns(cx, host, slot, AppOp::Error, errno),
            }
        }
    }
}

/// A case: the kernel, the link's delay, whether the server reads, and what is done when (ms).
pub(super) struct Case<'a> {
    pub(super) kernel: Kernel,
    pub(super) delay_ms: u64,
    pub(super) reads: bool,
    pub(super) ops: &'a [(u64, Op)],
}

impl Case<'_> {
    /// What a case is where nothing else is said.
    pub(super) const DEFAULT: Case<'static> = Case {
        kernel: Kernel::V6_18,
        delay_ms: 0,
        reads: true,
        ops: &[],
    };

    /// Runs it; the last operation's time is the end. A line for each record: time in ms rounded down,
    /// host, what.
    pub(super) fn table(&self) -> String {
        let mut table = String::new();
        let mut line = |at: Time, host: &str, text: String| {
            table += &format!("{} {host} {text}\n", at.0 / 1_000_000);
        };
        for entry in self.run().entries() {
            let host = entry.actor.trim_end_matches("-1");
            let Seen::Tcp(record) = &entry.record else {
                continue;
            };
            line(entry.at, host, words(record));
        }
        table
    }

    pub(super) fn run(&self) -> Trace<Seen> {
        let mut names = Names::new();
        let server = names.name("server");
        let client = names.name("client-1");
        let mut net = Net::new(
            server,
            self.kernel,
            Span::from_ms(self.delay_ms),
            Span::ZERO,
        );
        net.clients.push(client);
        let world = Bench {
            client: net.add_host(self.kernel),
            net,
            ends: [None; 2],
            reads: self.reads,
            deaf: false,
        };
        let mut trace = Trace::kept();
        let mut machine = Machine::new(world, Faults::default(), Scheduling::default());
        let mut env = Env {
            names: &mut names,
            source: &mut Defaults,
            observer: &mut trace,
        };
        machine.begin(&mut env, |_, cx| {
            let script: Entity = cx.name("script");
            for (at_ms, op) in self.ops {
                cx.after(Span::from_ms(*at_ms), script, Step::Op(*op));
            }
        });
        let end = self.ops.iter().map(|(at_ms, _)| *at_ms).max();
        let limits = Limits {
            until: Time::default() + Span::from_ms(end.unwrap_or(0)),
            ..Limits::NONE
        };
        machine.run(&mut env, limits);
        trace
    }
}

/// A record in the few words that the recordings have: ports only where they are 0.
fn words(record: &tracepoint::Record) -> String {
    use tracepoint::Record::*;
    let zero = |port: &u16, name: &str| match port {
        0 => format!(" {name} 0"),
        _ => String::new(),
    };
    let short = |state: &tracepoint::TcpState| state.name().replace("TCP_", "");
    match record {
        SetState {
            oldstate,
            newstate,
            sport,
            ..
        } => format!(
            "{} > {}{}",
            short(oldstate),
            short(newstate),
            zero(sport, "sport")
        ),
        RetransmitSkb { state, .. } => format!("tcp_retransmit_skb {}", short(state)),
        RetransmitSynack { .. } => "tcp_retransmit_synack".into(),
        SendReset { state, reason, .. } => format!("tcp_send_reset {} {reason}", short(state))
            .trim_end()
            .into(),
        ReceiveReset { .. } => "tcp_receive_reset".into(),
        DestroySock { dport, .. } => format!("tcp_destroy_sock{}", zero(dport, "dport")),
        App { op, errno, .. } => format!("app {op} {}", errno.name()),
    }
}

#[test]
fn every_kind_has_its_tracepoint_s_name() {
    let kinds: Vec<&str> = tracepoint::Record::KINDS
        .iter()
        .map(|spec: &KindSpec| spec.kind)
        .collect();
    let expected = [
        "inet_sock_set_state",
        "tcp_retransmit_skb",
        "tcp_retransmit_synack",
        "tcp_send_reset",
        "tcp_receive_reset",
        "tcp_destroy_sock",
        "app",
    ];
    assert_eq!(kinds, expected);
}
