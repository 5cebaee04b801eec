//! The admin API of a site, as a client sees it: one request, one answer or the service's own words why not.

use crate::failure::Failure;
use crate::output::printable;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::net::IpAddr;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{HeaderValue, Method, Request, Response, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};

/// A publication computes P(best) of every slot; longer than this and something is wrong.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is read.
const MAX_ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// Where a site is and what opens it.
pub struct Access {
    base: String,
    is_loopback: bool,
    token: HeaderValue,
}

impl Access {
    /// Takes the token from the environment: an argument would be seen by every process of the machine.
    ///
    /// # Errors
    /// No token, one that no header can carry, or an address that is none or would send the token in the clear.
    pub fn from_env(url: &str, token_env: &str) -> Result<Self, Failure> {
        let token = std::env::var(token_env).unwrap_or_default();
        if token.trim().is_empty() {
            let message = format!(
                "{token_env} is not set; hint: set it to the admin token, or name another variable with --token-env"
            );
            return Err(Failure::unusable(message));
        }
        Self::new(url, token.trim()).map_err(Failure::unusable)
    }

    fn new(url: &str, token: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| no_address(url))?;
        let (scheme, host) = (uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default());
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        if host.is_empty()
            || authority.contains('@')
            || !matches!(uri.path(), "" | "/")
            || uri.query().is_some()
        {
            return Err(no_address(url));
        }
        let is_loopback = is_loopback(host);
        match scheme {
            "https" => {}
            "http" if is_loopback => {}
            "http" => return Err("http:// would send the token in the clear; hint: use https://".to_string()),
            _ => return Err(no_address(url)),
        }
        let mut token = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
            "the token has characters no header can carry; hint: was it copied whole?".to_string()
        })?;
        token.set_sensitive(true);
        Ok(Self { base: format!("{scheme}://{authority}"), is_loopback, token })
    }
}

fn no_address(url: &str) -> String {
    format!("'{}' is no address of a site; hint: as in https://www.example.org", printable(url))
}

fn is_loopback(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    ip.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |ip| ip.is_loopback())
}

/// The admin API of one site.
pub struct Site {
    agent: Agent,
    access: Access,
}

/// An answer that is none of the service's refusals.
#[derive(Debug)]
pub struct Answer {
    /// The body.
    pub text: String,
    /// The version of what was read, as `If-Match` wants it.
    pub tag: Option<String>,
}

/// What `If-Match` and `If-None-Match` say.
pub enum Condition {
    /// Only if it is still this version.
    Match(String),
    /// Only if there is none.
    Absent,
}

/// A refusal in the words of the service (RFC 9457).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// What kind of problem it is.
    pub title: String,
    /// What is wrong in this case.
    pub detail: String,
    /// The fields that are wrong.
    pub errors: Vec<FieldError>,
}

/// A field that is wrong, or a remark on one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FieldError {
    /// JSON pointer into what was sent.
    pub pointer: String,
    /// What is wrong with it.
    #[serde(alias = "message")]
    pub detail: String,
}

/// No answer to use.
#[derive(Debug)]
pub enum Refusal {
    /// The service said no.
    Problem(Problem),
    /// Nobody answered, or in no way that can be understood.
    Failure(Failure),
}

impl Site {
    /// Connects to nothing yet.
    pub fn new(access: Access) -> Self {
        let mut config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            // A redirect could carry the token elsewhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // The machine's own roots: a company's proxy is trusted here exactly where its browsers trust it.
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .user_agent(concat!("edgeloom/", env!("CARGO_PKG_VERSION")));
        if access.is_loopback {
            config = config.proxy(None);
        }
        Self { agent: config.build().new_agent(), access }
    }

    /// Reads something; a refusal is a failure.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub fn get(&self, what: &str) -> Result<Answer, Failure> {
        self.try_get(what).map_err(Failure::from)
    }

    /// Reads something.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub fn try_get(&self, what: &str) -> Result<Answer, Refusal> {
        self.send(self.request(Method::GET, what, ""), "")
    }

    /// Stores the configuration.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub fn put_config(&self, json: &str, condition: &Condition, message: &str) -> Result<Answer, Refusal> {
        let request = self.request(Method::PUT, "config", message);
        let request = match condition {
            Condition::Match(tag) => request.header(header::IF_MATCH, tag),
            Condition::Absent => request.header(header::IF_NONE_MATCH, "*"),
        };
        self.send(request, json)
    }

    /// Puts a version in use: `publish` or `rollback`.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub fn choose(&self, what: &str, version: &str, message: &str) -> Result<Answer, Refusal> {
        let body = serde_json::json!({ "version": version }).to_string();
        self.send(self.request(Method::POST, what, message), &body)
    }

    fn request(&self, method: Method, what: &str, message: &str) -> ureq::http::request::Builder {
        let query =
            if message.is_empty() { String::new() } else { format!("?message={}", percent_encoded(message)) };
        Request::builder()
            .method(method)
            .uri(format!("{}/_edgeloom/admin/{what}{query}", self.access.base))
            .header(header::AUTHORIZATION, self.access.token.clone())
            .header(header::ACCEPT, "application/json")
    }

    fn send(&self, request: ureq::http::request::Builder, body: &str) -> Result<Answer, Refusal> {
        let failed = |error: ureq::Error| {
            let message =
                format!("{} does not answer: {error}; hint: is the address right?", self.access.base);
            Refusal::Failure(Failure::unusable(message))
        };
        let response = if body.is_empty() {
            self.agent.run(request.body(()).map_err(ureq::Error::from).map_err(failed)?)
        } else {
            let request = request.header(header::CONTENT_TYPE, "application/json");
            self.agent.run(request.body(body).map_err(ureq::Error::from).map_err(failed)?)
        };
        let mut response = response.map_err(failed)?;
        let text =
            response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string().map_err(failed)?;
        if response.status().is_success() {
            return Ok(Answer { text, tag: tag(&response) });
        }
        Err(Refusal::Problem(problem(response.status().as_u16(), &text)))
    }
}

impl Answer {
    /// The body as what it should be.
    ///
    /// # Errors
    /// It is something else, as when another server answers at this address.
    pub fn document<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.text).map_err(|error| {
            Failure::unusable(format_args!(
                "the answer is not the admin API's ({error}); hint: does Edgeloom run at this address, in this version?"
            ))
        })
    }
}

/// A proxy that compresses makes the tag weak, and a weak one matches nothing.
fn tag(response: &Response<ureq::Body>) -> Option<String> {
    let tag = response.headers().get(header::ETAG)?.to_str().ok()?;
    Some(tag.strip_prefix("W/").unwrap_or(tag).to_string())
}

fn problem(status: u16, text: &str) -> Problem {
    let mut problem: Problem = serde_json::from_str(text).unwrap_or_default();
    problem.status = status;
    if problem.title.is_empty() {
        problem.title = "an answer that is not the admin API's".to_string();
    }
    problem
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failure(failure) => failure,
            Refusal::Problem(problem) => problem.into(),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let Problem { status, title, detail, errors } = problem;
        let details =
            errors.iter().map(|error| format!(" {}: {}", error.pointer, error.detail)).collect::<String>();
        let hint = match status {
            300..=399 => "; hint: give the address the site redirects to",
            404 if detail.is_empty() => "; hint: does Edgeloom run at this address?",
            401 => "; hint: is it a token of the Worker's ADMIN_TOKENS?",
            412 => "; hint: somebody else changed it meanwhile: get their file, merge, and publish again",
            503 => "; hint: try again in a moment",
            _ => "",
        };
        // A hint of the service is better than one of ours.
        let hint = if detail.contains("hint: ") || details.contains("hint: ") { "" } else { hint };
        let said = format!("{detail}{details}");
        let colon = if said.is_empty() { "" } else { ": " };
        let message = format!("the site refused ({status} {title}){colon}{said}{hint}");
        match status {
            400 | 404 | 409 | 412 | 413 | 422 | 428 => Self::refused(message),
            _ => Self::unusable(message),
        }
    }
}

/// A text for a query: everything but unreserved characters (RFC 3986, 2.3) as bytes.
fn percent_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A value of an answer as text, whatever it is.
pub fn text_of(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_string(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_over_https_or_stays_on_this_machine() {
        for fine in [
            "https://example.org",
            "https://example.org:8443/",
            "http://localhost:8787",
            "http://127.0.0.1",
            "http://[::1]:1",
        ] {
            assert!(Access::new(fine, "t").is_ok(), "{fine}");
        }
        for refused in [
            "http://example.org",
            "http://localhost.example.org",
            "http://127.0.0.1.example.org",
            "ftp://localhost",
            "example.org",
            "https://user:word@example.org",
            "http://localhost@example.org",
            "https://example.org/path",
            "https://",
            "",
            "https://a b",
        ] {
            assert!(Access::new(refused, "t").is_err(), "{refused}");
        }
    }

    #[test]
    fn a_message_fits_into_an_address() {
        assert_eq!(percent_encoded("a b&é=%"), "a%20b%26%C3%A9%3D%25");
    }
}
