//! Exit codes: an interface, documented and stable.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Every verdict is as recorded.
    AsRecorded = 0,
    /// A verdict differs from the recorded one, or is undecided.
    Differs = 1,
    /// Bad input or usage, or an output that cannot be written. Nothing was written to a file.
    BadInput = 2,
    /// The host is not available, or what was asked is not built yet.
    NoHost = 3,
    /// Model and host differ.
    HostDiffers = 4,
    /// An internal error: a broken invariant of ours.
    Internal = 5,
}

/// Over several scenarios, the first of this list that occurred is the exit code.
pub const ORDER: [Exit; 6] = [
    Exit::Internal,
    Exit::BadInput,
    Exit::NoHost,
    Exit::HostDiffers,
    Exit::Differs,
    Exit::AsRecorded,
];

/// The same for readers of the help.
pub const HELP: &str = "\
Exit codes (over several scenarios, the first of this list that occurred):
  5  internal error, a broken invariant of ours
  2  bad input or usage, or an output that cannot be written; no file was touched
  3  the host is not available, or not built yet
  4  model and host differ
  1  a verdict differs from the recorded one, or is undecided
  0  every verdict is as recorded";

impl Exit {
    /// The one of two that counts.
    pub fn and(self, other: Exit) -> Exit {
        let rank = |exit| ORDER.iter().position(|listed| *listed == exit);
        if rank(other) < rank(self) {
            other
        } else {
            self
        }
    }

    /// The exit of verdicts that were, or were not, all as recorded.
    pub fn of_verdicts(as_recorded: bool) -> Exit {
        if as_recorded {
            Exit::AsRecorded
        } else {
            Exit::Differs
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_list_counts() {
        let all = [
            Exit::Differs,
            Exit::HostDiffers,
            Exit::BadInput,
            Exit::NoHost,
        ];
        let fold = |exits: &[Exit]| exits.iter().copied().fold(Exit::AsRecorded, Exit::and);
        assert_eq!(fold(&all), Exit::BadInput);
        assert_eq!(fold(&all[..2]), Exit::HostDiffers);
        assert_eq!(fold(&[Exit::BadInput, Exit::Internal]), Exit::Internal);
        assert_eq!(fold(&[]), Exit::AsRecorded);
    }

    #[test]
    fn the_help_lists_the_codes_in_their_order() {
        let lines = HELP.lines().skip(1);
        let codes: Vec<u8> = lines.map(|line| line.as_bytes()[2] - b'0').collect();
        assert_eq!(codes, ORDER.map(|exit| exit as u8));
    }
}
