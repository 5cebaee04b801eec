//! Where things are, and how their programs are called.

use anyhow::{Context, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The working copy this tool was built from.
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The workspace around this crate.
    ///
    /// # Errors
    /// When the folder of the crate has no parent.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no folder around it")?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// A path below the root, written with slashes.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A program, started at the root, that finds the pinned npm tools first and keeps them quiet and offline.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", self.search_path());
        for (name, value) in QUIET {
            command.env(name, value);
        }
        command
    }

    /// The cargo that runs this tool.
    pub fn cargo(&self) -> Command {
        self.command(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
    }

    /// A program of `node_modules/.bin`.
    pub fn tool(&self, name: &str) -> Command {
        let file = if cfg!(windows) { format!("{name}.cmd") } else { name.to_string() };
        self.command(self.path("node_modules/.bin").join(file))
    }

    /// The pinned Node, or the machine's own where no binary is published for it ([`crate::setup`] checks its version).
    pub fn node(&self) -> Command {
        let pinned = self.path("node_modules/.bin/node");
        if pinned.exists() { self.command(pinned) } else { self.command("node") }
    }

    fn search_path(&self) -> OsString {
        let machine = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(self.path("node_modules/.bin")).chain(std::env::split_paths(&machine));
        std::env::join_paths(all).unwrap_or(machine)
    }
}

/// What keeps the tools from calling home, asking questions or waiting for a network that isn't there.
const QUIET: [(&str, &str); 6] = [
    ("WRANGLER_SEND_METRICS", "false"),
    ("WRANGLER_SEND_ERROR_REPORTS", "false"),
    ("CLOUDFLARE_TELEMETRY_DISABLED", "1"),
    ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
    ("WRANGLER_HIDE_BANNER", "true"),
    ("NODE_NO_WARNINGS", "1"),
];
