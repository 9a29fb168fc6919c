//! QEMU: a guest that is booted, spoken to, and watched.
//!
//! Standard input and output of QEMU are the channel (a port of virtio-console in the guest), its standard
//! error is the guest's console and QEMU's own complaints. No file and no socket is made.
//!
//! Without KVM the guest lives in virtual time (`-icount`): its clock counts instructions, and jumps to the
//! next timer when the guest idles. A minute of waiting takes milliseconds here, timers fire exactly, and a
//! busy machine here makes nothing late there. Between an answer and the next request QEMU is stopped: no
//! time passes while nobody asks.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::executable;
use super::guard;
use super::initramfs::InMemory;
use super::kernel::Kernel;

/// The program.
const PROGRAM: &str = "qemu-system-x86_64";

/// A firmware that does nothing but start a kernel: a second less than with SeaBIOS.
const FIRMWARE: &str = "qboot.rom";

/// How often the watchdog looks, while nothing is heard.
const WATCH: Duration = Duration::from_millis(100);

/// How a kernel says that it is at its end.
const PANIC: &str = "Kernel panic - not syncing: ";

/// The memory of a guest, in MiB. Some defaults of TCP hang on it (tcp_max_tw_buckets, tcp_mem): this much had
/// the guest in which the vectors of 6.1 were recorded.
const MEMORY_MIB: u32 = 1024;

/// So many lines of the console are kept.
const KEPT_LINES: usize = 12;

/// What runs the guest's instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accelerator {
    /// QEMU's translator, in virtual time.
    Tcg,
    /// This machine's processor, in real time.
    Kvm,
}

/// The QEMU of this machine.
#[derive(Clone, Debug)]
pub struct Qemu {
    /// Its version.
    pub version: String,
    has_firmware: bool,
}

/// Why a guest does not answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Its kernel panicked: what it said.
    Panic(String),
    /// It ended: how, and what was last on its console.
    Ended(String),
    /// It said nothing for too long.
    Silent(String),
}

/// For how long a guest may say nothing: whichever is over first.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Time on the wall, which passes faster than a guest on a busy machine can use it.
    pub wall: Duration,
    /// Time that QEMU had a processor: a guest that goes round in circles.
    pub processor: Duration,
}

enum Said {
    Answer(String),
    Console(String),
}

/// A guest that runs.
pub struct Guest {
    child: Child,
    to: ChildStdin,
    from: Receiver<Said>,
    console: VecDeque<String>,
    accelerator: Accelerator,
}

impl Accelerator {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Accelerator::Tcg => "TCG",
            Accelerator::Kvm => "KVM",
        }
    }

    fn is_virtual(self) -> bool {
        self == Accelerator::Tcg
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            // An instruction takes 1 ns of the guest's time.
            Accelerator::Tcg => &["-accel", "tcg", "-icount", "shift=0,sleep=off"],
            Accelerator::Kvm => &["-accel", "kvm"],
        }
    }

    /// What the kernel is told. In virtual time a loop that waits is slow here, however short it is there, so
    /// two calibrations are skipped: of the local APIC's timer (the HPET serves as well), and of the TSC, of
    /// which it is known that it counts instructions.
    fn kernel_arguments(self) -> &'static str {
        match self {
            Accelerator::Tcg => "nolapic_timer tsc_early_khz=1000000",
            Accelerator::Kvm => "",
        }
    }
}

impl Qemu {
    /// Looks for it.
    pub fn find() -> Option<Qemu> {
        let said = |argument: &[&str]| {
            let output = Command::new(PROGRAM)
                .args(argument)
                .stdin(Stdio::null())
                .output()
                .ok()?;
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        // `QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)`
        let version = said(&["--version"])?;
        let version = version
            .split("version ")
            .nth(1)?
            .split_whitespace()
            .next()?
            .to_owned();
        let folders = said(&["-L", "help"]).unwrap_or_default();
        let has_firmware = folders
            .lines()
            .any(|folder| Path::new(folder).join(FIRMWARE).exists());
        Some(Qemu {
            version,
            has_firmware,
        })
    }

    /// Starts a guest.
    ///
    /// # Errors
    /// There is no such program any more.
    pub fn boot(
        &self,
        kernel: &Kernel,
        initramfs: &InMemory,
        accelerator: Accelerator,
        extra: &str,
    ) -> io::Result<Guest> {
        let machine = [
            // Nothing but what is named here.
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-machine",
            "q35,vmport=off",
            "-cpu",
            "max",
            "-smp",
            "1",
            // A panic ends QEMU: the kernel starts anew then (panic=-1), and that is no more than an end here.
            "-no-reboot",
            "-chardev",
            "stdio,id=channel,signal=off",
            "-device",
            "virtio-serial-pci",
            "-device",
            "virtserialport,chardev=channel,name=faultlab",
            "-chardev",
            "file,id=console,path=/proc/self/fd/2",
            "-serial",
            "chardev:console",
        ];
        let mut command = guard::command(PROGRAM);
        command
            .args(machine)
            .args(accelerator.arguments())
            .args(["-m", &MEMORY_MIB.to_string()])
            .arg("-kernel")
            .arg(&kernel.image)
            .arg("-initrd")
            .arg(initramfs.path())
            .args(["-append", &command_line(accelerator, extra)]);
        if self.has_firmware {
            command.args(["-bios", FIRMWARE]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // An interrupt from the terminal is for this process: the guest goes with it.
            .process_group(0)
            .spawn()?;
        let to = child.stdin.take().expect("it was asked for");
        let (sender, from) = mpsc::channel();
        pass_on(
            child.stdout.take().expect("it was asked for"),
            sender.clone(),
            Said::Answer,
        );
        pass_on(
            child.stderr.take().expect("it was asked for"),
            sender,
            Said::Console,
        );
        Ok(Guest {
            child,
            to,
            from,
            console: VecDeque::new(),
            accelerator,
        })
    }
}

/// What the kernel is told. What it does not know itself, it hands to the first program: variables with `=`,
/// and as arguments what comes after `--`.
fn command_line(accelerator: Accelerator, extra: &str) -> String {
    let init = executable::PATH;
    let libraries = executable::LIBRARIES;
    let mode = match accelerator.is_virtual() {
        true => "virtual",
        false => "real",
    };
    let words = [
        "console=ttyS0 quiet panic=-1 cryptomgr.notests random.trust_cpu=on",
        accelerator.kernel_arguments(),
        &format!("rdinit={init} LD_LIBRARY_PATH={libraries} RUST_BACKTRACE=0"),
        extra,
        &format!("-- vm guest {mode}"),
    ];
    let words = words.iter().filter(|words| !words.is_empty());
    words.copied().collect::<Vec<_>>().join(" ")
}

/// Lines as they come, on a thread of their own, so that one can wait for them with a limit. A console says
/// what it likes, UTF-8 or not.
fn pass_on(from: impl Read + Send + 'static, to: Sender<Said>, of: fn(String) -> Said) {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        loop {
            let mut line = Vec::new();
            match from.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line);
            if to
                .send(of(text.trim_end_matches(['\r', '\n']).to_owned()))
                .is_err()
            {
                return;
            }
        }
    });
}

impl Guest {
    /// Sends a line.
    ///
    /// # Errors
    /// QEMU is gone.
    pub fn send(&mut self, line: &str) -> io::Result<()> {
        self.signal(Signal::CONT);
        self.to.write_all(format!("{line}\n").as_bytes())
    }

    /// Lets its time go on after a line that was none of its answers.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// The next line that it says. In virtual time, its time stands still from then on.
    ///
    /// # Errors
    /// There is none to come.
    pub fn hear(&mut self, patience: Patience) -> Result<String, Trouble> {
        let begin = Instant::now();
        let processor = |guest: &Guest| {
            let ms = guard::processor_ms(guest.child.id()).unwrap_or(0);
            Duration::from_millis(ms)
        };
        let begin_processor = processor(self);
        loop {
            match self.from.recv_timeout(WATCH) {
                Ok(Said::Answer(line)) => {
                    self.signal(Signal::STOP);
                    return Ok(line);
                }
                Ok(Said::Console(line)) => {
                    if let Some((_, why)) = line.split_once(PANIC) {
                        return Err(Trouble::Panic(why.into()));
                    }
                    self.keep(line);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self
                        .child
                        .wait()
                        .map_or("no status".into(), |status| status.to_string());
                    return Err(Trouble::Ended(format!(
                        "QEMU ended ({status}){}",
                        self.last_words()
                    )));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let (wall, used) = (
                begin.elapsed(),
                processor(self).saturating_sub(begin_processor),
            );
            if wall > patience.wall || used > patience.processor {
                return Err(Trouble::Silent(format!(
                    "no word in {:.1} s, {:.1} s of them on a processor{}",
                    wall.as_secs_f64(),
                    used.as_secs_f64(),
                    self.last_words()
                )));
            }
        }
    }

    fn keep(&mut self, line: String) {
        if line.trim().is_empty() {
            return;
        }
        if self.console.len() == KEPT_LINES {
            self.console.pop_front();
        }
        self.console.push_back(line);
    }

    fn last_words(&self) -> String {
        let lines = self.console.iter().map(|line| format!("\n  {line}"));
        match self.console.is_empty() {
            true => String::new(),
            false => format!("; its console:{}", lines.collect::<String>()),
        }
    }

    /// In real time nobody is stopped.
    fn signal(&self, signal: Signal) {
        if self.accelerator.is_virtual()
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            // It may have ended: then its lines do.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Guest {
    /// Nothing of the guest is to be kept.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_hands_the_last_words_to_the_first_program() {
        let line = command_line(Accelerator::Tcg, "loglevel=7");
        assert!(line.ends_with(" loglevel=7 -- vm guest virtual"), "{line}");
        assert!(line.contains(" rdinit=/faultlab "), "{line}");
        let line = command_line(Accelerator::Kvm, "");
        assert!(
            !line.contains("tsc_early") && !line.contains("  "),
            "{line}"
        );
    }
}
