//! The site's answers as tables for people. Unknown fields are left out, missing ones stay empty: the site may be
//! older or newer than this tool.

use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};

/// Latest time that can be written with a year of four digits, milliseconds since the epoch.
const MAX_MILLIS: u64 = 253_402_300_799_999;

/// The stored versions, one per line.
pub fn versions(answer: &Value) -> String {
    let rows = items(answer, "versions").map(|version| {
        vec![
            text(version, "version"),
            time(version, "at_millis"),
            time(version, "published_millis"),
            text(version, "message"),
        ]
    });
    table(&["version", "stored", "published", "message"], rows.collect())
}

/// The indexes of a site, each with its earlier versions under it.
pub fn indexes(answer: &Value) -> String {
    let row = |name: String, index: &Value| {
        let bytes = index.get("bytes").and_then(Value::as_u64).map_or(String::new(), size);
        let n_pieces = items(index, "pieces").count().to_string();
        let fields = ["version", "model", "dimension", "items"].map(|key| text(index, key));
        let more = [n_pieces, bytes, time(index, "created_millis"), text(index, "message")];
        [vec![name], fields.to_vec(), more.to_vec()].concat()
    };
    let rows = items(answer, "indexes").flat_map(|index| {
        let earlier = items(index, "history").map(|earlier| row("  earlier".into(), earlier));
        std::iter::once(row(text(index, "name"), index)).chain(earlier.collect::<Vec<_>>())
    });
    let heads = ["index", "version", "model", "dimension", "items", "pieces", "size", "created", "message"];
    table(&heads, rows.collect())
}

/// A size for people, in units of 1,000 bytes.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// The state of a site: what is published and what was learned.
pub fn status(answer: &Value) -> String {
    let nothing = Value::Null;
    let snapshot = answer.get("snapshot").unwrap_or(&nothing);
    let mut out = table(
        &["site", "configuration", "snapshot", "sequence", "published"],
        vec![vec![
            text(answer, "site"),
            text(answer, "config_version"),
            text(snapshot, "version"),
            text(snapshot, "sequence"),
            time(snapshot, "published_millis"),
        ]],
    );
    for slot in items(answer, "slots") {
        out.push_str(&format!(
            "\nslot {} (goal {}, {})\n",
            text(slot, "slot"),
            text(slot, "goal"),
            text(slot, "policy")
        ));
        let mut rows: Vec<_> = items(slot, "arms").map(|arm| rate(text(arm, "arm"), arm)).collect();
        if let Some(held_out) = slot.get("held_out").filter(|rate| rate.is_object()) {
            // Its goals are not attributed in every mode, so a rate of it would be nobody's.
            rows.push(vec!["(held out)".into(), text(held_out, "exposures")]);
        }
        out.push_str(&table(
            &["arm", "exposures", "rewards", "mean", "95 % interval", "P(best)", "share"],
            rows,
        ));
    }
    let refused = answer.get("refused").and_then(Value::as_object).into_iter().flatten();
    let refused: Vec<_> = refused.map(|(kind, n)| format!("{kind} {n}")).collect();
    if !refused.is_empty() {
        out.push_str(&format!("\nevents not taken: {}\n", refused.join(", ")));
    }
    out
}

fn rate(name: String, rate: &Value) -> Vec<String> {
    let low_to_high = match (percent(rate, "low"), percent(rate, "high")) {
        (low, high) if low.is_empty() || high.is_empty() => String::new(),
        (low, high) => format!("{low} to {high}"),
    };
    vec![
        name,
        text(rate, "exposures"),
        text(rate, "rewards"),
        percent(rate, "mean"),
        low_to_high,
        percent(rate, "p_best"),
        percent(rate, "share"),
    ]
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn percent(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_f64).map_or(String::new(), |share| format!("{:.2} %", share * 100.0))
}

fn time(value: &Value, key: &str) -> String {
    let millis = value.get(key).and_then(Value::as_u64).filter(|millis| *millis <= MAX_MILLIS);
    millis.map_or(String::new(), |millis| {
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(millis)).to_string()
    })
}

/// The day of a time, as in 2026-12-01.
pub fn day(millis: u64) -> String {
    let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(millis.min(MAX_MILLIS)));
    time.to_string().chars().take(10).collect()
}

/// Rows under their heads.
fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
    columns(&std::iter::once(heads).chain(rows).collect::<Vec<_>>())
}

/// Columns as wide as their widest cell, two spaces apart.
pub fn columns(lines: &[Vec<String>]) -> String {
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut out = String::new();
    for line in lines {
        let cells = line.iter().enumerate().map(|(column, cell)| {
            // One line stays one line, whatever the site sent.
            let cell = cell.replace('\n', " ");
            format!("{cell:<width$}", width = width(column))
        });
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn versions_line_up_with_their_times() {
        let answer = json!({ "versions": [
            { "version": "ab", "at_millis": 1_795_525_500_000_u64, "published_millis": null, "message": "a\nb" },
            { "version": "cdef", "at_millis": 0, "published_millis": 60_000 },
        ] });
        assert_eq!(
            versions(&answer),
            "version  stored                published             message\n\
             ab       2026-11-24T13:05:00Z                        a b\n\
             cdef     1970-01-01T00:00:00Z  1970-01-01T00:01:00Z\n"
        );
    }

    #[test]
    fn a_status_shows_arms_and_the_held_out() {
        let answer = json!({
            "site": "shop",
            "snapshot": { "version": "ab", "sequence": 7, "published_millis": 0 },
            "slots": [{ "slot": "hero", "goal": "buy", "policy": "thompson",
                "arms": [{ "arm": "a", "exposures": 200, "rewards": 10, "mean": 0.0545, "low": 0.02, "high": 0.09,
                           "p_best": 0.75, "share": 0.745 }],
                "held_out": { "exposures": 20, "rewards": 1, "mean": 0.05 } }],
            "refused": { "late": 3 },
        });
        let shown = status(&answer);
        let has = |line: &str| assert!(shown.lines().any(|l| l == line), "{line}\n{shown}");
        has("slot hero (goal buy, thompson)");
        has("a           200        10       5.45 %  2.00 % to 9.00 %  75.00 %  74.50 %");
        has("(held out)  20");
        has("events not taken: late 3");
    }

    #[test]
    fn indexes_stand_above_their_earlier_versions() {
        let version = |version: &str| {
            json!({ "name": "next", "version": version, "model": "hashing-64", "dimension": 64, "items": 3, "bytes": 20_000,
                    "pieces": [{}, {}], "created_millis": 0 })
        };
        let mut index = version("b");
        index["history"] = json!([version("a")]);
        assert_eq!(
            indexes(&json!({ "indexes": [index] })),
            "index      version  model       dimension  items  pieces  size     created               message\n\
             next       b        hashing-64  64         3      2       20.0 kB  1970-01-01T00:00:00Z\n\
             \x20 earlier  a        hashing-64  64         3      2       20.0 kB  1970-01-01T00:00:00Z\n"
        );
    }

    #[test]
    fn an_answer_of_another_shape_gives_an_empty_table() {
        for answer in [json!(null), json!([1]), json!({ "slots": 3, "versions": [null], "snapshot": "x" })] {
            assert!(status(&answer).starts_with("site "));
            assert!(versions(&answer).starts_with("version "));
        }
        assert_eq!(time(&json!({ "t": u64::MAX }), "t"), "");
    }
}
