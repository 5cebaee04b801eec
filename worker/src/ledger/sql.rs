//! SQLite of a Durable Object: rows by position, and several statements that all happen or none.

use crate::platform::{Result, State};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

/// Statements that belong together.
#[derive(Default)]
pub struct Statements(Array);

impl Statements {
    /// Adds a statement with its values.
    pub fn add(&self, query: &str, values: impl IntoIterator<Item = JsValue>) {
        let statement = Array::of1(&JsValue::from_str(query));
        for value in values {
            statement.push(&value);
        }
        self.0.push(&statement);
    }

    /// Runs all of them; after an error none has happened.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commit(self, state: &State) -> Result<()> {
        state.all_or_nothing(&self.0)
    }
}

/// The columns of a row.
pub struct Row(Array);

/// Rows of a query.
///
/// # Errors
/// What SQLite says.
pub fn rows(state: &State, query: &str, values: &[JsValue]) -> Result<Vec<Row>> {
    let list = Array::new();
    for value in values {
        list.push(value);
    }
    let rows = state.rows(query, &list)?;
    Ok(rows.iter().map(|row| Row(row.unchecked_into())).collect())
}

/// The first row of a query, if there is one.
///
/// # Errors
/// What SQLite says.
pub fn first(state: &State, query: &str, values: &[JsValue]) -> Result<Option<Row>> {
    Ok(rows(state, query, values)?.into_iter().next())
}

/// A statement alone.
///
/// # Errors
/// What SQLite says.
pub fn run(state: &State, query: &str, values: &[JsValue]) -> Result<()> {
    rows(state, query, values).map(|_| ())
}

impl Row {
    fn column(&self, column: u32) -> JsValue {
        self.0.get(column)
    }

    /// A whole number, zero for NULL; SQLite's numbers arrive as doubles, which hold every one up to 2^53.
    pub fn number(&self, column: u32) -> u64 {
        self.column(column).as_f64().map_or(0, |number| number as u64)
    }

    /// A text; nothing for NULL.
    pub fn text(&self, column: u32) -> Option<String> {
        self.column(column).as_string()
    }

    /// Bytes; nothing for NULL.
    pub fn blob(&self, column: u32) -> Option<Vec<u8>> {
        let column = self.column(column);
        column.is_object().then(|| Uint8Array::new(&column).to_vec())
    }
}

/// A whole number as a value; versions and times stay far below 2^53.
pub fn number(number: u64) -> JsValue {
    JsValue::from_f64(number as f64)
}

/// Bytes as a value.
pub fn blob(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}
