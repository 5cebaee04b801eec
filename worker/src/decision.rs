//! `POST /_edgeloom/decide`: a decision as JSON, for servers, e-mail and apps, which know the facts of their visit themselves.
//!
//! Nothing is recorded and nothing is stored: the caller sends the receipts of what was seen to `/_edgeloom/collect`, and
//! answers for what its visitors consented to. Facts are believed, so it takes a key: one of those that trusted logs come with.

use crate::admin::{login, unknown};
use crate::bindings::{Settings, settings};
use crate::fields::{Kind, faults};
use crate::items::Shelves;
use crate::json::{self, text};
use crate::platform::{self, Env, Request, Response};
use crate::problem::Problem;
use crate::served::{Source, push_told};
use crate::visitor::{Address, query_of};
use crate::{request, respond, snapshots};
use edgeloom::context::{Action, Context, Device};
use edgeloom::id::{ArmId, DecisionId, VisitorKey};
use edgeloom::seed::Seed;
use edgeloom::snapshot::wire::Mode;
use edgeloom::snapshot::{Slot, Snapshot};
use edgeloom::sorted::SortedMap;
use edgeloom::trail::Trail;
use serde_json::{Map, Value};

/// The facts of one visit; those of a page view are 16 KB at most.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Answers the route.
///
/// # Errors
/// No valid key, a body that is no visit, nothing published.
pub async fn answer(request: Request, env: &Env, context: &platform::Context) -> Result<Response, Problem> {
    let settings = settings(env);
    login(&request, &settings.import).ok_or_else(|| unknown("IMPORT_KEYS", "Bearer realm=\"edgeloom\""))?;
    let body = request::read(&request, MAX_BODY_BYTES).await?;
    let state = snapshots::fresh(env).await;
    // No page may have been viewed here, which is what else brings indexes; a server can wait for them once.
    let indexes = state.snapshot.as_deref().map_or(&[][..], |snapshot| &snapshot.indexes);
    if indexes.iter().any(|index| crate::indexes::current(&index.id).is_none()) {
        crate::indexes::load(env).await;
    } else if !indexes.is_empty() {
        let env = env.clone();
        platform::wait_until(context, async move { crate::indexes::load(&env).await });
    }
    decided(&body, &settings, state.snapshot.as_deref())
}

fn decided(body: &[u8], settings: &Settings, snapshot: Option<&Snapshot>) -> Result<Response, Problem> {
    let body = json::read(body).map_err(|error| Problem::new(400, "Not readable", error))?;
    let errors = faults(&body, &FIELDS);
    if !errors.is_empty() {
        return Err(Problem::new(400, "Not a visit", "Some fields can't be used.").errors(errors));
    }
    let (Some(snapshot), Some(keyring)) = (snapshot, &settings.receipts) else {
        return Err(Problem::try_again("Nothing is published here, so nothing can be decided."));
    };
    let shelves = Shelves::of(snapshot, crate::indexes::current);
    let told = told(&body, Source { snapshot, keyring, moment: &crate::moment(), shelves: &shelves });
    Ok(respond::with(200, "application/json", told.into_bytes()))
}

/// The fields of a body, all of which may be missing or null. Facts have the names of [`edgeloom::wire::Visit`].
const FIELDS: [(&str, Kind); 15] = [
    // The same for each visit of a visitor; without it a view stands for itself.
    ("visitor", Kind::Key),
    // Without it a new one is made; the same again gives the same answer, whose events are then repeats.
    ("decision", Kind::Key),
    // Path and query, where they are not given by themselves.
    ("url", Kind::Url),
    ("path", Kind::Path),
    ("query", Kind::Object),
    ("referrer", Kind::Text),
    ("country", Kind::Text),
    ("language", Kind::Text),
    ("device", Kind::Text),
    ("time_millis", Kind::Millis),
    ("attributes", Kind::Object),
    // Slots, and for each what may be shown there: `{ "id": "…", "features": { … } }`, a hundred at most.
    ("actions", Kind::Actions),
    // The items the visitor looked at last, newest first, by their ids in an index.
    ("trail", Kind::Names),
    // Only these are told; decided is for the whole page, as ever.
    ("slots", Kind::Names),
    // Tells the blocks too.
    ("html", Kind::Truth),
];

/// The decision for a body without faults, in the form that a page is told it.
fn told(body: &Value, source: Source) -> String {
    let Source { snapshot, moment, .. } = source;
    let object = |name| body.get(name).and_then(Value::as_object).cloned();
    let address = Address::of(text(body, "url").unwrap_or_default());
    let time_millis = body.get("time_millis").and_then(Value::as_u64).unwrap_or(moment.now);
    let trail = body.get("trail").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let context = Context {
        path: text(body, "path").unwrap_or(address.path).to_string(),
        query: object("query").unwrap_or_else(|| query_of(address.query)),
        referrer: text(body, "referrer").map(|text| host_of(text).to_string()),
        country: text(body, "country").map(str::to_ascii_uppercase),
        language: text(body, "language").map(str::to_ascii_lowercase),
        device: Device::of_word(text(body, "device").unwrap_or_default()),
        time_millis,
        trail: Trail::of_ids(trail.iter().filter_map(Value::as_str), time_millis),
        attributes: object("attributes").unwrap_or_default(),
        actions: object("actions").map(actions_of).unwrap_or_default(),
        ..Context::default()
    };
    let decision = text(body, "decision").and_then(|text| DecisionId::parse(text).ok());
    let decision = decision.unwrap_or_else(|| moment.decision_id());
    let (mode, seed) = match text(body, "visitor").and_then(|text| VisitorKey::parse(text).ok()) {
        Some(visitor) => (Mode::Personal, Seed::of_visitor(&snapshot.site, &visitor, decision)),
        // Not contextual: nobody shares the decision, for its receipts come from the caller.
        None => (Mode::Measured, Seed::of_view(decision)),
    };
    let served = source.decided(&context, seed, context.device != Device::Crawler);

    let names = body.get("slots").and_then(Value::as_array).map(Vec::as_slice);
    let with_html = body.get("html").and_then(Value::as_bool).unwrap_or(false);
    let mut slots = String::new();
    for choice in served.choices() {
        let own = [choice.0.id.as_str(), choice.0.name().as_str()];
        let is_named = |name: &Value| name.as_str().is_some_and(|name| own.contains(&name));
        if names.is_some_and(|names| !names.iter().any(is_named)) {
            continue;
        }
        let mut html = String::new();
        // Of decisions that nobody shares the edge records nothing.
        let receipt = served.fill(choice, &mut html, &mut Vec::new());
        push_told(&mut slots, choice, receipt.as_deref());
        if with_html && !html.is_empty() {
            slots.extend([",\"html\":", &edgeloom::json::text(&Value::from(html))]);
        }
        slots.push('}');
    }
    let mut told = served.told(mode, &slots);
    // A slot that is gone costs only itself.
    let mut sign = ",\"unknown\":[";
    let brought = context.actions.keys().map(|slot| Value::from(slot.as_str()));
    for name in names.unwrap_or_default().iter().cloned().chain(brought) {
        let is_known =
            |slot: &Slot| [slot.id.as_str(), slot.name().as_str()].map(Some).contains(&name.as_str());
        if !snapshot.slots.iter().any(is_known) {
            told.pop();
            told.extend([sign, &edgeloom::json::text(&name), "]"]);
            sign = ",";
        }
    }
    if sign == "," {
        told.push('}');
    }
    told
}

/// The actions of each slot, after they were found sound.
fn actions_of(slots: Map<String, Value>) -> SortedMap<String, Vec<Action>> {
    let action = |action: &Value| {
        let id = ArmId::new(action.get("id")?.as_str()?).ok()?;
        let features = action.get("features").and_then(Value::as_object).cloned().unwrap_or_default();
        Some(Action { id, features })
    };
    let actions = |list: &Value| list.as_array().into_iter().flatten().filter_map(action).collect();
    slots.into_iter().map(|(slot, list)| (slot, actions(&list))).collect()
}

/// Of an address only the host is a fact.
fn host_of(text: &str) -> &str {
    let host = Address::of(text).host();
    if host.is_empty() { text } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_referrer_is_a_host_however_it_is_given() {
        for given in ["search.example", "https://search.example", "https://search.example/?q=1"] {
            assert_eq!(host_of(given), "search.example", "{given}");
        }
        assert_eq!(host_of(""), "");
    }
}
