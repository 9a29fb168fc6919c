//! `text.decode` and `text.encode`: MultiByteToWideChar and WideCharToMultiByte.

use faultlab_sim::win7::text::{
    CodePage, CodePages, Error, MB_ERR_INVALID_CHARS, WC_NO_BEST_FIT_CHARS, Wide,
    multi_byte_to_wide_char, wide_char_to_multi_byte,
};
use serde_json::{Map, Value, json};

use super::plain::{Answer, Fields, Read, to_hex};

/// Answers an operation of this family.
pub fn handle(op: &str, request: &Map<String, Value>) -> Answer {
    let fields = Fields(request);
    let answer = match op {
        "text.decode" => decode(fields),
        "text.encode" => encode(fields),
        _ => Ok(Answer::Unsupported(format!("{op} is no operation on text"))),
    };
    answer.unwrap_or_else(|wrong| wrong)
}

fn failed(error: Error) -> Answer {
    match error.code() {
        Some(code) => Answer::failed(code, error.name()),
        None => Answer::Unsupported(error.name().into()),
    }
}

fn page(fields: Fields<'_>) -> Read<CodePage> {
    CodePages::CHINA.page(fields.number("cp")?).map_err(failed)
}

fn decode(fields: Fields<'_>) -> Read<Answer> {
    let (page, bytes) = (page(fields)?, fields.hex("bytes")?);
    let flags = if fields.flag("strict")? {
        MB_ERR_INVALID_CHARS
    } else {
        0
    };
    let text = multi_byte_to_wide_char(page, flags, &bytes).map_err(failed)?;
    Ok(Answer::Ok(json!({ "utf16": to_hex(&text.to_le_bytes()) })))
}

fn encode(fields: Fields<'_>) -> Read<Answer> {
    let page = page(fields)?;
    let (text, odd) = Wide::from_le_bytes(&fields.hex("utf16")?);
    if odd.is_some() {
        return Err(Answer::BadRequest(
            "`utf16` must have two bytes for each unit".into(),
        ));
    }
    let flags = if fields.flag("no_best_fit")? {
        WC_NO_BEST_FIT_CHARS
    } else {
        0
    };
    let encoded = wide_char_to_multi_byte(page, flags, &text, None).map_err(failed)?;
    Ok(Answer::Ok(json!({
        "bytes": to_hex(&encoded.bytes),
        "used_default": encoded.used_default,
    })))
}
