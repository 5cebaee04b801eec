//! The request path of a page, top to bottom: facts in, plan out. Synchronous and pure, so that a page never waits
//! inside the wasm; `page.mjs` moves the bytes.

use crate::items::Shelves;
use crate::served::{Moment, Source, hints, push_timing, push_told, timing_header};
use crate::visitor::{Address, Facts, visit_of};
use edgeloom::assemble::{ScriptPolicy, json_island, script_policy};
use edgeloom::decide::counted;
use edgeloom::event::Event;
use edgeloom::receipt::Keyring;
use edgeloom::snapshot::Snapshot;
use edgeloom::snapshot::wire::Mode;
use serde_json::Value;

/// Separates the parts of a plan; it can't occur in them: no header has it, and no selector is compiled with it.
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
    /// The indexes at hand.
    pub shelves: Shelves,
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

/// What a view gets, for one crossing of the border to JavaScript: few texts that are needed as such, and bytes that only
/// have to get to their place.
#[derive(Debug, Default)]
pub struct Plan {
    /// How many bytes of each of the parts below, as their producer says.
    pub lengths: Vec<usize>,
    /// Texts split by NUL.
    pub text: String,
    /// HTML and the like, one after another.
    pub html: String,
    /// Events in their binary form, one after another.
    pub events: Vec<u8>,
}

impl Plan {
    /// Everything in one: the number of lengths, that of the bytes of text, and the lengths, each as 32 bits, little endian;
    /// then text, HTML and events.
    pub fn packed(&self) -> Vec<u8> {
        let Self { lengths, text, html, events } = self;
        let mut out = Vec::with_capacity(8 + 4 * lengths.len() + text.len() + html.len() + events.len());
        // A page's slots and their HTML are far below 4 GB: the published snapshot they come from is at most 25 MB.
        let word = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        out.extend_from_slice(&word(lengths.len()));
        out.extend_from_slice(&word(text.len()));
        lengths.iter().for_each(|length| out.extend_from_slice(&word(*length)));
        for part in [text.as_bytes(), html.as_bytes(), events] {
            out.extend_from_slice(part);
        }
        out
    }
}

/// What a plan says of the page as a whole, in this order; an empty part says nothing.
#[derive(Default)]
struct Head<'p> {
    /// Marks requests of ours on their way to the origin.
    token: &'p str,
    /// Address for the origin where it differs from the one asked for.
    url: Option<String>,
    /// `stale` or `cold`: see [`Current`]; `asks` where something of the visitor's is to be read behind the response.
    age: &'static str,
    /// `Server-Timing`.
    timing: String,
    /// `Set-Cookie`.
    cookie: Option<String>,
    /// What is shown, for the tag of the page: see [`crate::variant`].
    variant: String,
    /// How long the page stands whose server does not say so, seconds.
    life_seconds: Option<u32>,
    /// Whether everybody with the same country and kind of device gets the same page.
    is_shared: bool,
}

impl Head<'_> {
    fn text(&self) -> String {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let (url, cookie) = (text(&self.url), text(&self.cookie));
        let life = self.life_seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
        let shared = if self.is_shared { "shared" } else { "" };
        [self.token, &url, self.age, &self.timing, &cookie, &self.variant, &life, shared].join("\0")
    }
}

/// The plan of a page.
///
/// Lengths: of the tail, which is appended to a page in which a slot was found; of the events of reaching the page; of the
/// selectors in the text, in units of UTF-16, with the NUL before each; then of HTML and events of each slot. Texts: as in `Head`, the hints of
/// each slot's `Link` header, the selectors of the slots. HTML: that of each slot, then the tail.
pub fn plan(current: &Current, keyring: &Keyring, loop_token: &str, facts: &str, moment: &Moment) -> Plan {
    let facts = Facts::parse(facts);
    let address = facts.address();
    let mut head =
        Head { token: loop_token, url: address.without_token(), age: current.age(), ..Head::default() };
    let mut slots = Slots { lengths: vec![0; N_LENGTHS], ..Slots::default() };
    if let Some(snapshot) = current.snapshot {
        let source = Source { snapshot, keyring, moment, shelves: &current.shelves };
        let request = Request { source, facts: &facts, address: &address };
        request.fill(&mut head, &mut slots);
        if head.age.is_empty() && crate::interests::are_asked_for() {
            head.age = "asks";
        }
    }
    let Slots { lengths, hints, places, html, events } = slots;
    Plan { lengths, text: [head.text(), hints, places].concat(), html, events }
}

/// Lengths before those of slots.
const N_LENGTHS: usize = 3;

/// The parts of a plan that grow with its slots.
#[derive(Default)]
struct Slots {
    lengths: Vec<usize>,
    hints: String,
    places: String,
    html: String,
    events: Vec<u8>,
}

impl Slots {
    /// Lengths of the tail, of the events of reaching the page, and of the selectors.
    fn set_lengths(&mut self, lengths: [usize; N_LENGTHS]) {
        self.lengths.iter_mut().zip(lengths).for_each(|(to, length)| *to = length);
    }
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
        let Source { snapshot, keyring, moment, .. } = source;
        let has_slots = snapshot.slots_on(address.path).next().is_some();
        if !has_slots && snapshot.goals_at(address.path).next().is_none() {
            return;
        }
        let page = snapshot.page_at(address.path);
        head.life_seconds = page.map(|page| page.life_seconds);
        head.is_shared = page.is_some_and(|page| page.is_shared);
        let facts = if head.is_shared { &facts.coarse() } else { *facts };
        let visit = visit_of(facts, &snapshot.privacy, keyring, moment.now, moment.fresh_key());
        if visit.is_watched {
            self.reached(&mut slots.events);
        }
        let reached_bytes = slots.events.len();
        slots.set_lengths([0, reached_bytes, 0]);
        if !has_slots {
            return;
        }
        let served = if head.is_shared { source.serve_alike(&visit.context) } else { source.serve(&visit) };
        let (mut island, mut timing) = (String::new(), String::new());
        for choice in served.choices() {
            let place = &choice.0.css;
            // The places of a list are one in the page, one item after the other.
            let is_next = choice.0.list.as_ref().is_some_and(|own| own.place > 0);
            if !is_next {
                slots.places.push(NUL);
                slots.places.push_str(place);
                slots.hints.push(NUL);
                slots.hints.push_str(hints(choice));
                slots.lengths.extend([0, 0]);
            }
            let before = [slots.html.len(), slots.events.len()];
            let receipt = served.fill(choice, &mut slots.html, &mut slots.events);
            if let [.., html, events] = &mut slots.lengths[..] {
                *html += slots.html.len() - before[0];
                *events += slots.events.len() - before[1];
            }
            push_told(&mut island, choice, receipt.as_deref());
            if receipt.is_some() {
                // For the script that sees it.
                island.push_str(",\"place\":");
                island.push_str(&edgeloom::json::text(&Value::from(place.as_str())));
            }
            island.push('}');
            push_timing(&mut timing, choice);
        }
        let mut tail = json_island(ISLAND, &served.told(visit.mode, &island), None);
        if visit.mode != Mode::Contextual && visit.is_watched {
            tail.push_str(BEACON);
        }
        slots.html.push_str(&tail);
        // A selector may hold any letter, and JavaScript counts in units of UTF-16.
        let places_units = slots.places.encode_utf16().count();
        slots.set_lengths([tail.len(), reached_bytes, places_units]);
        head.timing = timing_header(&timing);
        head.variant = served.variant(visit.mode);
        let counted = served.choices().flat_map(|(slot, choice)| counted(slot, choice));
        let own = source.shelves.item_at(snapshot, address.path);
        head.cookie = visit.cookie(keyring, counted, own);
    }

    /// The rewards of reaching this page: a receipt in its address, or in that of the page before.
    fn reached(&self, events: &mut Vec<u8>) {
        let Self { source: Source { snapshot, keyring, moment, .. }, facts, address } = self;
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
            if edgeloom::event::check_goal(&receipt, moment.now, goal.window_millis).is_err() {
                continue;
            }
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
