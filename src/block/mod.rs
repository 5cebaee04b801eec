//! Content for a slot: a template with typed holes, checked and rendered once, so that a page view copies text.
//!
//! A template is written by the site's developers and approved by somebody else; its fields are written by
//! editors and generators. Neither can run code, change the page around the block, or leave ASCII:
//!
//! ```text
//! template ──lexer──> tokens ──template (elements, nesting, escape, url, rich)──> canonical HTML
//!                                                                     └──markup──> parts between tokens
//! ```
//!
//! What is rendered is written anew from what was read, never copied from the source, so that a browser can't
//! read it in another way than the checks did.

mod elements;
mod escape;
mod fault;
mod hole;
#[cfg(test)]
mod hostile;
mod lexer;
mod markup;
mod nesting;
pub mod rich;
mod template;
mod url;
mod values;

pub use escape::escape;
pub(crate) use escape::push_text;
pub use fault::{Fault, Located};
pub use markup::{Markup, TOKEN_PARAMETER};
pub use template::{MAX_RENDERED_BYTES, MAX_TEMPLATE_BYTES};
pub use url::{LINK_SCHEMES, RESOURCE_SCHEMES, UrlError};

use crate::id::{BlockId, IdError};
use crate::snapshot::wire;
use std::fmt;

/// A checked block, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    id: BlockId,
    markup: Markup,
    warnings: Vec<Warning>,
}

/// Something odd about a block that can be shown all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A field no hole shows.
    UnusedField {
        /// Name of the field.
        field: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnusedField { field } => {
                write!(
                    f,
                    "field {field:?} is not used; hint: remove it, or add {{{{{field}}}}} to the template"
                )
            }
        }
    }
}

/// A block that can't be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockError {
    /// Its name can't be used.
    Id(IdError),
    /// Its template, or a field where the template uses it.
    Template {
        /// What is wrong, and where in the template.
        at: Located,
        /// Line in the template, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(error) => write!(f, "{error}"),
            Self::Template { at, line, column } => {
                write!(f, "template, line {line}, column {column}: {}", at.fault)
            }
        }
    }
}

impl std::error::Error for BlockError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Id(error) => Some(error),
            Self::Template { at, .. } => Some(&at.fault),
        }
    }
}

impl Block {
    /// Checks and renders a stored block.
    ///
    /// ```
    /// use edgeloom::block::Block;
    /// use edgeloom::snapshot::wire::{self, Field};
    ///
    /// let block = Block::compile(&wire::Block {
    ///     id: "offer".into(),
    ///     template: "<a href=\"{{link}}\">{{title}}</a>".into(),
    ///     fields: [
    ///         ("link".to_owned(), Field::Url("/offers#new".into())),
    ///         ("title".to_owned(), Field::Text("Tea & more".into())),
    ///     ]
    ///     .into(),
    ///     ..wire::Block::default()
    /// })?;
    /// let mut html = String::new();
    /// block.markup().with_token(Some("abc"), &mut html);
    /// assert_eq!(html, "<a href=\"/offers?_el=abc#new\">Tea &amp; more</a>");
    /// # Ok::<(), edgeloom::block::BlockError>(())
    /// ```
    ///
    /// # Errors
    /// A name that can't be used, or the first thing in the template or its fields that is refused.
    pub fn compile(stored: &wire::Block) -> Result<Self, BlockError> {
        let id = BlockId::new(&stored.id).map_err(BlockError::Id)?;
        let rendered = template::render(&stored.template, &stored.fields).map_err(|at| {
            let (line, column) = at.line_and_column(&stored.template);
            BlockError::Template { at, line, column }
        })?;
        let unused = stored.fields.keys().filter(|field| !rendered.used.contains(&field.as_str()));
        let warnings = unused.map(|field| Warning::UnusedField { field: field.clone() }).collect();
        Ok(Self { id, markup: Markup::cut(&rendered.html), warnings })
    }

    /// Name of the block.
    #[must_use]
    pub fn id(&self) -> &BlockId {
        &self.id
    }

    /// What is shown.
    #[must_use]
    pub fn markup(&self) -> &Markup {
        &self.markup
    }

    /// What is odd about it.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
