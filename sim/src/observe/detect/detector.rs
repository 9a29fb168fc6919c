//! A detector: all rules at work on the samples of one observer.

use std::collections::VecDeque;

use super::super::event::Signal;
use super::super::observer::Sample;
use super::rule::{BufferWatch, Over, Rule};
use super::trouble::Trouble;
use crate::engine::{Span, Time};

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
