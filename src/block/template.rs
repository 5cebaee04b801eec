//! Renders a template with its fields: the state machine that knows where each hole stands and escapes for
//! that place. Everything is written anew in one canonical form; nothing of the source is copied unread.
//! What a hole becomes depends on where it stands:
//!
//! | place | text, number | url, image | rich text |
//! |---|---|---|---|
//! | between tags | characters as references | the address as text | its own canonical HTML |
//! | in an attribute for people, such as `title` | the same | the address | refused |
//! | in an address, at its start | refused | checked against the attribute's schemes | refused |
//! | in an address, further on | percent-encoded as one component | the same | refused |
//! | in a style, a comment, a tag's name, an attribute that runs or loads | refused | refused | refused |

use super::elements::{Kind, attribute_kind, is_html, is_svg};
use super::escape::{decode, push_text, push_written};
use super::fault::{Fault, Located};
use super::hole::{Fields, Holes, Part, Value, parts};
use super::lexer::{Attribute, Lexer, Quote, Tag, Token};
use super::nesting::Nesting;
use super::rich::push_rich;
use super::url::{UrlError, canonical, component};

/// Most bytes of a template.
pub const MAX_TEMPLATE_BYTES: usize = 65_536;

/// Most bytes of a rendered block; a field may stand in many holes, so limits of the parts are not enough.
pub const MAX_RENDERED_BYTES: usize = 262_144;

/// A template with its fields filled in.
pub(super) struct Rendered<'f> {
    /// Canonical ASCII HTML.
    pub(super) html: String,
    /// Names of the fields that were used.
    pub(super) used: Vec<&'f str>,
}

/// Renders a template.
///
/// # Errors
/// The first thing that is refused, with its place in the template.
pub(super) fn render<'f>(template: &str, fields: &'f Fields) -> Result<Rendered<'f>, Located> {
    if template.len() > MAX_TEMPLATE_BYTES {
        return Err(Located { offset: 0, fault: Fault::TooLong { most: MAX_TEMPLATE_BYTES } });
    }
    let mut renderer = Renderer { holes: Holes::new(fields), out: String::new() };
    let mut nesting = Nesting::default();
    let mut lexer = Lexer::new(template);
    loop {
        let offset = lexer.offset();
        let at = |fault| Located { offset, fault };
        match lexer.next()? {
            None => break,
            Some(Token::Text(text)) => renderer.text(text, offset, &mut nesting)?,
            Some(Token::Start(tag)) => {
                let name = tag.name.to_ascii_lowercase();
                if !is_html(&name) && !is_svg(&name) {
                    return Err(at(Fault::Element { name }));
                }
                nesting.enter(&name, tag.self_closing, offset).map_err(at)?;
                renderer.tag(&name, &tag)?;
            }
            Some(Token::End(name)) => {
                let name = name.to_ascii_lowercase();
                nesting.leave(&name, 0).map_err(at)?;
                renderer.out.extend(["</", &name, ">"]);
            }
            Some(Token::Raw(content)) => renderer.raw(content, &nesting).map_err(at)?,
            // Dropped: it is for the authors.
            Some(Token::Comment(text)) if text.contains("{{") => return Err(at(Fault::HoleInComment)),
            Some(Token::Comment(_)) => {}
        }
        renderer.check_length().map_err(at)?;
    }
    nesting.finish(0)?;
    Ok(Rendered { html: renderer.out, used: renderer.holes.into_used() })
}

/// What is written so far and the fields it may use.
struct Renderer<'f> {
    holes: Holes<'f>,
    out: String,
}

impl Renderer<'_> {
    /// Text between tags with its holes.
    fn text(&mut self, text: &str, start: usize, nesting: &mut Nesting) -> Result<(), Located> {
        for part in parts(text, start)? {
            let at = |fault| Located { offset: part.offset, fault };
            if !part.hole {
                push_written(&mut self.out, part.text);
                continue;
            }
            match self.holes.value(part.text).map_err(at)? {
                Value::Rich(rich) => push_rich(&mut self.out, rich, nesting)
                    .map_err(|inner| at(Fault::Rich { name: part.text.into(), at: Box::new(inner) }))?,
                Value::Text(text) => push_text(&mut self.out, &text),
                Value::Address(url, schemes) => {
                    canonical(url, schemes).map_err(|error| at(field_url(&part, error)))?;
                    push_text(&mut self.out, url);
                }
                Value::Absent => {}
            }
            self.check_length().map_err(at)?;
        }
        Ok(())
    }

    /// Content of a style, as written, or of a frame, which has none.
    fn raw(&mut self, content: &str, nesting: &Nesting) -> Result<(), Fault> {
        if nesting.is_in("iframe") {
            return if content.trim().is_empty() { Ok(()) } else { Err(Fault::FrameContent) };
        }
        if content.contains("{{") {
            return Err(Fault::HoleInStyle);
        }
        // Character references mean nothing in a style.
        if content.contains(|c: char| !c.is_ascii() || (c.is_control() && !c.is_ascii_whitespace())) {
            return Err(Fault::NotAscii);
        }
        self.out.push_str(content);
        Ok(())
    }

    /// A start tag in canonical form: names in lower case, values in double quotes.
    fn tag(&mut self, element: &str, tag: &Tag<'_>) -> Result<(), Located> {
        self.out.extend(["<", element]);
        for attribute in &tag.attributes {
            self.attribute(element, attribute)?;
        }
        self.out.push_str(if tag.self_closing && is_svg(element) { "/>" } else { ">" });
        Ok(())
    }

    /// One attribute; left out where its only hole has nothing to fill it, such as an image without a width.
    fn attribute(&mut self, element: &str, attribute: &Attribute<'_>) -> Result<(), Located> {
        let name = attribute.name.to_ascii_lowercase();
        let kind =
            attribute_kind(element, &name).map_err(|fault| Located { offset: attribute.offset, fault })?;
        let parts = parts(attribute.value.unwrap_or_default(), attribute.value_offset)?;
        let hole = parts.iter().find(|part| part.hole);
        if let (Some(hole), Kind::Literal | Kind::LiteralAddress(_)) = (hole, kind) {
            let fault = Fault::HoleInAttribute { element: element.into(), name };
            return Err(Located { offset: hole.offset, fault });
        }
        let value = match kind {
            Kind::Text | Kind::Literal => self.plain_value(&parts)?,
            Kind::Address(schemes) | Kind::LiteralAddress(schemes) => {
                Some(self.address_value(&parts, schemes)?)
            }
        };
        match value {
            Some(value) if attribute.quote != Quote::Bare || attribute.value.is_some() => {
                self.out.extend([" ", &name, "=\"", &value, "\""]);
            }
            Some(_) => self.out.extend([" ", &name]),
            None => {}
        }
        Ok(())
    }

    /// The escaped value of an attribute; `None` if it is one hole with nothing to fill it.
    fn plain_value(&mut self, parts: &[Part<'_>]) -> Result<Option<String>, Located> {
        let mut out = String::new();
        for part in parts {
            let at = |fault| Located { offset: part.offset, fault };
            if !part.hole {
                push_written(&mut out, part.text);
                continue;
            }
            match self.holes.value(part.text).map_err(at)? {
                Value::Text(text) => push_text(&mut out, &text),
                Value::Address(url, schemes) => {
                    let url = canonical(url, schemes).map_err(|error| at(field_url(part, error)))?;
                    push_text(&mut out, &url);
                }
                Value::Absent if parts.len() == 1 => return Ok(None),
                Value::Absent => {}
                Value::Rich(_) => return Err(at(wrong_type(part, "rich text stands between tags only"))),
            }
            if out.len() > MAX_RENDERED_BYTES {
                return Err(at(Fault::TooLong { most: MAX_RENDERED_BYTES }));
            }
        }
        Ok(Some(out))
    }

    /// The escaped value of an attribute that holds an address. It is put together as plain text and then
    /// checked whole, so that no split between literal and field can hide a scheme.
    fn address_value(&mut self, parts: &[Part<'_>], schemes: &[&str]) -> Result<String, Located> {
        let mut url = String::new();
        for part in parts {
            let at = |fault| Located { offset: part.offset, fault };
            if !part.hole {
                let text = decode(part.text).map_err(|found| at(Fault::Reference { found: found.into() }))?;
                url.push_str(&text);
                continue;
            }
            let value = self.holes.value(part.text).map_err(at)?;
            // Behind a literal start the value is one component of the address and can't change the rest.
            let behind = url.contains([':', '/', '?', '#']);
            match value {
                Value::Address(value, _) if url.is_empty() => {
                    // Named here, because the whole is checked without knowing whose fault it is.
                    let value = canonical(value, schemes).map_err(|error| at(field_url(part, error)))?;
                    url.push_str(&value);
                }
                Value::Address(value, _) if behind => url.push_str(&component(value)),
                Value::Text(value) if behind => url.push_str(&component(&value)),
                _ => {
                    return Err(at(wrong_type(
                        part,
                        "an address starts with a url or literally, as in /search?q=",
                    )));
                }
            }
            if url.len() > MAX_RENDERED_BYTES {
                return Err(at(Fault::TooLong { most: MAX_RENDERED_BYTES }));
            }
        }
        let offset = parts.first().map_or(0, |part| part.offset);
        let mut out = String::new();
        // A literal empty address means the page itself.
        if !parts.is_empty() {
            let url =
                canonical(&url, schemes).map_err(|error| Located { offset, fault: Fault::Url(error) })?;
            push_text(&mut out, &url);
        }
        Ok(out)
    }

    /// After each piece, so that a field in a thousand holes stops early.
    fn check_length(&self) -> Result<(), Fault> {
        if self.out.len() > MAX_RENDERED_BYTES {
            return Err(Fault::TooLong { most: MAX_RENDERED_BYTES });
        }
        Ok(())
    }
}

fn field_url(part: &Part<'_>, error: UrlError) -> Fault {
    Fault::FieldUrl { name: part.text.into(), error }
}

fn wrong_type(part: &Part<'_>, expected: &'static str) -> Fault {
    Fault::WrongType { name: part.text.into(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::wire::{Field, Image};

    fn fields() -> Fields {
        let image = Image { src: "/i.png".into(), alt: "a \"b\"".into(), width: Some(64), height: None };
        [
            ("text", Field::Text("a<b".into())),
            ("rich", Field::Rich("<b>x</b>".into())),
            ("paragraph", Field::Rich("<p>x</p>".into())),
            ("bad_rich", Field::Rich("x<img>".into())),
            ("url", Field::Url("/\u{e9}?a=1&b".into())),
            ("mail", Field::Url("mailto:a@example.org".into())),
            ("script", Field::Url("javascript:x".into())),
            ("image", Field::Image(image)),
            ("number", Field::Number(-0.0)),
            ("price.net", Field::Number(19.5)),
            ("nan", Field::Number(f64::NAN)),
        ]
        .map(|(name, field)| (name.to_owned(), field))
        .into()
    }

    fn shown(template: &str) -> Result<String, (usize, Fault)> {
        let fields = fields();
        render(template, &fields).map(|rendered| rendered.html).map_err(|at| (at.offset, at.fault))
    }

    #[test]
    fn each_hole_is_escaped_for_where_it_stands() {
        for (template, expected) in [
            ("<p>{{text}}</p>", "<p>a&lt;b</p>"),
            ("{{ number }} {{price.net}}", "0 19.5"),
            ("<p title='{{text}}'></p>", "<p title=\"a&lt;b\"></p>"),
            ("<div>{{rich}}</div>", "<div><b>x</b></div>"),
            ("<a href='{{url}}'>x</a>", "<a href=\"/%C3%A9?a=1&amp;b\">x</a>"),
            ("<a href='{{url}}#{{text}}'>x</a>", "<a href=\"/%C3%A9?a=1&amp;b#a%3Cb\">x</a>"),
            ("<a href='/s?q={{text}}&u={{url}}'>x</a>", {
                "<a href=\"/s?q=a%3Cb&amp;u=%2F%C3%A9%3Fa%3D1%26b\">x</a>"
            }),
            ("<a href=\"tel:{{number}}\">x</a>", "<a href=\"tel:0\">x</a>"),
            (
                "<IMG src='{{image.src}}' alt='{{image.alt}}' width='{{image.width}}' height='{{image.height}}'/>",
                { "<img src=\"/i.png\" alt=\"a &quot;b&quot;\" width=\"64\">" },
            ),
        ] {
            assert_eq!(shown(template).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn literal_html_is_written_anew_in_ascii() {
        for (template, expected) in [
            (
                "<!-- note --><P Class=x hidden>\u{e9} & &copy;</P>",
                "<p class=\"x\" hidden>&#233; &amp; &copy;</p>",
            ),
            (
                "<a href='/?a=1&b=2'>x</a><a href=''>y</a>",
                "<a href=\"/?a=1&amp;b=2\">x</a><a href=\"\">y</a>",
            ),
            ("<svg viewBox='0 0 1 1'><path d='M0'/><g></g></svg>", {
                "<svg viewbox=\"0 0 1 1\"><path d=\"M0\"/><g></g></svg>"
            }),
            ("<style>.a > b { c: d }</style>", "<style>.a > b { c: d }</style>"),
            (
                "<iframe src='https://example.org/'> </iframe>",
                "<iframe src=\"https://example.org/\"></iframe>",
            ),
            ("<meta itemprop='price' content='{{number}}'>", "<meta itemprop=\"price\" content=\"0\">"),
            ("<my-card data-x='1'></my-card>", "<my-card data-x=\"1\"></my-card>"),
            ("<p style='color:red'></p>", "<p style=\"color:red\"></p>"),
        ] {
            assert_eq!(shown(template).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn holes_elsewhere_are_refused() {
        let in_attribute =
            |element: &str, name: &str| Fault::HoleInAttribute { element: element.into(), name: name.into() };
        let wrong = |name: &str, expected| Fault::WrongType { name: name.into(), expected };
        const START: &str = "an address starts with a url or literally, as in /search?q=";
        const RICH: &str = "rich text stands between tags only";
        for (template, offset, fault) in [
            ("<p class={{text}}></p>", 9, Fault::HoleUnquoted),
            ("<{{text}}>", 0, Fault::HoleInTag),
            ("<p {{text}}='x'></p>", 3, Fault::HoleInTag),
            ("<!-- {{text}} -->", 0, Fault::HoleInComment),
            ("<style>{{text}}</style>", 7, Fault::HoleInStyle),
            ("<p style='color:{{text}}'></p>", 16, in_attribute("p", "style")),
            ("<p id='{{text}}'></p>", 7, in_attribute("p", "id")),
            ("<img srcset='{{image.src}} 2x'>", 13, in_attribute("img", "srcset")),
            ("<iframe src='{{url}}'></iframe>", 13, in_attribute("iframe", "src")),
            ("<p onclick='{{text}}'></p>", 3, Fault::Handler { name: "onclick".into() }),
            ("<p title='{{rich}}'></p>", 10, wrong("rich", RICH)),
            ("<a href='{{text}}'></a>", 9, wrong("text", START)),
            ("<a href='java{{text}}'></a>", 13, wrong("text", START)),
            ("<a href='java{{url}}'></a>", 13, wrong("url", START)),
            ("a {{text", 2, Fault::HoleUnclosed),
        ] {
            assert_eq!(shown(template), Err((offset, fault)), "{template}");
        }
    }

    #[test]
    fn fields_that_do_not_fit_are_refused() {
        let scheme = |found: &str| UrlError::Scheme { found: found.into() };
        let url = |name: &str, error| Fault::FieldUrl { name: name.into(), error };
        assert_eq!(shown("<a href='{{script}}'></a>"), Err((9, url("script", scheme("javascript")))));
        assert_eq!(shown("{{script}}"), Err((0, url("script", scheme("javascript")))));
        assert_eq!(shown("<img src='{{mail}}'>"), Err((10, url("mail", scheme("mailto")))));
        assert_eq!(shown("{{nan}}"), Err((0, Fault::NotFinite { name: "nan".into() })));
        for hole in ["nothing", "text.src", "image.size", "image", "", "a}b"] {
            let found = shown(&format!("{{{{{hole}}}}}")).unwrap_err().1;
            assert!(
                matches!(found, Fault::UnknownField { .. } | Fault::WrongType { .. }),
                "{hole} {found:?}"
            );
        }
        let rich = |template| match shown(template) {
            Err((offset, Fault::Rich { at, .. })) => (offset, at.offset, at.fault),
            other => panic!("{other:?}"),
        };
        assert_eq!(rich("<p>{{bad_rich}}</p>"), (3, 1, Fault::Element { name: "img".into() }));
        let inside = Fault::Inside { name: "p".into(), outer: "p".into() };
        assert_eq!(rich("<p>{{paragraph}}</p>"), (3, 0, inside));
    }

    #[test]
    fn literals_that_run_code_or_change_the_page_are_refused() {
        for template in [
            "<script>x</script>",
            "<SCRIPT src='x'></SCRIPT>",
            "<p onclick='x'></p>",
            "<p ONCLICK=x></p>",
            "<p onclick></p>",
            "<a href='javascript:x'></a>",
            "<a href='java&#115;cript:x'></a>",
            "<a href=' java&Tab;script:x'></a>",
            "<a href=\"javascript&colon;x\"></a>",
            "<form action='javascript:x'></form>",
            "<base href='/'>",
            "<button formaction='javascript:x'></button>",
            "<img src='data:x'>",
            "<meta http-equiv='refresh'>",
            "<meta name='referrer' content='x'>",
            "<iframe srcdoc='x'></iframe>",
            "<iframe src='javascript:x'></iframe>",
            "<iframe>x</iframe>",
            "<object data='x'></object>",
            "<embed src='x'>",
            "<link rel='stylesheet' href='/x'>",
            "<html>",
            "<body>",
            "<head></head>",
            "<title>x</title>",
            "<textarea></textarea>",
            "<noscript></noscript>",
            "<template></template>",
            "<plaintext>",
            "<xmp></xmp>",
            "<math></math>",
            "<frameset></frameset>",
            "<svg><script>x</script></svg>",
            "<svg><a href='x'></a></svg>",
            "<svg><animate></animate></svg>",
            "<svg><foreignobject></foreignobject></svg>",
            "<svg><style>x</style></svg>",
            "<svg><p></p></svg>",
            "<path/>",
            "<svg><use href='data:x'/></svg>",
            "<div>",
            "</div>",
            "<div/>",
            "<div></p>",
            "<p",
            "<p title='x>",
            "<p><div></div></p>",
            "<a><a></a></a>",
            "<style>\u{e9}</style>",
            "<p a='1' a='2'></p>",
            "<br></br>",
            "<a xlink:href='x'></a>",
            "<a @click='x'></a>",
            "<![CDATA[x]]>",
            "<?php x ?>",
            "<!doctype html>",
            "a < b",
        ] {
            assert!(shown(template).is_err(), "{template}");
        }
    }

    #[test]
    fn sizes_have_limits() {
        let most = |most| Err((0, Fault::TooLong { most }));
        assert_eq!(shown(&"x".repeat(MAX_TEMPLATE_BYTES + 1)), most(MAX_TEMPLATE_BYTES));
        let big: Fields = [("t".to_owned(), Field::Text("\"".repeat(60_000)))].into();
        for template in ["{{t}}", "<p title='{{t}}'></p>", "<a href='/?{{t}}'></a>"] {
            let found = render(template, &big).err().map(|at| at.fault);
            let too_long = Some(Fault::TooLong { most: MAX_RENDERED_BYTES });
            // 60,000 quotes are 360,000 bytes as `&quot;` and 180,000 as `%22`.
            assert_eq!(found, if template.contains("href") { None } else { too_long }, "{template}");
        }
    }
}
