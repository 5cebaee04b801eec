//! The request path of a page, top to bottom: facts in, plan out. Synchronous and pure, so that a page never waits
//! inside the wasm; `page.mjs` moves the bytes.

use crate::served::{Moment, Source, hints, push_timing, push_told, timing_header};
use crate::visitor::{Address, Facts, visit_of};
use edgeloom::assemble::{ScriptPolicy, json_island, script_policy};
use edgeloom::event::Event;
use edgeloom::receipt::Keyring;
use edgeloom::snapshot::Snapshot;
use edgeloom::snapshot::wire::Mode;
use serde_json::Value;

/// Separates the parts of a plan; it can't occur in them, since all of it is escaped ASCII.
pub const NUL: char = '\0';
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

impl Current<'_> {
    /// The word for it in a plan.
    pub const fn age(&self) -> &'static str {
        if self.cold {
            "cold"
        } else if self.stale {
            "stale"
        } else {
            ""
        }
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
    /// What is shown, for the tag of the page: see [`crate::variant`].
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
    let mut head =
        Head { token: loop_token, url: address.without_token(), age: current.age(), ..Head::default() };
    let mut slots = Slots::default();
    if let Some(snapshot) = current.snapshot {
        let source = Source { snapshot, keyring, moment };
        let request = Request { source, facts: &facts, address: &address };
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
    source: Source<'p>,
    facts: &'p Facts<'p>,
    address: &'p Address<'p>,
}

impl Request<'_> {
    fn fill(&self, head: &mut Head, slots: &mut Slots) {
        let Self { source, facts, address } = self;
        let Source { snapshot, keyring, moment } = source;
        let has_slots = snapshot.slots_on(address.path).next().is_some();
        if !has_slots && snapshot.goals_at(address.path).next().is_none() {
            return;
        }
        let visit = visit_of(facts, &snapshot.privacy, keyring, moment.now, moment.fresh_key());
        if visit.is_watched {
            self.reached(&mut slots.events);
            head.reached_bytes = slots.events.len();
        }
        if !has_slots {
            return;
        }
        let served = source.serve(&visit);
        let (mut island, mut timing) = (String::new(), String::new());
        for choice in served.choices() {
            let place = &choice.0.css;
            slots.text.push(NUL);
            slots.text.push_str(place);
            slots.text.push(NUL);
            let before = slots.events.len();
            let receipt = served.fill(choice, &mut slots.text, &mut slots.events);
            slots.text.push(NUL);
            slots.text.push_str(hints(choice));
            slots.text.push(NUL);
            slots.text.push_str(&(slots.events.len() - before).to_string());
            push_told(&mut island, choice, receipt.as_deref());
            if receipt.is_some() {
                // For the script that sees it.
                island.push_str(",\"place\":");
                island.push_str(&edgeloom::json::text(&Value::from(place.as_str())));
            }
            island.push('}');
            push_timing(&mut timing, choice);
        }
        head.tail = json_island(ISLAND, &served.told(visit.mode, &island), None);
        if visit.mode != Mode::Contextual && visit.is_watched {
            head.tail.push_str(BEACON);
        }
        head.timing = timing_header(&timing);
        head.life_seconds = snapshot.life_at(address.path);
        head.variant = served.variant(visit.mode);
        head.cookie = visit.set_cookie;
    }

    /// The rewards of reaching this page: a receipt in its address, or in that of the page before.
    fn reached(&self, events: &mut Vec<u8>) {
        let Self { source: Source { snapshot, keyring, moment }, facts, address } = self;
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
