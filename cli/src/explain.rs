//! `edgeloom explain`: why a visit would see this, slot by slot. It only asks the core and sets its words.

use crate::problem::Stop;
use crate::replay::read;
use edgeloom::explain::{Story, explain};
use edgeloom::id::DecisionId;
use edgeloom::snapshot::Snapshot;
use edgeloom::wire::Visit;
use serde_json::{Value, json};
use std::path::Path;

/// The stories of a visit, told from a snapshot.
pub struct Explained {
    stories: Vec<Story>,
    snapshot: Snapshot,
}

/// Explains a visit, given as JSON, from the snapshot in a file; only one slot where it is named.
///
/// # Errors
/// A file that is no snapshot, a visit that is none, a slot that is not on that page.
pub fn run(file: &Path, visit: &str, slot: Option<&str>) -> Result<Explained, Stop> {
    let snapshot = read(file)?;
    let help = r#"write it as in {"path":"/","device":"phone","language":"de","attributes":{"plan":"pro"}}"#;
    let mut visit: Visit = serde_json::from_str(visit)
        .map_err(|error| Stop::new(format!("the visit can't be read: {error}"), help))?;
    if visit.path.is_empty() {
        visit.path = "/".into();
    }
    if visit.decision.is_empty() {
        // Any view: the same each time, so that two explanations can be compared.
        visit.decision = DecisionId([0; 16]).to_string();
    }
    let (context, seed) = visit.open(&snapshot.site).map_err(|error| {
        Stop::new(format!("visitor or decision: {error}"), "32 hexadecimal digits, or leave it out")
    })?;
    let mut stories = explain(&snapshot, &context, &seed);
    if let Some(name) = slot {
        let on_page: Vec<String> = stories.iter().map(|story| story.slot.clone()).collect();
        stories.retain(|story| story.slot == name);
        if stories.is_empty() {
            let help = format!("on {} there are: {}", context.path, on_page.join(", "));
            return Err(Stop::new(format!("slot '{name}' is not on that page"), &help));
        }
    }
    Ok(Explained { stories, snapshot })
}

impl Explained {
    /// For machines.
    pub fn json(&self) -> Value {
        let slots = self.stories.iter().map(|story| {
            json!({ "slot": story.slot, "steps": story.steps, "reason": story.choice.reason.as_str(), "propensity": story.choice.propensity })
        });
        json!({ "snapshot": self.snapshot.version.to_string(), "slots": slots.collect::<Vec<_>>() })
    }

    /// For people.
    pub fn text(&self) -> String {
        if self.stories.is_empty() {
            return "no slot is on that page".into();
        }
        let story = |story: &Story| format!("{}\n  - {}", story.slot, story.steps.join("\n  - "));
        self.stories.iter().map(story).collect::<Vec<_>>().join("\n\n")
    }
}
