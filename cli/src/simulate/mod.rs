//! `edgeloom simulate`: the slots of a checked configuration with assumed true rates, run through the real core many times over.
//! It needs no network, and forecasts nothing that was not assumed.

mod fit;
mod plot;
mod rates;
mod run;
mod summary;
#[cfg(test)]
mod tests;
mod world;

pub use run::{DAYS, Extent};

use crate::check::check;
use crate::problem::{Problem, Stop, publishable};
use crate::source::Source;
use edgeloom::id::SnapshotVersion;
use edgeloom::snapshot::store::Stored;
use edgeloom::snapshot::wire::Published;
use edgeloom::snapshot::{Snapshot, compile};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::path::Path;
use std::thread::available_parallelism;
use summary::Summary;
use world::World;

/// Both files, read and checked.
pub enum Prepared {
    /// Sound.
    Ready(Box<Ready>),
    /// One of them has to change.
    Faulty {
        /// The file.
        source: Source,
        /// What is wrong with it.
        problems: Vec<Problem>,
    },
}

/// Sound files.
pub struct Ready {
    world: World,
    /// The file of rates.
    pub source: Source,
    /// Remarks on it.
    pub remarks: Vec<Problem>,
}

/// Whether a terminal shows how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A bar, where standard error is a terminal.
    Shown,
    /// Nothing.
    Silent,
}

/// What came out.
pub struct Simulated {
    extent: Extent,
    slots: Vec<Summary>,
}

/// Reads the configuration, then the rates for it.
///
/// # Errors
/// One of the files can't be read at all.
pub fn prepare(file: &Path, rates: &Path) -> Result<Prepared, Stop> {
    let checked = check(file)?;
    let config = match checked.config {
        Some(config) if publishable(&checked.problems) => config,
        _ => return Ok(Prepared::Faulty { source: checked.source, problems: checked.problems }),
    };
    let stored = Stored {
        version: SnapshotVersion([0; 16]),
        sequence: 0,
        published_millis: 0,
        published: Published { config, learned: Vec::new() },
        warnings: Vec::new(),
    };
    let (snapshot, _): (Snapshot, _) = compile(&stored);
    let assumed = rates::read(rates, &snapshot)?;
    Ok(match assumed.rates {
        Some(rates) if publishable(&assumed.problems) => {
            let world = World::new(stored, &snapshot, &rates);
            Prepared::Ready(Box::new(Ready { world, source: assumed.source, remarks: assumed.problems }))
        }
        _ => Prepared::Faulty { source: assumed.source, problems: assumed.problems },
    })
}

impl Ready {
    /// Simulates, on all cores.
    pub fn simulate(&self, extent: &Extent, progress: Progress) -> Simulated {
        let bar = match progress {
            // Hidden by itself where standard error is no terminal.
            Progress::Shown => ProgressBar::new(extent.runs as u64),
            Progress::Silent => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} runs, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let threads = available_parallelism().map_or(1, usize::from);
        let runs = run::runs(&self.world, extent, threads, &|| bar.inc(1));
        bar.finish_and_clear();
        Simulated { extent: *extent, slots: summary::summaries(&self.world, extent, &runs) }
    }
}

/// From so many runs on a normal interval for their mean is as wide as it should be, within a tenth.
const FEW_RUNS: usize = 12;

impl Simulated {
    /// For machines.
    pub fn json(&self) -> Value {
        let Extent { days, visitors_per_day, publications_per_day, runs, seed } = self.extent;
        json!({
            "ok": true,
            "weeks": days / DAYS,
            "visitors_per_day": visitors_per_day,
            "publications_per_day": publications_per_day,
            "runs": runs,
            "seed": seed,
            "slots": self.slots.iter().map(Summary::json).collect::<Value>(),
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let slots: Vec<String> = self.slots.iter().map(Summary::text).collect();
        let holds =
            if self.extent.runs < FEW_RUNS { "± needs more runs to hold 95 %" } else { "± holds 95 %" };
        format!("{}; {holds}\n\n{}", self.extent.text(), slots.join("\n"))
    }

    /// Draws regret and shares over time.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn draw(&self, path: &Path) -> Result<(), Stop> {
        let cannot = |error: &dyn std::fmt::Display| {
            Stop::new(
                format!("cannot write {}: {error}", path.display()),
                "name a file in a folder that is there",
            )
        };
        let svg = plot::svg(&self.slots, &self.extent).map_err(|error| cannot(&error))?;
        std::fs::write(path, svg).map_err(|error| cannot(&error))
    }
}

impl Extent {
    /// In a few words.
    fn text(&self) -> String {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let (runs, weeks) = (count(self.runs, "run"), count(self.days / DAYS, "week"));
        format!("{runs} of {weeks} with {} visitors a day, seed {}", self.visitors_per_day, self.seed)
    }
}
