//! Putting what connections show into the order of time: a lane has all that is of one type.
//!
//! Each moment of a life is a cursor that walks over the arrivals on its own, without a look at the others. Then
//! all that is due is sorted by time, which says where each goes, and made moment by moment: what is alike is made
//! one after another, so that the processor foresees every branch. Of equal times, kinds come in their order, then moments, then connections: an order that follows
//! from what happens alone, so that it is the same however long the steps are in which a stream is taken.

use super::arrivals::{Arrivals, At};
use super::life::{Moment, What};
use crate::linux::tcp::Clock;

/// A moment of a life, walking over the arrivals of its kind.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Cursor {
    /// By its place in the node's list.
    kind: usize,
    moment: Moment,
    /// The first arrival that has not come to this moment yet.
    at: At,
}

/// A connection comes to a moment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Due {
    at: u64,
    /// The moment's cursor by its place in the lane's list, in the highest bits, then the connection's number.
    which: u64,
}

impl Due {
    const NUMBER_BITS: u32 = 48;

    fn cursor(self) -> usize {
        (self.which >> Due::NUMBER_BITS) as usize
    }

    fn number(self) -> u64 {
        self.which & ((1 << Due::NUMBER_BITS) - 1)
    }
}

/// All moments that make a `T`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Lane {
    // invariant: in the order of kinds, then moments.
    cursors: Vec<Cursor>,
    // Room to work in; nothing is kept there between calls.
    due: Vec<Due>,
    /// Where in `due` a cursor's begin: they are in the order of time.
    runs: Vec<usize>,
    sorted: Vec<Due>,
    counts: Vec<u32>,
    /// Where in the output each of `due` begins.
    starts: Vec<u32>,
    /// For each cursor, which of `due` is placed next.
    next: Vec<usize>,
}

impl Lane {
    pub(super) fn new() -> Lane {
        Lane {
            cursors: Vec::new(),
            due: Vec::new(),
            runs: Vec::new(),
            sorted: Vec::new(),
            counts: Vec::new(),
            starts: Vec::new(),
            next: Vec::new(),
        }
    }

    /// Adds the moments of a kind, at the first arrivals that come to them at `from_ns` or later.
    pub(super) fn add(
        &mut self,
        kind: usize,
        moments: Vec<Moment>,
        arrivals: &Arrivals,
        clock: Clock,
        from_ns: u64,
    ) {
        let cursors = moments.into_iter().map(|moment| {
            // Times grow with numbers.
            let (mut low, mut high) = (0, arrivals.total());
            while low < high {
                let middle = low + (high - low) / 2;
                let arrival = arrivals.time(middle);
                match arrival.is_some_and(|arrival| moment.when.of(clock, arrival) < from_ns) {
                    true => low = middle + 1,
                    false => high = middle,
                }
            }
            Cursor {
                kind,
                moment,
                at: arrivals.seek(low),
            }
        });
        self.cursors.extend(cursors);
    }

    /// Fills `out` with all that comes before `until` and was not taken yet, in the order of time. `arrivals` gives
    /// those of a kind; `make` is given the kind, the connection's number, the time, what happens then, and the places
    /// for it, in each of which is a `blank` or what was there before.
    #[inline]
    pub(super) fn take<'a, T: Copy>(
        &mut self,
        until: u64,
        clock: Clock,
        arrivals: impl Fn(usize) -> &'a Arrivals,
        (out, blank): (&mut Vec<T>, T),
        mut make: impl FnMut(usize, u64, u64, &[What], &mut [T]),
    ) {
        let Lane {
            cursors, due, runs, ..
        } = self;
        let mut least = u64::MAX;
        for (cursor, Cursor { kind, moment, at }) in (0_u64..).zip(cursors) {
            let arrivals = arrivals(*kind);
            let run = due.len();
            runs.push(run);
            let high = cursor << Due::NUMBER_BITS;
            let each = |number, at| {
                let which = high | number;
                due.push(Due { at, which });
            };
            let when = &moment.when;
            match when.timers.is_empty() {
                true => arrivals.each_before(at, until, |arrival| arrival + when.after_ns, each),
                false => arrivals.each_before(at, until, |arrival| when.of(clock, arrival), each),
            }
            least = due.get(run).map_or(least, |first| least.min(first.at));
        }
        if !due.is_empty() {
            self.sort(least, until);
        }
        let total = self.place();
        // What is left of before is written over.
        out.resize(total, blank);
        let mut end = self.due.len();
        for (Cursor { kind, moment, .. }, run) in self.cursors.iter().zip(&self.runs).rev() {
            let steps = &moment.steps;
            for (due, start) in self.due[*run..end].iter().zip(&self.starts[*run..end]) {
                let places = &mut out[*start as usize..][..steps.len()];
                make(*kind, due.number(), due.at, steps, places);
            }
            end = *run;
        }
        self.due.clear();
        self.runs.clear();
        self.sorted.clear();
        self.counts.clear();
        self.starts.clear();
        self.next.clear();
    }

    /// Finds where in the output each of what is due goes, and how much there is in all.
    fn place(&mut self) -> usize {
        let Lane {
            cursors,
            due,
            runs,
            sorted,
            starts,
            next,
            ..
        } = self;
        starts.resize(due.len(), 0);
        next.extend_from_slice(runs);
        let mut total = 0;
        for each in &*sorted {
            // Those of a cursor are in the order of time, and sorting leaves them so.
            let cursor = each.cursor();
            starts[next[cursor]] = total;
            next[cursor] += 1;
            total += cursors[cursor].moment.steps.len() as u32;
        }
        total as usize
    }

    /// Sorts what is due, all of it within `from..until`, and leaves what is of one time in its order: first into
    /// buckets of equal length, then the few that are out of place.
    fn sort(&mut self, from: u64, until: u64) {
        const MOST_BUCKETS: usize = 1 << 16;
        let Lane {
            due,
            sorted,
            counts,
            ..
        } = self;
        let buckets = due.len().next_power_of_two();
        if buckets > MOST_BUCKETS {
            sorted.extend_from_slice(due);
            sorted.sort_by_key(|due| due.at);
            return;
        }
        let mut shift = 0;
        while (until - from) >> shift >= buckets as u64 {
            shift += 1;
        }
        counts.resize(buckets + 1, 0);
        for each in &*due {
            counts[((each.at - from) >> shift) as usize + 1] += 1;
        }
        for bucket in 1..counts.len() {
            counts[bucket] += counts[bucket - 1];
        }
        sorted.resize(due.len(), Due::default());
        for each in &*due {
            let place = &mut counts[((each.at - from) >> shift) as usize];
            sorted[*place as usize] = *each;
            *place += 1;
        }
        for index in 1..sorted.len() {
            let each = sorted[index];
            let mut place = index;
            while place > 0 && sorted[place - 1].at > each.at {
                sorted[place] = sorted[place - 1];
                place -= 1;
            }
            sorted[place] = each;
        }
    }
}
