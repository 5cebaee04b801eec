//! Consumer of the overflow queue and of its dead letters. It acknowledges what a shard took, or the root keeps, and
//! nothing else.

use crate::bindings::settings;
use crate::ledger::deliver::deliver_direct;
use crate::ledger::letters::{Letter, Letters, UNDELIVERED};
use crate::ledger::{overflow, root_call};
use crate::platform::{self, Env, Message, MessageBatch, console_error};
use edgeloom::event::Event;

/// Events of one call: 250 KB at most, a tenth of a second of a shard's time.
const MAX_EVENTS: usize = 1_000;
/// Queues of this ending hold what was tried too often.
const DEAD: &str = "-dead";

/// A message that can be delivered.
struct Readable {
    message: Message,
    events: Vec<Event>,
}

/// Takes a batch. Never fails as a whole: that would send the good messages round again.
pub async fn consume(batch: MessageBatch, env: &Env) {
    let is_dead = platform::queue_name(&batch).ends_with(DEAD);
    let mut by_shard: Vec<(String, Vec<Readable>)> = Vec::new();
    for message in platform::messages(&batch) {
        let text = platform::text_of(&message);
        let read = overflow::read(&text);
        // What is wrong here may be right for another version of this code, so that it is kept as it is.
        let (reason, n_events) = match &read {
            Some((_, _, 0)) => ("", 0),
            Some((_, _, n_broken)) => ("broken events", *n_broken),
            None => ("unreadable", 0),
        };
        if !reason.is_empty() && !keep(env, vec![Letter { reason: reason.into(), n_events, text }]).await {
            platform::retry(&message);
            continue;
        }
        let Some((shard, events, _)) = read else {
            platform::ack(&message);
            continue;
        };
        let readable = Readable { message, events };
        match by_shard.iter_mut().find(|(own, _)| *own == shard) {
            Some((_, messages)) => messages.push(readable),
            None => by_shard.push((shard, vec![readable])),
        }
    }
    for (shard, messages) in by_shard {
        let mut is_up = true;
        for part in parts(messages) {
            let events: Vec<Event> =
                part.iter().flat_map(|readable| readable.events.iter().cloned()).collect();
            // Without asking a shard again that has just failed: its deadlines would add up to more than a batch has.
            is_up =
                is_up && (events.is_empty() || deliver_direct(env, &shard, events.clone()).await.is_some());
            let is_done = is_up || is_dead && keep(env, letters(&shard, &events)).await;
            for Readable { message, .. } in part {
                if is_done { platform::ack(&message) } else { platform::retry(&message) }
            }
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

/// Events in as few letters as possible.
fn letters(shard: &str, events: &[Event]) -> Vec<Letter> {
    let letter = |events: &[Event]| Letter {
        reason: UNDELIVERED.into(),
        n_events: events.len(),
        text: overflow::text(shard, events),
    };
    events.chunks(overflow::MESSAGE_EVENTS).map(letter).collect()
}

/// Gives letters to the root. Returns whether it has stored them.
async fn keep(env: &Env, letters: Vec<Letter>) -> bool {
    let text = edgeloom::json::write(&Letters { letters });
    match root_call::post(env, &settings(env).site, "/dead", &[], text.as_bytes()).await {
        Ok(response) => response.status() < 300,
        Err(error) => {
            console_error!("queue: the root did not take letters: {error}");
            false
        }
    }
}
