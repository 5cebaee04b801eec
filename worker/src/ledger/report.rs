//! What the root tells of itself: the shapes of the admin API's answers, and how the status is computed.

use edgeloom::bandit::{BetaPosterior, PolicyKind};
use edgeloom::event::Treatment;
use edgeloom::id::SnapshotVersion;
use edgeloom::json::Tell;
use edgeloom::measure::increment::{Increment, Side, increment};
use edgeloom::measure::sample_ratio::{self, sample_ratio};
use edgeloom::snapshot::store::Stored;
use edgeloom::snapshot::wire::{Config, LearnedSlot, Published};
use edgeloom::snapshot::{Goal, Since, Slot, compile, learn};
use edgeloom::statistics::{Counts, Statistics};
use edgeloom::told;
use serde_json::{Map, Value};

/// Probability that the true rate lies in a shown interval.
const INTERVAL: f64 = 0.95;

/// The versions of the configuration.
pub struct Versions {
    /// Newest first.
    pub versions: Vec<Version>,
}

/// One version of the configuration.
pub struct Version {
    /// Content address.
    pub version: String,
    /// When it was first stored.
    pub at_millis: u64,
    /// When it was last put in use.
    pub published_millis: Option<u64>,
    /// In the words of whoever stored it.
    pub message: String,
}

/// State of a site.
#[derive(Default)]
pub struct Status {
    /// Name of the site.
    pub site: String,
    /// The snapshot published last.
    pub snapshot: Option<SnapshotReport>,
    /// The configuration in use.
    pub config_version: Option<String>,
    /// Slots in the order of the configuration.
    pub slots: Vec<SlotReport>,
    /// Events not taken, by kind.
    pub refused: Map<String, Value>,
    /// Events that had been taken before.
    pub repeated: u64,
    /// Shards that reported.
    pub shards: Vec<ShardReport>,
    /// Messages that could not be delivered and wait for their shard.
    pub dead_letters: u64,
    /// Events in them.
    pub dead_events: u64,
}

/// A published snapshot.
pub struct SnapshotReport {
    /// Content address.
    pub version: String,
    /// Number of the publication.
    pub sequence: u64,
    /// When it was published.
    pub published_millis: u64,
    /// How long ago that is.
    pub age_millis: u64,
}

/// A shard of the ledger.
pub struct ShardReport {
    /// Its name.
    pub name: String,
    /// How often it committed.
    pub version: u64,
    /// When it reported last.
    pub at_millis: u64,
}

/// A slot and what was learned about it.
pub struct SlotReport {
    /// Name of the slot.
    pub slot: String,
    /// The goal it learns.
    pub goal: String,
    /// `thompson`, `uniform` or `fixed`.
    pub policy: String,
    /// Its arms, sorted by name.
    pub arms: Vec<ArmReport>,
    /// Visitors that are never personalised, where there are any.
    pub held_out: Option<Rate>,
    /// What was earned against the holdout, by goal; the slot's own goal first.
    pub increments: Vec<IncrementReport>,
    /// P(counts like these or odder if arms were shown as often as the log says); below 0.001 something is broken. Missing with
    /// fewer than two arms that were shown five times.
    pub sample_ratio: Option<f64>,
    /// Why it shows its baseline only, where a tripwire has stopped it.
    pub tripped: Option<String>,
    /// How much the place is looked at, relative to the first of those that it shares what it learns with.
    pub attention: Option<f64>,
}

/// What a slot added for one goal, per exposure.
pub struct IncrementReport {
    /// The goal.
    pub goal: String,
    /// Exposures that were personalised, those of them rewarded, and the sum of values.
    pub shown: SideReport,
    /// The same of the holdout.
    pub held_out: SideReport,
    /// P(the goal is reached more often than in the holdout).
    pub p_positive: f64,
    /// Relative lift of the rate: lower end, median and upper end of the 95 % interval.
    pub lift: Vec<f64>,
    /// Difference of the rates, the same way.
    pub rate: Vec<f64>,
    /// Difference of the values per exposure in the site's currency: lower end, estimate and upper end.
    pub value: Vec<f64>,
    /// P(a higher value per exposure).
    pub p_value_positive: f64,
    /// What was earned in all beside what the holdout's rate would have: difference × exposures × the goal's margin.
    pub earned: Vec<f64>,
}

/// Counts of one side.
pub struct SideReport {
    /// Exposures.
    pub exposures: u64,
    /// Exposures rewarded.
    pub rewards: u64,
    /// Sum of values.
    pub value: f64,
}

/// An arm and what was learned about it.
pub struct ArmReport {
    /// Name of the arm.
    pub arm: String,
    /// Its rate.
    pub rate: Rate,
    /// P(best), in [0, 1].
    pub p_best: f64,
    /// Share of the traffic it gets, in [0, 1]; missing where each visit has its own.
    pub share: Option<f64>,
}

/// A reward rate as it is known.
pub struct Rate {
    /// Exposures counted.
    pub exposures: u64,
    /// Exposures rewarded.
    pub rewards: u64,
    /// Sum of the rewards' values.
    pub value: f64,
    /// Posterior parameter.
    pub alpha: f64,
    /// Posterior parameter.
    pub beta: f64,
    /// Posterior mean.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
    /// Sum of the exposures' propensities.
    pub sum_propensity: f64,
    /// Sum of 1/propensity over the exposures.
    pub sum_inverse_propensity: f64,
}

told! {
    Versions { versions }
    Version { version, at_millis, published_millis, message }
    Status { site, snapshot, config_version, slots, refused, repeated, shards, dead_letters, dead_events }
    SnapshotReport { version, sequence, published_millis, age_millis }
    ShardReport { name, version, at_millis }
    SlotReport { slot, goal, policy, arms, held_out, increments, sample_ratio, tripped, attention }
    IncrementReport { goal, shown, held_out, p_positive, lift, rate, value, p_value_positive, earned }
    SideReport { exposures, rewards, value }
    Rate { exposures, rewards, value, alpha, beta, mean, low, high, sum_propensity, sum_inverse_propensity }
}

/// Flat: the fields of the rate are the arm's own.
impl Tell for ArmReport {
    fn value(&self) -> Value {
        let own = [("arm", self.arm.value()), ("p_best", self.p_best.value()), ("share", self.share.value())];
        let mut told = self.rate.value();
        if let Some(fields) = told.as_object_mut() {
            own.into_iter().for_each(|(name, value)| drop(fields.insert(name.into(), value)));
        }
        told
    }
}

impl Rate {
    fn new(prior: &BetaPosterior, counts: Option<&Counts>, goal: &edgeloom::id::GoalId) -> Self {
        let exposures = counts.map_or(0, |counts| counts.exposures);
        let reached = counts.and_then(|counts| counts.goals.get(goal)).copied().unwrap_or_default();
        let posterior = prior.after(exposures, reached.n);
        let (low, high) = posterior.interval(INTERVAL);
        Self {
            exposures,
            rewards: reached.n,
            value: reached.value(),
            alpha: posterior.alpha(),
            beta: posterior.beta(),
            mean: posterior.mean(),
            low,
            high,
            sum_propensity: counts.map_or(0.0, Counts::propensity_sum),
            sum_inverse_propensity: counts.map_or(0.0, Counts::inverse_sum),
        }
    }
}

/// What is known of every slot that works, by all that was counted so far.
pub fn slots(config: &Config, statistics: &Statistics, since: Since<'_>) -> Vec<SlotReport> {
    let learned = learn(config, statistics, since);
    let compiled = |learned: Vec<LearnedSlot>| {
        compile(&Stored {
            version: SnapshotVersion([0; 16]),
            sequence: 0,
            published_millis: 0,
            published: Published { config: config.clone(), learned },
            warnings: Vec::new(),
        })
        .0
    };
    // Compiled without what was learned, the arms hold their priors.
    let priors = compiled(Vec::new());
    let snapshot = compiled(learned.clone());
    let reports = snapshot.slots.iter().zip(&priors.slots).filter_map(|(slot, prior)| {
        let goal = snapshot.goals.get(slot.goal)?;
        let known = learned.iter().find(|known| known.slot == slot.id.as_str());
        let shares = slot.chooser.shares();
        let arms = slot.arms.iter().zip(&prior.arms).enumerate().map(|(at, (arm, prior))| {
            let counts = statistics.counts(&slot.id, &Treatment::Arm(arm.id.clone()));
            let p_best = known.and_then(|known| known.arms.iter().find(|known| known.arm == arm.id.as_str()));
            ArmReport {
                arm: arm.id.to_string(),
                rate: Rate::new(&prior.posterior, counts, &goal.id),
                p_best: p_best.map_or(0.0, |known| known.weight),
                share: if arm.is_shadow {
                    Some(0.0)
                } else {
                    shares.and_then(|shares| shares.get(at)).copied()
                },
            }
        });
        let mut held_out: Option<Counts> = None;
        for (_, _, counts) in statistics.iter().filter(|(id, side, _)| **id == slot.id && side.is_held_out())
        {
            held_out.get_or_insert_default().merge(counts);
        }
        let held_out = (snapshot.holdout.is_some() || held_out.is_some())
            .then(|| Rate::new(&BetaPosterior::UNTOUCHED, held_out.as_ref(), &goal.id));
        let wire = config.slot(slot.id.as_str());
        let also = wire.map(|wire| wire.also.as_slice()).unwrap_or_default();
        let goals = std::iter::once(goal.id.as_str()).chain(also.iter().map(String::as_str));
        let goals = goals.filter_map(|name| snapshot.goals.iter().find(|goal| goal.id.as_str() == name));
        let increments = goals.filter_map(|goal| {
            let found = increment(statistics, &slot.id, &goal.id).ok()?;
            Some(IncrementReport::new(goal, &found))
        });
        Some(SlotReport {
            slot: slot.id.to_string(),
            goal: goal.id.to_string(),
            policy: policy(slot).to_string(),
            arms: arms.collect(),
            held_out,
            increments: increments.collect(),
            sample_ratio: ratio(slot, statistics),
            tripped: known.and_then(|known| known.tripped.clone()),
            attention: known.and_then(|known| known.attention),
        })
    });
    reports.collect()
}

impl IncrementReport {
    fn new(goal: &Goal, found: &Increment) -> Self {
        let side =
            |side: Side| SideReport { exposures: side.exposures, rewards: side.rewards, value: side.value };
        let (rate, value) = (&found.rate, &found.value.difference);
        let difference = [value.interval.low, value.value, value.interval.high];
        let factor = goal.margin * found.shown.exposures as f64;
        // A margin below 0 turns the ends round.
        let mut earned = difference.map(|difference| factor * difference);
        if factor < 0.0 {
            earned.reverse();
        }
        Self {
            goal: goal.id.to_string(),
            shown: side(found.shown),
            held_out: side(found.held_out),
            p_positive: rate.p_positive,
            lift: vec![rate.lift_interval.low, rate.lift, rate.lift_interval.high],
            rate: vec![rate.difference_interval.low, rate.difference, rate.difference_interval.high],
            value: difference.to_vec(),
            p_value_positive: found.value.p_positive,
            earned: earned.to_vec(),
        }
    }
}

/// Whether arms were shown as often as their propensities say; every exposure a unit of its own. Only arms that are candidates for
/// everybody: the sums of the others are of fewer decisions, and differ under the soundest log.
fn ratio(slot: &Slot, statistics: &Statistics) -> Option<f64> {
    let counts = slot
        .arms
        .iter()
        .filter(|arm| !arm.drops_out)
        .filter_map(|arm| statistics.counts(&slot.id, &Treatment::Arm(arm.id.clone())));
    let sides: Vec<sample_ratio::Side> = counts
        .filter(|counts| counts.exposures >= sample_ratio::LEAST_EXPOSURES)
        .map(sample_ratio::Side::of_counts)
        .collect();
    sample_ratio(&sides, 1.0).ok().map(|found| found.p_value)
}

fn policy(slot: &Slot) -> &'static str {
    if slot.chooser.shares().is_none() {
        return "contextual";
    }
    match slot.chooser.policy.kind {
        PolicyKind::Thompson(_) => "thompson",
        PolicyKind::Uniform(_) => "uniform",
        PolicyKind::Fixed(_) => "fixed",
    }
}
