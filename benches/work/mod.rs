//! What is measured: each row is one piece of work, done by our engine and by its peers.

pub mod churn;
pub mod pairs;
pub mod race;
pub mod script;
pub mod storm;
pub mod timers;

/// Someone who does the work of a row.
pub struct Side {
    /// `faultlab`, or the peer's name.
    pub who: &'static str,
    /// Does the work once; how many units of it that was.
    pub run: Box<dyn Fn() -> u64>,
}

impl Side {
    fn new(who: &'static str, run: impl Fn() -> u64 + 'static) -> Side {
        let run = Box::new(run);
        Side { who, run }
    }
}

/// One piece of work.
pub struct Row {
    /// What is done; also the name of the benchmark group.
    pub work: String,
    /// What is counted.
    pub unit: &'static str,
    /// Our engine.
    pub ours: Side,
    /// Who else does it.
    pub peers: Vec<Side>,
    /// What each side does that the other does not.
    pub differs: &'static str,
}

/// All rows, in the order of the table.
pub fn rows() -> Vec<Row> {
    let mut rows = timers::rows();
    rows.extend(pairs::rows());
    rows.extend(race::rows());
    rows.extend(script::rows());
    rows.extend(churn::rows());
    rows.extend(storm::rows());
    rows
}
