//! Rich text: verifies a small canonical subset of HTML, in linear time. It does not sanitise: the command
//! line tool does that at publish time, configured from the lists here.
//!
//! Canonical means: names in lower case, values in double quotes, every element closed in order, no comments.
//! What is accepted a browser parses into exactly the elements that are written.

use super::escape::{decode, push_text, push_written};
use super::fault::{Fault, Located};
use super::lexer::{Attribute, Lexer, Quote, Tag, Token};
use super::nesting::Nesting;
use super::url::{LINK_SCHEMES, canonical};

/// Elements rich text may have.
pub const TAGS: [&str; 22] = [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "em",
    "h2",
    "h3",
    "h4",
    "i",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "u",
    "ul",
];

/// Attributes an element may have; [`accepts_attribute`] says with which values.
pub const ATTRIBUTES: [(&str, &[&str]); 2] =
    [("a", &["href", "rel", "target", "title"]), ("span", &["dir", "lang"])];

/// Words `rel` may hold. Not `opener`, which would give a foreign page a handle on this one.
pub const RELS: [&str; 6] = ["external", "nofollow", "noopener", "noreferrer", "sponsored", "ugc"];

/// Most bytes of a rich text; a block is a teaser, not a page.
pub const MAX_RICH_BYTES: usize = 65_536;

/// Whether an attribute with this plain value (references decoded) may stand on an element of rich text.
///
/// For the sanitiser: a text that keeps only such attributes is accepted by [`verify`].
///
/// ```
/// use edgeloom::block::rich::accepts_attribute;
/// assert!(accepts_attribute("a", "href", "/offers?x=1"));
/// assert!(!accepts_attribute("a", "href", "javascript:alert(1)"));
/// ```
#[must_use]
pub fn accepts_attribute(element: &str, name: &str, value: &str) -> bool {
    let known = ATTRIBUTES.iter().any(|(of, names)| *of == element && names.contains(&name));
    known
        && match name {
            "href" => canonical(value, &LINK_SCHEMES).is_ok(),
            "rel" => value.split_ascii_whitespace().all(|word| RELS.contains(&word)),
            "target" => matches!(value, "_self" | "_blank"),
            "dir" => matches!(value, "ltr" | "rtl" | "auto"),
            "lang" => value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
            _ => true,
        }
}

/// Checks that a text is safe, canonical rich text.
///
/// # Errors
/// The first thing that is not, with its offset.
pub fn verify(text: &str) -> Result<(), Located> {
    push_rich(&mut String::new(), text, &mut Nesting::default())
}

/// Appends rich text in ASCII, as the content of the elements open in `nesting`.
///
/// # Errors
/// The text is not safe, not canonical, or does not fit into the open elements.
pub(super) fn push_rich(out: &mut String, text: &str, nesting: &mut Nesting) -> Result<(), Located> {
    if text.len() > MAX_RICH_BYTES {
        return Err(Located { offset: 0, fault: Fault::TooLong { most: MAX_RICH_BYTES } });
    }
    let floor = nesting.depth();
    let mut lexer = Lexer::new(text);
    loop {
        let offset = lexer.offset();
        let at = |fault| Located { offset, fault };
        match lexer.next()? {
            None => break,
            Some(Token::Text(written)) => push_written(out, written),
            Some(Token::Start(tag)) => {
                if !TAGS.contains(&tag.name) {
                    return Err(at(Fault::Element { name: tag.name.to_ascii_lowercase() }));
                }
                if tag.self_closing {
                    return Err(at(Fault::NotCanonical));
                }
                nesting.enter(tag.name, false, offset).map_err(at)?;
                push_tag(out, &tag)?;
            }
            Some(Token::End(name)) => {
                nesting.leave(name, floor).map_err(at)?;
                out.extend(["</", name, ">"]);
            }
            Some(Token::Comment(_)) => return Err(at(Fault::Comment)),
            Some(Token::Raw(_)) => return Err(at(Fault::Element { name: "style".into() })),
        }
    }
    nesting.finish(floor)
}

fn push_tag(out: &mut String, tag: &Tag<'_>) -> Result<(), Located> {
    out.extend(["<", tag.name]);
    for attribute in &tag.attributes {
        push_attribute(out, tag.name, attribute)
            .map_err(|fault| Located { offset: attribute.offset, fault })?;
    }
    out.push('>');
    Ok(())
}

fn push_attribute(out: &mut String, element: &str, attribute: &Attribute<'_>) -> Result<(), Fault> {
    let name = attribute.name;
    let (Some(written), Quote::Double) = (attribute.value, attribute.quote) else {
        return Err(Fault::NotCanonical);
    };
    let value = decode(written).map_err(|found| Fault::Reference { found: found.into() })?;
    // Before the general check: why an address is refused is more use than that it is.
    let value = if name == "href" { canonical(&value, &LINK_SCHEMES).map_err(Fault::Url)? } else { value };
    if !accepts_attribute(element, name, &value) {
        return Err(Fault::AttributeNotAllowed { element: element.into(), name: name.into() });
    }
    out.extend([" ", name, "=\""]);
    push_text(out, &value);
    out.push('"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::url::UrlError;

    fn shown(text: &str) -> Result<String, Located> {
        let mut out = String::new();
        push_rich(&mut out, text, &mut Nesting::default()).map(|()| out)
    }

    #[test]
    fn canonical_rich_text_is_accepted_and_written_in_ascii() {
        let text = "<h2>Caf\u{e9}</h2><p>a <a href=\"/\u{e9}?a=1&amp;b='\" rel=\"noopener\">b</a><br>&nbsp;&copy;</p>";
        let ascii = "<h2>Caf&#233;</h2><p>a <a href=\"/%C3%A9?a=1&amp;b=%27\" rel=\"noopener\">b</a><br>&#160;&copy;</p>";
        assert_eq!(shown(text).as_deref(), Ok(ascii));
        assert_eq!(shown(ascii).as_deref(), Ok(ascii));
        assert_eq!(shown("<ul><li>a<ol><li>b</li></ol></li></ul>").map(|out| out.len()), Ok(38));
    }

    #[test]
    fn everything_else_is_refused_where_it_stands() {
        let inside = |name: &str, outer: &str| Fault::Inside { name: name.into(), outer: outer.into() };
        let attribute = |element: &str, name: &str| Fault::AttributeNotAllowed {
            element: element.into(),
            name: name.into(),
        };
        let refused = [
            ("a<script>x</script>", 1, Fault::Element { name: "script".into() }),
            ("<img src=\"x\">", 0, Fault::Element { name: "img".into() }),
            ("<P>x</P>", 0, Fault::Element { name: "p".into() }),
            ("<br/>", 0, Fault::NotCanonical),
            ("<!-- -->", 0, Fault::Comment),
            ("<p>x", 0, Fault::UnclosedElement { name: "p".into() }),
            ("</p>", 0, Fault::StrayEnd { name: "p".into() }),
            ("<b><i></b></i>", 6, Fault::StrayEnd { name: "b".into() }),
            ("<p><p></p></p>", 3, inside("p", "p")),
            ("<a><b><a></a></b></a>", 6, inside("a", "a")),
            ("<p onclick=\"x\"></p>", 3, attribute("p", "onclick")),
            ("<p style=\"x\"></p>", 3, attribute("p", "style")),
            ("<a href='x'></a>", 3, Fault::NotCanonical),
            ("<a HREF=\"x\"></a>", 3, attribute("a", "HREF")),
            ("<a target=\"top\"></a>", 3, attribute("a", "target")),
            ("<a rel=\"opener\"></a>", 3, attribute("a", "rel")),
            ("<a title=\"&copy;\"></a>", 3, Fault::Reference { found: "&copy;".into() }),
            ("<a href=\"java&Tab;script:x\"></a>", 3, Fault::Reference { found: "&Tab;".into() }),
            ("<a href=\"java&#9;script:x\"></a>", 3, Fault::Url(UrlError::Character { found: '\t' })),
        ];
        for (text, offset, fault) in refused {
            assert_eq!(shown(text), Err(Located { offset, fault }), "{text}");
        }
    }

    #[test]
    fn an_unfinished_reference_stays_text_for_the_browser_too() {
        let ascii = "<a href=\"&amp;#106avascript:x\"></a>";
        assert_eq!(shown("<a href=\"&#106avascript:x\"></a>").as_deref(), Ok(ascii));
    }

    #[test]
    fn depth_and_length_have_limits() {
        let deep = |n: usize| "<b>".repeat(n) + &"</b>".repeat(n);
        assert_eq!(verify(&deep(64)), Ok(()));
        assert_eq!(verify(&deep(65)), Err(Located { offset: 64 * 3, fault: Fault::TooDeep }));
        assert!(verify(&"x".repeat(MAX_RICH_BYTES)).is_ok());
        assert!(verify(&"x".repeat(MAX_RICH_BYTES + 1)).is_err());
    }
}
