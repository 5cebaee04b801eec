//! Rules about source texts: no file too long, the core documented.

use crate::project::Project;
use crate::stamp::files_below;
use anyhow::{Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 6] = ["src", "worker", "www", "cli", "xtask", "tests"];
const ENDINGS: [&str; 6] = ["rs", "mjs", "js", "ts", "css", "html"];
/// A file this long is to be watched …
const ALARM_LINES: usize = 400;
/// … and one longer than this to be split, by noun.
const LIMIT_LINES: usize = 600;
/// Least share of documentation lines in the core.
const DOC_SHARE: f64 = 0.20;

/// Checks the length of every source file.
///
/// # Errors
/// When one is over the limit.
pub fn check_sizes(project: &Project) -> Result<()> {
    let mut n_files = 0;
    let mut too_long = Vec::new();
    for folder in FOLDERS {
        for file in sources(&project.path(folder))? {
            n_files += 1;
            let n_lines = fs::read_to_string(&file)?.lines().count();
            let name = file.strip_prefix(project.path(""))?.display().to_string();
            if n_lines > LIMIT_LINES {
                too_long.push(format!("{name} ({n_lines})"));
            } else if n_lines > ALARM_LINES {
                println!("  long: {name} ({n_lines} lines)");
            }
        }
    }
    println!("  {n_files} files");
    ensure!(too_long.is_empty(), "over {LIMIT_LINES} lines: {}", too_long.join(", "));
    Ok(())
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = files_below(folder)?;
    files.retain(|file| {
        let is_source = file.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known));
        // Recorded pages and the like are data, however long.
        is_source && !file.components().any(|part| part.as_os_str() == "fixtures")
    });
    Ok(files)
}

/// The files that a source declares as `#[cfg(test)] mod NAME;`.
fn test_files(source: &Path, text: &str) -> Vec<PathBuf> {
    let is_root = source.file_stem().is_some_and(|stem| stem == "mod" || stem == "lib");
    let folder =
        if is_root { source.parent().unwrap_or(source).to_path_buf() } else { source.with_extension("") };
    let lines = || text.lines().map(str::trim);
    let named = lines().zip(lines().skip(1)).filter(|(before, _)| *before == "#[cfg(test)]");
    let names = named.filter_map(|(_, line)| line.strip_prefix("mod ")?.strip_suffix(';'));
    names.map(|name| folder.join(format!("{name}.rs"))).collect()
}

/// Checks that the core explains itself: documentation lines among all lines that are neither blank nor tests.
///
/// # Errors
/// When the share is too low.
pub fn check_docs(project: &Project) -> Result<()> {
    let (mut n_docs, mut n_all) = (0_usize, 0_usize);
    let files = sources(&project.path("src"))?;
    let mut tests = Vec::new();
    for file in &files {
        tests.extend(test_files(file, &fs::read_to_string(file)?));
    }
    for file in files.iter().filter(|file| !tests.contains(file)) {
        let text = fs::read_to_string(file)?;
        // The tests of a file are its last part.
        let lines = text.lines().map(str::trim).take_while(|line| *line != "mod tests {");
        for line in lines.filter(|line| !line.is_empty()) {
            n_all += 1;
            n_docs += usize::from(line.starts_with("///") || line.starts_with("//!"));
        }
    }
    let share = n_docs as f64 / (n_all.max(1)) as f64;
    println!("  {:.1} % of {n_all} lines", share * 100.0);
    ensure!(share >= DOC_SHARE, "under {:.0} %", DOC_SHARE * 100.0);
    Ok(())
}
