//! Why a condition was refused, where, and what to write instead.

use std::fmt;

/// A condition that can't be compiled.
#[derive(Debug)]
pub struct ConditionError {
    /// JSON pointer (RFC 6901) to the offending place inside the condition; empty is the condition itself.
    pub(super) at: String,
    /// What is wrong there.
    pub cause: Cause,
}

/// What can be wrong with a condition.
#[derive(Debug)]
pub enum Cause {
    /// An operator that does not exist.
    UnknownOperator {
        /// Its name as written.
        name: String,
        /// The existing one that looks most like it.
        nearest: Option<&'static str>,
    },
    /// An operator where the name of an attribute is expected.
    Misplaced {
        /// The operator.
        operator: String,
    },
    /// Operators and plain keys in one object.
    Mixed {
        /// The key that is no operator.
        key: String,
    },
    /// A value of the wrong kind.
    Expected {
        /// What may stand there.
        wanted: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// A pattern that is not valid or too large.
    Pattern(regex_lite::Error),
    /// Nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
}

impl ConditionError {
    /// JSON pointer to the mistake inside the condition, e.g. `/$and/0/age`; empty is the condition itself.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.at
    }
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.at.is_empty() { "the condition" } else { &self.at };
        write!(f, "{place}: ")?;
        match &self.cause {
            Cause::UnknownOperator { name, nearest: Some(nearest) } => {
                write!(f, "unknown operator {name:?}; hint: did you mean {nearest:?}")
            }
            Cause::UnknownOperator { name, nearest: None } => {
                write!(f, "unknown operator {name:?}; hint: the documentation of audiences lists them all")
            }
            Cause::Misplaced { operator } => write!(
                f,
                "operator {operator:?} without an attribute; hint: write {{ \"attribute\": {{ \"{operator}\": … }} }}"
            ),
            Cause::Mixed { key } => {
                write!(f, "operators beside {key:?}; hint: use either operators only or plain keys only")
            }
            Cause::Expected { wanted, found } => write!(f, "{found} found; hint: write {wanted}"),
            Cause::Pattern(error) => write!(
                f,
                "the pattern is not usable: {error}; hint: look-around and back-references do not exist here, \
                 repetitions must be small"
            ),
            Cause::TooDeep => {
                write!(f, "nested too deeply; hint: {} levels at most", super::MAX_DEPTH)
            }
        }
    }
}

impl std::error::Error for ConditionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::Pattern(error) => Some(error),
            _ => None,
        }
    }
}

/// The one of `known` that a slip of the finger turns into `name`: at most two edits away.
pub(super) fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    // Longer than any operator by more than two: no need to look.
    if name.len() > 16 {
        return None;
    }
    let near = known.iter().map(|k| (edits(name, k), *k)).filter(|(edits, _)| *edits <= 2);
    near.min_by_key(|(edits, _)| *edits).map(|(_, k)| k)
}

/// Levenshtein's distance in bytes, one row at a time.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (above, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let best = (diagonal + usize::from(x != y)).min(*above + 1).min(left + 1);
            diagonal = *above;
            *above = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_edits() {
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("$regx", "$regex"), 1);
    }

    #[test]
    fn nothing_is_suggested_for_something_else_altogether() {
        assert_eq!(nearest("$regx", &["$in", "$regex"]), Some("$regex"));
        assert_eq!(nearest("$whatever", &["$in", "$regex"]), None);
    }
}
