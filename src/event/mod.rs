//! Exposures and rewards, made from verified receipts only, with the key that makes a repeat the same event.
//! It does not count; [`crate::fold`] does.

mod binary;
mod refusal;
mod wire;

pub use refusal::Refusal;

use crate::id::{ArmId, DecisionId, GoalId, SlotId};
use crate::receipt::{Basis, Receipt};
use crate::seed::{HOUR_MILLIS, Purpose, hash};

/// Largest value of one reward, either way, in the site's currency. In micros it is 10^15, which every JSON number holds.
pub const MAX_VALUE: f64 = 1e9;
/// [`MAX_VALUE`] in millionths.
pub const MAX_VALUE_MICROS: i64 = 1_000_000_000_000_000;
/// How far ahead a receipt's time may be, milliseconds: clocks of two locations differ by seconds, never by minutes.
pub const EARLY_TOLERANCE_MILLIS: u64 = 300_000;

/// A random id that the recording edge gives to an event of a shared decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId(pub [u8; 16]);

/// What a slot got: the side of every comparison its events count for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Treatment {
    /// This arm.
    Arm(ArmId),
    /// The page as it is, because the visit is in the holdout; nobody noted what would have been shown.
    Holdout,
    /// The page as it is, because the visit is in the holdout, where this arm would have been shown.
    Ghost(ArmId),
    /// The page as it is, because there was nothing to show.
    Untouched,
}

impl Treatment {
    /// The treatment a receipt tells of: in the holdout its arm is a ghost, which was not shown.
    #[must_use]
    pub fn of(receipt: &Receipt) -> Self {
        match &receipt.arm {
            Some(arm) if receipt.flags.held_out() => Self::Ghost(arm.clone()),
            None if receipt.flags.held_out() => Self::Holdout,
            Some(arm) => Self::Arm(arm.clone()),
            None => Self::Untouched,
        }
    }

    /// The stored form: name of the arm, and whether the visit was held out.
    #[must_use]
    pub fn to_parts(&self) -> (Option<String>, bool) {
        match self {
            Self::Arm(arm) => (Some(arm.to_string()), false),
            Self::Holdout => (None, true),
            Self::Ghost(arm) => (Some(arm.to_string()), true),
            Self::Untouched => (None, false),
        }
    }

    /// Whether the visit was held out.
    #[must_use]
    pub const fn is_held_out(&self) -> bool {
        matches!(self, Self::Holdout | Self::Ghost(_))
    }

    /// The inverse of [`Treatment::to_parts`].
    pub(crate) fn from_parts(arm: Option<&str>, held_out: bool) -> Result<Self, crate::id::IdError> {
        match arm {
            Some(arm) if held_out => ArmId::new(arm).map(Self::Ghost),
            Some(arm) => ArmId::new(arm).map(Self::Arm),
            None if held_out => Ok(Self::Holdout),
            None => Ok(Self::Untouched),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The slot was seen, or filled where nobody can tell.
    Exposure,
    /// A goal was reached.
    Reward {
        /// Which goal.
        goal: GoalId,
        /// What it was worth in millionths of the site's currency, at most [`MAX_VALUE_MICROS`] either way. An integer,
        /// so that sums do not depend on their order.
        value_micros: i64,
    },
}

/// Something that happened after a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Two events of a decision, slot and treatment with the same key are one event.
    pub key: u64,
    /// The decision it belongs to.
    pub decision: DecisionId,
    /// The slot.
    pub slot: SlotId,
    /// What the slot got.
    pub treatment: Treatment,
    /// Whether many visitors share the decision.
    pub shared: bool,
    /// What happened.
    pub kind: Kind,
    /// Time of the *decision*, milliseconds since the epoch, UTC.
    pub time_millis: u64,
    /// P(this treatment) at decision time, in (0, 1].
    pub propensity: f64,
    /// Shards of the ledger at decision time, 1 to [`crate::receipt::MAX_SHARDS`].
    pub shards: u8,
    /// Hash of the unit of assignment, where the receipt tells it: events of one visitor belong together, and nobody can tell
    /// whose they are. Links carry no unit, so a reward by link has none.
    pub unit: Option<u64>,
    /// What learning needs to know beside the treatment.
    pub basis: Basis,
}

impl Event {
    /// The exposure of a receipt.
    ///
    /// `id` counts for shared receipts only, where it tells the views apart; give one there. An unshared decision has
    /// one exposure, whatever id a client makes up.
    #[must_use]
    pub fn exposure(receipt: &Receipt, id: Option<EventId>) -> Self {
        Self::new(receipt, Kind::Exposure, id)
    }

    /// The reward of a receipt: `value` in the site's currency, kept to millionths. `id` as in [`Event::exposure`]:
    /// an unshared decision has one reward per goal.
    ///
    /// # Errors
    /// [`Refusal::Value`]: not finite, or beyond [`MAX_VALUE`] either way.
    pub fn reward(
        receipt: &Receipt,
        goal: &GoalId,
        value: f64,
        id: Option<EventId>,
    ) -> Result<Self, Refusal> {
        // Also refuses what is not a number.
        if !(-MAX_VALUE..=MAX_VALUE).contains(&value) {
            return Err(Refusal::Value);
        }
        let value_micros = libm::round(value * 1e6) as i64;
        Ok(Self::new(receipt, Kind::Reward { goal: goal.clone(), value_micros }, id))
    }

    fn new(receipt: &Receipt, kind: Kind, id: Option<EventId>) -> Self {
        let shared = receipt.flags.shared();
        let id = id.filter(|_| shared);
        Self {
            key: key(receipt, &kind, id),
            decision: receipt.decision,
            slot: receipt.slot.clone(),
            treatment: Treatment::of(receipt),
            shared,
            kind,
            time_millis: receipt.time_millis,
            propensity: receipt.propensity,
            shards: receipt.shards,
            unit: receipt.unit.map(|unit| hash(Purpose::Event, &[b"unit", &unit.to_le_bytes()])),
            basis: receipt.basis.for_learning(),
        }
    }

    /// The shard that counts it.
    #[must_use]
    pub fn shard(&self) -> u8 {
        shard_of(&self.decision, self.shards)
    }

    /// From this time on (milliseconds since the epoch) every event of the same decision is late, so that what is
    /// known of it can be forgotten: `window_millis` after the decision.
    #[must_use]
    pub fn expires_millis(&self, window_millis: u64) -> u64 {
        expires(self.time_millis, self.shared, window_millis)
    }
}

/// The idempotency key: what the event is about, plus the edge's id where many visitors share the decision.
fn key(receipt: &Receipt, kind: &Kind, id: Option<EventId>) -> u64 {
    let goal = match kind {
        Kind::Exposure => &b""[..],
        Kind::Reward { goal, .. } => goal.as_str().as_bytes(),
    };
    // An identifier is never empty, so no goal can pass for an exposure.
    let id = id.map_or([0; 16], |id| id.0);
    hash(Purpose::Event, &[&receipt.decision.0, receipt.slot.as_str().as_bytes(), goal, &id])
}

/// The shard of a decision among `shards` (0 counts as 1).
///
/// ```
/// use edgeloom::{event::shard_of, id::DecisionId};
/// assert!(shard_of(&DecisionId([7; 16]), 4) < 4);
/// ```
#[must_use]
pub fn shard_of(decision: &DecisionId, shards: u8) -> u8 {
    (hash(Purpose::Shard, &[&decision.0]) % u64::from(shards.max(1))) as u8
}

const fn expires(time_millis: u64, shared: bool, window_millis: u64) -> u64 {
    // Shared receipts tell the hour only: up to this much of their window has passed when they are made.
    let slack = if shared { HOUR_MILLIS } else { 0 };
    time_millis.saturating_add(window_millis).saturating_add(slack)
}

/// Whether events of a receipt still count at `now_millis`, `window_millis` being the site's window.
///
/// # Errors
/// [`Refusal::Late`] and [`Refusal::Early`].
pub const fn check(receipt: &Receipt, now_millis: u64, window_millis: u64) -> Result<(), Refusal> {
    if receipt.time_millis > now_millis.saturating_add(EARLY_TOLERANCE_MILLIS) {
        return Err(Refusal::Early);
    }
    if now_millis >= expires(receipt.time_millis, receipt.flags.shared(), window_millis) {
        return Err(Refusal::Late);
    }
    Ok(())
}

/// Whether a reward of a goal still counts at `now_millis`, `window_millis` being the goal's own.
///
/// # Errors
/// [`Refusal::Late`].
pub const fn check_goal(receipt: &Receipt, now_millis: u64, window_millis: u64) -> Result<(), Refusal> {
    if now_millis >= expires(receipt.time_millis, receipt.flags.shared(), window_millis) {
        return Err(Refusal::Late);
    }
    Ok(())
}

/// [`check`] for a receipt that a client sent by itself: a shared one is refused too, because nothing binds it to a view
/// and one visitor could send it for thousands. Those events are recorded by the edge only.
///
/// # Errors
/// [`Refusal::Unbound`], [`Refusal::Late`] and [`Refusal::Early`].
pub const fn check_sent(receipt: &Receipt, now_millis: u64, window_millis: u64) -> Result<(), Refusal> {
    if receipt.flags.shared() {
        return Err(Refusal::Unbound);
    }
    check(receipt, now_millis, window_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Flags;
    use crate::receipt::tests::sample;

    fn goal(name: &str) -> GoalId {
        GoalId::new(name).unwrap()
    }

    fn shared() -> Receipt {
        Receipt { unit: None, flags: Flags::default().with_shared(true), ..sample() }
    }

    const ID: Option<EventId> = Some(EventId([1; 16]));
    const OTHER: Option<EventId> = Some(EventId([2; 16]));

    #[test]
    fn an_unshared_decision_has_one_exposure_whatever_id_is_sent() {
        let receipt = sample();
        let plain = Event::exposure(&receipt, None);
        assert_eq!(plain, Event::exposure(&receipt, ID));
        let reward = |name, id| Event::reward(&receipt, &goal(name), 1.0, id).unwrap().key;
        assert_eq!(reward("buy", None), reward("buy", OTHER));
        assert_ne!(reward("buy", None), reward("join", None));
        assert_ne!(reward("buy", None), plain.key);
    }

    #[test]
    fn views_of_a_shared_decision_are_told_apart_by_their_id() {
        let receipt = shared();
        assert_ne!(Event::exposure(&receipt, ID).key, Event::exposure(&receipt, OTHER).key);
        assert_eq!(Event::exposure(&receipt, ID), Event::exposure(&receipt, ID));
        let reward = Event::reward(&receipt, &goal("buy"), 1.0, ID).unwrap();
        assert_ne!(reward.key, Event::exposure(&receipt, ID).key);
    }

    #[test]
    fn slots_of_one_decision_have_keys_of_their_own() {
        let other = Receipt { slot: SlotId::new("footer").unwrap(), ..sample() };
        assert_ne!(Event::exposure(&sample(), None).key, Event::exposure(&other, None).key);
    }

    #[test]
    fn the_treatment_follows_from_the_receipt() {
        let of = |arm, held_out| {
            Treatment::of(&Receipt { arm, flags: Flags::default().with_held_out(held_out), ..sample() })
        };
        let arm = ArmId::new("summer").unwrap();
        assert_eq!(of(Some(arm.clone()), false), Treatment::Arm(arm.clone()));
        assert_eq!(of(None, true), Treatment::Holdout);
        assert_eq!(of(Some(arm.clone()), true), Treatment::Ghost(arm), "a noted arm was not shown");
        assert_eq!(of(None, false), Treatment::Untouched);
    }

    #[test]
    fn a_value_is_finite_and_bounded() {
        let value = |v| match Event::reward(&sample(), &goal("buy"), v, None).map(|e| e.kind) {
            Ok(Kind::Reward { value_micros, .. }) => Ok(value_micros),
            Ok(Kind::Exposure) => panic!("not a reward"),
            Err(refusal) => Err(refusal),
        };
        assert_eq!(value(0.1 + 0.2), Ok(300_000));
        assert_eq!(value(-1e9), Ok(-MAX_VALUE_MICROS));
        assert_eq!(value(1e9), Ok(MAX_VALUE_MICROS));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.000_000_001e9] {
            assert_eq!(value(bad), Err(Refusal::Value), "{bad}");
        }
    }

    #[test]
    fn the_window_is_half_open() {
        let receipt = Receipt { time_millis: 1_000_000, ..sample() };
        assert_eq!(check(&receipt, 1_000_000, 500), Ok(()));
        assert_eq!(check(&receipt, 1_000_499, 500), Ok(()));
        assert_eq!(check(&receipt, 1_000_500, 500), Err(Refusal::Late));
        assert_eq!(Event::exposure(&receipt, None).expires_millis(500), 1_000_500);
        assert_eq!(check(&receipt, 700_000, 500), Ok(()), "clocks differ");
        assert_eq!(check(&receipt, 699_999, 500), Err(Refusal::Early));
        assert_eq!(check(&Receipt { time_millis: u64::MAX, ..sample() }, 0, u64::MAX), Err(Refusal::Early));
    }

    #[test]
    fn a_shared_receipt_tells_the_hour_only_and_gets_that_hour_on_top() {
        let receipt = Receipt { time_millis: 7_200_000, ..shared() };
        assert_eq!(check(&receipt, 7_200_000 + 3_600_499, 500), Ok(()));
        assert_eq!(check(&receipt, 7_200_000 + 3_600_500, 500), Err(Refusal::Late));
    }

    #[test]
    fn a_shared_receipt_from_a_client_is_refused() {
        let now = sample().time_millis;
        assert_eq!(check_sent(&shared(), now, 1_000), Err(Refusal::Unbound));
        assert_eq!(check_sent(&sample(), now, 1_000), Ok(()));
        assert_eq!(check_sent(&sample(), now + 1_000, 1_000), Err(Refusal::Late));
    }

    #[test]
    fn shards_share_the_decisions_evenly() {
        // Chi-square over 8 shards, 7 degrees of freedom: above 29.9 once in 10,000 salts; the ids are fixed.
        let mut counts = [0_u32; 8];
        for i in 0..8_000_u64 {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&i.to_le_bytes());
            counts[usize::from(shard_of(&DecisionId(id), 8))] += 1;
        }
        let chi: f64 = counts.iter().map(|n| f64::from(n.abs_diff(1000))).map(|d| d * d / 1000.0).sum();
        assert!(chi < 29.9, "{counts:?}");
        assert_eq!(shard_of(&DecisionId([1; 16]), 0), 0);
    }
}
