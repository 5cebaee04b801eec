//! The open elements of a text; refuses what browsers would close or move by themselves, so that a block
//! can't change the page around it and its structure is the one its author sees.

use super::elements::{closes_paragraph, is_svg, is_void};
use super::fault::{Fault, Located};

/// Most open elements; browsers stop nesting at 512, together with the page's own.
const MAX_DEPTH: usize = 64;

/// Open elements, outermost first.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    open: Vec<(String, usize)>,
}

impl Nesting {
    /// Number of open elements.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Enters an element, whose start tag stands at `offset`; its name in lower case.
    ///
    /// # Errors
    /// Too deep, or at a place where a browser would close or move something.
    pub(super) fn enter(&mut self, name: &str, self_closing: bool, offset: usize) -> Result<(), Fault> {
        let inside = |outer: &str| Fault::Inside { name: name.into(), outer: outer.into() };
        let foreign = self.has("svg", &[]);
        if foreign != is_svg(name) {
            return Err(inside("svg"));
        }
        if !foreign {
            self.check_html(name).map_or(Ok(()), |outer| Err(inside(outer)))?;
        }
        if is_void(name) || (self_closing && foreign) {
            return Ok(());
        }
        if self_closing {
            return Err(Fault::SelfClosing { name: name.into() });
        }
        if self.open.len() == MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        self.open.push((name.into(), offset));
        Ok(())
    }

    /// The open element because of which `name` can't stand here.
    fn check_html(&self, name: &str) -> Option<&'static str> {
        const HEADINGS: [&str; 6] = ["h1", "h2", "h3", "h4", "h5", "h6"];
        let parent = self.open.last().map(|(parent, _)| parent.as_str());
        if closes_paragraph(name) && self.has("p", &["button", "td", "th", "caption"]) {
            return Some("p");
        }
        if HEADINGS.contains(&name) {
            return HEADINGS.into_iter().find(|heading| parent == Some(heading));
        }
        match name {
            // A link, a button or a form inside another ends the outer one.
            "a" if self.has("a", &["td", "th", "caption"]) => Some("a"),
            "button" if self.has("button", &[]) => Some("button"),
            "form" if self.has("form", &[]) => Some("form"),
            "li" if self.has("li", &["ul", "ol", "menu"]) => Some("li"),
            "dd" | "dt" if self.has("dd", &["dl"]) => Some("dd"),
            "dd" | "dt" if self.has("dt", &["dl"]) => Some("dt"),
            _ => None,
        }
    }

    /// Whether the innermost open element is `name`.
    pub(super) fn is_in(&self, name: &str) -> bool {
        self.open.last().is_some_and(|(open, _)| open == name)
    }

    /// Whether an element is open inside the innermost of `borders`.
    fn has(&self, name: &str, borders: &[&str]) -> bool {
        let inner = self.open.iter().rev().map(|(open, _)| open.as_str());
        inner.take_while(|open| !borders.contains(open)).any(|open| open == name)
    }

    /// Leaves the innermost element, which must be `name` and not one of the `floor` outermost.
    ///
    /// # Errors
    /// Another element is open, or none.
    pub(super) fn leave(&mut self, name: &str, floor: usize) -> Result<(), Fault> {
        match self.open.pop_if(|(open, _)| open == name) {
            Some(_) if self.open.len() >= floor => Ok(()),
            _ => Err(Fault::StrayEnd { name: name.into() }),
        }
    }

    /// Checks that only the `floor` outermost elements are open.
    ///
    /// # Errors
    /// An element is open, with the place of its start tag.
    pub(super) fn finish(&self, floor: usize) -> Result<(), Located> {
        match self.open.get(floor) {
            Some((name, offset)) => {
                Err(Located { offset: *offset, fault: Fault::UnclosedElement { name: name.clone() } })
            }
            None => Ok(()),
        }
    }
}
