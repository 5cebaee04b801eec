//! `edgeloom index` with real files, a site and an embeddings endpoint on loopback.

use crate::program::{Ran, TOKEN, run};
use crate::site::{Site, hash_of, problem};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const KEY: &str = "sk-of-a-test";

/// A folder of its own for each test.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("edgeloom-index-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn index(folder: &Path, arguments: &str, variables: &[(&str, &str)]) -> Ran {
    let arguments: Vec<&str> = ["index"].into_iter().chain(arguments.split(' ')).collect();
    let ran = run(&arguments, variables, folder);
    assert!(!ran.out.contains(KEY) && !ran.err.contains(KEY), "{ran:?}");
    ran
}

fn of_site(folder: &Path, site: &Site, arguments: &str) -> Ran {
    index(folder, arguments, &[("EDGELOOM_URL", &site.url), ("EDGELOOM_TOKEN", TOKEN)])
}

/// A report wraps its lines.
fn unwrapped(text: &str) -> String {
    text.replace(['│', '╰', '─', '▶'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

const TEAS: [&str; 6] = [
    r#"{"id":"sencha","topic":"tea","price":12,"published":"2026-11-01","text":"Green tea from Japan, steamed leaves"}"#,
    r#"{"id":"matcha","topic":"tea","price":30,"published":"2026-11-02","text":"Green tea powder from Japan"}"#,
    r#"{"id":"assam","topic":"tea","price":9,"published":"2026-11-03","text":"Strong black tea from India"}"#,
    r#"{"id":"gaiwan","topic":"cups","price":25,"published":"2026-11-04","text":"A lidded porcelain cup for green tea"}"#,
    r#"{"id":"mug","topic":"cups","price":8,"published":"2026-11-05","text":"A large stoneware mug"}"#,
    r#"{"id":"kettle","topic":"kitchen","price":60,"published":"2026-11-06","text":"An electric kettle with a thermometer"}"#,
];

fn teas(name: &str) -> PathBuf {
    let folder = folder(name);
    fs::write(folder.join("teas.jsonl"), TEAS.join("\n")).unwrap();
    folder
}

#[test]
fn the_same_items_make_the_same_bytes_in_any_order_and_from_any_number_of_files() {
    let folder = teas("order");
    let ran = index(&folder, "build teas.jsonl -o a.index --dimensions 64 --json", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = ran.json();
    let bytes = fs::read(folder.join("a.index")).unwrap();
    assert_eq!(told["pieces"][0]["hash"], hash_of(&bytes));
    assert_eq!(
        (&told["model"], &told["dimension"], &told["items"]),
        (&json!("hashing-64"), &json!(64), &json!(6))
    );
    assert_eq!((&told["kind"], &told["measured"]["queries"]), (&json!("flat"), &json!(6)));
    for rotation in 1..4 {
        let mut lines = TEAS;
        lines.rotate_left(rotation);
        lines.swap(0, rotation);
        fs::write(folder.join("one.jsonl"), lines[..2].join("\n")).unwrap();
        fs::write(folder.join("two.jsonl"), lines[2..].join("\n")).unwrap();
        let ran = index(&folder, "build two.jsonl one.jsonl -o b.index --dimensions 64", &[]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(fs::read(folder.join("b.index")).unwrap(), bytes, "rotation {rotation}");
        assert!(ran.out.contains("6 items of model hashing-64, dimension 64: flat"), "{}", ran.out);
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_wrong_with_items_is_said_at_once_with_file_line_and_id() {
    let folder = folder("faults");
    let lines = [
        r#"{"id":"a","vector":[1,0]}"#,
        r#"{"id":"b","vector":[1,0,0]}"#,
        r#"{"id":"c","vector":[0,0]}"#,
        r#"{"id":"a","vector":[0,1]}"#,
        r#"{"vector":[0,1]}"#,
        r#"{"id":"d","vector":[0,1],"published":"soon"}"#,
        "{",
    ];
    fs::write(folder.join("bad.jsonl"), lines.join("\n")).unwrap();
    let ran = index(&folder, "build bad.jsonl -o x.index --model m --json", &[]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let told = ran.json();
    let details: Vec<String> = told["error"]["details"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| format!("{}: {}", d["pointer"], d["message"]))
        .collect();
    let details = details.join("\n");
    for part in [
        "bad.jsonl:2\": \"id 'b': its vector has 3",
        "bad.jsonl:3\": \"id 'c': its vector is all zeros",
        "bad.jsonl:4\": \"id 'a': it is there already, at bad.jsonl:1",
        "bad.jsonl:5\": \"`id` is missing",
        "bad.jsonl:6\": \"id 'd': field `published`",
        "bad.jsonl:7\": \"unreadable JSON",
    ] {
        assert!(details.contains(part), "{part}\n{details}");
    }
    assert!(!folder.join("x.index").exists());
    let ran = index(&folder, "build bad.jsonl -o x.index --model m", &[]);
    assert!(unwrapped(&ran.err).contains("bad.jsonl:3: id 'c': its vector is all zeros"), "{}", ran.err);
    fs::write(folder.join("good.jsonl"), lines[0]).unwrap();
    let ran = index(&folder, "build good.jsonl -o x.index", &[]);
    assert!(ran.code == 2 && ran.err.contains("--model is missing"), "{ran:?}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_matrix_takes_its_names_from_a_file() {
    let folder = folder("npy");
    let head = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n";
    let numbers: Vec<u8> = [1.0_f32, 0.0, 0.9, 0.1, 0.0, 1.0].iter().flat_map(|n| n.to_le_bytes()).collect();
    let npy =
        [b"\x93NUMPY\x01\x00", &(head.len() as u16).to_le_bytes()[..], head.as_bytes(), &numbers].concat();
    fs::write(folder.join("v.npy"), npy).unwrap();
    fs::write(folder.join("ids.txt"), "a\nb\nc\n").unwrap();
    let ran =
        index(&folder, "build v.npy --ids ids.txt --model mini -o v.index --kind sketch --depth 3", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let hits = index(&folder, "nearest v.index --item a -k 2 --json", &[]).json()["hits"].clone();
    assert_eq!((&hits[0]["id"], &hits[1]["id"]), (&json!("b"), &json!("c")));
    fs::write(folder.join("ids.txt"), "a\nb\n").unwrap();
    let ran = index(&folder, "build v.npy --ids ids.txt --model mini -o v.index", &[]);
    assert!(ran.code == 2 && ran.err.contains("3 rows, and there are 2 ids"), "{ran:?}");
    let ran = index(&folder, "nearest v.index --text tea", &[]);
    assert!(ran.code == 2 && ran.err.contains("come from 'mini'"), "{ran:?}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn nearest_takes_an_item_or_a_text_and_a_filter() {
    let folder = teas("nearest");
    assert_eq!(index(&folder, "build teas.jsonl -o t.index", &[]).code, 0);
    let ids = |ran: Ran| {
        let hits = ran.json()["hits"].as_array().unwrap().clone();
        hits.iter().map(|hit| hit["id"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    let ran = index(&folder, "nearest t.index --item sencha -k 1 --json", &[]);
    assert_eq!(ran.json()["hits"][0]["fields"]["published"], 1_793_577_600_000_u64);
    assert_eq!(ids(ran), ["matcha"]);
    let ran =
        run(&["index", "nearest", "t.index", "--text", "porcelain cup", "--json", "-k", "1"], &[], &folder);
    assert_eq!(ids(ran), ["gaiwan"]);
    let filter = r#"{"tests":[{"field":"topic","one_of":["cups"]},{"field":"price","max":10},{"field":"published","min":1793577600000}]}"#;
    let ran =
        run(&["index", "nearest", "t.index", "--item", "sencha", "--filter", filter, "--json"], &[], &folder);
    assert_eq!(ids(ran), ["mug"]);
    let ran = run(
        &["index", "nearest", "t.index", "--item", "sencha", "--filter", r#"{"tests":[{"field":"topics"}]}"#],
        &[],
        &folder,
    );
    assert!(ran.code == 0 && ran.out.contains("no item has `topics`"), "{ran:?}");
    let ran = index(&folder, "nearest t.index --item senche", &[]);
    assert!(ran.code == 2 && ran.err.contains("did you mean `sencha`?"), "{ran:?}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn fields_that_no_item_has_are_remarked_on() {
    let folder = teas("remark");
    let build = "build teas.jsonl -o t.index --dimensions 64 --filter-field price --filter-field topc";
    let ran = index(&folder, build, &[]);
    assert!(
        ran.code == 0
            && ran.out.contains("no item has `topc` as a field to filter by; did you mean `topic`?"),
        "{ran:?}"
    );
    let told = index(&folder, &format!("{build} --json"), &[]).json();
    assert!(told["remarks"][0].as_str().unwrap().contains("`topc`"), "{told}");
    let filter = r#"{"tests":[{"field":"topc","one_of":["tea"]}]}"#;
    let told = index(&folder, &format!("nearest t.index --item mug --json --filter {filter}"), &[]).json();
    assert!(told["remarks"][0].as_str().unwrap().contains("`topc`"), "{told}");
    assert_eq!((&told["remarks"][1], &told["hits"]), (&json!("no item passes the filter"), &json!([])));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_piece_that_does_not_show_yet_is_waited_for() {
    let folder = teas("wait");
    let site = Site::start();
    assert_eq!(index(&folder, "build teas.jsonl -o t.index --dimensions 64", &[]).code, 0);
    let n_asked =
        || site.sent().iter().filter(|sent| sent.line == "PUT /_edgeloom/admin/indexes/next").count();
    let put = "PUT /_edgeloom/admin/indexes/next";
    for _ in 0..2 {
        let (status, _, body) = problem(422, "Not an index", "There is no such piece.");
        site.script(put, (status, vec![("retry-after", "0".into())], body));
    }
    let ran = of_site(&folder, &site, "push next t.index");
    assert!(ran.code == 0 && ran.out.contains("in use: next, version"), "{ran:?}");
    assert_eq!((n_asked(), ran.err.matches("asking again").count()), (3, 1), "{ran:?}");
    // Neither what does not say when to come again, nor what is no matter of pieces.
    site.script(put, problem(422, "Not an index", "This is no piece."));
    assert_eq!((of_site(&folder, &site, "push next t.index").code, n_asked()), (1, 4));
    let (status, _, body) = problem(429, "Too many requests", "Later.");
    site.script(put, (status, vec![("retry-after", "0".into())], body));
    assert_eq!((of_site(&folder, &site, "push next t.index").code, n_asked()), (2, 5));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn pieces_are_sent_once_and_changes_go_on_top() {
    let folder = teas("push");
    let site = Site::start();
    assert_eq!(index(&folder, "build teas.jsonl -o t.index --dimensions 64", &[]).code, 0);
    let hash = hash_of(&fs::read(folder.join("t.index")).unwrap());
    let sent = |from: usize| -> Vec<String> {
        site.sent()[from..].iter().map(|sent| sent.line.replace("/_edgeloom/admin/", "")).collect()
    };
    let ran = of_site(&folder, &site, "push next t.index --dry-run");
    assert!(ran.code == 0 && ran.out.contains("1 of 1 pieces would be sent"), "{ran:?}");
    assert_eq!(sent(0), [format!("HEAD pieces/{hash}")]);
    let ran = of_site(&folder, &site, "push next t.index --message first");
    assert!(ran.code == 0 && ran.out.contains("in use: next, version"), "{ran:?}");
    assert_eq!(
        sent(1),
        [format!("HEAD pieces/{hash}"), format!("PUT pieces/{hash}"), "PUT indexes/next".into()]
    );
    assert_eq!(site.sent()[3].body, json!({ "pieces": [hash], "message": "first" }));
    assert_eq!(site.sent()[2].header("content-type"), Some("application/octet-stream"));
    of_site(&folder, &site, "push next t.index --json");
    assert_eq!(sent(4), [format!("HEAD pieces/{hash}"), "PUT indexes/next".into()]);

    fs::write(folder.join("new.jsonl"), r#"{"id":"oolong","text":"Half oxidised tea from Taiwan"}"#).unwrap();
    let ran = of_site(&folder, &site, "delta next --upsert new.jsonl --dimensions 64 --delete mug --json");
    assert_eq!(ran.code, 0, "{ran:?}");
    let delta = ran.json()["piece"].clone();
    assert_eq!((&delta["items"], &delta["deleted"]), (&json!(1), &json!(1)));
    let last = site.sent().pop().unwrap();
    assert_eq!(last.body["pieces"], json!([hash, delta["hash"]]));
    assert!(ran.json()["hint"].as_str().unwrap().contains("build the index anew"), "{ran:?}");
    // Said again, the same changes are named once.
    assert_eq!(of_site(&folder, &site, "delta next --upsert new.jsonl --dimensions 64 --delete mug").code, 0);
    let body = site.sent().pop().unwrap().body;
    assert_eq!(body["pieces"], json!([hash, delta["hash"]]));
    // What somebody else puts in use meanwhile is not overwritten.
    let live = of_site(&folder, &site, "list --json").json();
    assert_eq!(body["before"], live["indexes"][0]["version"]);
    site.script("PUT /_edgeloom/admin/indexes/next", problem(409, "Changed meanwhile", "It is 'x' now."));
    let ran = of_site(&folder, &site, "delta next --delete mug");
    assert!(ran.code == 1 && ran.err.contains("run the same command again"), "{ran:?}");
    assert!(!ran.err.contains("publish"), "{ran:?}");
    let ran = of_site(&folder, &site, "delta next --upsert new.jsonl --dimensions 32");
    assert!(
        ran.code == 2 && unwrapped(&ran.err).contains("'hashing-64', this would be 'hashing-32'"),
        "{ran:?}"
    );
    let ran = of_site(&folder, &site, "delta other --delete mug");
    assert!(ran.code == 2 && ran.err.contains("no index 'other'"), "{ran:?}");

    let ran = of_site(&folder, &site, "list");
    assert!(ran.code == 0 && ran.out.contains("hashing-64") && ran.out.contains("  earlier"), "{ran:?}");
    let version =
        of_site(&folder, &site, "list --json").json()["indexes"][0]["history"][0]["version"].clone();
    let ran = of_site(&folder, &site, &format!("rollback next {} -m oops", version.as_str().unwrap()));
    assert!(ran.code == 0 && ran.out.contains("back at: next"), "{ran:?}");
    let ran = of_site(&folder, &site, "rollback next nothing");
    assert!(ran.code == 2 && ran.err.contains("no such version"), "{ran:?}");
    let ran = of_site(&folder, &site, "push next teas.jsonl");
    assert!(ran.code == 2 && ran.err.contains("teas.jsonl"), "{ran:?}");
    fs::remove_dir_all(folder).unwrap();
}

/// An answer of an endpoint: a vector for each of so many texts, the last one first.
fn embeddings(n: usize) -> (u16, Vec<(&'static str, String)>, Value) {
    let data: Vec<Value> =
        (0..n).rev().map(|n| json!({ "index": n, "embedding": [1.0, n as f64] })).collect();
    (200, vec![], json!({ "data": data, "usage": { "total_tokens": 1_000 } }))
}

#[test]
fn an_endpoint_is_waited_for_and_its_bill_told() {
    let (folder, site) = (teas("endpoint"), Site::start());
    let call = format!(
        "build teas.jsonl -o t.index --embedder openai --endpoint {}/v1 --model tiny --price-per-million 20",
        site.url
    );
    let key = [("OPENAI_API_KEY", KEY)];
    let busy = (429, vec![("retry-after", "0".to_string())], json!({ "error": { "message": "slow down" } }));
    site.script("POST", busy);
    site.script("POST", embeddings(6));
    let ran = index(&folder, &call, &key);
    assert!(ran.code == 0 && ran.out.contains("6 texts, 1000 tokens, 0.0200 in all"), "{ran:?}");
    let sent = site.sent().pop().unwrap();
    assert_eq!(
        (sent.line.as_str(), sent.header("authorization")),
        ("POST /v1/embeddings", Some("Bearer sk-of-a-test"))
    );
    assert_eq!(sent.body["input"].as_array().unwrap().len(), 6);
    assert_eq!((&sent.body["model"], sent.body.get("dimensions")), (&json!("tiny"), None));

    fs::remove_file(folder.join("t.index")).unwrap();
    site.script("POST", embeddings(5));
    let ran = index(&folder, &call, &key);
    assert!(ran.code == 2 && ran.err.contains("5 vectors came for 6 texts"), "{ran:?}");
    // What the endpoint says goes to the terminal, but not the key in it.
    let refused = json!({ "error": { "message": format!("Incorrect API key provided: {KEY}") } });
    site.script("POST", (401, vec![], refused));
    let before = site.sent().len();
    let ran = index(&folder, &call, &key);
    assert!(
        ran.code == 2 && unwrapped(&ran.err).contains("status 401: Incorrect API key provided: [token]"),
        "{ran:?}"
    );
    assert_eq!(site.sent().len(), before + 1);
    assert!(!folder.join("t.index").exists());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn eval_judges_by_labels_and_by_a_log() {
    let folder = teas("eval");
    assert_eq!(index(&folder, "build teas.jsonl -o t.index --kind sketch", &[]).code, 0);
    let queries = [
        r#"{"query":"sencha","relevant":{"matcha":2,"gaiwan":1}}"#,
        r#"{"query":"stoneware mug","relevant":["mug","gone"]}"#,
    ];
    fs::write(folder.join("q.jsonl"), queries.join("\n")).unwrap();
    let ran = index(&folder, "eval t.index --queries q.jsonl -k 1,3 --json", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = ran.json()["queries"].clone();
    let kinds = told["kinds"].as_array().unwrap();
    let of = |kind: &str, k: u64| kinds.iter().find(|row| row["kind"] == kind && row["k"] == k).unwrap();
    // The nearest of each is right: precision 1 at 1, half of the relevant found.
    assert_eq!(
        (&of("exact", 1)["precision"]["value"], &of("exact", 1)["recall"]["value"]),
        (&json!(1.0), &json!(0.5))
    );
    assert_eq!(
        (&of("sketch, this index", 3)["ndcg_loss"], &told["unknown_relevant"]),
        (&json!(0.0), &json!(1))
    );
    // Then half asked for mugs, now all ask for tea.
    let asks = |query: &str, n: usize| vec![format!(r#"{{"query":"{query}","relevant":["sencha"]}}"#); n];
    let then = [asks("mug", 40), asks("sencha", 40)].concat().join("\n");
    fs::write(folder.join("then.jsonl"), &then).unwrap();
    fs::write(folder.join("now.jsonl"), asks("sencha", 80).join("\n")).unwrap();
    let eval = |now: &str| {
        let line = format!("eval t.index --queries {now} --before then.jsonl --category topic");
        index(&folder, &line, &[])
    };
    let ran = eval("now.jsonl");
    assert!(ran.code == 0 && ran.out.contains("against 80 earlier queries"), "{ran:?}");
    assert!(ran.out.contains("has moved"), "{ran:?}");
    assert!(eval("then.jsonl").out.contains("as before"));
    let row = |n: u32| {
        json!({ "row": n.to_string(), "slot": format!("next.{}", 1 + n % 2), "arm": if n.is_multiple_of(3) { "sencha" } else { "mug" },
                "time_millis": n * 1_000, "propensity": 0.5, "rewards": { "click": { "n": u32::from(n.is_multiple_of(5)) } } }).to_string()
    };
    fs::write(folder.join("log.ndjson"), (0..600).map(row).collect::<Vec<_>>().join("\n")).unwrap();
    let ran = index(&folder, "eval t.index --log log.ndjson --category topic", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for part in ["rate, every item equally often", "next  1", "as before", "20.00 % ("] {
        assert!(ran.out.contains(part), "{part}\n{}", ran.out);
    }
    fs::remove_dir_all(folder).unwrap();
}
