//! Calls the root object of a site, with a deadline.

use crate::bindings::ROOT;
use crate::platform::{Call, Env, Response, Result};
use std::time::Duration;

/// A publication waits for KV, which may ask for some seconds.
const LIMIT: Duration = Duration::from_secs(12);

/// A `GET`.
///
/// # Errors
/// No answer in time, or none at all.
pub async fn get(env: &Env, site: &str, path: &str) -> Result<Response> {
    let call = Call { binding: ROOT, name: site, path, method: "GET", lines: &[], body: None, limit: LIMIT };
    call.send(env).await
}

/// A `POST` with some headers.
///
/// # Errors
/// See [`get`].
pub async fn post(
    env: &Env,
    site: &str,
    path: &str,
    lines: &[(&str, &str)],
    body: &[u8],
) -> Result<Response> {
    let call =
        Call { binding: ROOT, name: site, path, method: "POST", lines, body: Some(body), limit: LIMIT };
    call.send(env).await
}
