//! Filters as JSON: what serde derives for other formats, by the project's one way between texts and types.

use super::filter::{Filter, Missing, Test};
use crate::json;

json::fields! {
    Filter { may have tests; }
    Test { needs field; may have one_of, none_of, min, max, missing; }
}

json::words! {
    Missing { "passes" Passes, "fails" Fails }
}
