//! The root of a site: keeps its configuration, adds its shards up and publishes; keeps what no queue could deliver. It
//! never throws.

use super::deliver::wake;
use super::indexes::{self, Change};
use super::letters::{self, Letters};
use super::log::Shards;
use super::publications::SnapshotRow;
use super::publish::{self, Writer, stored_config};
use super::purges;
use super::report::{self, SnapshotReport, Status, Versions};
use super::root_store::{Deed, Meta, Store};
use super::versions::{self, Condition, failed};
use crate::bindings::{STATE, Settings, settings};
use crate::platform::{self, Env, Method, Request, Response, Result, State, console_error, promise};
use crate::problem::{FieldError, Problem};
use crate::request::{self, header, now_millis};
use crate::{json, respond};
use edgeloom::json::object;
use edgeloom::snapshot::Since;
use edgeloom::snapshot::wire::Config;
use edgeloom::statistics::Statistics;
use js_sys::Promise;
use serde_json::Map;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::prelude::*;
use worker_sys::DurableObjectState;

/// Largest call: statistics or a configuration that just fit into a row.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// Pause after a failed publication.
const AGAIN_MILLIS: u64 = 2_000;
/// How long KV may take to say whether it has something.
const KV_LIMIT: Duration = Duration::from_secs(3);

/// The root of a site.
#[wasm_bindgen]
pub struct Root {
    inner: Rc<Inner>,
}

struct Inner {
    state: State,
    env: Env,
    settings: Rc<Settings>,
    writer: Writer,
    purge_writer: Writer,
    index_writer: Writer,
    /// Purges that KV did not take; the next alarm tries again.
    holds_purges: Cell<bool>,
    /// When the alarm will ring; zero: not set by this instance.
    alarm_millis: Cell<u64>,
    /// The next alarm also looks after what nobody asked for: see `look_after`.
    looks: Cell<bool>,
    /// The next alarm tries dead letters.
    delivers: Cell<bool>,
}

#[wasm_bindgen]
impl Root {
    /// Called by the runtime, by way of `entry.mjs`; so are the others.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        let settings = settings(&env);
        Self {
            inner: Rc::new(Inner {
                state: State::new(state),
                env,
                settings,
                writer: Writer::default(),
                purge_writer: Writer::default(),
                index_writer: Writer::default(),
                holds_purges: Cell::new(false),
                alarm_millis: Cell::new(0),
                looks: Cell::new(false),
                delivers: Cell::new(false),
            }),
        }
    }

    /// A call of the Worker or of a shard.
    pub fn fetch(&self, request: Request) -> Promise {
        let inner = Rc::clone(&self.inner);
        promise(
            async move { Ok(inner.answer(request).await.unwrap_or_else(|problem| problem.respond()).into()) },
        )
    }

    /// The alarm rings.
    pub fn alarm(&self) -> Promise {
        let inner = Rc::clone(&self.inner);
        promise(async move {
            inner.ring().await;
            Ok(JsValue::UNDEFINED)
        })
    }
}

impl Inner {
    async fn ring(&self) {
        self.alarm_millis.set(0);
        if let Err(error) = self.publish_learned().await {
            console_error!("root: not published, tried again soon: {error}");
            self.set_alarm(AGAIN_MILLIS).await;
        }
        if self.holds_purges.get()
            && let Err(error) = self.write_purges().await
        {
            console_error!("root: purges stay: {error}");
        }
        if let Err(error) = self.write_indexes(false).await {
            console_error!("root: indexes stay: {error}");
        }
        if let Err(error) = self.deliver_letters().await {
            console_error!("root: letters stay: {error}");
        }
    }

    async fn answer(&self, request: Request) -> Result<Response, Problem> {
        let path = request::path(&request);
        let is_get = request.method() == Method::Get;
        if is_get {
            return self.tell(&path);
        }
        let body = request::body(&request, MAX_BODY_BYTES).await;
        let body = body.map_err(|_| Problem::too_large(MAX_BODY_BYTES))?;
        match path.as_str() {
            "/shard" => self.take_statistics(&request, body).await,
            "/config" => self.put_config(&request, &body),
            "/publish" => self.publish(&request, &body, "publish").await,
            "/rollback" => self.publish(&request, &body, "rollback").await,
            "/purge" => self.purge(&request, &body).await,
            "/indexes/put" => self.switch_index(&request, &body, "put").await,
            "/indexes/rollback" => self.switch_index(&request, &body, "rollback").await,
            "/indexes/delete" => self.switch_index(&request, &body, "delete").await,
            "/dead" => self.take_letters(&body),
            "/wake" => {
                self.looks.set(true);
                self.delivers.set(true);
                self.set_alarm(0).await;
                Ok(done())
            }
            _ => Err(Problem::not_found()),
        }
    }

    fn tables(&self) -> Result<Store<'_>, Problem> {
        Store::open(&self.state).map_err(failed)
    }

    fn tell(&self, path: &str) -> Result<Response, Problem> {
        let tables = self.tables()?;
        match path {
            "/config" => {
                let (version, json) = versions::head(&tables)?;
                let response = respond::with(200, "application/json", json.into_bytes());
                respond::set(&response, "etag", &format!("\"{version}\""));
                Ok(response)
            }
            "/versions" => {
                let versions = tables.versions().map_err(failed)?;
                Ok(respond::json(200, &Versions { versions }))
            }
            "/shards" => {
                let names = tables.shard_names(&self.settings.site).map_err(failed)?;
                Ok(respond::json(200, &Shards { names }))
            }
            "/status" => Ok(respond::json(200, &self.status(&tables).map_err(failed)?)),
            "/indexes" => Ok(respond::json(200, &tables.indexes().map_err(failed)?)),
            _ if path.starts_with("/indexes/") => {
                let mut parts = path.split('/').skip(2);
                let (name, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                let manifest = tables.manifest(name, version).map_err(failed)?;
                let manifest = manifest.ok_or_else(Problem::not_found)?;
                Ok(respond::with(200, "application/json", manifest.into_bytes()))
            }
            _ => {
                let version = path.strip_prefix("/snapshots/").ok_or_else(Problem::not_found)?;
                let bytes = tables.bytes_by_version(version).map_err(failed)?;
                let bytes = bytes
                    .ok_or_else(|| Problem::new(404, "Not found", "There is no such snapshot (any more)."))?;
                Ok(respond::with(200, "application/octet-stream", bytes))
            }
        }
    }

    fn status(&self, tables: &Store) -> Result<Status> {
        let statistics = tables.statistics()?;
        let config_version = tables.meta(Meta::Published)?;
        let json = config_version.as_deref().map(|version| tables.config(version)).transpose()?.flatten();
        let (dead_letters, dead_events) = tables.n_letters()?;
        let config: Config = json.map(|json| stored_config(&json)).transpose()?.unwrap_or_default();
        let now = now_millis();
        let latest = tables.latest()?;
        let before = publish::learned_of(tables, latest.as_ref())?;
        let mut refused = Map::new();
        for (kind, n) in statistics.refused() {
            refused.insert(kind.to_string(), n.into());
        }
        Ok(Status {
            site: self.settings.site.clone(),
            snapshot: latest.map(|row| SnapshotReport {
                age_millis: now.saturating_sub(row.at_millis),
                version: row.version,
                sequence: row.sequence,
                published_millis: row.at_millis,
            }),
            config_version,
            slots: report::slots(&config, &statistics, Since { now_millis: now, before: &before }),
            refused,
            repeated: statistics.repeats(),
            shards: tables.shards()?,
            dead_letters,
            dead_events,
        })
    }

    /// A shard's cumulative statistics; sent again they change nothing.
    async fn take_statistics(&self, request: &Request, body: Vec<u8>) -> Result<Response, Problem> {
        let name = header(request, "x-name").unwrap_or_default();
        let version = header(request, "x-version").and_then(|version| version.parse().ok()).unwrap_or(0);
        // Read before it is stored: a value that can't be read would stop every publication.
        Statistics::from_bytes(&body)
            .map_err(|error| Problem::new(400, "Not statistics", error.to_string()))?;
        let tables = self.tables()?;
        if tables.put_shard(&name, version, &body, now_millis()).map_err(failed)? {
            let latest = tables.latest().map_err(failed)?.map_or(0, |row| row.at_millis);
            let due = (latest + self.settings.publish_millis).saturating_sub(now_millis());
            self.set_alarm(due).await;
        }
        // 202: taken, and somebody's events still wait here.
        let status = if tables.holds_letters().map_err(failed)? { 202 } else { 204 };
        Ok(respond::with(status, "text/plain", Vec::new()))
    }

    fn put_config(&self, request: &Request, body: &[u8]) -> Result<Response, Problem> {
        let json = std::str::from_utf8(body).map_err(failed)?;
        let condition =
            Condition::of(header(request, "if-match"), header(request, "if-none-match").as_deref());
        let (who, message) = signature(request);
        let version = versions::put(&self.tables()?, json, &condition, (&who, &message), now_millis())?;
        let response = respond::json(200, &object(&[("version", &version)]));
        respond::set(&response, "etag", &format!("\"{version}\""));
        Ok(response)
    }

    async fn publish(&self, request: &Request, body: &[u8], what: &'static str) -> Result<Response, Problem> {
        let choice = json::read(body).unwrap_or_default();
        let version = json::text(&choice, "version").ok_or_else(|| {
            let detail = "not the text of a version; hint: one of the list of versions".to_string();
            Problem::new(422, "Not a version", "Send {\"version\": \"…\"}.")
                .errors(vec![FieldError { pointer: "/version".into(), detail }])
        })?;
        let row = self.choose(request, version, what)?;
        // Written before answering, and written again where nothing changed: it mends a value that was lost.
        if let Err(error) = self.writer.write(&self.state, &self.env, &self.settings, true).await {
            console_error!("root: KV: {error}");
            self.set_alarm(AGAIN_MILLIS).await;
            return Err(Problem::try_again(
                "It is stored, but not yet written where visitors are; that is tried again.",
            ));
        }
        Ok(respond::json(
            200,
            &object(&[("version", &version), ("snapshot", &row.version), ("sequence", &row.sequence)]),
        ))
    }

    fn choose(&self, request: &Request, version: &str, what: &'static str) -> Result<SnapshotRow, Problem> {
        let tables = self.tables()?;
        let json = tables.config(version).map_err(failed)?.ok_or_else(|| versions::unknown(version))?;
        let shards = stored_config(&json).map_err(failed)?.ledger.shards.unwrap_or(1);
        // Built first: a version that can't be published does not become the published one.
        let row = publish::build(&tables, version).map_err(failed)?;
        let (who, message) = signature(request);
        let deed = Deed { what, version, who: &who, message: &message };
        tables.choose(&deed, shards, now_millis()).map_err(failed)?;
        Ok(row)
    }

    async fn purge(&self, request: &Request, body: &[u8]) -> Result<Response, Problem> {
        let purge = purges::check(body)?;
        let tables = self.tables()?;
        let (who, message) = signature(request);
        let noted = purges::add(&tables, &purge, &who, &message, now_millis()).map_err(failed)?;
        if let Err(error) = self.write_purges().await {
            console_error!("root: purge: {error}");
            return Err(Problem::try_again(
                "It is noted, but not yet written where visitors are; that is tried again.",
            ));
        }
        Ok(respond::json(200, &noted))
    }

    /// Brings the purges where visitors are, or sees to it that it is tried again.
    async fn write_purges(&self) -> Result<()> {
        let written = self.purge_writer.write_purges(&self.state, &self.env, &self.settings).await;
        self.holds_purges.set(written.is_err());
        if written.is_err() {
            self.set_alarm(AGAIN_MILLIS).await;
        }
        written
    }

    /// Changes an index, and has that written where isolates are.
    async fn switch_index(&self, request: &Request, body: &[u8], what: &str) -> Result<Response, Problem> {
        let name = request::query(request, "name").unwrap_or_default();
        let (who, message) = signature(request);
        let before = request::query(request, "before").unwrap_or_default();
        let change = Change { what, name: &name, who: &who, message: &message, before: &before };
        let tables = self.tables()?;
        let told = match what {
            "delete" => indexes::delete(&tables, &change, now_millis()).map(|()| None)?,
            _ => {
                let text = std::str::from_utf8(body).map_err(failed)?;
                Some(indexes::put(&tables, &change, text, now_millis())?)
            }
        };
        // Written again where nothing changed: it mends a value that was lost.
        if let Err(error) = self.write_indexes(true).await {
            console_error!("root: indexes: {error}");
            return Err(Problem::try_again(
                "It is stored, but not yet written where visitors are; that is tried again.",
            ));
        }
        Ok(told.map_or_else(done, |told| respond::json(200, &told)))
    }

    /// Brings the indexes where visitors are, or sees to it that it is tried again.
    async fn write_indexes(&self, again: bool) -> Result<()> {
        let written =
            indexes::write(&self.index_writer, &self.state, (&self.env, &self.settings), again).await;
        if written.is_err() {
            self.set_alarm(AGAIN_MILLIS).await;
        }
        written
    }

    /// Letters from the consumer of the dead-letter queue, which acknowledges them once this is answered.
    fn take_letters(&self, body: &[u8]) -> Result<Response, Problem> {
        let Letters { letters } = Letters::read(body).map_err(failed)?;
        if !self.tables()?.put_letters(&letters, now_millis()).map_err(failed)? {
            console_error!("root: no room for {} dead letters; they stay in their queue", letters.len());
            return Err(Problem::try_again("There is no room for more dead letters."));
        }
        Ok(done())
    }

    /// Once the cron has asked: dead letters, a round per alarm, as long as it gets some delivered.
    async fn deliver_letters(&self) -> Result<()> {
        if self.delivers.take() && letters::deliver(&self.env, &Store::open(&self.state)?).await? {
            self.delivers.set(true);
            self.set_alarm(0).await;
        }
        Ok(())
    }

    /// Wakes the shards, should an alarm of theirs have given up. Returns whether KV has lost its value.
    async fn look_after(&self, tables: &Store<'_>) -> Result<bool> {
        let names = tables.shard_names(&self.settings.site)?;
        // Side by side: one that hangs must not keep the others asleep.
        platform::all(names.iter().map(|name| wake(&self.env, name))).await;
        let has_indexes = tables.last_change()? > 0;
        if has_indexes && !platform::kv_has(&self.env, STATE, &self.settings.indexes_key(), KV_LIMIT).await? {
            self.write_indexes(true).await?;
        }
        self.writer.is_missing(&self.state, &self.env, &self.settings).await
    }

    /// The alarm: publishes what was learned meanwhile.
    async fn publish_learned(&self) -> Result<()> {
        let tables = Store::open(&self.state)?;
        let mut again = false;
        if self.looks.take() {
            // What was learned is published all the same.
            again = self.look_after(&tables).await.unwrap_or_else(|error| {
                console_error!("root: not looked after: {error}");
                false
            });
        }
        let Some(version) = tables.meta(Meta::Published)? else { return Ok(()) };
        publish::build(&tables, &version)?;
        self.writer.write(&self.state, &self.env, &self.settings, again).await
    }

    /// Sees to it that the alarm rings; one that is overdue by a minute has given up and is set again.
    async fn set_alarm(&self, after_millis: u64) {
        let now = now_millis();
        let due = self.alarm_millis.get();
        if due != 0 && due <= now + after_millis && due + 60_000 > now {
            return;
        }
        self.alarm_millis.set(now + after_millis);
        if let Err(error) = self.state.set_alarm(after_millis).await {
            self.alarm_millis.set(0);
            console_error!("root: no alarm: {error}");
        }
    }
}

/// Who did it, by key id, and why, in their words.
fn signature(request: &Request) -> (String, String) {
    (header(request, "x-who").unwrap_or_default(), request::query(request, "message").unwrap_or_default())
}

fn done() -> Response {
    respond::with(204, "text/plain", Vec::new())
}
