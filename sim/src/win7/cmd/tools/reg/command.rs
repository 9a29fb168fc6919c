//! The command line of reg.exe.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | verbs and switches in any case, switches with `/` or `-`; no switch twice; `/?` and `/h` alone | Wine's `programs/reg/tests`, run on Windows | yes |
//! | the key comes first, then what the verb takes, then switches | the same | yes |
//! | one backslash may stand behind a key, none behind a root; two are refused | the same | yes |
//! | both `/v` and `/ve`, or both views: refused | the same | yes |
//! | which words an error has | reports | partly |

use super::data::{self, DataError};
use crate::win7::registry::{
    Bits, DONT_SILENT_FAIL, DONT_VIRTUALIZE, KeyPath, Kind, RECURSE_FLAG, Value,
};

/// Which value is meant.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Which {
    /// The one of this name (`/v`).
    Named(Vec<u16>),
    /// The default one (`/ve`).
    Default,
    /// All of the key (`/va`).
    All,
}

impl Which {
    /// The name, but for all.
    pub fn name(&self) -> Option<&[u16]> {
        match self {
            Which::Named(name) => Some(name),
            Which::Default => Some(&[]),
            Which::All => None,
        }
    }
}

/// A key, and the view that `/reg` asks for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// The key.
    pub path: KeyPath,
    /// The view, where one is asked for.
    pub view: Option<Bits>,
}

/// What `reg query` looks for with `/f`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Find {
    /// The text; `*` is any.
    pub text: Vec<u16>,
    /// `/k`: names of keys.
    pub keys: bool,
    /// `/v` without a name: names of values.
    pub names: bool,
    /// `/d`: data.
    pub data: bool,
    /// `/c`: case matters.
    pub case: bool,
    /// `/e`: the whole, not a part.
    pub exact: bool,
}

/// `reg query`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Query {
    /// The key.
    pub target: Target,
    /// `/v NAME` or `/ve`.
    pub which: Option<Which>,
    /// `/s`.
    pub recurse: bool,
    /// `/f`.
    pub find: Option<Find>,
    /// `/t`: these types alone.
    pub kinds: Vec<Kind>,
    /// `/z`: with the number of the type.
    pub numbers: bool,
    /// `/se`: what parts the texts of a REG_MULTI_SZ.
    pub separator: Option<u16>,
}

/// `reg compare`: what is printed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Shown {
    /// `/oa`: differences and matches.
    All,
    /// `/od`: differences; this is what is printed where nothing is said.
    Differences,
    /// `/os`: matches.
    Matches,
    /// `/on`: nothing.
    Nothing,
}

/// What reg.exe is asked to do.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// `reg query`.
    Query(Query),
    /// `reg add`.
    Add {
        /// The key.
        target: Target,
        /// The value's name: empty is the default one.
        name: Vec<u16>,
        /// What it gets.
        value: Value,
        /// `/f`.
        force: bool,
    },
    /// `reg delete`.
    Delete {
        /// The key.
        target: Target,
        /// Which values; none means the key.
        which: Option<Which>,
        /// `/f`.
        force: bool,
    },
    /// `reg copy`.
    Copy {
        /// From.
        from: Target,
        /// To.
        to: Target,
        /// `/s`.
        recurse: bool,
        /// `/f`.
        force: bool,
    },
    /// `reg compare`.
    Compare {
        /// One key.
        one: Target,
        /// The other.
        other: Target,
        /// Which values.
        which: Option<Which>,
        /// What is printed.
        shown: Shown,
        /// `/s`.
        recurse: bool,
    },
    /// `reg export`.
    Export {
        /// The key.
        target: Target,
        /// The file.
        file: Vec<u16>,
        /// `/y`.
        force: bool,
    },
    /// `reg import`.
    Import {
        /// The file.
        file: Vec<u16>,
        /// The view.
        view: Option<Bits>,
    },
    /// `reg save`, `restore`, `load`, `unload`.
    Hive(Hive),
    /// `reg flags`: the flags that are set, or none to show them.
    Flags {
        /// The key.
        target: Target,
        /// What they become.
        set: Option<u8>,
    },
    /// `reg /?`, `reg add /?`: the help of the verb.
    Help(Option<&'static str>),
}

/// What is done with a hive file.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Hive {
    /// `reg save KEY FILE [/y]`.
    Save {
        /// The key.
        target: Target,
        /// The file.
        file: Vec<u16>,
        /// `/y`.
        force: bool,
    },
    /// `reg restore KEY FILE`.
    Restore {
        /// The key.
        target: Target,
        /// The file.
        file: Vec<u16>,
    },
    /// `reg load KEY FILE`.
    Load {
        /// The key that it becomes.
        key: KeyPath,
        /// The file.
        file: Vec<u16>,
    },
    /// `reg unload KEY`.
    Unload {
        /// The key.
        key: KeyPath,
    },
}

/// What is wrong with a command line.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Wrong {
    /// "Invalid syntax."
    Syntax,
    /// "Invalid key name."
    Key,
    /// "Invalid syntax. Specify valid numeric value for '/d'." and its like.
    Data(DataError),
    /// It asks for what is not modelled.
    Unmodelled(String),
}

/// A wrong command line, and the verb whose usage is pointed to.
pub type Refused = (Wrong, Option<&'static str>);

const VERBS: [&str; 12] = [
    "QUERY", "ADD", "DELETE", "COPY", "SAVE", "RESTORE", "LOAD", "UNLOAD", "COMPARE", "EXPORT",
    "IMPORT", "FLAGS",
];

/// Reads the arguments of reg.exe.
///
/// # Errors
/// What is wrong with them.
pub fn read(arguments: &[Vec<u16>]) -> Result<Command, Refused> {
    let Some((verb, rest)) = arguments.split_first() else {
        return Err((Wrong::Syntax, None));
    };
    if is_help(verb) && rest.is_empty() {
        return Ok(Command::Help(None));
    }
    let typed = String::from_utf16_lossy(verb).to_ascii_uppercase();
    let Some(verb) = VERBS.into_iter().find(|known| *known == typed) else {
        return Err((Wrong::Syntax, None));
    };
    if rest.len() == 1 && is_help(&rest[0]) {
        return Ok(Command::Help(Some(verb)));
    }
    let read = match verb {
        "QUERY" => query(rest),
        "ADD" => add(rest),
        "DELETE" => delete(rest),
        "COPY" => copy(rest),
        "COMPARE" => compare(rest),
        "EXPORT" => export(rest),
        "IMPORT" => import(rest),
        "FLAGS" => flags(rest),
        other => hive(other, rest).map(Command::Hive),
    };
    read.map_err(|wrong| (wrong, Some(verb)))
}

fn is_help(argument: &[u16]) -> bool {
    matches!(switch(argument).as_deref(), Some("?" | "h"))
}

/// The switch that an argument is, in lower case.
fn switch(argument: &[u16]) -> Option<String> {
    match argument {
        [sign, rest @ ..] if [u16::from(b'/'), u16::from(b'-')].contains(sign) => {
            Some(String::from_utf16_lossy(rest).to_ascii_lowercase())
        }
        _ => None,
    }
}

/// The switches behind a key, one after another, none twice.
struct Switches<'a> {
    rest: std::slice::Iter<'a, Vec<u16>>,
    seen: Vec<String>,
    view: Option<Bits>,
}

impl<'a> Switches<'a> {
    fn new(arguments: &'a [Vec<u16>]) -> Switches<'a> {
        Switches {
            rest: arguments.iter(),
            seen: Vec::new(),
            view: None,
        }
    }

    /// The next one; those of views are taken on the way.
    fn next(&mut self) -> Result<Option<String>, Wrong> {
        loop {
            let Some(argument) = self.rest.next() else {
                return Ok(None);
            };
            let switch = switch(argument).ok_or(Wrong::Syntax)?;
            let view = match &*switch {
                "reg:32" => Some(Bits::Bits32),
                "reg:64" => Some(Bits::Bits64),
                _ => None,
            };
            let name = match view {
                Some(_) => "reg",
                None => &switch,
            };
            if self.seen.iter().any(|seen| seen == name) {
                return Err(Wrong::Syntax);
            }
            self.seen.push(name.into());
            match view {
                Some(_) => self.view = view,
                None => return Ok(Some(switch)),
            }
        }
    }

    /// What a switch takes.
    fn argument(&mut self) -> Result<&'a [u16], Wrong> {
        self.rest
            .next()
            .map(|argument| &**argument)
            .ok_or(Wrong::Syntax)
    }

    /// What a switch may take: not another switch.
    fn may_argument(&mut self) -> Option<&'a [u16]> {
        let argument = self.rest.clone().next()?;
        if switch(argument).is_some() {
            return None;
        }
        self.rest.next().map(|argument| &**argument)
    }
}

/// The key that an argument names.
fn key(argument: &[u16]) -> Result<KeyPath, Wrong> {
    const BACKSLASH: u16 = b'\\' as u16;
    if argument.starts_with(&[BACKSLASH, BACKSLASH]) {
        let text = String::from_utf16_lossy(argument);
        return Err(Wrong::Unmodelled(format!(
            "reg.exe on a remote registry, {text}"
        )));
    }
    let root = argument.split(|unit| *unit == BACKSLASH).next();
    let root = String::from_utf16_lossy(root.unwrap_or_default());
    let path = KeyPath::parse(&root).map_err(|_| Wrong::Key)?;
    let Some(sub) = argument.get(root.len() + 1..) else {
        return Ok(path);
    };
    let sub = sub.strip_suffix(&[BACKSLASH]).unwrap_or(sub);
    match sub {
        [] => Err(Wrong::Key),
        _ if sub.ends_with(&[BACKSLASH]) || sub.starts_with(&[BACKSLASH]) => Err(Wrong::Key),
        _ => Ok(KeyPath::new(path.root, sub)),
    }
}

fn which(switches: &mut Switches<'_>, switch: &str, old: &Option<Which>) -> Result<Which, Wrong> {
    if old.is_some() {
        return Err(Wrong::Syntax);
    }
    Ok(match switch {
        "v" => Which::Named(switches.argument()?.into()),
        "ve" => Which::Default,
        _ => Which::All,
    })
}

fn query(arguments: &[Vec<u16>]) -> Result<Command, Wrong> {
    let (first, rest) = arguments.split_first().ok_or(Wrong::Syntax)?;
    let path = key(first)?;
    let mut query = Query {
        target: Target { path, view: None },
        which: None,
        recurse: false,
        find: None,
        kinds: Vec::new(),
        numbers: false,
        separator: None,
    };
    let mut find = Find::default();
    let mut text = None;
    let mut bare_v = false;
    let mut switches = Switches::new(rest);
    while let Some(switch) = switches.next()? {
        match &*switch {
            "v" => match switches.may_argument() {
                Some(name) if query.which.is_none() => {
                    query.which = Some(Which::Named(name.into()));
                }
                None => bare_v = true,
                _ => return Err(Wrong::Syntax),
            },
            "ve" => query.which = Some(which(&mut switches, "ve", &query.which)?),
            "s" => query.recurse = true,
            "f" => text = Some(switches.argument()?.to_vec()),
            "k" => find.keys = true,
            "d" => find.data = true,
            "c" => find.case = true,
            "e" => find.exact = true,
            "t" => {
                let names = String::from_utf16_lossy(switches.argument()?);
                let kinds = names.split(',').map(|name| data::kind(name.trim()));
                let kinds: Result<_, _> = kinds.collect();
                query.kinds = kinds.map_err(Wrong::Data)?;
            }
            "z" => query.numbers = true,
            "se" => {
                let separator = data::separator(switches.argument()?);
                query.separator = Some(separator.map_err(Wrong::Data)?);
            }
            _ => return Err(Wrong::Syntax),
        }
    }
    query.target.view = switches.view;
    if bare_v && query.which.is_some() {
        return Err(Wrong::Syntax);
    }
    match text {
        Some(text) => {
            find.text = text;
            find.names = bare_v || query.which.is_some();
            query.find = Some(find);
        }
        // These say how `/f` looks.
        None if bare_v || find != Find::default() => return Err(Wrong::Syntax),
        None => {}
    }
    Ok(Command::Query(query))
}

fn add(arguments: &[Vec<u16>]) -> Result<Command, Wrong> {
    let (first, rest) = arguments.split_first().ok_or(Wrong::Syntax)?;
    let path = key(first)?;
    let mut switches = Switches::new(rest);
    let (mut found, mut kind, mut separator, mut text, mut force) = (None, None, None, None, false);
    while let Some(switch) = switches.next()? {
        match &*switch {
            "v" | "ve" => found = Some(which(&mut switches, &switch, &found)?),
            "t" => {
                let name = String::from_utf16_lossy(switches.argument()?);
                kind = Some(data::kind(&name).map_err(Wrong::Data)?);
            }
            "s" => {
                let made = data::separator(switches.argument()?);
                separator = Some(made.map_err(Wrong::Data)?);
            }
            "d" => text = Some(switches.argument()?),
            "f" => force = true,
            _ => return Err(Wrong::Syntax),
        }
    }
    let value = data::value(kind.unwrap_or(Kind::SZ), text, separator).map_err(Wrong::Data)?;
    let name = found.as_ref().and_then(Which::name).unwrap_or_default();
    Ok(Command::Add {
        target: Target {
            path,
            view: switches.view,
        },
        name: name.into(),
        value,
        force,
    })
}

fn delete(arguments: &[Vec<u16>]) -> Result<Command, Wrong> {
    let (first, rest) = arguments.split_first().ok_or(Wrong::Syntax)?;
    let path = key(first)?;
    let mut switches = Switches::new(rest);
    let (mut found, mut force) = (None, false);
    while let Some(switch) = switches.next()? {
        match &*switch {
            "v" | "ve" | "va" => found = Some(which(&mut switches, &switch, &found)?),
            "f" => force = true,
            _ => return Err(Wrong::Syntax),
        }
    }
    Ok(Command::Delete {
        target: Target {
            path,
            view: switches.view,
        },
        which: found,
        force,
    })
}

/// Two keys, which are not one.
fn two_keys(arguments: &[Vec<u16>]) -> Result<(KeyPath, KeyPath, &[Vec<u16>]), Wrong> {
    let [one, other, rest @ ..] = arguments else {
        return Err(Wrong::Syntax);
    };
    let (one, other) = (key(one)?, key(other)?);
    let is_same = one.root == other.root
        && crate::win7::registry::Name::new(&one.sub)
            .same_as(&crate::win7::registry::Name::new(&other.sub));
    match is_same {
        true => Err(Wrong::Syntax),
        false => Ok((one, other, rest)),
    }
}

fn copy(arguments: &[Vec<u16>]) -> Result<Command, Wrong> {
    let (from, to, rest) = two_keys(arguments)?;
    let mut switches = Switches::new(rest);
    let (mut recurse, mut force) = (false, false);
    while let Some(switch) = switches.next()? {
        match &*switch {
            "s" => recurse = true,
            "f" => force = true,
            _ => return Err(Wrong::Syntax),
        }
    }
    let view = switches.view;
    Ok(Command::Copy {
        from: Target { path: from, view },
        to: Target { path: to, view },
        recurse,
        force,
    })
}

fn compare(arguments: &[Vec<u16>]) -> Result<Command, Wrong> {
    let (one, other, rest) = two_keys(arguments)?;
    let mut switches = Switches::new(rest);
    let (mut found, mut shown, mut recurse) = (None, None, false);
    while let Some(switch) = switches.next()? {
        let output = match &*switch {
            "v" | "ve" => {
                found = Some(which(&mut switches, &switch, &found)?);
                continue;
            }
            "s" => {
                recurse = true;
                continue;
            }
            "oa" => Shown::All,
            "od" => Shown::Differences,
            "os" => Shown::Matches,
            "on" => Shown::Nothing,
            _ => return Err(Wrong::Syntax),
        };
        if shown.replace(output).is_some() {
            return Err(Wrong::Syntax);
        }
    }
    let view = switches.view;
    Ok(Command::Compare {
        one: Target { path: one, view },
        other: Target { path: other, view },
        which: found,
        shown: shown.unwrap_or(Shown::Differences),
        recurse,
    })
}

fn export(arguments: &[Vec<u16>]) -> Result<Command, Wrong> {
    let [first, file, rest @ ..] = arguments else {
        return Err(Wrong::Syntax);
    };
    let path = key(first)?;
    if switch(file).is_some() {
        return Err(Wrong::Syntax);
    }
    let mut switches = Switches::new(rest);
    let mut force = false;
    while let Some(switch) = switches.next()? {
        match &*switch {
            "y" => force = true,
            _ => return Err(Wrong::Syntax),
        }
    }
    Ok(Command::Export {
        target: Target {
            path,
            view: switches.view,
        },
        file: file.clone(),
        force,
    })
}

fn import(arguments: &[Vec<u16>]) -> Result<Command, Wrong> {
    let (file, rest) = arguments.split_first().ok_or(Wrong::Syntax)?;
    let mut switches = Switches::new(rest);
    match switches.next()? {
        Some(_) => Err(Wrong::Syntax),
        None => Ok(Command::Import {
            file: file.clone(),
            view: switches.view,
        }),
    }
}

fn hive(verb: &'static str, arguments: &[Vec<u16>]) -> Result<Hive, Wrong> {
    let (first, rest) = arguments.split_first().ok_or(Wrong::Syntax)?;
    let path = key(first)?;
    if verb == "UNLOAD" {
        return match rest {
            [] => Ok(Hive::Unload { key: path }),
            _ => Err(Wrong::Syntax),
        };
    }
    let (file, rest) = rest.split_first().ok_or(Wrong::Syntax)?;
    if switch(file).is_some() {
        return Err(Wrong::Syntax);
    }
    let file = file.clone();
    let mut switches = Switches::new(rest);
    let mut force = false;
    while let Some(switch) = switches.next()? {
        match &*switch {
            "y" if verb == "SAVE" => force = true,
            _ => return Err(Wrong::Syntax),
        }
    }
    let view = switches.view;
    Ok(match verb {
        "SAVE" => Hive::Save {
            target: Target { path, view },
            file,
            force,
        },
        "RESTORE" => Hive::Restore {
            target: Target { path, view },
            file,
        },
        _ => Hive::Load { key: path, file },
    })
}

/// `reg flags HKLM\Software\.. query`, or `set` and flags.
fn flags(arguments: &[Vec<u16>]) -> Result<Command, Wrong> {
    let [first, verb, rest @ ..] = arguments else {
        return Err(Wrong::Syntax);
    };
    let path = key(first)?;
    let sub = String::from_utf16_lossy(&path.sub).to_ascii_lowercase();
    if path.root != crate::win7::registry::Root::LocalMachine || !sub.starts_with("software\\") {
        return Err(Wrong::Key);
    }
    let verb = String::from_utf16_lossy(verb).to_ascii_lowercase();
    let mut set = match &*verb {
        "query" => None,
        "set" => Some(0),
        _ => return Err(Wrong::Syntax),
    };
    let is_switch = |word: &&Vec<u16>| switch(word).is_some();
    let named = rest.iter().take_while(|word| !is_switch(word)).count();
    for word in &rest[..named] {
        let word = String::from_utf16_lossy(word).to_ascii_uppercase();
        let known = FLAGS.iter().find(|(name, _)| *name == word);
        match (&mut set, known) {
            (Some(set), Some((_, bit))) => *set |= bit,
            _ => return Err(Wrong::Syntax),
        }
    }
    let mut switches = Switches::new(&rest[named..]);
    match switches.next()? {
        Some(_) => Err(Wrong::Syntax),
        None => Ok(Command::Flags {
            target: Target {
                path,
                view: switches.view,
            },
            set,
        }),
    }
}

/// What `reg flags` calls the control flags of keys.
pub const FLAGS: [(&str, u8); 3] = [
    ("DONT_VIRTUALIZE", DONT_VIRTUALIZE),
    ("DONT_SILENT_FAIL", DONT_SILENT_FAIL),
    ("RECURSE_FLAG", RECURSE_FLAG),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::win7::cmd::arguments::split;
    use crate::win7::registry::units;

    fn of(line: &str) -> Result<Command, Refused> {
        let words = split(&units(line));
        read(&words.iter().map(|word| units(word)).collect::<Vec<_>>())
    }

    #[test]
    fn what_the_tests_of_wine_find_wrong() {
        for line in [
            "",
            "nope",
            "add",
            "query",
            "delete",
            "copy",
            "export",
            "import",
            "/? /f",
            "copy /? /f",
            "copy HKCU\\a /f",
            "copy HKCU\\a foo /f",
            "copy /f HKCU\\a HKCU\\b",
            "copy HKCU\\a /f HKCU\\b",
            "copy HKCU\\a HKCU\\b /a",
            "copy HKCU\\a HKCU\\",
            "copy HKCU\\a HKCU\\A\\ /s /f",
            "query HKCU\\a /v",
            "query HKCU\\a /v x /v y",
            "query HKCU\\a /v x /ve",
            "query HKCU\\a /s /s",
            "query HKCU\\a /reg:32 /reg:32",
            "query HKCU\\a /reg:32 /reg:64",
            "add HKCU\\a /f /f",
            "add HKCU\\a /v x /ve",
            "add HKCU\\a /v",
            "add HKCU\\a /v x /a",
            "add HKCU\\a /v x /",
            "add HKCU\\a /v x -",
            "add HKCU\\a /v x /t \"\" /d y /f",
            "add HKCU\\a\\\\ /f",
            "add HKCU\\ /v x /f",
            "add \\HKCU\\a /f",
            "add HKCU\\a /v x /t REG_SZ /f /d",
            "delete HKCU\\a /v x /va",
            "delete HKCU\\a /ve /ve",
            "delete HKCU\\a /f /v",
            "export HKCU\\a",
            "export f.reg HKCU\\a",
            "export HKDD f.reg",
            "export /y HKCU\\a f.reg",
            "export HKCU\\a /y f.reg",
            "export HKCU\\a f.reg g.reg",
            "import f.reg g.reg",
            "query HKCU\\a /k",
        ] {
            assert!(of(line).is_err(), "{line}");
        }
        assert!(matches!(
            of("query \\\\pc\\HKLM\\a"),
            Err((Wrong::Unmodelled(_), Some("QUERY")))
        ));
    }

    #[test]
    fn commands() {
        assert_eq!(of("ADD /?"), Ok(Command::Help(Some("ADD"))));
        assert_eq!(of("copy -H"), Ok(Command::Help(Some("COPY"))));
        assert_eq!(of("/?"), Ok(Command::Help(None)));
        let path = KeyPath::from("HKCU\\Software\\T");
        let added =
            of("add HKEY_CURRENT_USER\\Software\\T\\ -V \"a b\" /T reg_dword /d 0x10 /reg:32 /F");
        let wanted = Command::Add {
            target: Target {
                path: path.clone(),
                view: Some(Bits::Bits32),
            },
            name: units("a b"),
            value: Value::dword(16),
            force: true,
        };
        assert_eq!(added, Ok(wanted));
        let Ok(Command::Query(query)) =
            of("query hkcu\\Software\\T /f go /s /v /c /t REG_SZ,REG_DWORD")
        else {
            panic!("it is a query");
        };
        let find = query.find.expect("/f");
        assert!(find.names && find.case && !find.keys && query.recurse && query.which.is_none());
        assert_eq!(query.kinds, [Kind::SZ, Kind::DWORD]);
        let slashes = of("add HKCU\\T\\https://winehq.org /f");
        assert!(matches!(slashes, Ok(Command::Add { .. })));
    }

    proptest! {
        #[test]
        fn every_command_line_has_an_answer(
            words in prop::collection::vec(
                "(query|add|delete|copy|export|compare|HKCU\\\\T|HKLM|/v|/ve|/f|/t|REG_SZ|/d|/s|/reg:32|[a-z\\\\/中]{0,3})", 0..8),
        ) {
            let words: Vec<Vec<u16>> = words.iter().map(|word| units(word)).collect();
            let _ = read(&words);
        }
    }
}
