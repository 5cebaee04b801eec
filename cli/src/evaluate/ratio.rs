//! Whether arms were shown as often as their propensities say, and what choosing between them has cost.

use super::choice::Choices;
use super::part::{Part, count, figure, is, percent, points, signed, with};
use super::views::{LEVEL, Metric};
use edgeloom::id::ArmId;
use edgeloom::measure::buckets::Tally;
use edgeloom::measure::regret::RegretLog;
use edgeloom::measure::sample_ratio::{LEAST_EXPOSURES, Side, sample_ratio};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Chance of a false alarm: people look at the test again and again.
const FALSE_ALARMS: f64 = 0.001;
/// Least effective views of an arm that is tested.
const LEAST_EFFECTIVE: f64 = 30.0;

impl Choices<'_, '_> {
    /// Whether arms were shown as often as the log says, in the time in which all of them were there.
    ///
    /// Arms that are `closed` to some take no part: others are candidates in all views, whoever else is.
    pub fn sample_ratio(&self, holdout: Option<(f64, f64, f64)>, closed: &BTreeSet<String>) -> Part {
        let (key, title) = ("sample_ratio", "Were arms shown as often as their propensities say?");
        let set = self.views.usual_set(&self.rows);
        let lives = (0..self.views.arms.len()).map(|arm| self.life(arm));
        let life = lives.fold((0, u64::MAX), |(from, to), life| (from.max(life.0), to.min(life.1)));
        let mut arms: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        // Whoever keeps an arm is one draw, however often they come.
        let mut draws: BTreeMap<(u64, usize), u64> = BTreeMap::new();
        for view in self.within(life).filter(|view| view.set == set) {
            let Some(arm) = view.arm else { continue };
            arms.entry(arm)
                .or_default()
                .extend(std::iter::repeat_n(view.row.propensity, view.row.exposures as usize));
            for (unit, _) in view.each(Metric::Rate) {
                *draws.entry((unit, arm)).or_default() += 1;
            }
        }
        let is_closed = |arm: &usize| closed.contains(self.views.name(*arm));
        let n_closed = arms.keys().filter(|arm| is_closed(arm)).count();
        arms.retain(|arm, _| !is_closed(arm));
        let n_arms = arms.len();
        // (Σ1/p)²/Σ1/p²: where one view weighs as much as all the others, the sum is no normal variable.
        let effective = |list: &[f64]| {
            let (sum, squares) =
                list.iter().fold((0.0, 0.0), |(sum, squares), p| (sum + 1.0 / p, squares + 1.0 / (p * p)));
            sum * sum / squares
        };
        arms.retain(|_, list| list.len() as u64 >= LEAST_EXPOSURES && effective(list) >= LEAST_EFFECTIVE);
        let sides: Vec<Side> =
            arms.values().map(|list| Side::of_propensities(list.iter().copied())).collect();
        let n = draws.values().sum::<u64>().max(1) as f64;
        let design_effect = (draws.values().map(|m| (*m as f64) * (*m as f64)).sum::<f64>() / n).max(1.0);
        let (mut notes, mut warnings) = (Vec::new(), Vec::new());
        if let Some((configured, share, p)) = holdout {
            notes.push(format!(
                "held out: {} of the visitors, {} configured, p {}",
                percent(share),
                percent(configured),
                is(p)
            ));
            if p < FALSE_ALARMS {
                warnings.push("the holdout has not the share that is configured: it was changed meanwhile, or one side's events are lost".into());
            }
        }
        let holdout = holdout
            .map(|(configured, share, p)| json!({ "configured": configured, "share": share, "p_value": p }));
        let found = match sample_ratio(&sides, design_effect) {
            Ok(found) => found,
            Err(error) => {
                let part = Part::missing(key, title, &format!("arms: {error}"));
                let notes = part.notes.into_iter().chain(notes).collect();
                return Part {
                    json: with(part.json, [("holdout", json!(holdout))]),
                    notes,
                    warnings,
                    ..part
                };
            }
        };
        notes.insert(0, format!("p {}", is(found.p_value)));
        if design_effect > 1.05 {
            notes.push(format!(
                "who keeps an arm is one draw, however often they come: {} views of one draw count as one",
                figure(design_effect)
            ));
        }
        if found.p_value < FALSE_ALARMS {
            let ratio = |(arm, ratio): (&usize, &f64)| ((ratio - 1.0).abs(), self.views.name(*arm), *ratio);
            let worst = arms.keys().zip(&found.ratios).map(ratio).max_by(|a, b| a.0.total_cmp(&b.0));
            let worst = worst.map_or(String::new(), |(_, arm, ratio)| {
                format!(" ('{arm}' {} of what was expected)", percent(ratio))
            });
            warnings.push(format!(
                "arms were not shown as often as the log says{worst}: events are lost or counted wrongly, or arms are not open to everybody (audiences, caps); don't believe comparisons of arms before it is known which"
            ));
        }
        if n_closed > 0 {
            let left_out = count(n_closed as u64, "arm");
            notes.push(format!("left out, for audiences, caps or neighbours close them to some: {left_out}"));
        }
        if n_arms > arms.len() {
            notes.push(format!("left out for too few views: {}", count((n_arms - arms.len()) as u64, "arm")));
        }
        let covered = n / Self::exposures(&mut self.rows.iter()).max(1) as f64;
        if covered < 1.0 {
            notes.push(format!(
                "of {} of the views: those with the same candidates, while all arms were there",
                percent(covered)
            ));
        }
        let mut rows: Vec<_> = arms.iter().zip(&found.ratios).collect();
        rows.sort_by(|a, b| (b.1 - 1.0).abs().total_cmp(&(a.1 - 1.0).abs()));
        Part {
            key,
            title: title.into(),
            json: json!({
                "p_value": found.p_value, "chi_square": found.chi_square, "degrees": found.degrees, "design_effect": design_effect,
                "covered": covered, "holdout": holdout,
                "arms": arms.iter().zip(&found.ratios).map(|((arm, list), ratio)| json!({ "arm": self.views.name(*arm), "views": list.len(), "ratio": ratio })).collect::<Value>(),
            }),
            heads: vec!["arm", "views", "of what was expected"],
            rows: rows
                .into_iter()
                .map(|((arm, list), ratio)| {
                    vec![self.views.name(*arm).into(), list.len().to_string(), percent(*ratio)]
                })
                .collect(),
            notes,
            warnings,
            ..Part::default()
        }
    }

    /// What choosing has cost against the arm that was the best in hindsight.
    pub fn regret(&self) -> Part {
        let (key, title) = ("regret", "Regret, against the best arm in hindsight");
        let mut log = RegretLog::default();
        let set = self.views.usual_set(&self.rows);
        for view in self.rows.iter().filter(|view| view.set == set) {
            let Some(arm) = view.arm.and_then(|arm| ArmId::new(self.views.name(arm)).ok()) else { continue };
            let tally = Tally { exposures: view.exposures(), rewards: u64::from(view.n) };
            let _ = log.add(view.day, &arm, view.row.propensity, tally);
        }
        let regret = match log.regret(LEVEL) {
            Ok(regret) => regret,
            Err(error) => return Part::missing(key, title, &error.to_string()),
        };
        let n = regret.decisions.max(1) as f64;
        let late = (0..self.views.arms.len()).filter(|arm| self.life(*arm) != self.life_of_all());
        let late: Vec<&str> = late.map(|arm| self.views.name(arm)).collect();
        let mut notes = vec![format!(
            "always '{}' would have brought {} rewards more ({} to {}), {} points per view",
            regret.best,
            signed(regret.estimate),
            signed(regret.low),
            signed(regret.high),
            points(regret.estimate / n)
        )];
        notes.push(match regret.low > 0.0 {
            true => "a part of it is what finding that out has cost".into(),
            false => "as far as this log can tell, choosing may have cost nothing".to_string(),
        });
        let covered = n / Self::exposures(&mut self.rows.iter()).max(1) as f64;
        if covered < 1.0 {
            notes.push(format!("of {} of the views, those with the same candidates", percent(covered)));
        }
        if !late.is_empty() {
            notes.push(format!("not there all the time, and so seeming worse here: {}", late.join(", ")));
        }
        Part {
            key,
            title: title.into(),
            json: json!({
                "best": regret.best.as_str(), "rewards": [regret.low, regret.estimate, regret.high], "views": regret.decisions,
                "per_view": regret.estimate / n,
            }),
            notes,
            ..Part::default()
        }
    }

    fn life_of_all(&self) -> (u64, u64) {
        let all = || self.rows.iter().map(|view| view.row.time_millis);
        (all().min().unwrap_or(0), all().max().unwrap_or(0))
    }
}
