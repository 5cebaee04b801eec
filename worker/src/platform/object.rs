//! What a Durable Object has of its own: a name, an alarm, SQLite.

use super::Result;
use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/platform/platform.js")]
extern "C" {
    #[wasm_bindgen(js_name = objectName)]
    fn name_js(state: &State) -> Option<String>;

    #[wasm_bindgen(catch, js_name = setAlarm)]
    async fn set_alarm_js(state: &State, after_millis: f64) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = sqlRows)]
    fn rows_js(state: &State, query: &str, values: &Array) -> std::result::Result<Array, JsValue>;

    #[wasm_bindgen(catch, js_name = sqlAll)]
    fn all_js(state: &State, statements: &Array) -> std::result::Result<(), JsValue>;
}

#[wasm_bindgen]
extern "C" {
    /// The object's side of the runtime.
    #[derive(Debug)]
    pub type State;

    #[wasm_bindgen(method, js_name = waitUntil)]
    fn wait_until_js(this: &State, promise: &Promise);
}

impl State {
    /// Keeps the object awake until something is done.
    pub fn wait_until(&self, future: impl Future<Output = ()> + 'static) {
        self.wait_until_js(&super::promise(async {
            future.await;
            Ok(JsValue::UNDEFINED)
        }));
    }

    /// The name it is reached by.
    pub fn name(&self) -> String {
        name_js(self).unwrap_or_default()
    }

    /// Sets the alarm, instead of the one that was set before.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn set_alarm(&self, after_millis: u64) -> Result<()> {
        set_alarm_js(self, after_millis as f64).await?;
        Ok(())
    }

    /// Rows of a query, each a list of its columns.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn rows(&self, query: &str, values: &Array) -> Result<Array> {
        Ok(rows_js(self, query, values)?)
    }

    /// Runs statements, each a list of the query and its values; after an error none has happened.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn all_or_nothing(&self, statements: &Array) -> Result<()> {
        Ok(all_js(self, statements)?)
    }
}
