//! Tells programs that announce themselves from browsers, by their `User-Agent` alone.
//!
//! Two ideas instead of a list of names. A program says what it does (`crawl`, `monitor`, `preview`), which
//! library it is made with (`curl`, `okhttp`), or where to complain (an address). And a browser says what it
//! runs on: a header that names no device, no system and no engine was not written for people. The few
//! names at the end are programs that pose as a browser and add nothing but their name.
//!
//! It deliberately does not try to unmask programs that hide: that takes more than a header.

/// What a piece of text means where it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// A program, wherever it stands.
    Program,
    /// A program if `bot` begins or ends a word.
    Bot,
    /// A program if a domain ends here.
    Domain,
    /// A program if the engine's comment goes on.
    Engine,
    /// A program if a semicolon follows the version.
    Safari,
    /// A device, a system or a browser of its own kind, at the beginning of a word.
    Device,
    /// An engine, which programs that call themselves compatible also name.
    Rendering,
    Compatible,
    /// Contains something of the above, but is a device or a browser.
    Harmless,
}

/// In lower case, as are all lists here; found anywhere in the header.
#[rustfmt::skip]
const PROGRAMS: &[&str] = &[
    // What it does.
    "crawl", "spider", "scrap", "monitor", "validat", "headless", "archiv", "preview", "analyz",
    "analys", "audit", "inspect", "uptime", "synthetic", "lighthouse", "transcod", "proxy", "snoop",
    "survey", "harvest", "agent", "collector", "classif", "semantic", "sitemap", "research", "security",
    "indexer", "feed", "extract", "captur", "optimiz", "probe", "scanner", "scanning", "scan/", "scan)",
    "verify/", "sniff", "watcher", "loader", "robots", "devtools", "observatory", "antivirus", "sucker",
    "checker", "favicon", "reader/", "rss/", "downcast",
    // What it is made with.
    "curl", "wget", "python", "java/", "okhttp", "go-http", "libwww-perl", "urllib", "perl", "ruby",
    "scrapy", "phantomjs", "selenium", "playwright", "puppeteer", "cypress", "webdriver", "firephp",
    "grpc-", "httrack",
    // Where to complain.
    "http://", "https://", "www.", "(at)",
    // A browser's header behind something else.
    ", mozilla/", "|mozilla/",
    // Who it is, of those that pose as a browser.
    "google-", "-google", "google favicon", "externalhit", "googleweblight", "whatsapp/", "ddg_android",
    "swcd", "nagios", "pingdom", "catchpoint", "gomez", "statuscake", "hotjar", "splash", "ptst/",
    "gtmetrix", "dareboost", "nmap", "nikto", "sqlmap", "burp", "acunetix", "nessus", "nuclei",
    "openvas", "clamav", "hardenize", "silktide", "marketgoo", "linktiger", "collapsify", "dejaclick",
    "datanyze", "rigor", "newsblur", "rssowl", "readkit", "appinsights", "dmbrowser", "openai",
    "cursor/", "newsnow", "sparkler", "watchtowr", "com.duckduckgo", "mixnode", "igetter", "reeder/",
    "firefox mutant", "modularconnector", "readable/",
];

/// What people hold in their hands. One of these at the beginning of a word speaks for a person.
#[rustfmt::skip]
const DEVICES: &[&str] = &[
    // Systems.
    "windows", "win10", "win9", "win3", "winnt", "macintosh", "mac_powerpc", "mac os", "macos",
    "iphone", "ipad", "ipod", "ios", "tvos", "watchos", "android", "linux", "x11", "cros ", "crkey",
    "cfnetwork", "darwin", "dalvik", "freebsd", "netbsd", "openbsd", "sunos", "solaris", "irix",
    "hp-ux", "aix", "os/2", "risc os", "beos", "haiku", "amiga", "aros", "morphos", "syllable",
    "plan 9", "charon", "atari",
    // Phones before there were systems.
    "midp", "cldc", "j2me", "brew", "symbian", "series", "s60", "s40", "blackberry", "bb10", "playbook",
    "palm", "nokia", "samsung", "ericsson", "sonyericsson", "lg-", "lge", "motorola", "mot-", "huawei",
    "zte", "htc", "alcatel", "docomo", "kddi", "vodafone", "up.browser", "netfront", "obigo", "sharp",
    "philips", "bada", "meego", "maemo", "kaios", "mobile", "webview",
    // In the living room.
    "playstation", "nintendo", "xbox", "psp", "smarttv", "smart-tv", "hbbtv", "netcast", "roku",
    "appletv", "apple tv", "webos", "web0s", "tizen", "sonos",
    // Browsers and other programs with a person in front that need not say where they run.
    "opera", "presto", "ucweb", "ucbrowser", "lynx", "elinks", "links (", "w3m", "dillo", "netsurf",
    "konqueror", "mosaic", "netscape", "icab", "msie", "office", "msoffice", "outlook", "thunderbird",
    "quicktime", "itunes", "googleapp", "mozac", "pinterest/",
];

/// Signs that mean something only with what stands around them; see [`Sign`].
const OTHERS: &[(&str, Sign)] = &[
    ("bot", Sign::Bot),
    (".com", Sign::Domain),
    (".net", Sign::Domain),
    (".org", Sign::Domain),
    ("khtml, like gecko", Sign::Engine),
    ("khtml,like gecko", Sign::Engine),
    ("safari/", Sign::Safari),
    ("gecko/", Sign::Rendering),
    ("applewebkit", Sign::Rendering),
    ("compatible;", Sign::Compatible),
    ("cubot", Sign::Harmless),
    ("camscanner", Sign::Harmless),
];

/// Whether a `User-Agent` header belongs to a program that says so. An empty header says nothing.
///
/// ```
/// use edgeloom::crawler::is_crawler;
/// assert!(is_crawler("ExampleMonitor/2.0 (+https://example.org/monitor)"));
/// assert!(!is_crawler("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"));
/// ```
#[must_use]
pub fn is_crawler(user_agent: &str) -> bool {
    let text = user_agent.trim().as_bytes();
    // No browser ever wrote its name small.
    if text.starts_with(b"mozilla/") {
        return true;
    }
    let (mut device, mut rendering, mut compatible) = (false, false, false);
    let mut resume = 0;
    for (at, pair) in text.windows(2).enumerate() {
        let &[first, second] = pair else { continue };
        let candidates = INDEX.candidates(first, second);
        if candidates.is_empty() || at < resume {
            continue;
        }
        let (head, rest) = text.split_at_checked(at).unwrap_or_default();
        let before = head.last().copied().unwrap_or(b' ');
        for (needle, sign) in candidates {
            let Some(after) = strip_ignoring_case(rest, needle) else { continue };
            match sign {
                Sign::Program => return true,
                Sign::Bot if !before.is_ascii_alphabetic() || !begins_with_letter(after) => return true,
                Sign::Domain if before.is_ascii_alphanumeric() && ends_domain(after) => return true,
                Sign::Engine if goes_on(after) => return true,
                Sign::Safari if version_ends_in_semicolon(after) => return true,
                Sign::Device => device |= !before.is_ascii_alphabetic(),
                Sign::Rendering => rendering = true,
                Sign::Compatible => compatible = true,
                Sign::Harmless => resume = at + needle.len(),
                _ => {}
            }
        }
    }
    if has_mail_address(text) {
        return true;
    }
    let has = |any: &[u8]| text.iter().any(|b| any.contains(b));
    // Every browser writes `name/version` or a comment; a bare word is somebody's script.
    let browser = has(b"/(") && (device || (rendering && !compatible));
    // Quotes are attempts to inject something and announce nobody.
    !text.is_empty() && !browser && !has(b"'\"<")
}

fn strip_ignoring_case<'a>(text: &'a [u8], lower: &[u8]) -> Option<&'a [u8]> {
    let (head, tail) = text.split_at_checked(lower.len())?;
    head.iter().zip(lower).all(|(a, b)| a.to_ascii_lowercase() == *b).then_some(tail)
}

fn begins_with_letter(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
}

/// An `@` before a domain: where to complain.
fn has_mail_address(text: &[u8]) -> bool {
    text.split(|b| *b == b'@').skip(1).any(is_domain)
}

/// Whether a domain stands at the beginning: a label, a dot and a letter.
fn is_domain(text: &[u8]) -> bool {
    // A label has 63 bytes at most (RFC 1035), so this ends soon.
    let label = text.iter().take(63).take_while(|b| b.is_ascii_alphanumeric() || **b == b'-').count();
    let after = text.get(label..).unwrap_or_default();
    label > 0 && after.strip_prefix(b".").is_some_and(begins_with_letter)
}

fn ends_domain(after: &[u8]) -> bool {
    !after.first().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'_' | b'-'))
}

/// Whether the comment `(KHTML, like Gecko)` goes on, but for the `, Safari` of old ones.
fn goes_on(after: &[u8]) -> bool {
    !matches!(after.first(), None | Some(b')')) && strip_ignoring_case(after, b", safari").is_none()
}

fn version_ends_in_semicolon(after: &[u8]) -> bool {
    // A version is short; the bound keeps the whole linear.
    let end = after.iter().take(24).find(|b| !b.is_ascii_digit() && **b != b'.');
    end == Some(&b';')
}

/// A text in lower case, and what it means.
type Needle = (&'static [u8], Sign);

const N_NEEDLES: usize = PROGRAMS.len() + DEVICES.len() + OTHERS.len();

/// Kinds of beginnings: five bits of each of two bytes, which also makes both cases of a letter one.
const N_KEYS: usize = 32 * 32;

/// The needles by their first two bytes, made by the compiler.
struct Index {
    sorted: [Needle; N_NEEDLES],
    /// Where the needles of a beginning start, and at the end their number. Most places of a header have none.
    starts: [u16; N_KEYS + 1],
}

/// Built by the compiler: a header is compared with the few needles that begin with the same two letters.
static INDEX: Index = Index::build();

impl Index {
    /// The needles that may begin with these two bytes.
    #[inline]
    fn candidates(&self, first: u8, second: u8) -> &[Needle] {
        let key = Self::key(first, second);
        match self.starts.get(key..key + 2) {
            Some(&[start, end]) if start < end => {
                self.sorted.get(usize::from(start)..usize::from(end)).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// Five bits of each letter: upper and lower case fall together, and so do some that differ, which costs a comparison.
    const fn key(first: u8, second: u8) -> usize {
        ((first & 31) as usize) << 5 | (second & 31) as usize
    }

    /// Counting sort of the needles by key.
    #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler: a wrong index does not build")]
    const fn build() -> Self {
        let mut starts = [0; N_KEYS + 1];
        let mut i = 0;
        while i < N_NEEDLES {
            starts[Self::key_of(i) + 1] += 1;
            i += 1;
        }
        let mut key = 0;
        while key < N_KEYS {
            starts[key + 1] += starts[key];
            key += 1;
        }
        let mut sorted = [(b"".as_slice(), Sign::Program); N_NEEDLES];
        let mut next = starts;
        let mut i = 0;
        while i < N_NEEDLES {
            let place = &mut next[Self::key_of(i)];
            sorted[*place as usize] = Self::needle(i);
            *place += 1;
            i += 1;
        }
        Self { sorted, starts }
    }

    #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler: a wrong index does not build")]
    const fn key_of(i: usize) -> usize {
        let (text, _) = Self::needle(i);
        Self::key(text[0], text[1])
    }

    #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler: a wrong index does not build")]
    const fn needle(i: usize) -> Needle {
        if i < PROGRAMS.len() {
            (PROGRAMS[i].as_bytes(), Sign::Program)
        } else if i < PROGRAMS.len() + DEVICES.len() {
            (DEVICES[i - PROGRAMS.len()].as_bytes(), Sign::Device)
        } else {
            let (text, sign) = OTHERS[i - PROGRAMS.len() - DEVICES.len()];
            (text.as_bytes(), sign)
        }
    }
}

#[cfg(test)]
mod tests;
