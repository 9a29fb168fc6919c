//! `import`: a capture, or events that something else recorded: what is in it, and claims on it.
//!
//! A file becomes a [`stream::Stream`] of the records that patterns match; [`summary`] tells what it comes to,
//! [`judge`] tries claims on it. Each kind of file says what it cannot show
//! ([`stream::Source::limits`]), and a claim that looks at such a thing is undecided.

pub mod capture;
pub mod connection;
pub mod json;
pub mod judge;
pub mod stream;
pub mod summary;
pub mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use faultlab_sim::scenario::{Claim, Verdict, load_claims};
use serde::Serialize;

use crate::cli;
use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::library;
use crate::on_arm;
use crate::output::Output;
use crate::progress::Progress;
use crate::render::claim::{INDENT, color, fact};
use crate::render::{Page, counted, printable, style};
use judge::Judged;
use stream::Stream;

/// What is wrong with a file, and where.
#[derive(Debug)]
pub struct Bad {
    place: Option<Place>,
    what: String,
    help: Option<String>,
}

#[derive(Debug)]
enum Place {
    Byte(usize),
    Line(usize),
}

impl Bad {
    fn new(what: impl Into<String>) -> Bad {
        Bad {
            place: None,
            what: what.into(),
            help: None,
        }
    }

    fn byte(at: usize, what: impl Into<String>) -> Bad {
        Bad {
            place: Some(Place::Byte(at)),
            ..Bad::new(what)
        }
    }

    fn line(number: usize, what: impl Into<String>) -> Bad {
        Bad {
            place: Some(Place::Line(number)),
            ..Bad::new(what)
        }
    }

    fn help(self, help: impl Into<String>) -> Bad {
        Bad {
            help: Some(help.into()),
            ..self
        }
    }

    /// What comes before it can be taken.
    fn or_partial(self) -> Bad {
        const PARTIAL: &str = "--partial takes what comes before";
        let help = match &self.help {
            Some(help) => format!("{help}; {PARTIAL}"),
            None => PARTIAL.into(),
        };
        self.help(help)
    }

    fn of_file(self, file: &str) -> Failure {
        let failure = Failure::bad_input(format!("{file}: {self}"));
        match self.help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = printable(&self.what);
        match self.place {
            None => f.write_str(&what),
            Some(Place::Byte(at)) => write!(f, "byte {at}: {what}"),
            Some(Place::Line(number)) => write!(f, "line {number}: {what}"),
        }
    }
}

/// The names of actors, by their addresses.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeMap<String, Arc<str>>);

impl Names {
    /// `--actor NAME=ADDRESS`.
    pub fn given(actors: &[(String, IpAddr)]) -> Names {
        let named = actors.iter();
        Names(
            named
                .map(|(name, addr)| (addr.to_string(), name.as_str().into()))
                .collect(),
        )
    }

    /// The name of whoever has this address.
    fn of(&self, address: &str) -> Arc<str> {
        let name = self.0.get(address).cloned();
        name.unwrap_or_else(|| address.into())
    }
}

/// No file is longer: it is held in memory as a whole.
const MAX_BYTES: u64 = 4 << 30;

/// Reads any of the files that are known.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read(
    bytes: &[u8],
    arm: Option<&str>,
    is_partial: bool,
    names: &Names,
) -> std::result::Result<Stream, Bad> {
    if capture::is_capture(bytes) {
        return capture::read(bytes, is_partial, names);
    }
    let is_magic = |magic: &[u8]| bytes.starts_with(magic);
    if bytes.is_empty() {
        return Err(Bad::new("the file is empty"));
    }
    if is_magic(b"PERFILE2") {
        return Err(Bad::byte(0, "this is perf's own file")
            .help("`perf script -i FILE > events.txt` makes text of it"));
    }
    if let Some((_, tool)) = COMPRESSED.iter().find(|(magic, _)| is_magic(magic)) {
        return Err(
            Bad::byte(0, format!("it is compressed by {tool}")).help(format!(
                "`{tool} -dc FILE | faultlab import -` decompresses it first"
            )),
        );
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = error.valid_up_to();
        let line = bytes[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        match line {
            1 => Bad::byte(valid, "this is no file that can be imported"),
            _ => Bad::line(line, format!("byte {valid} is not UTF-8")),
        }
        .help(KNOWN)
    })?;
    // The mark of UTF-8 that editors and PowerShell write.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.trim_start().chars().next() {
        Some('{') => json::read(text, arm, is_partial, names),
        Some('[') => Err(
            Bad::line(1, "this is a JSON array, and JSON lines are known")
                .help("`jq -c .[] FILE | faultlab import -` makes lines of it"),
        ),
        _ => text::read(text, is_partial, names),
    }
}

const CLAIM: &str = "a claim: (id: \"quiet\", says: \"nobody resets\", claim: Every(Never((kind: \"tcp_send_reset\"))), expected: Holds)";

/// What compressed files begin with, and the tool that made them.
const COMPRESSED: [(&[u8], &str); 5] = [
    (&[0x1f, 0x8b], "gzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (b"BZh", "bzip2"),
    (&[0xfd, b'7', b'z'], "xz"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
];

const KNOWN: &str = "pcap, pcapng, text of trace_pipe or perf script, and JSON lines are known";

/// The claims that are asked for, each with what it is to come to.
fn claims(args: &cli::Import) -> Result<Vec<(Claim, Option<Verdict>)>> {
    if let Some(path) = &args.claims {
        let file = path.display().to_string();
        let text = library::read_text(path)
            .map_err(|why| Failure::bad_input(format!("{file} cannot be read: {why}")))?;
        let claims =
            load_claims(&file, &text).map_err(|mistake| Failure::mistake(mistake, Some(&text)))?;
        if claims.is_empty() {
            return Err(Failure::bad_input(format!("{file}: there is no claim in it")).help(CLAIM));
        }
        let expected = |claim: Claim| {
            let expected = claim.expected.clone();
            (claim, Some(expected))
        };
        return Ok(claims.into_iter().map(expected).collect());
    }
    let Some(name) = &args.scenario else {
        return Ok(Vec::new());
    };
    let loaded = library::find(name)?.load()?;
    let Some(arm) = &args.arm else {
        let claims = loaded.scenario.claims.iter();
        return Ok(claims.map(|claim| (claim.clone(), None)).collect());
    };
    on_arm::arm(&loaded, arm)?;
    let tried = on_arm::on_arm(&loaded, arm);
    let expected = |so| if so { Verdict::Holds } else { Verdict::Refuted };
    Ok(tried
        .into_iter()
        .map(|on| (on.claim.clone(), on.expected.map(expected)))
        .collect())
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    summary: summary::Summary,
    claims: Vec<Judged>,
}

/// Runs the command.
///
/// # Errors
/// Bad input, or an output that cannot be written; no file is touched then.
pub fn run(args: &cli::Import, layout: Layout) -> Result<Exit> {
    let claims = claims(args)?;
    for kind in &args.recorded {
        if stream::kind(kind).is_none() {
            return Err(
                Failure::bad_input(format!("there is no kind of record {kind:?}"))
                    .help("`faultlab list --records` names all"),
            );
        }
    }
    let file = args.file.display().to_string();
    if let Some(out) = &args.trace
        && let (Ok(out), Ok(from)) = (out.canonicalize(), args.file.canonicalize())
        && out == from
    {
        return Err(Failure::bad_input(format!(
            "{file} is the file that is imported: --trace would replace it"
        ))
        .help("name another file"));
    }
    let mut output = Output::create_if_asked(args.trace.as_ref())?;
    let progress = Progress::spinner();
    progress.say(&format!("reads {file}"));
    let bytes = contents(&args.file)?;
    let names = Names::given(&args.actor);
    progress.say(&format!("follows what {} MB hold", bytes.len() / 1_000_000));
    let stream = read(&bytes, args.arm.as_deref(), args.partial, &names)
        .map_err(|bad| bad.of_file(&file))?;
    drop(bytes);
    let unit = counted(stream.units, stream.unit());
    if let (Some(arm), None, false) = (&args.arm, &args.scenario, stream.has_arms()) {
        return Err(Failure::bad_input(format!(
            "--arm {arm}: {file} ({}) is no trace of arms",
            stream.source.name()
        ))
        .help("--scenario says of which scenario it is an arm"));
    }
    if let Some(output) = &mut output {
        progress.say(&format!("{unit}: writes the events"));
        let mut written = Ok(());
        stream.each(&mut |entry| {
            if written.is_ok() {
                let line = serde_json::to_writer(&mut *output, entry).map_err(io::Error::from);
                written = line.and_then(|()| output.write_all(b"\n"));
            }
        });
        written.map_err(|error| output.failed(&error))?;
    }
    progress.say(&format!(
        "{unit}: judges {}",
        counted(claims.len(), "claim")
    ));
    let judged = judge::judge_all(&stream, &claims, &args.recorded);
    let exit = Exit::of_verdicts(judged.iter().all(|claim| claim.as_expected));
    progress.say(&format!("{unit}: sums up"));
    let summary = summary::summarise(&file, &stream);
    drop(progress);
    if args.json {
        console::print_json(&Answer {
            summary,
            claims: judged,
        })?;
    } else {
        let mut page = Page::new(layout);
        summary.tell(&mut page);
        for claim in &judged {
            page.gap();
            tell(&mut page, claim);
        }
        console::print(&page.into_text())?;
    }
    if let Some(output) = output {
        output.commit()?;
    }
    Ok(exit)
}

fn tell(page: &mut Page, claim: &Judged) {
    let mark = match claim.as_expected {
        true => page.paint(style::GOOD, "✓"),
        false => page.paint(style::BAD, "✗"),
    };
    let verdict = page.paint(color(&claim.verdict), &claim.verdict);
    let mut text = format!("{verdict}  {}", claim.id);
    if let Some(expected) = claim.expected.as_ref().filter(|_| !claim.as_expected) {
        text += &format!(
            "  {}",
            page.paint(style::BAD, format!("expected {expected}"))
        );
    }
    page.item(&format!("  {mark} "), 4, &text);
    page.paragraph(INDENT, &claim.says);
    if let Some(why) = &claim.undecided {
        fact(page, "why", &printable(why));
    }
    fact(page, "shown", &printable(&claim.evidence));
    for record in &claim.records {
        page.item("          ", 14, &printable(record));
    }
}

fn contents(path: &Path) -> Result<Vec<u8>> {
    let file = path.display();
    let failed = |error: io::Error| Failure::bad_input(format!("{file} cannot be read: {error}"));
    let too_large = || {
        let most = MAX_BYTES >> 30;
        Failure::bad_input(format!(
            "{file} cannot be read: it has more than {most} GiB"
        ))
        .help("take a part of it: `editcap -i 60 FILE part.pcapng` makes pieces of a minute each")
    };
    let mut bytes = Vec::new();
    let read = match path == Path::new("-") {
        true => io::stdin()
            .lock()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes),
        false => {
            let file = std::fs::File::open(path).map_err(failed)?;
            if file.metadata().map_err(failed)?.len() > MAX_BYTES {
                return Err(too_large());
            }
            file.take(MAX_BYTES + 1).read_to_end(&mut bytes)
        }
    };
    read.map_err(failed)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(too_large()),
        false => Ok(bytes),
    }
}
