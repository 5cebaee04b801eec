//! `edgeloom publish`, `rollback`, `status` and `versions` against a site on loopback.

use crate::program::{TOKEN, fixtures, run};
use crate::site::{Site, problem};
use serde_json::{Value, json};

fn lines(site: &Site) -> Vec<String> {
    site.sent().iter().map(|sent| sent.line.replace("/_edgeloom/admin", "")).collect()
}

#[test]
fn the_first_publication_stores_sanitised_text_and_puts_it_in_use() {
    let site = Site::start();
    let ran = site.run(&["publish", "shop.toml", "--message", "Start & go"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let message = "?message=Start+%26+go";
    assert_eq!(
        lines(&site),
        ["GET /config".to_string(), format!("PUT /config{message}"), format!("POST /publish{message}")]
    );
    assert_eq!(site.sent()[1].header("if-none-match"), Some("*"));
    assert_eq!(site.config().unwrap()["blocks"][0]["fields"]["body"], json!({ "rich": "<b>today</b>" }));
    assert!(ran.out.contains("the site has no configuration yet"), "{}", ran.out);
    assert!(ran.out.contains("+ slot hero\n") && ran.out.contains("+ block sale\n"), "{}", ran.out);
    assert!(ran.out.contains("snapshot feed, publication 1"), "{}", ran.out);
    assert!(ran.err.contains("publishing sanitises this rich text"), "{}", ran.err);
}

#[test]
fn a_change_is_shown_by_item_and_stored_against_the_version_it_was_compared_with() {
    let site = Site::start();
    assert_eq!(site.run(&["publish", "shop.toml"]).code, 0);
    let mut live = site.config().unwrap();
    live["slots"][0]["goal"] = "newsletter".into();
    live["blocks"][0]["id"] = "old".into();
    site.put(live);
    let before = site.sent().len();
    let ran = site.run(&["publish", "shop.toml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let wanted = ["- block old", "+ block sale", "~ slot hero: goal \"newsletter\" -> \"order\""];
    assert!(wanted.iter().all(|line| ran.out.contains(line)), "{}", ran.out);
    let put = &site.sent()[before + 1];
    assert!(put.header("if-match").is_some_and(|tag| tag.len() == 34), "{put:?}");
    let ran = site.run(&["publish", "shop.toml", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.json()["changes"], json!([]));
    // Nothing to store: the stored version is put in use again.
    assert_eq!(lines(&site)[before + 3..], ["GET /config", "POST /publish"]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let site = Site::start();
    let ran = site.run(&["publish", "shop.toml", "--dry-run", "--verbose"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(lines(&site), ["GET /config"]);
    assert!(ran.out.contains("+id = \"hero\"\n") && ran.out.contains("dry run"), "{}", ran.out);
}

#[test]
fn a_file_with_errors_is_not_even_compared() {
    let site = Site::start();
    let ran = site.run(&["publish", "check/unknown-keys.toml"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("nothing was published"), "{}", ran.err);
    assert_eq!(lines(&site), [""; 0]);
}

#[test]
fn whoever_comes_second_is_told_to_merge() {
    let site = Site::start();
    site.script("PUT", problem(412, "Precondition failed", "It is version 77 now."));
    let ran = site.run(&["publish", "shop.toml"]);
    assert_eq!(ran.code, 1);
    for part in ["status 412", "It is version 77 now.", "--dry-run --verbose", "merge"] {
        assert!(
            ran.err.split_whitespace().collect::<Vec<_>>().join(" ").contains(part),
            "{part}\n{}",
            ran.err
        );
    }
    assert_eq!(lines(&site).len(), 2);
}

#[test]
fn what_the_site_refuses_is_shown_in_the_file() {
    let refused = |pointer: &str| {
        let errors = json!([{ "pointer": pointer, "detail": "not\u{1b}[31m this one; hint: another" }]);
        let body = json!({ "title": "Configuration refused", "status": 422, "detail": "See below.", "errors": errors });
        (422, vec![], body)
    };
    let site = Site::start();
    site.script("PUT", refused("/slots/0/selector"));
    let ran = site.run(&["publish", "shop.toml"]);
    assert_eq!(ran.code, 1);
    for part in ["[shop.toml:17:12]", "refused by the site", "help: another", "status 422"] {
        assert!(ran.err.contains(part), "{part}\n{}", ran.err);
    }
    assert!(!ran.err.contains('\u{1b}'), "the site's words reach the terminal: {:?}", ran.err);
    site.script("PUT", refused("/slots/0/policy/burn_in"));
    let ran = site.run(&["publish", "shop.toml", "--json"]);
    let answer = ran.json();
    let found = answer["problems"].as_array().unwrap().iter().find(|p| p["code"] == "site").unwrap().clone();
    assert_eq!((ran.code, answer["ok"].clone(), found["line"].clone()), (1, false.into(), 15.into()));
}

#[test]
fn remarks_of_the_site_are_shown_and_do_not_stop() {
    let site = Site::start();
    let warnings = json!([{ "pointer": "/goals/0/path", "message": "matches nothing so far" }]);
    site.script("PUT", (200, vec![], json!({ "version": "ab", "warnings": warnings })));
    let ran = site.run(&["publish", "shop.toml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("matches nothing so far") && ran.err.contains("[shop.toml:5:8]"), "{}", ran.err);
}

#[test]
fn stored_but_not_published_is_said() {
    let site = Site::start();
    site.script("GET", problem(404, "Not found", "There is no configuration yet."));
    site.script("PUT", (200, vec![], json!({ "version": "ab" })));
    site.script("POST", problem(503, "Temporarily unavailable", "Try again."));
    let ran = site.run(&["publish", "shop.toml"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("version ab is stored, but not published"), "{}", ran.err);
}

#[test]
fn the_token_is_neither_shown_nor_sent_elsewhere() {
    let (site, other) = (Site::start(), Site::start());
    // `run` asserts that the token is in no output; here the site says it and sends it away.
    site.script("GET", problem(401, "Not authorised", &format!("{TOKEN} is wrong")));
    let ran = site.run(&["status"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("[token] is wrong"), "{}", ran.err);
    site.script("GET", (302, vec![("location", format!("{}/{TOKEN}", other.url))], Value::Null));
    let ran = site.run(&["versions"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("redirects to"), "{}", ran.err);
    assert!(other.sent().is_empty());
    let ran = run(&["status", "--url", &site.url], &[], &fixtures());
    assert!(ran.code == 2 && ran.err.contains("EDGELOOM_TOKEN"), "{ran:?}");
    let ran = run(&["status", "--url", "http://shop.example"], &[("EDGELOOM_TOKEN", TOKEN)], &fixtures());
    assert!(ran.code == 2 && ran.err.contains("unencrypted"), "{ran:?}");
}

#[test]
fn another_variable_may_hold_the_token() {
    let site = Site::start();
    let call = ["status", "--url", &site.url, "--token-env", "SHOP_TOKEN"];
    assert_eq!(run(&call, &[("SHOP_TOKEN", TOKEN)], &fixtures()).code, 0);
}

#[test]
fn an_answer_of_something_else_is_no_configuration() {
    let site = Site::start();
    site.script("GET", (200, vec![], json!("<html>")));
    let ran = site.run(&["publish", "shop.toml"]);
    assert!(ran.code == 2 && ran.err.contains("has no version"), "{ran:?}");
    let ran = run(&["status", "--url", "http://127.0.0.1:1"], &[("EDGELOOM_TOKEN", TOKEN)], &fixtures());
    assert!(ran.code == 2 && ran.err.contains("cannot reach http://127.0.0.1:1/"), "{ran:?}");
}

#[test]
fn a_purge_names_pages_and_nothing_else_is_sent() {
    let site = Site::start();
    let ran = site.run(&["purge", "/news", "/about", "--prefix", "/shop/", "--tag", "front", "-m", "typo"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let sent = site.sent().pop().unwrap();
    assert_eq!(sent.line, "POST /_edgeloom/admin/purge?message=typo");
    assert_eq!(sent.body, json!({ "urls": ["/news", "/about"], "prefixes": ["/shop/"], "tags": ["front"] }));
    assert_eq!(site.run(&["purge", "--everything"]).code, 0);
    assert_eq!(site.sent().pop().unwrap().body, json!({ "everything": true }));
    let refused =
        json!({ "title": "Not a purge", "errors": [{ "pointer": "/urls", "detail": "has to be a list" }] });
    site.script("POST /_edgeloom/admin/purge", (422, vec![], refused));
    let ran = site.run(&["purge", "news"]);
    assert!(ran.code != 0 && ran.err.contains("/urls: has to be a list"), "{}", ran.err);
    for wrong in [&["purge"][..], &["purge", "--everything", "/news"]] {
        let n = site.sent().len();
        assert_eq!((site.run(wrong).code, site.sent().len()), (2, n), "{wrong:?}");
    }
}

#[test]
fn rollback_status_and_versions_answer() {
    let site = Site::start();
    assert_eq!(site.run(&["publish", "shop.toml"]).code, 0);
    let ran = site.run(&["versions"]);
    assert!(ran.code == 0 && ran.out.contains("1970-01-01T00:00:00Z"), "{ran:?}");
    let version = site.run(&["versions", "--json"]).json()["versions"][0]["version"].clone();
    let ran = site.run(&["rollback", version.as_str().unwrap()]);
    assert!(ran.code == 0 && ran.out.contains("back at version"), "{ran:?}");
    assert_eq!(site.sent().last().unwrap().body, json!({ "version": version }));
    let ran = site.run(&["status"]);
    assert!(ran.code == 0 && ran.out.starts_with("site "), "{ran:?}");
    assert_eq!(site.run(&["status", "--json"]).json(), json!({ "site": "shop", "slots": [] }));
}
