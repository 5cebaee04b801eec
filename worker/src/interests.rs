//! What visitors are interested in, as somebody else computed it: a vector under a key that the site gives a visitor. Stored
//! for personal use only and no longer than it says; read behind a response, never waited for.
//!
//! `PUT` and `DELETE /_edgeloom/admin/interests/<key>` take a key of those that trusted logs come with.

use crate::admin::{login, unknown};
use crate::bindings::{STATE, settings};
use crate::fields::{Kind, faults};
use crate::json::{self, text};
use crate::nearest::embedding_of;
use crate::platform::{self, Env, Method, Request, Response, console_error};
use crate::problem::{FieldError, Problem};
use crate::request::{self, now_millis};
use crate::respond;
use edgeloom::Value;
use edgeloom::embedding::Embedding;
use edgeloom::id::SlotId;
use edgeloom::json::{Tell, object};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const MAX_BODY_BYTES: usize = 128 * 1024;
/// The only thing a vector may be stored for.
const PURPOSE: &str = "personal";
/// KV keeps nothing for less than a minute; and as with the visitor's key a year and a month is the most.
const LIFE_SECS: (u64, u64) = (60, 390 * 86_400);
const LIMIT: Duration = Duration::from_secs(3);
/// Most vectors in memory: of 384 numbers they are 400 KB.
const KEPT: usize = 256;
/// Most that wait to be read; whoever comes later is read with a later view.
const WAITING: usize = 16;
/// After this time a vector is read again, …
const OLD_MILLIS: u64 = 60_000;
/// … and after this one it is not used any more: it may have been erased.
const GONE_MILLIS: u64 = 300_000;

const FIELDS: [(&str, Kind); 4] =
    [("vector", Kind::Numbers), ("model", Kind::Text), ("purpose", Kind::Text), ("expires", Kind::Text)];

/// Answers the route; `key` is the end of its path.
///
/// # Errors
/// No valid key of the sender, a key that is none, a vector that can't be used or is not to be; KV that does not answer.
pub async fn answer(request: Request, env: &Env, key: &str) -> Result<Response, Problem> {
    let settings = settings(env);
    login(&request, &settings.import).ok_or_else(|| unknown("IMPORT_KEYS", "Bearer realm=\"edgeloom\""))?;
    SlotId::new(key).map_err(|error| Problem::new(404, "Not found", format!("The key: {error}")))?;
    let stored_at = settings.interest_key(key);
    match request.method() {
        Method::Put => {
            let body = request::read(&request, MAX_BODY_BYTES).await?;
            let body = json::read(&body).map_err(|error| Problem::new(400, "Not readable", error))?;
            let now = now_millis();
            let (stored, life_secs) = checked(&body, js_sys::Date::parse, now)?;
            let stored = edgeloom::json::text(&stored);
            platform::kv_put_for(env, STATE, &stored_at, stored.as_bytes(), (life_secs, LIMIT))
                .await
                .map_err(unreachable)?;
            Ok(respond::with(204, "text/plain", Vec::new()))
        }
        Method::Delete => {
            platform::kv_delete(env, STATE, &stored_at, LIMIT).await.map_err(unreachable)?;
            MEMORY.with_borrow_mut(|memory| memory.kept.retain(|kept| kept.key != key));
            Ok(respond::with(204, "text/plain", Vec::new()))
        }
        _ => Err(Problem::method("PUT, DELETE")),
    }
}

fn unreachable(error: impl std::fmt::Display) -> Problem {
    console_error!("interests: KV: {error}");
    Problem::try_again("The store does not answer; send it again.")
}

/// What is stored of a body, and for how many seconds.
fn checked(body: &Value, parse: impl Fn(&str) -> f64, now: u64) -> Result<(Value, u64), Problem> {
    let mut errors = faults(body, &FIELDS);
    let mut wrong = |name: &str, detail: &str| {
        if !errors.iter().any(|error| error.pointer == format!("/{name}")) {
            errors.push(FieldError { pointer: format!("/{name}"), detail: detail.to_string() });
        }
    };
    if let Err(error) = embedding_of(body.get("vector").unwrap_or(&Value::Null)) {
        wrong("vector", &error);
    }
    if text(body, "model").is_none_or(str::is_empty) {
        wrong("model", "is missing");
    }
    if text(body, "purpose") != Some(PURPOSE) {
        wrong(
            "purpose",
            "has to be \"personal\": it is used for visitors who consented to that, and for nothing else",
        );
    }
    // The runtime reads more than RFC 3339; a date alone would be midnight somewhere.
    let expires = text(body, "expires").filter(|text| text.contains('T')).map_or(f64::NAN, parse);
    let life_secs = (expires - now as f64) / 1000.0;
    if !(LIFE_SECS.0 as f64..=LIFE_SECS.1 as f64).contains(&life_secs) {
        wrong(
            "expires",
            "has to be a time like 2027-01-31T12:00:00Z, in a minute at least and 390 days at most",
        );
    }
    if !errors.is_empty() {
        return Err(Problem::new(422, "Not an interest", "Nothing was stored.").errors(errors));
    }
    let vector = body.get("vector").cloned();
    let told: [(&str, &dyn Tell); 4] = [
        ("vector", &vector),
        ("model", &text(body, "model")),
        ("purpose", &PURPOSE),
        ("expires_millis", &(expires as u64)),
    ];
    Ok((object(&told), life_secs as u64))
}

/// A vector in memory, or that there is none.
struct Kept {
    key: String,
    read_millis: u64,
    interest: Option<Interest>,
}

#[derive(Clone)]
struct Interest {
    embedding: Rc<Embedding>,
    model: String,
    expires_millis: u64,
}

#[derive(Default)]
struct Memory {
    /// Used last, last.
    kept: Vec<Kept>,
    waiting: Vec<String>,
    /// What is being read, and since when; another view that asks for it finds it later.
    reading: Vec<(String, u64)>,
    /// Whether KV failed when it was asked last; that is logged once.
    is_failing: bool,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::new(Memory::default());
}

impl Memory {
    fn current(&mut self, key: &str, model: &str, now: u64) -> Option<Rc<Embedding>> {
        let place = self.kept.iter().position(|kept| kept.key == key);
        let age =
            place.and_then(|place| self.kept.get(place)).map(|kept| now.saturating_sub(kept.read_millis));
        // A read that has not ended after twice its limit never will.
        self.reading.retain(|(_, since)| now.saturating_sub(*since) < 2 * LIMIT.as_millis() as u64);
        let mut under_way = self.waiting.iter().chain(self.reading.iter().map(|(reading, _)| reading));
        let is_waiting = under_way.any(|own| own == key);
        if age.is_none_or(|age| age >= OLD_MILLIS) && !is_waiting && self.waiting.len() < WAITING {
            self.waiting.push(key.to_string());
        }
        let kept = self.kept.remove(place?);
        let interest = kept.interest.clone().filter(|_| age.is_some_and(|age| age < GONE_MILLIS));
        self.kept.push(kept);
        let interest = interest.filter(|interest| interest.expires_millis > now && interest.model == model);
        interest.map(|interest| interest.embedding)
    }

    fn put(&mut self, key: String, interest: Option<Interest>, now: u64) {
        self.kept.retain(|kept| kept.key != key);
        if self.kept.len() >= KEPT {
            self.kept.remove(0);
        }
        self.kept.push(Kept { key, read_millis: now, interest });
    }
}

/// The vector of a key, where it is here, of this model and not expired. What is not here is read behind a response, for the
/// next view; see [`load`].
pub fn current(key: &str, model: &str, now: u64) -> Option<Rc<Embedding>> {
    // What can't be a key is not looked for.
    if SlotId::new(key).is_err() {
        return None;
    }
    MEMORY.with_borrow_mut(|memory| memory.current(key, model, now))
}

/// Whether a view asked for something that is to be read.
pub fn are_asked_for() -> bool {
    MEMORY.with_borrow(|memory| !memory.waiting.is_empty())
}

/// Reads what views asked for. Never fails: what can't be read is as if it were not there.
pub async fn load(env: &Env) {
    let waiting = MEMORY.with_borrow_mut(|memory| {
        let waiting = std::mem::take(&mut memory.waiting);
        let now = now_millis();
        memory.reading.extend(waiting.iter().map(|key| (key.clone(), now)));
        waiting
    });
    let settings = settings(env);
    platform::all(waiting.into_iter().map(|key| async {
        let answer = platform::kv_get(env, STATE, &settings.interest_key(&key), 0, LIMIT).await;
        MEMORY.with_borrow_mut(|memory| memory.reading.retain(|(reading, _)| *reading != key));
        // Of a failure nothing is kept: what is here is good for some minutes.
        match answer {
            Ok(bytes) => {
                let interest = bytes.as_deref().and_then(read);
                MEMORY.with_borrow_mut(|memory| {
                    memory.is_failing = false;
                    memory.put(key, interest, now_millis());
                });
            }
            Err(error) => {
                let was_failing =
                    MEMORY.with_borrow_mut(|memory| std::mem::replace(&mut memory.is_failing, true));
                if !was_failing {
                    console_error!("interests: {error}");
                }
            }
        }
    }))
    .await;
}

/// The stored form; nothing for another purpose.
fn read(bytes: &[u8]) -> Option<Interest> {
    let stored = json::read(bytes).ok().filter(|stored| text(stored, "purpose") == Some(PURPOSE))?;
    Some(Interest {
        embedding: Rc::new(embedding_of(stored.get("vector")?).ok()?),
        model: text(&stored, "model")?.to_string(),
        expires_millis: stored.get("expires_millis").and_then(Value::as_u64)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: u64 = 1_795_525_500_000;

    fn interest(expires_millis: u64) -> Interest {
        let embedding = Rc::new(Embedding::new(&[1.0, 0.0]).unwrap());
        Interest { embedding, model: "m".into(), expires_millis }
    }

    #[test]
    fn a_vector_of_the_model_is_used_while_it_may_be() {
        let mut memory = Memory::default();
        assert_eq!(memory.current("a", "m", NOW), None);
        assert_eq!(memory.waiting, ["a"]);
        memory.waiting.clear();
        memory.put("a".into(), Some(interest(NOW + GONE_MILLIS * 2)), NOW);
        assert!(memory.current("a", "m", NOW).is_some());
        assert!(memory.current("a", "other", NOW).is_none());
        assert!(memory.waiting.is_empty());
        assert!(memory.current("a", "m", NOW + OLD_MILLIS).is_some());
        assert_eq!(memory.waiting, ["a"], "and read again behind the response");
        assert!(memory.current("a", "m", NOW + GONE_MILLIS).is_none());
        memory.put("b".into(), Some(interest(NOW)), NOW);
        assert!(memory.current("b", "m", NOW).is_none(), "expired");
        memory.put("c".into(), None, NOW);
        assert!(memory.current("c", "m", NOW).is_none(), "known not to be there");
        memory.waiting.clear();
        memory.reading.push(("d".into(), NOW));
        assert!(memory.current("d", "m", NOW).is_none() && memory.waiting.is_empty(), "being read");
        assert!(memory.current("d", "m", NOW + 60_000).is_none() && memory.waiting == ["d"], "for too long");
    }

    #[test]
    fn the_one_used_least_lately_makes_room() {
        let mut memory = Memory::default();
        (0..KEPT).for_each(|n| memory.put(n.to_string(), Some(interest(NOW + 1)), NOW));
        assert!(memory.current("0", "m", NOW).is_some());
        memory.put("new".into(), None, NOW);
        assert!(memory.current("0", "m", NOW).is_some());
        assert!(memory.current("1", "m", NOW).is_none());
        assert_eq!(memory.kept.len(), KEPT);
    }

    #[test]
    fn only_what_is_for_personal_use_and_expires_is_stored() {
        let sound = json!({ "vector": [1, 2], "model": "m", "purpose": "personal", "expires": "2027T" });
        let parse = |_: &str| NOW as f64 + 3_600_000.0;
        let (stored, life_secs) = checked(&sound, parse, NOW).ok().unwrap();
        assert_eq!((life_secs, stored["expires_millis"].as_u64()), (3600, Some(NOW + 3_600_000)));
        assert!(read(edgeloom::json::text(&stored).as_bytes()).is_some());
        for (field, value) in [
            ("vector", json!([])),
            ("vector", json!([0, 0])),
            ("vector", json!(null)),
            ("model", json!("")),
            ("purpose", json!("measured")),
            ("expires", json!("2027-01-01")),
            ("colour", json!("red")),
        ] {
            let mut wrong = sound.clone();
            wrong[field] = value;
            let problem = edgeloom::json::value(&checked(&wrong, parse, NOW).err().unwrap());
            assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{problem}");
        }
        for millis in [0.0, 59_000.0, 400.0 * 86_400_000.0, f64::NAN] {
            assert!(checked(&sound, |_| NOW as f64 + millis, NOW).is_err(), "{millis}");
        }
    }
}
