//! The core for JavaScript: every function is a forward. Browser, console and tests decide with the same code as the edge.

use edgeloom::bandit::{BetaPosterior, p_best, sampler};
use edgeloom::decide::decide;
use edgeloom::form::Form;
use edgeloom::json;
use edgeloom::seed::Generator;
use edgeloom::snapshot::{Snapshot, compile, store};
use edgeloom::wire::{Told, Visit};
use std::rc::Rc;
use wasm_bindgen::prelude::*;

mod sheet;
pub use sheet::Sheet;

fn failed(error: impl std::fmt::Display) -> JsError {
    JsError::new(&error.to_string())
}

/// Draws from Beta(alpha, beta).
///
/// # Errors
/// A shape that is not positive and finite.
#[wasm_bindgen]
pub fn draws(alpha: f64, beta: f64, seed: u64, n: u32) -> Result<Vec<f64>, JsError> {
    let posterior = BetaPosterior::new(alpha, beta).map_err(failed)?;
    let mut generator = Generator::new(seed);
    Ok((0..n).map(|_| sampler::draw(&posterior, &mut generator)).collect())
}

/// P(best) of each posterior, given as alpha, beta, alpha, beta …
///
/// # Errors
/// A shape that is not positive and finite.
#[wasm_bindgen]
pub fn weights(shapes: &[f64]) -> Result<Vec<f64>, JsError> {
    let posterior = |pair: &[f64]| match pair {
        [alpha, beta] => BetaPosterior::new(*alpha, *beta).map_err(failed),
        _ => Err(JsError::new("an alpha without its beta")),
    };
    Ok(p_best(&shapes.chunks(2).map(posterior).collect::<Result<Vec<_>, _>>()?))
}

/// A published snapshot, ready to decide.
#[wasm_bindgen]
pub struct Engine {
    snapshot: Rc<Snapshot>,
    warnings: Vec<String>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens the stored form of a snapshot.
    ///
    /// # Errors
    /// Bytes that are no readable snapshot.
    #[wasm_bindgen(constructor)]
    pub fn new(stored: &[u8]) -> Result<Self, JsError> {
        let stored = store::decode(stored).map_err(failed)?;
        let (snapshot, warnings) = compile(&stored);
        let warnings = warnings.into_iter().map(|w| format!("{}: {}", w.pointer, w.message)).collect();
        Ok(Self { snapshot: Rc::new(snapshot), warnings })
    }

    /// The snapshot of a configuration that nobody has seen yet: JSON of `wire::Published`.
    ///
    /// # Errors
    /// Text of another shape, or more than a snapshot may hold.
    pub fn preview(published: &str) -> Result<Self, JsError> {
        let published = json::read(published.as_bytes()).map_err(failed)?;
        Self::new(&store::encode(&published, 0, 0).map_err(failed)?)
    }

    /// What had to be left out, and why.
    #[wasm_bindgen(getter)]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    /// Decides for a visit (`edgeloom::wire::Visit` as an object); the answer is an `edgeloom::wire::Told`.
    ///
    /// # Errors
    /// A visit of another shape.
    pub fn decide(&self, visit: JsValue) -> Result<JsValue, JsError> {
        let visit: Visit = serde_wasm_bindgen::from_value(visit).map_err(failed)?;
        let (context, seed) = visit.open(&self.snapshot.site).map_err(failed)?;
        let told = Told::of(&self.snapshot, &decide(&self.snapshot, &context, &seed));
        serde_wasm_bindgen::to_value(&told).map_err(failed)
    }

    /// A sheet for visits with these facts, in this order, where a call has to be quick; `form.js` writes on it.
    ///
    /// # Errors
    /// A fact that no form has (`edgeloom::form::Form::new`).
    pub fn sheet(&self, names: Vec<String>) -> Result<Sheet, JsError> {
        Ok(Sheet::new(self.snapshot.clone(), Form::new(&names).map_err(failed)?))
    }
}
