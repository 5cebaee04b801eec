//! Something found in a file, and how it is shown: at its place, with what to do. It finds nothing itself.

use crate::document::Source;
use crate::failure::split_hint;
use crate::output::{Output, printable, steers};
use edgeloom::snapshot::Severity;
use miette::{Diagnostic, LabeledSpan, MietteHandlerOpts, NamedSource, ReportHandler, SourceCode};
use serde::Serialize;
use std::fmt;
use std::ops::Range;

/// Something found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Whether it stops a publication.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// JSON pointer of what it is about; empty where the file could not be read that far.
    pub pointer: String,
    /// Bytes of the file it is about.
    pub span: Option<Range<usize>>,
}

impl Finding {
    /// An error; what follows `hint: ` in the message becomes the hint.
    pub fn error(message: impl fmt::Display) -> Self {
        Self::new(Severity::Error, message)
    }

    /// Advice; likewise.
    pub fn advice(message: impl fmt::Display) -> Self {
        Self::new(Severity::Advice, message)
    }

    /// Either.
    pub fn new(severity: Severity, message: impl fmt::Display) -> Self {
        let message = message.to_string();
        let (message, hint) = split_hint(&message);
        let hint = hint.map(ToString::to_string);
        Self { severity, message: message.to_string(), hint, pointer: String::new(), span: None }
    }

    /// The same with its place.
    pub fn at(mut self, pointer: impl Into<String>, span: Option<Range<usize>>) -> Self {
        self.pointer = pointer.into();
        self.span = span;
        self
    }
}

/// A finding for programs.
#[derive(Serialize)]
pub struct Entry<'f> {
    severity: &'static str,
    message: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'f str>,
    pointer: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

/// Findings for programs.
pub fn entries<'f>(findings: &'f [Finding], source: &Source) -> Vec<Entry<'f>> {
    findings.iter().map(|finding| entry(finding, source)).collect()
}

fn entry<'f>(finding: &'f Finding, source: &Source) -> Entry<'f> {
    let place = finding.span.as_ref().map(|span| source.line_and_column(span.start));
    Entry {
        severity: name(finding.severity),
        message: &finding.message,
        hint: finding.hint.as_deref(),
        pointer: &finding.pointer,
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
    }
}

const fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Advice => "advice",
    }
}

/// Number of errors, and number of remarks.
pub fn count(findings: &[Finding]) -> (usize, usize) {
    let n_errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    (n_errors, findings.len() - n_errors)
}

/// Shows findings to people.
pub fn show(findings: &[Finding], source: &Source, output: &Output) {
    if output.is_json() {
        return;
    }
    let handler = MietteHandlerOpts::new().context_lines(1).wrap_lines(false).build();
    let named = NamedSource::new(source.name(), printable_in_place(source.text()));
    for finding in findings {
        let shown = Shown { finding, source: &named };
        output.remark(&Rendered { shown: &shown, handler: &handler }.to_string());
    }
}

/// What steers must not reach the terminal, and the spans must stay right: as many bytes for as many.
fn printable_in_place(text: &str) -> String {
    let safe = |c: char| match (steers(c) && c != '\r', c.len_utf8()) {
        (false, _) => c,
        (true, 1) => '?',
        (true, 2) => '\u{b7}',
        (true, _) => '\u{fffd}',
    };
    text.chars().map(safe).collect()
}

struct Rendered<'a> {
    shown: &'a Shown<'a>,
    handler: &'a miette::MietteHandler,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handler.debug(self.shown, f)
    }
}

#[derive(Debug)]
struct Shown<'a> {
    finding: &'a Finding,
    source: &'a NamedSource<String>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.finding.message))
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.hint.as_ref().map(|hint| Box::new(printable(hint)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.finding.span.as_ref().map(|_| self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.finding.span.clone()?;
        let label = match self.finding.pointer.rsplit('/').next() {
            Some(last) if !last.is_empty() => self.finding.pointer.clone(),
            _ => "here".to_string(),
        };
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(Some(label), span))))
    }
}
