//! `/_edgeloom/admin/indexes`: which pieces are an index. Whether they fit together is checked here; the root switches, and keeps
//! what was before.

use super::pieces::unreachable_kv;
use super::{MAX_BODY_BYTES, unreachable_root};
use crate::bindings::settings;
use crate::fields::{Kind, faults};
use crate::indexes::manifest::{MAX_PIECES, Manifest, PieceRow, is_hash, version_of};
use crate::indexes::{self, budget};
use crate::json::{self, text};
use crate::ledger::root_call;
use crate::platform::{self, Env, Method, Request, Response};
use crate::problem::{FieldError, Problem};
use crate::request;
use edgeloom::Value;
use edgeloom::id::SlotId;
use edgeloom::index::{Catalogue, Index};
use form_urlencoded::Serializer;

/// What may be said of an index.
const PUT: [(&str, Kind); 3] = [("pieces", Kind::Names), ("message", Kind::Text), ("before", Kind::Text)];
/// And of going back to what it was.
const ROLLBACK: [(&str, Kind); 2] = [("version", Kind::Text), ("message", Kind::Text)];

/// When to ask again for a piece that is not there: KV remembers for up to a minute that there was nothing.
const RETRY_SECS: &str = "5";

/// Answers the routes; `path` is what follows `indexes/`, `who` the key id of the token.
///
/// # Errors
/// A name that is none, pieces that are not there or don't fit, too large for an isolate; a root that does not answer.
pub async fn answer(request: Request, env: &Env, path: &str, who: &str) -> Result<Response, Problem> {
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    SlotId::new(name)
        .map_err(|error| Problem::new(404, "Not found", format!("The name of an index: {error}")))?;
    match (rest, request.method()) {
        ("", Method::Put) => {
            let body = read(&request, &PUT).await?;
            let hashes = hashes_of(&body)?;
            let manifest = checked(env, name, &hashes).await?;
            switch(env, "put", (name, who), &body, &manifest_text(&manifest)).await
        }
        ("", Method::Delete) => switch(env, "delete", (name, who), &Value::Null, "").await,
        ("rollback", Method::Post) => {
            let body = read(&request, &ROLLBACK).await?;
            let before = before(env, name, text(&body, "version").unwrap_or_default()).await?;
            let hashes: Vec<&str> = before.pieces.iter().map(|piece| piece.hash.as_str()).collect();
            let manifest = checked(env, name, &hashes).await?;
            switch(env, "rollback", (name, who), &body, &manifest_text(&manifest)).await
        }
        ("", _) => Err(Problem::method("PUT, DELETE")),
        ("rollback", _) => Err(Problem::method("POST")),
        _ => Err(Problem::not_found()),
    }
}

/// The indexes of a configuration that the site has not: their lists show their arms, which nobody would notice.
pub async fn not_there(env: &Env, site: &str, config: &str) -> Vec<FieldError> {
    let list = |value: &Value| value.get("indexes").and_then(Value::as_array).cloned().unwrap_or_default();
    let wanted = json::read(config.as_bytes()).map(|config| list(&config)).unwrap_or_default();
    if wanted.is_empty() {
        return Vec::new();
    }
    // A remark is worth no failure: the configuration is stored.
    let Ok(answer) = root_call::get(env, site, "/indexes").await else { return Vec::new() };
    let Ok(bytes) = platform::answer_body(answer).await else { return Vec::new() };
    let Ok(there) = json::read(&bytes).map(|told| list(&told)) else { return Vec::new() };
    let is_there = |id: &str| there.iter().any(|index| text(index, "name") == Some(id));
    let remark = |(place, index): (usize, &Value)| {
        let id = text(index, "id").filter(|id| !is_there(id))?;
        let detail = format!(
            "the site has no index '{id}' yet, so its lists show their arms; hint: edgeloom index push {id}"
        );
        Some(FieldError { pointer: format!("/indexes/{place}"), detail })
    };
    wanted.iter().enumerate().filter_map(remark).collect()
}

fn manifest_text(manifest: &Manifest) -> String {
    edgeloom::json::write(manifest)
}

async fn read(request: &Request, known: &[(&str, Kind)]) -> Result<Value, Problem> {
    let body = request::read(request, MAX_BODY_BYTES).await?;
    let body = json::read(&body).map_err(|error| Problem::new(400, "Not readable", error))?;
    let errors = faults(&body, known);
    if errors.is_empty() { Ok(body) } else { Err(refused(errors)) }
}

fn refused(errors: Vec<FieldError>) -> Problem {
    Problem::new(422, "Not an index", "Nothing was changed; see the fields below.").errors(errors)
}

fn at(place: usize, detail: impl Into<String>) -> Problem {
    refused(vec![FieldError { pointer: format!("/pieces/{place}"), detail: detail.into() }])
}

/// The names of pieces in a body: some, and each once.
fn hashes_of(body: &Value) -> Result<Vec<&str>, Problem> {
    let list = body.get("pieces").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if list.is_empty() || list.len() > MAX_PIECES {
        let detail = format!("{} pieces; hint: 1 to {MAX_PIECES}, the earlier ones first", list.len());
        return Err(refused(vec![FieldError { pointer: "/pieces".into(), detail }]));
    }
    let mut hashes: Vec<&str> = Vec::new();
    for (place, hash) in list.iter().enumerate() {
        let hash = hash.as_str().filter(|hash| is_hash(hash));
        let hash =
            hash.ok_or_else(|| at(place, "not 64 hexadecimal digits; hint: the SHA-256 of the piece"))?;
        if hashes.contains(&hash) {
            return Err(at(place, "this piece is named twice"));
        }
        hashes.push(hash);
    }
    Ok(hashes)
}

/// The manifest of pieces that are there and fit together.
async fn checked(env: &Env, name: &str, hashes: &[&str]) -> Result<Manifest, Problem> {
    let (mut rows, mut pieces): (Vec<PieceRow>, Vec<Index>) = (Vec::new(), Vec::new());
    let (mut bytes, mut new_bytes) = (0, 0);
    for (place, hash) in hashes.iter().enumerate() {
        let is_new = !indexes::holds(hash);
        let piece = indexes::piece(env, hash, 0).await.map_err(|error| match error {
            indexes::PieceError::Kv(error) => unreachable_kv(error),
            indexes::PieceError::Index(error) => at(place, error.to_string()),
        })?;
        let piece = piece.ok_or_else(|| {
            let hint = "there is no such piece; hint: PUT it first; one that was asked for before it came shows within a minute";
            at(place, hint).header("retry-after", RETRY_SECS)
        })?;
        bytes += piece.n_bytes();
        // Before the next one is read: more than fits into an isolate does not fit into this one.
        budget::check(name, bytes, 0)?;
        new_bytes += if is_new { piece.n_bytes() } else { 0 };
        indexes::make_room(new_bytes);
        rows.push(PieceRow { hash: (*hash).to_string(), items: piece.len(), bytes: piece.n_bytes() });
        pieces.push(piece);
    }
    let catalogue = Catalogue::new(pieces).map_err(|error| {
        refused(vec![FieldError { pointer: "/pieces".into(), detail: error.to_string() }])
    })?;
    Ok(Manifest {
        name: name.to_string(),
        version: version_of(hashes.iter().copied()),
        model: catalogue.model().to_string(),
        dimension: catalogue.dimension(),
        items: catalogue.len(),
        bytes,
        pieces: rows,
    })
}

/// What an index was in an earlier version.
async fn before(env: &Env, name: &str, version: &str) -> Result<Manifest, Problem> {
    let unknown = || {
        let detail = format!("'{name}' has no such version; hint: one of its history");
        let pointer = "/version".to_string();
        Problem::new(404, "Unknown version", "This index never was that.")
            .errors(vec![FieldError { pointer, detail }])
    };
    if version.len() != 32 || !version.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let path = format!("/indexes/{name}/{version}");
    let answer = root_call::get(env, &settings(env).site, &path).await.map_err(unreachable_root)?;
    if answer.status() == 404 {
        return Err(unknown());
    }
    let bytes = platform::answer_body(answer).await.map_err(unreachable_root)?;
    let value = json::read(&bytes).map_err(unreachable_root)?;
    Manifest::of(&value).ok_or_else(|| unreachable_root("an earlier index that can't be read"))
}

async fn switch(
    env: &Env,
    what: &str,
    (name, who): (&str, &str),
    body: &Value,
    manifest: &str,
) -> Result<Response, Problem> {
    let message: String = text(body, "message").unwrap_or_default().chars().take(500).collect();
    let mut path = Serializer::new(format!("/indexes/{what}?"));
    let before = text(body, "before").unwrap_or_default();
    let path = path.append_pair("name", name).append_pair("message", &message).append_pair("before", before);
    let path = path.finish();
    let site = &settings(env).site;
    root_call::post(env, site, &path, &[("x-who", who)], manifest.as_bytes()).await.map_err(unreachable_root)
}
