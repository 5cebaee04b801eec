//! Reading requests: headers, origin and a body that can't be larger than allowed.

use crate::platform;
use worker::Request;

/// Milliseconds since the epoch.
pub fn now_millis() -> u64 {
    js_sys::Date::now() as u64
}

/// A header, or nothing where it is missing or empty.
pub fn header(request: &Request, name: &str) -> Option<String> {
    request.headers().get(name).ok().flatten().filter(|value| !value.is_empty())
}

/// Scheme and host of the address asked for.
pub fn own_origin(request: &Request) -> String {
    let url = request.inner().url();
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(url.len(), |at| host + at);
    url.get(..end).unwrap_or_default().to_ascii_lowercase()
}

/// The value of a query parameter.
pub fn query(request: &Request, name: &str) -> Option<String> {
    let url = request.inner().url();
    let (_, query) = url.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// More bytes than allowed.
    TooLarge,
    /// The client stopped sending.
    Broken,
}

/// The body, as long as it has at most `limit_bytes`; what the client says of its length is not believed.
pub async fn body(request: &mut Request, limit_bytes: usize) -> Result<Vec<u8>, BodyError> {
    let said = header(request, "content-length").and_then(|length| length.parse::<usize>().ok());
    if said.is_some_and(|length| length > limit_bytes) {
        return Err(BodyError::TooLarge);
    }
    let body = platform::body(request.inner().as_ref(), limit_bytes).await.map_err(|_| BodyError::Broken)?;
    body.ok_or(BodyError::TooLarge)
}
