//! `env.block` and `env.expand`: CreateEnvironmentBlock and ExpandEnvironmentStrings.

use faultlab_sim::win7::environment::{
    Account, Block, Computer, Stored, Value as Setting, create_block,
};
use faultlab_sim::win7::text::Wide;
use serde_json::{Map, Value, json};

use super::plain::{Answer, Fields, Read};

/// Answers an operation of this family.
pub fn handle(op: &str, request: &Map<String, Value>) -> Answer {
    let fields = Fields(request);
    let answer = match op {
        "env.block" => block(fields),
        "env.expand" => expand(fields),
        _ => Ok(Answer::Unsupported(format!(
            "{op} is no operation on environments"
        ))),
    };
    answer.unwrap_or_else(|wrong| wrong)
}

/// `{name: [type, value]}`.
fn stored(fields: Fields<'_>, field: &str) -> Read<Vec<(Wide, Setting)>> {
    let wrong = || Answer::BadRequest(format!("`{field}` must be an object of [type, value]"));
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
    let values = fields.object(field)?.into_iter();
    values
        .map(|(name, value)| Ok((name.into(), setting(value).ok_or_else(wrong)?)))
        .collect()
}

fn block(fields: Fields<'_>) -> Read<Answer> {
    let computer = Computer::default();
    let stored = Stored {
        machine: stored(fields, "machine")?,
        user: stored(fields, "user")?,
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
    core.extend(
        fields
            .object_of_texts("account")?
            .into_iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    let block = create_block(&computer, &stored, &core);
    let vars: Map<String, Value> = block
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string().into()))
        .collect();
    Ok(Answer::Ok(json!({ "vars": vars })))
}

fn expand(fields: Fields<'_>) -> Read<Answer> {
    let block = Block::of(fields.object_of_texts("vars")?);
    let text = block.expand(&fields.text("text")?.into());
    Ok(Answer::Ok(json!({ "text": text.to_string() })))
}
