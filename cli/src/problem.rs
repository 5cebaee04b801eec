//! What can be wrong with a file, and what stops a command. Nothing here prints.

use edgeloom::snapshot::wire::Config;
use serde::Serialize;
use std::fmt;
use std::ops::Range;

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file is not published.
    Error,
    /// Published all the same, but probably not as meant.
    Advice,
}

/// The kind of a problem; the word is a promise to scripts that read `--json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The file is not UTF-8.
    Encoding,
    /// Not TOML.
    Syntax,
    /// TOML of another shape than the configuration has.
    Type,
    /// TOML can say it, JSON can't.
    Value,
    /// A key that nobody reads.
    UnknownKey,
    /// Well-formed, but makes no sense.
    Meaning,
    /// Rich text that publishing changes.
    RichText,
    /// Said by the site.
    Site,
}

impl Code {
    /// The word of the code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Encoding => "encoding",
            Self::Syntax => "syntax",
            Self::Type => "type",
            Self::Value => "value",
            Self::UnknownKey => "unknown_key",
            Self::Meaning => "meaning",
            Self::RichText => "rich_text",
            Self::Site => "site",
        }
    }
}

/// One problem of a file, with its place where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How much it matters.
    pub severity: Severity,
    /// Its kind.
    pub code: Code,
    /// What is wrong: one sentence.
    pub message: String,
    /// What stands at the place.
    pub label: &'static str,
    /// How to mend it.
    pub help: Option<String>,
    /// JSON pointer (RFC 6901) of the item.
    pub pointer: Option<String>,
    /// Bytes of the file it is about.
    pub span: Option<Range<usize>>,
}

impl Problem {
    /// An error; `message` may end in `hint: …`, which becomes the help.
    pub fn error(code: Code, message: &str) -> Self {
        let (message, help) = match message.split_once("hint: ") {
            Some((what, hint)) => (what.trim_end_matches(['\n', ' ', ';']), Some(hint.to_string())),
            None => (message, None),
        };
        let message = message.to_string();
        Self { severity: Severity::Error, code, message, label: "here", help, pointer: None, span: None }
    }

    /// The same as a remark that stops nothing.
    pub fn advice(code: Code, message: &str) -> Self {
        Self { severity: Severity::Advice, ..Self::error(code, message) }
    }

    /// With the place in the file.
    pub fn at(self, span: Option<Range<usize>>, label: &'static str) -> Self {
        Self { span, label, ..self }
    }

    /// With the item.
    pub fn about(self, pointer: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), ..self }
    }

    /// With help, where there is any.
    pub fn helped(self, help: Option<String>) -> Self {
        Self { help: help.or(self.help), ..self }
    }
}

/// Whether nothing in the list forbids publishing.
pub fn publishable(problems: &[Problem]) -> bool {
    problems.iter().all(|problem| problem.severity != Severity::Error)
}

/// A part of a refused configuration, as the site names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// JSON pointer into the configuration.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

/// Whose move it is after a command has stopped; also its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The configuration has to change: exit code 1.
    Configuration = 1,
    /// The call, a file or the connection has to change: exit code 2.
    Surroundings = 2,
}

/// Why a command can't go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Whose move it is.
    pub blame: Blame,
    /// What happened: one sentence.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// What the site says about single items.
    pub details: Vec<Detail>,
}

impl Stop {
    /// Something outside the configuration.
    pub fn new(message: impl Into<String>, help: &str) -> Self {
        let help = (!help.is_empty()).then(|| help.to_string());
        Self { blame: Blame::Surroundings, message: message.into(), help, details: Vec::new() }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Stop {}

/// What a file says, as far as it could be read.
#[derive(Debug)]
pub struct Reading {
    /// The configuration, unless the file is too broken to have one.
    pub config: Option<Config>,
    /// Everything found on the way.
    pub problems: Vec<Problem>,
}

/// Nearest of some words to one that is none of them, if it is near enough to be a typing error.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // A transposition counts as one error; a third of the letters may be wrong.
    let distance = |known: &str| strsim::damerau_levenshtein(&word.to_lowercase(), known);
    known
        .into_iter()
        .map(|known| (distance(known), known))
        .filter(|(distance, known)| distance * 3 <= known.len().max(3))
        .min()
        .map(|(_, known)| format!("did you mean `{known}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_becomes_the_help() {
        let problem = Problem::error(Code::Meaning, "there is no goal 'buy'; hint: define it under goals");
        assert_eq!(problem.message, "there is no goal 'buy'");
        assert_eq!(problem.help.as_deref(), Some("define it under goals"));
    }

    #[test]
    fn only_near_words_are_suggested() {
        let known = ["slots", "blocks", "goals"];
        assert_eq!(did_you_mean("slot", known).as_deref(), Some("did you mean `slots`?"));
        assert_eq!(did_you_mean("golas", known).as_deref(), Some("did you mean `goals`?"));
        assert_eq!(did_you_mean("visitors", known), None);
    }
}
