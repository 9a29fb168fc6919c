//! `go.find_goroot`, `go.escape`, `go.check_source`.

use faultlab_sim::golang::goroot::{Paths, Question, cannot_find, find};
use faultlab_sim::golang::source::{Tool, check};
use faultlab_sim::golang::{Release, escape};
use serde_json::{Map, Value, json};

use super::plain::{Answer, Fields, Read};

/// The release that is meant where none is named: that which the model was held against.
const RELEASE: Release = Release(1, 19, 8);

/// Answers an operation of this family.
pub fn handle(op: &str, request: &Map<String, Value>) -> Answer {
    let fields = Fields(request);
    let answer = match op {
        "go.find_goroot" => find_goroot(fields),
        "go.escape" => escaped(fields),
        "go.check_source" => check_source(fields),
        _ => Ok(Answer::Unsupported(format!("{op} is no operation on Go"))),
    };
    answer.unwrap_or_else(|wrong| wrong)
}

fn release(fields: Fields<'_>) -> Read<Release> {
    let Some(text) = fields.maybe_text("version")? else {
        return Ok(RELEASE);
    };
    Release::of(text).ok_or_else(|| Answer::BadRequest("`version` must be a release of Go".into()))
}

fn find_goroot(fields: Fields<'_>) -> Read<Answer> {
    let paths = Paths::Windows;
    let trees: Vec<String> = fields
        .texts("has_pkg_tool")?
        .into_iter()
        .map(|tree| paths.clean(tree))
        .collect();
    let has = |directory: &str| trees.iter().any(|tree| paths.same(tree, directory));
    let question = Question {
        paths,
        release: release(fields)?,
        variable: fields.maybe_text("env_goroot")?.unwrap_or_default(),
        executable: fields.text("exe")?,
        target: fields.maybe_text("exe_target")?,
        baked: fields.maybe_text("baked")?.unwrap_or_default(),
    };
    let Ok(root) = find::<std::convert::Infallible>(&question, &mut |tree| Ok(has(tree)));
    Ok(match has(&root) {
        true => Answer::Ok(json!({ "goroot": root })),
        false => Answer::said(format!("go: {}", cannot_find(&root))),
    })
}

fn escaped(fields: Fields<'_>) -> Read<Answer> {
    let result = match (fields.maybe_text("path")?, fields.maybe_text("version")?) {
        (Some(path), None) => escape::escape_path(path),
        (None, Some(version)) => escape::escape_version(version),
        _ => {
            return Err(Answer::BadRequest(
                "`path` or `version`, one of them".into(),
            ));
        }
    };
    Ok(match result {
        Ok(escaped) => Answer::Ok(json!({ "escaped": escaped })),
        Err(message) => Answer::said(message),
    })
}

fn check_source(fields: Fields<'_>) -> Read<Answer> {
    Ok(
        match check(Tool::Run, release(fields)?, &fields.hex("bytes")?) {
            Ok(verdict) => Answer::Ok(json!({ "exit": verdict.exit, "message": verdict.message })),
            Err(unknown) => Answer::Unsupported(unknown.to_string()),
        },
    )
}
