//! When connections arrive: a time for each number, so that any of them can be asked for.

/// How finely the time between two arrivals is divided.
const FINE: u32 = 20;

/// A stretch with one rate.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Stretch {
    start_ns: u64,
    /// The number of its first arrival.
    first: u64,
    count: u64,
    /// The time between two arrivals, in ns and fractions.
    cell: u64,
}

/// The arrivals of one kind of connections.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Arrivals {
    // invariant: none is empty; `first` and `start_ns` grow.
    stretches: Vec<Stretch>,
    total: u64,
    seed: u64,
    /// Whether the time within a cell is left to chance; otherwise each comes at its beginning.
    is_jittered: bool,
    /// So many come at once.
    burst: u64,
}

/// Where in the arrivals a cursor stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct At {
    pub(super) number: u64,
    stretch: usize,
}

impl Arrivals {
    /// The longest stretch: an hour.
    pub(super) const LONGEST_NS: u64 = 3_600_000_000_000;

    pub(super) fn new(seed: u64, is_jittered: bool, burst: u64) -> Arrivals {
        Arrivals {
            stretches: Vec::new(),
            total: 0,
            seed,
            is_jittered,
            burst,
        }
    }

    /// Adds a stretch after the last: so many bursts within its length.
    pub(super) fn push(&mut self, start_ns: u64, len_ns: u64, bursts: u64) {
        debug_assert!(len_ns <= Arrivals::LONGEST_NS, "fractions fit into 64 bits");
        if bursts == 0 {
            return;
        }
        let count = bursts * self.burst;
        self.stretches.push(Stretch {
            start_ns,
            first: self.total,
            count,
            cell: (len_ns << FINE) / bursts,
        });
        self.total += count;
    }

    /// How many there are.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The time of an arrival; none after the last.
    pub(super) fn time(&self, number: u64) -> Option<u64> {
        let stretch = self.stretches.get(self.seek(number).stretch)?;
        Some(self.time_within(stretch, number))
    }

    /// Goes over the arrivals from `at` on for as long as `when` of their time is before `until`, and leaves `at` at
    /// the first of which it is not. `each` is given their numbers and that time.
    #[inline(always)]
    pub(super) fn each_before(
        &self,
        at: &mut At,
        until: u64,
        when: impl Fn(u64) -> u64,
        mut each: impl FnMut(u64, u64),
    ) {
        while let Some(stretch) = self.stretches.get(at.stretch) {
            for number in at.number..stretch.first + stretch.count {
                at.number = number;
                let time = when(self.time_within(stretch, number));
                if time >= until {
                    return;
                }
                each(number, time);
            }
            at.number = stretch.first + stretch.count;
            at.stretch += 1;
        }
    }

    #[inline]
    fn time_within(&self, stretch: &Stretch, number: u64) -> u64 {
        let cell = match self.burst {
            1 => number - stretch.first,
            burst => (number - stretch.first) / burst,
        };
        let jitter = match self.is_jittered {
            true => {
                let number = stretch.first.wrapping_add(cell);
                let chance = spread(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 32;
                // Rare ones are further apart than 32 bits of nanoseconds.
                let cell_ns = u128::from(stretch.cell >> FINE);
                ((u128::from(chance) * cell_ns) >> 32) as u64
            }
            false => 0,
        };
        stretch.start_ns + ((cell * stretch.cell) >> FINE) + jitter
    }

    /// The place of the number.
    pub(super) fn seek(&self, number: u64) -> At {
        let stretch = self
            .stretches
            .partition_point(|stretch| stretch.first + stretch.count <= number);
        At { number, stretch }
    }
}

/// Spreads the bits of a word: enough for jitter, addresses and CPUs.
#[inline]
pub(super) fn spread(word: u64) -> u64 {
    let folded = (word ^ (word >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (folded ^ (folded >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_arrivals_lie_in_their_stretch() {
        let mut arrivals = Arrivals::new(3, true, 1);
        let hour = Arrivals::LONGEST_NS;
        arrivals.push(0, hour, 2);
        let times: Vec<u64> = (0..2)
            .map(|number| arrivals.time(number).expect("it comes"))
            .collect();
        assert!(
            times[0] < hour / 2 && (hour / 2..hour).contains(&times[1]),
            "{times:?}"
        );
        assert!(
            times[0] > u64::from(u32::MAX),
            "not all in the first seconds"
        );
    }
}
