//! What is known of one decision, slot and treatment. It is stored with its siblings: [`super::Tokens`].
//!
//! ```text
//! bytes     what
//! 28–       where its events come from, see [`Origin`]
//! 1–3       number of exposures, LEB128
//! 8 each    their keys, little endian, ascending
//! 1–3       number of goals, LEB128; then for each, sorted by name
//!   2–65    name: length and text
//!   1–3     number of rewards, LEB128, at least 1; then for each
//!     8     key, little endian, ascending
//!     1–8   value in micros, zigzag LEB128
//! ```

use super::{Origin, Outcome};
use crate::bytes::{Reader, put_text, put_varint, unzigzag, zigzag};
use crate::event::{Event, Kind, MAX_VALUE_MICROS};
use crate::id::{GoalId, MAX_ID_BYTES};
use crate::sorted::SortedMap;
use crate::statistics::{Counts, GoalCounts};

/// Most bytes of a number of keys or goals, of a key, of a goal without its rewards, of a reward. What a row holds is
/// bounded far below the 2^21 that three bytes count to.
const COUNT_BYTES: usize = 3;
const KEY_BYTES: usize = 8;
const GOAL_BYTES: usize = 1 + MAX_ID_BYTES + COUNT_BYTES;
const REWARD_BYTES: usize = KEY_BYTES + 8;

/// Everything known of one decision, slot and treatment: where its events come from, their keys, and the values of its rewards.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    origin: Origin,
    /// Ascending.
    exposures: Vec<u64>,
    /// Key and value in micros, ascending by key; never empty.
    rewards: SortedMap<GoalId, Vec<(u64, i64)>>,
}

impl Token {
    /// Most bytes that one event adds, be it the first.
    pub(super) const EVENT_BYTES: usize = Origin::MAX_BYTES + 2 * COUNT_BYTES + GOAL_BYTES + REWARD_BYTES;

    /// Where an event comes from, and nothing counted.
    pub(super) fn new(event: &Event) -> Self {
        Self { origin: Origin::of(event), exposures: Vec::new(), rewards: SortedMap::new() }
    }

    /// Where its events come from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The counted rewards by goal: how many, and the sum of their values in millionths.
    pub fn counted(&self) -> impl Iterator<Item = (&GoalId, usize, i128)> {
        self.rewards.iter().map(|(goal, rewards)| {
            let counted = rewards.iter().take(self.exposures.len());
            (goal, counted.len(), counted.map(|(_, value)| i128::from(*value)).sum())
        })
    }

    /// Learns where its events come from as far as it was not told. Returns whether that is new.
    pub(super) fn join(&mut self, event: &Event) -> bool {
        self.origin.join(event)
    }

    /// Number of exposures.
    #[must_use]
    pub const fn exposures(&self) -> usize {
        self.exposures.len()
    }

    /// Number of rewards that wait for an exposure.
    pub(super) fn waiting(&self) -> usize {
        self.rewards.values().map(|rewards| rewards.len().saturating_sub(self.exposures.len())).sum()
    }

    /// At least the bytes of the stored form, whatever the keys and values are.
    pub(super) fn max_bytes(&self) -> usize {
        let goal = |rewards: &Vec<_>| GOAL_BYTES + REWARD_BYTES * rewards.len();
        self.origin.max_bytes()
            + 2 * COUNT_BYTES
            + KEY_BYTES * self.exposures.len()
            + self.rewards.values().map(goal).sum::<usize>()
    }

    /// Whether it has an event's key already, so that taking the event makes it no larger.
    pub(super) fn knows(&self, event: &Event) -> bool {
        match &event.kind {
            Kind::Exposure => self.exposures.binary_search(&event.key).is_ok(),
            Kind::Reward { goal, .. } => self
                .rewards
                .get(goal)
                .is_some_and(|rewards| rewards.binary_search_by_key(&event.key, |(key, _)| *key).is_ok()),
        }
    }

    /// Takes an exposure; one waiting reward of each goal starts to count.
    pub(super) fn expose(&mut self, event: &Event, counts: &mut Counts) -> Outcome {
        let Err(rank) = self.exposures.binary_search(&event.key) else { return Outcome::Repeat };
        if self.exposures.is_empty() {
            self.origin.expose(event);
        }
        *counts = Counts::of_exposure(event.propensity);
        for (goal, rewards) in &self.rewards {
            if let Some((_, value)) = rewards.get(self.exposures.len()) {
                counts.add_goal(goal, GoalCounts::of(*value));
            }
        }
        self.exposures.insert(rank, event.key);
        Outcome::New
    }

    /// Takes a reward; it counts when its key is among the smallest, as many as there are exposures.
    pub(super) fn reward(
        &mut self,
        key: u64,
        goal: &GoalId,
        value_micros: i64,
        counts: &mut Counts,
    ) -> Outcome {
        let counted = self.exposures.len();
        let mut add = |added: GoalCounts| counts.add_goal(goal, added);
        let rewards = self.rewards.get_mut(goal);
        let rank = match rewards.as_deref().map_or(Err(0), |all| all.binary_search_by_key(&key, |(k, _)| *k))
        {
            Err(rank) => rank,
            Ok(rank) => {
                // Two events with one key and two values: whichever came first, the smaller value stands.
                let known =
                    rewards.and_then(|all| all.get_mut(rank)).filter(|(_, known)| value_micros < *known);
                let Some((_, known)) = known else { return Outcome::Repeat };
                if rank < counted {
                    add(GoalCounts::of(value_micros).instead_of(*known));
                }
                *known = value_micros;
                return Outcome::Revised;
            }
        };
        let rewards = match rewards {
            Some(rewards) => rewards,
            None => self.rewards.or_default(goal.clone()),
        };
        // The last that counted so far, where all exposures have their reward already.
        let displaced = counted.checked_sub(1).and_then(|last| rewards.get(last)).map(|(_, value)| *value);
        rewards.insert(rank, (key, value_micros));
        if rank >= counted {
            return Outcome::Waiting;
        }
        let own = GoalCounts::of(value_micros);
        add(displaced.map_or(own, |displaced| own.instead_of(displaced)));
        Outcome::New
    }

    /// Appends the stored form.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.origin.write(out);
        put_varint(out, self.exposures.len() as u64);
        for key in &self.exposures {
            out.extend_from_slice(&key.to_le_bytes());
        }
        put_varint(out, self.rewards.len() as u64);
        for (goal, rewards) in &self.rewards {
            put_text(out, goal.as_str());
            put_varint(out, rewards.len() as u64);
            for (key, value) in rewards {
                out.extend_from_slice(&key.to_le_bytes());
                put_varint(out, zigzag(*value));
            }
        }
    }

    /// Reads the stored form; `None` for everything that [`Token::write`] would not write, and for a token of nothing.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let origin = Origin::read(reader)?;
        let n = usize::try_from(reader.varint()?).ok()?;
        let keys = reader.take(n.checked_mul(KEY_BYTES)?)?.as_chunks().0;
        let exposures: Vec<u64> = keys.iter().map(|key| u64::from_le_bytes(*key)).collect();
        exposures.is_sorted_by(|one, next| one < next).then_some(())?;
        let mut token = Self { origin, exposures, rewards: SortedMap::new() };
        for _ in 0..reader.varint()? {
            let goal = GoalId::new(reader.text()?).ok()?;
            let mut rewards: Vec<(u64, i64)> = Vec::new();
            for _ in 0..reader.varint()? {
                let (key, value) = (reader.number()?, unzigzag(reader.varint()?));
                let ascends = rewards.last().is_none_or(|(last, _)| *last < key);
                let in_range = value.unsigned_abs() <= MAX_VALUE_MICROS as u64;
                (ascends && in_range).then(|| rewards.push((key, value)))?;
            }
            let sorted = token.rewards.keys().next_back().is_none_or(|last| *last < goal);
            (sorted && !rewards.is_empty()).then(|| token.rewards.insert(goal, rewards))?;
        }
        (!token.exposures.is_empty() || !token.rewards.is_empty()).then_some(token)
    }
}
