//! Whom a slot is for, by what a causal forest expects it to add: who is not worth addressing is left alone. Growing forests is
//! others' business, checking and walking them that of [`crate::measure::who`].

use super::warning::{Item, Warning};
use super::wire;
use crate::context::Context;
use crate::json;
use crate::json::number::Decimal;
use crate::measure::who::forest::Forest;
use serde_json::Value;

/// Nodes of a slot's forest at most: as text they are 350 KB, which every isolate reads once per publication.
pub const MAX_NODES: usize = 5_000;

/// Facts of a visit that are words.
const WORDS: [&str; 5] = ["path", "referrer", "country", "language", "device"];

/// A forest over the facts of a visit, and what is worth it.
#[derive(Debug, Clone, PartialEq)]
pub struct Targeting {
    forest: Forest,
    /// Where the forest's features come from, in its order.
    facts: Vec<Fact>,
    least: f64,
}

/// A feature of the forest as a fact of the visit.
#[derive(Debug, Clone, PartialEq)]
enum Fact {
    /// A number, or 1 and 0 for true and false.
    Number(String),
    /// `name=word`: 1 where the fact is this word, else 0.
    Is { name: String, word: String },
}

impl Targeting {
    /// A feature of a forest that is a word of the visit, and never a number.
    pub(super) fn remarks(wire: &wire::Targeting, at: &str) -> Vec<Warning> {
        let names = wire.forest.get("features").and_then(Value::as_array).into_iter().flatten();
        let names = names.enumerate().filter_map(|(i, name)| Some((i, name.as_str()?)));
        let remark = |(i, name): (usize, &str)| {
            let message =
                format!("'{name}' is a word and never a number; hint: ask for one, as in `{name}=…`");
            Warning::advice(format!("{at}/targeting/forest/features/{i}"), message)
        };
        names.filter(|(_, name)| WORDS.contains(name)).map(remark).collect()
    }

    /// Checks forest and threshold.
    pub(super) fn of(wire: &wire::Targeting, at: &str) -> Item<Self> {
        if !(wire.least.is_finite() && wire.least.abs() <= crate::event::MAX_VALUE) {
            let message =
                format!("{} is out of range; hint: an uplift in units of the reward", Decimal(wire.least));
            return Err(Warning::error(format!("{at}/least"), message));
        }
        let at = format!("{at}/forest");
        if wire.forest.is_string() {
            let message = "a file's name instead of a forest; hint: publish with `edgeloom publish`, which reads the file";
            return Err(Warning::error(at, message));
        }
        let form: crate::measure::who::wire::Form = json::shape(&wire.forest)
            .map_err(|error| Warning::error(format!("{at}{}", error.pointer()), &error))?;
        let n_nodes: usize = form.trees.iter().map(|tree| tree.nodes.len()).sum();
        if n_nodes > MAX_NODES {
            let message = format!(
                "{n_nodes} nodes; hint: {MAX_NODES} at most at the edge, so grow fewer or smaller trees"
            );
            return Err(Warning::error(format!("{at}/trees"), message));
        }
        let forest = Forest::compile(&form).map_err(|error| Warning::error(at, error))?;
        let fact = |name: &String| match name.split_once('=') {
            Some((name, word)) => Fact::Is { name: name.to_string(), word: word.to_string() },
            None => Fact::Number(name.clone()),
        };
        let facts = forest.features().iter().map(fact).collect();
        Ok(Self { forest, facts, least: wire.least })
    }

    /// What the forest expects addressing a visit to add, in units of the reward; `None` where no tree has an answer.
    #[must_use]
    pub fn expected(&self, context: &Context) -> Option<f64> {
        let row: Vec<Option<f64>> = self.facts.iter().map(|fact| fact.of(context)).collect();
        self.forest.predict(&row).map(|prediction| prediction.mean)
    }

    /// The least that is worth it.
    #[must_use]
    pub const fn least(&self) -> f64 {
        self.least
    }

    /// Whether a visit is worth addressing. One that nothing is known of is not.
    #[must_use]
    pub fn is_worth(&self, context: &Context) -> bool {
        self.expected(context).is_some_and(|expected| expected >= self.least)
    }
}

impl Fact {
    fn of(&self, context: &Context) -> Option<f64> {
        let number = |is: bool| if is { 1.0 } else { 0.0 };
        match self {
            Self::Number(name) => match &*context.feature(name)? {
                Value::Bool(is) => Some(number(*is)),
                value => value.as_f64(),
            },
            Self::Is { name, word } => {
                let value = context.feature(name);
                Some(number(value.as_deref().and_then(Value::as_str) == Some(word)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::context::{Context, Device};
    use crate::decide::{Reason, decide};
    use crate::id::DecisionId;
    use crate::seed::Seed;
    use crate::snapshot::{Snapshot, Warning, compile, store, wire};
    use serde_json::{Value, json};

    fn forest() -> Value {
        json!({
            "features": ["device=phone", "hour"],
            "trees": [
                { "nodes": [{ "feature": 0, "threshold": 0.5, "left": 1, "right": 2 }, { "value": -0.01 }, { "value": 0.03 }] },
                { "nodes": [{ "feature": 1, "threshold": 11.5, "left": 1, "right": 2 }, { "value": 0.0 }, { "value": 0.02 }] },
            ],
        })
    }

    fn compiled(targeting: Value) -> (Snapshot, Vec<Warning>) {
        let config = json!({
            "site": "shop",
            "holdout": { "share": 0.0 },
            "goals": [{ "id": "order" }],
            "slots": [{ "id": "a", "goal": "order", "arms": [{ "id": "1" }, { "id": "2" }], "targeting": targeting }],
        });
        let config: wire::Config = serde_json::from_value(config).unwrap();
        let published = wire::Published { config, learned: Vec::new() };
        compile(&store::decode(&store::encode(&published, 1, 1).unwrap()).unwrap())
    }

    #[test]
    fn who_is_not_worth_it_is_left_alone() {
        let (snapshot, warnings) = compiled(json!({ "forest": forest(), "least": 0.02 }));
        assert_eq!(warnings, []);
        let targeting = snapshot.slots[0].targeting.as_ref().unwrap();
        for (device, hour, expected) in [
            (Device::Phone, 15, 0.025),
            (Device::Phone, 8, 0.015),
            (Device::Desktop, 15, 0.005),
            (Device::Unknown, 3, -0.005),
        ] {
            let context =
                Context { path: "/".into(), device, time_millis: hour * 3_600_000, ..Context::default() };
            assert!((targeting.expected(&context).unwrap() - expected).abs() < 1e-9, "{device:?} {hour}");
            let decision = decide(&snapshot, &context, &Seed::of_view(DecisionId([1; 16])));
            let reason = if expected >= 0.02 { Reason::Split } else { Reason::Default };
            assert_eq!(decision.choices[0].reason, reason);
        }
    }

    #[test]
    fn a_feature_that_is_a_word_is_remarked() {
        let words = json!({ "features": ["device"], "trees": [{ "nodes": [{ "value": 0.1 }] }] });
        let (snapshot, warnings) = compiled(json!({ "forest": words, "least": 0.0 }));
        assert_eq!((snapshot.slots.len(), warnings.len()), (1, 1));
        assert_eq!(warnings[0].pointer, "/slots/0/targeting/forest/features/0");
    }

    #[test]
    fn a_forest_that_can_not_be_used_costs_its_slot_and_says_where() {
        let mut broken = forest();
        broken["trees"][1]["nodes"][0]["left"] = json!(7);
        let many: Vec<Value> = (0..5_001).map(|_| json!({ "nodes": [{ "value": 0.1 }] })).collect();
        for (targeting, pointer) in [
            (json!({ "forest": "uplift.json", "least": 0.0 }), "/slots/0/targeting/forest"),
            (json!({ "forest": { "features": ["a"] }, "least": 0.0 }), "/slots/0/targeting/forest"),
            (json!({ "forest": broken, "least": 0.0 }), "/slots/0/targeting/forest"),
            (
                json!({ "forest": { "features": ["a"], "trees": many }, "least": 0.0 }),
                "/slots/0/targeting/forest/trees",
            ),
            (json!({ "forest": forest(), "least": 1e300 }), "/slots/0/targeting/least"),
        ] {
            let (snapshot, warnings) = compiled(targeting);
            assert!(snapshot.slots.is_empty());
            assert_eq!(warnings.iter().map(|w| w.pointer.as_str()).collect::<Vec<_>>(), [pointer]);
        }
    }
}
