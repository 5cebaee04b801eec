//! What is left of an instance that panicked: a line in the log, and a mark that `entry.mjs` sees before the next call.

use std::panic::set_hook;
use wasm_bindgen::handler::{schedule_reinit, set_on_abort};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/platform/platform.js")]
extern "C" {
    #[wasm_bindgen(js_name = noteTrap)]
    fn note_trap(what: &str);

    #[wasm_bindgen(js_name = trapState)]
    fn trap_state() -> JsValue;
}

/// Runs when the module is loaded, and again whenever it starts anew.
#[wasm_bindgen(start, private)]
fn start() {
    set_hook(Box::new(|panic| note_trap(&panic.to_string())));
    set_on_abort(schedule_reinit);
}

/// Where the mark is set: an object of JavaScript, which outlives the instance.
#[wasm_bindgen(js_name = "__worker_init_state")]
pub fn state() -> JsValue {
    trap_state()
}
