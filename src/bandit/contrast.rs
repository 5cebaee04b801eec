//! How two beliefs differ: the exact distribution of the ratio and of the difference of two independent rates, by
//! quadrature, not by simulation. Which of the two a shop should use is not its business.

use crate::bandit::logit::LogitBeta;
use crate::bandit::posterior::BetaPosterior;
use crate::bandit::quadrature::Rule;
use crate::sorted::sort_by;

/// Panels at most per integral, so that no input takes for ever: ordinary ones need about twenty.
const MAX_PANELS: usize = 20_000;

/// Steps of a search for a quantile. Half of them halve the bracket: 2^60 is more than a bracket has numbers that matter.
const MAX_STEPS: u32 = 120;

/// Two beliefs, prepared for questions about x/y and x − y, where x is the `first` rate and y the `second`.
///
/// Probabilities have an absolute error below 1e-10 for parameters up to 1e6. One takes some tens of microseconds, a quantile
/// about twenty times as long.
/// ```
/// use edgeloom::bandit::{BetaPosterior, Contrast};
///
/// // P(Beta(2, 1) > Beta(1, 2)) = 5/6.
/// let contrast = Contrast::new(&BetaPosterior::new(2.0, 1.0)?, &BetaPosterior::new(1.0, 2.0)?);
/// assert!((1.0 - contrast.difference_cdf(0.0) - 5.0 / 6.0).abs() < 1e-11);
/// assert!((contrast.ratio_cdf(1.0) - contrast.difference_cdf(0.0)).abs() < 1e-11);
/// # Ok::<(), edgeloom::bandit::PosteriorError>(())
/// ```
pub struct Contrast {
    rule: Rule,
    first: Cumulated,
    second: LogitBeta,
}

impl Contrast {
    /// Prepares the two beliefs.
    #[must_use]
    pub fn new(first: &BetaPosterior, second: &BetaPosterior) -> Self {
        let rule = Rule::new();
        let first = Cumulated::new(&rule, LogitBeta::new(first));
        Self { rule, first, second: LogitBeta::new(second) }
    }

    /// P(x/y ≤ `ratio`); 0 below 0.
    #[must_use]
    pub fn ratio_cdf(&self, ratio: f64) -> f64 {
        if ratio > 0.0 { self.log_ratio_cdf(libm::log(ratio)) } else { 0.0 }
    }

    /// P(x − y ≤ `difference`).
    #[must_use]
    pub fn difference_cdf(&self, difference: f64) -> f64 {
        // At 0 the ratio is as good and keeps all digits.
        if difference == 0.0 {
            return self.log_ratio_cdf(0.0);
        }
        self.expected(|t| {
            let rate = libm::exp(ln_rate(t)) + difference;
            if rate > 0.0 { libm::log(rate) } else { f64::NEG_INFINITY }
        })
    }

    /// The ratio below which x/y lies with probability `share`, held to [1e-9, 1 − 1e-9].
    #[must_use]
    pub fn ratio_quantile(&self, share: f64) -> f64 {
        let low = ln_rate(self.first.hump.low) - ln_rate(self.second.high);
        let high = ln_rate(self.first.hump.high) - ln_rate(self.second.low);
        libm::exp(inverse(|ln_ratio| self.log_ratio_cdf(ln_ratio), (low, high), share))
    }

    /// The difference below which x − y lies with probability `share`, held to [1e-9, 1 − 1e-9].
    #[must_use]
    pub fn difference_quantile(&self, share: f64) -> f64 {
        let rate = |t| libm::exp(ln_rate(t));
        let low = rate(self.first.hump.low) - rate(self.second.high);
        let high = rate(self.first.hump.high) - rate(self.second.low);
        inverse(|difference| self.difference_cdf(difference), (low, high), share)
    }

    fn log_ratio_cdf(&self, ln_ratio: f64) -> f64 {
        self.expected(|t| ln_rate(t) + ln_ratio)
    }

    /// ∫ f_y(t) F_x(bound(t)) dt, where `bound` gives the logarithm of the largest x for the y whose logit is t.
    fn expected(&self, bound: impl Fn(f64) -> f64) -> f64 {
        let mut open = panels(&self.second);
        let mut sum = 0.0;
        for _ in 0..MAX_PANELS {
            let Some((left, right)) = open.pop() else { break };
            let (middle, half) = (0.5 * (left + right), 0.5 * (right - left));
            let values = self.rule.nodes.map(|node| {
                let t = middle + half * node;
                self.second.density(t) * self.first.cdf(&self.rule, logit_of_ln(bound(t)))
            });
            let fine = self.rule.resolves(&values, half, self.second.noise + self.first.hump.noise);
            if fine || !Rule::can_halve(left, right) {
                sum += self.rule.integral(&values, half);
            } else {
                open.extend([(middle, right), (left, middle)]);
            }
        }
        sum.clamp(0.0, 1.0)
    }
}

/// The logarithm of the rate whose logit is `t`: also where the rate rounds to 0 or 1.
fn ln_rate(t: f64) -> f64 {
    if t < 0.0 { t - libm::log1p(libm::exp(t)) } else { -libm::log1p(libm::exp(-t)) }
}

/// The logit of the rate whose logarithm is `ln`; infinite from 1 on.
fn logit_of_ln(ln: f64) -> f64 {
    if ln < 0.0 { ln - libm::log(-libm::expm1(ln)) } else { f64::INFINITY }
}

/// A belief whose distribution function was summed up to the ends of its panels: one more costs one panel, not all.
struct Cumulated {
    hump: LogitBeta,
    /// Left end, right end, mass to the left; in order, without gaps.
    panels: Vec<(f64, f64, f64)>,
}

impl Cumulated {
    fn new(rule: &Rule, hump: LogitBeta) -> Self {
        let mut open = panels(&hump);
        let (mut done, mut below) = (Vec::with_capacity(open.len()), 0.0);
        while let Some((left, right)) = open.pop() {
            let (middle, half) = (0.5 * (left + right), 0.5 * (right - left));
            let values = hump.at_nodes(rule, middle, half);
            if rule.resolves(&values, half, hump.noise) || !Rule::can_halve(left, right) {
                done.push((left, right, below));
                below += rule.integral(&values, half);
            } else {
                open.extend([(middle, right), (left, middle)]);
            }
        }
        Self { hump, panels: done }
    }

    /// P(logit ≤ t).
    fn cdf(&self, rule: &Rule, t: f64) -> f64 {
        if t >= self.hump.high {
            return 1.0;
        }
        let place = self.panels.partition_point(|&(left, _, _)| left <= t);
        let Some(&(left, _, below)) = place.checked_sub(1).and_then(|at| self.panels.get(at)) else {
            return 0.0;
        };
        let half = 0.5 * (t - left);
        below + rule.integral(&self.hump.at_nodes(rule, left + half, half), half)
    }
}

/// The panels of a hump to begin with, last first.
fn panels(hump: &LogitBeta) -> Vec<(f64, f64)> {
    let mut cuts: Vec<f64> = hump.cuts().map(|(t, _)| t).collect();
    sort_by(&mut cuts, |a, b| b.total_cmp(a));
    let pairs = cuts.iter().skip(1).copied().zip(cuts.iter().copied());
    pairs.filter(|(left, right)| left < right).collect()
}

/// Where a rising function reaches `share`, between two points: halving and cutting the chord in turns. The chord alone
/// creeps where the function is flat, halving alone takes three times as many steps.
fn inverse(cdf: impl Fn(f64) -> f64, bracket: (f64, f64), share: f64) -> f64 {
    let share = share.clamp(1e-9, 1.0 - 1e-9);
    let (mut low, mut high) = bracket;
    let (mut at_low, mut at_high) = (0.0, 1.0);
    for step in 0..MAX_STEPS {
        let chord = low + (high - low) * ((share - at_low) / (at_high - at_low));
        let inside = step % 2 == 1 && low < chord && chord < high;
        let x = if inside { chord } else { low + 0.5 * (high - low) };
        let value = cdf(x);
        if (value - share).abs() < 1e-12 || high - low <= 1e-13 * low.abs().max(high.abs()) {
            return x;
        }
        if value < share {
            (low, at_low) = (x, value);
        } else {
            (high, at_high) = (x, value);
        }
    }
    low + 0.5 * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandit::p_best;
    use proptest::prelude::*;

    fn beta(a: f64, b: f64) -> BetaPosterior {
        BetaPosterior::new(a, b).unwrap()
    }

    #[test]
    fn two_flat_beliefs_have_a_closed_form() {
        // x, y uniform: P(x/y ≤ c) = c/2 up to 1, 1 − 1/(2c) beyond; P(x − y ≤ d) = 1 − (1 − d)²/2 for d ≥ 0.
        let contrast = Contrast::new(&BetaPosterior::UNTOUCHED, &BetaPosterior::UNTOUCHED);
        for c in [1e-9, 0.01, 0.3, 0.999, 1.0, 1.001, 4.0, 1e6] {
            let exact = if c <= 1.0 { 0.5 * c } else { 1.0 - 0.5 / c };
            assert!((contrast.ratio_cdf(c) - exact).abs() < 1e-11, "{c}: {}", contrast.ratio_cdf(c));
        }
        for d in [-1.0, -0.7, -0.001, 0.0, 0.2, 0.9, 1.0] {
            let below = 0.5 * (1.0 - f64::abs(d)) * (1.0 - f64::abs(d));
            let exact = if d < 0.0 { below } else { 1.0 - below };
            assert!(
                (contrast.difference_cdf(d) - exact).abs() < 1e-11,
                "{d}: {}",
                contrast.difference_cdf(d)
            );
        }
        assert!((contrast.ratio_quantile(0.25) - 0.5).abs() < 1e-10);
        assert!((contrast.difference_quantile(0.875) - 0.5).abs() < 1e-10);
    }

    /// Computed with 16 to 30 digits by arbitrary-precision quadrature over the rates themselves.
    #[test]
    fn ratios_and_differences_agree_with_known_values() {
        for (a, b, c, d, ratio, p_ratio, difference, p_difference) in [
            (51.0, 951.0, 41.0, 961.0, 1.5, 0.815_748_471_822_770_8, 0.02, 0.859_094_907_089_284_9),
            (3.0, 40.0, 1.0, 30.0, 2.0, 0.398_078_155_640_115_8, -0.01, 0.140_523_751_917_717_4),
            (0.5, 2.5, 4.0, 4.0, 0.4, 0.671_185_816_507_496_9, -0.3, 0.594_250_498_296_046_5),
            (
                2501.0,
                97_501.0,
                460.0,
                19_542.0,
                1.1,
                0.585_795_991_674_275_3,
                0.001,
                0.192_617_785_393_389_97,
            ),
        ] {
            let contrast = Contrast::new(&beta(a, b), &beta(c, d));
            let errors =
                [contrast.ratio_cdf(ratio) - p_ratio, contrast.difference_cdf(difference) - p_difference];
            assert!(errors.iter().all(|error| error.abs() < 1e-10), "{a} {b} {c} {d}: {errors:?}");
        }
    }

    #[test]
    fn a_narrow_belief_beside_a_wide_one_is_not_stepped_over() {
        // Beta(5e8, 5e8) is ½ to 1e-5: P(x ≤ ½·c) for the wide one.
        let contrast = Contrast::new(&beta(2.0, 1.0), &beta(5e8, 5e8));
        for c in [0.1, 0.5, 1.0, 1.7] {
            assert!((contrast.ratio_cdf(c) - 0.25 * c * c).abs() < 1e-8, "{c}");
        }
        let other_way = Contrast::new(&beta(5e8, 5e8), &beta(2.0, 1.0));
        // P(½ ≤ c·y) = 1 − (0.5/c)².
        for c in [0.6, 1.0, 3.0] {
            assert!((other_way.ratio_cdf(c) - 1.0 + 0.25 / (c * c)).abs() < 1e-8, "{c}");
        }
    }

    #[test]
    fn the_smallest_and_the_largest_shapes_have_an_answer() {
        for (a, b) in [(1e-12, 1e-12), (1e-12, 1e12), (1e12, 1e-12), (1e12, 1e12)] {
            for (c, d) in [(1.0, 1.0), (1e-12, 1e12), (3.0, 1e6)] {
                let contrast = Contrast::new(&beta(a, b), &beta(c, d));
                for found in [contrast.ratio_cdf(1.3), contrast.difference_cdf(0.1)] {
                    assert!((0.0..=1.0).contains(&found), "{a} {b} {c} {d}: {found}");
                }
                assert!(!contrast.difference_quantile(0.3).is_nan());
                assert!(!contrast.ratio_quantile(0.3).is_nan());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn being_larger_is_being_the_best_of_two(
            a in 0.3..3_000.0_f64, b in 0.3..3_000.0_f64, c in 0.3..3_000.0_f64, d in 0.3..3_000.0_f64
        ) {
            let larger = 1.0 - Contrast::new(&beta(a, b), &beta(c, d)).difference_cdf(0.0);
            prop_assert!((larger - p_best(&[beta(a, b), beta(c, d)])[0]).abs() < 1e-10);
        }

        #[test]
        fn quantiles_are_the_inverse_of_the_distribution(
            a in 0.5..500.0_f64, b in 0.5..5_000.0_f64, c in 0.5..500.0_f64, share in 0.001..0.999_f64
        ) {
            let contrast = Contrast::new(&beta(a, b), &beta(c, b));
            prop_assert!((contrast.ratio_cdf(contrast.ratio_quantile(share)) - share).abs() < 1e-9);
            prop_assert!((contrast.difference_cdf(contrast.difference_quantile(share)) - share).abs() < 1e-9);
        }

        #[test]
        fn turning_the_ratio_round_turns_the_shares_round(
            a in 0.5..500.0_f64, b in 0.5..5_000.0_f64, c in 0.5..500.0_f64, ratio in 0.1..10.0_f64
        ) {
            let (one, other) = (beta(a, b), beta(c, 100.0));
            let sum = Contrast::new(&one, &other).ratio_cdf(ratio) + Contrast::new(&other, &one).ratio_cdf(1.0 / ratio);
            prop_assert!((sum - 1.0).abs() < 1e-10);
        }
    }
}
