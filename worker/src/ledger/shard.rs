//! A shard of the ledger: takes verified events, counts each once, and answers when that is on disk.
//!
//! Requests that arrive within some milliseconds share a commit. Nothing is awaited between reading rows and writing
//! them, so no other request can come between; the runtime holds every answer back until the write is durable.

use super::shard_store::{self as store, Rows, Tally};
use super::{Batch, IMPORT, Outcomes, log, root_call};
use crate::bindings::{Settings, settings};
use crate::platform::{self, Env, Error, Method, Request, Response, Result, State, console_error, promise};
use crate::problem::Problem;
use crate::request::{self, now_millis};
use crate::{faults, respond};
use edgeloom::event::Refusal;
use edgeloom::fold::{RowId, fold};
use edgeloom::seed::HOUR_MILLIS;
use edgeloom::statistics::{Part, Statistics};
use futures_channel::oneshot;
use js_sys::Promise;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::prelude::*;
use worker_sys::DurableObjectState;

/// How long a commit waits for company. One commit writes the statistics once, so company is what makes it cheap.
const GROUP_MILLIS: u64 = 5;
/// A group of this many events does not wait any longer.
const GROUP_EVENTS: usize = 2_000;
/// Largest call: 2,000 events of 250 bytes at most, and refusals.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// How long tokens are kept after their decision: the longest window there is (336 hours, plus the hour of a shared
/// receipt) and four weeks for what comes by way of the queues: the overflow and its dead letters, a fortnight each. While
/// letters wait in the root none is forgotten at all. Events of forgotten hours are refused, for a repeat would no longer
/// be known.
const KEEP_MILLIS: u64 = (336 + 1 + 28 * 24) * HOUR_MILLIS;
/// Rows deleted per alarm: a deletion is a write, and others wait for it.
const FORGET_ROWS: u64 = 2_000;

/// A shard of the ledger.
#[wasm_bindgen]
pub struct Shard {
    inner: Rc<Inner>,
}

struct Inner {
    state: State,
    env: Env,
    settings: Rc<Settings>,
    /// Requests of the group that is being collected.
    waiting: RefCell<Vec<Waiting>>,
    /// What is stored, while that is certain; dropped on every error and read again.
    tally: RefCell<Option<Tally>>,
    is_prepared: Cell<bool>,
    /// When the alarm will ring.
    alarm_millis: Cell<u64>,
    /// The version the root has.
    pushed: Cell<u64>,
    forgot_millis: Cell<u64>,
}

/// A request whose events are not yet committed.
struct Waiting {
    batch: Batch,
    answer: oneshot::Sender<Option<Outcomes>>,
}

#[wasm_bindgen]
impl Shard {
    /// Called by the runtime, by way of `entry.mjs`; so are the others.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        let settings = settings(&env);
        Self {
            inner: Rc::new(Inner {
                state: State::new(state),
                env,
                settings,
                waiting: RefCell::default(),
                tally: RefCell::default(),
                is_prepared: Cell::new(false),
                alarm_millis: Cell::new(0),
                pushed: Cell::new(0),
                forgot_millis: Cell::new(0),
            }),
        }
    }

    /// A call of the Worker.
    pub fn fetch(&self, request: Request) -> Promise {
        let answer = Rc::clone(&self.inner).answer(request);
        promise(async { Ok(answer.await.unwrap_or_else(|problem| problem.respond()).into()) })
    }

    /// The alarm rings.
    pub fn alarm(&self) -> Promise {
        let inner = Rc::clone(&self.inner);
        promise(async move {
            inner.report().await;
            Ok(JsValue::UNDEFINED)
        })
    }
}

impl Inner {
    async fn answer(self: Rc<Self>, request: Request) -> Result<Response, Problem> {
        let fault = faults::asked(&self.settings, &request);
        match (request.method(), request::path(&request).as_str()) {
            (Method::Post, "/events") => {}
            (Method::Get, "/log") => return self.log(&request),
            (Method::Post, "/wake") => {
                // Told again, whether it changed or not: the answer says whether something waits there for this shard.
                self.pushed.set(0);
                self.set_alarm(0).await;
                return Ok(respond::with(204, "text/plain", Vec::new()));
            }
            _ => return Err(Problem::not_found()),
        }
        match fault.as_deref() {
            Some("shard-panic") => faults::panic_now("shard"),
            Some("shard-throw") => return Err(Problem::internal()),
            Some("shard-slow") => platform::sleep(Duration::from_secs(3)).await,
            _ => {}
        }
        let body = request::body(&request, MAX_BODY_BYTES).await;
        let body = body.map_err(|_| Problem::too_large(MAX_BODY_BYTES))?;
        let batch = Batch::read(&body).map_err(|error| Problem::new(400, "Not a batch", error))?;
        let outcomes = Rc::clone(&self).join_group(batch).await.ok_or_else(Problem::internal)?;
        self.set_alarm(self.settings.publish_millis).await;
        Ok(respond::json(200, &outcomes))
    }

    /// A page of the log.
    fn log(&self, request: &Request) -> Result<Response, Problem> {
        let number = |name| log::whole(request::query(request, name).filter(|text| !text.is_empty()), name);
        let asked = |name| number(name).map_err(|name| Problem::new(400, "Not a page", name));
        let after = request::query(request, "after").filter(|text| !text.is_empty());
        let after = after.map(|_| asked("after")).transpose()?;
        let page = log::Page { after, from_millis: asked("from")?, rows: asked("rows")? };
        let told = store::prepare(&self.state).and_then(|()| log::page(&self.state, &page));
        let (lines, last) = told.map_err(|error| {
            console_error!("shard: no log: {error}");
            Problem::internal()
        })?;
        let response = respond::with(200, log::CONTENT_TYPE, lines.into_bytes());
        if let Some(last) = last {
            respond::set(&response, "x-last", &last.to_string());
        }
        Ok(response)
    }

    /// Puts a batch into the next commit and waits for it.
    async fn join_group(self: Rc<Self>, batch: Batch) -> Option<Outcomes> {
        let (answer, outcome) = oneshot::channel();
        let (is_first, n_events) = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.push(Waiting { batch, answer });
            (waiting.len() == 1, waiting.iter().map(|w| w.batch.events.len()).sum::<usize>())
        };
        if n_events >= GROUP_EVENTS {
            self.commit_group();
        } else if is_first {
            let inner = Rc::clone(&self);
            // Not in this request's own future: when its client goes away, the others must not wait for ever.
            self.state.wait_until(async move {
                platform::sleep(Duration::from_millis(GROUP_MILLIS)).await;
                inner.commit_group();
            });
        }
        outcome.await.ok().flatten()
    }

    fn commit_group(&self) {
        let group = self.waiting.take();
        // Committed for its size before its time was up.
        if group.is_empty() {
            return;
        }
        let batches: Vec<&Batch> = group.iter().map(|waiting| &waiting.batch).collect();
        let outcomes: Vec<Option<Outcomes>> = match self.commit(&batches) {
            Ok(outcomes) => outcomes.into_iter().map(Some).collect(),
            Err(error) => {
                console_error!("shard: a commit of {} requests failed: {error}", batches.len());
                // One that can't be stored must not cost the others.
                batches
                    .iter()
                    .map(|batch| self.commit(&[batch]).ok().and_then(|all| all.first().copied()))
                    .collect()
            }
        };
        for (waiting, outcome) in group.into_iter().zip(outcomes) {
            // A client that went away does not take its answer.
            let _ = waiting.answer.send(outcome);
        }
    }

    /// Counts the events of some requests: tokens and statistics in one transaction, without an `await`.
    fn commit(&self, batches: &[&Batch]) -> Result<Vec<Outcomes>> {
        if !self.is_prepared.get() {
            store::prepare(&self.state)?;
            self.is_prepared.set(true);
        }
        // Taken out: whatever goes wrong from here on, it is read again.
        let mut tally = match self.tally.take() {
            Some(tally) => tally,
            None => store::tally(&self.state)?,
        };
        let is_import = self.name().ends_with(IMPORT);
        let row_of = if is_import { RowId::undated } else { RowId::of };
        let ids: Vec<RowId> = batches.iter().flat_map(|batch| &batch.events).map(row_of).collect();
        let forgotten = tally.forgotten;
        let kept = ids.iter().copied().filter(|id| *id >= forgotten).collect();
        let mut rows = Rows::read(&self.state, kept)?;
        let mut ids = ids.into_iter();
        let mut all = Vec::with_capacity(batches.len());
        for batch in batches {
            let mut outcomes = Outcomes::default();
            for (event, id) in batch.events.iter().zip(&mut ids) {
                let Some(row) = rows.entry(id) else {
                    outcomes.late += 1;
                    tally.statistics.refuse(Refusal::Late, 1);
                    continue;
                };
                let (outcome, mut delta) = fold(&mut row.tokens, event);
                if is_import {
                    // A log without a holdout is on no side of the comparison with it.
                    delta.counts.own = Part::default();
                }
                row.is_changed |= outcome.changes_tokens();
                tally.statistics.apply(&delta);
                outcomes.note(outcome);
            }
            tally.statistics.merge(&batch.refused);
            all.push(outcomes);
        }
        tally.version += 1;
        store::save(&self.state, &rows, &tally)?;
        *self.tally.borrow_mut() = Some(tally);
        Ok(all)
    }

    fn name(&self) -> String {
        self.state.name()
    }

    /// Sees to it that the alarm rings; one that is overdue by a minute has given up and is set again.
    async fn set_alarm(&self, after_millis: u64) {
        let now = now_millis();
        let due = self.alarm_millis.get();
        if after_millis > 0 && due + 60_000 > now && due != 0 {
            return;
        }
        self.alarm_millis.set(now + after_millis);
        if let Err(error) = self.state.set_alarm(after_millis).await {
            self.alarm_millis.set(0);
            console_error!("shard: no alarm: {error}");
        }
    }

    /// The alarm: tells the root what was counted so far, and forgets old tokens.
    async fn report(&self) {
        self.alarm_millis.set(0);
        let forgets = self.is_time_to_forget();
        if forgets {
            // Told again, whether it changed or not: only the root knows at this moment whether letters wait there.
            self.pushed.set(0);
        }
        let again = match self.push().await {
            Ok(may_forget) => forgets && may_forget && self.forget(),
            Err(error) => {
                console_error!("shard: the root did not take the statistics: {error}");
                true
            }
        };
        if again {
            self.set_alarm(self.settings.publish_millis).await;
        }
    }

    /// Brings the root up to date. Returns whether tokens may be forgotten: not while events wait there that may be repeats.
    async fn push(&self) -> Result<bool> {
        let Some((version, bytes)) = self.unpushed()? else { return Ok(false) };
        let (name, number) = (self.name(), version.to_string());
        let lines = [("x-name", name.as_str()), ("x-version", number.as_str())];
        let answer = root_call::post(&self.env, &self.settings.site, "/shard", &lines, &bytes).await?;
        match answer.status() {
            status @ 200..300 => {
                self.pushed.set(version);
                Ok(status != 202)
            }
            status => Err(Error::new(format_args!("status {status}"))),
        }
    }

    /// Cumulative statistics the root does not have yet.
    fn unpushed(&self) -> Result<Option<(u64, Vec<u8>)>> {
        store::prepare(&self.state)?;
        // From the table, not from memory: what is told is what is stored.
        let tally = store::tally(&self.state)?;
        if tally.version <= self.pushed.get() || tally.statistics == Statistics::default() {
            return Ok(None);
        }
        let bytes = tally.statistics.to_bytes();
        Ok(Some((tally.version, bytes)))
    }

    /// Once an hour.
    fn is_time_to_forget(&self) -> bool {
        self.forgot_millis.get() + HOUR_MILLIS <= now_millis()
    }

    /// Forgets some old tokens. Returns whether there is more to do at once.
    fn forget(&self) -> bool {
        let now = now_millis();
        // Read again at the next commit: it holds the row up to which this forgets.
        self.tally.take();
        match store::forget(&self.state, now.saturating_sub(KEEP_MILLIS), FORGET_ROWS) {
            Ok(true) => true,
            Ok(false) => {
                self.forgot_millis.set(now);
                false
            }
            Err(error) => {
                console_error!("shard: old tokens stay: {error}");
                false
            }
        }
    }
}
