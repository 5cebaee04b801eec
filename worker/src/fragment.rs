//! `GET /_edgeloom/slot/{name}`: one slot of a page as a view of that page would fill it. Synchronous and pure like
//! [`page`](crate::page); `fragment.mjs` makes the response.
//!
//! The decision is that of the whole page, so that a visitor with a key finds the arms of the page here, but for slots that draw
//! at each view. In contextual mode nothing ties two requests together: each is a view of its own.

use crate::page::{Current, NUL, Plan};
use crate::served::{Moment, Source, push_timing, timing_header};
use crate::visitor::{Facts, visit_of};
use edgeloom::decide::counted;
use edgeloom::receipt::Keyring;
use edgeloom::snapshot::Slot;

/// A problem names this many slots; whoever has more knows where to look.
const MAX_NAMES: usize = 32;

/// The slot `name` for the facts of a page view, split by NUL, with its events: the snapshot's age; that there is no such
/// slot; its HTML, nothing where the page keeps its own; `Server-Timing`; the receipt for a caller who says when it was
/// seen; `Set-Cookie`.
pub fn plan(current: &Current, keyring: &Keyring, facts: &str, name: &str, moment: &Moment) -> Plan {
    let mut plan = Plan { text: current.age().to_string(), ..Plan::default() };
    let Some(snapshot) = current.snapshot else { return plan };
    plan.text.push(NUL);
    if snapshot.slots.iter().any(|slot| slot.name().as_str() == name) {
        fill(
            Source { snapshot, keyring, moment, shelves: &current.shelves },
            &Facts::parse(facts),
            name,
            &mut plan,
        );
    } else {
        // The names are no secret: every page tells them.
        let is_first = |slot: &&Slot| slot.list.as_ref().is_none_or(|own| own.place == 0);
        let slots = snapshot.slots.iter().filter(is_first).take(MAX_NAMES);
        let names: Vec<&str> = slots.map(|slot| slot.name().as_str()).collect();
        plan.text.extend(["there is no such slot; hint: ", &names.join(", ")]);
    }
    plan
}

fn fill(source: Source, facts: &Facts, name: &str, plan: &mut Plan) {
    let Source { snapshot, keyring, moment, .. } = source;
    let visit = visit_of(facts, &snapshot.privacy, keyring, moment.now, moment.fresh_key());
    let served = source.serve(&visit);
    // Not on that page: nothing was decided, so nothing is to be remembered.
    let choices = || served.choices().filter(|(slot, _)| slot.name().as_str() == name);
    if choices().next().is_none() {
        return;
    }
    let Plan { text, events, .. } = plan;
    text.push(NUL);
    let (mut receipts, mut timing) = (Vec::new(), String::new());
    for choice in choices() {
        receipts.extend(served.fill(choice, text, events));
        push_timing(&mut timing, choice);
    }
    let counted = choices().flat_map(|(slot, choice)| counted(slot, choice));
    for part in [
        &timing_header(&timing),
        // A list has one for each place.
        &receipts.join(" "),
        &visit.cookie(source.keyring, counted, None).unwrap_or_default(),
    ] {
        text.push(NUL);
        text.push_str(part);
    }
}
