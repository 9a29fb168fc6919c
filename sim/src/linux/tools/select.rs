//! Tools that choose lines.

use super::super::replay::Asked;
use super::Run;

/// `grep [-E] [-c] [-v] PATTERN [FILE]`, where the pattern is a text, or with `-E` texts with `|` between them, in
/// parentheses or not. Patterns with other special characters are refused.
pub(super) fn grep(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (options, operands) = run.options("Ecv")?;
    let Some((pattern, files)) = operands.split_first() else {
        return run.unsupported("without a pattern");
    };
    if files.len() > 1 {
        return run.unsupported("with several files");
    }
    let is_extended = options.contains(&'E');
    let bare = pattern
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    let bare = bare.filter(|_| is_extended).unwrap_or(pattern);
    let special: &[char] = match is_extended {
        true => &[
            '.', '*', '+', '?', '[', ']', '(', ')', '{', '}', '^', '$', '\\',
        ],
        false => &['.', '*', '[', ']', '^', '$', '\\'],
    };
    if bare.contains(special) {
        return run.unsupported("with a pattern other than texts");
    }
    let texts: Vec<&str> = match is_extended {
        true => bare.split('|').collect(),
        false => vec![bare],
    };
    let (inputs, failed) = run.inputs(files)?;
    let [data] = inputs.as_slice() else {
        return Ok(2);
    };
    let mut chosen = Vec::new();
    let mut count = 0;
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let has = |text: &&str| {
            text.is_empty() || line.windows(text.len()).any(|part| part == text.as_bytes())
        };
        if texts.iter().any(has) != options.contains(&'v') {
            count += 1;
            chosen.extend_from_slice(line);
        }
    }
    if options.contains(&'c') {
        chosen = format!("{count}\n").into_bytes();
    }
    if !chosen.is_empty() {
        run.print(&chosen)?;
    }
    Ok(match (failed, count) {
        (true, _) => 2,
        (false, 0) => 1,
        (false, _) => 0,
    })
}

/// `tail [-n COUNT|-COUNT] [FILE]`: the last lines.
pub(super) fn tail(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (count, operands) = run.lines_and_operands()?;
    if operands.len() > 1 {
        return run.unsupported("with several files");
    }
    let (inputs, failed) = run.inputs(&operands)?;
    let [data] = inputs.as_slice() else {
        return Ok(1);
    };
    let lines: Vec<&[u8]> = data.split_inclusive(|byte| *byte == b'\n').collect();
    let last = lines[lines.len().saturating_sub(count)..].concat();
    if !last.is_empty() {
        run.print(&last)?;
    }
    Ok(u8::from(failed))
}

#[cfg(all(test, feature = "shell"))]
mod tests {
    use crate::linux::testing::{file_system, machine, run};

    fn output(script: &str) -> String {
        run(&mut machine(file_system(), &["-c", script], &[])).stdout
    }

    #[test]
    fn lines_are_chosen_by_text_and_from_the_end() {
        let three = "seq 9 12";
        assert_eq!(output(&format!("{three} | grep 1")), "10\n11\n12\n");
        assert_eq!(output(&format!("{three} | grep -E '(9|12)'")), "9\n12\n");
        assert_eq!(output(&format!("{three} | grep -v 1")), "9\n");
        assert_eq!(output(&format!("{three} | grep -c 1")), "3\n");
        assert_eq!(output(&format!("{three} | grep 7; echo $?")), "1\n");
        assert_eq!(output("seq 30 | head -20 | tail -10 | head -1"), "11\n");
        assert_eq!(output("seq 3 | tail -n 1"), "3\n");
    }
}
