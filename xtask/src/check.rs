//! `cargo xtask check`: the rules of the house. All of them run; the first broken one does not hide the others.

use crate::process;
use crate::project::Project;
use crate::steps::step;
use crate::{build, purity, texts};
use anyhow::{Result, ensure};

/// The command.
///
/// # Errors
/// When a rule is broken; what and where is printed.
pub fn run(project: &Project) -> Result<()> {
    // The Worker compiles files in that the build makes.
    build::ensure_built(project)?;
    let rules: [(&str, &dyn Fn() -> Result<()>); 6] = [
        ("formatting", &|| process::run(project.cargo().args(["fmt", "--all", "--check"]))),
        ("lints", &|| {
            process::run(project.cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--quiet",
                "--",
                "-D",
                "warnings",
            ]))
        }),
        ("docs", &|| {
            let args = ["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"];
            process::run(project.cargo().args(args).env("RUSTDOCFLAGS", "-D warnings"))
        }),
        ("what the core depends on", &|| purity::check(project)),
        ("file sizes", &|| texts::check_sizes(project)),
        ("documentation of the core", &|| texts::check_docs(project)),
    ];
    let mut broken = Vec::new();
    for (name, rule) in rules {
        if let Err(error) = step(&format!("checking {name}"), rule) {
            eprintln!("  ✗ {error:#}");
            broken.push(name);
        }
    }
    ensure!(broken.is_empty(), "broken: {}", broken.join(", "));
    println!("\nAll rules hold.");
    Ok(())
}
