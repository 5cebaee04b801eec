//! `edgeloom replay`: the decision of a receipt, made again from its snapshot. It needs no network.

use crate::problem::{Blame, Stop};
use edgeloom::context::Action;
use edgeloom::decide::Choice;
use edgeloom::explain::retell;
use edgeloom::receipt::{Keyring, Receipt};
use edgeloom::snapshot::{Snapshot, compile, store};
use edgeloom::wire::Offered;
use serde_json::{Value, json};
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

/// A receipt and what bears it out.
pub struct Replayed {
    receipt: Receipt,
    choice: Choice,
    snapshot: Snapshot,
}

/// What a request brought beside the visit.
#[derive(Debug, Clone, Copy)]
pub struct Brought<'b> {
    /// File of the actions that a server sent.
    pub actions: Option<&'b Path>,
    /// Pieces of the index that a list looked into.
    pub index: &'b [PathBuf],
}

/// Makes the decision of a receipt again; `keys_env` names the variable with the keys, so that they stand in no
/// shell history.
///
/// # Errors
/// The snapshot or the keys can't be read; the receipt is not genuine; the snapshot does not bear it out.
pub fn replay(snapshot: &Path, keys_env: &str, brought: Brought<'_>, token: &str) -> Result<Replayed, Stop> {
    let keys = keys(keys_env)?;
    let snapshot = read(snapshot)?;
    let receipt =
        keys.verify(token).map_err(|error| differs(format_args!("the receipt is refused: {error}")))?;
    let actions = match brought {
        Brought { actions: Some(path), .. } => actions_in(path)?,
        Brought { index: [], .. } => Vec::new(),
        Brought { index, .. } => looked_up(&snapshot, &receipt, index)?,
    };
    let choice = edgeloom::replay::replay_with(&snapshot, &receipt, &actions).map_err(|error| {
        let stop = differs(format_args!("the receipt does not fit: {error}"));
        // Links carry neither whose they are nor what is known of a visit.
        let may_be_link = receipt.unit.is_none() && !receipt.flags.shared() && stop.help.is_none();
        let is_listed = receipt.basis.lookup.is_some() && brought.index.is_empty();
        let help = if is_listed {
            let help = "it is a place of a list: give the index that was in use, with --index for each of its pieces, in their order";
            Some(help.to_string())
        } else {
            may_be_link.then(|| "if it is from a link, use the page's own receipt of the slot".to_string())
        };
        Stop { help: help.or(stop.help), ..stop }
    })?;
    // A replay makes the choice again; what learning needs of it stands in the receipt.
    let choice = Choice { basis: Some(Box::new(receipt.basis.clone())), ..choice };
    Ok(Replayed { receipt, choice, snapshot })
}

fn keys(variable: &str) -> Result<Keyring, Stop> {
    let help = "set it to the Worker's RECEIPT_KEYS, `kid:value[,kid:value]`";
    let text = std::env::var(variable)
        .map_err(|_| Stop::new(format!("the environment variable {variable} holds no keys"), help))?;
    Keyring::parse(&text).map_err(|error| stop(format_args!("{variable}: {error}"), help))
}

/// The candidates of a list, looked up again.
fn looked_up(snapshot: &Snapshot, receipt: &Receipt, files: &[PathBuf]) -> Result<Vec<Action>, Stop> {
    let catalogue = crate::index::catalogue(files)?;
    let list = snapshot.slot(&receipt.slot).and_then(|(_, slot)| slot.list.as_ref());
    let (Some(own), Some(lookup)) = (list, &receipt.basis.lookup) else {
        return Err(stop("the receipt is of no list that looked into an index", "leave out --index"));
    };
    edgeloom::retrieval::again(&own.list, &catalogue, lookup, None).map_err(differs)
}

/// The actions in a file.
fn actions_in(path: &Path) -> Result<Vec<Action>, Stop> {
    let name = path.display();
    let help = r#"write them as in [{"id":"sku-1","features":{"price":12}}]"#;
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| Stop::new(format!("cannot read {name}: {error}"), help))?;
    let offered: Vec<Offered> =
        serde_json::from_str(&text).map_err(|error| Stop::new(format!("{name}: {error}"), help))?;
    let actions: Result<_, _> = offered.into_iter().map(Offered::action).collect();
    actions.map_err(|error| stop(format_args!("{name}: {error}"), help))
}

/// The snapshot in a file.
///
/// # Errors
/// A file that can't be read or is no snapshot.
pub fn read(path: &Path) -> Result<Snapshot, Stop> {
    let name = path.display();
    let help = "fetch it from /_edgeloom/admin/snapshots/ID";
    let bytes = fs::read(path).map_err(|error| Stop::new(format!("cannot read {name}: {error}"), help))?;
    let stored = store::decode(&bytes).map_err(|error| stop(format_args!("{name}: {error}"), help))?;
    Ok(compile(&stored).0)
}

/// The answer is no: exit code 1, as for a configuration that has to change.
fn differs(message: impl Display) -> Stop {
    Stop { blame: Blame::Configuration, ..stop(message, "") }
}

/// A message of the core; what it says to do is meant for the site, so that ours comes first.
fn stop(message: impl Display, help: &str) -> Stop {
    let message = message.to_string();
    let (what, hint) = message.split_once("; hint: ").unwrap_or((&message, ""));
    Stop::new(what, if help.is_empty() { hint } else { help })
}

impl Replayed {
    /// For machines.
    pub fn json(&self) -> Value {
        json!({
            "ok": true,
            "slot": self.receipt.slot.as_str(),
            "arm": self.receipt.arm.as_ref().map(|arm| arm.as_str()),
            "propensity": self.choice.propensity,
            "reason": self.choice.reason.as_str(),
            "eligible": self.eligible(),
            "decision": self.receipt.decision.to_string(),
            "snapshot": self.snapshot.version.to_string(),
            "time_millis": self.receipt.time_millis,
            "steps": retell(&self.snapshot, &self.choice),
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let arm = self.receipt.arm.as_ref().map_or("the page as it is", |arm| arm.as_str());
        let Choice { propensity, reason, .. } = &self.choice;
        format!(
            "the receipt fits\nslot        {}\narm         {arm}\npropensity  {propensity}\nreason      {}\n\
             eligible    {}\nsnapshot    {}\n\nhow it came about\n  - {}",
            self.receipt.slot,
            reason.as_str(),
            self.eligible().join(", "),
            self.snapshot.version,
            retell(&self.snapshot, &self.choice).join("\n  - "),
        )
    }

    fn eligible(&self) -> Vec<&str> {
        let slot = self.snapshot.slots.get(self.choice.slot);
        let arms = slot.map(|slot| slot.arms.iter().enumerate()).into_iter().flatten();
        arms.filter(|(i, _)| self.choice.candidates.contains(*i)).map(|(_, arm)| arm.id.as_str()).collect()
    }
}
