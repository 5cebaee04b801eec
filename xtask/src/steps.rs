//! Progress lines: what happens, and how long it took.

use anyhow::Result;
use std::time::{Duration, Instant};

/// Announces a step, runs it and says how long it took. Steps that turn out to have nothing to do use [`already`].
///
/// # Errors
/// Those of the step.
pub fn step<T>(what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("• {what} …");
    let start = Instant::now();
    let out = run()?;
    eprintln!("  done in {}", seconds(start.elapsed()));
    Ok(out)
}

/// Says that a step had been done before.
pub fn already(what: &str) {
    eprintln!("• {what}: up to date");
}

/// A duration for people.
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
