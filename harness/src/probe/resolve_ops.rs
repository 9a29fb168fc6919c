//! `resolve`: which file a command name runs.

use faultlab_sim::win7::environment::Block;
use faultlab_sim::win7::resolve::{FileList, PATHEXT, Place, cmd, create_process, powershell2};
use serde_json::{Map, Value, json};

use super::plain::{Answer, Fields, Read};

/// Answers an operation of this family.
pub fn handle(op: &str, request: &Map<String, Value>) -> Answer {
    let answer = match op {
        "resolve" => resolve(Fields(request)),
        _ => Ok(Answer::Unsupported(format!(
            "{op} is no operation on commands"
        ))),
    };
    answer.unwrap_or_else(|wrong| wrong)
}

fn resolve(fields: Fields<'_>) -> Read<Answer> {
    if fields.0.contains_key("bits") && fields.number("bits")? == 32 {
        let what = "resolve for a 32-bit caller: the redirection of System32 is not modelled here";
        return Ok(Answer::Unsupported(what.into()));
    }
    let (shell, command, cwd) = (
        fields.text("shell")?,
        fields.text("command")?,
        fields.text("cwd")?,
    );
    let mut environment = Block::of(fields.object_of_texts("env")?);
    let path = fields.texts("path")?.join(";");
    let pathext = fields.maybe_text("pathext")?.unwrap_or(PATHEXT);
    for (name, value) in [("PATH", &*path), ("PATHEXT", pathext)] {
        if let Err(error) = environment.set(&name.into(), &value.into()) {
            return Ok(Answer::failed(error.code(), error.name()));
        }
    }
    let place = Place::new(cwd, environment);
    let files = FileList::of(fields.texts("files")?);
    let found = match shell {
        "cmd" => cmd(command, &place, &files).file(),
        "powershell2" => powershell2(command, &place, &files).file(),
        "create_process" => create_process(command, &place, &files),
        other => return Ok(Answer::Unsupported(format!("the shell {other}"))),
    };
    Ok(Answer::Ok(json!({ "found": found })))
}
