//! What the core may depend on: everything it links for wasm must be on the list.
//!
//! A list of what is allowed, because a list of what is forbidden passes when a name is misspelt.

use crate::process::capture;
use crate::project::Project;
use anyhow::{Result, ensure};
use std::collections::BTreeSet;

const ALLOWED: &str = include_str!("../core-crates.txt");

/// Checks the dependency tree of the core.
///
/// # Errors
/// When it has a crate that is not on the list, or the list has one that it no longer has.
pub fn check(project: &Project) -> Result<()> {
    let args = ["tree", "--package", "edgeloom", "--target", "wasm32-unknown-unknown"];
    // Proc macros run in the compiler, so what they depend on never reaches the wasm.
    let edges = ["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"];
    let tree = capture(project.cargo().args(args).args(edges))?;
    let name_of = |line: &str| line.split_whitespace().next().map(String::from);
    let used: BTreeSet<String> = tree.lines().filter_map(name_of).filter(|name| name != "edgeloom").collect();
    let allowed: BTreeSet<String> =
        ALLOWED.lines().filter(|line| !line.starts_with('#')).filter_map(name_of).collect();
    let new: Vec<&String> = used.difference(&allowed).collect();
    let gone: Vec<&String> = allowed.difference(&used).collect();
    println!("  {} crates, all of {} allowed", used.len(), allowed.len());
    ensure!(new.is_empty(), "not on xtask/core-crates.txt: {new:?}\nhint: does the core really need it?");
    ensure!(gone.is_empty(), "no longer used, so no longer to be allowed in xtask/core-crates.txt: {gone:?}");
    Ok(())
}
