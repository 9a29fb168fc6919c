//! How many sockets are in TIME_WAIT: by hooks on the functions that make and end them, where this kernel can be
//! hooked there, else by /proc/net/sockstat, which has the number of the moment alone.

use std::path::Path;

use aya::maps::{HashMap, MapData, PerCpuArray};
use aya::programs::{FEntry, FExit};
use aya::{Btf, Ebpf};
use faultlab_sim::linux::tcp::End;
use serde::{Deserialize, Serialize};

use super::namespace::Namespace;
use super::watch::{self, whole};

/// What is known of one host's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TimeWait {
    /// How many began; none: only hooks tell.
    pub began: Option<u64>,
    /// How many ended; none: only hooks tell.
    pub ended: Option<u64>,
    /// How many there are.
    pub now: u64,
    /// Who told of beginnings and ends: `fentry`, or `sockstat` that nobody did, and why.
    pub by: String,
}

/// The hooks, or why there are none.
pub struct Hooks(Result<Loaded, String>);

struct Loaded {
    hosts: HashMap<MapData, u32, u32>,
    counts: PerCpuArray<MapData, u64>,
    _programs: Ebpf,
    followed: Vec<u32>,
    before: [u64; 4],
}

impl Hooks {
    /// Loads the object's programs, if this kernel takes them.
    pub fn load(object: &Path) -> Hooks {
        Hooks(load(object))
    }

    /// From now on counts in these namespaces, from 0.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn follow(&mut self, client: u32, server: u32) -> Result<(), String> {
        let Ok(loaded) = &mut self.0 else {
            return Ok(());
        };
        for inum in loaded.followed.drain(..) {
            let _ = loaded.hosts.remove(&inum);
        }
        watch::follow(&mut loaded.hosts, client, server)?;
        loaded.followed.extend([client, server]);
        loaded.before = loaded.all();
        Ok(())
    }

    /// What is known of a host by now.
    ///
    /// # Errors
    /// /proc/net/sockstat cannot be read.
    pub fn of(&self, end: End, namespace: &Namespace) -> std::io::Result<TimeWait> {
        let text = namespace.run(|| std::fs::read_to_string("/proc/thread-self/net/sockstat"))?;
        let now = sockstat(&text).ok_or_else(|| {
            std::io::Error::other(format!("/proc/net/sockstat has no `tw`: {text}"))
        })?;
        Ok(match &self.0 {
            Ok(loaded) => {
                let at = 2 * usize::from(end == End::Server);
                let all = loaded.all();
                let since = |index: usize| Some(all[index] - loaded.before[index]);
                TimeWait {
                    began: since(at),
                    ended: since(at + 1),
                    now,
                    by: "fentry".into(),
                }
            }
            Err(why) => TimeWait {
                began: None,
                ended: None,
                now,
                by: format!("sockstat: {why}"),
            },
        })
    }
}

impl Loaded {
    fn all(&self) -> [u64; 4] {
        [0, 1, 2, 3].map(|index| {
            let counts = self.counts.get(&index, 0);
            counts.map_or(0, |counts| counts.iter().sum())
        })
    }
}

fn load(object: &Path) -> Result<Loaded, String> {
    let btf = Btf::from_sys_fs().map_err(|error| whole(&error))?;
    let mut programs = watch::load(object, &[], &[]).map_err(|error| error.to_string())?;
    let refused = |function: &str, error: &dyn std::error::Error| {
        let why = error.to_string();
        let why = why.split(". Verifier").next().unwrap_or_default();
        format!("{function} cannot be hooked: {why}")
    };
    let function = "inet_twsk_alloc";
    let program = programs.program_mut("time_wait_begins");
    let program: &mut FExit = program
        .expect("the object has it")
        .try_into()
        .expect("it is fexit");
    program
        .load(function, &btf)
        .and_then(|()| program.attach())
        .map_err(|error| refused(function, &error))?;
    let function = "inet_twsk_kill";
    let program = programs.program_mut("time_wait_ends");
    let program: &mut FEntry = program
        .expect("the object has it")
        .try_into()
        .expect("it is fentry");
    program
        .load(function, &btf)
        .and_then(|()| program.attach())
        .map_err(|error| refused(function, &error))?;
    let mut take = |name: &str| programs.take_map(name).expect("the object has this map");
    let (hosts, counts) = (take("hosts"), take("time_wait"));
    Ok(Loaded {
        hosts: HashMap::try_from(hosts).map_err(|error| whole(&error))?,
        counts: PerCpuArray::try_from(counts).map_err(|error| whole(&error))?,
        _programs: programs,
        followed: Vec::new(),
        before: [0; 4],
    })
}

/// The number behind `tw` on the line of TCP.
fn sockstat(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let mut words = line.split_ascii_whitespace();
    words.find(|word| *word == "tw")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockstat_has_a_number_of_time_wait() {
        let text =
            "sockets: used 154\nTCP: inuse 4 orphan 0 tw 12 alloc 5 mem 0\nUDP: inuse 0 mem 0\n";
        assert_eq!(sockstat(text), Some(12));
        assert_eq!(sockstat("TCP: inuse 4 orphan 0\n"), None);
    }
}
