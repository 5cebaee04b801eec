//! `/_edgeloom/admin/pieces/<hash>`: pieces of indexes, each stored once under the SHA-256 of its bytes. Which of them are an
//! index, and in use, is said elsewhere.

use crate::bindings::{STATE, settings};
use crate::indexes::manifest::is_hash;
use crate::platform::{self, Env, Method, Request, Response};
use crate::problem::Problem;
use crate::{request, respond};
use edgeloom::index::Index;
use edgeloom::index::budget::MAX_PIECE_BYTES;
use edgeloom::json::object;
use std::time::Duration;

/// How long KV may take for the largest.
const LIMIT: Duration = Duration::from_secs(12);

/// Answers the route; `hash` is the end of its path.
///
/// # Errors
/// A name that is none, bytes of another name or that are no piece, KV that does not answer.
pub async fn answer(request: Request, env: &Env, hash: &str) -> Result<Response, Problem> {
    if !is_hash(hash) {
        return Err(Problem::not_found());
    }
    let key = settings(env).piece_key(hash);
    match request.method() {
        Method::Head => match platform::kv_has(env, STATE, &key, LIMIT).await.map_err(unreachable_kv)? {
            true => Ok(respond::with(200, CONTENT_TYPE, Vec::new())),
            false => Err(Problem::not_found()),
        },
        Method::Get => {
            let bytes = platform::kv_get(env, STATE, &key, 0, LIMIT).await.map_err(unreachable_kv)?;
            Ok(respond::with(200, CONTENT_TYPE, bytes.ok_or_else(Problem::not_found)?))
        }
        Method::Put => put(&request, env, hash, &key).await,
        _ => Err(Problem::method("GET, HEAD, PUT")),
    }
}

const CONTENT_TYPE: &str = "application/octet-stream";

async fn put(request: &Request, env: &Env, hash: &str, key: &str) -> Result<Response, Problem> {
    let bytes = request::read_bytes(request, MAX_PIECE_BYTES).await?;
    let found = bytes.sha256().await.map_err(unreachable_kv)?;
    if found != hash {
        let detail =
            format!("These bytes have the SHA-256 {found}; hint: they were changed, or cut, on their way.");
        return Err(Problem::new(422, "Another name", detail));
    }
    // Closed again before it is written: only one copy is in the wasm, and not for long.
    let items = Index::open(bytes.to_vec()).map_err(not_a_piece)?.len();
    let is_there = platform::kv_has(env, STATE, key, LIMIT).await.map_err(unreachable_kv)?;
    if !is_there {
        bytes.kv_put(env, STATE, key, LIMIT).await.map_err(unreachable_kv)?;
    }
    let told = object(&[("hash", &hash), ("items", &items)]);
    Ok(respond::json(if is_there { 200 } else { 201 }, &told))
}

fn not_a_piece(error: impl std::fmt::Display) -> Problem {
    Problem::new(422, "Not a piece of an index", error.to_string())
}

/// The store did not answer; what was to be stored may be sent again.
pub fn unreachable_kv(error: impl std::fmt::Display) -> Problem {
    platform::console_error!("admin: KV: {error}");
    Problem::try_again("The store of the pieces does not answer; send it again.")
}
