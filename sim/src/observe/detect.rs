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
    /// A socket's receive buffer is filling up: to be called before it is full.
    BufferOverflow,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Trouble; 7] = [
        Trouble::SynTimeouts,
        Trouble::ResetBurst,
        Trouble::TimeWaitGrowth,
        Trouble::PoolLeak,
        Trouble::PortExhaustion,
        Trouble::SynFlood,
        Trouble::BufferOverflow,
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
            Trouble::BufferOverflow => "buffer-overflow",
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
            Trouble::ResetBurst | Trouble::PortExhaustion | Trouble::BufferOverflow => Span::ZERO,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is held against a rule's number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Over {
    /// The weighted sum of what came within so long, in ms.
    Window(u64),
    /// A level, as it was last seen.
    Level,
    /// Where a level will be, by the straight line that is nearest to what was seen of it; where it is while
    /// that was seen for less than half of `window_ms`, or does not rise.
    Trend {
        /// How far back it is looked at, in ms.
        window_ms: u64,
        /// How far ahead, in ms.
        ahead_ms: u64,
    },
}

impl Over {
    /// How long what was seen counts; none: until the next.
    const fn window(self) -> Option<Span> {
        match self {
            Over::Window(ms) | Over::Trend { window_ms: ms, .. } => Some(Span::from_ms(ms)),
            Over::Level => None,
        }
    }
}

/// When a detector calls: a sum, a level or a trend reaches a number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rule {
    /// What it calls.
    pub trouble: Trouble,
    /// Which signals count, and how much each.
    pub signals: &'static [(Signal, i64)],
    /// What is made of them.
    pub over: Over,
    /// From which number on.
    pub least: i64,
}

/// How a socket's buffer is watched.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum BufferWatch {
    /// By its level: it calls at four fifths.
    #[default]
    Level,
    /// By its trend: it calls when the line through the last 5 s is at the bound within 20 s.
    Trend,
}

impl Rule {
    /// The rule that watches a socket's buffer.
    pub const fn of_buffer(watch: BufferWatch) -> &'static Rule {
        const LEVEL: Rule = Rule {
            trouble: Trouble::BufferOverflow,
            signals: &[(Signal::BufferFill, 1)],
            over: Over::Level,
            least: 800,
        };
        const TREND: Rule = Rule {
            over: Over::Trend {
                window_ms: 5_000,
                ahead_ms: 20_000,
            },
            least: 1_000,
            ..LEVEL
        };
        match watch {
            BufferWatch::Level => &LEVEL,
            BufferWatch::Trend => &TREND,
        }
    }

    /// One rule or more for each trouble but a full buffer: over counts, and over the levels that pollers have.
    pub const ALL: &'static [Rule] = &[
        Rule {
            trouble: Trouble::SynTimeouts,
            signals: &[(Signal::SynRetransmit, 1)],
            over: Over::Window(2_000),
            least: 20,
        },
        Rule {
            trouble: Trouble::SynTimeouts,
            signals: &[(Signal::SynSentNow, 1)],
            over: Over::Level,
            least: 40,
        },
        Rule {
            trouble: Trouble::ResetBurst,
            signals: &[(Signal::ResetSent, 1), (Signal::ResetReceived, 1)],
            over: Over::Window(2_000),
            least: 200,
        },
        Rule {
            trouble: Trouble::TimeWaitGrowth,
            signals: &[(Signal::TimeWaitMade, 1)],
            over: Over::Window(60_000),
            least: 8_000,
        },
        Rule {
            trouble: Trouble::TimeWaitGrowth,
            signals: &[(Signal::TimeWaitSeen, 1)],
            over: Over::Window(60_000),
            least: 1,
        },
        Rule {
            trouble: Trouble::TimeWaitGrowth,
            signals: &[(Signal::TimeWaitNow, 1)],
            over: Over::Level,
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
            over: Over::Window(60_000),
            least: 1_000,
        },
        Rule {
            trouble: Trouble::PoolLeak,
            signals: &[(Signal::OpenNow, 1)],
            over: Over::Level,
            least: 1_000,
        },
        Rule {
            trouble: Trouble::PortExhaustion,
            signals: &[(Signal::NoPort, 1)],
            over: Over::Window(2_000),
            least: 1,
        },
        Rule {
            trouble: Trouble::SynFlood,
            signals: &[(Signal::SynAckRetransmit, 1)],
            over: Over::Window(2_000),
            least: 200,
        },
        Rule {
            trouble: Trouble::SynFlood,
            signals: &[(Signal::SynReceived, 1)],
            over: Over::Window(1_000),
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
    /// Sums of what is stamped within a twentieth of the window after its time; of a trend the last level there.
    // invariant: in the order of time; of a window's rule `value` is the sum of their values.
    pieces: VecDeque<(Time, i64)>,
    /// The sum, or the level as it was last seen.
    value: i64,
    since: Option<Time>,
}

/// All rules over the samples of one observer of one node.
///
/// Its time is the latest stamp that it has seen, or the reader's own if that is later: what is stamped earlier
/// than a window before it counts no more.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Detector {
    watches: Vec<Watch>,
    /// Which of the rules look at a signal, by its number.
    looks: Vec<Vec<(usize, i64)>>,
    latest: Time,
    alarms: Vec<Alarm>,
}

impl Default for Detector {
    fn default() -> Self {
        Detector::new()
    }
}

impl Detector {
    /// With nothing seen; buffers are watched by their level.
    pub fn new() -> Detector {
        Detector::watching(BufferWatch::Level)
    }

    /// With nothing seen.
    pub fn watching(buffer: BufferWatch) -> Detector {
        let rules = || Rule::ALL.iter().chain([Rule::of_buffer(buffer)]);
        let looks = Signal::ALL.iter().map(|signal| {
            let weights = rules().enumerate().filter_map(|(index, rule)| {
                let weight = rule.signals.iter().find(|(each, _)| each == signal)?.1;
                Some((index, weight))
            });
            weights.collect()
        });
        Detector {
            watches: rules()
                .map(|rule| Watch {
                    rule,
                    pieces: VecDeque::new(),
                    value: 0,
                    since: None,
                })
                .collect(),
            looks: looks.collect(),
            latest: Time::default(),
            alarms: Vec::new(),
        }
    }

    /// Takes samples in, in the order in which the reader had them, and what time it is after them.
    pub fn feed(&mut self, samples: &[Sample], now: Time) {
        for (index, sample) in samples.iter().enumerate() {
            self.latest = self.latest.max(sample.stamp);
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
        self.latest = self.latest.max(now);
        for watch in &mut self.watches {
            watch.judge(now, self.latest, &mut self.alarms);
        }
    }

    /// What is being called now, and since when, in the order of rules.
    pub fn ringing(&self) -> impl Iterator<Item = (Trouble, Time)> {
        let watches = self.watches.iter();
        watches.filter_map(|watch| Some((watch.rule.trouble, watch.since?)))
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
        let is_level = sample.signal.is_level();
        self.value = if is_level { value } else { self.value + value };
        let Some(window) = self.rule.over.window() else {
            return;
        };
        // Only a clock that is wrong, or readers of several buffers, stamp earlier than the last.
        let stamp = sample.stamp;
        let before = self.pieces.iter().rposition(|(at, _)| *at <= stamp);
        match before.map(|place| &mut self.pieces[place]) {
            Some((at, piece)) if (stamp - *at).0 < window.0 / PIECES => {
                *piece = if is_level { value } else { *piece + value };
            }
            _ => self
                .pieces
                .insert(before.map_or(0, |place| place + 1), (stamp, value)),
        }
    }

    fn judge(&mut self, now: Time, latest: Time, alarms: &mut Vec<Alarm>) {
        if let Some(window) = self.rule.over.window() {
            while let Some((at, value)) = self.pieces.front().copied() {
                if at + window > latest {
                    break;
                }
                self.pieces.pop_front();
                if let Over::Window(_) = self.rule.over {
                    self.value -= value;
                }
            }
        }
        let value = match self.rule.over {
            Over::Window(_) | Over::Level => self.value,
            Over::Trend {
                window_ms,
                ahead_ms,
            } => projected(&self.pieces, self.value, window_ms, ahead_ms),
        };
        match (value >= self.rule.least, self.since) {
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

/// Where a level that is `value` now will be `ahead_ms` later, by the line of least squares through `pieces`.
fn projected(pieces: &VecDeque<(Time, i64)>, value: i64, window_ms: u64, ahead_ms: u64) -> i64 {
    let (Some((first, _)), Some((last, _))) = (pieces.front(), pieces.back()) else {
        return value;
    };
    if (*last - *first).0 < Span::from_ms(window_ms).0 / 2 {
        return value;
    }
    let ms = |at: Time| i128::from((at - *first).0 / 1_000_000);
    let count = pieces.len() as i128;
    let (mut t, mut v, mut tt, mut tv) = (0, 0, 0, 0);
    for (at, level) in pieces {
        let (at, level) = (ms(*at), i128::from(*level));
        t += at;
        v += level;
        tt += at * at;
        tv += at * level;
    }
    let (rise, run) = (count * tv - t * v, count * tt - t * t);
    if rise <= 0 || run <= 0 {
        return value;
    }
    let risen = rise * i128::from(ahead_ms) / run;
    value.saturating_add(i64::try_from(risen).unwrap_or(i64::MAX))
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
    /// Whoever calls it from then on is too late; none: it is never too late.
    pub deadline: Option<Time>,
}

/// How well alarms match what was injected. Scores of several nodes add up.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// How many were injected.
    pub injected: u64,
    /// How many of them were called, in time where time is short.
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
        let concerns = |truth: &Injected, alarm: &Alarm| {
            let ends = truth.until + trouble.lingers();
            alarm.at >= truth.from && alarm.at < ends.max(truth.until + Span::from_s(2))
        };
        let is_in_time =
            |truth: &Injected, alarm: &Alarm| truth.deadline.is_none_or(|late| alarm.at < late);
        let mut score = Score {
            alarms: calls.len() as u64,
            ..Score::default()
        };
        let mut is_true = vec![false; calls.len()];
        for truth in truths {
            score.injected += 1;
            let mut delay = None;
            for (index, alarm) in calls.iter().enumerate() {
                if concerns(truth, alarm) {
                    is_true[index] = true;
                }
                if concerns(truth, alarm) && is_in_time(truth, alarm) {
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
            stamp: at,
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
                deadline: None,
            },
            Injected {
                trouble: Trouble::ResetBurst,
                from: at(100),
                until: at(110),
                deadline: None,
            },
            Injected {
                trouble: Trouble::SynFlood,
                from: at(0),
                until: at(200),
                deadline: None,
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

    #[test]
    fn what_rang_before_it_began_has_not_found_it() {
        let at = |s: u64| Time::default() + Span::from_s(s);
        let injected = [Injected {
            trouble: Trouble::ResetBurst,
            from: at(10),
            until: at(20),
            deadline: None,
        }];
        let ringing = Alarm {
            at: at(3),
            trouble: Trouble::ResetBurst,
            until: None,
        };
        let score = Score::of(Trouble::ResetBurst, &injected, &[ringing]);
        assert_eq!((score.found, score.false_alarms), (0, 1));
    }

    #[test]
    fn an_alarm_after_the_deadline_is_not_false_and_finds_nothing() {
        let at = |s: u64| Time::default() + Span::from_s(s);
        let injected = [Injected {
            trouble: Trouble::BufferOverflow,
            from: at(10),
            until: at(20),
            deadline: Some(at(12)),
        }];
        let alarm = |from| Alarm {
            at: at(from),
            trouble: Trouble::BufferOverflow,
            until: None,
        };
        let score = |from| Score::of(Trouble::BufferOverflow, &injected, &[alarm(from)]);
        assert_eq!((score(11).found, score(11).false_alarms), (1, 0));
        assert_eq!((score(12).found, score(12).false_alarms), (0, 0));
    }

    /// A level that rises by 20 a second is full 50 s after 0, and at four fifths after 40 s.
    #[test]
    fn a_trend_calls_before_a_level() {
        let first = |watch: BufferWatch, per_s: u64| {
            let mut detector = Detector::watching(watch);
            for ms in (0..50_000).step_by(100) {
                let level = sample(Signal::BufferFill, ms, ms * per_s / 1_000);
                detector.feed(&[level], level.at);
            }
            let alarms = detector.finish();
            alarms.first().map(|alarm| alarm.at.0 / 1_000_000_000)
        };
        assert_eq!(first(BufferWatch::Level, 20), Some(40));
        assert_eq!(first(BufferWatch::Trend, 20), Some(30));
        assert_eq!(first(BufferWatch::Trend, 0), None);
    }

    #[test]
    fn what_is_stamped_a_window_ago_counts_no_more() {
        let alarms = |behind_ms: u64| {
            let mut detector = Detector::new();
            for ms in (10_000..11_000).step_by(10) {
                let on_time = sample(Signal::SynRetransmit, ms, 1);
                let stamp = Time(on_time.at.0 - behind_ms * 1_000_000);
                detector.feed(&[Sample { stamp, ..on_time }], on_time.at);
            }
            detector.finish().len()
        };
        assert_eq!((alarms(0), alarms(1_500), alarms(3_000)), (1, 1, 0));
    }

    #[test]
    fn stamps_of_two_clocks_push_each_other_out() {
        let mut detector = Detector::new();
        for ms in (10_000..11_000).step_by(10) {
            let one = sample(Signal::SynRetransmit, ms, 1);
            let other = sample(Signal::ResetSent, ms, 1);
            let stamp = other.stamp + Span::from_s(3);
            detector.feed(&[one, Sample { stamp, ..other }], one.at);
        }
        assert!(detector.finish().is_empty(), "retransmissions seem 3 s old");
    }
}
