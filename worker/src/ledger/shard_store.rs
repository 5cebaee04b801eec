//! Storage of a shard: tokens by day, and its cumulative statistics in one row. It counts nothing itself.

use super::sql::{self, Statements, blob, number, value};
use edgeloom::event::Event;
use edgeloom::fold::{Token, TokenId};
use edgeloom::statistics::Statistics;
use std::collections::BTreeMap;
use worker::{Error, Result, SqlStorageValue, State};

const DAY_MILLIS: u64 = 86_400_000;
/// A statement takes 100 values at most.
const MAX_VALUES: usize = 99;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS token(day REAL, id BLOB, body BLOB, PRIMARY KEY(day, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tally(id INTEGER PRIMARY KEY, version REAL, statistics BLOB);";

/// Place of a token: the day of its decision first, so that forgetting deletes from one end of the table and needs
/// no second index (each row of which would be written, and paid, again).
pub type Place = (u64, TokenId);

/// The place of an event's token; where nothing is forgotten, days don't matter.
pub fn place(event: &Event, forgets: bool) -> Place {
    (if forgets { event.time_millis / DAY_MILLIS } else { 0 }, TokenId::of(event))
}

/// Everything a shard counted, and how often it changed.
#[derive(Default)]
pub struct Tally {
    /// Grows with every commit.
    pub version: u64,
    /// Cumulative.
    pub statistics: Statistics,
}

/// Makes the tables where they are missing.
///
/// # Errors
/// What SQLite says.
pub fn prepare(state: &State) -> Result<()> {
    state.storage().sql().exec(SCHEMA, None).map(|_| ())
}

/// Reads the statistics.
///
/// # Errors
/// What SQLite says, and statistics that can't be read: better no answer than counting from zero again.
pub fn tally(state: &State) -> Result<Tally> {
    let row =
        sql::first(&state.storage().sql(), "SELECT version, statistics FROM tally WHERE id = 0", Vec::new())?;
    let Some(row) = row else { return Ok(Tally::default()) };
    let bytes = blob(&row, 1).unwrap_or_default();
    let statistics = Statistics::from_bytes(&bytes).map_err(|error| Error::RustError(error.to_string()))?;
    Ok(Tally { version: number(&row, 0), statistics })
}

/// Reads the tokens of some places; those not there are new.
///
/// # Errors
/// What SQLite says, and tokens that can't be read.
pub fn tokens(state: &State, places: impl Iterator<Item = Place>) -> Result<BTreeMap<Place, Token>> {
    let sql = state.storage().sql();
    let mut by_day: BTreeMap<u64, Vec<TokenId>> = BTreeMap::new();
    let mut tokens = BTreeMap::new();
    for (day, id) in places {
        if tokens.insert((day, id), Token::default()).is_none() {
            by_day.entry(day).or_default().push(id);
        }
    }
    for (day, ids) in by_day {
        for chunk in ids.chunks(MAX_VALUES) {
            let marks = vec!["?"; chunk.len()].join(",");
            let query = format!("SELECT id, body FROM token WHERE day = ? AND id IN ({marks})");
            let ids = chunk.iter().map(|id| SqlStorageValue::Blob(id.0.to_vec()));
            for row in sql::rows(&sql, &query, std::iter::once(value(day)).chain(ids).collect())? {
                let id = blob(&row, 0).and_then(|id| id.try_into().ok()).map(TokenId);
                let id = id.ok_or_else(|| Error::RustError("a token has no id".into()))?;
                let token = Token::from_bytes(&blob(&row, 1).unwrap_or_default());
                tokens.insert((day, id), token.map_err(|error| Error::RustError(error.to_string()))?);
            }
        }
    }
    Ok(tokens)
}

/// Writes changed tokens and the statistics: all or nothing.
///
/// # Errors
/// What SQLite says; then nothing was written.
pub fn save<'t>(
    state: &State,
    tokens: impl Iterator<Item = (&'t Place, &'t Token)>,
    tally: &Tally,
) -> Result<()> {
    let statements = Statements::default();
    let rows: Vec<(&Place, &Token)> = tokens.collect();
    for chunk in rows.chunks(MAX_VALUES / 3) {
        let marks = vec!["(?,?,?)"; chunk.len()].join(",");
        let values = chunk.iter().flat_map(|((day, id), token)| {
            [value(*day), SqlStorageValue::Blob(id.0.to_vec()), SqlStorageValue::Blob(token.to_bytes())]
        });
        statements.add(&format!("INSERT OR REPLACE INTO token(day, id, body) VALUES {marks}"), values);
    }
    let bytes = tally.statistics.to_bytes().map_err(|error| Error::RustError(error.to_string()))?;
    statements.add(
        "INSERT OR REPLACE INTO tally(id, version, statistics) VALUES (0, ?, ?)",
        [value(tally.version), SqlStorageValue::Blob(bytes)],
    );
    statements.commit(state)
}

/// Forgets up to `limit` tokens of decisions before a time. Returns whether there may be more.
///
/// # Errors
/// What SQLite says.
pub fn forget(state: &State, before_millis: u64, limit: u64) -> Result<bool> {
    let query = "DELETE FROM token WHERE (day, id) IN
                 (SELECT day, id FROM token WHERE day < ? AND day > 0 ORDER BY day LIMIT ?) RETURNING 1";
    let deleted =
        sql::rows(&state.storage().sql(), query, vec![value(before_millis / DAY_MILLIS), value(limit)])?;
    Ok(deleted.len() as u64 >= limit)
}
