//! Vectors of texts from any endpoint that speaks OpenAI's `/embeddings`: batches, patience, and the bill. The key goes to that
//! address only, and is never shown.

use crate::problem::Stop;
use crate::remote::{Place, Token, agent};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{Request, Response};
use ureq::{Agent, Body};
use url::{Host, Url};

/// Where to unless another address is given.
pub const ADDRESS: &str = "https://api.openai.com/v1";
/// Most texts of one request; OpenAI takes 2,048, small servers fewer.
const MOST_TEXTS: usize = 128;
/// Most bytes of one request's texts: OpenAI takes 300,000 tokens, and a token has more than a byte.
const MOST_BYTES: usize = 250_000;
/// Tries for one batch.
const TRIES: u32 = 6;
/// Longest wait before another try, seconds.
const LONGEST_WAIT_SECS: u64 = 120;
/// Time for one request, seconds.
const TIMEOUT_SECS: u64 = 120;
/// Largest answer, bytes: 128 vectors of 4,096 numbers as text have 10 million.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// An endpoint and what is asked of it.
#[derive(Debug)]
pub struct Endpoint {
    agent: Agent,
    address: Url,
    key: Option<Token>,
    model: String,
    dimensions: Option<usize>,
}

/// What an answer holds.
#[derive(Debug, Deserialize)]
struct Answer {
    data: Vec<Item>,
    #[serde(default)]
    usage: Usage,
}

#[derive(Debug, Deserialize)]
struct Item {
    index: Option<usize>,
    embedding: Vec<f32>,
}

#[derive(Debug, Default, Deserialize)]
struct Usage {
    #[serde(default)]
    total_tokens: u64,
}

impl Endpoint {
    /// An endpoint at `address`, with the key from the environment variable `key_env`.
    ///
    /// # Errors
    /// The address is none, would send the key unencrypted to another machine, or there is no key for one elsewhere.
    pub fn new(address: &str, model: &str, key_env: &str, dimensions: Option<usize>) -> Result<Self, Stop> {
        let (address, is_here) = checked(address)?;
        let key = std::env::var(key_env).ok().filter(|key| !key.trim().is_empty());
        if key.is_none() && !is_here {
            let help = "name the variable that holds the key of the endpoint with --key-env";
            return Err(Stop::new(format!("the environment variable {key_env} holds no key"), help));
        }
        let key = key.map(|key| {
            Token::new(key.trim()).ok_or_else(|| Stop::new(format!("{key_env} is not a key"), ""))
        });
        let place = if is_here { Place::Here } else { Place::Elsewhere };
        Ok(Self {
            agent: agent(Duration::from_secs(TIMEOUT_SECS), place),
            address,
            key: key.transpose()?,
            model: model.into(),
            dimensions,
        })
    }

    /// The vectors of some texts in their order, and the tokens they took. `tick` hears of each batch.
    ///
    /// # Errors
    /// No connection, a refusal that waiting does not mend, an answer of another shape.
    pub fn embed(&self, texts: &[&str], tick: &dyn Fn(usize)) -> Result<(Vec<Vec<f32>>, u64), Stop> {
        let (mut vectors, mut tokens, mut rest) = (Vec::new(), 0, texts);
        while !rest.is_empty() {
            let (batch, then) = rest.split_at(batch_of(rest));
            let answer = self.batch(batch)?;
            tokens += answer.usage.total_tokens;
            vectors.extend(in_order(answer.data, batch.len()).map_err(|what| self.stop(&what))?);
            tick(batch.len());
            rest = then;
        }
        Ok((vectors, tokens))
    }

    fn batch(&self, texts: &[&str]) -> Result<Answer, Stop> {
        let mut body = json!({ "model": self.model, "input": texts, "encoding_format": "float" });
        if let (Some(dimensions), Some(body)) = (self.dimensions, body.as_object_mut()) {
            body.insert("dimensions".into(), dimensions.into());
        }
        let body = body.to_string();
        let mut tries = 1;
        loop {
            let (said, wait) = match self.send(&body) {
                Ok(mut answer) if answer.status().is_success() => return self.read(&mut answer),
                Ok(mut answer) => {
                    let status = answer.status().as_u16();
                    let wait = retry_after(&answer);
                    let said = format!("status {status}{}", self.reason(&mut answer));
                    if !matches!(status, 408 | 429 | 500 | 502 | 503 | 504) {
                        return Err(self.stop(&said));
                    }
                    (said, wait)
                }
                Err(error) => (error.to_string(), None),
            };
            if tries == TRIES {
                return Err(self.stop(&format!("{said}, after {TRIES} tries")));
            }
            // 1, 2, 4, 8, 16 seconds unless the endpoint says how long.
            let wait = wait.unwrap_or(1 << (tries - 1)).min(LONGEST_WAIT_SECS);
            std::thread::sleep(Duration::from_secs(wait));
            tries += 1;
        }
    }

    fn send(&self, body: &str) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::post(self.address.as_str()).header(CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.header());
        }
        self.agent.run(request.body(body)?)
    }

    fn read(&self, answer: &mut Response<Body>) -> Result<Answer, Stop> {
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let body = body.map_err(|error| self.stop(&format!("the answer broke off: {error}")))?;
        serde_json::from_slice(&body).map_err(|_| self.stop("the answer is none of /embeddings"))
    }

    /// What a refusal says, without the key in it.
    fn reason(&self, answer: &mut Response<Body>) -> String {
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec().unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let said = ["/error/message", "/error", "/message", "/detail"];
        let said = said.iter().find_map(|at| body.pointer(at).and_then(Value::as_str)).unwrap_or("");
        let said: String = said.chars().take(300).collect();
        let said = self.key.as_ref().map_or(said.clone(), |key| key.conceal(&said));
        if said.is_empty() { said } else { format!(": {said}") }
    }

    fn stop(&self, what: &str) -> Stop {
        let help = "nothing was written; are --endpoint, --model and the key right?";
        Stop::new(format!("{}: {what}", self.address), help)
    }
}

/// How many of the texts go into the next request, at least one.
fn batch_of(texts: &[&str]) -> usize {
    let mut bytes = 0;
    let fits = |text: &&&str| {
        bytes += text.len();
        bytes <= MOST_BYTES
    };
    texts.iter().take(MOST_TEXTS).take_while(fits).count().max(1)
}

/// The vectors in the order of their texts: each of them, and none twice.
fn in_order(items: Vec<Item>, wanted: usize) -> Result<Vec<Vec<f32>>, String> {
    if items.len() != wanted {
        return Err(format!("{} vectors came for {wanted} texts", items.len()));
    }
    let mut vectors = vec![None; wanted];
    for (place, item) in items.into_iter().enumerate() {
        let at = item.index.unwrap_or(place);
        match vectors.get_mut(at) {
            Some(slot @ None) => *slot = Some(item.embedding),
            _ => return Err(format!("index {at} came twice, or is of no text")),
        }
    }
    Ok(vectors.into_iter().flatten().collect())
}

fn retry_after(answer: &Response<Body>) -> Option<u64> {
    answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// The address of `/embeddings`, and whether it is on this machine.
fn checked(address: &str) -> Result<(Url, bool), Stop> {
    let help = "write it as in https://api.openai.com/v1 or http://localhost:11434/v1";
    let mut url = Url::parse(address)
        .map_err(|error| Stop::new(format!("'{address}' is no address: {error}"), help))?;
    // Checked first and without showing it.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Stop::new("the endpoint's address holds a user name or password", help));
    }
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if is_here => {}
        "http" => return Err(Stop::new(format!("{address} would send texts and key unencrypted"), help)),
        _ => return Err(Stop::new(format!("'{address}' is no web address"), help)),
    }
    let path = url.path().trim_end_matches('/');
    let path = if path.ends_with("/embeddings") { path.to_string() } else { format!("{path}/embeddings") };
    url.set_path(&path);
    Ok((url, is_here))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_travels_encrypted_or_on_this_machine_only() {
        let address = |text| checked(text).map(|(url, is_here)| (url.to_string(), is_here));
        assert_eq!(address(ADDRESS), Ok(("https://api.openai.com/v1/embeddings".into(), false)));
        assert_eq!(address("http://[::1]:1/embeddings"), Ok(("http://[::1]:1/embeddings".into(), true)));
        for refused in ["http://api.example/v1", "ftp://localhost", "x", "https://me:hunter2@api.example"] {
            let stop = checked(refused).unwrap_err();
            assert!(!stop.message.contains("hunter2"), "{stop}");
        }
    }

    #[test]
    fn vectors_are_put_in_the_order_of_their_texts() {
        let item = |index, number: f32| Item { index, embedding: vec![number] };
        assert_eq!(in_order(vec![item(Some(1), 1.0), item(Some(0), 0.0)], 2), Ok(vec![vec![0.0], vec![1.0]]));
        assert_eq!(in_order(vec![item(None, 1.0), item(None, 0.0)], 2), Ok(vec![vec![1.0], vec![0.0]]));
        assert!(in_order(vec![item(Some(0), 1.0), item(Some(0), 0.0)], 2).is_err());
        assert!(in_order(vec![item(Some(0), 1.0)], 2).unwrap_err().contains("1 vectors came for 2 texts"));
        assert!(in_order(vec![item(Some(2), 1.0)], 1).is_err());
    }

    #[test]
    fn a_batch_holds_so_many_texts_and_bytes_and_at_least_one() {
        let long = "x".repeat(MOST_BYTES);
        assert_eq!(batch_of(&[&long, "a"]), 1);
        assert_eq!(batch_of(&[&(long.clone() + "x")]), 1);
        assert_eq!(batch_of(&["a"; 300]), MOST_TEXTS);
    }
}
