//! `edgeloom check`: everything that is wrong with a file, each thing at its place. It talks to nobody.

use crate::document::{Document, Source};
use crate::failure::Failure;
use crate::finding::{self, Finding};
use crate::output::Output;
use crate::{plain, rich, unknown};
use edgeloom::block::{Block, BlockError};
use edgeloom::snapshot::wire::Config;
use edgeloom::snapshot::{self, Warning};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

/// A file that has been looked at.
pub struct Checked {
    /// The file.
    pub source: Source,
    /// What was found, from top to bottom.
    pub findings: Vec<Finding>,
    /// What the file says, though perhaps not all right; `None` where it can't be read that far.
    pub content: Option<Content>,
}

/// What a file says.
pub struct Content {
    /// The configuration, rich text made safe.
    pub config: Config,
    /// Where in the file it stands.
    pub document: Document,
}

/// Looks at a file.
///
/// # Errors
/// It can't be read at all; everything else is a finding.
pub fn look(file: &Path) -> Result<Checked, Failure> {
    let source = Source::read(file)?;
    let mut findings = Vec::new();
    let content = read(&source, &mut findings).map_err(|finding| findings.push(finding)).ok();
    // What has no place comes first.
    findings.sort_by_key(|finding| finding.span.as_ref().map(|span| span.start));
    Ok(Checked { source, findings, content })
}

fn read(source: &Source, findings: &mut Vec<Finding>) -> Result<Content, Finding> {
    let document = Document::parse(source)?;
    let mut config = config(source, &document, findings)?;
    findings.extend(rich::sanitise(&mut config, &document));
    findings.extend(snapshot::check(&config).into_iter().map(|warning| place(warning, &config, &document)));
    // Where the core says what a number should be, that says more than that it is none.
    let plain = plain::check(&document).into_iter();
    let plain: Vec<_> = plain.filter(|new| findings.iter().all(|known| known.span != new.span)).collect();
    findings.extend(plain);
    Ok(Content { config, document })
}

/// The typed configuration; keys that no type asked for are findings.
fn config(source: &Source, document: &Document, findings: &mut Vec<Finding>) -> Result<Config, Finding> {
    let wrong = |error: toml::de::Error| Finding::error(error.message()).at("", error.span());
    let toml = toml::Deserializer::parse(source.text()).map_err(wrong)?;
    let config = serde_ignored::deserialize(toml, |path| {
        let pointer = unknown::pointer(&path);
        let span = document.key_span(&pointer);
        findings.push(Finding::error(unknown::message(&pointer)).at(pointer, span));
    });
    config.map_err(wrong)
}

/// A warning of the core at its place in the file; inside a template, at the very character.
pub fn place(warning: Warning, config: &Config, document: &Document) -> Finding {
    let Warning { pointer, message, severity } = warning;
    if let Some(block) = template_of(&pointer, config)
        && let Err(BlockError::Template { at, .. }) = Block::compile(block)
        && let Some(span) = document.span_in_string(&pointer, &block.template, at.offset)
    {
        // Line and column of the template, which the message has, would only confuse beside those of the file.
        return Finding::new(severity, at.fault).at(pointer, Some(span));
    }
    let span = document.span(&pointer);
    Finding::new(severity, message).at(pointer, span)
}

fn template_of<'c>(pointer: &str, config: &'c Config) -> Option<&'c edgeloom::snapshot::wire::Block> {
    let index = pointer.strip_prefix("/blocks/")?.strip_suffix("/template")?;
    config.blocks.get(index.parse::<usize>().ok()?)
}

/// The command.
///
/// # Errors
/// The file can't be read.
pub fn run(file: &Path, output: &Output) -> Result<ExitCode, Failure> {
    let Checked { source, findings, .. } = look(file)?;
    let (n_errors, n_advice) = finding::count(&findings);
    finding::show(&findings, &source, output);
    let document = json!({
        "file": source.name(),
        "errors": n_errors,
        "advice": n_advice,
        "findings": finding::entries(&findings, &source),
    });
    output.result(&document, || summary(&source, n_errors, n_advice));
    Ok(if n_errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(source: &Source, n_errors: usize, n_advice: usize) -> String {
    let many = |n: usize| if n == 1 { "" } else { "s" };
    match (n_errors, n_advice) {
        (0, 0) => format!("{}: fine", source.name()),
        (0, n) => format!("{}: fine, with {n} piece{} of advice", source.name(), many(n)),
        (e, n) => format!("{}: {e} error{}, {n} piece{} of advice", source.name(), many(e), many(n)),
    }
}
