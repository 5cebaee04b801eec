//! T-learner and X-learner: two ways from logged rows to the uplift that a visitor with given features can be expected to have
//! (Künzel, Sekhon, Bickel & Yu 2019, doi:10.1073/pnas.1804597116), both on Bayesian linear regressions. Neither judges itself:
//! that is the business of `crossfit` and of [`crate::measure::qini`].

use super::row::{Row, WhoError};
use crate::bandit::linear::{Moments, Noise};
use crate::bandit::{FeatureVector, NormalPosterior, RegressionError, Score, Scorer};
use crate::measure::qini::Side;

/// How uplift is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learner {
    /// Two regressions, one for each side; uplift is the difference of what they say.
    ///
    /// Simple, and enough where both sides are large. With a small holdout its regression is shrunk towards the prior while the
    /// other one is not, and the difference of the two shows it.
    T,
    /// What each visitor would have been worth on the other side is imputed by that side's regression, and the difference is
    /// regressed once more, on both sides; the propensity weighs the two.
    ///
    /// Better with a small holdout, since what visitors are worth anyway is then known from the large side, and the belief that
    /// uplift is small can be told apart from what is believed of rewards. With the same flat belief for both it is the T-learner:
    /// regressions are linear in what they learn from.
    X,
}

/// Standard deviations of coefficients before any data, in units of the reward; in [1e-6, 3e4].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Of the regressions of rewards.
    pub outcome: f64,
    /// Of the regressions of uplift: what a feature may change it by. Uplift is usually far smaller than what it adds to.
    pub effect: f64,
}

/// What is believed before the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Beliefs {
    /// Coefficients of the reward, the same for both sides.
    pub outcome: NormalPosterior,
    /// Coefficients of the uplift; only [`Learner::X`] asks for it.
    pub effect: NormalPosterior,
    /// Variance of rewards around their expectation.
    pub noise: Noise,
}

impl Beliefs {
    /// Independent coefficients around 0, the intercept's like the others.
    ///
    /// # Errors
    /// A spread outside of its range.
    pub fn new(n_features: usize, spread: Spread, noise: Noise) -> Result<Self, RegressionError> {
        let of = |sd: f64| NormalPosterior::new(&vec![0.0; n_features], &vec![1.0 / (sd * sd); n_features]);
        Ok(Self { outcome: of(spread.outcome)?, effect: of(spread.effect)?, noise })
    }
}

/// A fitted learner.
///
/// ```
/// use edgeloom::bandit::FeatureVector;
/// use edgeloom::bandit::linear::Noise;
/// use edgeloom::measure::qini::Side;
/// use edgeloom::measure::who::{Beliefs, Learner, Model, Row, Spread};
///
/// // Being addressed adds 0.2 for those with x = 1, nothing for those with x = 0.
/// let row = |unit: u64| {
///     let (x, side) = ((unit % 2) as f64, if unit % 4 < 2 { Side::Treated } else { Side::Control });
///     let reward = 0.5 + if side == Side::Treated { 0.2 * x } else { 0.0 };
///     Row { unit, x: FeatureVector::new(&[1.0, x]), side, reward, propensity: 0.5 }
/// };
/// let rows: Vec<Row> = (0..400).map(row).collect();
/// let beliefs = Beliefs::new(2, Spread { outcome: 1.0, effect: 0.5 }, Noise::Known { variance: 0.01 })?;
/// let model = Model::fit(&rows, Learner::X, &beliefs)?;
/// let uplift = |x| model.score(&FeatureVector::new(&[1.0, x]), 0.5).mean();
/// assert!((uplift(1.0) - 0.2).abs() < 0.01 && uplift(0.0).abs() < 0.01);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    outcome: Sides,
    /// τ̂ of the X-learner.
    effect: Option<Sides>,
}

/// A regression for each side.
#[derive(Debug, Clone, PartialEq)]
struct Sides {
    treated: Scorer,
    control: Scorer,
}

impl Model {
    /// Learns from rows. Each counts once, and rows of one visitor count as if they were independent: `sd` is then too small.
    ///
    /// # Errors
    /// The first row that can't be used; nobody on one of the sides; beliefs of other features or of no use.
    pub fn fit(rows: &[Row], learner: Learner, beliefs: &Beliefs) -> Result<Self, WhoError> {
        Self::fit_those(rows, learner, beliefs, &|_| true)
    }

    /// The same from those rows that a question says yes to.
    pub(super) fn fit_those(
        rows: &[Row],
        learner: Learner,
        beliefs: &Beliefs,
        wanted: &dyn Fn(&Row) -> bool,
    ) -> Result<Self, WhoError> {
        if let Some((position, row)) = rows.iter().enumerate().find(|(_, row)| !is_chance(row.propensity)) {
            return Err(WhoError::Propensity { position, found: row.propensity });
        }
        let prior = (&beliefs.outcome, beliefs.noise);
        let outcome = Sides::fit(rows, wanted, prior, &|row| row.reward)?;
        let effect = match learner {
            Learner::T => None,
            Learner::X => {
                let prior = (&beliefs.effect, beliefs.noise);
                Some(Sides::fit(rows, wanted, prior, &|row| outcome.imputed(row))?)
            }
        };
        Ok(Self { outcome, effect })
    }

    /// The uplift of a visitor with these features: mean and standard deviation, in units of the reward. `propensity` is their
    /// e(x), in [0, 1], and weighs the two regressions of the X-learner; the T-learner does not look at it.
    ///
    /// The X-learner's deviation has in it that what was imputed is itself uncertain, and takes the two sides for fully
    /// correlated: where both regressions learned from much, it is somewhat too large rather than too small. What neither learner's
    /// deviation has in it: uplift that is not linear in the features, noise that differs between visitors (it does for rates),
    /// several rows of one visitor, and the bias of a prior that is too narrow.
    #[must_use]
    pub fn score(&self, x: &FeatureVector, propensity: f64) -> Score {
        let [m1, m0] = [self.outcome.treated.score(x), self.outcome.control.score(x)];
        let Some(effect) = &self.effect else {
            return Score::new(m1.mean() - m0.mean(), hypot(m1.sd(), m0.sd()));
        };
        // Letters as in the paper: τ̂(x) = g(x) τ̂₀(x) + (1 − g(x)) τ̂₁(x), with the propensity for g.
        let g = if propensity.is_nan() { 0.5 } else { propensity.clamp(0.0, 1.0) };
        let [t1, t0] = [effect.treated.score(x), effect.control.score(x)];
        // What was imputed on one side comes from the other side's regression, with its error.
        let (s1, s0) = (hypot(t1.sd(), m0.sd()), hypot(t0.sd(), m1.sd()));
        Score::new(g * t0.mean() + (1.0 - g) * t1.mean(), g * s0 + (1.0 - g) * s1)
    }
}

impl Sides {
    fn fit(
        rows: &[Row],
        wanted: &dyn Fn(&Row) -> bool,
        (prior, noise): (&NormalPosterior, Noise),
        value: &dyn Fn(&Row) -> f64,
    ) -> Result<Self, WhoError> {
        let n_features = prior.mean().len();
        let (mut treated, mut control) = (Moments::new(n_features), Moments::new(n_features));
        for (position, row) in rows.iter().enumerate().filter(|(_, row)| wanted(row)) {
            let moments = match row.side {
                Side::Treated => &mut treated,
                Side::Control => &mut control,
            };
            let added = moments.add(&row.x, value(row), 1.0);
            added.map_err(|source| WhoError::Row { position, source })?;
        }
        let scorer = |moments: &Moments, side| {
            if moments.n() == 0 {
                return Err(WhoError::Empty(side));
            }
            moments.update(prior, noise).and_then(|belief| belief.scorer()).map_err(WhoError::Beliefs)
        };
        Ok(Self { treated: scorer(&treated, Side::Treated)?, control: scorer(&control, Side::Control)? })
    }

    /// D̃: the reward less what the other side would have brought, or the other way round.
    fn imputed(&self, row: &Row) -> f64 {
        match row.side {
            Side::Treated => row.reward - self.control.score(&row.x).mean(),
            Side::Control => self.treated.score(&row.x).mean() - row.reward,
        }
    }
}

fn is_chance(propensity: f64) -> bool {
    propensity > 0.0 && propensity < 1.0
}

fn hypot(a: f64, b: f64) -> f64 {
    (a * a + b * b).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::site::Site;
    use super::*;
    use crate::seed::Generator;
    use proptest::prelude::*;

    const NOISE: Noise = Noise::Known { variance: 0.04 };

    fn beliefs(outcome: f64, effect: f64) -> Beliefs {
        Beliefs::new(3, Spread { outcome, effect }, NOISE).unwrap()
    }

    fn row(x: [f64; 2], side: Side, reward: f64) -> Row {
        Row { unit: 0, x: FeatureVector::new(&[1.0, x[0], x[1]]), side, reward, propensity: 0.5 }
    }

    #[test]
    fn the_propensity_leans_on_the_side_that_knows_more() {
        // The treated say 0.4 and the control group, which is one visitor, says nearly what the prior does: nothing.
        let mut rows = vec![row([0.0, 0.0], Side::Control, 0.1)];
        rows.extend((0..500).map(|_| row([0.0, 0.0], Side::Treated, 0.5)));
        let model = Model::fit(&rows, Learner::X, &beliefs(10.0, 0.05)).unwrap();
        let at = |propensity| model.score(&FeatureVector::new(&[1.0, 0.0, 0.0]), propensity).mean();
        // τ̂₀ shrinks 0.4 by 0.04/(0.04 + 0.0025) to 0.024, τ̂₁ with 500 rows to 0.387.
        assert!((at(1.0) - 0.4 / 17.0).abs() < 1e-3 && (at(0.0) - 0.4 * 1.25 / 1.29).abs() < 1e-3);
        assert!((at(0.5) - 0.5 * (at(0.0) + at(1.0))).abs() < 1e-12);
        assert_eq!(at(f64::NAN), at(0.5));
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused_by_row() {
        let fit = |rows: &[Row]| Model::fit(rows, Learner::X, &beliefs(1.0, 1.0)).unwrap_err();
        let treated = row([0.0, 0.0], Side::Treated, 1.0);
        assert_eq!(fit(&[]), WhoError::Empty(Side::Treated));
        assert_eq!(fit(std::slice::from_ref(&treated)), WhoError::Empty(Side::Control));
        for propensity in [0.0, 1.0, f64::NAN] {
            let bad = Row { propensity, ..treated.clone() };
            assert!(matches!(fit(&[treated.clone(), bad]), WhoError::Propensity { position: 1, .. }));
        }
        let bad = Row { reward: f64::NAN, ..treated.clone() };
        assert!(fit(&[treated.clone(), bad]).to_string().starts_with("row 1: reward is NaN; hint"));
        let short = Row { x: FeatureVector::new(&[1.0]), ..treated };
        assert!(fit(&[short]).to_string().starts_with("row 0: 1 features for 3 coefficients"));
        assert!(Beliefs::new(2, Spread { outcome: 0.0, effect: 1.0 }, NOISE).is_err());
    }

    #[test]
    fn intervals_hold_the_truth_where_it_is_linear() {
        // 95 % intervals of 120 sites at 20 places each, 5 % of the traffic in the holdout. Places of one site are not independent,
        // so the share's standard deviation is at most that of 120 sites, 2 %: 90 % is two and a half of them away.
        for learner in [Learner::T, Learner::X] {
            let (mut held, mut n) = (0.0, 0.0);
            for seed in 0..120 {
                let mut generator = Generator::new(seed);
                let site = Site::drawn(&mut generator, Spread { outcome: 0.3, effect: 0.1 });
                let rows = site.rows(800, 0.95, &mut generator);
                let beliefs = Beliefs::new(Site::FEATURES, site.spread, Site::NOISE).unwrap();
                let model = Model::fit(&rows, learner, &beliefs).unwrap();
                for _ in 0..20 {
                    let x = Site::visitor(&mut generator);
                    let score = model.score(&x, 0.95);
                    held += f64::from(u8::from((score.mean() - site.uplift(&x)).abs() < 1.96 * score.sd()));
                    n += 1.0;
                }
            }
            println!("{learner:?}: {:.3}", held / n);
            assert!(held / n > 0.90, "{learner:?} {}", held / n);
        }
    }

    proptest! {
        #[test]
        fn with_flat_beliefs_both_learners_are_the_same(
            features in prop::collection::vec((-2.0..2.0_f64, -2.0..2.0_f64, 0.0..1.0_f64), 24..60), g in 0.0..1.0_f64
        ) {
            let side = |at: usize| if at.is_multiple_of(2) { Side::Treated } else { Side::Control };
            let rows: Vec<Row> =
                features.iter().enumerate().map(|(at, (a, b, r))| row([*a, *b], side(at), *r)).collect();
            let flat = beliefs(3e4, 3e4);
            let x = FeatureVector::new(&[1.0, 0.3, -0.7]);
            let [t, x] = [Learner::T, Learner::X].map(|learner| Model::fit(&rows, learner, &flat).unwrap().score(&x, g));
            prop_assert!((t.mean() - x.mean()).abs() < 1e-4, "{} {}", t.mean(), x.mean());
            // And then the X-learner's deviation is the exact one, too.
            prop_assert!((x.sd() / t.sd() - 1.0).abs() < 1e-4);
        }

        #[test]
        fn any_numbers_make_a_model_or_an_error(x: [u64; 3], reward: u64, propensity: u64) {
            let of = f64::from_bits;
            let one = Row {
                unit: 0,
                x: FeatureVector::new(&x.map(of)),
                side: Side::Treated,
                reward: of(reward),
                propensity: of(propensity),
            };
            let rows = [row([0.0, 1.0], Side::Control, 0.5), one.clone()];
            if let Ok(model) = Model::fit(&rows, Learner::X, &beliefs(1.0, 0.1)) {
                let score = model.score(&one.x, of(propensity));
                prop_assert!(score.mean().is_finite() && score.sd() >= 0.0);
            }
        }
    }
}
