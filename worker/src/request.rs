//! Reading requests: headers, origin and a body that can't be larger than allowed.

use crate::platform::{Bytes, Request};
use crate::problem::Problem;

/// Milliseconds since the epoch.
pub fn now_millis() -> u64 {
    js_sys::Date::now() as u64
}

/// A header, or nothing where it is missing or empty.
pub fn header(request: &Request, name: &str) -> Option<String> {
    request.header(name).filter(|value| !value.is_empty())
}

/// Where the path of an address begins.
fn start_of_path(url: &str) -> usize {
    let host = url.find("://").map_or(0, |at| at + 3);
    url.get(host..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(url.len(), |at| host + at)
}

/// Scheme and host of the address asked for.
pub fn own_origin(request: &Request) -> String {
    let mut url = request.url();
    url.truncate(start_of_path(&url));
    url.make_ascii_lowercase();
    url
}

/// The path of the address asked for.
pub fn path(request: &Request) -> String {
    let url = request.url();
    let path = url.get(start_of_path(&url)..).unwrap_or_default();
    path.split(['?', '#']).next().unwrap_or_default().to_string()
}

/// The value of a query parameter.
pub fn query(request: &Request, name: &str) -> Option<String> {
    let url = request.url();
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
pub async fn body(request: &Request, limit_bytes: usize) -> Result<Vec<u8>, BodyError> {
    Ok(bytes(request, limit_bytes).await?.to_vec())
}

/// The same, left where the runtime has it.
pub async fn bytes(request: &Request, limit_bytes: usize) -> Result<Bytes, BodyError> {
    let said = header(request, "content-length").and_then(|length| length.parse::<usize>().ok());
    if said.is_some_and(|length| length > limit_bytes) {
        return Err(BodyError::TooLarge);
    }
    let body = Bytes::of_body(request.as_ref(), limit_bytes).await.map_err(|_| BodyError::Broken)?;
    body.ok_or(BodyError::TooLarge)
}

/// The same for routes that answer with what is wrong.
///
/// # Errors
/// Too much, or cut off.
pub async fn read(request: &Request, limit_bytes: usize) -> Result<Vec<u8>, Problem> {
    Ok(read_bytes(request, limit_bytes).await?.to_vec())
}

/// The same, left where the runtime has it.
///
/// # Errors
/// See [`read`].
pub async fn read_bytes(request: &Request, limit_bytes: usize) -> Result<Bytes, Problem> {
    bytes(request, limit_bytes).await.map_err(|error| match error {
        BodyError::TooLarge => Problem::too_large(limit_bytes),
        BodyError::Broken => Problem::new(400, "Cut off", "The request ended early."),
    })
}
