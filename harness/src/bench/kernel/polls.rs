//! Readers of lists of sockets: /proc/net/tcp, and inet_diag.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use faultlab_sim::observe::procfs::parse_row;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::seen::{Known, Seen, ports};
use super::traffic::PORT;
use crate::host::linux::clock::monotonic_ns;
use crate::host::linux::veth::Pair;

enum Source {
    /// /proc/net/tcp of the client. It stays the client's, whoever reads.
    Proc(File),
    /// A netlink socket of the client's.
    Diag(OwnedFd),
}

/// A list of the client's sockets, and who reads it.
pub struct Poll {
    source: Source,
    buffer: Vec<u8>,
    seen: Seen,
}

impl Poll {
    /// Of /proc/net/tcp.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn proc(pair: &Pair) -> io::Result<Poll> {
        let file = pair
            .client
            .run(|| File::open("/proc/thread-self/net/tcp"))?;
        Ok(Poll::of(Source::Proc(file)))
    }

    /// By inet_diag, as `ss` asks.
    ///
    /// # Errors
    /// The kernel has none.
    pub fn diag(pair: &Pair) -> io::Result<Poll> {
        let socket = pair.client.run(|| -> io::Result<OwnedFd> {
            let socket = rustix::net::socket_with(
                AddressFamily::NETLINK,
                SocketType::DGRAM,
                SocketFlags::CLOEXEC,
                Some(netlink::SOCK_DIAG),
            )?;
            rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0))?;
            Ok(socket)
        })?;
        let mut poll = Poll::of(Source::Diag(socket));
        poll.read()?;
        poll.seen.bytes = 0;
        Ok(poll)
    }

    fn of(source: Source) -> Poll {
        Poll {
            source,
            buffer: vec![0; 1 << 18],
            seen: Seen {
                known: Known::Ports(ports()),
                ..Seen::default()
            },
        }
    }

    /// Reads the list once.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn read(&mut self) -> io::Result<()> {
        let Known::Ports(ports) = &mut self.seen.known else {
            unreachable!("a poll knows ports");
        };
        let mut found = Vec::new();
        self.seen.bytes += match &self.source {
            Source::Proc(file) => read_proc(file, &mut self.buffer, &mut found)?,
            Source::Diag(socket) => read_diag(socket, &mut self.buffer, &mut found)?,
        };
        let now_ns = monotonic_ns();
        for port in found {
            let at_ns = &mut ports[usize::from(port)];
            if *at_ns == 0 {
                *at_ns = now_ns;
            }
        }
        Ok(())
    }

    /// What it came to.
    pub fn seen(self) -> Seen {
        self.seen
    }
}

/// Adds the local ports of connections to the server; how many bytes were read.
fn read_proc(file: &File, buffer: &mut Vec<u8>, found: &mut Vec<u16>) -> io::Result<u64> {
    let mut length = 0;
    loop {
        if buffer.len() - length < 1 << 16 {
            buffer.resize(buffer.len() * 2, 0);
        }
        match file.read_at(&mut buffer[length..], length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    let text = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
    let rows = text.lines().skip(1).filter_map(|line| parse_row(line).ok());
    found.extend(rows.filter(|row| row.dport == PORT).map(|row| row.sport));
    Ok(length as u64)
}

/// `struct nlmsghdr`.
const HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`
const REQUEST_DUMP: u16 = 0x301;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const AF_INET: u8 = 2;
const IPPROTO_TCP: u8 = 6;

/// A request for all TCP sockets of IPv4, in all states (`struct inet_diag_req_v2`).
fn request() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + 56);
    bytes.extend_from_slice(&72_u32.to_ne_bytes());
    bytes.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend_from_slice(&REQUEST_DUMP.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[AF_INET, IPPROTO_TCP, 0, 0]);
    bytes.extend_from_slice(&u32::MAX.to_ne_bytes());
    bytes.resize(HEADER + 56, 0);
    bytes
}

fn read_diag(socket: &OwnedFd, buffer: &mut [u8], found: &mut Vec<u16>) -> io::Result<u64> {
    rustix::net::send(socket, &request(), SendFlags::empty())?;
    let mut bytes = 0;
    loop {
        let (length, _) = rustix::net::recv(socket, &mut *buffer, RecvFlags::empty())?;
        bytes += length as u64;
        if is_end(&buffer[..length], found)? {
            return Ok(bytes);
        }
    }
}

/// Adds the local ports of what a datagram lists; whether it is the last.
fn is_end(mut datagram: &[u8], found: &mut Vec<u16>) -> io::Result<bool> {
    let damaged = || io::Error::other("inet_diag answers what is no list of sockets");
    while let Some((header, _)) = datagram.split_first_chunk::<HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let message = datagram.get(HEADER..length).ok_or_else(damaged)?;
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let code = message.first_chunk::<4>().ok_or_else(damaged)?;
                return Err(io::Error::from_raw_os_error(-i32::from_ne_bytes(*code)));
            }
            // `struct inet_diag_msg`: four bytes, then the ports in network order.
            _ => {
                let ports = message.get(4..8).ok_or_else(damaged)?;
                if u16::from_be_bytes([ports[2], ports[3]]) == PORT {
                    found.push(u16::from_be_bytes([ports[0], ports[1]]));
                }
            }
        }
        datagram = datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_ends_with_its_end() {
        let mut datagram = vec![0; 16 + 72];
        datagram[0] = 88;
        datagram[4] = 20;
        datagram[20..24].copy_from_slice(&[0x9c, 0x40, 0x18, 0xeb]);
        let mut found = Vec::new();
        assert!(!is_end(&datagram, &mut found).expect("a list"));
        assert_eq!(found, [40_000]);
        datagram.extend([20, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(is_end(&datagram, &mut found).expect("a list"));
        datagram[4] = 2;
        assert!(is_end(&datagram[..88], &mut found).is_err());
    }

    proptest! {
        #[test]
        fn damaged_lists_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = is_end(&bytes, &mut Vec::new());
        }
    }
}
