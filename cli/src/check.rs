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
pub enum Checked {
    /// It says something, though perhaps not all right.
    Readable {
        /// What it says, rich text made safe.
        config: Box<Config>,
        /// The file.
        document: Document,
        /// What was found.
        findings: Vec<Finding>,
    },
    /// It says nothing.
    Unreadable {
        /// The file.
        source: Source,
        /// Why.
        findings: Vec<Finding>,
    },
}

impl Checked {
    /// The file.
    pub const fn source(&self) -> &Source {
        match self {
            Self::Readable { document, .. } => document.source(),
            Self::Unreadable { source, .. } => source,
        }
    }

    /// What was found.
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Readable { findings, .. } | Self::Unreadable { findings, .. } => findings,
        }
    }
}

/// Looks at a file.
///
/// # Errors
/// It can't be read at all; everything else is a finding.
pub fn look(file: &Path) -> Result<Checked, Failure> {
    let document = match Document::parse(Source::read(file)?) {
        Ok(document) => document,
        Err((source, finding)) => return Ok(Checked::Unreadable { source, findings: vec![finding] }),
    };
    let mut findings = Vec::new();
    let mut config = match read(&document, &mut findings) {
        Ok(config) => config,
        Err(finding) => {
            findings.push(finding);
            return Ok(Checked::Unreadable { source: document.into_source(), findings });
        }
    };
    findings.extend(rich::sanitise(&mut config, &document));
    findings.extend(snapshot::check(&config).into_iter().map(|warning| place(warning, &config, &document)));
    // Where the core says what a number should be, that says more than that it is none.
    let plain = plain::check(&document).into_iter();
    let plain: Vec<_> = plain.filter(|new| findings.iter().all(|known| known.span != new.span)).collect();
    findings.extend(plain);
    // From top to bottom, like the file; what has no place first.
    findings.sort_by_key(|finding| finding.span.as_ref().map(|span| span.start));
    Ok(Checked::Readable { config: Box::new(config), document, findings })
}

fn read(document: &Document, findings: &mut Vec<Finding>) -> Result<Config, Finding> {
    let wrong = |error: toml::de::Error| Finding::error(error.message()).at("", error.span());
    let toml = toml::Deserializer::parse(document.source().text()).map_err(wrong)?;
    let config = serde_ignored::deserialize(toml, |path| {
        let pointer = unknown::pointer(&path);
        let span = document.key_span(&pointer);
        findings.push(Finding::error(unknown::message(&pointer)).at(pointer, span));
    });
    config.map_err(wrong)
}

/// A warning of the core at its place in the file; inside a template, at the very character.
pub fn place(warning: Warning, config: &Config, document: &Document) -> Finding {
    let inside = template_of(&warning.pointer, config).and_then(|block| match Block::compile(block) {
        Err(BlockError::Template { at, .. }) => {
            document.span_in_string(&warning.pointer, &block.template, at.offset)
        }
        _ => None,
    });
    let span = inside.or_else(|| document.span(&warning.pointer));
    Finding::new(warning.severity, &warning.message).at(warning.pointer, span)
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
    let checked = look(file)?;
    let (source, findings) = (checked.source(), checked.findings());
    let (n_errors, n_advice) = finding::count(findings);
    finding::show(findings, source, output);
    let document = json!({
        "file": source.name(),
        "errors": n_errors,
        "advice": n_advice,
        "findings": finding::entries(findings, source),
    });
    output.result(&document, || summary(source, n_errors, n_advice));
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
