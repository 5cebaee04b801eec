//! Dead letters: what the queue gave up on waits here, in the root, until its shard takes it. No queue's retention ends
//! that; only delivery does.

use super::root_store::Store;
use super::sql::{self, Statements, number};
use super::versions::version_of;
use super::{deliver::deliver_direct, overflow};
use crate::json;
use crate::platform::{Env, Result};
use serde_json::Value;

/// Text kept: a tenth of what the object may store, some three million events. Beyond it letters stay in their queue.
const MAX_BYTES: u64 = 1_000_000_000;
/// Letters tried in a round: 3,200 events at most, some 5 ms a letter.
const ROUND: u64 = 32;
/// Shards that may fail in a round: each costs up to 3 s of the 20 s that an alarm has.
const MAX_DOWN: usize = 2;
/// A letter that fails this often no longer keeps the shards from forgetting: a week of tries, one each five minutes.
const HOLD_TRIES: u64 = 2_000;

/// What [`Letter::reason`] says of events whose shard did not take them.
pub const UNDELIVERED: &str = "not delivered";

/// The table, and an index that answers how much there is without reading a letter.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS letter(id TEXT PRIMARY KEY, at REAL, tries REAL, reason TEXT, events REAL, bytes REAL, text TEXT);
CREATE INDEX IF NOT EXISTS letter_by_tries ON letter(tries, at, events, bytes);";

/// A message that could not be delivered.
pub struct Letter {
    /// Why.
    pub reason: String,
    /// Events in it that were not counted; 0 where nothing could be read.
    pub n_events: usize,
    /// The message, as [`overflow::text`] makes them, or whatever else it was.
    pub text: String,
}

/// Letters on their way to the root.
pub struct Letters {
    /// Any number that fits into a call.
    pub letters: Vec<Letter>,
}

edgeloom::told! {
    Letter { reason, n_events, text }
    Letters { letters }
}

impl Letters {
    /// Reads the sent form.
    ///
    /// # Errors
    /// It is no JSON, or a letter has no text.
    pub fn read(bytes: &[u8]) -> std::result::Result<Self, String> {
        let value = json::read(bytes)?;
        let letter = |value| {
            Some(Letter {
                reason: json::text(value, "reason").unwrap_or_default().to_string(),
                n_events: json::count(value, "n_events"),
                text: json::text(value, "text")?.to_string(),
            })
        };
        let letters = value
            .get("letters")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(letter)
            .collect::<Option<_>>();
        Ok(Self { letters: letters.ok_or("a dead letter that can't be read")? })
    }
}

/// Tries the letters that were tried least. Returns whether some were delivered, so that it is worth to go on.
///
/// # Errors
/// SQLite. What was delivered by then is a repeat the next time.
pub async fn deliver(env: &Env, tables: &Store<'_>) -> Result<bool> {
    let mut down: Vec<String> = Vec::new();
    let mut is_progress = false;
    for (id, text) in tables.letters()? {
        let mut is_taken = false;
        // One that a newer version wrote is read once that version is back.
        if let Some((shard, events, 0)) = overflow::read(&text)
            && !down.contains(&shard)
        {
            is_taken = deliver_direct(env, &shard, events).await.is_some();
            if !is_taken {
                down.push(shard);
            }
        }
        if is_taken {
            tables.remove_letter(&id)?;
            is_progress = true;
        } else {
            tables.postpone_letter(&id)?;
        }
        if down.len() >= MAX_DOWN {
            break;
        }
    }
    Ok(is_progress)
}

impl Store<'_> {
    /// Keeps letters, all or none. Returns whether there was room for them.
    pub fn put_letters(&self, letters: &[Letter], now_millis: u64) -> Result<bool> {
        let query = "SELECT SUM(bytes) FROM letter";
        if self.first(query, &[])?.is_some_and(|row| row.number(0) > MAX_BYTES) {
            return Ok(false);
        }
        let statements = Statements::default();
        for Letter { reason, n_events, text } in letters {
            let query = "INSERT OR IGNORE INTO letter(id, at, tries, reason, events, bytes, text)
                         VALUES (?, ?, 0, ?, ?, ?, ?)";
            let values = [
                // By content: a letter that comes again is kept once, and one that differs never replaces another.
                version_of(text).into(),
                number(now_millis),
                reason.as_str().into(),
                number(*n_events as u64),
                number(text.len() as u64),
                text.as_str().into(),
            ];
            statements.add(query, values);
        }
        statements.commit(self.state)?;
        Ok(true)
    }

    /// Ids and texts of a round.
    fn letters(&self) -> Result<Vec<(String, String)>> {
        let query = format!("SELECT id, text FROM letter ORDER BY tries, at LIMIT {ROUND}");
        let rows = self.rows(&query, &[])?.into_iter();
        Ok(rows.map(|row| (row.text(0).unwrap_or_default(), row.text(1).unwrap_or_default())).collect())
    }

    fn remove_letter(&self, id: &str) -> Result<()> {
        sql::run(self.state, "DELETE FROM letter WHERE id = ?", &[id.into()])
    }

    /// Puts a letter behind those that were tried less.
    fn postpone_letter(&self, id: &str) -> Result<()> {
        sql::run(self.state, "UPDATE letter SET tries = tries + 1 WHERE id = ?", &[id.into()])
    }

    /// Number of letters, and of the events in them.
    pub fn n_letters(&self) -> Result<(u64, u64)> {
        let row = self.first("SELECT COUNT(*), SUM(events) FROM letter", &[])?;
        Ok(row.map_or((0, 0), |row| (row.number(0), row.number(1))))
    }

    /// Whether events wait here that a shard may only know as repeats while it forgets nothing.
    pub fn holds_letters(&self) -> Result<bool> {
        let query = "SELECT 1 FROM letter WHERE tries < ? AND reason = ? LIMIT 1";
        Ok(self.first(query, &[number(HOLD_TRIES), UNDELIVERED.into()])?.is_some())
    }
}
