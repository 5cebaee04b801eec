//! What goes where: results to standard output, as text or as one JSON document; everything else to standard error.

use crate::failure::Failure;
use serde::Serialize;
use serde_json::json;
use std::io::{self, Write};

/// Where results go.
pub struct Output {
    json: bool,
}

impl Output {
    /// Text, or JSON.
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether the reader is a program.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a result: the document for programs, the text for people.
    pub fn result(&self, document: &impl Serialize, text: impl FnOnce() -> String) {
        let text = if self.json {
            serde_json::to_string_pretty(document)
                .unwrap_or_else(|error| json!({ "error": error.to_string() }).to_string())
        } else {
            text()
        };
        if !text.is_empty() {
            put(io::stdout(), &text);
        }
    }

    /// Prints progress and advice, for people only.
    pub fn remark(&self, text: &str) {
        if !self.json && !text.is_empty() {
            put(io::stderr(), text);
        }
    }

    /// Prints why a command ended.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            let document = json!({ "error": { "message": failure.message(), "hint": failure.hint() } });
            put(io::stdout(), &document.to_string());
            return;
        }
        put(io::stderr(), &format!("error: {}", printable(failure.message())));
        if let Some(hint) = failure.hint() {
            put(io::stderr(), &format!(" hint: {}", printable(hint)));
        }
    }
}

/// A reader that went away (`| head`) is no error, and there is nobody left to tell another one.
fn put(mut to: impl Write, text: &str) {
    let _ = writeln!(to, "{text}").and_then(|()| to.flush());
}

/// A text of the server or of a file without what would steer the terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// Whether a character does more than stand there: controls, and marks that turn the direction of what follows.
pub fn steers(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
