//! `if`.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `errorlevel N`: N or more; `equ` and its like compare numbers if both are, else texts | `if /?` | yes |
//! | `exist` takes patterns; a directory counts, and `dir\` too; `dir\nul` is there if the directory is | `if /?`; the last from memory | partly |
//! | what is taken decides the return code; nothing taken gives 0 | Wine's batch tests | yes |
//! | `errorlevel` takes decimal numbers; of what is none, neither side is taken | Wine's batch tests, whose expected output is that of Windows | partly |

use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::text::{Wide, upcase};

use super::arithmetic::{leading_number, whole_number};
use super::ast::{Comparison, Condition, If, Text};
use super::expand::utf8;
use super::internal::pattern;
use super::{Flow, Shell};

impl Shell {
    pub(super) fn exec_if(&mut self, sys: &mut Sys<'_>, read: &If) -> Asked<Flow> {
        let Some(holds) = self.holds(sys, &read.condition, read.ignore_case)? else {
            return self.quiet();
        };
        let holds = holds != read.not;
        match (holds, &read.otherwise) {
            (true, _) => self.exec(sys, &read.then),
            (false, Some(otherwise)) => self.exec(sys, otherwise),
            (false, None) => self.quiet(),
        }
    }

    /// Whether a condition holds; nothing if it is none.
    fn holds(
        &mut self,
        sys: &mut Sys<'_>,
        condition: &Condition,
        any_case: bool,
    ) -> Asked<Option<bool>> {
        Ok(Some(match condition {
            Condition::Defined(name) => {
                let name = self.expand_late(sys, name)?;
                let name: Text = name.into_iter().filter(|unit| *unit != 0x22).collect();
                self.is_defined(sys, &name)
            }
            Condition::ErrorLevel(number) => {
                let number = self.expand_late(sys, number)?;
                match utf8(&number).trim().parse::<i64>() {
                    Ok(number) => i64::from(self.errorlevel) >= number,
                    Err(_) => return Ok(None),
                }
            }
            Condition::ExtensionVersion(number) => {
                let number = self.expand_late(sys, number)?;
                2 >= leading_number(utf8(&number).trim())
            }
            Condition::Exist(path) => {
                let path = self.expand_late(sys, path)?;
                let path: Text = path.into_iter().filter(|unit| *unit != 0x22).collect();
                exists(sys, &path)?
            }
            Condition::Compare(left, comparison, right) => {
                let left = self.expand_late(sys, left)?;
                let right = self.expand_late(sys, right)?;
                compare(&left, *comparison, &right, any_case)
            }
        }))
    }

    fn is_defined(&self, sys: &Sys<'_>, name: &[u16]) -> bool {
        if sys.local.block.get(&Wide::from(name)).is_some() {
            return true;
        }
        // What cmd makes up counts as defined.
        let name = utf8(name).to_ascii_uppercase();
        matches!(
            &*name,
            "CD" | "DATE"
                | "TIME"
                | "RANDOM"
                | "ERRORLEVEL"
                | "CMDEXTVERSION"
                | "CMDCMDLINE"
                | "HIGHESTNUMANODENUMBER"
        )
    }
}

/// `if exist`.
fn exists(sys: &mut Sys<'_>, path: &[u16]) -> Asked<bool> {
    if path.is_empty() {
        return Ok(false);
    }
    if path
        .iter()
        .any(|unit| *unit == b'*' as u16 || *unit == b'?' as u16)
    {
        return Ok(pattern::matches(sys, path, pattern::Want::Everything)?
            .is_ok_and(|found| !found.is_empty()));
    }
    // A backslash behind a directory, and `\.`, mean the directory; `\nul` is in every one.
    let text = utf8(path);
    let lower = text.to_ascii_lowercase();
    let device = lower.rsplit(['\\', '/']).next() == Some("nul");
    let text = match device {
        true => text[..text.len() - 3].to_owned(),
        false => text,
    };
    if device && text.is_empty() {
        return Ok(true);
    }
    let is_folder = text.ends_with(['\\', '/']);
    let bare = text.trim_end_matches(['\\', '/']);
    let path = match bare {
        bare if bare.is_empty() || bare.ends_with(':') => format!("{bare}\\"),
        bare => bare.to_owned(),
    };
    let attributes = sys.attributes(&crate::win7::registry::units(&path))?;
    Ok(attributes.is_ok_and(|attributes| {
        !is_folder || attributes.has(crate::win7::ntfs::Attributes::DIRECTORY)
    }))
}

fn compare(left: &[u16], comparison: Comparison, right: &[u16], any_case: bool) -> bool {
    let fold = |text: &[u16]| -> Text {
        match any_case {
            true => text.iter().copied().map(upcase).collect(),
            false => text.to_vec(),
        }
    };
    if comparison == Comparison::Same {
        return fold(left) == fold(right);
    }
    let numbers = (whole_number(&utf8(left)), whole_number(&utf8(right)));
    let order = match numbers {
        (Some(left), Some(right)) => left.cmp(&right),
        // lstrcmp: by letters first, lower case before upper.
        _ => {
            let letters = |text: &[u16]| -> Text { text.iter().copied().map(upcase).collect() };
            let order = letters(left).cmp(&letters(right));
            match any_case {
                true => order,
                false => order.then_with(|| right.cmp(left)),
            }
        }
    };
    match comparison {
        Comparison::Same | Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}
