//! Always the default: nobody is preempted, no fault that could strike does.

use crate::engine::choice::{Key, Options, Source};
use crate::engine::entity::Names;

/// Takes the default of every choice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Defaults;

impl Source for Defaults {
    fn choose(&mut self, _: &Key, options: &Options<'_>, _: &Names) -> u64 {
        options.default
    }
}
