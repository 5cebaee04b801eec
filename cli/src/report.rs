//! How problems look: for people as excerpts of the file, for machines as JSON. It decides nothing.

use crate::problem::{Problem, Severity, Stop};
use crate::source::{Source, obeyed};
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
    ThemeCharacters, ThemeStyles,
};
use serde_json::{Value, json};
use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::Arc;

/// Writes a result. A reader that has gone away (`| head`) is no error.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}

/// Writes a result for a machine.
pub fn say_json(value: &Value) {
    say(&format!("{value:#}"));
}

/// Writes what is about the run, not its result.
pub fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}

/// Writes the problems of a file, if there are any.
pub fn tell_problems(source: &Source, problems: &[Problem]) {
    if !problems.is_empty() {
        tell(&self::problems(source, problems));
    }
}

/// Text from elsewhere without what a terminal would obey.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if obeyed(c) { '\u{fffd}' } else { c }).collect()
}

/// A problem with the file it is in, as miette wants it.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    source: NamedSource<Arc<str>>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without an excerpt the item has to be named.
        if let (None, Some(pointer)) = (&self.problem.span, &self.problem.pointer) {
            write!(f, "{}: ", plain(pointer.trim_start_matches('/')))?;
        }
        f.write_str(&plain(&self.problem.message))
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.problem.code.as_str()))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(plain(help)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.problem.span.is_some().then_some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.problem.span.clone()?;
        let label = LabeledSpan::new_with_span(Some(self.problem.label.into()), span);
        Some(Box::new(std::iter::once(label)))
    }
}

impl fmt::Display for ShownStop<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(&self.0.message))
    }
}

/// A stop, as miette wants it.
#[derive(Debug)]
struct ShownStop<'a>(&'a Stop);

impl std::error::Error for ShownStop<'_> {}

impl Diagnostic for ShownStop<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help.as_ref().map(|help| Box::new(plain(help)) as Box<dyn fmt::Display>)
    }
}

/// The problems of a file for people, with a line that counts them.
pub fn problems(source: &Source, problems: &[Problem]) -> String {
    let mut out = String::new();
    for problem in problems {
        out.push_str(&rendered(&Shown { problem, source: source.named() }));
    }
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    if !problems.is_empty() {
        let advice = count(problems.len() - errors, "remark");
        out.push_str(&format!("{}: {}, {advice}\n", source.name, count(errors, "error")));
    }
    out
}

/// A stop for people.
pub fn stop(stop: &Stop) -> String {
    rendered(&ShownStop(stop))
}

/// What exactly was refused, a line each; for calls that have no file to point into.
pub fn details(stop: &Stop) -> String {
    stop.details
        .iter()
        .map(|detail| plain(&format!("{}: {}", detail.pointer, detail.message)) + "\n")
        .collect()
}

fn rendered(diagnostic: &dyn Diagnostic) -> String {
    // Drawn in Unicode even where it is not coloured: logs keep the shape of the excerpt.
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let styles = if colour { ThemeStyles::ansi() } else { ThemeStyles::none() };
    let theme = GraphicalTheme { characters: ThemeCharacters::unicode(), styles };
    let mut out = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_context_lines(1);
    match handler.render_report(&mut out, diagnostic) {
        Ok(()) => out,
        // An excerpt that can't be drawn must not hide the problem.
        Err(_) => format!("{diagnostic}\n"),
    }
}

/// The problems of a file for machines; offset and length are bytes of the file without byte order mark.
pub fn problems_json(source: &Source, problems: &[Problem]) -> Value {
    let one = |problem: &Problem| {
        let position = problem.span.as_ref().map(|span| source.position(span.start));
        json!({
            "severity": problem.severity,
            "code": problem.code,
            "message": problem.message,
            "help": problem.help,
            "pointer": problem.pointer,
            "line": position.map(|position| position.line),
            "column": position.map(|position| position.column),
            "offset": problem.span.as_ref().map(|span| span.start),
            "length": problem.span.as_ref().map(ExactSizeIterator::len),
        })
    };
    problems.iter().map(one).collect()
}

/// A stop for machines.
pub fn stop_json(stop: &Stop) -> Value {
    let details: Value = stop
        .details
        .iter()
        .map(|detail| json!({ "pointer": detail.pointer, "message": detail.message }))
        .collect();
    json!({ "ok": false, "error": { "message": stop.message, "help": stop.help, "details": details } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;

    #[test]
    fn text_from_elsewhere_cannot_command_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\r\nc"), "a\u{fffd}[2Jb\u{fffd}\nc");
    }

    #[test]
    fn a_problem_of_an_empty_file_is_shown() {
        let source = Source { name: "edgeloom.toml".into(), text: "".into() };
        for span in [None, Some(0..0)] {
            let problem =
                Problem::error(Code::Meaning, "identifier is empty; hint: name it").at(span, "here");
            let shown = problems(&source, &[problem]);
            assert!(shown.contains("identifier is empty") && shown.contains("help: name it"), "{shown}");
            assert!(shown.ends_with("edgeloom.toml: 1 error, 0 remarks\n"), "{shown}");
        }
    }

    #[test]
    fn machines_get_line_column_and_bytes() {
        let source = Source { name: "edgeloom.toml".into(), text: "a = 1\nbc = 2\n".into() };
        let problem = Problem::advice(Code::UnknownKey, "unknown key `bc`").at(Some(6..8), "here");
        let json = problems_json(&source, &[problem]);
        let field = |name: &str| json[0][name].clone();
        assert_eq!((field("line"), field("column")), (json!(2), json!(1)));
        assert_eq!((field("offset"), field("length")), (json!(6), json!(2)));
        assert_eq!((field("severity"), field("code")), (json!("advice"), json!("unknown_key")));
    }
}
