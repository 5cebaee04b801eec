//! The queue for events that no shard took in time: what a message holds, and how messages are sent.

use crate::bindings::OVERFLOW;
use crate::json;
use crate::platform::{self, Env, Error, Result};
use edgeloom::event::Event;
use edgeloom::json::object;

/// Events per message: 36 KB of the 128 KB allowed where every name is as long as it may be, 20 KB as a rule. A message
/// costs the same with one event or with a hundred.
pub const MESSAGE_EVENTS: usize = 100;
/// Messages per call: 216 KB of the 256 KB allowed, and far from the 100 messages.
const CALL_MESSAGES: usize = 6;

/// Puts the events of a shard into the queue.
///
/// # Errors
/// The queue did not take all of them; some may be in it, which does no harm, as they will be repeats.
pub async fn send(env: &Env, shard: &str, events: &[Event], fault: Option<&str>) -> Result<()> {
    if fault.is_some_and(|fault| fault.contains("queue-refuse")) {
        return Err(Error::new("refused on demand"));
    }
    for texts in calls(shard, events) {
        platform::queue_send(env, OVERFLOW, &texts).await?;
    }
    Ok(())
}

/// The messages of each call.
fn calls(shard: &str, events: &[Event]) -> Vec<Vec<String>> {
    let texts = |events: &[Event]| events.chunks(MESSAGE_EVENTS).map(|events| text(shard, events)).collect();
    events.chunks(MESSAGE_EVENTS * CALL_MESSAGES).map(texts).collect()
}

/// What a message holds, as JSON text.
pub fn text(shard: &str, events: &[Event]) -> String {
    edgeloom::json::text(&object(&[("shard", &shard), ("events", &events)]))
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

#[cfg(test)]
mod tests {
    use super::*;
    use edgeloom::event::MAX_VALUE;
    use edgeloom::id::{ArmId, DecisionId, GoalId, MAX_ID_BYTES, SlotId};
    use edgeloom::receipt::{Basis, Candidates, Flags, Receipt};

    /// What the platform takes; a KB has 1,000 bytes there, and a message up to 100 that are the platform's own.
    const MESSAGE_BYTES: usize = 128_000;
    const CALL_BYTES: usize = 256_000;
    const OWN_BYTES: usize = 100;
    const MESSAGES: usize = 100;

    fn longest() -> String {
        "x".repeat(MAX_ID_BYTES)
    }

    /// As large as an event can be: every name, number and flag at its longest.
    fn largest(n: u128) -> Event {
        let receipt = Receipt {
            decision: DecisionId((u128::MAX - n).to_le_bytes()),
            unit: None,
            slot: SlotId::new(&longest()).unwrap(),
            arm: Some(ArmId::new(&longest()).unwrap()),
            propensity: f64::MIN_POSITIVE,
            version: edgeloom::id::SnapshotVersion([255; 16]),
            time_millis: 9_999_999_999_999,
            flags: Flags::default().with_shared(true),
            candidates: Candidates::All,
            shards: 64,
            basis: Basis::default(),
        };
        let id = edgeloom::event::EventId(n.to_le_bytes());
        Event::reward(&receipt, &GoalId::new(&longest()).unwrap(), -MAX_VALUE, Some(id)).unwrap()
    }

    #[test]
    fn the_largest_events_fit_into_messages_and_messages_into_calls() {
        let shard = format!("{}/import", longest());
        for n in [0, 1, 50, 99, 100, 101, 599, 600, 601, 1_000, 2_000] {
            let events: Vec<Event> = (0..n).map(largest).collect();
            let calls = calls(&shard, &events);
            assert!(calls.iter().all(|texts| !texts.is_empty() && texts.len() <= MESSAGES));
            for texts in &calls {
                let sizes = || texts.iter().map(|text| text.len() + OWN_BYTES);
                assert!(sizes().all(|bytes| bytes <= MESSAGE_BYTES), "{n}: {:?}", sizes().max());
                assert!(sizes().sum::<usize>() <= CALL_BYTES, "{n}: {}", sizes().sum::<usize>());
            }
            let read: Vec<_> = calls.iter().flatten().map(|text| read(text).unwrap()).collect();
            assert!(read.iter().all(|(own, _, n_broken)| *own == shard && *n_broken == 0));
            // None lost, none twice, in their order.
            assert_eq!(read.into_iter().flat_map(|(_, events, _)| events).collect::<Vec<_>>(), events);
        }
    }

    #[test]
    fn a_broken_event_costs_only_itself() {
        let good = text("s/0", &[largest(1)]);
        let mixed = good.replace("\"events\":[", "\"events\":[{\"k\":\"?\"},");
        assert_eq!(read(&mixed), Some(("s/0".to_string(), vec![largest(1)], 1)));
        for foreign in ["", "{}", "[]", "{\"shard\":7,\"events\":[]}", "{\"shard\":\"s/0\"}"] {
            assert_eq!(read(foreign), None, "{foreign}");
        }
    }
}
