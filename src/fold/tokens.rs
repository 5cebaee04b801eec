//! What is known of a decision, and its stored form: one row of the ledger. It leaves counting to [`Token`].
//!
//! A page asks the ledger about all its slots at once, so they are read and written at once.
//!
//! ```text
//! bytes     what
//! 1         format; this code writes 1 and refuses others
//! 1–3       number of tokens, LEB128; then for each, ascending by key
//!   8       key, little endian
//!   38–     token
//! ```

use super::token::Token;
use super::{Origin, Outcome};
use crate::bytes::{Reader, put_varint};
use crate::event::{Event, Kind};
use crate::statistics::Counts;
use std::fmt;

/// Most bytes of a row's tokens; the platform's limit of a row is 2 MB.
///
/// A visitor's decision has one exposure per slot and one reward per goal. A shared one collects the views of an hour that
/// fall into its bucket, for all slots of the page: with ten slots of 8 bytes a view, 1.9 MB in 4,096 buckets are 97
/// million views of such a page per hour, 27,000 per second. Which events are refused beyond it depends on their order;
/// nothing else does.
pub const MAX_ROW_BYTES: usize = 1_900_000;

/// Most bytes that one event adds: a token of its own, a goal of its own, a reward.
const EVENT_BYTES: usize = KEY_BYTES + Token::EVENT_BYTES;
const KEY_BYTES: usize = 8;
/// Format and number of tokens.
const HEAD_BYTES: usize = 4;
const FORMAT: u8 = 1;

/// A stored row that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokensError {
    /// Written by another version of this code.
    Format {
        /// Format number found.
        found: u8,
    },
    /// Cut or damaged.
    Malformed,
}

impl fmt::Display for TokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format { found } => {
                write!(
                    f,
                    "tokens have format {found}, this version reads {FORMAT}; hint: deploy matching versions"
                )
            }
            Self::Malformed => write!(f, "tokens are cut or damaged"),
        }
    }
}

impl std::error::Error for TokensError {}

/// Everything known of a decision: a token for each slot and treatment there were events of.
///
/// Decisions that meet in a [`super::RowId`] share it. They can't be confused: a token's key is a hash of its decision too, so
/// that, like the row's, it can't be matched with a receipt by reading alone. Of 10^9 rows with ten tokens, one has
/// two that meet with a chance of 10^-9 (45 pairs in 2^64).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tokens {
    /// Ascending by key; none is empty.
    tokens: Vec<(u64, Token)>,
    /// At least the bytes of the stored tokens, and a function of the sets of keys alone.
    max_bytes: usize,
}

impl Tokens {
    /// Number of exposures, of all slots and treatments.
    #[must_use]
    pub fn exposures(&self) -> usize {
        self.tokens.iter().map(|(_, token)| token.exposures()).sum()
    }

    /// Number of rewards that wait for an exposure.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.tokens.iter().map(|(_, token)| token.waiting()).sum()
    }

    /// The tokens with their keys, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Token)> {
        self.tokens.iter().map(|(key, token)| (*key, token))
    }

    /// Takes an event into its token.
    pub(super) fn take(&mut self, event: &Event, counts: &mut Counts) -> Outcome {
        let key = Origin::key(event);
        let place = self.tokens.binary_search_by_key(&key, |(key, _)| *key);
        let known = place.ok().and_then(|at| self.tokens.get_mut(at));
        let before = known.as_ref().map_or(0, |(_, token)| KEY_BYTES + token.max_bytes());
        let mut new = None;
        let token = match known {
            Some((_, token)) => token,
            None => new.insert(Token::new(event)),
        };
        let is_full = self.max_bytes + EVENT_BYTES > MAX_ROW_BYTES;
        // What is known already is known in a full row too.
        if is_full && !token.knows(event) {
            return Outcome::Full;
        }
        let is_told = token.join(event);
        let outcome = match &event.kind {
            Kind::Exposure => token.expose(event, counts),
            Kind::Reward { goal, value_micros } => token.reward(event.key, goal, *value_micros, counts),
        };
        counts.note(token.origin());
        let outcome = if is_told && outcome == Outcome::Repeat { Outcome::Revised } else { outcome };
        if outcome.changes_tokens() {
            self.max_bytes = (self.max_bytes + KEY_BYTES + token.max_bytes()).saturating_sub(before);
            if let (Err(at), Some(new)) = (place, new) {
                self.tokens.insert(at, (key, new));
            }
        }
        outcome
    }

    /// The stored form: equal tokens are equal bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD_BYTES + self.max_bytes);
        out.push(FORMAT);
        put_varint(&mut out, self.tokens.len() as u64);
        for (key, token) in &self.tokens {
            out.extend_from_slice(&key.to_le_bytes());
            token.write(&mut out);
        }
        out
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`TokensError::Format`] for another version's, [`TokensError::Malformed`] for everything else that
    /// [`Tokens::to_bytes`] would not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokensError> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => Self::read(rest).ok_or(TokensError::Malformed),
            Some((&found, _)) => Err(TokensError::Format { found }),
            None => Err(TokensError::Malformed),
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let mut all = Self::default();
        for _ in 0..reader.varint()? {
            let (key, token) = (reader.number()?, Token::read(&mut reader)?);
            let ascends = all.tokens.last().is_none_or(|(last, _)| *last < key);
            all.max_bytes = all.max_bytes.checked_add(KEY_BYTES + token.max_bytes())?;
            ascends.then(|| all.tokens.push((key, token)))?;
        }
        reader.end()?;
        (all.max_bytes <= MAX_ROW_BYTES).then_some(all)
    }
}
