//! Where a slot is in a page: a marker, or a CSS selector the runtime's rewriter understands. It parses no page.

use crate::id::SlotId;

pub use crate::selector::{MAX_SELECTOR_BYTES, SelectorError, SelectorFault};

/// Where a slot is in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `<edge-slot name="…">` or `data-edge-slot="…"` in the page.
    Marker(SlotId),
    /// The elements a checked selector matches.
    Selector(Box<str>),
}

impl Place {
    /// The place of a slot: its selector if it has one, else its marker.
    ///
    /// # Errors
    /// The selector is malformed, or of a kind the rewriter refuses at run time.
    pub fn of(id: &SlotId, selector: Option<&str>) -> Result<Self, SelectorError> {
        match selector {
            None => Ok(Self::Marker(id.clone())),
            Some(selector) => {
                crate::selector::check(selector)?;
                Ok(Self::Selector(selector.trim().into()))
            }
        }
    }

    /// The selector for the rewriter.
    ///
    /// ```
    /// use edgeloom::{id::SlotId, slot::Place};
    /// let place = Place::of(&SlotId::new("hero")?, None)?;
    /// assert_eq!(place.css(), "edge-slot[name=\"hero\"],[data-edge-slot=\"hero\"]");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn css(&self) -> String {
        match self {
            // The characters of an identifier need no escaping in quotes.
            Self::Marker(id) => format!("edge-slot[name=\"{id}\"],[data-edge-slot=\"{id}\"]"),
            Self::Selector(selector) => selector.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_takes_the_place_of_the_marker() {
        let id = SlotId::new("home.hero").unwrap();
        assert_eq!(Place::of(&id, None), Ok(Place::Marker(id.clone())));
        assert_eq!(Place::of(&id, Some(" main > h1 ")).unwrap().css(), "main > h1");
        assert!(Place::of(&id, Some("h1 + p")).is_err());
    }
}
