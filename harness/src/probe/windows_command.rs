//! `resolve`: which file a command name runs.

use faultlab_sim::win7::environment::Block;
use faultlab_sim::win7::registry::Bits;
use faultlab_sim::win7::resolve::{FileList, PATHEXT, Place, cmd, create_process, powershell2};

use super::request::failed;
use super::{Body, Operation, Refusal, Request, Session};

/// By name.
pub(super) const OPS: &[(&str, Operation)] = &[("resolve", resolve)];

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
