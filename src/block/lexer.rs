//! A strict lexer for HTML that people write on purpose; it refuses what a browser would have to repair.
//!
//! Templates, rich text and rendered blocks go through this one lexer, so what is checked and what is sent
//! is read in the same way. Where it accepts, the HTML standard's tokenizer finds the same tags. Every byte
//! is looked at a constant number of times.

use super::fault::{Fault, Located};

/// Most attributes of one tag; keeps the search for duplicates (n²) at 528 comparisons.
const MAX_ATTRIBUTES: usize = 32;

/// Elements whose content is not markup.
const RAW: [&str; 2] = ["style", "iframe"];

/// A piece of HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Text as written, with its character references.
    Text(&'a str),
    /// Content of a `style` or `iframe` element, as written.
    Raw(&'a str),
    /// What stands between `<!--` and `-->`.
    Comment(&'a str),
    /// A start tag.
    Start(Tag<'a>),
    /// An end tag: its name as written.
    End(&'a str),
}

/// A start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// Name as written.
    pub(super) name: &'a str,
    /// Attributes in the order of the source, names unique.
    pub(super) attributes: Vec<Attribute<'a>>,
    /// Ends with `/>`.
    pub(super) self_closing: bool,
}

/// An attribute of a start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    /// Name as written.
    pub(super) name: &'a str,
    /// Value as written, with its character references; `None` for a bare name.
    pub(super) value: Option<&'a str>,
    /// How the value stands in the source.
    pub(super) quote: Quote,
    /// Where the name starts, bytes from the start of the source.
    pub(super) offset: usize,
    /// Where the value starts.
    pub(super) value_offset: usize,
}

/// How an attribute's value stands in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    /// `"…"`, the canonical form.
    Double,
    /// `'…'`.
    Single,
    /// No quotes, or no value.
    Bare,
}

/// Reads tokens from a text.
pub(super) struct Lexer<'a> {
    source: &'a str,
    at: usize,
    /// The raw element whose content comes next.
    raw: Option<&'static str>,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of `source`.
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, at: 0, raw: None }
    }

    /// Where the next token starts, bytes from the start.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The next token, `None` at the end.
    ///
    /// # Errors
    /// Anything a browser would repair, with its offset.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, Located> {
        if let Some(element) = self.raw.take() {
            return self.raw_content(element).map(Some);
        }
        let rest = self.rest();
        if rest.is_empty() {
            return Ok(None);
        }
        match rest.find('<') {
            Some(0) => self.markup().map(Some),
            found => Ok(Some(Token::Text(self.take(found.unwrap_or(rest.len()))))),
        }
    }

    /// What starts with `<`: a comment, an end tag or a start tag.
    fn markup(&mut self) -> Result<Token<'a>, Located> {
        let start = self.at;
        self.at += 1;
        if self.eat("!--") {
            return self.comment(start);
        }
        let end_tag = self.eat("/");
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '-');
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(
                self.fault(start, if self.hole_follows() { Fault::HoleInTag } else { Fault::LessThan })
            );
        }
        if end_tag {
            self.space();
            if !self.eat(">") {
                return Err(self.unfinished(start));
            }
            return Ok(Token::End(name));
        }
        let tag = self.start_tag(start, name)?;
        self.raw = RAW.into_iter().find(|raw| raw.eq_ignore_ascii_case(name));
        Ok(Token::Start(tag))
    }

    /// A start tag from behind its name, `start` being its first byte.
    fn start_tag(&mut self, start: usize, name: &'a str) -> Result<Tag<'a>, Located> {
        let mut attributes: Vec<Attribute<'a>> = Vec::new();
        loop {
            let spaced = self.space();
            if self.eat(">") {
                return Ok(Tag { name, attributes, self_closing: false });
            }
            if self.eat("/>") {
                return Ok(Tag { name, attributes, self_closing: true });
            }
            if !spaced || attributes.len() == MAX_ATTRIBUTES {
                return Err(self.unfinished(start));
            }
            let attribute = self.attribute(start)?;
            if attributes.iter().any(|other| other.name.eq_ignore_ascii_case(attribute.name)) {
                let name = attribute.name.to_ascii_lowercase();
                return Err(self.fault(attribute.offset, Fault::DuplicateAttribute { name }));
            }
            attributes.push(attribute);
        }
    }

    /// An attribute with its value; `tag` is where a fault is shown.
    fn attribute(&mut self, tag: usize) -> Result<Attribute<'a>, Located> {
        let offset = self.at;
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(self.unfinished(tag));
        }
        let after_name = self.at;
        self.space();
        if !self.eat("=") {
            self.at = after_name;
            return Ok(Attribute { name, value: None, quote: Quote::Bare, offset, value_offset: after_name });
        }
        self.space();
        let (value, quote, value_offset) = if self.eat("\"") {
            (self.quoted(offset, '"')?, Quote::Double, offset)
        } else if self.eat("'") {
            (self.quoted(offset, '\'')?, Quote::Single, offset)
        } else {
            (self.bare_value()?, Quote::Bare, offset)
        };
        // The value was just read: quoted ones end one byte before the cursor.
        let end = if quote == Quote::Bare { self.at } else { self.at.saturating_sub(1) };
        let value_offset = value_offset.max(end.saturating_sub(value.len()));
        Ok(Attribute { name, value: Some(value), quote, offset, value_offset })
    }

    /// A value up to its closing quote, which must come.
    fn quoted(&mut self, offset: usize, quote: char) -> Result<&'a str, Located> {
        let Some(len) = self.rest().find(quote) else {
            return Err(self.fault(offset, Fault::UnclosedQuote));
        };
        let value = self.take(len);
        self.at += 1;
        Ok(value)
    }

    /// A value without quotes: no space, quote, `=`, `<`, `>` or backtick in it, as the HTML standard wants.
    fn bare_value(&mut self) -> Result<&'a str, Located> {
        let start = self.at;
        let value = self.take_while(|c| !is_space(c) && c != '>');
        if value.contains("{{") {
            return Err(self.fault(start, Fault::HoleUnquoted));
        }
        if value.is_empty() || value.contains(['"', '\'', '<', '=', '`']) {
            return Err(self.fault(start, Fault::UnquotedValue));
        }
        Ok(value)
    }

    /// A comment, unless a browser would end it earlier: one that begins with `>` or `->`, or has `--!>` in it.
    fn comment(&mut self, start: usize) -> Result<Token<'a>, Located> {
        let Some(len) = self.rest().find("-->") else {
            return Err(self.fault(start, Fault::UnclosedComment));
        };
        let text = self.take(len);
        self.at += 3;
        // Browsers end a comment early here; nobody means that.
        if text.starts_with('>') || text.starts_with("->") || text.contains("--!>") {
            return Err(self.fault(start, Fault::UnclosedComment));
        }
        Ok(Token::Comment(text))
    }

    /// Everything up to the element's end tag; nothing in between is markup.
    fn raw_content(&mut self, element: &'static str) -> Result<Token<'a>, Located> {
        let rest = self.rest();
        // `</` of the element's name: every other `</` is content.
        let end = rest.match_indices("</").map(|(at, _)| at).find(|at| {
            let name = rest.get(at + 2..at + 2 + element.len());
            name.is_some_and(|name| name.eq_ignore_ascii_case(element))
        });
        match end {
            Some(len) => Ok(Token::Raw(self.take(len))),
            None => Err(self.fault(self.at, Fault::UnclosedElement { name: element.into() })),
        }
    }

    /// Why a tag can't go on here.
    fn unfinished(&self, tag: usize) -> Located {
        if self.rest().is_empty() {
            self.fault(tag, Fault::UnclosedTag)
        } else if self.hole_follows() {
            self.fault(self.at, Fault::HoleInTag)
        } else {
            self.fault(self.at, Fault::Attribute)
        }
    }

    fn hole_follows(&self) -> bool {
        self.rest().starts_with("{{")
    }

    fn fault(&self, offset: usize, fault: Fault) -> Located {
        Located { offset, fault }
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, len: usize) -> &'a str {
        let taken = self.rest().get(..len).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        self.take(rest.find(|c| !keep(c)).unwrap_or(rest.len()))
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    /// Skips white space; says whether there was any.
    fn space(&mut self) -> bool {
        !self.take_while(is_space).is_empty()
    }
}

/// White space of HTML.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(source: &str) -> Result<Vec<Token<'_>>, Located> {
        let mut lexer = Lexer::new(source);
        let mut found = Vec::new();
        while let Some(token) = lexer.next()? {
            found.push(token);
        }
        Ok(found)
    }

    #[test]
    fn tags_attributes_and_text_are_told_apart() {
        let source = "a<B c='1' d=2 e \n f = \"<>\">b</B >";
        let found = tokens(source).unwrap();
        assert_eq!(found.len(), 4);
        let Token::Start(tag) = &found[1] else { panic!("{found:?}") };
        assert_eq!((tag.name, found[3].clone()), ("B", Token::End("B")));
        let values: Vec<_> = tag.attributes.iter().map(|a| (a.name, a.value)).collect();
        assert_eq!(values, [("c", Some("1")), ("d", Some("2")), ("e", None), ("f", Some("<>"))]);
        for attribute in &tag.attributes {
            let value = attribute.value.unwrap_or_default();
            assert!(source[attribute.value_offset..].starts_with(value), "{attribute:?}");
            assert!(source[attribute.offset..].starts_with(attribute.name));
        }
    }

    #[test]
    fn an_unquoted_value_takes_the_slash_as_browsers_do() {
        let found = tokens("<a href=/x/>").unwrap();
        let Token::Start(tag) = &found[0] else { panic!("{found:?}") };
        assert_eq!((tag.attributes[0].value, tag.self_closing), (Some("/x/"), false));
    }

    #[test]
    fn the_content_of_a_style_is_not_markup() {
        let found = tokens("<style>a>b{c:'</p>'}</STYLE>").unwrap();
        assert_eq!(found[1], Token::Raw("a>b{c:'</p>'}"));
    }

    #[test]
    fn what_a_browser_would_repair_is_refused_with_its_place() {
        let refused = [
            ("x<", 1, Fault::LessThan),
            ("a < b", 2, Fault::LessThan),
            ("<!doctype html>", 0, Fault::LessThan),
            ("<a", 0, Fault::UnclosedTag),
            ("<a b", 0, Fault::UnclosedTag),
            ("<a b='c>", 3, Fault::UnclosedQuote),
            ("<a b=\"1\"c=\"2\">", 8, Fault::Attribute),
            ("<a <b>", 3, Fault::Attribute),
            ("<a =b>", 3, Fault::Attribute),
            ("<a b=>", 5, Fault::UnquotedValue),
            ("<a b=`c`>", 5, Fault::UnquotedValue),
            ("<!-- a --", 0, Fault::UnclosedComment),
            ("<!-->-->", 0, Fault::UnclosedComment),
            ("<!-- --!> -->", 0, Fault::UnclosedComment),
            ("<style>a", 7, Fault::UnclosedElement { name: "style".into() }),
            ("<a b=1 B=2>", 7, Fault::DuplicateAttribute { name: "b".into() }),
            ("<{{x}}>", 0, Fault::HoleInTag),
            ("<a {{x}}>", 3, Fault::HoleInTag),
            ("<a {{x}}=\"1\">", 3, Fault::HoleInTag),
            ("<a x{{x}}=\"1\">", 4, Fault::HoleInTag),
            ("<a b={{x}}>", 5, Fault::HoleUnquoted),
        ];
        for (source, offset, fault) in refused {
            assert_eq!(tokens(source), Err(Located { offset, fault }), "{source}");
        }
    }
}
