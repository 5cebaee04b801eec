//! Requests and responses of the runtime, as far as we look into them.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/platform/platform.js")]
extern "C" {
    #[wasm_bindgen(js_name = headerOf)]
    fn header_of(message: &JsValue, name: &str) -> Option<String>;

    #[wasm_bindgen(js_name = setHeader)]
    fn set_header_js(message: &JsValue, name: &str, value: &str);

    #[wasm_bindgen(js_name = respond)]
    fn respond_js(status: u16, body: &JsValue, lines: &Array) -> Response;
}

#[wasm_bindgen]
extern "C" {
    /// What was asked.
    #[derive(Debug)]
    pub type Request;

    /// The address as the runtime writes it.
    #[wasm_bindgen(method, getter)]
    pub fn url(this: &Request) -> String;

    #[wasm_bindgen(method, getter, js_name = method)]
    fn method_name(this: &Request) -> String;

    /// What is answered.
    #[derive(Debug)]
    pub type Response;

    /// Its status.
    #[wasm_bindgen(method, getter)]
    pub fn status(this: &Response) -> u16;
}

/// Methods that one of our routes knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `DELETE`.
    Delete,
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// `OPTIONS`.
    Options,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// No route knows it.
    Other,
}

impl Request {
    /// The method.
    pub fn method(&self) -> Method {
        match self.method_name().as_str() {
            "DELETE" => Method::Delete,
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "OPTIONS" => Method::Options,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            _ => Method::Other,
        }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        header_of(self, name)
    }
}

impl Response {
    /// A response with some headers; without bytes it has no body.
    pub fn new(status: u16, body: &[u8], lines: &[(&str, &str)]) -> Self {
        let body = if body.is_empty() { JsValue::NULL } else { Uint8Array::from(body).into() };
        respond_js(status, &body, &super::flat(lines))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        header_of(self, name)
    }

    /// Sets a header; a value that is no header text leaves it out.
    pub fn set_header(&self, name: &str, value: &str) {
        set_header_js(self, name, value);
    }
}
