//! What is wrong with an item of a configuration, where, and how to mend it. Finding it is the business of `compile`.

use std::fmt::Display;

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The item is left out.
    Error,
    /// The item works, but probably not as meant.
    Advice,
}

/// A problem of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where: a JSON pointer (RFC 6901) into the configuration.
    pub pointer: String,
    /// What is wrong and, after `hint:`, how to mend it.
    pub message: String,
    /// How much it matters.
    pub severity: Severity,
}

impl Warning {
    /// A problem that leaves an item out.
    #[must_use]
    pub fn error(pointer: impl Into<String>, message: impl Display) -> Self {
        Self { pointer: pointer.into(), message: message.to_string(), severity: Severity::Error }
    }

    /// A remark.
    #[must_use]
    pub fn advice(pointer: impl Into<String>, message: impl Display) -> Self {
        Self { pointer: pointer.into(), message: message.to_string(), severity: Severity::Advice }
    }
}

/// Stops an item: its warning is noted, nothing of it is kept.
pub(super) type Item<T> = Result<T, Warning>;
