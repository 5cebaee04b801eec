//! The site's admin API over HTTPS. It knows addresses, conditions and refusals; not what is in a configuration.

use crate::problem::{Blame, Detail, Stop};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LINK, LOCATION};
use ureq::http::{HeaderValue, Method, Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};
use url::{Host, Url};

/// Time for one request, answer included, seconds; publishing waits for the key-value store.
const TIMEOUT_SECS: u64 = 30;
/// Slowest line that is waited for, bytes per second: 1 Mbit/s.
const LEAST_BYTES_PER_SEC: u64 = 125_000;
/// Largest answer that is read, bytes.
const MAX_ANSWER_BYTES: u64 = 16 << 20;

/// A secret that can be sent and never shown.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// Reads the token from an environment variable, so that it stands in no shell history.
    ///
    /// # Errors
    /// The variable is missing, empty or holds what no header can.
    pub fn from_env(variable: &str) -> Result<Self, Stop> {
        let help = "set it to a token of the site's ADMIN_TOKENS (what follows `kid:`)";
        let text = std::env::var(variable)
            .map_err(|_| Stop::new(format!("the environment variable {variable} holds no token"), help))?;
        Self::new(text.trim()).ok_or_else(|| Stop::new(format!("{variable} is not a token"), help))
    }

    /// A secret from its text; `None` where no header can hold it.
    pub fn new(text: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).ok()?;
        value.set_sensitive(true);
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(Self(value))
    }

    /// What goes into the header `Authorization`.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// The text without the token in it, in case a site sends it back.
    pub fn conceal(&self, text: &str) -> String {
        let token = self.0.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        token.map_or_else(|| text.to_string(), |token| text.replace(token, "[token]"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// What is on a site now.
#[derive(Debug)]
pub struct Live {
    /// Its version, hexadecimal.
    pub version: String,
    /// The configuration as the site has it.
    pub config: Value,
}

/// A configuration the site has taken.
#[derive(Debug, Deserialize)]
pub struct Stored {
    /// Its version, hexadecimal.
    pub version: String,
    /// Remarks of the site.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// A remark of the site on an item.
#[derive(Debug, Deserialize)]
pub struct Warning {
    /// JSON pointer.
    #[serde(default)]
    pub pointer: String,
    /// What is wrong; the older name is that of problem details.
    #[serde(alias = "detail", default)]
    pub message: String,
}

/// RFC 9457, as far as it is used.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProblemDetails {
    title: String,
    detail: String,
    errors: Vec<Warning>,
}

/// What a request brings.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// Nothing.
    Empty,
    /// A JSON value.
    Json(&'a Value),
    /// Bytes, which may take long: time for them comes on top.
    Bytes(&'a [u8]),
}

/// The admin API of one site.
#[derive(Debug)]
pub struct Remote {
    agent: Agent,
    base: Url,
    token: Token,
}

/// Where a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Here,
    /// On another one.
    Elsewhere,
}

/// Who speaks for us to a server that gets a secret.
pub fn agent(timeout: Duration, place: Place) -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        // The secret goes to the named server and nowhere else.
        .max_redirects(0)
        // A company's proxy is trusted exactly where the machine's browsers trust it.
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .user_agent(concat!("edgeloom/", env!("CARGO_PKG_VERSION")));
    // What is meant for this machine does not pass through another one.
    let config = if place == Place::Here { config.proxy(None) } else { config };
    config.build().into()
}

impl Remote {
    /// The API of the site at `url`, used with `token`.
    ///
    /// # Errors
    /// The address is no plain origin, or would send the token unencrypted to another machine.
    pub fn new(url: &str, token: Token) -> Result<Self, Stop> {
        let base = origin(url)?;
        let place = if base.scheme() == "http" { Place::Here } else { Place::Elsewhere };
        Ok(Self { agent: agent(Duration::from_secs(TIMEOUT_SECS), place), base, token })
    }

    /// The configuration on the site; `None` where there is none yet.
    ///
    /// # Errors
    /// No connection, or any answer other than a configuration with its version.
    pub fn live(&self) -> Result<Option<Live>, Stop> {
        let mut answer = self.send(Method::GET, "config", Payload::Empty, &[])?;
        let is_api =
            answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
        if answer.status() == 404 && is_api {
            return Ok(None);
        }
        let version = answer.headers().get(ETAG).and_then(version_in).map(String::from);
        let config: Value = self.accept(&mut answer)?;
        let version = version.ok_or_else(|| {
            Stop::new(
                "the site's configuration has no version",
                "is something between here and the site that removes ETag?",
            )
        })?;
        Ok(Some(Live { version, config }))
    }

    /// Stores a configuration in the place of `live`.
    ///
    /// # Errors
    /// No connection, a refusal, or somebody else was faster.
    pub fn store(&self, config: &Value, live: Option<&Live>, message: Option<&str>) -> Result<Stored, Stop> {
        let condition = match live {
            Some(live) => (IF_MATCH, format!("\"{}\"", live.version)),
            None => (IF_NONE_MATCH, "*".to_string()),
        };
        let mut answer =
            self.send(Method::PUT, &with_message("config", message), Payload::Json(config), &[condition])?;
        self.accept(&mut answer)
    }

    /// Puts a stored version in use: `publish`, or `rollback` to an earlier one.
    ///
    /// # Errors
    /// No connection or a refusal.
    pub fn choose(&self, how: &str, version: &str, message: Option<&str>) -> Result<Value, Stop> {
        let body = json!({ "version": version });
        let mut answer = self.send(Method::POST, &with_message(how, message), Payload::Json(&body), &[])?;
        self.accept(&mut answer)
    }

    /// Takes pages back: `what` names them.
    ///
    /// # Errors
    /// No connection or a refusal.
    pub fn purge(&self, what: &Value, message: Option<&str>) -> Result<Value, Stop> {
        let mut answer =
            self.send(Method::POST, &with_message("purge", message), Payload::Json(what), &[])?;
        self.accept(&mut answer)
    }

    /// What the site says under `path`: `status` or `versions`.
    ///
    /// # Errors
    /// No connection or a refusal.
    pub fn ask(&self, path: &str) -> Result<Value, Stop> {
        let mut answer = self.send(Method::GET, path, Payload::Empty, &[])?;
        self.accept(&mut answer)
    }

    /// A page of the log, and the path of the next one.
    ///
    /// # Errors
    /// No connection or a refusal.
    pub fn log(&self, path: &str) -> Result<(String, Option<String>), Stop> {
        let mut answer = self.send(Method::GET, path, Payload::Empty, &[])?;
        let link = answer.headers().get(LINK).and_then(|link| link.to_str().ok());
        let next = link.and_then(|link| link.split_once("/_edgeloom/admin/")?.1.split_once('>'));
        let next = next.map(|(path, _)| path.to_string());
        if !answer.status().is_success() {
            self.accept::<Value>(&mut answer)?;
        }
        let text = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string();
        let text = text.map_err(|error| {
            Stop::new(
                format!("the answer of {} broke off: {error}", self.base),
                "run it again: it goes on where it was",
            )
        })?;
        Ok((text, next))
    }

    /// Sends a request to what stands at `path` of the admin API.
    ///
    /// # Errors
    /// No connection.
    pub fn send(
        &self,
        method: Method,
        path: &str,
        body: Payload<'_>,
        headers: &[(ureq::http::HeaderName, String)],
    ) -> Result<Response<Body>, Stop> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}_edgeloom/admin/{path}", self.base))
            .header(AUTHORIZATION, self.token.0.clone());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let sent = match body {
            Payload::Json(body) => {
                let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
                request.map_err(ureq::Error::from).and_then(|request| self.agent.run(request))
            }
            Payload::Bytes(bytes) => {
                let request = request.header(CONTENT_TYPE, "application/octet-stream").body(bytes);
                let secs = TIMEOUT_SECS + bytes.len() as u64 / LEAST_BYTES_PER_SEC;
                request.map_err(ureq::Error::from).and_then(|request| {
                    let config = self.agent.configure_request(request);
                    self.agent.run(config.timeout_global(Some(Duration::from_secs(secs))).build())
                })
            }
            Payload::Empty => {
                request.body(()).map_err(ureq::Error::from).and_then(|request| self.agent.run(request))
            }
        };
        sent.map_err(|error| {
            Stop::new(format!("cannot reach {}: {error}", self.base), "is the address right?")
        })
    }

    /// What an answer holds.
    ///
    /// # Errors
    /// A refusal, a redirection, or an answer that is none of the admin API.
    pub fn accept<T: for<'de> Deserialize<'de>>(&self, answer: &mut Response<Body>) -> Result<T, Stop> {
        let status = answer.status();
        let location = answer.headers().get(LOCATION).and_then(|l| l.to_str().ok()).map(String::from);
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let body =
            body.map_err(|error| Stop::new(format!("the answer of {} broke off: {error}", self.base), ""))?;
        if let Some(location) = location.filter(|_| status.is_redirection()) {
            let message = self.token.conceal(&format!("{} redirects to {location}", self.base));
            return Err(Stop::new(message, "give the final address; the token follows no redirect"));
        }
        if !status.is_success() {
            return Err(self.refusal(status.as_u16(), &serde_json::from_slice(&body).unwrap_or_default()));
        }
        serde_json::from_slice(&body).map_err(|_| {
            let message = format!("{} answers, but not with what edgeloom's admin API says", self.base);
            Stop::new(message, "does the Worker stand in front of this address?")
        })
    }

    fn refusal(&self, status: u16, problem: &ProblemDetails) -> Stop {
        let said = match (problem.title.as_str(), problem.detail.as_str()) {
            ("", "") => String::new(),
            ("", text) | (text, "") => format!(": {text}"),
            (title, detail) => format!(": {title}: {detail}"),
        };
        let (blame, help) = match status {
            401 | 403 => {
                (Blame::Surroundings, "is the token one of the site's ADMIN_TOKENS (what follows `kid:`)?")
            }
            404 => (
                Blame::Surroundings,
                "`edgeloom versions` lists what is stored; does the Worker stand in front of this address?",
            ),
            409 | 412 => (
                Blame::Configuration,
                "fetch what the others changed (`edgeloom publish --dry-run --verbose` shows it), \
                 merge it into your file, then publish again; `edgeloom versions` says when it was stored",
            ),
            422 => (Blame::Configuration, ""),
            _ => (Blame::Surroundings, "nothing was published; try again"),
        };
        let details = problem.errors.iter().map(|error| Detail {
            pointer: error.pointer.clone(),
            message: self.token.conceal(&error.message),
        });
        let message = self.token.conceal(&format!("{} refuses with status {status}{said}", self.base));
        Stop { blame, details: details.collect(), ..Stop::new(message, help) }
    }
}

/// The version in an `ETag`; a proxy that compresses makes it weak without changing the version.
fn version_in(tag: &HeaderValue) -> Option<&str> {
    let tag = tag.to_str().ok()?;
    let version = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?;
    (!version.is_empty() && version.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(version)
}

fn with_message(path: &str, message: Option<&str>) -> String {
    let Some(message) = message else { return path.to_string() };
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("message", message).finish();
    format!("{path}?{query}")
}

fn origin(url: &str) -> Result<Url, Stop> {
    let help = "write scheme and host only, as in https://shop.example.org";
    let base = Url::parse(url).map_err(|error| Stop::new(format!("'{url}' is no address: {error}"), help))?;
    let is_loopback = match base.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    // Checked first and without showing it: it may hold a password.
    if !base.username().is_empty() || base.password().is_some() {
        return Err(Stop::new("the address holds a user name or password", help));
    }
    match base.scheme() {
        "https" => {}
        "http" if is_loopback => {}
        "http" => {
            let help = "use https://; plain http:// is for this machine only";
            return Err(Stop::new(format!("{url} would send the token unencrypted"), help));
        }
        _ => return Err(Stop::new(format!("'{url}' is no web address"), help)),
    }
    if base.path() != "/" || base.query().is_some() || base.fragment().is_some() {
        return Err(Stop::new(format!("'{url}' is more than a site"), help));
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_travels_encrypted_or_not_at_all() {
        for sound in
            ["https://shop.example", "http://localhost:8787", "http://127.0.0.1:1/", "http://[::1]:8787"]
        {
            assert!(origin(sound).is_ok(), "{sound}");
        }
        for refused in [
            "http://shop.example",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://192.168.0.1",
            "http://0x7f.1.example",
            "ftp://localhost",
            "shop.example",
            "",
            "https://shop.example/path",
            "https://shop.example/?a",
            "https://user:secret@shop.example",
            "http://user@localhost",
        ] {
            assert!(origin(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_password_in_the_address_is_not_repeated() {
        let stop = origin("https://user:hunter2@shop.example").unwrap_err();
        assert!(!format!("{stop:?}").contains("hunter2"));
    }

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::new("dev-only-token").unwrap();
        assert_eq!(format!("{token:?} {:?}", token.0), "Token Sensitive");
        assert_eq!(token.conceal("bad dev-only-token!"), "bad [token]!");
        assert!(Token::new("").is_none() && Token::new("a b").is_none() && Token::new("a\nb").is_none());
    }

    #[test]
    fn a_weak_tag_names_the_same_version() {
        let version = |tag: &'static str| version_in(&HeaderValue::from_static(tag)).map(String::from);
        assert_eq!(version("\"ab12\"").as_deref(), Some("ab12"));
        assert_eq!(version("W/\"ab12\"").as_deref(), Some("ab12"));
        assert_eq!(version("ab12"), None);
        assert_eq!(version("\"\""), None);
    }
}
