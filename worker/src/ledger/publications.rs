//! Publications of a site: the configuration once per change, what was learned each time. Any of them can be put together
//! again byte for byte, so that a receipt can be replayed as long as its events count.

use super::root_store::Store;
use super::sql::{Statements, number};
use crate::platform::{Error, Result};
use edgeloom::seed::HOUR_MILLIS;
use edgeloom::snapshot::DEFAULT_WINDOW_HOURS;
use edgeloom::snapshot::store::Parts;
use edgeloom::snapshot::wire::Ledger;
use wasm_bindgen::JsValue;

/// Text kept, a fifth of what the object may store. What was learned takes some 75 bytes an arm, and at one publication
/// per 5 s a day has 17,280: for the default window of 72 hours that is enough for 510 arms, for a day for 1,540.
/// Of more arms the oldest publications go early.
const MAX_BYTES: u64 = 2_000_000_000;
/// A row's own columns, its entry in the index and the page around it; rather too much.
const ROW_BYTES: usize = 100;
/// The hour of a shared receipt, and one for isolates that decide from an old snapshot.
const SLACK_HOURS: u32 = 2;
/// Whatever the window: whoever looks into yesterday's numbers finds yesterday's snapshots.
const LEAST_HOURS: u32 = 24;
/// Oldest rows looked at per publication; more than one, so that a shorter window takes effect.
const SWEEP: u64 = 16;

/// `base` holds a configuration from the publication on that it came with. `total` is what all publications so far
/// took together, so that nobody has to add up hundreds of thousands of them.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS base(sequence INTEGER PRIMARY KEY, config TEXT);
CREATE TABLE IF NOT EXISTS publication(sequence INTEGER PRIMARY KEY, version TEXT, at REAL, total REAL, learned TEXT);
CREATE INDEX IF NOT EXISTS publication_by_version ON publication(version);";

/// A publication without its content.
#[derive(Debug, Clone)]
pub struct SnapshotRow {
    /// Number of the publication.
    pub sequence: u64,
    /// Content address.
    pub version: String,
    /// When it was made.
    pub at_millis: u64,
}

/// How long a publication is kept after the next one has replaced it.
pub fn keep_millis(ledger: &Ledger) -> u64 {
    let hours = ledger.window_hours.unwrap_or(DEFAULT_WINDOW_HOURS).max(LEAST_HOURS);
    u64::from(hours + SLACK_HOURS) * HOUR_MILLIS
}

impl Store<'_> {
    /// The publication made last.
    ///
    /// # Errors
    /// What SQLite says; so do all other functions.
    pub fn latest(&self) -> Result<Option<SnapshotRow>> {
        let query = "SELECT sequence, version, at FROM publication ORDER BY sequence DESC LIMIT 1";
        Ok(self.first(query, &[])?.map(|row| SnapshotRow {
            sequence: row.number(0),
            version: row.text(1).unwrap_or_default(),
            at_millis: row.number(2),
        }))
    }

    /// The stored form of a publication.
    pub fn bytes_of(&self, sequence: u64) -> Result<Option<Vec<u8>>> {
        self.bytes_where("sequence = ?", number(sequence))
    }

    /// The stored form of a snapshot by its content address.
    pub fn bytes_by_version(&self, version: &str) -> Result<Option<Vec<u8>>> {
        self.bytes_where("version = ?", version.into())
    }

    fn bytes_where(&self, condition: &str, to: JsValue) -> Result<Option<Vec<u8>>> {
        let query = format!(
            "SELECT sequence, at, learned,
               (SELECT config FROM base b WHERE b.sequence <= p.sequence ORDER BY b.sequence DESC LIMIT 1)
             FROM publication p WHERE {condition} ORDER BY sequence DESC LIMIT 1"
        );
        let Some(row) = self.first(&query, &[to])? else { return Ok(None) };
        let (Some(learned), Some(config)) = (row.text(2), row.text(3)) else { return Ok(None) };
        let bytes = Parts { config, learned }.encode(row.number(0), row.number(1));
        bytes.map(Some).map_err(Error::new)
    }

    /// Stores a publication and forgets some of those that were replaced more than `keep_millis` ago.
    pub fn put_publication(&self, row: &SnapshotRow, parts: &Parts, keep_millis: u64) -> Result<()> {
        let statements = Statements::default();
        let query = "SELECT config FROM base ORDER BY sequence DESC LIMIT 1";
        let base = self.first(query, &[])?.and_then(|row| row.text(0));
        let is_new = base.as_deref() != Some(parts.config.as_str());
        let mut n_bytes = parts.learned.len() + ROW_BYTES;
        if is_new {
            n_bytes += parts.config.len();
            let values = [number(row.sequence), parts.config.as_str().into()];
            statements.add("INSERT INTO base(sequence, config) VALUES (?, ?)", values);
        }
        let query = "INSERT INTO publication(sequence, version, at, learned, total) VALUES (?, ?, ?, ?,
                       ? + COALESCE((SELECT total FROM publication ORDER BY sequence DESC LIMIT 1), 0))";
        let values = [
            number(row.sequence),
            row.version.as_str().into(),
            number(row.at_millis),
            parts.learned.as_str().into(),
            number(n_bytes as u64),
        ];
        statements.add(query, values);
        // The newest of those that are old enough stays: it was in use until the next one came.
        let query = format!(
            "DELETE FROM publication WHERE sequence <
               (SELECT MAX(sequence) FROM (SELECT sequence, at, total FROM publication ORDER BY sequence LIMIT {SWEEP})
                WHERE at <= ? OR total <= (SELECT MAX(total) FROM publication WHERE sequence = ?) - {MAX_BYTES})"
        );
        statements.add(&query, [number(row.at_millis.saturating_sub(keep_millis)), number(row.sequence)]);
        if is_new {
            let query = "DELETE FROM base WHERE sequence < (SELECT MAX(sequence) FROM base
                           WHERE sequence <= (SELECT MIN(sequence) FROM publication))";
            statements.add(query, []);
        }
        statements.commit(self.state)
    }
}
