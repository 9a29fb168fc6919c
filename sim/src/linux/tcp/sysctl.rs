//! The settings of a kernel's TCP, by the names under `/proc/sys`.

use std::fmt;

use super::profile::{Kernel, KernelProfile};
use crate::linux::errno::Errno;

/// What can be set on a host, at the kernel's defaults (Documentation/networking/ip-sysctl.rst; ranges from
/// net/ipv4/sysctl_net_ipv4.c). Durations are in the unit of the sysctl.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sysctls {
    pub(super) syn_retries: u32,
    pub(super) syn_linear_timeouts: u32,
    pub(super) synack_retries: u32,
    pub(super) retries1: u32,
    pub(super) retries2: u32,
    pub(super) orphan_retries: u32,
    pub(super) fin_timeout_s: u64,
    pub(super) keepalive_time_s: u64,
    pub(super) keepalive_intvl_s: u64,
    pub(super) keepalive_probes: u32,
    pub(super) max_tw_buckets: u32,
    pub(super) tw_reuse: u32,
    pub(super) tw_reuse_delay_ms: u64,
    pub(super) local_ports: (u16, u16),
    pub(super) somaxconn: u32,
    pub(super) max_syn_backlog: u32,
    pub(super) syncookies: u32,
    pub(super) abort_on_overflow: bool,
    pub(super) rto_min_us: u64,
    pub(super) rto_max_ms: u64,
    pub(super) timestamps: bool,
    pub(super) sack: bool,
    pub(super) early_retrans: u32,
    pub(super) rfc1337: bool,
}

/// Why a sysctl was not set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SysctlError {
    /// As a write to its file fails.
    Errno(Errno),
    /// The kernel has it, the model does not.
    NotModelled,
}

impl fmt::Display for SysctlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SysctlError::Errno(errno) => write!(f, "{} ({errno})", errno.name()),
            SysctlError::NotModelled => f.write_str("not modelled"),
        }
    }
}

impl std::error::Error for SysctlError {}

impl Sysctls {
    /// The defaults of a kernel.
    pub fn of(kernel: Kernel) -> Sysctls {
        let profile = kernel.profile();
        Sysctls {
            syn_retries: 6,
            syn_linear_timeouts: profile.syn_linear_timeouts.unwrap_or(0),
            synack_retries: 5,
            retries1: 3,
            retries2: 15,
            orphan_retries: 0,
            fin_timeout_s: 60,
            keepalive_time_s: 7_200,
            keepalive_intvl_s: 75,
            keepalive_probes: 9,
            max_tw_buckets: profile.max_tw_buckets,
            tw_reuse: 2,
            tw_reuse_delay_ms: 1_000,
            local_ports: (32_768, 60_999),
            somaxconn: 4_096,
            max_syn_backlog: profile.max_syn_backlog,
            syncookies: 1,
            abort_on_overflow: false,
            rto_min_us: 200_000,
            rto_max_ms: 120_000,
            timestamps: true,
            sack: true,
            early_retrans: 3,
            rfc1337: false,
        }
    }

    /// Writes `value` to the file of `name`, as `sysctl -w` does.
    ///
    /// # Errors
    /// ENOENT if the kernel has no such file, EINVAL if the value is out of its range or no number, or
    /// [`SysctlError::NotModelled`].
    pub fn set(&mut self, kernel: Kernel, name: &str, value: &str) -> Result<(), SysctlError> {
        let profile = kernel.profile();
        let short = match name.strip_prefix("net.ipv4.") {
            Some(short) => short,
            None if name == "net.core.somaxconn" => "somaxconn",
            None => return Err(SysctlError::NotModelled),
        };
        if !has(profile, short) {
            return Err(SysctlError::Errno(Errno::ENOENT));
        }
        let number = |low: u64, high: u64| -> Result<u64, SysctlError> {
            let number = value.trim().parse::<i64>().ok();
            let number = number.and_then(|number| u64::try_from(number).ok());
            number
                .filter(|number| (low..=high).contains(number))
                .ok_or(SysctlError::Errno(Errno::EINVAL))
        };
        let small = |low, high| number(low, high).map(|number| number as u32);
        const INT_MAX: u64 = i32::MAX as u64;
        match short {
            "tcp_syn_retries" => self.syn_retries = small(1, 127)?,
            "tcp_syn_linear_timeouts" => self.syn_linear_timeouts = small(0, 127)?,
            "tcp_synack_retries" => self.synack_retries = small(0, 255)?,
            "tcp_retries1" => self.retries1 = small(0, 255)?,
            "tcp_retries2" => self.retries2 = small(0, 255)?,
            "tcp_orphan_retries" => self.orphan_retries = small(0, 255)?,
            "tcp_fin_timeout" => self.fin_timeout_s = number(0, INT_MAX / 1_000)?,
            "tcp_keepalive_time" => self.keepalive_time_s = number(0, INT_MAX / 1_000)?,
            "tcp_keepalive_intvl" => self.keepalive_intvl_s = number(0, INT_MAX / 1_000)?,
            "tcp_keepalive_probes" => self.keepalive_probes = small(0, 255)?,
            "tcp_max_tw_buckets" => self.max_tw_buckets = small(0, INT_MAX)?,
            "tcp_tw_reuse" => self.tw_reuse = small(0, 2)?,
            "tcp_tw_reuse_delay" => self.tw_reuse_delay_ms = number(1, 86_400_000)?,
            "ip_local_port_range" => self.local_ports = port_range(value)?,
            "somaxconn" => self.somaxconn = small(0, INT_MAX)?,
            "tcp_max_syn_backlog" => self.max_syn_backlog = small(0, INT_MAX)?,
            "tcp_syncookies" => self.syncookies = small(0, 2)?,
            "tcp_abort_on_overflow" => self.abort_on_overflow = number(0, 1)? == 1,
            "tcp_rto_min_us" => self.rto_min_us = number(1, INT_MAX)?,
            "tcp_rto_max_ms" => self.rto_max_ms = number(1_000, 120_000)?,
            "tcp_timestamps" => self.timestamps = number(0, 2)? > 0,
            "tcp_sack" => self.sack = number(0, 1)? == 1,
            "tcp_early_retrans" => self.early_retrans = small(0, 4)?,
            "tcp_rfc1337" => self.rfc1337 = number(0, 1)? == 1,
            _ => return Err(SysctlError::NotModelled),
        }
        Ok(())
    }

    /// How many times FIN and data of an orphan are sent again: tcp_orphan_retries, where 0 stands for 8
    /// as long as the timeout has not reached its maximum (tcp_orphan_retries in net/ipv4/tcp_timer.c).
    pub(super) fn orphan_retries(&self, is_alive: bool) -> u32 {
        match (self.orphan_retries, is_alive) {
            (0, true) => 8,
            (retries, _) => retries,
        }
    }
}

/// Whether a kernel has this file.
fn has(profile: &KernelProfile, short: &str) -> bool {
    match short {
        "tcp_syn_linear_timeouts" => profile.syn_linear_timeouts.is_some(),
        "tcp_rto_min_us" => profile.has_rto_min,
        "tcp_rto_max_ms" => profile.has_rto_max,
        "tcp_tw_reuse_delay" => profile.has_tw_reuse_delay,
        "tcp_tw_recycle" => false,
        _ => true,
    }
}

/// `"32768 60999"`, both ends included. The kernel wants the low end not above the high one, and neither
/// below 1 (ipv4_local_port_range).
fn port_range(value: &str) -> Result<(u16, u16), SysctlError> {
    let ports: Option<Vec<u16>> = value
        .split_whitespace()
        .map(|port| port.parse().ok())
        .collect();
    match ports.as_deref() {
        Some([low, high]) if 1 <= *low && low <= high => Ok((*low, *high)),
        _ => Err(SysctlError::Errno(Errno::EINVAL)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(kernel: Kernel, name: &str, value: &str) -> Result<Sysctls, SysctlError> {
        let mut sysctls = Sysctls::of(kernel);
        sysctls.set(kernel, name, value).map(|()| sysctls)
    }

    #[test]
    fn values_out_of_range_are_refused_as_the_kernel_does() {
        let errno = |errno| Err(SysctlError::Errno(errno));
        let of = |name, value| set(Kernel::V6_18, name, value).map(|_| ());
        assert_eq!(of("net.ipv4.tcp_syn_retries", "0"), errno(Errno::EINVAL));
        assert_eq!(of("net.ipv4.tcp_syn_retries", "128"), errno(Errno::EINVAL));
        assert_eq!(of("net.ipv4.tcp_retries2", "many"), errno(Errno::EINVAL));
        assert_eq!(of("net.ipv4.tcp_tw_recycle", "1"), errno(Errno::ENOENT));
        assert_eq!(
            of("net.ipv4.ip_local_port_range", "9 8"),
            errno(Errno::EINVAL)
        );
        assert_eq!(of("net.ipv4.tcp_ecn", "1"), Err(SysctlError::NotModelled));
        assert_eq!(of("net.ipv4.tcp_fin_timeout", "7"), Ok(()));
    }

    #[test]
    fn what_came_later_is_not_there_in_6_1() {
        let name = "net.ipv4.tcp_syn_linear_timeouts";
        assert!(set(Kernel::V6_18, name, "0").is_ok());
        assert_eq!(
            set(Kernel::V6_1, name, "0"),
            Err(SysctlError::Errno(Errno::ENOENT))
        );
    }
}
