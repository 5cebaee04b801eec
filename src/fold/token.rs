//! What is known of one decision, slot and treatment, and its stored form: one row of the ledger.
//!
//! ```text
//! bytes     what
//! 1         format; this code writes 1 and refuses others
//! 1–3       number of exposures, LEB128
//! 8 each    their keys, little endian, ascending
//! 1–3       number of goals, LEB128; then for each, sorted by name
//!   2–65    name: length and text
//!   1–3     number of rewards, LEB128, at least 1; then for each
//!     8     key, little endian, ascending
//!     1–8   value in micros, zigzag LEB128
//! ```

use super::Outcome;
use crate::bytes::{Reader, put_text, put_varint, unzigzag, zigzag};
use crate::event::MAX_VALUE_MICROS;
use crate::id::GoalId;
use crate::sorted::SortedMap;
use crate::statistics::{Counts, GoalCounts};
use std::fmt;

/// Most keys of one token.
///
/// A visitor's token has one exposure and one reward per goal. A shared one collects the views of an hour that fall
/// into its bucket: 16,384 keys in 4,096 buckets are 67 million views of one slot per hour, 18,000 per second. The
/// largest stored form, every key a reward of a goal of its own, has 16,384 × 82 bytes = 1.3 MB, inside the 2 MB of a
/// row. Which events are refused beyond it depends on their order; nothing else does.
pub const MAX_KEYS: usize = 16_384;

const FORMAT: u8 = 1;

/// A stored token that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// Written by another version of this code.
    Format {
        /// Format number found.
        found: u8,
    },
    /// Cut or damaged.
    Malformed,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format { found } => {
                write!(
                    f,
                    "token has format {found}, this version reads {FORMAT}; hint: deploy matching versions"
                )
            }
            Self::Malformed => write!(f, "token is cut or damaged"),
        }
    }
}

impl std::error::Error for TokenError {}

/// Everything known of one decision, slot and treatment: the keys of its events, and the values of its rewards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Token {
    /// Ascending.
    exposures: Vec<u64>,
    /// Key and value in micros, ascending by key; never empty.
    rewards: SortedMap<GoalId, Vec<(u64, i64)>>,
}

impl Token {
    /// Number of exposures.
    #[must_use]
    pub const fn exposures(&self) -> usize {
        self.exposures.len()
    }

    /// Number of rewards that wait for an exposure.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.rewards.values().map(|rewards| rewards.len().saturating_sub(self.exposures.len())).sum()
    }

    /// Whether another key would make the token larger than a decision is worth.
    fn is_full(&self) -> bool {
        self.exposures.len() + self.rewards.values().map(Vec::len).sum::<usize>() >= MAX_KEYS
    }

    /// Takes an exposure; one waiting reward of each goal starts to count.
    pub(super) fn expose(&mut self, key: u64, propensity: f64, counts: &mut Counts) -> Outcome {
        let Err(rank) = self.exposures.binary_search(&key) else { return Outcome::Repeat };
        if self.is_full() {
            return Outcome::Full;
        }
        *counts = Counts::of_exposure(propensity);
        for (goal, rewards) in &self.rewards {
            if let Some((_, value)) = rewards.get(self.exposures.len()) {
                counts.add_goal(goal, GoalCounts { n: 1, value_micros: i128::from(*value) });
            }
        }
        self.exposures.insert(rank, key);
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
        let full = self.is_full();
        let counted = self.exposures.len();
        let mut change = |n, change: i128| counts.add_goal(goal, GoalCounts { n, value_micros: change });
        let value = i128::from(value_micros);
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
                    change(0, value - i128::from(*known));
                }
                *known = value_micros;
                return Outcome::Revised;
            }
        };
        if full {
            return Outcome::Full;
        }
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
        match displaced {
            Some(displaced) => change(0, value - i128::from(displaced)),
            None => change(1, value),
        }
        Outcome::New
    }

    /// The stored form: equal tokens are equal bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + 8 * self.exposures.len() + 64 * self.rewards.len());
        out.push(FORMAT);
        put_varint(&mut out, self.exposures.len() as u64);
        for key in &self.exposures {
            out.extend_from_slice(&key.to_le_bytes());
        }
        put_varint(&mut out, self.rewards.len() as u64);
        for (goal, rewards) in &self.rewards {
            put_text(&mut out, goal.as_str());
            put_varint(&mut out, rewards.len() as u64);
            for (key, value) in rewards {
                out.extend_from_slice(&key.to_le_bytes());
                put_varint(&mut out, zigzag(*value));
            }
        }
        out
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`TokenError::Format`] for another version's, [`TokenError::Malformed`] for everything else that
    /// [`Token::to_bytes`] would not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenError> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => Self::read(rest).ok_or(TokenError::Malformed),
            Some((&found, _)) => Err(TokenError::Format { found }),
            None => Err(TokenError::Malformed),
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let mut token = Self::default();
        let mut keys = reader.varint()?;
        for _ in 0..keys {
            let key = reader.number()?;
            (token.exposures.last() < Some(&key)).then(|| token.exposures.push(key))?;
        }
        for _ in 0..reader.varint()? {
            let goal = GoalId::new(reader.text()?).ok()?;
            let mut rewards: Vec<(u64, i64)> = Vec::new();
            let n = reader.varint()?;
            for _ in 0..n {
                let (key, value) = (reader.number()?, unzigzag(reader.varint()?));
                let ascends = rewards.last().is_none_or(|(last, _)| *last < key);
                let in_range = value.unsigned_abs() <= MAX_VALUE_MICROS as u64;
                (ascends && in_range).then(|| rewards.push((key, value)))?;
            }
            let sorted = token.rewards.keys().next_back().is_none_or(|last| *last < goal);
            (sorted && n > 0).then(|| token.rewards.insert(goal, rewards))?;
            keys = keys.checked_add(n)?;
        }
        reader.end()?;
        (keys <= MAX_KEYS as u64).then_some(token)
    }
}
