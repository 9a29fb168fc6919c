//! PCT (Burckhardt et al., ASPLOS 2010): random priorities, lowered at d - 1 random steps. It finds a
//! bug of depth d among n actors and k steps with probability at least 1 / (n k^(d-1)) a run.

use crate::engine::choice::{Key, Labels, Options, Source};
use crate::engine::entity::{Entity, Names};
use crate::engine::hash::mix;

use super::Seed;

/// Runs the ready actor of the highest priority; at `depth - 1` steps its priority drops below all.
#[derive(Clone, Debug)]
pub struct Pct {
    seed: u64,
    /// invariant: sorted; steps at which the running actor drops.
    drops: Vec<u64>,
    /// invariant: those that dropped, the lowest last.
    dropped: Vec<Entity>,
    step: u64,
}

impl Pct {
    /// A schedule for runs of about `steps` scheduling choices.
    pub fn new(seed: u64, depth: u32, steps: u64) -> Pct {
        let mut drops: Vec<u64> = (1..u64::from(depth.max(1)))
            .map(|nth| mix(&[seed, 0x70_6374, nth]) % steps.max(1))
            .collect();
        drops.sort_unstable();
        Pct {
            seed,
            drops,
            dropped: Vec::new(),
            step: 0,
        }
    }

    /// Higher is better: first those that never dropped, by hash; then the dropped, the latest last.
    fn priority(&self, actor: Entity) -> (bool, u64) {
        match self.dropped.iter().rposition(|other| *other == actor) {
            None => (true, mix(&[self.seed, actor.0])),
            Some(at) => (false, u64::MAX - at as u64),
        }
    }
}

impl Source for Pct {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        let Labels::Actors { ready, .. } = options.labels else {
            return Seed(self.seed).choose(key, options, names);
        };
        let best = |pct: &Pct| {
            let priorities = ready.iter().map(|actor| pct.priority(*actor));
            let best = priorities.enumerate().max_by_key(|(_, priority)| *priority);
            best.expect("a choice has options").0
        };
        while self.drops.first().is_some_and(|drop| *drop <= self.step) {
            self.drops.remove(0);
            self.dropped.push(ready[best(self)]);
        }
        self.step += 1;
        best(self) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_one_never_preempts() {
        let names = Names::new();
        let key = Key {
            site: "sched",
            entity: Entity(1),
            verb: "",
            object: Entity(0),
            ordinal: 1,
        };
        let ready = [Entity(1), Entity(2), Entity(3)];
        let options = Options {
            labels: Labels::Actors {
                ready: &ready,
                go_on: true,
            },
            ..Options::texts(&["", "", ""])
        };
        let mut pct = Pct::new(9, 1, 100);
        let first = pct.choose(&key, &options, &names);
        assert!((0..100).all(|_| pct.choose(&key, &options, &names) == first));
    }

    #[test]
    fn each_drop_lets_another_go_first() {
        let names = Names::new();
        let key = Key {
            site: "sched",
            entity: Entity(1),
            verb: "",
            object: Entity(0),
            ordinal: 1,
        };
        let ready = [Entity(1), Entity(2), Entity(3)];
        let options = Options {
            labels: Labels::Actors {
                ready: &ready,
                go_on: true,
            },
            ..Options::texts(&["", "", ""])
        };
        let mut pct = Pct::new(9, 3, 50);
        let picks: Vec<u64> = (0..100)
            .map(|_| pct.choose(&key, &options, &names))
            .collect();
        let switches = picks.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!((1..=2).contains(&switches), "{picks:?}");
    }
}
