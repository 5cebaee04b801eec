//! Failures of calls to the platform.

use std::fmt;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/platform/platform.js")]
extern "C" {
    #[wasm_bindgen(js_name = textOf)]
    fn text_of(error: &JsValue) -> String;
}

/// Why a call failed.
#[derive(Debug)]
pub enum Error {
    /// Thrown by the runtime.
    Thrown(JsValue),
    /// Found by us.
    Found(String),
}

/// The outcome of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What we found wrong.
    pub fn new(what: impl fmt::Display) -> Self {
        Self::Found(what.to_string())
    }

    /// Whether the runtime marked it with a property.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Thrown(error) => {
                js_sys::Reflect::get(error, &name.into()).is_ok_and(|mark| mark.is_truthy())
            }
            Self::Found(_) => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thrown(error) => f.write_str(&text_of(error)),
            Self::Found(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl From<JsValue> for Error {
    fn from(error: JsValue) -> Self {
        Self::Thrown(error)
    }
}
