//! Detection: rules over what an observer's samples say, and how well they find what was injected.

mod detector;
mod rule;
mod score;
mod trouble;

pub use detector::{Alarm, Detector};
pub use rule::{BufferWatch, Over, Rule};
pub use score::{Injected, Score};
pub use trouble::Trouble;
