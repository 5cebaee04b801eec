//! Order of versions as text: `2.10.0` after `2.9.1`, `1.0.0-rc.1` before `1.0.0`.
//!
//! Semantic Versioning 2.0.0, section 11, made total: any text is a version, `.` and `-` both separate,
//! a leading `v` and everything from `+` on do not count, numbers may have any length.

use std::cmp::Ordering;

/// A part of a version; numbers come before words.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// Digits without leading zeros: first by their count, then by themselves, is by their value.
    Number(usize, &'a str),
    Word(&'a str),
}

/// A part as it sorts: numbers before words, numbers by value.
fn part(text: &str) -> Part<'_> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Part::Word(text);
    }
    let digits = text.trim_start_matches('0');
    Part::Number(digits.len(), digits)
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let text = text.split_once('+').map_or(text, |(version, _build)| version);
    // A missing version is the oldest one.
    let text = if text.is_empty() { "0" } else { text };
    let pieces = || text.split(['.', '-']);
    // A release comes after its pre-releases: `~` is after every letter.
    let release = (pieces().take(4).count() == 3).then_some(Part::Word("~"));
    pieces().map(part).chain(release)
}

/// Which of two versions is the older one; equal up to build metadata is equal.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    parts(a).cmp(parts(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_are_ordered_as_semver_shows() {
        let order = [
            "",
            "0.9.99",
            "1.0.0-1",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "v2.0.0",
            "2.10.0",
            "2.123456.0",
        ];
        for pair in order.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare("1.02.3+a", "v1.2.3+b.c"), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn any_texts_are_totally_ordered(a in "[0-9v.~a+-]{0,8}", b in "[0-9v.~a+-]{0,8}", c in "[0-9v.~a+-]{0,8}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }

        #[test]
        fn numbers_are_compared_by_value(a: u64, b: u64) {
            prop_assert_eq!(compare(&format!("1.{a}.0"), &format!("1.{b}.0")), a.cmp(&b));
        }
    }
}
