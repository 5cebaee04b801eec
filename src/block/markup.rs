//! A rendered block, cut where its links to the same site take a token; filling it in is a copy.

use super::escape::decode;
use super::lexer::{Attribute, Lexer, Tag, Token};
use super::url::is_same_site;
use crate::seed::{Purpose, hash};

/// Query parameter that carries the token.
pub const TOKEN_PARAMETER: &str = "_el";

/// HTML in ASCII with places for a token.
/// Cut once when the snapshot is compiled; a view copies the parts with its receipt between them. Links to other sites never
/// get a token: it would leave the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Markup {
    parts: Vec<Box<str>>,
    /// What joins the token to the address, for each place between two parts.
    joints: Vec<Joint>,
    /// Hash of the HTML it was cut from.
    fingerprint: u64,
    /// Values of a `Link` header, separated by commas: what a browser should load before it gets to the block.
    hints: Box<str>,
}

/// What stands before the token in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    /// The address has no query.
    First,
    /// The address has a query.
    Next,
}

impl Joint {
    /// The separator as it stands in an attribute.
    fn sign(self) -> &'static str {
        match self {
            Self::First => "?",
            Self::Next => "&amp;",
        }
    }
}

impl Markup {
    /// Cuts canonical HTML at the `href` of each `a` and `area` that leads to a page of the same site.
    pub(super) fn cut(html: &str) -> Self {
        let fingerprint = hash(Purpose::Content, &[html.as_bytes()]);
        let mut markup = Self { parts: Vec::new(), joints: Vec::new(), fingerprint, hints: Box::default() };
        let (mut hints, mut in_picture) = (String::new(), false);
        let mut lexer = Lexer::new(html);
        // Text read so far and not yet in a part starts here.
        let (mut part, mut copied) = (String::new(), 0);
        // Rendered HTML is canonical, so the lexer refuses nothing; if it did, the rest would have no tokens.
        while let Ok(Some(token)) = lexer.next() {
            let tag = match token {
                Token::Start(tag) => tag,
                Token::End("picture") => {
                    in_picture = false;
                    continue;
                }
                _ => continue,
            };
            // Of a choice of sources the browser may take another.
            in_picture |= tag.name == "picture";
            if tag.name == "img" && !in_picture {
                push_hint(&mut hints, &tag);
            }
            if !matches!(tag.name, "a" | "area") {
                continue;
            }
            let Some(Attribute { value: Some(url), value_offset, .. }) =
                tag.attributes.iter().find(|attribute| attribute.name == "href")
            else {
                continue;
            };
            if !is_same_site(url) {
                continue;
            }
            let (address, fragment) =
                url.find('#').map_or((*url, ""), |at| url.split_at_checked(at).unwrap_or((url, "")));
            let (address, joint) = without_token(address);
            part.push_str(html.get(copied..*value_offset).unwrap_or_default());
            part.push_str(&address);
            markup.parts.push(std::mem::take(&mut part).into());
            markup.joints.push(joint);
            copied = value_offset + url.len() - fragment.len();
        }
        part.push_str(html.get(copied..).unwrap_or_default());
        markup.parts.push(part.into());
        markup.hints = hints.into();
        markup
    }

    /// Appends the HTML, with `_el=<token>` in each link to the same site.
    ///
    /// A token with other characters than those of base64url, `.` and `~` is left out: nothing here escapes.
    pub fn with_token(&self, token: Option<&str>, out: &mut String) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let token = token.filter(|token| !token.is_empty() && token.bytes().all(plain));
        let mut joints = self.joints.iter();
        for part in &self.parts {
            out.push_str(part);
            if let (Some(joint), Some(token)) = (joints.next(), token) {
                out.extend([joint.sign(), TOKEN_PARAMETER, "=", token]);
            }
        }
    }

    /// Bytes of the HTML without tokens.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// Number of links that take the token.
    #[must_use]
    pub fn n_links(&self) -> usize {
        self.joints.len()
    }

    /// What a browser should load before it gets to the block: the value of a `Link` header (RFC 8288), or nothing. Pictures
    /// with `fetchpriority="high"` are in it.
    #[must_use]
    pub fn hints(&self) -> &str {
        &self.hints
    }

    /// Tells this HTML from another, whatever token it carries: 64 bits, so no proof against somebody who looks for two alike.
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Bytes of the HTML without tokens.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }
}

/// Adds a picture that matters to the hints. One with `srcset` stays out, for which of its files the browser takes is not known
/// here, and so do those that are loaded otherwise: they would be loaded twice.
fn push_hint(hints: &mut String, tag: &Tag<'_>) {
    let value = |name: &str| tag.attributes.iter().find(|own| own.name == name).and_then(|own| own.value);
    let is_special = |own: &Attribute<'_>| matches!(own.name, "srcset" | "crossorigin" | "loading");
    if tag.attributes.iter().any(is_special) {
        return;
    }
    let (Some("high"), Some(src)) = (value("fetchpriority"), value("src")) else { return };
    let Ok(address) = decode(src) else { return };
    // Canonical addresses have none of these; a header must not get one whatever happens.
    if address.is_empty() || address.bytes().any(|byte| !byte.is_ascii_graphic() || b"<>\"".contains(&byte)) {
        return;
    }
    hints.push_str(if hints.is_empty() { "<" } else { ", <" });
    hints.extend([address.as_str(), ">; rel=preload; as=image; fetchpriority=high"]);
}

/// The escaped address without a token somebody copied from the address bar, and how to add the new one.
fn without_token(address: &str) -> (String, Joint) {
    let Some((path, query)) = address.split_once('?') else {
        return (address.to_owned(), Joint::First);
    };
    let stale = |pair: &&str| pair.split('=').next() == Some(TOKEN_PARAMETER);
    let pairs: Vec<&str> = query.split("&amp;").filter(|pair| !pair.is_empty() && !stale(pair)).collect();
    if pairs.is_empty() {
        return (path.to_owned(), Joint::First);
    }
    (format!("{path}?{}", pairs.join("&amp;")), Joint::Next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_matter_are_loaded_early() {
        let hints = |html: &str| Markup::cut(html).hints().to_owned();
        assert_eq!(
            hints(
                "<p><img src=\"/a.png?b=1&amp;c=2\" alt=\"\" fetchpriority=\"high\"><img src=\"/b.png\" alt=\"\"></p>"
            ),
            "</a.png?b=1&c=2>; rel=preload; as=image; fetchpriority=high"
        );
        let two = hints(
            "<img fetchpriority=\"high\" src=\"/a\"><img src=\"https://x.example/b\" fetchpriority=\"high\">",
        );
        assert_eq!(two.matches("rel=preload").count(), 2, "{two}");
        for none in [
            "<img src=\"/a\" fetchpriority=\"low\">",
            "<img src=\"/a\" srcset=\"/b 2x\" fetchpriority=\"high\">",
            "<img src=\"/a\" crossorigin=\"\" fetchpriority=\"high\">",
            "<picture><source srcset=\"/b\"><img src=\"/a\" fetchpriority=\"high\"></picture>",
            "<img fetchpriority=\"high\">",
            "<img src=\"/a&gt;; rel=x\" fetchpriority=\"high\">",
        ] {
            assert_eq!(hints(none), "", "{none}");
        }
    }

    fn with(html: &str, token: Option<&str>) -> String {
        let mut out = String::new();
        Markup::cut(html).with_token(token, &mut out);
        out
    }

    #[test]
    fn links_to_the_same_site_take_the_token() {
        for (href, expected) in [
            ("/a", "/a?_el=T"),
            ("a/b", "a/b?_el=T"),
            ("../a", "../a?_el=T"),
            ("/a#b", "/a?_el=T#b"),
            ("/a?", "/a?_el=T"),
            ("/a?b=1", "/a?b=1&amp;_el=T"),
            ("/a?b=1&amp;c=2#d?e", "/a?b=1&amp;c=2&amp;_el=T#d?e"),
            ("?b=1", "?b=1&amp;_el=T"),
            ("/a?_el=old", "/a?_el=T"),
            ("/a?_el=old&amp;b=1&amp;_elder=2", "/a?b=1&amp;_elder=2&amp;_el=T"),
        ] {
            let html =
                |href: &str| format!("x<a class=\"y\" href=\"{href}\" id=\"z\">t</a><area href=\"{href}\">");
            assert_eq!(with(&html(href), Some("T")), html(expected));
        }
    }

    #[test]
    fn without_a_token_the_html_stays_as_it_is() {
        let html = "<p>a</p><a href=\"/a?b=1&amp;c#d\">b</a>";
        assert_eq!(with(html, None), html);
        assert_eq!(with(html, Some("")), html);
        assert_eq!(with(html, Some("\"><script>")), html);
    }

    #[test]
    fn other_links_take_no_token() {
        for html in [
            "<a href=\"#a\">x</a>",
            "<a href=\"\">x</a>",
            "<a>x</a>",
            "<a href>x</a>",
            "<a href=\"//example.org/\">x</a>",
            "<a href=\"https://example.org/\">x</a>",
            "<a href=\"mailto:a@example.org\">x</a>",
            "<a href=\"tel:1\">x</a>",
            "<img src=\"/a\">",
            "<form action=\"/a\"></form>",
            "<p title=\"&lt;a href=&quot;/a&quot;&gt;\">&lt;a href=\"/a\"&gt;</p>",
            "",
        ] {
            assert_eq!(with(html, Some("T")), html);
            assert_eq!(Markup::cut(html).n_links(), 0);
        }
    }
}
