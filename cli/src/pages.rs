//! What of `[[pages]]` will not do what its author may expect. The core reads it all the same, so it is advice.

use edgeloom::pattern::Pattern;
use edgeloom::snapshot::wire::{Config, Page, Slot};
use serde_json::Value;

/// What conditions can see where many visitors get the same page; the rest is missing there.
const COARSE: [&str; 6] = ["path", "query", "country", "device", "hour", "weekday"];

/// Advice, each with the pointer to what it is about.
pub fn advice(config: &Config) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (i, page) in config.pages.iter().enumerate() {
        if let Some(earlier) = config.pages.iter().take(i).find(|earlier| covers(earlier, &page.path)) {
            let text = format!(
                "never reached: {:?} above matches all of it, and the first entry counts; hint: move this one up",
                earlier.path
            );
            found.push((format!("/pages/{i}/path"), text));
        } else if page.shared {
            found.extend(of_shared(config, page).map(|text| (format!("/pages/{i}/shared"), text)));
        }
    }
    for (i, slot) in config.slots.iter().enumerate() {
        if slot.arms.iter().filter(|arm| arm.audience.is_none()).count() > 1
            && !slot.paths.is_empty()
            && slot.paths.iter().all(|path| is_shared(config, path))
        {
            let text = "all pages of this slot are shared, where nothing is counted: its arms stay as they are; hint: \
                        give each an audience, or keep a page unshared";
            found.push((format!("/slots/{i}/paths"), text.to_string()));
        }
    }
    found
}

/// Whether a page matches whatever a pattern does.
fn covers(page: &Page, pattern: &str) -> bool {
    // What stands for any characters there is a character here.
    Pattern::parse(&page.path).is_ok_and(|path| path.matches(pattern))
}

/// Whether all pages of a pattern are shared.
fn is_shared(config: &Config, pattern: &str) -> bool {
    config.pages.iter().find(|page| covers(page, pattern)).is_some_and(|page| page.shared)
}

/// What gets lost where a page is the same for many.
fn of_shared<'c>(config: &'c Config, page: &'c Page) -> impl Iterator<Item = String> + 'c {
    let slots = config.slots.iter().filter(|slot| may_be_on(slot, page));
    let unknown = slots.flat_map(|slot| {
        let audiences = slot.audience.iter().chain(slot.arms.iter().filter_map(|arm| arm.audience.as_ref()));
        let conditions = audiences
            .filter_map(|id| config.audiences.iter().find(|audience| audience.id == *id))
            .filter_map(|audience| Some((audience, unknown_name(&audience.when)?)));
        conditions.map(|(audience, name)| {
            format!(
                "the audience `{}` of the slot `{}` asks for `{name}`, which is not known on shared pages; hint: {} are",
                audience.id,
                slot.id,
                COARSE.join(", ")
            )
        })
    });
    let goals =
        config.goals.iter().filter(|goal| goal.path.as_ref().is_some_and(|path| may_meet(path, &page.path)));
    let missed = goals.map(|goal| {
        format!(
            "reaching the goal `{}` is not counted where a cache in front answers; hint: keep its page unshared",
            goal.id
        )
    });
    let lifeless = (page.life_seconds == 0)
        .then(|| "without a life the page is asked for at each view and shared with nobody; hint: life_seconds = 60".to_string());
    unknown.chain(missed).chain(lifeless)
}

/// The first attribute of a condition that is not known on shared pages.
fn unknown_name(when: &Value) -> Option<&str> {
    match when {
        Value::Object(parts) => parts.iter().find_map(|(name, part)| {
            // Below an operator stand conditions, below a name what it is compared with.
            if name.starts_with('$') {
                return unknown_name(part);
            }
            let first = name.split('.').next().unwrap_or_default();
            (!COARSE.contains(&first)).then_some(name.as_str())
        }),
        Value::Array(items) => items.iter().find_map(unknown_name),
        _ => None,
    }
}

fn may_be_on(slot: &Slot, page: &Page) -> bool {
    slot.paths.is_empty() || slot.paths.iter().any(|path| may_meet(path, &page.path))
}

/// Whether a path may match two patterns, as far as their beginnings tell.
fn may_meet(a: &str, b: &str) -> bool {
    let (a_start, b_start) = (start(a), start(b));
    let fits = |start: &str, other: &str, whole: &str| {
        start.starts_with(other) && (other != whole || start == other)
    };
    fits(a_start, b_start, b) || fits(b_start, a_start, a)
}

fn start(pattern: &str) -> &str {
    pattern.split('*').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(pages: &Value, slots: &Value) -> Vec<(String, String)> {
        let config = json!({
            "site": "a",
            "pages": pages,
            "goals": [{ "id": "order", "path": "/thanks" }],
            "audiences": [
                { "id": "german", "when": { "country": "DE", "query.from": "mail" } },
                { "id": "readers", "when": { "$or": [{ "device": "phone" }, { "$not": { "language": "de" } }] } },
            ],
            "slots": slots,
        });
        advice(&serde_json::from_value(config).unwrap())
    }

    #[test]
    fn a_shared_page_knows_country_and_device_only() {
        let slots = json!([
            { "id": "a", "goal": "order", "audience": "german", "arms": [{ "id": "x", "audience": "readers" }] },
            { "id": "b", "goal": "order", "paths": ["/other"], "arms": [{ "id": "x", "audience": "readers" }] },
        ]);
        let said = said(&json!([{ "path": "/news/*", "life_seconds": 9, "shared": true }]), &slots);
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(said[0].0, "/pages/0/shared");
        assert!(
            said[0].1.starts_with("the audience `readers` of the slot `a` asks for `language`"),
            "{said:?}"
        );
    }

    #[test]
    fn a_goal_and_a_second_entry_are_told() {
        let page = |shared| json!({ "path": "/*", "life_seconds": 9, "shared": shared });
        assert_eq!(said(&json!([page(false)]), &json!([])), []);
        let said = said(&json!([page(true), page(false)]), &json!([]));
        assert_eq!(
            said.iter().map(|(at, _)| at.as_str()).collect::<Vec<_>>(),
            ["/pages/0/shared", "/pages/1/path"]
        );
    }

    #[test]
    fn patterns_meet_where_their_beginnings_do() {
        for (a, b, meet) in [
            ("/a", "/a", true),
            ("/a", "/b", false),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a", false),
            ("/a/*", "/a/b/*", true),
            ("*", "/a", true),
            ("/a/*/c", "/b/*", false),
        ] {
            assert_eq!((may_meet(a, b), may_meet(b, a)), (meet, meet), "{a} {b}");
        }
    }
}
