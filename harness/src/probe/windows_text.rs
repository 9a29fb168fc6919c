//! `text.decode` and `text.encode`: MultiByteToWideChar and WideCharToMultiByte.

use faultlab_sim::win7::text::{
    CodePage, Error, MB_ERR_INVALID_CHARS, WC_NO_BEST_FIT_CHARS, Wide, multi_byte_to_wide_char,
    wide_char_to_multi_byte,
};

use super::request::failed;
use super::{Body, Mutation, Operation, Refusal, Request, Session};

/// By name.
pub(super) const OPS: &[(&str, Operation)] = &[("text.decode", decode), ("text.encode", encode)];

fn refused(error: Error) -> Refusal {
    match error.code() {
        Some(code) => failed(code, error.name()),
        None => Refusal::Unsupported(error.name().into()),
    }
}

fn page(session: &Session, request: &Request<'_>) -> Result<CodePage, Refusal> {
    let number = match (session.mutation(), request.number("cp")?) {
        (Some(Mutation::CodePage936), 936) => 1252,
        (_, number) => number,
    };
    let pages = session.machine.code_pages();
    pages.page(number).map_err(refused)
}

fn decode(
    session: &mut Session,
    request: &Request<'_>,
    body: &mut Body<'_>,
) -> Result<(), Refusal> {
    request.knows(&["cp", "bytes", "strict"])?;
    let bytes = request.hex("bytes")?;
    let flags = match request.flag("strict")? {
        true => MB_ERR_INVALID_CHARS,
        false => 0,
    };
    let page = page(session, request)?;
    if bytes.is_empty() {
        // The call itself would refuse a length of 0 (87); whoever converts nothing does not call it.
        body.hex("utf16", &[]);
        return Ok(());
    }
    let text = multi_byte_to_wide_char(page, flags, &bytes).map_err(refused)?;
    body.hex("utf16", &text.to_le_bytes());
    Ok(())
}

fn encode(
    session: &mut Session,
    request: &Request<'_>,
    body: &mut Body<'_>,
) -> Result<(), Refusal> {
    request.knows(&["cp", "utf16", "no_best_fit"])?;
    let (text, odd) = Wide::from_le_bytes(&request.hex("utf16")?);
    if odd.is_some() {
        return Err(request
            .bad("utf16", "\"utf16\" has two bytes for each unit")
            .into());
    }
    let flags = match request.flag("no_best_fit")? {
        true => WC_NO_BEST_FIT_CHARS,
        false => 0,
    };
    let page = page(session, request)?;
    if text.is_empty() {
        body.hex("bytes", &[]);
        body.maybe_flag("used_default", (page != CodePage::Utf8).then_some(false));
        return Ok(());
    }
    let encoded = wide_char_to_multi_byte(page, flags, &text, None).map_err(refused)?;
    body.hex("bytes", &encoded.bytes);
    body.maybe_flag("used_default", encoded.used_default);
    Ok(())
}
