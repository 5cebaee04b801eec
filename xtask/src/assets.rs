//! Puts together `build/assets`: the files a browser gets without running the Worker.

use crate::process::run;
use crate::project::Project;
use crate::stamp::{Inputs, Stamp};
use crate::steps::step;
use anyhow::Result;
use std::fs;

/// Scripts to bundle: source, and place below `build/assets`.
const SCRIPTS: [(&str, &str); 1] = [("www/sdk/beacon.ts", "_edgeloom/beacon.js")];
/// Folders copied as they are: source, and place below `build/assets`.
const FOLDERS: [(&str, &str); 1] = [("www/console", "_edgeloom/console")];
/// What browsers must understand; everything that has `fetch` with `keepalive` understands it.
const LANGUAGE: &str = "--target=es2020";

/// Brings `build/assets` up to date. A source that isn't there is left out.
///
/// # Errors
/// When a script can't be bundled or a file can't be copied.
pub fn build(project: &Project) -> Result<()> {
    let out = project.path("build/assets");
    fs::create_dir_all(&out)?;
    let mut inputs = Inputs::default().path(&project.path("www/sdk"))?.text(include_str!("assets.rs"));
    for (source, _) in FOLDERS {
        inputs = inputs.path(&project.path(source))?;
    }
    let stamp = Stamp::new(project, "assets", inputs);
    let is_complete =
        SCRIPTS.iter().all(|(source, place)| !project.path(source).exists() || out.join(place).exists());
    if stamp.is_fresh() && is_complete {
        return Ok(());
    }
    step("bundling build/assets", || {
        for (source, place) in SCRIPTS {
            if project.path(source).exists() {
                let outfile = format!("--outfile={}", out.join(place).display());
                let flags = ["--bundle", "--minify", "--format=iife", "--log-level=warning", LANGUAGE];
                run(project.tool("esbuild").arg(source).args(flags).arg(outfile))?;
            }
        }
        for (source, place) in FOLDERS {
            copy(project, source, place)?;
        }
        Ok(())
    })?;
    stamp.renew()
}

fn copy(project: &Project, source: &str, place: &str) -> Result<()> {
    let (from, to) = (project.path(source), project.path("build/assets").join(place));
    for file in crate::stamp::files_below(&from)? {
        let target = to.join(file.strip_prefix(&from)?);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&file, &target)?;
    }
    Ok(())
}
