//! `cargo xtask setup`: everything the other commands need, fetched once from the cargo and npm registries.

use crate::process::{self, capture};
use crate::project::Project;
use crate::stamp::{Inputs, Stamp};
use crate::steps::{already, step};
use anyhow::{Context, Result, bail, ensure};
use std::fs;

/// The oldest Node that can run npm for us; the pinned one does everything else.
const NODE_FOR_NPM: Version = (20, 0);
/// The oldest Node that wrangler runs on, for machines the pinned one isn't published for.
const NODE_FOR_TOOLS: Version = (22, 12);

type Version = (u32, u32);

/// Does whatever is missing and says what it does; silent and instant when nothing is.
///
/// # Errors
/// When something is missing that can't be fetched; the message says how to mend it.
pub fn ensure_ready(project: &Project) -> Result<()> {
    wasm_target(project)?;
    npm_tools(project)?;
    dev_secrets(project)
}

/// The command.
///
/// # Errors
/// See [`ensure_ready`].
pub fn run(project: &Project) -> Result<()> {
    ensure_ready(project)?;
    already("tools");
    Ok(())
}

fn wasm_target(project: &Project) -> Result<()> {
    let sysroot = capture(project.command("rustc").args(["--print", "sysroot"]))?;
    if std::path::Path::new(sysroot.trim()).join("lib/rustlib/wasm32-unknown-unknown").is_dir() {
        return Ok(());
    }
    step("adding the Rust target wasm32-unknown-unknown", || {
        process::run(project.command("rustup").args(["target", "add", "wasm32-unknown-unknown"])).context(
            "the Rust target wasm32-unknown-unknown is missing\n\
             hint: install Rust with rustup (https://rustup.rs), or your distribution's package of that target",
        )
    })
}

fn npm_tools(project: &Project) -> Result<()> {
    let inputs =
        Inputs::default().path(&project.path("package-lock.json"))?.path(&project.path("package.json"))?;
    let stamp = Stamp::new(project, "npm", inputs);
    if stamp.is_fresh() && project.path("node_modules/.package-lock.json").exists() {
        return Ok(());
    }
    let found = node_version(project, "node")
        .context("Node.js is missing\nhint: install Node.js 20 or newer, from https://nodejs.org or your package manager")?;
    ensure!(
        found >= NODE_FOR_NPM,
        "Node.js {}.{} is too old\nhint: install Node.js {} or newer (https://nodejs.org)",
        found.0,
        found.1,
        NODE_FOR_NPM.0
    );
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    capture(project.command(npm).arg("--version"))
        .context("npm is missing\nhint: it comes with Node.js; some distributions have it as a package of its own, `npm`")?;
    step("installing the pinned npm tools (wrangler, Node 22, esbuild, playwright-core)", || {
        // No install scripts: they would fetch or move binaries that npm has already put in place.
        let args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        process::run(project.command(npm).args(args))
            .context("npm could not install its packages\nhint: it needs the npm registry once; check network and proxy, then run this again")
    })?;
    pinned_node_runs(project)?;
    stamp.renew()
}

fn pinned_node_runs(project: &Project) -> Result<()> {
    let found =
        node_version(project, project.node().get_program()).context("the installed Node.js does not run")?;
    if found < NODE_FOR_TOOLS {
        bail!(
            "npm has no Node.js 22 for this kind of machine, and the one installed is {}.{}\n\
             hint: install Node.js {}.{} or newer (https://nodejs.org)",
            found.0,
            found.1,
            NODE_FOR_TOOLS.0,
            NODE_FOR_TOOLS.1
        );
    }
    Ok(())
}

fn node_version(project: &Project, program: impl AsRef<std::ffi::OsStr>) -> Result<Version> {
    let text = capture(project.command(program).arg("--version"))?;
    let mut numbers = text.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => bail!("not a version: {text}"),
    }
}

/// Local secrets, so that the Worker starts on this machine; the file is not part of the repository.
fn dev_secrets(project: &Project) -> Result<()> {
    let (example, own) = (project.path(".dev.vars.example"), project.path(".dev.vars"));
    if !own.exists() && example.exists() {
        fs::copy(&example, &own).context("copying .dev.vars.example to .dev.vars")?;
        eprintln!("• made .dev.vars from .dev.vars.example: local secrets, not for deployment");
    }
    Ok(())
}
