//! Scenarios: the schema, claims and verdicts, running, searching, shrinking.

mod causes;
mod console;
mod document;
mod futures;
mod judge;
mod linux;
mod load;
mod mistake;
mod pattern;
mod place;
mod player;
mod repro;
mod run;
mod schema;
mod search;
mod shrink;
mod stage;
mod storyboard;
mod versions;

pub use crate::engine::Touched;
pub use causes::{Cause, How};
pub use console::{Ran, run_script};
pub use document::{Table, UnknownEntry, look_up};
pub use futures::{
    Counted, Futures, LONGEST, Looking, NoFutures, Point, PointOfNoReturn, Share,
    point_of_no_return,
};
pub use judge::{ClaimReport, Judging, Report, RunReport, Searched, Shown, Witness};
pub use linux::{FileSetup, LinuxSetup, ProcessSetup, SetupError, script_path};
pub use load::{
    Loaded, MAX_BYTES, load, load_built, load_claims, parse, read_contest, read_population,
    read_windows_world,
};
pub use mistake::Mistake;
pub use pattern::{Collector, Cond, Evidence, Literal, Match, Pattern, UnknownName, Watch};
pub use player::Player;
pub use repro::{Replay, Reproduction, VERSION as REPRODUCTION_VERSION};
pub use run::{Chooser, Keep, Outcome, Prepared, Rest, STEP_LIMIT, parting};
pub use schema::{
    Arm, BASELINE, Case, Claim, Fault, Scenario, Search, Statement, Story, VERSION, Verdict, World,
};
pub use search::{Basis, Executor, Finding, Found, STATE_BUDGET, Sequential, search};
pub use shrink::{Shrunk, shrink};
pub use stage::{Event, LabRecord, Record, Stage, fault_table};
pub use storyboard::{Decision, Frame, Pace, Selection, Storyboard};
pub use versions::{Versions, model_versions};
