//! Hive files (regf): a key with all below it, as RegSaveKey writes and RegLoadKey reads them.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | base block, one bin of cells, `nk`, `vk`, `sk`, lists `lf`, `lh`, `li`, `ri`, pieces `db` | M. Suhanov, "Windows registry file format specification" | yes |
//! | RegSaveKey writes version 1.3: data of any size in one cell, lists `lf`; volatile keys are left out | the same; documentation of RegSaveKey | yes |
//! | times are 0: keys have none here | | no |
//!
//! What a file holds beyond that (class names, times) is passed over.

use std::collections::BTreeMap;

use super::key::Key;
use super::name::Name;
use super::value::{Kind, Value};
use crate::win7::security::{Descriptor, Shared};

/// Where cells begin to be counted: behind the base block.
const BASE: usize = 4096;
/// The header of a bin.
const BIN: usize = 32;
const NONE: u32 = u32::MAX;
/// The most data that one cell holds in files of version 1.4 and later.
const PIECE: usize = 16_344;
/// As deep as the registry is.
const DEEPEST: usize = 512;

/// Why bytes are no hive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HiveError {
    /// It does not begin as one.
    NoHive,
    /// It does, and is damaged, or holds what the model does not have.
    Damaged,
}

// --- writing -------------------------------------------------------------------------------------------------------------

/// The bytes of a hive file with a key and all below it. Nothing if it holds what the format has no place for: more than
/// 65535 subkeys of one key, or entries of a directory service in a descriptor.
pub fn written(key: &Key) -> Option<Vec<u8>> {
    let mut cells = Cells {
        bytes: vec![0; BIN],
        descriptors: BTreeMap::new(),
        last: None,
    };
    let root = cells.key(key, NONE, true)?;
    let size = cells.bytes.len().next_multiple_of(4096);
    let free = size - cells.bytes.len();
    if free > 0 {
        cells.bytes.extend((free as u32).to_le_bytes());
        cells.bytes.resize(size, 0);
    }
    cells.bytes[..4].copy_from_slice(b"hbin");
    cells.patch(8, size as u32);
    let mut base = vec![0; BASE];
    base[..4].copy_from_slice(b"regf");
    for (at, word) in [
        (4, 1),
        (8, 1),
        (20, 1),
        (24, 3),
        (32, 1),
        (36, root),
        (40, size as u32),
        (44, 1),
    ] {
        base[at..at + 4].copy_from_slice(&u32::to_le_bytes(word));
    }
    let sum = checksum(&base);
    base[508..512].copy_from_slice(&sum.to_le_bytes());
    base.extend(cells.bytes);
    Some(base)
}

fn checksum(base: &[u8]) -> u32 {
    let words = base[..508].chunks_exact(4);
    let sum = words.fold(0, |sum, word| {
        sum ^ u32::from_le_bytes(word.try_into().expect("four bytes"))
    });
    match sum {
        0 => 1,
        NONE => NONE - 1,
        sum => sum,
    }
}

/// The bin that is being filled.
struct Cells {
    bytes: Vec<u8>,
    /// The cells of descriptors, by their digests.
    descriptors: BTreeMap<u128, u32>,
    /// The one that was written last.
    last: Option<u32>,
}

impl Cells {
    /// Puts a cell; where it is.
    fn put(&mut self, content: &[u8]) -> u32 {
        let at = self.bytes.len();
        let size = (4 + content.len()).next_multiple_of(8);
        self.bytes.extend((-(size as i32)).to_le_bytes());
        self.bytes.extend_from_slice(content);
        self.bytes.resize(at + size, 0);
        at as u32
    }

    fn patch(&mut self, at: usize, word: u32) {
        self.bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().expect("four bytes"))
    }

    fn key(&mut self, key: &Key, parent: u32, is_root: bool) -> Option<u32> {
        let (name, is_narrow) = name_bytes(key.name());
        let mut flags = if is_narrow { 0x20_u16 } else { 0 };
        flags |= if is_root { 0x0C } else { 0 };
        flags |= if key.is_link() { 0x10 } else { 0 };
        let mut node = vec![0; 76];
        node[..2].copy_from_slice(b"nk");
        node[2..4].copy_from_slice(&flags.to_le_bytes());
        for (at, word) in [
            (16, parent),
            (28, NONE),
            (32, NONE),
            (40, NONE),
            (44, NONE),
            (48, NONE),
        ] {
            node[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        node[72..74].copy_from_slice(&u16::try_from(name.len()).ok()?.to_le_bytes());
        node.extend(name);
        let cell = self.put(&node);
        // Behind the size of the cell.
        let own = cell as usize + 4;
        if let Some(descriptor) = key.descriptor() {
            let place = self.descriptor(descriptor)?;
            self.patch(own + 44, place);
        }
        let (mut longest_name, mut longest_data, mut list) = (0, 0, Vec::new());
        for (name, value) in key.values() {
            longest_name = longest_name.max(2 * name.units().len());
            longest_data = longest_data.max(value.data.len());
            list.extend(self.value(name, value)?.to_le_bytes());
        }
        if !list.is_empty() {
            self.patch(own + 36, list.len() as u32 / 4);
            let place = self.put(&list);
            self.patch(own + 40, place);
        }
        let (mut longest_key, mut count) = (0, 0_u16);
        let mut list = b"lf\0\0".to_vec();
        for below in key.keys().filter(|below| !below.is_volatile()) {
            count = count.checked_add(1)?;
            longest_key = longest_key.max(2 * below.name().units().len());
            list.extend(self.key(below, cell, false)?.to_le_bytes());
            let (mut hint, _) = name_bytes(below.name());
            hint.resize(4, 0);
            list.extend(hint);
        }
        if count > 0 {
            list[2..4].copy_from_slice(&count.to_le_bytes());
            self.patch(own + 20, count.into());
            let place = self.put(&list);
            self.patch(own + 28, place);
        }
        for (at, length) in [(52, longest_key), (60, longest_name), (64, longest_data)] {
            self.patch(own + at, u32::try_from(length).ok()?);
        }
        Some(cell)
    }

    fn value(&mut self, name: &Name, value: &Value) -> Option<u32> {
        let (name, is_narrow) = name_bytes(name);
        let mut length = u32::try_from(value.data.len()).ok()?;
        let place = match value.data.len() {
            0..=4 => {
                // It stands in place of its place.
                length |= 1 << 31;
                let mut four = [0; 4];
                four[..value.data.len()].copy_from_slice(&value.data);
                u32::from_le_bytes(four)
            }
            _ => self.put(&value.data),
        };
        let mut node = b"vk".to_vec();
        node.extend(u16::try_from(name.len()).ok()?.to_le_bytes());
        for word in [length, place, value.kind.0, u32::from(is_narrow)] {
            node.extend(word.to_le_bytes());
        }
        node.extend(name);
        Some(self.put(&node))
    }

    /// The cell of a descriptor: one for all keys that have it, in a ring.
    fn descriptor(&mut self, descriptor: &Shared) -> Option<u32> {
        if let Some(cell) = self.descriptors.get(&descriptor.digest()).copied() {
            let count = self.word(cell as usize + 16);
            self.patch(cell as usize + 16, count + 1);
            return Some(cell);
        }
        let bytes = descriptor.to_bytes()?;
        let mut node = b"sk\0\0".to_vec();
        for word in [0, 0, 1, bytes.len() as u32] {
            node.extend(word.to_le_bytes());
        }
        node.extend(bytes);
        let cell = self.put(&node);
        let first = match self.last {
            Some(last) => self.word(last as usize + 8),
            None => cell,
        };
        let last = self.last.unwrap_or(cell);
        self.patch(cell as usize + 8, first);
        self.patch(cell as usize + 12, last);
        self.patch(last as usize + 8, cell);
        self.patch(first as usize + 12, cell);
        self.last = Some(cell);
        self.descriptors.insert(descriptor.digest(), cell);
        Some(cell)
    }
}

/// A name as the format has it, and whether a byte a letter is enough.
fn name_bytes(name: &Name) -> (Vec<u8>, bool) {
    let narrow = name.units().iter().map(|unit| u8::try_from(*unit));
    match narrow.collect::<Result<Vec<u8>, _>>() {
        Ok(narrow) => (narrow, true),
        Err(_) => {
            let wide = name.units().iter().flat_map(|unit| unit.to_le_bytes());
            (wide.collect(), false)
        }
    }
}

// --- reading -------------------------------------------------------------------------------------------------------------

/// The key of a hive file with all below it, called `name`.
///
/// # Errors
/// See [`HiveError`].
pub fn read(bytes: &[u8], name: Name) -> Result<Key, HiveError> {
    if !bytes.starts_with(b"regf") {
        return Err(HiveError::NoHive);
    }
    let is_whole = bytes.len() > BASE && word(bytes, 508) == Some(checksum(bytes));
    let mut hive = Reader {
        bytes,
        // No more than there is room for: lists that lead to one another would never end.
        left: bytes.len() / 80,
    };
    let root = word(bytes, 36).filter(|_| is_whole);
    root.and_then(|root| hive.key(root, Some(name), 0))
        .ok_or(HiveError::Damaged)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*four))
}

struct Reader<'a> {
    bytes: &'a [u8],
    /// How many more keys are read.
    left: usize,
}

impl<'a> Reader<'a> {
    /// What is in a cell.
    fn cell(&self, place: u32) -> Option<&'a [u8]> {
        let at = BASE.checked_add(place as usize)?;
        let size = i32::from_le_bytes(*self.bytes.get(at..)?.first_chunk()?);
        let size = usize::try_from(size.checked_neg()?).ok()?;
        self.bytes.get(at + 4..at.checked_add(size)?)
    }

    fn key(&mut self, place: u32, name: Option<Name>, depth: usize) -> Option<Key> {
        self.left = self.left.checked_sub(1)?;
        let cell = self.cell(place)?;
        if depth > DEEPEST || !cell.starts_with(b"nk") {
            return None;
        }
        let flags = word(cell, 0)? >> 16;
        let length = (word(cell, 72)? & 0xFFFF) as usize;
        let own = name_of(cell.get(76..76 + length)?, flags & 0x20 != 0);
        if own.is_empty() || own.units().contains(&super::name::SEPARATOR) {
            return None;
        }
        let mut key = match flags & 0x10 != 0 {
            true => Key::new_link(name.unwrap_or(own)),
            false => Key::new(name.unwrap_or(own)),
        };
        match word(cell, 44)? {
            NONE => {}
            place => key.set_descriptor(self.descriptor(place)?.into()),
        }
        let count = word(cell, 36)? as usize;
        if count > 0 {
            let list = self.cell(word(cell, 40)?)?;
            for nth in 0..count {
                let (name, value) = self.value(word(list, 4 * nth)?)?;
                key.set_value(name, value);
            }
        }
        if word(cell, 20)? > 0 {
            let mut places = Vec::new();
            self.list(word(cell, 28)?, 0, &mut places)?;
            for place in places {
                let below = self.key(place, None, depth + 1)?;
                if key.put_key(below).is_some() {
                    return None;
                }
            }
        }
        Some(key)
    }

    /// The places of subkeys. No key of a sound file is there twice, so there are no more than cells.
    fn list(&self, place: u32, depth: u32, places: &mut Vec<u32>) -> Option<()> {
        let cell = self.cell(place)?;
        let count = (word(cell, 0)? >> 16) as usize;
        let step = match cell.first_chunk()? {
            b"lf" | b"lh" => 8,
            b"li" => 4,
            b"ri" if depth == 0 => {
                for nth in 0..count {
                    self.list(word(cell, 4 + 4 * nth)?, 1, places)?;
                }
                return Some(());
            }
            _ => return None,
        };
        for nth in 0..count {
            places.push(word(cell, 4 + step * nth)?);
        }
        (places.len() <= self.left).then_some(())
    }

    fn value(&self, place: u32) -> Option<(Name, Value)> {
        let cell = self.cell(place)?;
        if !cell.starts_with(b"vk") {
            return None;
        }
        let length = (word(cell, 0)? >> 16) as usize;
        let name = name_of(
            cell.get(20..20 + length)?,
            word(cell, 16)? & 1 != 0 || length == 0,
        );
        let (size, place) = (word(cell, 4)?, word(cell, 8)?);
        let data = match (size & 0x7FFF_FFFF) as usize {
            size if word(cell, 4)? >> 31 != 0 => place.to_le_bytes().get(..size)?.to_vec(),
            0 => Vec::new(),
            size => self.data(place, size)?,
        };
        Some((name, Value::new(Kind(word(cell, 12)?), data)))
    }

    fn data(&self, place: u32, size: usize) -> Option<Vec<u8>> {
        let cell = self.cell(place)?;
        if size <= PIECE || !cell.starts_with(b"db") {
            return cell.get(..size).map(<[u8]>::to_vec);
        }
        let count = (word(cell, 0)? >> 16) as usize;
        let list = self.cell(word(cell, 4)?)?;
        let mut data = Vec::new();
        for nth in 0..count {
            let piece = self.cell(word(list, 4 * nth)?)?;
            let wanted = (size - data.len()).min(PIECE);
            data.extend_from_slice(piece.get(..wanted)?);
        }
        (data.len() == size).then_some(data)
    }

    fn descriptor(&self, place: u32) -> Option<Descriptor> {
        let cell = self.cell(place)?;
        let size = word(cell, 16)? as usize;
        match cell.starts_with(b"sk") {
            true => Descriptor::from_bytes(cell.get(20..20usize.checked_add(size)?)?),
            false => None,
        }
    }
}

fn name_of(bytes: &[u8], is_narrow: bool) -> Name {
    let units: Vec<u16> = match is_narrow {
        true => bytes.iter().copied().map(u16::from).collect(),
        false => bytes
            .chunks_exact(2)
            .map(|two| u16::from_le_bytes([two[0], two[1]]))
            .collect(),
    };
    Name::new(&units)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::win7::registry::strategies::trees;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn keys_come_back_as_they_went(key in trees("root", 4)) {
            let bytes = written(&key).expect("it fits");
            prop_assert_eq!(bytes.len() % 4096, 0);
            prop_assert_eq!(read(&bytes, "root".into()), Ok(key));
        }

        #[test]
        fn no_damage_breaks_it(key in trees("root", 3), at in 0..20_000usize, byte in any::<u8>()) {
            let mut bytes = written(&key).expect("it fits");
            let at = 512 + at % (bytes.len() - 512);
            bytes[at] = byte;
            let _ = read(&bytes, "root".into());
            bytes.truncate(at);
            let _ = read(&bytes, "root".into());
        }
    }

    #[test]
    fn what_is_no_hive_is_told_from_what_is_damaged() {
        assert_eq!(read(b"text", "a".into()), Err(HiveError::NoHive));
        assert_eq!(read(b"regf", "a".into()), Err(HiveError::Damaged));
        assert_eq!(read(&[b'r'; 8192], "a".into()), Err(HiveError::NoHive));
    }
}
