//! `publish`, `rollback`, `status` and `versions` against a server on this machine.

use crate::program::{Program, Run, TOKEN, sound};
use crate::server::{Answer, Server};
use serde_json::{Value, json};

const V1: &str = "11111111111111111111111111111111";
const V2: &str = "22222222222222222222222222222222";

fn program() -> Program {
    let program = Program::new().with("EDGELOOM_TOKEN", TOKEN);
    program.write("edgeloom.toml", sound());
    program
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer(status, "content-type: application/json\r\n", body.to_string())
}

fn live() -> Answer {
    let config = json!({
        "site": "shop",
        "goals": [{ "id": "buy", "path": "/thanks" }],
        "blocks": [{ "id": "offer", "template": "<p>{{title}}</p>", "fields": { "title": { "text": "Coffee" } } }],
        "slots": [{ "id": "hero", "goal": "buy", "arms": [{ "id": "old" }, { "block": "offer" }] }],
    });
    Answer(200, "etag: W/\"11111111111111111111111111111111\"\r\n", config.to_string())
}

fn stored() -> Answer {
    answer(200, &json!({ "version": V2, "warnings": [] }))
}

fn in_use() -> Answer {
    answer(200, &json!({ "version": V2, "snapshot": V1, "sequence": 7 }))
}

fn problem(status: u16, title: &str, detail: &str, errors: &Value) -> Answer {
    answer(
        status,
        &json!({ "type": "about:blank", "title": title, "status": status, "detail": detail, "errors": errors }),
    )
}

fn none_yet() -> Answer {
    problem(404, "Not found", "There is no configuration yet.", &json!([]))
}

fn publish(program: &Program, server: &Server, more: &[&str]) -> Run {
    program.run(&[&["publish", "--url", &server.url], more].concat())
}

fn lines(server: &Server) -> Vec<String> {
    server.asked().into_iter().map(|request| request.line).collect()
}

#[test]
fn what_changes_is_shown_stored_and_put_in_use() {
    let server = Server::start(vec![live(), stored(), in_use()]);
    let run = publish(&program(), &server, &["--message", "Tea & more"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(run.err, "+ arm hero/as-it-is\n- arm hero/old\n~ block offer\n");
    assert_eq!(run.out, format!("Version {V2} is in use: snapshot {V1}, publication 7.\n"));
    assert_eq!(
        lines(&server),
        [
            "GET /_edgeloom/admin/config",
            "PUT /_edgeloom/admin/config?message=Tea%20%26%20more",
            "POST /_edgeloom/admin/publish?message=Tea%20%26%20more",
        ]
    );
    let asked = server.asked();
    let bearer = format!("Bearer {TOKEN}");
    assert!(asked.iter().all(|request| request.header("authorization") == Some(&bearer)));
    assert_eq!(asked[1].header("if-match"), Some(format!("\"{V1}\"").as_str()), "weak tags match nothing");
    let sent: Value = serde_json::from_str(&asked[1].body).unwrap();
    assert_eq!(sent["blocks"][0]["fields"]["title"]["text"], "Tea & more");
    assert_eq!(serde_json::from_str::<Value>(&asked[2].body).unwrap(), json!({ "version": V2 }));
}

#[test]
fn the_first_configuration_overwrites_none() {
    let server = Server::start(vec![none_yet(), stored(), in_use()]);
    let run = publish(&program(), &server, &["--json"]);
    let document = run.json();
    assert_eq!((run.code, &document["sequence"], &document["version"]), (Some(0), &json!(7), &json!(V2)));
    assert!(
        document["changes"]
            .as_array()
            .unwrap()
            .contains(&json!({ "change": "added", "kind": "slot", "id": "hero" }))
    );
    let asked = server.asked();
    assert_eq!((asked[1].header("if-none-match"), asked[1].header("if-match")), (Some("*"), None));
}

#[test]
fn a_dry_run_only_reads() {
    let server = Server::start(vec![live()]);
    let run = publish(&program(), &server, &["--dry-run", "--verbose"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.err.contains("-text = \"Coffee\"\n    +text = \"Tea & more\"\n"), "{}", run.err);
    assert!(run.out.contains("Nothing was published"));
    assert_eq!(lines(&server), ["GET /_edgeloom/admin/config"]);
}

#[test]
fn rich_text_is_sent_sanitised() {
    let server = Server::start(vec![none_yet(), stored(), in_use()]);
    let program = program();
    let rich = r#"{ rich = '<b onclick="x">Tea</b><script>x</script>' }"#;
    program.write("edgeloom.toml", sound().replace("{ text = \"Tea & more\" }", rich));
    let run = publish(&program, &server, &[]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let sent: Value = serde_json::from_str(&server.asked()[1].body).unwrap();
    assert_eq!(sent["blocks"][0]["fields"]["title"]["rich"], "<b>Tea</b>");
    assert!(run.err.contains("published without"), "{}", run.err);
}

#[test]
fn errors_stop_before_anything_is_asked() {
    let server = Server::start(vec![live()]);
    let program = program();
    program.write("edgeloom.toml", sound().replace("goal = \"buy\"", "goal = \"sell\""));
    assert_eq!(publish(&program, &server, &[]).code, Some(1));
    assert!(server.asked().is_empty());
}

#[test]
fn what_the_site_refuses_is_shown_in_the_file() {
    let errors = json!([{ "pointer": "/site", "detail": "'shop' is not the site of this Worker; hint: 'store', or set SITE" }]);
    let server =
        Server::start(vec![live(), problem(422, "Configuration refused", "Nothing was stored.", &errors)]);
    let run = publish(&program(), &server, &[]);
    assert_eq!(run.code, Some(1));
    for part in ["[edgeloom.toml:1:8]", "is not the site of this Worker", "help: 'store', or set SITE"] {
        assert!(run.err.contains(part), "{part}: {}", run.err);
    }
}

#[test]
fn remarks_of_the_site_are_shown_in_the_file() {
    let warnings =
        json!([{ "pointer": "/goals/0/path", "message": "nobody was ever there; hint: look again" }]);
    let server =
        Server::start(vec![live(), answer(200, &json!({ "version": V2, "warnings": warnings })), in_use()]);
    let run = publish(&program(), &server, &[]);
    assert_eq!(run.code, Some(0));
    assert!(run.err.contains("[edgeloom.toml:5:8]") && run.err.contains("help: look again"), "{}", run.err);
}

#[test]
fn somebody_elses_change_is_not_overwritten() {
    let changed = problem(412, "Precondition failed", "The configuration was changed meanwhile.", &json!([]));
    let server = Server::start(vec![live(), changed]);
    let run = publish(&program(), &server, &[]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("changed meanwhile") && run.err.contains("merge"), "{}", run.err);
    assert_eq!(lines(&server).len(), 2);
}

#[test]
fn stored_but_not_in_use_is_said() {
    let busy = problem(503, "Temporarily unavailable", "The root does not answer.", &json!([]));
    let server = Server::start(vec![live(), stored(), busy]);
    let run = publish(&program(), &server, &[]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains(&format!("version {V2} is stored but not in use")), "{}", run.err);
}

#[test]
fn the_token_goes_nowhere_else() {
    let program = program();
    for (arguments, part) in [
        (["--url", "http://shop.example"], "use https://"),
        (["--url", "shop.example"], "as in https://"),
        (["--url", "https://user:word@shop.example"], "is no address"),
    ] {
        let run = program.run(&[&["status"], &arguments[..]].concat());
        assert_eq!(run.code, Some(2));
        assert!(run.err.contains(part), "{}", run.err);
    }
    let elsewhere = Server::start(vec![live()]);
    let location: &'static str = Box::leak(format!("location: {}/\r\n", elsewhere.url).into_boxed_str());
    let server = Server::start(vec![Answer(307, location, String::new())]);
    assert_eq!(publish(&program, &server, &[]).code, Some(2));
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn a_missing_or_wrong_token_is_explained() {
    let server = Server::start(vec![problem(401, "Not authorised", "Send a token.", &json!([]))]);
    let run = publish(&program(), &server, &[]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("ADMIN_TOKENS"), "{}", run.err);
    let bare = Program::new().run(&["status", "--url", "http://localhost:1", "--token-env", "MINE"]);
    assert_eq!(bare.code, Some(2));
    assert!(bare.err.contains("MINE is not set"), "{}", bare.err);
}

#[test]
fn a_server_that_is_no_edgeloom_is_not_taken_for_an_empty_one() {
    for other in [
        Answer(404, "", "<h1>Not found</h1>".into()),
        Answer(200, "etag: \"x\"\r\n", "<html>".into()),
        Answer(200, "", "{}".into()),
    ] {
        let server = Server::start(vec![other]);
        let run = publish(&program(), &server, &[]);
        assert!(matches!(run.code, Some(1 | 2)), "{}", run.err);
        assert_eq!(lines(&server).len(), 1, "nothing is written");
    }
    let nobody = program().run(&["publish", "--url", "http://127.0.0.1:1"]);
    assert_eq!(nobody.code, Some(2));
    assert!(nobody.err.contains("does not answer"), "{}", nobody.err);
}

#[test]
fn an_earlier_version_comes_back() {
    let server = Server::start(vec![in_use()]);
    let run = program().run(&["rollback", V1, "--url", &server.url]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let asked = server.asked();
    assert_eq!(asked[0].line, "POST /_edgeloom/admin/rollback");
    assert_eq!(serde_json::from_str::<Value>(&asked[0].body).unwrap(), json!({ "version": V1 }));
    let wrong = program().run(&["rollback", "latest", "--url", &server.url]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("edgeloom versions"), "{}", wrong.err);
}

#[test]
fn versions_and_status_are_tables_or_documents() {
    let versions = json!({ "versions": [
        { "version": V2, "at_millis": 1_735_689_600_000_u64, "published_millis": 1_735_689_660_000_u64, "message": "a\u{1b}[2Jb" },
        { "version": V1, "at_millis": 0, "published_millis": null, "message": "" },
    ]});
    let server = Server::start(vec![answer(200, &versions), answer(200, &versions)]);
    let run = program().run(&["versions", "--url", &server.url]);
    assert!(
        run.out.contains(&format!("{V2}  2025-01-01 00:00:00Z  2025-01-01 00:01:00Z  a\u{fffd}[2Jb")),
        "{}",
        run.out
    );
    assert_eq!(program().run(&["versions", "--json", "--url", &server.url]).json(), versions);

    let status = json!({
        "site": "shop", "config_version": V2, "repeated": 3, "dead_letters": 0, "refused": { "late": 2 }, "shards": [],
        "snapshot": { "version": V1, "sequence": 7, "published_millis": 0, "age_millis": 5 }, "new": { "in": ["later versions"] },
        "slots": [{ "slot": "hero", "goal": "buy", "policy": "thompson", "held_out": null, "arms": [
            { "arm": "a", "exposures": 1000, "rewards": 52, "mean": 0.0529, "low": 0.04, "high": 0.068, "p_best": 0.973, "share": 0.9 },
        ]}],
    });
    let server = Server::start(vec![answer(200, &status), answer(200, &status)]);
    let run = program().run(&["status", "--url", &server.url]);
    assert!(run.out.contains("5.29 %  4.00 % - 6.80 %  97.30 %  90.00 %"), "{}", run.out);
    assert_eq!(program().run(&["status", "--json", "--url", &server.url]).json(), status);
}
