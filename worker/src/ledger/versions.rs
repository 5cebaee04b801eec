//! Versions of the configuration: content-addressed, edited under optimistic locking. It publishes nothing.

use super::root_store::{Deed, MAX_ROW_BYTES, Meta, Store};
use crate::problem::{FieldError, Problem};
use sha2::{Digest, Sha256};

/// What an edit says about the version it started from.
pub enum Condition {
    /// `If-Match`: this very version.
    Match(String),
    /// `If-None-Match: *`: there is none yet.
    Absent,
    /// Nothing.
    Missing,
}

impl Condition {
    /// The condition in request headers.
    pub fn of(if_match: Option<String>, if_none_match: Option<&str>) -> Self {
        match (if_match, if_none_match) {
            (Some(tag), _) => Self::Match(tag),
            (None, Some("*")) => Self::Absent,
            _ => Self::Missing,
        }
    }

    fn check(&self, head: Option<&str>) -> Result<(), Problem> {
        let stale = |detail: String| Err(Problem::new(412, "Precondition failed", detail));
        match (self, head) {
            (Self::Missing, _) => Err(Problem::new(
                428,
                "Precondition required",
                "Say what you changed: If-Match with the ETag of the configuration, or If-None-Match: * for the first one.",
            )),
            (Self::Absent, Some(head)) => stale(format!("There is a configuration already, version {head}.")),
            (Self::Match(_), None) => stale("There is no configuration yet.".to_string()),
            (Self::Match(tag), Some(head)) if !matches_tag(tag, head) => stale(format!(
                "The configuration was changed meanwhile; it is version {head} now. Get it and merge."
            )),
            _ => Ok(()),
        }
    }
}

/// Whether an `If-Match` list names a version.
fn matches_tag(list: &str, head: &str) -> bool {
    list.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_matches('"') == head)
}

/// The version of a configuration: equal content has the equal version.
pub fn version_of(json: &str) -> String {
    Sha256::digest(json.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Stores a configuration. Returns its version.
///
/// # Errors
/// A condition that does not hold, a configuration too large to store, SQLite.
pub fn put(
    store: &Store,
    json: &str,
    condition: &Condition,
    (who, message): (&str, &str),
    now_millis: u64,
) -> Result<String, Problem> {
    if json.len() > MAX_ROW_BYTES {
        return Err(Problem::too_large(MAX_ROW_BYTES));
    }
    let head = store.meta(Meta::Head).map_err(failed)?;
    condition.check(head.as_deref())?;
    let version = version_of(json);
    let deed = Deed { what: "put", version: &version, who, message };
    store.put_config(json, &deed, now_millis).map_err(failed)?;
    Ok(version)
}

/// The configuration that is edited, with its version.
///
/// # Errors
/// There is none; SQLite.
pub fn head(store: &Store) -> Result<(String, String), Problem> {
    let version = store.meta(Meta::Head).map_err(failed)?;
    let json = version.as_deref().map(|version| store.config(version)).transpose().map_err(failed)?.flatten();
    version.zip(json).ok_or_else(|| Problem::new(404, "Not found", "There is no configuration yet."))
}

/// The problem of a version nobody stored.
pub fn unknown(version: &str) -> Problem {
    let detail = format!("there is no version '{version}'; hint: one of the list of versions");
    Problem::new(404, "Unknown version", "This version of the configuration was never stored.")
        .errors(vec![FieldError { pointer: "/version".into(), detail }])
}

/// A failure of the storage: logged, not told.
pub fn failed(error: impl std::fmt::Display) -> Problem {
    crate::platform::console_error!("root: {error}");
    Problem::internal()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(condition: &Condition, head: Option<&str>) -> Option<String> {
        let problem = condition.check(head).err()?;
        Some(edgeloom::json::value(&problem)["status"].to_string())
    }

    #[test]
    fn an_edit_has_to_say_what_it_changes() {
        let tag = |text: &str| Condition::of(Some(text.into()), None);
        let absent = Condition::of(None, Some("*"));
        assert_eq!(status(&Condition::of(None, None), Some("a")).as_deref(), Some("428"));
        assert_eq!(status(&Condition::of(None, None), None).as_deref(), Some("428"));
        assert_eq!(status(&absent, None), None);
        assert_eq!(status(&absent, Some("a")).as_deref(), Some("412"));
        assert_eq!(status(&tag("\"a\""), Some("a")), None);
        assert_eq!(status(&tag("\"x\", \"a\""), Some("a")), None);
        assert_eq!(status(&tag("*"), Some("a")), None);
        assert_eq!(status(&tag("\"b\""), Some("a")).as_deref(), Some("412"));
        assert_eq!(status(&tag("\"a\""), None).as_deref(), Some("412"));
    }

    #[test]
    fn equal_content_has_the_equal_version() {
        assert_eq!(version_of("{}"), version_of("{}"));
        assert_ne!(version_of("{}"), version_of("{ }"));
        assert_eq!(version_of("").len(), 32);
    }
}
