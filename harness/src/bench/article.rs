//! The article's figures on observing beside what was measured here, and why they differ.

use serde::Serialize;

use super::{Measured, percent, time};

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// The claim's id.
    pub id: &'static str,
    /// What the article says.
    pub article: &'static str,
    /// What was measured here.
    pub ours: String,
    /// Why it differs, or under what condition it does not.
    pub because: &'static str,
}

/// All of them, as far as these ways were measured.
pub fn figures(all: &[Measured]) -> Vec<Figure> {
    let of = |name: &str| all.iter().find(|each| each.observer.starts_with(name));
    let mut figures = Vec::new();
    let (map, by_connection) = (of("per-CPU map, by service"), of("per-CPU map, by conn"));
    let (ring, log, printk) = (of("ring buffer"), of("LOG, our"), of("trace_printk"));
    let found = |each: &Measured| each.detection_delay_us.map_or("never".into(), time);
    let read = |each: &Measured| each.read_delay_us.map_or("-".into(), time);
    if let (Some(map), Some(ring), Some(log)) = (map, ring, log) {
        figures.push(Figure {
            id: "5-a",
            article: "resets are detected within milliseconds",
            ours: format!(
                "a burst of resets is found {} after it began by a ring buffer, {} by a map read once a second, {} \
                 by a LOG rule",
                found(ring),
                found(map),
                found(log)
            ),
            because: "A rule waits for enough events, and an aggregated count for its snapshot.",
        });
        let dearest = all.iter().map(|each| each.cpu_ns).fold(0.0, f64::max);
        figures.push(Figure {
            id: "5-b",
            article: "4.2 billion events a day need handling inside the kernel",
            ours: format!(
                "a node's 380 events a second take at most {:.4} % of a core to format, read and count",
                dearest * 380.0 / 1e7
            ),
            because: "48 611 events a second are 380 on each of 128 nodes: every way is cheap at that rate. On Linux \
                      6.18 the dearest that was measured, a ring buffer to lines of JSON, takes 6.7 us an event: 0.25 %.",
        });
        if let Some(by_connection) = by_connection {
            figures.push(Figure {
                id: "5-c",
                article: "aggregation stores 0.37 % of the volume",
                ours: format!(
                    "{} with a key for each service, {} with the client's port in it",
                    percent(map.ratio_ppm),
                    percent(by_connection.ratio_ppm)
                ),
                because: "The ratio is keys x bytes of a row x reads / (events x bytes of an event): a matter of keys, \
                          rate and period, and of no mechanism.",
            });
        }
        figures.push(Figure {
            id: "5-e",
            article: "83 to 210 ms by log, at most 18 us by eBPF",
            ours: format!(
                "{} by LOG, {} by ring buffer (medians), at most {} by map",
                read(log),
                read(ring),
                read(map)
            ),
            because: "The article sets a pipeline's delay against a program's run time. A line waits for the next tick, \
                      a record for its reader to wake, a count for its snapshot, half a period in the mean.",
        });
        figures.push(Figure {
            id: "5-f",
            article: "CPU 12.4 % by log, 1.8 % by eBPF: 6.9 times",
            ours: format!(
                "a packet through the log takes {:.1} times an event in a map, an event through a ring buffer {:.1} \
                 times",
                log.cpu_ns / map.cpu_ns,
                ring.cpu_ns / map.cpu_ns
            ),
            because: "Ours is the work of formatting, buffering, parsing and counting alone, without system calls and \
                      wake-ups. On Linux 6.18 a connection takes 41 us by LOG, 80 us by ring buffer and JSON, and 5 us \
                      in the kernel by map: 8 times by LOG, and export costs more than the log.",
        });
    }
    if let Some(printk) = printk {
        figures.push(Figure {
            id: "5-v",
            article: "bpf_trace_printk shows 18 420 connections a second",
            ours: format!(
                "under overload {} of its lines are lost",
                percent(printk.overload_lost_ppm.unwrap_or(0))
            ),
            because: "One pipe for the whole machine, text for each event; what nobody reads in time is overwritten.",
        });
    }
    figures
}
