//! `edgeloom publish` and `edgeloom rollback`: put a version in use. What is not sound or not expected stops before
//! anything is stored.

use crate::check::{self, Checked, Content};
use crate::diff::{self, Change, Detail};
use crate::document::Source;
use crate::failure::Failure;
use crate::finding::{self, Finding};
use crate::output::Output;
use crate::site::{Answer, Condition, FieldError, Problem, Refusal, Site, text_of};
use edgeloom::snapshot::wire::Config;
use edgeloom::snapshot::{Severity, Warning};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// How to publish.
pub struct Wish {
    /// Stop before anything is stored.
    pub dry_run: bool,
    /// For the list of versions; empty is none.
    pub message: String,
    /// Show each line that changes.
    pub verbose: bool,
}

/// Answer to a stored configuration.
#[derive(Deserialize)]
struct Stored {
    version: String,
    #[serde(default)]
    warnings: Vec<FieldError>,
}

/// What there is to publish, and how it is shown.
struct Publication<'p> {
    source: &'p Source,
    content: &'p Content,
    output: &'p Output,
}

/// `edgeloom publish`.
///
/// # Errors
/// The file can't be read, the site not reached, or it refuses.
pub fn run(
    file: &Path,
    open: impl FnOnce() -> Result<Site, Failure>,
    wish: &Wish,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let checked = check::look(file)?;
    finding::show(&checked.findings, &checked.source, output);
    let (n_errors, _) = finding::count(&checked.findings);
    let Some(content) = checked.content.as_ref().filter(|_| n_errors == 0) else {
        return Ok(stop(&checked, output));
    };
    let site = open()?;
    let (live, condition) = live(&site)?;
    let changes = diff::changes(&live, &content.config);
    show(&changes, wish, output);
    let found = finding::entries(&checked.findings, &checked.source);
    if wish.dry_run {
        output.result(&json!({ "dry_run": true, "changes": changes, "findings": found }), || {
            "Nothing was published: --dry-run.".to_string()
        });
        return Ok(ExitCode::SUCCESS);
    }
    let publication = Publication { source: &checked.source, content, output };
    let Some(stored) = publication.store(&site, &condition, &wish.message)? else {
        return Ok(ExitCode::FAILURE);
    };
    let answer =
        site.choose("publish", &stored, &wish.message).map_err(|refusal| half_way(refusal, &stored))?;
    let answer: Value = answer.document()?;
    let mut told = json!({ "changes": changes, "findings": found });
    merge(&mut told, &answer);
    output.result(&told, || in_use(&answer));
    Ok(ExitCode::SUCCESS)
}

/// The configuration there is, and what the next one is compared with. Without one it is an empty one.
fn live(site: &Site) -> Result<(Config, Condition), Failure> {
    match site.try_get("config") {
        Ok(answer) => {
            let tag = answer.tag.clone().ok_or_else(|| {
                Failure::unusable(
                    "the site does not say which version it has; hint: does a proxy remove the ETag?",
                )
            })?;
            Ok((answer.document()?, Condition::Match(tag)))
        }
        // The admin API says so itself; a 404 of some other server is no empty site.
        Err(Refusal::Problem(problem)) if problem.status == 404 && !problem.detail.is_empty() => {
            Ok((Config::default(), Condition::Absent))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

fn show(changes: &[Change], wish: &Wish, output: &Output) {
    let detail = if wish.verbose { Detail::Lines } else { Detail::Items };
    if changes.is_empty() {
        output.remark("The configuration is the one that is stored.");
    }
    output.remark(&crate::output::printable(&diff::render(changes, detail)));
}

impl Publication<'_> {
    /// Stores the configuration. `None`: the service found something wrong in it, which has been shown.
    fn store(&self, site: &Site, condition: &Condition, message: &str) -> Result<Option<String>, Failure> {
        let body = serde_json::to_string(&self.content.config).map_err(Failure::unusable)?;
        let answer: Answer = match site.put_config(&body, condition, message) {
            Ok(answer) => answer,
            Err(Refusal::Problem(problem)) if !problem.errors.is_empty() => {
                self.refused(&problem);
                return Ok(None);
            }
            Err(refusal) => return Err(refusal.into()),
        };
        let stored: Stored = answer.document()?;
        // What this tool says itself has been said.
        let ours = edgeloom::snapshot::check(&self.content.config);
        let news = stored
            .warnings
            .into_iter()
            .filter(|warning| ours.iter().all(|own| own.message != warning.detail));
        let news: Vec<Finding> =
            news.map(|warning| self.place(warning.pointer, warning.detail, Severity::Advice)).collect();
        finding::show(&news, self.source, self.output);
        Ok(Some(stored.version))
    }

    fn place(&self, pointer: String, message: String, severity: Severity) -> Finding {
        check::place(Warning { pointer, message, severity }, &self.content.config, &self.content.document)
    }

    fn refused(&self, problem: &Problem) {
        let errors = problem.errors.iter();
        let findings: Vec<Finding> = errors
            .map(|error| self.place(error.pointer.clone(), error.detail.clone(), Severity::Error))
            .collect();
        finding::show(&findings, self.source, self.output);
        let document = json!({
            "error": { "message": problem.title, "hint": problem.detail },
            "findings": finding::entries(&findings, self.source),
        });
        self.output
            .result(&document, || format!("Nothing was published: the site refused {}.", self.source.name()));
    }
}

fn stop(checked: &Checked, output: &Output) -> ExitCode {
    let document = json!({
        "error": { "message": "the configuration has errors" },
        "findings": finding::entries(&checked.findings, &checked.source),
    });
    output.result(&document, || format!("Nothing was published: {} has errors.", checked.source.name()));
    ExitCode::FAILURE
}

/// Stored but not in use: saying only what failed would leave open which of the two it is.
fn half_way(refusal: Refusal, version: &str) -> Failure {
    let failure = Failure::from(refusal);
    let message = format!(
        "version {version} is stored but not in use: {}; hint: {}publish again, nothing is lost",
        failure.message(),
        failure.hint().map(|hint| format!("{hint}; then ")).unwrap_or_default()
    );
    Failure::unusable(message)
}

/// `edgeloom rollback`.
///
/// # Errors
/// No version, the site not reached, or it refuses.
pub fn roll_back(site: &Site, version: &str, message: &str, output: &Output) -> Result<ExitCode, Failure> {
    if version.len() != 32 || !version.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let message = "a version is 32 hexadecimal digits; hint: `edgeloom versions` lists them";
        return Err(Failure::unusable(message));
    }
    let answer: Value = site.choose("rollback", version, message).map_err(Failure::from)?.document()?;
    output.result(&answer, || in_use(&answer));
    Ok(ExitCode::SUCCESS)
}

fn in_use(answer: &Value) -> String {
    let text = format!(
        "Version {} is in use: snapshot {}, publication {}.",
        text_of(answer.get("version")),
        text_of(answer.get("snapshot")),
        text_of(answer.get("sequence"))
    );
    crate::output::printable(&text)
}

fn merge(to: &mut Value, from: &Value) {
    if let (Value::Object(to), Value::Object(from)) = (to, from) {
        to.extend(from.clone());
    }
}
