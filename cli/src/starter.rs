//! `edgeloom init`: a file to start from. It never touches a file that is there.

use crate::failure::Failure;
use crate::output::Output;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

const STARTER: &str = include_str!("../starter.toml");

/// The command.
///
/// # Errors
/// The file exists, or can't be written.
pub fn run(file: &Path, output: &Output) -> Result<ExitCode, Failure> {
    let name = file.display();
    // `create_new`: looking first and writing then would leave a moment between.
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file)
        .and_then(|mut to| to.write_all(STARTER.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::unusable(format_args!(
            "{name} exists already; hint: name another file, or remove this one"
        )),
        _ => Failure::unusable(format_args!("{name} can't be written: {error}")),
    })?;
    output.result(&json!({ "created": name.to_string() }), || {
        format!("{name} is there. Next: set `site`, then `edgeloom check {name}`.")
    });
    Ok(ExitCode::SUCCESS)
}
