//! Events that were not taken, counted by kind: kept in the isolate, sent along with the next call to a shard.
//!
//! These counters are for the status page. An isolate that ends may lose some and a lost answer may count some twice;
//! events are never counted this way.

use crate::bindings::settings;
use crate::ledger::deliver::deliver_refusals;
use crate::ledger::shard_name;
use crate::platform::{self, Context, Env};
use crate::request::now_millis;
use edgeloom::event::Refusal;
use edgeloom::statistics::Statistics;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// At most one call a second for refusals alone: they may come from somebody who sends nothing else, in masses.
const FLUSH_MILLIS: u64 = 1_000;
/// A flush that has not ended after this time never will.
const FLUSH_LIMIT_MILLIS: u64 = 10_000;

thread_local! {
    static WAITING: RefCell<Statistics> = RefCell::new(Statistics::default());
    static FLUSHING_SINCE: Cell<u64> = const { Cell::new(0) };
}

/// Counts one.
pub fn count(refusal: Refusal) {
    WAITING.with_borrow_mut(|waiting| waiting.refuse(refusal, 1));
}

/// Takes what waits, to send it.
pub fn take() -> Statistics {
    WAITING.take()
}

/// Puts back what could not be sent.
pub fn put_back(refused: &Statistics) {
    WAITING.with_borrow_mut(|waiting| waiting.merge(refused));
}

/// Sends what waits after the response, unless a flush is under way.
pub fn flush_later(env: &Env, ctx: &Context) {
    let now = now_millis();
    let is_empty = WAITING.with_borrow(|waiting| *waiting == Statistics::default());
    if is_empty || now.saturating_sub(FLUSHING_SINCE.get()) < FLUSH_LIMIT_MILLIS {
        return;
    }
    FLUSHING_SINCE.set(now);
    let env = env.clone();
    platform::wait_until(ctx, async move {
        platform::sleep(Duration::from_millis(FLUSH_MILLIS)).await;
        FLUSHING_SINCE.set(0);
        let refused = take();
        if refused == Statistics::default() {
            return;
        }
        let shard = shard_name(&settings(&env).site, 0);
        if !deliver_refusals(&env, &shard, &refused).await {
            put_back(&refused);
        }
    });
}
