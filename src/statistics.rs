//! What was counted: exact integers that merge in any order. It judges nothing; [`crate::fold`] says what counts.

mod context;
mod items;
mod wire;

pub use context::{ContextSums, Outcome};
pub use items::{MAX_ITEMS, list_of};
pub use wire::StatisticsError;

use crate::event::{Refusal, Treatment};
use crate::fold::{Delta, Origin};
use crate::id::{GoalId, SlotId};
use crate::index::short_id;
use crate::receipt::Period;
use crate::sorted::SortedMap;

/// One, in the fixed point of the propensity sums: 2^32. As integers, sums do not depend on their order; 2^-32 is
/// finer than the quadrature behind a propensity is exact.
const ONE: f64 = 4_294_967_296.0;

/// Periods that are kept of those with one length, the newest ones: 36 half-lives of two periods each, of which all but the last
/// three weigh nothing.
pub const MAX_PERIODS: u32 = 72;

/// Periods of contexts that are kept of each length, for their sums are longer: nine half-lives, of which the last weighs 1/500, or all that is
/// not ripe of a window, which has 8 to 15 periods.
pub const MAX_CONTEXT_PERIODS: u32 = 18;

/// Counts of one slot under one treatment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Exposures.
    pub exposures: u64,
    /// Sum of the exposures' propensities p, in units of 2^-32.
    pub propensity_units: u128,
    /// Sum of 1/p over the exposures, in units of 2^-32. Its expectation is the number of decisions in which the
    /// treatment could have been chosen, whatever the weights were at the time: what a sample-ratio test compares.
    pub inverse_units: u128,
    /// Sum of 1/p² over the exposures, in units of 2^-32: the variance of the sum of 1/p, as far as it can be known.
    pub inverse_squares: u128,
    /// Counted rewards by goal.
    pub goals: SortedMap<GoalId, GoalCounts>,
    /// What the arm had lost of its worth in these exposures, in 256ths, added up: so many fewer exposures say as much of it.
    pub lost: u64,
    /// Of these, the exposures of decisions that nobody shares. Only among them are holdout and arms rewarded alike: without consent
    /// a receipt travels by the links of what is shown, and the holdout is shown nothing.
    pub own: Part,
    /// The same by period of the decision, where the slot asked for it: [`MAX_PERIODS`] of each length.
    pub periods: SortedMap<Period, Part>,
    /// Sums over contexts, by their set of features.
    pub contexts: SortedMap<u32, ContextSums>,
    /// The same by period: [`MAX_CONTEXT_PERIODS`] of each set and length.
    pub aged: SortedMap<(u32, Period), ContextSums>,
    /// The same by what the arm stood for, by short names: [`MAX_ITEMS`] of each list, counted for all its places together.
    pub items: SortedMap<u32, Part>,
}

/// Counts of a part of the exposures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// Exposures.
    pub exposures: u64,
    /// Counted rewards by goal.
    pub goals: SortedMap<GoalId, GoalCounts>,
    /// What the arm had lost of its worth, in 256ths of an exposure.
    pub lost: u64,
}

/// Counted rewards of one goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GoalCounts {
    /// How many; never more than exposures, once all deltas are in.
    pub n: u64,
    /// Their values, in millionths of the site's currency.
    pub value_micros: i128,
    /// The squares of their values, in millionths of millionths.
    pub square_micros: i128,
}

impl GoalCounts {
    /// Sum of the values in the site's currency.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.value_micros as f64 / 1e6
    }

    /// Sum of the squares of the values.
    #[must_use]
    pub fn squares(&self) -> f64 {
        self.square_micros as f64 / 1e12
    }

    /// One reward of a value in millionths.
    pub(crate) fn of(value_micros: i64) -> Self {
        let value = i128::from(value_micros);
        Self { n: 1, value_micros: value, square_micros: value * value }
    }

    /// What is to be added where one reward takes the place of another.
    pub(crate) fn instead_of(self, displaced: i64) -> Self {
        let other = Self::of(displaced);
        Self {
            n: 0,
            value_micros: self.value_micros - other.value_micros,
            square_micros: self.square_micros - other.square_micros,
        }
    }

    /// What is left where a part of these rewards is taken away.
    fn without(self, part: Self) -> Self {
        Self {
            n: self.n.saturating_sub(part.n),
            value_micros: self.value_micros.saturating_sub(part.value_micros),
            square_micros: self.square_micros.saturating_sub(part.square_micros),
        }
    }

    fn add(&mut self, other: Self) {
        self.n = self.n.saturating_add(other.n);
        // Never saturates: 1.7e38 are 10^23 rewards of the largest value. (If it did, order would matter.)
        self.value_micros = self.value_micros.saturating_add(other.value_micros);
        // 10^8 of the largest, 10^14 of a million each.
        self.square_micros = self.square_micros.saturating_add(other.square_micros);
    }
}

impl Counts {
    /// Sum of the exposures' propensities.
    #[must_use]
    pub fn propensity_sum(&self) -> f64 {
        self.propensity_units as f64 / ONE
    }

    /// Sum of 1/p over the exposures.
    #[must_use]
    pub fn inverse_sum(&self) -> f64 {
        self.inverse_units as f64 / ONE
    }

    /// The counts of one exposure with this propensity, in (0, 1].
    pub(crate) fn of_exposure(propensity: f64) -> Self {
        // At least one unit: a propensity below 2^-32 counts as 2^-32.
        let units = (libm::round(propensity * ONE) as u64).max(1);
        let units = u128::from(units);
        Self {
            exposures: 1,
            propensity_units: units,
            inverse_units: ((1_u128 << 64) + units / 2) / units,
            inverse_squares: ((1_u128 << 96) / units + units / 2) / units,
            ..Self::default()
        }
    }

    /// Exposures as far as they say something of the arm's whole worth.
    #[must_use]
    pub fn exposures_left(&self) -> f64 {
        self.exposures as f64 - self.lost as f64 / 256.0
    }

    /// Sum of 1/p² over the exposures.
    #[must_use]
    pub fn inverse_square_sum(&self) -> f64 {
        self.inverse_squares as f64 / ONE
    }

    /// Notes what changed by period and context, too, as far as the origin of the events tells them. Of the holdout's ghosts nothing
    /// is learned, so that is spared there.
    pub(crate) fn note(&mut self, origin: &Origin) {
        if self.exposures == 0 && self.goals.is_empty() {
            return;
        }
        let loss = origin.basis.fatigue.as_ref().map(|fatigue| fatigue.chosen).unwrap_or_default();
        self.lost = self.exposures.saturating_mul(u64::from(loss.parts()));
        let part = || Part { exposures: self.exposures, goals: self.goals.clone(), lost: self.lost };
        self.own = if origin.shared { Part::default() } else { part() };
        if !matches!(origin.treatment, Treatment::Arm(_)) {
            return;
        }
        let period = origin.basis.period(origin.time_millis);
        if let Some(period) = period {
            self.periods.insert(period, part());
        }
        if let Some(action) = &origin.basis.action {
            self.items.insert(short_id(action.as_str()), part());
        }
        if let Some(codes) = &origin.basis.features {
            let sums = ContextSums::of(&codes.faded(loss.parts()), self.exposures, &self.goals);
            if let Some(period) = period {
                self.aged.insert((codes.set(), period), sums.clone());
            }
            self.contexts.insert(codes.set(), sums);
        }
    }

    /// Adds rewards of a goal; revised values may take away again what they gave.
    pub(crate) fn add_goal(&mut self, goal: &GoalId, counts: GoalCounts) {
        add_goal(&mut self.goals, goal, counts);
    }

    /// Adds counts of the same slot and treatment. Saturates where 2^64 exposures would not fit, which no site reaches.
    pub fn merge(&mut self, other: &Self) {
        self.exposures = self.exposures.saturating_add(other.exposures);
        self.propensity_units = self.propensity_units.saturating_add(other.propensity_units);
        self.inverse_units = self.inverse_units.saturating_add(other.inverse_units);
        self.inverse_squares = self.inverse_squares.saturating_add(other.inverse_squares);
        self.lost = self.lost.saturating_add(other.lost);
        for (goal, counts) in &other.goals {
            self.add_goal(goal, *counts);
        }
        let n_periods = self.periods.len();
        for (period, counts) in &other.periods {
            self.periods.or_default(*period).merge(counts);
        }
        self.own.merge(&other.own);
        // A new period comes once in hours, events come all the time.
        if self.periods.len() > n_periods {
            self.forget_periods();
        }
        merge_contexts(&mut self.contexts, &other.contexts);
        let n_aged = self.aged.len();
        merge_contexts(&mut self.aged, &other.aged);
        if self.aged.len() > n_aged {
            self.forget_contexts();
        }
        items::merge(&mut self.items, &other.items);
    }

    /// Keeps the newest periods of each length, of whatever set: what a set has that was given up goes with its time.
    fn forget_contexts(&mut self) {
        let mut last: SortedMap<u16, u32> = SortedMap::new();
        for (_, period) in self.aged.keys() {
            let newest = last.or_default(period.hours);
            *newest = period.index.max(*newest);
        }
        self.aged.retain(|(_, period), _| {
            last.get(&period.hours).is_none_or(|last| last - period.index < MAX_CONTEXT_PERIODS)
        });
    }

    /// Keeps the newest periods of each length. Which these are is told by the newest of all, so that it does not matter in which
    /// order they came: what one shard has forgotten would be forgotten by all together.
    fn forget_periods(&mut self) {
        let mut last: SortedMap<u16, u32> = SortedMap::new();
        for period in self.periods.keys() {
            let newest = last.or_default(period.hours);
            *newest = period.index.max(*newest);
        }
        self.periods.retain(|period, counts| {
            let is_new = last.get(&period.hours).is_none_or(|last| last - period.index < MAX_PERIODS);
            is_new && *counts != Part::default()
        });
    }
}

impl Part {
    /// Exposures as far as they say something of the arm's whole worth.
    #[must_use]
    pub fn exposures_left(&self) -> f64 {
        self.exposures as f64 - self.lost as f64 / 256.0
    }

    fn merge(&mut self, other: &Self) {
        self.exposures = self.exposures.saturating_add(other.exposures);
        self.lost = self.lost.saturating_add(other.lost);
        for (goal, counts) in &other.goals {
            add_goal(&mut self.goals, goal, *counts);
        }
    }
}

/// Adds sums over contexts; zero entries are dropped.
fn merge_contexts<K: Ord + Clone>(own: &mut SortedMap<K, ContextSums>, more: &SortedMap<K, ContextSums>) {
    for (key, sums) in more {
        match own.get_mut(key) {
            Some(own) => own.merge(sums),
            None => drop(own.insert(key.clone(), sums.clone())),
        }
    }
    own.retain(|_, sums| !sums.is_nothing());
}

/// Adds rewards of a goal; zero entries are dropped, so that equal counts are equal bytes.
fn add_goal(goals: &mut SortedMap<GoalId, GoalCounts>, goal: &GoalId, counts: GoalCounts) {
    if let Some(own) = goals.get_mut(goal) {
        own.add(counts);
        if *own == GoalCounts::default() {
            goals.remove(goal);
        }
    } else if counts != GoalCounts::default() {
        goals.insert(goal.clone(), counts);
    }
}

/// Everything that was counted of a site, or of one shard of it.
///
/// Merging is commutative and associative, so shards and batches can be added up in any order. It is *not*
/// idempotent: each shard's statistics go in once.
/// ```
/// use edgeloom::statistics::Statistics;
/// use edgeloom::event::Refusal;
///
/// let (mut all, mut shard) = (Statistics::default(), Statistics::default());
/// shard.refuse(Refusal::Late, 2);
/// all.merge(&shard);
/// let bytes = all.to_bytes();
/// assert_eq!(Statistics::from_bytes(&bytes)?, shard);
/// # Ok::<(), edgeloom::statistics::StatisticsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    slots: SortedMap<SlotId, SortedMap<Treatment, Counts>>,
    /// Events not taken, by the words of [`Refusal`]; words of newer versions are kept.
    refused: SortedMap<String, u64>,
    repeats: u64,
}

impl Statistics {
    /// The counts of a slot under a treatment; `None` is all zeros.
    #[must_use]
    pub fn counts(&self, slot: &SlotId, treatment: &Treatment) -> Option<&Counts> {
        self.slots.get(slot)?.get(treatment)
    }

    /// All counts, sorted by slot and treatment.
    pub fn iter(&self) -> impl Iterator<Item = (&SlotId, &Treatment, &Counts)> {
        self.slots
            .iter()
            .flat_map(|(slot, sides)| sides.iter().map(move |(treatment, counts)| (slot, treatment, counts)))
    }

    /// Events not taken, by kind.
    pub fn refused(&self) -> impl Iterator<Item = (&str, u64)> {
        self.refused.iter().map(|(word, n)| (word.as_str(), *n))
    }

    /// Events that had been taken before.
    #[must_use]
    pub const fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Counts `n` events that were not taken.
    pub fn refuse(&mut self, refusal: Refusal, n: u64) {
        self.refuse_word(refusal.as_str(), n);
    }

    /// Adds what one event changed.
    pub fn apply(&mut self, delta: &Delta<'_>) {
        let items = &delta.counts.items;
        if items.is_empty() {
            self.add(delta.slot, delta.treatment, &delta.counts);
        } else {
            self.add(
                delta.slot,
                delta.treatment,
                &Counts { items: SortedMap::new(), ..delta.counts.clone() },
            );
            if let Some(list) = list_of(delta.slot) {
                self.add(&list, delta.treatment, &Counts { items: items.clone(), ..Counts::default() });
            }
        }
        self.repeats = self.repeats.saturating_add(delta.repeats);
        if let Some(refusal) = delta.refused {
            self.refuse(refusal, 1);
        }
    }

    /// Adds what others counted.
    pub fn merge(&mut self, other: &Self) {
        for (slot, treatment, counts) in other.iter() {
            self.add(slot, treatment, counts);
        }
        for (word, n) in &other.refused {
            self.refuse_word(word, *n);
        }
        self.repeats = self.repeats.saturating_add(other.repeats);
    }

    /// Adds counts; what comes to zero is left out, so that equal statistics are equal in form.
    fn add(&mut self, slot: &SlotId, treatment: &Treatment, counts: &Counts) {
        let empty = Counts::default();
        if *counts == empty {
            return;
        }
        // Looked up before inserted: names are copied once per slot, not once per event.
        if !self.slots.contains_key(slot) {
            self.slots.insert(slot.clone(), SortedMap::new());
        }
        let Some(sides) = self.slots.get_mut(slot) else { return };
        if let Some(own) = sides.get_mut(treatment) {
            own.merge(counts);
            if *own == empty {
                sides.remove(treatment);
            }
        } else {
            sides.insert(treatment.clone(), counts.clone());
        }
        if sides.is_empty() {
            self.slots.remove(slot);
        }
    }

    fn refuse_word(&mut self, word: &str, n: u64) {
        if n == 0 {
            return;
        }
        let count = self.refused.or_default(word.to_owned());
        *count = count.saturating_add(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ArmId;

    fn slot() -> SlotId {
        SlotId::new("hero").unwrap()
    }

    fn arm(name: &str) -> Treatment {
        Treatment::Arm(ArmId::new(name).unwrap())
    }

    #[test]
    fn propensities_add_up_exactly() {
        let mut sum = Counts::default();
        for propensity in [0.25, 0.5, 1.0] {
            sum.merge(&Counts::of_exposure(propensity));
        }
        assert_eq!((sum.exposures, sum.propensity_sum(), sum.inverse_sum()), (3, 1.75, 7.0));
    }

    #[test]
    fn inverses_are_rounded_to_the_nearest_unit() {
        // 2^64 / 3865470566 = 4772185884.7
        assert_eq!(Counts::of_exposure(0.9).inverse_units, 4_772_185_885);
    }

    #[test]
    fn the_smallest_propensity_counts_as_one_unit() {
        let tiny = Counts::of_exposure(f64::MIN_POSITIVE);
        assert_eq!(tiny.propensity_units, 1);
        assert_eq!(tiny.inverse_sum(), ONE);
    }

    #[test]
    fn what_adds_up_to_nothing_leaves_no_trace() {
        let goal = GoalId::new("buy").unwrap();
        let mut stats = Statistics::default();
        for value_micros in [3, -3] {
            let mut counts = Counts::default();
            counts.add_goal(&goal, GoalCounts { value_micros, ..GoalCounts::default() });
            stats.add(&slot(), &arm("a"), &counts);
        }
        stats.refuse(Refusal::Late, 0);
        assert_eq!(stats, Statistics::default());
    }

    #[test]
    fn counts_at_their_limit_stay_there() {
        let mut most = Statistics::default();
        let full = Counts { exposures: u64::MAX, inverse_units: u128::MAX, ..Counts::default() };
        most.add(&slot(), &arm("a"), &full);
        most.refuse(Refusal::Forged, u64::MAX);
        most.repeats = u64::MAX;
        let mut twice = most.clone();
        twice.merge(&most);
        assert_eq!(twice, most);
    }

    #[test]
    fn refusals_are_counted_by_kind() {
        let mut stats = Statistics::default();
        stats.refuse(Refusal::Late, 2);
        stats.refuse(Refusal::Forged, 1);
        stats.refuse(Refusal::Late, 1);
        assert_eq!(stats.refused().collect::<Vec<_>>(), [("forged", 1), ("late", 3)]);
    }
}
