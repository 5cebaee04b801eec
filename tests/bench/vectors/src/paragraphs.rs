//! Text that people wrote: the paragraphs of the documentation that comes with the Rust toolchain.

use anyhow::Result;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Words that a paragraph has at least.
const LEAST_WORDS: usize = 40;

/// The folder of the documentation of any installed toolchain: the pinned one may have been installed without.
pub fn documentation() -> Result<Option<PathBuf>> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output()?;
    let sysroot = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    let mut roots = vec![sysroot.clone()];
    if let Some(toolchains) = sysroot.parent().filter(|folder| folder.is_dir()) {
        let mut others =
            fs::read_dir(toolchains)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        others.sort();
        roots.extend(others);
    }
    Ok(roots.into_iter().map(|root| root.join("share/doc/rust/html")).find(|folder| folder.is_dir()))
}

/// A paragraph's words.
type Words = Vec<String>;

/// Paragraphs that differ, from all books and crates alike: `n` to be found and others that are looked for. Fewer where there are
/// fewer.
pub fn paragraphs(folder: &Path, n: usize, n_queries: usize) -> Result<(Vec<Words>, Vec<Words>)> {
    let all = sample(folder, n + n_queries)?;
    let each = (all.len() / n_queries).max(1);
    let (mut items, mut queries) = (Vec::new(), Vec::new());
    for (at, words) in all.into_iter().enumerate() {
        let is_query = at % each == each / 2 && queries.len() < n_queries;
        if is_query { queries.push(words) } else { items.push(words) }
    }
    Ok((items, queries))
}

/// So many of the paragraphs, evenly.
fn sample(folder: &Path, n: usize) -> Result<Vec<Words>> {
    let mut files = Vec::new();
    files_below(folder, &mut files)?;
    files.sort();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for file in files {
        let html = String::from_utf8_lossy(&fs::read(file)?).into_owned();
        for part in html.split("<p>").skip(1) {
            let words = words(part.split("</p>").next().unwrap_or_default());
            if words.len() >= LEAST_WORDS && seen.insert(words.clone()) {
                found.push(words);
            }
        }
    }
    let n_found = found.len();
    let is_taken = |at: usize| n_found <= n || at * n / n_found != (at + 1) * n / n_found;
    Ok(found.into_iter().enumerate().filter(|(at, _)| is_taken(*at)).map(|(_, words)| words).collect())
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files_below(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "html") {
            files.push(path);
        }
    }
    Ok(())
}

/// The words of a piece of HTML, in small letters.
fn words(html: &str) -> Words {
    let mut text = String::with_capacity(html.len());
    let mut is_tag = false;
    for c in html.chars() {
        match c {
            '<' => is_tag = true,
            '>' => is_tag = false,
            _ if !is_tag => text.push(c),
            _ => {}
        }
    }
    for (name, c) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
        text = text.replace(name, c);
    }
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| word.len() > 1);
    words.map(str::to_lowercase).collect()
}
