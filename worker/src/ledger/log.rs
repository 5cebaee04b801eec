//! The log of a site, line by line: what a shard knows of its decisions, as NDJSON. Everything stands in the tokens already;
//! nothing is kept for the log alone, and what is forgotten there is gone here, too.
//!
//! A page of the log ends with a cursor, so that an export that broke off goes on where it was. Rows are in the order of the hour
//! of their decision; a decision told again later, with more rewards, has the same `row`.

use super::sql::{self, number};
use crate::platform::{Error, Result, State};
use edgeloom::fold::{RowId, Token, Tokens};
use edgeloom::json;
use serde_json::{Map, Value};

/// Rows per page unless asked otherwise, and at most: some 300 bytes each.
const ROWS: u64 = 1_000;
const MAX_ROWS: u64 = 5_000;
/// A page ends after the row with which it gets longer than this: rows that many share can be long.
const MAX_BYTES: usize = 4 << 20;

/// A page of the log: from the row after `after`, or from the first one of a time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Page {
    /// The last row that was told.
    pub after: Option<u64>,
    /// Decisions of earlier hours are left out, milliseconds since the epoch.
    pub from_millis: u64,
    /// Rows at most; 0 for the usual number.
    pub rows: u64,
}

/// Lines of a page, and the row it ends with where there may be more.
///
/// # Errors
/// What SQLite says, and tokens that can't be read.
pub fn page(state: &State, page: &Page) -> Result<(String, Option<u64>)> {
    let rows = if page.rows == 0 { ROWS } else { page.rows.min(MAX_ROWS) };
    let from = RowId::first_of(page.from_millis).number();
    let first = page.after.map_or(from, |after| from.max(after.saturating_add(1)));
    let query = "SELECT id, tokens FROM decision WHERE id >= ? ORDER BY id LIMIT ?";
    let found = sql::rows(state, query, &[number(first), number(rows)])?;
    let (mut lines, mut last) = (String::new(), None);
    let mut is_whole = (found.len() as u64) < rows;
    for row in &found {
        if lines.len() > MAX_BYTES {
            is_whole = false;
            break;
        }
        let id = row.number(0);
        let tokens = Tokens::from_bytes(&row.blob(1).unwrap_or_default()).map_err(Error::new)?;
        // Rewards that wait for an exposure belong to nothing that was seen.
        for (key, token) in tokens.iter().filter(|(_, token)| token.exposures() > 0) {
            lines.push_str(&json::text(&line(&format!("{id:014x}{key:016x}"), token)));
            lines.push('\n');
        }
        last = Some(id);
    }
    Ok((lines, last.filter(|_| !is_whole)))
}

/// One decision, slot and treatment.
fn line(row: &str, token: &Token) -> Value {
    let origin = token.origin();
    let (arm, is_held_out) = origin.treatment.to_parts();
    let mut fields: Vec<(&str, Value)> = vec![
        ("row", row.into()),
        ("time_millis", origin.time_millis.into()),
        ("slot", origin.slot.as_str().into()),
    ];
    fields.extend(arm.map(|arm| ("arm", Value::from(arm))));
    fields.extend(origin.basis.action.as_ref().map(|action| ("action", action.as_str().into())));
    fields.extend(is_held_out.then(|| ("held_out", true.into())));
    fields.push(("propensity", origin.propensity.into()));
    fields.extend(origin.unit.map(|unit| ("unit", format!("{unit:016x}").into())));
    fields.extend(origin.shared.then(|| ("shared", true.into())));
    fields.push(("exposures", token.exposures().into()));
    let mut rewards = Map::new();
    for (goal, n, micros) in token.counted().filter(|(_, n, _)| *n > 0) {
        let counted = [("n", Value::from(n)), ("value", Value::from(micros as f64 / 1e6))];
        rewards
            .insert(goal.to_string(), counted.into_iter().map(|(name, v)| (name.to_string(), v)).collect());
    }
    if !rewards.is_empty() {
        fields.push(("rewards", rewards.into()));
    }
    if let Some(codes) = &origin.basis.features {
        fields.push(("features", format!("{:08x}", codes.set()).into()));
        fields.push(("x", codes.vector().as_slice().into()));
    }
    fields.extend(origin.basis.shadow.as_ref().map(|shadow| ("shadow", shadow.as_str().into())));
    fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// Names of shards, as the root tells them.
#[derive(Default)]
pub struct Shards {
    /// In the order in which the log goes through them.
    pub names: Vec<String>,
}

edgeloom::told! { Shards { names } }

/// Where an export goes on: the position of a shard, and the last row of it that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Position among the names.
    pub shard: usize,
    /// Nothing of it was told yet without one.
    pub after: Option<u64>,
}

impl Cursor {
    /// The inverse of its text; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (shard, after) = text.split_once('-')?;
        let after = if after.is_empty() { None } else { Some(u64::from_str_radix(after, 16).ok()?) };
        Some(Self { shard: shard.parse().ok()?, after })
    }

    /// Its text.
    pub fn text(&self) -> String {
        let after = self.after.map(|after| format!("{after:x}")).unwrap_or_default();
        format!("{}-{after}", self.shard)
    }
}

/// A number of a query.
///
/// # Errors
/// Its name, for something else than a whole number.
pub fn whole(value: Option<String>, name: &str) -> std::result::Result<u64, &str> {
    value.map_or(Ok(0), |text| text.parse().map_err(|_| name))
}

/// Lines of JSON.
pub const CONTENT_TYPE: &str = "application/x-ndjson";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_anything_else_is_none() {
        for cursor in [Cursor::default(), Cursor { shard: 3, after: Some(0xabc) }] {
            assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
        }
        for bad in ["", "3", "x-1", "1-x", "-1-2"] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }
}
