//! The table of ratios: the engine beside its peers, in one run.
//!
//! Every row is done several times by each side in turn, so that whatever else the machine does falls
//! on all sides alike; what is shown is the median.

use std::time::{Duration, Instant};

mod work;

const TURNS: usize = 7;

fn main() {
    // `cargo bench` passes `--bench`; anything else selects rows by a part of their names.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    println!("| work | unit | faultlab, a second | peer | peer, a second | ratio |");
    println!("|---|---|--:|---|--:|--:|");
    let mut notes: Vec<&str> = Vec::new();
    for row in work::rows() {
        if !wanted.is_empty() && !wanted.iter().any(|part| row.work.contains(part.as_str())) {
            continue;
        }
        let sides: Vec<&work::Side> = [&row.ours].into_iter().chain(&row.peers).collect();
        let rates = rates(&sides);
        for (side, rate) in sides.iter().zip(&rates).skip(1) {
            println!(
                "| {} | {} | {} | {} | {} | {:.1} |",
                row.work,
                row.unit,
                grouped(rates[0]),
                side.who,
                grouped(*rate),
                rates[0] / rate,
            );
        }
        if row.peers.is_empty() {
            println!(
                "| {} | {} | {} | | | |",
                row.work,
                row.unit,
                grouped(rates[0])
            );
        }
        notes.push(row.differs);
    }
    notes.dedup();
    for note in notes {
        println!("\n{note}.");
    }
}

/// Units a second of each side: the medians of interleaved turns.
fn rates(sides: &[&work::Side]) -> Vec<f64> {
    let mut rates = vec![Vec::new(); sides.len()];
    for _ in 0..TURNS {
        for (side, rates) in sides.iter().zip(&mut rates) {
            // A turn lasts long enough for the clock.
            let (start, mut units) = (Instant::now(), 0);
            while start.elapsed() < Duration::from_millis(50) {
                units += (side.run)();
            }
            rates.push(units as f64 / start.elapsed().as_secs_f64());
        }
    }
    let median = |mut rates: Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[TURNS / 2]
    };
    rates.into_iter().map(median).collect()
}

/// `12 345 678`.
fn grouped(rate: f64) -> String {
    let digits = format!("{rate:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
