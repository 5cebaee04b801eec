//! Personalization next to the visitor: decide, learn and measure as a pure library.
//!
//! The same functions decide in the Worker, in the browser, in the console and on the command line. They do no I/O, read
//! no clock, hold no global state and never panic; randomness is a [`seed::Seed`] argument.
//!
//! # One request
//!
//! ```text
//! visitor ── GET / ──▶ worker/entry.mjs (guard: deadline, trap, fail open)
//!                        │ facts, one line each
//!                        ▼
//!                 worker page::plan ──── synchronous, no I/O ────────────────────────────────┐
//!                   visitor: mode, cookie, Context        snapshots: isolate memory           │
//!                        │                                   │ stale: refresh behind response │
//!                        ▼                                   ▼                                │
//!        decide(&Snapshot, &Context, &Seed) ─▶ Decision ─▶ Receipt (signed) ─▶ Markup::with_token
//!                        │                                                                    │
//!                        ▼ selector, HTML and event of each slot ◀──────────────────────────┘
//!          is the page kept, cut at its slots?  (worker/skeletons.mjs; fresh, or the origin says it is the same)
//!            │ yes: splice                        │ no: it is cut with the runtime's HTMLRewriter and spliced, where the
//!            │ literals and blocks, no parsing    │ origin had it whole (worker/whole.mjs); else HTMLRewriter fills the slots
//!            ▼                                    ▼ while it streams, and cuts a copy for the next views
//!          filled slots, inline decisions ══════════════════════════════════════════════════▶ visitor
//!                        │ slots that were really there
//!                        ▼ after the response, one call a second, events as bytes
//!                 shard (Durable Object): fold(tokens, event) ─▶ Statistics ─▶ root ─▶ learn ─▶ KV ─▶ isolates
//! ```
//!
//! # Invariants
//!
//! 1. **One snapshot per request.** A [`snapshot::Snapshot`] is immutable, content-addressed and replaced whole; the request path
//!    reads it and writes nothing but events.
//! 2. **[`decide`](decide::decide) is total.** Whatever the snapshot and the context are, each slot of the page gets an arm or stays as it
//!    is, with the exact probability of that outcome. Everything that changes a probability is one function, "distribution
//!    in, distribution out" ([`bandit::Shape`]); arms are removed before sampling, never after.
//! 3. **A receipt proves a choice.** [`replay`](replay::replay) makes it again from the snapshot it names, bit for bit.
//! 4. **Counting is order-free.** [`fold`](fold::fold) takes events in any order and any number of times; [`statistics::Statistics`] merge by
//!    addition of integers. A reward counts only as far as there is an exposure for it.
//! 5. **One bad item costs only itself.** [`snapshot::compile`] leaves it out with a [`snapshot::Warning`]; an unreadable snapshot is refused
//!    and the last good one stays.
//! 6. **Inserted HTML is ASCII written anew** from what was checked ([`block::Block`]), so that it fits every charset and no field can
//!    change the page around it.
//! 7. **What is kept of a page is the origin's.** Nothing that a visitor got is ever stored. An answer stands for others only where a
//!    shared cache may keep it (`worker/freshness.mjs`), and without a stated life the origin is asked at each view; anything
//!    else is spliced only where the origin sent this visitor the same bytes (`worker/unversioned.mjs`).
//! 8. **A page that can't be filled passes whole.** What the runtime's rewriter gives up at (`worker/unfit.mjs`), what has no slot
//!    (`worker/slotless.mjs`), what no slot's end is found in: the origin's bytes, and its headers.
//!    Of a page that streams, since its length is not known or over 256 KB, this is known only after some views broke off.
//!
//! # The two ways of privacy
//!
//! In *contextual* mode nothing is stored on or read from the device. The seed is one of 4,096 per hour
//! ([`seed::Seed::contextual`]), so a receipt is shared by many visitors; it travels in the links of the block it stands for. Its
//! exposures are recorded by the edge, and rewards are counted up to the number of exposures of the same receipt, so replaying a
//! link gains nothing. With consent a visitor has a random key; receipts are the visitor's own, each counts once.
//!
//! # Rooms
//!
//! | room | what | knows nothing of |
//! |---|---|---|
//! | [`id`], [`seed`], [`context`], [`crawler`] | vocabulary, the one hash, facts of a visit | everything else |
//! | [`assortment`] | actions as numbers, between what brings them and what chooses | who reads them |
//! | [`audience`], [`split`], [`pattern`] | who is addressed: compiled conditions, shares, paths | bandits, HTML |
//! | [`bandit`] | beliefs, draws, P(best), limits, choosing among positions | slots, HTML, snapshots |
//! | [`slate`], [`saturation`], [`trail`] | what a page and a visitor have seen, and what that leaves | how is chosen |
//! | [`block`], [`slot`], [`assemble`] | content, where it goes, what else the page gets | bandits |
//! | [`embedding`], [`index`] | meanings as unit vectors; the nearest of thousands, in a form that opens at once | slots, HTML, bandits, where embeddings come from |
//! | [`interest`], [`lookup`], [`retrieval`] | what a visit is interested in, and the candidates of a list for it | how is chosen, the platform |
//! | [`snapshot`] | stored shapes, binary form, compiling, learning | the request |
//! | [`decide`], [`replay`] | the only places that combine the parts | the platform |
//! | [`receipt`], [`event`], [`fold`], [`statistics`] | what was decided, what happened, what it adds up to | bandits, HTML |
//! | [`measure`] | what it was worth: uplift, off-policy estimates, sample ratio and size, who to address, drift, regret | HTML of slots, bandits' internals, where rows come from |
//! | [`wire`], [`form`] | a visit and a decision for other faces: as JSON, and in a hurry | the platform |
//! | `kernel/` | inner loops of [`index`] and [`bandit`], a crate of their own: built to be quick where the Worker is built to be small | everything else |
//! | [`json`], [`sorted`] | text, `Value` and types; short maps: what the wasm stays small with | everything else |
//!
//! The page half of the Worker asks the wasm once and synchronously, and moves bytes in JavaScript: a trap then can't leave other
//! visitors' pages half written, and a view costs two string crossings instead of dozens.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

use edgeloom_kernel as kernel;

pub mod assemble;
pub mod assortment;
pub mod audience;
pub mod bandit;
pub mod block;
mod bytes;
pub mod context;
pub mod crawler;
pub mod decide;
pub mod embedding;
pub mod event;
pub mod explain;
pub mod fold;
pub mod form;
pub mod id;
pub mod index;
pub mod interest;
pub mod json;
pub mod lookup;
pub mod measure;
pub mod pattern;
pub mod receipt;
pub mod replay;
pub mod retrieval;
pub mod saturation;
pub mod schedule;
pub mod seed;
mod selector;
pub mod slate;
pub mod slot;
pub mod snapshot;
pub mod sorted;
pub mod split;
pub mod statistics;
pub mod trail;
pub mod value;
pub mod wire;

pub use serde_json::Value;
