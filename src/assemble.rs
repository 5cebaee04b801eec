//! What else a page gets: the decision as inert JSON, a `Server-Timing` header, and whether a script may run.
//! Pure text in, text out; it sets no header and inserts nothing.

use crate::block::push_text;
use crate::json::number::fixed;
use std::fmt::Write as _;

/// A `<script type="application/json">` that holds `json`; ASCII, and nothing in it can end it early.
///
/// Browsers never run such a block, so no CSP can forbid it; the nonce is for pages whose own code insists.
/// ```
/// use edgeloom::assemble::json_island;
///
/// let html = json_island("decisions", r#"{"text":"</script>"}"#, None);
/// assert_eq!(
///     html,
///     r#"<script type="application/json" id="decisions">{"text":"\u003c/script\u003e"}</script>"#,
/// );
/// ```
#[must_use]
pub fn json_island(id: &str, json: &str, nonce: Option<&str>) -> String {
    let mut out = String::with_capacity(json.len() + 80);
    out.push_str("<script type=\"application/json\" id=\"");
    push_text(&mut out, id);
    if let Some(nonce) = nonce {
        out.push_str("\" nonce=\"");
        push_text(&mut out, nonce);
    }
    out.push_str("\">");
    push_json(&mut out, json);
    out.push_str("</script>");
    out
}

/// In JSON these signs and everything outside ASCII stand in strings only, where `\uXXXX` means the same.
fn push_json(out: &mut String, json: &str) {
    // Mostly there is nothing to do.
    if !json.bytes().any(|byte| matches!(byte, b'<' | b'>' | b'&' | 0x80..)) {
        out.push_str(json);
        return;
    }
    for c in json.chars() {
        if matches!(c, '<' | '>' | '&') || !c.is_ascii() {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` can't fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
}

/// One entry of a `Server-Timing` header.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing<'a> {
    /// Name of what was measured.
    pub name: &'a str,
    /// How long it took, milliseconds, ≥ 0; `None` if only the fact counts.
    pub duration_millis: Option<f64>,
    /// What a person should know, e.g. the arm chosen.
    pub description: Option<&'a str>,
}

/// The value of a `Server-Timing` header (W3C Server Timing); whatever the entries hold, it is a valid header.
///
/// ```
/// use edgeloom::assemble::{server_timing, Timing};
/// let decide = Timing { name: "decide", duration_millis: Some(0.25), description: Some("hero=a") };
/// assert_eq!(server_timing(&[decide]), "decide;dur=0.25;desc=\"hero=a\"");
/// ```
#[must_use]
pub fn server_timing(timings: &[Timing<'_>]) -> String {
    let mut out = String::new();
    for timing in timings {
        if !out.is_empty() {
            out.push_str(", ");
        }
        push_token(&mut out, timing.name);
        if let Some(millis) = timing.duration_millis.filter(|millis| millis.is_finite() && *millis >= 0.0) {
            // Microseconds are enough, and without trailing zeros the header stays short.
            let written = fixed(millis, 3);
            let _ = write!(out, ";dur={}", written.trim_end_matches('0').trim_end_matches('.'));
        }
        if let Some(description) = timing.description {
            out.push_str(";desc=\"");
            for c in description.chars() {
                match c {
                    '"' | '\\' => out.extend(['\\', c]),
                    ' '..='~' => out.push(c),
                    _ => out.push('?'),
                }
            }
            out.push('"');
        }
    }
    out
}

/// A token of HTTP (RFC 9110, 5.6.2); other characters become `_`.
fn push_token(out: &mut String, name: &str) {
    if name.is_empty() {
        out.push('_');
    }
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    out.extend(name.chars().map(|c| if token(c) { c } else { '_' }));
}

/// Whether and how a script may be added to a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptPolicy {
    /// A script with this nonce, which the page's own header gave.
    Nonce(String),
    /// A script file from the page's own origin.
    SameOrigin,
    /// No script.
    Blocked,
}

/// Reads what the page's `Content-Security-Policy` headers allow; each may hold several policies, and all
/// must allow (CSP Level 3, 6.7.2). A policy in a `meta` element is not seen here.
///
/// ```
/// use edgeloom::assemble::{script_policy, ScriptPolicy};
/// assert_eq!(script_policy(&[]), ScriptPolicy::SameOrigin);
/// assert_eq!(script_policy(&["script-src 'nonce-dGVzdA=='"]), ScriptPolicy::Nonce("dGVzdA==".into()));
/// assert_eq!(script_policy(&["default-src 'none'"]), ScriptPolicy::Blocked);
/// ```
#[must_use]
pub fn script_policy(csp_headers: &[&str]) -> ScriptPolicy {
    let policies = csp_headers.iter().flat_map(|header| header.split(','));
    let limits: Vec<Limit<'_>> = policies.filter_map(Limit::of).collect();
    let Some((first, others)) = limits.split_first() else { return ScriptPolicy::SameOrigin };
    let shared = first.nonces.iter().find(|nonce| others.iter().all(|other| other.nonces.contains(nonce)));
    match shared {
        Some(nonce) => ScriptPolicy::Nonce((*nonce).to_owned()),
        None if limits.iter().all(|limit| limit.same_origin) => ScriptPolicy::SameOrigin,
        None => ScriptPolicy::Blocked,
    }
}

/// What one policy lets a `<script>` element do.
#[derive(Debug, Default)]
struct Limit<'a> {
    nonces: Vec<&'a str>,
    same_origin: bool,
}

impl<'a> Limit<'a> {
    /// The limit a policy sets, `None` if it says nothing about scripts.
    fn of(policy: &'a str) -> Option<Self> {
        // The most specific directive counts, and of several with one name the first.
        let sandbox = directive(policy, "sandbox");
        if sandbox.is_some_and(|flags| !words(flags).any(|flag| flag.eq_ignore_ascii_case("allow-scripts"))) {
            return Some(Self::default());
        }
        let sources = ["script-src-elem", "script-src", "default-src"]
            .into_iter()
            .find_map(|name| directive(policy, name))?;
        let mut limit = Self::default();
        let mut strict = false;
        for source in words(sources) {
            let lower = source.to_ascii_lowercase();
            match lower.as_str() {
                // `https:` covers the own origin wherever the Worker serves it.
                "'self'" | "*" | "https:" => limit.same_origin = true,
                // Then only a nonce or a hash counts.
                "'strict-dynamic'" => strict = true,
                _ if lower.starts_with("'nonce-") => limit.nonces.extend(nonce(source)),
                _ => {}
            }
        }
        limit.same_origin &= !strict;
        Some(limit)
    }
}

/// The value of the first directive `name` of a policy.
fn directive<'a>(policy: &'a str, name: &str) -> Option<&'a str> {
    policy.split(';').map(|directive| directive.trim_matches(is_space)).find_map(|directive| {
        let (found, value) = directive.split_once(is_space).unwrap_or((directive, ""));
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// The value of `'nonce-…'`, if it is one (base64 or base64url).
fn nonce(source: &str) -> Option<&str> {
    let value = source.get("'nonce-".len()..)?.strip_suffix('\'')?;
    let body = value.trim_end_matches('=');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
    (!body.is_empty() && value.len() - body.len() <= 2 && body.bytes().all(plain)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn json_in_a_page_can_not_end_its_element() {
        let json = "{\"a\":\"</script><!--\u{2028}&\u{1f600}\"}";
        let html = json_island("x\"y", json, Some("n'"));
        assert_eq!(
            html,
            "<script type=\"application/json\" id=\"x&quot;y\" nonce=\"n&#39;\">\
             {\"a\":\"\\u003c/script\\u003e\\u003c!--\\u2028\\u0026\\ud83d\\ude00\"}</script>"
        );
    }

    proptest! {
        #[test]
        fn json_means_the_same_inside_the_page(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let html = json_island("x", &json, None);
            prop_assert!(html.is_ascii());
            let inner = html.strip_prefix("<script type=\"application/json\" id=\"x\">").unwrap();
            let inner = inner.strip_suffix("</script>").unwrap();
            prop_assert!(!inner.contains('<'));
            prop_assert_eq!(serde_json::from_str::<String>(inner).unwrap(), text);
        }

        #[test]
        fn server_timing_is_always_a_valid_header(name in any::<String>(), text in any::<String>(), millis in any::<f64>()) {
            let entry =
                Timing { name: &name, duration_millis: Some(millis), description: Some(&text) };
            let header = server_timing(&[entry, entry]);
            prop_assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            // Outside of quotes there is exactly one comma, between the entries.
            let (mut quoted, mut escaped, mut commas) = (false, false, 0);
            for c in header.chars() {
                match c {
                    _ if escaped => escaped = false,
                    '\\' if quoted => escaped = true,
                    '"' => quoted = !quoted,
                    ',' if !quoted => commas += 1,
                    _ => {}
                }
            }
            prop_assert_eq!((quoted, commas), (false, 1));
        }

        #[test]
        fn any_policy_is_read(header in any::<String>()) {
            if let ScriptPolicy::Nonce(nonce) = script_policy(&[&header]) {
                prop_assert!(header.contains(&nonce));
            }
        }
    }

    #[test]
    fn server_timing_leaves_out_what_is_no_number() {
        let entry = |duration_millis| Timing { name: "a b", duration_millis, description: None };
        assert_eq!(
            server_timing(&[entry(Some(f64::NAN)), entry(Some(-1.0)), entry(Some(12.0))]),
            "a_b, a_b, a_b;dur=12"
        );
    }

    #[test]
    fn every_policy_must_allow_the_script() {
        let nonce = |text: &str| ScriptPolicy::Nonce(text.into());
        for (headers, expected) in [
            (&[][..], ScriptPolicy::SameOrigin),
            (&["img-src 'none'"], ScriptPolicy::SameOrigin),
            (&["script-src 'self'"], ScriptPolicy::SameOrigin),
            (&["SCRIPT-SRC\t'SELF'"], ScriptPolicy::SameOrigin),
            (&["default-src https:"], ScriptPolicy::SameOrigin),
            (&["default-src 'none'; script-src 'self'"], ScriptPolicy::SameOrigin),
            (&["script-src 'self'; script-src-elem 'none'"], ScriptPolicy::Blocked),
            (&["script-src 'none'; script-src 'self'"], ScriptPolicy::Blocked),
            (&["script-src"], ScriptPolicy::Blocked),
            (&["script-src https://cdn.example.org 'unsafe-inline'"], ScriptPolicy::Blocked),
            (&["script-src 'self' 'strict-dynamic'"], ScriptPolicy::Blocked),
            (&["script-src 'self' 'strict-dynamic' 'nonce-abc'"], nonce("abc")),
            (&["script-src 'nonce-AbC+/-_==' 'self'"], nonce("AbC+/-_==")),
            (&["script-src 'Nonce-AbC'"], nonce("AbC")),
            (&["script-src 'nonce-'", "script-src 'self'"], ScriptPolicy::Blocked),
            (&["script-src 'nonce-a\"b'"], ScriptPolicy::Blocked),
            (&["script-src 'nonce-a' 'nonce-b'", "script-src 'nonce-b'"], nonce("b")),
            (&["script-src 'nonce-a', script-src 'nonce-b'"], ScriptPolicy::Blocked),
            (&["script-src 'nonce-a' 'self'", "default-src 'self'"], ScriptPolicy::SameOrigin),
            (&["script-src 'nonce-a'", "img-src *"], nonce("a")),
            (&["sandbox; script-src 'self'"], ScriptPolicy::Blocked),
            (&["sandbox allow-scripts; script-src 'self'"], ScriptPolicy::SameOrigin),
        ] {
            assert_eq!(script_policy(headers), expected, "{headers:?}");
        }
    }
}
