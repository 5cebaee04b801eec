//! From a body to verified events: each item alone, each refusal with its kind.

use super::import::{self, Line};
use crate::bindings::Settings;
use crate::ledger::Groups;
use edgeloom::event::{Event, Refusal, check_sent};
use edgeloom::id::GoalId;
use edgeloom::receipt::Keyring;
use edgeloom::snapshot::{Goal, Snapshot};
use serde::Deserialize;
use serde_json::value::RawValue;

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

#[derive(Deserialize)]
struct Body<'b> {
    #[serde(borrow)]
    events: Vec<&'b RawValue>,
}

/// The items of a body, not yet looked into. However deep they nest, nothing here recurses.
///
/// # Errors
/// What is wrong with the body.
pub fn items(body: &[u8]) -> Result<Vec<&str>, String> {
    let hint = "hint: {\"events\": [{\"kind\": \"exposure\", \"receipt\": \"…\"}]}";
    let body: Body = serde_json::from_slice(body).map_err(|error| format!("{error}; {hint}"))?;
    Ok(body.events.into_iter().map(RawValue::get).collect())
}

/// What a page sends.
#[derive(Deserialize)]
struct Sent {
    kind: Kind,
    receipt: String,
    goal: Option<String>,
    value: Option<f64>,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A slot was seen.
    Exposure,
    /// A goal was reached.
    Reward,
}

/// Checks one item and puts its event to those of its shard.
///
/// # Errors
/// Why it is not taken.
pub fn event(item: &str, known: &Known, groups: &mut Groups) -> Result<(), Refusal> {
    let site = &known.settings.site;
    if known.is_import
        && let Ok(line) = serde_json::from_str::<Line>(item)
    {
        groups.add_import(site, import::event(&line, known)?);
        return Ok(());
    }
    let sent: Sent = serde_json::from_str(item).map_err(|_| Refusal::Malformed)?;
    let receipt = known.keyring.verify(&sent.receipt)?;
    check_sent(&receipt, known.now_millis, known.snapshot.window_millis)?;
    if receipt.version == known.snapshot.version && known.snapshot.slot(&receipt.slot).is_none() {
        return Err(Refusal::UnknownSlot);
    }
    let event = match sent.kind {
        Kind::Exposure => Event::exposure(&receipt, None),
        Kind::Reward => {
            let goal = goal(sent.goal.as_deref(), known.snapshot)?;
            Event::reward(&receipt, &goal.id, sent.value.unwrap_or(goal.value), None)?
        }
    };
    groups.add(site, event);
    Ok(())
}

/// The goal of a name. Only those of the configuration, always: a page could make up any number of others.
pub fn goal<'s>(name: Option<&str>, snapshot: &'s Snapshot) -> Result<&'s Goal, Refusal> {
    let id = GoalId::new(name.ok_or(Refusal::Malformed)?).map_err(|_| Refusal::Malformed)?;
    snapshot.goals.iter().find(|goal| goal.id == id).ok_or(Refusal::UnknownGoal)
}
