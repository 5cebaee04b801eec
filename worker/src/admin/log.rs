//! `GET /_edgeloom/admin/log`: the log of the site, one page after the other; `Link: …; rel="next"` says where it goes on.

use super::unreachable_root;
use crate::bindings::{SHARD, settings};
use crate::json;
use crate::ledger::log::{CONTENT_TYPE, Cursor, whole};
use crate::ledger::root_call;
use crate::platform::{self, Call, Env, Request, Response};
use crate::problem::Problem;
use crate::request::query;
use crate::respond;
use serde_json::Value;
use std::time::Duration;

/// A page of 5,000 rows takes a shard a tenth of a second.
const LIMIT: Duration = Duration::from_secs(10);

/// Answers the route.
///
/// # Errors
/// A cursor, time or number that is none; a root or a shard that does not answer.
pub async fn answer(request: &Request, env: &Env) -> Result<Response, Problem> {
    let cursor = match query(request, "after") {
        None => Cursor::default(),
        Some(text) => Cursor::parse(&text).ok_or_else(|| bad("after"))?,
    };
    let from = whole(query(request, "from"), "from").map_err(bad)?;
    let rows = whole(query(request, "rows"), "rows").map_err(bad)?;
    let site = &settings(env).site;
    let told = root_call::get(env, site, "/shards").await.map_err(unreachable_root)?;
    let told = platform::answer_body(told).await.map_err(unreachable_root)?;
    let told = json::read(&told).map_err(unreachable_root)?;
    let names = told.get("names").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let Some(name) = names.get(cursor.shard).and_then(Value::as_str) else {
        return Ok(respond::with(200, CONTENT_TYPE, Vec::new()));
    };
    let after = cursor.after.map(|after| after.to_string()).unwrap_or_default();
    let path = format!("/log?after={after}&from={from}&rows={rows}");
    let call =
        Call { binding: SHARD, name, path: &path, method: "GET", lines: &[], body: None, limit: LIMIT };
    let answer = call.send(env).await.map_err(unreachable_root)?;
    if answer.status() != 200 {
        return Err(unreachable_root(format_args!("a shard tells no log: status {}", answer.status())));
    }
    let last = answer.header("x-last").and_then(|last| last.parse().ok());
    let lines = platform::answer_body(answer).await.map_err(unreachable_root)?;
    let response = respond::with(200, CONTENT_TYPE, lines);
    let next = match last {
        Some(last) => Some(Cursor { after: Some(last), ..cursor }),
        None => (cursor.shard + 1 < names.len()).then(|| Cursor { shard: cursor.shard + 1, after: None }),
    };
    if let Some(next) = next {
        let address = format!("/_edgeloom/admin/log?after={}&from={from}&rows={rows}", next.text());
        respond::set(&response, "link", &format!("<{address}>; rel=\"next\""));
    }
    Ok(response)
}

fn bad(name: &str) -> Problem {
    let hint = "hint: take the address of the Link header as it is; `from` is a time in milliseconds, `rows` a number up to 5000";
    Problem::new(400, "Not a page of the log", format!("`{name}` can't be read; {hint}"))
}
