//! `POST /_edgeloom/collect`: exposures and rewards from browsers and from trusted logs.
//!
//! Answered only when a shard has committed, or when the queue has taken what no shard took; else the sender keeps it.

pub mod gate;
mod import;
mod read;

use crate::bindings::{Settings, settings};
use crate::faults;
use crate::ledger::Groups;
use crate::ledger::deliver::{Delivery, deliver};
use crate::platform::{Context, Env, Method, Request, Response};
use crate::problem::Problem;
use crate::refusals;
use crate::request::{self, now_millis};
use crate::respond;
use crate::snapshots;
use edgeloom::event::Refusal;
use edgeloom::json::tell_fields;
use gate::Sender;
use read::Known;
use serde_json::{Map, Value};

/// What one call may hold.
struct Limits {
    bytes: usize,
    events: usize,
}

/// A page has some slots and goals; 50 events are many pages.
const PUBLIC: Limits = Limits { bytes: 64 * 1024, events: 50 };
/// For trusted logs: fewer and larger calls.
const IMPORT: Limits = Limits { bytes: 1024 * 1024, events: 1_000 };

/// Answers the route. Every answer carries the headers that let the sender's page read it.
pub async fn answer(request: Request, env: &Env, ctx: &Context) -> Response {
    let settings = settings(env);
    let state = snapshots::fresh(env).await;
    let origins = state.snapshot.as_ref().map_or(&[][..], |snapshot| &snapshot.origins);
    let sender = gate::sender(&request, &settings, origins);
    let answer = match (request.method(), &sender) {
        (_, Sender::Foreign) => {
            refusals::count(Refusal::Origin);
            Err(Problem::new(
                403,
                "Forbidden",
                "This origin may not send events here; the configuration lists those that may.",
            ))
        }
        (Method::Options, _) => Ok(respond::with(204, "text/plain", Vec::new())),
        (Method::Post, _) => take(request, env, &settings, &state, &sender).await,
        _ => Err(Problem::method("POST, OPTIONS")),
    };
    let response = answer.unwrap_or_else(|problem| problem.respond());
    gate::let_read(&response, &sender, "POST");
    // No cache keeps the answer to a POST; but after reading a `no-store` one a browser would load the page anew that sent
    // it, instead of taking it back from memory when its visitor returns.
    respond::set(&response, "cache-control", "no-cache");
    refusals::flush_later(env, ctx);
    response
}

async fn take(
    request: Request,
    env: &Env,
    settings: &Settings,
    state: &snapshots::State,
    sender: &Sender,
) -> Result<Response, Problem> {
    let fault = faults::asked(settings, &request);
    match fault.as_deref() {
        Some("collect-panic") => faults::panic_now("collect"),
        Some("load-panic") => faults::arm_load(),
        _ => {}
    }
    if !gate::has_text_type(&request) {
        return Err(Problem::new(
            415,
            "Unsupported media type",
            "Send JSON as application/json or text/plain.",
        ));
    }
    let is_import = matches!(sender, Sender::Import);
    let limits = if is_import { IMPORT } else { PUBLIC };
    if !is_import && !gate::is_within_rate(&request, env, settings, "").await {
        refusals::count(Refusal::Rate);
        return Err(Problem::new(429, "Too many requests", "Keep the events and send them later.")
            .header("retry-after", "30"));
    }
    let body = request::read(&request, limits.bytes).await?;
    let items = read::items(&body).map_err(|detail| {
        refusals::count(Refusal::Malformed);
        Problem::new(400, "Not readable", detail)
    })?;
    if items.len() > limits.events {
        let detail = format!("{} events; at most {} are taken at once.", items.len(), limits.events);
        return Err(Problem::new(413, "Too many events", detail));
    }
    let (Some(snapshot), Some(keyring)) = (&state.snapshot, &settings.receipts) else {
        return Err(Problem::try_again("Nothing is published here, so no event can be checked. Keep them."));
    };
    let known = Known { settings, snapshot, keyring, now_millis: now_millis(), is_import };
    let mut groups = Groups::default();
    let mut refused = Map::new();
    for item in items {
        // One that is wrong never costs the others.
        if let Err(refusal) = read::event(&item, &known, &mut groups) {
            refusals::count(refusal);
            add(&mut refused, refusal, 1);
        }
    }
    let delivery =
        if groups.len() == 0 { Delivery::default() } else { deliver(env, groups, fault.as_deref()).await };
    report(&delivery, refused)
}

fn add(refused: &mut Map<String, Value>, refusal: Refusal, n: usize) {
    let count = refused.entry(refusal.as_str()).or_insert(Value::from(0));
    *count = Value::from(count.as_u64().unwrap_or(0) + n as u64);
}

fn report(delivery: &Delivery, mut refused: Map<String, Value>) -> Result<Response, Problem> {
    if delivery.failed > 0 {
        // Those that were taken are repeats when they come again.
        return Err(Problem::try_again(
            "The events could not be stored. Keep them and send all of them again.",
        ));
    }
    let outcomes = delivery.outcomes;
    for (refusal, n) in [(Refusal::Full, outcomes.full), (Refusal::Late, outcomes.late)] {
        if n > 0 {
            add(&mut refused, refusal, n);
        }
    }
    let accepted = outcomes.new + outcomes.waiting;
    let queued = (delivery.queued > 0).then_some(delivery.queued);
    let names = ["accepted", "repeated", "refused", "queued"];
    let told = tell_fields(&names, 3, &[&accepted, &outcomes.repeat, &refused, &queued]);
    Ok(respond::json(if queued.is_none() { 200 } else { 202 }, &told))
}
