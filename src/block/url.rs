//! Which addresses a block may carry, and their one written form; it resolves and fetches nothing.

use std::fmt;

/// Schemes a link may have; a relative address has none.
pub const LINK_SCHEMES: [&str; 4] = ["https", "http", "mailto", "tel"];

/// Schemes a picture or another resource may have.
pub const RESOURCE_SCHEMES: [&str; 2] = ["https", "http"];

/// An address that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlError {
    /// Nothing there.
    Empty,
    /// A scheme that is not allowed here.
    Scheme {
        /// What stands before the colon, shortened.
        found: String,
    },
    /// A control character or a backslash: browsers drop or change it, so the address would not be what it seems.
    Character {
        /// The character found.
        found: char,
    },
    /// `http:` or `//` without a host, or with a user name before it.
    Host,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("address is empty; hint: give one, or remove the link"),
            Self::Scheme { found } => {
                write!(
                    f,
                    "address with scheme {found:?}; hint: use https:, http:, mailto:, tel: or a relative address"
                )
            }
            Self::Character { found } => {
                write!(f, "address contains {found:?}; hint: no control characters and no backslashes")
            }
            Self::Host => f.write_str("address without a plain host; hint: write https://host/path"),
        }
    }
}

impl std::error::Error for UrlError {}

/// Checks an address and gives its written form: ASCII, without quotes, angle brackets and spaces.
///
/// # Errors
/// Empty, a scheme outside `schemes`, a control character, a backslash, or no plain host.
pub(super) fn canonical(raw: &str, schemes: &[&str]) -> Result<String, UrlError> {
    let url = raw.trim_matches(' ');
    if url.is_empty() {
        return Err(UrlError::Empty);
    }
    if let Some(found) = url.chars().find(|c| c.is_control() || *c == '\\') {
        return Err(UrlError::Character { found });
    }
    let after_scheme = match scheme(url) {
        Some((scheme, rest)) => {
            let scheme = scheme.to_ascii_lowercase();
            if !schemes.contains(&scheme.as_str()) {
                return Err(UrlError::Scheme { found: scheme.chars().take(20).collect() });
            }
            if scheme.starts_with("http") && !rest.starts_with("//") {
                return Err(UrlError::Host);
            }
            // What follows `mailto:` is never a host.
            if scheme.starts_with("http") { rest } else { "" }
        }
        None => url,
    };
    if let Some(authority) = after_scheme.strip_prefix("//") {
        let host = authority.split(['/', '?', '#']).next().unwrap_or_default();
        // `///host` is `//host` for browsers; `user@host` shows one name and leads to another.
        if host.is_empty() || host.starts_with(':') || host.contains('@') {
            return Err(UrlError::Host);
        }
    }
    let mut out = String::with_capacity(url.len());
    push_encoded(&mut out, url, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&()*+,;=%".contains(&byte)
    });
    Ok(out)
}

/// A value as one component of an address, e.g. behind `?q=`: only unreserved characters (RFC 3986) stay.
pub(super) fn component(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    push_encoded(&mut out, value, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    out
}

/// Whether a canonical address, escaped for an attribute or not, leads to a page of the same site: a path or
/// a query, not a fragment of this page, a scheme or a host.
pub(super) fn is_same_site(url: &str) -> bool {
    !url.is_empty() && !url.starts_with('#') && !url.starts_with("//") && scheme(url).is_none()
}

/// What stands before the first colon, if that comes before any `/`, `?` or `#`; and the rest behind it.
///
/// Stricter than a browser, for which `1:2` is relative: what looks like a scheme is treated as one.
fn scheme(url: &str) -> Option<(&str, &str)> {
    let at = url.find([':', '/', '?', '#'])?;
    let (scheme, rest) = url.split_at_checked(at)?;
    rest.strip_prefix(':').map(|rest| (scheme, rest))
}

fn push_encoded(out: &mut String, text: &str, keep: impl Fn(u8) -> bool) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or('0');
    for byte in text.bytes() {
        if keep(byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(url: &str) -> Result<String, UrlError> {
        canonical(url, &LINK_SCHEMES)
    }

    #[test]
    fn plain_addresses_stay_as_they_are() {
        for url in [
            "/a/b?c=d&e=f#g",
            "a/b",
            "?page=2",
            "#top",
            "https://example.org:8443/a%20b",
            "HTTP://example.org",
            "//cdn.example.org/x.png",
            "mailto:someone@example.org",
            "tel:+4912345",
            "https://[::1]/",
            "./a:b",
        ] {
            assert_eq!(link(url).as_deref(), Ok(url));
        }
    }

    #[test]
    fn foreign_letters_and_quotes_are_percent_encoded() {
        assert_eq!(link(" /caf\u{e9} x?q=\"<'>\" ").as_deref(), Ok("/caf%C3%A9%20x?q=%22%3C%27%3E%22"));
        assert_eq!(component("a/b&c=\u{e9}%"), "a%2Fb%26c%3D%C3%A9%25");
    }

    #[test]
    fn addresses_that_run_code_or_pretend_are_refused() {
        for url in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "java\tscript:alert(1)",
            "java\nscript:alert(1)",
            "\u{1}javascript:alert(1)",
            "javascript\u{0}:x",
            "vbscript:x",
            "data:text/html,x",
            "data:image/png;base64,x",
            "blob:x",
            "view-source:x",
            ":x",
            "https:x",
            "https:/x",
            "https:///x",
            "https://a@b/",
            "///evil.example",
            "//",
            "//:80",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "",
            "  ",
        ] {
            assert!(link(url).is_err(), "{url:?}");
        }
        assert!(canonical("mailto:a@example.org", &RESOURCE_SCHEMES).is_err());
    }

    #[test]
    fn the_same_site_is_a_path_or_a_query() {
        for url in ["/", "/a", "a", "../a", "?a", "a#b"] {
            assert!(is_same_site(url), "{url}");
        }
        for url in ["", "#", "#a", "//a", "https://a", "http://a", "mailto:a", "tel:1"] {
            assert!(!is_same_site(url), "{url}");
        }
    }
}
