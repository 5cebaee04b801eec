//! Why an event was not taken: one word per cause, the same in counters, answers and the console.

use crate::receipt::ReceiptError;
use std::fmt;

/// Why an event was not taken; each is counted by its word.
/// A refusal is final: the sender drops the event, for it would be refused again. Only [`Refusal::Rate`] passes with time, and
/// [`Refusal::UnknownKey`], [`Refusal::Format`] and the unknown names may come from a Worker that is older or newer than the page.
/// Many [`Refusal::Forged`] or [`Refusal::Unbound`] ones are somebody trying.
///
/// ```
/// use edgeloom::event::Refusal;
/// assert_eq!(Refusal::UnknownGoal.as_str(), "unknown_goal");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Not readable.
    Malformed,
    /// A receipt of another format.
    Format,
    /// A receipt signed with a key that is not on the ring.
    UnknownKey,
    /// A receipt with a wrong signature.
    Forged,
    /// After the window of its decision.
    Late,
    /// From the future.
    Early,
    /// A shared receipt sent by a client.
    Unbound,
    /// A slot the site does not have.
    UnknownSlot,
    /// An arm the slot does not have.
    UnknownArm,
    /// A goal the site does not have.
    UnknownGoal,
    /// A value that is no number or too large.
    Value,
    /// More events of one decision than are kept ([`crate::fold::MAX_ROW_BYTES`]).
    Full,
    /// From an origin that may not send.
    Origin,
    /// Too many from one place.
    Rate,
    /// From a crawler.
    Crawler,
}

impl Refusal {
    /// The word that counters carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Format => "format",
            Self::UnknownKey => "unknown_key",
            Self::Forged => "forged",
            Self::Late => "late",
            Self::Early => "early",
            Self::Unbound => "unbound",
            Self::UnknownSlot => "unknown_slot",
            Self::UnknownArm => "unknown_arm",
            Self::UnknownGoal => "unknown_goal",
            Self::Value => "value",
            Self::Full => "full",
            Self::Origin => "origin",
            Self::Rate => "rate",
            Self::Crawler => "crawler",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Refusal {}

impl From<ReceiptError> for Refusal {
    fn from(error: ReceiptError) -> Self {
        match error {
            ReceiptError::Malformed => Self::Malformed,
            ReceiptError::UnknownKey { .. } => Self::UnknownKey,
            ReceiptError::Forged => Self::Forged,
            ReceiptError::Format { .. } => Self::Format,
        }
    }
}
