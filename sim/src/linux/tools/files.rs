//! Tools that change names and files.

use super::super::errno::Errno;
use super::super::fs::Kind;
use super::super::replay::Asked;
use super::super::syscall::{OpenFlags, Text};
use super::{Run, base_name, join, quoted};

/// Where sources go: to this very name, or into this directory.
enum Target {
    Name(Text),
    Directory(Text),
}

impl Target {
    fn path(&self, source: &str) -> String {
        match self {
            Self::Name(name) => name.to_string(),
            Self::Directory(directory) => join(directory, base_name(source)),
        }
    }
}

impl Run<'_, '_> {
    /// `open(path, O_PATH|O_DIRECTORY)`: leads this to a directory? With `no_follow`, a symbolic link does not.
    fn is_directory(&mut self, path: &str, no_follow: bool) -> Asked<bool> {
        let stat = self.io.stat(path, !no_follow)?;
        Ok(stat.is_ok_and(|stat| stat.kind == Kind::Directory))
    }

    fn missing_operand(&mut self, operands: &[Text]) -> Asked<Option<u8>> {
        Ok(match operands {
            [] => Some(self.usage("missing file operand")?),
            [one] => {
                let message = format!("missing destination file operand after {}", quoted(one));
                Some(self.usage(message)?)
            }
            _ => None,
        })
    }
}

/// `ln -s [-f] [-n] [-T] TARGET... NAME`; hard links are refused.
///
/// coreutils 9.1 tries `symlinkat` at once. On `EEXIST` it looks whether the name is a directory (with `-n`: not through
/// a symbolic link) and then either links inside it, or, with `-f`, makes a link `CuXXXXXX` beside it and renames that
/// over the name: the name is never missing (`src/force-link.c`, `force_symlinkat`; so since 8.28).
pub(super) fn ln(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (options, operands) = run.options("sfnT")?;
    if !options.contains(&'s') {
        return run
            .io
            .refuse("ln without -s", 0, "hard links are not modelled");
    }
    let (force, no_follow) = (options.contains(&'f'), options.contains(&'n'));
    let no_directory = options.contains(&'T');
    let (sources, name): (Vec<Text>, Text) = match operands.as_slice() {
        [] => return run.usage("missing file operand"),
        [one] => (vec![one.clone()], ".".into()),
        [sources @ .., name] => (sources.to_vec(), name.clone()),
    };
    let mut first_error = None;
    let mut target = Target::Directory(name.clone());
    if let [source] = sources.as_slice()
        && operands.len() == 2
    {
        match run.io.symlink(source, &name)? {
            Ok(()) => return Ok(0),
            Err(Errno::EEXIST) if !no_directory && run.is_directory(&name, no_follow)? => {}
            Err(errno) => {
                first_error = Some(errno);
                target = Target::Name(name.clone());
            }
        }
    } else if !run.is_directory(&name, no_follow)? {
        run.complain(format!("target {} is not a directory", quoted(&name)))?;
        return Ok(1);
    }
    let mut status = 0;
    for source in &sources {
        let path = target.path(source);
        let result = match first_error {
            Some(errno) => Err(errno),
            None => run.io.symlink(source, &path)?,
        };
        let result = match result {
            Err(Errno::EEXIST) if force => replace_link(run, source, &path)?,
            other => other,
        };
        if let Err(errno) = result {
            run.complain(format!(
                "failed to create symbolic link {}: {errno}",
                quoted(&path)
            ))?;
            status = 1;
        }
    }
    Ok(status)
}

fn replace_link(run: &mut Run<'_, '_>, source: &str, path: &str) -> Asked<Result<(), Errno>> {
    if let Ok(old) = run.io.stat(path, false)?
        && old.kind == Kind::Directory
    {
        run.complain(format!("{}: cannot overwrite directory", path))?;
        return run.io.exit(1);
    }
    // Are both the same file? It only matters for hard links, but `ln` asks.
    let _ = run.io.stat(source, true)?;
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    // The real name ends in six random characters. Here the process's own name makes it unlike any other.
    let own = run.memory.name.replace('/', "-");
    let temporary = match (directory, path.starts_with('/')) {
        ("", false) => format!("Cu{own}"),
        (directory, _) => format!("{directory}/Cu{own}"),
    };
    if let Err(errno) = run.io.symlink(source, &temporary)? {
        return Ok(Err(errno));
    }
    let renamed = run.io.rename(&temporary, path, false)?;
    if renamed.is_err() {
        let _ = run.io.unlink(&temporary)?;
    }
    Ok(renamed)
}

/// `mv [-f] [-T] SOURCE... TARGET`.
///
/// coreutils 9.1 tries `renameat2(RENAME_NOREPLACE)` at once. On `EEXIST` it looks whether the target is a directory
/// (not with `-T`), and then moves into it; else it compares both and calls `renameat`, which replaces the name.
pub(super) fn mv(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (options, operands) = run.options("fT")?;
    if let Some(status) = run.missing_operand(&operands)? {
        return Ok(status);
    }
    let Some((name, sources)) = operands.split_last() else {
        return Ok(1);
    };
    let mut target = Target::Directory(name.clone());
    let mut tried = false;
    if let [source] = sources {
        match run.io.rename(source, name, true)? {
            Ok(()) => return Ok(0),
            Err(Errno::EEXIST) if !options.contains(&'T') && run.is_directory(name, false)? => {}
            Err(_) => {
                target = Target::Name(name.clone());
                tried = true;
            }
        }
    } else if options.contains(&'T') {
        let extra = sources.get(1).cloned().unwrap_or_default();
        return run.usage(format!("extra operand {}", quoted(&extra)));
    } else if !run.is_directory(name, false)? {
        run.complain(format!("target {} is not a directory", quoted(name)))?;
        return Ok(1);
    }
    let mut status = 0;
    for source in sources {
        let path = target.path(source);
        if !tried && run.io.rename(source, &path, true)?.is_ok() {
            continue;
        }
        let result = match run.io.stat(source, false)? {
            Err(errno) => Err(format!("cannot stat {}: {errno}", quoted(source))),
            Ok(old) => match run.io.stat(&path, false)? {
                Ok(new) if new.inode == old.inode => Err(format!(
                    "{} and {} are the same file",
                    quoted(source),
                    quoted(&path)
                )),
                Ok(new) if new.kind == Kind::Directory && old.kind != Kind::Directory => {
                    Err(format!(
                        "cannot overwrite directory {} with non-directory {}",
                        quoted(&path),
                        quoted(source)
                    ))
                }
                _ => run.io.rename(source, &path, false)?.map_err(|errno| {
                    format!(
                        "cannot move {} to {}: {errno}",
                        quoted(source),
                        quoted(&path)
                    )
                }),
            },
        };
        if let Err(message) = result {
            run.complain(message)?;
            status = 1;
        }
    }
    Ok(status)
}

/// `cp [-f] [-T] SOURCE... TARGET`, files only.
///
/// An existing target is opened with `O_TRUNC` and written in place: a reader can see it empty or half done. Symbolic
/// links are followed on both sides.
pub(super) fn cp(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (options, operands) = run.options("fT")?;
    if let Some(status) = run.missing_operand(&operands)? {
        return Ok(status);
    }
    let Some((name, sources)) = operands.split_last() else {
        return Ok(1);
    };
    let into = !options.contains(&'T') && run.is_directory(name, false)?;
    if sources.len() > 1 && !into {
        run.complain(format!("target {} is not a directory", quoted(name)))?;
        return Ok(1);
    }
    let target = if into {
        Target::Directory(name.clone())
    } else {
        Target::Name(name.clone())
    };
    let mut status = 0;
    for source in sources {
        if let Err(message) = copy(run, source, &target.path(source))? {
            run.complain(message)?;
            status = 1;
        }
    }
    Ok(status)
}

fn copy(run: &mut Run<'_, '_>, source: &str, path: &str) -> Asked<Result<(), String>> {
    let from = match run.io.stat(source, true)? {
        Ok(stat) if stat.kind == Kind::Directory => {
            return Ok(Err(format!(
                "-r not specified; omitting directory {}",
                quoted(source)
            )));
        }
        Ok(stat) => stat,
        Err(errno) => return Ok(Err(format!("cannot stat {}: {errno}", quoted(source)))),
    };
    let old = run.io.stat(path, true)?;
    if old.as_ref().is_ok_and(|old| old.inode == from.inode) {
        return Ok(Err(format!(
            "{} and {} are the same file",
            quoted(source),
            quoted(path)
        )));
    }
    let input = match run.io.open(source, OpenFlags::READ)? {
        Ok(input) => input,
        Err(errno) => {
            return Ok(Err(format!(
                "cannot open {} for reading: {errno}",
                quoted(source)
            )));
        }
    };
    let exclusive = OpenFlags {
        exclusive: true,
        truncate: false,
        ..OpenFlags::WRITE
    };
    let replace = OpenFlags {
        create: false,
        ..OpenFlags::WRITE
    };
    let flags = if old.is_ok() { replace } else { exclusive };
    let output = match run.io.open(path, flags)? {
        Ok(output) => output,
        Err(errno) => {
            return Ok(Err(format!(
                "cannot create regular file {}: {errno}",
                quoted(path)
            )));
        }
    };
    let data = match run.io.slurp(input)? {
        Ok(data) => data,
        Err(errno) => return Ok(Err(format!("error reading {}: {errno}", quoted(source)))),
    };
    if let Err(errno) = run.io.write(output, &data)? {
        return Ok(Err(format!("error writing {}: {errno}", quoted(path))));
    }
    // The mode is given to `open` when it makes the file; an existing file keeps its own.
    if old.is_err() && from.executable {
        let _ = run.io.chmod(path, true)?;
    }
    let _ = run.io.close(output)?;
    let _ = run.io.close(input)?;
    Ok(Ok(()))
}

/// `rm [-f] [-r] NAME...`: `lstat`, then `unlink`; with `-r`, a directory's names one by one.
pub(super) fn rm(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (options, operands) = run.options("frR")?;
    let force = options.contains(&'f');
    let recursive = options.iter().any(|option| "rR".contains(*option));
    if operands.is_empty() && !force {
        return run.usage("missing operand");
    }
    let mut status = 0;
    for operand in operands {
        if !remove(run, &operand, force, recursive)? {
            status = 1;
        }
    }
    Ok(status)
}

/// Removes a name and, depth first, all below it. An explicit stack: directories may be nested as deep as they like.
fn remove(run: &mut Run<'_, '_>, path: &str, force: bool, recursive: bool) -> Asked<bool> {
    enum Work {
        Look(String),
        Empty(String),
    }
    let mut good = true;
    let mut work = vec![Work::Look(path.into())];
    while let Some(item) = work.pop() {
        let (path, result) = match item {
            Work::Look(path) => {
                let stat = run.io.stat(&path, false)?;
                if stat.is_ok_and(|stat| stat.kind == Kind::Directory) {
                    if !recursive {
                        run.complain(format!("cannot remove {}: Is a directory", quoted(&path)))?;
                        good = false;
                        continue;
                    }
                    let names = run.io.readdir(&path)?.unwrap_or_default();
                    let below: Vec<Work> = names
                        .iter()
                        .rev()
                        .map(|name| Work::Look(join(&path, name)))
                        .collect();
                    work.push(Work::Empty(path));
                    work.extend(below);
                    continue;
                }
                let result = run.io.unlink(&path)?;
                (path, result)
            }
            Work::Empty(path) => {
                let result = run.io.rmdir(&path)?;
                (path, result)
            }
        };
        match result {
            Ok(()) => {}
            Err(Errno::ENOENT | Errno::ENOTDIR) if force => {}
            Err(errno) => {
                run.complain(format!("cannot remove {}: {errno}", quoted(&path)))?;
                good = false;
            }
        }
    }
    Ok(good)
}

/// `rmdir NAME...`.
pub(super) fn rmdir(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (_, operands) = run.options("")?;
    if operands.is_empty() {
        return run.usage("missing operand");
    }
    let mut status = 0;
    for operand in operands {
        if let Err(errno) = run.io.rmdir(&operand)? {
            run.complain(format!("failed to remove {}: {errno}", quoted(&operand)))?;
            status = 1;
        }
    }
    Ok(status)
}

/// `mkdir [-p] NAME...`: with `-p` each directory of the path, one `mkdir` each, `EEXIST` being fine for a directory.
pub(super) fn mkdir(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (options, operands) = run.options("p")?;
    if operands.is_empty() {
        return run.usage("missing operand");
    }
    let mut status = 0;
    for operand in &operands {
        let result = if options.contains(&'p') {
            make_all(run, operand)?
        } else {
            run.io
                .mkdir(operand)?
                .map_err(|errno| (operand.to_string(), errno))
        };
        if let Err((path, errno)) = result {
            run.complain(format!(
                "cannot create directory {}: {errno}",
                quoted(&path)
            ))?;
            status = 1;
        }
    }
    Ok(status)
}

fn make_all(run: &mut Run<'_, '_>, path: &str) -> Asked<Result<(), (String, Errno)>> {
    let mut so_far = String::new();
    if path.starts_with('/') {
        so_far.push('/');
    }
    for name in path.split('/').filter(|name| !name.is_empty()) {
        so_far = if so_far.is_empty() {
            name.into()
        } else {
            join(&so_far, name)
        };
        match run.io.mkdir(&so_far)? {
            Ok(()) => {}
            Err(Errno::EEXIST) if run.is_directory(&so_far, false)? => {}
            Err(errno) => {
                let errno = if so_far.trim_end_matches('/') == path.trim_end_matches('/') {
                    errno
                } else {
                    Errno::ENOTDIR
                };
                return Ok(Err((so_far, errno)));
            }
        }
    }
    Ok(Ok(()))
}

/// `touch NAME...`: makes missing files. There are no times to set in this model.
pub(super) fn touch(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (_, operands) = run.options("")?;
    if operands.is_empty() {
        return run.usage("missing file operand");
    }
    let mut status = 0;
    let flags = OpenFlags {
        truncate: false,
        ..OpenFlags::WRITE
    };
    for operand in operands {
        match run.io.open(&operand, flags)? {
            Ok(fd) => drop(run.io.close(fd)?),
            Err(Errno::EISDIR) => {}
            Err(errno) => {
                run.complain(format!("cannot touch {}: {errno}", quoted(&operand)))?;
                status = 1;
            }
        }
    }
    Ok(status)
}

/// `readlink [-f] [-n] NAME...`. With `-f`, each component is asked with a `readlink` of its own, so that a link
/// replaced in between gives a mixture, as it does with the real one.
pub(super) fn readlink(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (options, operands) = run.options("fn")?;
    if operands.is_empty() {
        return run.usage("missing operand");
    }
    let mut status = 0;
    let mut printed = String::new();
    for operand in &operands {
        let answer = if options.contains(&'f') {
            canonical(run, operand)?
        } else {
            run.io
                .readlink(operand)?
                .ok()
                .map(|target| target.to_string())
        };
        match answer {
            Some(path) => {
                printed.push_str(&path);
                if !(options.contains(&'n') && operands.len() == 1) {
                    printed.push('\n');
                }
            }
            None => status = 1,
        }
    }
    run.print(printed.as_bytes())?;
    Ok(status)
}

/// `canonicalize_file_name(3)`, with a missing last component allowed.
fn canonical(run: &mut Run<'_, '_>, path: &str) -> Asked<Option<String>> {
    let mut at = if path.starts_with('/') {
        String::new()
    } else {
        match run.io.getcwd()? {
            Ok(cwd) => cwd.trim_end_matches('/').to_string(),
            Err(_) => return Ok(None),
        }
    };
    let parts = |path: &str| -> Vec<String> {
        path.split('/')
            .rev()
            .filter(|part| !part.is_empty() && *part != ".")
            .map(Into::into)
            .collect()
    };
    let mut rest = parts(path);
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == ".." {
            at.truncate(at.rfind('/').unwrap_or(0));
            continue;
        }
        let next = format!("{at}/{part}");
        match run.io.readlink(&next)? {
            Ok(target) => {
                links += 1;
                if links > 40 {
                    return Ok(None);
                }
                if target.starts_with('/') {
                    at.clear();
                }
                rest.extend(parts(&target));
            }
            Err(Errno::EINVAL) => at = next,
            Err(Errno::ENOENT) if rest.is_empty() => at = next,
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(if at.is_empty() { "/".into() } else { at }))
}

/// `ls [-1] [-A] [NAME...]`, one name a line, in byte order.
pub(super) fn ls(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (options, operands) = run.options("1A")?;
    if !options.contains(&'1') && run.io.isatty(super::STDOUT)? {
        return run.unsupported("in columns");
    }
    let operands = if operands.is_empty() {
        vec![Text::from(".")]
    } else {
        operands
    };
    let mut status = 0;
    let (mut files, mut directories) = (Vec::new(), Vec::new());
    for operand in &operands {
        match run.io.stat(operand, true)? {
            Ok(stat) if stat.kind == Kind::Directory => directories.push(operand.clone()),
            Ok(_) => files.push(operand.clone()),
            Err(_) if run.io.stat(operand, false)?.is_ok() => files.push(operand.clone()),
            Err(errno) => {
                run.complain(format!("cannot access {}: {errno}", quoted(operand)))?;
                status = 2;
            }
        }
    }
    files.sort();
    directories.sort();
    let mut text = String::new();
    for file in &files {
        text.push_str(file);
        text.push('\n');
    }
    for directory in &directories {
        if operands.len() > 1 {
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}{directory}:\n"));
        }
        match run.io.readdir(directory)? {
            Ok(names) => {
                let hidden = options.contains(&'A');
                for name in names.iter().filter(|name| hidden || !name.starts_with('.')) {
                    text.push_str(name);
                    text.push('\n');
                }
            }
            Err(errno) => {
                run.complain(format!(
                    "cannot open directory {}: {errno}",
                    quoted(directory)
                ))?;
                status = 2;
            }
        }
    }
    run.print(text.as_bytes())?;
    Ok(status)
}

/// `chmod +x|-x|OCTAL NAME...`, of which the model keeps whether it is executable.
pub(super) fn chmod(run: &mut Run<'_, '_>) -> Asked<u8> {
    let arguments = run.arguments();
    let [mode, names @ ..] = arguments.as_slice() else {
        return run.usage("missing operand");
    };
    let executable = match &**mode {
        "+x" | "a+x" | "u+x" => true,
        "-x" | "a-x" | "u-x" => false,
        octal => match u32::from_str_radix(octal, 8) {
            Ok(bits) => bits & 0o111 != 0,
            Err(_) => return run.unsupported(octal),
        },
    };
    let mut status = 0;
    for name in names {
        if let Err(errno) = run.io.chmod(name, executable)? {
            run.complain(format!("cannot access {}: {errno}", quoted(name)))?;
            status = 1;
        }
    }
    Ok(status)
}
