//! The admin API: who may, which route, what is checked at the edge. The root does the rest.

mod auth;
mod config;
mod indexes;
mod log;
mod pieces;

pub use auth::{login, unknown};
pub use config::surplus;

use crate::bindings::settings;
use crate::ledger::root_call;
use crate::platform::{self, Env, Method, Request, Response, console_error};
use crate::problem::Problem;
use crate::request::{self, header, own_origin};
use crate::{json, respond};
use edgeloom::json::object;

/// Largest configuration; with what is learned it has to fit into a row of 2 MB.
const MAX_CONFIG_BYTES: usize = 1024 * 1024;
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Answers `/_edgeloom/admin/…`; `path` is what follows.
///
/// # Errors
/// Everything that is no plain answer.
pub async fn answer(request: Request, env: &Env, path: &str) -> Result<Response, Problem> {
    let settings = settings(env);
    let who = login(&request, &settings.admin)
        .ok_or_else(|| unknown("ADMIN_TOKENS", "Bearer realm=\"edgeloom\""))?;
    let who = who.kid.to_string();
    let method = request.method();
    if !matches!(method, Method::Get | Method::Head) && is_foreign(&request) {
        return Err(Problem::new(
            403,
            "Forbidden",
            "Requests that change something may not come from another site.",
        ));
    }
    match (path, method) {
        ("config", Method::Get) | ("versions" | "status" | "indexes", Method::Get) => {
            get(env, &settings.site, path).await
        }
        ("log", Method::Get) => log::answer(&request, env).await,
        ("config", Method::Put) => put_config(request, env, &who).await,
        ("publish" | "rollback" | "purge", Method::Post) => choose(request, env, path, &who).await,
        ("config", _) => Err(Problem::method("GET, PUT")),
        ("versions" | "status" | "log" | "indexes", _) => Err(Problem::method("GET")),
        ("publish" | "rollback" | "purge", _) => Err(Problem::method("POST")),
        (_, method) => match path.split_once('/') {
            Some(("snapshots", version)) if is_version(version) && method == Method::Get => {
                get(env, &settings.site, path).await
            }
            Some(("snapshots", version)) if is_version(version) => Err(Problem::method("GET")),
            Some(("pieces", hash)) => pieces::answer(request, env, hash).await,
            Some(("indexes", rest)) => indexes::answer(request, env, rest, &who).await,
            _ => Err(Problem::not_found()),
        },
    }
}

/// A browser that sends a stored password along with another site's form.
fn is_foreign(request: &Request) -> bool {
    let from =
        header(request, "origin").is_some_and(|origin| origin.to_ascii_lowercase() != own_origin(request));
    let site = header(request, "sec-fetch-site");
    from || site.is_some_and(|site| site != "same-origin" && site != "none")
}

fn is_version(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn get(env: &Env, site: &str, path: &str) -> Result<Response, Problem> {
    root_call::get(env, site, &format!("/{path}")).await.map_err(unreachable_root)
}

async fn put_config(request: Request, env: &Env, who: &str) -> Result<Response, Problem> {
    let settings = settings(env);
    let body = request::read(&request, MAX_CONFIG_BYTES).await?;
    let (json, mut warnings) = config::check(&body, &settings.site)?;
    let (matches, absent) = (header(&request, "if-match"), header(&request, "if-none-match"));
    let mut lines = vec![("x-who", who)];
    lines.extend(matches.as_deref().map(|tag| ("if-match", tag)));
    lines.extend(absent.as_deref().map(|tag| ("if-none-match", tag)));
    let path = with_message("/config", &request);
    let answer = root_call::post(env, &settings.site, &path, &lines, json.as_bytes())
        .await
        .map_err(unreachable_root)?;
    if answer.status() != 200 {
        return Ok(answer);
    }
    let tag = answer.header("etag").unwrap_or_default();
    let bytes = platform::answer_body(answer).await.map_err(unreachable_root)?;
    let told = json::read(&bytes).map_err(unreachable_root)?;
    warnings.extend(indexes::not_there(env, &settings.site, &json).await);
    let version = json::text(&told, "version").unwrap_or_default();
    let response = respond::json(200, &object(&[("version", &version), ("warnings", &warnings)]));
    respond::set(&response, "etag", &tag);
    Ok(response)
}

async fn choose(request: Request, env: &Env, what: &str, who: &str) -> Result<Response, Problem> {
    let body = request::read(&request, MAX_BODY_BYTES).await?;
    let path = with_message(&format!("/{what}"), &request);
    let site = &settings(env).site;
    root_call::post(env, site, &path, &[("x-who", who)], &body).await.map_err(unreachable_root)
}

/// The message travels in the query, which holds any text; a header would not.
fn with_message(path: &str, request: &Request) -> String {
    let Some(message) = request::query(request, "message") else { return path.to_string() };
    let message: String = message.chars().take(500).collect();
    form_urlencoded::Serializer::new(format!("{path}?")).append_pair("message", &message).finish()
}

/// The root did not answer.
pub fn unreachable_root(error: impl std::fmt::Display) -> Problem {
    console_error!("admin: {error}");
    Problem::try_again("The object that keeps the configuration does not answer; nothing is lost.")
}
