//! The rows of one slot with one goal, in the order of time, with numbers for names: what all parts of a report read.

use super::rows::LogRow;
use edgeloom::seed::{Purpose, hash};
use std::collections::{BTreeMap, BTreeSet};

/// One day, milliseconds.
pub const DAY_MILLIS: u64 = 86_400_000;
/// Share of intervals that hold the truth.
pub const LEVEL: f64 = 0.95;

/// What is counted as the reward of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// 1 where the goal was reached.
    Rate,
    /// What it was worth.
    Value,
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub struct View<'r> {
    /// As it was read.
    pub row: &'r LogRow,
    /// Hash of the visitor; of the row itself where nobody knows them.
    pub unit: u64,
    /// Days since the epoch.
    pub day: u64,
    /// Position of the arm among those that were shown.
    pub arm: Option<usize>,
    /// Position of its set of candidates; 0 where nobody noted them.
    pub set: usize,
    /// Views that were rewarded.
    pub n: u32,
    /// What they were worth together.
    pub value: f64,
}

impl View<'_> {
    /// What each view of the row was worth: some of them the first number, the others nothing.
    pub fn rewards(&self, metric: Metric) -> [(u32, f64); 2] {
        let each = match metric {
            Metric::Rate => 1.0,
            Metric::Value => self.value / f64::from(self.n.max(1)),
        };
        [(self.n, each), (self.row.exposures - self.n.min(self.row.exposures), 0.0)]
    }

    /// Views.
    pub fn exposures(&self) -> u64 {
        u64::from(self.row.exposures)
    }

    /// Units and rewards of the views; each view of a shared decision is a visitor of its own.
    pub fn each(&self, metric: Metric) -> impl Iterator<Item = (u64, f64)> {
        let unit = self.unit;
        let rewards = self.rewards(metric).into_iter().flat_map(|(n, reward)| (0..n).map(move |_| reward));
        (0_u64..).zip(rewards).map(move |(nth, reward)| (unit.wrapping_add(nth), reward))
    }
}

/// All rows of a slot with a goal.
#[derive(Debug)]
pub struct Views<'r> {
    /// Name of the slot.
    pub slot: &'r str,
    /// Name of the goal.
    pub goal: &'r str,
    /// The rows, oldest first.
    pub all: Vec<View<'r>>,
    /// Names of the arms that were shown, sorted.
    pub arms: Vec<&'r str>,
    /// Sets of candidates, as positions among `arms`; the first one is empty and stands for all of them.
    pub sets: Vec<Vec<usize>>,
}

impl<'r> Views<'r> {
    /// The rows of a slot with a goal.
    pub fn new(slot: &'r str, goal: &'r str, rows: &[&'r LogRow]) -> Self {
        let shown = rows.iter().filter(|row| !row.held_out).filter_map(|row| row.arm.as_deref());
        let arms: Vec<&str> = shown.collect::<BTreeSet<_>>().into_iter().collect();
        let (mut sets, mut places) = (vec![Vec::new()], BTreeMap::new());
        let place = |arm: &str| arms.binary_search(&arm).ok();
        let mut all: Vec<View<'r>> = Vec::with_capacity(rows.len());
        for row in rows {
            let set = row.candidates.as_ref().map_or(0, |names| {
                let set: BTreeSet<usize> = names.iter().filter_map(|name| place(name)).collect();
                let set: Vec<usize> = set.into_iter().collect();
                *places.entry(set.clone()).or_insert_with(|| {
                    sets.push(set);
                    sets.len() - 1
                })
            });
            let (n, value) = row.rewards.get(goal).map_or((0, 0.0), |reward| (reward.n, reward.value));
            all.push(View {
                row,
                unit: hash(Purpose::Unit, &[row.unit.as_deref().unwrap_or(&row.row).as_bytes()]),
                day: row.time_millis / DAY_MILLIS,
                arm: row.arm.as_deref().and_then(place),
                set,
                n,
                value,
            });
        }
        all.sort_by(|a, b| a.row.time_millis.cmp(&b.row.time_millis).then_with(|| a.row.row.cmp(&b.row.row)));
        Self { slot, goal, all, arms, sets }
    }

    /// Rows in which an arm was shown.
    pub fn shown(&self) -> impl Iterator<Item = &View<'r>> {
        self.all.iter().filter(|view| !view.row.held_out && view.arm.is_some())
    }

    /// Rows in which arms can be compared: where nobody noted the candidates and the only possible arm was shown, there was
    /// nothing to choose, and other arms, which may have been closed to that visitor, are not missing there. Where nothing else
    /// is logged, all count.
    pub fn comparable(&self) -> Vec<&View<'r>> {
        let has_choice = |view: &&View<'r>| view.set > 0 || view.row.propensity < 1.0;
        let some: Vec<&View<'r>> = self.shown().filter(has_choice).collect();
        if some.is_empty() { self.shown().collect() } else { some }
    }

    /// The set of candidates with the most views among those that leave a choice: only arms that could be chosen in the same
    /// decisions can be compared all at once.
    pub fn usual_set(&self, rows: &[&View<'_>]) -> usize {
        let mut sets: BTreeMap<usize, u64> = BTreeMap::new();
        let has_choice = |set: usize| self.sets.get(set).is_some_and(|arms| set == 0 || arms.len() > 1);
        for view in rows.iter().filter(|view| has_choice(view.set)) {
            *sets.entry(view.set).or_default() += view.exposures();
        }
        let most = sets.iter().max_by_key(|(set, n)| (**n, std::cmp::Reverse(**set)));
        most.map_or(0, |(set, _)| *set)
    }

    /// Rows that tell of visitors with consent, on one of the two sides that are compared.
    pub fn own(&self) -> impl Iterator<Item = &View<'r>> {
        self.all.iter().filter(|view| !view.row.shared && view.row.arm.is_some())
    }

    /// Whether values say more than that there was a reward.
    pub fn has_values(&self) -> bool {
        let rewarded = || self.all.iter().filter(|view| view.n > 0);
        rewarded().any(|view| view.value != 0.0)
            && rewarded().any(|view| (view.value - f64::from(view.n)).abs() > 1e-9)
    }

    /// Time of the first and of the last row, milliseconds since the epoch.
    pub fn span(&self) -> (u64, u64) {
        let time = |view: Option<&View<'r>>| view.map_or(0, |view| view.row.time_millis);
        (time(self.all.first()), time(self.all.last()))
    }

    /// Length of the log in days, an hour at least.
    pub fn n_days(&self) -> f64 {
        let (from, to) = self.span();
        ((to - from) as f64 / DAY_MILLIS as f64).max(1.0 / 24.0)
    }

    /// Name of an arm.
    pub fn name(&self, arm: usize) -> &'r str {
        self.arms.get(arm).copied().unwrap_or_default()
    }

    /// The features of most rows: name of their set and number of columns, where there are any beside the intercept.
    pub fn feature_set(&self) -> Option<(&'r str, usize)> {
        let mut sets: BTreeMap<(&str, usize), u64> = BTreeMap::new();
        for row in self.all.iter().map(|view| view.row).filter(|row| row.x.len() > 1) {
            *sets.entry((row.features.as_deref().unwrap_or_default(), row.x.len())).or_default() += 1;
        }
        sets.into_iter().max_by_key(|(_, n)| *n).map(|(set, _)| set)
    }
}

/// The features of a row, if they are of this set.
pub fn features<'r>(row: &'r LogRow, set: (&str, usize)) -> Option<&'r [f64]> {
    let fits = row.features.as_deref().unwrap_or_default() == set.0 && row.x.len() == set.1;
    fits.then_some(&row.x[..])
}
