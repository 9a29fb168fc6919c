//! Whether a run repeats: the check on which every replay rests.

use std::fmt;

use faultlab_sim::scenario::{Keep, Outcome, parting};

/// Two runs of one seed that differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parting {
    seed: u64,
    /// The first record that differs, from 0, as the one and as the other run has it; `None` if two
    /// further runs with their records kept did not differ.
    records: Option<(usize, String, String)>,
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two runs of seed {} have different traces", self.seed)?;
        match &self.records {
            Some((at, one, other)) => write!(
                f,
                "; they part at record {at}: first \"{one}\", then \"{other}\""
            ),
            None => f.write_str("; two more runs had the same trace, so this comes and goes"),
        }
    }
}

/// Runs `seed` again, and holds it against `first`.
pub fn check(
    seed: u64,
    first: &Outcome,
    once: &(dyn Fn(u64, Keep) -> Outcome + Sync),
) -> Result<(), Parting> {
    let again = once(seed, Keep::default());
    if again.hash == first.hash && again.bits == first.bits && again.end == first.end {
        return Ok(());
    }
    let keep = Keep {
        records: true,
        ..Keep::default()
    };
    let (one, other) = (once(seed, keep), once(seed, keep));
    let records = parting(&one.entries, &other.entries).map(|at| {
        let words = |outcome: &Outcome| {
            let entry = outcome.entries.get(at);
            entry.map_or_else(|| "(the end)".into(), ToString::to_string)
        };
        (at, words(&one), words(&other))
    });
    Err(Parting { seed, records })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use faultlab_sim::scenario::{BASELINE, Chooser};

    use super::*;

    #[test]
    fn a_run_that_does_not_repeat_is_told_by_its_first_differing_record() {
        let loaded = crate::library::find("path-lost-update")
            .and_then(|found| found.load())
            .expect("it is embedded");
        let arm = loaded
            .scenario
            .arm(BASELINE)
            .expect("every scenario has one");
        let prepared = loaded
            .prepare(arm, &Default::default(), &[])
            .expect("it has no parameters");
        let watch = loaded.watch_of("path-entry-is-lost");
        let honest = |seed, keep| prepared.run(&Chooser::Seed(seed), &watch, keep);
        assert_eq!(check(3, &honest(3, Keep::default()), &honest), Ok(()));

        // Each call a run of another seed, as if a clock or an address had slipped in.
        let calls = AtomicU64::new(0);
        let slipping = |_, keep| honest(calls.fetch_add(1, Ordering::Relaxed), keep);
        let first = slipping(0, Keep::default());
        let parting = (0..20).find_map(|seed| check(seed, &first, &slipping).err());
        let says = parting.expect("some two of these seeds differ").to_string();
        assert!(
            says.contains("different traces; they part at record"),
            "{says}"
        );
    }
}
