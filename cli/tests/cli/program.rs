//! Runs `edgeloom` in an empty folder and keeps what it said.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A token no server of the real world takes.
pub const TOKEN: &str = "test-only-admin-token-not-a-secret";

/// The program with a folder to work in.
pub struct Program {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What a run left.
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Program {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_string(), value.to_string()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_edgeloom"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("EDGELOOM_TOKEN")
            .env("NO_COLOR", "1");
        let output = command.envs(self.environment.iter().cloned()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let run = Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!run.out.contains(TOKEN) && !run.err.contains(TOKEN), "the token was printed");
        run
    }
}

impl Run {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.out, self.err))
    }
}

/// Files of a folder of fixtures with their contents.
pub fn fixtures(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// The fixture that nothing is wrong with.
pub fn sound() -> String {
    fixtures("check").into_iter().find(|(name, _)| name == "sound.toml").unwrap().1
}
