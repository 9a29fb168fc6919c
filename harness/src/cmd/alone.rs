//! A batch file that runs alone.

use faultlab_sim::engine::{Entity, Names, Observer, Time};
use faultlab_sim::scenario::{Loaded, Prepared, Ran, Record, Touched};
use faultlab_sim::win7::cmd::Record as CmdRecord;
use faultlab_sim::win7::files::diff::diff as file_diff;
use faultlab_sim::win7::registry::diff::{diff as registry_diff, lines as registry_lines};
use serde::Serialize;

use super::{chooser, named, tell_idle, title};
use crate::cli;
use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::html::{Chapter, Headed, play};
use crate::render::Page;
use crate::step::{self, Shown};

/// Shows what consoles show, as it comes.
struct Live {
    shows: bool,
    /// The processes that there were, by name.
    processes: Vec<String>,
    failed: Option<Failure>,
}

impl Observer<Record> for Live {
    fn see(&mut self, _: Time, actor: Entity, record: &Record, names: &Names) {
        if let Record::Cmd(CmdRecord::Start { .. }) = record {
            self.processes.push(names.path(actor).to_string());
        }
        let Record::Cmd(CmdRecord::Output { stream, text }) = record else {
            return;
        };
        if !self.shows || self.failed.is_some() {
            return;
        }
        match *stream {
            "stderr" => eprint!("{text}"),
            _ => self.failed = console::print(text).err(),
        }
    }
}

/// What a script came to, for other programs.
#[derive(Serialize)]
struct Told<'a> {
    exit: u32,
    stdout: &'a str,
    stderr: &'a str,
    unsupported: &'a [String],
    /// Faults that struck nothing.
    idle_faults: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<Changes>,
}

/// What a script left other than it found it.
#[derive(Serialize)]
struct Changes {
    registry: Vec<String>,
    files: Vec<String>,
    variables: Vec<String>,
}

/// Runs it, and tells what it came to.
pub(super) fn run(
    args: &cli::Cmd,
    layout: Layout,
    loaded: &Loaded,
    prepared: &Prepared,
    name: &str,
) -> Result<Exit> {
    if args.step {
        let shown = Shown {
            title: title(args),
            prepared: prepared.clone(),
            chooser: chooser(args),
        };
        return step::show(shown, args.at, layout).map(|()| Exit::AsRecorded);
    }
    let mut book = args.html.begin()?;
    let mut live = Live {
        shows: !args.json,
        processes: Vec::new(),
        failed: None,
    };
    let ran = prepared.run_on_console(name, &mut *chooser(args).source(), &mut live);
    if let Some(failure) = live.failed {
        return Err(failure);
    }
    let changed = args.diff || book.is_some();
    let mut diff = changed.then(|| changes(prepared, &ran)).transpose()?;
    if let (Some(book), Some(diff)) = (&mut book, &diff) {
        book.add(chapter(args, loaded, prepared, &ran, diff, book.records()));
    }
    diff = diff.filter(|_| args.diff);
    if args.json {
        console::print_json(&Told {
            exit: ran.exit,
            stdout: &ran.stdout,
            stderr: &ran.stderr,
            unsupported: &ran.unsupported,
            idle_faults: named(args, &ran.idle_faults),
            diff,
        })?;
    } else {
        if let Some(diff) = &diff {
            console::print(&diff.page(layout))?;
        }
        for what in &ran.unsupported {
            eprintln!("not modelled: {what}");
        }
        if !ran.unsupported.is_empty() {
            eprintln!("What came after that is not to be trusted.");
        }
        tell_idle(args, &ran.idle_faults, &live.processes);
        eprintln!("exit code {}", ran.exit as i32);
    }
    if let Some(book) = book {
        book.commit()?;
    }
    Ok(Exit::of_verdicts(
        ran.exit == 0 && ran.unsupported.is_empty() && ran.idle_faults.is_empty(),
    ))
}

/// The page of a script that ran alone: what it came to, and its run.
fn chapter(
    args: &cli::Cmd,
    loaded: &Loaded,
    prepared: &Prepared,
    ran: &Ran,
    diff: &Changes,
    records: usize,
) -> Chapter {
    let about = format!("exit code {}", ran.exit as i32);
    let mut chapter = Chapter::of(loaded, about);
    if !ran.unsupported.is_empty() {
        let what = ran.unsupported.join(", ");
        let text = format!("{what}. What came after that is not to be trusted.");
        chapter.add_part(Headed::new("Not modelled", text));
    }
    for (title, lines) in diff.parts() {
        let text = match lines.is_empty() {
            true => "no change".into(),
            false => lines.join("\n"),
        };
        chapter.add_part(Headed::new(title, text));
    }
    let shown = play(prepared, &chooser(args), records);
    chapter.add_run(title(args), "", &shown, true);
    chapter
}

fn changes(prepared: &Prepared, ran: &Ran) -> Result<Changes> {
    let first = prepared
        .windows_machine()
        .expect("it was built of a Windows world")
        .map_err(Failure::bad_input)?;
    let registry = registry_diff(&first.registry, &ran.machine.registry);
    let files = file_diff(&first.files, &ran.machine.files);
    let variable = |touched: &Touched| match (&touched.before, &touched.after) {
        (None, Some(text)) => format!("+ {}={text}", touched.what),
        (_, Some(text)) => format!("~ {}={text}", touched.what),
        (_, None) => format!("- {}", touched.what),
    };
    Ok(Changes {
        registry: registry_lines(&registry),
        files: files.iter().map(ToString::to_string).collect(),
        variables: ran.variables.iter().map(variable).collect(),
    })
}

impl Changes {
    fn parts(&self) -> [(&str, &Vec<String>); 3] {
        [
            ("registry", &self.registry),
            ("files", &self.files),
            ("variables at the end", &self.variables),
        ]
    }

    fn page(&self, layout: Layout) -> String {
        let mut page = Page::new(layout);
        for (title, lines) in self.parts() {
            page.gap();
            page.heading(title);
            if lines.is_empty() {
                page.item("  ", 2, "no change");
            }
            for line in lines.iter().flat_map(|line| line.lines()) {
                page.item("  ", 2, line);
            }
        }
        page.into_text()
    }
}
