//! What each arm and other policies earned or would have earned, by the logged propensities. Whether those can be believed is the
//! business of `ratio`.

use super::chart;
use super::model::Model;
use super::part::{Part, count, few, figure, percent, points, told, triple, with};
use super::policy::{Policy, Ready};
use super::uplift::resampling;
use super::views::{DAY_MILLIS, LEVEL, Metric, View, Views};
use crate::problem::Stop;
use edgeloom::measure::Resampling;
use edgeloom::measure::arms::{Comparison, Exposed, Shown, Terms, weighted};
use edgeloom::measure::off_policy::{self, OffPolicyError, Prediction, Report, Settings, Warning, evaluate};
use serde_json::{Value, json};

/// Views of arms that can be compared.
pub struct Choices<'v, 'r> {
    pub(super) views: &'v Views<'r>,
    pub(super) rows: Vec<&'v View<'r>>,
    /// Views that had nothing to choose.
    left_out: u64,
    models: [Model<'r>; 2],
    seed: u64,
}

/// What a policy would have earned.
struct Earned {
    /// Share of the comparable views that it says anything about.
    covered: f64,
    rate: Result<Report, String>,
    value: Option<Result<Report, String>>,
}

impl<'v, 'r> Choices<'v, 'r> {
    /// The comparable views of a slot.
    pub fn new(views: &'v Views<'r>, seed: u64) -> Self {
        let rows = views.comparable();
        let sum = |rows: &mut dyn Iterator<Item = &&View<'_>>| rows.map(|view| view.exposures()).sum::<u64>();
        let left_out = views.shown().map(View::exposures).sum::<u64>() - sum(&mut rows.iter());
        let models = [Metric::Rate, Metric::Value].map(|metric| Model::cross_fitted(views, &rows, metric));
        Self { views, rows, left_out, models, seed }
    }

    /// The time in which an arm was there: what was added later, or taken away, is compared with the views of its own time.
    pub(super) fn life(&self, arm: usize) -> (u64, u64) {
        let times = || self.rows.iter().filter(|view| view.arm == Some(arm)).map(|view| view.row.time_millis);
        let all = || self.rows.iter().map(|view| view.row.time_millis);
        let (first, last) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
        let (from, to) = (times().min().unwrap_or(first), times().max().unwrap_or(last));
        // What is missing by less than a day is chance; whole days are, too, where an arm is shown once a week.
        let own = times().count().max(1) as u64;
        let gap = DAY_MILLIS.max(8 * (to - from) / own);
        (if from - first > gap { from } else { first }, if last - to > gap { to } else { last })
    }

    pub(super) fn within(&self, (from, to): (u64, u64)) -> impl Iterator<Item = &&'v View<'r>> {
        self.rows.iter().filter(move |view| (from..=to).contains(&view.row.time_millis))
    }

    pub(super) fn exposures(rows: &mut dyn Iterator<Item = &&'v View<'r>>) -> u64
    where
        'r: 'v,
    {
        rows.map(|view| view.exposures()).sum()
    }

    fn earned(&self, policy: &Ready<'_>, settings: &dyn Fn(usize) -> Settings) -> Earned {
        let life = if let Ready::Arm(arm) = policy { self.life(*arm) } else { (0, u64::MAX) };
        let rows: Vec<_> =
            self.within(life).filter_map(|view| Some((*view, policy.shares(self.views, view)?))).collect();
        let covered: u64 = rows.iter().map(|(view, _)| view.exposures()).sum();
        let report = |metric: Metric, model: &Model<'_>| {
            let mut weighed = Vec::new();
            for (view, shares) in &rows {
                let Some(own) = view.arm else { continue };
                let target = shares.iter().find(|(arm, _)| *arm == own).map_or(0.0, |(_, share)| *share);
                let policy = shares.iter().map(|(arm, share)| share * model.expected(view, *arm)).sum();
                let prediction = Some(Prediction { logged: model.expected(view, own), policy });
                let propensity = view.row.propensity;
                weighed.extend(view.each(metric).map(|(unit, reward)| off_policy::Row {
                    unit,
                    reward,
                    propensity,
                    target,
                    prediction,
                }));
            }
            evaluate(&weighed, &settings(weighed.len())).map_err(|error| match error {
                OffPolicyError::TooThin { found, least } => {
                    format!("too little to tell: {} effective visitors, {least} needed", figure(found))
                }
                other => other.to_string().replace("; hint: ", ": "),
            })
        };
        let [rate, value] = &self.models;
        Earned {
            covered: covered as f64 / Self::exposures(&mut self.rows.iter()).max(1) as f64,
            rate: report(Metric::Rate, rate),
            value: self.views.has_values().then(|| report(Metric::Value, value)),
        }
    }

    /// All arms, each as if it alone had been shown.
    pub fn arms(&self) -> Part {
        let n = |arm: usize| Self::exposures(&mut self.rows.iter().filter(|view| view.arm == Some(arm)));
        let counts: Vec<u64> = (0..self.views.arms.len()).map(n).collect();
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|arm| std::cmp::Reverse(counts.get(*arm).copied()));
        let most = order.first().copied();
        let (mut rows, mut list, mut bars, mut notes, mut warnings) =
            (vec![], vec![], vec![], vec![], vec![]);
        let rewarded = |arm: usize| self.rows.iter().any(|view| view.arm == Some(arm) && view.n > 0);
        for arm in order {
            let name = self.views.name(arm);
            let settings =
                |_| Settings { level: LEVEL, least_effective_units: 30.0, resampling: Resampling::NONE };
            let earned = self.earned(&Ready::Arm(arm), &settings);
            let against = most.filter(|most| *most != arm).map(|most| self.against(arm, most));
            let difference = match &against {
                Some(Ok(found)) if rewarded(arm) => told(&found.difference, points),
                Some(_) => "too little to tell".into(),
                None => String::new(),
            };
            // Without any reward an interval would have no width.
            let (rate, units) = match &earned.rate {
                Ok(report) if !rewarded(arm) => ("none yet".into(), figure(report.effective_units)),
                Ok(report) => (told(&report.snips, percent), figure(report.effective_units)),
                Err(why) => (format!("- {why}"), String::new()),
            };
            let value = match earned.value.as_ref().and_then(|value| value.as_ref().ok()) {
                Some(report) if rewarded(arm) => told(&report.snips, figure),
                _ => String::new(),
            };
            rows.push(vec![
                name.into(),
                counts.get(arm).map_or(String::new(), u64::to_string),
                rate,
                value,
                difference,
                units,
            ]);
            if let Ok(report) = &earned.rate {
                let [low, middle, high] = triple(&report.snips);
                if rewarded(arm) {
                    bars.push(chart::Bar { name: name.into(), ends: [low.max(0.0), middle, high] });
                }
                // One arm alone has little in common with all of them, and nothing is wrong with that.
                let told = report.warnings.iter().filter(|of| !matches!(of, Warning::LittleOverlap { .. }));
                warnings.extend(told.map(|warning| format!("{name}: {warning}")));
            }
            if earned.covered < 1.0 {
                let covered = percent(earned.covered);
                notes.push(format!(
                    "{name}: of {covered} of the views, those of its own time in which it could be chosen"
                ));
            }
            let against = against.and_then(Result::ok).map(|found| triple(&found.difference));
            let more = [("views", json!(counts.get(arm))), ("less_most_shown", json!(against))];
            list.push(with(json_of(&format!("always {name}"), &earned), more));
        }
        let (mut notes, mut warnings) = (few(notes), few(warnings));
        if self.left_out > 0 {
            warnings.push(format!(
                "{} had one arm to choose from (propensity 1) and are left out here: who can't get an arm says nothing of it",
                count(self.left_out, "view")
            ));
        }
        notes.insert(0, "each view is divided by its propensity: plain means of a bandit's arms compare good days with bad ones".into());
        let has_values = self.views.has_values();
        Part {
            key: "arms",
            title: "Arms, had each been shown alone, per view".into(),
            json: list.into(),
            heads: vec![
                "arm",
                "views",
                "rate (95 %)",
                if has_values { "value (95 %)" } else { "" },
                "points over the most shown",
                "effective visitors",
            ],
            rows,
            notes,
            warnings,
            charts: chart::bars(&bars)
                .into_iter()
                .map(|svg| (svg, "Rate of each arm, per cent, with its 95 % interval."))
                .collect(),
        }
    }

    /// The difference of two arms in the time in which both were there.
    fn against(&self, first: usize, second: usize) -> Result<Comparison, String> {
        let (a, b) = (self.life(first), self.life(second));
        let both = |view: &&&View<'_>| {
            let set = self.views.sets.get(view.set).filter(|_| view.set > 0);
            set.is_none_or(|set| set.contains(&first) && set.contains(&second))
        };
        let mut exposures = Vec::new();
        for view in self.within((a.0.max(b.0), a.1.min(b.1))).filter(both) {
            let shown = match view.arm {
                Some(arm) if arm == first => Shown::First,
                Some(arm) if arm == second => Shown::Second,
                _ => Shown::Other,
            };
            let propensity = view.row.propensity;
            exposures.extend(view.each(Metric::Rate).map(|(unit, reward)| Exposed {
                unit,
                period: 0,
                shown,
                propensity,
                reward,
            }));
        }
        weighted(&exposures, &Terms { level: LEVEL, ..Terms::default() }).map_err(|error| error.to_string())
    }

    /// What other policies would have earned.
    ///
    /// # Errors
    /// An arm or a slot that is not there.
    pub fn policies(&self, policies: &[Policy]) -> Result<Part, Stop> {
        let (mut rows, mut list, mut notes, mut warnings) = (vec![], vec![], vec![], vec![]);
        let settings =
            |n| Settings { level: LEVEL, resampling: resampling(n, self.seed), ..Settings::default() };
        for policy in policies {
            let name = policy.name();
            if matches!(policy, Policy::Shadow) && self.views.all.iter().all(|view| view.row.shadow.is_none())
            {
                notes.push("challenger: there is none in this slot's log".into());
                continue;
            }
            let earned = self.earned(&policy.ready(self.views)?, &settings);
            rows.push(line(name.clone(), &earned.rate, percent));
            if let Some(value) = &earned.value {
                rows.push(line(format!("{name}, value"), value, figure));
            }
            if let Ok(report) = &earned.rate {
                warnings.extend(report.warnings.iter().map(|warning| format!("{name}: {warning}")));
            }
            if earned.covered < 1.0 {
                notes.push(format!(
                    "{name}: says something of {} of the views, and is told for those",
                    percent(earned.covered)
                ));
            }
            match policy {
                Policy::Config(..) => notes.push(format!(
                    "{name}: as if published at the start and learning each night from the views until then, with all rewards that they ever got, for a log does not tell when they came; its audiences, caps and targeting are taken as open to everybody, and its blocks as neither fading nor beside others; features that the log has not can't be judged"
                )),
                Policy::Snapshot(..) => notes.push(format!("{name}: its audiences, caps and targeting are taken as open to everybody, and its blocks as neither fading nor beside others: the log does not tell")),
                Policy::Shadow => notes.push("challenger: by what it chose, which it drew independently of what was shown".into()),
                Policy::Uniform | Policy::Arm(_) => {}
            }
            list.push(json_of(&name, &earned));
        }
        notes.insert(0, "DR: doubly robust, by a model that was fitted without the visitor; its interval by resampling visitors".into());
        Ok(Part {
            key: "policies",
            title: "What other policies would have earned, per view".into(),
            json: list.into(),
            heads: vec!["policy", "IPS", "SNIPS", "DR (95 %)", "effective visitors"],
            rows,
            notes,
            warnings,
            ..Part::default()
        })
    }
}

fn line(name: String, report: &Result<Report, String>, write: fn(f64) -> String) -> Vec<String> {
    match report {
        Err(why) => vec![name, format!("- {why}")],
        Ok(report) => vec![
            name,
            write(report.ips.value),
            write(report.snips.value),
            report.modelled.as_ref().map_or(String::new(), |modelled| told(&modelled.dr, write)),
            figure(report.effective_units),
        ],
    }
}

fn json_of(name: &str, earned: &Earned) -> Value {
    let of = |report: &Result<Report, String>| match report {
        Err(why) => json!({ "missing": why }),
        Ok(report) => json!({
            "ips": triple(&report.ips), "snips": triple(&report.snips),
            "dm": report.modelled.as_ref().map(|modelled| triple(&modelled.dm)),
            "dr": report.modelled.as_ref().map(|modelled| triple(&modelled.dr)),
            "rows": report.n_rows, "units": report.n_units,
            "effective_rows": report.effective_rows, "effective_units": report.effective_units,
            "mean_weight": report.mean_weight, "largest_weight": report.largest_weight,
            "warnings": report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
    };
    let value = json!(earned.value.as_ref().map(of));
    with(of(&earned.rate), [("policy", name.into()), ("covered", earned.covered.into()), ("value", value)])
}
