//! Who may send events and ask: pages of the site, of the origins it lists, and holders of an import key.

use crate::bindings::{INGEST_LIMIT, Settings};
use crate::platform::{self, Env, Request, Response, console_error};
use crate::request::{header, now_millis, own_origin};
use crate::respond;

/// Where a request comes from.
pub enum Sender {
    /// A page of the site, or no browser at all.
    Own,
    /// A page of a listed origin.
    Listed(String),
    /// Somebody with an import key.
    Import,
    /// A page of any other site.
    Foreign,
}

/// The sender of a request.
///
/// A simple request from another site has no preflight, so its origin is checked here. Without `Origin` and
/// `Sec-Fetch-Site` it is no browser; what it sends still needs receipts.
pub fn sender(request: &Request, settings: &Settings, origins: &[String]) -> Sender {
    if let Some(key) = header(request, "authorization").as_deref().and_then(bearer) {
        // A wrong key is not ignored: its owner would wonder where the events went.
        return settings.import.holder(key).map_or(Sender::Foreign, |_| Sender::Import);
    }
    match header(request, "origin").map(|origin| origin.to_ascii_lowercase()) {
        Some(origin) if origin == own_origin(request) => Sender::Own,
        Some(origin) if origins.contains(&origin) => Sender::Listed(origin),
        Some(_) => Sender::Foreign,
        None => match header(request, "sec-fetch-site").as_deref() {
            None | Some("same-origin" | "none") => Sender::Own,
            Some(_) => Sender::Foreign,
        },
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// Lets the page of a listed origin read the answer to a method.
pub fn let_read(response: &Response, sender: &Sender, method: &str) {
    respond::set(response, "vary", "Origin");
    if let Sender::Listed(origin) = sender {
        respond::set(response, "access-control-allow-origin", origin);
        respond::set(response, "access-control-allow-methods", method);
        respond::set(response, "access-control-allow-headers", "content-type");
        respond::set(response, "access-control-max-age", "86400");
    }
}

/// Whether the content type is one that `sendBeacon` and `fetch` send JSON with.
pub fn has_text_type(request: &Request) -> bool {
    let value = header(request, "content-type").unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("text/plain") || essence.eq_ignore_ascii_case("application/json")
}

/// Whether a client stays within the rate of a route, each of which is counted for itself; where nothing counts rates,
/// everybody does.
pub async fn is_within_rate(request: &Request, env: &Env, settings: &Settings, route: &str) -> bool {
    if !js_sys::Reflect::has(env, &INGEST_LIMIT.into()).unwrap_or(false) {
        return true;
    }
    let address = header(request, "cf-connecting-ip").unwrap_or_default();
    let client = [route, &settings.client_name(&address, now_millis())].concat();
    match platform::is_within_rate(env, INGEST_LIMIT, &client).await {
        Ok(is_within) => is_within,
        Err(error) => {
            console_error!("the rate limiter failed: {error}");
            true
        }
    }
}
