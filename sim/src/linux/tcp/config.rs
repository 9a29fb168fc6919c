//! What a TCP lab is made of, as scenarios write it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::flood::Flood;
use super::profile::Kernel;
use super::sysctl::{SysctlError, Sysctls};
use super::timer::Clock;
use crate::engine::{Span, Time};

/// A server with one listening port, and clients that hold a connection to it each: they send requests
/// over it, and connect again when it is gone.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TcpLab {
    /// How many clients there are: `client-1`, `client-2`, ...
    pub clients: u32,
    /// Over how many hosts, each with an address and local ports of its own, they are spread in turn.
    /// 0: each has its own.
    pub client_hosts: u32,
    /// The server's port.
    pub port: u16,
    /// The kernel of all hosts.
    pub kernel: Kernel,
    /// The kernel's tick: HZ. Timers are late by a part of their granule, which is a matter of it.
    pub hz: u32,
    /// Settings of all hosts, by the names under /proc/sys: `net.ipv4.tcp_retries2`.
    pub sysctl: BTreeMap<String, String>,
    /// What the server gives listen().
    pub backlog: u32,
    /// How long a segment travels, one way.
    pub link_delay_us: u64,
    /// How long a segment occupies the server's link, each way. 672: the smallest Ethernet frame at 1
    /// Gbit/s.
    pub link_packet_ns: u64,
    /// The clients connect first one after another, spread evenly over this time.
    pub ramp_ms: u64,
    /// What a client does on its connection.
    pub work: Work,
    /// How the server's process works; without it, at once.
    pub service: Option<Service>,
    /// A flood of SYNs beside the clients.
    pub flood: Option<Flood>,
    /// What a client does when it has none.
    pub reconnect: Reconnect,
    /// When the run ends.
    pub until_ms: u64,
}

/// What a client does on its connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Work {
    /// Nothing: it holds it.
    #[default]
    Idle,
    /// It sends a request at regular intervals, the first one interval after connecting. The server reads
    /// it and sends nothing back.
    Requests {
        /// The interval.
        interval_ms: u64,
        /// The length of a request.
        bytes: u32,
    },
    /// It closes it after a while, before the server does, and connects again as after a failure: TIME_WAIT
    /// is the client's.
    Short {
        /// The while.
        hold_ms: u64,
    },
    /// It calls the server at regular intervals: a request, and an answer that the server's [`Service`] gives.
    /// How long a call took, connecting included, is recorded as `call`.
    Calls {
        /// The interval; a call that takes longer delays the next.
        interval_ms: u64,
        /// The length of request and answer.
        bytes: u32,
        /// Whether each call has a connection of its own, which is closed after it. Otherwise one is kept.
        fresh: bool,
    },
    /// It forgets it, and connects again after a while: a client that is made for each request and never
    /// closed.
    Leak {
        /// The while.
        interval_ms: u64,
    },
}

/// A server with one thread, as Redis is: it does one thing at a time, in the order in which it became possible.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// How long accepting a connection takes, with what must be done for it (TLS, authentication).
    pub accept_us: u64,
    /// How long a request takes.
    pub request_us: u64,
}

/// When a client connects again after an error, or after the server has closed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Reconnect {
    /// Never.
    Never,
    /// Always after the same time.
    Fixed {
        /// The time.
        delay_ms: u64,
    },
    /// After a time that grows with each failure in a row. A success begins anew.
    Backoff {
        /// The time after the first failure.
        initial_ms: u64,
        /// By what it is multiplied after each further one.
        factor: u32,
        /// The longest time.
        max_ms: u64,
        /// What part of the time is left to chance.
        #[serde(default)]
        jitter: Jitter,
    },
}

/// What part of a delay is left to chance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Jitter {
    /// None of it.
    #[default]
    None,
    /// All of it: any number of milliseconds from 0 to the delay ("full jitter"). A wide choice at site
    /// `jitter`, by the client.
    Full,
}

impl Default for TcpLab {
    fn default() -> Self {
        TcpLab {
            clients: 1,
            client_hosts: 0,
            port: 6379,
            kernel: Kernel::V6_18,
            hz: 250,
            sysctl: BTreeMap::new(),
            backlog: 4_096,
            link_delay_us: 100,
            link_packet_ns: 672,
            ramp_ms: 0,
            work: Work::Idle,
            service: None,
            flood: None,
            reconnect: Reconnect::Fixed { delay_ms: 100 },
            until_ms: 60_000,
        }
    }
}

/// Why a [`TcpLab`] makes no sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfigError {
    /// There is no client.
    NoClients,
    /// More clients, or more hosts, than the addresses of the lab reach for.
    TooMany {
        /// How many are possible.
        limit: u32,
    },
    /// More hosts than clients.
    IdleHosts,
    /// Port 0 cannot be listened on.
    PortZero,
    /// The same thing again and again without time passing: the run would not get anywhere.
    NoTimePasses {
        /// The field that must be above 0.
        field: &'static str,
    },
    /// A request of no bytes sends nothing.
    EmptyRequest,
    /// A kernel of this HZ is not built.
    Hz,
    /// A sysctl that the kernel would refuse, or that is not modelled.
    Sysctl {
        /// Its name.
        name: String,
        /// What is wrong.
        why: SysctlError,
    },
    /// A backoff of factor 0, or one that begins above its maximum.
    ShrinkingBackoff,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::NoClients => write!(f, "clients: at least one is needed"),
            ConfigError::TooMany { limit } => write!(f, "clients: at most {limit} are possible"),
            ConfigError::IdleHosts => write!(f, "client_hosts: more than there are clients"),
            ConfigError::PortZero => write!(f, "port: 0 cannot be listened on"),
            ConfigError::NoTimePasses { field } => write!(f, "{field}: must be above 0"),
            ConfigError::EmptyRequest => write!(f, "bytes: a request has at least one"),
            ConfigError::Hz => write!(f, "hz: kernels are built with 100, 250, 300 or 1000"),
            ConfigError::Sysctl { name, why } => write!(f, "sysctl {name}: {why}"),
            ConfigError::ShrinkingBackoff => write!(
                f,
                "reconnect: factor is at least 1, and max_ms at least initial_ms"
            ),
        }
    }
}

impl std::error::Error for ConfigError {}

impl TcpLab {
    /// How many clients there can be: hosts are numbered within 10.0.0.0/8, from 10.1.0.1.
    pub const MOST_CLIENTS: u32 = 1_000_000;

    /// Whether it makes sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        let positive = |field, value| match value {
            0 => Err(ConfigError::NoTimePasses { field }),
            _ => Ok(()),
        };
        match self.clients {
            0 => return Err(ConfigError::NoClients),
            clients if clients > Self::MOST_CLIENTS => {
                return Err(ConfigError::TooMany {
                    limit: Self::MOST_CLIENTS,
                });
            }
            clients if self.client_hosts > clients => return Err(ConfigError::IdleHosts),
            _ if self.port == 0 => return Err(ConfigError::PortZero),
            _ => {}
        }
        if ![100, 250, 300, 1000].contains(&self.hz) {
            return Err(ConfigError::Hz);
        }
        self.sysctls()?;
        if let Some(Flood {
            cores, syns_per_s, ..
        }) = self.flood
        {
            positive("cores", cores.into())?;
            positive("syns_per_s", syns_per_s)?;
        }
        if let Work::Requests { interval_ms, bytes }
        | Work::Calls {
            interval_ms, bytes, ..
        } = self.work
        {
            positive("interval_ms", interval_ms)?;
            if bytes == 0 {
                return Err(ConfigError::EmptyRequest);
            }
        }
        if let Work::Leak { interval_ms } = self.work {
            positive("interval_ms", interval_ms)?;
        }
        match self.reconnect {
            Reconnect::Never => Ok(()),
            Reconnect::Fixed { delay_ms } => positive("delay_ms", delay_ms),
            Reconnect::Backoff { factor: 0, .. } => Err(ConfigError::ShrinkingBackoff),
            Reconnect::Backoff {
                initial_ms, max_ms, ..
            } if initial_ms > max_ms => Err(ConfigError::ShrinkingBackoff),
            Reconnect::Backoff { initial_ms, .. } => positive("initial_ms", initial_ms),
        }
    }

    /// The settings of its hosts.
    pub(super) fn sysctls(&self) -> Result<Sysctls, ConfigError> {
        let mut sysctls = Sysctls::of(self.kernel);
        for (name, value) in &self.sysctl {
            let set = sysctls.set(self.kernel, name, value);
            set.map_err(|why| ConfigError::Sysctl {
                name: name.clone(),
                why,
            })?;
        }
        Ok(sysctls)
    }

    /// The clocks of its kernel.
    pub(super) fn clock(&self) -> Clock {
        Clock::of_hz(self.hz)
    }

    /// When the run ends.
    pub fn until(&self) -> Time {
        Time::default() + Span::from_ms(self.until_ms)
    }
}

impl Reconnect {
    /// The delay after so many failures in a row, before jitter; none: never.
    pub fn delay_ms(&self, failures: u32) -> Option<u64> {
        match *self {
            Reconnect::Never => None,
            Reconnect::Fixed { delay_ms } => Some(delay_ms),
            Reconnect::Backoff {
                initial_ms,
                factor,
                max_ms,
                ..
            } => {
                let grown = u64::from(factor)
                    .saturating_pow(failures.saturating_sub(1))
                    .saturating_mul(initial_ms);
                Some(grown.min(max_ms))
            }
        }
    }

    /// What part of it is left to chance.
    pub fn jitter(&self) -> Jitter {
        match self {
            Reconnect::Backoff { jitter, .. } => *jitter,
            _ => Jitter::None,
        }
    }
}
