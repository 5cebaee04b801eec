//! The vector indexes of this isolate: memory → KV → last good one. Like the snapshot they are read behind a response, and a
//! page view does no I/O for them.
//!
//! An index changes all at once: the one in use stays until every piece of the next one is here and open. A piece is named by
//! its content, so one that is here already is not read again, and a data centre may keep it for long.

pub mod budget;
pub mod manifest;

use crate::bindings::{STATE, settings};
use crate::platform::{self, Context, Env, console_error};
use crate::request::now_millis;
use crate::snapshots;
use edgeloom::Value;
use edgeloom::index::budget::MAX_ISOLATE_BYTES;
use edgeloom::index::{Catalogue, Index, IndexError};
use edgeloom::json::object;
use edgeloom::snapshot::Snapshot;
use manifest::{Manifest, Manifests, PieceRow};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Seconds a data centre keeps what the indexes consist of; the platform's least.
const CACHE_SECS: u32 = 30;
/// The same of a piece, which never changes.
const PIECE_CACHE_SECS: u32 = 86_400;
/// How long KV may take for what the indexes consist of.
const LOAD_LIMIT: Duration = Duration::from_secs(2);
/// And for a piece: 24 MiB at some 20 megabits a second.
const PIECE_LIMIT: Duration = Duration::from_secs(10);
/// A load that has not ended after this time never will: the runtime ends what goes on 30 s after a response.
const LOAD_LIMIT_MILLIS: u64 = 30_000;
/// An index that KV has not confirmed for so long is stale: what it knows of stock and dates may be wrong, so the arms of its slots
/// stand in.
const STALE_MILLIS: u64 = 3_600_000;
/// How long a request waits for a load that another one began.
const WAIT_MILLIS: u64 = 5_000;

/// An index that is here.
struct Loaded {
    name: String,
    version: String,
    /// Names of the pieces, in the order of the catalogue's.
    hashes: Vec<String>,
    catalogue: Rc<Catalogue>,
}

#[derive(Default)]
struct Memory {
    /// What KV said last of the indexes of the site.
    manifests: Option<Manifests>,
    loaded: Vec<Loaded>,
    /// Names that a request asked for although no slot uses them.
    wanted: Vec<String>,
    /// When KV answered last, or failed last.
    asked_millis: Option<u64>,
    /// When it last said what the indexes consist of.
    told_millis: Option<u64>,
    /// When the load that is under way began.
    loading_since: Option<u64>,
    /// Whether the last load went wrong: then a data centre may hold the wrong thing.
    is_doubtful: bool,
    /// What was logged already, and about which index; a broken value is read again every few seconds.
    logged: Vec<(&'static str, String)>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::new(Memory::default());
}

impl Memory {
    fn log_once(&mut self, kind: &'static str, name: &str, detail: &str) {
        self.is_doubtful = true;
        if !self.logged.iter().any(|(known, of)| *known == kind && of == name) {
            self.logged.push((kind, name.to_string()));
            let of = if name.is_empty() { String::new() } else { format!(" '{name}'") };
            console_error!("indexes:{of} {kind}: {detail}; the last good one stays");
        }
    }

    fn loaded(&self, name: &str) -> Option<&Loaded> {
        self.loaded.iter().find(|loaded| loaded.name == name)
    }

    fn is_loading(&self, now: u64) -> bool {
        self.loading_since.is_some_and(|since| now.saturating_sub(since) < LOAD_LIMIT_MILLIS)
    }

    fn is_stale(&self, now: u64) -> bool {
        self.told_millis.is_none_or(|told| now.saturating_sub(told) >= STALE_MILLIS)
    }

    fn is_old(&self, fresh_millis: u64, now: u64) -> bool {
        self.asked_millis.is_none_or(|asked| now.saturating_sub(asked) >= fresh_millis)
    }

    /// Takes over what KV says. Indexes that are no longer there go at once; those that changed are yet to be loaded.
    fn take(&mut self, bytes: &[u8]) {
        match Manifests::read(bytes) {
            Err(error) => self.log_once("unreadable", "", &error),
            Ok(read) if self.manifests.as_ref().is_some_and(|own| read.sequence < own.sequence) => {
                self.log_once("older", "", "its number is lower than the one in use");
            }
            Ok(read) => {
                let n_loaded = self.loaded.len();
                self.loaded.retain(|loaded| read.indexes.iter().any(|index| index.name == loaded.name));
                if self.loaded.len() < n_loaded {
                    // What was made of it holds it.
                    crate::items::forget();
                }
                self.manifests = Some(read);
                self.told_millis = self.asked_millis;
                // What goes wrong again is news again.
                self.logged.retain(|(_, of)| !of.is_empty());
            }
        }
    }

    /// The indexes that are to be loaded: in use, and not here in this version.
    fn missing(&self, snapshot: Option<&Snapshot>) -> Vec<Manifest> {
        let indexes = self.manifests.as_ref().map_or(&[][..], |manifests| &manifests.indexes);
        let is_missing = |index: &&Manifest| {
            let is_here = self.loaded(&index.name).is_some_and(|loaded| loaded.version == index.version);
            !is_here && (self.is_wanted(&index.name) || is_used(snapshot, &index.name))
        };
        indexes.iter().filter(is_missing).cloned().collect()
    }

    fn put(&mut self, index: Manifest, catalogue: Catalogue) {
        let hashes = index.pieces.into_iter().map(|piece| piece.hash).collect();
        let Manifest { name, version, .. } = index;
        self.logged.retain(|(_, of)| *of != name);
        self.loaded.retain(|loaded| loaded.name != name);
        crate::items::forget();
        self.loaded.push(Loaded { name, version, hashes, catalogue: Rc::new(catalogue) });
    }

    /// Lets go of the old index where there is no room for it beside the new one: its slots show their default arms for the
    /// seconds of loading, and nothing runs out of memory.
    fn make_room(&mut self, index: &Manifest) {
        let is_new = |piece: &&PieceRow| self.piece(&piece.hash).is_none();
        let new: usize = index.pieces.iter().filter(is_new).map(|piece| piece.bytes).sum();
        if !self.has_room_for(new) {
            self.loaded.retain(|loaded| loaded.name != index.name);
            crate::items::forget();
        }
    }

    fn has_room_for(&self, n_bytes: usize) -> bool {
        let held: usize = self.loaded.iter().map(|loaded| loaded.catalogue.n_bytes()).sum();
        held.saturating_add(n_bytes) <= MAX_ISOLATE_BYTES
    }

    /// Whether KV said that there is such an index.
    fn knows(&self, name: &str) -> bool {
        let indexes = self.manifests.as_ref().map_or(&[][..], |manifests| &manifests.indexes);
        indexes.iter().any(|index| index.name == name)
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.wanted.iter().any(|own| own == name)
    }

    /// A request asks for an index. Only what there is is noted: anybody can ask for any name.
    fn want(&mut self, name: &str) {
        if self.knows(name) && !self.is_wanted(name) {
            self.wanted.push(name.to_string());
        }
    }

    /// A piece that is here.
    fn piece(&self, hash: &str) -> Option<Index> {
        self.loaded.iter().find_map(|loaded| {
            let position = loaded.hashes.iter().position(|own| own == hash)?;
            loaded.catalogue.pieces().nth(position).cloned()
        })
    }
}

/// Whether the lists of a snapshot take their items from this index.
fn is_used(snapshot: Option<&Snapshot>, name: &str) -> bool {
    snapshot.is_some_and(|snapshot| snapshot.indexes.iter().any(|own| own.id == name))
}

/// Whether they do from any.
fn uses_any(snapshot: Option<&Snapshot>) -> bool {
    snapshot.is_some_and(|snapshot| !snapshot.indexes.is_empty())
}

/// The index of a name, as it is here; nothing where there is none, it could never be read, or it is stale.
pub fn current(name: &str) -> Option<Rc<Catalogue>> {
    let now = now_millis();
    MEMORY.with_borrow(|memory| {
        let loaded = memory.loaded(name).filter(|_| !memory.is_stale(now));
        loaded.map(|loaded| Rc::clone(&loaded.catalogue))
    })
}

/// Names and versions of what is here, as JSON.
pub fn told() -> Vec<Value> {
    let told = |own: &Loaded| object(&[("name", &own.name), ("version", &own.version)]);
    MEMORY.with_borrow(|memory| memory.loaded.iter().map(told).collect())
}

/// Why a piece is not to be had.
pub enum PieceError {
    /// KV did not answer.
    Kv(platform::Error),
    /// It is there, and can't be opened.
    Index(IndexError),
}

impl fmt::Display for PieceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kv(error) => error.fmt(f),
            Self::Index(error) => error.fmt(f),
        }
    }
}

/// A piece, from here or from KV; `None` where nobody has it. `cache_secs` as long as a data centre keeps it.
///
/// # Errors
/// KV, or a piece that can't be opened.
pub async fn piece(env: &Env, hash: &str, cache_secs: u32) -> Result<Option<Index>, PieceError> {
    if let Some(index) = MEMORY.with_borrow(|memory| memory.piece(hash)) {
        return Ok(Some(index));
    }
    let key = settings(env).piece_key(hash);
    let bytes = platform::kv_get(env, STATE, &key, cache_secs, PIECE_LIMIT).await.map_err(PieceError::Kv)?;
    // Opened in place: one copy in the wasm, beside that of the runtime.
    bytes.map(Index::open).transpose().map_err(PieceError::Index)
}

/// Whether a piece is here.
pub fn holds(hash: &str) -> bool {
    MEMORY.with_borrow(|memory| memory.piece(hash).is_some())
}

/// Lets go of the indexes in use where they and so many bytes of pieces that were read to look at them are too much; the next
/// views have them read again.
pub fn make_room(n_bytes: usize) {
    MEMORY.with_borrow_mut(|memory| {
        if !memory.has_room_for(n_bytes) {
            memory.loaded.clear();
            crate::items::forget();
        }
    });
}

/// Reads what the indexes consist of, and the pieces that are new, where any index is in use and that was not done just now.
/// Never fails: whatever goes wrong is logged, and asked again.
pub async fn load(env: &Env) {
    let (settings, now) = (settings(env), now_millis());
    let snapshot = snapshots::current(&settings, now).snapshot;
    let (is_wanted, is_old) = MEMORY.with_borrow(|memory| {
        // Half: it is read after the snapshot, and would else be too young whenever that is old.
        (!memory.wanted.is_empty(), memory.is_old(settings.fresh_millis / 2, now))
    });
    if is_old && (is_wanted || uses_any(snapshot.as_deref())) {
        refresh(env, None).await;
    }
}

/// Reads everything that is in use, and the index of this name.
async fn refresh(env: &Env, name: Option<&str>) {
    let settings = settings(env);
    let now = now_millis();
    if MEMORY.with_borrow(|memory| memory.is_loading(now)) {
        return;
    }
    MEMORY.with_borrow_mut(|memory| memory.loading_since = Some(now));
    let answer = platform::kv_get(env, STATE, &settings.indexes_key(), CACHE_SECS, LOAD_LIMIT).await;
    let snapshot = snapshots::current(&settings, now).snapshot;
    let (missing, is_doubtful) = MEMORY.with_borrow_mut(|memory| {
        let is_doubtful = std::mem::take(&mut memory.is_doubtful);
        memory.asked_millis = Some(now_millis());
        match answer {
            Ok(Some(bytes)) => memory.take(&bytes),
            Ok(None) if memory.manifests.as_ref().is_some_and(|own| own.sequence > 0) => {
                memory.log_once("missing", "", "the key is gone");
            }
            Ok(None) => memory.manifests = Some(Manifests::default()),
            Err(error) => memory.log_once("failed", "", &error.to_string()),
        }
        name.into_iter().for_each(|name| memory.want(name));
        (memory.missing(snapshot.as_deref()), is_doubtful)
    });
    // What is missing in a data centre is kept as missing, too: after a failure it is asked more often.
    let cache_secs = if is_doubtful { CACHE_SECS } else { PIECE_CACHE_SECS };
    for index in missing {
        MEMORY.with_borrow_mut(|memory| memory.make_room(&index));
        let catalogue = opened(env, &index, cache_secs).await;
        MEMORY.with_borrow_mut(|memory| match catalogue {
            Ok(catalogue) => memory.put(index, catalogue),
            Err(error) => memory.log_once("not loaded", &index.name, &error),
        });
    }
    MEMORY.with_borrow_mut(|memory| memory.loading_since = None);
}

/// All pieces of an index, opened and put together.
async fn opened(env: &Env, index: &Manifest, cache_secs: u32) -> Result<Catalogue, String> {
    let mut pieces = Vec::with_capacity(index.pieces.len());
    for row in &index.pieces {
        let piece = piece(env, &row.hash, cache_secs).await;
        let piece = piece.map_err(|error| format!("piece {}: {error}", row.hash))?;
        pieces.push(piece.ok_or_else(|| format!("piece {} is not there", row.hash))?);
    }
    Catalogue::new(pieces).map_err(|error| error.to_string())
}

/// What a request finds of an index.
pub enum Found {
    /// It is here.
    Here(Rc<Catalogue>, String),
    /// There is none of this name.
    Unknown,
    /// There is one, but it can't be read at the moment.
    NotLoaded,
}

/// The index of a name for a request that may wait: read first where it is not here yet, and behind the response where
/// it is old.
pub async fn asked(env: &Env, context: &Context, name: &str) -> Found {
    let fresh_millis = settings(env).fresh_millis;
    let (is_here, is_old, is_news) = MEMORY.with_borrow(|memory| {
        let is_news = memory.knows(name) && !memory.is_wanted(name);
        (memory.loaded(name).is_some(), memory.is_old(fresh_millis, now_millis()), is_news)
    });
    if is_here && is_old {
        let env = env.clone();
        platform::wait_until(context, async move { refresh(&env, None).await });
    } else if !is_here && (is_old || is_news) {
        // The outcome of a load that another request began is not ours to await, but to be seen.
        let end = now_millis() + WAIT_MILLIS;
        while now_millis() < end && MEMORY.with_borrow(|memory| memory.is_loading(now_millis())) {
            platform::sleep(Duration::from_millis(50)).await;
        }
        if MEMORY.with_borrow(|memory| memory.loaded(name).is_none()) {
            refresh(env, Some(name)).await;
        }
    }
    MEMORY.with_borrow(|memory| match memory.loaded(name) {
        Some(loaded) => Found::Here(Rc::clone(&loaded.catalogue), loaded.version.clone()),
        None if memory.manifests.is_some() && !memory.knows(name) => Found::Unknown,
        None => Found::NotLoaded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_stale_an_hour_after_it_was_confirmed_last() {
        let mut memory = Memory::default();
        assert!(memory.is_stale(0), "nothing was ever confirmed");
        for asked in [1_000, 5_000] {
            memory.asked_millis = Some(asked);
            memory.take(Manifests::write(1, &[]).as_bytes());
            assert!(!memory.is_stale(asked + STALE_MILLIS - 1));
            assert!(memory.is_stale(asked + STALE_MILLIS));
        }
        // That KV was asked again, and did not answer, confirms nothing.
        memory.asked_millis = Some(5_000 + STALE_MILLIS);
        assert!(memory.is_stale(5_000 + STALE_MILLIS));
    }
}
