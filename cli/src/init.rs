//! The file to start from.

use crate::problem::Stop;
use crate::schema;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A small site with every common setting explained.
pub const STARTER: &str = include_str!("../starter.toml");

/// Name of the schema the starter's first line points to.
pub const SCHEMA_FILE: &str = "edgeloom.schema.json";

/// Writes the starter and, beside it, the schema its first line names. Returns what was written.
///
/// # Errors
/// The file is there already, or the folder can't be written.
pub fn init(path: &Path) -> Result<Vec<PathBuf>, Stop> {
    write_new(path, STARTER).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Stop::new(format!("{} exists and is left as it is", path.display()), "name another file")
        }
        _ => cannot(path, &error),
    })?;
    let mut written = vec![path.to_path_buf()];
    let schema = path.with_file_name(SCHEMA_FILE);
    match write_new(&schema, &schema::text()) {
        Ok(()) => written.push(schema),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(cannot(&schema, &error)),
    }
    Ok(written)
}

fn cannot(path: &Path, error: &std::io::Error) -> Stop {
    Stop::new(format!("cannot write {}: {error}", path.display()), "")
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
