//! Audiences: conditions over a [`Context`], compiled once and answered without allocation.
//!
//! # The language
//!
//! The MongoDB-style conditions that experimentation tools share. An object of names and values holds
//! when all of its lines hold; a dot steps into objects and (by position) lists:
//!
//! ```json
//! { "country": { "$in": ["DE", "AT"] }, "query.utm_source": "mail", "$not": { "device": "phone" } }
//! ```
//!
//! | line | holds when |
//! |---|---|
//! | `"a": "x"`, `"a": 8` | equal, where `8` and `"8"` are equal |
//! | `"a": true` | what a script takes for true: not 0, not empty, not missing |
//! | `"a": null` | missing or null; the two are one everywhere |
//! | `"a": [..]`, `"a": {..}` | deeply equal; the order of keys does not matter |
//! | `$eq` `$ne` | equal in kind and value |
//! | `$lt` `$lte` `$gt` `$gte` | two texts by their characters, everything else as numbers |
//! | `$in` `$nin` | one of a list; of a list in the visit, at least one element |
//! | `$inGroup` `$notInGroup` | likewise with a saved group; an unknown group is empty |
//! | `$all` `$elemMatch` `$size` | lists: each is found, one element satisfies, the length satisfies |
//! | `$exists` `$type` | there at all; `null boolean number string array object` |
//! | `$regex` `$notRegex` | the pattern is found somewhere in a text or number, or is not |
//! | `$veq` `$vne` `$vlt` `$vlte` `$vgt` `$vgte` | as versions: 2.10.0 is after 2.9.0 |
//! | `$ini` `$nini` `$alli` `$regexi` `$notRegexi` | as without the `i`, upper and lower case being the same (patterns: ASCII) |
//! | `$not` | before a condition or before operators |
//! | `$and` `$or` `$nor` | of a list of conditions; an empty `$or` holds |
//!
//! **Where a number is asked for, missing is 0**: `"age": { "$lt": 18 }` holds for visitors of unknown age.
//! Add `"$exists": true` where that is not meant.
//!
//! # Differences from the common implementation
//!
//! A condition that it would quietly evaluate to false is refused here with a [`ConditionError`]: unknown
//! operators, `$in` without a list, patterns that are not valid, operators mixed with plain keys. Patterns
//! know no look-around and no back-references, so that they take linear time. A missing value is never
//! the text `"null"`. `$eq` compares lists and objects deeply instead of never finding them equal.
//! `$elemMatch` also looks at elements that are 0, false or empty. An empty `$nor` holds. Numbers in
//! versions may have any length.
//!
//! What it deliberately does not do: choose, count, or know what an audience is for.

mod compile;
mod constants;
mod error;
mod facts;
mod lower;
mod rule;
mod sieve;
mod table;
mod version;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod laws;

pub use error::{Cause, ConditionError};
pub use facts::Facts;

use crate::context::Context;
use crate::sorted::SortedMap;
use facts::{Fact, Names};
use rule::{Place, Rule};
use serde_json::{Map, Value};
use sieve::Sieve;

/// Most levels of objects and lists in one condition: answering recurses, and wasm's stack is small.
pub const MAX_DEPTH: usize = 32;

/// Most memory of one compiled pattern, bytes.
///
/// Time is at most (steps of the program) × (length of the text), so the size of the program is the
/// bound: measured, the worst patterns that fit need about 0.1 s for 100 KB, and a thousandth for a URL.
pub const MAX_PATTERN_MEMORY_BYTES: usize = 16 * 1024;

/// Saved groups: members by name.
type Groups = SortedMap<String, Vec<Value>>;

/// Number of an audience in its [`AudienceSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AudienceIndex(u32);

/// Compiled conditions that share their names and constants.
///
/// ```
/// use edgeloom::audience::AudienceSet;
/// use edgeloom::context::Context;
///
/// let mut audiences = AudienceSet::default();
/// let condition = serde_json::json!({ "country": { "$in": ["DE", "AT"] } });
/// let german = audiences.add(&condition)?;
///
/// let visit = Context { country: Some("AT".into()), ..Context::default() };
/// let facts = audiences.facts(&visit);
/// assert!(audiences.matches(german, &facts));
/// # Ok::<(), edgeloom::audience::ConditionError>(())
/// ```
#[derive(Debug, Clone)]
pub struct AudienceSet {
    groups: Groups,
    /// What an audience asks beyond the sieve.
    rules: Vec<Option<Rule>>,
    sieve: Sieve,
    /// Names looked up in the visit, once per decision.
    visit: Names,
    /// Names looked up in elements of lists, when a condition gets there.
    inside: Names,
}

impl Default for AudienceSet {
    fn default() -> Self {
        Self {
            groups: Groups::new(),
            rules: Vec::new(),
            sieve: Sieve::default(),
            visit: Names::default(),
            inside: Names::inside(),
        }
    }
}

impl AudienceSet {
    /// An empty set whose conditions may name these groups: name → list of texts, numbers, true, false, null.
    ///
    /// # Errors
    /// A group that is not a list, or a member that is a list or an object.
    pub fn with_groups(groups: &Map<String, Value>) -> Result<Self, ConditionError> {
        Ok(Self { groups: compile::groups(groups)?, ..Self::default() })
    }

    /// Compiles a condition; a refused one leaves the set as it was.
    ///
    /// # Errors
    /// The first mistake found, with its place: see [`Cause`].
    pub fn add(&mut self, condition: &Value) -> Result<AudienceIndex, ConditionError> {
        let known = (self.visit.attributes.len(), self.inside.attributes.len());
        let result = compile::compile(condition, &self.groups, &mut self.visit, &mut self.inside);
        if result.is_err() {
            self.visit.truncate(known.0);
            self.inside.truncate(known.1);
        }
        let audience = self.rules.len();
        let questions = match result? {
            Rule::All(questions) => questions.into_vec(),
            question => vec![question],
        };
        let left = questions.into_iter().filter_map(|question| self.sieve.take(audience, question));
        let left: Vec<Rule> = left.collect();
        self.rules.push((!left.is_empty()).then(|| Rule::all(left)));
        // A condition has at least two bytes of configuration: four billion do not fit in memory.
        Ok(AudienceIndex(u32::try_from(audience).unwrap_or(u32::MAX)))
    }

    /// Looks up everything the conditions ask for, once per decision.
    #[must_use]
    pub fn facts<'a>(&'a self, context: &'a Context) -> Facts<'a> {
        self.sifted(self.visit.in_context(context))
    }

    /// As [`AudienceSet::facts`] for a plain map instead of a visit: no name is built in.
    #[must_use]
    pub fn facts_of_map<'a>(&'a self, map: &'a Map<String, Value>) -> Facts<'a> {
        self.sifted(self.visit.in_map(map))
    }

    fn sifted<'a>(&self, all: Vec<Fact<'a>>) -> Facts<'a> {
        Facts { refused: self.sieve.refused(&all, self.rules.len()), all }
    }

    /// Whether a visit belongs to an audience. Total: an audience or facts of another set give an
    /// answer without meaning, but an answer.
    #[must_use]
    pub fn matches(&self, audience: AudienceIndex, facts: &Facts<'_>) -> bool {
        let audience = audience.0 as usize;
        // Without a branch at the sieve's answer, which nobody can foresee, where nothing is left to ask.
        match self.rules.get(audience) {
            Some(None) => !facts.refused.contains(audience),
            Some(Some(rule)) => {
                !facts.refused.contains(audience) && rule.holds(Place::Visit(&facts.all), &self.inside)
            }
            None => false,
        }
    }
}
