//! Inside the guest: this program as the first process, with no other beside it.
//!
//! It mounts what the lab needs, loads the modules that were put beside it, opens the channel, says a first
//! word, and answers the probe protocol until the channel closes. If it cannot, its last line on the channel
//! says why: `{"end":{"exit":3,"why":".."}}`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, inotify};
use rustix::mount::{MountFlags, mount};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::system::{RebootCommand, finit_module, reboot};
use rustix::thread::sched_yield;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::host::linux::time_wait::Hooks;
use crate::host::linux::watch::{Ring, Watch};
use crate::host::linux::world::{self, Pace, Performance, Tools, wire};
use crate::host::linux::{self, elements};
use crate::host::session::Session;

/// Where the modules are, named so that their order is that of their names.
pub const MODULES: &str = "/modules";

/// The eBPF programs, built outside: there is no compiler in a guest.
pub const PROGRAMS: &str = "/tcp_events.o";

/// Those that count sockets in TIME_WAIT.
pub const TIME_WAIT: &str = "/time_wait.o";

/// A map alone, see [`elements`].
pub const ELEMENTS: &str = "/elements.o";

/// To put elements into a map, and to list their keys: `{"elements":[[key,value],..]}` gives `{"keys":[key,..]}`.
pub const MAP_KEYS: &str = "map.keys";

/// To tell the clocksource: `{"current":".."}`.
pub const CLOCKSOURCE: &str = "clock.source";

/// To play the TCP world of a scenario, see [`wire`]. It tells now and then how far it is.
pub const PLAY: &str = "world.play";

/// So many sockets and files can be open: as many ports as there are, at both ends.
const DESCRIPTORS: u64 = 1 << 18;

/// The channel.
const CHANNEL: &str = "/dev/vport0p1";

/// Where the tracepoints stand.
const TRACING: &str = "/sys/kernel/tracing";

/// Where the kernel's types stand, without which no program for another kernel can be fitted to it.
const BTF: &str = "/sys/kernel/btf/vmlinux";

/// How a guest's time passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Clock {
    /// As here.
    Real,
    /// With its instructions; while it idles, from timer to timer.
    Virtual,
}

/// The first word.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// The kernel's release.
    pub release: String,
    /// Whether it says what its types look like.
    pub btf: bool,
    /// How long it has run, in its own time.
    pub up_ms: u64,
}

/// What a line from the guest is, if it is none of the protocol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// It is ready.
    Hello(Hello),
    /// So many ms of a world are through.
    Through(u64),
    /// It is done.
    End {
        /// With which code.
        exit: u8,
        /// Why.
        why: String,
    },
}

/// Runs as the first process of a guest, and ends the guest.
///
/// # Errors
/// This is no guest.
pub fn run(clock: Clock) -> Result<Exit> {
    if std::process::id() != 1 {
        let what = "this is what runs inside a guest, as its first process";
        return Err(Failure::bad_input(what).help("`faultlab probe --host linux-vm` starts one"));
    }
    let mut channel = None;
    let end = match lead(clock, &mut channel) {
        Ok(()) => Word::End {
            exit: Exit::AsRecorded as u8,
            why: "nobody asks any more".into(),
        },
        Err(why) => Word::End {
            exit: Exit::NoHost as u8,
            why: why.to_string(),
        },
    };
    match &mut channel {
        Some(channel) => {
            let _ = writeln!(channel, "{}", json!(end));
        }
        // Then the console is all that there is.
        None => eprintln!("faultlab: {}", json!(end)),
    }
    // What was written is with QEMU already, and there is no disk. QEMU takes a restart for the end.
    let error = reboot(RebootCommand::Restart);
    unreachable!("the first process may restart the machine: {error:?}")
}

/// A failure with what failed.
fn at<E: Into<io::Error>>(what: &str) -> impl FnOnce(E) -> io::Error {
    move |error| {
        let error = error.into();
        io::Error::new(error.kind(), format!("{what}: {error}"))
    }
}

fn lead(clock: Clock, channel: &mut Option<Restless>) -> io::Result<()> {
    for (kind, place) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tracefs", TRACING),
        ("bpf", "/sys/fs/bpf"),
        ("cgroup2", "/sys/fs/cgroup"),
        ("tmpfs", "/run"),
        ("tmpfs", "/tmp"),
    ] {
        fs::create_dir_all(place).map_err(at(place))?;
        mount(kind, place, kind, MountFlags::empty(), None).map_err(at(place))?;
    }
    load_modules()?;
    // The kernel gives its first process no more than 1024 descriptors.
    let descriptors = Some(DESCRIPTORS);
    let limit = Rlimit {
        current: descriptors,
        maximum: descriptors,
    };
    setrlimit(Resource::Nofile, limit).map_err(at("descriptors"))?;
    let session = crate::host::agent(Some(Path::new(PROGRAMS)));
    let opened = open_channel()?;
    if clock == Clock::Virtual {
        let flags = fcntl_getfl(&opened).map_err(at(CHANNEL))?;
        fcntl_setfl(&opened, flags | OFlags::NONBLOCK).map_err(at(CHANNEL))?;
    }
    let reader = BufReader::new(Restless(opened.try_clone().map_err(at(CHANNEL))?));
    let mut writer = Restless(opened.try_clone().map_err(at(CHANNEL))?);
    *channel = Some(Restless(opened));
    let mut session = session.map_err(io::Error::other)?;
    let up = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").map_err(at("osrelease"))?;
    let hello = Hello {
        release: release.trim().into(),
        btf: Path::new(BTF).exists(),
        up_ms: up.tv_sec as u64 * 1000 + up.tv_nsec as u64 / 1_000_000,
    };
    writeln!(writer, "{}", json!(Word::Hello(hello.clone()))).map_err(at(CHANNEL))?;
    answer(reader, writer, &mut *session, &hello, clock)
}

fn load_modules() -> io::Result<()> {
    let entries = fs::read_dir(MODULES).map_err(at(MODULES))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let shown = path.display().to_string();
        let file = File::open(&path).map_err(at(&shown))?;
        match finit_module(&file, c"", 0) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(at(&shown)(error)),
        }
    }
    Ok(())
}

/// Waits until the port is there.
fn open_channel() -> io::Result<File> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).map_err(at("inotify"))?;
    inotify::add_watch(&watch, "/dev", inotify::WatchFlags::CREATE).map_err(at("/dev"))?;
    while !Path::new(CHANNEL).exists() {
        let mut buffer = [const { std::mem::MaybeUninit::uninit() }; 1024];
        let mut events = inotify::Reader::new(&watch, &mut buffer);
        events.next().map_err(at("/dev"))?;
    }
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .open(CHANNEL)
        .map_err(at(CHANNEL))
}

/// The channel of a guest in virtual time, on which it never sleeps: when such a guest sleeps, its time flies
/// until a timer fires, and between an answer and the next request none is to pass. (In real time the file
/// itself waits.)
struct Restless(File);

/// Tries again until it need not wait.
fn again<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sched_yield(),
            other => return other,
        }
    }
}

impl Read for Restless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        again(|| self.0.read(buffer))
    }
}

impl Write for Restless {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        again(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The kernel's `format` files of these tracepoints (`tcp/tcp_send_reset`), by name; null where there is none.
fn formats(events: &Value) -> Value {
    let names = events.as_array().into_iter().flatten();
    let names = names.filter_map(Value::as_str);
    let of = |name: &str| {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_/".contains(&byte);
        let path = format!("{TRACING}/events/{name}/format");
        name.bytes()
            .all(is_name)
            .then(|| fs::read_to_string(path).ok())
            .flatten()
    };
    names
        .map(|name| (name.to_owned(), json!(of(name))))
        .collect()
}

/// Answers line by line. What is about the guest itself is answered here.
fn answer(
    mut reader: impl BufRead,
    mut writer: impl Write,
    session: &mut dyn Session,
    hello: &Hello,
    clock: Clock,
) -> io::Result<()> {
    let mut line = String::new();
    let mut tools = None;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let request: Value = serde_json::from_str(&line).unwrap_or_default();
        let id = &request["id"];
        let answer = match request["op"].as_str() {
            Some("host.about") => json!({"id": id, "ok": {
                "release": hello.release,
                "clock": match clock {
                    Clock::Real => "real",
                    Clock::Virtual => "virtual",
                },
            }})
            .to_string(),
            Some(PLAY) => {
                let played = play(&request, &mut tools, &mut writer).map_err(io::Error::other)?;
                wire::to_answer(id, played)
            }
            Some(MAP_KEYS) => {
                let elements = serde_json::from_value(request["elements"].clone());
                let elements = elements.map_err(|error| error.to_string());
                match elements.and_then(|own: Vec<_>| elements::listed(Path::new(ELEMENTS), &own)) {
                    Ok(keys) => json!({"id": id, "ok": {"keys": keys}}),
                    Err(why) => json!({"id": id, "unsupported": why}),
                }
                .to_string()
            }
            Some(CLOCKSOURCE) => match linux::clocksource() {
                Ok(current) => json!({"id": id, "ok": {"current": current}}),
                Err(error) => json!({"id": id, "unsupported": error.to_string()}),
            }
            .to_string(),
            Some("host.formats") => {
                json!({"id": id, "ok": formats(&request["events"])}).to_string()
            }
            // To see from outside that it is noticed. Source: Documentation/admin-guide/sysrq.rst.
            Some("vm.panic") => {
                fs::write("/proc/sysrq-trigger", "c").map_err(at("/proc/sysrq-trigger"))?;
                continue;
            }
            _ => session.ask(line.trim_end()).map_err(io::Error::other)?,
        };
        writeln!(writer, "{answer}").map_err(at(CHANNEL))?;
    }
}

/// Plays a world.
///
/// # Errors
/// The kernel refuses the programs.
fn play(
    request: &Value,
    tools: &mut Option<Tools>,
    writer: &mut impl Write,
) -> Result<Performance> {
    let asked: wire::Asked = match serde_json::from_value(request["asked"].clone()) {
        Ok(asked) => asked,
        Err(error) => return Ok(Performance::Cannot(error.to_string())),
    };
    let tools = match tools {
        Some(tools) => tools,
        None => tools.insert(Tools {
            watch: Watch::load(Path::new(PROGRAMS), Ring::ROOMY)?,
            time_wait: Hooks::load(Path::new(TIME_WAIT)),
            pace: Pace::GUEST,
            drops: None,
        }),
    };
    let mut tell = |through_ms: u64| {
        // If nobody listens any more, the answer fails as well.
        let _ = writeln!(writer, "{}", json!(Word::Through(through_ms)));
    };
    Ok(world::perform(
        &asked.world,
        &asked.faults,
        tools,
        &mut tell,
    ))
}
