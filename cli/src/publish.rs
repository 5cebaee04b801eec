//! The publish command: runs a plan and tells people or machines about it. What is done is in `plan`.

use crate::check::check;
use crate::diff;
use crate::plan::{Plan, Published, problems_of};
use crate::problem::Stop;
use crate::remote::Remote;
use crate::report::{plain, problems_json, say, say_json, stop_json, tell_problems};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Up to the comparison: nothing on the site changes.
    DryRun,
    /// All the way.
    Publish,
}

/// How changes are shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// A line for each changed item.
    Items,
    /// A unified diff.
    Lines,
}

/// One run of the command.
#[derive(Debug)]
pub struct Run<'a> {
    /// The configuration.
    pub file: &'a Path,
    /// How far to go.
    pub extent: Extent,
    /// How changes are shown to people.
    pub detail: Detail,
    /// Why, in the editor's words.
    pub message: Option<&'a str>,
}

impl Run<'_> {
    /// Publishes and shows each step when it is done.
    ///
    /// # Errors
    /// Whatever stops it; what the site refused was shown in the file.
    pub fn for_people(&self, remote: &Remote) -> Result<ExitCode, Stop> {
        let checked = check(self.file)?;
        tell_problems(&checked.source, &checked.problems);
        let plan = Plan::new(&checked, remote)?;
        say(&plain(&self.shown(&plan)));
        if self.extent == Extent::DryRun {
            say("dry run: nothing was changed");
            return Ok(ExitCode::SUCCESS);
        }
        let carried_out = plan.carry_out(remote, self.message, &checked);
        let published = carried_out.inspect_err(|stop| {
            tell_problems(&checked.source, &problems_of(stop, &checked.outline));
        })?;
        tell_problems(&checked.source, &published.remarks);
        say(&plain(&publication("published", &published.answer)));
        Ok(ExitCode::SUCCESS)
    }

    /// Publishes and says everything at the end, in one JSON value.
    ///
    /// # Errors
    /// The file can't be read; everything later is a part of the answer.
    pub fn for_machines(&self, remote: &Remote) -> Result<ExitCode, Stop> {
        let checked = check(self.file)?;
        let mut problems = checked.problems.clone();
        let outcome = Plan::new(&checked, remote).and_then(|plan| {
            let published = match self.extent {
                Extent::DryRun => None,
                Extent::Publish => Some(plan.carry_out(remote, self.message, &checked)?),
            };
            Ok((plan, published))
        });
        let (mut answer, code) = match outcome {
            Ok((plan, published)) => {
                problems.extend(published.iter().flat_map(|published| published.remarks.clone()));
                (done_json(&plan, published.as_ref()), ExitCode::SUCCESS)
            }
            Err(stop) => {
                problems.extend(problems_of(&stop, &checked.outline));
                (stop_json(&stop), ExitCode::from(stop.blame as u8))
            }
        };
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("problems".into(), problems_json(&checked.source, &problems));
        }
        say_json(&answer);
        Ok(code)
    }

    fn shown(&self, plan: &Plan) -> String {
        let against = plan.live_version().map_or("the site has no configuration yet".into(), |version| {
            format!("compared with version {version} on the site")
        });
        let changes = match (plan.changes.as_slice(), self.detail) {
            ([], _) => "no difference".to_string(),
            (_, Detail::Lines) => plan.unified.clone(),
            (changes, Detail::Items) => diff::text(changes),
        };
        format!("{against}:\n{changes}")
    }
}

fn done_json(plan: &Plan, published: Option<&Published>) -> Value {
    json!({
        "ok": true,
        "published": published.map(|published| &published.answer),
        "version": published.map(|published| &published.version),
        "live_version": plan.live_version(),
        "changes": plan.changes,
    })
}

/// One line on what is in use now.
pub fn publication(what: &str, answer: &Value) -> String {
    let part =
        |key: &str| answer.get(key).map_or("?".into(), |v| v.as_str().map_or(v.to_string(), String::from));
    format!(
        "{what} version {}: snapshot {}, publication {}",
        part("version"),
        part("snapshot"),
        part("sequence")
    )
}
