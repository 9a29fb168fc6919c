//! `dir`.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `/b` names alone; `/s` below too, then with full paths; `/a` attributes, `/o` order | `dir /?` | yes |
//! | nothing found: "File Not Found" on the error output, 1 | observed | yes |
//! | links with what they are and where they lead; `/x` short names before the names | `dir /?`; observed | yes |
//! | the long form shows when a file was last written, with two blanks before the hour (`Sys::file_time`) | observed | yes |

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::shell::ast::Text;
use crate::win7::cmd::shell::expand::utf8;
use crate::win7::cmd::shell::{Flow, Shell};
use crate::win7::cmd::sys::{Asked, Link, Sys};
use crate::win7::files::Entry;
use crate::win7::ntfs::Attributes;
use crate::win7::registry::units;

use super::pattern::{Filter, Want, divide, matches};
use super::{INVALID_SWITCH, words};
use crate::win7::cmd::wildcard::has_wildcard;

/// How the entries are chosen and shown.
#[derive(Clone, Default)]
struct Options {
    bare: bool,
    below: bool,
    lower: bool,
    attributes: Option<Filter>,
    order: Option<String>,
    short: bool,
}

/// A switch that `dir` does not take as it is.
enum Switch {
    /// `dir /?` has it, the model does not.
    Unmodelled(String),
    /// There is none: its letter.
    Invalid(char),
}

impl Options {
    fn read(switches: &[String]) -> Result<Options, Switch> {
        let mut options = Options::default();
        for switch in switches {
            let mut letters = switch.chars();
            match (letters.next(), letters.as_str()) {
                (Some('b'), "") => options.bare = true,
                (Some('s'), "") => options.below = true,
                (Some('l'), "") => options.lower = true,
                (Some('a'), rest) => match Filter::read(rest) {
                    Ok(filter) => options.attributes = Some(filter),
                    Err('i' | 'l') => return Err(Switch::Unmodelled(switch.clone())),
                    Err(letter) => return Err(Switch::Invalid(letter)),
                },
                (Some('o'), rest) => {
                    let order = rest.trim_start_matches(':');
                    if let Some(letter) = order.chars().find(|letter| !"-nesgd".contains(*letter)) {
                        return Err(Switch::Invalid(letter));
                    }
                    if order.contains('d') {
                        return Err(Switch::Unmodelled(switch.clone()));
                    }
                    let order = if order.is_empty() { "gn" } else { order };
                    options.order = Some(order.into());
                }
                (Some('x'), "") => options.short = true,
                // Which time of a file is shown: here all are the same.
                (Some('t'), rest) if matches!(rest.trim_start_matches(':'), "c" | "a" | "w") => {}
                // What changes nothing of what is modelled.
                (Some('n' | 'c' | '4' | 'r'), "") | (Some('-'), "c" | "p" | "w") => {}
                (Some('d' | 'p' | 'q' | 'r' | 't' | 'w' | 'x' | '-' | '?'), _) => {
                    return Err(Switch::Unmodelled(switch.clone()));
                }
                (letter, _) => return Err(Switch::Invalid(letter.unwrap_or(' '))),
            }
        }
        Ok(options)
    }

    fn shows(&self, attributes: Attributes) -> bool {
        let has = |bit| attributes.has(bit);
        match &self.attributes {
            None => !has(Attributes::HIDDEN) && !has(Attributes::SYSTEM),
            Some(filter) => filter.fits(attributes),
        }
    }

    fn sort(&self, entries: &mut [Entry]) {
        let Some(order) = &self.order else {
            return;
        };
        let extension = |entry: &Entry| {
            let name = entry.name.to_string().to_uppercase();
            name.rsplit_once('.')
                .map_or(String::new(), |(_, extension)| extension.to_owned())
        };
        let mut keys: Vec<(char, bool)> = Vec::new();
        let mut reverse = false;
        for letter in order.chars() {
            match letter {
                '-' => reverse = true,
                letter => keys.push((letter, std::mem::take(&mut reverse))),
            }
        }
        entries.sort_by(|one, other| {
            for (letter, reverse) in &keys {
                let order = match letter {
                    'n' => one.name.folded().cmp(other.name.folded()),
                    's' => one.len.cmp(&other.len),
                    'e' => extension(one).cmp(&extension(other)),
                    _ => {
                        let is = |entry: &Entry| !entry.attributes.has(Attributes::DIRECTORY);
                        is(one).cmp(&is(other))
                    }
                };
                let order = if *reverse { order.reverse() } else { order };
                if order.is_ne() {
                    return order;
                }
            }
            std::cmp::Ordering::Equal
        });
    }
}

impl Shell {
    pub(super) fn dir(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let read = words(tail);
        let options = match Options::read(&read.switches) {
            Ok(options) => options,
            Err(Switch::Unmodelled(switch)) => return self.unknown_switch(sys, "dir", &switch),
            Err(Switch::Invalid(letter)) => {
                return self.complain(sys, &INVALID_SWITCH, &[&letter.to_string()]);
            }
        };
        let mut paths = read.words;
        if paths.is_empty() {
            paths.push(units("."));
        }
        let mut found_any = false;
        for path in paths {
            let is_folder = !has_wildcard(&path)
                && sys
                    .attributes(&path)?
                    .is_ok_and(|attributes| attributes.has(Attributes::DIRECTORY));
            let full = sys.full_path(&path);
            if full.is_empty() {
                // What Windows 7 makes of `dir ""` is not documented.
                let code = sys.unsupported("dir of an empty name")?;
                return self.fail(code as i32);
            }
            let (folder, pattern) = match is_folder {
                true => (with_slash(&full), units("*")),
                false => {
                    // `.` and trailing signs of the pattern itself are kept.
                    let (_, name) = divide(&path);
                    let (folder, _) = divide(&full);
                    (folder.to_vec(), name.to_vec())
                }
            };
            if !options.bare {
                sys.say(&VOLUME, &[&utf8(&folder[..1])])?;
            }
            let start = folder.clone();
            let mut waiting = vec![folder];
            let mut totals = (0, 0, 0);
            let mut error = None;
            while let Some(folder) = waiting.pop() {
                let at = [&folder[..], &pattern].concat();
                let mut entries = match matches(sys, &at, Want::Everything)? {
                    Ok(entries) => entries,
                    Err(other) => {
                        error = Some(other.code);
                        continue;
                    }
                };
                entries.retain(|entry| options.shows(entry.attributes));
                options.sort(&mut entries);
                // FindFirstFile gives `.` and `..` first, but of a drive's root.
                let with_dots = !options.bare
                    && folder.len() > 3
                    && matches!(&*utf8(&pattern), "*" | "*.*")
                    && options.shows(Attributes::DIRECTORY);
                if with_dots || !entries.is_empty() {
                    found_any = true;
                    let counted = self.show_entries(sys, &options, &folder, &entries, with_dots)?;
                    totals = (
                        totals.0 + counted.0,
                        totals.1 + counted.1,
                        totals.2 + counted.2,
                    );
                }
                if options.below {
                    let below = [&folder[..], &units("*")].concat();
                    let directories = matches(sys, &below, Want::Directories)?.unwrap_or_default();
                    for entry in directories.iter().rev() {
                        waiting.push([&folder[..], entry.name.units(), &[0x5c]].concat());
                    }
                }
            }
            if !options.bare && found_any {
                if options.below {
                    sys.say(
                        &LISTED,
                        &[&format!("{:16}", totals.0), &grouped(totals.2, 14)],
                    )?;
                }
                sys.say(
                    &FREE,
                    &[&format!("{:16}", totals.1), &grouped(FREE_BYTES, 15)],
                )?;
            }
            if !found_any {
                if !options.bare
                    && !options.below
                    && error.is_none_or(|error| error == FILE_NOT_FOUND)
                {
                    sys.say(&OF, &[&utf8(title(&start))])?;
                }
                sys.complain(&NOT_FOUND, &[])?;
            }
        }
        self.fail(i32::from(!found_any))
    }

    /// Shows what is in one directory: how many files and directories, and their bytes.
    fn show_entries(
        &mut self,
        sys: &mut Sys<'_>,
        options: &Options,
        folder: &[u16],
        entries: &[Entry],
        with_dots: bool,
    ) -> Asked<(u64, u64, u64)> {
        let mut counted = (0, 0, 0);
        let shown = |name: &[u16]| -> Text {
            match options.lower {
                true => units(&utf8(name).to_lowercase()),
                false => name.to_vec(),
            }
        };
        if options.bare {
            let mut text = Vec::new();
            for entry in entries {
                let name = shown(entry.name.units());
                if options.below {
                    text.extend_from_slice(folder);
                }
                text.extend(name);
                text.extend(units("\r\n"));
            }
            sys.print_units(&text)?;
            return Ok(counted);
        }
        sys.say(&OF, &[&utf8(title(folder))])?;
        let Some(moment) = sys.file_time()? else {
            return Ok(counted);
        };
        let time = format!("{}  {}", moment.numbers(), moment.half_day());
        if with_dots {
            for dots in [".", ".."] {
                let short = if options.short {
                    " ".repeat(13)
                } else {
                    String::new()
                };
                sys.line(&format!("{time}    {:14} {short}{dots}", "<DIR>"))?;
                counted.1 += 1;
            }
        }
        for entry in entries {
            let mut name = utf8(&shown(entry.name.units()));
            if options.short {
                let short = entry.short_name.as_ref();
                let short = short.map_or(String::new(), |short| utf8(short.units()));
                name = format!("{short:12} {name}");
            }
            let is_directory = entry.attributes.has(Attributes::DIRECTORY);
            let path = [folder, entry.name.units()].concat();
            let link = match entry.attributes.has(Attributes::REPARSE_POINT) {
                true => sys.link_at(&path)?,
                false => None,
            };
            if let Some((kind, target)) = link {
                let kind = match kind {
                    Link::Junction => "<JUNCTION>",
                    Link::ToDirectory => "<SYMLINKD>",
                    Link::ToFile => "<SYMLINK>",
                };
                match is_directory {
                    true => counted.1 += 1,
                    false => counted.0 += 1,
                }
                let target = utf8(target.units());
                sys.line(&format!("{time}    {kind:14} {name} [{target}]"))?;
            } else if is_directory {
                counted.1 += 1;
                sys.line(&format!("{time}    {:14} {name}", "<DIR>"))?;
            } else {
                counted.0 += 1;
                counted.2 += entry.len;
                sys.line(&format!("{time} {} {name}", grouped(entry.len, 17)))?;
            }
        }
        sys.say(
            &FILES,
            &[&format!("{:16}", counted.0), &grouped(counted.2, 14)],
        )?;
        Ok(counted)
    }
}

/// ERROR_FILE_NOT_FOUND
const FILE_NOT_FOUND: u32 = 2;

/// What a disk of the lab has free, as `dir` shows it.
const FREE_BYTES: u64 = 30_000_000_000;

/// A number with commas, so wide.
fn grouped(number: u64, width: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{out:>width$}")
}

/// The folder as the head of its list names it.
fn title(folder: &[u16]) -> &[u16] {
    match folder.len() {
        3 => folder,
        length => &folder[..length.saturating_sub(1)],
    }
}

fn with_slash(path: &[u16]) -> Text {
    match path.last() {
        Some(0x5c) => path.to_vec(),
        _ => [path, &[0x5c]].concat(),
    }
}

const VOLUME: Message = Message {
    en: " Volume in drive {0} has no label.\r\n Volume Serial Number is 0000-0000\r\n",
    zh: " 驱动器 {0} 中的卷没有标签。\r\n 卷的序列号是 0000-0000\r\n",
};
const OF: Message = Message {
    en: "\r\n Directory of {0}\r\n\r\n",
    zh: "\r\n {0} 的目录\r\n\r\n",
};
const FILES: Message = Message {
    en: "{0} File(s) {1} bytes\r\n",
    zh: "{0} 个文件 {1} 字节\r\n",
};
const LISTED: Message = Message {
    en: "\r\n     Total Files Listed:\r\n{0} File(s) {1} bytes\r\n",
    zh: "\r\n     所列文件总数:\r\n{0} 个文件 {1} 字节\r\n",
};
const FREE: Message = Message {
    en: "{0} Dir(s) {1} bytes free\r\n",
    zh: "{0} 个目录 {1} 可用字节\r\n",
};
const NOT_FOUND: Message = Message {
    en: "File Not Found\r\n",
    zh: "找不到文件\r\n",
};
