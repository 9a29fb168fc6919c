//! Who can stand behind the door: one small file each, and wrappers that decorate any of them.

mod defaults;
mod determinism;
mod edited;
mod enumerator;
mod metrics;
mod pct;
mod random;
mod recorded;
mod recorder;
mod seed;
mod tape;

pub use defaults::Defaults;
pub use determinism::{Determinism, Parting};
pub use edited::Edited;
pub use enumerator::{Enumerator, Positional};
pub use metrics::{Counts, Metrics};
pub use pct::Pct;
pub use random::Random;
pub use recorded::Recorded;
pub use recorder::{Recorder, Taken};
pub use seed::Seed;
pub use tape::Tape;
