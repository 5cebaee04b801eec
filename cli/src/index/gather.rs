//! Files become the items of one index: everything that is wrong with any of them is found before anything is built. It reads and
//! embeds, and writes nothing.

use super::embed::{self, Bill, Embedder};
use super::fields::with_millis;
use super::read::{Names, is_matrix, read};
use super::record::{Faults, Place, Record};
use crate::problem::Stop;
use indicatif::ProgressBar;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where items come from.
#[derive(Debug)]
pub struct Sources<'a> {
    /// Files of items.
    pub inputs: &'a [PathBuf],
    /// Names for the rows of those that have none, in the same order.
    pub ids: &'a [PathBuf],
    /// How the parts of an item are called.
    pub names: Names,
    /// Fields that hold a time.
    pub time_fields: &'a [String],
    /// Who makes vectors of texts.
    pub embed: &'a embed::Asked,
    /// Model of the index that the items have to fit.
    pub known: Option<&'a str>,
}

/// An item that is fit for an index.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Its name.
    pub id: String,
    /// Its fields; times are milliseconds.
    pub fields: Map<String, Value>,
    /// Its vector, as long as all others, of any length above 0.
    pub vector: Vec<f32>,
}

/// What the files hold.
#[derive(Debug)]
pub struct Gathered {
    /// Items, by name.
    pub items: Vec<Sound>,
    /// What their vectors come from.
    pub model: String,
    /// What embedding took.
    pub bill: Bill,
}

/// Reads, embeds and checks.
///
/// # Errors
/// A file that can't be read, any item at fault, no item at all, vectors of several models or of one without a name.
pub fn gather(sources: &Sources<'_>, bar: &ProgressBar) -> Result<Gathered, Stop> {
    let mut faults = Faults::default();
    let (mut records, mut models, mut ids) = (Vec::new(), BTreeMap::new(), sources.ids.iter());
    for path in sources.inputs {
        let own_ids = if is_matrix(path) { ids.next() } else { None };
        let input = read(path, own_ids, &sources.names, &mut faults)?;
        records.extend(input.records);
        models.extend(input.model.map(|model| (model, path.display().to_string())));
    }
    if let Some(unused) = ids.next() {
        let help = "one --ids for each .npy or .safetensors, in their order";
        return Err(Stop::new(format!("{} belongs to no input", unused.display()), help));
    }
    for record in &mut records {
        if let Err(what) = with_millis(&mut record.fields, sources.time_fields) {
            faults.add(&record.place, Some(&record.id), &what);
        }
    }
    let embeds = sources.embed.embedder.is_some() || records.iter().all(|record| record.vector.is_none());
    let (model, bill) = if embeds {
        has_texts(&records, &mut faults);
        duplicates(&records, &mut faults);
        // Before anything is paid for.
        std::mem::take(&mut faults).stop()?;
        let embedder = Embedder::new(sources.embed, sources.known)?;
        let texts: Vec<&str> = records.iter().filter_map(|record| record.text.as_deref()).collect();
        let (vectors, bill) = embedder.embed(&texts, bar)?;
        for (record, vector) in records.iter_mut().zip(vectors) {
            record.vector = Some(vector);
        }
        (embedder.model, bill)
    } else {
        duplicates(&records, &mut faults);
        (model_of(sources, &models)?, Bill::default())
    };
    vectors(&records, &mut faults);
    faults.stop()?;
    let mut items: Vec<_> = records
        .into_iter()
        .map(|Record { id, fields, vector, .. }| Sound { id, fields, vector: vector.unwrap_or_default() })
        .collect();
    if items.is_empty() {
        return Err(Stop::new("there is no item", "one JSON object on each line, or a row of a matrix"));
    }
    // Whatever order the files had: the same items make the same bytes.
    items.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Gathered { items, model, bill })
}

/// What vectors come from: said in the call, in the files, or by the index they have to fit.
fn model_of(sources: &Sources<'_>, models: &BTreeMap<String, String>) -> Result<String, Stop> {
    let mix = "vectors of two models have nothing in common: build an index for each";
    let mut said: Vec<(&str, String)> =
        models.iter().map(|(model, file)| (model.as_str(), file.clone())).collect();
    said.extend(sources.embed.model.as_deref().map(|model| (model, "--model".to_string())));
    said.extend(sources.known.map(|model| (model, "the index".to_string())));
    let Some((model, place)) = said.first() else {
        let help = "name what the vectors come from, as in --model all-MiniLM-L6-v2: queries have to come from the same";
        return Err(Stop::new("--model is missing", help));
    };
    match said.iter().find(|(other, _)| other != model) {
        Some((other, elsewhere)) => {
            Err(Stop::new(format!("{place} says the model is '{model}', {elsewhere} says '{other}'"), mix))
        }
        None => Ok((*model).to_string()),
    }
}

fn has_texts(records: &[Record], faults: &mut Faults) {
    for record in records.iter().filter(|record| record.text.is_none()) {
        let what = "neither vector nor text; hint: --vector and --text name the keys they stand under";
        faults.add(&record.place, Some(&record.id), what);
    }
}

fn duplicates(records: &[Record], faults: &mut Faults) {
    let mut known: BTreeMap<&str, &Place> = BTreeMap::new();
    for record in records {
        match known.get(record.id.as_str()) {
            Some(first) => {
                let what = format!("it is there already, at {first}; hint: an id names one item");
                faults.add(&record.place, Some(&record.id), &what);
            }
            None => drop(known.insert(&record.id, &record.place)),
        }
    }
}

/// Whether all vectors are there, equally long, finite, and point somewhere.
fn vectors(records: &[Record], faults: &mut Faults) {
    let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
    for vector in records.iter().filter_map(|record| record.vector.as_ref()) {
        *lengths.entry(vector.len()).or_default() += 1;
    }
    // Most are right: one odd line is named, not all of the others.
    let usual = lengths.iter().max_by_key(|(_, n)| **n).map_or(0, |(length, _)| *length);
    for record in records {
        let what = match &record.vector {
            None => "it has no vector, others have; hint: give each one, or embed all with --embedder".into(),
            Some(vector) if vector.len() != usual => format!(
                "its vector has {} numbers, most have {usual}; hint: all come from one model",
                vector.len()
            ),
            Some(vector) => match vector.iter().position(|number| !number.is_finite()) {
                Some(at) => format!(
                    "number {} of its vector is not finite; hint: leave the item out, or mend what made it",
                    at + 1
                ),
                None if vector.iter().all(|number| *number == 0.0) => {
                    "its vector is all zeros and points nowhere; hint: leave it out; was its text empty?"
                        .into()
                }
                None => continue,
            },
        };
        faults.add(&record.place, Some(&record.id), &what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, line: usize, vector: &[f32]) -> Record {
        let place = Place::line(&"a.jsonl".into(), line);
        Record { id: id.into(), fields: Map::new(), vector: Some(vector.to_vec()), text: None, place }
    }

    fn told(check: impl Fn(&mut Faults)) -> String {
        let mut faults = Faults::default();
        check(&mut faults);
        faults.stop().map_or_else(|stop| stop.message, |()| String::new())
    }

    #[test]
    fn the_odd_vector_is_named_and_not_the_others() {
        let records = [record("a", 1, &[1.0]), record("b", 2, &[1.0, 0.0]), record("c", 3, &[0.0, 1.0])];
        let told = told(|faults| vectors(&records, faults));
        assert!(
            told.contains("1 item is")
                && told.contains("a.jsonl:1: id 'a': its vector has 1 numbers, most have 2"),
            "{told}"
        );
    }

    #[test]
    fn numbers_that_are_none_zeros_and_gaps_are_found() {
        let gap = Record { vector: None, ..record("d", 4, &[]) };
        let records = [
            record("a", 1, &[1.0, f32::NAN]),
            record("b", 2, &[f32::INFINITY, 1.0]),
            record("c", 3, &[0.0, -0.0]),
            gap,
        ];
        let told = told(|faults| vectors(&records, faults));
        for part in [
            "id 'a': number 2 of",
            "id 'b': number 1 of",
            "id 'c': its vector is all zeros",
            "id 'd': it has no vector",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn an_id_that_comes_twice_is_said_with_both_places() {
        let told = told(|faults| {
            duplicates(&[record("a", 1, &[1.0]), record("b", 2, &[1.0]), record("a", 3, &[1.0])], faults)
        });
        assert!(told.contains("a.jsonl:3: id 'a': it is there already, at a.jsonl:1"), "{told}");
    }
}
