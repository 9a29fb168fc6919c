//! A part of a day's nodes in a file, and several of them put together.

use std::fs;
use std::path::{Path, PathBuf};

use faultlab_sim::observe::Tally;
use serde::{Deserialize, Serialize};

use super::{Subject, report};
use crate::cli::{self, Shard};
use crate::console;
use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// The version of the format of shards.
const VERSION: u32 = 1;

/// A shard, as its file has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DayShard {
    /// The version of the format.
    faultlab_day: u32,
    shard: Shard,
    subject: Subject,
    tally: Tally,
}

/// Prints a shard.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn print(shard: Shard, subject: Subject, tally: Tally) -> Result<()> {
    console::print_json(&DayShard {
        faultlab_day: VERSION,
        shard,
        subject,
        tally,
    })
}

/// Whether files to merge are shards of a day: the first of them decides.
pub fn is_shard(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Any {
        #[serde(rename = "faultlab_day")]
        _version: u32,
    }
    fs::read(path).is_ok_and(|text| serde_json::from_slice::<Any>(&text).is_ok())
}

/// Puts the shards of a day together: prints what one day would.
///
/// # Errors
/// Shards that cannot be read, or that are not all of one day.
pub fn merge(args: &cli::Merge) -> Result<Exit> {
    let mut shards: Vec<(&PathBuf, DayShard)> = Vec::new();
    for path in &args.files {
        let shard = read(path)?;
        if let Some((first_path, first)) = shards.first()
            && (first.subject != shard.subject || first.shard.of != shard.shard.of)
        {
            return Err(Failure::bad_input(format!(
                "{} and {} are not of one day",
                first_path.display(),
                path.display()
            )));
        }
        shards.push((path, shard));
    }
    shards.sort_by_key(|(_, shard)| shard.shard.nth);
    let of = shards.first().map_or(0, |(_, shard)| shard.shard.of);
    let there: Vec<u32> = shards.iter().map(|(_, shard)| shard.shard.nth).collect();
    if there != (1..=of).collect::<Vec<u32>>() {
        return Err(Failure::bad_input(format!(
            "a day of {of} shards needs each of 1/{of} to {of}/{of} once; there are {}",
            there
                .iter()
                .map(|nth| format!("{nth}/{of}"))
                .collect::<Vec<_>>()
                .join(", ")
        )));
    }
    let mut tally = Tally::default();
    for (_, shard) in &shards {
        tally.add(&shard.tally);
    }
    let (_, first) = &shards[0];
    report::print(&first.subject, &tally, args.form)?;
    Ok(Exit::AsRecorded)
}

fn read(path: &Path) -> Result<DayShard> {
    let name = path.display();
    let text = fs::read(path)
        .map_err(|error| Failure::bad_input(format!("{name} cannot be read: {error}")))?;
    let shard: DayShard = serde_json::from_slice(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::bad_input(format!(
            "{name}:{line}:{column}: this is no shard of a day: {error}"
        ))
        .help("a shard is what `faultlab day --shard I/N` writes to standard output")
    })?;
    if shard.faultlab_day != VERSION {
        let what = format!("{name} is a shard of version {}", shard.faultlab_day);
        return Err(Failure::bad_input(what).help(format!("this program reads version {VERSION}")));
    }
    Ok(shard)
}
