//! Counting exactly once: what Worker and counting objects say to each other.
//!
//! ```text
//! collect, page, queue ──deliver──> Shard ×n   rows + statistics, one commit per group of requests
//!                        │             │ alarm: cumulative statistics with their version
//!                        └─> OVERFLOW  ▼
//!                            (later)  Root      configuration, history, merged statistics, dead letters, indexes
//!                                      │ alarm: learn, encode
//!                                      ▼
//!                                     KV: one value per site, and one for what its indexes consist of
//! ```

pub mod deliver;
mod indexes;
pub mod letters;
pub mod log;
pub mod overflow;
mod publications;
mod publish;
mod purges;
pub mod report;
mod root;
pub mod root_call;
mod root_store;
mod shard;
mod shard_store;
mod sql;
mod versions;

use crate::json;
use edgeloom::event::Event;
use edgeloom::fold::Outcome;
use edgeloom::statistics::Statistics;
use edgeloom::told;

/// Shard of logs that come without receipts; it never forgets, so that an old log sent again stays a repeat.
const IMPORT: &str = "import";

/// Events by the name of their shard. A list: a site has 65 shards at most, a batch meets some of them.
#[derive(Default)]
pub struct Groups(Vec<(String, Vec<Event>)>);

impl Groups {
    /// Adds an event made from a receipt.
    pub fn add(&mut self, site: &str, event: Event) {
        self.push(shard_name(site, event.shard()), event);
    }

    /// Adds an event of a trusted log.
    pub fn add_import(&mut self, site: &str, event: Event) {
        self.push(format!("{site}/{IMPORT}"), event);
    }

    fn push(&mut self, name: String, event: Event) {
        match self.0.iter_mut().find(|(own, _)| *own == name) {
            Some((_, events)) => events.push(event),
            None => self.0.push((name, vec![event])),
        }
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.0.iter().map(|(_, events)| events.len()).sum()
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

/// Bytes of the length before the events of a batch.
const LENGTH_BYTES: usize = 4;

/// What a shard gets in one call.
#[derive(Default)]
pub struct Batch {
    /// Verified events.
    pub events: Vec<Event>,
    /// Refusals counted elsewhere since the last call.
    pub refused: Statistics,
}

impl Batch {
    /// The sent form: length of the events, the events in their binary form, and refusals as JSON where there are any.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0; LENGTH_BYTES];
        for event in &self.events {
            event.write(&mut out);
        }
        // A batch has at most some thousand events of at most 250 bytes.
        let length = u32::try_from(out.len() - LENGTH_BYTES).unwrap_or(u32::MAX).to_le_bytes();
        for (to, from) in out.iter_mut().zip(length) {
            *to = from;
        }
        if self.refused != Statistics::default() {
            out.extend_from_slice(edgeloom::json::write(&self.refused).as_bytes());
        }
        out
    }

    /// Reads a batch.
    ///
    /// # Errors
    /// What is wrong with it; one of our own never is.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or("no length")?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|error| error.to_string())?;
        let (events, refused) = rest.split_at_checked(length).ok_or("cut off")?;
        let refused = match refused {
            [] => Statistics::default(),
            text => edgeloom::json::shape(&json::read(text)?).map_err(|error| error.to_string())?,
        };
        Ok(Self { events: Event::read_all(events).ok_or("an event can't be read")?, refused })
    }
}

/// What became of the events of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

told! { Outcomes { new, waiting, repeat, full, late } }

impl Outcomes {
    /// Reads the sent form.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let value = json::read(bytes)?;
        let n = |name| json::count(&value, name);
        Ok(Self {
            new: n("new"),
            waiting: n("waiting"),
            repeat: n("repeat"),
            full: n("full"),
            late: n("late"),
        })
    }

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
