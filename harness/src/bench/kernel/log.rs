//! Rules of nftables that log, and a reader of the kernel's log with our parser.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use faultlab_sim::observe::netfilter::parse_line;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::seen::{Known, Seen, ports};
use super::traffic::PORT;
use crate::host::linux::clock::monotonic_ns;
use crate::host::linux::guard::Guard;
use crate::host::linux::veth::Pair;

/// Whether LOG in other namespaces than the first prints anything. It is the machine's, not a namespace's.
const ALL_NAMESPACES: &str = "/proc/sys/net/netfilter/nf_log_all_netns";

/// Whether rules in our namespaces print.
pub fn prints() -> bool {
    fs::read_to_string(ALL_NAMESPACES).is_ok_and(|text| text.trim() != "0")
}

/// Lets them print, until it is dropped or this process is gone. One run at a time: who ends first would take the
/// lines from the other, and nothing would tell.
///
/// # Errors
/// The setting is not there, or not ours to change; another run has it changed.
pub fn let_print() -> io::Result<Option<Guard>> {
    let setting = File::options().write(true).open(ALL_NAMESPACES)?;
    // Held by whoever has the file open, up to the shell that undoes.
    flock(&setting, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
        Errno::WOULDBLOCK => {
            io::Error::other("another run with --kernel-log is under way: wait until it ends")
        }
        error => error.into(),
    })?;
    if prints() {
        return Ok(None);
    }
    let guard = Guard::writing("echo 0", setting)?;
    fs::write(ALL_NAMESPACES, "1")?;
    Ok(Some(guard))
}

/// `O_NONBLOCK`
const NONBLOCK: i32 = 0o4000;

/// The rule of a run and its reader.
pub struct Log {
    kmsg: File,
    prefix: String,
    /// The number of the line that comes next.
    next: Option<u64>,
    buffer: Vec<u8>,
    line: Vec<u8>,
    seen: Seen,
}

impl Log {
    /// Puts the rules into the client's namespace, with a prefix of their own, and goes to the log's end.
    ///
    /// # Errors
    /// nftables is not there, or the log cannot be read.
    pub fn start(pair: &Pair) -> io::Result<Log> {
        let prefix = format!("faultlab{}", std::process::id());
        // At the level of debugging: no console prints it.
        let rule =
            format!("tcp flags & (syn | fin | rst) != 0 log prefix \"{prefix} \" level debug\n");
        let rules = format!(
            "table ip faultlab {{\n\
             chain in {{\ntype filter hook input priority 0; policy accept;\n{rule}}}\n\
             chain out {{\ntype filter hook output priority 0; policy accept;\n{rule}}}\n}}\n"
        );
        pair.client.command("nft", &["-f", "-"], &rules)?;
        let mut options = File::options();
        let mut kmsg = options
            .read(true)
            .custom_flags(NONBLOCK)
            .open("/dev/kmsg")?;
        kmsg.seek(SeekFrom::End(0))?;
        Ok(Log {
            kmsg,
            prefix,
            next: None,
            buffer: vec![0; 8_192],
            line: Vec::new(),
            seen: Seen {
                known: Known::Ports(ports()),
                ..Seen::default()
            },
        })
    }

    /// Waits for lines until `until_ns`, and reads those that are there.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn read(&mut self, until_ns: u64) -> io::Result<()> {
        let wait = until_ns.saturating_sub(monotonic_ns());
        let timeout = Timespec {
            tv_sec: (wait / 1_000_000_000) as i64,
            tv_nsec: (wait % 1_000_000_000) as i64,
        };
        let mut descriptors = [PollFd::from_borrowed_fd(self.kmsg.as_fd(), PollFlags::IN)];
        poll(&mut descriptors, Some(&timeout))?;
        loop {
            match self.kmsg.read(&mut self.buffer) {
                Ok(length) => self.record(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // What was to come next is overwritten: it goes on with the oldest that is left.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A record of the log: `priority,number,time in us,flags;text`.
    fn record(&mut self, length: usize) {
        let record = &self.buffer[..length];
        let mut parts = record.splitn(2, |byte| *byte == b';');
        let (Some(head), Some(text)) = (parts.next(), parts.next()) else {
            return;
        };
        let number = |index: usize| -> Option<u64> {
            let field = head.split(|byte| *byte == b',').nth(index)?;
            std::str::from_utf8(field).ok()?.parse().ok()
        };
        let (Some(sequence), Some(us)) = (number(1), number(2)) else {
            return;
        };
        // Only a gap in the numbers tells of lost lines; of whose, nothing does.
        if let Some(next) = self.next {
            self.seen.told += sequence.saturating_sub(next);
        }
        self.next = Some(sequence + 1);
        if !text.starts_with(self.prefix.as_bytes()) {
            return;
        }
        let text = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        self.line.clear();
        let stamp = format!("[{:>5}.{:06}] ", us / 1_000_000, us % 1_000_000);
        self.line.extend_from_slice(stamp.as_bytes());
        self.line.extend_from_slice(text);
        self.seen.bytes += self.line.len() as u64 + 1;
        let Ok((_, packet)) = parse_line(&self.line) else {
            return;
        };
        let is_syn = packet.flags.syn && !packet.flags.ack;
        if let Known::Ports(ports) = &mut self.seen.known
            && is_syn
            && packet.dport == PORT
            && ports[usize::from(packet.sport)] == 0
        {
            ports[usize::from(packet.sport)] = monotonic_ns();
        }
    }

    /// Takes the rules out again.
    ///
    /// # Errors
    /// As nftables says.
    pub fn remove(&self, pair: &Pair) -> io::Result<()> {
        let removed = pair
            .client
            .command("nft", &["delete", "table", "ip", "faultlab"], "");
        removed.map(drop)
    }

    /// What it came to.
    pub fn seen(self) -> Seen {
        self.seen
    }
}
