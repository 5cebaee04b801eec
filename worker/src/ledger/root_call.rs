//! Calls the root object of a site, with a deadline.

use crate::bindings::ROOT;
use futures_util::future::{Either, select};
use std::pin::pin;
use std::time::Duration;
use worker::{Delay, Env, Error, Headers, Method, Request, RequestInit, Response, Result};

/// A publication waits for KV, which may ask for some seconds.
const LIMIT: Duration = Duration::from_secs(12);

/// A `GET`.
///
/// # Errors
/// No answer in time, or none at all.
pub async fn get(env: &Env, site: &str, path: &str) -> Result<Response> {
    call(env, site, path, RequestInit::new().with_method(Method::Get)).await
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
    let headers = Headers::new();
    for (name, value) in lines {
        headers.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_body(Some(js_sys::Uint8Array::from(body).into()));
    call(env, site, path, &init).await
}

async fn call(env: &Env, site: &str, path: &str, init: &RequestInit) -> Result<Response> {
    let request = Request::new_with_init(&format!("http://root{path}"), init)?;
    let stub = env.durable_object(ROOT)?.get_by_name(site)?;
    match select(pin!(stub.fetch_with_request(request)), pin!(Delay::from(LIMIT))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(Error::RustError("the root does not answer".into())),
    }
}
