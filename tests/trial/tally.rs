//! How often each arm was chosen, against the propensities that were logged: counting and testing, nothing else.
//!
//! # What is compared
//!
//! Only what receipts say. Decisions are sorted into *cells* in which every propensity is one number: the same slot, kind of visit,
//! candidates, arms taken by earlier slots, history, side of the holdout. A cell with n decisions has n·p_a of arm a. Cells of a
//! *group* are independent given the numbers of their decisions, or martingale differences where a visitor's next cell depends on the
//! last choice, so that their statistics are added up:
//!
//! - Pearson's χ² over all cells of a group, for arms of which [`LEAST`] are expected; rarer ones of a cell are taken together.
//! - For each arm Σ(1{a} − p_a), and Σ(1{a}/p_a − 1): small faults that all cells have in common, and inverse weights that do not
//!   average one. By Bernstein's inequality (1946; Boucheron, Lugosi & Massart 2013, section 2.8, for martingales Freedman 1975,
//!   doi:10.1214/aop/1176996452) P(|S| ≥ s) ≤ 2·exp(−s²/2 / (V + b·s/3)), with V the sum of the variances and b the largest term: a
//!   bound, so that false alarms are at most as many as stated.
//! - That an arm has one propensity in a cell, that those found add up to 1 at most, and that what is missing of it would not have
//!   been seen: (1 − Σp)^n.

use edgeloom::measure::chi_square_survival;
use std::collections::BTreeMap;

/// Least expected number of a category of χ². It is approximate, and with fifty good to the fifth standard deviation.
const LEAST: f64 = 50.0;

/// What decides about propensities; equal cells have equal ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Decisions of which group: within it no visitor counts twice, unless every view draws anew.
    pub group: (usize, u64),
    /// Everything else, hashed.
    pub cell: u64,
}

/// The decisions of one cell.
#[derive(Default)]
struct Cell {
    n: u64,
    /// How often, and with which propensity; `None` for an arm that was never chosen.
    arms: Vec<(u64, Option<f64>)>,
}

/// Counted decisions.
#[derive(Default)]
pub struct Tally {
    cells: BTreeMap<Key, Cell>,
    /// Arms that had two propensities in a cell: what a cell is told by is too little, or the log is wrong.
    mixed: BTreeMap<usize, String>,
}

/// One test, and how probable a finding like its own is in a sound log: that much at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub what: String,
    pub p_value: f64,
}

impl Tally {
    /// Counts a choice with its logged propensity.
    pub fn add(&mut self, key: Key, arm: usize, propensity: f64) {
        let cell = self.cells.entry(key).or_default();
        if cell.arms.len() <= arm {
            cell.arms.resize(arm + 1, (0, None));
        }
        cell.n += 1;
        let (n, known) = &mut cell.arms[arm];
        *n += 1;
        let known = *known.get_or_insert(propensity);
        // To the last bit: nothing but the cell decides about it.
        if known.to_bits() != propensity.to_bits() {
            let what = format!("arm {arm} of slot {} has {known} and {propensity} in one cell", key.group.0);
            self.mixed.entry(key.group.0).or_insert(what);
        }
    }

    /// Number of decisions counted.
    pub fn n(&self) -> u64 {
        self.cells.values().map(|cell| cell.n).sum()
    }

    /// All tests; slots are named by `name`.
    pub fn findings(&self, name: impl Fn(usize) -> String) -> Vec<Finding> {
        let mut groups: BTreeMap<(usize, u64), Group> = BTreeMap::new();
        for (key, cell) in &self.cells {
            groups.entry(key.group).or_default().add(cell);
        }
        let impossible = |what: &String| Finding { what: what.clone(), p_value: 0.0 };
        let mut findings: Vec<Finding> = self.mixed.values().map(impossible).collect();
        for ((slot, view), group) in &groups {
            let name = format!("{} view {view}", name(*slot));
            findings.extend(group.findings(&name));
        }
        findings
    }
}

/// Sums over the cells of a group.
#[derive(Default)]
struct Group {
    chi_square: f64,
    degrees: f64,
    /// Least probability that a cell's missing share stayed unseen, and how many cells had one.
    unseen: Option<f64>,
    n_unseen: f64,
    /// Largest sum of propensities.
    most: f64,
    arms: BTreeMap<usize, Arm>,
}

/// Sums over the cells in which an arm was chosen.
#[derive(Default)]
struct Arm {
    /// Σ(1{a} − p), its variance Σp(1 − p).
    count: [f64; 2],
    /// Σ(1{a}/p − 1), its variance Σ(1/p − 1), and the largest 1/p.
    inverse: [f64; 3],
}

impl Group {
    fn add(&mut self, cell: &Cell) {
        let n = cell.n as f64;
        let chosen =
            || cell.arms.iter().enumerate().filter_map(|(arm, (k, p))| Some((arm, *k as f64, (*p)?)));
        let sum: f64 = chosen().map(|(_, _, p)| p).sum();
        self.most = self.most.max(sum);
        let missing = (1.0 - sum).max(0.0);
        // Rounding of quadratures is no missing arm.
        if missing > 1e-9 {
            let unseen = libm::exp(n * libm::log1p(-missing));
            self.unseen = Some(self.unseen.map_or(unseen, |least| least.min(unseen)));
            self.n_unseen += 1.0;
        }
        let mut categories = Vec::new();
        let mut rare = [0.0, n * missing];
        for (arm, k, p) in chosen() {
            if n * p >= LEAST {
                categories.push([k, n * p]);
            } else {
                rare = [rare[0] + k, rare[1] + n * p];
            }
            let sums = self.arms.entry(arm).or_default();
            sums.count = [sums.count[0] + k - n * p, sums.count[1] + n * p * (1.0 - p)];
            let [sum, variance, most] = sums.inverse;
            sums.inverse = [sum + k / p - n, variance + n * (1.0 / p - 1.0), most.max(1.0 / p)];
        }
        if rare[1] >= LEAST {
            categories.push(rare);
        }
        if categories.len() > 1 || rare[1] > 0.0 {
            self.chi_square += categories.iter().map(|[k, e]| (k - e) * (k - e) / e).sum::<f64>();
            // Where rare ones are left out nothing makes the others add up.
            let is_whole = rare[1] == 0.0 || rare[1] >= LEAST;
            self.degrees += categories.len() as f64 - if is_whole { 1.0 } else { 0.0 };
        }
    }

    fn findings(&self, name: &str) -> Vec<Finding> {
        let finding = |what: String, p_value| Finding { what: format!("{name}: {what}"), p_value };
        let mut findings = Vec::new();
        if self.degrees > 0.0 {
            let p_value = chi_square_survival(self.chi_square, self.degrees);
            findings.push(finding(format!("χ² {:.1} of {}", self.chi_square, self.degrees), p_value));
        }
        if self.most > 1.0 + 1e-6 {
            findings.push(finding(format!("propensities add up to {}", self.most), 0.0));
        }
        if let Some(unseen) = self.unseen {
            let p_value = (unseen * self.n_unseen).min(1.0);
            findings.push(finding("an arm that nobody got".into(), p_value));
        }
        for (arm, Arm { count: [sum, variance], inverse: [of_inverse, of_variance, most] }) in &self.arms {
            let what = format!("arm {arm} {sum:+.0}, σ {:.0}", variance.sqrt());
            findings.push(finding(what, bernstein(*sum, *variance, 1.0)));
            let what = format!("arm {arm} Σ1/p {of_inverse:+.0}, σ {:.0}", of_variance.sqrt());
            findings.push(finding(what, bernstein(*of_inverse, *of_variance, *most)));
        }
        findings
    }
}

/// P(|S| ≥ s) for a sum of independent terms or martingale differences with this variance and this largest term: a bound.
fn bernstein(sum: f64, variance: f64, most: f64) -> f64 {
    let s = sum.abs();
    // What is certain is right but for rounding.
    if s < 1e-6 { 1.0 } else { (2.0 * libm::exp(-0.5 * s * s / (variance + most * s / 3.0))).min(1.0) }
}

/// A count of n against a share: for who takes part, and who is held out.
pub fn share(what: String, (count, n): (u64, u64), expected: f64) -> Finding {
    let (count, n) = (count as f64, n as f64);
    let what = format!("{what}: {count} of {n}, {:.0} expected", n * expected);
    Finding { what, p_value: bernstein(count - n * expected, n * expected * (1.0 - expected), 1.0) }
}
