//! The demo's simulated visitors: the hidden truth about them, and one visit over HTTP as a browser would make it.

use crate::browser::{Browser, between, decisions, exposure, has_receipt, links, reward, told};
use crate::dice::Dice;
use crate::readers::{LISTS, READERS, Reader, Seen};
use anyhow::{Context, Result};
use std::cell::RefCell;
use ureq::Agent;

/// An arm and its true rates on a phone and at a desk: the share of those who see it that follow it to the goal, in [0, 1].
pub type Truth = (&'static str, [f64; 2]);

/// The kinds of devices, in the order of the rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// A small touch screen.
    Phone,
    /// Anything else.
    Desk,
}

/// A slot of the demo, as a visitor meets it.
pub struct Place {
    /// Name of the slot.
    pub slot: &'static str,
    /// Where it starts in the home page's HTML; its link is the first one after.
    start: &'static str,
    /// Its arms, sorted by name as the Worker tells them. What the bandit has to find out.
    pub arms: &'static [Truth],
    /// The same for the page as it is, which held-out visitors see.
    page: f64,
}

/// The slots of `www/demo/edgeloom.toml`, in its order.
pub const PLACES: [Place; 3] = [
    Place {
        slot: "hero",
        start: "<edge-slot name=\"hero\"",
        arms: &[("light", [0.06; 2]), ("moin", [0.08; 2]), ("tide", [0.14; 2]), ("walk", [0.09; 2])],
        page: 0.06,
    },
    Place {
        slot: "teaser",
        start: "<aside class=\"gift\"",
        arms: &[("calendar", [0.05; 2]), ("cards", [0.13; 2]), ("map", [0.08; 2])],
        page: 0.05,
    },
    Place {
        slot: "cta",
        start: "data-edge-slot=\"cta\"",
        arms: &[("plain", [0.05; 2]), ("price", [0.16, 0.03]), ("trial", [0.03, 0.16])],
        page: 0.05,
    },
];

impl Place {
    /// The arm with the highest true rate on a device.
    pub fn best(&self, device: Device) -> &'static str {
        let better = |best: Truth, arm: &Truth| {
            if rate_on(arm, device) > rate_on(&best, device) { *arm } else { best }
        };
        self.arms.iter().fold(("", [0.0; 2]), better).0
    }

    /// Whether an arm is the best on some device.
    pub fn is_best_somewhere(&self, arm: &str) -> bool {
        [Device::Phone, Device::Desk].iter().any(|device| self.best(*device) == arm)
    }

    fn rate(&self, arm: &str, device: Device) -> Option<f64> {
        self.arms.iter().find(|(name, _)| *name == arm).map(|arm| rate_on(arm, device))
    }
}

const fn rate_on((_, [phone, desk]): &Truth, device: Device) -> f64 {
    match device {
        Device::Phone => *phone,
        Device::Desk => *desk,
    }
}

/// The true rate of an arm among all visitors.
pub fn rate_of_all((_, [phone, desk]): &Truth) -> f64 {
    PHONE * phone + (1.0 - PHONE) * desk
}

/// What a visitor was shown and did.
#[derive(Debug, Default, Clone)]
pub struct Visit {
    /// Per place of [`PLACES`], the arm; `None` where the page stayed as it is.
    pub shown: [Option<String>; PLACES.len()],
    /// Whether what was shown is the best there is on the visitor's device.
    pub is_best: [bool; PLACES.len()],
    /// How often the visitor reached the goal.
    pub n_orders: u64,
    /// Per list of [`LISTS`], what it showed a reader; nothing to others.
    pub lists: [Seen; LISTS.len()],
}

/// Share of visitors whose browser asks for German, in [0, 1].
const GERMAN: f64 = 0.3;
/// Share of visitors with a phone, in [0, 1].
const PHONE: f64 = 0.55;
/// Share of visitors who consent to measurement, in [0, 1].
const CONSENT: f64 = 0.6;

const PHONE_AGENT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
/// What a browser at a desk says it is.
pub const DESKTOP_AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

/// The visit with this number to the home page of `site`: what it brings depends on the number and on the page only.
///
/// # Errors
/// When a page does not come, or does not hold what a visitor needs.
pub fn visit(agent: &Agent, site: &str, nth: u64) -> Result<Visit> {
    let mut dice = Dice(nth);
    let language = if dice.falls(GERMAN) { "de-DE,de;q=0.9,en;q=0.6" } else { "en-GB,en;q=0.9" };
    let device = if dice.falls(PHONE) { Device::Phone } else { Device::Desk };
    let user_agent = if device == Device::Phone { PHONE_AGENT } else { DESKTOP_AGENT };
    let (consents, reads) = (dice.falls(CONSENT), dice.falls(READERS));
    let consent = if consents { "consent=measure" } else { "" };
    let browser = Browser { agent, user_agent, language, consent, nth, cookie: RefCell::default() };
    let home = format!("{site}/");
    let html = browser.open(&home, None)?;
    let decisions = decisions(&html)?;
    let mut visit = Visit::default();
    let mut events = Vec::new();
    for (nth, place) in PLACES.iter().enumerate() {
        // Held-out visitors see the page as it is.
        let arm = told(&decisions, place.slot, "arm");
        let rate = match arm {
            Some(arm) => place
                .rate(arm, device)
                .with_context(|| format!("nobody knows arm {arm} of slot {}", place.slot))?,
            None => place.page,
        };
        let receipt = told(&decisions, place.slot, "receipt");
        events.extend(receipt.map(exposure));
        let follows = dice.falls(rate);
        if let (Some(shown), Some(is_best)) = (visit.shown.get_mut(nth), visit.is_best.get_mut(nth)) {
            (*shown, *is_best) = (arm.map(String::from), arm == Some(place.best(device)));
        }
        match (arm, receipt) {
            (Some(_), _) if follows => order(&browser, site, &home, &html, place)?,
            // The site's own link has no receipt: its script says what was reached, where it may.
            (None, Some(receipt)) if follows => {
                events.push(reward(receipt, "order"));
            }
            _ => {}
        }
        visit.n_orders += u64::from(follows && arm.is_some());
    }
    if reads {
        let mut reader = Reader::new(&browser, site, dice);
        reader.read(&html)?;
        visit.lists = reader.seen;
        events.extend(reader.events);
    }
    if !events.is_empty() {
        browser.collect(site, &events)?;
    }
    Ok(visit)
}

/// Follows the link of a block to the form, and the form to the goal.
fn order(browser: &Browser, site: &str, home: &str, html: &str, place: &Place) -> Result<()> {
    let form = format!("{site}{}", link(html, place.start)?);
    let page = browser.open(&form, Some(home))?;
    let action = between(&page, "<form action=\"", "\"").context("the order page has no form")?;
    browser.open(&format!("{site}{action}?plan=year&gift=calendar"), Some(&form))?;
    Ok(())
}

/// The first link after `start` that carries a receipt.
fn link(html: &str, start: &str) -> Result<String> {
    let (_, block) = html.split_once(start).with_context(|| format!("the page has no {start}"))?;
    links(block).find(|link| has_receipt(link)).context("the block has no link with a receipt")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn config() -> Value {
        toml::from_str(include_str!("../../www/demo/edgeloom.toml")).unwrap()
    }

    /// The slots with arms; lists are the business of `readers`.
    fn slots(config: &Value) -> Vec<&Value> {
        config["slots"].as_array().unwrap().iter().filter(|slot| slot["list"].is_null()).collect()
    }

    #[test]
    fn the_truth_is_about_the_arms_of_the_configuration() {
        let config = config();
        let slots = slots(&config);
        assert_eq!(slots.len(), PLACES.len());
        for (slot, place) in slots.iter().zip(&PLACES) {
            assert_eq!(slot["id"], place.slot);
            let mut arms: Vec<&str> =
                slot["arms"].as_array().unwrap().iter().map(|arm| arm["id"].as_str().unwrap()).collect();
            arms.sort_unstable();
            assert_eq!(arms, place.arms.iter().map(|(arm, _)| *arm).collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_place_is_in_the_home_page_and_every_arm_has_its_block() {
        let home = include_str!("../../www/demo/public/index.html");
        assert!(PLACES.iter().all(|place| home.contains(place.start)));
        let config = config();
        let blocks: Vec<&Value> =
            config["blocks"].as_array().unwrap().iter().map(|block| &block["id"]).collect();
        for arm in slots(&config).iter().flat_map(|slot| slot["arms"].as_array().unwrap()) {
            assert!(blocks.contains(&&arm["block"]), "{arm}");
        }
    }

    #[test]
    fn the_best_arms_are_open_to_everybody() {
        // Else no amount of traffic could move to them.
        for slot in slots(&config()) {
            let place = PLACES.iter().find(|place| slot["id"] == place.slot).unwrap();
            for arm in slot["arms"].as_array().unwrap() {
                assert!(!place.is_best_somewhere(arm["id"].as_str().unwrap()) || arm["audience"].is_null());
            }
        }
    }

    #[test]
    fn what_works_on_a_phone_does_not_at_a_desk() {
        let cta = &PLACES[2];
        assert_eq!([Device::Phone, Device::Desk].map(|device| cta.best(device)), ["price", "trial"]);
        assert!((rate_of_all(&cta.arms[1]) - (0.55 * 0.16 + 0.45 * 0.03)).abs() < 1e-12);
    }

    #[test]
    fn a_visitor_finds_the_link_of_a_block() {
        let html = "<a href=\"/a?_el=x\">a</a><edge-slot name=\"hero\"><a href=\"/b\">b</a>\
            <a href=\"/c?p=1&amp;_el=y#z\">c</a></edge-slot>";
        assert_eq!(link(html, "<edge-slot name=\"hero\"").unwrap(), "/c?p=1&_el=y");
        assert!(link(html, "<aside").is_err());
    }
}
