//! A site that speaks the admin API on loopback: enough of HTTP and of the contract to publish to.

use crate::program::{Ran, TOKEN, fixtures, run};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a client sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Method and path with query, e.g. `PUT /_edgeloom/admin/config`.
    pub line: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body as JSON; null where there is none.
    pub body: Value,
    /// Body as it came.
    pub bytes: Vec<u8>,
}

impl Sent {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// An answer: status, extra headers, body.
pub type Answer = (u16, Vec<(&'static str, String)>, Value);

#[derive(Default)]
struct State {
    config: Option<(String, Value)>,
    sequence: u64,
    sent: Vec<Sent>,
    scripted: VecDeque<(&'static str, Answer)>,
    pieces: BTreeMap<String, usize>,
    indexes: BTreeMap<String, Vec<Value>>,
}

/// A running site; it ends with the test process.
#[derive(Clone)]
pub struct Site {
    /// Its address.
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Site {
    /// Starts a site without a configuration.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let site = Self { url, state: Arc::default() };
        let serving = site.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serving.serve(stream);
            }
        });
        site
    }

    /// Answers the next request that starts with `line` otherwise than by the contract.
    pub fn script(&self, line: &'static str, answer: Answer) {
        self.state.lock().unwrap().scripted.push_back((line, answer));
    }

    /// Puts a configuration on the site, as somebody else would.
    pub fn put(&self, config: Value) {
        self.state.lock().unwrap().config = Some((version_of(&config), config));
    }

    /// The configuration on the site.
    pub fn config(&self) -> Option<Value> {
        self.state.lock().unwrap().config.clone().map(|(_, config)| config)
    }

    /// Everything that was sent.
    pub fn sent(&self) -> Vec<Sent> {
        self.state.lock().unwrap().sent.clone()
    }

    /// Runs `edgeloom` in the folder of the fixtures with this site and its token.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        run(arguments, &[("EDGELOOM_URL", &self.url), ("EDGELOOM_TOKEN", TOKEN)], &fixtures())
    }

    fn serve(&self, mut stream: TcpStream) {
        let Some(sent) = receive(&stream) else { return };
        let (status, headers, body) = self.answer(&sent);
        let body = body.to_string();
        let kind = if status < 400 { "application/json" } else { "application/problem+json" };
        let mut head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n",
            body.len()
        );
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let body = if sent.line.starts_with("HEAD ") { "" } else { &body };
        let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
    }

    fn answer(&self, sent: &Sent) -> Answer {
        let mut state = self.state.lock().unwrap();
        state.sent.push(sent.clone());
        let is_next = state.scripted.front().is_some_and(|(line, _)| sent.line.starts_with(line));
        if let Some((_, answer)) = is_next.then(|| state.scripted.pop_front()).flatten() {
            return answer;
        }
        if sent.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return problem(401, "Not authorised", "Send a token of ADMIN_TOKENS.");
        }
        if let Some(answer) = of_indexes(&mut state, sent) {
            return answer;
        }
        let (line, _query) = sent.line.split_once('?').unwrap_or((&sent.line, ""));
        let etag = |version: &str| vec![("etag", format!("\"{version}\""))];
        match line.replace("/_edgeloom/admin", "").as_str() {
            "GET /config" => match &state.config {
                Some((version, config)) => (200, etag(version), config.clone()),
                None => problem(404, "Not found", "There is no configuration yet."),
            },
            "PUT /config" => {
                let head = state.config.as_ref().map(|(version, _)| format!("\"{version}\""));
                let is_right = match (sent.header("if-match"), sent.header("if-none-match")) {
                    (Some(tag), None) => head.as_deref() == Some(tag),
                    (None, Some("*")) => head.is_none(),
                    _ => return problem(428, "Precondition required", "Say which version you changed."),
                };
                if !is_right {
                    return problem(412, "Precondition failed", "The configuration was changed meanwhile.");
                }
                let version = version_of(&sent.body);
                state.config = Some((version.clone(), sent.body.clone()));
                (200, etag(&version), json!({ "version": version, "warnings": [] }))
            }
            "POST /publish" | "POST /rollback" => {
                state.sequence += 1;
                let answer = json!({ "version": sent.body["version"], "snapshot": "feed", "sequence": state.sequence });
                (200, vec![], answer)
            }
            "POST /purge" => (200, vec![], sent.body.clone()),
            "GET /versions" => {
                let version = state.config.as_ref().map(|(version, _)| version.clone());
                (200, vec![], json!({ "versions": [{ "version": version, "at_millis": 0 }] }))
            }
            "GET /status" => (200, vec![], json!({ "site": "shop", "slots": [] })),
            _ => problem(404, "Not found", "There is nothing at this address."),
        }
    }
}

/// The part of the contract on pieces and indexes. Items are not counted here: each piece says one.
fn of_indexes(state: &mut State, sent: &Sent) -> Option<Answer> {
    let (method, path) = sent.line.split_once(" /_edgeloom/admin/")?;
    if let Some(hash) = path.strip_prefix("pieces/") {
        return Some(match method {
            "HEAD" if state.pieces.contains_key(hash) => (200, vec![], Value::Null),
            "PUT" if hash_of(&sent.bytes) == hash => {
                state.pieces.insert(hash.into(), sent.bytes.len());
                (201, vec![], json!({ "hash": hash }))
            }
            "PUT" => problem(422, "Not that piece", "The bytes have another hash."),
            _ => problem(404, "Not found", "There is no such piece."),
        });
    }
    if path == "indexes" {
        let all = state.indexes.values().map(|versions| {
            let mut index = versions.last().cloned().unwrap_or_default();
            index["history"] = versions.iter().rev().skip(1).cloned().collect();
            index
        });
        return Some((200, vec![], json!({ "indexes": all.collect::<Vec<_>>() })));
    }
    let (name, is_rollback) = match path.strip_prefix("indexes/")?.split_once('/') {
        Some((name, "rollback")) => (name, true),
        Some(_) => return None,
        None => (path.strip_prefix("indexes/")?, false),
    };
    let versions = state.indexes.entry(name.into()).or_default();
    if is_rollback {
        let earlier = versions.iter().find(|index| index["version"] == sent.body["version"]).cloned();
        return Some(
            earlier
                .map_or(problem(404, "Not found", "There is no such version."), |index| (200, vec![], index)),
        );
    }
    let hashes: Vec<String> =
        sent.body["pieces"].as_array()?.iter().filter_map(|hash| Some(hash.as_str()?.into())).collect();
    if !hashes.iter().all(|hash| state.pieces.contains_key(hash)) {
        return Some(problem(422, "Piece missing", "Bring it first."));
    }
    let pieces: Value =
        hashes.iter().map(|hash| json!({ "hash": hash, "items": 1, "bytes": state.pieces[hash] })).collect();
    let index = json!({
        "name": name, "version": hash_of(hashes.join(",").as_bytes())[..8], "model": "hashing-64", "dimension": 64,
        "items": hashes.len(), "bytes": 1, "pieces": pieces, "created_millis": 0, "message": sent.body["message"],
    });
    versions.push(index.clone());
    Some((200, vec![], index))
}

/// SHA-256, hexadecimal.
pub fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A problem as RFC 9457 has it.
pub fn problem(status: u16, title: &str, detail: &str) -> Answer {
    (status, vec![], json!({ "type": "about:blank", "title": title, "status": status, "detail": detail }))
}

fn version_of(config: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    config.to_string().hash(&mut hasher);
    format!("{:032x}", hasher.finish())
}

fn receive(stream: &TcpStream) -> Option<Sent> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let line = first.rsplit_once(' ')?.0.to_string();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Sent { line, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null), bytes: body })
}
