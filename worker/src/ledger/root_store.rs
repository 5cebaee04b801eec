//! Storage of the root: versions of the configuration, history, shards' statistics. Publications and letters have files
//! of their own.

use super::report::{ShardReport, Version};
use super::sql::{self, Row, Statements, blob, number};
use super::{indexes, letters, publications};
use crate::platform::{Error, Result, State};
use edgeloom::receipt::MAX_SHARDS;
use edgeloom::statistics::Statistics;
use wasm_bindgen::JsValue;

/// A row holds 2 MB.
pub const MAX_ROW_BYTES: usize = 1_900_000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS config(version TEXT PRIMARY KEY, json TEXT, at REAL, message TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history(id INTEGER PRIMARY KEY, at REAL, what TEXT, version TEXT, who TEXT, message TEXT);
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shard(name TEXT PRIMARY KEY, version REAL, at REAL, statistics BLOB) WITHOUT ROWID;";

/// Single values by name.
#[derive(Clone, Copy)]
pub enum Meta {
    /// Version of the configuration that is being edited.
    Head,
    /// Version of the configuration that is in use.
    Published,
    /// Sequence of the snapshot that KV has.
    Written,
    /// Purges, oldest first, as JSON.
    Purges,
    /// The last change of an index that KV has.
    IndexesWritten,
}

impl Meta {
    const fn key(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Published => "published",
            Self::Written => "written",
            Self::Purges => "purges",
            Self::IndexesWritten => "indexes_written",
        }
    }
}

/// What happened, for the history: never a secret, only its key id.
pub struct Deed<'d> {
    /// `put`, `publish`, `rollback` or `purge`.
    pub what: &'static str,
    /// Version of the configuration; nothing for a purge.
    pub version: &'d str,
    /// Key id of the token.
    pub who: &'d str,
    /// In the words of whoever did it.
    pub message: &'d str,
}

/// The tables of one root object.
pub struct Store<'s> {
    pub(super) state: &'s State,
}

impl<'s> Store<'s> {
    /// Opens the tables, making those that are missing.
    ///
    /// # Errors
    /// What SQLite says; so do all other functions.
    pub fn open(state: &'s State) -> Result<Self> {
        for schema in [SCHEMA, publications::SCHEMA, letters::SCHEMA, indexes::SCHEMA] {
            sql::run(state, schema, &[])?;
        }
        Ok(Self { state })
    }

    /// The first row of a query.
    pub(super) fn first(&self, query: &str, values: &[JsValue]) -> Result<Option<Row>> {
        sql::first(self.state, query, values)
    }

    /// All rows of a query.
    pub(super) fn rows(&self, query: &str, values: &[JsValue]) -> Result<Vec<Row>> {
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

    /// Keeps the purges, and who added the last one.
    pub fn set_purges(&self, json: &str, deed: &Deed, now_millis: u64) -> Result<()> {
        let statements = Statements::default();
        statements.add("INSERT OR REPLACE INTO meta(key, value) VALUES ('purges', ?)", [json.into()]);
        note(&statements, deed, now_millis);
        statements.commit(self.state)
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

    /// Makes a configuration with this many shards the one in use; after a rollback it is also the one that is edited.
    pub fn choose(&self, deed: &Deed, shards: u8, now_millis: u64) -> Result<()> {
        let statements = Statements::default();
        let query = "INSERT INTO meta(key, value) VALUES ('shards', ?)
                     ON CONFLICT(key) DO UPDATE SET value = MAX(value, excluded.value)";
        statements.add(query, [number(shards.into())]);
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

    /// The shards that may have counted anything: those that reported, and those of every configuration ever in use. One
    /// beyond a lowered number may hold counts that it never reported, and gets events of older receipts.
    pub fn shard_names(&self, site: &str) -> Result<Vec<String>> {
        let row = self.first("SELECT value FROM meta WHERE key = 'shards'", &[])?;
        let most = row.map_or(0, |row| row.number(0)).min(MAX_SHARDS.into()) as u8;
        let mut names = super::shard_names(site, most);
        names.extend(self.shards()?.into_iter().map(|shard| shard.name));
        edgeloom::sorted::sort_by(&mut names, String::cmp);
        names.dedup();
        Ok(names)
    }
}

fn note(statements: &Statements, deed: &Deed, now_millis: u64) {
    statements.add(
        "INSERT INTO history(at, what, version, who, message) VALUES (?, ?, ?, ?, ?)",
        [number(now_millis), deed.what.into(), deed.version.into(), deed.who.into(), deed.message.into()],
    );
}
