//! Actions as one policy reads them, for all places of a list and all views they are brought to. Reading them is that policy's business.

use crate::bandit::Codes;
use crate::id::ArmId;

/// Actions, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Assortment {
    /// The features that were read.
    pub(crate) set: u32,
    pub(crate) entries: Vec<Entry>,
}

/// One action as it is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: ArmId,
    /// Its short name.
    pub(crate) item: u32,
    pub(crate) codes: Codes,
}
