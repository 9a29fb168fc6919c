//! Alerts: rules on what observers tell of themselves and on what detectors call. Who delivers an alert is not
//! known here.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::detect::Trouble;
use super::observer::OwnSignal;
use super::station::{DumpRow, Station};
use crate::engine::{Span, Time, matches_pattern};

/// When to alert, and whom to tell.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// Its name.
    pub name: String,
    /// At which observers; `*` stands for any run of characters.
    #[serde(default = "any")]
    pub observer: String,
    /// What must be so.
    pub when: Condition,
    /// While it stays so, the same is told again after so many seconds; 0: never.
    #[serde(default = "hour")]
    pub again_after_s: u64,
    /// Who is told.
    pub to: Vec<Target>,
}

fn any() -> String {
    "*".into()
}

fn hour() -> u64 {
    3_600
}

/// What must be so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Condition {
    /// A signal of the observer's own has grown by so much in so many seconds, or stands at so much.
    Own {
        /// The signal.
        signal: OwnSignal,
        /// How much.
        least: u64,
        /// In which time a count must have grown by it.
        #[serde(default = "ten")]
        within_s: u64,
    },
    /// The detector behind it calls something.
    Calls(Trouble),
}

fn ten() -> u64 {
    10
}

/// Who is told.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Target {
    /// A file: a line of JSON is added to it.
    File(String),
    /// A URL: JSON is sent to it by POST.
    Webhook(String),
}

/// Something to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alert {
    /// The rule, by its number.
    pub rule: usize,
    /// When it came to be so, by the observer's reader.
    pub at: Time,
    /// The observer.
    pub observer: String,
    /// The number that was held against the rule's: how much it grew, or where it stands.
    pub value: u64,
    /// The observer's own signals, all of them.
    pub own: Vec<(OwnSignal, u64)>,
    /// The first rows of its map; of what has none, nothing.
    pub dump: Vec<DumpRow>,
}

/// Why a rule makes no sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertError {
    /// The rule's name.
    pub rule: String,
    /// What is wrong.
    pub what: &'static str,
}

impl fmt::Display for AlertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {:?}: {}", self.rule, self.what)
    }
}

impl std::error::Error for AlertError {}

impl AlertRule {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), AlertError> {
        let refuse = |what| {
            Err(AlertError {
                rule: self.name.clone(),
                what,
            })
        };
        if self.name.is_empty() {
            return refuse("it has no name");
        }
        if self.to.is_empty() {
            return refuse("nobody is told: give `to` a File or a Webhook");
        }
        match self.when {
            Condition::Own { least: 0, .. } => refuse("least is 0: that is always so"),
            Condition::Own { within_s: 0, .. } => refuse("within_s is 0: nothing grows in no time"),
            _ => Ok(()),
        }
    }
}

/// What a rule knows of one observer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Known {
    /// Where a count stood, by the time: as far back as the rule looks.
    past: Vec<(Time, u64)>,
    /// When it was last told; none: it was not so since.
    told: Option<Time>,
}

/// Rules at work on several observers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alerter {
    rules: Vec<AlertRule>,
    /// invariant: by rule, then by observer, as many as were seen.
    known: Vec<Vec<Known>>,
}

impl Alerter {
    /// These rules, with nothing seen.
    pub fn new(rules: Vec<AlertRule>) -> Alerter {
        Alerter {
            known: vec![Vec::new(); rules.len()],
            rules,
        }
    }

    /// The rules.
    pub fn rules(&self) -> &[AlertRule] {
        &self.rules
    }

    /// What is to be told at `now`, in the order of rules. Times never go back from one call to the next, and the
    /// stations are the same in all.
    pub fn check(&mut self, stations: &[Station], now: Time) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let known = &mut self.known[index];
            known.resize(stations.len(), Known::default());
            for (station, known) in stations.iter().zip(known) {
                if !matches_pattern(&rule.observer, station.name()) {
                    continue;
                }
                let value = rule.value(station, known, now);
                let is_so = value.is_some_and(|value| value >= rule.least());
                let Some(value) = value.filter(|_| is_so) else {
                    known.told = None;
                    continue;
                };
                let again = Span::from_s(rule.again_after_s);
                let is_new = known
                    .told
                    .is_none_or(|told| rule.again_after_s > 0 && told + again <= now);
                if is_new {
                    known.told = Some(now);
                    alerts.push(Alert {
                        rule: index,
                        at: now,
                        observer: station.name().to_owned(),
                        value,
                        own: station.own_signals(),
                        dump: station.dump(),
                    });
                }
            }
        }
        alerts
    }
}

impl AlertRule {
    fn least(&self) -> u64 {
        match self.when {
            Condition::Own { least, .. } => least,
            Condition::Calls(_) => 1,
        }
    }

    /// The number to hold against `least`; none: the observer does not have it.
    fn value(&self, station: &Station, known: &mut Known, now: Time) -> Option<u64> {
        match self.when {
            Condition::Calls(trouble) => Some(
                station
                    .ringing()
                    .filter(|(each, _)| *each == trouble)
                    .count() as u64,
            ),
            Condition::Own {
                signal, within_s, ..
            } => {
                let own = station.own_signals();
                let value = own.iter().find(|(each, _)| *each == signal)?.1;
                if signal.is_level() {
                    return Some(value);
                }
                let past = &mut known.past;
                past.push((now, value));
                // The youngest that is old enough is what it has grown from; what came before counts from 0.
                let since = |at: Time| at + Span::from_s(within_s) <= now;
                let old = past.iter().take_while(|(at, _)| since(*at)).count();
                past.drain(..old.saturating_sub(1));
                let from = past
                    .first()
                    .filter(|(at, _)| since(*at))
                    .map_or(0, |(_, value)| *value);
                Some(value - from)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lab::{By, Named};
    use super::super::population::Life;
    use super::super::station::Stations;
    use super::super::tests::{drawn, flows, population};
    use super::super::{AggregateConfig, BufferWatch, KeyBy, ObserveLab, arm};
    use super::*;

    fn rule(when: Condition, again_after_s: u64) -> AlertRule {
        AlertRule {
            name: "it".into(),
            observer: "map*".into(),
            when,
            again_after_s,
            to: vec![Target::File("alerts.jsonl".into())],
        }
    }

    fn grown(signal: OwnSignal, least: u64) -> Condition {
        Condition::Own {
            signal,
            least,
            within_s: 2,
        }
    }

    /// When in s there are alerts, and of what number, of a map with room for so many keys: there is one for each
    /// of fifty peers, and then fifty new ones a second.
    fn told(rule: AlertRule, max_entries: u64, seconds: u64) -> Vec<(u64, u64)> {
        let population = population(seconds, vec![flows(Life::Leaked, 50_000)]);
        let lab = ObserveLab {
            population,
            node: 0,
            buffer: None,
            observers: vec![],
            reference: None,
        };
        let named = Named {
            name: "map-1".into(),
            by: By::Map(AggregateConfig {
                key: KeyBy::Connection,
                ..AggregateConfig::default()
            }),
            watches: BufferWatch::Level,
        };
        let full = arm("map-full", &[("max_entries".into(), max_entries)].into()).expect("a fault");
        let station = Station::new(&named, 2, [&full].into_iter()).expect("it makes sense");
        let drawn = drawn(&lab.population, 0);
        let mut stations = Stations::new(&lab, 0, &drawn, vec![station]);
        let mut alerter = Alerter::new(vec![rule]);
        let mut told = Vec::new();
        for second in 1..=seconds {
            let now = Time::default() + Span::from_s(second);
            stations.play(now);
            for alert in alerter.check(stations.all(), now) {
                assert_eq!(alert.observer, "map-1");
                assert_eq!(alert.dump.len(), 20);
                told.push((second, alert.value));
            }
        }
        told
    }

    #[test]
    fn a_count_that_grows_is_told_once_and_again_after_a_while() {
        let failures = grown(OwnSignal::FailedUpdates, 1);
        // The 250th is there in the fifth second.
        let once = told(rule(failures, 0), 250, 9);
        assert_eq!(once.len(), 1);
        assert_eq!(once[0].0, 5);
        let again: Vec<u64> = told(rule(failures, 3), 250, 9)
            .iter()
            .map(|told| told.0)
            .collect();
        assert_eq!(again, [5, 8]);
        assert!(
            told(rule(failures, 3), 5_000, 9).is_empty(),
            "the control: there is room"
        );
    }

    #[test]
    fn a_level_is_told_where_it_stands() {
        let fill = grown(OwnSignal::MapFill, 500);
        let told = told(rule(fill, 0), 400, 5);
        assert_eq!(told.len(), 1);
        let (second, permille) = told[0];
        assert!(second <= 4 && (500..800).contains(&permille), "{told:?}");
    }

    #[test]
    fn what_a_detector_calls_is_told() {
        // Fifty a second stay open: a thousand after twenty seconds.
        let leak = told(rule(Condition::Calls(Trouble::PoolLeak), 0), 10_000, 25);
        assert_eq!(leak.len(), 1);
        assert!((20..=22).contains(&leak[0].0), "{leak:?}");
    }

    #[test]
    fn rules_that_can_tell_nobody_or_nothing_are_refused() {
        let nobody = AlertRule {
            to: vec![],
            ..rule(Condition::Calls(Trouble::SynFlood), 0)
        };
        assert!(nobody.check().is_err());
        assert!(rule(grown(OwnSignal::Drops, 0), 0).check().is_err());
        assert!(rule(grown(OwnSignal::Drops, 1), 0).check().is_ok());
    }
}
