//! What takes long on a long run: done by a thread of its own, so that the keyboard is alive meanwhile.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use faultlab_sim::scenario::{Pace, Storyboard};

use super::Shown;
use super::tape::{Found, Search, Tape, Wanted};
use crate::render::grouped;

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Order {
    /// Go to a record.
    Go(u64),
    /// Go to the record that a search finds.
    Search(Search),
}

/// What it came to.
#[derive(Debug)]
pub struct Outcome {
    /// What was to be done.
    pub order: Order,
    /// The record to go to, if there is one.
    pub record: Option<u64>,
    /// Whether that is round the end of the run.
    pub round: bool,
    /// The window that is seen from there, with its number, if it was not kept.
    pub window: Option<(u64, Storyboard)>,
}

/// An order under way. Dropped, it is given up.
#[derive(Debug)]
pub struct Errand {
    shared: Arc<Shared>,
    answer: Receiver<Outcome>,
    /// How many records the run has.
    records: u64,
    says: String,
}

/// What both threads see.
#[derive(Debug, Default)]
struct Shared {
    /// How many records were looked at.
    looked_at: AtomicU64,
    /// What is being fetched, in parts of a thousand; 0 before.
    fetched: AtomicU64,
    is_given_up: AtomicBool,
}

impl Errand {
    /// Begins one.
    pub fn begin(tape: &Tape, order: Order) -> Errand {
        let shared = Arc::new(Shared::default());
        let (sender, answer) = sync_channel(1);
        let errand = Errand {
            shared: shared.clone(),
            answer,
            records: tape.records(),
            says: match &order {
                Order::Go(record) => format!("going to record {}", grouped(*record)),
                Order::Search(search) => match &search.wanted {
                    Wanted::Text(text) => format!("searching for {text:?}"),
                    Wanted::Actor(whose) => format!("looking for {whose}"),
                    Wanted::At(time) => format!("going to {time}"),
                },
            },
        };
        let (run, records) = (tape.shown().clone(), tape.records());
        let kept = tape.kept();
        thread::spawn(move || {
            let Some(found) = found(&run, &order, &shared) else {
                return;
            };
            let record = found.there.or(found.round);
            let round = found.there.is_none();
            let number = record.map(|record| Tape::window_of(records, record));
            let window = match number.filter(|number| !kept.contains(number)) {
                None => None,
                Some(number) => {
                    let target = record.unwrap_or(0).max(1);
                    let mut first_run = 1;
                    let mut goes_on = |pace: Pace| {
                        let half = match pace.again {
                            false => {
                                first_run = pace.transitions.max(1);
                                pace.records * 500 / target
                            }
                            true => 500 + pace.transitions * 500 / first_run,
                        };
                        shared.fetched.store(half.clamp(1, 1000), Ordering::Relaxed);
                        shared.goes_on()
                    };
                    let Some(board) = run.window(number, &mut goes_on) else {
                        return;
                    };
                    Some((number, board))
                }
            };
            // Nobody may wait any more.
            let _ = sender.send(Outcome {
                order,
                record,
                round,
                window,
            });
        });
        errand
    }

    /// What it came to, if that is known within `time`; otherwise it goes on.
    pub fn wait(self, time: Duration) -> ControlFlow<Outcome, Errand> {
        match self.answer.recv_timeout(time) {
            Ok(outcome) => ControlFlow::Break(outcome),
            Err(RecvTimeoutError::Timeout) => ControlFlow::Continue(self),
            Err(RecvTimeoutError::Disconnected) => panic!("an errand ended without an answer"),
        }
    }

    /// What it does, and how far it is.
    pub fn says(&self) -> String {
        let fetched = self.shared.fetched.load(Ordering::Relaxed);
        let far = match fetched {
            0 => format!(
                "{} of {} records",
                grouped(self.shared.looked_at.load(Ordering::Relaxed)),
                grouped(self.records)
            ),
            parts => format!("fetching, {} %", parts / 10),
        };
        format!("{}… {far}; Esc gives it up", self.says)
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.shared.is_given_up.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.is_given_up.load(Ordering::Relaxed)
    }
}

/// Where an order leads; `None` if it was given up.
fn found(run: &Shown, order: &Order, shared: &Shared) -> Option<Found> {
    match order {
        Order::Go(record) => Some(Found {
            there: Some(*record),
            round: None,
        }),
        Order::Search(search) => run.search(search, &mut |records| {
            shared.looked_at.store(records, Ordering::Relaxed);
            shared.goes_on()
        }),
    }
}
