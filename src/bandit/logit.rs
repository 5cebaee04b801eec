//! The density of a Beta posterior over t = logit(rate): smooth, one hump, and in range where the rate itself
//! underflows. The numeric core of `posterior` and `propensity`; knows nothing of several arms.

use crate::bandit::posterior::BetaPosterior;
use crate::bandit::quadrature::{NODES, Rule};
use crate::sorted::sort_by;

/// Beyond the points where the density has fallen to e^−40 ≈ 4e-18 of its peak it counts as 0.
const DROP: f64 = 40.0;

/// Panels per side of the hump to begin with: 9 σ / 5 where it is bell-shaped.
const PIECES: u8 = 5;

/// Logarithm of √(2π).
const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_8;

/// Beta(α, β) seen through t = ln(x / (1 − x)), measured from its mode.
///
/// With n = α + β, p = α/n and u = t − ln(α/β) the density is peak · exp(−n·(ln(1 + p·(e^u − 1)) − p·u)).
/// The form around the mode keeps its digits where α·ln x + β·ln(1 − x) − ln B(α, β) would lose ten of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogitBeta {
    /// α + β.
    n: f64,
    /// The smaller of α/n and β/n; cancellation is worst on the other side.
    p: f64,
    /// 1, or −1 where α > β and the axis is mirrored.
    direction: f64,
    /// Density at the mode.
    peak: f64,
    /// Where the density is largest.
    pub(super) mode: f64,
    /// Lower end of what counts.
    pub(super) low: f64,
    /// Upper end of what counts.
    pub(super) high: f64,
    /// Least error of an integral that rounding of t allows.
    pub(super) noise: f64,
    /// Where a side that falls slowly turns into one that falls fast, if there is such a point.
    knee: Option<f64>,
}

impl LogitBeta {
    /// Finds peak, ends and knee; α and β are between the limits that [`BetaPosterior`] keeps.
    pub(super) fn new(posterior: &BetaPosterior) -> Self {
        let (alpha, beta) = (posterior.alpha(), posterior.beta());
        let n = alpha + beta;
        let mode = libm::log(alpha / beta);
        // 1/σ², the curvature at the mode.
        let curvature = alpha / n * beta;
        let stirling = stirling_rest(n) - stirling_rest(alpha) - stirling_rest(beta);
        let mut density = Self {
            n,
            p: alpha.min(beta) / n,
            direction: if alpha > beta { -1.0 } else { 1.0 },
            peak: curvature.sqrt() * libm::exp(stirling - LN_SQRT_2_PI),
            mode,
            low: mode,
            high: mode,
            noise: 4.0 * f64::EPSILON * (1.0 + mode.abs()) * curvature.sqrt(),
            knee: None,
        };
        if alpha.min(beta) < 1.0 {
            density.knee = Some(libm::log(alpha.max(1.0)) - libm::log(beta.max(1.0)));
        }
        // A normal density has fallen by 40 at √80 ≈ 9 σ.
        let nine_sigma = 9.0 / curvature.sqrt();
        density.low = mode - density.reach(-1.0, nine_sigma);
        density.high = mode + density.reach(1.0, nine_sigma);
        density
    }

    /// How far the logarithm of the density lies below its peak at distance `u` from the mode, ≥ 0.
    fn drop(&self, u: f64) -> f64 {
        let (u, p) = (u * self.direction, self.p);
        // e^700 is the end of f64; long before it only the term with e^u is left.
        let log = if u < 700.0 { libm::log1p(p * libm::expm1(u)) } else { u + libm::log(p) };
        self.n * (log - p * u)
    }

    /// A distance on one `side` (−1 or 1) of the mode at which the density has fallen by 40 to 48.
    fn reach(&self, side: f64, guess: f64) -> f64 {
        let (mut inside, mut outside) = (0.0, guess);
        // From the guess to the widest possible support (40/MIN_SHAPE) is less than 2^50.
        for _ in 0..64 {
            if self.drop(side * outside) >= DROP {
                break;
            }
            (inside, outside) = (outside, 2.0 * outside);
        }
        for _ in 0..64 {
            if self.drop(side * outside) <= 1.2 * DROP {
                break;
            }
            let middle = 0.5 * (inside + outside);
            if self.drop(side * middle) >= DROP {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        outside
    }

    /// Density per unit of t.
    pub(super) fn density(&self, t: f64) -> f64 {
        self.peak * libm::exp(-self.drop(t - self.mode))
    }

    /// Whether the density counts somewhere between `from` and `to`.
    pub(super) fn meets(&self, from: f64, to: f64) -> bool {
        self.low < to && from < self.high
    }

    /// Where to cut the hump into panels to begin with, each with the width of the panels around it; not
    /// sorted.
    pub(super) fn cuts(&self) -> impl Iterator<Item = (f64, f64)> {
        let mode = self.mode;
        let part = move |k, end: f64| {
            let width = (end - mode) / f64::from(PIECES);
            (mode + f64::from(k) * width, width.abs())
        };
        let (low, high) = (self.low, self.high);
        let sides = (0..=PIECES).flat_map(move |k| [part(k, low), part(k, high)]);
        // A tail of the width 1/α has its knee within some units of t: nodes 1/α apart would step over it.
        let knees = self
            .knee
            .into_iter()
            .flat_map(|t| [-36.0, -12.0, -4.0, 4.0, 12.0, 36.0].map(|step| (t + step, 8.0)));
        sides.chain(knees.filter(move |(t, _)| low < *t && *t < high))
    }

    /// Densities at the nodes of the panel.
    pub(super) fn at_nodes(&self, rule: &Rule, middle: f64, half: f64) -> [f64; NODES] {
        rule.nodes.map(|x| self.density(middle + half * x))
    }

    /// P(logit(rate) ≤ t).
    pub(super) fn cdf(&self, rule: &Rule, t: f64) -> f64 {
        // From the nearer end: what is summed is small, and so is its error.
        if t <= self.mode {
            return self.mass(rule, self.low, t).min(1.0);
        }
        1.0 - self.mass(rule, t, self.high).min(1.0)
    }

    /// The t with P(logit(rate) ≤ t) = `share`: Newton steps, halving where one leaves the bracket.
    pub(super) fn quantile(&self, rule: &Rule, share: f64) -> f64 {
        let (mut low, mut high, mut t) = (self.low, self.high, self.mode);
        // Halving alone narrows any bracket to rounding within 110 steps (1e14 wide, 1e-16 exact).
        for _ in 0..128 {
            let error = self.cdf(rule, t) - share;
            if error.abs() < 1e-14 {
                break;
            }
            if error < 0.0 {
                low = t;
            } else {
                high = t;
            }
            let newton = t - error / self.density(t);
            let next = if low < newton && newton < high { newton } else { 0.5 * (low + high) };
            if (next - t).abs() <= f64::EPSILON * (1.0 + t.abs()) {
                break;
            }
            t = next;
        }
        t
    }

    /// Integral of the density between two points.
    fn mass(&self, rule: &Rule, from: f64, to: f64) -> f64 {
        if from >= self.high || to <= self.low {
            return 0.0;
        }
        let (from, to) = (from.max(self.low), to.min(self.high));
        // Not `clamp`: its panic would bring the code that writes floats into the wasm.
        let mut cuts: Vec<f64> = self.cuts().map(|(t, _)| t.max(from).min(to)).chain([from, to]).collect();
        sort_by(&mut cuts, |a, b| b.total_cmp(a));
        let mut open: Vec<_> = cuts.iter().skip(1).copied().zip(cuts.iter().copied()).collect();
        let mut sum = 0.0;
        while let Some((left, right)) = open.pop() {
            let half = 0.5 * (right - left);
            if half <= 0.0 {
                continue;
            }
            let middle = left + half;
            let values = self.at_nodes(rule, middle, half);
            if rule.resolves(&values, half, self.noise) || !Rule::can_halve(left, right) {
                sum += rule.integral(&values, half);
            } else {
                open.extend([(middle, right), (left, middle)]);
            }
        }
        sum
    }
}

/// ln Γ(z) − ((z − ½)·ln z − z + ½·ln 2π), the rest of Stirling's formula, for z > 0.
///
/// Series 6.1.41 of Abramowitz & Stegun (1964) from 10 on, where eight digits beyond f64 are left over after
/// six terms; below, steps of Γ(z + 1) = z·Γ(z).
fn stirling_rest(z: f64) -> f64 {
    let (mut z, mut steps) = (z, 0.0);
    while z < 10.0 {
        steps += (z + 0.5) * libm::log1p(1.0 / z) - 1.0;
        z += 1.0;
    }
    let s = 1.0 / (z * z);
    let series = 1.0 / 12.0
        - s * (1.0 / 360.0
            - s * (1.0 / 1260.0 - s * (1.0 / 1680.0 - s * (1.0 / 1188.0 - s * (691.0 / 360_360.0)))));
    steps + series / z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_density_has_the_mass_one() {
        let rule = Rule::new();
        for a in [1e-12, 1e-7, 1e-3, 0.2, 1.0, 3.5, 60.0, 1e4, 1e7, 1e12] {
            for b in [1e-12, 1e-5, 0.01, 0.5, 1.0, 9.0, 777.0, 1e5, 1e9, 1e12] {
                let density = LogitBeta::new(&BetaPosterior::new(a, b).unwrap());
                let mass = density.mass(&rule, f64::NEG_INFINITY, f64::INFINITY);
                assert!((mass - 1.0).abs() < 2e-12 + 4.0 * density.noise, "{a} {b}: {:e}", mass - 1.0);
            }
        }
    }

    #[test]
    fn the_rest_of_stirlings_formula_is_that_of_the_factorials() {
        let mut ln_factorial = 0.0;
        for k in 1..30_u32 {
            let z = f64::from(k);
            let exact = ln_factorial - ((z - 0.5) * libm::log(z) - z + LN_SQRT_2_PI);
            assert!((stirling_rest(z) - exact).abs() < 1e-13, "{k}");
            ln_factorial += libm::log(z);
        }
    }
}
