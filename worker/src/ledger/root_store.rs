//! Storage of the root: versions of the configuration, history, shards' statistics, published snapshots.

use super::report::{DeadLetter, ShardReport, Version};
use super::sql::{self, Row, Statements, blob, number};
use crate::platform::{Error, Result, State};
use edgeloom::statistics::Statistics;
use wasm_bindgen::JsValue;

/// Snapshots kept: a receipt can be replayed while its snapshot is there.
const KEEP_SNAPSHOTS: u64 = 500;
/// Dead letters kept; more of them say nothing new.
const KEEP_DEAD: u64 = 10_000;
/// A row holds 2 MB.
pub const MAX_ROW_BYTES: usize = 1_900_000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS config(version TEXT PRIMARY KEY, json TEXT, at REAL, message TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history(id INTEGER PRIMARY KEY, at REAL, what TEXT, version TEXT, who TEXT, message TEXT);
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shard(name TEXT PRIMARY KEY, version REAL, at REAL, statistics BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS snapshot(sequence INTEGER PRIMARY KEY, version TEXT, at REAL, bytes BLOB);
CREATE INDEX IF NOT EXISTS snapshot_by_version ON snapshot(version);
CREATE TABLE IF NOT EXISTS dead(id TEXT PRIMARY KEY, at REAL, reason TEXT, events REAL, bytes REAL) WITHOUT ROWID;";

/// Single values by name.
#[derive(Clone, Copy)]
pub enum Meta {
    /// Version of the configuration that is being edited.
    Head,
    /// Version of the configuration that is in use.
    Published,
    /// Sequence of the snapshot that KV has.
    Written,
}

impl Meta {
    const fn key(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Published => "published",
            Self::Written => "written",
        }
    }
}

/// What happened, for the history: never a secret, only its key id.
pub struct Deed<'d> {
    /// `put`, `publish` or `rollback`.
    pub what: &'static str,
    /// Version of the configuration.
    pub version: &'d str,
    /// Key id of the token.
    pub who: &'d str,
    /// In the words of whoever did it.
    pub message: &'d str,
}

/// A stored snapshot without its bytes.
#[derive(Debug, Clone)]
pub struct SnapshotRow {
    /// Number of the publication.
    pub sequence: u64,
    /// Content address.
    pub version: String,
    /// When it was made.
    pub at_millis: u64,
}

/// The tables of one root object.
pub struct Store<'s> {
    state: &'s State,
}

impl<'s> Store<'s> {
    /// Opens the tables, making those that are missing.
    ///
    /// # Errors
    /// What SQLite says; so do all other functions.
    pub fn open(state: &'s State) -> Result<Self> {
        sql::run(state, SCHEMA, &[])?;
        Ok(Self { state })
    }

    fn first(&self, query: &str, values: &[JsValue]) -> Result<Option<Row>> {
        sql::first(self.state, query, values)
    }

    fn rows(&self, query: &str, values: &[JsValue]) -> Result<Vec<Row>> {
        sql::rows(self.state, query, values)
    }

    /// A single value, as text.
    pub fn meta(&self, meta: Meta) -> Result<Option<String>> {
        let row = self.first("SELECT value FROM meta WHERE key = ?", &[meta.key().into()])?;
        Ok(row.and_then(|row| row.text(0)))
    }

    /// Writes a single value.
    pub fn set_meta(&self, meta: Meta, to: &str) -> Result<()> {
        let values = [meta.key().into(), to.into()];
        sql::run(self.state, "INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)", &values)
    }

    /// Stores a configuration and makes it the one that is edited.
    pub fn put_config(&self, json: &str, deed: &Deed, now_millis: u64) -> Result<()> {
        let statements = Statements::default();
        let row = [deed.version.into(), json.into(), number(now_millis), deed.message.into()];
        // Stored before, it is the same; only a new word about it replaces the old one.
        let query = "INSERT INTO config(version, json, at, message) VALUES (?, ?, ?, ?)
                     ON CONFLICT(version) DO UPDATE SET message = excluded.message WHERE excluded.message <> ''";
        statements.add(query, row);
        statements.add("INSERT OR REPLACE INTO meta(key, value) VALUES ('head', ?)", [deed.version.into()]);
        note(&statements, deed, now_millis);
        statements.commit(self.state)
    }

    /// Makes a configuration the one in use; after a rollback it is also the one that is edited.
    pub fn choose(&self, deed: &Deed, now_millis: u64) -> Result<()> {
        let statements = Statements::default();
        statements
            .add("INSERT OR REPLACE INTO meta(key, value) VALUES ('published', ?)", [deed.version.into()]);
        if deed.what == "rollback" {
            statements
                .add("INSERT OR REPLACE INTO meta(key, value) VALUES ('head', ?)", [deed.version.into()]);
        }
        note(&statements, deed, now_millis);
        statements.commit(self.state)
    }

    /// The JSON text of a configuration.
    pub fn config(&self, version: &str) -> Result<Option<String>> {
        let row = self.first("SELECT json FROM config WHERE version = ?", &[version.into()])?;
        Ok(row.and_then(|row| row.text(0)))
    }

    /// All versions of the configuration, newest first.
    pub fn versions(&self) -> Result<Vec<Version>> {
        let query = "SELECT version, at, message,
                       (SELECT MAX(at) FROM history h WHERE h.version = c.version AND h.what <> 'put')
                     FROM config c ORDER BY at DESC, version LIMIT 1000";
        let versions = self.rows(query, &[])?.into_iter().map(|row| Version {
            version: row.text(0).unwrap_or_default(),
            at_millis: row.number(1),
            published_millis: Some(row.number(3)).filter(|at| *at > 0),
            message: row.text(2).unwrap_or_default(),
        });
        Ok(versions.collect())
    }

    /// Keeps a shard's statistics if they are newer than what is there. Returns whether they were.
    pub fn put_shard(&self, name: &str, version: u64, statistics: &[u8], now_millis: u64) -> Result<bool> {
        let query = "INSERT INTO shard(name, version, at, statistics) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT(name) DO UPDATE SET version = ?2, at = ?3, statistics = ?4
                     WHERE excluded.version > shard.version RETURNING 1";
        let values = [name.into(), number(version), number(now_millis), blob(statistics)];
        Ok(!self.rows(query, &values)?.is_empty())
    }

    /// What all shards counted together.
    pub fn statistics(&self) -> Result<Statistics> {
        let mut all = Statistics::default();
        for row in self.rows("SELECT statistics FROM shard", &[])? {
            let one = Statistics::from_bytes(&row.blob(0).unwrap_or_default());
            all.merge(&one.map_err(Error::new)?);
        }
        Ok(all)
    }

    /// The shards that reported.
    pub fn shards(&self) -> Result<Vec<ShardReport>> {
        let rows = self.rows("SELECT name, version, at FROM shard ORDER BY name", &[])?;
        let shards = rows.into_iter().map(|row| ShardReport {
            name: row.text(0).unwrap_or_default(),
            version: row.number(1),
            at_millis: row.number(2),
        });
        Ok(shards.collect())
    }

    /// The snapshot published last.
    pub fn latest(&self) -> Result<Option<SnapshotRow>> {
        let query = "SELECT sequence, version, at FROM snapshot ORDER BY sequence DESC LIMIT 1";
        Ok(self.first(query, &[])?.map(|row| SnapshotRow {
            sequence: row.number(0),
            version: row.text(1).unwrap_or_default(),
            at_millis: row.number(2),
        }))
    }

    /// The bytes of a publication.
    pub fn bytes_of(&self, sequence: u64) -> Result<Option<Vec<u8>>> {
        let row = self.first("SELECT bytes FROM snapshot WHERE sequence = ?", &[number(sequence)])?;
        Ok(row.and_then(|row| row.blob(0)))
    }

    /// The bytes of a snapshot by its content address.
    pub fn bytes_by_version(&self, version: &str) -> Result<Option<Vec<u8>>> {
        let query = "SELECT bytes FROM snapshot WHERE version = ? ORDER BY sequence DESC LIMIT 1";
        Ok(self.first(query, &[version.into()])?.and_then(|row| row.blob(0)))
    }

    /// Stores a publication and forgets the oldest.
    pub fn put_snapshot(&self, row: &SnapshotRow, bytes: &[u8]) -> Result<()> {
        let statements = Statements::default();
        let values = [number(row.sequence), row.version.as_str().into(), number(row.at_millis), blob(bytes)];
        statements.add("INSERT INTO snapshot(sequence, version, at, bytes) VALUES (?, ?, ?, ?)", values);
        let oldest = row.sequence.saturating_sub(KEEP_SNAPSHOTS);
        statements.add("DELETE FROM snapshot WHERE sequence <= ?", [number(oldest)]);
        statements.commit(self.state)
    }

    /// Notes a dead letter; the same one counts once.
    pub fn put_dead(&self, letter: &DeadLetter, now_millis: u64) -> Result<()> {
        let n = |n: usize| number(n as u64);
        let values = [
            letter.id.as_str().into(),
            number(now_millis),
            letter.reason.as_str().into(),
            n(letter.n_events),
            n(letter.n_bytes),
        ];
        let query = "INSERT OR IGNORE INTO dead(id, at, reason, events, bytes)
                     SELECT ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM dead) < ";
        sql::run(self.state, &format!("{query}{KEEP_DEAD}"), &values)
    }

    /// A dead letter was delivered after all.
    pub fn raise_dead(&self, id: &str) -> Result<()> {
        sql::run(self.state, "DELETE FROM dead WHERE id = ?", &[id.into()])
    }

    /// Number of dead letters.
    pub fn n_dead(&self) -> Result<u64> {
        Ok(self.first("SELECT COUNT(*) FROM dead", &[])?.map_or(0, |row| row.number(0)))
    }
}

fn note(statements: &Statements, deed: &Deed, now_millis: u64) {
    statements.add(
        "INSERT INTO history(at, what, version, who, message) VALUES (?, ?, ?, ?, ?)",
        [number(now_millis), deed.what.into(), deed.version.into(), deed.who.into(), deed.message.into()],
    );
}
