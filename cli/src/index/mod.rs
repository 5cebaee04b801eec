//! `edgeloom index`: from items to an index that a site searches, and what it is worth. How an index is stored and searched is the
//! core's business.
//!
//! ```text
//! files ──> read ──> gather (embed, check) ──> build (measure) ──> pieces ──> push, delta ──> site
//!                                                                   pieces ──> nearest, eval
//! ```

mod build;
mod embed;
mod eval;
mod fields;
mod gather;
mod measure;
mod nearest;
mod pieces;
mod push;
mod read;
mod record;
mod remarks;
mod site;

use crate::problem::Stop;
use edgeloom::index::Catalogue;
use indicatif::ProgressBar;
use serde_json::Value;
use std::path::PathBuf;

/// What is done with an index.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Build one from vectors or texts, and say how good and how quick it is
    Build(Box<build::Build>),
    /// Bring one to a site and put it in use; pieces that are there already are not sent
    Push(push::Push),
    /// Put new, changed and gone items over the pieces in use, without sending the rest again
    Delta(Box<push::Delta>),
    /// Put an earlier version in use again
    Rollback(push::Rollback),
    /// List the indexes of a site and their earlier versions
    List(push::List),
    /// Say how good its answers are: by labelled queries, or by a log
    Eval(Box<eval::Eval>),
    /// Show the nearest items to try it out
    Nearest(Box<nearest::Nearest>),
}

/// What a command says, to machines and to people.
#[derive(Debug)]
pub struct Said {
    /// For machines.
    pub json: Value,
    /// For people.
    pub text: String,
}

/// The index that pieces in files make together.
///
/// # Errors
/// A file that can't be read, or is no piece that goes with the others.
pub fn catalogue(paths: &[PathBuf]) -> Result<Catalogue, Stop> {
    push::catalogue(&pieces::read(paths)?)
}

/// Does what is asked; `json` keeps progress from being shown.
///
/// # Errors
/// Whatever stops the command.
pub fn run(command: &Command, json: bool) -> Result<Said, Stop> {
    match command {
        Command::Build(build) => build.run(json),
        Command::Push(push) => push.run(json),
        Command::Delta(delta) => delta.run(json),
        Command::Rollback(rollback) => rollback.run(),
        Command::List(list) => list.run(),
        Command::Eval(eval) => eval.run(json),
        Command::Nearest(nearest) => nearest.run(),
    }
}

/// A bar, to be given a length and a style; hidden by itself where standard error is no terminal.
fn progress(json: bool) -> ProgressBar {
    if json { ProgressBar::hidden() } else { ProgressBar::new(0) }
}
