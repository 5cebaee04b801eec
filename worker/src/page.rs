//! The request path of a page, top to bottom: facts in, plan out. Synchronous and pure, so that a page never waits
//! inside the wasm; `page.mjs` moves the bytes.

use crate::variant::{known_bucket, variant};
use crate::visitor::{Address, Facts, Visit, visit_of};
use edgeloom::assemble::{ScriptPolicy, Timing, json_island, script_policy, server_timing};
use edgeloom::context::Device;
use edgeloom::decide::{Choice, Decision, Reason, decide};
use edgeloom::event::{Event, EventId};
use edgeloom::receipt::{Flags, Keyring, Receipt};
use edgeloom::seed::{CONTEXTUAL_BUCKETS, HOUR_MILLIS, Seed};
use edgeloom::snapshot::wire::Mode;
use edgeloom::snapshot::{Slot, Snapshot};
use serde_json::Value;

/// Separates the parts of a plan; it can't occur in them, since all of it is escaped ASCII.
const NUL: char = '\0';
/// Element id under which the page finds its decisions.
pub const ISLAND: &str = "edgeloom-decisions";
const BEACON: &str = "<script async src=\"/_edgeloom/beacon.js\"></script>";

/// The snapshot as the isolate has it.
pub struct Current<'s> {
    /// What to decide from, if there is anything.
    pub snapshot: Option<&'s Snapshot>,
    /// Too old: to be refreshed behind the response.
    pub stale: bool,
    /// Never loaded: worth a short wait.
    pub cold: bool,
}

/// What is random and timed about a request.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Milliseconds since the epoch.
    pub now: u64,
    /// Random bytes; never reused.
    pub entropy: [u8; 48],
}

impl Moment {
    fn bytes16(&self, at: usize) -> [u8; 16] {
        let mut out = [0_u8; 16];
        for (to, from) in out.iter_mut().zip(self.entropy.iter().skip(at)) {
            *to = *from;
        }
        out
    }

    /// A random event id; `nth` keeps the ids of one page apart.
    fn event_id(&self, nth: usize) -> EventId {
        let base = u128::from_le_bytes(self.bytes16(32));
        EventId(base.wrapping_add(nth as u128).to_le_bytes())
    }
}

/// What a page view gets.
#[derive(Debug, Default)]
pub struct Plan {
    /// Parts split by NUL: head as in `Head`, then per slot its selector, its HTML, the hints of its `Link` header and
    /// the length of its events.
    pub text: String,
    /// Events in their binary form: first those of reaching the page, then those of each slot that is served.
    pub events: Vec<u8>,
}

/// What a plan says of the page as a whole, in this order; an empty part says nothing.
#[derive(Default)]
struct Head<'p> {
    /// Marks requests of ours on their way to the origin.
    token: &'p str,
    /// Address for the origin where it differs from the one asked for.
    url: Option<String>,
    /// `stale` or `cold`: see [`Current`].
    age: &'static str,
    /// What is appended to a page in which a slot was found.
    tail: String,
    /// `Server-Timing`.
    timing: String,
    /// `Set-Cookie`.
    cookie: Option<String>,
    /// What is shown, for the tag of the page: see [`variant`].
    variant: String,
    /// How long the page stands whose server does not say so, seconds.
    life_seconds: Option<u32>,
    /// Bytes of events to record when the page was reached.
    reached_bytes: usize,
}

impl Head<'_> {
    fn text(&self) -> String {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let (url, cookie) = (text(&self.url), text(&self.cookie));
        let life = self.life_seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
        let parts = [self.token, &url, self.age, &self.tail, &self.timing, &cookie, &self.variant, &life];
        let mut out = String::with_capacity(parts.iter().map(|part| part.len() + 1).sum::<usize>() + 8);
        for part in parts {
            out.push_str(part);
            out.push(NUL);
        }
        out.push_str(&self.reached_bytes.to_string());
        out
    }
}

/// The plan of a page.
pub fn plan(current: &Current, keyring: &Keyring, loop_token: &str, facts: &str, moment: &Moment) -> Plan {
    let facts = Facts::parse(facts);
    let address = facts.address();
    let age = if current.cold {
        "cold"
    } else if current.stale {
        "stale"
    } else {
        ""
    };
    let mut head = Head { token: loop_token, url: address.without_token(), age, ..Head::default() };
    let mut slots = Slots::default();
    if let Some(snapshot) = current.snapshot {
        let request = Request { snapshot, keyring, facts: &facts, address: &address, moment };
        request.fill(&mut head, &mut slots);
    }
    let mut text = head.text();
    text.push_str(&slots.text);
    Plan { text, events: slots.events }
}

/// The parts of a plan that grow with its slots.
#[derive(Default)]
struct Slots {
    text: String,
    events: Vec<u8>,
}

/// Everything a plan is made from.
struct Request<'p> {
    snapshot: &'p Snapshot,
    keyring: &'p Keyring,
    facts: &'p Facts<'p>,
    address: &'p Address<'p>,
    moment: &'p Moment,
}

impl Request<'_> {
    fn fill(&self, head: &mut Head, slots: &mut Slots) {
        let Self { snapshot, keyring, facts, address, moment } = self;
        let has_slots = snapshot.slots_on(address.path).next().is_some();
        if !has_slots && snapshot.goals_at(address.path).next().is_none() {
            return;
        }
        let visit = visit_of(facts, &snapshot.privacy, keyring, moment.now, moment.bytes16(16));
        let watched = visit.context.device != Device::Crawler && !facts.is_prefetch();
        if watched {
            self.reached(&mut slots.events);
            head.reached_bytes = slots.events.len();
        }
        if !has_slots {
            return;
        }
        let (seed, bucket) = seed_of(snapshot, &visit, moment, known_bucket(facts));
        let decision = decide(snapshot, &visit.context, &seed);
        let page = Page { request: self, visit: &visit, decision: &decision, seed: &seed, watched };
        let (mut island, mut timing) = (String::new(), String::new());
        for choice in &decision.choices {
            let Some(slot) = snapshot.slots.get(choice.slot) else { continue };
            page.slot(slot, choice, slots, &mut island);
            timing.push_str(if timing.is_empty() { "" } else { ", " });
            timing.extend([slot.id.as_str(), "=", arm_name(slot, choice).unwrap_or("-")]);
        }
        // Identifiers and versions need no escaping.
        let decisions = format!(
            r#"{{"snapshot":"{}","decision":"{}","mode":"{}","slots":{{{island}}}}}"#,
            snapshot.version,
            decision.id,
            visit.mode.as_str()
        );
        head.tail = json_island(ISLAND, &decisions, None);
        if visit.mode != Mode::Contextual && watched {
            head.tail.push_str(BEACON);
        }
        head.timing =
            server_timing(&[Timing { name: "edgeloom", duration_millis: None, description: Some(&timing) }]);
        head.life_seconds = snapshot.life_at(address.path);
        head.variant = variant(snapshot, &decision, visit.mode, moment.now, bucket);
        head.cookie = visit.set_cookie;
    }

    /// The rewards of reaching this page: a receipt in its address, or in that of the page before.
    fn reached(&self, events: &mut Vec<u8>) {
        let Self { snapshot, keyring, facts, address, moment } = self;
        let before = Address::of(facts.referer);
        let from_before = (before.origin == address.origin).then(|| before.token()).flatten();
        let sound = |token: Option<&str>| token.and_then(|token| keyring.verify(token).ok());
        let receipt = sound(address.token()).or_else(|| sound(from_before));
        let Some(receipt) = receipt
            .filter(|receipt| edgeloom::event::check(receipt, moment.now, snapshot.window_millis).is_ok())
        else {
            return;
        };
        for (nth, goal) in snapshot.goals_at(address.path).enumerate() {
            let id = moment.event_id(snapshot.slots.len() + nth);
            if let Ok(event) = Event::reward(&receipt, &goal.id, goal.value, Some(id)) {
                event.write(events);
            }
        }
    }
}

/// The seed of a view, and its bucket where it has one: that of the page the visitor has already, or a random one.
fn seed_of(snapshot: &Snapshot, visit: &Visit, moment: &Moment, known: Option<u64>) -> (Seed, Option<u64>) {
    let decision = edgeloom::id::DecisionId(moment.bytes16(0));
    match &visit.visitor {
        Some(key) => (Seed::of_visitor(&snapshot.site, key, decision), None),
        // A program is shown what a visitor would be shown, and never counted.
        None if visit.context.device == Device::Crawler => (Seed::of_view(decision), None),
        None => {
            let [a, b, ..] = decision.0;
            let random = u64::from(u16::from_le_bytes([a, b]) % CONTEXTUAL_BUCKETS);
            let bucket = known.unwrap_or(random);
            (Seed::contextual(&snapshot.site, moment.now, bucket), Some(bucket))
        }
    }
}

fn arm_name<'s>(slot: &'s Slot, choice: &Choice) -> Option<&'s str> {
    Some(slot.arms.get(choice.arm?)?.id.as_str())
}

/// Everything one page's slots share.
struct Page<'p> {
    request: &'p Request<'p>,
    visit: &'p Visit,
    decision: &'p Decision,
    seed: &'p Seed,
    watched: bool,
}

impl Page<'_> {
    /// Writes what one slot gets, and what the page is told about it.
    fn slot(&self, slot: &Slot, choice: &Choice, out: &mut Slots, island: &mut String) {
        let contextual = self.visit.mode == Mode::Contextual;
        let keyring = self.request.keyring;
        let measured = self.watched && choice.reason != Reason::Default;
        let receipt = measured.then(|| self.receipt(slot, choice));
        // In contextual mode nothing is sent by the browser, so it needs no receipt.
        let token = receipt.as_ref().filter(|_| !contextual).map(|receipt| keyring.sign(receipt));
        push_told(island, slot, choice, token.as_deref());

        out.text.push(NUL);
        out.text.push_str(&slot.css);
        out.text.push(NUL);
        let arm = choice.arm.and_then(|arm| slot.arms.get(arm));
        if let Some(markup) = arm.and_then(|arm| arm.markup.as_ref()) {
            // An address is read by others: what it carries does not tell who, only what was shown.
            let link = receipt.clone().filter(|_| markup.n_links() > 0);
            let link = link.map(|receipt| keyring.sign(&Receipt { unit: None, ..receipt }));
            markup.with_token(link.as_deref(), &mut out.text);
        }
        out.text.push(NUL);
        out.text.push_str(arm.and_then(|arm| arm.markup.as_ref()).map_or("", |markup| markup.hints()));
        let before = out.events.len();
        // Elsewhere the browser says when the slot was seen; here the edge says that it was served.
        if let Some(receipt) = receipt.filter(|_| contextual) {
            let id = self.request.moment.event_id(choice.slot);
            Event::exposure(&receipt, Some(id)).write(&mut out.events);
        }
        out.text.push(NUL);
        out.text.push_str(&(out.events.len() - before).to_string());
    }

    fn receipt(&self, slot: &Slot, choice: &Choice) -> Receipt {
        let Request { snapshot, moment, .. } = self.request;
        let shared = self.seed.shared;
        let flags = Flags::default()
            .with_shared(shared)
            .with_held_out(choice.reason == Reason::Holdout)
            .with_per_view(slot.policy.is_per_view());
        let now = moment.now;
        Receipt {
            decision: self.decision.id,
            unit: (!shared).then_some(self.seed.unit),
            slot: slot.id.clone(),
            arm: choice.arm.and_then(|arm| slot.arms.get(arm)).map(|arm| arm.id.clone()),
            propensity: choice.propensity,
            version: snapshot.version,
            // A shared receipt tells the hour only, as its decision does.
            time_millis: if shared { now - now % HOUR_MILLIS } else { now },
            flags,
            candidates: choice.candidates.clone(),
            shards: snapshot.shards,
        }
    }
}

/// What the page is told of one slot, as a member of a JSON object; selector and receipt are for the script that sees it.
fn push_told(island: &mut String, slot: &Slot, choice: &Choice, receipt: Option<&str>) {
    // Names, words and receipts consist of characters that JSON leaves as they are.
    island.push_str(if island.is_empty() { "\"" } else { ",\"" });
    island.extend([slot.id.as_str(), "\":{"]);
    if let Some(arm) = arm_name(slot, choice) {
        island.extend(["\"arm\":\"", arm, "\","]);
    }
    island.extend(["\"propensity\":", &edgeloom::json::text(&Value::from(choice.propensity))]);
    island.extend([",\"reason\":\"", choice.reason.as_str(), "\""]);
    if let Some(receipt) = receipt {
        island.extend([",\"receipt\":\"", receipt, "\",\"place\":"]);
        island.push_str(&edgeloom::json::text(&Value::from(slot.css.as_str())));
    }
    island.push('}');
}

/// Whether the runtime can rewrite an answer with these headers: `content-type`, `content-encoding` and
/// `content-disposition`, one a line.
pub fn rewritable(headers: &str) -> bool {
    let mut lines = headers.split('\n');
    let mut next = || lines.next().unwrap_or_default().trim().to_ascii_lowercase();
    let (content_type, encoding, disposition) = (next(), next(), next());
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type.as_str(), ""));
    let charset =
        parameters.split(';').filter_map(|p| p.trim().split_once('=')).find(|(name, _)| *name == "charset");
    let charset = charset.map_or("", |(_, value)| value.trim_matches(['"', '\'', ' ']));
    essence.trim() == "text/html"
        && (charset.is_empty() || is_ascii_superset(charset))
        // The runtime decodes these; anything else would be rewritten as if it were text.
        && matches!(encoding.as_str(), "" | "identity" | "gzip" | "br")
        && !disposition.starts_with("attachment")
}

/// Charsets in which an ASCII byte is that character, by the labels of the WHATWG Encoding standard
/// (<https://encoding.spec.whatwg.org/#names-and-labels>); pages in others pass as they are.
fn is_ascii_superset(label: &str) -> bool {
    let named = matches!(
        label,
        "utf-8"
            | "utf8"
            | "unicode-1-1-utf-8"
            | "us-ascii"
            | "ascii"
            | "latin1"
            | "l1"
            | "cp1252"
            | "x-cp1252"
            | "cp1250"
            | "cp1251"
            | "cp1253"
            | "cp1254"
            | "cp1255"
            | "cp1256"
            | "cp1257"
            | "cp1258"
            | "koi8-r"
            | "koi8-u"
            | "koi"
            | "macintosh"
            | "gbk"
            | "gb2312"
            | "gb18030"
            | "big5"
            | "big5-hkscs"
            | "euc-jp"
            | "euc-kr"
            | "ks_c_5601-1987"
            | "shift_jis"
            | "sjis"
            | "windows-31j"
            | "windows-874"
            | "tis-620"
    );
    let numbered = |prefix: &str, from: u32, to: u32| {
        label.strip_prefix(prefix).and_then(|n| n.parse().ok()).is_some_and(|n: u32| (from..=to).contains(&n))
    };
    named || numbered("iso-8859-", 1, 16) || numbered("iso8859-", 1, 16) || numbered("windows-", 1250, 1258)
}

/// The tail of a page with a content security policy: scripts carry its nonce, or stay out where it forbids them.
pub fn tail(tail: &str, policy: &str) -> String {
    match script_policy(&[policy]) {
        ScriptPolicy::SameOrigin => tail.to_string(),
        ScriptPolicy::Nonce(nonce) => tail.replace("<script ", &format!("<script nonce=\"{nonce}\" ")),
        ScriptPolicy::Blocked => tail.replace(BEACON, ""),
    }
}
