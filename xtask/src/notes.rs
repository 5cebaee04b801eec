//! The notes of the demo site: what there is, and their index, built and pushed by the project's own command line tool.

use crate::process::capture;
use crate::project::Project;
use anyhow::Result;
use serde_json::Value;
use std::sync::LazyLock;

/// The notes, as the site has them.
const FILE: &str = "www/demo/notes.jsonl";
/// Where the index is built.
const INDEX: &str = "target/demo-index";
/// Name of the index in `www/demo/edgeloom.toml`.
const NAME: &str = "notes";

/// A note, as far as simulated readers care.
pub struct Note {
    /// Its name.
    pub id: String,
    /// What it is about.
    pub topic: String,
}

/// All notes, in the file's order.
pub static NOTES: LazyLock<Vec<Note>> = LazyLock::new(|| {
    let lines = include_str!("../../www/demo/notes.jsonl").lines();
    lines.filter_map(|line| note(&serde_json::from_str(line).ok()?)).collect()
});

/// Their topics, sorted.
pub static TOPICS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut topics: Vec<&str> = NOTES.iter().map(|note| note.topic.as_str()).collect();
    topics.sort_unstable();
    topics.dedup();
    topics
});

fn note(line: &Value) -> Option<Note> {
    let text = |name: &str| line.pointer(name).and_then(Value::as_str).map(String::from);
    Some(Note { id: text("/id")?, topic: text("/fields/topic")? })
}

/// Builds the index of the notes. The embedder needs neither a model nor a network: this is a demo of lists, not of language.
///
/// # Errors
/// When the tool can't be built, or finds fault with the notes.
pub fn build(project: &Project) -> Result<()> {
    let mut tool = tool(project);
    // The topic twice: it says more of a note than a word of its text.
    let texts = ["topic", "topic", "title", "text"].into_iter().flat_map(|name| ["--text", name]);
    tool.args(["build", FILE, "--embedder", "hashing", "--output", INDEX]).args(texts);
    capture(&mut tool).map(drop)
}

/// Sends the index to the Worker at `site`, which takes only what it does not have yet.
///
/// # Errors
/// When the Worker refuses.
pub fn push(project: &Project, site: &str, token: &str) -> Result<()> {
    let mut tool = tool(project);
    tool.args(["push", NAME, INDEX, "--url", site]).env("EDGELOOM_TOKEN", token);
    capture(&mut tool).map(drop)
}

fn tool(project: &Project) -> std::process::Command {
    let mut cargo = project.cargo();
    cargo.args(["run", "--quiet", "--package", "edgeloom-cli", "--profile", "xtask", "--", "index"]);
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_notes_of_each_topic() {
        let lines = include_str!("../../www/demo/notes.jsonl").lines().count();
        assert_eq!((NOTES.len(), TOPICS.len()), (lines, 12));
        for topic in TOPICS.iter() {
            assert_eq!(NOTES.iter().filter(|note| note.topic == *topic).count(), lines / 12, "{topic}");
        }
    }

    #[test]
    fn the_index_is_the_one_of_the_configuration() {
        let config: Value = toml::from_str(include_str!("../../www/demo/edgeloom.toml")).unwrap();
        assert_eq!(config["indexes"][0]["id"], NAME);
    }
}
