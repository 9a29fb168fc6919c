//! A file of a user's own in RON, with each mistake shown in its place.

use std::fs;
use std::path::Path;

use faultlab_sim::scenario::Mistake;

use crate::failure::{Failure, Result};

/// Reads the file by `read`, which is given its name and its text. `help` says what it should be where a mistake
/// does not.
///
/// # Errors
/// It cannot be read, or the first mistake in it.
pub fn read<T>(
    path: &Path,
    help: &str,
    read: impl FnOnce(&str, &str) -> std::result::Result<T, Mistake>,
) -> Result<T> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::bad_input(format!("{name} cannot be read: {error}")).help(help)
    })?;
    read(&name, &text).map_err(|mistake| {
        let mistake = match mistake.help {
            None => mistake.help(help),
            Some(_) => mistake,
        };
        Failure::mistake(mistake, Some(&text))
    })
}
