//! `cargo xtask test`: the Rust tests, then the built Worker in the real runtime.

use crate::build::{self, ALREADY_BUILT};
use crate::project::Project;
use crate::stamp::files_below;
use crate::steps::{seconds, step};
use crate::{bundle, table, wasm};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// A test that takes longer than this hangs.
const NODE_TEST_LIMIT_MILLIS: u32 = 600_000;

/// Test files at a time. They wait more than they compute; Node would run one at a time on two cores.
const NODE_TEST_FILES: u32 = 2;

/// What one runner said in the end.
struct Outcome {
    runner: &'static str,
    passed: u64,
    failed: u64,
    skipped: u64,
    took: String,
    is_good: bool,
}

/// The command. A filter that is part of the name of a test file runs that file; for the rest it is part of a test's name.
///
/// # Errors
/// When the build or any test fails; both runners run in any case.
pub fn run(project: &Project, args: &[String]) -> Result<()> {
    ensure!(args.len() <= 1, "test takes one filter at most");
    let filter = args.first().map(String::as_str);
    build::ensure_built(project)?;
    bundle::ensure_bundled(project)?;
    wasm::build_twins(project)?;
    let files = node_files(project)?;
    let named: Vec<PathBuf> = files.iter().filter(|file| is_named(file, filter)).cloned().collect();
    let outcomes = match filter {
        // The filter names test files: only these.
        Some(_) if !named.is_empty() => vec![node(project, &named, None)?],
        _ => vec![rust(project, filter)?, node(project, &files, filter)?],
    };
    summarise(&outcomes)
}

fn is_named(file: &std::path::Path, filter: Option<&str>) -> bool {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    filter.is_some_and(|filter| name.contains(filter))
}

/// Every `*.test.mjs` and `*.test.ts` of `tests/` and `www/`.
fn node_files(project: &Project) -> Result<Vec<PathBuf>> {
    let mut files = files_below(&project.path("tests"))?;
    files.extend(files_below(&project.path("www"))?);
    files.retain(|file| {
        let name = file.to_string_lossy();
        name.ends_with(".test.mjs") || name.ends_with(".test.ts")
    });
    Ok(files)
}

fn rust(project: &Project, filter: Option<&str>) -> Result<Outcome> {
    let mut command = project.cargo();
    command.args(["test", "--workspace"]);
    // Peers and makers of data for benchmarks have no tests, and compile for a minute.
    command.args(
        ["edgeloom-hello", "edgeloom-learned", "edgeloom-vectors", "edgeloom-twins"]
            .iter()
            .flat_map(|name| ["--exclude", name]),
    );
    command.args(filter);
    watch("Rust", &mut command, |line, outcome| {
        // test result: ok. 12 passed; 0 failed; 1 ignored; …
        if let Some(counts) = line.strip_prefix("test result: ") {
            for part in counts.split("; ") {
                let words: Vec<&str> = part.split_whitespace().rev().collect();
                match words[..] {
                    ["passed", n, ..] => outcome.passed += n.parse().unwrap_or(0),
                    ["failed", n, ..] => outcome.failed += n.parse().unwrap_or(0),
                    ["ignored", n, ..] => outcome.skipped += n.parse().unwrap_or(0),
                    _ => {}
                }
            }
        }
    })
}

fn node(project: &Project, files: &[PathBuf], filter: Option<&str>) -> Result<Outcome> {
    let mut command = project.node();
    command.args(["--test", "--test-reporter=spec", &format!("--test-timeout={NODE_TEST_LIMIT_MILLIS}")]);
    command.arg(format!("--test-concurrency={NODE_TEST_FILES}"));
    if let Some(filter) = filter {
        command.arg(format!("--test-name-pattern={filter}"));
    }
    command.args(files).env(ALREADY_BUILT, "1").env("CI", "1");
    if files.is_empty() {
        return Ok(Outcome::new("runtime"));
    }
    watch("runtime", &mut command, |line, outcome| {
        // ℹ pass 12
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["ℹ", "pass", n] => outcome.passed = n.parse().unwrap_or(0),
            ["ℹ", "fail", n] => outcome.failed = n.parse().unwrap_or(0),
            ["ℹ", "skipped", n] => outcome.skipped = n.parse().unwrap_or(0),
            _ => {}
        }
    })
}

impl Outcome {
    fn new(runner: &'static str) -> Self {
        Self { runner, passed: 0, failed: 0, skipped: 0, took: String::new(), is_good: true }
    }
}

/// Runs a test runner, shows its lines and lets `read` count from them.
fn watch(runner: &'static str, command: &mut Command, read: impl Fn(&str, &mut Outcome)) -> Result<Outcome> {
    let start = Instant::now();
    let mut outcome = Outcome::new(runner);
    step(&format!("testing: {runner}"), || {
        let mut child =
            command.stdout(Stdio::piped()).spawn().with_context(|| format!("starting the {runner} tests"))?;
        let out = child.stdout.take().context("the tests have no output")?;
        for line in BufReader::new(out).lines() {
            let line = line?;
            println!("{line}");
            read(&line, &mut outcome);
        }
        outcome.is_good = child.wait()?.success();
        Ok(())
    })?;
    outcome.took = seconds(start.elapsed());
    Ok(outcome)
}

fn summarise(outcomes: &[Outcome]) -> Result<()> {
    let mut lines = vec![["", "passed", "failed", "skipped", "time"].map(String::from).to_vec()];
    for o in outcomes {
        let mark = if o.is_good { "✓" } else { "✗" };
        lines.push(vec![
            format!("{mark} {}", o.runner),
            o.passed.to_string(),
            o.failed.to_string(),
            o.skipped.to_string(),
            o.took.clone(),
        ]);
    }
    println!();
    table::print_columns(&lines);
    ensure!(outcomes.iter().all(|o| o.is_good), "tests failed");
    println!("\nAll tests pass.");
    Ok(())
}
