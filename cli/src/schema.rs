//! `edgeloom schema`: the JSON Schema of the configuration, from the core's own types.

use crate::failure::Failure;
use crate::output::Output;
use edgeloom::snapshot::wire::Config;
use schemars::schema_for;
use std::process::ExitCode;

/// The command.
///
/// # Errors
/// None; the signature is that of every command.
#[allow(clippy::unnecessary_wraps)]
pub fn run(output: &Output) -> Result<ExitCode, Failure> {
    let schema = schema_for!(Config);
    output.result(&schema, || serde_json::to_string_pretty(&schema).unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}
