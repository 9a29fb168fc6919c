//! Worlds of Linux processes whose files are dumps of eBPF maps: maps with the same elements are made on the kernel, and
//! the files' lines put in the order in which it lists them. The shell and its tools stay the models'.

use faultlab_sim::scenario::{FileSetup, LinuxSetup};

use crate::host::linux::elements::MOST;

/// What was played where, for a reader.
pub const NOTE: &str =
    "the order of elements in the maps is the kernel's; shell, head and tail are the models'";

/// Why a world of processes without a map is not played.
const NO_MAP: &str = "no file of it is the dump of a map, and nothing else of it is a kernel's: what bpftool lists of programs is a file \
                      whose words grep counts, and programs under these names and of these kinds (struct_ops, cgroup_sock_addr) \
                      would say no more about grep";

/// The same world, with dumps in the order that `keys` gives to the elements of each.
///
/// # Errors
/// Why it is not played: there is no dump in it, or the kernel refuses a map.
pub fn in_order_of(
    world: &LinuxSetup,
    mut keys: impl FnMut(&[(u32, u64)]) -> Result<Vec<u32>, String>,
) -> Result<LinuxSetup, String> {
    let mut played = world.clone();
    let mut has_dump = false;
    for file in played.files.values_mut() {
        let FileSetup::Text(text) = file else {
            continue;
        };
        let Some(elements) = elements(text) else {
            continue;
        };
        if elements.len() > MOST {
            return Err(format!("a map of more than {MOST} elements is not made"));
        }
        has_dump = true;
        let order = keys(&elements)?;
        *text = sorted(text, &elements, &order)?;
    }
    match has_dump {
        true => Ok(played),
        false => Err(NO_MAP.into()),
    }
}

/// The elements of `bpftool map dump` of a map of u32 to u64 without BTF; none: the text is none.
fn elements(text: &str) -> Option<Vec<(u32, u64)>> {
    let (lines, last) = text.trim_end().rsplit_once('\n')?;
    if !last.starts_with("Found ") {
        return None;
    }
    let element = |line: &str| {
        let (key, value) = line.strip_prefix("key: ")?.split_once("  value: ")?;
        let key = u32::from_le_bytes(bytes(key)?.try_into().ok()?);
        let value = u64::from_le_bytes(bytes(value)?.try_into().ok()?);
        Some((key, value))
    };
    lines.lines().map(element).collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.split(' ');
    digits
        .map(|byte| u8::from_str_radix(byte, 16).ok())
        .collect()
}

/// The dump's lines, in the order of `keys`.
fn sorted(text: &str, elements: &[(u32, u64)], keys: &[u32]) -> Result<String, String> {
    if keys.len() != elements.len() {
        let (has, put) = (keys.len(), elements.len());
        return Err(format!("the kernel lists {has} elements of {put}"));
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut dump = String::new();
    for key in keys {
        let at = elements.iter().position(|(known, _)| known == key);
        let at =
            at.ok_or_else(|| format!("the kernel lists the key {key}, which nobody put in"))?;
        dump += &format!("{}\n", lines[at]);
    }
    for line in &lines[elements.len()..] {
        dump += &format!("{line}\n");
    }
    Ok(dump)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const DUMP: &str = "key: 0d 00 00 00  value: 28 00 00 00 00 00 00 00\n\
                        key: 00 01 00 00  value: 52 00 00 00 00 00 00 00\nFound 2 elements\n";

    fn world(text: &str) -> LinuxSetup {
        LinuxSetup {
            files: BTreeMap::from([("/root/map.txt".to_owned(), FileSetup::Text(text.into()))]),
            env: BTreeMap::new(),
            cwd: "/".into(),
            processes: Vec::new(),
        }
    }

    #[test]
    fn a_dump_comes_in_the_kernel_s_order() {
        let mut asked = Vec::new();
        let played = in_order_of(&world(DUMP), |elements| {
            asked = elements.to_vec();
            Ok(vec![256, 13])
        });
        assert_eq!(asked, [(13, 40), (256, 82)]);
        let lines: Vec<&str> = DUMP.lines().collect();
        let expected = format!("{}\n{}\n{}\n", lines[1], lines[0], lines[2]);
        assert_eq!(played, Ok(world(&expected)));
    }

    #[test]
    fn what_is_no_dump_is_not_played() {
        let why = |text: &str, keys: &[u32]| {
            let played = in_order_of(&world(text), |_| Ok(keys.to_vec()));
            played.expect_err("it is not played")
        };
        assert_eq!(why("41: struct_ops  name x\n", &[]), NO_MAP);
        assert_eq!(why("key: zz\nFound 1 element\n", &[]), NO_MAP);
        assert!(why(DUMP, &[13]).contains("lists 1 elements of 2"));
        assert!(why(DUMP, &[13, 7]).contains("key 7"));
    }
}
