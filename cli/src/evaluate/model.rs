//! What a view of an arm can be expected to bring: a regression on the logged features where there are any, else the arm's mean.
//! It is fitted without those it is asked about; what it is used for is the business of `choice` and `watch`.

use super::views::{Metric, View, Views, features};
use edgeloom::bandit::linear::{MAX_WEIGHT, Moments, Noise};
use edgeloom::bandit::{FeatureVector, NormalPosterior, Scorer};
use edgeloom::seed::{Purpose, hash};

/// Parts of the log: what is expected of a visitor is fitted without the visitor's part.
const FOLDS: u64 = 5;

/// Parts of [`MAX_WEIGHT`] that a row can have at most.
const MOST_PARTS: f64 = 4_096.0;
/// Least propensity that rows are weighed by here.
const LEAST: f64 = 1e-9;

/// Sums of one arm.
#[derive(Debug, Clone)]
struct Sums {
    /// Σw and Σw·r.
    means: [f64; 2],
    /// The same with features.
    moments: Option<Moments>,
}

impl Sums {
    fn new(columns: Option<usize>) -> Self {
        Self { means: [0.0; 2], moments: columns.map(Moments::new) }
    }

    fn add(&mut self, view: &View<'_>, x: Option<&[f64]>, metric: Metric, weight: f64) {
        for (n, reward) in view.rewards(metric) {
            let w = f64::from(n) * weight;
            self.means[0] += w;
            self.means[1] += w * reward;
            let (Some(moments), Some(x), true) = (&mut self.moments, x, n > 0) else { continue };
            let x = FeatureVector::new(x);
            // In parts that the sums can take; who had next to no chance does not outweigh a million others.
            let w = w.min(MOST_PARTS * MAX_WEIGHT);
            let parts = (w / MAX_WEIGHT).ceil().max(1.0);
            for _ in 0..parts as u64 {
                let _ = moments.add(&x, reward, w / parts);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.means[0] += other.means[0];
        self.means[1] += other.means[1];
        if let (Some(moments), Some(more)) = (&mut self.moments, &other.moments) {
            let _ = moments.merge(more);
        }
    }

    /// What is believed after them; `usual` is the mean of all arms and the variance around it.
    fn fit(&self, usual: (f64, f64)) -> Fitted {
        let [w, wr] = self.means;
        let mean = if w > 0.0 { wr / w } else { usual.0 };
        Fitted { n: w, mean, scorer: self.moments.as_ref().and_then(|moments| scorer(moments, usual)) }
    }
}

/// A ridge: each coefficient is believed to be 0, the intercept to be the usual mean, as if one view had said so.
fn scorer(moments: &Moments, (mean, variance): (f64, f64)) -> Option<Scorer> {
    let variance = variance.max(1e-9);
    let mut prior = vec![0.0; moments.n_features()];
    *prior.first_mut()? = mean;
    let prior = NormalPosterior::new(&prior, &vec![1.0 / variance; moments.n_features()]).ok()?;
    moments.update(&prior, Noise::Known { variance }).ok()?.scorer().ok()
}

/// What is expected of one arm.
#[derive(Debug, Clone)]
struct Fitted {
    n: f64,
    mean: f64,
    scorer: Option<Scorer>,
}

impl Fitted {
    fn expected(&self, x: Option<&[f64]>) -> f64 {
        match (&self.scorer, x) {
            (Some(scorer), Some(x)) => scorer.score(&FeatureVector::new(x)).mean(),
            _ => self.mean,
        }
    }
}

/// Arms in parts of the log.
pub struct Model<'r> {
    set: Option<(&'r str, usize)>,
    folds: Vec<Vec<Fitted>>,
}

impl<'r> Model<'r> {
    /// Fits each part from the others. Rows weigh 1/p: shares of a bandit move while the world does.
    pub fn cross_fitted(views: &Views<'r>, rows: &[&View<'r>], metric: Metric) -> Self {
        let set = views.feature_set();
        let empty = vec![Sums::new(set.map(|(_, columns)| columns)); views.arms.len()];
        let mut parts = vec![empty.clone(); FOLDS as usize];
        for view in rows {
            let part = parts.get_mut(fold(view.unit));
            if let Some(sums) = view.arm.and_then(|arm| part?.get_mut(arm)) {
                sums.add(
                    view,
                    set.and_then(|set| features(view.row, set)),
                    metric,
                    1.0 / view.row.propensity.max(LEAST),
                );
            }
        }
        let usual = usual(rows, metric);
        let fit = |left_out: usize| {
            let mut sums = empty.clone();
            for (_, part) in parts.iter().enumerate().filter(|(at, _)| *at != left_out) {
                sums.iter_mut().zip(part).for_each(|(sum, more)| sum.merge(more));
            }
            sums.iter().map(|sums| sums.fit(usual)).collect()
        };
        Self { set, folds: (0..FOLDS as usize).map(fit).collect() }
    }

    /// What a view of the arm would bring.
    pub fn expected(&self, view: &View<'_>, arm: usize) -> f64 {
        let fitted = self.folds.get(fold(view.unit)).and_then(|arms| arms.get(arm));
        fitted.map_or(0.0, |fitted| fitted.expected(self.set.and_then(|set| features(view.row, set))))
    }
}

fn fold(unit: u64) -> usize {
    (hash(Purpose::Fold, &[b"model", &unit.to_le_bytes()]) % FOLDS) as usize
}

/// Mean reward of views and the variance around it.
fn usual(rows: &[&View<'_>], metric: Metric) -> (f64, f64) {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (k, reward) in rows.iter().flat_map(|view| view.rewards(metric)) {
        let k = f64::from(k);
        n += k;
        sum += k * reward;
        squares += k * reward * reward;
    }
    let mean = if n > 0.0 { sum / n } else { 0.0 };
    (mean, if n > 0.0 { squares / n - mean * mean } else { 0.0 })
}

/// Whether rewards come true as they were expected: day by day, what all days before said of an arm (and of the features, where there
/// are any), as a policy that learns overnight would have believed it.
pub fn day_by_day(views: &Views<'_>, rows: &[&View<'_>], least: f64, told: &mut dyn FnMut(&View<'_>, f64)) {
    let set = views.feature_set();
    let mut sums = vec![Sums::new(set.map(|(_, columns)| columns)); views.arms.len()];
    let (mut seen, mut days) = (Vec::new(), 0);
    for day in rows.chunk_by(|a, b| a.day == b.day) {
        if days > 0 {
            let usual = usual(&seen, Metric::Rate);
            let fitted: Vec<Fitted> = sums.iter().map(|sums| sums.fit(usual)).collect();
            for view in day {
                let Some(fitted) = view.arm.and_then(|arm| fitted.get(arm)).filter(|arm| arm.n >= least)
                else {
                    continue;
                };
                let x = set.and_then(|set| features(view.row, set));
                told(view, fitted.expected(x).clamp(0.0, 1.0));
            }
        }
        for view in day {
            if let Some(sums) = view.arm.and_then(|arm| sums.get_mut(arm)) {
                sums.add(view, set.and_then(|set| features(view.row, set)), Metric::Rate, 1.0);
            }
        }
        seen.extend_from_slice(day);
        days += 1;
    }
}
