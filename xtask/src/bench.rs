//! `cargo xtask bench`: each `tests/bench/NAME.mjs` beside its peers, into `target/bench/NAME.json`.

use crate::build::{self, ALREADY_BUILT};
use crate::process;
use crate::project::Project;
use crate::stamp::files_below;
use crate::steps::step;
use crate::{bundle, table, wasm};
use anyhow::{Result, bail, ensure};
use std::fs;

/// Adds what takes minutes to prepare.
const LARGE: &str = "--large";

/// The command: one benchmark, or all of them.
///
/// # Errors
/// When a benchmark does not exist, does not run or misses one of its targets.
pub fn run(project: &Project, args: &[String]) -> Result<()> {
    let (flags, args): (Vec<&String>, Vec<&String>) = args.iter().partition(|arg| *arg == LARGE);
    ensure!(args.len() <= 1, "bench takes one name at most");
    let folder = project.path("tests/bench");
    let mut scripts = files_below(&folder)?;
    scripts.retain(|file| {
        file.extension().is_some_and(|ending| ending == "mjs") && file.parent() == Some(&folder)
    });
    let stem = |file: &std::path::Path| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<String> = scripts.iter().map(|file| stem(file)).collect();
    if let Some(name) = args.first() {
        scripts.retain(|file| stem(file) == **name);
        if scripts.is_empty() {
            bail!("there is no benchmark `{name}`; there are: {}", names.join(", "));
        }
    }
    build::ensure_built(project)?;
    bundle::ensure_bundled(project)?;
    if scripts.iter().any(|script| stem(script) == "startup") {
        wasm::build_hello(project)?;
    }
    fs::create_dir_all(project.path("target/bench"))?;
    if scripts.iter().any(|script| stem(script) == "contextual") {
        step("learning what the contextual slot decides with", || learn(project))?;
    }
    if scripts.iter().any(|script| ["vectors", "list"].contains(&stem(script).as_str())) {
        wasm::build_vectors(project)?;
        step("embeddings, and indexes of them", || index(project, &flags))?;
    }
    let mut n_missed = 0;
    for script in &scripts {
        let name = stem(script);
        let result = project.path("target/bench").join(format!("{name}.json"));
        let _ = fs::remove_file(&result);
        step(&format!("benchmark {name}"), || {
            process::run(project.node().arg("--expose-gc").arg(script).env(ALREADY_BUILT, "1").env("CI", "1"))
        })?;
        n_missed += table::print(&result)?;
    }
    ensure!(n_missed == 0, "{n_missed} targets missed");
    Ok(())
}

/// Writes `target/bench/learned.json`: a snapshot with regressions that the core has learned.
fn learn(project: &Project) -> Result<()> {
    let package = ["run", "--quiet", "--package", "edgeloom-learned", "--profile", "xtask"];
    let learned = process::capture(project.cargo().args(package))?;
    fs::write(project.path("target/bench/learned.json"), learned)?;
    Ok(())
}

/// Fills `target/bench/vectors`: embeddings, their indexes, and what those find natively.
fn index(project: &Project, flags: &[&String]) -> Result<()> {
    // Built to be quick: what it measures is compared with wasm.
    let package = ["run", "--quiet", "--package", "edgeloom-vectors", "--profile", "web", "--"];
    process::run(project.cargo().args(package).arg(project.path("target/bench/vectors")).args(flags))
}
