//! Wine as a host: a prefix of the session's own, a server of its own, one probe that stays.
//!
//! A finished prefix is kept in the cache as a template. A session gets a copy whose large files are hard
//! links, and a janitor: a process that ends Wine and removes the copy when the pipe to it closes, which
//! happens however this process ends.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::progress::Progress;

use super::go::Go;
use super::session::{Identity, Session};
use super::win32_probe::{self, unusable};
use super::{Places, State};

/// The one command that installs what this host needs.
pub const INSTALL: &str = "sh vm/wine/install.sh (on Debian: apt-get install --no-install-recommends wine wine64 gcc-mingw-w64-x86-64)";

/// No answer takes longer: the slowest run a script for half a minute.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the folders of sessions begin.
const SESSION: &str = "wine-session-";

/// The file in such a folder that holds the number of its janitor's process.
const JANITOR: &str = "janitor.pid";

/// The hives of the prefix and what else programs write into are copied; files of this size and more, which
/// are Wine's own, are linked.
const LINKED_FROM_BYTES: u64 = 16 << 10;

/// The executable that loads 64-bit programs, and its version.
#[derive(Clone, Debug)]
struct Loader {
    path: PathBuf,
    version: String,
}

impl Loader {
    fn find(places: &Places) -> Option<Loader> {
        let on_path = std::env::var_os("PATH").unwrap_or_default();
        let named = ["wine64", "wine"];
        let usual = std::env::split_paths(&on_path)
            .flat_map(|folder| named.map(|name| folder.join(name)))
            .chain(named.map(|name| Path::new("/usr/lib/wine").join(name)));
        let candidates: Vec<PathBuf> = match &places.wine {
            Some(path) => vec![path.clone()],
            None => usual.collect(),
        };
        candidates.into_iter().find_map(|path| {
            let output = Command::new(&path).arg("--version").output().ok()?;
            let said = String::from_utf8(output.stdout).ok()?;
            // `wine-8.0 (Debian 8.0~repack-4)`
            let version = said.trim().strip_prefix("wine-")?;
            let version = version.split([' ', '(']).next()?.to_owned();
            (output.status.success()).then_some(Loader { path, version })
        })
    }

    /// Whether its cmd.exe runs `&&` and `||` as they are meant.
    fn runs_scripts(&self) -> bool {
        let major = self.version.split('.').next().unwrap_or_default();
        major.parse().is_ok_and(|major: u32| major >= 10)
    }

    /// The server that belongs to it.
    fn server(&self) -> PathBuf {
        let beside = self.path.with_file_name("wineserver");
        match beside.exists() {
            true => beside,
            false => "wineserver".into(),
        }
    }

    fn command(&self, prefix: &Path) -> Command {
        let mut command = Command::new(&self.path);
        environment(&mut command, prefix);
        command
    }
}

/// Without a display, quiet, with the code pages of the models (936), and nothing of the user's own.
fn environment(command: &mut Command, prefix: &Path) {
    command
        .env("WINEPREFIX", prefix)
        .env("WINEARCH", "win64")
        .env("WINEDEBUG", "-all")
        .env("WINEDLLOVERRIDES", "mscoree,mshtml=;winemenubuilder.exe=d")
        .env("XDG_RUNTIME_DIR", prefix)
        .env("LC_ALL", "zh_CN.UTF-8")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY");
    let locales = prefix.join("locales");
    if locales.exists() {
        command.env("LOCPATH", locales);
    }
}

/// What of this host is there.
pub fn state(places: &Places) -> State {
    match (Loader::find(places), win32_probe::compiler()) {
        (Some(wine), Some(compiler)) => {
            let scripts = match wine.runs_scripts() {
                true => "",
                false => " (for batch files it takes Wine 10, as Debian 13 has it)",
            };
            let version = wine.version;
            State::Usable(format!("Wine {version}{scripts}, mingw-w64 gcc {compiler}"))
        }
        (None, _) => State::Missing("there is no Wine".into(), INSTALL),
        (_, None) => State::Missing(
            "mingw-w64, which builds the probe, is not there".into(),
            INSTALL,
        ),
    }
}

/// A session on Wine.
pub struct Wine {
    loader: Loader,
    probe: PathBuf,
    /// Removed by the janitor.
    prefix: PathBuf,
    talk: Option<Talk>,
    go: Option<Go>,
    janitor: Child,
}

/// The probe, running.
struct Talk {
    child: Child,
    to: ChildStdin,
    from: Receiver<io::Result<String>>,
}

impl Wine {
    /// Starts Wine with a fresh prefix.
    ///
    /// # Errors
    /// It is not there, or does not start.
    pub fn start(places: &Places, progress: &Progress) -> Result<Wine> {
        let Some(loader) = Loader::find(places) else {
            let what = match &places.wine {
                Some(path) => format!("{} is no Wine", path.display()),
                None => "there is no Wine".into(),
            };
            return Err(Failure::new(Exit::NoHost, what).help(format!("install it: {INSTALL}")));
        };
        let probe = win32_probe::build(progress)?;
        let cache = win32_probe::cache()?;
        let template = template(&loader, &cache, progress)?;
        sweep(&cache);
        let folder = tempfile::Builder::new()
            .prefix(SESSION)
            .tempdir_in(&cache)
            .map_err(|error| unusable(&cache, &error))?
            .keep();
        let janitor = janitor(&loader, &folder)?;
        let mut wine = Wine {
            loader,
            probe,
            prefix: folder,
            talk: None,
            go: None,
            janitor,
        };
        progress.say("copying a Wine prefix");
        copy(&template, &wine.prefix).map_err(|error| unusable(&wine.prefix, &error))?;
        progress.say("starting Wine");
        wine.talk = Some(wine.talk()?);
        if places.with_go {
            wine.go = Some(Go::put_into(&wine.prefix, progress)?);
        }
        Ok(wine)
    }

    /// Another probe in the same prefix, which talks elsewhere: `tcp:ADDRESS:PORT` or `com:COM1`.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_probe(&self, place: &str) -> Result<Child> {
        let mut command = self.loader.command(&self.prefix);
        command
            .arg(&self.probe)
            .arg(place)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
            .spawn()
            .map_err(|error| unusable(&self.loader.path, &error))
    }

    /// The folder of the session: it goes when the session does.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// Starts the probe.
    fn talk(&self) -> Result<Talk> {
        let mut child = self
            .loader
            .command(&self.prefix)
            .arg(&self.probe)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| unusable(&self.loader.path, &error))?;
        let to = child.stdin.take().expect("it was asked for");
        let from = child.stdout.take().expect("it was asked for");
        Ok(Talk {
            child,
            to,
            from: lines(from),
        })
    }

    /// The answer, or why there is none.
    fn try_ask(&mut self, request: &str) -> std::result::Result<String, String> {
        let talk = self.talk.as_mut().ok_or("the probe does not run")?;
        let sent = writeln!(talk.to, "{request}").and_then(|()| talk.to.flush());
        sent.map_err(|error| format!("the probe does not listen: {error}"))?;
        match talk.from.recv_timeout(PATIENCE) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(format!("the probe cannot be heard: {error}")),
            Err(RecvTimeoutError::Disconnected) => Err("the probe crashed".into()),
            Err(RecvTimeoutError::Timeout) => Err(format!("no answer in {PATIENCE:?}")),
        }
    }

    /// As [`Session::ask`], of the probe.
    fn ask_probe(&mut self, request: &str) -> Result<String> {
        match self.try_ask(request) {
            Ok(answer) => Ok(answer),
            Err(why) => {
                if let Some(mut talk) = self.talk.take() {
                    let _ = talk.child.kill();
                    let _ = talk.child.wait();
                }
                self.talk = Some(self.talk()?);
                Ok(serde_json::json!({ "id": null, "crashed": why }).to_string())
            }
        }
    }
}

/// Lines as they come, on a thread of their own, so that one can wait for them with a limit.
fn lines(from: ChildStdout) -> Receiver<io::Result<String>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Session for Wine {
    fn identity(&self) -> Identity {
        Identity {
            host: "wine".into(),
            version: self.loader.version.clone(),
        }
    }

    /// If the probe crashes, the answer is `{"id":null,"crashed":".."}`, and it is started anew: what the
    /// session made before is still there, and undone by nobody until the session ends.
    fn ask(&mut self, request: &str) -> Result<String> {
        if let Some(mut go) = self.go.take() {
            let answer = go.answer(request, &mut |line| self.ask_probe(line));
            self.go = Some(go);
            if let Some(answer) = answer.transpose()? {
                return Ok(answer);
            }
        }
        self.ask_probe(request)
    }

    fn serve(&mut self, reader: &mut dyn Read, writer: &mut dyn Write) -> Result<()> {
        super::session::serve_by_asking(self, reader, writer)
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        if let Some(talk) = self.talk.take() {
            // The probe undoes what it made when its input ends; the prefix goes anyhow.
            drop(talk.to);
            let mut child = talk.child;
            let _ = child.kill();
            let _ = child.wait();
        }
        drop(self.janitor.stdin.take());
        let _ = self.janitor.wait();
    }
}

/// The process that cleans up when its input ends: this process is gone then, or done. In a group of its
/// own, so that an interrupt from the terminal does not reach it.
fn janitor(loader: &Loader, folder: &Path) -> Result<Child> {
    let script = r#"cat >/dev/null; "$1" -k 2>/dev/null; "$1" -w 2>/dev/null; rm -rf -- "$2""#;
    let mut command = Command::new("sh");
    environment(&mut command, folder);
    command
        .args([OsStr::new("-c"), OsStr::new(script), OsStr::new("janitor")])
        .arg(loader.server())
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let child = command
        .spawn()
        .map_err(|error| unusable(Path::new("sh"), &error))?;
    let file = folder.join(JANITOR);
    fs::write(&file, child.id().to_string()).map_err(|error| unusable(&file, &error))?;
    Ok(child)
}

/// Removes sessions whose janitor is gone too: the machine went down in the middle.
fn sweep(cache: &Path) {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    for folder in entries.map(|entry| entry.path()) {
        let name = folder.file_name().and_then(OsStr::to_str);
        if !name.is_some_and(|name| name.starts_with(SESSION)) {
            continue;
        }
        // Without the number it has just begun, or is about to go.
        let Ok(pid) = fs::read_to_string(folder.join(JANITOR)) else {
            continue;
        };
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let is_alive = words
            .split(|byte| *byte == 0)
            .any(|word| word == folder.as_os_str().as_encoded_bytes());
        if !is_alive {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

/// A finished prefix for this Wine, from the cache or made now.
fn template(loader: &Loader, cache: &Path, progress: &Progress) -> Result<PathBuf> {
    let identity = format!("{} {}", loader.path.display(), loader.version);
    let hash = faultlab_sim::engine::text_hash(&identity);
    let template = cache.join(format!("wine-{}-{hash:016x}", loader.version));
    if template.exists() {
        return Ok(template);
    }
    progress.say("making a Wine prefix (once, about 15 s)");
    let folder = tempfile::Builder::new()
        .prefix(SESSION)
        .tempdir_in(cache)
        .map_err(|error| unusable(cache, &error))?
        .keep();
    let mut janitor = janitor(loader, &folder)?;
    locale(&folder);
    let made = loader
        .command(&folder)
        .args(["wineboot", "-i"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let mut waiting = Command::new(loader.server());
    environment(&mut waiting, &folder);
    let _ = waiting.arg("-w").status();
    let result = match made {
        Ok(status) if status.success() && folder.join("system.reg").exists() => {
            let _ = fs::remove_file(folder.join(JANITOR));
            // Whoever comes first wins; the other one's copy goes with its janitor.
            match fs::rename(&folder, &template) {
                Ok(()) => Ok(()),
                Err(_) if template.exists() => Ok(()),
                Err(error) => Err(unusable(&template, &error)),
            }
        }
        Ok(status) => {
            let what = format!("{} does not make a prefix: {status}", loader.path.display());
            Err(Failure::new(Exit::NoHost, what))
        }
        Err(error) => Err(unusable(&loader.path, &error)),
    };
    drop(janitor.stdin.take());
    let _ = janitor.wait();
    result.map(|()| template)
}

/// A locale in which file names can be Chinese: without it, Wine takes code page 936 from the name of the
/// locale alone, and does not find such files. Where `localedef` is not there, nothing is lost but that.
fn locale(prefix: &Path) {
    let folder = prefix.join("locales");
    let made = fs::create_dir_all(&folder).is_ok()
        && Command::new("localedef")
            .args(["--no-archive", "-i", "zh_CN", "-f", "UTF-8"])
            .arg(folder.join("zh_CN.UTF-8"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|_| folder.join("zh_CN.UTF-8").exists());
    if !made {
        let _ = fs::remove_dir_all(&folder);
    }
}

/// Copies a prefix: links to large files, copies of small ones, links as they are.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&source, &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else {
            let is_hive = source.extension() == Some(OsStr::new("reg"));
            let links = !is_hive && entry.metadata()?.len() >= LINKED_FROM_BYTES;
            if !links || fs::hard_link(&source, &target).is_err() {
                fs::copy(&source, &target)?;
            }
        }
    }
    Ok(())
}
