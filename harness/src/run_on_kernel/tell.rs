//! What became of a scenario's arms on a kernel, for the terminal.

use faultlab_sim::scenario::Loaded;

use super::{Beside, OnKernel};
use crate::host::linux::time_wait::TimeWait;
use crate::render::{Page, counted, grouped, printable, style};

/// Tells it.
pub fn scenario(page: &mut Page, loaded: &Loaded, on_kernel: &OnKernel) {
    page.heading(&format!(
        "{} on {}: {}",
        on_kernel.scenario, on_kernel.host, loaded.scenario.title
    ));
    for arm in &on_kernel.arms {
        page.gap();
        let mut name = format!("arm {}", arm.arm);
        if let Some(kernel) = &arm.kernel {
            name += &format!(" on Linux {kernel}");
        }
        if let Some(why) = &arm.not_played {
            page.item("  ", 4, &format!("{name}: not played: {}", printable(why)));
            continue;
        }
        if let Some(note) = arm.note {
            page.item("  ", 4, &format!("{name}: {note}"));
            claims(page, &arm.claims);
            continue;
        }
        let mut text = format!(
            "{name}: {}, {} connected, {} of the kernel ({} of the model)",
            counted(arm.clients, "client"),
            grouped(arm.connected),
            counted(arm.events[0], "event"),
            grouped(arm.events[1]),
        );
        if arm.scale > 1 {
            text += &format!(", scaled down {} times", arm.scale);
        }
        page.item("  ", 4, &text);
        if let Some([p50, p99, most]) = arm.connect_us {
            let text =
                format!("connect() took {p50} us (median), {p99} us (p99), {most} us at most");
            page.item("    ", 6, &text);
        }
        if let Some(flood) = &arm.flood {
            let dropped = match flood.dropped_per_s {
                Some(dropped) => format!("{} a second dropped", grouped(dropped)),
                None => "none dropped".into(),
            };
            let text = format!(
                "flood: {} SYNs a second of {} asked on {}, {dropped}; {} ns on processors each, sending included (by {})",
                grouped(flood.sent_per_s),
                grouped(flood.asked_per_s),
                counted(flood.threads, "thread"),
                grouped(flood.cpu_ns),
                flood.cpu_by,
            );
            page.item("    ", 6, &text);
        }
        if let Some([client, server]) = &arm.time_wait {
            let of = |host: &TimeWait| match (host.began, host.ended) {
                (Some(began), Some(ended)) => format!(
                    "{} began, {} ended, {} there",
                    grouped(began),
                    grouped(ended),
                    grouped(host.now)
                ),
                _ => format!("{} there", grouped(host.now)),
            };
            let by = printable(&client.by);
            let text = format!(
                "TIME_WAIT: client {}; server {} (by {by})",
                of(client),
                of(server)
            );
            page.item("    ", 6, &text);
        }
        claims(page, &arm.claims);
    }
    page.gap();
}

fn claims(page: &mut Page, claims: &[Beside]) {
    for Beside { kernel, model, .. } in claims {
        let mark = match (&kernel.undecided, kernel.as_expected) {
            (Some(_), _) => "?".into(),
            (None, true) => page.paint(style::GOOD, "✓"),
            (None, false) => page.paint(style::BAD, "✗"),
        };
        let text = format!("{}: {}, on the model {model}", kernel.id, kernel.verdict);
        page.item(&format!("    {mark} "), 6, &text);
        if let Some(why) = &kernel.undecided {
            page.item("        ", 8, &printable(why));
        }
        page.item("        ", 8, &printable(&kernel.evidence));
    }
}
