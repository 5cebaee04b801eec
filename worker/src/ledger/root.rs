//! The root of a site: keeps its configuration, adds its shards up and publishes. It never throws.

use super::publish::{self, Writer, stored_config};
use super::report::{self, DeadLetter, SnapshotReport, Status, Versions};
use super::root_store::{Deed, Meta, SnapshotRow, Store};
use super::versions::{self, Condition, failed};
use crate::bindings::{Settings, settings};
use crate::platform::{Env, Method, Request, Response, Result, State, console_error, promise};
use crate::problem::{FieldError, Problem};
use crate::request::{self, header, now_millis};
use crate::{json, respond};
use edgeloom::snapshot::wire::Config;
use edgeloom::statistics::Statistics;
use js_sys::Promise;
use serde_json::{Map, json};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// Largest call: statistics or a configuration that just fit into a row.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// Pause after a failed publication.
const AGAIN_MILLIS: u64 = 2_000;

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
    /// When the alarm will ring; zero: not set by this instance.
    alarm_millis: Cell<u64>,
    /// The next alarm also looks whether KV still has its value.
    looks: Cell<bool>,
}

#[wasm_bindgen]
impl Root {
    /// Called by the runtime, by way of `entry.mjs`; so are the others.
    #[wasm_bindgen(constructor)]
    pub fn new(state: State, env: Env) -> Self {
        let settings = settings(&env);
        Self {
            inner: Rc::new(Inner {
                state,
                env,
                settings,
                writer: Writer::default(),
                alarm_millis: Cell::new(0),
                looks: Cell::new(false),
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
            "/dead" | "/raised" => self.note_dead(path == "/dead", &body),
            "/wake" => {
                self.looks.set(true);
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
            "/status" => Ok(respond::json(200, &self.status(&tables).map_err(failed)?)),
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
        let config: Config = json.map(|json| stored_config(&json)).transpose()?.unwrap_or_default();
        let now = now_millis();
        let mut refused = Map::new();
        for (kind, n) in statistics.refused() {
            refused.insert(kind.to_string(), n.into());
        }
        Ok(Status {
            site: self.settings.site.clone(),
            snapshot: tables.latest()?.map(|row| SnapshotReport {
                age_millis: now.saturating_sub(row.at_millis),
                version: row.version,
                sequence: row.sequence,
                published_millis: row.at_millis,
            }),
            config_version,
            slots: report::slots(&config, &statistics),
            refused,
            repeated: statistics.repeats(),
            shards: tables.shards()?,
            dead_letters: tables.n_dead()?,
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
        Ok(done())
    }

    fn put_config(&self, request: &Request, body: &[u8]) -> Result<Response, Problem> {
        let json = std::str::from_utf8(body).map_err(failed)?;
        let condition =
            Condition::of(header(request, "if-match"), header(request, "if-none-match").as_deref());
        let (who, message) = signature(request);
        let version = versions::put(&self.tables()?, json, &condition, (&who, &message), now_millis())?;
        let response = respond::json(200, &json!({ "version": version }));
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
        let answer = json!({ "version": version, "snapshot": row.version, "sequence": row.sequence });
        Ok(respond::json(200, &answer))
    }

    fn choose(&self, request: &Request, version: &str, what: &'static str) -> Result<SnapshotRow, Problem> {
        let tables = self.tables()?;
        if tables.config(version).map_err(failed)?.is_none() {
            return Err(versions::unknown(version));
        }
        // Built first: a version that can't be published does not become the published one.
        let row = publish::build(&tables, version).map_err(failed)?;
        let (who, message) = signature(request);
        let deed = Deed { what, version, who: &who, message: &message };
        tables.choose(&deed, now_millis()).map_err(failed)?;
        Ok(row)
    }

    fn note_dead(&self, is_dead: bool, body: &[u8]) -> Result<Response, Problem> {
        let letter = DeadLetter::read(body).map_err(failed)?;
        let tables = self.tables()?;
        let noted =
            if is_dead { tables.put_dead(&letter, now_millis()) } else { tables.raise_dead(&letter.id) };
        noted.map_err(failed)?;
        Ok(done())
    }

    /// The alarm: publishes what was learned meanwhile.
    async fn publish_learned(&self) -> Result<()> {
        let tables = Store::open(&self.state)?;
        let Some(version) = tables.meta(Meta::Published)? else { return Ok(()) };
        publish::build(&tables, &version)?;
        let again =
            self.looks.take() && self.writer.is_missing(&self.state, &self.env, &self.settings).await?;
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
