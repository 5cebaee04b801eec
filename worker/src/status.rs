//! `GET /_edgeloom/status`: the state of the site as a page of its own, rendered here (`status/page.js`), without script.

use crate::admin::{login, unknown, unreachable_root};
use crate::bindings::settings;
use crate::ledger::root_call;
use crate::platform::{self, Env, Request, Response, console_error};
use crate::problem::Problem;
use crate::respond;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/status/page.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = pageOfStatus)]
    fn page_of_status(json: &str) -> Result<String, JsValue>;

    #[wasm_bindgen(catch, js_name = policyOfStatus)]
    async fn policy_of_status() -> Result<JsValue, JsValue>;
}

/// Answers the route.
///
/// # Errors
/// No valid token; the root does not answer.
pub async fn answer(request: Request, env: &Env) -> Result<Response, Problem> {
    let settings = settings(env);
    login(&request, &settings.admin)
        .ok_or_else(|| unknown("ADMIN_TOKENS", "Basic realm=\"edgeloom status\", charset=\"UTF-8\""))?;
    let answer = root_call::get(env, &settings.site, "/status").await.map_err(unreachable_root)?;
    if answer.status() != 200 {
        return Ok(answer);
    }
    let json = platform::answer_body(answer).await.map_err(unreachable_root)?;
    let html = page_of_status(&String::from_utf8_lossy(&json)).map_err(broken)?;
    let policy = policy_of_status().await.map_err(broken)?.as_string().unwrap_or_default();
    let response = respond::with(200, "text/html; charset=utf-8", html.into_bytes());
    respond::set(&response, "content-security-policy", &policy);
    Ok(response)
}

fn broken(error: JsValue) -> Problem {
    console_error!("status: {}", platform::Error::from(error));
    Problem::internal()
}
