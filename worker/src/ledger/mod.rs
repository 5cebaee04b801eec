//! Counting exactly once: what Worker and counting objects say to each other.
//!
//! ```text
//! collect, page, queue ──deliver──> Shard ×n   tokens + statistics, one commit per group of requests
//!                        │             │ alarm: cumulative statistics with their version
//!                        └─> OVERFLOW  ▼
//!                            (later)  Root      configuration, history, merged statistics
//!                                      │ alarm: learn, encode
//!                                      ▼
//!                                     KV: one value per site
//! ```

pub mod deliver;
pub mod overflow;
mod publish;
pub mod report;
mod root;
pub mod root_call;
mod root_store;
mod shard;
mod shard_store;
mod sql;
mod versions;

use edgeloom::event::Event;
use edgeloom::fold::Outcome;
use edgeloom::statistics::Statistics;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Shard of logs that come without receipts; it never forgets, so that an old log sent again stays a repeat.
const IMPORT: &str = "import";

/// Events by the name of their shard.
#[derive(Default)]
pub struct Groups(BTreeMap<String, Vec<Event>>);

impl Groups {
    /// Adds an event made from a receipt.
    pub fn add(&mut self, site: &str, event: Event) {
        let name = shard_name(site, event.shard());
        self.0.entry(name).or_default().push(event);
    }

    /// Adds an event of a trusted log.
    pub fn add_import(&mut self, site: &str, event: Event) {
        self.0.entry(format!("{site}/{IMPORT}")).or_default().push(event);
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

/// Name of a shard.
pub fn shard_name(site: &str, shard: u8) -> String {
    format!("{site}/{shard}")
}

/// Every shard a site may have counted in.
pub fn shard_names(site: &str, shards: u8) -> Vec<String> {
    (0..shards).map(|n| shard_name(site, n)).chain([format!("{site}/{IMPORT}")]).collect()
}

/// What a shard gets in one call.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Batch {
    /// Verified events.
    pub events: Vec<Event>,
    /// Refusals counted elsewhere since the last call.
    #[serde(skip_serializing_if = "is_nothing")]
    pub refused: Statistics,
}

fn is_nothing(statistics: &Statistics) -> bool {
    *statistics == Statistics::default()
}

/// What became of the events of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcomes {
    /// Taken and counted.
    pub new: usize,
    /// Rewards that count when their exposure comes.
    pub waiting: usize,
    /// Taken before.
    pub repeat: usize,
    /// Not taken: too many of one decision.
    pub full: usize,
    /// Not taken: what is needed to know a repeat has been forgotten.
    pub late: usize,
}

impl Outcomes {
    /// Counts the outcome of one event.
    pub fn note(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::New => &mut self.new,
            Outcome::Waiting => &mut self.waiting,
            Outcome::Repeat | Outcome::Revised => &mut self.repeat,
            Outcome::Full => &mut self.full,
        };
        *counter += 1;
    }

    /// Adds those of another call.
    pub fn add(&mut self, other: Self) {
        self.new += other.new;
        self.waiting += other.waiting;
        self.repeat += other.repeat;
        self.full += other.full;
        self.late += other.late;
    }
}
