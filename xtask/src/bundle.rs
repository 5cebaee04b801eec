//! The Worker as it would be deployed, as plain files in `build/bundle`: for sizes and for running it without wrangler.

use crate::build::ALREADY_BUILT;
use crate::process::capture;
use crate::project::Project;
use crate::stamp::{Inputs, Stamp};
use crate::steps::step;
use anyhow::Result;
use std::fs;

/// Brings `build/bundle` up to date; the build must be.
///
/// # Errors
/// When wrangler can't bundle the Worker; its words are in the message.
pub fn ensure_bundled(project: &Project) -> Result<()> {
    let mut inputs = Inputs::default();
    for input in ["worker", "build/worker", "build/assets", "wrangler.toml", "package-lock.json"] {
        inputs = inputs.path(&project.path(input))?;
    }
    let stamp = Stamp::new(project, "bundle", inputs);
    if stamp.is_fresh() && project.path("build/bundle/entry.js").exists() {
        return Ok(());
    }
    step("bundling the Worker as it would be deployed", || {
        let _ = fs::remove_dir_all(project.path("build/bundle"));
        let args = ["deploy", "--dry-run", "--minify", "--outdir", "build/bundle"];
        capture(project.tool("wrangler").args(args).env(ALREADY_BUILT, "1").env("CI", "1")).map(drop)
    })?;
    stamp.renew()
}
