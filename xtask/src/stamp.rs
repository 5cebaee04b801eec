//! Remembers what a step was made from, so that it is skipped until one of its inputs changes.

use crate::project::Project;
use anyhow::{Context, Result};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// A fingerprint of files and texts. Good for noticing edits; not a cryptographic hash.
#[derive(Default)]
pub struct Inputs {
    hasher: DefaultHasher,
}

impl Inputs {
    /// Adds a text, such as the source of the step itself.
    pub fn text(mut self, text: &str) -> Self {
        text.hash(&mut self.hasher);
        self
    }

    /// Adds a file, or every file below a folder, with its name. A missing one counts as missing.
    ///
    /// # Errors
    /// When something that is there can't be read.
    pub fn path(mut self, path: &Path) -> Result<Self> {
        for file in files_below(path)? {
            file.hash(&mut self.hasher);
            fs::read(&file).with_context(|| format!("reading {}", file.display()))?.hash(&mut self.hasher);
        }
        Ok(self)
    }
}

/// The note of one step, kept under `target/xtask-stamps`.
pub struct Stamp {
    file: PathBuf,
    now: String,
}

impl Stamp {
    /// The stamp `name` as it should be for these inputs.
    pub fn new(project: &Project, name: &str, inputs: Inputs) -> Self {
        Self {
            file: project.path("target/xtask-stamps").join(name),
            now: format!("{:016x}", inputs.hasher.finish()),
        }
    }

    /// Whether the step last ran with the same inputs.
    pub fn is_fresh(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|then| then == self.now)
    }

    /// Notes that the step has run.
    ///
    /// # Errors
    /// When the note can't be written.
    pub fn renew(&self) -> Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.file, &self.now).with_context(|| format!("writing {}", self.file.display()))
    }
}

/// The file itself, or all files below a folder, sorted; nothing when it isn't there.
///
/// # Errors
/// When a folder can't be listed.
pub fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    if path.is_dir() {
        for entry in fs::read_dir(path).with_context(|| format!("listing {}", path.display()))? {
            files.extend(files_below(&entry?.path())?);
        }
    }
    files.sort();
    Ok(files)
}
