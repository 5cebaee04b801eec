//! Storage of a shard: tokens by day, and its cumulative statistics in one row. It counts nothing itself.

use super::sql::{self, Statements, blob, number};
use crate::platform::{Error, Result, State};
use edgeloom::event::Event;
use edgeloom::fold::{Token, TokenId};
use edgeloom::statistics::Statistics;

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
    /// Tokens of days before this one are forgotten, as far as they were ever kept.
    pub forgotten_day: u64,
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
    let forgotten_day = row.map_or(0, |row| row.number(0));
    let row = sql::first(state, "SELECT version, statistics FROM tally WHERE id = 0", &[])?;
    let Some(row) = row else { return Ok(Tally { forgotten_day, ..Tally::default() }) };
    let bytes = row.blob(1).unwrap_or_default();
    let statistics = Statistics::from_bytes(&bytes).map_err(Error::new)?;
    Ok(Tally { version: row.number(0), statistics, forgotten_day })
}

/// Tokens in the order of their places.
pub struct Tokens(Vec<Entry>);

/// One token.
pub struct Entry {
    place: Place,
    /// What is known of the decision.
    pub token: Token,
    /// Whether it has to be written.
    pub is_changed: bool,
}

impl Tokens {
    /// Reads the tokens of some places; those not there are new.
    ///
    /// # Errors
    /// What SQLite says, and tokens that can't be read.
    pub fn read(state: &State, mut places: Vec<Place>) -> Result<Self> {
        places.sort_unstable();
        places.dedup();
        let new = |place: &Place| Entry { place: *place, token: Token::default(), is_changed: false };
        let mut tokens = Self(places.iter().map(new).collect());
        for of_day in places.chunk_by(|a, b| a.0 == b.0) {
            for chunk in of_day.chunks(MAX_VALUES) {
                tokens.fill(state, chunk)?;
            }
        }
        Ok(tokens)
    }

    /// Reads what is stored of places of one day.
    fn fill(&mut self, state: &State, places: &[Place]) -> Result<()> {
        let marks = vec!["?"; places.len()].join(",");
        let query = format!("SELECT day, id, body FROM token WHERE day = ? AND id IN ({marks})");
        let day = places.iter().take(1).map(|(day, _)| number(*day));
        let ids = places.iter().map(|(_, id)| blob(&id.0));
        let values: Vec<_> = day.chain(ids).collect();
        for row in sql::rows(state, &query, &values)? {
            let id = row.blob(1).and_then(|id| id.try_into().ok()).map(TokenId);
            let id = id.ok_or_else(|| Error::new("a token has no id"))?;
            let token = Token::from_bytes(&row.blob(2).unwrap_or_default());
            let token = token.map_err(Error::new)?;
            if let Some(entry) = self.entry((row.number(0), id)) {
                entry.token = token;
            }
        }
        Ok(())
    }

    /// The token of a place that was read.
    pub fn entry(&mut self, place: Place) -> Option<&mut Entry> {
        let at = self.0.binary_search_by_key(&place, |entry| entry.place).ok()?;
        self.0.get_mut(at)
    }
}

/// Writes changed tokens and the statistics: all or nothing.
///
/// # Errors
/// What SQLite says; then nothing was written.
pub fn save(state: &State, tokens: &Tokens, tally: &Tally) -> Result<()> {
    let statements = Statements::default();
    let rows: Vec<&Entry> = tokens.0.iter().filter(|entry| entry.is_changed).collect();
    for chunk in rows.chunks(MAX_VALUES / 3) {
        let marks = vec!["(?,?,?)"; chunk.len()].join(",");
        let values = chunk.iter().flat_map(|Entry { place: (day, id), token, .. }| {
            [number(*day), blob(&id.0), blob(&token.to_bytes())]
        });
        statements.add(&format!("INSERT OR REPLACE INTO token(day, id, body) VALUES {marks}"), values);
    }
    let bytes = tally.statistics.to_bytes();
    statements.add(
        "INSERT OR REPLACE INTO tally(id, version, statistics) VALUES (0, ?, ?)",
        [number(tally.version), blob(&bytes)],
    );
    statements.commit(state)
}

/// Forgets up to `limit` tokens of decisions before a time. Returns whether there may be more.
///
/// # Errors
/// What SQLite says.
pub fn forget(state: &State, before_millis: u64, limit: u64) -> Result<bool> {
    let day = before_millis / DAY_MILLIS;
    // Without an `await` between them, both are written or none. A second row, as a new column would be missing in
    // tables that are there already.
    let query = "INSERT INTO tally(id, version) VALUES (1, ?)
                 ON CONFLICT(id) DO UPDATE SET version = MAX(version, excluded.version)";
    sql::run(state, query, &[number(day)])?;
    let query = "DELETE FROM token WHERE (day, id) IN
                 (SELECT day, id FROM token WHERE day < ? AND day > 0 ORDER BY day LIMIT ?) RETURNING 1";
    let deleted = sql::rows(state, query, &[number(day), number(limit)])?;
    Ok(deleted.len() as u64 >= limit)
}
