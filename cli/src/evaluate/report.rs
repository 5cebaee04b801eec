//! From rows to estimates, one slot and goal at a time. It chooses which rows are comparable; the estimates are the core's.

use super::rows::{Log, LogRow};
use super::{Asked, Candidate};
use crate::problem::Stop;
use edgeloom::bandit::{BetaPosterior, Codes};
use edgeloom::measure::estimate::Estimate;
use edgeloom::measure::off_policy::{self, Prediction, Row, Settings};
use edgeloom::measure::power::Design;
use edgeloom::measure::sample_ratio::{LEAST_EXPOSURES, Side, sample_ratio};
use edgeloom::measure::uplift::{Conversions, Values, rates, values};
use edgeloom::seed::{Purpose, hash};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const LEVEL: f64 = 0.95;
const POWER: f64 = 0.8;
const DAY_MILLIS: u64 = 86_400_000;

/// The report of each slot and goal.
pub fn slots(log: &Log, asked: &Asked<'_>, candidates: &[Candidate]) -> Result<Vec<Value>, Stop> {
    let names: BTreeSet<&str> = log.rows.values().map(|row| row.slot.as_str()).collect();
    known("slot", asked.slot, &names)?;
    let mut found = Vec::new();
    let mut goals_of_all = BTreeSet::new();
    for name in names.iter().filter(|name| asked.slot.is_none_or(|slot| slot == **name)) {
        let rows: Vec<&LogRow> = log.rows.values().filter(|row| row.slot == *name).collect();
        let goals: BTreeSet<&str> =
            rows.iter().flat_map(|row| row.rewards.keys().map(String::as_str)).collect();
        goals_of_all.extend(goals.iter().copied());
        for goal in goals.iter().filter(|goal| asked.goal.is_none_or(|asked| asked == **goal)) {
            found.push(OneGoal { slot: name, goal, rows: &rows, seed: asked.seed }.report(candidates)?);
        }
    }
    if found.is_empty() {
        known("goal", asked.goal, &goals_of_all)?;
        return Err(Stop::new("nothing in the log was rewarded yet", "bring it again later"));
    }
    Ok(found)
}

fn known(what: &str, name: Option<&str>, names: &BTreeSet<&str>) -> Result<(), Stop> {
    match name {
        Some(name) if !names.contains(name) => {
            let there: Vec<&str> = names.iter().copied().collect();
            Err(Stop::new(
                format!("there is no {what} '{name}' in the log"),
                &format!("there are: {}", there.join(", ")),
            ))
        }
        _ => Ok(()),
    }
}

/// One slot and goal.
struct OneGoal<'r> {
    slot: &'r str,
    goal: &'r str,
    rows: &'r [&'r LogRow],
    seed: u64,
}

impl OneGoal<'_> {
    fn report(&self, candidates: &[Candidate]) -> Result<Value, Stop> {
        let arms: BTreeSet<&str> = self.shown().filter_map(|row| row.arm.as_deref()).collect();
        let means = self.means(&arms);
        let alone: Vec<Candidate> = arms.iter().map(|arm| Candidate::Arm((*arm).to_string())).collect();
        let arm_reports =
            alone.iter().map(|arm| self.off_policy(arm, &arms, &means)).collect::<Result<Vec<_>, _>>()?;
        let others = candidates
            .iter()
            .map(|other| self.off_policy(other, &arms, &means))
            .collect::<Result<Vec<_>, _>>()?;
        let exposures =
            |rows: &mut dyn Iterator<Item = &LogRow>| rows.map(|row| u64::from(row.exposures)).sum::<u64>();
        let shared = exposures(&mut self.rows.iter().copied().filter(|row| row.shared));
        Ok(json!({
            "slot": self.slot, "goal": self.goal,
            "traffic": {
                "shown": exposures(&mut self.shown()),
                "held_out": exposures(&mut self.rows.iter().copied().filter(|row| row.held_out)),
                "shared": shared,
                "days": self.days(),
            },
            "increment": self.increment(),
            "sample_ratio": self.sample_ratio(&arms),
            "arms": arm_reports,
            "policies": others,
        }))
    }

    fn shown(&self) -> impl Iterator<Item = &LogRow> {
        self.rows.iter().copied().filter(|row| !row.held_out && row.arm.is_some())
    }

    fn days(&self) -> f64 {
        let times = || self.rows.iter().map(|row| row.time_millis);
        let span = times().max().unwrap_or(0) - times().min().unwrap_or(0);
        (span as f64 / DAY_MILLIS as f64).max(1.0 / 24.0)
    }

    fn reward(&self, row: &LogRow) -> (u32, f64) {
        row.rewards.get(self.goal).map_or((0, 0.0), |reward| (reward.n, reward.value))
    }

    /// Visitors who consented, shown against held out; a visitor counts once, with all that they did.
    fn increment(&self) -> Value {
        let mut units: [BTreeMap<&str, (bool, f64)>; 2] = Default::default();
        for row in self.rows.iter().filter(|row| !row.shared && row.arm.is_some()) {
            let [shown, held_out] = &mut units;
            let side = if row.held_out { held_out } else { shown };
            let (n, value) = self.reward(row);
            let unit = side.entry(row.unit.as_deref().unwrap_or(&row.row)).or_default();
            *unit = (unit.0 || n > 0, unit.1 + value);
        }
        let [shown, held_out] = units.map(|units| {
            let converted = units.values().filter(|(converted, _)| *converted).count() as u64;
            let mut sums = Values::default();
            units.values().for_each(|(_, value)| sums.add((value * 1e6).round() as i64));
            (Conversions { visitors: units.len() as u64, converted }, sums)
        });
        let side = |side: &(Conversions, Values)| json!({ "visitors": side.0.visitors, "converted": side.0.converted, "value_per_visitor": side.1.mean() });
        let compared = rates(shown.0, held_out.0, &BetaPosterior::UNTOUCHED, LEVEL)
            .and_then(|rate| values(&shown.1, &held_out.1, LEVEL).map(|value| (rate, value)));
        let (rate, value) = match compared {
            Ok(both) => both,
            Err(error) => {
                let why = format!(
                    "no increment: {error}; only visits with consent, shown and held out, can be compared"
                );
                return json!({ "missing": why });
            }
        };
        json!({
            "shown": side(&shown), "held_out": side(&held_out),
            "rate": { "difference": [rate.difference_interval.low, rate.difference, rate.difference_interval.high],
                "lift": [rate.lift_interval.low, rate.lift, rate.lift_interval.high], "p_positive": rate.p_positive },
            "value": { "difference": triple(&value.difference), "p_positive": value.p_positive },
            "plan": self.plan(&shown.0, &held_out.0),
        })
    }

    /// What can be found with the visitors there are, and how long a tenth more would take.
    fn plan(&self, shown: &Conversions, held_out: &Conversions) -> Value {
        let visitors = shown.visitors + held_out.visitors;
        let share = held_out.visitors as f64 / visitors.max(1) as f64;
        let base = held_out.converted as f64 / held_out.visitors.max(1) as f64;
        let Ok(design) = Design::new(share, LEVEL, POWER) else { return Value::Null };
        let per_day = visitors as f64 / self.days();
        let tenth = design.visitors_for_rate(base, 0.1 * base).ok();
        json!({
            "smallest_rate_effect": design.smallest_rate_effect(base, visitors).ok(),
            "visitors_for_a_tenth_more": tenth,
            "days_for_a_tenth_more": tenth.and_then(|n| design.days(n, per_day).ok()),
        })
    }

    /// P(counts like these or odder), among the arms that were shown often enough.
    fn sample_ratio(&self, arms: &BTreeSet<&str>) -> Option<f64> {
        let side = |arm: &&str| {
            let rows = self.shown().filter(|row| row.arm.as_deref() == Some(*arm));
            Side::of_propensities(
                rows.flat_map(|row| std::iter::repeat_n(row.propensity, row.exposures as usize)),
            )
        };
        let sides: Vec<Side> =
            arms.iter().map(side).filter(|side| side.exposures >= LEAST_EXPOSURES).collect();
        sample_ratio(&sides, 1.0).ok().map(|found| found.p_value)
    }

    /// Mean reward of each arm by inverse propensities: never plain means, since shares move while the world does.
    fn means<'s>(&self, arms: &BTreeSet<&'s str>) -> BTreeMap<&'s str, f64> {
        let mean = |arm: &&'s str| {
            let rows = self.shown().filter(|row| row.arm.as_deref() == Some(*arm));
            let (rewards, weights) = rows.fold((0.0, 0.0), |(rewards, weights), row| {
                let (n, _) = self.reward(row);
                (rewards + f64::from(n) / row.propensity, weights + f64::from(row.exposures) / row.propensity)
            });
            (*arm, if weights > 0.0 { rewards / weights } else { 0.0 })
        };
        arms.iter().map(mean).collect()
    }

    /// How often the goal would have been reached per view under another policy.
    fn off_policy(
        &self,
        candidate: &Candidate,
        arms: &BTreeSet<&str>,
        means: &BTreeMap<&str, f64>,
    ) -> Result<Value, Stop> {
        if let Candidate::Arm(arm) = candidate {
            known("arm", Some(arm), arms)?;
        }
        let mut rows = Vec::new();
        for row in self.shown() {
            let own = row.arm.as_deref().unwrap_or_default();
            let shares = self.shares(candidate, arms, row)?;
            let target = shares.get(own).copied().unwrap_or(0.0);
            let policy =
                shares.iter().map(|(arm, share)| share * means.get(arm).copied().unwrap_or(0.0)).sum();
            let prediction = Some(Prediction { logged: means.get(own).copied().unwrap_or(0.0), policy });
            let unit = hash(Purpose::Unit, &[row.unit.as_deref().unwrap_or(&row.row).as_bytes()]);
            let (n, _) = self.reward(row);
            // Views of a shared decision are each a visitor of their own.
            rows.extend((0..row.exposures).map(|nth| Row {
                unit: unit.wrapping_add(u64::from(nth)),
                reward: if nth < n { 1.0 } else { 0.0 },
                propensity: row.propensity,
                target,
                prediction,
            }));
        }
        let resampling = edgeloom::measure::off_policy::Settings::default().resampling;
        let settings = Settings {
            resampling: edgeloom::measure::Resampling { seed: self.seed, ..resampling },
            ..Settings::default()
        };
        let name = candidate.name();
        Ok(match off_policy::evaluate(&rows, &settings) {
            Err(error) => json!({ "policy": name, "missing": error.to_string() }),
            Ok(report) => json!({
                "policy": name,
                "ips": triple(&report.ips), "snips": triple(&report.snips),
                "dr": report.modelled.as_ref().map(|modelled| triple(&modelled.dr)),
                "effective_units": report.effective_units,
                "warnings": report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }),
        })
    }

    /// The chance of each arm under a policy, in the view of a row.
    fn shares<'s>(
        &self,
        candidate: &'s Candidate,
        arms: &BTreeSet<&'s str>,
        row: &LogRow,
    ) -> Result<BTreeMap<&'s str, f64>, Stop> {
        Ok(match candidate {
            Candidate::Uniform => arms.iter().map(|arm| (*arm, 1.0 / arms.len() as f64)).collect(),
            Candidate::Arm(arm) => [(arm.as_str(), 1.0)].into(),
            Candidate::Snapshot(snapshot, file) => {
                let slot = snapshot.slots.iter().find(|slot| slot.id.as_str() == self.slot);
                let slot = slot.ok_or_else(|| {
                    Stop::new(
                        format!("{file} has no slot '{}'", self.slot),
                        "evaluate another one with --slot",
                    )
                })?;
                let open: Vec<usize> = (0..slot.arms.len())
                    .filter(|at| slot.arms.get(*at).is_some_and(|arm| !arm.is_shadow))
                    .collect();
                let set = row.features.as_deref().and_then(|set| u32::from_str_radix(set, 16).ok());
                let codes = set.and_then(|set| Codes::new(set, &row.x));
                let sight = edgeloom::snapshot::Sight { codes: codes.as_ref(), ..Default::default() };
                let shares = slot.chooser.shares_among(&slot.options, &open, sight).unwrap_or_default();
                let named = open
                    .iter()
                    .zip(shares)
                    .filter_map(|(at, share)| Some((slot.arms.get(*at)?.id.as_str(), share)));
                named.collect()
            }
        })
    }
}

fn triple(estimate: &Estimate) -> [f64; 3] {
    let interval = estimate.bootstrap.unwrap_or(estimate.interval);
    [interval.low, estimate.value, interval.high]
}
