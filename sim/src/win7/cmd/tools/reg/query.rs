//! `reg query`.

use super::command::{Find, Query, Which};
use super::{FAILED, NO_VALUE, called, failed};
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::registry::{KeyPath, Kind, Name, Value};
use crate::win7::text::Wide;

const NOT_SET: Message = Message {
    en: "(value not set)",
    zh: "(数值未设置)",
};
const END: Message = Message {
    en: "End of search: {0} match(es) found.\r\n",
    zh: "搜索结束: 找到 {0} 个匹配项。\r\n",
};

pub(super) fn run(sys: &mut Sys<'_>, query: &Query) -> Asked<u32> {
    match (&query.find, &query.which) {
        (Some(find), _) => search(sys, query, find),
        (None, Some(which)) if query.recurse => everywhere(sys, query, which),
        (None, Some(which)) => one(sys, query, which),
        (None, None) => all(sys, query),
    }
}

/// A line of a value; `name` is how it is called.
fn line(sys: &mut Sys<'_>, query: &Query, name: &str, value: &Value) -> Asked<()> {
    let kind = value.kind.name();
    let number = match query.numbers {
        true => format!(" ({})", value.kind.0),
        false => String::new(),
    };
    let data = match (value.kind, query.separator) {
        (Kind::MULTI_SZ, Some(separator)) => {
            let separator = String::from_utf16_lossy(&[separator]);
            let units = value.units();
            let end = units.len() - units.iter().rev().take_while(|unit| **unit == 0).count();
            String::from_utf16_lossy(&units[..end]).replace('\0', &separator)
        }
        _ => value.shown(),
    };
    sys.line(&format!("    {name}    {kind}{number}    {data}"))
}

fn is_wanted(query: &Query, value: &Value) -> bool {
    query.kinds.is_empty() || query.kinds.contains(&value.kind)
}

fn one(sys: &mut Sys<'_>, query: &Query, which: &Which) -> Asked<u32> {
    let caller = sys.caller(query.target.view);
    let path = &query.target.path;
    let name = Name::new(which.name().unwrap_or_default());
    let value = sys.reg_value(&caller, path, &name)?;
    let value = match value {
        Ok(value) if is_wanted(query, &value) => Some(value),
        Ok(_) => return failed(sys, NO_VALUE),
        Err(error) if error.code == 2 && *which == Which::Default => {
            if let Err(error) = sys.reg_open(&caller, path)? {
                return failed(sys, error);
            }
            None
        }
        Err(error) => return failed(sys, error),
    };
    sys.line("")?;
    sys.line(&path.to_string())?;
    let called = called(sys, &name);
    match value {
        Some(value) => line(sys, query, &called, &value)?,
        None => {
            let not_set = NOT_SET.text(sys.language(), &[]);
            sys.line(&format!("    {called}    REG_SZ    {not_set}"))?;
        }
    }
    sys.line("")?;
    Ok(0)
}

/// The value of one name in a key and all below it.
fn everywhere(sys: &mut Sys<'_>, query: &Query, which: &Which) -> Asked<u32> {
    let caller = sys.caller(query.target.view);
    let name = Name::new(which.name().unwrap_or_default());
    if let Err(error) = sys.reg_open(&caller, &query.target.path)? {
        return failed(sys, error);
    }
    let mut found = 0;
    let mut waiting = vec![query.target.path.clone()];
    while let Some(path) = waiting.pop() {
        if let Ok(value) = sys.reg_value(&caller, &path, &name)?
            && is_wanted(query, &value)
        {
            if found == 0 {
                sys.line("")?;
            }
            found += 1;
            sys.line(&path.to_string())?;
            let called = called(sys, &name);
            line(sys, query, &called, &value)?;
            sys.line("")?;
        }
        let below = sys.reg_keys(&caller, &path)?.unwrap_or_default();
        waiting.extend(below.iter().rev().map(|name| path.join(name.units())));
    }
    end(sys, found)
}

fn end(sys: &mut Sys<'_>, found: u32) -> Asked<u32> {
    sys.say(&END, &[&found.to_string()])?;
    Ok(if found == 0 { FAILED } else { 0 })
}

/// The values of a key with the names of what is directly below it, or of all that is below it.
fn all(sys: &mut Sys<'_>, query: &Query) -> Asked<u32> {
    let caller = sys.caller(query.target.view);
    let first = match sys.reg_values(&caller, &query.target.path)? {
        Ok(values) => values,
        Err(error) => return failed(sys, error),
    };
    let mut read = Some(first);
    let mut waiting = vec![query.target.path.clone()];
    let mut shown = 0;
    sys.line("")?;
    while let Some(path) = waiting.pop() {
        let is_first = read.is_some();
        let values = match read.take() {
            Some(values) => values,
            // What may not be read is left out.
            None => match sys.reg_values(&caller, &path)? {
                Ok(values) => values,
                Err(_) => continue,
            },
        };
        let below = sys.reg_keys(&caller, &path)?.unwrap_or_default();
        let has_values = !values.is_empty();
        let values: Vec<_> = values
            .into_iter()
            .filter(|(_, value)| is_wanted(query, value))
            .collect();
        // The key that is asked about is left out where it has none.
        let is_bare = !has_values && query.kinds.is_empty();
        if !values.is_empty() || is_bare && query.recurse && !is_first {
            sys.line(&path.to_string())?;
            for (name, value) in &values {
                let called = called(sys, name);
                line(sys, query, &called, value)?;
                shown += 1;
            }
            sys.line("")?;
        }
        match query.recurse {
            true => waiting.extend(below.iter().rev().map(|name| path.join(name.units()))),
            false => {
                for name in &below {
                    sys.line(&path.join(name.units()).to_string())?;
                }
            }
        }
    }
    match query.kinds.is_empty() {
        true => Ok(0),
        false => end(sys, shown),
    }
}

/// `/f`: names of keys, names of values, data.
fn search(sys: &mut Sys<'_>, query: &Query, find: &Find) -> Asked<u32> {
    let caller = sys.caller(query.target.view);
    if let Err(error) = sys.reg_open(&caller, &query.target.path)? {
        return failed(sys, error);
    }
    let anything = !find.keys && !find.names && !find.data;
    let mut found = 0;
    // Whether the last line was that of a key alone.
    let mut after_key = false;
    let mut waiting = vec![query.target.path.clone()];
    while let Some(path) = waiting.pop() {
        let values = sys.reg_values(&caller, &path)?.unwrap_or_default();
        let fits_here = |name: &Name, value: &Value| {
            let named = match &query.which {
                Some(which) => which.name().is_none_or(|own| name.same_as(&Name::new(own))),
                None => true,
            };
            let by_name = (anything || find.names) && fits(find, name.units());
            let by_data =
                (anything || find.data) && fits(find, &Wide::from(&*value.shown()).into_units());
            named && is_wanted(query, value) && (by_name || by_data)
        };
        let hits: Vec<_> = values
            .iter()
            .filter(|(name, value)| fits_here(name, value))
            .collect();
        if !hits.is_empty() {
            if found == 0 || after_key {
                sys.line("")?;
            }
            after_key = false;
            sys.line(&path.to_string())?;
            for (name, value) in hits {
                found += 1;
                let called = called(sys, name);
                line(sys, query, &called, value)?;
            }
            sys.line("")?;
        }
        let below = sys.reg_keys(&caller, &path)?.unwrap_or_default();
        for name in &below {
            let is_hit =
                (anything || find.keys) && query.kinds.is_empty() && fits(find, name.units());
            if is_hit {
                if found == 0 {
                    sys.line("")?;
                }
                found += 1;
                after_key = true;
                let below: KeyPath = path.join(name.units());
                sys.line(&below.to_string())?;
            }
        }
        if query.recurse {
            waiting.extend(below.iter().rev().map(|name| path.join(name.units())));
        }
    }
    if after_key {
        sys.line("")?;
    }
    end(sys, found)
}

fn fits(find: &Find, text: &[u16]) -> bool {
    let fold = |text: &[u16]| match find.case {
        true => text.to_vec(),
        false => Wide::from(text).to_upcase().into_units(),
    };
    let (wanted, text) = (fold(&find.text), fold(text));
    if wanted.is_empty() || wanted == [u16::from(b'*')] {
        return true;
    }
    match find.exact {
        true => wanted == text,
        false => text.windows(wanted.len()).any(|part| part == wanted),
    }
}
