//! Simulated sites for tests: rewards and uplift that are linear in the features, with known truth.

use super::learner::Spread;
use super::row::Row;
use crate::bandit::FeatureVector;
use crate::bandit::linear::Noise;
use crate::measure::normal_quantile;
use crate::measure::qini::Side;
use crate::seed::Generator;

/// A site whose coefficients are known.
pub(super) struct Site {
    outcome: Vec<f64>,
    effect: Vec<f64>,
    /// What the coefficients were drawn with.
    pub(super) spread: Spread,
}

impl Site {
    /// Features of a visitor, the intercept included.
    pub(super) const FEATURES: usize = 9;
    /// Variance of rewards around their expectation: ½².
    pub(super) const NOISE: Noise = Noise::Known { variance: 0.25 };

    /// A site with independent normal coefficients around 0.
    pub(super) fn drawn(generator: &mut Generator, spread: Spread) -> Self {
        let mut draw = |sd: f64| (0..Self::FEATURES).map(|_| sd * normal(generator)).collect();
        Self { outcome: draw(spread.outcome), effect: draw(spread.effect), spread }
    }

    /// A visitor: intercept and standard normal features.
    pub(super) fn visitor(generator: &mut Generator) -> FeatureVector {
        let mut x = vec![1.0];
        x.extend((1..Self::FEATURES).map(|_| normal(generator)));
        FeatureVector::new(&x)
    }

    /// The true uplift.
    pub(super) fn uplift(&self, x: &FeatureVector) -> f64 {
        product(&self.effect, x)
    }

    /// Visitors who come once each, with normal rewards.
    pub(super) fn rows(&self, n: u64, propensity: f64, generator: &mut Generator) -> Vec<Row> {
        self.logged(n, propensity, generator, &|expected, generator| expected + 0.5 * normal(generator))
    }

    /// The same with rewards of 0 or 1: at a rate of 0.4 and the linear part, held to [0, 1].
    pub(super) fn visits(&self, n: u64, propensity: f64, generator: &mut Generator) -> Vec<Row> {
        self.logged(n, propensity, generator, &|expected, generator| {
            f64::from(u8::from(generator.unit() < 0.4 + expected))
        })
    }

    fn logged(
        &self,
        n: u64,
        propensity: f64,
        generator: &mut Generator,
        reward: &dyn Fn(f64, &mut Generator) -> f64,
    ) -> Vec<Row> {
        let mut rows = Vec::new();
        for unit in 0..n {
            let x = Self::visitor(generator);
            let side = if generator.unit() < propensity { Side::Treated } else { Side::Control };
            let added = if side == Side::Treated { self.uplift(&x) } else { 0.0 };
            let reward = reward(product(&self.outcome, &x) + added, generator);
            rows.push(Row { unit, x, side, reward, propensity });
        }
        rows
    }
}

fn product(coefficients: &[f64], x: &FeatureVector) -> f64 {
    coefficients.iter().zip(x.as_slice()).map(|(a, b)| a * b).sum()
}

/// A standard normal variable.
pub(super) fn normal(generator: &mut Generator) -> f64 {
    normal_quantile(generator.unit())
}
