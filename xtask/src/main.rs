//! The project's own tool: set-up, build, demo, tests, benchmarks, budgets and rules. `cargo xtask` lists the commands.
//!
//! Its compile time is the first thing a newcomer waits for, so it has few dependencies and its own unoptimised profile.

// The core may not read a clock; this tool times its steps.
#![allow(clippy::disallowed_methods)]

mod admin;
mod assets;
mod bench;
mod browser;
mod budget;
mod build;
mod bundle;
mod check;
mod demo;
mod dice;
mod notes;
mod order;
mod process;
mod project;
mod purity;
mod readers;
mod setup;
mod stamp;
mod steps;
mod table;
mod test;
mod texts;
mod traffic;
mod visitors;
mod wasm;
mod wrangler;

use project::Project;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  setup                          install the pinned tools, once
  build [--names]                compile to wasm and bundle, into build/ (--names keeps function names in traces)
  demo [--traffic N] [--port P] [--fresh]
                                 run the demo site with the Worker in front of it; send N visitors; forget the last run
  test [FILTER]                  every test: Rust, then the built Worker in the real runtime
  bench [NAME] [--large]         benchmarks beside their peers, into target/bench/; those of 100,000 embeddings, too
  budget                         sizes of what is shipped, against their limits
  check                          formatting, lints, docs, purity of the core, file sizes

Each command does the set-up it needs.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = Project::find().and_then(|project| match command {
        "setup" => setup::run(&project),
        "build" => build::run(&project, rest),
        "demo" => demo::run(&project, rest),
        "test" => test::run(&project, rest),
        "bench" => bench::run(&project, rest),
        "budget" => budget::run(&project),
        "check" => check::run(&project),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => anyhow::bail!("there is no command `{other}`\n\n{USAGE}"),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            error.chain().skip(1).for_each(|cause| eprintln!("cause: {cause}"));
            ExitCode::FAILURE
        }
    }
}
