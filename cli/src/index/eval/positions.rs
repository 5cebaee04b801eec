//! What a log says of lists: the reward at each position of `read-next.1`, `read-next.2`, …, as shown and with every item equally
//! often, and whether the mix of what was chosen has moved. All estimates are the core's.

use super::drift::{self, Counted, Moved};
use crate::evaluate::rows::LogRow;
use crate::evaluate::views::{DAY_MILLIS, Metric, Views};
use edgeloom::measure::estimate::Estimate;
use edgeloom::measure::off_policy::{Row, Settings, evaluate};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Effective visitors below which an interval is a guess.
const LEAST_UNITS: f64 = 30.0;

/// The name of a list, and the position in it, counted from 1.
pub fn list_of(slot: &str) -> Option<(&str, u32)> {
    let (base, position) = slot.rsplit_once('.')?;
    let number =
        position.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == position)?;
    (!base.is_empty()).then_some((base, number))
}

/// One position with one goal.
#[derive(Debug)]
pub struct Position {
    list: String,
    position: u32,
    goal: String,
    views: u64,
    rewards: u64,
    as_shown: Option<Estimate>,
    equally: Option<Estimate>,
}

/// What a log says of its lists.
#[derive(Debug)]
pub struct Lists {
    positions: Vec<Position>,
    /// How the mix of each list moved.
    moved: Vec<(String, Moved)>,
}

/// What the rows say. `category` names what an item counts as in the mix; itself, where it has none.
pub fn lists(rows: &[&LogRow], category: &dyn Fn(&str) -> Option<String>) -> Lists {
    let mut slots: BTreeMap<(&str, u32), Vec<&LogRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.held_out && chosen(row).is_some()) {
        if let Some(place) = list_of(&row.slot) {
            slots.entry(place).or_default().push(row);
        }
    }
    let mut positions = Vec::new();
    for ((list, position), rows) in &slots {
        let goals: BTreeSet<&str> =
            rows.iter().flat_map(|row| row.rewards.keys().map(String::as_str)).collect();
        positions.extend(goals.iter().map(|goal| at(list, *position, goal, rows)));
    }
    let names: BTreeSet<&str> = slots.keys().map(|(list, _)| *list).collect();
    let of = |list: &str| {
        slots.range((list, 0)..=(list, u32::MAX)).flat_map(|(_, rows)| rows.iter().copied()).collect()
    };
    let moved = names.iter().filter_map(|list| moved(list, &of(list), category)).collect();
    Lists { positions, moved }
}

/// The item a row shows: the action where the arm stands for what requests bring.
fn chosen(row: &LogRow) -> Option<&str> {
    row.action.as_deref().or(row.arm.as_deref())
}

fn at(list: &str, position: u32, goal: &str, rows: &[&LogRow]) -> Position {
    let views = Views::new(list, goal, rows);
    let n_items = rows.iter().filter_map(|row| chosen(row)).collect::<BTreeSet<_>>().len().max(1);
    let estimate = |equally: bool| {
        let row = |view: &crate::evaluate::views::View<'_>| {
            let propensity = view.row.propensity;
            let target = if equally { 1.0 / n_items as f64 } else { propensity };
            let each = view.each(Metric::Rate);
            each.map(move |(unit, reward)| Row { unit, reward, propensity, target, prediction: None })
                .collect::<Vec<_>>()
        };
        let rows: Vec<Row> = views.all.iter().flat_map(row).collect();
        let settings = Settings { least_effective_units: LEAST_UNITS, ..Settings::default() };
        evaluate(&rows, &settings).ok().map(|report| report.snips)
    };
    Position {
        list: list.into(),
        position,
        goal: goal.into(),
        views: views.all.iter().map(|view| view.exposures()).sum(),
        rewards: views.all.iter().map(|view| u64::from(view.n)).sum(),
        as_shown: estimate(false),
        equally: estimate(true),
    }
}

/// How far the mix of the second half of the time lies from that of the first; a visitor counts once a day for each cell.
fn moved(
    list: &str,
    rows: &Vec<&LogRow>,
    category: &dyn Fn(&str) -> Option<String>,
) -> Option<(String, Moved)> {
    let times = || rows.iter().map(|row| row.time_millis);
    let middle = times().min()? / 2 + times().max()? / 2;
    let mut seen: BTreeMap<(u64, &str, String), u64> = BTreeMap::new();
    for row in rows {
        let name = chosen(row).unwrap_or_default();
        let cell = category(name).unwrap_or_else(|| name.to_string());
        let who = row.unit.as_deref().filter(|_| !row.shared).unwrap_or(&row.row);
        let views = if row.shared { u64::from(row.exposures) } else { 1 };
        let half = u64::from(row.time_millis > middle);
        seen.entry(((row.time_millis / DAY_MILLIS) * 2 + half, who, cell)).or_insert(views);
    }
    let counted: Vec<Counted> =
        seen.into_iter().map(|((time, _, cell), n)| (time % 2 == 1, cell, n)).collect();
    Some((list.into(), drift::moved(&counted)?))
}

impl Lists {
    /// Whether the log has any list.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty() && self.moved.is_empty()
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let estimate = |found: &Option<Estimate>| {
            found.as_ref().map(|found| json!({ "value": found.value, "low": found.interval.low, "high": found.interval.high }))
        };
        let positions = self.positions.iter().map(|at| {
            json!({ "list": at.list, "position": at.position, "goal": at.goal, "views": at.views, "rewards": at.rewards,
                    "as_shown": estimate(&at.as_shown), "equally": estimate(&at.equally) })
        });
        let moved = self.moved.iter().map(|(list, moved)| {
            let mut told = moved.json();
            told.insert("list".into(), json!(list));
            Value::Object(told)
        });
        json!({ "positions": positions.collect::<Vec<_>>(), "mix": moved.collect::<Vec<_>>() })
    }

    /// For people.
    pub fn text(&self) -> String {
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        let cell = |found: &Option<Estimate>| match found {
            Some(found) => {
                format!(
                    "{} ({} to {})",
                    percent(found.value),
                    percent(found.interval.low),
                    percent(found.interval.high)
                )
            }
            None => "too few visitors".into(),
        };
        let heads = [
            "list",
            "position",
            "goal",
            "views",
            "rewards",
            "rate as shown",
            "rate, every item equally often",
        ];
        let mut lines = vec![heads.map(String::from).to_vec()];
        lines.extend(self.positions.iter().map(|at| {
            let n = [at.position.to_string(), at.goal.clone(), at.views.to_string(), at.rewards.to_string()];
            [vec![at.list.clone()], n.to_vec(), vec![cell(&at.as_shown), cell(&at.equally)]].concat()
        }));
        let mut out = crate::table::columns(&lines);
        out.push_str("\nmix of what was chosen, second half of the time against the first (population stability index)\n");
        let mut lines = Vec::new();
        for (list, moved) in &self.moved {
            lines.push([&[list.clone()][..], &moved.cells()].concat());
        }
        out + &crate::table::columns(&lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u64, of: impl Fn(u64) -> Value) -> Vec<LogRow> {
        (0..count).map(|n| serde_json::from_value(of(n)).unwrap()).collect()
    }

    #[test]
    fn a_slot_of_a_list_ends_in_its_position() {
        assert_eq!(list_of("read-next.2"), Some(("read-next", 2)));
        for no_list in ["hero", "hero.x", "hero.0", "hero.01", ".1", "hero."] {
            assert_eq!(list_of(no_list), None, "{no_list}");
        }
    }

    #[test]
    fn equally_often_takes_out_that_the_better_item_is_shown_more() {
        // Item a earns 40 %, b 10 %; a is shown four times as often: as shown 34 %, equally 25 %.
        let log = rows(2_000, |n| {
            let is_a = n % 5 != 0;
            let is_rewarded =
                if is_a { n % 5 <= 2 && n % 10 < 8 && n % 4 < 3 || n % 40 == 1 } else { n % 50 == 0 };
            json!({ "row": n.to_string(), "slot": "next.1", "arm": "x", "action": if is_a { "a" } else { "b" }, "time_millis": n,
                    "propensity": if is_a { 0.8 } else { 0.2 }, "rewards": { "click": { "n": u32::from(is_rewarded) } } })
        });
        let rate = |name: &str| {
            let of: Vec<_> = log.iter().filter(|row| row.action.as_deref() == Some(name)).collect();
            of.iter().map(|row| f64::from(row.rewards["click"].n)).sum::<f64>() / of.len() as f64
        };
        let found = lists(&log.iter().collect::<Vec<_>>(), &|_| None);
        let [at] = found.positions.as_slice() else { panic!("{found:?}") };
        let (shown, equally) = (at.as_shown.as_ref().unwrap(), at.equally.as_ref().unwrap());
        assert!((shown.value - (0.8 * rate("a") + 0.2 * rate("b"))).abs() < 1e-9, "{shown:?}");
        assert!((equally.value - 0.5 * (rate("a") + rate("b"))).abs() < 1e-9, "{equally:?}");
        assert!(equally.interval.low < equally.value && equally.value < equally.interval.high);
        assert!(!found.moved[0].1.is_drift && found.text().contains("next  1"), "{}", found.text());
    }

    #[test]
    fn a_mix_that_moved_is_said_by_category() {
        let log = rows(400, |n| {
            let item = format!("i{}", n % 40);
            json!({ "row": n.to_string(), "slot": "next.1", "arm": item, "time_millis": n * 1_000, "propensity": 0.5 })
        });
        let topic = |early: bool| {
            move |item: &str| {
                let number: u64 = item.trim_start_matches('i').parse().ok()?;
                Some(if early && number < 20 { "news" } else { "sport" }.to_string())
            }
        };
        let all: Vec<_> = log.iter().collect();
        assert!(!lists(&all, &topic(true)).moved[0].1.is_drift);
        let late: Vec<LogRow> = log
            .iter()
            .filter(|row| row.time_millis < 200_000 || row.arm.as_deref() < Some("i2"))
            .cloned()
            .collect();
        let found = lists(&late.iter().collect::<Vec<_>>(), &topic(true));
        assert!(found.moved[0].1.is_drift, "{found:?}");
    }
}
