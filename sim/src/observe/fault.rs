//! What can be wrong with observers, and an observer with that wrong.

use std::collections::BTreeMap;

use super::aggregate::{Aggregate, AggregateConfig, Reading};
use super::export::{Buffer, Export, ExportConfig};
use super::lab::By;
use super::log::{Log, LogConfig};
use super::map::MapKind;
use super::netfilter::LogRule;
use super::procfs::Poll;
use super::stamp::StampClock;
use super::station::Watcher;
use crate::engine::{Armed, FaultSpec, Param, ParamKind, ParamSpec, Span, Time, When};

const fn number(name: &'static str, doc: &'static str) -> ParamSpec {
    ParamSpec {
        name,
        kind: ParamKind::Number,
        required: true,
        doc,
    }
}

/// What can be wrong with observers. Each lasts for the whole run, at the observers that `at` names.
pub const FAULTS: &[FaultSpec] = &[
    FaultSpec {
        name: "map-full",
        doc: "A map has room for fewer keys than there are: updates with new ones fail with -E2BIG, \
              known ones still count. A key with an ephemeral port in it does it.",
        params: &[number("max_entries", "How many keys it may hold.")],
    },
    FaultSpec {
        name: "lru-evict",
        doc: "The map is an LRU map of this size: it never fails, and gives up keys early, in batches of \
              128, with what they had counted. No counter tells.",
        params: &[number("max_entries", "How many keys it may hold.")],
    },
    FaultSpec {
        name: "uncounted-failures",
        doc: "The program does not look at what an update or a reservation returns, as most do not.",
        params: &[],
    },
    FaultSpec {
        name: "torn-snapshot",
        doc: "Each system call of a map's reader takes this long, so that its rows are of different times.",
        params: &[number("call_us", "How long, in us.")],
    },
    FaultSpec {
        name: "read-and-delete",
        doc: "A map's reader looks a key up and then deletes it: what is counted in between is gone, and \
              nothing can notice.",
        params: &[number(
            "call_us",
            "How long each of the two calls takes, in us.",
        )],
    },
    FaultSpec {
        name: "ringbuf-drop",
        doc: "A buffer has this size, and its reader takes this long for each record: what does not fit \
              is dropped, or in a trace pipe overwritten.",
        params: &[
            number(
                "bytes",
                "The size: for a ring a power of two, at least 4096.",
            ),
            number("reader_us", "How long, in us."),
        ],
    },
    FaultSpec {
        name: "ringbuf-no-wakeup",
        doc: "The program hands its records over with BPF_RB_NO_WAKEUP, to save the wake-ups, and the reader looks \
              into the ring this seldom: what it learns is late, and a ring may be full before.",
        params: &[number("every_ms", "How often it looks, in ms.")],
    },
    FaultSpec {
        name: "log-overrun",
        doc: "The reader of the kernel's log takes this long for each line: the oldest are overwritten, \
              and the reader sees a gap in the sequence numbers.",
        params: &[number("reader_us", "How long, in us.")],
    },
    FaultSpec {
        name: "log-in-namespace",
        doc: "The LOG rule is in a container's network namespace, and nf_log_all_netns is 0 as by \
              default: it prints nothing (measured on Linux 6.18).",
        params: &[],
    },
    FaultSpec {
        name: "slow-poll",
        doc: "A poller, or a map's reader, comes round this seldom.",
        params: &[number("period_ms", "How often, in ms.")],
    },
    FaultSpec {
        name: "stamp-jiffies",
        doc: "The program stamps its records by bpf_jiffies64 in place of bpf_ktime_get_ns: 4 ms at HZ=250.",
        params: &[],
    },
    FaultSpec {
        name: "stamp-mixed",
        doc: "The program of the state events stamps by bpf_ktime_get_ns, the others by bpf_ktime_get_boot_ns, \
              and the machine was suspended before: the two are so far apart.",
        params: &[number("apart_ms", "For how long it was, in ms.")],
    },
    FaultSpec {
        name: "stamp-suspended",
        doc: "The machine was suspended after the reader took the difference between the stamps' clock and its \
              own: all stamps are so far behind. printk's clock stands still, too.",
        params: &[number("for_ms", "For how long it was, in ms.")],
    },
];

/// The fault `name` with these parameters, for an observer of any name.
///
/// # Errors
/// There is no such fault, or not with these parameters.
pub fn arm(name: &str, params: &BTreeMap<String, u64>) -> Result<Armed, String> {
    let Some(spec) = FAULTS.iter().find(|spec| spec.name == name) else {
        let known: Vec<&str> = FAULTS.iter().map(|spec| spec.name).collect();
        return Err(format!(
            "there is no fault {name:?}: there are {}",
            known.join(", ")
        ));
    };
    if let Some(unknown) = params
        .keys()
        .find(|name| spec.params.iter().all(|param| param.name != **name))
    {
        return Err(format!("the fault {name} has no parameter {unknown:?}"));
    }
    if let Some(missing) = spec
        .params
        .iter()
        .find(|param| !params.contains_key(param.name))
    {
        return Err(format!(
            "the fault {name} needs {}: {}",
            missing.name, missing.doc
        ));
    }
    Ok(Armed {
        name: spec.name,
        at: "*".into(),
        when: When::default(),
        params: params
            .iter()
            .map(|(name, value)| (name.clone(), Param::Number(*value)))
            .collect(),
    })
}

/// An observer with the faults that strike it.
pub(super) fn watcher<'a>(
    by: &By,
    cpus: u8,
    faults: impl Iterator<Item = &'a Armed>,
) -> Result<Watcher, String> {
    let start = Time::default();
    let faults: Vec<&Armed> = faults.collect();
    let number = |fault: &Armed, name: &str| {
        let number = fault.number(name).unwrap_or_default();
        u32::try_from(number).map_err(|_| format!("{}: {name} is too large", fault.name))
    };
    let suspended = |for_ms: u32| StampClock::Suspended {
        lost: Span::from_ms(for_ms.into()),
    };
    let unknown = |fault: &Armed| Err(format!("{} does not strike such an observer", fault.name));
    match by {
        By::Map(config) => {
            let mut config = AggregateConfig { cpus, ..*config };
            for fault in faults {
                match fault.name {
                    "map-full" => config.max_entries = number(fault, "max_entries")?,
                    "lru-evict" => {
                        config.map = MapKind::Lru;
                        config.max_entries = number(fault, "max_entries")?;
                    }
                    "uncounted-failures" => config.counts_failures = false,
                    "torn-snapshot" => {
                        config.call_ns = u64::from(number(fault, "call_us")?) * 1_000;
                    }
                    "slow-poll" => config.period_ms = number(fault, "period_ms")?.into(),
                    "read-and-delete" => {
                        config.reading = Reading::Delete;
                        config.call_ns = u64::from(number(fault, "call_us")?) * 1_000;
                    }
                    _ => return unknown(fault),
                }
            }
            if !(1..=10_000_000).contains(&config.max_entries) || config.period_ms == 0 {
                return Err("max_entries is from 1 to 10000000, period_ms at least 1".into());
            }
            Ok(Watcher::Map(Box::new(Aggregate::new(config, start))))
        }
        By::Export(config) => {
            let mut config = ExportConfig { cpus, ..*config };
            let mut clock = StampClock::Ktime;
            for fault in faults {
                match (fault.name, &mut config.buffer) {
                    ("stamp-jiffies", _) => {
                        clock = StampClock::Jiffies {
                            tick: Span::from_ms(4),
                        }
                    }
                    ("stamp-mixed", _) => {
                        let apart = Span::from_ms(number(fault, "apart_ms")?.into());
                        clock = StampClock::Mixed { apart };
                    }
                    ("stamp-suspended", _) => clock = suspended(number(fault, "for_ms")?),
                    ("ringbuf-drop", _) => {
                        config.bytes = number(fault, "bytes")?;
                        config.reader_ns = u64::from(number(fault, "reader_us")?) * 1_000;
                    }
                    ("ringbuf-no-wakeup", Buffer::Ring { .. }) => {
                        config.looks_every_ms = number(fault, "every_ms")?;
                        if config.looks_every_ms == 0 {
                            return Err("every_ms is at least 1".into());
                        }
                    }
                    ("uncounted-failures", Buffer::Ring { counts_drops }) => *counts_drops = false,
                    _ => return unknown(fault),
                }
            }
            let is_ring = matches!(config.buffer, Buffer::Ring { .. });
            if config.bytes < 4_096 || is_ring && !config.bytes.is_power_of_two() {
                return Err("bytes is at least 4096, of a ring a power of two".into());
            }
            let export = Export::new(config).stamped_by(clock);
            Ok(Watcher::Export(Box::new(export)))
        }
        By::Log { reader_ns } => {
            let mut config = LogConfig {
                rule: LogRule::default(),
                reader_ns: *reader_ns,
                ..LogConfig::default()
            };
            let mut clock = StampClock::Ktime;
            for fault in faults {
                match fault.name {
                    "stamp-suspended" => clock = suspended(number(fault, "for_ms")?),
                    "log-overrun" => {
                        config.reader_ns = u64::from(number(fault, "reader_us")?) * 1_000;
                    }
                    "log-in-namespace" => config.in_namespace = true,
                    _ => return unknown(fault),
                }
            }
            Ok(Watcher::Log(Box::new(Log::new(config).stamped_by(clock))))
        }
        By::Poll(config) => {
            let mut config = *config;
            for fault in faults {
                match fault.name {
                    "slow-poll" => config.period_ms = number(fault, "period_ms")?.into(),
                    _ => return unknown(fault),
                }
            }
            if config.period_ms == 0 || ![100, 250, 300, 1000].contains(&config.hz) {
                return Err("period_ms is at least 1, hz 100, 250, 300 or 1000".into());
            }
            Ok(Watcher::Poll(Box::new(Poll::new(config, start))))
        }
    }
}
