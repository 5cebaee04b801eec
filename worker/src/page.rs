//! The request path of a page, top to bottom: facts in, plan out. Synchronous and pure, so that a page never waits
//! inside the wasm; `page.mjs` moves the bytes.

use crate::visitor::{Address, Facts, Visit, visit_of};
use edgeloom::assemble::{ScriptPolicy, Timing, json_island, script_policy, server_timing};
use edgeloom::context::Device;
use edgeloom::decide::{Choice, Decision, Reason, decide};
use edgeloom::event::{Event, EventId};
use edgeloom::receipt::{Flags, Keyring, Receipt};
use edgeloom::seed::{HOUR_MILLIS, Seed};
use edgeloom::snapshot::wire::Mode;
use edgeloom::snapshot::{Slot, Snapshot};
use serde::Serialize;

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

/// The facts of a plan; absent ones are not written.
#[derive(Serialize, Default)]
struct Plan<'p> {
    /// Marks requests of ours on their way to the origin.
    token: &'p str,
    /// Address for the origin where it differs from the one asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    stale: bool,
    #[serde(skip_serializing_if = "is_false")]
    cold: bool,
    /// What is appended to a page in which a slot was found.
    #[serde(skip_serializing_if = "String::is_empty")]
    tail: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    timing: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookie: Option<String>,
    /// Events to record when the page was reached, as JSON.
    #[serde(skip_serializing_if = "String::is_empty")]
    reward: String,
}

/// What the page is told of one slot.
#[derive(Serialize)]
struct Told<'p> {
    #[serde(skip_serializing_if = "Option::is_none")]
    arm: Option<&'p str>,
    propensity: f64,
    reason: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<&'p str>,
    /// Selector of the slot, for the script that sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'p str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The plan of a page: one line of JSON facts, then selector, HTML and event of each slot, split by NUL.
pub fn plan(current: &Current, keyring: &Keyring, loop_token: &str, facts: &str, moment: &Moment) -> String {
    let facts = Facts::parse(facts);
    let address = facts.address();
    let mut plan = Plan {
        token: loop_token,
        url: address.without_token(),
        stale: current.stale,
        cold: current.cold,
        ..Plan::default()
    };
    let mut parts = String::new();
    if let Some(snapshot) = current.snapshot {
        fill(&mut plan, &mut parts, snapshot, keyring, &facts, &address, moment);
    }
    let mut text = serde_json::to_string(&plan).unwrap_or_else(|_| "{}".to_string());
    text.push_str(&parts);
    text
}

fn fill(
    plan: &mut Plan,
    parts: &mut String,
    snapshot: &Snapshot,
    keyring: &Keyring,
    facts: &Facts,
    address: &Address,
    moment: &Moment,
) {
    let has_slots = snapshot.slots_on(address.path).next().is_some();
    if !has_slots && snapshot.goals_at(address.path).next().is_none() {
        return;
    }
    let visit = visit_of(facts, &snapshot.privacy, keyring, moment.now, moment.bytes16(16));
    let watched = visit.context.device != Device::Crawler && !facts.is_prefetch();
    if watched {
        plan.reward = rewards(snapshot, keyring, facts, address, moment);
    }
    if !has_slots {
        return;
    }
    let seed = seed_of(snapshot, &visit, moment);
    let decision = decide(snapshot, &visit.context, &seed);
    let page = Page { snapshot, keyring, visit: &visit, decision: &decision, seed: &seed, watched, moment };
    let mut island = String::new();
    let mut timing = Vec::new();
    for choice in &decision.choices {
        let Some(slot) = snapshot.slots.get(choice.slot) else { continue };
        page.slot(slot, choice, parts, &mut island);
        let arm = arm_name(slot, choice).unwrap_or("-");
        timing.push(format!("{}={arm}", slot.id));
    }
    // Identifiers and versions need no escaping.
    let decisions = format!(
        r#"{{"snapshot":"{}","decision":"{}","mode":{},"slots":{{{island}}}}}"#,
        snapshot.version,
        decision.id,
        serde_json::to_string(&visit.mode).unwrap_or_default()
    );
    plan.tail = json_island(ISLAND, &decisions, None);
    if visit.mode != Mode::Contextual && watched {
        plan.tail.push_str(BEACON);
    }
    let description = timing.join(", ");
    plan.timing =
        server_timing(&[Timing { name: "edgeloom", duration_millis: None, description: Some(&description) }]);
    plan.cookie = visit.set_cookie;
}

fn seed_of(snapshot: &Snapshot, visit: &Visit, moment: &Moment) -> Seed {
    let decision = edgeloom::id::DecisionId(moment.bytes16(0));
    match &visit.visitor {
        Some(key) => Seed::of_visitor(&snapshot.site, key, decision),
        // A program is shown what a visitor would be shown, and never counted.
        None if visit.context.device == Device::Crawler => Seed::of_view(decision),
        None => {
            let [a, b, c, d, e, f, g, h, ..] = decision.0;
            Seed::contextual(&snapshot.site, moment.now, u64::from_le_bytes([a, b, c, d, e, f, g, h]))
        }
    }
}

fn arm_name<'s>(slot: &'s Slot, choice: &Choice) -> Option<&'s str> {
    Some(slot.arms.get(choice.arm?)?.id.as_str())
}

/// Everything one page's slots share.
struct Page<'p> {
    snapshot: &'p Snapshot,
    keyring: &'p Keyring,
    visit: &'p Visit,
    decision: &'p Decision,
    seed: &'p Seed,
    watched: bool,
    moment: &'p Moment,
}

impl Page<'_> {
    /// Writes what one slot gets, and what the page is told about it.
    fn slot(&self, slot: &Slot, choice: &Choice, parts: &mut String, island: &mut String) {
        let contextual = self.visit.mode == Mode::Contextual;
        let measured = self.watched && choice.reason != Reason::Default;
        let receipt = measured.then(|| self.receipt(slot, choice));
        // In contextual mode nothing is sent by the browser, so it needs no receipt.
        let token = receipt.as_ref().filter(|_| !contextual).map(|receipt| self.keyring.sign(receipt));
        let told = Told {
            arm: arm_name(slot, choice),
            propensity: choice.propensity,
            reason: choice.reason.as_str(),
            receipt: token.as_deref(),
            place: token.as_deref().map(|_| slot.css.as_str()),
        };
        if !island.is_empty() {
            island.push(',');
        }
        let told = serde_json::to_string(&told).unwrap_or_else(|_| "{}".to_string());
        island.extend(["\"", slot.id.as_str(), "\":", told.as_str()]);

        parts.push(NUL);
        parts.push_str(&slot.css);
        parts.push(NUL);
        let arm = choice.arm.and_then(|arm| slot.arms.get(arm));
        if let Some(markup) = arm.and_then(|arm| arm.markup.as_ref()) {
            // An address is read by others: what it carries does not tell who, only what was shown.
            let link = receipt.clone().filter(|_| markup.n_links() > 0);
            let link = link.map(|receipt| self.keyring.sign(&Receipt { unit: None, ..receipt }));
            markup.with_token(link.as_deref(), parts);
        }
        parts.push(NUL);
        // Elsewhere the browser says when the slot was seen; here the edge says that it was served.
        if let Some(receipt) = receipt.filter(|_| contextual) {
            let event = Event::exposure(&receipt, Some(self.moment.event_id(choice.slot)));
            parts.push_str(&serde_json::to_string(&event).unwrap_or_default());
        }
    }

    fn receipt(&self, slot: &Slot, choice: &Choice) -> Receipt {
        let shared = self.seed.shared;
        let flags = Flags::default()
            .with_shared(shared)
            .with_held_out(choice.reason == Reason::Holdout)
            .with_per_view(slot.policy.is_per_view());
        let now = self.moment.now;
        Receipt {
            decision: self.decision.id,
            unit: (!shared).then_some(self.seed.unit),
            slot: slot.id.clone(),
            arm: choice.arm.and_then(|arm| slot.arms.get(arm)).map(|arm| arm.id.clone()),
            propensity: choice.propensity,
            version: self.snapshot.version,
            // A shared receipt tells the hour only, as its decision does.
            time_millis: if shared { now - now % HOUR_MILLIS } else { now },
            flags,
            candidates: choice.candidates.clone(),
            shards: self.snapshot.shards,
        }
    }
}

/// The rewards of reaching this page: a receipt in its address, or in that of the page before.
fn rewards(
    snapshot: &Snapshot,
    keyring: &Keyring,
    facts: &Facts,
    address: &Address,
    moment: &Moment,
) -> String {
    let before = Address::of(facts.referer);
    let from_before = (before.origin == address.origin).then(|| before.token()).flatten();
    let sound = |token: Option<&str>| token.and_then(|token| keyring.verify(token).ok());
    let Some(receipt) = sound(address.token()).or_else(|| sound(from_before)) else {
        return String::new();
    };
    if edgeloom::event::check(&receipt, moment.now, snapshot.window_millis).is_err() {
        return String::new();
    }
    let events = snapshot.goals_at(address.path).enumerate().filter_map(|(nth, goal)| {
        let id = moment.event_id(snapshot.slots.len() + nth);
        let event = Event::reward(&receipt, &goal.id, goal.value, Some(id)).ok()?;
        serde_json::to_string(&event).ok()
    });
    events.collect::<Vec<_>>().join(",")
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
