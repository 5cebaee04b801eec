//! Runs the built program and keeps what it says.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// The token the site takes; for these tests only.
pub const TOKEN: &str = "dev-only-token-of-a-test";

/// The folder of the fixtures.
pub fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs `edgeloom` with nothing in its environment but `variables`. The token is never in what it says.
pub fn run(arguments: &[&str], variables: &[(&str, &str)], folder: &Path) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgeloom"));
    let command = command.args(arguments).env_clear().envs(variables.iter().copied()).current_dir(folder);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran { code: status.code().unwrap(), out: text(stdout), err: text(stderr) };
    assert!(!ran.out.contains(TOKEN) && !ran.err.contains(TOKEN), "{ran:?}");
    ran
}
