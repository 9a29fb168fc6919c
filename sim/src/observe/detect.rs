//! Detection: rules over what an observer's samples say, and how well they find what was injected.

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::Signal;
use super::observer::Sample;
use crate::engine::{Span, Time};

/// What can go wrong and is to be found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Trouble {
    /// SYNs are not answered and sent again.
    SynTimeouts,
    /// Many connections are refused or broken off.
    ResetBurst,
    /// Short connections pile up in TIME_WAIT.
    TimeWaitGrowth,
    /// Connections are opened and never closed.
    PoolLeak,
    /// connect() finds no free local port.
    PortExhaustion,
    /// SYNs whose senders never answer.
    SynFlood,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Trouble; 6] = [
        Trouble::SynTimeouts,
        Trouble::ResetBurst,
        Trouble::TimeWaitGrowth,
        Trouble::PoolLeak,
        Trouble::PortExhaustion,
        Trouble::SynFlood,
    ];

    /// Its name in records and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Trouble::SynTimeouts => "syn-timeouts",
            Trouble::ResetBurst => "reset-burst",
            Trouble::TimeWaitGrowth => "time-wait-growth",
            Trouble::PoolLeak => "pool-leak",
            Trouble::PortExhaustion => "port-exhaustion",
            Trouble::SynFlood => "syn-flood",
        }
    }

    /// How long its traces outlast it: SYNs of the last connection are sent again for 135 s, TIME_WAIT
    /// lasts 62 s, half-open requests 63 s.
    pub const fn lingers(self) -> Span {
        match self {
            Trouble::SynTimeouts => Span::from_s(135),
            Trouble::TimeWaitGrowth => Span::from_s(62),
            Trouble::SynFlood => Span::from_s(63),
            // A leak leaves what it leaked.
            Trouble::PoolLeak => Span::from_s(300),
            Trouble::ResetBurst | Trouble::PortExhaustion => Span::ZERO,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a detector calls: the weighted sum of what came in a window, or a level, reaches a number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rule {
    /// What it calls.
    pub trouble: Trouble,
    /// Which signals count, and how much each.
    pub signals: &'static [(Signal, i64)],
    /// The window, in ms.
    pub window_ms: u64,
    /// From which sum or level on.
    pub least: i64,
}

impl Rule {
    /// One rule or more for each trouble: over counts, and over the levels that pollers have.
    pub const ALL: &'static [Rule] = &[
        Rule {
            trouble: Trouble::SynTimeouts,
            signals: &[(Signal::SynRetransmit, 1)],
            window_ms: 2_000,
            least: 20,
        },
        Rule {
            trouble: Trouble::SynTimeouts,
            signals: &[(Signal::SynSentNow, 1)],
            window_ms: 0,
            least: 40,
        },
        Rule {
            trouble: Trouble::ResetBurst,
            signals: &[(Signal::ResetSent, 1), (Signal::ResetReceived, 1)],
            window_ms: 2_000,
            least: 200,
        },
        Rule {
            trouble: Trouble::TimeWaitGrowth,
            signals: &[(Signal::TimeWaitMade, 1)],
            window_ms: 60_000,
            least: 8_000,
        },
        Rule {
            trouble: Trouble::TimeWaitGrowth,
            signals: &[(Signal::TimeWaitSeen, 1)],
            window_ms: 60_000,
            least: 1,
        },
        Rule {
            trouble: Trouble::TimeWaitGrowth,
            signals: &[(Signal::TimeWaitNow, 1)],
            window_ms: 0,
            least: 8_000,
        },
        Rule {
            trouble: Trouble::PoolLeak,
            signals: &[
                (Signal::Opened, 1),
                (Signal::Accepted, 1),
                (Signal::Closed, -1),
                (Signal::TimeWaitMade, -1),
            ],
            window_ms: 60_000,
            least: 1_000,
        },
        Rule {
            trouble: Trouble::PoolLeak,
            signals: &[(Signal::OpenNow, 1)],
            window_ms: 0,
            least: 1_000,
        },
        Rule {
            trouble: Trouble::PortExhaustion,
            signals: &[(Signal::NoPort, 1)],
            window_ms: 2_000,
            least: 1,
        },
        Rule {
            trouble: Trouble::SynFlood,
            signals: &[(Signal::SynAckRetransmit, 1)],
            window_ms: 2_000,
            least: 200,
        },
        Rule {
            trouble: Trouble::SynFlood,
            signals: &[(Signal::SynReceived, 1)],
            window_ms: 1_000,
            least: 1_000,
        },
    ];
}

/// A detector calls, from when to when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Alarm {
    /// When the detector knew.
    pub at: Time,
    /// What it calls.
    pub trouble: Trouble,
    /// When it was over; none if it was not by the end.
    pub until: Option<Time>,
}

/// Into how many pieces a window is divided: what is older than it goes piece by piece.
const PIECES: u64 = 20;

/// A rule at work.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Watch {
    rule: &'static Rule,
    // invariant: `sum` is that of `pieces`, which are in the order of time.
    pieces: VecDeque<(Time, i64)>,
    sum: i64,
    since: Option<Time>,
}

/// All rules over the samples of one observer of one node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Detector {
    watches: Vec<Watch>,
    /// Which of the rules look at a signal, by its number.
    looks: Vec<Vec<(usize, i64)>>,
    alarms: Vec<Alarm>,
}

impl Default for Detector {
    fn default() -> Self {
        Detector::new()
    }
}

impl Detector {
    /// With nothing seen.
    pub fn new() -> Detector {
        let looks = Signal::ALL.iter().map(|signal| {
            let weights = Rule::ALL.iter().enumerate().filter_map(|(index, rule)| {
                let weight = rule.signals.iter().find(|(each, _)| each == signal)?.1;
                Some((index, weight))
            });
            weights.collect()
        });
        Detector {
            watches: Rule::ALL
                .iter()
                .map(|rule| Watch {
                    rule,
                    pieces: VecDeque::new(),
                    sum: 0,
                    since: None,
                })
                .collect(),
            looks: looks.collect(),
            alarms: Vec::new(),
        }
    }

    /// Takes samples in, in the order in which the reader had them, and what time it is after them.
    pub fn feed(&mut self, samples: &[Sample], now: Time) {
        for (index, sample) in samples.iter().enumerate() {
            for (rule, weight) in &self.looks[sample.signal as usize] {
                self.watches[*rule].add(sample, *weight);
            }
            // What was read in one go is judged together.
            let is_last = samples
                .get(index + 1)
                .is_none_or(|next| next.at > sample.at);
            if is_last {
                self.judge(sample.at);
            }
        }
        self.judge(now);
    }

    fn judge(&mut self, now: Time) {
        for watch in &mut self.watches {
            watch.judge(now, &mut self.alarms);
        }
    }

    /// What was called, in the order of time; ends what is still being called.
    pub fn finish(mut self) -> Vec<Alarm> {
        for watch in &mut self.watches {
            if let Some(at) = watch.since {
                self.alarms.push(Alarm {
                    at,
                    trouble: watch.rule.trouble,
                    until: None,
                });
            }
        }
        self.alarms.sort_unstable();
        self.alarms
    }
}

impl Watch {
    fn add(&mut self, sample: &Sample, weight: i64) {
        let value = i64::try_from(sample.value)
            .unwrap_or(i64::MAX)
            .saturating_mul(weight);
        if sample.signal.is_level() {
            self.sum = value;
            return;
        }
        self.sum += value;
        let piece = Span::from_ms(self.rule.window_ms).0 / PIECES;
        match self.pieces.back_mut() {
            Some((at, sum)) if (sample.at - *at).0 < piece => *sum += value,
            _ => self.pieces.push_back((sample.at, value)),
        }
    }

    fn judge(&mut self, now: Time, alarms: &mut Vec<Alarm>) {
        let window = Span::from_ms(self.rule.window_ms);
        while let Some((at, value)) = self.pieces.front().copied() {
            if at + window > now {
                break;
            }
            self.pieces.pop_front();
            self.sum -= value;
        }
        match (self.sum >= self.rule.least, self.since) {
            (true, None) => self.since = Some(now),
            (false, Some(at)) => {
                self.since = None;
                alarms.push(Alarm {
                    at,
                    trouble: self.rule.trouble,
                    until: Some(now),
                });
            }
            _ => {}
        }
    }
}

/// Something that was injected, on one node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Injected {
    /// What.
    pub trouble: Trouble,
    /// From when.
    pub from: Time,
    /// Until when.
    pub until: Time,
}

/// How well alarms match what was injected. Scores of several nodes add up.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// How many were injected.
    pub injected: u64,
    /// How many of them were called.
    pub found: u64,
    /// How many alarms there were.
    pub alarms: u64,
    /// How many of them called something that was not there.
    pub false_alarms: u64,
    /// How long after its beginning each that was found was called, in ns, in ascending order.
    pub delays_ns: Vec<u64>,
}

impl Score {
    /// Scores the alarms of one trouble on one node.
    pub fn of(trouble: Trouble, injected: &[Injected], alarms: &[Alarm]) -> Score {
        let truths = injected.iter().filter(|each| each.trouble == trouble);
        let calls: Vec<&Alarm> = alarms
            .iter()
            .filter(|alarm| alarm.trouble == trouble)
            .collect();
        let matches = |truth: &Injected, alarm: &Alarm| {
            let ends = truth.until + trouble.lingers();
            alarm.at < ends.max(truth.until + Span::from_s(2))
                && alarm.until.is_none_or(|until| until > truth.from)
        };
        let mut score = Score {
            alarms: calls.len() as u64,
            ..Score::default()
        };
        let mut is_true = vec![false; calls.len()];
        for truth in truths {
            score.injected += 1;
            let mut delay = None;
            for (index, alarm) in calls.iter().enumerate() {
                if matches(truth, alarm) {
                    is_true[index] = true;
                    let after = (alarm.at - truth.from).0;
                    delay = Some(delay.map_or(after, |first: u64| first.min(after)));
                }
            }
            if let Some(delay) = delay {
                score.found += 1;
                score.delays_ns.push(delay);
            }
        }
        score.false_alarms = is_true.iter().filter(|is_true| !**is_true).count() as u64;
        score.delays_ns.sort_unstable();
        score
    }

    /// Adds another node's.
    pub fn add(&mut self, other: &Score) {
        self.injected += other.injected;
        self.found += other.found;
        self.alarms += other.alarms;
        self.false_alarms += other.false_alarms;
        self.delays_ns.extend(&other.delays_ns);
        self.delays_ns.sort_unstable();
    }

    /// Thousandths of the alarms that were right; none without alarms.
    pub fn precision_permille(&self) -> Option<u64> {
        ((self.alarms - self.false_alarms) * 1_000).checked_div(self.alarms)
    }

    /// Thousandths of what was injected that were found; none if nothing was.
    pub fn recall_permille(&self) -> Option<u64> {
        (self.found * 1_000).checked_div(self.injected)
    }

    /// The median delay; none if nothing was found.
    pub fn median_delay(&self) -> Option<Span> {
        let middle = self.delays_ns.len().checked_sub(1)? / 2;
        Some(Span(self.delays_ns[middle]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(signal: Signal, at_ms: u64, value: u64) -> Sample {
        let at = Time::default() + Span::from_ms(at_ms);
        Sample {
            from: at,
            at,
            signal,
            value,
        }
    }

    #[test]
    fn a_rule_calls_while_its_window_is_full_enough() {
        let mut detector = Detector::new();
        for ms in (0..5_000).step_by(100) {
            let now = Time::default() + Span::from_ms(ms);
            let samples = match ms {
                1_000..2_000 => vec![sample(Signal::SynRetransmit, ms, 4)],
                _ => Vec::new(),
            };
            detector.feed(&samples, now);
        }
        let alarms = detector.finish();
        assert_eq!(alarms.len(), 1);
        assert_eq!(alarms[0].trouble, Trouble::SynTimeouts);
        assert_eq!(
            alarms[0].at,
            Time::default() + Span::from_ms(1_400),
            "the fifth sample makes 20"
        );
        // 40 came within a second; when all but 16 are older than two seconds, it is over.
        let until = alarms[0].until.expect("it ends");
        assert!((3_500..=3_700).contains(&(until.0 / 1_000_000)), "{until}");
    }

    #[test]
    fn a_level_calls_at_once_and_ends_at_once() {
        let mut detector = Detector::new();
        for (ms, level) in [(0, 7_999), (120, 8_000), (240, 3)] {
            let sample = sample(Signal::TimeWaitNow, ms, level);
            detector.feed(&[sample], sample.at);
        }
        let alarms = detector.finish();
        let ms = |time: Time| time.0 / 1_000_000;
        assert_eq!(
            (ms(alarms[0].at), alarms[0].until.map(ms)),
            (120, Some(240))
        );
    }

    #[test]
    fn scores_count_what_is_found_and_what_is_not_there() {
        let at = |s: u64| Time::default() + Span::from_s(s);
        let injected = [
            Injected {
                trouble: Trouble::ResetBurst,
                from: at(10),
                until: at(20),
            },
            Injected {
                trouble: Trouble::ResetBurst,
                from: at(100),
                until: at(110),
            },
            Injected {
                trouble: Trouble::SynFlood,
                from: at(0),
                until: at(200),
            },
        ];
        let alarm = |from, until| Alarm {
            at: at(from),
            trouble: Trouble::ResetBurst,
            until: Some(at(until)),
        };
        let score = Score::of(
            Trouble::ResetBurst,
            &injected,
            &[alarm(11, 15), alarm(16, 22), alarm(50, 51)],
        );
        assert_eq!((score.injected, score.found), (2, 1));
        assert_eq!((score.alarms, score.false_alarms), (3, 1));
        assert_eq!(score.delays_ns, [1_000_000_000]);
        assert_eq!(score.precision_permille(), Some(666));
        assert_eq!(score.recall_permille(), Some(500));
    }
}
