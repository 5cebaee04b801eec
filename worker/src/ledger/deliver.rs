//! Brings events to their shards: one call per shard with a deadline, one more try where it may help, else the queue.

use super::overflow;
use super::{Batch, Groups, Outcomes};
use crate::bindings::SHARD;
use crate::faults;
use crate::refusals;
use edgeloom::event::Event;
use edgeloom::statistics::Statistics;
use futures_util::future::{Either, join_all, select};
use std::pin::pin;
use std::time::Duration;
use wasm_bindgen::JsValue;
use worker::{Delay, Env, Error, Headers, Method, Request, RequestInit, console_error};

/// Beyond this the queue is faster. A late commit and the queued copy meet in the shard, where one is a repeat.
const LIMIT: Duration = Duration::from_millis(1_500);

/// What became of the events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Delivery {
    /// Of those that shards answered for.
    pub outcomes: Outcomes,
    /// Taken by the queue.
    pub queued: usize,
    /// Taken by nobody: whoever sent them has to keep them.
    pub failed: usize,
}

/// Why a shard did not take its events.
enum Failure {
    /// It restarts; a new stub may reach it.
    Retryable,
    /// It has too much to do, does not answer, or answers with an error.
    Other,
}

/// Delivers groups of events, shards side by side.
pub async fn deliver(env: &Env, groups: Groups, fault: Option<&str>) -> Delivery {
    let mut refused = refusals::take();
    let calls = groups.0.into_iter().map(|(shard, events)| {
        // Refusals counted since the last call travel with the first one.
        let batch = Batch { events, refused: std::mem::take(&mut refused) };
        deliver_one(env, shard, batch, fault)
    });
    let mut delivery = Delivery::default();
    for one in join_all(calls).await {
        delivery.outcomes.add(one.outcomes);
        delivery.queued += one.queued;
        delivery.failed += one.failed;
    }
    delivery
}

async fn deliver_one(env: &Env, shard: String, batch: Batch, fault: Option<&str>) -> Delivery {
    if let Ok(outcomes) = call(env, &shard, &batch, fault).await {
        return Delivery { outcomes, ..Delivery::default() };
    }
    refusals::put_back(&batch.refused);
    let n_events = batch.events.len();
    match overflow::send(env, &shard, &batch.events, fault).await {
        Ok(()) => Delivery { queued: n_events, ..Delivery::default() },
        Err(error) => {
            console_error!("ledger: {n_events} events found neither shard nor queue: {error}");
            Delivery { failed: n_events, ..Delivery::default() }
        }
    }
}

/// Brings events to their shard, without the queue behind it. `None` when the shard did not take them.
pub async fn deliver_direct(env: &Env, shard: &str, events: Vec<Event>) -> Option<Outcomes> {
    call(env, shard, &Batch { events, refused: Statistics::default() }, None).await.ok()
}

/// Brings refusals alone to a shard. Returns whether it took them.
pub async fn deliver_refusals(env: &Env, shard: &str, refused: &Statistics) -> bool {
    call(env, shard, &Batch { events: Vec::new(), refused: refused.clone() }, None).await.is_ok()
}

async fn call(env: &Env, shard: &str, batch: &Batch, fault: Option<&str>) -> Result<Outcomes, Failure> {
    let body = serde_json::to_string(batch).map_err(|_| Failure::Other)?;
    match call_once(env, shard, &body, fault).await {
        Err(Failure::Retryable) => call_once(env, shard, &body, fault).await,
        answer => answer,
    }
}

/// One call; with a new stub, for one that failed stays broken.
async fn call_once(env: &Env, shard: &str, body: &str, fault: Option<&str>) -> Result<Outcomes, Failure> {
    let failed = |error: Error| {
        console_error!("ledger: a shard failed: {error}");
        failure(&error)
    };
    let request = post("http://shard/events", body, fault).map_err(failed)?;
    let stub =
        env.durable_object(SHARD).and_then(|namespace| namespace.get_by_name(shard)).map_err(failed)?;
    let answer = async {
        let mut response = stub.fetch_with_request(request).await?;
        match response.status_code() {
            200 => Outcomes::read(&response.bytes().await?).map_err(Error::RustError),
            status => Err(Error::RustError(format!("status {status}"))),
        }
    };
    match select(pin!(answer), pin!(Delay::from(LIMIT))).await {
        Either::Left((answer, _)) => answer.map_err(failed),
        Either::Right(_) => {
            console_error!("ledger: a shard is late");
            Err(Failure::Other)
        }
    }
}

fn post(url: &str, body: &str, fault: Option<&str>) -> worker::Result<Request> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(JsValue::from_str(body)));
    if let Some(fault) = fault {
        let headers = Headers::new();
        headers.set(faults::HEADER, fault)?;
        init.with_headers(headers);
    }
    Request::new_with_init(url, &init)
}

/// What the runtime says of an error: `overloaded` wins, for a retry would make it worse.
fn failure(error: &Error) -> Failure {
    let Error::UnknownJsError { original, .. } = error else { return Failure::Other };
    let says = |name: &str| {
        js_sys::Reflect::get(original, &JsValue::from_str(name)).is_ok_and(|value| value.is_truthy())
    };
    if says("retryable") && !says("overloaded") { Failure::Retryable } else { Failure::Other }
}

/// Rings a shard's alarm.
pub async fn wake(env: &Env, shard: &str) {
    let stub = env.durable_object(SHARD).and_then(|namespace| namespace.get_by_name(shard));
    let request = post("http://shard/wake", "", None);
    if let (Ok(stub), Ok(request)) = (stub, request)
        && let Err(error) = stub.fetch_with_request(request).await
    {
        console_error!("ledger: a shard does not wake: {error}");
    }
}
