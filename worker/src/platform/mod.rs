//! The platform as we use it, by way of a few lines of JavaScript (`platform.js`): stores, queue, objects, bodies, time.
//!
//! Types are those of `worker-sys`, the raw half of workers-rs. The `worker` crate on top of it has all of this and much more,
//! but what it exports can't be left out by the linker, its builders turn options into objects with a serialiser of their
//! own, and each kind of future brings its code: a tenth of the wasm.

mod error;
mod http;
mod object;
mod trap;

pub use error::{Error, Result};
pub use http::{Method, Request, Response};
pub use object::State;
pub use worker_sys::{Context, Message, MessageBatch};

use js_sys::{Array, JsString, Promise, Uint8Array};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

/// Our objects answer with less.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

#[wasm_bindgen(module = "/src/platform/platform.js")]
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

    #[wasm_bindgen(catch, js_name = kvPutFor)]
    async fn kv_put_for_js(
        env: &Env,
        binding: &str,
        key: &str,
        bytes: &Uint8Array,
        seconds: f64,
        millis: u32,
    ) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = kvDelete)]
    async fn kv_delete_js(
        env: &Env,
        binding: &str,
        key: &str,
        millis: u32,
    ) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = kvHas)]
    async fn kv_has_js(
        env: &Env,
        binding: &str,
        key: &str,
        millis: u32,
    ) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = sha256)]
    async fn sha256_js(bytes: &Uint8Array) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = queueSend)]
    async fn queue_send_js(env: &Env, binding: &str, texts: &Array) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = isWithinRate)]
    async fn is_within_rate_js(env: &Env, binding: &str, key: &str) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = bodyOf)]
    async fn body_of(message: &JsValue, limit_bytes: u32) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = sleep)]
    async fn sleep_js(millis: u32) -> JsValue;

    #[wasm_bindgen(catch, js_name = assetOf)]
    async fn asset_of(env: &Env, request: &Request) -> std::result::Result<JsValue, JsValue>;
}

#[wasm_bindgen]
extern "C" {
    /// Bindings, variables and secrets of this deployment.
    #[derive(Debug, Clone)]
    pub type Env;

    #[doc(hidden)]
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub fn log_error(text: &str);
}

/// Writes a line to the log, as `println` writes it.
macro_rules! console_error {
    ($($words:tt)*) => { $crate::platform::log_error(&format!($($words)*)) };
}
pub(crate) use console_error;

/// Goes on with something after the response.
pub fn wait_until(context: &Context, future: impl Future<Output = ()> + 'static) {
    // Fails where the event is over, and then nobody is left to wait for it.
    let _ = context.wait_until(&quiet(future));
}

/// The promise of a future that has nothing to say.
fn quiet(future: impl Future<Output = ()> + 'static) -> Promise {
    promise(async {
        future.await;
        Ok(JsValue::UNDEFINED)
    })
}

/// The name of a batch's queue.
pub fn queue_name(batch: &MessageBatch) -> String {
    batch.queue().map(String::from).unwrap_or_default()
}

/// The messages of a batch.
pub fn messages(batch: &MessageBatch) -> Vec<Message> {
    batch.messages().map(|list| list.iter().map(JsCast::unchecked_into).collect()).unwrap_or_default()
}

/// The text of a message; empty for anything else.
pub fn text_of(message: &Message) -> String {
    message.body().ok().and_then(|body| body.as_string()).unwrap_or_default()
}

/// A message is done.
pub fn ack(message: &Message) {
    // Fails for a message that is no longer ours; then it comes again, and is a repeat.
    let _ = message.ack();
}

/// A message comes again.
pub fn retry(message: &Message) {
    // As above: whatever is not acknowledged comes again.
    let _ = message.retry(JsValue::UNDEFINED);
}

/// The promise of a future: the only place that makes one, for each kind of future would bring a kilobyte of its own.
pub fn promise(future: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    let future: Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>> = Box::pin(future);
    future_to_promise(std::panic::AssertUnwindSafe(future))
}

/// The outcomes of some futures that run side by side, in their order.
pub async fn all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    // Dozens at most, so each of them may be asked whenever one of them has something to say.
    std::future::poll_fn(|context| {
        let mut is_waiting = false;
        for (future, outcome) in futures.iter_mut().filter(|(_, outcome)| outcome.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(done) => *outcome = Some(done),
                Poll::Pending => is_waiting = true,
            }
        }
        if is_waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    futures.into_iter().filter_map(|(_, outcome)| outcome).collect()
}

/// Names and values of headers in turn.
fn flat(lines: &[(&str, &str)]) -> Array {
    let list = Array::new();
    for (name, value) in lines {
        list.push(&JsValue::from_str(name));
        list.push(&JsValue::from_str(value));
    }
    list
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
        let lines = flat(self.lines);
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
        Ok(answer.await?.unchecked_into())
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
    Bytes(Uint8Array::from(bytes)).kv_put(env, binding, key, limit).await
}

/// Writes a KV value that is gone after some seconds, 60 at least.
///
/// # Errors
/// What KV says, or nothing in time.
pub async fn kv_put_for(
    env: &Env,
    binding: &str,
    key: &str,
    bytes: &[u8],
    (seconds, limit): (u64, Duration),
) -> Result<()> {
    kv_put_for_js(env, binding, key, &Uint8Array::from(bytes), seconds as f64, millis(limit)).await?;
    Ok(())
}

/// Deletes a KV value, should there be one.
///
/// # Errors
/// What KV says, or nothing in time.
pub async fn kv_delete(env: &Env, binding: &str, key: &str, limit: Duration) -> Result<()> {
    kv_delete_js(env, binding, key, millis(limit)).await?;
    Ok(())
}

/// Whether there is a KV value; it is not read.
///
/// # Errors
/// What KV says, or nothing in time.
pub async fn kv_has(env: &Env, binding: &str, key: &str, limit: Duration) -> Result<bool> {
    Ok(kv_has_js(env, binding, key, millis(limit)).await?.is_truthy())
}

/// Bytes that stay with the runtime: large ones need not be in the wasm, whose memory never shrinks.
pub struct Bytes(Uint8Array);

impl Bytes {
    /// The body of a request or a response; `None` when there is more than allowed.
    ///
    /// # Errors
    /// The stream breaks off.
    pub async fn of_body(message: &JsValue, limit_bytes: usize) -> Result<Option<Self>> {
        let limit = u32::try_from(limit_bytes).map_err(|_| Error::new("a limit beyond 4 GiB"))?;
        let body = body_of(message, limit).await?;
        Ok((!body.is_null()).then(|| Self(body.unchecked_into())))
    }

    /// A copy of them in the wasm.
    pub fn to_vec(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// Their SHA-256, 64 hexadecimal digits.
    ///
    /// # Errors
    /// What the runtime says.
    pub async fn sha256(&self) -> Result<String> {
        Ok(sha256_js(&self.0).await?.as_string().unwrap_or_default())
    }

    /// Writes them as a KV value.
    ///
    /// # Errors
    /// What KV says, or nothing in time.
    pub async fn kv_put(&self, env: &Env, binding: &str, key: &str, limit: Duration) -> Result<()> {
        kv_put_js(env, binding, key, &self.0, millis(limit)).await?;
        Ok(())
    }
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

/// The body of an answer of one of our own objects.
///
/// # Errors
/// The answer breaks off.
pub async fn answer_body(response: Response) -> Result<Vec<u8>> {
    let body = Bytes::of_body(response.as_ref(), MAX_ANSWER_BYTES).await?;
    Ok(body.map(|bytes| bytes.to_vec()).unwrap_or_default())
}

/// A file of the site's own assets, where there are any.
///
/// # Errors
/// What the assets say.
pub async fn asset(env: &Env, request: &Request) -> Result<Option<Response>> {
    let answer = asset_of(env, request).await?;
    Ok((!answer.is_undefined()).then(|| answer.unchecked_into()))
}

/// Waits.
pub async fn sleep(time: Duration) {
    sleep_js(millis(time)).await;
}
