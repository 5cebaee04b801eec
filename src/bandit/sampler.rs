//! Draws from a Beta posterior: deterministic, one math path, right for tiny and for huge shapes.
//!
//! A Beta variable is A / (A + B) with gamma variables A ~ Γ(α), B ~ Γ(β). Each gamma is drawn after
//! Marsaglia & Tsang (2000, doi:10.1145/358407.358414), both from one pair of normals by Marsaglia's polar
//! method (Marsaglia & Bray 1964, doi:10.1137/1006063). Below shape 1 the draw is Γ(shape + 1)·U^(1/shape),
//! taken in logarithms: as numbers both gammas would underflow and leave 0/0.

use crate::bandit::posterior::{BetaPosterior, logistic};
use crate::seed::Generator;

/// Tries of a rejection loop. Each polar try fails with 0.215 and each gamma try with at most 0.05, so that
/// the fallback comes with a probability below 1e-42: it keeps the loop finite, not the distribution right.
const TRIES: u8 = 64;

/// One draw from the posterior, in [0, 1].
///
/// Shapes below about 0.05 put most of their mass so close to 0 or 1 that draws round to these; to compare
/// draws, use [`Sampler::logit`], which keeps them apart.
///
/// ```
/// use edgeloom::bandit::{BetaPosterior, sampler};
/// use edgeloom::seed::Generator;
/// let belief = BetaPosterior::UNTOUCHED.after(1_000, 50);
/// let draw = sampler::draw(&belief, &mut Generator::new(7));
/// assert_eq!(draw, sampler::draw(&belief, &mut Generator::new(7)));
/// assert!(0.02 < draw && draw < 0.09);
/// ```
#[must_use]
pub fn draw(posterior: &BetaPosterior, generator: &mut Generator) -> f64 {
    Sampler::new(posterior).draw(generator)
}

/// A posterior prepared for many draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    successes: Gamma,
    failures: Gamma,
}

impl Sampler {
    /// Computes the constants of the posterior's draws.
    #[must_use]
    pub fn new(posterior: &BetaPosterior) -> Self {
        Self { successes: Gamma::new(posterior.alpha()), failures: Gamma::new(posterior.beta()) }
    }

    /// One draw of the rate, in [0, 1].
    #[must_use]
    pub fn draw(&self, generator: &mut Generator) -> f64 {
        let (a, b) = self.gammas(generator);
        if self.is_ordinary() {
            return a / (a + b);
        }
        logistic(self.ln_odds(a, b, generator))
    }

    /// Whether the [odds](Self::odds) may be used: no draw of it leaves the range of numbers.
    #[must_use]
    pub(super) fn is_ordinary(&self) -> bool {
        self.successes.boost.is_none() && self.failures.boost.is_none()
    }

    /// One draw of rate / (1 − rate) where it [is ordinary](Self::is_ordinary): in the same order as the
    /// rates and the logits, with a logarithm less to compute, and without the ties of rates near 1.
    #[must_use]
    pub(super) fn odds(&self, generator: &mut Generator) -> f64 {
        let (a, b) = self.gammas(generator);
        a / b
    }

    /// One draw of ln(rate / (1 − rate)): in the same order as the rates, and finite where those round to
    /// 0 or 1. The same state of the generator gives the same draw as [`Sampler::draw`].
    #[must_use]
    pub fn logit(&self, generator: &mut Generator) -> f64 {
        let (a, b) = self.gammas(generator);
        self.ln_odds(a, b, generator)
    }

    /// Both gammas, without the boost of small shapes.
    fn gammas(&self, generator: &mut Generator) -> (f64, f64) {
        let (x, y) = normals(generator);
        (self.successes.draw(x, generator), self.failures.draw(y, generator))
    }

    fn ln_odds(&self, a: f64, b: f64, generator: &mut Generator) -> f64 {
        libm::log(a / b) + self.successes.ln_boost(generator) - self.failures.ln_boost(generator)
    }
}

/// Constants of one gamma variable, named as in the paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Gamma {
    /// Shape − 1/3, of the shape after the boost.
    d: f64,
    /// 1 / √(9 d).
    c: f64,
    /// 1 / shape where the shape is below 1.
    boost: Option<f64>,
}

impl Gamma {
    /// Of a shape above 0.
    pub(super) fn new(shape: f64) -> Self {
        let boost = (shape < 1.0).then(|| 1.0 / shape);
        let d = if boost.is_some() { shape + 1.0 } else { shape } - 1.0 / 3.0;
        Self { d, c: 1.0 / (9.0 * d).sqrt(), boost }
    }

    /// A draw without the boost from `first`, a normal variable, or from later ones where it is rejected.
    pub(super) fn draw(&self, first: f64, generator: &mut Generator) -> f64 {
        let Self { d, c, .. } = *self;
        let mut x = first;
        for _ in 0..TRIES {
            let root = 1.0 + c * x;
            if root > 0.0 {
                let v = root * root * root;
                let (u, square) = (generator.unit(), x * x);
                // The first test is a quick bound of the second.
                if u < 1.0 - 0.0331 * square * square
                    || libm::log(u) < 0.5 * square + d * (1.0 - v + libm::log(v))
                {
                    return d * v;
                }
            }
            x = normals(generator).0;
        }
        d
    }

    /// ln U^(1/shape) for a small shape, else 0.
    pub(super) fn ln_boost(&self, generator: &mut Generator) -> f64 {
        self.boost.map_or(0.0, |boost| boost * libm::log(generator.unit()))
    }
}

/// Two independent standard normal variables.
pub(super) fn normals(generator: &mut Generator) -> (f64, f64) {
    for _ in 0..TRIES {
        let (x, y) = (2.0 * generator.unit() - 1.0, 2.0 * generator.unit() - 1.0);
        let s = x * x + y * y;
        // s > 0: a centred fraction is never exactly 1/2, so neither x nor y is 0.
        if s < 1.0 {
            let scale = (-2.0 * libm::log(s) / s).sqrt();
            return (x * scale, y * scale);
        }
    }
    (0.0, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandit::posterior::{MAX_SHAPE, MIN_SHAPE};
    use proptest::prelude::*;

    const SHAPES: [(f64, f64); 14] = [
        (1.0, 1.0),
        (51.0, 951.0),
        (951.0, 51.0),
        (2.5, 0.5),
        (0.5, 0.5),
        (0.05, 0.3),
        (1e-3, 1.0),
        (1e-3, 2e-3),
        (1e-12, 1e-12),
        (1e-12, 1e12),
        (1.0, 1e6),
        (30_001.0, 970_001.0),
        (1e9, 3e9),
        (1e12, 1e12),
    ];

    fn beta(shape: (f64, f64)) -> BetaPosterior {
        BetaPosterior::new(shape.0, shape.1).unwrap()
    }

    /// Largest distance between the draws' distribution and the exact one, times √n.
    fn kolmogorov_smirnov(shape: (f64, f64), seed: u64, map: impl Fn(f64) -> f64) -> f64 {
        let (mut generator, n) = (Generator::new(seed), 2_000);
        let sampler = Sampler::new(&beta(shape));
        let mut draws: Vec<f64> = (0..n).map(|_| map(sampler.logit(&mut generator))).collect();
        draws.sort_by(f64::total_cmp);
        let exact = crate::bandit::logit::LogitBeta::new(&beta(shape));
        let rule = crate::bandit::quadrature::Rule::new();
        let n = f64::from(n);
        let mut worst = 0.0_f64;
        for (rank, draw) in draws.iter().enumerate() {
            let cdf = exact.cdf(&rule, *draw);
            worst = worst.max((cdf - rank as f64 / n).abs()).max((cdf - (rank as f64 + 1.0) / n).abs());
        }
        worst * n.sqrt()
    }

    /// P(√n·D > 2.5) = 2·e^(−2·2.5²) ≈ 7.5e-6 for right draws; 14 tests: a false alarm in 1 of 9,500 seeds.
    const BOUND: f64 = 2.5;

    #[test]
    fn draws_follow_the_exact_distribution() {
        for shape in SHAPES {
            let found = kolmogorov_smirnov(shape, 11, |t| t);
            assert!(found < BOUND, "{shape:?}: {found}");
        }
    }

    #[test]
    fn an_inverted_preference_would_be_found() {
        for shape in [(51.0, 951.0), (2.5, 0.5), (1e-3, 1.0)] {
            assert!(kolmogorov_smirnov(shape, 13, |t| -t) > 4.0 * BOUND, "{shape:?}");
        }
    }

    #[test]
    fn a_shift_of_a_fifth_of_the_deviation_would_be_found() {
        assert!(kolmogorov_smirnov((30_001.0, 970_001.0), 14, |t| t + 0.2 / 170.6) > BOUND);
    }

    #[test]
    fn the_rate_is_the_logistic_of_the_logit() {
        for shape in SHAPES {
            let (mut one, mut two) = (Generator::new(5), Generator::new(5));
            for _ in 0..200 {
                let sampler = Sampler::new(&beta(shape));
                let (rate, logit) = (sampler.draw(&mut one), sampler.logit(&mut two));
                assert!((rate - logistic(logit)).abs() < 1e-14, "{shape:?}");
                assert_eq!(one.bits(), two.bits());
            }
        }
    }

    #[test]
    fn tiny_shapes_keep_their_draws_apart() {
        let mut generator = Generator::new(3);
        let sampler = Sampler::new(&beta((1e-3, 1.0)));
        let mut draws: Vec<f64> = (0..1000).map(|_| sampler.logit(&mut generator)).collect();
        draws.sort_by(f64::total_cmp);
        draws.dedup();
        assert_eq!(draws.len(), 1000);
        assert!(draws.iter().filter(|t| logistic(**t) == 0.0).count() > 400);
    }

    proptest! {
        #[test]
        fn any_posterior_gives_a_rate(a in -12.0..12.0_f64, b in -12.0..12.0_f64, seed: u64) {
            let clamp = |x| libm::exp10(x).clamp(MIN_SHAPE, MAX_SHAPE);
            let sampler = Sampler::new(&beta((clamp(a), clamp(b))));
            let mut generator = Generator::new(seed);
            for _ in 0..50 {
                prop_assert!((0.0..=1.0).contains(&sampler.draw(&mut generator)));
                prop_assert!(sampler.logit(&mut generator).is_finite());
            }
        }
    }
}
