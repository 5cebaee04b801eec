//! Which pieces the indexes of a site are, and were: a row for each change. What a piece is, and whether pieces fit together, the
//! Worker has checked.

use super::publish::Writer;
use super::root_store::{Meta, Store};
use super::sql::{Row, Statements, number};
use super::versions::failed;
use crate::bindings::Settings;
use crate::indexes::budget;
use crate::indexes::manifest::{Manifest, Manifests};
use crate::json;
use crate::platform::{Env, Result, State};
use crate::problem::Problem;
use edgeloom::Value;
use edgeloom::json::object;
use wasm_bindgen::JsValue;

/// Most indexes of a site.
const MAX_INDEXES: usize = 16;
/// Changes of an index that are kept.
const KEPT: u64 = 20;

/// The last row of a name is what it is now; without a manifest it is gone.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS manifest(sequence INTEGER PRIMARY KEY, name TEXT, version TEXT, json TEXT, what TEXT, who TEXT, message TEXT, at REAL);
CREATE INDEX IF NOT EXISTS manifest_by_name ON manifest(name);";
const COLUMNS: &str = "SELECT version, json, what, who, message, at FROM manifest";
const CURRENT: &str = "sequence IN (SELECT MAX(sequence) FROM manifest GROUP BY name) AND json IS NOT NULL";

/// A change, and who made it.
pub struct Change<'c> {
    /// `put`, `rollback` or `delete`.
    pub what: &'c str,
    /// Name of the index.
    pub name: &'c str,
    /// Key id of the token.
    pub who: &'c str,
    /// In the words of whoever did it.
    pub message: &'c str,
    /// The version that it was made from, where that has to be the one in use; empty for any.
    pub before: &'c str,
}

/// A row as it is told.
fn told(row: &Row) -> Value {
    let manifest = row.text(1).and_then(|text| json::read(text.as_bytes()).ok());
    let mut told = manifest.unwrap_or_default();
    if let Value::Object(fields) = &mut told {
        for (name, column) in [("what", 2), ("who", 3), ("message", 4)] {
            fields.insert(name.into(), row.text(column).unwrap_or_default().into());
        }
        fields.insert("created_millis".into(), row.number(5).into());
    }
    told
}

impl Store<'_> {
    fn manifests(&self) -> Result<Vec<Value>> {
        let rows = self.rows(&format!("SELECT json FROM manifest WHERE {CURRENT} ORDER BY name"), &[])?;
        let text = |row: Row| row.text(0).and_then(|text| json::read(text.as_bytes()).ok());
        Ok(rows.into_iter().filter_map(text).collect())
    }

    fn current(&self, name: &str) -> Result<Option<Row>> {
        self.first(&format!("{COLUMNS} WHERE name = ? AND {CURRENT}"), &[name.into()])
    }

    /// The indexes, and what each of them was before, newest first; that it was gone for a while is not told.
    ///
    /// # Errors
    /// What SQLite says; so do all other functions.
    pub fn indexes(&self) -> Result<Value> {
        let names = self.rows(&format!("SELECT name FROM manifest WHERE {CURRENT} ORDER BY name"), &[])?;
        let mut indexes = Vec::new();
        for name in names.iter().filter_map(|row| row.text(0)) {
            let query = format!("{COLUMNS} WHERE name = ? AND json IS NOT NULL ORDER BY sequence DESC");
            let mut versions: Vec<Value> = self.rows(&query, &[name.into()])?.iter().map(told).collect();
            let history = Value::Array(versions.split_off(1.min(versions.len())));
            for mut index in versions {
                if let Value::Object(fields) = &mut index {
                    fields.insert("history".into(), history.clone());
                }
                indexes.push(index);
            }
        }
        Ok(object(&[("indexes", &indexes)]))
    }

    /// What an index was in a version: the text of its manifest.
    pub fn manifest(&self, name: &str, version: &str) -> Result<Option<String>> {
        let query = "SELECT json FROM manifest WHERE name = ? AND version = ? AND json IS NOT NULL LIMIT 1";
        Ok(self.first(query, &[name.into(), version.into()])?.and_then(|row| row.text(0)))
    }

    /// The number of the last change, 0 where there never was one.
    pub fn last_change(&self) -> Result<u64> {
        Ok(self.first("SELECT MAX(sequence) FROM manifest", &[])?.map_or(0, |row| row.number(0)))
    }

    fn add_change(&self, change: &Change, manifest: Option<(&str, &str)>, now_millis: u64) -> Result<()> {
        let Change { what, name, who, message, .. } = *change;
        let (version, json) = manifest.map_or((JsValue::NULL, JsValue::NULL), |(v, j)| (v.into(), j.into()));
        let statements = Statements::default();
        statements.add(
            "INSERT INTO manifest(name, version, json, what, who, message, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [name.into(), version, json, what.into(), who.into(), message.into(), number(now_millis)],
        );
        let query = format!(
            "DELETE FROM manifest WHERE name = ?1 AND sequence NOT IN
               (SELECT sequence FROM manifest WHERE name = ?1 ORDER BY sequence DESC LIMIT {KEPT})"
        );
        statements.add(&query, [name.into()]);
        statements.commit(self.state)
    }
}

/// Makes an index what a manifest says. Returns it as it is told; the same again changes nothing.
///
/// # Errors
/// Too many indexes, or too large for an isolate beside the others; SQLite.
pub fn put(tables: &Store, change: &Change, text: &str, now_millis: u64) -> Result<Value, Problem> {
    let manifest = json::read(text.as_bytes()).ok().as_ref().and_then(Manifest::of);
    let manifest = manifest.ok_or_else(|| failed("a manifest that can't be read"))?;
    let others: Vec<Manifest> = tables.manifests().map_err(failed)?.iter().filter_map(Manifest::of).collect();
    let others = others.iter().filter(|other| other.name != change.name);
    if others.clone().count() >= MAX_INDEXES {
        let detail = format!("A site has {MAX_INDEXES} indexes at most; hint: delete one.");
        return Err(Problem::new(422, "Too many indexes", detail));
    }
    budget::check(change.name, manifest.bytes, others.map(|other| other.bytes).sum())?;
    let current = tables.current(change.name).map_err(failed)?;
    let version = current.and_then(|row| row.text(0)).unwrap_or_default();
    if version != manifest.version && !change.before.is_empty() && version != change.before {
        let detail = format!(
            "'{}' was changed since: it is '{version}' now, not '{}'; hint: make the change again from what it is now",
            change.name, change.before
        );
        return Err(Problem::new(409, "Changed meanwhile", detail));
    }
    if version != manifest.version {
        tables.add_change(change, Some((&manifest.version, text)), now_millis).map_err(failed)?;
    }
    let current = tables.current(change.name).map_err(failed)?;
    Ok(current.as_ref().map(told).unwrap_or_default())
}

/// Deletes an index; its pieces stay, and so does what it was.
///
/// # Errors
/// There is none; SQLite.
pub fn delete(tables: &Store, change: &Change, now_millis: u64) -> Result<(), Problem> {
    if tables.current(change.name).map_err(failed)?.is_none() {
        return Err(Problem::new(404, "Not found", format!("There is no index '{}'.", change.name)));
    }
    tables.add_change(change, None, now_millis).map_err(failed)
}

/// Brings KV up to date with the indexes; `again` also where it should be already.
///
/// # Errors
/// KV or SQLite; the change stays stored and unwritten.
pub async fn write(
    writer: &Writer,
    state: &State,
    (env, settings): (&Env, &Settings),
    again: bool,
) -> Result<()> {
    let _turn = writer.turn().await;
    let tables = Store::open(state)?;
    let last = tables.last_change()?;
    let sequence = last.to_string();
    if last == 0 || (!again && tables.meta(Meta::IndexesWritten)?.as_deref() == Some(sequence.as_str())) {
        return Ok(());
    }
    let text = Manifests::write(last, &tables.manifests()?);
    writer.put(env, &settings.indexes_key(), text.as_bytes()).await?;
    tables.set_meta(Meta::IndexesWritten, &sequence)
}
