//! The snapshot of this isolate: memory → KV → last good → bundled at build. A page view does no I/O for it.
//!
//! Values are shared between requests, promises never: awaiting another request's I/O is an error of the runtime.

use crate::bindings::{STATE, Settings, settings};
use crate::faults;
use crate::platform::{self, Env, console_error};
use crate::request::now_millis;
use edgeloom::snapshot::{Snapshot, compile, store};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// What to decide from where nothing was ever published; may be empty.
static BUNDLED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bundled.snapshot"));
/// Seconds a data centre keeps the value; the platform's least.
const CACHE_SECS: u32 = 30;
/// How long KV may take; whoever waits then goes on with the last good one.
const LOAD_LIMIT: Duration = Duration::from_secs(2);
/// A load that has not ended after this time never will; then another one may start.
const LOAD_LIMIT_MILLIS: u64 = 5_000;

/// Where the snapshot in memory came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// There is none.
    None,
    /// Compiled into the Worker.
    Bundled,
    /// Published.
    Kv,
}

impl Source {
    /// Its word in the health answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bundled => "bundled",
            Self::Kv => "kv",
        }
    }
}

/// What the isolate has right now.
pub struct State {
    /// What to decide from.
    pub snapshot: Option<Rc<Snapshot>>,
    /// Time for a refresh behind the response, and none is under way.
    pub stale: bool,
    /// KV was never asked: worth a short wait.
    pub cold: bool,
    /// Where it came from.
    pub source: Source,
}

struct Memory {
    snapshot: Option<Rc<Snapshot>>,
    source: Source,
    /// Checksum of the bytes of `snapshot`: the same bytes are not compiled twice.
    checksum: Vec<u8>,
    /// When KV answered last, or failed last.
    asked_millis: Option<u64>,
    /// When the load that is under way began.
    loading_since: Option<u64>,
    /// What was logged already; a broken value is read again every few seconds.
    logged: Vec<&'static str>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::new(Memory::bundled());
}

impl Memory {
    fn bundled() -> Self {
        let mut memory = Self {
            snapshot: None,
            source: Source::None,
            checksum: Vec::new(),
            asked_millis: None,
            loading_since: None,
            logged: Vec::new(),
        };
        if !BUNDLED.is_empty() {
            match store::decode(BUNDLED) {
                Ok(stored) => {
                    memory.snapshot = Some(Rc::new(compile(&stored).0));
                    memory.source = Source::Bundled;
                }
                Err(error) => memory.log_once("bundled", &error.to_string()),
            }
        }
        memory
    }

    fn log_once(&mut self, kind: &'static str, detail: &str) {
        if !self.logged.contains(&kind) {
            self.logged.push(kind);
            console_error!("snapshot: {kind}: {detail}; the last good one stays");
        }
    }

    /// Takes what KV holds, unless what is here is better.
    fn take(&mut self, bytes: &[u8], site: &str) {
        let checksum = bytes.get(bytes.len().saturating_sub(16)..).unwrap_or_default();
        if self.source == Source::Kv && self.checksum == checksum {
            return;
        }
        let stored = match store::decode(bytes) {
            Ok(stored) => stored,
            Err(error) => return self.log_once("unreadable", &error.to_string()),
        };
        if stored.published.config.site != site {
            return self.log_once("foreign", "it belongs to another site");
        }
        // What was published wins over what was bundled, whatever their numbers.
        if self.source == Source::Kv
            && self.snapshot.as_ref().is_some_and(|own| stored.sequence < own.sequence)
        {
            return self.log_once("older", "its number is lower than the one in use");
        }
        let (snapshot, warnings) = compile(&stored);
        for warning in &warnings {
            self.log_once("warnings", &format!("{}: {}", warning.pointer, warning.message));
        }
        self.snapshot = Some(Rc::new(snapshot));
        self.checksum = checksum.to_vec();
        self.source = Source::Kv;
        self.logged.clear();
    }
}

/// What the isolate has, without waiting for anything.
pub fn current(settings: &Settings, now_millis: u64) -> State {
    MEMORY.with_borrow(|memory| {
        let asked = memory.asked_millis;
        // With nothing in hand every second counts: the first publication should show at once.
        let fresh =
            if memory.snapshot.is_some() { settings.fresh_millis } else { settings.fresh_millis.min(1_000) };
        let old = asked.is_none_or(|asked| now_millis.saturating_sub(asked) >= fresh);
        let loading =
            memory.loading_since.is_some_and(|since| now_millis.saturating_sub(since) < LOAD_LIMIT_MILLIS);
        State {
            snapshot: memory.snapshot.clone(),
            stale: old && !loading,
            cold: asked.is_none(),
            source: memory.source,
        }
    })
}

/// Reads KV and keeps what is better than what is here. Never fails: whatever goes wrong is logged, and asked again.
pub async fn load(env: &Env) {
    faults::at_load();
    let settings = settings(env);
    MEMORY.with_borrow_mut(|memory| memory.loading_since = Some(now_millis()));
    let key = settings.snapshot_key();
    let answer = platform::kv_get(env, STATE, &key, CACHE_SECS, LOAD_LIMIT).await;
    MEMORY.with_borrow_mut(|memory| {
        memory.loading_since = None;
        memory.asked_millis = Some(now_millis());
        match answer {
            Ok(Some(bytes)) => memory.take(&bytes, &settings.site),
            Ok(None) if memory.source == Source::Kv => memory.log_once("missing", "the key is gone"),
            Ok(None) => {}
            Err(error) => memory.log_once("failed", &error.to_string()),
        }
    });
}

/// What the isolate has, read again first where it is old.
pub async fn fresh(env: &Env) -> State {
    let settings = settings(env);
    let state = current(&settings, now_millis());
    if !state.cold && !state.stale {
        return state;
    }
    load(env).await;
    current(&settings, now_millis())
}
