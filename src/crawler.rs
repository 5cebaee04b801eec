//! Tells programs that announce themselves from browsers, by their `User-Agent` alone. It does not catch those
//! that pretend to be a browser: nothing that matters may depend on the answer.
//!
//! Three observations, in one pass without allocation, time proportional to the header's length:
//!
//! 1. Programs say what they do or how they are built (`crawl`, `monitor`, `curl/`), browsers don't.
//! 2. Programs leave an address: a web page or a domain.
//! 3. Browsers name the system or the engine they run on, simple programs only themselves.
//!
//! The words were chosen on every second entry of two public collections; the tests report the other half too.

use Meaning::{Ending, Program, Screen};

/// Longest part of a header that is looked at, bytes; real ones have up to some hundred.
const MAX_BYTES: usize = 2_048;

/// What a word in the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A program, where the word ends here.
    Ending,
    /// A program, also as a part of a longer word.
    Program,
    /// Something with a screen: a system, an engine, also makes and apps whose name contains a program's word.
    Screen,
}

/// The words that begin with a lower-case byte; the first that fits counts.
#[rustfmt::skip]
fn words(first: u8) -> &'static [(Meaning, &'static str)] {
    match first {
        b' ' => &[(Screen, " chrome/"), (Screen, " ios")],
        b'(' => &[(Screen, "(ios"), (Screen, "(ipad"), (Screen, "(iphone"), (Screen, "(ipod")],
        b'.' => &[(Program, ".js")],
        b'a' => &[(Ending, "agent"), (Program, "acunetix"), (Program, "analyz"), (Program, "archiv"), (Program, "audit"), (Program, "axios"), (Screen, "amiga"), (Screen, "android"), (Screen, "applecoremedia"), (Screen, "appletv")],
        b'b' => &[(Ending, "bot"), (Program, "burp"), (Screen, "bada"), (Screen, "beos"), (Screen, "blackberry"), (Screen, "brew")],
        b'c' => &[(Screen, "camscan"), (Screen, "checkout"), (Screen, "cubot"), (Program, "capture"), (Program, "catchpoint"), (Program, "check"), (Program, "clamav"), (Program, "classif"), (Program, "cloud"), (Program, "collapsify"), (Program, "crawl"), (Program, "cryptoapi"), (Program, "curl/"), (Program, "cypress"), (Screen, "cfnetwork"), (Screen, "cldc"), (Screen, "crkey"), (Screen, "cros")],
        b'd' => &[(Program, "dareboost"), (Program, "datadog"), (Program, "dejaclick"), (Program, "discover"), (Program, "duplexweb"), (Program, "dynatrace"), (Screen, "dalvik"), (Screen, "dillo"), (Screen, "dreamcast")],
        b'e' => &[(Program, "external"), (Screen, "elinks"), (Screen, "exoplayer")],
        b'f' => &[(Program, "feed"), (Program, "fetch"), (Program, "foregenix"), (Screen, "firefox/"), (Screen, "freebsd")],
        b'g' => &[(Program, "gomez"), (Program, "google-"), (Program, "googlemessages"), (Program, "grpc"), (Program, "gtmetrix"), (Screen, "gecko/"), (Screen, "googleapp/")],
        b'h' => &[(Program, "harvest"), (Program, "headless"), (Program, "heritrix"), (Program, "http-client"), (Program, "http:"), (Program, "httpagent"), (Program, "httpclient"), (Program, "https:"), (Program, "httrack"), (Program, "hunter"), (Screen, "haiku"), (Screen, "hotjava"), (Screen, "hp-ux")],
        b'i' => &[(Program, "index"), (Program, "inspect"), (Screen, "icab/"), (Screen, "inferno"), (Screen, "ipad;"), (Screen, "iphone;"), (Screen, "ipod;"), (Screen, "irix"), (Screen, "itunes")],
        b'k' => &[(Screen, "kaios"), (Screen, "khtml"), (Screen, "konqueror")],
        b'l' => &[(Program, "libwww-perl"), (Program, "lighthouse"), (Program, "like gecko; compatible"), (Program, "logic-apps"), (Program, "lookup"), (Screen, "libwww-fm"), (Screen, "links ("), (Screen, "linux"), (Screen, "lynx")],
        b'm' => &[(Screen, "mozacfetch"), (Program, "mechanize"), (Program, "mixnode"), (Program, "monitor"), (Screen, "mac os"), (Screen, "macintosh"), (Screen, "meego"), (Screen, "microsoft office"), (Screen, "midp"), (Screen, "morphos"), (Screen, "mosaic"), (Screen, "ms-office"), (Screen, "msie")],
        b'n' => &[(Program, "newrelic"), (Program, "newsblur"), (Program, "newsnow"), (Program, "nikto"), (Program, "nmap"), (Program, "nuclei"), (Program, "nutch"), (Screen, "netbsd"), (Screen, "netfront"), (Screen, "netscape"), (Screen, "netsurf"), (Screen, "nintendo"), (Screen, "nokia"), (Screen, "nsplayer")],
        b'o' => &[(Program, "okhttp"), (Program, "openvas"), (Screen, "obigo"), (Screen, "office/"), (Screen, "omniweb"), (Screen, "openbsd"), (Screen, "opera/"), (Screen, "os/2"), (Screen, "os=mac")],
        b'p' => &[(Program, "pagespeed"), (Program, "perplexity"), (Program, "phantomjs"), (Program, "php"), (Program, "pingdom"), (Program, "plagiar"), (Program, "playwright"), (Program, "postman"), (Program, "powershell"), (Program, "preview"), (Program, "probe"), (Program, "proxy"), (Program, "ptst/"), (Program, "puppeteer"), (Program, "python"), (Screen, "palm"), (Screen, "pinterest/"), (Screen, "playbook"), (Screen, "playstation"), (Screen, "presto"), (Screen, "profile/")],
        b'q' => &[(Screen, "quicktime")],
        b'r' => &[(Ending, "rss"), (Program, "reeder/"), (Program, "render"), (Program, "research"), (Program, "resolver"), (Program, "rigor"), (Screen, "risc os"), (Screen, "roku")],
        b's' => &[(Program, "scan"), (Program, "scrap"), (Program, "screenshot"), (Program, "securityheaders"), (Program, "selenium"), (Program, "seo"), (Program, "sitemap"), (Program, "slurp"), (Program, "snapshot"), (Program, "sniff"), (Program, "sparkler"), (Program, "spider"), (Program, "splash"), (Program, "splunk"), (Program, "statuscake"), (Program, "subscribers"), (Program, "sucker"), (Program, "survey"), (Program, "swcd"), (Program, "synthetic"), (Screen, "safari/"), (Screen, "samsung"), (Screen, "series40"), (Screen, "series60"), (Screen, "smart-tv"), (Screen, "smarttv"), (Screen, "solaris"), (Screen, "sonos"), (Screen, "stagefright"), (Screen, "sunos"), (Screen, "symbian")],
        b't' => &[(Program, "tracker"), (Program, "transcod"), (Program, "translat"), (Screen, "thunderbird"), (Screen, "tizen"), (Screen, "trident"), (Screen, "tvos/")],
        b'u' => &[(Program, "unfurl"), (Program, "uptime"), (Screen, "ucweb"), (Screen, "up.browser")],
        b'v' => &[(Program, "validat"), (Program, "verif"), (Screen, "vlc/")],
        b'w' => &[(Program, "wappalyz"), (Program, "watcher"), (Program, "webcopy"), (Program, "webdriver"), (Program, "webhook"), (Program, "weblight"), (Program, "wget"), (Program, "whatsapp"), (Program, "www."), (Screen, "w3m/"), (Screen, "watchos"), (Screen, "web0s"), (Screen, "webkit"), (Screen, "webos"), (Screen, "wii"), (Screen, "win10"), (Screen, "windows")],
        b'x' => &[(Screen, "x11"), (Screen, "xbox")],
        _ => &[],
    }
}

/// Ends of names that programs leave and browsers don't; after a letter or digit, so not in ` .NET CLR`.
const DOMAINS: [&str; 14] =
    [".com", ".org", ".net", ".io", ".de", ".ru", ".fr", ".eu", ".ai", ".nu", ".gy", ".ly", ".uk", ".me"];

/// Whether a `User-Agent` header belongs to a crawler or another program without a reader.
///
/// An empty header says nothing and is none. Case does not matter.
///
/// ```
/// use edgeloom::crawler::is_crawler;
/// assert!(is_crawler("ExampleBot/1.0 (+https://example.org/bot)"));
/// assert!(!is_crawler("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"));
/// ```
#[must_use]
pub fn is_crawler(user_agent: &str) -> bool {
    let bytes = user_agent.as_bytes();
    let mut rest = bytes.get(..MAX_BYTES).unwrap_or(bytes).trim_ascii();
    // No name announces nothing.
    let mut screen = rest.is_empty() || is_bare_mozilla(rest);
    let mut before = b' ';
    while let Some((first, tail)) = rest.split_first() {
        let lower = first.to_ascii_lowercase();
        let mut next = tail;
        match words(lower).iter().find_map(|(meaning, word)| Some((*meaning, after(rest, word)?))) {
            Some((Program, _)) => return true,
            Some((Ending, after)) if !after.first().is_some_and(u8::is_ascii_alphanumeric) => return true,
            Some((Screen, after)) => (screen, next) = (true, after),
            Some((Ending, _)) | None => {}
        }
        match lower {
            b'.' if before.is_ascii_alphanumeric() && ends_domain(rest) => return true,
            // An attack in place of a name.
            b'\'' | b'"' | b'<' => screen = true,
            _ => {}
        }
        before = lower;
        rest = next;
    }
    !screen
}

/// Whether a header begins as everybody's does; `(compatible;` is different, a name must come after it.
fn is_bare_mozilla(header: &[u8]) -> bool {
    let second = header.split(|b| *b == b' ').nth(1);
    after(header, "mozilla/").is_some()
        && second.is_none_or(|word| !word.eq_ignore_ascii_case(b"(compatible;"))
}

/// What follows a lower-case `word` at the start of `text`, whose case does not matter.
fn after<'t>(text: &'t [u8], word: &str) -> Option<&'t [u8]> {
    let (head, tail) = text.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word.as_bytes()).then_some(tail)
}

/// Whether a domain ends here; `.com.` goes on, as in the names of packages.
fn ends_domain(text: &[u8]) -> bool {
    let goes_on = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    DOMAINS.iter().any(|domain| after(text, domain).is_some_and(|rest| !rest.first().is_some_and(goes_on)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/user-agents/");

    /// The strings in a list of lists as one collection writes it: an item per line, some quoted.
    fn items(yaml: &str) -> Vec<String> {
        let item = |line: &str| {
            let text = line.strip_prefix("  - ")?;
            let double = text.starts_with('"').then(|| serde_json::from_str(text).ok()).flatten();
            let single = || text.strip_prefix('\'')?.strip_suffix('\'').map(|t| t.replace("''", "'"));
            Some(double.or_else(single).unwrap_or_else(|| text.to_string()))
        };
        yaml.lines().filter_map(item).collect()
    }

    fn instances(json: &str) -> Vec<String> {
        let entries: Value = serde_json::from_str(json).unwrap();
        let lists = entries.as_array().unwrap().iter().filter_map(|entry| entry["instances"].as_array());
        lists.flatten().filter_map(|text| text.as_str().map(String::from)).collect()
    }

    /// Share taken for a crawler, of the half the words were chosen on and of the other one.
    fn shares(agents: &[String]) -> [f64; 2] {
        [0, 1].map(|half| {
            let half: Vec<_> = agents.iter().skip(half).step_by(2).collect();
            half.iter().filter(|agent| is_crawler(agent)).count() as f64 / half.len() as f64
        })
    }

    #[test]
    fn real_headers_are_told_apart() {
        let read = |name: &str| std::fs::read_to_string(format!("{FOLDER}{name}"));
        let (Ok(json), Ok(crawlers), Ok(browsers)) =
            (read("crawler-user-agents.json"), read("isbot-crawlers.yml"), read("isbot-browsers.yml"))
        else {
            println!("skipped: no ../shared");
            return;
        };
        // The floor of recall for the half the words were chosen on, and for the other.
        for (name, agents, bounds) in [
            ("crawlers, first collection", instances(&json), [0.99, 0.975]),
            ("crawlers, second collection", items(&crawlers), [0.96, 0.90]),
        ] {
            let [seen, unseen] = shares(&agents);
            println!("{name}: {} headers, recall {seen:.4}, other half {unseen:.4}", agents.len());
            assert!(agents.len() > 600 && seen >= bounds[0] && unseen >= bounds[1], "{name}");
        }
        let agents = items(&browsers);
        let [seen, unseen] = shares(&agents);
        println!("browsers: {} headers, false alarms {seen:.4}, other half {unseen:.4}", agents.len());
        assert!(agents.len() > 500 && seen <= 0.002 && unseen <= 0.04);
    }

    #[test]
    fn a_word_that_fits_twice_is_listed_where_it_counts() {
        for first in 0..=u8::MAX {
            for (i, (_, word)) in words(first).iter().enumerate() {
                assert!(word.starts_with(char::from(first)) && *word == word.to_ascii_lowercase(), "{word}");
                let hidden = words(first).iter().take(i).any(|(_, earlier)| word.starts_with(earlier));
                assert!(!hidden, "{word} can never be found");
            }
        }
    }

    #[test]
    fn makes_and_apps_are_no_crawlers() {
        for device in ["CUBOT MAX", "CUBOT_P20", "Robotto 3", "S1RSS32.38"] {
            let browser =
                format!("Mozilla/5.0 (Linux; Android 14; {device}) AppleWebKit/537.36 Mobile Safari/537.36");
            assert!(!is_crawler(&browser), "{browser}");
        }
        assert!(!is_crawler("") && !is_crawler("  "));
        assert!(!is_crawler("' OR 1=1 --"));
    }

    proptest! {
        #[test]
        fn any_header_has_an_answer_and_case_does_not_matter(header in ".{0,80}", words in "[ -~]{0,200}") {
            prop_assert_eq!(is_crawler(&header), is_crawler(&format!(" {header} ")));
            prop_assert_eq!(is_crawler(&words), is_crawler(&words.to_ascii_uppercase()));
        }
    }
}
