//! `edgeloom log`: brings the log of a site into a file, page by page; what broke off goes on where it was.

use crate::problem::Stop;
use crate::remote::Remote;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What was brought.
pub struct Fetched {
    /// Lines of this run.
    pub lines: usize,
    /// Pages of this run.
    pub pages: usize,
    /// Whether an earlier run that broke off was continued.
    pub continued: bool,
}

/// Appends the log to a file. Where the export stands is kept beside it, in `FILE.next`, until it is complete; with `from_millis`
/// decisions of earlier hours are left out.
///
/// # Errors
/// No connection, a refusal, a file that can't be written.
pub fn run(remote: &Remote, file: &Path, from_millis: u64) -> Result<Fetched, Stop> {
    let mark = mark_of(file);
    let failed = |error: std::io::Error| Stop::new(format!("cannot write {}: {error}", file.display()), "");
    let known = fs::read_to_string(&mark).ok();
    let continued = known.is_some();
    let mut next = Some(known.unwrap_or_else(|| format!("log?from={from_millis}")));
    let mut out = OpenOptions::new().create(true).append(true).open(file).map_err(failed)?;
    if fs::read(file).is_ok_and(|text| text.last().is_some_and(|byte| *byte != b'\n')) {
        // A line that broke off costs only itself.
        out.write_all(b"\n").map_err(failed)?;
    }
    let (mut lines, mut pages) = (0, 0);
    while let Some(path) = next {
        let (text, then) = remote.log(path.trim())?;
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(failed)?;
        lines += text.lines().count();
        pages += 1;
        match &then {
            Some(then) => fs::write(&mark, then).map_err(failed)?,
            None if mark.exists() => fs::remove_file(&mark).map_err(failed)?,
            None => {}
        }
        next = then;
    }
    Ok(Fetched { lines, pages, continued })
}

fn mark_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(".next");
    name.into()
}
