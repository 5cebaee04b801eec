//! Whom it helps: uplift that is learned from the logged features, whether it knows who is worth it, and what withholding from the others
//! would earn.

use super::chart;
use super::part::{Part, figure, percent, points, signed, told, triple};
use super::uplift::Visitor;
use super::views::{LEVEL, Views, features};
use edgeloom::bandit::FeatureVector;
use edgeloom::bandit::linear::Noise;
use edgeloom::measure::Resampling;
use edgeloom::measure::off_policy::Settings;
use edgeloom::measure::qini::{Curve, Cut, Side, Targeting};
use edgeloom::measure::who::targeting::{Addressed, Answer, Rule, profit};
use edgeloom::measure::who::{Beliefs, Learner, Row, Spread, cross_fitted, scored};
use serde_json::json;
use std::collections::BTreeMap;

/// Parts of the visitors; each is scored by a model of the others.
const FOLDS: u32 = 5;
/// Fewest visitors of a side that anything is learned from.
const LEAST: usize = 200;

/// What addressing costs and what a success is worth.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Of one view, in the site's currency.
    pub cost: f64,
    /// Share of a value that is earned.
    pub margin: f64,
}

/// Whom it helps, and what knowing that would earn.
pub fn who(views: &Views<'_>, visitors: &BTreeMap<u64, Visitor>, terms: Terms) -> Part {
    let (key, title) = ("who", "Whom does it help?");
    let missing = |why: &str| Part::missing(key, title, why);
    let Some(set) = views.feature_set() else {
        return missing("the log holds no features: a contextual policy or challenger logs them");
    };
    let (mut rows, mut worths) = (Vec::new(), Vec::new());
    for (unit, visitor) in visitors {
        let first = visitor.rows.first().and_then(|place| views.all.get(*place));
        let x = first.and_then(|view| features(view.row, set));
        let (Some(side), Some(x)) = (visitor.side(), x) else { continue };
        let reward = f64::from(u8::from(visitor.converted));
        rows.push(Row { unit: *unit, x: FeatureVector::new(x), side, reward, propensity: 0.5 });
        worths.push((visitor.value * terms.margin, terms.cost * visitor.rows.len() as f64));
    }
    let treated = rows.iter().filter(|row| row.side == Side::Treated).count();
    if treated.min(rows.len() - treated) < LEAST {
        return missing(&format!(
            "{treated} visitors shown and {} held out with features; it takes {LEAST} of each",
            rows.len() - treated
        ));
    }
    let n = rows.len() as f64;
    let propensity = treated as f64 / n;
    rows.iter_mut().for_each(|row| row.propensity = propensity);
    let rate = rows.iter().map(|row| row.reward).sum::<f64>() / n;
    let variance = (rate * (1.0 - rate)).max(1e-6);
    // A feature may move the rate by its own size, and the uplift by a fifth of that.
    let spread = Spread { outcome: rate.max(1e-4), effect: (0.2 * rate).max(1e-5) };
    let fitted = |learner| {
        let beliefs =
            Beliefs::new(set.1, spread, Noise::Known { variance }).map_err(|error| error.to_string())?;
        let scores = cross_fitted(&rows, learner, &beliefs, FOLDS).map_err(|error| error.to_string())?;
        let targeting = Targeting::new(scored(&rows, &scores)).map_err(|error| error.to_string())?;
        Ok::<_, String>((scores, targeting))
    };
    let (t, x) = match (fitted(Learner::T), fitted(Learner::X)) {
        (Ok(t), Ok(x)) => (t, x),
        (Err(why), _) | (_, Err(why)) => return missing(&why),
    };
    let told_of = |targeting: &Targeting| {
        let [first, .., last] = targeting.deciles();
        json!({
            "qini": targeting.coefficient(Curve::Qini), "qini_over_random": targeting.area_over_random(Curve::Qini),
            "auuc": targeting.area(Curve::Uplift), "auuc_over_random": targeting.area_over_random(Curve::Uplift),
            "first_tenth": first.uplift, "last_tenth": last.uplift,
            "deciles": targeting.deciles().iter().map(|decile| json!({
                "shown": decile.n_treated, "held_out": decile.n_control, "uplift": decile.uplift, "standard_error": finite(decile.standard_error),
            })).collect::<Vec<_>>(),
        })
    };
    let line = |name: &str, targeting: &Targeting| {
        let half = targeting.uplift_at(0.5, Cut::Overall);
        vec![
            name.into(),
            targeting.coefficient(Curve::Qini).map_or("-".into(), figure),
            format!("{:.5}", targeting.area(Curve::Uplift)),
            format!("{:+.5}", targeting.area_over_random(Curve::Uplift)),
            format!("{} points", points(half)),
        ]
    };
    let (mut notes, mut warnings) = (Vec::new(), Vec::new());
    let total: f64 = rows.iter().map(|row| row.reward).sum();
    let worth = worths.iter().map(|(worth, _)| worth).sum::<f64>() / total.max(1.0);
    let rule = Rule::new(worth, 0.5);
    let cost = |at: usize| worths.get(at).map_or(0.0, |(_, cost)| *cost);
    // Who is withheld is decided beforehand: by what a visitor costs on average, not by how often this one came, which depends on
    // whether they were rewarded.
    let shown = || rows.iter().enumerate().filter(|(_, row)| row.side == Side::Treated);
    let usual_cost = shown().map(|(at, _)| cost(at)).sum::<f64>() / treated.max(1) as f64;
    let mut paid = None;
    if let Ok(rule) = rule {
        let answers = rows.iter().zip(&x.0).enumerate().map(|(at, (row, score))| Addressed {
            unit: row.unit,
            side: row.side,
            propensity,
            worth: worths.get(at).map_or(0.0, |(worth, _)| *worth),
            cost: cost(at),
            answer: rule.answer(score, usual_cost),
        });
        let answers: Vec<Addressed> = answers.collect();
        let settings = Settings { level: LEVEL, least_effective_units: 30.0, resampling: Resampling::NONE };
        match profit(&answers, &settings) {
            Ok(found) => {
                let withheld = answers.iter().filter(|row| row.answer == Answer::Withhold).count();
                notes.push(format!(
                    "showing it where it pays (to {} of the visitors, X-learner) would earn {} per visitor; to everybody {}; to nobody {}",
                    percent(found.share_addressed),
                    told(&found.targeted, figure),
                    told(&found.everybody, figure),
                    told(&found.nobody, figure)
                ));
                match found.over_everybody.as_ref().filter(|_| withheld > 0) {
                    Some(gain) => notes.push(format!(
                        "that is {} per visitor more than showing it to everybody",
                        told(gain, signed)
                    )),
                    None => notes.push(
                        "there are too few whom it would be withheld from to tell what that would earn"
                            .into(),
                    ),
                }
                paid = Some(json!({
                    "share_addressed": found.share_addressed, "targeted": triple(&found.targeted),
                    "everybody": triple(&found.everybody), "nobody": triple(&found.nobody),
                    "over_everybody": found.over_everybody.as_ref().map(triple), "over_nobody": found.over_nobody.as_ref().map(triple),
                }));
            }
            Err(error) => notes.push(format!("what it would earn: {error}")),
        }
    } else {
        notes.push(
            "a success earns nothing or less here, so there is nobody whom showing it to would pay".into(),
        );
    }
    if terms.cost == 0.0 {
        notes.push("showing is taken to cost nothing; --cost says what a view costs".into());
    }
    if x.1.area_over_random(Curve::Uplift) <= 0.0 && t.1.area_over_random(Curve::Uplift) <= 0.0 {
        warnings.push(
            "neither learner orders visitors better than chance: nothing is known of whom it helps".into(),
        );
    }
    let curve: Vec<(f64, f64)> =
        thinned(&x.1.curve(Curve::Uplift)).map(|(k, gain)| (k / n, 100.0 * gain / n)).collect();
    Part {
        key,
        title: title.into(),
        json: json!({ "visitors": rows.len(), "t_learner": told_of(&t.1), "x_learner": told_of(&x.1), "worth": worth, "cost": terms.cost, "profit": paid }),
        heads: vec!["learner", "Qini", "AUUC", "over chance", "uplift in the better half"],
        rows: vec![line("T-learner", &t.1), line("X-learner", &x.1)],
        notes,
        warnings,
        charts: chart::curve(&curve)
            .into_iter()
            .map(|svg| (svg, "Conversions gained per 100 visitors, over the share of visitors addressed, best first (X-learner); the straight line is chance."))
            .collect(),
    }
}

fn finite(number: f64) -> Option<f64> {
    Some(number).filter(|number| number.is_finite())
}

/// Some two hundred points of a curve, its end among them.
fn thinned(points: &[edgeloom::measure::qini::Point]) -> impl Iterator<Item = (f64, f64)> {
    let step = (points.len() / 200).max(1);
    let last = points.len().saturating_sub(1);
    let keep = move |at: usize| at.is_multiple_of(step) || at == last;
    points.iter().enumerate().filter(move |(at, _)| keep(*at)).map(|(_, point)| (point.n as f64, point.gain))
}
