//! Who is worth addressing: Qini and uplift curves of a score, with what ties leave open left open. The score is the caller's.
//!
//! Visitors are ordered by score, highest first. After the first k of them, with n_t treated of whom r_t were rewarded, and n_c, r_c in
//! the control group:
//!
//! - Qini curve (Radcliffe 2007): r_t − r_c·n_t/n_c, the rewards gained among the treated;
//! - uplift curve (Jaskowski & Jaroszewicz 2012): (r_t/n_t − r_c/n_c)·k, the rewards that addressing all k would gain.
//!
//! An empty side counts as 0 (a curve begins before both sides are there). Equal scores are *one* step: whatever order they come in, the
//! curve is the same. Between steps it is straight, which is the mean over all orders of what is tied, but for the sides' quotients.

use crate::measure::buckets::Tally;
use std::fmt;

/// Which of the two groups a visitor was in; the groups must have been drawn by lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Addressed.
    Treated,
    /// Left alone, as the holdout is.
    Control,
}

/// One visitor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// How worthwhile the score says it is to address this visitor; only its order matters.
    pub score: f64,
    /// Which group.
    pub side: Side,
    /// Rewards that came of it: 0 or 1.
    pub rewards: u8,
}

/// Visitors that no curve can be drawn of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QiniError {
    /// A score that is not a number has no place in the order.
    Score {
        /// Which visitor, from 0.
        position: usize,
    },
    /// Nobody on one of the sides.
    Empty(Side),
}

impl fmt::Display for QiniError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Score { position } => {
                write!(f, "the score of visitor {position} is not a number; hint: leave out who has no score")
            }
            Self::Empty(Side::Treated) => write!(f, "nobody was treated; hint: uplift needs both groups"),
            Self::Empty(Side::Control) => {
                write!(f, "nobody is in the control group; hint: uplift needs a holdout")
            }
        }
    }
}

impl std::error::Error for QiniError {}

/// Counts of both groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Both {
    treated: Tally,
    control: Tally,
}

impl Both {
    fn n(&self) -> u64 {
        self.treated.exposures + self.control.exposures
    }

    fn add(&mut self, other: Self) {
        self.treated.add(other.treated);
        self.control.add(other.control);
    }
}

/// A part of both groups, where a step of the curve may have been divided.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Part {
    treated: (f64, f64),
    control: (f64, f64),
}

impl Part {
    /// Adds shares of what both sides of a step hold.
    fn add(&mut self, step: &Both, treated: f64, control: f64) {
        let sides = [(&mut self.treated, step.treated, treated), (&mut self.control, step.control, control)];
        for (sum, tally, share) in sides {
            sum.0 += share * tally.exposures as f64;
            sum.1 += share * tally.rewards as f64;
        }
    }

    fn uplift(&self) -> f64 {
        quotient(self.treated.1, self.treated.0) - quotient(self.control.1, self.control.0)
    }
}

/// a / b, or 0 where b is 0.
fn quotient(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Visitors up to here.
    pub n: u64,
    /// Rewards gained with them.
    pub gain: f64,
}

/// Which curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// Gain among the treated.
    Qini,
    /// Gain if everybody up to there were treated.
    Uplift,
}

impl Curve {
    fn gain(self, both: &Both) -> f64 {
        let [n_t, r_t, n_c, r_c] =
            [both.treated.exposures, both.treated.rewards, both.control.exposures, both.control.rewards]
                .map(|count| count as f64);
        match self {
            Self::Qini => r_t - quotient(r_c * n_t, n_c),
            Self::Uplift => (quotient(r_t, n_t) - quotient(r_c, n_c)) * both.n() as f64,
        }
    }
}

/// How the best part of the visitors is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A share of all visitors.
    Overall,
    /// The same share of each group.
    BySide,
}

/// A tenth of the visitors. Counts are not whole where scores are tied across its edge: each tenth then has its share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decile {
    /// Treated visitors.
    pub n_treated: f64,
    /// Visitors of the control group.
    pub n_control: f64,
    /// Difference of the reward rates, treated − control.
    pub uplift: f64,
    /// Standard error of `uplift`; infinite where a side is empty.
    pub standard_error: f64,
}

/// Visitors in the order of their score.
///
/// ```
/// use edgeloom::measure::qini::{Curve, Scored, Side, Targeting};
///
/// // Of the visitors with a high score only the treated ones buy.
/// let visitors = (0..400).map(|i| {
///     let side = if i % 2 == 0 { Side::Treated } else { Side::Control };
///     let score = if i < 200 { 0.9 } else { 0.1 };
///     Scored { score, side, rewards: u8::from(i < 200 && side == Side::Treated) }
/// });
/// let targeting = Targeting::new(visitors)?;
/// assert_eq!(targeting.curve(Curve::Qini)[1].gain, 100.0);
/// // A perfect score would also tell the hundred who buy from the hundred in the control group: area 15,000, here 10,000.
/// let coefficient = targeting.coefficient(Curve::Qini).unwrap_or_default();
/// assert!((coefficient - 2.0 / 3.0).abs() < 1e-12);
/// # Ok::<(), edgeloom::measure::qini::QiniError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Targeting {
    /// Counts of each score, highest first.
    steps: Vec<Both>,
    total: Both,
}

impl Targeting {
    /// Orders visitors by score, highest first.
    ///
    /// # Errors
    /// A score that is not a number; nobody on one of the sides.
    pub fn new(visitors: impl IntoIterator<Item = Scored>) -> Result<Self, QiniError> {
        let mut visitors: Vec<Scored> = visitors.into_iter().collect();
        if let Some(position) = visitors.iter().position(|visitor| visitor.score.is_nan()) {
            return Err(QiniError::Score { position });
        }
        // The standard sort: these are lists of thousands, and they are not sorted in the Worker.
        visitors.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
        let (mut steps, mut total): (Vec<Both>, Both) = (Vec::new(), Both::default());
        for group in visitors.chunk_by(|a, b| a.score == b.score) {
            let mut step = Both::default();
            for visitor in group {
                let tally = Tally { exposures: 1, rewards: u64::from(visitor.rewards.min(1)) };
                match visitor.side {
                    Side::Treated => step.treated.add(tally),
                    Side::Control => step.control.add(tally),
                }
            }
            total.add(step);
            steps.push(step);
        }
        for (side, tally) in [(Side::Treated, total.treated), (Side::Control, total.control)] {
            if tally.exposures == 0 {
                return Err(QiniError::Empty(side));
            }
        }
        Ok(Self { steps, total })
    }

    /// The points of a curve: (0, 0), then one per score.
    #[must_use]
    pub fn curve(&self, curve: Curve) -> Vec<Point> {
        points(curve, &self.steps)
    }

    /// The points of the curve of a random order: a straight line to the same end.
    #[must_use]
    pub fn random(&self, curve: Curve) -> [Point; 2] {
        [Point { n: 0, gain: 0.0 }, Point { n: self.total.n(), gain: curve.gain(&self.total) }]
    }

    /// The points of the highest curve that an order by the outcome itself would have.
    ///
    /// Qini: rewarded treated, then everybody without a reward, then the rewarded of the control group. Uplift: rewarded
    /// treated, then control without a reward, then of the other two the smaller group first.
    #[must_use]
    pub fn perfect(&self, curve: Curve) -> Vec<Point> {
        let lost = |tally: Tally| tally.exposures - tally.rewards;
        let of = |treated, control| Both { treated, control };
        let yes = |n| Tally { exposures: n, rewards: n };
        let no = |n| Tally { exposures: n, rewards: 0 };
        let none = Tally::default();
        let Both { treated, control } = self.total;
        let won = of(yes(treated.rewards), none);
        let steps = match curve {
            Curve::Qini => {
                vec![won, of(no(lost(treated)), no(lost(control))), of(none, yes(control.rewards))]
            }
            Curve::Uplift => {
                let (missed, needless) = (of(no(lost(treated)), none), of(none, yes(control.rewards)));
                let last =
                    if control.rewards > lost(treated) { [needless, missed] } else { [missed, needless] };
                [[won, of(none, no(lost(control)))], last].concat()
            }
        };
        points(curve, &steps)
    }

    /// Area under a curve per visitor: its mean height over the share of visitors addressed, per visitor. Of the uplift
    /// curve this is the AUUC; comparable between sites of different size.
    #[must_use]
    pub fn area(&self, curve: Curve) -> f64 {
        let n = self.total.n() as f64;
        area(&self.curve(curve)) / (n * n)
    }

    /// The same less the area of a random order: 0 for a score that knows nothing.
    #[must_use]
    pub fn area_over_random(&self, curve: Curve) -> f64 {
        let n = self.total.n() as f64;
        (area(&self.curve(curve)) - area(&self.random(curve))) / (n * n)
    }

    /// Area over random as a share of what the perfect order has: 1 for the perfect order, 0 for a score that knows
    /// nothing, below 0 for one that is worse. `None` where that order is not better than chance. Among a handful of visitors
    /// with groups of very different size some other order can have more than 1: the perfect one is the field's definition.
    #[must_use]
    pub fn coefficient(&self, curve: Curve) -> Option<f64> {
        let random = area(&self.random(curve));
        let best = area(&self.perfect(curve)) - random;
        (best > 0.0).then(|| (area(&self.curve(curve)) - random) / best)
    }

    /// Difference of the reward rates, treated − control, among the `share` (0 – 1) of visitors with the highest scores. Of
    /// visitors tied across the edge all count, with the share that is left for them; a side without visitors has the rate 0.
    #[must_use]
    pub fn uplift_at(&self, share: f64, cut: Cut) -> f64 {
        self.part(0.0, share.clamp(0.0, 1.0), cut).uplift()
    }

    /// The uplift in each tenth of the visitors, those with the highest scores first. A score that knows who is worth it
    /// falls from the first to the last.
    #[must_use]
    pub fn deciles(&self) -> [Decile; 10] {
        let mut tenth = 0.0;
        [(); 10].map(|()| {
            let part = self.part(tenth / 10.0, (tenth + 1.0) / 10.0, Cut::Overall);
            tenth += 1.0;
            let variance =
                |(n, r): (f64, f64)| if n > 0.0 { r / n * (1.0 - r / n) / n } else { f64::INFINITY };
            Decile {
                n_treated: part.treated.0,
                n_control: part.control.0,
                uplift: part.uplift(),
                standard_error: libm::sqrt(variance(part.treated) + variance(part.control)),
            }
        })
    }

    /// What lies between two shares of the order.
    fn part(&self, from: f64, to: f64, cut: Cut) -> Part {
        let (mut part, mut before) = (Part::default(), Both::default());
        // The share of `n` more after `done` of `all` that lies between the two.
        let inside = |done: u64, n: u64, all: u64| {
            let (start, end, all) = (done as f64, (done + n) as f64, all as f64);
            quotient((end.min(to * all) - start.max(from * all)).max(0.0), end - start)
        };
        for step in &self.steps {
            let overall = inside(before.n(), step.n(), self.total.n());
            let by_side =
                |done: Tally, n: Tally, all: Tally| inside(done.exposures, n.exposures, all.exposures);
            let (treated, control) = match cut {
                Cut::Overall => (overall, overall),
                Cut::BySide => (
                    by_side(before.treated, step.treated, self.total.treated),
                    by_side(before.control, step.control, self.total.control),
                ),
            };
            part.add(step, treated, control);
            before.add(*step);
        }
        part
    }
}

/// The curve over steps; empty ones leave no point.
fn points(curve: Curve, steps: &[Both]) -> Vec<Point> {
    let mut sum = Both::default();
    let mut points = vec![Point { n: 0, gain: 0.0 }];
    points.extend(steps.iter().filter(|step| step.n() > 0).map(|step| {
        sum.add(*step);
        Point { n: sum.n(), gain: curve.gain(&sum) }
    }));
    points
}

/// Area under the straight lines between points.
fn area(points: &[Point]) -> f64 {
    let trapezium = |(a, b): (&Point, &Point)| 0.5 * (a.gain + b.gain) * (b.n - a.n) as f64;
    points.iter().zip(points.iter().skip(1)).map(trapezium).sum()
}

#[cfg(test)]
mod tests;
