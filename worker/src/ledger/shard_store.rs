//! Storage of a shard: what is known of decisions in a table, and its cumulative statistics in one row. It counts nothing itself.

use super::sql::{self, Statements, blob, number};
use crate::platform::{Error, Result, State};
use edgeloom::fold::{RowId, Tokens};
use edgeloom::statistics::Statistics;

/// A statement takes 100 values at most.
const MAX_VALUES: usize = 100;

/// Nothing has been deployed with other tables, so there is none to be carried over.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS decision(id INTEGER PRIMARY KEY, tokens BLOB);
CREATE TABLE IF NOT EXISTS tally(id INTEGER PRIMARY KEY, version REAL, statistics BLOB);";

/// Everything a shard counted, and how often it changed.
pub struct Tally {
    /// Grows with every commit.
    pub version: u64,
    /// Cumulative.
    pub statistics: Statistics,
    /// Rows before this one are forgotten, as far as they were ever kept.
    pub forgotten: RowId,
}

/// Makes the tables where they are missing.
///
/// # Errors
/// What SQLite says.
pub fn prepare(state: &State) -> Result<()> {
    sql::run(state, SCHEMA, &[])
}

/// Reads the statistics.
///
/// # Errors
/// What SQLite says, and statistics that can't be read: better no answer than counting from zero again.
pub fn tally(state: &State) -> Result<Tally> {
    let row = sql::first(state, "SELECT version FROM tally WHERE id = 1", &[])?;
    let forgotten = RowId::from_number(row.map_or(0, |row| row.number(0)));
    let row = sql::first(state, "SELECT version, statistics FROM tally WHERE id = 0", &[])?;
    let Some(row) = row else {
        return Ok(Tally { version: 0, statistics: Statistics::default(), forgotten });
    };
    let bytes = row.blob(1).unwrap_or_default();
    let statistics = Statistics::from_bytes(&bytes).map_err(Error::new)?;
    Ok(Tally { version: row.number(0), statistics, forgotten })
}

/// Rows in the order of their ids.
pub struct Rows(Vec<Entry>);

/// One row.
pub struct Entry {
    id: RowId,
    /// What is known of its decision.
    pub tokens: Tokens,
    /// Whether it has to be written.
    pub is_changed: bool,
}

impl Rows {
    /// Reads some rows; those not there are new.
    ///
    /// # Errors
    /// What SQLite says, and tokens that can't be read.
    pub fn read(state: &State, mut ids: Vec<RowId>) -> Result<Self> {
        ids.sort_unstable();
        ids.dedup();
        let new = |id: &RowId| Entry { id: *id, tokens: Tokens::default(), is_changed: false };
        let mut rows = Self(ids.iter().map(new).collect());
        for chunk in ids.chunks(MAX_VALUES) {
            rows.fill(state, chunk)?;
        }
        Ok(rows)
    }

    /// Reads what is stored of some rows.
    fn fill(&mut self, state: &State, ids: &[RowId]) -> Result<()> {
        let marks = vec!["?"; ids.len()].join(",");
        let query = format!("SELECT id, tokens FROM decision WHERE id IN ({marks})");
        let values: Vec<_> = ids.iter().map(|id| number(id.number())).collect();
        for row in sql::rows(state, &query, &values)? {
            let tokens = Tokens::from_bytes(&row.blob(1).unwrap_or_default()).map_err(Error::new)?;
            if let Some(entry) = self.entry(RowId::from_number(row.number(0))) {
                entry.tokens = tokens;
            }
        }
        Ok(())
    }

    /// A row that was read.
    pub fn entry(&mut self, id: RowId) -> Option<&mut Entry> {
        let at = self.0.binary_search_by_key(&id, |entry| entry.id).ok()?;
        self.0.get_mut(at)
    }
}

/// Writes changed rows and the statistics: all or nothing.
///
/// # Errors
/// What SQLite says; then nothing was written.
pub fn save(state: &State, rows: &Rows, tally: &Tally) -> Result<()> {
    let statements = Statements::default();
    let changed: Vec<&Entry> = rows.0.iter().filter(|entry| entry.is_changed).collect();
    for chunk in changed.chunks(MAX_VALUES / 2) {
        let marks = vec!["(?,?)"; chunk.len()].join(",");
        let values =
            chunk.iter().flat_map(|entry| [number(entry.id.number()), blob(&entry.tokens.to_bytes())]);
        statements.add(&format!("INSERT OR REPLACE INTO decision(id, tokens) VALUES {marks}"), values);
    }
    let bytes = tally.statistics.to_bytes();
    statements.add(
        "INSERT OR REPLACE INTO tally(id, version, statistics) VALUES (0, ?, ?)",
        [number(tally.version), blob(&bytes)],
    );
    statements.commit(state)
}

/// Forgets up to `limit` rows of decisions before a time. Returns whether there may be more.
///
/// # Errors
/// What SQLite says.
pub fn forget(state: &State, before_millis: u64, limit: u64) -> Result<bool> {
    let first = number(RowId::first_of(before_millis).number());
    // Without an `await` between them, both are written or none. A second row, as it changes far more rarely than the first.
    let query = "INSERT INTO tally(id, version) VALUES (1, ?)
                 ON CONFLICT(id) DO UPDATE SET version = MAX(version, excluded.version)";
    sql::run(state, query, std::slice::from_ref(&first))?;
    let query = "DELETE FROM decision WHERE id IN
                 (SELECT id FROM decision WHERE id < ? ORDER BY id LIMIT ?) RETURNING 1";
    let deleted = sql::rows(state, query, &[first, number(limit)])?;
    Ok(deleted.len() as u64 >= limit)
}
