//! Many runs on all cores: the same result for any number of threads.

use std::num::NonZero;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use faultlab_sim::scenario::{Executor, Found};

/// So many threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Threads(NonZero<usize>);

impl Threads {
    /// One a core, or as many as were asked for.
    pub fn new(asked: Option<u16>) -> Threads {
        let asked = asked.and_then(|count| NonZero::new(usize::from(count)));
        let cores = || thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Threads(asked.unwrap_or_else(cores))
    }

    /// Runs `work` over parts of `0..total`, each of `part` at most, and gives the results in the order
    /// of the parts. A panic in one of them is passed on.
    pub fn map<T: Send>(
        self,
        total: u64,
        part: u64,
        work: impl Fn(Range<u64>) -> T + Sync,
    ) -> Vec<T> {
        let part = part.max(1);
        let parts = total.div_ceil(part);
        let range = |nth: u64| nth * part..total.min((nth + 1) * part);
        let threads = (self.0.get() as u64).min(parts);
        if threads <= 1 {
            return (0..parts).map(|nth| work(range(nth))).collect();
        }
        let next = AtomicU64::new(0);
        let done = Mutex::new(Vec::new());
        let worker = || {
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= parts {
                    return;
                }
                let result = work(range(nth));
                done.lock()
                    .expect("nothing panics while it is held")
                    .push((nth, result));
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
            for worker in workers {
                if let Err(panic) = worker.join() {
                    std::panic::resume_unwind(panic);
                }
            }
        });
        let mut done = done.into_inner().expect("nothing panicked");
        done.sort_unstable_by_key(|(nth, _)| *nth);
        done.into_iter().map(|(_, result)| result).collect()
    }

    /// A part's length that keeps all threads busy to the end, and at most `longest`.
    pub fn part(self, total: u64, longest: u64) -> u64 {
        total.div_ceil(self.0.get() as u64 * 8).clamp(1, longest)
    }
}

impl Executor for Threads {
    fn parts(&self, runs: u64, part: &(dyn Fn(Range<u64>) -> Found + Sync)) -> Vec<Found> {
        self.map(runs, self.part(runs, u64::MAX), part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_range_in_order() {
        for threads in [1, 2, 7] {
            for (total, part) in [(0, 3), (1, 3), (10, 3), (1000, 1)] {
                let ranges = Threads::new(Some(threads)).map(total, part, |range| range);
                let all: Vec<u64> = ranges.into_iter().flatten().collect();
                assert_eq!(
                    all,
                    (0..total).collect::<Vec<u64>>(),
                    "{threads} {total} {part}"
                );
            }
        }
    }

    #[test]
    #[should_panic(expected = "seed 7 broke")]
    fn a_panic_is_passed_on() {
        Threads::new(Some(2)).map(10, 1, |range| assert!(range.start != 7, "seed 7 broke"));
    }
}
