//! Somebody's wish for an end: Ctrl-C, or SIGTERM of whoever looks after services.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::failure::{Failure, Result};

/// Whether an end is wanted. A second wish ends the process at once.
#[derive(Debug)]
pub struct Stop {
    /// The signal's number; 0: there was none.
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Catches signals from now on.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn on_signals() -> Result<Stop> {
        let signal = Arc::new(AtomicUsize::new(0));
        let is_second = Arc::new(AtomicBool::new(false));
        for known in [SIGINT, SIGTERM] {
            flag::register_conditional_default(known, is_second.clone())
                .and_then(|_| flag::register(known, is_second.clone()))
                .and_then(|_| flag::register_usize(known, signal.clone(), known as usize))
                .map_err(|error| {
                    Failure::bad_input(format!("signals cannot be waited for: {error}"))
                })?;
        }
        Ok(Stop { signal })
    }

    /// Whether somebody wants an end.
    pub fn is_wanted(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// Ends the process as if nobody had caught the signal, so that a shell sees that it was one.
    pub fn end(&self) -> Failure {
        let signal = self.signal.load(Ordering::Relaxed) as i32;
        let ended = low_level::emulate_default_handler(signal);
        Failure::bad_input(format!("signal {signal} ends nothing: {ended:?}"))
    }
}
