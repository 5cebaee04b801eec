//! The exact probability that each of several independent normal scores is the largest: the weights of Thompson sampling
//! with context, by quadrature on the request path. Where scores come from is the caller's business.

mod alone;
mod sweep;

use crate::bandit::quadrature::Rule;
use crate::bandit::score::Score;
use crate::kernel::normal::Table;

/// A panel is cut again while the last coefficients of its series, or the ends that the series predicts, are off by more.
const TOLERANCE: f64 = 1e-10;

/// Panels at most, so that no input takes for ever: twenty ordinary arms need four.
const MAX_PANELS: usize = 4_096;

/// A quadrature made ready: for w_a = ∫ φ_a Π_{b≠a} Φ_b (Thompson 1933, doi:10.1093/biomet/25.3-4.285, as a rule; the
/// integral is that of the largest of independent variables).
///
/// Absolute error below 1e-10, for up to 100 arms; scores of the same mean without deviation tie, and the first wins.
/// Making one costs some ten microseconds.
/// ```
/// use edgeloom::bandit::{Largest, Score};
///
/// let largest = Largest::new();
/// let scores = [Score::new(0.3, 0.4), Score::new(0.0, 0.3)];
/// // For two arms there is a closed form: Φ((0.3 − 0.0) / √(0.4² + 0.3²)) = Φ(0.6).
/// assert!((largest.weight_of(&scores, 0) - 0.725_746_882_249_927).abs() < 1e-10);
/// assert!((largest.weights(&scores)[1] - 0.274_253_117_750_073).abs() < 1e-10);
/// ```
pub struct Largest {
    rule: Rule,
    table: Table,
}

impl Default for Largest {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Largest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Largest")
    }
}

impl Largest {
    /// Fills the tables.
    #[must_use]
    pub fn new() -> Self {
        Self { rule: Rule::new(), table: Table::new() }
    }

    /// P(this arm's score is the largest), in [0, 1]; 0 where there is no such arm.
    ///
    /// Costs some microseconds: rivals out of reach cost nothing, and what lies above all rivals has a closed form.
    #[must_use]
    pub fn weight_of(&self, scores: &[Score], arm: usize) -> f64 {
        let Some(own) = scores.get(arm) else { return 0.0 };
        if own.sd() == 0.0 {
            let wins = first_point(scores) == Some(arm);
            return if wins { self.below(scores, own.mean()) } else { 0.0 };
        }
        alone::weight(self, &alone::Field::new(scores, arm, own)).clamp(0.0, 1.0)
    }

    /// The same for all arms, in their order; they add up to 1 within rounding, and no scores give an empty list.
    ///
    /// Each comes out within 1e-10 of [`weight_of`](Self::weight_of). Costs some tens of microseconds for twenty arms, some
    /// milliseconds for a hundred.
    #[must_use]
    pub fn weights(&self, scores: &[Score]) -> Vec<f64> {
        let mut weights = sweep::weights(self, scores);
        let point = first_point(scores);
        for (arm, (weight, score)) in weights.iter_mut().zip(scores).enumerate() {
            if point == Some(arm) {
                *weight = self.below(scores, score.mean());
            }
        }
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        weights
    }

    /// P(all scores with a deviation lie below `point`).
    fn below(&self, scores: &[Score], point: f64) -> f64 {
        let spread = scores.iter().filter(|score| score.sd() > 0.0);
        spread
            .map(|score| self.table.cdf((point - score.mean()) / score.sd()))
            .product::<f64>()
            .clamp(0.0, 1.0)
    }
}

/// The position of the largest score without deviation; the first of equals.
fn first_point(scores: &[Score]) -> Option<usize> {
    let mut first: Option<(f64, usize)> = None;
    for (arm, score) in scores.iter().enumerate() {
        if score.sd() == 0.0 && first.is_none_or(|(mean, _)| score.mean() > mean) {
            first = Some((score.mean(), arm));
        }
    }
    first.map(|(_, arm)| arm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandit::sampler::normals;
    use crate::kernel::normal::{cdf, density};
    use crate::seed::Generator;
    use proptest::prelude::*;

    fn scores(pairs: &[(f64, f64)]) -> Vec<Score> {
        pairs.iter().map(|&(mean, sd)| Score::new(mean, sd)).collect()
    }

    /// The weights one by one and all at once must be these.
    fn compare(pairs: &[(f64, f64)], expected: &[f64]) -> f64 {
        let (largest, scores) = (Largest::new(), scores(pairs));
        let all = largest.weights(&scores);
        assert_eq!(all.len(), expected.len());
        let mut worst = 0.0_f64;
        for (arm, (all, expected)) in all.iter().zip(expected).enumerate() {
            let one = largest.weight_of(&scores, arm);
            worst = worst.max((one - expected).abs()).max((all - expected).abs());
            assert!(worst < 1e-10, "{pairs:?} arm {arm}: {one} and {all} instead of {expected}");
        }
        worst
    }

    /// The trapezoidal rule with a step of the smallest deviation / 8, over ten deviations: for an integrand as smooth as
    /// this one it converges so fast that nothing but rounding is left. No table, no pruning, no closed form.
    fn brute_force(pairs: &[(f64, f64)]) -> Vec<f64> {
        let least = pairs.iter().fold(f64::INFINITY, |least, &(_, sd)| least.min(sd));
        let low = pairs.iter().fold(f64::INFINITY, |low, &(mean, sd)| low.min(mean - 10.0 * sd));
        let high = pairs.iter().fold(f64::NEG_INFINITY, |high, &(mean, sd)| high.max(mean + 10.0 * sd));
        let step = least / 8.0;
        let mut sums = vec![0.0; pairs.len()];
        for k in 0..=libm::ceil((high - low) / step) as u32 {
            let x = low + step * f64::from(k);
            let below: Vec<f64> = pairs.iter().map(|&(mean, sd)| cdf((x - mean) / sd)).collect();
            for (arm, (sum, &(mean, sd))) in sums.iter_mut().zip(pairs).enumerate() {
                let others = below.iter().enumerate().filter(|(other, _)| *other != arm);
                *sum +=
                    step / sd * density((x - mean) / sd) * others.map(|(_, below)| below).product::<f64>();
            }
        }
        assert!((sums.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{pairs:?}: {sums:?}");
        sums
    }

    #[test]
    fn no_arm_one_arm_and_no_such_arm_have_an_answer() {
        let largest = Largest::new();
        assert_eq!(largest.weights(&[]), Vec::<f64>::new());
        assert_eq!(largest.weights(&scores(&[(3.0, 2.0)])), [1.0]);
        assert_eq!(largest.weight_of(&scores(&[(3.0, 2.0)]), 0), 1.0);
        assert_eq!(largest.weight_of(&scores(&[(3.0, 2.0)]), 1), 0.0);
    }

    #[test]
    fn all_reference_sets_agree() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/linear_logistic_golden.json");
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: no ../shared");
            return;
        };
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let numbers = |value: &serde_json::Value| serde_json::from_value::<Vec<f64>>(value.clone()).unwrap();
        let sets = file["gaussian_p_best"].as_object().unwrap();
        assert!(!sets.is_empty());
        for (name, set) in sets {
            let pairs: Vec<_> = numbers(&set["mean"]).into_iter().zip(numbers(&set["sd"])).collect();
            println!("{name}: largest difference {:.1e}", compare(&pairs, &numbers(&set["p_best"])));
        }
    }

    #[test]
    fn any_arms_agree_with_brute_force() {
        let mut generator = Generator::new(21);
        let mut worst = 0.0_f64;
        for n_arms in [2, 3, 5, 8, 13] {
            // Deviations alike, and deviations over two powers of ten.
            for spread in [0.3, 1.0, 2.0] {
                for _ in 0..4 {
                    let mut arm = || (3.0 * generator.unit(), libm::exp10(-spread * generator.unit()));
                    let pairs: Vec<_> = (0..n_arms).map(|_| arm()).collect();
                    worst = worst.max(compare(&pairs, &brute_force(&pairs)));
                }
            }
        }
        println!("largest difference from brute force: {worst:.1e}");
    }

    #[test]
    fn a_hundred_arms_agree_with_brute_force() {
        let mut generator = Generator::new(22);
        let pairs: Vec<_> = (0..100).map(|_| (generator.unit(), 0.2 + 0.2 * generator.unit())).collect();
        println!("largest difference: {:.1e}", compare(&pairs, &brute_force(&pairs)));
    }

    #[test]
    fn two_arms_have_their_closed_form_at_any_ratio_of_deviations() {
        let mut worst = 0.0_f64;
        for exponent in -12..=12 {
            let sd = libm::exp10(f64::from(exponent));
            for gap in [-4.0, -1.0, -0.1, 0.0, 1e-3, 0.7, 2.5, 7.0] {
                let gap = gap * (1.0 + sd * sd).sqrt();
                let first = cdf(gap / (1.0 + sd * sd).sqrt());
                worst = worst.max(compare(&[(gap, 1.0), (0.0, sd)], &[first, 1.0 - first]));
            }
        }
        println!("largest difference from Φ: {worst:.1e}");
    }

    #[test]
    fn a_new_arm_among_many_known_ones_is_right() {
        // Nineteen narrow scores, one that is a hundred times as wide: the narrow ones fill one step of the wide one.
        let mut pairs: Vec<_> = (0..19).map(|k| (0.05 + 1e-4 * f64::from(k), 1e-3)).collect();
        pairs.push((0.05, 0.1));
        compare(&pairs, &brute_force(&pairs));
    }

    #[test]
    fn points_win_by_value_and_ties_by_position() {
        compare(&[(1.0, 0.0), (1.0, 0.0), (0.5, 0.0)], &[1.0, 0.0, 0.0]);
        compare(&[(0.5, 0.0), (1.0, 0.0), (1.0, 0.0)], &[0.0, 1.0, 0.0]);
        // A point against a normal score: P(N(0, 1) < 1) = Φ(1).
        compare(&[(1.0, 0.0), (0.0, 1.0), (0.5, 0.0)], &[cdf(1.0), cdf(-1.0), 0.0]);
        // Two normal scores: the point wins with Φ(0)², the others share the rest.
        compare(&[(0.0, 1.0), (0.0, 0.0), (0.0, 2.0)], &two_and_a_point());
    }

    /// ∫_0^∞ φ(x) Φ(x/2) dx = 1/4 + atan(1/2)/(2π) (Owen 1956, doi:10.1214/aoms/1177728074), and the rest.
    fn two_and_a_point() -> [f64; 3] {
        let first = 0.25 + libm::atan(0.5) / (2.0 * std::f64::consts::PI);
        [first, 0.25, 0.75 - first]
    }

    #[test]
    fn draws_follow_the_weights() {
        let scores = scores(&[(0.05, 0.01), (0.055, 0.004), (0.048, 0.02), (0.06, 0.0)]);
        let (weights, n) = (Largest::new().weights(&scores), 100_000);
        let (mut generator, mut counts) = (Generator::new(5), [0.0; 4]);
        for _ in 0..n {
            let mut best = (f64::NEG_INFINITY, 0);
            for (arm, score) in scores.iter().enumerate() {
                let draw = score.mean() + score.sd() * normals(&mut generator).0;
                best = if draw > best.0 { (draw, arm) } else { best };
            }
            counts[best.1] += 1.0;
        }
        let expected = weights.iter().map(|weight| weight * f64::from(n));
        let found: f64 = counts.iter().zip(expected).map(|(n, e)| (n - e) * (n - e) / e).sum();
        // χ²(3) > 27.0 has probability 5.9e-6.
        assert!(found < 27.0, "{found}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_scores_give_a_distribution(
            pairs in prop::collection::vec((-12.0..12.0_f64, -12.0..12.0_f64, any::<bool>()), 1..9)
        ) {
            let score = |&(mean, exponent, point): &(f64, f64, bool)| {
                Score::new(mean, if point { 0.0 } else { libm::exp10(exponent) })
            };
            let scores: Vec<_> = pairs.iter().map(score).collect();
            let largest = Largest::new();
            let raw: f64 = (0..scores.len()).map(|arm| largest.weight_of(&scores, arm)).sum();
            prop_assert!((raw - 1.0).abs() < 1e-10, "{scores:?}: {:e}", raw - 1.0);
            let all = largest.weights(&scores);
            for (arm, weight) in all.iter().enumerate() {
                let one = largest.weight_of(&scores, arm);
                prop_assert!((weight - one).abs() < 1e-10, "{scores:?} {arm}: {weight} {one}");
            }
        }

        #[test]
        fn permuting_arms_permutes_their_weights(
            pairs in prop::collection::vec((0.0..3.0_f64, 0.01..2.0_f64), 2..9), turn in 0_usize..9
        ) {
            let (largest, ahead) = (Largest::new(), scores(&pairs));
            let mut turned = ahead.clone();
            let turn = turn % pairs.len();
            turned.rotate_left(turn);
            let mut weights = largest.weights(&ahead);
            weights.rotate_left(turn);
            for (arm, (a, b)) in largest.weights(&turned).iter().zip(&weights).enumerate() {
                prop_assert!((a - b).abs() < 1e-11 && (largest.weight_of(&turned, arm) - b).abs() < 1e-10);
            }
        }

        #[test]
        fn a_higher_mean_never_makes_an_arm_less_likely(
            pairs in prop::collection::vec((0.0..3.0_f64, 0.01..2.0_f64), 2..9), more in 0.0..1.0_f64
        ) {
            let largest = Largest::new();
            let before = largest.weight_of(&scores(&pairs), 0);
            let mut better = pairs.clone();
            better[0].0 += more;
            prop_assert!(largest.weight_of(&scores(&better), 0) >= before - 1e-10);
        }

        #[test]
        fn scale_and_origin_do_not_matter(
            pairs in prop::collection::vec((0.0..3.0_f64, 0.01..2.0_f64), 2..6), scale in 1e-6..1e6_f64
        ) {
            let largest = Largest::new();
            let moved: Vec<_> = pairs.iter().map(|(mean, sd)| (scale * (mean - 1.0), scale * sd)).collect();
            for arm in 0..pairs.len() {
                let (a, b) = (largest.weight_of(&scores(&pairs), arm), largest.weight_of(&scores(&moved), arm));
                prop_assert!((a - b).abs() < 1e-10);
            }
        }

        #[test]
        fn no_numbers_stop_it(bits in prop::collection::vec((any::<u64>(), any::<u64>()), 1..5)) {
            let score = |&(mean, sd): &(u64, u64)| Score::new(f64::from_bits(mean), f64::from_bits(sd));
            let scores: Vec<_> = bits.iter().map(score).collect();
            let weights = Largest::new().weights(&scores);
            prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{scores:?} {weights:?}");
            prop_assert!((0.0..=1.0).contains(&Largest::new().weight_of(&scores, 0)));
        }
    }

    #[test]
    #[ignore = "a timing, which decides nothing"]
    #[allow(clippy::disallowed_methods, reason = "measures")]
    fn timing() {
        let mut generator = Generator::new(3);
        for (name, n_arms, spread) in [("20 alike", 20, 0.0), ("20 mixed", 20, 1.0), ("100 alike", 100, 0.0)]
        {
            let sets: Vec<Vec<Score>> = (0..50)
                .map(|_| {
                    let mut arm =
                        || Score::new(generator.unit(), 0.4 * libm::exp10(-spread * generator.unit()));
                    (0..n_arms).map(|_| arm()).collect()
                })
                .collect();
            let largest = Largest::new();
            let mut sum = 0.0;
            let start = std::time::Instant::now();
            for (k, set) in sets.iter().enumerate() {
                sum += largest.weight_of(set, k % n_arms);
            }
            let one = start.elapsed().as_nanos() / 50;
            let start = std::time::Instant::now();
            for set in &sets {
                sum += largest.weights(set)[0];
            }
            println!("{name}: one {one} ns, all {} ns ({sum})", start.elapsed().as_nanos() / 50);
        }
    }
}
