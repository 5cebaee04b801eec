//! Responses of our own: never stored, never framed, never sniffed.

use crate::platform::Response;
use edgeloom::json::Tell;

/// A response with a body.
pub fn with(status: u16, content_type: &str, body: Vec<u8>) -> Response {
    let lines = [
        ("content-type", content_type),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ];
    Response::new(status, &body, &lines)
}

/// A JSON response.
pub fn json(status: u16, value: &dyn Tell) -> Response {
    with(status, "application/json", edgeloom::json::write(value).into_bytes())
}

/// Sets one header; a value that is no header text leaves it out.
pub fn set(response: &Response, name: &str, value: &str) {
    response.set_header(name, value);
}
