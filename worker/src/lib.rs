//! The Cloudflare face: what the runtime calls, and the table of our own routes. It knows the platform and decides
//! nothing; decisions are the core's.
//!
//! `worker/entry.mjs` is what the runtime loads. It calls the exports of this file behind a guard; a page goes through
//! `plan` and a slot of one through `fragment` (synchronous), everything else below `/_edgeloom/` through `api`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod admin;
mod bindings;
mod collect;
mod decision;
mod faults;
mod fields;
pub mod fragment;
mod health;
pub mod indexes;
pub mod interests;
pub mod items;
mod json;
mod kept;
mod ledger;
mod nearest;
pub mod page;
mod platform;
mod problem;
mod queue;
mod refusals;
mod request;
mod respond;
mod secret;
pub mod served;
mod snapshots;
mod status;
pub mod variant;
pub mod visitor;

use bindings::settings;
use edgeloom::event::Event;
use js_sys::Promise;
use ledger::{Groups, deliver::deliver, root_call};
use platform::{Context, Env, MessageBatch, Method, Request, Response, console_error, promise};
use problem::Problem;
use request::now_millis;
use served::Moment;
use std::cell::RefCell;
use std::pin::Pin;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_random(bytes: &mut [u8]);
}

/// What a page view gets; see [`page::plan`] and [`page::Plan::packed`]. Nothing where nothing can be decided.
#[wasm_bindgen]
pub fn plan(env: &Env, facts: &str) -> Option<Vec<u8>> {
    let settings = settings(env);
    let keyring = settings.receipts.as_ref()?;
    let moment = moment();
    let state = snapshots::current(&settings, moment.now);
    Some(page::plan(&current(&state), keyring, &settings.loop_token, facts, &moment).packed())
}

/// One slot of a page, in the form of a plan; see [`fragment::plan`]. Nothing where nothing can be decided.
#[wasm_bindgen]
pub fn fragment(env: &Env, facts: &str, slot: &str) -> Option<Vec<u8>> {
    let settings = settings(env);
    let keyring = settings.receipts.as_ref()?;
    let moment = moment();
    let state = snapshots::current(&settings, moment.now);
    Some(fragment::plan(&current(&state), keyring, facts, slot, &moment).packed())
}

thread_local! {
    /// Randomness of moments to come: asking for it takes longer than using it.
    static ENTROPY: RefCell<Vec<[u8; 48]>> = const { RefCell::new(Vec::new()) };
}

fn moment() -> Moment {
    let kept = ENTROPY.with_borrow_mut(Vec::pop);
    Moment { now: now_millis(), entropy: kept.unwrap_or_else(fresh_entropy) }
}

/// The first of many; the others are kept.
fn fresh_entropy() -> [u8; 48] {
    let mut fresh = [[0; 48]; 64];
    fill_random(fresh.as_flattened_mut());
    let [first, others @ ..] = fresh;
    ENTROPY.with_borrow_mut(|kept| kept.extend(others));
    first
}

fn current(state: &snapshots::State) -> page::Current<'_> {
    let snapshot = state.snapshot.as_deref();
    let shelves = snapshot.map(|snapshot| items::Shelves::of(snapshot, indexes::current)).unwrap_or_default();
    page::Current { snapshot, stale: state.stale, cold: state.cold, shelves }
}

/// Whether an answer with these headers can be rewritten; see [`page::rewritable`].
#[wasm_bindgen]
pub fn rewritable(headers: &str) -> bool {
    page::rewritable(headers)
}

/// The end of a page under its content security policy; see [`page::tail`].
#[wasm_bindgen]
pub fn tail(tail: &str, policy: &str) -> String {
    page::tail(tail, policy)
}

/// A real trap, for the fault suite; `page.mjs` calls it only where that is switched on.
#[wasm_bindgen]
pub fn panic() {
    faults::panic_now("page");
}

/// Marks our requests to the origin.
#[wasm_bindgen]
pub fn loop_token(env: &Env) -> String {
    settings(env).loop_token.clone()
}

/// Reads the published snapshot into the isolate's memory.
#[wasm_bindgen]
pub fn load(env: Env) -> Promise {
    promise(async move {
        snapshots::load(&env).await;
        Ok(JsValue::UNDEFINED)
    })
}

/// Reads the indexes that slots take items from into the isolate's memory, and what views asked for of visitors' interests;
/// after the snapshot, which says whether there is any such slot.
#[wasm_bindgen]
pub fn load_indexes(env: Env) -> Promise {
    promise(async move {
        interests::load(&env).await;
        indexes::load(&env).await;
        Ok(JsValue::UNDEFINED)
    })
}

/// Records events that the edge itself saw, in their binary form one after another. Rejected when neither a shard nor the
/// queue took all of them; sent again, those that were taken are repeats.
#[wasm_bindgen]
pub fn record(env: Env, events: Vec<u8>) -> Promise {
    promise(async move { recorded(&env, &events).await.map(|()| JsValue::UNDEFINED) })
}

async fn recorded(env: &Env, events: &[u8]) -> Result<(), JsValue> {
    let site = &settings(env).site;
    let mut groups = Groups::default();
    match Event::read_all(events) {
        Some(events) => events.into_iter().for_each(|event| groups.add(site, event)),
        // Sending them again would not mend them.
        None => console_error!("record: events of our own can't be read"),
    }
    if groups.len() == 0 {
        return Ok(());
    }
    match deliver(env, groups, None).await.failed {
        0 => Ok(()),
        failed => Err(JsValue::from_str(&format!("{failed} events are not stored"))),
    }
}

/// Answers everything below `/_edgeloom/`.
#[wasm_bindgen]
pub fn api(request: Request, env: Env, ctx: Context) -> Promise {
    promise(async move {
        let answer = route(request, &env, &ctx).await;
        Ok(answer.unwrap_or_else(|problem| problem.respond()).into())
    })
}

/// Takes a batch of the overflow queue or of its dead letters.
#[wasm_bindgen]
pub fn queue(batch: MessageBatch, env: Env) -> Promise {
    promise(async move {
        queue::consume(batch, &env).await;
        Ok(JsValue::UNDEFINED)
    })
}

/// Wakes the root of the site, which sees to its shards and to what could not be delivered.
#[wasm_bindgen]
pub fn scheduled(env: Env) -> Promise {
    promise(async move {
        wake(&env).await;
        Ok(JsValue::UNDEFINED)
    })
}

async fn wake(env: &Env) {
    if let Err(error) = root_call::post(env, &settings(env).site, "/wake", &[], &[]).await {
        console_error!("scheduled: the root does not wake: {error}");
    }
}

/// The table of our own routes. Each has its own box, so that a start compiles only the one that is asked for.
async fn route(request: Request, env: &Env, ctx: &Context) -> Result<Response, Problem> {
    let path = request::path(&request);
    let path = path.strip_prefix("/_edgeloom/").unwrap_or_default();
    let answer: Pin<Box<dyn Future<Output = Result<Response, Problem>> + '_>> = match (path, request.method())
    {
        ("collect", _) => Box::pin(async move { Ok(collect::answer(request, env, ctx).await) }),
        ("nearest", _) => Box::pin(nearest::answer(request, env, ctx)),
        ("decide", Method::Post) => Box::pin(decision::answer(request, env, ctx)),
        ("status", Method::Get) => Box::pin(status::answer(request, env)),
        ("health", Method::Get) => Box::pin(async move { Ok(health::answer(env).await) }),
        ("decide", _) => return Err(Problem::method("POST")),
        ("status" | "health", _) => return Err(Problem::method("GET")),
        _ => match path.strip_prefix("admin/") {
            Some(path) => match path.strip_prefix("interests/") {
                Some(key) => Box::pin(interests::answer(request, env, key)),
                None => Box::pin(admin::answer(request, env, path)),
            },
            None => Box::pin(asset(request, env)),
        },
    };
    answer.await
}

/// Files of ours that a browser needs, should a request for one come here at all.
async fn asset(request: Request, env: &Env) -> Result<Response, Problem> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return Err(Problem::not_found());
    }
    match platform::asset(env, &request).await {
        Ok(Some(response)) if response.status() != 404 => Ok(response),
        _ => Err(Problem::not_found()),
    }
}
