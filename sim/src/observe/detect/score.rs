//! How well alarms match what was injected.

use serde::{Deserialize, Serialize};

use super::detector::Alarm;
use super::trouble::Trouble;
use crate::engine::{Span, Time};

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
}
