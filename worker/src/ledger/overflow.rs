//! The queue for events that no shard took in time: what a message holds, and how messages are sent.

use crate::bindings::OVERFLOW;
use crate::json;
use crate::platform::{self, Env, Error, Result};
use edgeloom::event::Event;
use serde::Serialize;

/// Events per message: some 30 KB of the 128 KB allowed. A message costs the same with one event or with a hundred.
const MESSAGE_EVENTS: usize = 100;
/// Messages per call: with full ones some 200 KB of the 256 KB allowed.
const CALL_MESSAGES: usize = 6;

/// What a message holds, as JSON text.
#[derive(Serialize)]
struct Sent<'m> {
    shard: &'m str,
    events: &'m [Event],
}

/// Puts the events of a shard into the queue.
///
/// # Errors
/// The queue did not take all of them; some may be in it, which does no harm, as they will be repeats.
pub async fn send(env: &Env, shard: &str, events: &[Event], fault: Option<&str>) -> Result<()> {
    if fault.is_some_and(|fault| fault.contains("queue-refuse")) {
        return Err(Error::new("refused on demand"));
    }
    let texts: Vec<String> =
        events.chunks(MESSAGE_EVENTS).map(|events| edgeloom::json::write(&Sent { shard, events })).collect();
    for texts in texts.chunks(CALL_MESSAGES) {
        platform::queue_send(env, OVERFLOW, texts).await?;
    }
    Ok(())
}

/// The shard and the events of a message, and how many of its events can't be read; `None` for a foreign message.
pub fn read(text: &str) -> Option<(String, Vec<Event>, usize)> {
    let message = json::read(text.as_bytes()).ok()?;
    let shard = json::text(&message, "shard")?.to_string();
    // One by one, so that a broken one is alone.
    let all = message.get("events")?.as_array()?;
    let events: Vec<Event> = all.iter().filter_map(json::event).collect();
    let n_broken = all.len() - events.len();
    Some((shard, events, n_broken))
}
