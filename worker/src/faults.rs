//! Faults on demand for the fault suite; without the variable `EDGELOOM_FAULTS` nothing of this answers.

use crate::bindings::Settings;
use crate::platform::Request;
use crate::request::header;
use std::cell::Cell;

/// Header that asks for a fault.
pub const HEADER: &str = "x-edgeloom-fault";

thread_local! {
    static NEXT_LOAD_FAILS: Cell<bool> = const { Cell::new(false) };
}

/// The fault a request asks for, where asking is allowed.
pub fn asked(settings: &Settings, request: &Request) -> Option<String> {
    settings.faults.then(|| header(request, HEADER)).flatten()
}

/// Panics, as a defect would.
#[expect(clippy::panic, reason = "that is its purpose")]
pub fn panic_now(place: &str) {
    panic!("fault asked for in {place}");
}

/// Arms a panic in the next load of a snapshot.
pub fn arm_load() {
    NEXT_LOAD_FAILS.set(true);
}

/// Panics if it was armed.
pub fn at_load() {
    if NEXT_LOAD_FAILS.take() {
        panic_now("load");
    }
}
