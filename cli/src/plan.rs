//! From a checked file to what visitors get: compare, store, put in use. What is sent was sanitised before.

use crate::check::Checked;
use crate::diff::{self, Change};
use crate::problem::{Blame, Code, Detail, Problem, Stop, publishable};
use crate::remote::{Live, Remote, Warning};
use crate::source::Outline;
use serde_json::{Value, json};

/// What publishing would do, seen before anything is changed.
#[derive(Debug)]
pub struct Plan {
    live: Option<Live>,
    config: Value,
    /// What differs from the site, item by item.
    pub changes: Vec<Change>,
    /// The same as a unified diff.
    pub unified: String,
}

/// What was published.
#[derive(Debug)]
pub struct Published {
    /// Version of the configuration, hexadecimal.
    pub version: String,
    /// The site's own words: `version`, `snapshot`, `sequence`.
    pub answer: Value,
    /// The site's remarks.
    pub remarks: Vec<Problem>,
}

impl Plan {
    /// Compares a file with the site.
    ///
    /// # Errors
    /// The file has errors, or the site can't be asked.
    pub fn new(checked: &Checked, remote: &Remote) -> Result<Self, Stop> {
        let Some(config) = checked.config.as_ref().filter(|_| publishable(&checked.problems)) else {
            let message = format!("{} has errors; nothing was published", checked.source.name);
            return Err(Stop { blame: Blame::Configuration, ..Stop::new(message, "") });
        };
        let json = serde_json::to_value(config)
            .map_err(|error| Stop::new(format!("the configuration can't be written as JSON: {error}"), ""))?;
        let live = remote.live()?;
        let nothing = json!({});
        let before = live.as_ref().map_or(&nothing, |live| &live.config);
        let changes = diff::changes(before, &json);
        let unified = diff::unified(before, config);
        Ok(Self { live, config: json, changes, unified })
    }

    /// Version on the site the plan was made against; `None` where the site has no configuration.
    pub fn live_version(&self) -> Option<&str> {
        self.live.as_ref().map(|live| live.version.as_str())
    }

    /// Stores and publishes. Without a difference the version that is stored already is published.
    ///
    /// # Errors
    /// The site refuses, cannot be reached, or was changed since the plan was made.
    pub fn carry_out(
        &self,
        remote: &Remote,
        message: Option<&str>,
        checked: &Checked,
    ) -> Result<Published, Stop> {
        let (version, remarks) = match &self.live {
            Some(live) if self.changes.is_empty() => (live.version.clone(), Vec::new()),
            live => {
                let stored = remote.store(&self.config, live.as_ref(), message)?;
                (stored.version, remarks(&stored.warnings, checked))
            }
        };
        let answer = remote.choose("publish", &version, message).map_err(|stop| Stop {
            message: format!("version {version} is stored, but not published: {}", stop.message),
            ..stop
        })?;
        Ok(Published { version, answer, remarks })
    }
}

/// The site's remarks that checking the file did not make already.
fn remarks(warnings: &[Warning], checked: &Checked) -> Vec<Problem> {
    let remark = |warning: &Warning| {
        Problem::advice(Code::Site, &warning.message)
            .at(checked.outline.span(&warning.pointer), "here")
            .about(&warning.pointer)
    };
    let is_new = |remark: &Problem| {
        let same = |known: &&Problem| known.pointer == remark.pointer && known.message == remark.message;
        checked.problems.iter().find(same).is_none()
    };
    warnings.iter().map(remark).filter(is_new).collect()
}

/// What the site said about single items, as problems of the file.
pub fn problems_of(stop: &Stop, outline: &Outline) -> Vec<Problem> {
    let problem = |detail: &Detail| {
        Problem::error(Code::Site, &detail.message)
            .at(outline.span(&detail.pointer), "refused by the site")
            .about(&detail.pointer)
    };
    stop.details.iter().map(problem).collect()
}
