//! From counts to what is published: beliefs and P(best) of every slot, regressions, tripped wires. Runs once per publication.

mod earned;

use self::earned::earned;
use super::compile::arm_id;
use super::list::{ITEMS, place_name, places};
use super::offer::{columns_of, warm_of};
use super::position::Positions;
use super::scoring;
use super::terms::{ArmTerms, SlotGoal, costs_of, goals_of, period_hours, window_hours};
use super::wire::{Config, LearnedArm, LearnedGoal, LearnedSlot, Regression, Slot};
use crate::bandit::linear::{Moments, Noise};
use crate::bandit::{BetaPosterior, Contrast, Features, chances};
use crate::event::Treatment;
use crate::id::{ArmId, GoalId, SlotId};
use crate::json::number::Decimal;
use crate::measure::discount::Discount;
use crate::receipt::Period;
use crate::seed::HOUR_MILLIS;
use crate::sorted::{SortedMap, sort_by};
use crate::statistics::{ContextSums, Counts, GoalCounts, Outcome, Statistics};
use crate::value::Amount;

/// Periods of a half-life.
const PERIODS_PER_HALF_LIFE: u32 = 2;
/// How sure a tripwire must be, unless configured.
const TRIP_PROBABILITY: f64 = 0.99;
/// Exposures on each side before a tripwire is looked at, unless configured.
const TRIP_EXPOSURES: u64 = 500;

/// When something is learned, and what stood before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Since<'l> {
    /// Now, milliseconds since the epoch: what fades, and what is ripe, depends on it.
    pub now_millis: u64,
    /// What was published of the same configuration before: a wire that has tripped stays so.
    pub before: &'l [LearnedSlot],
}

/// What the statistics say about the slots of a configuration; slots and arms that can't be used are left out, and
/// so are statistics of slots and arms that are no longer there (they stay in the ledger).
/// Each arm's belief is its prior after the exposures and rewards of the slot's goals; its weight is the exact P(best) among
/// the slot's arms that can be shown ([`chances`]), before floors and caps, which belong to compiling.
///
/// ```
/// use edgeloom::snapshot::{Since, learn, wire::{Arm, Config, Goal, Slot}};
/// use edgeloom::statistics::Statistics;
///
/// let arm = |id: &str| Arm { id: Some(id.into()), ..Arm::default() };
/// let slot = Slot { id: "hero".into(), goal: "order".into(), arms: vec![arm("a"), arm("b")], ..Slot::default() };
/// let goal = Goal { id: "order".into(), ..Goal::default() };
/// let config = Config { site: "shop".into(), goals: vec![goal], slots: vec![slot], ..Config::default() };
///
/// // Nothing counted: both are as likely to be the best.
/// let learned = learn(&config, &Statistics::default(), Since::default());
/// assert!(learned[0].arms.iter().all(|arm| (arm.weight - 0.5).abs() < 1e-9));
/// ```
#[must_use]
pub fn learn(config: &Config, statistics: &Statistics, since: Since<'_>) -> Vec<LearnedSlot> {
    let positions = Positions::of(config, statistics);
    let learn = |stored: &Slot| -> Vec<LearnedSlot> {
        let list = stored.list.as_ref().map(|_| stored.id.as_str());
        let of = |slot: &Slot| {
            let learner = Learner::of((slot, list), config, (statistics, &positions))?;
            Some(learner.learn(since))
        };
        places(stored).iter().filter_map(of).collect()
    };
    let mut slots: Vec<LearnedSlot> = config.slots.iter().flat_map(learn).collect();
    sort_by(&mut slots, |a, b| a.slot.cmp(&b.slot));
    slots
}

/// One slot and what is counted of it.
struct Learner<'l> {
    slot: &'l Slot,
    id: SlotId,
    /// Name of the list that it is a place of.
    list: Option<&'l str>,
    goals: Vec<SlotGoal>,
    statistics: &'l Statistics,
    /// What its contextual policy looks at, where it has one.
    features: Option<Features>,
    /// What is learned of the same blocks elsewhere.
    positions: &'l Positions<'l>,
}

impl<'l> Learner<'l> {
    /// `None` where slot or goal have no usable name.
    fn of(
        (slot, list): (&'l Slot, Option<&'l str>),
        config: &'l Config,
        (statistics, positions): (&'l Statistics, &'l Positions<'l>),
    ) -> Option<Self> {
        let id = SlotId::new(&slot.id).ok()?;
        GoalId::new(&slot.goal).ok()?;
        let features = scoring::features_of(slot);
        Some(Self { slot, id, list, goals: goals_of(slot, &config.goals), statistics, features, positions })
    }

    /// Each arm named twice counts for its first.
    fn learn(&self, since: Since<'_>) -> LearnedSlot {
        let costs = costs_of(self.slot);
        let mut arms: SortedMap<ArmId, (ArmTerms<'_>, bool)> = SortedMap::new();
        for arm in self.slot.arms.iter().filter(|arm| arm.enabled.unwrap_or(true)) {
            let [alpha, beta] = arm.prior.unwrap_or([1.0, 1.0]);
            if let (Ok(id), Ok(prior)) = (arm_id(arm), BetaPosterior::new(alpha, beta))
                && !arms.contains_key(&id)
            {
                let terms = ArmTerms { goals: &self.goals, prior, cost: arm.cost.unwrap_or(0.0), costs };
                arms.insert(id, (terms, arm.shadow.unwrap_or(false)));
            }
        }
        let mut learned: Vec<LearnedArm> =
            arms.iter().map(|(id, (terms, _))| self.arm(id, terms, since.now_millis)).collect();
        let shown = |(arm, (terms, is_shadow)): (&LearnedArm, &(ArmTerms<'_>, bool))| {
            (!is_shadow).then(|| terms.belief(arm))
        };
        let beliefs: Vec<_> = learned.iter().zip(arms.values()).filter_map(shown).collect();
        let mut weights = chances(&beliefs).into_iter();
        for (arm, (_, is_shadow)) in learned.iter_mut().zip(arms.values()) {
            arm.weight = if *is_shadow { 0.0 } else { weights.next().unwrap_or(0.0) };
        }
        let before = since.before.iter().find(|before| before.slot == self.slot.id);
        let tripped = before.and_then(|before| before.tripped.clone()).or_else(|| self.tripped());
        let attention = self.positions.attention(&self.slot.id);
        LearnedSlot { slot: self.slot.id.clone(), arms: learned, tripped, attention }
    }

    fn arm(&self, id: &ArmId, terms: &ArmTerms<'_>, now_millis: u64) -> LearnedArm {
        let none = Counts::default();
        let counts = self.statistics.counts(&self.id, &Treatment::Arm(id.clone())).unwrap_or(&none);
        let rewards = self.goals.first().and_then(|goal| counts.goals.get(&goal.id)).map_or(0, |goal| goal.n);
        let mut arm = LearnedArm {
            arm: id.to_string(),
            exposures: counts.exposures,
            rewards,
            regression: None,
            ..LearnedArm::default()
        };
        let is_plain = matches!(&self.goals[..], [goal] if matches!(goal.term.amount, Amount::Fixed(_)));
        let ripe = period_hours(self.slot, &self.goals).map(|hours| Ripe {
            hours: hours.get(),
            discount: self.slot.half_life_hours.and_then(|_| Discount::new(PERIODS_PER_HALF_LIFE).ok()),
            window_millis: window_hours(&self.goals).map_or(0, |hours| HOUR_MILLIS * u64::from(hours)),
            now_millis,
        });
        if let Some(ripe) = &ripe {
            let (exposures, goals) = ripe.counted(counts, &self.goals);
            (arm.weighed, arm.goals) = (Some(exposures), goals);
        } else {
            arm.weighed = (counts.lost > 0).then(|| counts.exposures_left());
            if !is_plain {
                let sums = |goal: &SlotGoal| counts.goals.get(&goal.id).map(sums_of).unwrap_or_default();
                arm.goals = self.goals.iter().map(sums).collect();
            }
        }
        let own = self.slot.arms.iter().find(|arm| arm_id(arm).is_ok_and(|name| name == *id));
        arm.pooled = own
            .and_then(|own| own.block.as_deref())
            .and_then(|block| self.positions.elsewhere((&self.slot.id, &self.slot.goal), block));
        let columns = self.features.as_ref().zip(own).and_then(|(visit, arm)| columns_of(arm, visit));
        let list = self.list.filter(|_| id.as_str() == ITEMS);
        // Items are the same in all places: what was seen of them in one is believed in all, and their features tell the place.
        let together = list.map(|list| self.together(list, id));
        let warm = list.and(own).map(warm_of).unwrap_or_default();
        let counts = together.as_ref().unwrap_or(counts);
        arm.regression =
            columns.and_then(|columns| self.regression((columns, &warm), terms, counts, ripe.as_ref()));
        arm.items = list
            .filter(|list| place_name(list, 1) == self.slot.id)
            .and_then(|list| earned(self.statistics, list, (counts, &self.goals), terms.cost));
        arm
    }

    /// The belief of a contextual policy; with nothing counted it is that of the plain arm, whatever the context.
    fn regression(
        &self,
        ((n_columns, set), warm): ((usize, u32), &[(usize, f64)]),
        terms: &ArmTerms<'_>,
        counts: &Counts,
        ripe: Option<&Ripe>,
    ) -> Option<Regression> {
        let prior = scoring::prior(n_columns, &terms.prior_worth(), warm)?;
        let moments = |sums: &ContextSums| {
            sums.moments(self.goals.iter().map(|goal| match goal.term.amount {
                Amount::Fixed(amount) => (&goal.id, goal.term.margin * amount, Outcome::Rate),
                Amount::Learned(_) => (&goal.id, goal.term.margin, Outcome::Value),
            }))
        };
        let moments = match ripe {
            Some(ripe) => ripe.moments(counts, set, moments),
            None => counts.contexts.get(&set).map(moments),
        };
        let posterior = match moments {
            None => prior,
            Some(moments) => moments.update(&prior, noise(&self.goals)).ok()?,
        };
        let (mut mean, factor) = posterior.parts().ok()?;
        if let Some(intercept) = mean.first_mut() {
            *intercept -= terms.cost;
        }
        let short = |numbers: Vec<f64>| numbers.into_iter().map(short).collect();
        Some(Regression { set, mean: short(mean), factor: short(factor) })
    }

    /// What was counted of an arm in all places of a list.
    fn together(&self, list: &str, arm: &ArmId) -> Counts {
        let n_places = self.slot.list.as_ref().map_or(0, |list| list.length);
        let mut sum = Counts::default();
        for place in 1..=n_places {
            let counts = SlotId::new(&place_name(list, place)).ok();
            let counts = counts.and_then(|slot| self.statistics.counts(&slot, &Treatment::Arm(arm.clone())));
            counts.into_iter().for_each(|counts| sum.merge(counts));
        }
        sum
    }

    /// Why a wire has tripped: all that was shown together against all of the holdout, so that no adaptive share can bend it.
    fn tripped(&self) -> Option<String> {
        self.slot.tripwires.iter().find_map(|wire| {
            let goal = GoalId::new(&wire.goal).ok()?;
            let total = |held_out: bool| {
                let sides = self.statistics.iter().filter(|(slot, treatment, _)| {
                    let is_shown = matches!(treatment, Treatment::Arm(_));
                    **slot == self.id && if held_out { treatment.is_held_out() } else { is_shown }
                });
                sides.fold((0_u64, 0_u64), |(exposures, rewards), (_, _, counts)| {
                    let more = counts.own.goals.get(&goal).map_or(0, |goal| goal.n);
                    (exposures.saturating_add(counts.own.exposures), rewards.saturating_add(more))
                })
            };
            let (shown, held_out) = (total(false), total(true));
            let least = wire.exposures.unwrap_or(TRIP_EXPOSURES).max(1);
            if shown.0 < least || held_out.0 < least {
                return None;
            }
            let rate = |(exposures, rewards): (u64, u64)| BetaPosterior::UNTOUCHED.after(exposures, rewards);
            let p_behind = Contrast::new(&rate(shown), &rate(held_out)).difference_cdf(0.0);
            (p_behind >= wire.probability.unwrap_or(TRIP_PROBABILITY)).then(|| {
                let percent = |rate: BetaPosterior| Decimal(libm::round(rate.mean() * 1e5) / 1e3);
                format!(
                    "goal '{}' is reached in {} % of {} exposures and in {} % of {} in the holdout: behind it with a probability of {}",
                    wire.goal,
                    percent(rate(shown)),
                    shown.0,
                    percent(rate(held_out)),
                    held_out.0,
                    Decimal(libm::floor(p_behind * 1e5) / 1e5),
                )
            })
        })
    }
}

/// Variance of what an exposure earns around its expectation, before anything is known: as for a rate of a half, worth two
/// observations.
fn noise(goals: &[SlotGoal]) -> Noise {
    let usual = |goal: &SlotGoal| match goal.term.amount {
        Amount::Fixed(amount) | Amount::Learned(amount) => (goal.term.margin * amount).abs(),
    };
    let most = goals.iter().map(usual).sum::<f64>().clamp(1e-5, 1e6);
    Noise::Learned { shape: 1.5, scale: 0.5 * 0.25 * most * most }
}

/// A number to seven digits: what is published is what decides, and as text it has half the length.
fn short(number: f64) -> f64 {
    let digits = 6.0 - libm::floor(libm::log10(number.abs()));
    if !(-22.0..=22.0).contains(&digits) {
        return number;
    }
    // Powers of ten are exact up to 10^22, so the quotient is the double nearest to the decimal.
    let power = (0..digits.abs() as u8).fold(1.0, |power, _| power * 10.0);
    if digits < 0.0 { libm::round(number / power) * power } else { libm::round(number * power) / power }
}

fn sums_of(counts: &GoalCounts) -> LearnedGoal {
    LearnedGoal { n: counts.n as f64, value: counts.value(), squares: counts.squares() }
}

/// Which periods count, and how much.
struct Ripe {
    /// Length of a period.
    hours: u16,
    /// How old ones count less, where they do.
    discount: Option<Discount>,
    /// The longest window; 0 where nobody waits.
    window_millis: u64,
    now_millis: u64,
}

impl Ripe {
    /// Whether the youngest decision of a period is as old as the longest window: goals that are reached quickly would else have
    /// an advantage.
    fn is_ripe(&self, period: &Period) -> bool {
        self.window_millis == 0 || period.end_millis() + self.window_millis <= self.now_millis
    }

    fn weight(&self, discount: &Discount, period: &Period) -> f64 {
        let now = self.now_millis / HOUR_MILLIS / u64::from(self.hours.max(1));
        discount.weight(now.saturating_sub(u64::from(period.index)))
    }

    /// Exposures and rewards of each goal as they count now. Where nothing fades, all that is not among the unripe periods
    /// counts, however old.
    fn counted(&self, counts: &Counts, goals: &[SlotGoal]) -> (f64, Vec<LearnedGoal>) {
        let all = |goal: &SlotGoal| counts.goals.get(&goal.id).map(sums_of).unwrap_or_default();
        let (mut exposures, mut sums): (f64, Vec<LearnedGoal>) = match &self.discount {
            Some(_) => (0.0, vec![LearnedGoal::default(); goals.len()]),
            None => (counts.exposures_left(), goals.iter().map(all).collect()),
        };
        for (period, counts) in counts.periods.iter().filter(|(period, _)| period.hours == self.hours) {
            let weight = match &self.discount {
                Some(discount) => self.weight(discount, period),
                None if self.is_ripe(period) => 0.0,
                None => -1.0,
            };
            exposures += weight * counts.exposures_left();
            for (sum, goal) in sums.iter_mut().zip(goals) {
                let more = counts.goals.get(&goal.id).map(sums_of).unwrap_or_default();
                sum.n += weight * more.n;
                sum.value += weight * more.value;
                sum.squares += weight * more.squares;
            }
        }
        (exposures, sums)
    }

    /// The same of the contexts with one set of features; `None` where none counts.
    fn moments(
        &self,
        counts: &Counts,
        set: u32,
        moments: impl Fn(&ContextSums) -> Moments,
    ) -> Option<Moments> {
        let aged = counts.aged.iter().filter(|((of, period), _)| *of == set && period.hours == self.hours);
        let Some(discount) = &self.discount else {
            let mut ripe = counts.contexts.get(&set)?.clone();
            aged.filter(|((_, period), _)| !self.is_ripe(period)).for_each(|(_, young)| ripe.take(young));
            return Some(moments(&ripe));
        };
        aged.map(|((_, period), sums)| moments(sums).weighed(self.weight(discount, period))).reduce(
            |mut all, more| {
                // Sums of one set have one width.
                all.merge(&more).unwrap_or_default();
                all
            },
        )
    }
}

#[cfg(test)]
mod tests;
