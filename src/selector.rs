//! Which CSS selectors the runtime's rewriter understands; one it doesn't would throw at run time.

use std::fmt;

/// Longest selector in bytes.
pub const MAX_SELECTOR_BYTES: usize = 1_024;

/// A selector that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    /// Bytes from the start of the selector.
    pub offset: usize,
    /// Why.
    pub fault: SelectorFault,
}

/// Why a selector can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectorFault {
    /// More than [`MAX_SELECTOR_BYTES`] bytes.
    TooLong,
    /// Something else belongs here.
    Expected {
        /// What.
        what: &'static str,
    },
    /// `+`, `~` and others: the rewriter sees elements as they come and can't look sideways.
    Combinator {
        /// The sign found.
        found: char,
    },
    /// A pseudo-class or pseudo-element the rewriter doesn't know.
    Pseudo {
        /// Its name.
        found: String,
    },
    /// More than a simple selector in `:not()`.
    Negation,
    /// A namespace, as in `svg|a`.
    Namespace,
    /// A backslash or a control character.
    Escape,
    /// An element whose content is no markup, or that is the page itself.
    Unfillable {
        /// Its name.
        found: &'static str,
    },
}

/// Elements that can't hold a block: a block in one of them would be code, a title or plain text, or replace the page.
const UNFILLABLE: [&str; 13] = [
    "html",
    "head",
    "title",
    "script",
    "style",
    "textarea",
    "xmp",
    "iframe",
    "noembed",
    "noframes",
    "plaintext",
    "select",
    "option",
];

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "selector, byte {}: ", self.offset)?;
        match &self.fault {
            SelectorFault::TooLong => write!(f, "too long; hint: {MAX_SELECTOR_BYTES} bytes at most"),
            SelectorFault::Expected { what } => write!(f, "not a selector; hint: {what} belongs here"),
            SelectorFault::Combinator { found } => {
                write!(f, "combinator {found:?}; hint: pages are streamed, use a space or '>' only")
            }
            SelectorFault::Pseudo { found } => write!(
                f,
                "':{found}'; hint: there are :first-child, :nth-child(), :first-of-type, :nth-of-type() and :not()"
            ),
            SelectorFault::Negation => {
                f.write_str("more than one condition in :not(); hint: use :not(a):not(b)")
            }
            SelectorFault::Namespace => f.write_str("namespace; hint: leave it out"),
            SelectorFault::Unfillable { found } => {
                write!(
                    f,
                    "'{found}' can't hold a block; hint: choose an element of the page's body, such as a div"
                )
            }
            SelectorFault::Escape => f.write_str(
                "escape or control character; hint: match with an attribute in quotes, [id=\"…\"]",
            ),
        }
    }
}

impl std::error::Error for SelectorError {}

/// What reading a part comes to: it moves on, or says what is wrong and where.
type Step = Result<(), SelectorError>;

/// Reads a selector by the grammar below, a part of what the rewriter (lol-html) accepts:
///
/// ```text
/// list     = complex { "," complex }
/// complex  = compound { ( space | ">" ) compound }
/// compound = ( name | "*" | simple ) { simple }
/// simple   = "#" name | "." name | "[" name [ op value [ "i" | "s" ] ] "]" | ":" pseudo
/// ```
struct Parser<'a> {
    source: &'a str,
    at: usize,
}

/// Checks a selector.
///
/// # Errors
/// The first thing the rewriter would refuse at run time, or that is not what it looks like.
pub(crate) fn check(selector: &str) -> Step {
    Parser { source: selector, at: 0 }.list()
}

impl<'a> Parser<'a> {
    fn list(mut self) -> Step {
        let source = self.source;
        if source.len() > MAX_SELECTOR_BYTES {
            return Err(self.fault(SelectorFault::TooLong));
        }
        // Escapes are legal CSS; refusing them keeps names what they look like.
        if let Some(at) = source.find(|c: char| c == '\\' || (c.is_control() && !matches!(c, '\t' | '\n'))) {
            return Err(SelectorError { offset: at, fault: SelectorFault::Escape });
        }
        self.complex()?;
        while self.eat(',') {
            self.complex()?;
        }
        if self.rest().is_empty() { Ok(()) } else { Err(self.expected("a space, '>' or ','")) }
    }

    /// Elements below elements. The rewriter knows an element's ancestors and nothing that stands beside it.
    fn complex(&mut self) -> Step {
        self.space();
        let mut last = (self.at, self.compound()?);
        loop {
            let spaced = self.space();
            match self.peek() {
                None | Some(',') => {
                    let (offset, name) = last;
                    return match UNFILLABLE.iter().find(|element| element.eq_ignore_ascii_case(name)) {
                        Some(found) => {
                            Err(SelectorError { offset, fault: SelectorFault::Unfillable { found } })
                        }
                        None => Ok(()),
                    };
                }
                Some('>') => {
                    self.eat('>');
                    self.space();
                }
                Some(found @ ('+' | '~')) => return Err(self.fault(SelectorFault::Combinator { found })),
                Some('|') => return Err(self.fault(SelectorFault::Namespace)),
                Some(_) if spaced => {}
                Some(_) => return Err(self.expected("a space, '>' or ','")),
            }
            last = (self.at, self.compound()?);
        }
    }

    /// One element: its name, or what it has. Returns the name, empty where it has none.
    fn compound(&mut self) -> Result<&'a str, SelectorError> {
        let start = self.at;
        let named = self.eat('*') || self.name();
        let name = self.source.get(start..self.at).unwrap_or_default();
        if named && self.peek() == Some('|') {
            return Err(self.fault(SelectorFault::Namespace));
        }
        let mut any = named;
        while self.simple()? {
            any = true;
        }
        if any { Ok(name) } else { Err(self.expected("an element, '.class', '#id' or '[attribute]'")) }
    }

    /// Reads one condition; `false` if none follows.
    fn simple(&mut self) -> Result<bool, SelectorError> {
        match self.peek() {
            Some('#' | '.') => {
                self.skip();
                if !self.name() {
                    return Err(self.expected("a name that starts with a letter"));
                }
            }
            Some('[') => self.attribute()?,
            Some(':') => self.pseudo()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `[name]`, or a comparison with a value: `=`, `~=`, `|=`, `^=`, `$=`, `*=`.
    fn attribute(&mut self) -> Step {
        self.skip();
        self.space();
        if !self.name() {
            return Err(self.expected("the name of an attribute"));
        }
        self.space();
        if self.eat(']') {
            return Ok(());
        }
        if self.peek() == Some('|') && !self.rest().starts_with("|=") {
            return Err(self.fault(SelectorFault::Namespace));
        }
        if matches!(self.peek(), Some('~' | '^' | '$' | '*' | '|')) {
            self.skip();
        }
        if !self.eat('=') {
            return Err(self.expected("'=', '~=', '^=', '$=', '*=', '|=' or ']'"));
        }
        self.space();
        self.value()?;
        self.space();
        if matches!(self.peek(), Some('i' | 'I' | 's' | 'S')) {
            self.skip();
            self.space();
        }
        if self.eat(']') { Ok(()) } else { Err(self.expected("']'")) }
    }

    /// A name or a text in quotes.
    fn value(&mut self) -> Step {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => {
                self.skip();
                let Some(len) = self.rest().find([quote, '\n']) else { return Err(self.expected("a quote")) };
                self.at += len;
                if self.eat(quote) { Ok(()) } else { Err(self.expected("a quote")) }
            }
            _ if self.name() => Ok(()),
            _ => Err(self.expected("a value in quotes")),
        }
    }

    /// The few that can be told from what came before: position among siblings, and `:not()` of one condition.
    fn pseudo(&mut self) -> Step {
        let start = self.at;
        self.skip();
        let name_at = self.at;
        let double = self.eat(':');
        self.name();
        let name = self.source.get(name_at..self.at).unwrap_or_default().to_ascii_lowercase();
        let function = self.eat('(');
        match (name.as_str(), function) {
            ("first-child" | "first-of-type", false) => return Ok(()),
            ("nth-child" | "nth-of-type", true) => self.nth()?,
            ("not", true) => self.negation()?,
            _ => {
                let found = if double { format!(":{}", name.trim_start_matches(':')) } else { name };
                return Err(SelectorError { offset: start, fault: SelectorFault::Pseudo { found } });
            }
        }
        if self.eat(')') { Ok(()) } else { Err(self.expected("')'")) }
    }

    /// One simple selector: lists in `:not()` are newer than the runtimes in use.
    fn negation(&mut self) -> Step {
        self.space();
        if self.rest().starts_with(":not") {
            return Err(self.fault(SelectorFault::Negation));
        }
        if !(self.eat('*') || self.name() || self.simple()?) {
            return Err(self.expected("a simple selector"));
        }
        self.space();
        if self.peek() == Some(')') { Ok(()) } else { Err(self.fault(SelectorFault::Negation)) }
    }

    /// `odd`, `even`, `5`, `2n`, `2n+1`, `-n + 3`.
    fn nth(&mut self) -> Step {
        self.space();
        let written = self.source.get(self.at..).unwrap_or_default();
        let written = written.split(')').next().unwrap_or_default();
        let start = self.at;
        self.at += written.len();
        let text = written.trim_matches(is_space).to_ascii_lowercase();
        let right = matches!(text.as_str(), "odd" | "even")
            || match text.split_once('n') {
                None => is_integer(&text),
                Some((step, offset)) => {
                    let offset = offset.trim_start_matches(is_space);
                    (matches!(step, "" | "+" | "-") || is_integer(step))
                        && (offset.is_empty()
                            || offset
                                .strip_prefix(['+', '-'])
                                .is_some_and(|digits| is_digits(digits.trim_start_matches(is_space))))
                }
            };
        if right {
            return Ok(());
        }
        self.at = start;
        Err(self.expected("a number, 'odd', 'even' or a formula such as 2n+1"))
    }

    /// Reads an identifier; `false` and nothing read if none follows.
    fn name(&mut self) -> bool {
        let rest = self.rest();
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || !c.is_ascii();
        let len = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let name = rest.get(..len).unwrap_or_default();
        let first = name.strip_prefix('-').unwrap_or(name);
        // `-1` and `--` would be read as a number and as a custom property.
        let right = first.starts_with(|c: char| part(c) && !c.is_ascii_digit() && c != '-');
        if right {
            self.at += len;
        }
        right
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    fn eat(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.skip();
        }
        found
    }

    fn space(&mut self) -> bool {
        let before = self.at;
        while self.peek().is_some_and(is_space) {
            self.skip();
        }
        self.at > before
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn expected(&self, what: &'static str) -> SelectorError {
        self.fault(SelectorFault::Expected { what })
    }

    fn fault(&self, fault: SelectorFault) -> SelectorError {
        SelectorError { offset: self.at, fault }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n')
}

fn is_integer(text: &str) -> bool {
    is_digits(text.strip_prefix(['+', '-']).unwrap_or(text))
}

/// Up to nine digits: more would not fit the rewriter's 32 bits.
fn is_digits(text: &str) -> bool {
    (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SlotId;
    use crate::slot::Place;
    use proptest::prelude::*;

    /// What the runtime's rewriter itself says.
    fn rewriter_accepts(selector: &str) -> bool {
        selector.parse::<lol_html::Selector>().is_ok()
    }

    fn check(selector: &str) -> Result<String, SelectorError> {
        Place::of(&SlotId::new("x").unwrap(), Some(selector)).map(|place| place.css())
    }

    #[test]
    fn selectors_of_the_rewriter_are_accepted() {
        for selector in [
            "main",
            "*",
            "#hero",
            "div.hero.wide",
            "main > section .teaser, #b",
            "[data-slot]",
            "a[href^='/x']",
            "a[href$=\".pdf\" i]",
            "a[lang|=en s]",
            "[ title ~= 'a b' ]",
            "[a*=b][c=d]",
            "li:first-child",
            "li:nth-child(2n+1)",
            "li:nth-child( -n + 3 )",
            "li:nth-of-type(odd)",
            "p:first-of-type",
            "p:not(.x):not([y]):not(div)",
            "p:not(:first-child)",
            "-x_y",
            "caf\u{e9}",
            "my-card",
            " a ",
        ] {
            assert_eq!(check(selector).as_deref(), Ok(selector.trim()), "{selector}");
            assert!(rewriter_accepts(selector), "{selector}");
        }
        let marker = Place::of(&SlotId::new("home.hero-2_a").unwrap(), None).unwrap();
        assert!(rewriter_accepts(&marker.css()));
    }

    #[test]
    fn elements_that_cannot_hold_a_block_are_refused() {
        for (selector, offset, found) in [
            ("html", 0, "html"),
            ("main, SCRIPT[src]", 6, "script"),
            ("head > title", 7, "title"),
            (" textarea.x", 1, "textarea"),
        ] {
            let fault = SelectorFault::Unfillable { found };
            assert_eq!(check(selector), Err(SelectorError { offset, fault }), "{selector}");
        }
        assert!(check("html body main").is_ok());
        assert!(check("script-like").is_ok());
    }

    #[test]
    fn selectors_that_would_throw_at_run_time_are_refused_with_the_reason() {
        let pseudo = |found: &str| SelectorFault::Pseudo { found: found.into() };
        for (selector, offset, fault) in [
            ("a + b", 2, SelectorFault::Combinator { found: '+' }),
            ("a~b", 1, SelectorFault::Combinator { found: '~' }),
            ("a:hover", 1, pseudo("hover")),
            ("a::before", 1, pseudo(":before")),
            ("p:last-child", 1, pseudo("last-child")),
            ("p:has(a)", 1, pseudo("has")),
            ("p:is(a)", 1, pseudo("is")),
            (":root", 0, pseudo("root")),
            ("svg|a", 3, SelectorFault::Namespace),
            ("[a|b]", 2, SelectorFault::Namespace),
        ] {
            assert_eq!(check(selector), Err(SelectorError { offset, fault }), "{selector}");
            assert!(!rewriter_accepts(selector), "{selector}");
        }
        for selector in [
            "",
            " ",
            ",",
            "a,",
            ",a",
            "a,,b",
            "a >",
            "> a",
            "a > > b",
            ".",
            "#",
            "#1",
            ".1a",
            "[",
            "[]",
            "[a=",
            "[a=]",
            "[a=1]",
            "[a b]",
            "[a=b x]",
            "a:",
            "a:not()",
            "a:nth-child()",
            "a:nth-child(x)",
            "a:nth-child(2n+)",
            "a:nth-child(n of b)",
            "a)",
            "a(b)",
            "a{b}",
            "a/b",
            "1",
            "a:first-child()",
            "a:not",
            "a:nth-child",
        ] {
            assert!(check(selector).is_err(), "{selector:?}");
            assert!(!rewriter_accepts(selector), "{selector:?}");
        }
        // The rewriter takes these, older ones don't, or they are not what they look like.
        for selector in [
            "[a",
            "[a=b",
            "[a='b]",
            "a:not(b",
            "a:not(b, c)",
            "a:not(b.c)",
            "a:not(:not(b))",
            "a:not(b c)",
            ".a\\:b",
            "*|a",
        ] {
            assert!(check(selector).is_err(), "{selector:?}");
        }
        assert!(check(&"a".repeat(1_025)).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn whatever_is_accepted_the_rewriter_accepts(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "-", "--", "1", "n", " ", ">", ",", "*", "#", ".", "[", "]", "=", "~=", "|", "'", "\"", "i",
                    ":not(", ":nth-child(", ":first-child", ":nth-of-type(", ")", "+", "2n", "odd", "[a=b]", ".c",
                    "\u{e9}", "\n", "/*", "*/", "@", "!", "[a=\"b\" i]", "_",
                ]),
                0..8,
            ),
        ) {
            let selector = parts.concat();
            if check(&selector).is_ok() {
                prop_assert!(rewriter_accepts(&selector), "{selector:?}");
            }
        }

        #[test]
        fn any_text_is_accepted_or_refused(selector in any::<String>()) {
            if check(&selector).is_ok() {
                prop_assert!(rewriter_accepts(&selector), "{selector:?}");
            }
        }
    }
}
