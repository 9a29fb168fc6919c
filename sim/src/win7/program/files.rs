//! The files that programs share: content by full path, found in any case.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::win7::resolve;
use crate::win7::text::Wide;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct File {
    path: String,
    content: Arc<[u8]>,
}

/// Files by full path.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Files(BTreeMap<Wide, File>);

impl Files {
    /// The content of a file.
    pub fn read(&self, path: &str) -> Option<&[u8]> {
        Some(&self.0.get(&Wide::from(path).to_upcase())?.content)
    }

    /// Creates a file, or replaces the content of one that is there and keeps its spelling.
    pub fn write(&mut self, path: &str, content: &[u8]) {
        let file = File {
            path: path.into(),
            content: content.into(),
        };
        self.0
            .entry(Wide::from(path).to_upcase())
            .and_modify(|there| there.content = content.into())
            .or_insert(file);
    }

    /// Takes a file away.
    pub fn remove(&mut self, path: &str) {
        self.0.remove(&Wide::from(path).to_upcase());
    }
}

impl resolve::Files for Files {
    fn file(&self, path: &str) -> Option<String> {
        let file = self.0.get(&Wide::from(path).to_upcase())?;
        Some(file.path.clone())
    }
}
