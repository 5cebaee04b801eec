//! What the core has to say about a configuration, at its place in the file; about a template, at the very character.

use crate::problem::{Code, Problem};
use crate::source::{Outline, Source};
use edgeloom::block::{Block, BlockError};
use edgeloom::snapshot::wire::{self, Config};
use edgeloom::snapshot::{Severity, Warning, check};

/// Every problem the core finds. Sanitise first: it refuses rich text that is not.
pub fn problems(config: &Config, source: &Source, outline: &Outline) -> Vec<Problem> {
    let found = check(config).into_iter();
    found
        .map(|warning| {
            let inside = inside_template(&warning, config, source, outline);
            let problem = inside.unwrap_or_else(|| {
                problem(warning.severity, &warning.message).at(outline.span(&warning.pointer), "here")
            });
            problem.about(warning.pointer)
        })
        .collect()
}

fn problem(severity: Severity, message: &str) -> Problem {
    match severity {
        Severity::Error => Problem::error(Code::Meaning, message),
        Severity::Advice => Problem::advice(Code::Meaning, message),
    }
}

fn inside_template(
    warning: &Warning,
    config: &Config,
    source: &Source,
    outline: &Outline,
) -> Option<Problem> {
    let block = template_of(&warning.pointer, config)?;
    let Err(BlockError::Template { at, .. }) = Block::compile(block) else { return None };
    let written = outline.span(&warning.pointer)?;
    let span = source.within(&written, &block.template, at.offset)?;
    // The message counts lines of the template, which would only confuse beside those of the file.
    Some(problem(warning.severity, &at.fault.to_string()).at(Some(span), "here"))
}

fn template_of<'c>(pointer: &str, config: &'c Config) -> Option<&'c wire::Block> {
    let index = pointer.strip_prefix("/blocks/")?.strip_suffix("/template")?;
    config.blocks.get(index.parse::<usize>().ok()?)
}
