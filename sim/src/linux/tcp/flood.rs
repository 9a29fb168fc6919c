//! A flood of SYNs with forged sources, as what it takes from the others: room in the server's receive rings, and
//! in its SYN queue. Its packets are a stream with a rate, not events of their own, of which there would be a
//! million a second.

use serde::{Deserialize, Serialize};

use super::net::{Net, Out};
use super::segment::{HostId, Segment};
use crate::engine::{Options, Span, Time};

/// A flood, from `from_ms` until the end of the run. What drops it tells it from others by its source.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flood {
    /// When it begins.
    #[serde(default)]
    pub from_ms: u64,
    /// How many SYNs arrive a second.
    pub syns_per_s: u64,
    /// What is done about it.
    #[serde(default)]
    pub defence: Defence,
    /// Over how many cores the server's network card spreads what arrives.
    pub cores: u32,
}

/// Where packets of a flood are dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Defence {
    /// Nowhere: the listener answers them, with SYN cookies if it may.
    #[default]
    Nothing,
    /// In a driver with native XDP, before the kernel has made a buffer of them.
    XdpNative,
    /// By nftables, hook ingress.
    NftIngress,
    /// By nftables, hook prerouting.
    NftPrerouting,
    /// By nftables, hook input.
    NftInput,
}

impl Defence {
    /// How many packets a second a core is rid of (measured on Linux 6.18 on a veth pair with a generator on
    /// one and two cores; the first three are bound by the generator, so at least so many).
    pub const fn per_core(self) -> u64 {
        match self {
            Defence::Nothing => 240_000,
            Defence::XdpNative => 660_000,
            Defence::NftIngress => 650_000,
            Defence::NftPrerouting => 645_000,
            Defence::NftInput => 510_000,
        }
    }
}

impl Flood {
    fn begins(&self) -> Time {
        Time::default() + Span::from_ms(self.from_ms)
    }

    fn is_on(&self, now: Time) -> bool {
        now >= self.begins()
    }

    /// How many packets a second the server is rid of.
    const fn capacity(&self) -> u64 {
        self.defence.per_core().saturating_mul(self.cores as u64)
    }

    /// How many SYNs of it are in the SYN queue, if nothing else limits them: a request stays for seconds, so
    /// what gets through fills any queue.
    fn requests(&self, now: Time) -> u32 {
        let through = self.syns_per_s.min(self.capacity());
        let since = u128::from((now - self.begins()).0);
        u32::try_from(u128::from(through) * since / 1_000_000_000).unwrap_or(u32::MAX)
    }
}

impl Net {
    /// Whether a segment that arrives finds the server's receive rings full: of what arrives, as much as the
    /// cores are rid of gets in. A narrow choice at site `ring`, by the connection's way.
    pub(super) fn is_swamped(&mut self, out: &mut impl Out, segment: &Segment) -> bool {
        let Some(flood) = self.flood.filter(|flood| flood.is_on(out.now())) else {
            return false;
        };
        let capacity = flood.capacity();
        if segment.to != HostId::SERVER || flood.syns_per_s <= capacity {
            return false;
        }
        let entity = self.way_of(out, segment, super::link::Way::ToServer);
        let options = Options::texts(&["taken", "dropped"]);
        // In thousands, which fit the weights.
        let weight = |rate: u64| (rate / 1_000).min(u32::MAX.into()) as u32;
        let weights = [weight(capacity), weight(flood.syns_per_s - capacity)];
        out.choose("ring", entity, &options.weighed(&weights)) == 1
    }

    /// How many half-open requests of a flood a listener at `host` has beside `others`.
    pub(super) fn flooding_requests(&self, now: Time, host: HostId, others: u32, most: u32) -> u32 {
        match self.flood {
            Some(flood)
                if host == HostId::SERVER
                    && flood.defence == Defence::Nothing
                    && flood.is_on(now) =>
            {
                flood.requests(now).min((most + 1).saturating_sub(others))
            }
            _ => 0,
        }
    }
}
