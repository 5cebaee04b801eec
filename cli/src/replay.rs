//! `edgeloom replay`: the decision of a receipt, made again. It needs no network.

use crate::failure::Failure;
use crate::output::Output;
use crate::table;
use edgeloom::decide::Choice;
use edgeloom::receipt::{Keyring, Receipt};
use edgeloom::snapshot::{Snapshot, compile, store};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// The command.
///
/// # Errors
/// The snapshot or the keys can't be read; the receipt is not genuine; the snapshot does not bear it out.
pub fn run(file: &Path, keys_env: &str, token: &str, output: &Output) -> Result<ExitCode, Failure> {
    let name = file.display();
    let keys = std::env::var(keys_env).map_err(|_| {
        Failure::unusable(format_args!("{keys_env} is not set; hint: the keys as the Worker has them"))
    })?;
    let keys =
        Keyring::parse(&keys).map_err(|error| Failure::unusable(format_args!("{keys_env}: {error}")))?;
    let bytes =
        fs::read(file).map_err(|error| Failure::unusable(format_args!("{name} can't be read: {error}")))?;
    let stored = store::decode(&bytes).map_err(|error| Failure::unusable(format_args!("{name}: {error}")))?;
    let (snapshot, _) = compile(&stored);
    let receipt =
        keys.verify(token).map_err(|error| Failure::refused(format_args!("the receipt: {error}")))?;
    let choice = edgeloom::replay::replay(&snapshot, &receipt)
        .map_err(|error| Failure::refused(format_args!("the receipt does not fit: {error}")))?;
    show(&snapshot, &receipt, &choice, output);
    Ok(ExitCode::SUCCESS)
}

fn show(snapshot: &Snapshot, receipt: &Receipt, choice: &Choice, output: &Output) {
    let slot = snapshot.slots.get(choice.slot);
    let arms = slot.map(|slot| &slot.arms[..]).unwrap_or_default();
    let eligible: Vec<&str> = (arms.iter().enumerate())
        .filter(|(position, _)| choice.candidates.contains(*position))
        .map(|(_, arm)| arm.id.as_str())
        .collect();
    let document = json!({
        "fits": true,
        "slot": receipt.slot.as_str(),
        "arm": receipt.arm.as_ref().map(|arm| arm.as_str()),
        "propensity": choice.propensity,
        "reason": choice.reason.as_str(),
        "eligible": eligible,
        "decision": receipt.decision.to_string(),
        "snapshot": snapshot.version.to_string(),
        "time_millis": receipt.time_millis,
    });
    output.result(&document, || {
        let arm = receipt.arm.as_ref().map_or("the page as it is", |arm| arm.as_str());
        let rows = [
            ("slot", receipt.slot.to_string()),
            ("arm", arm.to_string()),
            ("propensity", choice.propensity.to_string()),
            ("reason", choice.reason.as_str().to_string()),
            ("eligible", eligible.join(", ")),
            ("decided", table::utc(receipt.time_millis)),
            ("snapshot", snapshot.version.to_string()),
        ];
        table::render(&["the receipt fits", ""], rows.map(|(name, value)| vec![name.to_string(), value]))
    });
}
