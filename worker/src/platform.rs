//! Calls to the platform, by way of a few lines of JavaScript (`platform.js`): stores, queue, objects, bodies, time.
//!
//! The `worker` crate has all of them; but its builders turn options into JavaScript objects with a serialiser of
//! their own, and each kind of future brings its code, together a twentieth of the wasm.

use js_sys::{Array, JsString, Uint8Array};
use std::time::Duration;
use wasm_bindgen::prelude::*;
use worker::{Env, Error, Response, Result, web_sys};

/// Our objects answer with less.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

#[wasm_bindgen(module = "/src/platform.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = callObject)]
    #[allow(clippy::too_many_arguments, reason = "one crossing instead of an object")]
    async fn call_object(
        env: &Env,
        binding: &str,
        name: &str,
        path: &str,
        method: &str,
        lines: &Array,
        body: &JsValue,
        millis: u32,
    ) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = kvGet)]
    async fn kv_get_js(
        env: &Env,
        binding: &str,
        key: &str,
        cache_secs: u32,
        millis: u32,
    ) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = kvPut)]
    async fn kv_put_js(
        env: &Env,
        binding: &str,
        key: &str,
        bytes: &Uint8Array,
        millis: u32,
    ) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = queueSend)]
    async fn queue_send_js(env: &Env, binding: &str, texts: &Array) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = isWithinRate)]
    async fn is_within_rate_js(env: &Env, binding: &str, key: &str) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = bodyOf)]
    async fn body_of(message: &JsValue, limit_bytes: u32) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = sleep)]
    async fn sleep_js(millis: u32) -> JsValue;
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// A request to a Durable Object.
pub struct Call<'c> {
    /// Binding of its class.
    pub binding: &'c str,
    /// Its name.
    pub name: &'c str,
    /// Path with query.
    pub path: &'c str,
    /// `GET` or `POST`.
    pub method: &'c str,
    /// Headers.
    pub lines: &'c [(&'c str, &'c str)],
    /// Body, where there is one.
    pub body: Option<&'c [u8]>,
    /// How long to wait.
    pub limit: Duration,
}

impl Call<'_> {
    /// The answer; each call reaches the object anew, for a stub that failed stays broken.
    ///
    /// # Errors
    /// What the object throws, or no answer in time.
    pub async fn send(&self, env: &Env) -> Result<Response> {
        let lines = Array::new();
        for (name, value) in self.lines {
            lines.push(&JsValue::from_str(name));
            lines.push(&JsValue::from_str(value));
        }
        let body = self.body.map_or(JsValue::UNDEFINED, |bytes| Uint8Array::from(bytes).into());
        let answer = call_object(
            env,
            self.binding,
            self.name,
            self.path,
            self.method,
            &lines,
            &body,
            millis(self.limit),
        );
        Ok(answer.await?.unchecked_into::<web_sys::Response>().into())
    }
}

/// A KV value; `cache_secs` as long as a data centre keeps it, 0 for the platform's default.
///
/// # Errors
/// What KV says, or nothing in time.
pub async fn kv_get(
    env: &Env,
    binding: &str,
    key: &str,
    cache_secs: u32,
    limit: Duration,
) -> Result<Option<Vec<u8>>> {
    let value = kv_get_js(env, binding, key, cache_secs, millis(limit)).await?;
    Ok((!value.is_null()).then(|| value.unchecked_into::<Uint8Array>().to_vec()))
}

/// Writes a KV value.
///
/// # Errors
/// What KV says, or nothing in time.
pub async fn kv_put(env: &Env, binding: &str, key: &str, bytes: &[u8], limit: Duration) -> Result<()> {
    kv_put_js(env, binding, key, &Uint8Array::from(bytes), millis(limit)).await?;
    Ok(())
}

/// Sends texts as messages of their own.
///
/// # Errors
/// What the queue says.
pub async fn queue_send(env: &Env, binding: &str, texts: &[String]) -> Result<()> {
    let texts: Array = texts.iter().map(|text| JsString::from(text.as_str())).collect();
    queue_send_js(env, binding, &texts).await?;
    Ok(())
}

/// Whether a client stays within the rate.
///
/// # Errors
/// What the limiter says.
pub async fn is_within_rate(env: &Env, binding: &str, key: &str) -> Result<bool> {
    Ok(is_within_rate_js(env, binding, key).await?.is_truthy())
}

/// The bytes of a request or a response; `None` when there are more than allowed.
///
/// # Errors
/// The stream breaks off.
pub async fn body(message: &JsValue, limit_bytes: usize) -> Result<Option<Vec<u8>>> {
    let limit = u32::try_from(limit_bytes).map_err(|_| Error::RustError("a limit beyond 4 GiB".into()))?;
    let body = body_of(message, limit).await?;
    Ok((!body.is_null()).then(|| body.unchecked_into::<Uint8Array>().to_vec()))
}

/// The body of an answer of one of our own objects.
///
/// # Errors
/// The answer breaks off.
pub async fn answer_body(response: Response) -> Result<Vec<u8>> {
    let response = web_sys::Response::from(response);
    Ok(body(response.as_ref(), MAX_ANSWER_BYTES).await?.unwrap_or_default())
}

/// Waits.
pub async fn sleep(time: Duration) {
    sleep_js(millis(time)).await;
}
