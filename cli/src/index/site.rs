//! The admin API's part on indexes: pieces by the hash of their bytes, and which of them an index is made of.

use crate::problem::{Detail, Stop};
use crate::remote::{Payload, Remote};
use edgeloom::id::BlockId;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use ureq::http::header::RETRY_AFTER;
use ureq::http::{Method, StatusCode};

/// How long a site is asked again for what does not show yet: KV takes up to a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// A piece as the site tells of it.
/// A refusal of an index: its details are a part of what it says, and what helps is not what helps a configuration.
fn refused(status: StatusCode, stop: Stop) -> Stop {
    let details: String =
        (stop.details.iter()).map(|Detail { pointer, message }| format!("\n{pointer}: {message}")).collect();
    let again = "run the same command again: it starts from what is in use then";
    let help = if status == StatusCode::CONFLICT { Some(again.to_string()) } else { stop.help };
    Stop { message: stop.message + &details, help, blame: stop.blame, details: stop.details }
}

/// What an index is to be.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    /// Its pieces, later ones over earlier ones.
    pub pieces: &'w [String],
    /// The version that they were put together from, if it has to be in use still.
    pub before: Option<&'w str>,
    /// In the words of whoever does it.
    pub message: Option<&'w str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Piece {
    /// SHA-256 of its bytes, hexadecimal.
    pub hash: String,
    /// Number of items.
    #[serde(default)]
    pub items: u64,
    /// Size, bytes.
    #[serde(default)]
    pub bytes: u64,
}

/// An index on a site, or an earlier version of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Live {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its version.
    pub version: String,
    /// What its vectors come from.
    #[serde(default)]
    pub model: String,
    /// Numbers of a vector.
    #[serde(default)]
    pub dimension: usize,
    /// Number of items.
    #[serde(default)]
    pub items: u64,
    /// The pieces it is made of, later ones over earlier ones.
    #[serde(default)]
    pub pieces: Vec<Piece>,
    /// Earlier versions, newest first.
    #[serde(default)]
    pub history: Vec<Live>,
}

/// The name of a piece: SHA-256 of its bytes, hexadecimal.
pub fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name that can stand in an address: of the same letters as all names.
///
/// # Errors
/// Empty, too long, or other characters.
pub fn checked_name(name: &str) -> Result<&str, Stop> {
    let help = "1 to 64 letters, digits, `-`, `_` or `.`, as in read-next";
    BlockId::new(name)
        .map(|_| name)
        .map_err(|error| Stop::new(format!("'{name}' is no name of an index: {error}"), help))
}

impl Remote {
    /// Whether the site has a piece.
    ///
    /// # Errors
    /// No connection or a refusal.
    pub fn has_piece(&self, hash: &str) -> Result<bool, Stop> {
        let mut answer = self.send(Method::HEAD, &format!("pieces/{hash}"), Payload::Empty, &[])?;
        match answer.status().as_u16() {
            404 => Ok(false),
            200..=299 => Ok(true),
            _ => self.accept::<Value>(&mut answer).map(|_| true),
        }
    }

    /// Brings a piece to the site; nothing uses it yet.
    ///
    /// # Errors
    /// No connection or a refusal.
    pub fn put_piece(&self, hash: &str, bytes: &[u8]) -> Result<(), Stop> {
        let mut answer = self.send(Method::PUT, &format!("pieces/{hash}"), Payload::Bytes(bytes), &[])?;
        if answer.status().is_success() { Ok(()) } else { self.accept::<Value>(&mut answer).map(drop) }
    }

    /// Makes an index of pieces that are there, in one step. Asks again, for a minute and a half, where the site says when: it can take
    /// so long until a piece that was just brought shows everywhere. `wait` is told of it.
    ///
    /// # Errors
    /// No connection or a refusal.
    pub fn put_index(&self, name: &str, wanted: &Wanted<'_>, wait: impl Fn(&str)) -> Result<Value, Stop> {
        let Wanted { pieces, before, message } = *wanted;
        let body = match before {
            Some(before) => json!({ "pieces": pieces, "before": before }),
            None => json!({ "pieces": pieces }),
        };
        let body = with_message(body, message);
        let mut left = PATIENCE;
        loop {
            let mut answer = self.send(Method::PUT, &format!("indexes/{name}"), Payload::Json(&body), &[])?;
            let pause = answer.headers().get(RETRY_AFTER).and_then(|secs| secs.to_str().ok()?.parse().ok());
            let pause = pause.map(Duration::from_secs).filter(|pause| *pause <= left);
            match pause.filter(|_| answer.status() == StatusCode::UNPROCESSABLE_ENTITY) {
                Some(pause) => {
                    if left == PATIENCE {
                        wait("a piece does not show at the site yet, which can take a minute: asking again");
                    }
                    std::thread::sleep(pause);
                    left = left.saturating_sub(pause.max(Duration::from_secs(1)));
                }
                None => {
                    let status = answer.status();
                    return self.accept(&mut answer).map_err(|stop| refused(status, stop));
                }
            }
        }
    }

    /// Puts an earlier version of an index in use again.
    ///
    /// # Errors
    /// No connection or a refusal.
    pub fn roll_index_back(&self, name: &str, version: &str, message: Option<&str>) -> Result<Value, Stop> {
        let body = with_message(json!({ "version": version }), message);
        let path = format!("indexes/{name}/rollback");
        let mut answer = self.send(Method::POST, &path, Payload::Json(&body), &[])?;
        self.accept(&mut answer).map_err(|stop| Stop {
            help: Some("`edgeloom index list` shows the versions that are kept".into()),
            ..stop
        })
    }
}

/// A body with a message, where there is one.
fn with_message(mut body: Value, message: Option<&str>) -> Value {
    if let (Some(message), Some(fields)) = (message, body.as_object_mut()) {
        fields.insert("message".into(), message.into());
    }
    body
}

/// The index of that name in what the site listed.
///
/// # Errors
/// There is none.
pub fn live(listed: &Value, name: &str) -> Result<Live, Stop> {
    let all = listed.get("indexes").and_then(Value::as_array).into_iter().flatten();
    let mut all = all.filter_map(|index| serde_json::from_value::<Live>(index.clone()).ok());
    let help = "`edgeloom index list` shows those there are; `edgeloom index push` brings the first one";
    all.find(|index| index.name == name)
        .ok_or_else(|| Stop::new(format!("the site has no index '{name}'"), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_called_by_the_hash_of_its_bytes() {
        assert_eq!(hash_of(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_name_stands_in_an_address_as_it_is() {
        assert!(checked_name("read-next").is_ok());
        for wrong in ["", "a/b", "a b", "../x"] {
            assert!(checked_name(wrong).is_err(), "{wrong}");
        }
    }
}
