//! What a Durable Object has of its own: a name, an alarm, SQLite.

use super::Result;
use js_sys::Array;
use wasm_bindgen::prelude::*;
use worker_sys::DurableObjectState;

#[wasm_bindgen(module = "/src/platform/platform.js")]
extern "C" {
    #[wasm_bindgen(js_name = objectName)]
    fn name_js(state: &DurableObjectState) -> Option<String>;

    #[wasm_bindgen(catch, js_name = setAlarm)]
    async fn set_alarm_js(
        state: &DurableObjectState,
        after_millis: f64,
    ) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = sqlRows)]
    fn rows_js(
        state: &DurableObjectState,
        query: &str,
        values: &Array,
    ) -> std::result::Result<Array, JsValue>;

    #[wasm_bindgen(catch, js_name = sqlAll)]
    fn all_js(state: &DurableObjectState, statements: &Array) -> std::result::Result<(), JsValue>;
}

/// The object's side of the runtime.
pub struct State(DurableObjectState);

impl State {
    /// What the runtime hands over.
    pub fn new(state: DurableObjectState) -> Self {
        Self(state)
    }

    /// Keeps the object awake until something is done.
    pub fn wait_until(&self, future: impl Future<Output = ()> + 'static) {
        // Fails where the object is being put away; then what waits is done by the next one.
        let _ = self.0.wait_until(&super::quiet(future));
    }

    /// The name it is reached by.
    pub fn name(&self) -> String {
        name_js(&self.0).unwrap_or_default()
    }

    /// Sets the alarm, instead of the one that was set before.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn set_alarm(&self, after_millis: u64) -> Result<()> {
        set_alarm_js(&self.0, after_millis as f64).await?;
        Ok(())
    }

    /// Rows of a query, each a list of its columns.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn rows(&self, query: &str, values: &Array) -> Result<Array> {
        Ok(rows_js(&self.0, query, values)?)
    }

    /// Runs statements, each a list of the query and its values; after an error none has happened.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn all_or_nothing(&self, statements: &Array) -> Result<()> {
        Ok(all_js(&self.0, statements)?)
    }
}
