//! `edgeloom explain`: why a visit would see this, slot by slot. It only asks the core and sets its words.

use crate::plain::plain;
use crate::problem::{Stop, did_you_mean};
use crate::replay::read;
use edgeloom::context::Context;
use edgeloom::explain::{Story, explain};
use edgeloom::id::DecisionId;
use edgeloom::retrieval::{again, lookup, own_item};
use edgeloom::saturation::SeenKey;
use edgeloom::snapshot::{ListPlace, Snapshot};
use edgeloom::wire::Visit;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// What a visit can tell, beside what was seen.
const FIELDS: [&str; 12] = [
    "path",
    "query",
    "referrer",
    "country",
    "language",
    "device",
    "time_millis",
    "attributes",
    "actions",
    "trail",
    "visitor",
    "decision",
];
/// Kinds of devices.
const DEVICES: [&str; 5] = ["phone", "tablet", "desktop", "crawler", "unknown"];

/// The stories of a visit, told from a snapshot.
pub struct Explained {
    stories: Vec<Story>,
    snapshot: Snapshot,
}

/// Explains a visit, given as JSON, from the snapshot in a file; only one slot where it is named. Lists look into the index of these
/// pieces.
///
/// # Errors
/// A file that is no snapshot or no piece, a visit that is none, a slot that is not on that page.
pub fn run(file: &Path, visit: &str, slot: Option<&str>, index: &[PathBuf]) -> Result<Explained, Stop> {
    let snapshot = read(file)?;
    let help =
        r#"write it as in {"path":"/","device":"phone","attributes":{"plan":"pro"},"seen":{"gift-map":2}}"#;
    let cannot = |what: &dyn Display| {
        Stop::new(format!("the visit can't be read: {}", plain(&what.to_string())), help)
    };
    let mut fields: Map<String, Value> = serde_json::from_str(visit).map_err(|error| cannot(&error))?;
    let seen = fields.remove("seen").map_or_else(|| Ok(BTreeMap::new()), serde_json::from_value);
    let seen: BTreeMap<String, u8> = seen.map_err(|error| cannot(&format_args!("seen: {error}")))?;
    if let Some(name) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        let meant = did_you_mean(name, FIELDS.iter().copied());
        let help = meant.unwrap_or_else(|| format!("there are seen, {}", FIELDS.join(", ")));
        return Err(Stop::new(format!("a visit has no `{name}`"), &help));
    }
    let mut visit: Visit = serde_json::from_value(fields.into()).map_err(|error| cannot(&error))?;
    if visit.path.is_empty() {
        visit.path = "/".into();
    }
    if !visit.device.is_empty() && !DEVICES.contains(&visit.device.as_str()) {
        let help = format!("there are {}", DEVICES.join(", "));
        return Err(Stop::new(format!("there is no device `{}`", visit.device), &help));
    }
    if visit.decision.is_empty() {
        // Any view: the same each time, so that two explanations can be compared.
        visit.decision = DecisionId([0; 16]).to_string();
    }
    let (mut context, seed) = visit.open(&snapshot.site).map_err(|error| {
        Stop::new(
            format!("visitor, decision or action: {error}"),
            "visitor and decision have 32 hexadecimal digits, or are left out; actions have ids",
        )
    })?;
    for (name, times) in &seen {
        see(&snapshot, &mut context, name, *times)?;
    }
    if !index.is_empty() {
        look_up(&snapshot, &mut context, index)?;
    }
    let mut stories = explain(&snapshot, &context, &seed);
    for story in &mut stories {
        let own = snapshot.slots.iter().find(|slot| slot.id.as_str() == story.slot);
        let list = own.and_then(|slot| slot.list.as_ref()).map(|own| own.list.id.as_str());
        if list.is_some_and(|list| !context.actions.contains_key(list)) {
            story
                .steps
                .push("what its index would bring is not known here: give the pieces with --index".into());
        }
    }
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

/// Looks up what the lists of the page may show, in the index of these pieces.
fn look_up(snapshot: &Snapshot, context: &mut Context, files: &[PathBuf]) -> Result<(), Stop> {
    let catalogue = crate::index::catalogue(files)?;
    let on_page = snapshot.slots_on(&context.path).filter_map(|(_, slot)| slot.list.as_ref());
    // What the visit brings itself goes before.
    let is_open = |own: &&ListPlace| own.place == 0 && !context.actions.contains_key(own.list.id.as_str());
    let lists: Vec<_> = on_page.filter(is_open).map(|own| own.list.clone()).collect();
    for list in &lists {
        let own = own_item(snapshot, &list.index, &catalogue, &context.path);
        let lookup = lookup(&catalogue, own, context);
        let actions =
            again(list, &catalogue, &lookup, None).map_err(|error| Stop::new(error.to_string(), ""))?;
        context.actions.insert(list.id.to_string(), actions);
        context.lookups.insert(list.id.to_string(), lookup);
    }
    Ok(())
}

/// Counts that the visitor has seen a block, or had a slot filled, so often by now.
fn see(snapshot: &Snapshot, context: &mut Context, name: &str, times: u8) -> Result<(), Stop> {
    let arms = || snapshot.slots.iter().flat_map(|slot| &slot.arms);
    let of_block = arms().find(|arm| arm.block.as_ref().is_some_and(|block| block.as_str() == name));
    let of_slot = snapshot.slots.iter().find(|slot| slot.id.as_str() == name);
    if of_block.is_none() && of_slot.is_none() {
        return Err(Stop::new(
            format!("seen: no block and no slot is called '{name}'"),
            "name one of the snapshot's",
        ));
    }
    let caps = of_block.and_then(|arm| arm.cap).into_iter().chain(of_slot.and_then(|slot| slot.cap));
    let counters: Vec<(SeenKey, u32)> = caps
        .map(|cap| (cap.key, cap.limit.hours()))
        .chain(of_block.and_then(|arm| arm.fading).map(|(key, fading)| (key, fading.hours())))
        .collect();
    for (key, hours) in counters {
        (0..times).for_each(|_| context.seen.add(key, hours, context.time_millis));
    }
    Ok(())
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
