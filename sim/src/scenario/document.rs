//! Claims about documents, not behaviour, are judged from data tables that name their source.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::mistake::nearest;

/// A table: rows of fields, all from one source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What the rows were taken from.
    pub source: String,
    /// The rows, by name.
    pub rows: BTreeMap<String, BTreeMap<String, String>>,
}

/// A name that a table does not have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownEntry {
    /// The name.
    pub name: String,
    /// What is not there.
    pub what: String,
    /// What is.
    pub help: String,
}

const TABLES: &[(&str, &str)] = &[("go-releases", include_str!("../golang/releases.ron"))];

/// The field of a row, and the source that says so.
///
/// # Errors
/// The name of the table, the row or the field that there is not.
pub fn look_up(table: &str, row: &str, field: &str) -> Result<(String, String), UnknownEntry> {
    let unknown = |kind: &str, name: &str, known: Vec<&str>| UnknownEntry {
        name: name.into(),
        what: format!("there is no {kind} {name:?}"),
        help: nearest(name, known),
    };
    let text = TABLES
        .iter()
        .find(|(name, _)| *name == table)
        .map(|(_, text)| *text);
    let text = text.ok_or_else(|| {
        unknown(
            "table",
            table,
            TABLES.iter().map(|(name, _)| *name).collect(),
        )
    })?;
    let parsed: Table = super::load::dialect()
        .from_str(text)
        .expect("our own tables are well formed");
    let fields = parsed
        .rows
        .get(row)
        .ok_or_else(|| unknown("row", row, parsed.rows.keys().map(String::as_str).collect()))?;
    let value = fields
        .get(field)
        .ok_or_else(|| unknown("field", field, fields.keys().map(String::as_str).collect()))?;
    Ok((value.clone(), parsed.source.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_well_formed() {
        for (name, text) in TABLES {
            let table: Table = super::super::load::dialect().from_str(text).expect(name);
            assert!(!table.rows.is_empty(), "{name}");
        }
    }
}
