//! A simulated visitor's browser: opens pages, keeps a cookie, sends events, and reads what the Worker tells a page. It decides
//! nothing.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::cell::RefCell;
use ureq::Agent;

/// The Worker takes no more of them at once from a page.
const MOST_EVENTS: usize = 50;

/// A browser of one visitor.
pub struct Browser<'a> {
    /// Makes the requests.
    pub agent: &'a Agent,
    /// What it says it is.
    pub user_agent: &'static str,
    /// The languages it asks for.
    pub language: &'static str,
    /// What the site's consent banner has written, as `consent=measure`; empty without consent.
    pub consent: &'static str,
    /// Number of the visitor, for an address of its own.
    pub nth: u64,
    /// The cookie that an answer has set, as `name=value`.
    pub cookie: RefCell<Option<String>>,
}

impl Browser<'_> {
    /// Opens a page of the site; `from` is the page with the link.
    ///
    /// # Errors
    /// When it does not come.
    pub fn open(&self, address: &str, from: Option<&str>) -> Result<String> {
        let mut request = self.agent.get(address).header("user-agent", self.user_agent);
        request = request.header("accept-language", self.language).header("accept", "text/html,*/*;q=0.8");
        request = request.header("sec-fetch-dest", "document").header("sec-fetch-mode", "navigate");
        // Asked for no coding at all, wrangler's own front sends gzip.
        request = request.header("accept-encoding", "identity");
        if let Some(from) = from {
            request = request.header("referer", from);
        }
        let cookies = [Some(self.consent.to_string()), self.cookie.borrow().clone()];
        let cookies: Vec<String> =
            cookies.into_iter().flatten().filter(|cookie| !cookie.is_empty()).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let mut response = request.call().with_context(|| format!("opening {address}"))?;
        ensure!(response.status() == 200, "{address} answers {}", response.status());
        // The site itself sets none, so there is one at most.
        let set = response.headers().get("set-cookie").and_then(|set| set.to_str().ok()?.split(';').next());
        if let Some(set) = set {
            self.cookie.replace(Some(set.to_string()));
        }
        response.body_mut().read_to_string().with_context(|| format!("reading {address}"))
    }

    /// Sends what a page with consent has seen, as its script does; each visitor from an address of its own, since rates are
    /// limited by address.
    ///
    /// # Errors
    /// When they are not taken.
    pub fn collect(&self, site: &str, events: &[Value]) -> Result<()> {
        for events in events.chunks(MOST_EVENTS) {
            let request =
                self.agent.post(format!("{site}/_edgeloom/collect")).content_type("application/json");
            let request = request.header("cf-connecting-ip", format!("2001:db8::{:x}", self.nth));
            let response = request.send(json!({ "events": events }).to_string()).context("sending events")?;
            ensure!(matches!(response.status().as_u16(), 200 | 202), "events: {}", response.status());
        }
        Ok(())
    }
}

/// The decisions as the Worker tells them to the page.
///
/// # Errors
/// When there are none.
pub fn decisions(html: &str) -> Result<Value> {
    let Some(json) =
        html.split_once("id=\"edgeloom-decisions\"").and_then(|(_, rest)| between(rest, ">", "</script>"))
    else {
        bail!("the page holds no decisions: the Worker has no snapshot, or left the page as it is");
    };
    serde_json::from_str(json).context("the page's decisions are not JSON")
}

/// What is told of a slot.
pub fn told<'d>(decisions: &'d Value, slot: &str, name: &str) -> Option<&'d str> {
    decisions.get("slots")?.get(slot)?.get(name)?.as_str()
}

/// The event that a slot was seen.
pub fn exposure(receipt: &str) -> Value {
    json!({ "kind": "exposure", "receipt": receipt })
}

/// The event that a goal was reached by a link of the site's own, which carries no receipt.
pub fn reward(receipt: &str, goal: &str) -> Value {
    json!({ "kind": "reward", "receipt": receipt, "goal": goal })
}

/// All links of a piece of HTML: paths of the site, without fragment.
pub fn links(html: &str) -> impl Iterator<Item = String> {
    let links = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    links.map(|link| link.replace("&amp;", "&").split('#').next().unwrap_or_default().to_string())
}

/// Whether a link carries the receipt of a decision.
pub fn has_receipt(link: &str) -> bool {
    link.contains("_el=")
}

/// The text between two others.
pub fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    text.split_once(start)?.1.split_once(end).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_its_decisions_and_its_links() {
        let html = "<a href=\"/a?_el=x\">a</a><a href=\"/b\">b</a><a href=\"/c?p=1&amp;_el=y#z\">c</a>\
            <script type=\"application/json\" id=\"edgeloom-decisions\">{\"slots\":{\"hero\":{\"arm\":\"tide\"},\"next.1\":{\"receipt\":\"r\"}}}</script>";
        let found: Vec<String> = links(html).collect();
        assert_eq!(found, ["/a?_el=x", "/b", "/c?p=1&_el=y"]);
        assert_eq!(found.iter().map(|link| has_receipt(link)).collect::<Vec<_>>(), [true, false, true]);
        let decisions = decisions(html).unwrap();
        assert_eq!(told(&decisions, "hero", "arm"), Some("tide"));
        assert_eq!(told(&decisions, "next.1", "receipt"), Some("r"));
        assert_eq!(told(&decisions, "next.1", "arm"), None);
    }

    #[test]
    fn a_page_without_decisions_is_an_error() {
        assert!(decisions("<p>").is_err());
    }
}
