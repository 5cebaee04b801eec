//! A client of the Worker's admin API: publishes a configuration and asks for the state of the site.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// The runtime starts its objects with the first call.
const LIMIT: Duration = Duration::from_secs(30);

/// The admin API of one Worker.
pub struct Admin {
    agent: Agent,
    /// `http://host:port/_edgeloom/admin`.
    base: String,
    /// Value of the `Authorization` header.
    login: String,
}

impl Admin {
    /// The API of the Worker at `site`, e.g. `http://127.0.0.1:8787`.
    pub fn new(site: &str, token: &str) -> Self {
        let config = Agent::config_builder().timeout_global(Some(LIMIT)).http_status_as_error(false);
        Self {
            agent: config.build().into(),
            base: format!("{site}/_edgeloom/admin"),
            login: format!("Bearer {token}"),
        }
    }

    /// State of the site: `{snapshot: {version, sequence, …}, slots: [{slot, arms: [{arm, mean, p_best, …}]}], …}`.
    ///
    /// # Errors
    /// When the Worker doesn't answer or refuses.
    pub fn status(&self) -> Result<Value> {
        let request = self.agent.get(format!("{}/status", self.base)).header("authorization", &self.login);
        told(request.call().context("asking for the status")?)
    }

    /// Stores a configuration as the newest version, puts it in use and returns its version.
    ///
    /// # Errors
    /// When the Worker doesn't answer or refuses, or when somebody else stored one at the same moment.
    pub fn publish(&self, config: &Value) -> Result<String> {
        let address = format!("{}/config", self.base);
        let before = self.agent.get(&address).header("authorization", &self.login).call();
        let before = before.context("asking for the configuration")?;
        let tag = before.headers().get("etag").and_then(|tag| tag.to_str().ok());
        let condition = match (before.status().as_u16(), tag) {
            (200, Some(tag)) => ("if-match", tag.to_string()),
            (404, _) => ("if-none-match", "*".to_string()),
            _ => {
                told(before)?;
                bail!("the configuration has no ETag");
            }
        };
        let put =
            self.agent.put(&address).header("authorization", &self.login).header(condition.0, &condition.1);
        let put = put.content_type("application/json").send(config.to_string());
        let stored = told(put.context("sending the configuration")?)?;
        for warning in stored.get("warnings").and_then(Value::as_array).into_iter().flatten() {
            eprintln!("  {}", problem_line(warning));
        }
        let version = stored.get("version").and_then(Value::as_str).context("the Worker named no version")?;
        let publish = self.agent.post(format!("{}/publish", self.base)).header("authorization", &self.login);
        let publish =
            publish.content_type("application/json").send(json!({ "version": version }).to_string());
        told(publish.context("publishing")?)?;
        Ok(version.to_string())
    }
}

/// The body of a good answer; a bad one becomes an error with everything it names (RFC 9457).
fn told(mut response: Response<Body>) -> Result<Value> {
    let status = response.status();
    let text = response.body_mut().read_to_string().context("reading the answer")?;
    if status.is_success() {
        return serde_json::from_str(&text).context("the answer is not JSON");
    }
    let Ok(problem) = serde_json::from_str::<Value>(&text) else { bail!("the Worker says {status}") };
    let errors = problem.get("errors").and_then(Value::as_array);
    let fields: Vec<String> = errors.into_iter().flatten().map(problem_line).collect();
    let said = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
    bail!("the Worker says {status}: {}. {}\n{}", said("title"), said("detail"), fields.join("\n"))
}

fn problem_line(field: &Value) -> String {
    let said = |name: &str| field.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}: {}", said("pointer"), said("detail"))
}
