//! Names beside a matrix: a line for each row, the id alone, or JSON with the id and fields.

use super::super::record::{Faults, Place, Record, name_of};
use super::Names;
use super::jsonl;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;

/// A row's name and fields.
pub struct Named {
    id: String,
    fields: Map<String, Value>,
}

impl Named {
    /// The record of a row.
    pub fn with(self, file: &Arc<str>, row: usize, vector: Vec<f32>) -> Record {
        let place = Place::row(file, row);
        Record { id: self.id, fields: self.fields, vector: Some(vector), text: None, place }
    }
}

/// Reads the names; `None` where a line is at fault, so that the others keep their rows.
pub fn read(text: &str, path: &Path, names: &Names, faults: &mut Faults) -> Vec<Option<Named>> {
    let file = name_of(path);
    let is_json = path.extension().is_some_and(|extension| extension == "jsonl" || extension == "ndjson");
    // Blank lines at the end belong to no row; one in between is a name that is missing.
    let lines = text.trim_end().lines().enumerate();
    lines
        .map(|(number, line)| {
            let place = Place::line(&file, number + 1);
            if is_json {
                let record = jsonl::record(line, place, names, faults)?;
                return Some(Named { id: record.id, fields: record.fields });
            }
            if line.trim().is_empty() {
                faults.add(&place, None, "the line is empty; hint: each row needs an id");
                return None;
            }
            Some(Named { id: line.trim().into(), fields: Map::new() })
        })
        .collect()
}

/// The lines of a list of ids, without blank ones.
pub fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from)
}
