//! What the command line takes. Commands and flags are an interface: these spellings stay.

mod observers;
mod values;

use std::ffi::OsString;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::console::When;
use crate::exit;
use crate::failure::Result;
#[cfg(target_os = "linux")]
use crate::host::GuestPlaces;
use crate::host::{Host, Places};
use crate::html::{self, Book};
use crate::probe::Mutation;
use crate::step::Place;

pub use observers::{Bench, BenchObservers, BenchWhat, Day, DayForm, Detect, Serve};
pub use values::{Shard, Window};

use observers::SERVE_HELP;
use values::{actor, bits, jobs, seeds, setting, shard};

/// A reproducible lab for failures.
///
/// Replays failures on deterministic models of Windows 7 and of Linux TCP, and judges what is claimed
/// about them: every verdict comes with its basis, its evidence and a trace hash.
#[derive(Clone, Debug, Parser)]
#[command(name = "faultlab", version, arg_required_else_help = true, after_help = exit::HELP)]
pub struct Cli {
    /// Whether to colour.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = true,
        help = "Colour: auto, always or never"
    )]
    pub color: When,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List the scenarios that this binary carries, or what scenarios can be made of
    #[command(after_help = "Example:\n  faultlab list")]
    List(List),
    /// Replay scenarios and judge every claim (the main job)
    #[command(
        after_help = "Example:\n  faultlab run path-lost-update --repro lost.ron\n  \
                            faultlab run goroot-race --step --claim 2.5-f\n  \
                            faultlab run --junit report.xml --github\n  \
                            faultlab run syn-blackhole --host linux-vm"
    )]
    Run(Run),
    /// Sum up a capture or recorded events of a real machine, and try claims on them
    #[command(after_help = "Example:\n  faultlab import trouble.pcapng\n  \
                            faultlab import trace.txt --claims mine.ron\n  \
                            faultlab import void.pcap --scenario syn-blackhole --arm blackhole-6.18")]
    Import(Import),
    /// Replay a reproduction file: exit 0 if its verdict recurs, 1 if not
    #[command(
        after_help = "Example:\n  faultlab replay lost.ron --exact\n  faultlab replay lost.ron --step --at 12"
    )]
    Replay(Replay),
    /// Tell a scenario's story: what is said, what happens, why, how to see it
    #[command(after_help = "Example:\n  faultlab explain path-lost-update")]
    Explain(Explain),
    /// Search an arm's schedules, count those that show a claim, and shrink one
    #[command(
        after_help = "Example:\n  faultlab explore path-lost-update --schedules exhaustive\n  \
                            faultlab explore goroot-race --point-of-no-return"
    )]
    Explore(Explore),
    /// Run an arm under many seeds, and check that each run repeats
    #[command(after_help = "Example:\n  faultlab sweep path-lost-update --seeds 0..1000")]
    Sweep(Sweep),
    /// Play a day of many nodes through aggregation and detection: 4.2 billion events without a file
    #[command(
        after_help = "Example:\n  faultlab day\n  faultlab day --window 10:00..10:01 --node 7 > minute.jsonl\n  \
                            faultlab day --shard 1/2 > one.json"
    )]
    Day(Day),
    /// Measure what each way to observe costs on the same incident, and what it finds
    #[command(after_help = "Example:\n  faultlab bench observers --html observers.html")]
    Bench(Bench),
    /// Score every observer, as it is and with each fault, against incidents that were injected
    #[command(
        after_help = "Example:\n  faultlab detect\n  faultlab detect --csv > table.csv\n  \
                            faultlab detect --print > mine.ron; faultlab detect mine.ron"
    )]
    Detect(Detect),
    /// Play a node and its observers in real time: metrics for Prometheus, alerts to files and webhooks
    #[command(after_help = SERVE_HELP)]
    Serve(Serve),
    /// Put the shards of a sweep or of a day together: prints what one would print
    #[command(
        after_help = "Example:\n  faultlab sweep path-lost-update --seeds 0..1000 --shard 1/2 > one.json\n  \
                            faultlab sweep path-lost-update --seeds 0..1000 --shard 2/2 > two.json\n  \
                            faultlab merge one.json two.json"
    )]
    Merge(Merge),
    /// Hold the models against a host, difference by difference: exit 4 if they differ
    #[command(
        after_help = "Example:\n  faultlab validate --host wine\n  faultlab validate --host linux\n  faultlab validate tcp/c_client_close_618 --host linux --times\n  faultlab validate --mixtures 0..100 --host linux\n  faultlab validate registry text --recorded their-machine.jsonl"
    )]
    Validate(Validate),
    /// Save what a host answers, for `validate --recorded` where the host is not
    #[command(after_help = "Example:\n  faultlab record --host wine wine.jsonl")]
    Record(Record),
    /// Run a batch file of your own on a modelled Windows 7
    #[command(
        after_help = "Example:\n  faultlab cmd install.bat /quiet --as alice --diff\n  \
                            faultlab cmd install.bat --fault registry-access-denied:nth=2\n  \
                            faultlab cmd install.bat --explore other.bat --repro race.ron\n\n\
                            What is not modelled, an option or a program, is refused by name and leaves ERRORLEVEL 64023, which nothing \
                            on Windows gives: what the script did after that is not to be trusted.\n\n\
                            Exit codes: 0 the script ended with 0 (with --explore: every order of steps comes to what some order of \
                            whole scripts comes to); 1 it did not, or met what is not modelled, or a fault struck nothing; 2 bad input."
    )]
    Cmd(Cmd),
    /// Speak the probe protocol for a host, on standard input and output
    #[command(after_help = "Example:\n  faultlab probe --host sim")]
    Probe(Probe),
    /// Speak the probe protocol for the kernel that this runs on, as the agent inside of a machine
    #[command(
        hide = true,
        after_help = "Example:\n  faultlab agent --programs tcp_events.o"
    )]
    Agent(Agent),
    /// Tell why a user gets or does not get an access: which entry, which right, which rule
    #[command(
        after_help = "Example:\n  faultlab explain-access 'C:\\Windows' --as alice --access write\n  \
                            faultlab explain-access 'HKLM\\SOFTWARE' --access KEY_SET_VALUE\n  \
                            faultlab explain-access 'C:\\Go\\bin\\go.exe' --scenario c-go-acl --access modify"
    )]
    ExplainAccess(ExplainAccess),
    /// A scenario as an exercise: the symptom, hints, a question, and a fix that is judged by running it
    #[command(
        after_help = "Example:\n  faultlab lesson goroot-race --student ann\n  \
                            faultlab lesson goroot-race --student ann --hint 1\n  \
                            faultlab lesson goroot-race --student ann --start work\n  \
                            faultlab lesson goroot-race --check work\n  \
                            faultlab lesson goroot-race --student ann --solution"
    )]
    Lesson(Lesson),
    /// Say which hosts are usable here
    #[command(after_help = "Example:\n  faultlab doctor")]
    Doctor,
    /// What this program does for the host linux-vm in processes of its own
    #[cfg(target_os = "linux")]
    #[command(
        hide = true,
        subcommand,
        after_help = "Example:\n  faultlab vm guard 4711 qemu-system-x86_64 -nodefaults"
    )]
    Vm(Vm),
}

/// `vm`
#[cfg(target_os = "linux")]
#[derive(Clone, Debug, Subcommand)]
pub enum Vm {
    /// Become a program that dies with the process that started this
    Guard {
        /// The number of that process
        parent: u32,
        /// The program
        program: OsString,
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Be the first process of a guest
    Guest {
        /// How its time passes
        clock: crate::host::linux_vm::guest::Clock,
    },
}

/// `lesson`
#[derive(Clone, Debug, Args)]
pub struct Lesson {
    /// The scenario
    #[arg(value_name = "ID")]
    pub name: String,
    /// Who learns: each name has other paths and numbers, and another run, of the same failure
    #[arg(long, value_name = "NAME")]
    pub student: Option<String>,
    /// Show the first N hints
    #[arg(long, value_name = "N", conflicts_with_all = ["start", "check", "answer", "solution"])]
    pub hint: Option<usize>,
    /// Write the exercise's files to a new folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["check", "answer", "solution"])]
    pub start: Option<PathBuf>,
    /// Judge the fix in that folder by running it: exit 0 if it is one, 1 if not
    #[arg(long, value_name = "DIR", conflicts_with = "solution")]
    pub check: Option<PathBuf>,
    /// Judge an answer to the question
    #[arg(long, value_name = "N", conflicts_with = "solution")]
    pub answer: Option<u64>,
    /// For instructors: print the answer, computed anew
    #[arg(long)]
    pub solution: bool,
}

/// `explain-access`
#[derive(Clone, Debug, Args)]
pub struct ExplainAccess {
    /// A file, directory or key; with --sddl, what the descriptor is of
    #[arg(value_name = "PATH|KEY")]
    pub object: String,
    /// Who asks: alice, admin, admin-filtered, SYSTEM, LocalService or NetworkService
    #[arg(long = "as", value_name = "USER", default_value = "alice")]
    pub user: String,
    /// What for: read, write, modify, delete, full, maximum, names of rights, or a mask such as 0x2; several
    /// with commas
    #[arg(long, value_name = "RIGHTS", default_value = "maximum")]
    pub access: String,
    /// The descriptor, such as `icacls /save` or `(Get-Acl X).Sddl` gives it, in place of the machine's
    #[arg(long, value_name = "SDDL")]
    pub sddl: Option<String>,
    /// The machine of a scenario when its programs begin, in place of the default machine
    #[arg(long, value_name = "ID|FILE", conflicts_with = "sddl")]
    pub scenario: Option<String>,
    /// The arm of that scenario
    #[arg(
        long,
        value_name = "ARM",
        default_value = "baseline",
        requires = "scenario"
    )]
    pub arm: String,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// `list`
#[derive(Clone, Debug, Args)]
pub struct List {
    /// The faults that scenarios can inject, with their parameters
    #[arg(long, conflicts_with = "records")]
    pub faults: bool,
    /// The kinds of record that patterns can match, with their fields
    #[arg(long)]
    pub records: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `run`
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Ids, or paths of scenario files or folders (with a slash, or ending in .ron); none: all
    #[arg(value_name = "ID|FILE")]
    pub names: Vec<String>,
    /// The seed of single runs, and the first of several
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Where to run; with linux or linux-vm, TCP worlds are played on this kernel, or on one in QEMU, and judged
    /// beside the models
    #[arg(long, value_enum, default_value_t)]
    pub host: Host,
    #[cfg(target_os = "linux")]
    #[command(flatten)]
    #[expect(missing_docs, reason = "it would become a help text")]
    pub guest: GuestPlaces,
    /// One JSON object a line for each scenario
    #[arg(long)]
    pub json: bool,
    /// Also write a JUnit report
    #[arg(long, value_name = "F")]
    pub junit: Option<PathBuf>,
    /// Also print annotations for GitHub's workflows: an error at each claim that is not as recorded
    #[arg(long)]
    pub github: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "it would become a help text")]
    pub html: Html,
    /// Also write the trace of each arm's run under the seed, one record a line
    #[arg(long, value_name = "OUT.jsonl")]
    pub trace: Option<PathBuf>,
    /// Also write what the hosts of a TCP world sent, for Wireshark: of one arm's run under the seed
    #[arg(long, value_name = "OUT.pcap|OUT.pcapng")]
    pub pcap: Option<PathBuf>,
    /// Also write one arm's run under the seed for ui.perfetto.dev: records, and states of sockets
    #[arg(long, value_name = "OUT.json")]
    pub perfetto: Option<PathBuf>,
    /// Which arm --pcap and --perfetto are about; without it, baseline. With --step, its run under the seed
    #[arg(long, value_name = "NAME")]
    pub arm: Option<String>,
    /// Also write the run that decided a claim, shrunk
    #[arg(long, value_name = "OUT.ron")]
    pub repro: Option<PathBuf>,
    /// Go step by step through the run that decides a claim: on a terminal to move about in, else as text
    #[arg(long, conflicts_with_all = ["json", "junit", "html", "trace", "pcap", "perfetto", "repro", "github"])]
    pub step: bool,
    /// Where --step begins: a record (12, from 0) or a time (1.5s, 20ms)
    #[arg(long, value_name = "RECORD|TIME", requires = "step")]
    pub at: Option<Place>,
    /// Which claim --repro or --step is about; without it, the first not as recorded, else the first of
    /// all, among those that a single run decides
    #[arg(long, value_name = "ID")]
    pub claim: Option<String>,
}

/// `import`
#[derive(Clone, Debug, Args)]
pub struct Import {
    /// A pcap or pcapng, text of trace, trace_pipe or perf script, or JSON lines as `run --trace` writes; - for
    /// standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Judge the claims in this file: a RON list of claims as scenarios have them, without arms
    #[arg(long, value_name = "CLAIMS.ron", conflicts_with = "scenario")]
    pub claims: Option<PathBuf>,
    /// Judge the claims of this scenario: an id, or a path
    #[arg(long, value_name = "ID|FILE")]
    pub scenario: Option<String>,
    /// Which arm of the scenario it is a run of, and so which verdicts to expect; of a trace of several arms,
    /// which one
    #[arg(long, value_name = "NAME")]
    pub arm: Option<String>,
    /// Call whoever has this address so; without it, actors are called by their addresses
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = actor)]
    pub actor: Vec<(String, IpAddr)>,
    /// Kinds of event that were recorded, even if the file has none of them
    #[arg(long, value_name = "KIND,KIND", value_delimiter = ',')]
    pub recorded: Vec<String>,
    /// Of a damaged file, take what comes before the damage
    #[arg(long)]
    pub partial: bool,
    /// Also write the events, as `run --trace` does
    #[arg(long, value_name = "OUT.jsonl")]
    pub trace: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// A page to look at.
#[derive(Clone, Debug, Args)]
pub struct Html {
    /// Also write one HTML file that shows what happened: claims, runs to step through, state before and after
    #[arg(long, value_name = "OUT.html")]
    pub html: Option<PathBuf>,
    /// How many records of each run the file has at most; of larger runs, those of as many clients as fit
    #[arg(long, value_name = "N", requires = "html", default_value_t = html::RECORDS,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub html_records: u32,
}

impl Html {
    /// Begins the file, if one was asked for.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(&self) -> Result<Option<Book>> {
        Book::create_if_asked(self.html.as_ref(), self.html_records as usize)
    }
}

/// `replay`
#[derive(Clone, Debug, Args)]
pub struct Replay {
    /// The reproduction
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Demand the recorded trace, not just the recorded verdict
    #[arg(long)]
    pub exact: bool,
    /// Go step by step: on a terminal to move about in, else as text
    #[arg(long, conflicts_with_all = ["exact", "html"])]
    pub step: bool,
    /// Where --step begins: a record (12, from 0) or a time (1.5s, 20ms)
    #[arg(long, value_name = "RECORD|TIME", requires = "step")]
    pub at: Option<Place>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "it would become a help text")]
    pub html: Html,
}

/// `explain`
#[derive(Clone, Debug, Args)]
pub struct Explain {
    /// The scenario
    #[arg(value_name = "ID")]
    pub name: String,
}

/// Which schedules to search.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Schedules {
    /// Every interleaving and every narrow choice
    Exhaustive,
    /// Random priorities with few preemptions
    Pct,
    /// Uniformly random schedules
    Random,
}

/// `explore`
#[derive(Clone, Debug, Args)]
pub struct Explore {
    /// The scenario
    #[arg(value_name = "ID")]
    pub name: String,
    /// Which schedules; without it, as the scenario says for the arm
    #[arg(long, value_enum)]
    pub schedules: Option<Schedules>,
    /// How many runs (exhaustive: states) at most; needs --schedules
    #[arg(long, value_name = "N", requires = "schedules", value_parser = clap::value_parser!(u64).range(1..))]
    pub budget: Option<u64>,
    /// Which arm; without it, baseline, or for --point-of-no-return the one that decides each claim
    #[arg(long, value_name = "NAME")]
    pub arm: Option<String>,
    /// A value for a parameter of the scenario
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "it would become a help text")]
    pub html: Html,
    /// Along a run that fails: the share of futures that still fail after each record, and where it
    /// jumps. Interleavings are counted, or, where that cannot be, --budget seeds are tried
    #[arg(long)]
    pub point_of_no_return: bool,
    /// One JSON object a line for each search, or for each claim's point of no return
    #[arg(long)]
    pub json: bool,
}

/// `sweep`
#[derive(Clone, Debug, Args)]
pub struct Sweep {
    /// The scenario
    #[arg(value_name = "ID")]
    pub name: String,
    /// The seeds from A to before B
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    pub seeds: Range<u64>,
    /// Only the I-th of N parts (from 1), as a shard for `faultlab merge`
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<Shard>,
    /// Which arm
    #[arg(long, value_name = "NAME", default_value = "baseline")]
    pub arm: String,
    /// A value for a parameter of the scenario
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
    /// How many threads; without it, one a core. The result is the same
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// One JSON object, with all seeds that show or break a claim
    #[arg(long)]
    pub json: bool,
}

/// `merge`
#[derive(Clone, Debug, Args)]
pub struct Merge {
    /// The shards, in any order
    #[arg(value_name = "SHARD", required = true)]
    pub files: Vec<PathBuf>,
    /// As `faultlab sweep` or `faultlab day` would with the same flag
    #[command(flatten)]
    pub form: DayForm,
}

/// `validate`
#[derive(Clone, Debug, Args)]
pub struct Validate {
    /// Sets of questions that the binary carries, such as registry; none: all, unless --vectors is given
    #[arg(value_name = "ID")]
    pub names: Vec<String>,
    /// The host
    #[arg(long, value_enum)]
    pub host: Option<Host>,
    /// Hosts to compare with, all of which must be there
    #[arg(long, value_enum, value_name = "H,H", value_delimiter = ',')]
    pub require: Vec<Host>,
    /// A file of questions: lines of the probe protocol, or vectors
    #[arg(long, value_name = "FILE")]
    pub vectors: Vec<PathBuf>,
    /// Instead of a host, what one answered: a file of `faultlab record`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["host", "require", "names", "vectors"])]
    pub recorded: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "it would become a help text")]
    pub places: Places,
    #[command(flatten)]
    #[expect(missing_docs, reason = "it would become a help text")]
    pub asking: Asking,
    /// List a kernel's events beside the model's, with the times of both
    #[arg(long, conflicts_with = "json")]
    pub times: bool,
    /// Count differences as such on a kernel of which the models have no profile, too
    #[arg(long)]
    pub strict: bool,
    /// Also list what differs only because something differed before
    #[arg(long)]
    pub verbose: bool,
    /// One JSON object for each host
    #[arg(long)]
    pub json: bool,
    /// Also write a JUnit report
    #[arg(long, value_name = "F")]
    pub junit: Option<PathBuf>,
    /// Switch a rule of the models off, to see that it is noticed
    #[arg(long, value_enum, hide = true)]
    pub mutate: Option<Mutation>,
}

/// `record`
#[derive(Clone, Debug, Args)]
pub struct Record {
    /// The file to write
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// Sets of questions that the binary carries; none: all, unless --vectors is given
    #[arg(value_name = "ID")]
    pub names: Vec<String>,
    /// The host
    #[arg(long, value_enum)]
    pub host: Host,
    /// A file of questions: lines of the probe protocol, or vectors
    #[arg(long, value_name = "FILE")]
    pub vectors: Vec<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "it would become a help text")]
    pub places: Places,
    #[command(flatten)]
    #[expect(missing_docs, reason = "it would become a help text")]
    pub asking: Asking,
}

/// What a kernel is asked, and how.
#[derive(Clone, Debug, Args)]
pub struct Asking {
    /// Also ask a kernel the cases of TCP that last longer than 30 s, up to 16 minutes
    #[arg(long)]
    pub all: bool,
    /// Ask a kernel cases that are made at random, of the seeds from A to before B: mixtures of settings,
    /// connections, data, closes and outages
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    pub mixtures: Option<Range<u64>>,
    /// How many cases a kernel plays at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = jobs)]
    pub jobs: usize,
}

/// `cmd`
#[derive(Clone, Debug, Args)]
pub struct Cmd {
    /// The batch file
    #[arg(value_name = "FILE.bat")]
    pub file: PathBuf,
    /// Its arguments; those that begin with a hyphen come behind `--`
    #[arg(value_name = "ARG")]
    pub arguments: Vec<String>,
    /// The machine: registry, files and locale, as a scenario's world has them
    #[arg(long, value_name = "W.ron")]
    pub world: Option<PathBuf>,
    /// Who runs it: alice, admin, admin-filtered, SYSTEM, LocalService or NetworkService
    #[arg(long = "as", value_name = "USER", default_value = "admin")]
    pub user: String,
    /// The bitness of the cmd.exe that runs it
    #[arg(long, value_name = "32|64", default_value_t = 64, value_parser = bits)]
    pub bits: u32,
    /// The language that the system speaks to it, en-US or zh-CN; without --world also the system locale, whose code
    /// page consoles begin with: 437 or 936
    #[arg(long, value_name = "LOCALE", default_value = "en-US", value_parser = ["en-US", "zh-CN"])]
    pub locale: String,
    /// A fault to inject, as NAME or NAME:at=ACTOR,nth=N,PARAMETER=VALUE; `faultlab list --faults` has them
    #[arg(long, value_name = "F")]
    pub fault: Vec<String>,
    /// Run it beside a second one (without one: its own processes) in every order of their steps
    #[arg(long, value_name = "FILE2.bat", num_args = 0..=1)]
    pub explore: Option<Option<PathBuf>>,
    /// How many states --explore looks at, before it goes on with so many random schedules
    #[arg(long, value_name = "N", default_value_t = 100_000, requires = "explore", value_parser = clap::value_parser!(u64).range(1..))]
    pub budget: u64,
    /// Also write the shortest run with another end, if --explore finds one
    #[arg(long, value_name = "OUT.ron", requires = "explore")]
    pub repro: Option<PathBuf>,
    /// Show what it changed in registry, files and variables
    #[arg(long, conflicts_with = "explore")]
    pub diff: bool,
    /// Go step by step through the run, or with --explore through the shortest with another end: on a terminal to
    /// move about in, else as text
    #[arg(long, conflicts_with_all = ["json", "html", "diff", "repro"])]
    pub step: bool,
    /// Where --step begins: a record (12, from 0) or a time (1.5s, 20ms)
    #[arg(long, value_name = "RECORD|TIME", requires = "step")]
    pub at: Option<Place>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "it would become a help text")]
    pub html: Html,
    /// What is typed while it runs, such as the answer to a question
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub input: String,
    /// The seed of %RANDOM%, and without --explore of the order of processes
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// `probe`
#[derive(Clone, Debug, Args)]
pub struct Probe {
    /// The host
    #[arg(long, value_enum)]
    pub host: Host,
    #[command(flatten)]
    #[expect(missing_docs, reason = "it would become a help text")]
    pub places: Places,
    /// Decides what the models leave open, such as the phase of a kernel's clock; without it, the defaults
    #[arg(long)]
    pub seed: Option<u64>,
}

/// `agent`
#[derive(Clone, Debug, Args)]
pub struct Agent {
    /// The eBPF programs, built elsewhere; without it, they are built here
    #[arg(long, value_name = "FILE")]
    pub programs: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            let example = format!("faultlab {}", command.get_name());
            assert!(
                help.is_some_and(|help| help.contains(&example)),
                "{example}"
            );
        }
    }
}
