//! `edgeloom`: checks a configuration and publishes it to a site. This file is the command line: what can be
//! said, what is answered, and the exit code.
//!
//! Exit codes: 0 fine · 1 the configuration has to change · 2 the call, a file or the connection has to change.
//! Results go to standard output, everything about the run to standard error; with `--json` the one JSON value
//! on standard output is all there is.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod check;
mod diff;
mod evaluate;
mod explain;
mod forests;
mod index;
mod init;
mod log;
mod meaning;
mod pages;
mod parse;
mod plain;
mod plan;
mod power;
mod problem;
mod publish;
mod remote;
mod replay;
mod report;
mod sanitise;
mod schema;
mod simulate;
mod source;
mod table;

use check::check;
use clap::{Args, Parser, Subcommand};
use problem::{Stop, publishable};
use publish::{Detail, Extent, Run, publication};
use remote::{Remote, Token};
use report::{problems_json, say, say_json, tell, tell_problems};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Checks edgeloom.toml and publishes it to a site.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 fine; 1 problems found; 2 wrong call, unreadable file, no connection"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Answer with one JSON value on standard output
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say everything that is wrong with a configuration file, with its place in it
    Check {
        /// The configuration
        #[arg(default_value = "edgeloom.toml")]
        file: PathBuf,
    },
    /// Check, show what changes, store and publish
    Publish {
        /// The configuration
        #[arg(default_value = "edgeloom.toml")]
        file: PathBuf,
        #[command(flatten)]
        site: Site,
        /// Stop before anything on the site changes
        #[arg(long)]
        dry_run: bool,
        /// Show the changes as a unified diff
        #[arg(long, short)]
        verbose: bool,
        /// Why, in a few words; kept with the version
        #[arg(long, short)]
        message: Option<String>,
    },
    /// Put an earlier version in use again
    Rollback {
        /// The version, as `edgeloom versions` shows it
        version: String,
        #[command(flatten)]
        site: Site,
        /// Why, in a few words
        #[arg(long, short)]
        message: Option<String>,
    },
    /// Show pages anew from the site's own server, wherever copies of them are kept
    Purge(Purge),
    /// Show what is published and what was learned
    Status {
        #[command(flatten)]
        site: Site,
    },
    /// List the stored versions of the configuration
    Versions {
        #[command(flatten)]
        site: Site,
    },
    /// Make the decision of a receipt again, to see that it tells what was decided
    Replay {
        /// The snapshot it was made from, as /_edgeloom/admin/snapshots/ID gives it
        #[arg(long, value_name = "FILE")]
        snapshot: PathBuf,
        /// Name of the environment variable that holds the receipt keys
        #[arg(long, default_value = "RECEIPT_KEYS", value_name = "NAME")]
        keys_env: String,
        /// The actions that the request brought for the slot, as JSON: [{"id":"…","features":{…}}, …]
        #[arg(long, value_name = "FILE")]
        actions: Option<PathBuf>,
        /// The pieces of the index that a list looked into, in their order
        #[arg(long, value_name = "FILE", num_args = 1, conflicts_with = "actions")]
        index: Vec<PathBuf>,
        /// The receipt of a slot, from the page's decisions or an answer; of a visit without consent also the value of `_el` in a link
        receipt: String,
    },
    /// Say in words why a visit would see this: every rule, every candidate with its chance
    Explain {
        /// The snapshot, as /_edgeloom/admin/snapshots/ID gives it
        #[arg(long, value_name = "FILE")]
        snapshot: PathBuf,
        /// Only this slot
        #[arg(long)]
        slot: Option<String>,
        /// The pieces of the index that its lists look into, in their order
        #[arg(long, value_name = "FILE", num_args = 1)]
        index: Vec<PathBuf>,
        /// The visit as JSON, as in {"path":"/","device":"phone"}
        visit: String,
    },
    /// Say what a log tells: the increment against the holdout, arms and other policies by logged propensities
    Evaluate(Box<evaluate::Asked>),
    /// How many visitors it takes to see a lift, and how many days
    Power(power::Plan),
    /// Bring the log of what was decided, shown and earned into a file of JSON lines
    Log {
        /// Where to; lines are added to it
        file: PathBuf,
        /// Only decisions from this time on, as in 2026-12-01T00:00:00Z
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        #[command(flatten)]
        site: Site,
    },
    /// Items that are found by likeness: build an index, bring it to a site, try and judge it
    #[command(subcommand)]
    Index(index::Command),
    /// Run the configuration's slots with assumed rates: what learning costs, how soon it decides
    Simulate(Simulate),
    /// Print the JSON Schema of the configuration, for editors
    Schema {
        /// That of a line of the log instead
        #[arg(long)]
        log: bool,
    },
    /// Write a commented configuration to start from, and its schema beside it
    Init {
        /// Where
        #[arg(default_value = "edgeloom.toml")]
        file: PathBuf,
    },
}

/// Which pages are taken back.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
struct Purge {
    /// Addresses, as in /news?page=2 or https://shop.example.org/news
    #[arg(group = "what")]
    urls: Vec<String>,
    /// Beginnings of addresses, as in /news/
    #[arg(long, group = "what")]
    prefix: Vec<String>,
    /// Words of the pages' Cache-Tag or Surrogate-Key header
    #[arg(long, group = "what")]
    tag: Vec<String>,
    /// All pages
    #[arg(long, group = "what", conflicts_with_all = ["urls", "prefix", "tag"])]
    everything: bool,
    #[command(flatten)]
    site: Site,
    /// Why, in a few words
    #[arg(long, short)]
    message: Option<String>,
}

impl Purge {
    fn what(&self) -> Value {
        if self.everything {
            return json!({ "everything": true });
        }
        json!({ "urls": self.urls, "prefixes": self.prefix, "tags": self.tag })
    }
}

/// What is simulated.
#[derive(Debug, Args)]
#[command(after_long_help = SIMULATE_HELP)]
struct Simulate {
    /// The configuration
    #[arg(default_value = "edgeloom.toml")]
    file: PathBuf,
    /// The assumed rates: TOML, or JSON of the same shape
    #[arg(long, value_name = "FILE")]
    rates: PathBuf,
    /// Length of a run
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=520))]
    weeks: u16,
    /// Visitors on each day; each comes once
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    visitors_per_day: u32,
    /// How often a day what was learned is published
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_440))]
    publications_per_day: u32,
    /// Number of runs
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Equal seeds give equal results, on every machine
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Draw regret and shares over time into this file
    #[arg(long, value_name = "PATH")]
    svg: Option<PathBuf>,
}

/// The file of rates, by example.
const SIMULATE_HELP: &str = r#"The file of rates:

  [slots.hero]
  untouched = 0.02                     # the page as it is, for the holdout
  [slots.hero.arms]
  original = 0.02
  summer-sale = [0.03, 0.028, 0.02]    # by week; the last one stays

  [[visits]]                           # kinds of visits; without any, each page of a slot is one
  share = 0.7
  path = "/"
  device = "phone"                     # also country, language, referrer, query, attributes

Many runs are quicker with the optimised program: cargo build --release -p edgeloom-cli"#;

impl Simulate {
    fn extent(&self) -> simulate::Extent {
        simulate::Extent {
            days: usize::from(self.weeks) * simulate::DAYS,
            visitors_per_day: self.visitors_per_day,
            publications_per_day: self.publications_per_day,
            runs: self.runs as usize,
            seed: self.seed,
        }
    }
}

/// Where to publish and who asks.
#[derive(Debug, Args)]
struct Site {
    /// The site, as in https://shop.example.org; http:// for this machine only
    #[arg(long, env = "EDGELOOM_URL")]
    url: String,
    /// Name of the environment variable that holds the token
    #[arg(long, default_value = "EDGELOOM_TOKEN", value_name = "NAME")]
    token_env: String,
}

impl Site {
    fn remote(&self) -> Result<Remote, Stop> {
        Remote::new(&self.url, Token::from_env(&self.token_env)?)
    }
}

fn main() -> ExitCode {
    let Cli { command, json } = Cli::parse();
    match run(&command, json) {
        Ok(code) => code,
        Err(stop) => {
            if json {
                say_json(&report::stop_json(&stop));
            } else {
                tell(&report::stop(&stop));
            }
            ExitCode::from(stop.blame as u8)
        }
    }
}

fn run(command: &Command, json: bool) -> Result<ExitCode, Stop> {
    match command {
        Command::Check { file } => return run_check(file, json),
        Command::Publish { file, site, dry_run, verbose, message } => {
            let extent = if *dry_run { Extent::DryRun } else { Extent::Publish };
            let detail = if *verbose { Detail::Lines } else { Detail::Items };
            let run = Run { file, extent, detail, message: message.as_deref() };
            return if json { run.for_machines(&site.remote()?) } else { run.for_people(&site.remote()?) };
        }
        Command::Rollback { version, site, message } => {
            let answer = site.remote()?.choose("rollback", version, message.as_deref())?;
            show(&answer, json, |answer| publication("back at", answer));
        }
        Command::Purge(purge) => {
            let answer = purge.site.remote()?.purge(&purge.what(), purge.message.as_deref());
            let answer = answer.inspect_err(|stop| {
                if !json {
                    tell(&report::details(stop));
                }
            })?;
            show(&answer, json, |_| "noted; pages are shown anew within about a minute".into());
        }
        Command::Status { site } => show(&site.remote()?.ask("status")?, json, table::status),
        Command::Versions { site } => show(&site.remote()?.ask("versions")?, json, table::versions),
        Command::Replay { snapshot, keys_env, actions, index, receipt } => {
            let brought = replay::Brought { actions: actions.as_deref(), index };
            let replayed = replay::replay(snapshot, keys_env, brought, receipt)?;
            show(&replayed.json(), json, |_| replayed.text());
        }
        Command::Explain { snapshot, slot, index, visit } => {
            let explained = explain::run(snapshot, visit, slot.as_deref(), index)?;
            show(&explained.json(), json, |_| explained.text());
        }
        Command::Evaluate(asked) => {
            let report = evaluate::run(asked)?;
            show(&report.json(), json, |_| report.text());
        }
        Command::Power(plan) => {
            let found = power::run(plan)?;
            show(&found, json, |found| power::text(plan, found));
        }
        Command::Log { file, from, site } => {
            let from = from.as_deref().map_or(Ok(0), edgeloom::schedule::millis_of);
            let from = from.map_err(|error| Stop::new(format!("--from: {error}"), ""))?;
            let log::Fetched { lines, pages, continued } = log::run(&site.remote()?, file, from)?;
            let told = json!({ "ok": true, "lines": lines, "pages": pages, "continued": continued });
            show(&told, json, |_| {
                let how = if continued { ", continued where an earlier run broke off" } else { "" };
                format!("{lines} lines in {}{how}", file.display())
            });
        }
        Command::Index(command) => {
            let said = index::run(command, json)?;
            show(&said.json, json, |_| said.text.clone());
        }
        Command::Simulate(simulate) => return run_simulate(simulate, json),
        Command::Schema { log: true } => say(&evaluate::schema()),
        Command::Schema { log: false } => say(&schema::text()),
        Command::Init { file } => {
            let written = init::init(file)?;
            let names: Value = written.iter().map(|path| json!(path)).collect();
            show(&json!({ "ok": true, "written": names }), json, |_| {
                let lines: String =
                    written.iter().map(|path| format!("wrote {}\n", path.display())).collect();
                format!(
                    "{lines}next: `check {}` finds mistakes, `publish` shows and sends it",
                    file.display()
                )
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(answer: &Value, json: bool, text: impl Fn(&Value) -> String) {
    if json {
        say_json(answer);
    } else {
        say(&report::plain(&text(answer)));
    }
}

fn run_simulate(call: &Simulate, json: bool) -> Result<ExitCode, Stop> {
    let (source, problems) = match simulate::prepare(&call.file, &call.rates)? {
        simulate::Prepared::Ready(ready) => {
            let told = if json { simulate::Progress::Silent } else { simulate::Progress::Shown };
            if !json {
                tell_problems(&ready.source, &ready.remarks);
            }
            let simulated = ready.simulate(&call.extent(), told);
            let drawn = call.svg.as_deref().map(|path| simulated.draw(path)).transpose()?;
            show(&simulated.json(), json, |_| simulated.text());
            if let Some(()) = drawn.filter(|()| !json) {
                tell(&format!("drawn to {}", call.svg.as_deref().unwrap_or(Path::new("")).display()));
            }
            return Ok(ExitCode::SUCCESS);
        }
        simulate::Prepared::Faulty { source, problems } => (source, problems),
    };
    if json {
        let problems = problems_json(&source, &problems);
        say_json(&json!({ "ok": false, "file": source.name, "problems": problems }));
    } else {
        tell_problems(&source, &problems);
    }
    Ok(ExitCode::from(1))
}

fn run_check(file: &Path, json: bool) -> Result<ExitCode, Stop> {
    let checked = check(file)?;
    let ok = publishable(&checked.problems);
    if json {
        let problems = problems_json(&checked.source, &checked.problems);
        say_json(&json!({ "ok": ok, "file": checked.source.name, "problems": problems }));
    } else {
        tell_problems(&checked.source, &checked.problems);
        if let Some(config) = checked.config.as_ref().filter(|_| ok) {
            let (slots, blocks) = (config.slots.len(), config.blocks.len());
            say(&format!("{} is fine: slots {slots}, blocks {blocks}", checked.source.name));
        }
    }
    Ok(ExitCode::from(u8::from(!ok)))
}
