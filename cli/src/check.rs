//! Everything that can be said about a file without a connection: read, parse, sanitise, compile.

use crate::parse::parse;
use crate::problem::{Code, Problem, Stop};
use crate::sanitise::sanitise;
use crate::source::{Outline, Source};
use crate::{forests, meaning, pages};
use edgeloom::snapshot::wire::Config;
use std::path::Path;

/// A checked file.
#[derive(Debug)]
pub struct Checked {
    /// The file.
    pub source: Source,
    /// Where its items stand.
    pub outline: Outline,
    /// What would be published: sanitised. Missing where the file has no readable configuration.
    pub config: Option<Config>,
    /// What was found, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Checks a file.
///
/// # Errors
/// The file can't be read at all; anything wrong inside it is in [`Checked::problems`].
pub fn check(path: &Path) -> Result<Checked, Stop> {
    let (source, encoding) = Source::read(path)?;
    if let Some(problem) = encoding {
        return Ok(Checked { source, outline: Outline::default(), config: None, problems: vec![problem] });
    }
    let (reading, outline) = parse(&source);
    let (mut config, mut problems) = (reading.config, reading.problems);
    if let Some(config) = &mut config {
        for (pointer, reason) in forests::read(config, path) {
            problems.push(
                Problem::error(Code::Meaning, &reason).at(outline.span(&pointer), "here").about(pointer),
            );
        }
        for cleaned in sanitise(config) {
            problems.push(
                Problem::advice(Code::RichText, "publishing sanitises this rich text")
                    .at(outline.span(&cleaned.pointer), "published otherwise")
                    .helped(Some(cleaned.changes.join("\n")))
                    .about(cleaned.pointer),
            );
        }
        for (pointer, message) in pages::advice(config) {
            let span = outline.span(&pointer);
            problems.push(Problem::advice(Code::Meaning, &message).at(span, "here").about(pointer));
        }
        problems.extend(meaning::problems(config, &source, &outline));
    }
    problems.sort_by_key(|problem| (problem.span.as_ref().map(|span| span.start), problem.severity));
    Ok(Checked { source, outline, config, problems })
}
