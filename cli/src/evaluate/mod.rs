//! `edgeloom evaluate`: what a log says of each slot and goal: the increment against the holdout, each arm and other policies by
//! logged propensities, and whether the log can be trusted. All estimates are the core's.

mod page;
mod report;
mod rows;

use crate::problem::Stop;
use crate::replay;
use edgeloom::snapshot::Snapshot;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What is asked of a log.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Files of JSON lines.
    pub files: &'a [PathBuf],
    /// Only this slot.
    pub slot: Option<&'a str>,
    /// Only this goal.
    pub goal: Option<&'a str>,
    /// `uniform`, `arm=NAME` or a snapshot's file, beside each arm alone.
    pub policies: &'a [String],
    /// Seed of the bootstrap.
    pub seed: u64,
}

/// A policy that was not in use.
enum Candidate {
    /// All arms alike.
    Uniform,
    /// Always this one.
    Arm(String),
    /// As a snapshot would choose.
    Snapshot(Box<Snapshot>, String),
}

impl Candidate {
    fn parse(text: &str) -> Result<Self, Stop> {
        match text.strip_prefix("arm=") {
            Some(arm) => Ok(Self::Arm(arm.into())),
            None if text == "uniform" => Ok(Self::Uniform),
            None => Ok(Self::Snapshot(Box::new(replay::read(Path::new(text))?), text.into())),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Uniform => "uniform".into(),
            Self::Arm(arm) => format!("always {arm}"),
            Self::Snapshot(_, file) => file.clone(),
        }
    }
}

/// The report for machines.
///
/// # Errors
/// A log or a snapshot that can't be read, a slot or goal that is not in the log.
pub fn run(asked: &Asked<'_>) -> Result<Value, Stop> {
    let log = rows::read(asked.files)?;
    let candidates =
        asked.policies.iter().map(|text| Candidate::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let slots = report::slots(&log, asked, &candidates)?;
    Ok(json!({
        "rows": log.rows.len(), "repeated_lines": log.repeats, "bad_lines": log.bad, "bad": log.told, "slots": slots,
    }))
}

/// The JSON Schema of a line of the log.
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(rows::LogRow);
    schema.insert("title".into(), "a line of the log".into());
    format!("{:#}", schema.to_value())
}

/// The report as text.
pub fn text(report: &Value) -> String {
    page::text(report)
}

/// The report as a page that needs nothing else.
pub fn html(report: &Value) -> String {
    page::html(report)
}
