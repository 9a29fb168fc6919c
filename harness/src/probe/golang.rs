//! `go.find_goroot`, `go.escape`, `go.check_source`.

use faultlab_sim::golang::goroot::{Paths, Question, cannot_find, find};
use faultlab_sim::golang::source::{Tool, check};
use faultlab_sim::golang::{Release, escape};

use super::{Body, Operation, Refusal, Request, Session};

/// By name.
pub(super) const OPS: &[(&str, Operation)] = &[
    ("go.find_goroot", find_goroot),
    ("go.escape", escaped),
    ("go.check_source", check_source),
];

/// The release that is meant where none is named: that which the model was held against.
const RELEASE: Release = Release(1, 19, 8);

fn release(request: &Request<'_>) -> Result<Release, Refusal> {
    let Some(text) = request.maybe_text("version")? else {
        return Ok(RELEASE);
    };
    let release = Release::of(text);
    Ok(release.ok_or_else(|| request.bad("version", "\"version\" is a release of Go"))?)
}

fn find_goroot(_: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&[
        "version",
        "env_goroot",
        "exe",
        "exe_target",
        "baked",
        "has_pkg_tool",
    ])?;
    let paths = Paths::Windows;
    let trees = request.texts("has_pkg_tool")?;
    let trees: Vec<String> = trees.into_iter().map(|tree| paths.clean(tree)).collect();
    let has = |directory: &str| trees.iter().any(|tree| paths.same(tree, directory));
    let question = Question {
        paths,
        release: release(request)?,
        variable: request.maybe_text("env_goroot")?.unwrap_or_default(),
        executable: request.text("exe")?,
        target: request.maybe_text("exe_target")?,
        baked: request.maybe_text("baked")?.unwrap_or_default(),
    };
    let Ok(root) = find::<std::convert::Infallible>(&question, &mut |tree| Ok(has(tree)));
    if !has(&root) {
        return Err(Refusal::Said(format!("go: {}", cannot_find(&root))));
    }
    body.text("goroot", &root);
    Ok(())
}

fn escaped(_: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["path", "version"])?;
    let (path, version) = (request.maybe_text("path")?, request.maybe_text("version")?);
    let result = match (path, version) {
        (Some(path), None) => escape::escape_path(path),
        (None, Some(version)) => escape::escape_version(version),
        _ => {
            let bad = request.bad("op", "go.escape needs \"path\" or \"version\", one of them");
            return Err(bad.into());
        }
    };
    body.text("escaped", &result.map_err(Refusal::Said)?);
    Ok(())
}

fn check_source(
    _: &mut Session,
    request: &Request<'_>,
    body: &mut Body<'_>,
) -> Result<(), Refusal> {
    request.knows(&["version", "bytes"])?;
    let checked = check(Tool::Run, release(request)?, &request.hex("bytes")?);
    let verdict = checked.map_err(|unknown| Refusal::Unsupported(unknown.to_string()))?;
    body.number("exit", verdict.exit.into());
    body.maybe_text("message", verdict.message.as_deref());
    Ok(())
}
