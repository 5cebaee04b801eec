//! Path patterns: `*` stands for any characters, everything else for itself. No other wildcards, no captures.
//!
//! The path is compared as it stands in the request, percent-encoded and case-sensitive. In a pattern, signs
//! that browsers encode may be written plainly: `/über-uns` means `/%C3%BCber-uns`. A slash at the end counts:
//! `/shop` is one page, `/shop/*` everything below it but not `/shop`, `/shop*` both and `/shopping` too.

use std::fmt;

/// Longest pattern in bytes; matching takes time proportional to path and pattern.
pub const MAX_PATTERN_BYTES: usize = 1_024;

/// A pattern that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternError {
    /// More than [`MAX_PATTERN_BYTES`] bytes.
    TooLong {
        /// Bytes found.
        bytes: usize,
    },
    /// Starts neither with `/` nor with `*`, so it would match nothing.
    Start,
    /// `?`, `#` or a control character, which no path contains.
    Character {
        /// The character found.
        found: char,
    },
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => {
                write!(f, "path pattern has {bytes} bytes; hint: {MAX_PATTERN_BYTES} at most")
            }
            Self::Start => f.write_str("path pattern matches no path; hint: start it with '/' or '*'"),
            Self::Character { found } => {
                write!(
                    f,
                    "path pattern contains {found:?}; hint: only the path is compared, without query and fragment"
                )
            }
        }
    }
}

impl std::error::Error for PatternError {}

/// A compiled path pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// What the path starts with.
    start: Box<str>,
    /// What stands between and after stars; `None` without a star.
    stars: Option<AfterStar>,
}

/// Where to go on from when a literal fails: the last star takes one more character. Linear in text times pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AfterStar {
    /// Found one after the other, each at its first place.
    middle: Vec<Box<str>>,
    /// What the path ends with.
    end: Box<str>,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// ```
    /// use edgeloom::pattern::Pattern;
    /// let articles = Pattern::parse("/*/article/*")?;
    /// assert!(articles.matches("/de/article/7"));
    /// assert!(!articles.matches("/article/7"));
    /// # Ok::<(), edgeloom::pattern::PatternError>(())
    /// ```
    ///
    /// # Errors
    /// Too long, a first character no path has, or a character no path contains.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong { bytes: text.len() });
        }
        if !text.starts_with(['/', '*']) {
            return Err(PatternError::Start);
        }
        if let Some(found) = text.chars().find(|c| c.is_control() || matches!(c, '?' | '#')) {
            return Err(PatternError::Character { found });
        }
        let written = encoded(text);
        let Some((start, rest)) = written.split_once('*') else {
            return Ok(Self { start: written.into(), stars: None });
        };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        let middle = middle.split('*').filter(|part| !part.is_empty()).map(Into::into).collect();
        Ok(Self { start: start.into(), stars: Some(AfterStar { middle, end: end.into() }) })
    }

    /// Whether a path as it stands in the request, without query, matches.
    ///
    /// Taking each part at its first place is enough: a later place leaves less for the parts behind it. So
    /// nothing is tried twice.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(&*self.start) else { return false };
        let Some(AfterStar { middle, end }) = &self.stars else { return rest.is_empty() };
        let Some(mut rest) = rest.strip_suffix(&**end) else { return false };
        middle.iter().all(|part| match rest.split_once(&**part) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    }
}

/// The pattern with the signs encoded that browsers encode in a path (the standard's path percent-encode set).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '^' | '`' | '{' | '}') {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(path)
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, path) in [
            ("*", "/"),
            ("/", "/"),
            ("/a", "/a"),
            ("/a*", "/a"),
            ("/a*", "/abc/d"),
            ("/a/*", "/a/"),
            ("*.html", "/a/b.html"),
            ("/*/b/*/d", "/a/b/c/d"),
            ("/*b*b", "/bb"),
            ("/**a", "/a"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/", "/a"),
            ("/a", "/a/"),
            ("/a/", "/a"),
            ("/a/*", "/a"),
            ("/a", "/A"),
            ("*.html", "/a.htm"),
            ("/a*a", "/a"),
            ("/*b*b", "/b"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn foreign_letters_are_compared_as_browsers_send_them() {
        assert!(matches("/\u{fc}ber uns", "/%C3%BCber%20uns"));
        assert!(matches("/%C3%BCber", "/%C3%BCber"));
        assert!(!matches("/%2f", "//"));
    }

    #[test]
    fn patterns_that_match_nothing_are_refused() {
        assert_eq!(Pattern::parse(""), Err(PatternError::Start));
        assert_eq!(Pattern::parse("shop"), Err(PatternError::Start));
        assert_eq!(Pattern::parse("/a?b"), Err(PatternError::Character { found: '?' }));
        assert_eq!(Pattern::parse("/\n"), Err(PatternError::Character { found: '\n' }));
        assert_eq!(Pattern::parse(&"/".repeat(1_025)), Err(PatternError::TooLong { bytes: 1_025 }));
    }

    /// The definition, exponential and obviously right.
    fn by_definition(pattern: &[u8], path: &[u8]) -> bool {
        match (pattern, path) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=path.len()).any(|n| by_definition(rest, &path[n..])),
            ([p, pattern @ ..], [c, path @ ..]) => p == c && by_definition(pattern, path),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_matches_what_the_definition_says(pattern in "[/*][ab*]{0,7}", path in "/[ab]{0,9}") {
            prop_assert_eq!(matches(&pattern, &path), by_definition(pattern.as_bytes(), path.as_bytes()));
        }

        #[test]
        fn any_text_is_compiled_or_refused(text in any::<String>(), path in any::<String>()) {
            if let Ok(pattern) = Pattern::parse(&text) {
                let _ = pattern.matches(&path);
            }
        }
    }

    #[test]
    fn a_hundred_stars_take_no_time() {
        let pattern = format!("/{}b", "*a".repeat(100));
        // Backtracking would need more than 10^100 steps.
        assert!(!matches(&pattern, &format!("/{}", "a".repeat(100_000))));
    }
}
