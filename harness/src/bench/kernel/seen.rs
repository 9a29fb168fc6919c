//! What an observer came to know, and when.

use hdrhistogram::Histogram;

use super::traffic::Made;

/// What the reader of an observer knows of connections.
#[derive(Clone, Debug)]
pub enum Known {
    /// It cannot know of any.
    Nothing,
    /// It has counts: when it read one, in ns, and how many connections it told of by then.
    Counts(Vec<(u64, u64)>),
    /// It knows clients' ports: when it first saw each, in ns; 0: never.
    Ports(Vec<u64>),
    /// It has each event: how long after it the reader had it, in ns, and of how many connections.
    Events(Histogram<u64>, u64),
}

/// What an observer came to.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it knows.
    pub known: Known,
    /// How many bytes its reader took over.
    pub bytes: u64,
    /// How many events it knows to be lost.
    pub told: u64,
}

impl Default for Seen {
    fn default() -> Seen {
        Seen {
            known: Known::Nothing,
            bytes: 0,
            told: 0,
        }
    }
}

/// A table of clients' ports: when each was first seen.
pub fn ports() -> Vec<u64> {
    vec![0; 1 << 16]
}

/// A histogram of delays, in ns, up to a minute.
pub fn delays() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("three digits are possible")
}

impl Seen {
    /// How long after a connection's beginning its reader knew of it (an event's, where it has each), and of how
    /// many of these connections it knew.
    pub fn of(&self, made: &[Made]) -> (Histogram<u64>, u64) {
        let mut histogram = delays();
        let known = match &self.known {
            Known::Nothing => 0,
            Known::Counts(counts) => {
                let mut before = 0;
                for (at_ns, count) in counts {
                    let until = (*count as usize).min(made.len()).max(before);
                    for made in &made[before..until] {
                        histogram.saturating_record(at_ns.saturating_sub(made.at_ns));
                    }
                    before = until;
                }
                before as u64
            }
            Known::Ports(seen) => {
                let mut known = 0;
                for made in made {
                    let at_ns = seen[usize::from(made.port)];
                    if at_ns > 0 {
                        histogram.saturating_record(at_ns.saturating_sub(made.at_ns));
                        known += 1;
                    }
                }
                known
            }
            Known::Events(delays, connections) => {
                histogram = delays.clone();
                (*connections).min(made.len() as u64)
            }
        };
        (histogram, known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Vec<Made> {
        let made = |index: u16| Made {
            at_ns: 1_000_000 * u64::from(index),
            port: 1_024 + index,
        };
        (0..10).map(made).collect()
    }

    #[test]
    fn a_count_tells_of_the_first_ones() {
        let seen = Seen {
            known: Known::Counts(vec![(5_000_000, 4), (9_000_000, 9)]),
            ..Seen::default()
        };
        let (delays, known) = seen.of(&made());
        assert_eq!(known, 9, "the tenth was never counted");
        assert_eq!((delays.len(), delays.max() / 1_000_000), (9, 5));
        assert!(
            (990_000..1_010_000).contains(&delays.min()),
            "the ninth, counted 1 ms later"
        );
    }

    #[test]
    fn a_port_that_was_not_seen_is_not_known() {
        let mut seen = ports();
        seen[1_026] = 2_500_000;
        let seen = Seen {
            known: Known::Ports(seen),
            ..Seen::default()
        };
        let (delays, known) = seen.of(&made());
        assert_eq!((known, delays.max() / 100_000), (1, 5));
    }
}
