//! What the core has to say about a configuration, at its place in the file.

use crate::problem::{Code, Problem};
use crate::source::Outline;
use edgeloom::snapshot::wire::Config;
use edgeloom::snapshot::{Severity, check};

/// Every problem the core finds. Sanitise first: it refuses rich text that is not.
pub fn problems(config: &Config, outline: &Outline) -> Vec<Problem> {
    let found = check(config).into_iter();
    found
        .map(|warning| {
            let problem = match warning.severity {
                Severity::Error => Problem::error(Code::Meaning, &warning.message),
                Severity::Advice => Problem::advice(Code::Meaning, &warning.message),
            };
            problem.at(outline.span(&warning.pointer), "here").about(warning.pointer)
        })
        .collect()
}
