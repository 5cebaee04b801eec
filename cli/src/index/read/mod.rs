//! Input files become records, by their extension. What makes a record fit for an index is the business of `gather`.

mod ids;
mod jsonl;
mod matrix;
mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod tensors;

use super::record::{Faults, Record, name_of};
use crate::problem::Stop;
use std::fs;
use std::path::{Path, PathBuf};

pub use ids::lines;

/// How the parts of an item are called in a file.
#[derive(Debug, Clone)]
pub struct Names {
    /// Its name.
    pub id: String,
    /// Its vector.
    pub vector: String,
    /// Texts that are put together for an embedder, in this order.
    pub text: Vec<String>,
    /// The tensor, where a file has several.
    pub tensor: Option<String>,
}

/// What a file says.
#[derive(Debug)]
pub struct Input {
    /// Its items.
    pub records: Vec<Record>,
    /// What the file says its vectors come from.
    pub model: Option<String>,
}

/// Whether a file has rows without names.
pub fn is_matrix(path: &Path) -> bool {
    matches!(extension(path).as_str(), "npy" | "safetensors")
}

fn extension(path: &Path) -> String {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or("").to_ascii_lowercase()
}

/// Reads one file. `ids` belongs to a matrix without names of its own.
///
/// # Errors
/// A file that can't be read or is of no known kind; what is wrong with single items goes to `faults`.
pub fn read(path: &Path, ids: Option<&PathBuf>, names: &Names, faults: &mut Faults) -> Result<Input, Stop> {
    let matrix = match extension(path).as_str() {
        "jsonl" | "ndjson" | "json" => {
            return Ok(Input {
                records: jsonl::read(&text(path)?, &name_of(path), names, faults),
                model: None,
            });
        }
        #[cfg(feature = "parquet")]
        "parquet" => return parquet::read(path, names, faults),
        #[cfg(not(feature = "parquet"))]
        "parquet" => {
            let help = "build it with `cargo build --release -p edgeloom-cli --features parquet`, or write .npy and --ids";
            return Err(Stop::new(
                format!("this program was built without Parquet: {}", path.display()),
                help,
            ));
        }
        "npy" => npy::read(&bytes(path)?).map_err(|why| unreadable(path, &why))?,
        "safetensors" => {
            tensors::read(&bytes(path)?, names.tensor.as_deref()).map_err(|why| unreadable(path, &why))?
        }
        _ => {
            let help = "give .jsonl, .npy, .safetensors or .parquet";
            return Err(Stop::new(format!("{}: the extension names no kind of input", path.display()), help));
        }
    };
    let Some(ids) = ids else {
        let help = "--ids FILE: a line for each row, the id alone or JSON with `id` and fields";
        return Err(Stop::new(format!("{} has no names for its rows", path.display()), help));
    };
    let ids = ids::read(&text(ids)?, ids, names, faults);
    if ids.len() != matrix.rows() {
        let message =
            format!("{} has {} rows, and there are {} ids", path.display(), matrix.rows(), ids.len());
        return Err(Stop::new(message, "a line for each row, in the same order"));
    }
    let model = matrix.model.clone();
    let file = name_of(path);
    let records = ids.into_iter().zip(matrix.vectors()).enumerate();
    let records =
        records.filter_map(|(row, (named, vector))| named.map(|named| named.with(&file, row + 1, vector)));
    Ok(Input { records: records.collect(), model })
}

fn bytes(path: &Path) -> Result<Vec<u8>, Stop> {
    fs::read(path).map_err(|error| Stop::new(format!("cannot read {}: {error}", path.display()), ""))
}

/// The text of a file, without byte order mark.
pub fn text(path: &Path) -> Result<String, Stop> {
    let text = String::from_utf8(bytes(path)?)
        .map_err(|_| Stop::new(format!("{} is not UTF-8", path.display()), "save the file as UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').map(String::from).unwrap_or(text))
}

fn unreadable(path: &Path, why: &str) -> Stop {
    let (what, hint) = why.split_once("; hint: ").unwrap_or((why, ""));
    Stop::new(format!("{}: {what}", path.display()), hint)
}
