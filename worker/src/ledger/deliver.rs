//! Brings events to their shards: one call per shard with a deadline, one more try where it may help, else the queue.

use super::overflow;
use super::{Batch, Groups, Outcomes};
use crate::bindings::SHARD;
use crate::faults;
use crate::platform::{self, Call, Env, Error, Response, Result, console_error};
use crate::refusals;
use edgeloom::event::Event;
use edgeloom::statistics::Statistics;
use std::time::Duration;

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
    for one in platform::all(calls).await {
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
    let body = batch.bytes();
    match call_once(env, shard, &body, fault).await {
        Err(Failure::Retryable) => call_once(env, shard, &body, fault).await,
        answer => answer,
    }
}

/// One call.
async fn call_once(env: &Env, shard: &str, body: &[u8], fault: Option<&str>) -> Result<Outcomes, Failure> {
    let failed = |error: Error| {
        console_error!("ledger: a shard failed: {error}");
        failure(&error)
    };
    let response = post(env, shard, "/events", body, fault).await.map_err(failed)?;
    match response.status() {
        200 => {
            let bytes = platform::answer_body(response).await.map_err(failed)?;
            Outcomes::read(&bytes).map_err(|error| failed(Error::new(error)))
        }
        status => Err(failed(Error::new(format_args!("status {status}")))),
    }
}

async fn post(env: &Env, shard: &str, path: &str, body: &[u8], fault: Option<&str>) -> Result<Response> {
    let line = fault.map(|fault| (faults::HEADER, fault));
    let lines = line.as_slice();
    let call =
        Call { binding: SHARD, name: shard, path, method: "POST", lines, body: Some(body), limit: LIMIT };
    call.send(env).await
}

/// What the runtime says of an error: `overloaded` wins, for a retry would make it worse.
fn failure(error: &Error) -> Failure {
    if error.has("retryable") && !error.has("overloaded") { Failure::Retryable } else { Failure::Other }
}

/// Rings a shard's alarm.
pub async fn wake(env: &Env, shard: &str) {
    if let Err(error) = post(env, shard, "/wake", &[], None).await {
        console_error!("ledger: a shard does not wake: {error}");
    }
}
