//! Problems as RFC 9457 describes them; each names what is wrong and, where it can, the field.

use crate::platform::Response;
use crate::respond;
use edgeloom::json::{self, Tell, tell_fields};
use edgeloom::{Value, told};

/// One field that is wrong.
#[derive(Debug, Clone)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into what was sent.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

told! { FieldError { pointer, detail } }

/// What is wrong with a field of an unknown name.
pub const NO_FIELD: &str = "there is no such field; hint: check its spelling";

/// An answer that says why there is no other.
#[derive(Debug)]
pub struct Problem {
    title: &'static str,
    status: u16,
    detail: String,
    errors: Vec<FieldError>,
    headers: Vec<(&'static str, String)>,
}

impl Tell for Problem {
    fn value(&self) -> Value {
        let names = ["type", "title", "status", "detail", "errors"];
        // Without wrong fields there is no list of them.
        tell_fields(&names, 4, &[&"about:blank", &self.title, &self.status, &self.detail, &self.errors])
    }
}

impl Problem {
    /// A problem with a sentence about this very case.
    pub fn new(status: u16, title: &'static str, detail: impl Into<String>) -> Self {
        Self { title, status, detail: detail.into(), errors: Vec::new(), headers: Vec::new() }
    }

    /// The same with a header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with the fields that are wrong.
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Nothing is here.
    pub fn not_found() -> Self {
        Self::new(404, "Not found", "There is nothing at this address.")
    }

    /// The address is right, the method is not.
    pub fn method(allow: &'static str) -> Self {
        Self::new(405, "Method not allowed", format!("Use {allow} here.")).header("allow", allow)
    }

    /// Too much was sent.
    pub fn too_large(limit_bytes: usize) -> Self {
        Self::new(413, "Too large", format!("At most {limit_bytes} bytes are read here."))
    }

    /// It works later.
    pub fn try_again(detail: impl Into<String>) -> Self {
        Self::new(503, "Temporarily unavailable", detail).header("retry-after", "1")
    }

    /// Something of ours failed; the log says what.
    pub fn internal() -> Self {
        Self::new(500, "Internal error", "This failed on our side and is logged; nothing was changed.")
    }

    /// The response.
    pub fn respond(&self) -> Response {
        let body = json::write(self).into_bytes();
        let response = respond::with(self.status, "application/problem+json", body);
        for (name, value) in &self.headers {
            respond::set(&response, name, value);
        }
        response
    }
}
