//! Property tests.

use proptest::collection::vec;
use proptest::prelude::*;

use super::strategies::paths;
use super::*;

fn directory() -> Vec<u16> {
    "C:\\Windows\\x".encode_utf16().collect()
}

proptest! {
    /// A full path is its own full path, but where the one-dot rule left something that it would treat anew.
    #[test]
    fn normalisation_is_idempotent(path in paths()) {
        if let Some(full) = full_path(&path, &directory(), |_| None) {
            let again = full_path(&full.path, &directory(), |_| None).expect("it is not blank");
            let dots = full.path.split(|unit| *unit == BACKSLASH).any(|part| part.last() == Some(&DOT));
            let is_odd = dots || full.path.contains(&0);
            prop_assert!(is_odd || again.path == full.path, "{:?}", String::from_utf16_lossy(&full.path));
        }
    }

    /// Nothing panics, and what comes out is as long as it may be.
    #[test]
    fn every_path_has_an_answer(path in vec(any::<u16>(), 0..300)) {
        check(&path)?;
    }

    /// The same of paths that are made to hurt.
    #[test]
    fn every_nasty_path_has_an_answer(path in paths()) {
        check(&path)?;
    }
}

fn check(path: &[u16]) -> Result<(), TestCaseError> {
    path_type(path);
    if let Some(device) = device_name(path) {
        prop_assert!((3..=4).contains(&device.len));
        prop_assert!(device.of(path).len() == device.len);
    }
    if let Ok(nt) = nt_path(path, &directory(), |_| None) {
        prop_assert!(nt.is_prefixed || nt.full.len() < MAX_PATH);
    }
    for short in short_candidates(path).take(6) {
        prop_assert!(short.len() <= 12);
    }
    Ok(())
}
