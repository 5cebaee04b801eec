//! Gauss–Legendre rule with 16 nodes that also integrates up to each node and knows when a panel is too wide;
//! what is integrated is the caller's business.
//! Exact for polynomials up to degree 31, so that a smooth hump needs few panels; one that is not resolved is halved by the
//! caller.

/// Nodes per panel.
pub(super) use crate::kernel::normal::NODES;

/// Positive nodes and their weights (Abramowitz & Stegun 1964, table 25.4), recomputed to full precision.
const HALF: [(f64, f64); NODES / 2] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_58),
    (0.458_016_777_657_227_37, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_8, 0.149_595_988_816_576_73),
    (0.755_404_408_355_003, 0.124_628_971_255_533_88),
    (0.865_631_202_387_831_8, 0.095_158_511_682_492_79),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_894),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_096),
];

/// Largest last coefficients of a panel's integral that are let pass; its error is far smaller.
const TOLERANCE: f64 = 1e-12;

/// The rule on [−1, 1] and what follows from it.
pub(super) struct Rule {
    /// Nodes, ascending.
    pub(super) nodes: [f64; NODES],
    /// Weights; they add up to 2.
    pub(super) weights: [f64; NODES],
    /// Column j: the integral from −1 to each node of the polynomial that is 1 at node j and 0 at the others.
    columns: [[f64; NODES]; NODES],
    /// Rows that give the last two coefficients of the Legendre series through 16 values.
    last: [[f64; NODES]; 2],
    /// Rows that give the polynomial through 16 values at −1 and at 1.
    ends: [[f64; NODES]; 2],
}

impl Rule {
    /// Builds the rule; some microseconds, so callers make one and keep it.
    ///
    /// A function through the nodes is Σ c_k P_k with c_k = (2k + 1)/2 · Σ_j w_j P_k(x_j) f_j, and the
    /// integral of P_k up to x is (P_{k+1}(x) − P_{k−1}(x)) / (2k + 1).
    pub(super) fn new() -> Self {
        let (mut nodes, mut weights) = ([0.0; NODES], [0.0; NODES]);
        let descending = HALF.iter().rev().map(|&(x, w)| (-x, w));
        for ((x, w), from) in nodes.iter_mut().zip(&mut weights).zip(descending.chain(HALF)) {
            (*x, *w) = from;
        }
        let mut columns = [[0.0; NODES]; NODES];
        for (column, w) in columns.iter_mut().zip(weights) {
            for (entry, x) in column.iter_mut().zip(nodes) {
                *entry = 0.5 * w * (1.0 + x);
            }
        }
        // P_{k−1} and P_k at all nodes, by the three-term recurrence.
        let (mut before, mut now) = ([1.0; NODES], nodes);
        let mut last = [[0.0; NODES]; 2];
        // P_k is (±1)^k at the ends.
        let (mut ends, mut sign) = ([weights.map(|w| 0.5 * w); 2], 1.0);
        for k in 1..NODES {
            let order = k as f64;
            let mut next = [0.0; NODES];
            for (((next, x), now), before) in next.iter_mut().zip(nodes).zip(now).zip(before) {
                *next = ((2.0 * order + 1.0) * x * now - order * before) / (order + 1.0);
            }
            for ((column, w), at_j) in columns.iter_mut().zip(weights).zip(now) {
                for ((entry, next), before) in column.iter_mut().zip(next).zip(before) {
                    *entry += 0.5 * w * at_j * (next - before);
                }
            }
            last.swap(0, 1);
            for ((entry, w), at_j) in last[1].iter_mut().zip(weights).zip(now) {
                *entry = (order + 0.5) * w * at_j;
            }
            sign = -sign;
            for ((at_left, at_right), coefficient) in zip_ends(&mut ends).zip(last[1]) {
                *at_left += sign * coefficient;
                *at_right += coefficient;
            }
            (before, now) = (now, next);
        }
        Self { nodes, weights, columns, last, ends }
    }

    /// Integral over a panel of half width `half`.
    pub(super) fn integral(&self, values: &[f64; NODES], half: f64) -> f64 {
        half * dot(&self.weights, values)
    }

    /// Integrals from the left end of the panel to each node.
    pub(super) fn up_to_nodes(&self, values: &[f64; NODES], half: f64) -> [f64; NODES] {
        let mut sums = [0.0; NODES];
        for (column, value) in self.columns.iter().zip(values) {
            let scaled = half * value;
            for (sum, entry) in sums.iter_mut().zip(column) {
                *sum += scaled * entry;
            }
        }
        sums
    }

    /// Whether the 16 values determine the integral up to any point of the panel to 1e-12, or to the `noise`
    /// of the values where that is more: then the last coefficients of the series have died out.
    pub(super) fn resolves(&self, values: &[f64; NODES], half: f64, noise: f64) -> bool {
        let [a, b] = &self.last;
        half * (dot(a, values).abs() + dot(b, values).abs()) <= TOLERANCE.max(noise)
    }

    /// What the polynomial through the values is at the ends of the panel: left, right.
    pub(super) fn at_ends(&self, values: &[f64; NODES]) -> (f64, f64) {
        let [left, right] = &self.ends;
        (dot(left, values), dot(right, values))
    }

    /// Whether there are numbers enough between two points to put nodes into two halves.
    pub(super) fn can_halve(left: f64, right: f64) -> bool {
        right - left > 1e-13 * left.abs().max(right.abs())
    }
}

/// Both rows entry by entry.
fn zip_ends(ends: &mut [[f64; NODES]; 2]) -> impl Iterator<Item = (&mut f64, &mut f64)> {
    let [left, right] = ends;
    left.iter_mut().zip(right)
}

/// In the order of the nodes, always: the same sum in the same order has the same bits everywhere.
fn dot(a: &[f64; NODES], b: &[f64; NODES]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integrals_of_the_exponential_are_exact_at_every_node() {
        let rule = Rule::new();
        let values = rule.nodes.map(libm::exp);
        let whole = libm::exp(1.0) - libm::exp(-1.0);
        assert!((rule.integral(&values, 1.0) - whole).abs() < 1e-15);
        for (sum, x) in rule.up_to_nodes(&values, 1.0).iter().zip(rule.nodes) {
            assert!((sum - (libm::exp(x) - libm::exp(-1.0))).abs() < 2e-15, "{x}");
        }
        assert!(rule.resolves(&values, 1.0, 0.0));
        let (left, right) = rule.at_ends(&values);
        assert!((left - libm::exp(-1.0)).abs() < 1e-14 && (right - libm::exp(1.0)).abs() < 1e-14);
    }

    #[test]
    fn a_hump_between_the_nodes_is_not_taken_for_resolved() {
        let rule = Rule::new();
        let values = rule.nodes.map(|x| libm::exp(-200.0 * x * x));
        assert!(!rule.resolves(&values, 1.0, 0.0));
    }
}
