//! Counting exactly once: what Worker and counting objects say to each other.
//!
//! ```text
//! collect, page, queue ──deliver──> Shard ×n   rows + statistics, one commit per group of requests
//!                        │             │ alarm: cumulative statistics with their version
//!                        └─> OVERFLOW  ▼
//!                            (later)  Root      configuration, history, merged statistics, dead letters
//!                                      │ alarm: learn, encode
//!                                      ▼
//!                                     KV: one value per site
//! ```

pub mod deliver;
pub mod letters;
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
use edgeloom::event::{Event, Run};
use edgeloom::fold::Outcome;
use edgeloom::sorted::SortedMap;
use edgeloom::statistics::Statistics;
use edgeloom::told;

/// Shard of logs that come without receipts; it never forgets, so that an old log sent again stays a repeat.
const IMPORT: &str = "import";

/// Events of one shard on their way there, in their binary form.
pub struct Group {
    /// Name of the shard.
    pub shard: String,
    /// How many events.
    pub n_events: usize,
    /// They themselves.
    pub events: Vec<u8>,
}

/// Events of a site by their shard.
pub struct Groups<'s> {
    site: &'s str,
    /// How many events, and they themselves, by the number of the shard; that of logs has none.
    shards: SortedMap<Option<u8>, (usize, Vec<u8>)>,
}

impl<'s> Groups<'s> {
    /// No events of a site.
    pub const fn new(site: &'s str) -> Self {
        Self { site, shards: SortedMap::new() }
    }

    /// Adds an event made from a receipt.
    pub fn add(&mut self, event: &Event) {
        event.write(self.more(Some(event.shard()), 1));
    }

    /// Adds an event of a trusted log.
    pub fn add_import(&mut self, event: &Event) {
        event.write(self.more(None, 1));
    }

    /// Adds events as they are.
    pub fn add_run(&mut self, run: &Run<'_>) {
        self.more(Some(run.shard), run.n_events).extend_from_slice(run.bytes);
    }

    /// Where more events of a shard belong.
    fn more(&mut self, number: Option<u8>, n_events: usize) -> &mut Vec<u8> {
        let (n, events) = self.shards.or_default(number);
        *n += n_events;
        events
    }

    /// Whether there is no event.
    pub const fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    /// The groups.
    pub fn all(self) -> impl Iterator<Item = Group> {
        self.shards.into_iter().map(move |(number, (n_events, events))| {
            let shard = match number {
                Some(number) => shard_name(self.site, number),
                None => import_name(self.site),
            };
            Group { shard, n_events, events }
        })
    }
}

/// Name of a shard.
pub fn shard_name(site: &str, shard: u8) -> String {
    format!("{site}/{shard}")
}

fn import_name(site: &str) -> String {
    format!("{site}/{IMPORT}")
}

/// Every shard a site may have counted in.
pub fn shard_names(site: &str, shards: u8) -> Vec<String> {
    (0..shards).map(|n| shard_name(site, n)).chain([import_name(site)]).collect()
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
    pub fn bytes(events: &[u8], refused: &Statistics) -> Vec<u8> {
        // A batch has at most some thousand events of at most 250 bytes.
        let length = u32::try_from(events.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut out = [&length, events].concat();
        if *refused != Statistics::default() {
            out.extend_from_slice(edgeloom::json::write(refused).as_bytes());
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
