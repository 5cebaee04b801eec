//! What each slot of one decision gets: its HTML, its receipt, its event, and what is told of it. Pages, fragments and
//! servers get the same; how it travels is theirs. Pure, as what it is made from.

use crate::items::{Items, Shelves};
use crate::variant::{Showing, variant};
use crate::visitor::Visit;
use edgeloom::assemble::{Timing, server_timing};
use edgeloom::block::Markup;
use edgeloom::context::{Context, Device};
use edgeloom::decide::{Choice, Decision, Reason, decide};
use edgeloom::event::{Event, EventId};
use edgeloom::id::DecisionId;
use edgeloom::receipt::{Basis, Keyring, Receipt};
use edgeloom::seed::{Purpose, Seed, hash};
use edgeloom::snapshot::wire::Mode;
use edgeloom::snapshot::{Slot, Snapshot};
use serde_json::Value;
use std::rc::Rc;

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

    /// A random decision id.
    pub fn decision_id(&self) -> DecisionId {
        DecisionId(self.bytes16(0))
    }

    /// What becomes the key of a visitor who needs one and has none.
    pub fn fresh_key(&self) -> [u8; 16] {
        self.bytes16(16)
    }

    /// A random event id; `nth` keeps the ids of one page apart.
    pub fn event_id(&self, nth: usize) -> EventId {
        let base = u128::from_le_bytes(self.bytes16(32));
        EventId(base.wrapping_add(nth as u128).to_le_bytes())
    }
}

/// With a holdout of a half, one of a million variants would still be held out, and the more of them the larger it is.
const MAX_DRAWS: u64 = 20;

/// What every decision of a request is made from.
#[derive(Clone, Copy)]
pub struct Source<'s> {
    /// The snapshot of the whole request.
    pub snapshot: &'s Snapshot,
    /// Signs the receipts.
    pub keyring: &'s Keyring,
    /// When, and with which randomness.
    pub moment: &'s Moment,
    /// What lists look into.
    pub shelves: &'s Shelves,
}

impl<'s> Source<'s> {
    /// The decision for a visitor of the site.
    pub fn serve(self, visit: &Visit) -> Served<'s> {
        let decision = self.moment.decision_id();
        let seed = match &visit.visitor {
            Some(key) => Seed::of_visitor(&self.snapshot.site, key, decision),
            // A program is shown what a visitor would be shown, and never counted.
            None if visit.context.device == Device::Crawler => Seed::of_view(decision),
            None => {
                let [a, b, ..] = decision.0;
                let bucket = u64::from(u16::from_le_bytes([a, b]));
                Seed::contextual(&self.snapshot.site, self.moment.now, bucket)
            }
        };
        self.decided_for((&visit.context, visit.interest.as_deref()), seed, visit.is_watched)
    }

    /// The decision for everybody of a country and kind of device, the same for an hour. None of them is held out, unless
    /// everybody is: there is nothing to compare them with, for nothing is counted.
    pub fn serve_alike(self, context: &Context) -> Served<'s> {
        let Self { snapshot, moment, .. } = self;
        let country = context.country.as_deref().unwrap_or_default();
        let bucket = hash(Purpose::Decision, &[country.as_bytes(), context.device.as_str().as_bytes()]);
        let serve = |nth: u64| {
            let seed = Seed::contextual(&snapshot.site, moment.now, bucket.wrapping_add(nth));
            self.decided(context, seed, false)
        };
        (1..MAX_DRAWS).fold(serve(0), |served, nth| if served.is_held_out() { serve(nth) } else { served })
    }

    /// The decision for a seed.
    pub fn decided(self, context: &Context, seed: Seed, is_watched: bool) -> Served<'s> {
        self.decided_for((context, None), seed, is_watched)
    }

    /// The same with the key of what the site uploaded of the visitor's interests.
    fn decided_for(
        self,
        (context, key): (&Context, Option<&str>),
        seed: Seed,
        is_watched: bool,
    ) -> Served<'s> {
        let items = Items::of(self.shelves, self.snapshot, context, key);
        let with_items = items.into_context(context);
        let decision = decide(self.snapshot, with_items.as_ref().unwrap_or(context), &seed);
        let items = items.shown(self.snapshot, &decision);
        Served { source: self, seed, is_watched, decision, items }
    }
}

/// A decision, and what its slots get.
pub struct Served<'s> {
    source: Source<'s>,
    seed: Seed,
    /// Whether somebody may see it who counts: no crawler, nothing fetched ahead.
    is_watched: bool,
    decision: Decision,
    /// The HTML of the items that lists show, by position of the slot.
    items: Vec<(usize, Rc<Markup>)>,
}

impl<'s> Served<'s> {
    /// The slots of the page with what was chosen for them, in the order of the snapshot.
    pub fn choices(&self) -> impl Iterator<Item = (&'s Slot, &Choice)> {
        let slots = &self.source.snapshot.slots;
        self.decision.choices.iter().filter_map(|choice| Some((slots.get(choice.slot)?, choice)))
    }

    /// Whether the visit is held out, from the site or from any slot.
    fn is_held_out(&self) -> bool {
        self.decision.held_out || self.decision.choices.iter().any(|choice| choice.reason == Reason::Holdout)
    }

    /// Fills one slot: appends its HTML, nothing where the page keeps its own, and the event of serving it, where the
    /// edge records that. Returns the receipt for whoever reports what was seen.
    pub fn fill(
        &self,
        (slot, choice): (&Slot, &Choice),
        html: &mut String,
        events: &mut Vec<u8>,
    ) -> Option<String> {
        let receipt = self.receipt(choice);
        let keyring = self.source.keyring;
        // A shared decision is nobody's own: nothing is sent by the browser, so it needs no receipt.
        let token =
            receipt.as_ref().filter(|receipt| !receipt.flags.shared()).map(|receipt| keyring.sign(receipt));
        if let Some(markup) = self.markup(slot, choice) {
            let link = receipt.as_ref().filter(|_| markup.n_links() > 0).map(|receipt| {
                // An address is read by others: what it carries does not tell who, nor what is known of them, only what was
                // shown. Of a decision that many share the features are the only link to its own view.
                match receipt.unit {
                    None if receipt.flags.shared() => keyring.sign(receipt),
                    _ => keyring.sign(&Receipt { unit: None, basis: Basis::default(), ..receipt.clone() }),
                }
            });
            markup.with_token(link.as_deref(), html);
        }
        // Elsewhere the browser says when the slot was seen; here the edge says that it was served.
        if let Some(receipt) = receipt.filter(|receipt| receipt.flags.shared()) {
            let id = self.source.moment.event_id(choice.slot);
            Event::exposure(&receipt, Some(id)).write(events);
        }
        token
    }

    /// The HTML of a choice before its links carry a receipt.
    fn markup<'m>(&'m self, slot: &'m Slot, choice: &Choice) -> Option<&'m Markup> {
        let item = self.items.iter().find(|(slot, _)| *slot == choice.slot).map(|(_, markup)| &**markup);
        item.or_else(|| slot.arms.get(choice.arm?)?.markup.as_deref())
    }

    /// The receipt of what counts.
    fn receipt(&self, choice: &Choice) -> Option<Receipt> {
        let Source { snapshot, moment, .. } = self.source;
        choice.receipt(snapshot, &self.seed, moment.now).filter(|_| self.is_watched)
    }

    /// What is shown, for the tag of the page.
    pub fn variant(&self, mode: Mode) -> String {
        let Source { snapshot, moment, .. } = self.source;
        let content = |choice: &Choice| {
            let slot = snapshot.slots.get(choice.slot)?;
            self.markup(slot, choice).map(Markup::fingerprint)
        };
        let contents: Vec<u64> =
            self.decision.choices.iter().map(|choice| content(choice).unwrap_or(0)).collect();
        let showing = Showing { mode, is_watched: self.is_watched, now: moment.now, contents: &contents };
        variant(snapshot, &self.decision, &self.seed, showing)
    }

    /// The decision as JSON, with the members of its `slots` from [`push_told`].
    pub fn told(&self, mode: Mode, slots: &str) -> String {
        // Identifiers and versions need no escaping.
        let (version, decision) = (self.decision.version.to_string(), self.decision.id.to_string());
        let parts = [
            r#"{"snapshot":""#,
            &version,
            r#"","decision":""#,
            &decision,
            r#"","mode":""#,
            mode.as_str(),
            r#"","slots":{"#,
            slots,
            "}}",
        ];
        parts.concat()
    }
}

fn arm_name<'s>(slot: &'s Slot, choice: &Choice) -> Option<&'s str> {
    Some(slot.arms.get(choice.arm?)?.id.as_str())
}

/// What a browser should load early for what was chosen.
pub fn hints<'s>((slot, choice): (&'s Slot, &Choice)) -> &'s str {
    let arm = choice.arm.and_then(|arm| slot.arms.get(arm));
    arm.and_then(|arm| arm.markup.as_ref()).map_or("", |markup| markup.hints())
}

/// Appends what is told of one slot, as a member of a JSON object; the caller adds what else it tells, and the brace.
pub fn push_told(told: &mut String, (slot, choice): (&Slot, &Choice), receipt: Option<&str>) {
    // Names, words and receipts consist of characters that JSON leaves as they are.
    told.push_str(if told.is_empty() { "\"" } else { ",\"" });
    told.extend([slot.id.as_str(), "\":{"]);
    if let Some(arm) = arm_name(slot, choice) {
        told.extend(["\"arm\":\"", arm, "\","]);
    }
    if let Some(action) = choice.action_shown() {
        told.extend(["\"action\":\"", action.as_str(), "\","]);
    }
    told.extend(["\"propensity\":", &edgeloom::json::text(&Value::from(choice.propensity))]);
    told.extend([",\"reason\":\"", choice.reason.as_str(), "\""]);
    if let Some(receipt) = receipt {
        told.extend([",\"receipt\":\"", receipt, "\""]);
    }
}

/// Appends a slot and its arm to what `Server-Timing` says.
pub fn push_timing(timing: &mut String, (slot, choice): (&Slot, &Choice)) {
    timing.push_str(if timing.is_empty() { "" } else { ", " });
    timing.extend([slot.id.as_str(), "=", arm_name(slot, choice).unwrap_or("-")]);
}

/// The value of `Server-Timing`.
pub fn timing_header(timing: &str) -> String {
    server_timing(&[Timing { name: "edgeloom", duration_millis: None, description: Some(timing) }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeloom::snapshot::{compile, store, wire};
    use serde_json::json;

    fn with_holdout(share: f64) -> Snapshot {
        let config = json!({
            "site": "shop",
            "holdout": { "share": share },
            "goals": [{ "id": "order" }],
            "slots": [{ "id": "a", "goal": "order", "arms": [{ "id": "x" }, { "id": "y" }] }],
        });
        let config = serde_json::from_value(config).unwrap();
        let published = wire::Published { config, learned: Vec::new() };
        compile(&store::decode(&store::encode(&published, 1, 1).unwrap()).unwrap()).0
    }

    /// Whether the desktops of a number of countries are held out.
    fn held_out(share: f64) -> Vec<bool> {
        let snapshot = with_holdout(share);
        let keyring = Keyring::parse("1:0123456789abcdef0123456789abcdef").unwrap();
        let moment = Moment { now: 1_700_000_000_000, entropy: [7; 48] };
        let source =
            Source { snapshot: &snapshot, keyring: &keyring, moment: &moment, shelves: &Shelves::default() };
        let of = |n: u8| {
            let country = Some(format!("{}{}", char::from(b'A' + n / 26), char::from(b'A' + n % 26)));
            source.serve_alike(&Context { country, ..Context::default() }).decision.held_out
        };
        (0..100).map(of).collect()
    }

    #[test]
    fn where_all_get_the_same_nobody_is_held_out_unless_everybody_is() {
        assert!(!held_out(0.5).contains(&true));
        assert!(!held_out(1.0).contains(&false));
    }
}
