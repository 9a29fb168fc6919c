//! `resolve`: which file a command name runs; `cmd.run`: what a batch file comes to.

use faultlab_sim::engine::source::{Defaults, Seed};
use faultlab_sim::scenario::run_script;
use faultlab_sim::win7::environment::Block;
use faultlab_sim::win7::files::Actor;
use faultlab_sim::win7::program::ScriptSetup;
use faultlab_sim::win7::registry::Bits;
use faultlab_sim::win7::registry::units;
use faultlab_sim::win7::resolve::{FileList, PATHEXT, Place, cmd, create_process, powershell2};

use super::request::failed;
use super::{Body, Operation, Refusal, Request, Session};

/// By name.
pub(super) const OPS: &[(&str, Operation)] = &[("resolve", resolve), ("cmd.run", cmd_run)];

/// Where the batch file lies: outside of the directories that a script looks at.
const BATCH: &str = "C:\\faultlab\\BATCH.bat";

fn cmd_run(
    session: &mut Session,
    request: &Request<'_>,
    body: &mut Body<'_>,
) -> Result<(), Refusal> {
    request.knows(&["script", "cwd", "env", "files"])?;
    let script = request.text("script")?;
    let bits = request.maybe_bits("bits")?.unwrap_or(Bits::Bits64);
    // Whether there is such an account.
    session.caller(request)?;
    let own = String::from_utf16_lossy(&session.directory);
    let directory = request.maybe_text("cwd")?.unwrap_or(&own).to_owned();
    let system = session
        .machine
        .caller("SYSTEM")
        .expect("every machine has it");
    let page = session.machine.code_pages().oem();
    let mut put = |path: &str, text: &str| -> Result<(), Refusal> {
        let actor = Actor::new(system.token());
        let full = units(path);
        let folder = full.iter().rposition(|unit| *unit == u16::from(b'\\'));
        let files = &mut session.machine.files;
        let made = files.make_tree(&actor, &full[..folder.unwrap_or(0)]);
        made.map_err(|error| Refusal::Failed(error.into()))?;
        let bytes = page.encode(&units(text));
        let written = files.write_file(&actor, &full, &bytes);
        written.map_err(|failure| Refusal::Failed(failure.win32()))
    };
    for (path, text) in request.object_of_texts("files")? {
        put(path, text)?;
    }
    put(BATCH, script)?;
    let actor = Actor::new(system.token());
    let made = session.machine.files.make_tree(&actor, &units(&directory));
    made.map_err(|error| Refusal::Failed(error.into()))?;
    let env = request.object_of_texts("env")?;
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let script = ScriptSetup {
        name: "batch".into(),
        command: BATCH.into(),
        directory,
        user: request.maybe_text("as")?.map(str::to_owned),
        in_32_bits: bits == Bits::Bits32,
        variables: env.into_iter().map(own).collect(),
        ..ScriptSetup::default()
    };
    let ran = match session.seed() {
        Some(seed) => run_script(&session.machine, script, &mut Seed(seed)),
        None => run_script(&session.machine, script, &mut Defaults),
    };
    session.machine = ran.machine;
    session.machine.files.remove_outside(&units(BATCH));
    if let Some(what) = ran.unsupported.first() {
        return Err(Refusal::Unsupported(what.clone()));
    }
    body.number("exit", ran.exit.into());
    body.text("stdout", &ran.stdout);
    body.text("stderr", &ran.stderr);
    Ok(())
}

fn resolve(_: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["shell", "command", "cwd", "path", "pathext", "env", "files"])?;
    if request.maybe_bits("bits")? == Some(Bits::Bits32) {
        let what = "resolve for a 32-bit caller: the redirection of System32 is not modelled here";
        return Err(Refusal::Unsupported(what.into()));
    }
    let (shell, command) = (request.text("shell")?, request.text("command")?);
    let cwd = request.text("cwd")?;
    let mut environment = Block::of(request.object_of_texts("env")?);
    let path = request.texts("path")?.join(";");
    let pathext = request.maybe_text("pathext")?.unwrap_or(PATHEXT);
    for (name, value) in [("PATH", &*path), ("PATHEXT", pathext)] {
        let set = environment.set(&name.into(), &value.into());
        set.map_err(|error| failed(error.code(), error.name()))?;
    }
    let place = Place::new(cwd, environment);
    let files = FileList::of(request.texts("files")?);
    let found = match shell {
        "cmd" => cmd(command, &place, &files).file(),
        "powershell2" => powershell2(command, &place, &files).file(),
        "create_process" => create_process(command, &place, &files),
        other => return Err(Refusal::Unsupported(format!("the shell {other}"))),
    };
    body.maybe_text("found", found.as_deref());
    Ok(())
}
