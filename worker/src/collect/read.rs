//! From a body to verified events: each item alone, each refusal with its kind.

use super::import;
use crate::bindings::Settings;
use crate::json;
use crate::ledger::Groups;
use edgeloom::event::{Event, Refusal, check_goal, check_sent};
use edgeloom::id::GoalId;
use edgeloom::receipt::Keyring;
use edgeloom::snapshot::{Goal, Snapshot};
use serde_json::Value;

/// What events are checked against.
pub struct Known<'k> {
    /// Settings of the deployment.
    pub settings: &'k Settings,
    /// What is published.
    pub snapshot: &'k Snapshot,
    /// Keys of the receipts.
    pub keyring: &'k Keyring,
    /// Milliseconds since the epoch.
    pub now_millis: u64,
    /// Whether lines without receipts are believed.
    pub is_import: bool,
}

/// The items of a body, not yet looked into.
///
/// # Errors
/// What is wrong with the body.
pub fn items(body: &[u8]) -> Result<Vec<Value>, String> {
    let hint = "hint: {\"events\": [{\"kind\": \"exposure\", \"receipt\": \"…\"}]}";
    match json::read(body).map_err(|error| format!("{error}; {hint}"))?.get_mut("events").map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(format!("there is no list of events; {hint}")),
    }
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A slot was seen.
    Exposure,
    /// A goal was reached.
    Reward,
}

impl Kind {
    /// The kind of an item.
    ///
    /// # Errors
    /// Neither of the two words.
    pub fn of(item: &Value) -> Result<Self, Refusal> {
        match json::text(item, "kind") {
            Some("exposure") => Ok(Self::Exposure),
            Some("reward") => Ok(Self::Reward),
            _ => Err(Refusal::Malformed),
        }
    }
}

/// A number that may be missing, but may not be anything else.
///
/// # Errors
/// It is something else.
pub fn number(item: &Value, name: &str) -> Result<Option<f64>, Refusal> {
    match item.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(Refusal::Malformed),
    }
}

/// Checks one item and puts its event to those of its shard.
///
/// # Errors
/// Why it is not taken.
pub fn event(item: &Value, known: &Known, groups: &mut Groups) -> Result<(), Refusal> {
    let site = &known.settings.site;
    let kind = Kind::of(item)?;
    let Some(token) = json::text(item, "receipt") else {
        if !known.is_import {
            return Err(Refusal::Malformed);
        }
        groups.add_import(site, import::event(item, kind, known)?);
        return Ok(());
    };
    let receipt = known.keyring.verify(token)?;
    check_sent(&receipt, known.now_millis, known.snapshot.window_millis)?;
    if receipt.version == known.snapshot.version && known.snapshot.slot(&receipt.slot).is_none() {
        return Err(Refusal::UnknownSlot);
    }
    let event = match kind {
        Kind::Exposure => Event::exposure(&receipt, None),
        Kind::Reward => {
            let goal = goal(item, known.snapshot)?;
            check_goal(&receipt, known.now_millis, goal.window_millis)?;
            Event::reward(&receipt, &goal.id, number(item, "value")?.unwrap_or(goal.value), None)?
        }
    };
    groups.add(site, event);
    Ok(())
}

/// The goal of an item. Only those of the configuration, always: a page could make up any number of others.
///
/// # Errors
/// No name, or one that the configuration does not have.
pub fn goal<'s>(item: &Value, snapshot: &'s Snapshot) -> Result<&'s Goal, Refusal> {
    let id = GoalId::new(json::text(item, "goal").unwrap_or_default()).map_err(|_| Refusal::Malformed)?;
    snapshot.goals.iter().find(|goal| goal.id == id).ok_or(Refusal::UnknownGoal)
}
