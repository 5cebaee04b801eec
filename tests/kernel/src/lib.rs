//! The inner loops with 128-bit instructions beside their plain twins, for `tests/kernel.test.mjs`.

use wasm_bindgen::prelude::*;

/// The first loop that gives other bits than its plain twin, for numbers of this dimension; `bits` makes random ones.
#[wasm_bindgen]
#[must_use]
pub fn differs(dimension: usize, bits: &[u64]) -> Option<String> {
    let mut bits = bits.iter().copied().cycle();
    edgeloom_kernel::differs(dimension, || bits.next().unwrap_or(0)).map(String::from)
}
