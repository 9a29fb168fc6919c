//! GetFullPathName, GetLongPathName, GetShortPathName.

use super::error::{Failure, Lookup, NameError};
use super::{Actor, Files, Found};
use crate::win7::ntfs::Node;
use crate::win7::path::{
    BACKSLASH, Full, MAX_PREFIXED, full_path, is_legal_8dot3, is_prefixed, nt_path,
};

impl Files {
    /// GetFullPathName: nothing of it has to be there, and no length but that of a string is too much.
    ///
    /// # Errors
    /// If it is empty, or longer than a string can be.
    pub fn full_name(&self, actor: &Actor<'_>, path: &[u16]) -> Result<Full, NameError> {
        if path.len() > MAX_PREFIXED {
            return Err(NameError::FilenameExcedRange);
        }
        full_path(path, actor.directory, |drive| actor.on_drive(drive))
            .ok_or(NameError::InvalidName)
    }

    /// GetLongPathName: each component as it was created. The rest of the path stays as it is written.
    ///
    /// # Errors
    /// See [`NameError`].
    pub fn long_name(
        &self,
        actor: &Actor<'_>,
        path: &[u16],
    ) -> Result<Vec<u16>, Failure<NameError>> {
        self.respelled(actor, path, |node, _| node.name().units().to_vec())
    }

    /// GetShortPathName: each component by its short name, if it has one.
    ///
    /// # Errors
    /// See [`NameError`].
    pub fn short_name(
        &self,
        actor: &Actor<'_>,
        path: &[u16],
    ) -> Result<Vec<u16>, Failure<NameError>> {
        self.respelled(actor, path, |node, written| match node.short_name() {
            Some(short) => short.units().to_vec(),
            None => {
                let oem = crate::win7::text::CodePage::Cp437;
                match is_legal_8dot3(written, oem) {
                    Some(_) => written.to_vec(),
                    None => node.name().units().to_vec(),
                }
            }
        })
    }

    fn respelled(
        &self,
        actor: &Actor<'_>,
        path: &[u16],
        spelling: impl Fn(&Node, &[u16]) -> Vec<u16>,
    ) -> Result<Vec<u16>, Failure<NameError>> {
        nt_path(path, actor.directory, |drive| actor.on_drive(drive)).map_err(Lookup::from)?;
        let is_separator = |unit: &u16| *unit == BACKSLASH || *unit == u16::from(b'/');
        // Where components begin: behind `\\?\`, a drive, a backslash.
        let mut start = if is_prefixed(path) { 4 } else { 0 };
        if path.get(start + 1) == Some(&u16::from(b':')) {
            start += 2;
        }
        let mut written = path[..start].to_vec();
        let mut spelled = written.clone();
        let mut rest = &path[start..];
        loop {
            let end = rest.iter().position(|unit| !is_separator(unit));
            let (separators, behind) = rest.split_at(end.unwrap_or(rest.len()));
            written.extend_from_slice(separators);
            spelled.extend_from_slice(separators);
            let end = behind.iter().position(is_separator).unwrap_or(behind.len());
            let (component, behind) = behind.split_at(end);
            rest = behind;
            if component.is_empty() {
                break;
            }
            written.extend_from_slice(component);
            if component.iter().all(|unit| *unit == u16::from(b'.')) {
                spelled.extend_from_slice(component);
                continue;
            }
            let is_last = rest.iter().all(is_separator);
            let found = self
                .find_itself(actor, &written)
                .map_err(Failure::<NameError>::from)?;
            match found {
                Found::There(spot) => {
                    let node = self.node(&spot).expect("it was found");
                    spelled.extend(spelling(node, component));
                }
                Found::Device(_) => spelled.extend_from_slice(component),
                Found::Free(_) if is_last => return Err(NameError::FileNotFound.into()),
                Found::Free(_) => return Err(NameError::PathNotFound.into()),
            }
        }
        match (path.is_empty(), start) {
            (true, _) => Err(Failure::from(Lookup::PathNotFound)),
            _ => Ok(spelled),
        }
    }
}
