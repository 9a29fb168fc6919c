//! The command line of faultlab: finds scenarios, runs them on the models of `faultlab-sim` on all
//! cores, and prints what they come to.
//!
//! Start reading at [`cli`], which says what there is; each command has a module of its name.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod alert;
pub mod bench;
pub mod capture_file;
pub mod cli;
pub mod cmd;
pub mod console;
pub mod day;
pub mod deciding;
pub mod detect;
pub mod doctor;
pub mod exit;
pub mod explain;
pub mod explain_access;
pub mod explore;
pub mod failure;
pub mod github;
pub mod host;
pub mod html;
pub mod import;
pub mod junit;
pub mod lesson;
pub mod library;
pub mod list;
pub mod on_arm;
pub mod output;
pub mod perfetto;
pub mod point_of_no_return;
pub mod probe;
pub mod progress;
pub mod prometheus;
pub mod render;
pub mod replay;
pub mod ron_file;
pub mod run;
#[cfg(target_os = "linux")]
pub mod run_on_kernel;
pub mod scored;
pub mod serve;
pub mod step;
pub mod stop;
pub mod sweep;
pub mod threads;
pub mod trace_file;
pub mod validate;

use std::any::Any;
use std::ffi::OsString;
use std::panic::{self, UnwindSafe};
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use console::Layout;
use exit::Exit;
use failure::Result;
use host::Host;
use host::session::{Models, Session};
use progress::Progress;

/// Runs the command line.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        eprintln!("internal error: {}", message(panic.payload()));
        eprintln!("  at {place}");
        eprintln!("  This is a fault of faultlab, not of its input. Please report it.");
    }));
    let args: Vec<OsString> = args.collect();
    guarded(|| start(&args)).into()
}

/// Does `work`. A panic in it, on whichever thread, is a broken invariant of ours.
fn guarded(work: impl FnOnce() -> Exit + UnwindSafe) -> Exit {
    panic::catch_unwind(work).unwrap_or(Exit::Internal)
}

fn message(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message")
}

fn start(args: &[OsString]) -> Exit {
    match Cli::try_parse_from(args) {
        Ok(cli) => run(&cli),
        // Help and versions go to standard output and are no failure; mistakes are bad usage.
        Err(said) => match (said.print(), said.use_stderr()) {
            (Ok(()), false) => Exit::AsRecorded,
            _ => Exit::BadInput,
        },
    }
}

fn run(cli: &Cli) -> Exit {
    let layout = Layout::stdout(cli.color);
    let errors = Layout::stderr(cli.color);
    perform(&cli.command, layout, errors).unwrap_or_else(|failure| {
        failure.report(errors);
        failure.exit
    })
}

fn perform(command: &Command, layout: Layout, errors: Layout) -> Result<Exit> {
    match command {
        Command::List(args) => list::run(args, layout),
        Command::Run(args) => run::run(args, layout, errors),
        Command::Import(args) => import::run(args, layout),
        Command::Replay(args) => replay::run(args, layout),
        Command::Explain(args) => explain::run(args, layout),
        Command::Explore(args) => explore::run(args, layout),
        Command::Sweep(args) => sweep::run(args, layout),
        Command::Day(args) => day::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Detect(args) => detect::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Merge(args) if args.files.first().is_some_and(|file| day::is_shard(file)) => {
            day::merge(args)
        }
        Command::Merge(args) => sweep::merge(args, layout),
        Command::Validate(args) => validate::run(args, layout),
        Command::Record(args) => validate::record(args),
        Command::Cmd(args) => cmd::run(args, layout),
        Command::Probe(args) => {
            let mut session: Box<dyn Session> = match args.host {
                Host::Sim => Box::new(Models::seeded(args.seed)),
                host => host.start(&args.places, &Progress::spinner())?,
            };
            session.serve(&mut std::io::stdin().lock(), &mut std::io::stdout().lock())?;
            Ok(Exit::AsRecorded)
        }
        Command::Agent(args) => {
            let mut session = host::agent(args.programs.as_deref())?;
            session.serve(&mut std::io::stdin().lock(), &mut std::io::stdout().lock())?;
            Ok(Exit::AsRecorded)
        }
        Command::ExplainAccess(args) => explain_access::run(args, layout),
        Command::Lesson(args) => lesson::run(args, layout),
        Command::Doctor => doctor::run(layout),
        #[cfg(target_os = "linux")]
        Command::Vm(cli::Vm::Guard {
            parent,
            program,
            args,
        }) => host::linux_vm::guard::run(*parent, program, args),
        #[cfg(target_os = "linux")]
        Command::Vm(cli::Vm::Guest { clock }) => host::linux_vm::guest::run(*clock),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::Threads;

    #[test]
    fn a_broken_invariant_is_exit_5_on_any_thread() {
        assert_eq!(guarded(|| Exit::Differs), Exit::Differs);
        assert_eq!(guarded(|| panic!("broken")), Exit::Internal);
        let on_a_worker = || {
            Threads::new(Some(2)).map(4, 1, |part| assert!(part.start != 3, "broken"));
            Exit::AsRecorded
        };
        assert_eq!(guarded(on_a_worker), Exit::Internal);
    }
}
