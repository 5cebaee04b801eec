//! What can be wrong with a block's HTML, where it stands, and what to do about it.

use super::url::UrlError;
use std::fmt;

/// A fault and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Bytes from the start of the text.
    pub offset: usize,
    /// What is wrong.
    pub fault: Fault,
}

impl Located {
    /// Line and column, both from 1; the column counts characters.
    #[must_use]
    pub fn line_and_column(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        (before.matches('\n').count() + 1, column + 1)
    }
}

/// What is wrong with a piece of HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// More bytes than allowed.
    TooLong {
        /// Bytes allowed.
        most: usize,
    },
    /// `<` that starts no tag.
    LessThan,
    /// The text ends inside a tag.
    UnclosedTag,
    /// The text ends inside a quoted value.
    UnclosedQuote,
    /// The text ends inside a comment, or a browser would end the comment early.
    UnclosedComment,
    /// A comment where none is allowed.
    Comment,
    /// An element without its end tag.
    UnclosedElement {
        /// Name of the element.
        name: String,
    },
    /// An end tag without its element.
    StrayEnd {
        /// Name of the element.
        name: String,
    },
    /// `/>` on an element that has content.
    SelfClosing {
        /// Name of the element.
        name: String,
    },
    /// An element where a browser would move it elsewhere.
    Inside {
        /// Name of the element.
        name: String,
        /// The element it must not stand in, or must stand in.
        outer: String,
    },
    /// Elements nested too deeply.
    TooDeep,
    /// An element that is not allowed.
    Element {
        /// Name of the element.
        name: String,
    },
    /// Something in a tag that is no attribute.
    Attribute,
    /// An attribute that is not allowed, or not with this value.
    AttributeNotAllowed {
        /// Name of the element.
        element: String,
        /// Name of the attribute.
        name: String,
    },
    /// An attribute that runs code: `on…` or `srcdoc`.
    Handler {
        /// Name of the attribute.
        name: String,
    },
    /// An attribute twice in one tag.
    DuplicateAttribute {
        /// Name of the attribute.
        name: String,
    },
    /// An unquoted value with signs that need quotes.
    UnquotedValue,
    /// An attribute that is not in the canonical form `name="value"`.
    NotCanonical,
    /// A character that can't be written as a character reference where it stands.
    NotAscii,
    /// A named character reference where it could hide what the value is.
    Reference {
        /// The reference.
        found: String,
    },
    /// Content in an `iframe` element.
    FrameContent,
    /// An address that can't be used.
    Url(UrlError),
    /// `{{` without `}}`.
    HoleUnclosed,
    /// A hole in a tag's or an attribute's name.
    HoleInTag,
    /// A hole in a value without quotes.
    HoleUnquoted,
    /// A hole in the content of a `style` element.
    HoleInStyle,
    /// A hole in a comment.
    HoleInComment,
    /// A hole in an attribute that takes none.
    HoleInAttribute {
        /// Name of the element.
        element: String,
        /// Name of the attribute.
        name: String,
    },
    /// A hole no field fills.
    UnknownField {
        /// What stands in the hole.
        name: String,
        /// What could.
        known: String,
    },
    /// A field of the wrong type for where its hole stands.
    WrongType {
        /// What stands in the hole.
        name: String,
        /// What would fit.
        expected: &'static str,
    },
    /// A number that is no number.
    NotFinite {
        /// Name of the field.
        name: String,
    },
    /// A field whose address can't be used.
    FieldUrl {
        /// Name of the field.
        name: String,
        /// Why.
        error: UrlError,
    },
    /// A field of rich text that is not in the safe, canonical form.
    Rich {
        /// Name of the field.
        name: String,
        /// Where in the field's text, and why.
        at: Box<Located>,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { most } => write!(f, "too long; hint: {most} bytes at most"),
            Self::LessThan => f.write_str("'<' starts no tag here; hint: write &lt;"),
            Self::UnclosedTag => f.write_str("tag without its '>'; hint: close it"),
            Self::UnclosedQuote => f.write_str("attribute without its closing quote; hint: close it"),
            Self::UnclosedComment => f.write_str("comment does not end cleanly; hint: end it with '-->'"),
            Self::Comment => f.write_str("comment; hint: remove it"),
            Self::UnclosedElement { name } => write!(f, "<{name}> is never closed; hint: add </{name}>"),
            Self::StrayEnd { name } => {
                write!(f, "</{name}> closes nothing; hint: close elements in the order they were opened")
            }
            Self::SelfClosing { name } => {
                write!(f, "<{name}/> stays open in HTML; hint: write <{name}></{name}>")
            }
            Self::Inside { name, outer } => {
                write!(f, "<{name}> can't stand here; hint: browsers move it because of <{outer}>")
            }
            Self::TooDeep => f.write_str("elements nested too deeply; hint: 64 levels at most"),
            Self::Element { name } => {
                write!(
                    f,
                    "<{name}> is not allowed; hint: scripts, frames' documents and page-wide elements stay out of blocks"
                )
            }
            Self::Attribute => f.write_str("no attribute here; hint: write name=\"value\" after a space"),
            Self::AttributeNotAllowed { element, name } => {
                write!(f, "{name} on <{element}> is not allowed, or not with this value; hint: remove it")
            }
            Self::Handler { name } => {
                write!(f, "attribute {name} runs code; hint: let a script of the site add the handler")
            }
            Self::DuplicateAttribute { name } => write!(f, "attribute {name} twice; hint: remove one"),
            Self::UnquotedValue => f.write_str("value needs quotes; hint: write name=\"value\""),
            Self::NotCanonical => {
                f.write_str("not in canonical form; hint: lower-case names, name=\"value\"")
            }
            Self::NotAscii => {
                f.write_str("non-ASCII text in a style; hint: write it as a CSS escape, e.g. \\201C")
            }
            Self::Reference { found } => write!(f, "{found} in a value; hint: write the sign itself"),
            Self::FrameContent => f.write_str("content in an iframe; hint: remove it"),
            Self::Url(error) => write!(f, "{error}"),
            Self::HoleUnclosed => f.write_str("'{{' without '}}'; hint: write {{field}}"),
            Self::HoleInTag => f.write_str("hole in a name; hint: holes stand in text or in quoted values"),
            Self::HoleUnquoted => {
                f.write_str("hole in a value without quotes; hint: write name=\"{{field}}\"")
            }
            Self::HoleInStyle => f.write_str("hole in a style; hint: choose a class instead"),
            Self::HoleInComment => f.write_str("hole in a comment; hint: remove it"),
            Self::HoleInAttribute { element, name } => {
                write!(
                    f,
                    "hole in {name} of <{element}>; hint: use text, class, title, alt, data-… or a link"
                )
            }
            Self::UnknownField { name, known } => write!(f, "no field {name:?}; hint: there is {known}"),
            Self::WrongType { name, expected } => {
                write!(f, "field {name:?} has the wrong type for this place; hint: {expected}")
            }
            Self::NotFinite { name } => write!(f, "field {name:?} is not a finite number; hint: correct it"),
            Self::FieldUrl { name, error } => write!(f, "field {name:?}: {error}"),
            Self::Rich { name, at } => write!(
                f,
                "field {name:?} is not safe rich text at byte {}: {}; hint: publish with the command line tool, which sanitises rich text",
                at.offset, at.fault
            ),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Url(error) | Self::FieldUrl { error, .. } => Some(error),
            Self::Rich { at, .. } => Some(&at.fault),
            _ => None,
        }
    }
}
