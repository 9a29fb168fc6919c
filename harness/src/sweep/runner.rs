//! One arm, run under any seed; a seed also decides which optional faults are off (its swarm).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use faultlab_sim::scenario::{
    Arm, Chooser, Keep, Loaded, Mistake, Outcome, Prepared, Search, Watch,
};

use crate::failure::Result;
use crate::library::late_mistake;

/// An arm with its values.
pub struct Runner<'a> {
    loaded: &'a Loaded,
    arm: &'a Arm,
    params: BTreeMap<String, String>,
    whole: Prepared,
    has_swarms: bool,
    /// By the optional faults that are off.
    swarms: Mutex<BTreeMap<Vec<String>, Arc<Prepared>>>,
}

impl<'a> Runner<'a> {
    /// The arm's first case that is searched by seeds, else its first, with `settings` over its values.
    ///
    /// # Errors
    /// A mistake that shows only when the values are filled in.
    pub fn new(
        loaded: &'a Loaded,
        arm: &'a Arm,
        settings: &[(String, String)],
    ) -> Result<Runner<'a>> {
        let cases = loaded.scenario.cases_of(arm);
        let by_seeds = |search: &Search| {
            matches!(
                search,
                Search::Seeds(_) | Search::Random(_) | Search::Pct { .. }
            )
        };
        let case = cases.iter().find(|case| by_seeds(&case.search));
        let case = case.or(cases.first());
        let mut params = case.map(|case| case.params.clone()).unwrap_or_default();
        params.extend(settings.iter().cloned());
        let whole = loaded
            .prepare(arm, &params, &[])
            .map_err(|mistake| late_mistake(loaded, mistake))?;
        Ok(Runner {
            loaded,
            arm,
            params,
            whole,
            has_swarms: arm.faults.iter().any(|fault| fault.optional),
            swarms: Mutex::default(),
        })
    }

    /// The arm.
    pub fn arm(&self) -> &Arm {
        self.arm
    }

    /// The case's values.
    pub fn params(&self) -> &BTreeMap<String, String> {
        &self.params
    }

    /// One run.
    pub fn run(&self, seed: u64, watch: &Watch, keep: Keep) -> Outcome {
        let chooser = Chooser::Seed(seed);
        if !self.has_swarms {
            return self.whole.run(&chooser, watch, keep);
        }
        self.swarm(seed).run(&chooser, watch, keep)
    }

    fn swarm(&self, seed: u64) -> Arc<Prepared> {
        let off = Prepared::swarm(self.arm, seed);
        let mut swarms = self.swarms.lock().expect("nothing panics while it is held");
        if let Some(known) = swarms.get(&off) {
            return known.clone();
        }
        let prepared: std::result::Result<Prepared, Mistake> =
            self.loaded.prepare(self.arm, &self.params, &off);
        let prepared = prepared.unwrap_or_else(|mistake| {
            unreachable!("an arm that is sound with all faults is sound with fewer: {mistake}")
        });
        let prepared = Arc::new(prepared);
        swarms.insert(off, prepared.clone());
        prepared
    }
}
