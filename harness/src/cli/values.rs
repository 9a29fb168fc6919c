//! Values of flags that are more than a word or a number: as they are written, and what is wrong with them.

use std::net::IpAddr;
use std::ops::Range;

/// A part of a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Its beginning, in ns.
    pub from_ns: u64,
    /// Its end, in ns.
    pub until_ns: u64,
}

/// One of several equal parts of a sweep.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Which, from 1.
    pub nth: u32,
    /// Of how many.
    pub of: u32,
}

pub(super) fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text
        .split_once("..")
        .ok_or("a range is written A..B, such as 0..1000")?;
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| format!("{text:?} is no whole number below 2^64"))
    };
    let range = number(from)?..number(to)?;
    if range.start == range.end {
        return Err(format!("the range is empty: it ends before {}", range.end));
    }
    if range.is_empty() {
        return Err("the range is reversed: A..B with A below B".into());
    }
    Ok(range)
}

pub(super) fn shard(text: &str) -> Result<Shard, String> {
    let (nth, of) = text
        .split_once('/')
        .and_then(|(nth, of)| Some((nth.parse().ok()?, of.parse().ok()?)))
        .ok_or("a shard is written I/N, such as 1/4")?;
    if nth == 0 || nth > of {
        return Err(format!("shards of {of} are called 1/{of} to {of}/{of}"));
    }
    Ok(Shard { nth, of })
}

pub(super) fn window(text: &str) -> Result<Window, String> {
    let (from, until) = text
        .split_once("..")
        .ok_or("a window is written A..B, such as 10:00..10:01")?;
    let window = Window {
        from_ns: time_of_day(from)?,
        until_ns: time_of_day(until)?,
    };
    if window.from_ns >= window.until_ns {
        return Err("the window is empty: A..B with A before B".into());
    }
    Ok(window)
}

/// `10:00`, `10:00:30`, `36000s`, `0.25s`; in ns.
fn time_of_day(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is no time: write H:MM, H:MM:SS, or seconds such as 1.5s");
    if let Some(seconds) = text.strip_suffix('s') {
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
        let is_number =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || fraction.len() > 9 {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let nanos: u64 = format!("{fraction:0<9}").parse().map_err(|_| bad())?;
        let ns = whole.checked_mul(1_000_000_000).ok_or_else(bad)?;
        return ns.checked_add(nanos).ok_or_else(bad);
    }
    let mut parts = Vec::new();
    for part in text.split(':') {
        if part.is_empty() || part.len() > 4 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad());
        }
        parts.push(part.parse::<u64>().map_err(|_| bad())?);
    }
    let seconds = match parts[..] {
        [hours, minutes] if minutes < 60 => hours * 3_600 + minutes * 60,
        [hours, minutes, seconds] if minutes < 60 && seconds < 60 => {
            hours * 3_600 + minutes * 60 + seconds
        }
        _ => return Err(bad()),
    };
    Ok(seconds * 1_000_000_000)
}

pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("a setting is written NAME=VALUE")?;
    Ok((name.into(), value.into()))
}

pub(super) fn actor(text: &str) -> Result<(String, IpAddr), String> {
    let named = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, addr) = named.ok_or("an actor is written NAME=ADDRESS")?;
    let parsed = addr.parse();
    let parsed = parsed.map_err(|_| {
        format!("{addr:?} is no IPv4 or IPv6 address: 10.0.0.1 and fe80::1 are such")
    })?;
    Ok((name.into(), parsed))
}

pub(super) fn jobs(text: &str) -> Result<usize, String> {
    let jobs = text.parse().ok().filter(|jobs| (1..=64).contains(jobs));
    jobs.ok_or_else(|| "from 1 to 64".into())
}

pub(super) fn bits(text: &str) -> Result<u32, String> {
    match text {
        "32" => Ok(32),
        "64" => Ok(64),
        _ => Err("32 or 64".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(seeds("3..5"), Ok(3..5));
        for bad in [
            "3..3",
            "5..3",
            "3",
            "..",
            "a..b",
            "-1..4",
            "0..18446744073709551616",
        ] {
            assert!(seeds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn windows() {
        let ns = |from_ns, until_ns| Ok(Window { from_ns, until_ns });
        let second = 1_000_000_000;
        assert_eq!(window("10:00..10:01"), ns(36_000 * second, 36_060 * second));
        assert_eq!(window("0:00:01..1.5s"), ns(second, 1_500_000_000));
        for bad in [
            "10:00",
            "10:01..10:00",
            "10:60..11:00",
            "a..b",
            "1s..",
            "..2s",
            "1..2",
            "0.s..1s",
            "-1s..1s",
            "99999999999999999999s..1s",
        ] {
            assert!(window(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shards() {
        assert_eq!(shard("2/2"), Ok(Shard { nth: 2, of: 2 }));
        for bad in ["0/2", "3/2", "1", "1/", "0/0", "1/-1"] {
            assert!(shard(bad).is_err(), "{bad}");
        }
    }
}
