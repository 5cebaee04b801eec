//! What all runs together say, slot by slot: for people, for machines, for plots.

use super::run::{Course, DAYS, DECIDED, Extent};
use super::world::{Watched, World};
use crate::table::columns;
use edgeloom::event::Treatment;
use serde_json::{Value, json};

/// Deviations to either side that hold 95 % of a normal variable.
const WIDTH: f64 = 1.959_963_985;

/// A mean over runs with half the width of its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Half the width.
    pub half_width: f64,
}

impl Mean {
    /// The mean of some numbers; all zeros where there are none.
    pub fn of(numbers: &[f64]) -> Self {
        let n = numbers.len() as f64;
        if numbers.is_empty() {
            return Self::default();
        }
        let mean = numbers.iter().sum::<f64>() / n;
        let variance = numbers.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0).max(1.0);
        Self { mean, half_width: WIDTH * (variance / n).sqrt() }
    }

    fn json(self) -> Value {
        json!({ "mean": self.mean, "half_width": self.half_width })
    }
}

/// A slot over time, a number per day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Days {
    /// Cumulative regret: mean over runs.
    pub regret: Vec<f64>,
    /// The tenth of the runs with the least regret stays below.
    pub low: Vec<f64>,
    /// The tenth of the runs with the most regret stays above.
    pub high: Vec<f64>,
    /// Share of the day's visits by arm: mean over runs.
    pub shares: Vec<Vec<f64>>,
}

/// What the runs say about a slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Name of the slot.
    pub slot: String,
    /// Names of the arms.
    pub arms: Vec<String>,
    /// The arm with the highest true rate in the last week.
    pub best: usize,
    /// Expected rewards lost until the end.
    pub regret: Mean,
    /// The same as a share of what always showing the best arm would have brought.
    pub regret_share: f64,
    /// Share of the last week's visits that got the best arm.
    pub best_share: Mean,
    /// Share of the runs in which P(best) came above [`DECIDED`].
    pub decided: f64,
    /// Day when it did, the median of those runs.
    pub decided_day: Option<f64>,
    /// Share of those runs that decided for an arm that is the best.
    pub decided_right: Option<f64>,
    /// Rate with personalisation less that of the holdout; none without a holdout.
    pub uplift: Option<Mean>,
    /// Rate of the holdout.
    pub held_out_rate: Option<f64>,
    /// Visits that got an arm, per run.
    pub visits: f64,
    /// Over time.
    pub days: Days,
}

/// The summaries of all slots with rates.
pub fn summaries(world: &World, extent: &Extent, runs: &[Vec<Course>]) -> Vec<Summary> {
    let slots = world.slots.iter().enumerate().filter_map(|(i, slot)| Some((i, slot.as_ref()?)));
    slots
        .map(|(i, watched)| {
            let courses: Vec<&Course> = runs.iter().filter_map(|courses| courses.get(i)).collect();
            summary(watched, extent, &courses)
        })
        .collect()
}

fn summary(watched: &Watched, extent: &Extent, courses: &[&Course]) -> Summary {
    let last_week = extent.days.saturating_sub(1) / DAYS;
    let best = best_arm(watched, last_week);
    let regrets: Vec<f64> = courses.iter().map(|c| c.regret.last().copied().unwrap_or(0.0)).collect();
    let regret = Mean::of(&regrets);
    let (visits, rewards) = sum(courses, |c| c.personalised);
    let per_run = courses.len().max(1) as f64;
    let best_shares: Vec<f64> = courses.iter().filter_map(|c| share_of(c, best, last_week * DAYS)).collect();
    let decided: Vec<(f64, usize)> = courses.iter().filter_map(|c| c.decided).collect();
    let right = decided.iter().filter(|(day, arm)| {
        let week = *day as usize / DAYS;
        let rate = |arm: usize| watched.arms.get(arm).map_or(0.0, |(_, rate)| rate.at(week));
        rate(*arm) >= rate(best_arm(watched, week))
    });
    let right = right.count() as f64;
    let mut when: Vec<f64> = decided.iter().map(|(day, _)| *day).collect();
    when.sort_by(f64::total_cmp);
    let (held_out, held_out_rewards) = sum(courses, |c| c.held_out);
    let rate = |(n, r): (u64, u64)| (n > 0).then(|| r as f64 / n as f64);
    let uplifts: Vec<f64> =
        courses.iter().filter_map(|c| Some(rate(c.personalised)? - rate(c.held_out)?)).collect();
    Summary {
        slot: watched.id.to_string(),
        arms: watched.arms.iter().map(|(treatment, _)| name(treatment)).collect(),
        best,
        regret,
        regret_share: regret.mean / (regret.mean + rewards / per_run).max(f64::MIN_POSITIVE),
        best_share: Mean::of(&best_shares),
        decided: decided.len() as f64 / per_run,
        decided_day: when.get(when.len() / 2).copied(),
        decided_right: (!decided.is_empty()).then(|| right / decided.len() as f64),
        uplift: (!uplifts.is_empty()).then(|| Mean::of(&uplifts)),
        held_out_rate: (held_out > 0.0).then(|| held_out_rewards / held_out),
        visits: visits / per_run,
        days: days(watched.arms.len(), extent.days, courses),
    }
}

fn name(treatment: &Treatment) -> String {
    match treatment {
        Treatment::Arm(arm) | Treatment::Ghost(arm) => arm.to_string(),
        Treatment::Holdout | Treatment::Untouched => "page".into(),
    }
}

/// The arm with the highest rate in a week; of equal ones the first.
fn best_arm(watched: &Watched, week: usize) -> usize {
    let mut best = (f64::NEG_INFINITY, 0);
    for (arm, (_, rate)) in watched.arms.iter().enumerate() {
        if rate.at(week) > best.0 {
            best = (rate.at(week), arm);
        }
    }
    best.1
}

fn sum(courses: &[&Course], of: impl Fn(&Course) -> (u64, u64)) -> (f64, f64) {
    courses
        .iter()
        .map(|course| of(course))
        .fold((0.0, 0.0), |sum, (n, r)| (sum.0 + n as f64, sum.1 + r as f64))
}

/// Share of an arm from a day on; `None` without visits.
fn share_of(course: &Course, arm: usize, from: usize) -> Option<f64> {
    let days = course.exposures.iter().skip(from);
    let (mut own, mut all) = (0.0, 0.0);
    for day in days {
        own += day.get(arm).copied().map_or(0.0, f64::from);
        all += day.iter().copied().map(f64::from).sum::<f64>();
    }
    (all > 0.0).then_some(own / all)
}

fn days(n_arms: usize, n_days: usize, courses: &[&Course]) -> Days {
    let mut days = Days::default();
    for day in 0..n_days {
        let mut regrets: Vec<f64> = courses.iter().filter_map(|c| c.regret.get(day).copied()).collect();
        regrets.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let position = share * regrets.len().saturating_sub(1) as f64;
            regrets.get(position.round() as usize).copied().unwrap_or(0.0)
        };
        days.regret.push(Mean::of(&regrets).mean);
        days.low.push(at(0.1));
        days.high.push(at(0.9));
        let of_day = |course: &Course, arm: usize| {
            let of_arms = course.exposures.get(day)?;
            let all: f64 = of_arms.iter().copied().map(f64::from).sum();
            (all > 0.0).then(|| of_arms.get(arm).copied().map_or(0.0, f64::from) / all)
        };
        let share = |arm| Mean::of(&courses.iter().filter_map(|c| of_day(c, arm)).collect::<Vec<_>>()).mean;
        days.shares.push((0..n_arms).map(share).collect());
    }
    days
}

impl Summary {
    /// Name of the best arm.
    pub fn best_name(&self) -> &str {
        self.arms.get(self.best).map_or("", String::as_str)
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({
            "slot": self.slot,
            "arms": self.arms,
            "best_arm": self.best_name(),
            "visits": self.visits,
            "regret": self.regret.json(),
            "regret_share": self.regret_share,
            "best_share": self.best_share.json(),
            "decided": { "share": self.decided, "median_day": self.decided_day, "right": self.decided_right },
            "uplift": self.uplift.map(Mean::json),
            "held_out_rate": self.held_out_rate,
            "days": {
                "regret": self.days.regret,
                "regret_p10": self.days.low,
                "regret_p90": self.days.high,
                "shares": self.days.shares,
            },
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        if self.visits == 0.0 {
            return format!(
                "slot {}\nno visit reached it; describe visits that do under [[visits]] in the file of rates\n",
                self.slot
            );
        }
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let mut rows = vec![
            vec![
                "regret".into(),
                format!("{:.1} ± {:.1} rewards", self.regret.mean, self.regret.half_width),
                format!("{} of what the best arm alone would bring", percent(self.regret_share)),
            ],
            vec![
                "best arm".into(),
                format!("{} ± {}", percent(self.best_share.mean), percent(self.best_share.half_width)),
                format!("of the last week's visits got {}", self.best_name()),
            ],
            vec!["decision".into(), self.decision(), format!("P(best) above {DECIDED}")],
        ];
        rows.push(match (self.uplift, self.held_out_rate) {
            (Some(uplift), Some(rate)) => {
                let more =
                    if rate > 0.0 { format!("{:+.1} % ", 100.0 * uplift.mean / rate) } else { String::new() };
                vec![
                    "uplift".into(),
                    format!("{:+.3} ± {:.3} points", 100.0 * uplift.mean, 100.0 * uplift.half_width),
                    format!("{more}over the holdout's {:.2} %", 100.0 * rate),
                ]
            }
            _ => vec![
                "uplift".into(),
                "unknown".into(),
                "needs a holdout, and `untouched` as the rate of the page as it is".into(),
            ],
        });
        format!("slot {}\n{}", self.slot, columns(&rows))
    }

    fn decision(&self) -> String {
        match (self.decided_day, self.decided_right) {
            (Some(day), Some(right)) => format!(
                "after {day:.1} days in {:.0} % of runs, {:.0} % of them right",
                100.0 * self.decided,
                100.0 * right
            ),
            _ => "in no run".into(),
        }
    }
}
