//! Labels of batch files, as `goto` and `call` look for them.

/// What a text begins with that can be a label: up to a blank or a sign that ends one.
pub(super) fn begin_of(text: &[u16]) -> &[u16] {
    let ends = |unit: &u16| {
        matches!(
            u8::try_from(*unit),
            Ok(b' '
                | b'\t'
                | b':'
                | b'+'
                | b','
                | b';'
                | b'='
                | b'&'
                | b'|'
                | b'<'
                | b'>'
                | b'\r'
                | b'\n')
        )
    };
    let end = text.iter().position(ends);
    &text[..end.unwrap_or(text.len())]
}

/// The label of a line of a file, if it is one: separators and `@` (Wine's batch tests), a colon, blanks, and the label.
pub(super) fn of_line(line: &[u16]) -> Option<&[u16]> {
    let behind = |text: &'_ [u16], skipped: &[u8]| {
        let skips = |unit: &u16| u8::try_from(*unit).is_ok_and(|byte| skipped.contains(&byte));
        text.iter()
            .position(|unit| !skips(unit))
            .unwrap_or(text.len())
    };
    let line = &line[behind(line, b" \t,;=@")..];
    let text = line.strip_prefix(&[b':' as u16])?;
    Some(begin_of(&text[behind(text, b" \t")..]))
}
