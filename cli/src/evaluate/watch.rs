//! Whether the world is still the one that was learned from: reward rates by day, who visits, and whether what was expected came true.

use super::chart;
use super::columns::Columns;
use super::model::day_by_day;
use super::part::{Part, count, few, figure, is, percent};
use super::views::{DAY_MILLIS, View, Views, features};
use crate::table::day;
use edgeloom::bandit::BetaPosterior;
use edgeloom::measure::buckets::{Buckets, Tally};
use edgeloom::measure::calibration::Calibration;
use edgeloom::measure::drift::{ChangeTest, Direction, Mix, PageHinkley};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Chance of any false alarm of the rates, all arms together.
const FALSE_ALARMS: f64 = 0.01;
/// Earlier views of an arm before what is expected of it is judged.
const LEAST_SEEN: f64 = 100.0;
/// Values of a column that are told apart; more make the index deaf.
const MOST_CELLS: usize = 24;
/// Below it a mix has hardly moved, whatever chance says.
const LEAST_INDEX: f64 = 0.1;

/// Whether reward rates or the mix of visits have changed.
pub fn drift(views: &Views<'_>, columns: &Columns, more: &[(String, Vec<Option<String>>)]) -> Part {
    let days: BTreeSet<u64> = views.all.iter().map(|view| view.day).collect();
    let (mut rows, mut warnings, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    // A visitor counts once a day: many views of one visitor resemble each other.
    let mut sides: BTreeMap<Option<usize>, BTreeMap<(u64, u64), bool>> = BTreeMap::new();
    for view in views.all.iter().filter(|view| view.row.held_out || view.arm.is_some()) {
        let side = sides.entry(view.arm.filter(|_| !view.row.held_out)).or_default();
        for (unit, reward) in view.each(super::views::Metric::Rate) {
            *side.entry((view.day, unit)).or_default() |= reward > 0.0;
        }
    }
    let n_sides = sides.len().max(1) as f64;
    let mut rates = Vec::new();
    for (side, units) in &sides {
        let tally =
            |(day, converted): (u64, bool)| (day, Tally { exposures: 1, rewards: u64::from(converted) });
        let buckets: Buckets = units.iter().map(|((day, _), converted)| tally((*day, *converted))).collect();
        let name = side.map_or("(held out)", |arm| views.name(arm));
        let watch = PageHinkley::new(FALSE_ALARMS / n_sides, buckets.len() as u32);
        let alarm = watch.ok().and_then(|watch| watch.watch(&buckets));
        let change = ChangeTest::new(BetaPosterior::UNTOUCHED, 0.01)
            .map(|test| test.read(&buckets))
            .ok()
            .filter(|_| buckets.len() > 1);
        let share = |tally: Tally| tally.rate().map_or("-".into(), percent);
        if let Some(alarm) = &alarm {
            let way = if alarm.direction == Direction::Up { "risen" } else { "fallen" };
            warnings.push(format!(
                "{name}: the rate has {way} from {} to {} since {}",
                share(alarm.before),
                share(alarm.after),
                day(alarm.since * DAY_MILLIS)
            ));
        }
        rates.push(json!({
            "side": name, "days": buckets.len(), "p_changed": change.as_ref().map(|change| change.probability),
            "alarm": alarm.as_ref().map(|alarm| json!({
                "since_millis": alarm.since * DAY_MILLIS, "is_up": alarm.direction == Direction::Up,
                "before": alarm.before.rate(), "after": alarm.after.rate(),
            })),
        }));
        let verdict =
            alarm.map_or("-", |alarm| if alarm.direction == Direction::Up { "risen" } else { "fallen" });
        let row = vec![
            format!("rate of {name}"),
            share(buckets.total()),
            verdict.into(),
            change.map_or(String::new(), |change| format!("P(changed) {}", is(change.probability))),
        ];
        rows.push((alarm.is_some(), buckets.total().exposures, row));
    }
    // What has changed first, then what was seen most.
    rows.sort_by_key(|(is_alarm, n, _): &(bool, u64, Vec<String>)| std::cmp::Reverse((*is_alarm, *n)));
    let mut rows: Vec<Vec<String>> = rows.into_iter().map(|(_, _, row)| row).collect();
    warnings = few(warnings);
    let (mix, moved) = mix(views, columns, more);
    for (name, index, is_drift, part) in &moved {
        let verdict = if *is_drift { "moved" } else { "-" };
        rows.push(vec![
            format!("mix of {name}"),
            String::new(),
            verdict.into(),
            format!("stability index {}", figure(*index)),
        ]);
        if *is_drift {
            warnings.push(format!(
                "who visits has changed by {name} (index {}), most of it: {part}",
                figure(*index)
            ));
        }
    }
    if !warnings.is_empty() {
        notes.push(
            "where rates move, a half-life (half_life_hours) forgets what was true once; docs/experiments.md"
                .into(),
        );
    }
    notes.push(format!(
        "over {}; without any change an alarm of the rates comes in one log of {}, where everybody has the same chances; a policy that looks at visits moves arms to other visitors, whose rates differ, and rewards that take days are still missing from the last ones",
        count(days.len() as u64, "day"),
        (1.0 / FALSE_ALARMS).round()
    ));
    Part {
        key: "drift",
        title: "Has the world changed?".into(),
        json: json!({ "days": days.len(), "rates": rates, "mix": mix }),
        heads: vec!["what", "in all", "change", "how sure"],
        rows,
        notes,
        warnings,
        ..Part::default()
    }
}

/// Name, index, whether that is a drift, and the cell that moved most.
type Moved = (String, f64, bool, String);

/// The mix of visits by each column of features, in the second half of the time against the first.
fn mix(
    views: &Views<'_>,
    columns: &Columns,
    more: &[(String, Vec<Option<String>>)],
) -> (Vec<Value>, Vec<Moved>) {
    let (from, to) = views.span();
    let middle = from + (to - from) / 2;
    let set = views.feature_set();
    let mut kinds: Vec<(String, Vec<Option<String>>)> = more.to_vec();
    for column in 1..set.map_or(1, |(_, n)| n) {
        let cell = |view: &View<'_>| {
            let x = set.and_then(|set| features(view.row, set))?;
            x.get(column).map(|x| format!("{x}"))
        };
        let cells: Vec<Option<String>> = views.all.iter().map(cell).collect();
        let distinct: BTreeSet<&String> = cells.iter().flatten().collect();
        if (2..=MOST_CELLS).contains(&distinct.len()) {
            kinds.push((columns.name(column), cells));
        }
    }
    let false_alarms = 0.001 / kinds.len().max(1) as f64;
    let mut moved = Vec::new();
    for (name, cells) in kinds {
        let (mut then, mut now) = (Mix::default(), Mix::default());
        for (view, cell) in views.all.iter().zip(&cells) {
            let Some(cell) = cell else { continue };
            (if view.row.time_millis < middle { &mut then } else { &mut now }).add(cell, view.exposures());
        }
        let Some(found) = now.since(&then) else { continue };
        let is_drift = found.index > LEAST_INDEX && found.is_drift(false_alarms);
        moved.push((
            name,
            found.index,
            is_drift,
            found.parts.first().map_or(String::new(), |(cell, _)| cell.clone()),
        ));
    }
    moved.sort_by(|a, b| b.1.total_cmp(&a.1));
    let json = moved.iter().map(|(name, index, is_drift, part)| json!({ "of": name, "index": index, "is_drift": is_drift, "most": part }));
    (json.collect(), moved.clone())
}

/// Whether what was expected came true, by tenth.
pub fn calibration(views: &Views<'_>, rows: &[&View<'_>]) -> Part {
    let (key, title) = ("calibration", "Did what was expected come true?");
    let (mut found, mut left_out) = (Calibration::default(), 0_u64);
    let mut told = 0_u64;
    day_by_day(views, rows, LEAST_SEEN, &mut |view, expected| {
        let tally = Tally { exposures: view.exposures(), rewards: u64::from(view.n) };
        match found.add(expected, tally) {
            Ok(()) => told += view.exposures(),
            Err(_) => left_out += view.exposures(),
        }
    });
    let reliability = found.reliability();
    if reliability.tenths.is_empty() {
        return Part::missing(
            key,
            title,
            "nothing to judge: it takes two days, and a hundred views of an arm before",
        );
    }
    // What was expected is itself not known exactly: an alarm needs more than chance alone would explain in one of a million logs.
    let is_off = reliability.is_off(1e-6) && reliability.error > 2.0 * reliability.noise;
    let how = if views.feature_set().is_some() {
        "a regression on the logged features, fitted"
    } else {
        "the arm's rate"
    };
    let mut notes = vec![
        format!(
            "expected is {how} from all days before the view's own, as a policy that learns overnight believes it"
        ),
        format!(
            "off by {} points on average, {} would be chance; Brier score {:.5}, of who always says the mean rate {:.5}",
            figure(100.0 * reliability.error),
            figure(100.0 * reliability.noise),
            reliability.brier.score,
            reliability.brier.uncertainty
        ),
    ];
    if left_out > 0 {
        notes.push(format!("{} without a number to judge", count(left_out, "view")));
    }
    let warning = "expectations are off by more than chance explains: rates have moved since they were learned, or the features say too little";
    let interval = |tally: &Tally| {
        BetaPosterior::UNTOUCHED.after(tally.exposures, tally.rewards.min(tally.exposures)).interval(0.95)
    };
    let points: Vec<(f64, [f64; 3])> = reliability
        .tenths
        .iter()
        .map(|tenth| {
            let (low, high) = interval(&tenth.tally);
            (tenth.predicted, [low, tenth.observed, high])
        })
        .collect();
    let row = |(predicted, [low, observed, high]): &(f64, [f64; 3]), n: u64| {
        vec![
            percent(*predicted),
            format!("{} ({} to {})", percent(*observed), percent(*low), percent(*high)),
            n.to_string(),
        ]
    };
    Part {
        key,
        title: title.into(),
        json: json!({
            "tenths": reliability.tenths.iter().zip(&points).map(|(tenth, (_, observed))| json!({
                "views": tenth.tally.exposures, "rewards": tenth.tally.rewards, "predicted": tenth.predicted, "observed": observed,
            })).collect::<Value>(),
            "views": told, "error": reliability.error, "noise": reliability.noise, "is_off": is_off,
            "brier": reliability.brier.score, "brier_of_mean": reliability.brier.uncertainty,
        }),
        heads: vec!["expected", "came true (95 %)", "views"],
        rows: reliability.tenths.iter().zip(&points).map(|(tenth, point)| row(point, tenth.tally.exposures)).collect(),
        notes,
        warnings: is_off.then(|| warning.to_string()).into_iter().collect(),
        charts: chart::reliability(&points)
            .into_iter()
            .map(|svg| (svg, "Reliability: expected rate to the right, what came true upwards, per cent; on the line both are the same."))
            .collect(),
    }
}
