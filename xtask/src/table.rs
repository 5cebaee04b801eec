//! Measurements: the JSON form every benchmark and the budget share, and how it is shown to people.

use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Reads a list of `{name, unit, ours, others: {peer: value}, target, holds}`, prints it as a table and returns how
/// many of its targets are missed.
///
/// # Errors
/// When the file isn't there or isn't such a list.
pub fn print(file: &Path) -> Result<usize> {
    let text = fs::read_to_string(file).with_context(|| format!("{} was not written", file.display()))?;
    let rows: Vec<Value> =
        serde_json::from_str(&text).with_context(|| format!("{} is not a list of rows", file.display()))?;
    let mut lines = vec![["", "ours", "target", "others"].map(String::from).to_vec()];
    for row in &rows {
        let holds = if misses(row) { "✗" } else { "✓" };
        let mark = if row["target"].is_null() { " " } else { holds };
        let unit = row["unit"].as_str().unwrap_or_default();
        let others = row["others"].as_object().map(|peers| {
            peers
                .iter()
                .map(|(peer, value)| format!("{peer} {}", number(value)))
                .collect::<Vec<_>>()
                .join(", ")
        });
        lines.push(vec![
            format!("{mark} {}", row["name"].as_str().unwrap_or("?")),
            format!("{} {unit}", number(&row["ours"])),
            number(&row["target"]),
            others.unwrap_or_default(),
        ]);
    }
    print_columns(&lines);
    Ok(rows.iter().filter(|row| misses(row)).count())
}

fn misses(row: &Value) -> bool {
    !row["holds"].as_bool().unwrap_or(false)
}

fn number(value: &Value) -> String {
    match value.as_f64() {
        Some(x) if x.fract() == 0.0 || x.abs() >= 1000.0 => format!("{x:.0}"),
        Some(x) => format!("{x:.3}"),
        None => value.as_str().unwrap_or_default().to_string(),
    }
}

/// Prints rows with their columns aligned.
pub fn print_columns(lines: &[Vec<String>]) {
    let n_columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..n_columns)
        .map(|i| {
            lines.iter().filter_map(|line| line.get(i)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
