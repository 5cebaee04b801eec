//! `edgeloom status`: what is in use and what was learned, as a table. `--json` hands on the service's own document.

use crate::failure::Failure;
use crate::output::Output;
use crate::site::{Site, text_of};
use crate::table::{self, utc};
use serde_json::Value;
use std::process::ExitCode;

/// The command.
///
/// # Errors
/// The service can't be reached or refuses.
pub fn run(site: &Site, output: &Output) -> Result<ExitCode, Failure> {
    let status: Value = site.get("status")?.document()?;
    output.result(&status, || text(&status));
    Ok(ExitCode::SUCCESS)
}

fn text(status: &Value) -> String {
    let snapshot = status.get("snapshot").filter(|snapshot| snapshot.is_object());
    let Some(snapshot) = snapshot else { return "Nothing is published yet.".to_string() };
    let published =
        snapshot.get("published_millis").and_then(Value::as_u64).map_or_else(|| "-".to_string(), utc);
    let facts = [
        ("configuration", text_of(status.get("config_version"))),
        ("snapshot", text_of(snapshot.get("version"))),
        ("publication", text_of(snapshot.get("sequence"))),
        ("published", published),
        ("shards that reported", list(status, "shards").len().to_string()),
        ("events repeated", text_of(status.get("repeated"))),
        ("events refused", refused(status).to_string()),
        ("undelivered messages", text_of(status.get("dead_letters"))),
    ];
    let site = text_of(status.get("site"));
    let facts = table::render(&[&site, ""], facts.map(|(name, value)| vec![name.to_string(), value]));
    let rows: Vec<_> = list(status, "slots").iter().flat_map(slot).collect();
    if rows.is_empty() {
        return facts;
    }
    let names =
        ["slot", "goal", "policy", "arm", "shown", "rewarded", "rate", "95 % interval", "P(best)", "traffic"];
    format!("{facts}\n\n{}", table::render(&names, rows))
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn refused(status: &Value) -> u64 {
    let kinds = status.get("refused").and_then(Value::as_object);
    kinds.map_or(0, |kinds| kinds.values().filter_map(Value::as_u64).sum())
}

fn slot(slot: &Value) -> Vec<Vec<String>> {
    let named = |name: &str, rate: &Value| {
        let mut row: Vec<String> = ["slot", "goal", "policy"].map(|key| text_of(slot.get(key))).into();
        row.push(name.to_string());
        row.extend(["exposures", "rewards"].map(|key| text_of(rate.get(key))));
        row.push(percent(rate.get("mean")));
        row.push(format!("{} - {}", percent(rate.get("low")), percent(rate.get("high"))));
        row.extend(["p_best", "share"].map(|key| percent(rate.get(key))));
        row
    };
    let mut rows: Vec<_> =
        list(slot, "arms").iter().map(|arm| named(&text_of(arm.get("arm")), arm)).collect();
    if let Some(rate) = slot.get("held_out").filter(|rate| rate.is_object()) {
        rows.push(named("(held out)", rate));
    }
    rows
}

fn percent(share: Option<&Value>) -> String {
    share.and_then(Value::as_f64).map_or_else(|| "-".to_string(), |share| format!("{:.2} %", share * 100.0))
}
