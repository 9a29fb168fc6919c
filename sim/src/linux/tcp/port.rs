//! Ephemeral ports: which local ports connections to one peer address and port have taken.

use super::sysctl::Sysctls;

/// The local ports in use towards one peer address and port: the kernel allows a local port once for each
/// of these, so every service that a client talks to has its own 28 232.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Ports {
    taken: Bits,
    /// Those that a TIME_WAIT socket holds.
    waiting: Bits,
    /// How many ports of even and of odd offset are taken.
    counts: [u32; 2],
    /// The low end of the range when the first was taken.
    low: u16,
    /// Where the next search begins.
    next: u32,
}

impl Ports {
    /// The next free port, taken from now on; `may_reuse` says whether the TIME_WAIT socket of a taken one
    /// may be replaced.
    ///
    /// Even offsets come first, as connect() leaves the others to bind(), and of a range with an odd number
    /// of ports one is never looked at (`remaining &= ~1U` in __inet_hash_connect, net/ipv4/inet_hashtables.c;
    /// measured). Each search goes on where the last one ended. The kernel begins at a keyed hash of the
    /// pair of hosts and skips up to seven pairs at random; the model begins at the low end and skips none.
    pub(super) fn take(
        &mut self,
        sysctls: &Sysctls,
        mut may_reuse: impl FnMut(u16) -> bool,
    ) -> Option<u16> {
        let (low, high) = sysctls.local_ports;
        let all = u32::from(high - low) + 1;
        let span = if all > 1 { all & !1 } else { all };
        let reuses = sysctls.tw_reuse == 1;
        if self.taken() == 0 {
            self.low = low;
        }
        let start = (self.next % span) & !1;
        for parity in [0, 1] {
            let is_full = self.counts[parity as usize] == (all + 1 - parity) / 2;
            if is_full && !reuses {
                continue;
            }
            let mut offset = start + parity;
            let mut walked = 0;
            while walked < span {
                if offset >= all {
                    offset -= span;
                }
                let port = low + offset as u16;
                let is_taken = self.taken.has(port);
                let serves = !is_taken || (reuses && self.waiting.has(port) && may_reuse(port));
                if serves {
                    self.next = self.next.wrapping_add(walked + 2);
                    self.set(port, true);
                    self.waiting.put(port, false);
                    return Some(port);
                }
                offset += 2;
                walked += 2;
            }
        }
        None
    }

    /// A socket that was bound to `port` connects: connect() gives the port to nobody else. Whether it is one
    /// that connect() might give at all, and so is to be released.
    pub(super) fn claim(&mut self, sysctls: &Sysctls, port: u16) -> bool {
        let (low, high) = sysctls.local_ports;
        if !(low..=high).contains(&port) {
            return false;
        }
        if self.taken() == 0 {
            self.low = low;
        }
        self.set(port, true);
        true
    }

    fn set(&mut self, port: u16, taken: bool) {
        let was_taken = self.taken.has(port);
        self.taken.put(port, taken);
        let count = &mut self.counts[usize::from(port.wrapping_sub(self.low) & 1)];
        match (was_taken, taken) {
            (false, true) => *count += 1,
            (true, false) => *count -= 1,
            _ => {}
        }
    }

    /// A TIME_WAIT socket holds the port from now on.
    pub(super) fn wait(&mut self, port: u16) {
        self.waiting.put(port, true);
    }

    /// The port is free again.
    pub(super) fn release(&mut self, port: u16) {
        self.waiting.put(port, false);
        self.set(port, false);
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> u32 {
        self.counts[0] + self.counts[1]
    }
}

/// A set of ports: one bit each, as far as there were some. Ten thousand hosts have one each, so the words below
/// the first port, of which there are 512 usually, are left out, and the first word has no memory of its own.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Bits {
    /// Which word of all the first one is; none, as long as there was no port.
    first: Option<u16>,
    word: u64,
    /// Those after the first.
    more: Vec<u64>,
}

impl Bits {
    fn has(&self, port: u16) -> bool {
        let index = self.first.and_then(|first| (port / 64).checked_sub(first));
        let word = match index {
            None => return false,
            Some(0) => self.word,
            Some(index) => self.more.get(usize::from(index) - 1).copied().unwrap_or(0),
        };
        word & 1 << (port % 64) != 0
    }

    fn put(&mut self, port: u16, value: bool) {
        if !value && !self.has(port) {
            return;
        }
        let at = port / 64;
        let first = self.first.get_or_insert(at);
        if at < *first {
            let between = usize::from(*first - at) - 1;
            let after = std::iter::repeat_n(0, between).chain([self.word]);
            self.more.splice(0..0, after);
            self.word = 0;
            *first = at;
        }
        let word = match usize::from(at - *first) {
            0 => &mut self.word,
            index => {
                if self.more.len() < index {
                    self.more.resize(index, 0);
                }
                &mut self.more[index - 1]
            }
        };
        match value {
            true => *word |= 1 << (port % 64),
            false => *word &= !(1 << (port % 64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::tcp::Kernel;

    #[test]
    fn ports_below_the_first_are_kept_too() {
        let mut bits = Bits::default();
        bits.put(40_000, true);
        bits.put(1_024, true);
        bits.put(65_535, true);
        bits.put(40_001, false);
        let all: Vec<u16> = (0..=u16::MAX).filter(|port| bits.has(*port)).collect();
        assert_eq!(all, [1_024, 40_000, 65_535]);
        bits.put(40_000, false);
        assert!(!bits.has(40_000) && bits.has(1_024));
    }

    fn range(low: u16, high: u16) -> Sysctls {
        let mut sysctls = Sysctls::of(Kernel::V6_18);
        sysctls.local_ports = (low, high);
        sysctls
    }

    #[test]
    fn there_are_28_232_ports_and_even_ones_come_first() {
        let sysctls = Sysctls::of(Kernel::V6_18);
        let mut ports = Ports::default();
        let take = |ports: &mut Ports| ports.take(&sysctls, |_| false);
        assert_eq!(take(&mut ports), Some(32_768));
        assert_eq!(take(&mut ports), Some(32_770));
        for _ in 2..28_232 {
            assert!(take(&mut ports).is_some());
        }
        assert_eq!((take(&mut ports), ports.taken()), (None, 28_232));
        for port in [32_771, 60_999, 40_000] {
            ports.release(port);
            assert_eq!(take(&mut ports), Some(port));
        }
        assert_eq!(take(&mut ports), None);
    }

    #[test]
    fn of_an_odd_number_of_ports_one_is_left_over_by_each_search() {
        let sysctls = range(40_000, 40_004);
        let mut ports = Ports::default();
        let taken = std::iter::from_fn(|| ports.take(&sysctls, |_| false)).count();
        assert!((4..=5).contains(&taken), "{taken}");
        let mut single = Ports::default();
        assert_eq!(single.take(&range(7, 7), |_| false), Some(7));
    }

    #[test]
    fn the_port_of_a_time_wait_socket_is_taken_where_that_is_allowed() {
        let mut sysctls = range(40_000, 40_001);
        let mut ports = Ports::default();
        while let Some(port) = ports.take(&sysctls, |_| true) {
            ports.wait(port);
        }
        sysctls.tw_reuse = 1;
        assert_eq!(ports.take(&sysctls, |port| port == 40_001), Some(40_001));
        assert_eq!(ports.take(&sysctls, |_| false), None);
        assert_eq!(ports.taken(), 2);
    }
}
