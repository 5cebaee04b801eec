//! Why a command could not do its work; problems inside a configuration are findings, not failures.

use std::fmt;

/// The end of a command that is not success.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Refused,
    Unusable,
}

impl Failure {
    /// The work was understood and the answer is no: exit code 1.
    pub fn refused(message: impl fmt::Display) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// Wrong usage, or something could not be read, written or reached: exit code 2.
    pub fn unusable(message: impl fmt::Display) -> Self {
        Self::new(Kind::Unusable, message)
    }

    fn new(kind: Kind, message: impl fmt::Display) -> Self {
        let message = message.to_string();
        let (message, hint) = split_hint(&message);
        Self { kind, message: message.to_string(), hint: hint.map(ToString::to_string) }
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Exit code of the process.
    pub const fn code(&self) -> u8 {
        match self.kind {
            Kind::Refused => 1,
            Kind::Unusable => 2,
        }
    }
}

/// A message of the house and what it says to do: `… hint: …`.
pub fn split_hint(message: &str) -> (&str, Option<&str>) {
    match message.split_once("hint: ") {
        Some((what, hint)) => (what.trim_end().trim_end_matches(';'), Some(hint.trim())),
        None => (message, None),
    }
}

#[cfg(test)]
mod tests {
    use super::split_hint;

    #[test]
    fn the_hint_leaves_the_message() {
        assert_eq!(split_hint("3 is too much; hint: at most 2"), ("3 is too much", Some("at most 2")));
        assert_eq!(split_hint("no"), ("no", None));
    }
}
