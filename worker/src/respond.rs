//! Responses of our own: never stored, never framed, never sniffed.

use serde::Serialize;
use worker::{Headers, Response, ResponseBody, ResponseBuilder};

/// A response with a body.
pub fn with(status: u16, content_type: &str, body: Vec<u8>) -> Response {
    let headers = Headers::new();
    let lines = [
        ("content-type", content_type),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ];
    for (name, value) in lines {
        // Fails for names and values that are no header text; these are constants.
        let _ = headers.set(name, value);
    }
    let body = if body.is_empty() { ResponseBody::Empty } else { ResponseBody::Body(body) };
    ResponseBuilder::new().with_status(status).with_headers(headers).body(body)
}

/// A JSON response.
pub fn json(status: u16, value: &impl Serialize) -> Response {
    with(status, "application/json", edgeloom::json::write(value).into_bytes())
}

/// Sets one header; a value that is no header text leaves it out.
pub fn set(response: &Response, name: &str, value: &str) {
    let _ = response.headers().set(name, value);
}
