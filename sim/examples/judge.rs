//! Judges shipped scenarios.

use faultlab_sim::scenario::{Judging, Sequential, load};
fn main() {
    for id in std::env::args().skip(1) {
        let folder = std::path::Path::new("scenarios").join(&id);
        let text = std::fs::read_to_string(folder.join("scenario.ron")).unwrap();
        let t = std::time::Instant::now();
        let loaded = load(&id, &text, &mut |n| {
            std::fs::read_to_string(folder.join(n)).map_err(|e| e.to_string())
        })
        .unwrap_or_else(|m| panic!("{m}"));
        let report = loaded
            .judge(&Judging {
                seed: 0,
                executor: &Sequential,
                progress: &|p| eprintln!("{:?} {p}", t.elapsed()),
            })
            .unwrap_or_else(|m| panic!("{m}"));
        for c in &report.claims {
            println!(
                "{} {} (expected {}) {} {:?}",
                c.id, c.verdict, c.expected, c.basis, c.silent_controls
            );
            for s in &c.searches {
                println!(
                    "    {} {:?} {} : {} of {} {:?}",
                    s.arm, s.params, s.basis, s.hits, s.runs, s.so
                );
            }
            println!("    {}", c.evidence.words);
            for r in &c.evidence.records {
                println!("      {r}");
            }
        }
        for r in &report.runs {
            println!("{r:?}");
        }
        println!("{:?}", t.elapsed());
    }
}
