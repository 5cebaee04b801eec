//! SQLite of a Durable Object: rows by position, and several statements that all happen or none.

use js_sys::Array;
use wasm_bindgen::prelude::*;
use worker::{SqlStorage, SqlStorageValue, State};

#[wasm_bindgen(inline_js = "
export function all_or_nothing(storage, statements) {
  storage.transactionSync(() => { for (const [query, ...values] of statements) storage.sql.exec(query, ...values); });
}")]
extern "C" {
    // In JavaScript, because a throw is what rolls back, and a throw may not cross Rust frames.
    #[wasm_bindgen(catch)]
    fn all_or_nothing(storage: &JsValue, statements: &Array) -> Result<(), JsValue>;
}

/// Statements that belong together.
#[derive(Default)]
pub struct Statements(Array);

impl Statements {
    /// Adds a statement with its values.
    pub fn add(&self, query: &str, values: impl IntoIterator<Item = SqlStorageValue>) {
        let statement = Array::of1(&JsValue::from_str(query));
        for value in values {
            statement.push(&value.into());
        }
        self.0.push(&statement);
    }

    /// Runs all of them; after an error none has happened.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commit(self, state: &State) -> worker::Result<()> {
        all_or_nothing(state.storage().as_raw().as_ref(), &self.0).map_err(worker::Error::from)
    }
}

/// Rows of a query, each a list of its columns.
///
/// # Errors
/// What SQLite says.
pub fn rows(
    sql: &SqlStorage,
    query: &str,
    values: Vec<SqlStorageValue>,
) -> worker::Result<Vec<Vec<SqlStorageValue>>> {
    // Not `one()`: its exception would cross the wasm uncaught.
    sql.exec(query, values)?.raw().collect()
}

/// The first row of a query, if there is one.
///
/// # Errors
/// What SQLite says.
pub fn first(
    sql: &SqlStorage,
    query: &str,
    values: Vec<SqlStorageValue>,
) -> worker::Result<Option<Vec<SqlStorageValue>>> {
    Ok(rows(sql, query, values)?.into_iter().next())
}

/// A whole number; SQLite's numbers arrive as doubles, which hold every one up to 2^53.
pub fn number(row: &[SqlStorageValue], column: usize) -> u64 {
    match row.get(column) {
        Some(SqlStorageValue::Integer(n)) => u64::try_from(*n).unwrap_or(0),
        Some(SqlStorageValue::Float(n)) => *n as u64,
        _ => 0,
    }
}

/// A text; nothing for NULL.
pub fn text(row: &[SqlStorageValue], column: usize) -> Option<String> {
    match row.get(column) {
        Some(SqlStorageValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// Bytes; nothing for NULL.
pub fn blob(row: &[SqlStorageValue], column: usize) -> Option<Vec<u8>> {
    match row.get(column) {
        Some(SqlStorageValue::Blob(bytes)) => Some(bytes.clone()),
        _ => None,
    }
}

/// A whole number as a value; versions and times stay far below 2^53.
pub fn value(number: u64) -> SqlStorageValue {
    SqlStorageValue::Float(number as f64)
}
