//! One item on its way into an index, where it stands in its file, and what is wrong with items. Reads nothing.

use crate::problem::{Blame, Detail, Stop};
use serde_json::{Map, Value};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Faults that are told one by one; the rest is counted.
const MOST_TOLD: usize = 10;

/// A place a reader can go to, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    file: Arc<str>,
    at: At,
}

/// What is counted in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Line(usize),
    Row(usize),
}

impl Place {
    /// A line of a text file.
    pub fn line(file: &Arc<str>, number: usize) -> Self {
        Self { file: file.clone(), at: At::Line(number) }
    }

    /// A row of a matrix or table.
    pub fn row(file: &Arc<str>, number: usize) -> Self {
        Self { file: file.clone(), at: At::Row(number) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            At::Line(number) => write!(f, "{}:{number}", self.file),
            At::Row(number) => write!(f, "{} row {number}", self.file),
        }
    }
}

/// The name a file is shown with.
pub fn name_of(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}

/// An item as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its name.
    pub id: String,
    /// What filters and blocks may ask for.
    pub fields: Map<String, Value>,
    /// Its vector, of any length, where the file has one.
    pub vector: Option<Vec<f32>>,
    /// What a vector is made of, where the file has none.
    pub text: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// What is wrong with the items of some files: everything is looked at before anything stops.
#[derive(Debug, Default)]
pub struct Faults {
    told: Vec<Detail>,
    count: usize,
}

impl Faults {
    /// Notes a fault; `what` ends in `hint: …`.
    pub fn add(&mut self, place: &Place, id: Option<&str>, what: &str) {
        self.count += 1;
        if self.told.len() < MOST_TOLD {
            let message = id.map_or_else(|| what.to_string(), |id| format!("id '{id}': {what}"));
            self.told.push(Detail { pointer: place.to_string(), message });
        }
    }

    /// Goes on only where there was none.
    ///
    /// # Errors
    /// Any fault noted.
    pub fn stop(self) -> Result<(), Stop> {
        if self.count == 0 {
            return Ok(());
        }
        let lines: Vec<_> =
            self.told.iter().map(|fault| format!("  {}: {}", fault.pointer, fault.message)).collect();
        let more = match self.count - lines.len() {
            0 => String::new(),
            n => format!("\n  and {n} more"),
        };
        let items = if self.count == 1 { "item is" } else { "items are" };
        let message =
            format!("{} {items} not as an index needs them:\n{}{more}", self.count, lines.join("\n"));
        let stop = Stop::new(message, "nothing was written; docs/index.md shows every format by example");
        Err(Stop { blame: Blame::Configuration, details: self.told, ..stop })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_file_line_and_id_and_are_counted_beyond_the_first() {
        let (file, mut faults) = (Arc::from("a.jsonl"), Faults::default());
        for line in 1..=12 {
            faults.add(&Place::line(&file, line), Some("x"), "no vector; hint: give one");
        }
        let stop = faults.stop().unwrap_err();
        assert!(stop.message.contains("  a.jsonl:1: id 'x': no vector; hint: give one\n"), "{stop}");
        assert!(stop.message.ends_with("and 2 more") && stop.details.len() == 10);
        assert_eq!(Place::row(&file, 3).to_string(), "a.jsonl row 3");
        assert_eq!(Faults::default().stop(), Ok(()));
    }
}
