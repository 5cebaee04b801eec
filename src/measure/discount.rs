//! Exponential discounting by half-life: what happened long ago counts less. The weights depend on time alone, never on when
//! or in which order something was folded.
//!
//! A half-life per *fold* would make counts depend on their order. Here counts stay whole integers by time bucket, and the
//! weights come in when they are read: a pure function of the buckets and of the time. Weights are integers too, in units of 2^-32, so the
//! sums are exact. Beyond 33 half-lives a weight is 0 and stays so: such buckets can be forgotten without changing anything.
//!
//! Discounting costs regret where nothing changes (25 → 39 expected rewards in 20,000 at a half-life of 3,466 visits), so it is
//! off unless drift was seen.

use crate::bandit::BetaPosterior;
use crate::bandit::posterior::MAX_SHAPE;
use crate::measure::buckets::{Buckets, Tally};
use std::fmt;

/// Largest half-life in buckets: a year of hours. What is kept is 33 times as much.
pub const MAX_HALF_LIFE: u32 = 8_760;

/// Weight 1 in fixed point.
const ONE: f64 = 4_294_967_296.0;

/// A half-life that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfLifeError {
    /// The number found.
    pub found: u32,
}

impl fmt::Display for HalfLifeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a half-life of {} buckets; hint: 1 to {MAX_HALF_LIFE}", self.found)
    }
}

impl std::error::Error for HalfLifeError {}

/// How fast what was counted loses weight: by half per half-life.
///
/// ```
/// use edgeloom::bandit::BetaPosterior;
/// use edgeloom::measure::buckets::{Buckets, Tally};
/// use edgeloom::measure::discount::Discount;
///
/// let weekly = Discount::new(7)?;
/// let mut days = Buckets::default();
/// days.add(0, Tally { exposures: 1_000, rewards: 40 });
/// days.add(7, Tally { exposures: 1_000, rewards: 20 });
/// let now = weekly.read(&days, 7);
/// assert_eq!((now.exposures, now.rewards), (1_500.0, 40.0));
/// assert_eq!(now.posterior(&BetaPosterior::UNTOUCHED).alpha(), 41.0);
/// # Ok::<(), edgeloom::measure::discount::HalfLifeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discount {
    half_life: u32,
}

/// Counts as they weigh at some time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Discounted {
    /// Σ wₜnₜ: exposures, each with its weight. What a posterior takes.
    pub exposures: f64,
    /// Σ wₜrₜ: rewards, each with its weight; at most `exposures`.
    pub rewards: f64,
    /// (Σ wₜnₜ)² / Σ wₜ²nₜ: how many exposures of equal weight would tell the rate as precisely (Kish 1965). At least
    /// `exposures`, since a weighted mean has less noise than the sum of its weights suggests; at most what was counted.
    pub effective: f64,
}

impl Discount {
    /// Discounting by a half-life of 1 to [`MAX_HALF_LIFE`] buckets.
    ///
    /// # Errors
    /// A half-life out of that range.
    pub fn new(half_life: u32) -> Result<Self, HalfLifeError> {
        if (1..=MAX_HALF_LIFE).contains(&half_life) {
            return Ok(Self { half_life });
        }
        Err(HalfLifeError { found: half_life })
    }

    /// The weight of a bucket that closed `age` buckets ago, in [0, 1]: 2^(−age / half-life) to the nearest 2^-32.
    #[must_use]
    pub fn weight(&self, age: u64) -> f64 {
        self.units(age) as f64 / ONE
    }

    /// The weight in units of 2^-32.
    fn units(&self, age: u64) -> u64 {
        // A weight is rounded to 0 from 33 half-lives on; 34 keep the exponent small without a special case at the edge.
        let age = age.min(34 * u64::from(self.half_life));
        libm::round(libm::exp2(32.0 - age as f64 / f64::from(self.half_life))) as u64
    }

    /// The counts as they weigh when `now` is the newest bucket. A later one (a clock that is ahead) has the weight 1.
    #[must_use]
    pub fn read(&self, buckets: &Buckets, now: u64) -> Discounted {
        let (mut exposures, mut rewards, mut squares) = (0_u128, 0_u128, 0_u128);
        for (bucket, tally) in buckets.iter() {
            let weight = u128::from(self.units(now.saturating_sub(bucket)));
            let weighted = weight * u128::from(tally.exposures);
            exposures = exposures.saturating_add(weighted);
            rewards = rewards.saturating_add(weight * u128::from(tally.rewarded()));
            squares = squares.saturating_add(weight.saturating_mul(weighted));
        }
        let sum = exposures as f64;
        let effective = if squares > 0 { sum * sum / squares as f64 } else { 0.0 };
        Discounted { exposures: sum / ONE, rewards: rewards as f64 / ONE, effective }
    }

    /// Forgets the buckets whose weight is 0 at `now`, hence at all later times: whatever is read from then on stays the
    /// same to the last bit. At most 33 half-lives of buckets are left.
    pub fn compact(&self, buckets: &mut Buckets, now: u64) {
        buckets.retain(|bucket| self.units(now.saturating_sub(bucket)) > 0);
    }
}

impl Discounted {
    /// The belief after what was counted, with its weight; the parameters stop at [`MAX_SHAPE`].
    #[must_use]
    pub fn posterior(&self, prior: &BetaPosterior) -> BetaPosterior {
        let alpha = (prior.alpha() + self.rewards).min(MAX_SHAPE);
        let beta = (prior.beta() + (self.exposures - self.rewards).max(0.0)).min(MAX_SHAPE);
        // Both are at least what they were, hence in range.
        BetaPosterior::new(alpha, beta).unwrap_or(*prior)
    }
}

impl From<Tally> for Discounted {
    /// Counts of which none is older than another.
    fn from(tally: Tally) -> Self {
        let exposures = tally.exposures as f64;
        Self { exposures, rewards: tally.rewarded() as f64, effective: exposures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn weekly() -> Discount {
        Discount::new(7).unwrap()
    }

    fn bits(read: Discounted) -> [u64; 3] {
        [read.exposures, read.rewards, read.effective].map(f64::to_bits)
    }

    #[test]
    fn a_half_life_out_of_range_is_refused_with_advice() {
        for found in [0, MAX_HALF_LIFE + 1] {
            let error = Discount::new(found).unwrap_err();
            assert_eq!(error, HalfLifeError { found });
            assert!(error.to_string().contains("hint:"));
        }
    }

    #[test]
    fn a_weight_halves_with_every_half_life_until_it_is_gone() {
        let discount = weekly();
        assert_eq!([0, 7, 14, 7 * 32].map(|age| discount.weight(age)), [1.0, 0.5, 0.25, 1.0 / ONE]);
        assert_eq!([7 * 33 + 1, 7 * 34, u64::MAX].map(|age| discount.weight(age)), [0.0; 3]);
        assert!((discount.weight(1) - 0.905_723_664_263_906_7).abs() < 1.2e-10);
    }

    #[test]
    fn without_age_nothing_is_lost() {
        let tally = Tally { exposures: 1_000, rewards: 31 };
        let read = weekly().read(&Buckets::from_iter([(5, tally)]), 5);
        assert_eq!(read, Discounted::from(tally));
        let prior = BetaPosterior::new(2.0, 30.0).unwrap();
        assert_eq!(read.posterior(&prior), prior.after(1_000, 31));
    }

    #[test]
    fn the_effective_number_is_between_the_weighted_and_the_counted_one() {
        let tally = Tally { exposures: 100, rewards: 5 };
        let read = weekly().read(&(0..50).map(|day| (day, tally)).collect(), 49);
        assert!(read.exposures < read.effective && read.effective < 5_000.0, "{read:?}");
        // Geometric weights q^k without end: n(1 + q)/(1 − q); 50 days leave out q^50 = 0.7 % of it, twice.
        let q = 0.905_723_664_263_906_7;
        let endless = 100.0 * (1.0 + q) / (1.0 - q);
        assert!((read.effective / endless - 1.0).abs() < 0.02, "{} {endless}", read.effective);
    }

    #[test]
    fn counts_at_their_limit_give_numbers() {
        let full = Tally { exposures: u64::MAX, rewards: u64::MAX };
        let read = weekly().read(&(0..40).map(|day| (day, full)).collect(), 39);
        assert!([read.exposures, read.rewards, read.effective].iter().all(|sum| sum.is_finite()));
        assert_eq!(read.posterior(&BetaPosterior::UNTOUCHED).alpha(), MAX_SHAPE);
    }

    /// Counts of days in the order in which they were folded.
    fn folded() -> impl Strategy<Value = Vec<(u64, Tally)>> {
        let tally = (0..1_000_u64, 0..60_u64).prop_map(|(exposures, rewards)| Tally { exposures, rewards });
        prop::collection::vec((0..600_u64, tally), 0..60)
    }

    proptest! {
        #[test]
        fn any_order_of_folding_gives_equal_bytes(events in folded(), seed: u64, now in 0..700_u64) {
            let mut shuffled = events.clone();
            let mut generator = crate::seed::Generator::new(seed);
            for end in (1..shuffled.len()).rev() {
                shuffled.swap(end, (generator.bits() % (end as u64 + 1)) as usize);
            }
            let (ahead, other): (Buckets, Buckets) = (events.into_iter().collect(), shuffled.into_iter().collect());
            prop_assert_eq!(&ahead, &other);
            prop_assert_eq!(bits(weekly().read(&ahead, now)), bits(weekly().read(&other, now)));
        }

        #[test]
        fn merging_shards_commutes_also_after_some_were_compacted(
            shards in prop::collection::vec(folded(), 3),
            now in 0..700_u64,
            later in 0..300_u64,
        ) {
            let [a, b, c]: [Buckets; 3] =
                shards.into_iter().map(Buckets::from_iter).collect::<Vec<_>>().try_into().unwrap();
            let merged = |parts: [&Buckets; 3]| {
                let mut all = Buckets::default();
                parts.iter().for_each(|part| all.merge(part));
                all
            };
            prop_assert_eq!(merged([&a, &b, &c]), merged([&c, &a, &b]));
            let mut compacted = b.clone();
            weekly().compact(&mut compacted, now);
            let whole = weekly().read(&merged([&a, &b, &c]), now + later);
            prop_assert_eq!(bits(whole), bits(weekly().read(&merged([&compacted, &c, &a]), now + later)));
        }

        #[test]
        fn compacting_changes_nothing_that_is_read_later(events in folded(), now in 0..700_u64, later in 0..300_u64) {
            let whole: Buckets = events.into_iter().collect();
            let mut compacted = whole.clone();
            weekly().compact(&mut compacted, now);
            prop_assert_eq!(bits(weekly().read(&whole, now + later)), bits(weekly().read(&compacted, now + later)));
            // Buckets from 33 half-lives ago to now, and those ahead of it.
            prop_assert!(compacted.iter().all(|(day, _)| day + 7 * 33 >= now));
        }
    }
}
