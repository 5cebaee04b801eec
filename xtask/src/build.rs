//! `cargo xtask build`: everything under `build/` that the Worker and the browser load.

use crate::project::Project;
use crate::wasm::Names;
use crate::{assets, setup, wasm};
use anyhow::{Context, Result, bail};
use std::fs;

/// Set for programs of ours that would call this command again although it has just run (wrangler does).
pub const ALREADY_BUILT: &str = "EDGELOOM_BUILT";

/// The command. `--names` keeps function names in the wasm.
///
/// # Errors
/// When the set-up or a step of the build fails.
pub fn run(project: &Project, args: &[String]) -> Result<()> {
    let names = match args {
        [] => Names::Drop,
        [flag] if flag == "--names" => Names::Keep,
        other => bail!("build does not know {other:?}"),
    };
    if std::env::var_os(ALREADY_BUILT).is_some() {
        return Ok(());
    }
    setup::ensure_ready(project)?;
    everything(project, names)
}

/// Set-up and build as the other commands need them.
///
/// # Errors
/// See [`run`].
pub fn ensure_built(project: &Project) -> Result<()> {
    setup::ensure_ready(project)?;
    everything(project, Names::Drop)
}

fn everything(project: &Project, names: Names) -> Result<()> {
    bundled_snapshot(project)?;
    wasm::build(project, names)?;
    assets::build(project)
}

/// The Worker compiles this file in as its last resort; whoever has no snapshot to bundle bundles an empty one.
fn bundled_snapshot(project: &Project) -> Result<()> {
    let file = project.path("build/bundled.snapshot");
    if !file.exists() {
        fs::create_dir_all(project.path("build"))?;
        fs::write(&file, b"").context("writing build/bundled.snapshot")?;
    }
    Ok(())
}
