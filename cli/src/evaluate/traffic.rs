//! What the log says of its own worth: whose views it holds, what it tells twice, what may still come, and who behaves like no visitor.

use super::part::{Part, count, percent};
use super::uplift::Visitor;
use super::views::{DAY_MILLIS, View, Views};
use crate::problem::Stop;
use crate::table::day;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Views of one visitor on one day that nobody has who reads them.
const MOST_VIEWS: u64 = 100;
/// A share of views by such visitors that is worth a warning.
const MUCH: f64 = 0.01;

/// What a site says of events that it did not take, as `edgeloom status --json` tells it.
///
/// # Errors
/// A file that can't be read or is something else.
pub fn status(file: &Path) -> Result<Map<String, Value>, Stop> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Stop::new(format!("cannot read {name}: {error}"), ""))?;
    let told: Option<Value> = serde_json::from_str(&text).ok();
    let refused = told.as_ref().and_then(|told| told.get("refused")).and_then(Value::as_object);
    refused.cloned().ok_or_else(|| {
        Stop::new(format!("{name} is no status of a site"), "save one with `edgeloom status --json`")
    })
}

/// Whose views these are.
pub fn traffic(
    views: &Views<'_>,
    visitors: &BTreeMap<u64, Visitor>,
    status: Option<&Map<String, Value>>,
) -> Part {
    let sum = |fits: &dyn Fn(&View<'_>) -> bool| {
        views.all.iter().filter(|view| fits(view)).map(View::exposures).sum::<u64>()
    };
    let total = sum(&|_| true);
    let shown = sum(&|view| !view.row.held_out && view.arm.is_some());
    let held_out = sum(&|view| view.row.held_out);
    let untouched = sum(&|view| !view.row.held_out && view.arm.is_none());
    let shared = sum(&|view| view.row.shared);
    let nobodys = sum(&|view| !view.row.shared && view.row.unit.is_none());
    let (from, to) = views.span();
    let young = sum(&|view| view.row.time_millis.saturating_add(DAY_MILLIS) > to);
    let mut by_day: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for view in views.all.iter().filter(|view| !view.row.shared) {
        *by_day.entry((view.unit, view.day)).or_default() += view.exposures();
    }
    let busy: u64 = by_day.values().filter(|n| **n > MOST_VIEWS).sum();
    let share = |n: u64| percent(n as f64 / total.max(1) as f64);
    let rows = vec![vec![
        total.to_string(),
        shown.to_string(),
        held_out.to_string(),
        share(shared),
        visitors.len().to_string(),
        day(from),
        day(to),
    ]];
    let mut notes = Vec::new();
    if untouched > 0 {
        notes.push(format!(
            "{}: there was nothing to show, so they are on neither side",
            count(untouched, "view")
        ));
    }
    if shared > 0 {
        notes.push(format!(
            "{} without consent are decided for many at once: arms are compared by them, but not the holdout",
            count(shared, "view")
        ));
    }
    if nobodys > 0 {
        notes.push(format!("{} tell no visitor (an import, say), and count as a visitor each: intervals are too narrow if they are not", count(nobodys, "view")));
    }
    if shown + held_out > 0 && to > from {
        notes.push(format!("{} are of the last day, whose rewards may still come", count(young, "view")));
    }
    let mut warnings = Vec::new();
    if busy as f64 > MUCH * total as f64 {
        warnings.push(format!(
            "{} of the views are by visitors with more than {MOST_VIEWS} a day: they look like programs",
            share(busy)
        ));
    }
    if let Some(refused) = status {
        let list: Vec<String> = refused.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
        notes.push(match list.is_empty() {
            true => "the site refused no event".into(),
            false => format!("events that the site did not take, in all slots: {}", list.join(", ")),
        });
    } else {
        notes.push("late, forged and crawlers' events are not in a log; --status counts them".into());
    }
    Part {
        key: "traffic",
        title: "Traffic".into(),
        json: json!({
            "views": total, "shown": shown, "held_out": held_out, "untouched": untouched, "shared": shared, "without_unit": nobodys,
            "visitors": visitors.len(), "from_millis": from, "to_millis": to, "days": views.n_days(), "of_the_last_day": young,
            "by_busy_visitors": busy, "refused": status,
        }),
        heads: vec!["views", "shown", "held out", "shared", "visitors", "from", "to"],
        rows,
        notes,
        warnings,
        ..Part::default()
    }
}
