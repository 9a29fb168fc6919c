//! A hash map of the kernel's with elements that are given to it, and the order in which it lists them: as
//! `bpftool map dump` goes through it, from each key to the next.

use std::path::Path;

use aya::maps::HashMap;

use super::watch;

/// No map has more.
pub const MOST: usize = 1_024;

/// Puts elements into a fresh map of the built `object`, and lists their keys.
///
/// # Errors
/// The kernel refuses the map or an element: what it says.
pub fn listed(object: &Path, elements: &[(u32, u64)]) -> Result<Vec<u32>, String> {
    let mut programs = watch::load(object, &[], &[]).map_err(|failure| failure.to_string())?;
    let map = programs
        .map_mut("elements")
        .expect("the object has this map");
    let refused = |error: aya::maps::MapError| watch::whole(&error);
    let mut map = HashMap::<_, u32, u64>::try_from(map).map_err(refused)?;
    for (key, value) in elements {
        map.insert(key, value, 0).map_err(refused)?;
    }
    map.keys().map(|key| key.map_err(refused)).collect()
}
