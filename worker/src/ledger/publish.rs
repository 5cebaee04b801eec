//! From counts to the one KV value of a site: merge, learn, encode, write. A failed write is tried again, never lost.

use super::publications::{SnapshotRow, keep_millis};
use super::root_store::{MAX_ROW_BYTES, Meta, Store};
use crate::bindings::{STATE, Settings};
use crate::platform::{self, Env, Error, Result, State, console_error};
use crate::request::now_millis;
use edgeloom::snapshot::store::{self, Parts};
use edgeloom::snapshot::wire::{Config, LearnedSlot, Published};
use edgeloom::snapshot::{Since, learn};
use std::cell::Cell;
use std::time::Duration;

/// The platform takes one write per second and key; a little more, for its clock is not ours.
const LEAST_WRITE_MILLIS: u64 = 1_100;
/// Tries of a publication that somebody waits for.
const TRIES: usize = 3;

/// How long one call of KV may take; the platform's own are done in a tenth of it.
const WRITE_LIMIT: Duration = Duration::from_secs(3);

/// Makes the next snapshot of a version of the configuration and what was counted, and stores it. Returns the latest
/// one: the same as before when its content did not change.
///
/// # Errors
/// SQLite, a stored configuration or statistics that can't be read, a snapshot that is too large.
pub fn build(tables: &Store, config_version: &str) -> Result<SnapshotRow> {
    let json = tables.config(config_version)?.ok_or_else(|| Error::new("this version is gone"))?;
    let config = stored_config(&json)?;
    let latest = tables.latest()?;
    let at_millis = now_millis();
    // A wire that has tripped stays so while the same configuration is in use.
    let is_same = tables.meta(Meta::Published)?.as_deref() == Some(config_version);
    let before = if is_same { learned_of(tables, latest.as_ref())? } else { Vec::new() };
    let since = Since { now_millis: at_millis, before: &before };
    let learned = learn(&config, &tables.statistics()?, since);
    for slot in &learned {
        if let Some(reason) = &slot.tripped {
            console_error!("root: tripwire: slot '{}' shows its baseline only: {reason}", slot.slot);
        }
    }
    let last = match &latest {
        Some(row) => row.sequence,
        // Publications of an older layout: isolates take no lower number.
        None => tables.meta(Meta::Written)?.and_then(|text| text.parse().ok()).unwrap_or(0),
    };
    let sequence = last + 1;
    let keep_millis = keep_millis(&config.ledger);
    let parts = Parts::of(&Published { config, learned });
    let bytes = parts.encode(sequence, at_millis).map_err(Error::new)?;
    if bytes.len() > MAX_ROW_BYTES {
        return Err(Error::new(format_args!(
            "the snapshot has {} bytes; {MAX_ROW_BYTES} can be stored",
            bytes.len()
        )));
    }
    let version = store::decode(&bytes).map_err(Error::new)?.version.to_string();
    if let Some(latest) = latest.filter(|latest| latest.version == version) {
        return Ok(latest);
    }
    let row = SnapshotRow { sequence, version, at_millis };
    tables.put_publication(&row, &parts, keep_millis)?;
    Ok(row)
}

/// What the latest snapshot holds of what was learned; nothing where there is none or it can't be read.
///
/// # Errors
/// SQLite.
pub fn learned_of(tables: &Store, latest: Option<&SnapshotRow>) -> Result<Vec<LearnedSlot>> {
    let Some(row) = latest else { return Ok(Vec::new()) };
    let stored = tables.bytes_of(row.sequence)?.and_then(|bytes| store::decode(&bytes).ok());
    Ok(stored.map(|stored| stored.published.learned).unwrap_or_default())
}

/// Writes one key of KV, one write at a time, so that an older value can't overtake a newer one.
#[derive(Default)]
pub struct Writer {
    is_busy: Cell<bool>,
    written_millis: Cell<u64>,
}

impl Writer {
    /// Waits until nobody else writes; what is to be written is read after that.
    pub(super) async fn turn(&self) -> Turn<'_> {
        while self.is_busy.replace(true) {
            platform::sleep(Duration::from_millis(20)).await;
        }
        Turn(&self.is_busy)
    }

    /// Writes a value, with some tries.
    pub(super) async fn put(&self, env: &Env, key: &str, bytes: &[u8]) -> Result<()> {
        let mut tries = 0;
        loop {
            let rest = (self.written_millis.get() + LEAST_WRITE_MILLIS).saturating_sub(now_millis());
            if rest > 0 {
                platform::sleep(Duration::from_millis(rest.min(LEAST_WRITE_MILLIS))).await;
            }
            self.written_millis.set(now_millis());
            tries += 1;
            match platform::kv_put(env, STATE, key, bytes, WRITE_LIMIT).await {
                Err(error) if tries >= TRIES => return Err(error),
                Err(_) => {}
                done => return done,
            }
        }
    }

    /// Brings KV up to date with the latest snapshot; `again` also where it should be already.
    ///
    /// # Errors
    /// KV or SQLite; the snapshot stays stored and unwritten.
    pub async fn write(&self, state: &State, env: &Env, settings: &Settings, again: bool) -> Result<()> {
        let _turn = self.turn().await;
        let tables = Store::open(state)?;
        let Some(latest) = tables.latest()? else { return Ok(()) };
        let sequence = latest.sequence.to_string();
        if !again && tables.meta(Meta::Written)?.as_deref() == Some(sequence.as_str()) {
            return Ok(());
        }
        let bytes = tables.bytes_of(latest.sequence)?;
        let bytes = bytes.ok_or_else(|| Error::new("the latest snapshot is gone"))?;
        self.put(env, &settings.snapshot_key(), &bytes).await?;
        tables.set_meta(Meta::Written, &sequence)
    }

    /// Brings KV up to date with the purges.
    ///
    /// # Errors
    /// KV or SQLite; the purges stay stored and unwritten.
    pub async fn write_purges(&self, state: &State, env: &Env, settings: &Settings) -> Result<()> {
        let _turn = self.turn().await;
        let Some(text) = Store::open(state)?.meta(Meta::Purges)? else { return Ok(()) };
        self.put(env, &settings.purges_key(), text.as_bytes()).await
    }

    /// Whether KV lacks the latest snapshot although it was written.
    ///
    /// # Errors
    /// KV or SQLite.
    pub async fn is_missing(&self, state: &State, env: &Env, settings: &Settings) -> Result<bool> {
        let Some(latest) = Store::open(state)?.latest()? else { return Ok(false) };
        let found = platform::kv_get(env, STATE, &settings.snapshot_key(), 0, WRITE_LIMIT).await?;
        let stored = found.and_then(|bytes| store::decode(&bytes).ok());
        Ok(stored.is_none_or(|stored| stored.sequence < latest.sequence))
    }
}

/// Given back also when the future that holds it is dropped in the middle.
pub(super) struct Turn<'t>(&'t Cell<bool>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// A stored configuration; by way of `Value`, as everywhere, so that the wasm has one typed deserialiser.
///
/// # Errors
/// Text that is no configuration.
pub fn stored_config(json: &str) -> Result<Config> {
    edgeloom::json::read(json.as_bytes()).map_err(Error::new)
}
