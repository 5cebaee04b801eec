//! Who is visiting and what may be remembered: context, privacy mode, cookie. Pure: facts in, facts out.

use edgeloom::context::{Context, Device};
use edgeloom::id::VisitorKey;
use edgeloom::receipt::{Keyring, Purpose};
use edgeloom::saturation::Seen;
use edgeloom::saturation::SeenKey;
use edgeloom::seed::HOUR_MILLIS;
use edgeloom::snapshot::wire::{Mode, Privacy};
use edgeloom::trail::Trail;
use serde_json::{Map, Value};
use std::cell::RefCell;

/// Cookie of the visitor key: host only, secure, not readable by scripts.
pub const COOKIE: &str = "__Host-edgeloom";
pub use edgeloom::block::TOKEN_PARAMETER;
/// A query or cookie longer than this is not looked at; browsers and servers stop at 8 to 16 KB.
const MAX_TEXT: usize = 16 * 1024;
/// Most query parameters a condition can see.
const MAX_PARAMETERS: usize = 64;

/// What the page path knows of a request, one fact a line, in the order `page.mjs` writes them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'r> {
    /// Full address.
    pub url: &'r str,
    /// `User-Agent`.
    pub user_agent: &'r str,
    /// `Accept-Language`.
    pub language: &'r str,
    /// `Referer`.
    pub referer: &'r str,
    /// `Cookie`.
    pub cookie: &'r str,
    /// `Sec-GPC`.
    pub gpc: &'r str,
    /// `DNT`.
    pub dnt: &'r str,
    /// `Sec-Purpose` or `Purpose`.
    pub purpose: &'r str,
    /// ISO country of the connection, or nothing.
    pub country: &'r str,
    /// `CF-IPCountry`: the same, as caches in front may know it.
    pub country_header: &'r str,
}

impl<'r> Facts<'r> {
    /// Reads the lines; a missing one is empty.
    pub fn parse(text: &'r str) -> Self {
        let mut lines = text.split('\n');
        let mut next = || lines.next().unwrap_or_default();
        Self {
            url: next(),
            user_agent: next(),
            language: next(),
            referer: next(),
            cookie: next(),
            gpc: next(),
            dnt: next(),
            purpose: next(),
            country: next(),
            country_header: next(),
        }
    }

    /// What is known where many get the same page: the address, the kind of device, and the country as a header tells it,
    /// since caches tell their variants apart by headers.
    pub fn coarse(&self) -> Self {
        let Self { url, user_agent, purpose, country_header, .. } = *self;
        Self { url, user_agent, purpose, country: country_header, country_header, ..Self::default() }
    }

    /// Whether the browser only fetches ahead; nobody may ever see this page.
    pub fn is_prefetch(&self) -> bool {
        self.purpose.contains("prefetch") || self.purpose.contains("preview")
    }

    /// Whether the visitor objects to being measured, by Global Privacy Control or Do Not Track.
    pub fn objects(&self) -> bool {
        self.gpc == "1" || self.dnt == "1"
    }

    /// Address of the page: origin, path and query.
    pub fn address(&self) -> Address<'r> {
        Address::of(self.url)
    }
}

/// An absolute address, cut where it matters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Address<'r> {
    /// Scheme and host, e.g. `https://example.org`.
    pub origin: &'r str,
    /// Path, at least `/`.
    pub path: &'r str,
    /// Query without the question mark.
    pub query: &'r str,
}

impl<'r> Address<'r> {
    /// Cuts an absolute URL; the runtime has already checked and normalised it.
    pub fn of(url: &'r str) -> Self {
        let url = url.split_once('#').map_or(url, |(before, _)| before);
        let host = url.find("://").map_or(0, |at| at + 3);
        let path_at =
            url.get(host..).and_then(|rest| rest.find(['/', '?'])).map_or(url.len(), |at| host + at);
        let (origin, rest) = url.split_at(path_at);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Self { origin, path: if path.is_empty() { "/" } else { path }, query }
    }

    /// Host with port.
    pub fn host(&self) -> &'r str {
        self.origin.split_once("://").map_or("", |(_, host)| host)
    }

    /// The receipt in the query, if any.
    pub fn token(&self) -> Option<&'r str> {
        parameters(self.query).find(|(name, _)| *name == TOKEN_PARAMETER).map(|(_, value)| value)
    }

    /// The address without our parameter, as the origin should see it; `None` when it has none.
    pub fn without_token(&self) -> Option<String> {
        self.token()?;
        let kept: Vec<&str> = self.query.split('&').filter(|pair| !is_token(pair)).collect();
        let mark = if kept.is_empty() { "" } else { "?" };
        Some(format!("{}{}{mark}{}", self.origin, self.path, kept.join("&")))
    }
}

fn is_token(pair: &str) -> bool {
    pair.split('=').next() == Some(TOKEN_PARAMETER)
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter_map(|pair| pair.split_once('='))
}

/// One visit, ready for a decision.
#[derive(Debug)]
pub struct Visit {
    /// What conditions see.
    pub context: Context,
    /// What may be remembered of this visit.
    pub mode: Mode,
    /// Pseudonymous key, where the mode has one.
    pub visitor: Option<VisitorKey>,
    /// `Set-Cookie` line, where something changes on the device before anything is decided.
    set_cookie: Option<String>,
    /// Key of what the site uploaded of the visitor's interests, where the mode allows to ask.
    pub interest: Option<String>,
    /// What stands on the device, where the mode allows that.
    memory: Option<Memory>,
    /// Whether somebody may see it who counts: no crawler, nothing fetched ahead.
    pub is_watched: bool,
}

/// The visit behind a request.
///
/// `fresh_key` is random and becomes the visitor's key where one is needed and none is there.
pub fn visit_of(facts: &Facts, privacy: &Privacy, keyring: &Keyring, now: u64, fresh_key: [u8; 16]) -> Visit {
    let mut context = context_of(facts, now);
    let mode = mode_of(facts, privacy);
    let days = |days: u16| u64::from(days.clamp(1, 390)) * 24;
    let (memory, set_cookie) = match mode {
        Mode::Contextual => (None, withdrawn(facts, privacy)),
        Mode::Measured => remembered(facts, keyring, (now, 24), mode, fresh_key),
        Mode::Personal => {
            let hours = days(privacy.cookie_days.unwrap_or(30));
            remembered(facts, keyring, (now, hours), mode, fresh_key)
        }
    };
    let visitor = memory.as_ref().map(|memory| memory.key);
    if let Some(memory) = &memory {
        context.seen = memory.seen.clone();
        context.trail = memory.trail.clone();
    }
    let is_watched = context.device != Device::Crawler && !facts.is_prefetch();
    let name = privacy.interest_cookie.as_deref().filter(|_| mode == Mode::Personal);
    let interest = name.and_then(|name| cookie(facts.cookie, name)).map(String::from);
    Visit { context, mode, visitor, set_cookie, interest, memory, is_watched }
}

impl Visit {
    /// The `Set-Cookie` line of the answer: a new key, or counters and a trail that went on. `item` is the one that the page
    /// is about, by the hash of its name.
    pub fn cookie(
        &self,
        keyring: &Keyring,
        counted: impl Iterator<Item = (SeenKey, u32)>,
        item: Option<u32>,
    ) -> Option<String> {
        let now = self.context.time_millis;
        if let Some(mut memory) = self.memory.clone().filter(|_| self.is_watched) {
            let mut is_changed = item.is_some_and(|item| memory.trail.add(item, now));
            for (key, hours) in counted {
                memory.seen.add(key, hours, now);
                is_changed = true;
            }
            if is_changed {
                return Some(memory.line(keyring, now));
            }
        }
        self.set_cookie.clone()
    }
}

fn context_of(facts: &Facts, now: u64) -> Context {
    let address = facts.address();
    let referrer = Address::of(facts.referer).host();
    Context {
        path: address.path.to_string(),
        query: query_of(address.query),
        referrer: some(referrer),
        country: some(facts.country).filter(|c| c.len() == 2),
        language: first_language(facts.language),
        device: device_of(facts.user_agent),
        time_millis: now,
        ..Context::default()
    }
}

/// The parameters of a query as conditions see them: decoded, the first of equal names, without our own.
pub fn query_of(text: &str) -> Map<String, Value> {
    let mut query = Map::new();
    if text.len() <= MAX_TEXT {
        let pairs = form_urlencoded::parse(text.as_bytes());
        for (name, value) in pairs.take(MAX_PARAMETERS).filter(|(name, _)| name != TOKEN_PARAMETER) {
            query.entry(name.into_owned()).or_insert_with(|| Value::from(value.into_owned()));
        }
    }
    query
}

thread_local! {
    /// The headers seen last, with their classes: visitors have few different ones, and telling takes longer than deciding.
    static DEVICES: RefCell<Vec<(Box<str>, Device)>> = const { RefCell::new(Vec::new()) };
}

/// As [`Device::of_user_agent`], remembered for some headers.
fn device_of(user_agent: &str) -> Device {
    const KEPT: usize = 64;
    let place =
        user_agent.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % KEPT;
    DEVICES.with_borrow_mut(|devices| {
        devices.resize(KEPT, (Box::from(""), Device::Unknown));
        let Some((known, device)) = devices.get_mut(place) else { return Device::of_user_agent(user_agent) };
        if **known != *user_agent {
            (*known, *device) = (user_agent.into(), Device::of_user_agent(user_agent));
        }
        *device
    })
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

fn first_language(header: &str) -> Option<String> {
    let first = header.split([',', ';']).next().unwrap_or_default().trim();
    let sound =
        (2..=35).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    sound.then(|| first.to_ascii_lowercase())
}

/// The mode of this visit: what the site allows, cut down to what the visitor consented to.
fn mode_of(facts: &Facts, privacy: &Privacy) -> Mode {
    if privacy.mode == Mode::Contextual || facts.objects() {
        return Mode::Contextual;
    }
    let Some(consent) = &privacy.consent else { return Mode::Contextual };
    let Some(value) = cookie(facts.cookie, &consent.cookie) else { return Mode::Contextual };
    let says = |word: &str| {
        !word.is_empty()
            && value.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))).any(|w| w == word)
    };
    let granted = if says(&consent.personal) {
        Mode::Personal
    } else if says(&consent.measured) {
        Mode::Measured
    } else {
        Mode::Contextual
    };
    granted.min(privacy.mode)
}

/// The value of a cookie; the first of equal names, as browsers send the most specific first.
fn cookie<'r>(header: &'r str, name: &str) -> Option<&'r str> {
    if header.len() > MAX_TEXT || name.is_empty() {
        return None;
    }
    header.split(';').filter_map(|pair| pair.trim().split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| v)
}

/// Deletes our cookie when the visitor no longer consents; in a site that never sets one nothing is looked at.
fn withdrawn(facts: &Facts, privacy: &Privacy) -> Option<String> {
    if privacy.mode == Mode::Contextual {
        return None;
    }
    cookie(facts.cookie, COOKIE)?;
    Some(format!("{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"))
}

/// What stands on the device. Layout of the signed cookie: mode (1), hour of issue (4, big endian), key (16), the trail where
/// the mode says so ([`WITH_TRAIL`]), and how often what was seen.
#[derive(Debug, Clone)]
struct Memory {
    mode: Mode,
    /// Hour in which the key was made, since the epoch.
    issued: u64,
    /// How long it lives from then on.
    life_hours: u64,
    key: VisitorKey,
    trail: Trail,
    seen: Seen,
}

/// Added to the mode where a trail follows the key. A cookie without one is what it was before there were trails.
const WITH_TRAIL: u8 = 0x80;

impl Memory {
    /// The `Set-Cookie` line; a cookie that is written again does not live longer.
    fn line(&self, keyring: &Keyring, now: u64) -> String {
        let issued = u32::try_from(self.issued).unwrap_or(u32::MAX).to_be_bytes();
        let mark = if self.trail.is_empty() { 0 } else { WITH_TRAIL };
        let mut bytes = vec![mode_byte(self.mode) | mark];
        bytes.extend(issued.into_iter().chain(self.key.0));
        if mark != 0 {
            self.trail.write(&mut bytes);
        }
        self.seen.write(&mut bytes);
        let value = keyring.sign_bytes(Purpose::Cookie, &bytes);
        let age = (self.issued + self.life_hours).saturating_sub(now / HOUR_MILLIS) * 3600;
        format!("{COOKIE}={value}; Path=/; Max-Age={age}; Secure; HttpOnly; SameSite=Lax")
    }
}

/// What is on the device, or a new key with the line that puts it there.
fn remembered(
    facts: &Facts,
    keyring: &Keyring,
    (now, life_hours): (u64, u64),
    mode: Mode,
    fresh_key: [u8; 16],
) -> (Option<Memory>, Option<String>) {
    let hour = now / HOUR_MILLIS;
    let found = cookie(facts.cookie, COOKIE).and_then(|text| read(keyring, text, (hour, life_hours), mode));
    if let Some(memory) = found {
        return (Some(memory), None);
    }
    let memory = Memory {
        mode,
        issued: hour,
        life_hours,
        key: VisitorKey(fresh_key),
        trail: Trail::default(),
        seen: Seen::default(),
    };
    let line = memory.line(keyring, now);
    (Some(memory), Some(line))
}

const fn mode_byte(mode: Mode) -> u8 {
    match mode {
        Mode::Contextual => 0,
        Mode::Measured => 1,
        Mode::Personal => 2,
    }
}

/// The content of a cookie that is ours, of this mode and not too old; anything else is no cookie.
fn read(keyring: &Keyring, text: &str, (hour, life_hours): (u64, u64), mode: Mode) -> Option<Memory> {
    let bytes = keyring.verify_bytes(Purpose::Cookie, text).ok()?;
    let (&found_mode, rest) = bytes.split_first()?;
    let (issued, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_first_chunk::<16>()?;
    let has_trail = found_mode & WITH_TRAIL != 0;
    let (trail, seen) = if has_trail { Trail::read(rest)? } else { (Trail::default(), rest) };
    let issued = u64::from(u32::from_be_bytes(*issued));
    let alive = issued <= hour && hour - issued < life_hours;
    (found_mode & !WITH_TRAIL == mode_byte(mode) && alive).then_some(())?;
    Some(Memory { mode, issued, life_hours, key: VisitorKey(*key), trail, seen: Seen::read(seen)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeloom::id::BlockId;
    use serde_json::json;
    use std::iter::{empty, once};

    const NOW: u64 = 1_795_525_500_000;
    const HOUR: u64 = HOUR_MILLIS;

    fn keyring() -> Keyring {
        Keyring::parse("1:0123456789abcdef0123456789abcdef").unwrap()
    }

    fn visit(cookie: &str, now: u64) -> Visit {
        let consent = json!({ "cookie": "choice", "measured": "statistics", "personal": "marketing" });
        let privacy = serde_json::from_value(json!({ "mode": "personal", "consent": consent })).unwrap();
        let facts = Facts { url: "https://shop.example/", cookie, ..Facts::default() };
        visit_of(&facts, &privacy, &keyring(), now, [7; 16])
    }

    /// The visit after one that got this `Set-Cookie` line.
    fn next(choice: &str, line: &str, now: u64) -> Visit {
        visit(&format!("choice={choice}; {}", line.split(';').next().unwrap()), now)
    }

    fn shorts(visit: &Visit) -> Vec<u32> {
        visit.context.trail.entries(NOW).map(|(short, _)| short).collect()
    }

    #[test]
    fn a_trail_goes_on_from_page_to_page_beside_the_counters() {
        let counter = SeenKey::of_block(&BlockId::new("offer").unwrap());
        let first = visit("choice=marketing", NOW);
        assert!(first.context.trail.is_empty());
        let line = first.cookie(&keyring(), once((counter, 24)), Some(1)).unwrap();
        let second = next("marketing", &line, NOW + HOUR);
        assert_eq!(shorts(&second), [1]);
        assert_eq!(second.context.seen.times(counter, 24, NOW + HOUR), 1);
        let line = second.cookie(&keyring(), empty(), Some(2)).unwrap();
        let third = next("marketing", &line, NOW + 2 * HOUR);
        assert_eq!(shorts(&third), [2, 1]);
        assert_eq!(third.visitor, first.visitor);
        assert_eq!(third.context.seen.times(counter, 24, NOW + 2 * HOUR), 1);
        // Nothing new: nothing is written.
        assert_eq!(next("marketing", &line, NOW + HOUR).cookie(&keyring(), empty(), Some(2)), None);
        assert_eq!(third.cookie(&keyring(), empty(), None), None);
    }

    #[test]
    fn a_cookie_from_before_there_were_trails_is_read() {
        let counter = SeenKey::of_block(&BlockId::new("offer").unwrap());
        let mut seen = Seen::default();
        seen.add(counter, 24, NOW);
        let mut bytes = vec![2];
        bytes.extend(u32::try_from(NOW / HOUR).unwrap().to_be_bytes());
        bytes.extend([9; 16]);
        seen.write(&mut bytes);
        let line = format!("{COOKIE}={}", keyring().sign_bytes(Purpose::Cookie, &bytes));
        let visit = next("marketing", &line, NOW);
        assert_eq!(visit.visitor, Some(VisitorKey([9; 16])));
        assert_eq!(visit.context.seen, seen);
        assert!(visit.context.trail.is_empty());
    }

    #[test]
    fn without_consent_there_is_no_trail_and_withdrawing_it_takes_the_trail_back() {
        assert_eq!(visit("", NOW).cookie(&keyring(), empty(), Some(1)), None);
        let line = visit("choice=marketing", NOW).cookie(&keyring(), empty(), Some(1)).unwrap();
        let withdrawn = next("necessary", &line, NOW);
        assert!(withdrawn.context.trail.is_empty());
        assert!(withdrawn.cookie(&keyring(), empty(), Some(2)).unwrap().contains("=; Path=/; Max-Age=0;"));
        // Less consent than before: what was remembered under more is not taken along.
        assert!(next("statistics", &line, NOW).context.trail.is_empty());
    }

    #[test]
    fn what_fetches_ahead_and_crawlers_leave_no_trail() {
        let facts = Facts {
            url: "https://shop.example/",
            cookie: "choice=marketing",
            purpose: "prefetch",
            ..Facts::default()
        };
        let consent = json!({ "cookie": "choice", "measured": "statistics", "personal": "marketing" });
        let privacy = serde_json::from_value(json!({ "mode": "personal", "consent": consent })).unwrap();
        let visit = visit_of(&facts, &privacy, &keyring(), NOW, [7; 16]);
        let line = visit.cookie(&keyring(), empty(), Some(1)).unwrap();
        assert!(next("marketing", &line, NOW).context.trail.is_empty());
    }
}
