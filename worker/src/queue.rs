//! Consumer of the overflow queue and of its dead letters. It acknowledges what a shard took, and nothing else.

use crate::bindings::settings;
use crate::ledger::deliver::deliver_direct;
use crate::ledger::{overflow, report::DeadLetter, root_call};
use crate::platform::{Env, Message, MessageBatch, console_error};
use edgeloom::event::Event;

/// Events of one call: some 300 KB, a third of a second of a shard's time.
const MAX_EVENTS: usize = 1_000;
/// Queues of this ending hold what was tried too often.
const DEAD: &str = "-dead";

/// A message that can be delivered.
struct Readable {
    message: Message,
    events: Vec<Event>,
    n_broken: usize,
}

/// Takes a batch. Never fails as a whole: that would send the good messages round again.
pub async fn consume(batch: MessageBatch, env: &Env) {
    let is_dead = batch.queue().ends_with(DEAD);
    let mut by_shard: Vec<(String, Vec<Readable>)> = Vec::new();
    for message in batch.messages() {
        let body = message.body().as_string();
        match body.as_deref().and_then(overflow::read) {
            Some((shard, events, n_broken)) => {
                let readable = Readable { message, events, n_broken };
                match by_shard.iter_mut().find(|(own, _)| *own == shard) {
                    Some((_, messages)) => messages.push(readable),
                    None => by_shard.push((shard, vec![readable])),
                }
            }
            // Trying again would not make it readable.
            None => bury(env, &message, "unreadable", 0, body.map_or(0, |body| body.len())).await,
        }
    }
    for (shard, messages) in by_shard {
        for part in parts(messages) {
            deliver(env, &shard, part, is_dead).await;
        }
    }
}

/// Messages in parts that a shard takes in one call: a whole batch of full ones would be refused for its size, again and
/// again, and end as dead letters.
fn parts(messages: Vec<Readable>) -> Vec<Vec<Readable>> {
    let mut parts: Vec<Vec<Readable>> = Vec::new();
    let mut n_events = 0;
    for message in messages {
        n_events += message.events.len();
        match parts.last_mut().filter(|_| n_events <= MAX_EVENTS) {
            Some(part) => part.push(message),
            None => {
                n_events = message.events.len();
                parts.push(vec![message]);
            }
        }
    }
    parts
}

async fn deliver(env: &Env, shard: &str, messages: Vec<Readable>, is_dead: bool) {
    let events: Vec<Event> = messages.iter().flat_map(|readable| readable.events.iter().cloned()).collect();
    let is_taken = events.is_empty() || deliver_direct(env, shard, events).await.is_some();
    for Readable { message, events, n_broken } in messages {
        match (is_taken, is_dead) {
            (true, _) if n_broken > 0 => bury(env, &message, "broken events", n_broken, 0).await,
            (true, true) => raise(env, &message).await,
            (true, false) => message.ack(),
            (false, true) => {
                note(env, &message, "not delivered", events.len(), 0).await;
                message.retry();
            }
            (false, false) => message.retry(),
        }
    }
}

/// Takes a message out of the queue once the root has noted it.
async fn bury(env: &Env, message: &Message, reason: &'static str, n_events: usize, n_bytes: usize) {
    if note(env, message, reason, n_events, n_bytes).await { message.ack() } else { message.retry() }
}

/// Notes what can't be delivered: how much and why, nothing of its content.
async fn note(env: &Env, message: &Message, reason: &'static str, n_events: usize, n_bytes: usize) -> bool {
    let letter = DeadLetter { id: message.id(), reason: reason.into(), n_events, n_bytes };
    tell_root(env, "/dead", &letter).await
}

/// A dead letter that was delivered after all is no longer one.
async fn raise(env: &Env, message: &Message) {
    let letter = DeadLetter { id: message.id(), reason: String::new(), n_events: 0, n_bytes: 0 };
    tell_root(env, "/raised", &letter).await;
    message.ack();
}

async fn tell_root(env: &Env, path: &str, letter: &DeadLetter) -> bool {
    match root_call::post(env, &settings(env).site, path, &[], edgeloom::json::write(letter).as_bytes()).await
    {
        Ok(response) => response.status() < 300,
        Err(error) => {
            console_error!("queue: the root was not told: {error}");
            false
        }
    }
}
