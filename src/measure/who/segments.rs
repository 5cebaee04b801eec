//! Uplift by segment, each drawn towards that of all: of twenty segments one always looks like a winner. It says nothing about who
//! within a segment benefits, and searches for no segments.
//!
//! The raw uplift y_j of segment j has the standard error s_j, and segments differ by chance like other things do:
//!
//! ```text
//! y_j ~ N(θ_j, s_j²),   θ_j ~ N(μ, τ²)
//! E[θ_j | τ] = (τ²·y_j + s_j²·μ)/(τ² + s_j²)          partial pooling: what is uncertain moves most (Morris 1983, doi:10.1080/01621459.1983.10477920)
//! ```
//!
//! How far segments differ, τ, is not known, and with few segments its best guess is often 0: all would then be the same, for
//! sure. So it is integrated over, with the uniform shrinkage prior (Daniels 1999, doi:10.2307/3316112): B = s²/(s² + τ²), s² the harmonic
//! mean of the s_j², is as likely to be anywhere between 0 and 1. It is proper, so that two segments are enough.

use crate::measure::estimate::{Estimate, held};
use crate::measure::qini::Side;
use crate::measure::special::normal_cdf;
use crate::measure::uplift::Values;
use std::collections::BTreeMap;
use std::fmt;

/// Points of the integral over B: against adaptive quadrature, means and deviations of an example agree to 1e-5 of the latter.
const POINTS: u32 = 200;

/// Rewards that a variance is told from before it is believed: as many as make a rate known to a third of itself.
const REWARDS: f64 = 10.0;

/// Visitors of a segment, by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Both {
    treated: Values,
    control: Values,
}

/// Sums by segment; they merge in any order. The segments are to be a partition: each visitor counts once, and in one of them.
///
/// ```
/// use edgeloom::measure::qini::Side;
/// use edgeloom::measure::who::segments::Segments;
///
/// let mut segments = Segments::default();
/// for i in 0..4_000 {
///     let (segment, side) = (["phone", "desktop"][i % 2], if i % 4 < 2 { Side::Treated } else { Side::Control });
///     let converts = i % 20 < 3 || (segment == "phone" && side == Side::Treated && i % 10 < 5);
///     segments.add(segment, side, if converts { 1_000_000 } else { 0 });
/// }
/// let found = segments.uplifts(0.95)?;
/// let phone = found.segments.iter().find(|s| s.segment == "phone").unwrap();
/// assert!(phone.shrunk.value > 0.1 && phone.p_positive > 0.99);
/// assert!(phone.shrunk.value < phone.raw.unwrap().value);
/// # Ok::<(), edgeloom::measure::who::segments::SegmentError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Segments(BTreeMap<String, Both>);

/// What one segment gains.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentUplift {
    /// Its name.
    pub segment: String,
    /// Visitors who were addressed.
    pub n_treated: u64,
    /// Visitors who were not.
    pub n_control: u64,
    /// Difference of the means as it was seen, with a normal interval; `None` where a side has nobody. Not to be chosen by.
    pub raw: Option<Estimate>,
    /// The same drawn towards the overall uplift: mean and standard deviation of the belief about it, with a normal interval.
    pub shrunk: Estimate,
    /// P(uplift > 0), by the same belief.
    pub p_positive: f64,
}

/// What segments gain, in the site's currency per visitor (or conversions, where each counts as one).
#[derive(Debug, Clone, PartialEq)]
pub struct Uplifts {
    /// Mean uplift over segments, μ: that of an ordinary one, not weighted by visitors.
    pub overall: Estimate,
    /// How far segments differ, τ: expected, ≥ 0.
    pub between_sd: f64,
    /// By name.
    pub segments: Vec<SegmentUplift>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentError {
    /// Fewer than two segments with visitors on both sides: nothing to compare.
    TooFew {
        /// Number of such segments.
        found: usize,
    },
    /// A side on which all visitors were worth the same: no variance to estimate.
    NoVariance(Side),
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew { found } => {
                write!(f, "{found} segments with both groups; hint: at least two are needed")
            }
            Self::NoVariance(side) => {
                let side = if *side == Side::Treated { "treated" } else { "control" };
                write!(f, "all {side} visitors were worth the same; hint: wait for rewards")
            }
        }
    }
}

impl std::error::Error for SegmentError {}

impl Segments {
    /// Adds a visitor with everything they were worth, in millionths; a conversion is 1,000,000.
    pub fn add(&mut self, segment: &str, side: Side, value_micros: i64) {
        let both = match self.0.get_mut(segment) {
            Some(both) => both,
            None => self.0.entry(segment.to_string()).or_default(),
        };
        match side {
            Side::Treated => both.treated.add(value_micros),
            Side::Control => both.control.add(value_micros),
        }
    }

    /// Adds other visitors.
    pub fn merge(&mut self, other: &Self) {
        for (segment, more) in &other.0 {
            let both = self.0.entry(segment.clone()).or_default();
            both.treated.merge(&more.treated);
            both.control.merge(&more.control);
        }
    }

    /// Uplift of each segment, raw and shrunk. `level` is the mass of the intervals, held to [0, 1).
    ///
    /// # Errors
    /// Fewer than two segments with both groups; a side without variance.
    pub fn uplifts(&self, level: f64) -> Result<Uplifts, SegmentError> {
        let level = held(level);
        let of_treated = Spread::new(self.0.values().map(|both| &both.treated));
        let of_control = Spread::new(self.0.values().map(|both| &both.control));
        let raw = |both: &Both| {
            let Both { treated, control } = both;
            let variance = of_treated.of_mean(treated)? + of_control.of_mean(control)?;
            Some(Estimate::normal(treated.mean() - control.mean(), variance.sqrt(), level))
        };
        let raws: Vec<Option<Estimate>> = self.0.values().map(raw).collect();
        let found = raws.iter().flatten().count();
        if found < 2 {
            return Err(SegmentError::TooFew { found });
        }
        for (side, spread) in [(Side::Treated, of_treated), (Side::Control, of_control)] {
            if spread.variance <= 0.0 {
                return Err(SegmentError::NoVariance(side));
            }
        }
        let pooled = Pooled::new(raws.iter().flatten());
        let segment = |((name, both), raw): ((&String, &Both), Option<Estimate>)| {
            let (shrunk, p_positive) = pooled.segment(raw.as_ref(), level);
            SegmentUplift {
                segment: name.clone(),
                n_treated: both.treated.visitors(),
                n_control: both.control.visitors(),
                raw,
                shrunk,
                p_positive,
            }
        };
        Ok(Uplifts {
            overall: pooled.overall(level),
            between_sd: pooled.points.iter().map(|point| point.weight * point.tau_squared.sqrt()).sum(),
            segments: self.0.iter().zip(raws).map(segment).collect(),
        })
    }
}

/// The variance of one side's visitors within segments.
///
/// A small segment without a single conversion has no variance of its own, and would count as known exactly; one with few has
/// less of it where its mean is low by chance, and would draw the overall uplift there. So each segment's variance is mixed
/// with that of all: as many visitors count for the latter as have ten rewards among them.
#[derive(Debug, Clone, Copy)]
struct Spread {
    variance: f64,
    /// Visitors that the variance of all counts as; infinite where there are no rewards.
    visitors: f64,
}

impl Spread {
    fn new<'v>(segments: impl Iterator<Item = &'v Values>) -> Self {
        let (mut all, mut squares, mut degrees) = (Values::default(), 0.0, 0.0);
        for values in segments.filter(|values| values.visitors() > 0) {
            let own = values.visitors() as f64 - 1.0;
            squares += own * values.variance();
            degrees += own;
            all.merge(values);
        }
        let variance = if degrees > 0.0 { squares / degrees } else { 0.0 };
        // Kish's effective number of rewards per visitor, (Σr)²/(n·Σr²): the rate, where each is worth the same.
        let rate = all.mean() * all.mean() / (all.variance() + all.mean() * all.mean());
        Self { variance, visitors: REWARDS / rate.max(0.0) }
    }

    /// Variance of a segment's mean; `None` without visitors.
    fn of_mean(&self, values: &Values) -> Option<f64> {
        let n = values.visitors() as f64;
        if n < 1.0 {
            return None;
        }
        let own = (n - 1.0) / (n - 1.0 + self.visitors);
        // Infinite visitors on both sides of the quotient can't be: n is finite, so `own` is a share or 0.
        Some((own * values.variance() + (1.0 - own) * self.variance) / n)
    }
}

/// What is believed of μ at one τ, and how likely that τ is.
#[derive(Debug, Clone, Copy)]
struct At {
    tau_squared: f64,
    mean: f64,
    variance: f64,
    weight: f64,
}

/// The belief about μ and τ.
struct Pooled {
    points: Vec<At>,
}

impl Pooled {
    /// p(τ | y) ∝ p(τ)·√V·Π (s_j² + τ²)^(−½)·exp(−(y_j − m)²/(2(s_j² + τ²))), with a flat belief about μ, whose mean m and variance V
    /// at this τ weigh the segments by 1/(s_j² + τ²) (Gelman et al. 2013, doi:10.1201/b16018, section 5.4).
    fn new<'e>(raws: impl Iterator<Item = &'e Estimate>) -> Self {
        let raws: Vec<(f64, f64)> =
            raws.map(|raw| (raw.value, raw.standard_error * raw.standard_error)).collect();
        let inverse: f64 = raws.iter().map(|(_, s)| 1.0 / s).sum();
        let typical = raws.len() as f64 / inverse;
        let mut logs = Vec::new();
        let mut points: Vec<At> = Vec::new();
        for k in 0..POINTS {
            let b = (f64::from(k) + 0.5) / f64::from(POINTS);
            let tau_squared = typical * (1.0 - b) / b;
            let (mut precision, mut sum, mut log) = (0.0, 0.0, 0.0);
            for (y, s) in &raws {
                let w = 1.0 / (s + tau_squared);
                precision += w;
                sum += w * y;
                log += 0.5 * libm::log(w);
            }
            let mean = sum / precision;
            for (y, s) in &raws {
                log -= 0.5 * (y - mean) * (y - mean) / (s + tau_squared);
            }
            logs.push(log - 0.5 * libm::log(precision));
            points.push(At { tau_squared, mean, variance: 1.0 / precision, weight: 0.0 });
        }
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut total = 0.0;
        for (point, log) in points.iter_mut().zip(logs) {
            point.weight = libm::exp(log - most);
            total += point.weight;
        }
        points.iter_mut().for_each(|point| point.weight /= total);
        Self { points }
    }

    fn overall(&self, level: f64) -> Estimate {
        self.mixed(level, |at| (at.mean, at.variance)).0
    }

    /// A segment's uplift, and P(it is above 0); of one that was not seen, what is believed of any other.
    fn segment(&self, raw: Option<&Estimate>, level: f64) -> (Estimate, f64) {
        let Some(raw) = raw else {
            return self.mixed(level, |at| (at.mean, at.variance + at.tau_squared));
        };
        let (y, s) = (raw.value, raw.standard_error * raw.standard_error);
        self.mixed(level, |at| {
            // How far it is drawn to μ; that μ is uncertain comes on top.
            let b = s / (s + at.tau_squared);
            (y + b * (at.mean - y), (1.0 - b) * s + b * b * at.variance)
        })
    }

    /// Mean and deviation of a mixture over τ of normal beliefs, and the mass above 0.
    fn mixed(&self, level: f64, belief: impl Fn(&At) -> (f64, f64)) -> (Estimate, f64) {
        let (mut mean, mut square, mut positive) = (0.0, 0.0, 0.0);
        for at in &self.points {
            let (m, v) = belief(at);
            mean += at.weight * m;
            positive += at.weight * normal_cdf(m / v.sqrt());
        }
        for at in &self.points {
            let (m, v) = belief(at);
            square += at.weight * (v + (m - mean) * (m - mean));
        }
        (Estimate::normal(mean, square.sqrt(), level), positive)
    }
}

#[cfg(test)]
mod tests;
