//! `edgeloom`: checks, publishes and replays. It only reads arguments and hands over; each command is a file.

mod check;
mod diff;
mod document;
mod failure;
mod finding;
mod output;
mod plain;
mod publish;
mod replay;
mod rich;
mod schema;
mod site;
mod starter;
mod status;
mod table;
mod unknown;
mod versions;

use clap::{Args, Parser, Subcommand};
use failure::Failure;
use output::Output;
use site::{Access, Site};
use std::path::PathBuf;
use std::process::ExitCode;

/// Personalization next to the visitor: checks, publishes and replays configurations.
///
/// Exit codes: 0 fine, 1 problems found, 2 wrong usage or something could not be read or reached.
#[derive(Parser)]
#[command(name = "edgeloom", version)]
struct Arguments {
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say what is wrong with a configuration, and where.
    Check {
        #[arg(default_value = "edgeloom.toml")]
        file: PathBuf,
    },
    /// Check a configuration, show what it changes, and put it in use.
    Publish {
        #[arg(default_value = "edgeloom.toml")]
        file: PathBuf,
        #[command(flatten)]
        access: AccessArguments,
        /// Show what would change and stop.
        #[arg(long)]
        dry_run: bool,
        /// Why, in a few words, for the list of versions.
        #[arg(long)]
        message: Option<String>,
        /// Show each change line by line.
        #[arg(long, short)]
        verbose: bool,
    },
    /// Put an earlier version in use again.
    Rollback {
        /// One of `edgeloom versions`.
        version: String,
        #[command(flatten)]
        access: AccessArguments,
        /// Why, in a few words, for the list of versions.
        #[arg(long)]
        message: Option<String>,
    },
    /// Show what is in use and what was learned.
    Status {
        #[command(flatten)]
        access: AccessArguments,
    },
    /// List the versions of the configuration.
    Versions {
        #[command(flatten)]
        access: AccessArguments,
    },
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Write a small configuration with comments to start from.
    Init {
        #[arg(default_value = "edgeloom.toml")]
        file: PathBuf,
    },
    /// Make the decision of a receipt again and compare.
    Replay {
        /// The snapshot the receipt was made from, as `/_edgeloom/admin/snapshots/ID` gives it.
        #[arg(long)]
        snapshot: PathBuf,
        /// Environment variable that holds the receipt keys.
        #[arg(long, value_name = "NAME", default_value = "RECEIPT_KEYS")]
        keys_env: String,
        /// The value of `_el` in a link, or of `receipt` in an event.
        receipt: String,
    },
}

#[derive(Args)]
struct AccessArguments {
    /// Address of the site, as in `https://www.example.org`.
    #[arg(long)]
    url: String,
    /// Environment variable that holds the admin token.
    #[arg(long, value_name = "NAME", default_value = "EDGELOOM_TOKEN")]
    token_env: String,
}

impl AccessArguments {
    fn open(&self) -> Result<Site, Failure> {
        Access::from_env(&self.url, &self.token_env).map(Site::new)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    match run(arguments.command, &output) {
        Ok(code) => code,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.code())
        }
    }
}

fn run(command: Command, output: &Output) -> Result<ExitCode, Failure> {
    match command {
        Command::Check { file } => check::run(&file, output),
        Command::Publish { file, access, dry_run, message, verbose } => {
            let wish = publish::Wish { dry_run, message: message.unwrap_or_default(), verbose };
            // What is wrong with the file matters before what is wrong with the address.
            publish::run(&file, || access.open(), &wish, output)
        }
        Command::Rollback { version, access, message } => {
            publish::roll_back(&access.open()?, &version, &message.unwrap_or_default(), output)
        }
        Command::Status { access } => status::run(&access.open()?, output),
        Command::Versions { access } => versions::run(&access.open()?, output),
        Command::Schema => schema::run(output),
        Command::Init { file } => starter::run(&file, output),
        Command::Replay { snapshot, keys_env, receipt } => {
            replay::run(&snapshot, &keys_env, &receipt, output)
        }
    }
}
