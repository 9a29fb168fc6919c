//! `ping`: echoes of this machine alone, a second apart in virtual time. There is no network.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | four echoes, or `-n`; one second between them | ping /?; observed | yes |
//! | `localhost` is the computer's name and `::1`, with `-4` 127.0.0.1 | observed on Windows 7 | yes |
//! | the name of something that there is not: exit code 1 | observed | yes |
//!
//! Refused: every other address, since what answers there is no part of a machine; `-t` and options of routing.

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};

const BEGIN: Message = Message {
    en: "\r\nPinging {0} with {1} bytes of data:\r\n",
    zh: "\r\n正在 Ping {0} 具有 {1} 字节的数据:\r\n",
};
const REPLY_4: Message = Message {
    en: "Reply from {0}: bytes={1} time<1ms TTL=128\r\n",
    zh: "来自 {0} 的回复: 字节={1} 时间<1ms TTL=128\r\n",
};
const REPLY_6: Message = Message {
    en: "Reply from {0}: time<1ms \r\n",
    zh: "来自 {0} 的回复: 时间<1ms \r\n",
};
const STATISTICS: Message = Message {
    en: "\r\nPing statistics for {0}:\r\n    Packets: Sent = {1}, Received = {1}, Lost = 0 (0% loss),\r\n\
         Approximate round trip times in milli-seconds:\r\n    Minimum = 0ms, Maximum = 0ms, Average = 0ms\r\n",
    zh: "\r\n{0} 的 Ping 统计信息:\r\n    数据包: 已发送 = {1}，已接收 = {1}，丢失 = 0 (0% 丢失)，\r\n\
         往返行程的估计时间(以毫秒为单位):\r\n    最短 = 0ms，最长 = 0ms，平均 = 0ms\r\n",
};
const RANGE: Message = Message {
    en: "Bad value for option {0}, valid range is from {1}.\r\n",
    zh: "选项 {0} 的值有错误，有效范围从 {1}。\r\n",
};
const ADDRESS: Message = Message {
    en: "IP address must be specified.\r\n",
    zh: "必须指定 IP 地址。\r\n",
};

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    if arguments.is_empty() {
        return sys.unsupported("ping without arguments (its help)");
    }
    let mut arguments = arguments.iter();
    let (mut count, mut bytes, mut version, mut target) = (4u64, 32u64, None, None);
    while let Some(argument) = arguments.next() {
        let lower = argument.to_ascii_lowercase().replacen('/', "-", 1);
        let range = match &*lower {
            "-n" | "-w" => (1, u64::from(u32::MAX), "1 to 4294967295"),
            "-l" => (0, 65500, "0 to 65500"),
            "-4" | "-6" => {
                version = lower.chars().nth(1);
                continue;
            }
            other if other.starts_with('-') => return sys.unsupported(&format!("ping {argument}")),
            _ => {
                target = Some(argument.clone());
                continue;
            }
        };
        let value = arguments.next().and_then(|value| value.parse::<u64>().ok());
        match value.filter(|value| (range.0..=range.1).contains(value)) {
            Some(value) if lower == "-n" => count = value,
            Some(value) if lower == "-l" => bytes = value,
            // How long an answer may take: here none takes time.
            Some(_) => {}
            None => {
                sys.say(&RANGE, &[&lower, range.2])?;
                return Ok(1);
            }
        }
    }
    let Some(target) = target else {
        sys.say(&ADDRESS, &[])?;
        return Ok(1);
    };
    let computer = sys.local_operation(|kernel, _, _| kernel.machine.computer().name)?;
    let is_own = target.eq_ignore_ascii_case("localhost") || target.eq_ignore_ascii_case(&computer);
    let is_loopback = target.split('.').count() == 4
        && target.starts_with("127.")
        && target.split('.').all(|part| part.parse::<u8>().is_ok());
    let (name, address) = match (is_own, version) {
        (true, Some('4')) => (format!("{computer} [127.0.0.1]"), "127.0.0.1".to_owned()),
        (true, _) => (format!("{computer} [::1]"), "::1".to_owned()),
        (false, _) if is_loopback || target == "::1" => (target.clone(), target.clone()),
        _ => {
            return sys.unsupported(&format!("ping of {target}: there is no network"));
        }
    };
    sys.say(&BEGIN, &[&name, &bytes.to_string()])?;
    let reply = if address == "::1" { REPLY_6 } else { REPLY_4 };
    for number in 0..count {
        if number > 0 {
            sys.sleep_ms(1000)?;
        }
        sys.say(&reply, &[&address, &bytes.to_string()])?;
    }
    sys.say(&STATISTICS, &[&address, &count.to_string()])?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn echoes_of_this_machine() {
        let mut bench = Bench::new();
        let ran = bench.run("ping -n 3 127.0.0.1");
        assert_eq!((ran.exit, ran.ms), (0, 2000));
        assert_eq!(
            ran.stdout,
            "\r\nPinging 127.0.0.1 with 32 bytes of data:\r\n\
             Reply from 127.0.0.1: bytes=32 time<1ms TTL=128\r\n\
             Reply from 127.0.0.1: bytes=32 time<1ms TTL=128\r\n\
             Reply from 127.0.0.1: bytes=32 time<1ms TTL=128\r\n\r\n\
             Ping statistics for 127.0.0.1:\r\n    Packets: Sent = 3, Received = 3, Lost = 0 (0% loss),\r\n\
             Approximate round trip times in milli-seconds:\r\n    Minimum = 0ms, Maximum = 0ms, Average = 0ms\r\n"
        );
        assert_eq!(bench.run("ping localhost").ms, 3000);
        assert_eq!(bench.run("ping 127.0.0.1 -n 0").exit, 1);
        bench.refuses("ping", "ping without arguments (its help)");
        assert_eq!(bench.run("ping -n 1").exit, 1);
        bench.refuses("ping -n 1 8.8.8.8", "ping of 8.8.8.8: there is no network");
        bench.refuses("ping -t localhost", "ping -t");
    }
}
