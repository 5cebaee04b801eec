//! Personalised visitors beside those held out: in all, over time, by segment, and how long until more is known. A visitor counts
//! once, with everything they did.

use super::chart;
use super::part::{Part, best, chance, count, figure, percent, points, signed, told, triple, with_interval};
use super::views::{DAY_MILLIS, LEVEL, View, Views};
use edgeloom::bandit::BetaPosterior;
use edgeloom::measure::power::Design;
use edgeloom::measure::qini::Side;
use edgeloom::measure::sample_ratio;
use edgeloom::measure::uplift::{Conversions, RateUplift, ValueUplift, Values, rates, resampled};
use edgeloom::measure::who::segments::Segments;
use edgeloom::measure::{Estimate, Interval, Resampling};
use edgeloom::seed::HOUR_MILLIS;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Probability of seeing what is there, in plans.
const POWER: f64 = 0.8;

/// A visitor.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    /// Positions in [`Views::all`] of their first row and of the others.
    pub rows: Vec<usize>,
    /// Was personalised, was held out.
    pub seen: [bool; 2],
    /// Whether they reached the goal.
    pub converted: bool,
    /// What it was worth.
    pub value: f64,
}

impl Visitor {
    fn take(&mut self, place: usize, view: &View<'_>) {
        self.rows.push(place);
        let [shown, held_out] = &mut self.seen;
        *(if view.row.held_out { held_out } else { shown }) = true;
        self.converted |= view.n > 0;
        self.value += view.value;
    }

    /// The side; `None` for who was on both, since what they did belongs to neither.
    pub fn side(&self) -> Option<Side> {
        match self.seen {
            [true, false] => Some(Side::Treated),
            [false, true] => Some(Side::Control),
            _ => None,
        }
    }
}

/// Visitors with consent, by the hash of their unit.
pub fn visitors(views: &Views<'_>) -> BTreeMap<u64, Visitor> {
    let mut visitors: BTreeMap<u64, Visitor> = BTreeMap::new();
    for (place, view) in views.all.iter().enumerate() {
        if !view.row.shared && view.row.arm.is_some() {
            visitors.entry(view.unit).or_default().take(place, view);
        }
    }
    visitors
}

/// Both sides: personalised, held out.
#[derive(Debug, Default)]
struct Sides {
    counts: [(u64, u64); 2],
    values: [Vec<f64>; 2],
    both: u64,
}

impl Sides {
    fn of<'v>(visitors: impl Iterator<Item = &'v Visitor>) -> Self {
        let mut sides = Self::default();
        for visitor in visitors {
            let [shown, held_out] = &mut sides.counts;
            let [values, held_out_values] = &mut sides.values;
            let (counts, values) = match visitor.side() {
                Some(Side::Treated) => (shown, values),
                Some(Side::Control) => (held_out, held_out_values),
                None => {
                    sides.both += 1;
                    continue;
                }
            };
            counts.0 += 1;
            counts.1 += u64::from(visitor.converted);
            values.push(visitor.value);
        }
        sides
    }

    fn conversions(&self) -> [Conversions; 2] {
        self.counts.map(|(visitors, converted)| Conversions { visitors, converted })
    }

    fn rate(&self) -> Result<RateUplift, String> {
        let [shown, held_out] = self.conversions();
        for (side, what) in [(shown, "shown"), (held_out, "held out")] {
            if side.visitors < 2 {
                return Err(format!("{} {what}", count(side.visitors, "visitor")));
            }
        }
        rates(shown, held_out, &BetaPosterior::UNTOUCHED, LEVEL).map_err(|error| error.to_string())
    }

    fn value(&self, seed: u64) -> Option<ValueUplift> {
        let [shown, held_out] = &self.values;
        resampled(shown, held_out, LEVEL, resampling(shown.len() + held_out.len(), seed)).ok()
    }

    fn means(&self) -> [f64; 2] {
        self.values.each_ref().map(|side| side.iter().sum::<f64>() / side.len().max(1) as f64)
    }

    /// Standard deviation of the value between visitors.
    fn deviation(&self) -> f64 {
        let mut sums = Values::default();
        self.values.iter().flatten().for_each(|value| sums.add((value * 1e6).round() as i64));
        sums.variance().sqrt()
    }
}

/// Resamples for so many units: 2,000, and fewer, down to 200, where they would take minutes.
pub fn resampling(n_units: usize, seed: u64) -> Resampling {
    let resamples = (100_000_000 / (n_units as u64).max(1)).clamp(200, 2_000);
    Resampling { resamples: resamples as u32, seed }
}

/// What personalization added.
pub fn increment(views: &Views<'_>, visitors: &BTreeMap<u64, Visitor>, seed: u64) -> Part {
    let (key, title) = ("increment", "Against the holdout, per visitor");
    let sides = Sides::of(visitors.values());
    let rate = match sides.rate() {
        Ok(rate) => rate,
        Err(why) => {
            let why = format!(
                "no increment: {why}; only visits with consent, shown and held out, can be compared, so that a [holdout] is needed"
            );
            return Part::missing(key, title, &why);
        }
    };
    let (value, means) = (sides.value(seed), sides.means());
    let side = |at: usize| {
        let (visitors, converted) = sides.counts.get(at).copied().unwrap_or_default();
        json!({ "visitors": visitors, "converted": converted, "value_per_visitor": means.get(at) })
    };
    let share = |(visitors, converted): (u64, u64)| {
        format!("{} ({converted} of {visitors})", percent(converted as f64 / visitors.max(1) as f64))
    };
    let ends = |interval: Interval, middle: f64| [interval.low, middle, interval.high];
    let lift = |value: f64, interval: Interval| format!("{} %", with_interval(value, interval, points));
    let mut rows = vec![vec![
        "converted".into(),
        share(sides.counts[0]),
        share(sides.counts[1]),
        format!("{} points", with_interval(rate.difference, rate.difference_interval, points)),
        lift(rate.lift, rate.lift_interval),
        chance(rate.p_positive),
    ]];
    if let Some(value) = value.as_ref().filter(|_| views.has_values()) {
        rows.push(vec![
            "value".into(),
            figure(means[0]),
            figure(means[1]),
            told(&value.difference, signed),
            value.lift.map_or("the holdout's is not clearly above 0".into(), |(v, i)| lift(v, i)),
            chance(value.p_positive),
        ]);
    }
    let mut notes = Vec::new();
    if sides.both > 0 {
        notes.push(format!(
            "{} on both sides, as when a holdout changes: on neither here",
            count(sides.both, "visitor")
        ));
    }
    let (plan, more) = plan(&sides, &rate, views);
    notes.extend(more);
    let (times, chart) = over_time(views);
    Part {
        key,
        title: title.into(),
        json: json!({
            "shown": side(0), "held_out": side(1), "on_both": sides.both,
            "rate": { "difference": ends(rate.difference_interval, rate.difference),
                "lift": ends(rate.lift_interval, rate.lift), "p_positive": rate.p_positive },
            "value": value.as_ref().map(|value| json!({
                "difference": triple(&value.difference), "p_positive": value.p_positive,
                "lift": value.lift.map(|(lift, interval)| ends(interval, lift)),
            })),
            "plan": plan, "over_time": times,
        }),
        heads: vec!["", "shown", "held out", "difference", "relative", "P(> 0)"],
        rows,
        notes,
        charts: chart
            .into_iter()
            .map(|svg| {
                (svg, "Points of difference so far, its 95 % interval as a band; dots are single periods.")
            })
            .collect(),
        ..Part::default()
    }
}

/// What can be found with the visitors there are, and how long more would take.
fn plan(sides: &Sides, rate: &RateUplift, views: &Views<'_>) -> (Value, Vec<String>) {
    let [shown, held_out] = sides.conversions();
    let visitors = shown.visitors + held_out.visitors;
    let share = held_out.visitors as f64 / visitors.max(1) as f64;
    let base = rate.holdout.mean();
    let Ok(design) = Design::new(share, LEVEL, POWER) else { return (Value::Null, Vec::new()) };
    let per_day = visitors as f64 / views.n_days();
    let smallest = design.smallest_rate_effect(base, visitors).ok();
    let tenth = design.visitors_for_rate(base, 0.1 * base).ok();
    let found = design.visitors_for_rate(base, rate.difference).ok();
    let days = |n: Option<u64>| n.and_then(|n| design.days(n, per_day).ok());
    let value = design.smallest_value_effect(sides.deviation(), visitors).ok();
    let mut notes = Vec::new();
    if let Some(smallest) = smallest {
        let lift = percent(smallest / base);
        notes.push(format!(
            "these visitors show a rise of {} points (+{lift}) or more with a chance of 80 %",
            points(smallest)
        ));
    }
    if let (Some(n), Some(days)) = (tenth, days(tenth)) {
        notes.push(format!(
            "a tenth more would show with {}: {} at this traffic",
            count(n, "visitor"),
            count(days, "day")
        ));
    }
    if let (Some(more), Some(_)) = (days(found), found.filter(|n| *n > visitors)) {
        let left = (more as f64 - views.n_days()).max(1.0).ceil() as u64;
        notes.push(format!(
            "if the difference is what it seems, it is known in about {} more",
            count(left, "day")
        ));
    }
    let plan = json!({
        "visitors_per_day": per_day,
        "smallest_rate_effect": smallest, "smallest_value_effect": value,
        "visitors_for_a_tenth_more": tenth, "days_for_a_tenth_more": days(tenth),
        "visitors_for_what_was_found": found, "days_for_what_was_found": days(found),
    });
    (plan, notes)
}

/// The difference at the end of each period, in numbers and drawn.
fn over_time(views: &Views<'_>) -> (Vec<Value>, Option<String>) {
    let (from, to) = views.span();
    let hours = match (to - from) / DAY_MILLIS {
        0..2 => 1,
        2..6 => 6,
        6..60 => 24,
        60..400 => 7 * 24,
        _ => 28 * 24,
    };
    let length = hours * HOUR_MILLIS;
    let (mut all, mut values, mut points): (BTreeMap<u64, Visitor>, Vec<Value>, Vec<chart::Over>) =
        Default::default();
    let own: Vec<&View<'_>> = views.own().collect();
    for part in own.chunk_by(|a, b| a.row.time_millis / length == b.row.time_millis / length) {
        let mut alone: BTreeMap<u64, Visitor> = BTreeMap::new();
        for view in part {
            for units in [&mut alone, &mut all] {
                units.entry(view.unit).or_default().take(0, view);
            }
        }
        let start = part.first().map_or(0, |view| view.row.time_millis / length * length);
        let Ok(so_far) = Sides::of(all.values()).rate() else { continue };
        let own = Sides::of(alone.values()).rate().ok();
        let Interval { low, high } = so_far.difference_interval;
        values.push(json!({
            "from_millis": start, "so_far": [low, so_far.difference, high],
            "alone": own.as_ref().map(|own| [own.difference_interval.low, own.difference, own.difference_interval.high]),
        }));
        points.push(chart::Over {
            millis: start,
            so_far: [low, so_far.difference, high],
            alone: own.map(|own| own.difference),
        });
    }
    (values, chart::over_time(&points))
}

/// The test of the share of visitors that is held out against the one that is configured.
pub fn holdout_ratio(visitors: &BTreeMap<u64, Visitor>, configured: f64) -> Option<(f64, f64)> {
    let sides = Sides::of(visitors.values());
    let [(shown, _), (held_out, _)] = sides.counts;
    let side = |n: u64, p: f64| sample_ratio::Side::of_propensities(std::iter::repeat_n(p, n as usize));
    let found =
        sample_ratio::sample_ratio(&[side(shown, 1.0 - configured), side(held_out, configured)], 1.0).ok()?;
    Some((held_out as f64 / (shown + held_out).max(1) as f64, found.p_value))
}

/// What each kind of visitors gains; `segment` names the kind of a visitor's first row.
pub fn segments(
    views: &Views<'_>,
    visitors: &BTreeMap<u64, Visitor>,
    by: &str,
    segment: &dyn Fn(&View<'_>) -> Option<String>,
) -> Part {
    let (key, title) = ("segments", format!("By {by}, per visitor"));
    let (mut rates, mut values, mut left_out) = (Segments::default(), Segments::default(), 0_u64);
    for visitor in visitors.values() {
        let first = visitor.rows.first().and_then(|place| views.all.get(*place));
        let (Some(side), Some(name)) = (visitor.side(), first.and_then(segment)) else {
            left_out += 1;
            continue;
        };
        rates.add(&name, side, if visitor.converted { 1_000_000 } else { 0 });
        values.add(&name, side, (visitor.value * 1e6).round() as i64);
    }
    let found = match rates.uplifts(LEVEL) {
        Ok(found) => found,
        Err(error) => return Part::missing(key, &title, &error.to_string()),
    };
    let worth = values.uplifts(LEVEL).ok().filter(|_| views.has_values());
    let of_value = |name: &str| {
        let all = worth.as_ref().map(|worth| worth.segments.iter());
        all.into_iter().flatten().find(|segment| segment.segment == name)
    };
    let raw = |raw: &Option<Estimate>| raw.as_ref().map_or("-".into(), |raw| points(raw.value));
    let mut order: Vec<_> = found.segments.iter().collect();
    order.sort_by_key(|segment| std::cmp::Reverse(segment.n_treated + segment.n_control));
    let row = |segment: &&edgeloom::measure::who::segments::SegmentUplift| {
        vec![
            segment.segment.clone(),
            segment.n_treated.to_string(),
            segment.n_control.to_string(),
            raw(&segment.raw),
            told(&segment.shrunk, points),
            chance(segment.p_positive),
            of_value(&segment.segment).map_or_else(String::new, |value| told(&value.shrunk, signed)),
        ]
    };
    let mut notes = vec![
        "drawn towards what all segments have in common, so that the best of many is not best by luck; go by these, not by what was seen".into(),
    ];
    if left_out > 0 {
        notes.push(format!("{} without a value, or on both sides", count(left_out, "visitor")));
    }
    let json_of = |segment: &&edgeloom::measure::who::segments::SegmentUplift| {
        json!({
            "segment": segment.segment, "shown": segment.n_treated, "held_out": segment.n_control,
            "raw": segment.raw.as_ref().map(triple), "shrunk": triple(&segment.shrunk), "p_positive": segment.p_positive,
            "value": of_value(&segment.segment).map(|value| json!({ "shrunk": triple(&value.shrunk), "p_positive": value.p_positive })),
        })
    };
    let bars: Vec<chart::Bar> = order
        .iter()
        .map(|segment| {
            let Interval { low, high } = best(&segment.shrunk);
            chart::Bar { name: segment.segment.clone(), ends: [low, segment.shrunk.value, high] }
        })
        .collect();
    Part {
        key,
        title,
        json: json!({
            "by": by, "between_sd": found.between_sd, "overall": triple(&found.overall),
            "segments": order.iter().map(json_of).collect::<Value>(),
        }),
        heads: vec![
            "segment",
            "shown",
            "held out",
            "seen, points",
            "points (95 %)",
            "P(> 0)",
            if worth.is_some() { "value (95 %)" } else { "" },
        ],
        rows: order.iter().map(row).collect(),
        notes,
        charts: chart::bars(&bars)
            .into_iter()
            .map(|svg| (svg, "Points of difference by segment with 95 % intervals."))
            .collect(),
        ..Part::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::rows::LogRow;

    #[test]
    fn who_was_on_both_sides_is_on_neither_and_who_came_twice_is_one() {
        let row = |row: &str, unit: &str, held_out: bool, n: u32| {
            let rewards = json!({ "order": { "n": n, "value": 5.0 } });
            let row = json!({ "row": row, "slot": "hero", "arm": "a", "propensity": 0.5, "unit": unit, "held_out": held_out,
                "rewards": if n > 0 { rewards } else { json!({}) } });
            serde_json::from_value::<LogRow>(row).unwrap()
        };
        let rows = [
            row("1", "moved", false, 1),
            row("2", "moved", true, 0),
            row("3", "twice", false, 0),
            row("4", "twice", false, 1),
            row("5", "once", true, 0),
        ];
        let views = Views::new("hero", "order", &rows.iter().collect::<Vec<_>>());
        let sides = Sides::of(visitors(&views).values());
        assert_eq!((sides.counts, sides.both), ([(1, 1), (1, 0)], 1));
        assert_eq!(sides.means(), [5.0, 0.0]);
    }
}
