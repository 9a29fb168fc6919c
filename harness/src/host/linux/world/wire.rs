//! What became of a world as an answer of the probe protocol: how a guest's agent tells it.
//!
//! Events are spelled as `run --trace` writes them.

use faultlab_sim::engine::Entry;
use faultlab_sim::linux::tcp::TcpLab;
use faultlab_sim::scenario::{Fault, Record};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Flooded, Performance, Played, Staged};
use crate::host::linux::time_wait::TimeWait;
use crate::import::{Names, json};

/// `world.play`: what is asked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    /// The world.
    pub world: TcpLab,
    /// Its faults.
    pub faults: Vec<Fault>,
}

/// What is told; `E` are the events.
#[derive(Serialize, Deserialize)]
struct Told<E> {
    cannot: Option<String>,
    staged: Option<Whole<E>>,
}

#[derive(Serialize, Deserialize)]
struct Whole<E> {
    scale: u64,
    world: TcpLab,
    lost: u64,
    late_ns: u64,
    connects_ns: Vec<u64>,
    flooded: Option<Flooded>,
    time_wait: Option<[TimeWait; 2]>,
    events: Vec<E>,
}

/// An answer.
#[derive(Serialize, Deserialize)]
struct Answer<T> {
    id: Value,
    ok: T,
}

/// Writes it as the answer to the request `id`.
pub fn to_answer(id: &Value, performance: Performance) -> String {
    let told: Told<Entry<Record>> = match performance {
        Performance::Cannot(why) => Told {
            cannot: Some(why),
            staged: None,
        },
        Performance::Played(staged) => {
            let Staged {
                scale,
                world,
                played,
            } = *staged;
            Told {
                cannot: None,
                staged: Some(Whole {
                    scale,
                    world,
                    lost: played.lost,
                    late_ns: played.late_ns,
                    connects_ns: played.connects_ns,
                    flooded: played.flooded,
                    time_wait: played.time_wait,
                    events: played.entries,
                }),
            }
        }
    };
    let answer = Answer {
        id: id.clone(),
        ok: told,
    };
    serde_json::to_string(&answer).expect("it has text keys only")
}

/// Reads what [`to_answer`] wrote.
///
/// # Errors
/// It is none: what was expected.
pub fn from_answer(text: &str) -> Result<Performance, String> {
    let read = serde_json::from_str::<Answer<Told<Map<String, Value>>>>(text);
    let told = read.map_err(|error| error.to_string())?.ok;
    let whole = match (told.cannot, told.staged) {
        (Some(why), None) => return Ok(Performance::Cannot(why)),
        (None, Some(whole)) => whole,
        _ => return Err("it says neither what was played nor why nothing was".into()),
    };
    let events = whole.events.iter();
    let entries = json::entries(events, &Names::default())?;
    Ok(Performance::Played(Box::new(Staged {
        scale: whole.scale,
        world: whole.world,
        played: Played {
            entries,
            lost: whole.lost,
            late_ns: whole.late_ns,
            connects_ns: whole.connects_ns,
            flooded: whole.flooded,
            time_wait: whole.time_wait,
        },
    })))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use faultlab_sim::engine::{Record as _, Struck, Time};
    use faultlab_sim::linux::errno::Errno;
    use faultlab_sim::linux::tracepoint::{self, AppOp, Ipv4};

    use super::*;

    /// What claims look at comes through: kinds, times, actors, fields.
    #[test]
    fn what_was_played_comes_through() {
        let app = tracepoint::Record::App {
            op: AppOp::Connect,
            errno: Errno::ETIMEDOUT,
            conn: 7,
            sport: 40_000,
            dport: 6_379,
            saddr: Ipv4(0x0a01_0001),
            daddr: Ipv4(0x0a00_0001),
        };
        let entry = |at, actor: &str, record| Entry {
            at: Time(at),
            actor: Arc::from(actor),
            record,
        };
        let entries = vec![
            entry(5, "link", Struck { fault: "link-down" }.into()),
            entry(1_000_000_007, "client-3", app.into()),
        ];
        let staged = Staged {
            scale: 4,
            world: TcpLab {
                clients: 3,
                ..TcpLab::default()
            },
            played: Played {
                entries: entries.clone(),
                late_ns: 9,
                connects_ns: vec![1, 2],
                ..Played::default()
            },
        };
        let text = to_answer(&Value::Null, Performance::Played(Box::new(staged)));
        let Ok(Performance::Played(read)) = from_answer(&text) else {
            panic!("{text}");
        };
        assert_eq!((read.scale, read.world.clients), (4, 3));
        let played = read.played;
        assert_eq!((played.late_ns, played.connects_ns), (9, vec![1, 2]));
        let shown = |entries: &[Entry<Record>]| -> Vec<String> {
            let all = entries.iter();
            all.map(|entry| {
                let mut fields = Vec::new();
                let mut see = |name: &str, value| fields.push(format!("{name}={value}"));
                entry.record.fields(&mut see);
                // Objects have no order.
                fields.sort();
                let (at, actor, kind) = (entry.at.0, &entry.actor, entry.record.kind());
                format!("{at} {actor} {kind} {}", fields.join(" "))
            })
            .collect()
        };
        assert_eq!(shown(&played.entries), shown(&entries));
    }

    #[test]
    fn why_nothing_was_played_comes_through() {
        let text = to_answer(&Value::Null, Performance::Cannot("no".into()));
        assert!(matches!(from_answer(&text), Ok(Performance::Cannot(why)) if why == "no"));
        for bad in [
            "",
            "{}",
            r#"{"id":1,"ok":{"cannot":null,"staged":null}}"#,
            "[1]",
        ] {
            assert!(from_answer(bad).is_err(), "{bad}");
        }
    }
}
