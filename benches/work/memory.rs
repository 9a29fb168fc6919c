//! What forks take of memory.

/// How many forks are made to measure one.
pub const FORKS: usize = 10_000;

/// Prints the growth of the process over many forks, each a clone of `world`: as they are, and after `write` wrote
/// something into each.
pub fn print<W: Clone>(world: &W, write: impl Fn(usize, &mut W)) {
    let mut forks = Vec::with_capacity(FORKS);
    let before = resident();
    forks.extend((0..FORKS).map(|_| world.clone()));
    let forked = resident();
    for (nth, fork) in forks.iter_mut().enumerate() {
        write(nth, fork);
    }
    let written = resident();
    let each = |bytes: usize| bytes.saturating_sub(before) / FORKS + size_of::<W>();
    println!(
        "a fork takes {} bytes, and with one thing written {} bytes",
        each(forked),
        each(written),
    );
}

/// The resident memory of this process, in bytes (Linux).
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}
