//! Addresses as the kernel's records have them and as its printf prints them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

pub(super) const AF_INET: u8 = 2;
pub(super) const AF_INET6: u8 = 10;

/// The address in a `struct sockaddr_in` or `sockaddr_in6`; none if it is of another family.
pub(super) fn sockaddr(bytes: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    match bytes.get(..2)? {
        [AF_INET, 0] => Some((ip4(bytes.get(4..8)?)?, port).into()),
        [AF_INET6, 0] => Some((ip6(bytes.get(8..24)?)?, port).into()),
        _ => None,
    }
}

/// The sockaddr of an address, in a field of `size` bytes; none if that is too small.
pub(super) fn sockaddr_bytes(addr: SocketAddr, size: usize) -> Option<Box<[u8]>> {
    let mut bytes = vec![0; size];
    let port = addr.port().to_be_bytes();
    bytes.get_mut(2..4)?.copy_from_slice(&port);
    match addr {
        SocketAddr::V4(addr) => {
            bytes[0] = AF_INET;
            bytes.get_mut(4..8)?.copy_from_slice(&addr.ip().octets());
        }
        SocketAddr::V6(addr) => {
            bytes[0] = AF_INET6;
            bytes.get_mut(8..24)?.copy_from_slice(&addr.ip().octets());
        }
    }
    Some(bytes.into())
}

/// The address of 4 bytes.
pub(super) fn ip4(bytes: &[u8]) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = bytes.try_into().ok()?;
    Some(octets.into())
}

/// The address of 16 bytes.
pub(super) fn ip6(bytes: &[u8]) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = bytes.try_into().ok()?;
    Some(octets.into())
}

/// `%pI6c`: as RFC 5952 has it, and the last 32 bits of a v4-mapped or ISATAP address as IPv4.
pub(super) fn write_ip6(addr: Ipv6Addr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let octets = addr.octets();
    // Standard formatting has the v4-mapped form, and not ISATAP (ipv6_addr_is_isatap in the kernel).
    let is_isatap = matches!(octets[8..12], [0 | 2, 0, 0x5e, 0xfe]);
    if !is_isatap {
        return write!(f, "{addr}");
    }
    // A colon-hex address whose last two groups are not 0, so that they are not part of the zeros.
    let mut filled = octets;
    filled[12..].fill(0x11);
    let text = Ipv6Addr::from(filled).to_string();
    let head = text.strip_suffix("1111:1111").unwrap_or(&text);
    let [.., a, b, c, d] = octets;
    write!(f, "{head}{}", Ipv4Addr::new(a, b, c, d))
}
