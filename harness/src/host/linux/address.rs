//! Further addresses of a host's device, given by rtnetlink: a guest has no program that does it.
//!
//! Source: rtnetlink(7), netlink(7); RTM_NEWADDR with an `ifaddrmsg`.

use std::io;
use std::net::Ipv4Addr;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

const RTM_NEWADDR: u16 = 20;
const NLMSG_ERROR: u16 = 2;
/// NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL.
const FLAGS: u16 = 0x1 | 0x4 | 0x400 | 0x200;
const AF_INET: u8 = 2;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// The prefix of an address that has no network beside itself.
const WHOLE: u8 = 32;

/// Gives a device of the calling thread's namespace these addresses, each without a network.
///
/// # Errors
/// There is no such device; the kernel refuses one.
pub fn add(device: &str, addresses: impl Iterator<Item = Ipv4Addr>) -> io::Result<()> {
    let index = nix::net::if_::if_nametoindex(device)?;
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // None is NETLINK_ROUTE.
        None,
    )?;
    let kernel = SocketAddrNetlink::new(0, 0);
    let mut answer = [0; 1 << 12];
    for (sequence, address) in (1..).zip(addresses) {
        let message = message(index, address, sequence);
        sendto(&socket, &message, SendFlags::empty(), &kernel)?;
        let (length, _) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
        let refused = |error: io::Error| {
            io::Error::new(error.kind(), format!("{address} on {device}: {error}"))
        };
        acknowledged(&answer[..length]).map_err(refused)?;
    }
    Ok(())
}

/// An `nlmsghdr`, an `ifaddrmsg`, and the address as both ends of the device.
fn message(index: u32, address: Ipv4Addr, sequence: u32) -> Vec<u8> {
    let mut message = vec![0; 4];
    message.extend(RTM_NEWADDR.to_ne_bytes());
    message.extend(FLAGS.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    // The sender's port: the kernel knows it.
    message.extend(0u32.to_ne_bytes());
    let (flags, scope) = (0, 0);
    message.extend([AF_INET, WHOLE, flags, scope]);
    message.extend(index.to_ne_bytes());
    for kind in [IFA_LOCAL, IFA_ADDRESS] {
        message.extend(8u16.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(address.octets());
    }
    let length = message.len() as u32;
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message
}

/// An answer is an `nlmsghdr` and an `nlmsgerr`, whose number is 0 or an errno below it.
fn acknowledged(answer: &[u8]) -> io::Result<()> {
    let no_answer = || io::Error::new(io::ErrorKind::InvalidData, "rtnetlink gives no answer");
    let kind = answer.get(4..6).ok_or_else(no_answer)?;
    let number = answer.get(16..20).ok_or_else(no_answer)?;
    if u16::from_ne_bytes([kind[0], kind[1]]) != NLMSG_ERROR {
        return Err(no_answer());
    }
    match i32::from_ne_bytes([number[0], number[1], number[2], number[3]]) {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(-number)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::host::linux::namespace::Namespace;

    #[test]
    fn a_device_has_the_addresses_that_it_is_given() {
        let Ok(namespace) = Namespace::new() else {
            return eprintln!("skipped: no network namespace can be had here");
        };
        let own = [Ipv4Addr::new(10, 9, 0, 1), Ipv4Addr::new(10, 9, 0, 2)];
        let (bound, again, lacks) = namespace.run(move || {
            let bind = |last| UdpSocket::bind((Ipv4Addr::new(10, 9, 0, last), 0)).is_ok();
            add("lo", own.into_iter()).expect("the kernel takes them");
            let bound = [1, 2, 3].map(bind);
            let lacks = add("no-such-device", own.into_iter());
            (bound, add("lo", own.into_iter()), lacks)
        });
        assert_eq!(bound, [true, true, false]);
        assert_eq!(
            again.expect_err("they are there").kind(),
            io::ErrorKind::AlreadyExists
        );
        assert!(lacks.is_err());
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for bad in [&b""[..], &[0; 20], &[2; 12]] {
            assert!(acknowledged(bad).is_err());
        }
    }
}
