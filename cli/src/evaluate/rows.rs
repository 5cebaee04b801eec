//! The rows of a log: JSON lines as `edgeloom log` brings them. Reads and checks; what they mean is the business of `views`.

use crate::plain::plain;
use crate::problem::Stop;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Longest line, bytes: a row with all of its features has two thousand.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// Most views of one row; each is weighed on its own.
const MAX_EXPOSURES: u32 = 1_000_000;
/// Largest sum of values of a row, either way.
const MAX_VALUE: f64 = 1e9;
/// More bad lines than this share of all, and the file is something else.
const MOST_BAD: f64 = 0.01;
/// Bad lines that are told one by one.
const MOST_TOLD: usize = 5;

/// One decision, slot and side, as the ledger tells it. Unknown fields are skipped, new ones are optional.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
pub struct LogRow {
    /// Unique; told again later with more rewards, it is the same row.
    pub row: String,
    /// Time of the decision, milliseconds since the epoch; cut to the hour where many share it.
    #[serde(default)]
    pub time_millis: u64,
    /// Name of the slot.
    pub slot: String,
    /// What was shown, or would have been; `None` where nothing could be.
    #[serde(default)]
    pub arm: Option<String>,
    /// Where the arm stands for what requests bring, the action.
    #[serde(default)]
    pub action: Option<String>,
    /// Whether the page stayed as it is, for comparison.
    #[serde(default)]
    pub held_out: bool,
    /// P(arm) at decision time, in (0, 1].
    pub propensity: f64,
    /// Pseudonymous visitor; without one the row stands for itself.
    #[serde(default)]
    pub unit: Option<String>,
    /// Whether many visitors share the decision.
    #[serde(default)]
    pub shared: bool,
    /// Views, at least 1.
    #[serde(default = "one")]
    pub exposures: u32,
    /// Rewards by goal, of which no goal has more than there are exposures.
    #[serde(default)]
    pub rewards: BTreeMap<String, Reward>,
    /// Name of the set of features, hexadecimal.
    #[serde(default)]
    pub features: Option<String>,
    /// The features that it was decided with, intercept first.
    #[serde(default)]
    pub x: Vec<f64>,
    /// What the challenger would have shown.
    #[serde(default)]
    pub shadow: Option<String>,
    /// Names of the arms that could be chosen, in logs that know them; `None`: nobody noted it.
    #[serde(default)]
    pub candidates: Option<Vec<String>>,
    /// Whatever else a line tells, such as columns that were joined to it: visitors can be told apart by it.
    #[serde(flatten)]
    #[schemars(skip)]
    pub others: BTreeMap<String, Value>,
}

/// Rewards of one goal.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, schemars::JsonSchema)]
pub struct Reward {
    /// How many.
    pub n: u32,
    /// Sum of their values, in the site's currency.
    #[serde(default)]
    pub value: f64,
}

const fn one() -> u32 {
    1
}

/// What was read.
#[derive(Debug, Default)]
pub struct Log {
    /// By the name of the row, so that the order of lines and files does not matter.
    pub rows: BTreeMap<String, LogRow>,
    /// Lines that told a row again.
    pub repeats: u64,
    /// Lines that could not be read.
    pub bad: u64,
    /// The first of them, with file, line and reason.
    pub told: Vec<String>,
}

/// Reads some files; of a row told twice the one with more rewards stands, since rewards are only ever added.
///
/// # Errors
/// A file that can't be read, no row at all, more than one bad line in a hundred.
pub fn read(files: &[PathBuf]) -> Result<Log, Stop> {
    let mut log = Log::default();
    let mut n_lines = 0_u64;
    for file in files {
        read_file(file, &mut log, &mut n_lines)?;
    }
    if log.bad as f64 > MOST_BAD * n_lines as f64 {
        let message = format!("{} of {n_lines} lines can't be read:\n  {}", log.bad, log.told.join("\n  "));
        return Err(Stop::new(
            message,
            "is this a log as `edgeloom log` brings it? `edgeloom schema --log` says what a line is",
        ));
    }
    if log.rows.is_empty() {
        return Err(Stop::new("the log holds no row", "bring one with `edgeloom log FILE`"));
    }
    Ok(log)
}

fn read_file(file: &Path, log: &mut Log, n_lines: &mut u64) -> Result<(), Stop> {
    let failed = |error: std::io::Error| Stop::new(format!("cannot read {}: {error}", file.display()), "");
    let mut reader = BufReader::new(File::open(file).map_err(failed)?);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        *n_lines += 1;
        match parse(&line) {
            Ok(row) => {
                let n = |row: &LogRow| {
                    row.rewards.values().map(|reward| u64::from(reward.n)).sum::<u64>()
                        + u64::from(row.exposures)
                };
                match log.rows.get_mut(&row.row) {
                    Some(known) => {
                        log.repeats += 1;
                        if n(&row) >= n(known) {
                            *known = row;
                        }
                    }
                    None => drop(log.rows.insert(row.row.clone(), row)),
                }
            }
            Err(reason) => {
                log.bad += 1;
                if log.told.len() < MOST_TOLD {
                    log.told.push(format!("{}:{number}: {reason}", file.display()));
                }
            }
        }
    }
    Ok(())
}

fn parse(line: &[u8]) -> Result<LogRow, String> {
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("{} bytes; hint: {MAX_LINE_BYTES} at most", line.len()));
    }
    let row: LogRow = serde_json::from_slice(line.trim_ascii()).map_err(|error| wrong(&error))?;
    if row.row.is_empty() || row.slot.is_empty() {
        return Err("`row` or `slot` is empty; hint: each row and each slot has a name".into());
    }
    if !(row.propensity > 0.0 && row.propensity <= 1.0) {
        return Err(format!("propensity is {}; hint: a number above 0, at most 1", row.propensity));
    }
    if row.exposures == 0 || row.rewards.values().any(|reward| reward.n > row.exposures) {
        return Err(
            "no exposure, or more rewards than exposures; hint: one row per decision, slot and side".into()
        );
    }
    if row.exposures > MAX_EXPOSURES {
        return Err(format!("{} exposures; hint: {MAX_EXPOSURES} at most", row.exposures));
    }
    if row.rewards.values().any(|reward| reward.value.is_nan() || reward.value.abs() > MAX_VALUE) {
        return Err(format!("a reward has no value in range; hint: at most {MAX_VALUE:e} either way"));
    }
    if let (Some(arm), Some(candidates)) = (&row.arm, &row.candidates)
        && !candidates.contains(arm)
    {
        return Err(format!("arm '{arm}' is not among its candidates; hint: name all that could be chosen"));
    }
    Ok(row)
}

/// What is wrong with a line, and where: the number of the line is said already.
fn wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = plain(text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what));
    if error.column() > 0 { format!("{what}, at column {}", error.column()) } else { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_wrong_with_it() {
        let good = br#"{"row":"a","slot":"hero","arm":"x","propensity":0.5,"colour":"blue"}"#;
        let row = parse(good).unwrap();
        assert_eq!((row.exposures, row.held_out, row.rewards.len()), (1, false, 0));
        assert_eq!(row.others["colour"], "blue");
        for (bad, part) in [
            (&br#"{"row":"a","slot":"hero","propensity":0}"#[..], "propensity is 0"),
            (br#"{"row":"a","slot":"hero","propensity":"much"}"#, "expected a number, found the text"),
            (br#"{"row":"a","slot":"hero","propensity":1,"rewards":{"o":{"n":2}}}"#, "more rewards"),
            (b"{\"row\":\"a\",\"slot\":\"he\n", "EOF while parsing a string, at column 21"),
            (br#"{"row":"a","slot":"","propensity":1}"#, "is empty"),
            (br#"{"row":"a","slot":"h","propensity":1,"exposures":4000000000}"#, "1000000 at most"),
            (
                br#"{"row":"a","slot":"h","arm":"x","candidates":["y"],"propensity":1}"#,
                "not among its candidates",
            ),
            (
                br#"{"row":"a","slot":"h","propensity":1,"rewards":{"o":{"n":1,"value":1e10}}}"#,
                "no value in range",
            ),
        ] {
            let told = parse(bad).unwrap_err();
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
