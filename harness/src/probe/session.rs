//! A session on the models: one machine, and what was asked of it.

use faultlab_sim::win7::Machine;
use faultlab_sim::win7::registry::{Bits, Caller, units};

use super::answer::{self, Body, Refusal};
use super::request::{Bad, Request};
use super::tcp_hosts::{ModelHosts, TcpHosts};
use super::{FAMILIES, Operation, linux_tcp};

pub(super) const OPS: &[(&str, Operation)] = &[("reset", reset)];

/// The state of a session.
pub struct Session {
    /// The machine.
    pub machine: Machine,
    /// How many watches there were since the reset.
    pub watches: u32,
    /// The current directory of whoever asks.
    pub directory: Vec<u16>,
    /// The two Linux hosts.
    pub(super) tcp: Tcp,
    fresh: Machine,
    mutation: Option<Mutation>,
    seed: Option<u64>,
}

/// Whose the two Linux hosts are.
pub(super) enum Tcp {
    /// The models'.
    Model(Box<ModelHosts>),
    /// Those of a real kernel, which is all that there is then.
    Real(Box<dyn TcpHosts>),
}

impl std::ops::Deref for Tcp {
    type Target = dyn TcpHosts;
    fn deref(&self) -> &(dyn TcpHosts + 'static) {
        match self {
            Tcp::Model(hosts) => &**hosts,
            Tcp::Real(hosts) => &**hosts,
        }
    }
}

impl std::ops::DerefMut for Tcp {
    fn deref_mut(&mut self) -> &mut (dyn TcpHosts + 'static) {
        match self {
            Tcp::Model(hosts) => &mut **hosts,
            Tcp::Real(hosts) => &mut **hosts,
        }
    }
}

/// A rule of the models that is switched off, to see that a comparison with a host notices.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Mutation {
    /// 32-bit callers see what 64-bit ones see: no view of WOW64.
    Wow64Views,
    /// The ANSI code page is 1252, as on an English system, and so are conversions that ask for 936.
    CodePage936,
    /// SYNs are sent again at doubled intervals from the first on, as before 6.5: no
    /// net.ipv4.tcp_syn_linear_timeouts.
    LinearSyns,
    /// No TIME_WAIT is kept, as if net.ipv4.tcp_max_tw_buckets were 0.
    TimeWait,
}

/// Where a session begins.
const START: &str = "C:\\Windows\\System32";

impl Default for Session {
    fn default() -> Session {
        Session::new()
    }
}

impl Session {
    /// A fresh default machine.
    pub fn new() -> Session {
        Session::seeded(None)
    }

    /// The same, where `seed` decides what the models leave open; without one, the defaults.
    pub fn seeded(seed: Option<u64>) -> Session {
        let fresh = Machine::windows_7();
        Session {
            machine: fresh.clone(),
            watches: 0,
            directory: units(START),
            tcp: Tcp::Model(Box::new(ModelHosts::seeded(seed))),
            fresh,
            seed,
            mutation: None,
        }
    }

    /// A session whose models have one rule switched off.
    pub fn mutated(mutation: Mutation) -> Session {
        let mut hosts = ModelHosts::seeded(None);
        hosts.switched_off = match mutation {
            Mutation::LinearSyns => Some(("net.ipv4.tcp_syn_linear_timeouts", "0")),
            Mutation::TimeWait => Some(("net.ipv4.tcp_max_tw_buckets", "0")),
            Mutation::Wow64Views | Mutation::CodePage936 => None,
        };
        Session {
            mutation: Some(mutation),
            tcp: Tcp::Model(Box::new(hosts)),
            ..Session::new()
        }
    }

    /// A session on two hosts of a real kernel: it answers the Linux half of the protocol.
    pub fn on(hosts: Box<dyn TcpHosts>) -> Session {
        Session {
            tcp: Tcp::Real(hosts),
            ..Session::new()
        }
    }

    /// From the next reset on, the kernels of the models have such a clock.
    pub fn set_kernel_clock(&mut self, hz: u32, jiffies: u64, up_ms: u64) {
        if let Tcp::Model(hosts) = &mut self.tcp {
            hosts.set_clock(hz, jiffies, up_ms);
        }
    }

    /// What decides what the models leave open; without it, the defaults.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// The rule that is switched off.
    pub fn mutation(&self) -> Option<Mutation> {
        self.mutation
    }

    /// Answers one line: appends one line to `out`.
    pub fn answer(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let request = match Request::read(line) {
            Ok(request) => request,
            Err(bad) => return answer::bad_request(out, &bad),
        };
        let start = out.len();
        out.extend(b"{\"id\":");
        serde_json::to_writer(&mut *out, request.id()).expect("what was read can be written");
        out.push(b',');
        let after_id = out.len();
        out.extend(b"\"ok\":{");
        let (families, who): (&[_], _) = match &self.tcp {
            Tcp::Model(_) => (FAMILIES, "the models do"),
            Tcp::Real(_) => (&[OPS, linux_tcp::OPS], "this host does"),
        };
        let refusal = match operation(families, request.op()) {
            Some(operation) => operation(self, &request, &mut Body::new(out)).err(),
            None => Some(Refusal::Unsupported(format!(
                "{}: {who} not answer it",
                request.op()
            ))),
        };
        match refusal {
            None => out.extend(b"}}\n"),
            Some(Refusal::Bad(bad)) => {
                out.truncate(start);
                answer::bad_request(out, &bad);
            }
            Some(refusal) => {
                out.truncate(after_id);
                refusal.write(out);
            }
        }
    }

    /// Who performs a request: `as`, of `bits`.
    ///
    /// # Errors
    /// If there is no such account.
    pub fn caller(&self, request: &Request<'_>) -> Result<Caller, Bad> {
        let caller = match request.maybe_text("as")? {
            None => self.machine.user().clone(),
            Some(name) => self.machine.caller(name).ok_or_else(|| {
                let known = "alice, admin, admin-filtered, SYSTEM, NetworkService or LocalService";
                request.bad("as", format!("there is no account {name:?}: use {known}"))
            })?,
        };
        let bits = request.maybe_bits("bits")?.unwrap_or(Bits::Bits64);
        Ok(match self.mutation {
            Some(Mutation::Wow64Views) => caller,
            _ => caller.of_bits(bits),
        })
    }
}

fn operation(families: &[&[(&str, Operation)]], op: &str) -> Option<Operation> {
    let all = families.iter().copied().flatten();
    all.copied()
        .find(|(name, _)| *name == op)
        .map(|(_, operation)| operation)
}

/// Fresh machines.
fn reset(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(linux_tcp::RESET)?;
    linux_tcp::reset(&mut *session.tcp, request)?;
    session.machine = session.fresh.clone();
    session.watches = 0;
    session.directory = units(START);
    Ok(())
}
