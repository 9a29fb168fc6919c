//! Batch files, as cmd.exe reads them: a line at a time.

use std::sync::Arc;

use crate::win7::text::Wide;

use super::super::label;
use super::{Asked, Sys};

impl Sys<'_> {
    /// The line of a batch file that begins at a byte, without its end, and where the next begins; an empty line at the
    /// end. Nothing if the file is gone. No scheduling point: a file that changes while it runs is read as it is then.
    pub(in crate::win7::cmd) fn batch_line(
        &mut self,
        file: &Wide,
        at: usize,
    ) -> Asked<Option<(Arc<[u8]>, usize)>> {
        let file = file.clone();
        self.local_operation(move |kernel, about, local| {
            let content = kernel.batch_file(about, local, &file)?;
            let rest = content.get(at..).unwrap_or(&[]);
            // 0x1A ends a line as a line feed does.
            let end = rest.iter().position(|byte| *byte == b'\n' || *byte == 0x1a);
            let next = at.min(content.len()) + end.map_or(rest.len(), |end| end + 1);
            Some((rest[..end.unwrap_or(rest.len())].into(), next))
        })
    }

    /// Where the line behind a label begins: looked for from `from` to the end, then from the beginning.
    pub(in crate::win7::cmd) fn find_label(
        &mut self,
        file: &Wide,
        label: &[u16],
        from: usize,
    ) -> Asked<Option<usize>> {
        let (file, wanted) = (file.clone(), label.to_vec());
        self.local_operation(move |kernel, about, local| {
            let content = kernel.batch_file(about, local, &file)?;
            let page = kernel.code_page(about);
            let is_label = |line: &[u8]| {
                let text = kernel.decode(page, line);
                let upper = |text: &[u16]| Wide::from(text).to_upcase();
                label::of_line(text.units()).is_some_and(|found| upper(found) == upper(&wanted))
            };
            let search = |start: usize, end: usize| {
                let mut at = start;
                while at < end {
                    let rest = &content[at..];
                    let length = rest.iter().position(|byte| *byte == b'\n' || *byte == 0x1a);
                    let next = at + length.map_or(rest.len(), |length| length + 1);
                    if is_label(&rest[..length.unwrap_or(rest.len())]) {
                        return Some(next);
                    }
                    at = next;
                }
                None
            };
            let from = from.min(content.len());
            search(from, content.len()).or_else(|| search(0, from))
        })
    }
}
