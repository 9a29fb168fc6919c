//! `env.block` and `env.expand`: CreateEnvironmentBlock and ExpandEnvironmentStrings.

use faultlab_sim::win7::environment::{
    Account, Block, Computer, Stored, Value as Setting, create_block,
};
use faultlab_sim::win7::text::Wide;
use serde_json::Value;

use super::request::Bad;
use super::{Body, Operation, Refusal, Request, Session};

/// By name.
pub(super) const OPS: &[(&str, Operation)] = &[("env.block", block), ("env.expand", expand)];

/// `{name: [type, value]}`.
fn stored(request: &Request<'_>, field: &str) -> Result<Vec<(Wide, Setting)>, Bad> {
    let setting = |value: &Value| -> Option<Setting> {
        let [kind, data] = value.as_array()?.as_slice() else {
            return None;
        };
        Some(match kind.as_u64()? {
            1 => Setting::Text(data.as_str()?.into()),
            2 => Setting::Expand(data.as_str()?.into()),
            other => Setting::Other(u32::try_from(other).ok()?),
        })
    };
    let values = request.object(field, "an object of [type, value]", setting)?;
    Ok(values
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect())
}

fn block(_: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["machine", "user", "account"])?;
    let computer = Computer::default();
    let stored = Stored {
        machine: stored(request, "machine")?,
        user: stored(request, "user")?,
        volatile: Vec::new(),
    };
    // What is the same for every account comes from the computer; who the account is, from the request.
    let common = Account::User("alice".into()).core(&computer);
    let of_computer = |name: &str| name.contains("Program") || name == "COMPUTERNAME";
    let mut core: Vec<(Wide, Wide)> = common
        .into_iter()
        .filter(|(name, _)| of_computer(name))
        .map(|(name, value)| (name.into(), (&*value).into()))
        .collect();
    let account = request.object_of_texts("account")?;
    let account = account
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()));
    core.extend(account);
    let block = create_block(&computer, &stored, &core);
    body.object("vars", |vars| {
        for (name, value) in block.iter() {
            vars.named_by_units(name.units(), value.units());
        }
    });
    Ok(())
}

fn expand(_: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["vars", "text"])?;
    let block = Block::of(request.object_of_texts("vars")?);
    let text = block.expand(&request.text("text")?.into());
    body.units("text", text.units());
    Ok(())
}
