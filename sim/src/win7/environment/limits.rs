//! Tools that cut a value which the system itself would take.

use super::Wide;

/// `setx` stores this many characters. Source: documentation of setx and its warning.
pub const SETX_LIMIT: usize = 1024;
/// The edit field of the old dialog "Edit System Variable" holds this many. Source: KB 830473 and reports.
pub const PATH_DIALOG_LIMIT: usize = 2047;

/// What is left of a value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cut {
    /// What is stored.
    pub value: Wide,
    /// How many units were lost.
    pub lost: usize,
    /// What the tool says, if it says anything. The exit code is 0 all the same.
    pub warning: Option<&'static str>,
}

/// What `setx` stores of a value: at most 1024 units. It warns, and ends with 0.
pub fn cut_as_setx(value: &Wide) -> Cut {
    let cut = cut_at(value, SETX_LIMIT);
    let warning = "WARNING: The data being saved is truncated to 1024 characters.";
    Cut {
        warning: (cut.lost > 0).then_some(warning),
        ..cut
    }
}

/// What the dialog of the System control panel stores: at most 2047 units, in silence.
pub fn cut_as_path_dialog(value: &Wide) -> Cut {
    cut_at(value, PATH_DIALOG_LIMIT)
}

fn cut_at(value: &Wide, limit: usize) -> Cut {
    let kept = value.len().min(limit);
    let lost = value.len() - kept;
    Cut {
        value: Wide::from(&value.units()[..kept]),
        lost,
        warning: None,
    }
}
