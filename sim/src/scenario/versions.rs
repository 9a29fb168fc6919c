//! The versions of the models: a number a family, which moves when a known trace does.

use std::collections::BTreeMap;

/// Versions by family.
pub type Versions = BTreeMap<String, u32>;

/// The versions of the models in this library.
pub fn model_versions() -> Versions {
    let versions = [
        ("engine", crate::engine::VERSION),
        ("golang", crate::golang::VERSION),
        ("linux", crate::linux::VERSION),
        ("win7", crate::win7::VERSION),
    ];
    versions
        .into_iter()
        .map(|(family, version)| (family.into(), version))
        .collect()
}
